//! `mapwright eval`: source records in, target field values out; no CRM.
//!
//! Lines are evaluated a batch at a time: what one read of the input gives. With several threads the batches go to them
//! in turn, and the answers are taken in the same turn, so that the output is the same, byte for byte.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::args::EvalArgs;
use super::lines::{LineReader, MAX_LINE, Piece};
use super::output::Output;
use super::{Exit, parts};
use crate::diagnostic::did_you_mean;
use crate::eval::{Line, Lines};
use crate::plan::Plan;
use crate::source::Side;

/// Batches that wait for a thread, and answers of a thread that wait to be written. More would only take memory.
const WAITING: usize = 2;

pub(super) fn run(given: Option<&Path>, options: &EvalArgs, output: Output) -> Exit {
    let project = match parts::checked(given, output) {
        Ok(project) => project,
        Err(exit) => return exit,
    };
    let plan = match parts::world(&project, options.pair.as_deref(), output) {
        Ok(world) => world.plan(&project.sources),
        Err(exit) => return exit,
    };
    let Some(plan) = plan else { return Exit::Findings };
    drop(project);
    let index = match chosen(&plan, options) {
        Ok(index) => index,
        Err(message) => {
            output.error(&message);
            return Exit::Usage;
        }
    };
    let input: Box<dyn Read + Send> = match options.file.as_deref() {
        None => Box::new(std::io::stdin()),
        Some(path) if path == Path::new("-") => Box::new(std::io::stdin()),
        Some(path) => match std::fs::File::open(path) {
            Ok(file) => Box::new(file),
            Err(error) => {
                output.error(&format!("`{}` cannot be read: {error}", path.display()));
                return Exit::Usage;
            }
        },
    };
    let mapping = &plan.mappings[index];
    if !mapping.lookups.is_empty() || mapping.related.iter().any(|related| related.need.is_some()) {
        output.note("eval reaches no CRM: look-ups and related records are blank");
    }
    let job = Job { mapping: index, provenance: options.provenance, fail_fast: options.fail_fast };
    let printer = Printer { out: std::io::stdout().lock(), output, line: 0, exit: Exit::Fine };
    match options.threads.get() {
        1 => one_thread(&plan, job, LineReader::new(input), printer),
        threads => many_threads(&Arc::new(plan), job, LineReader::new(input), printer, threads),
    }
}

/// The index of the mapping that is meant, or of the leg of a sync; else what is wrong.
fn chosen(plan: &Plan, options: &EvalArgs) -> Result<usize, String> {
    let name = &options.mapping;
    let from = options.from.map(Side::from);
    if let Some(sync) = plan.sync(name) {
        return from.map(|from| sync.leg(from.other())).ok_or_else(|| {
            format!(
                "`{name}` is a sync: say whose records these are, `--from hubspot` or `--from salesforce`"
            )
        });
    }
    let index = plan.find(name).ok_or_else(|| unknown_mapping(plan, name))?;
    let source = &plan.mappings[index].source;
    match from {
        Some(from) if from != source.side => Err(format!(
            "`{name}` is a mapping from `{source}`, so its records are {}'s",
            source.side.label()
        )),
        _ => Ok(index),
    }
}

/// Says that there is no such mapping, with the nearest one.
pub(super) fn unknown_mapping(plan: &Plan, name: &str) -> String {
    if plan.sync(name).is_some() {
        return format!("`{name}` is a sync, and this command takes a mapping");
    }
    let names =
        || plan.mappings.iter().filter(|mapping| !mapping.is_leg).map(|mapping| mapping.name.as_str());
    let near = did_you_mean(name, names()).unwrap_or_else(|| {
        let all: Vec<String> = names().map(|name| format!("`{name}`")).collect();
        format!("the project has {}", if all.is_empty() { "none".to_owned() } else { all.join(", ") })
    });
    format!("there is no mapping `{name}`; {near}")
}

/// What is done with every line.
#[derive(Debug, Clone, Copy)]
struct Job {
    mapping: usize,
    provenance: bool,
    fail_fast: bool,
}

impl Job {
    fn lines(self, plan: &Plan) -> Lines<'_> {
        Lines::new(plan, &plan.mappings[self.mapping], self.provenance)
    }
}

/// A part of the input on its way to a thread.
enum Batch {
    Lines(Vec<u8>),
    TooLong,
    /// The input cannot be read any further.
    Broken(std::io::Error),
}

/// What a batch gave.
#[derive(Default)]
struct Answer {
    out: Vec<u8>,
    /// What is said about lines, which are counted from 1 within the batch.
    said: Vec<(u64, Said)>,
    lines: u64,
    /// Whether nothing after it counts.
    last: bool,
}

/// What is said about a line.
enum Said {
    /// It is no error.
    Note(String),
    /// It could not be mapped.
    Error(String),
    /// A run would park it.
    Parked(String),
    /// It could not be read.
    Broken(String),
}

fn one_thread<R: Read>(
    plan: &Plan,
    job: Job,
    mut input: LineReader<R>,
    mut printer: Printer<impl Write>,
) -> Exit {
    let mut lines = job.lines(plan);
    let mut answer = Answer::default();
    let mut first = true;
    loop {
        answer.clear();
        match input.next() {
            Ok(Some(Piece::Lines(batch))) => answer.evaluate(&mut lines, batch, first, job.fail_fast),
            Ok(Some(Piece::TooLong)) => answer.too_long(job.fail_fast),
            Ok(None) => return printer.exit,
            Err(error) => answer.broken(&error),
        }
        first = false;
        if printer.print(&answer).is_err() || answer.last {
            return printer.exit;
        }
    }
}

/// One thread reads, some evaluate, this one prints. None of them is waited for at an early end: the one that reads may
/// be waiting for a person.
fn many_threads<R: Read + Send + 'static>(
    plan: &Arc<Plan>,
    job: Job,
    input: LineReader<R>,
    mut printer: Printer<impl Write>,
    threads: usize,
) -> Exit {
    let mut batches = Vec::with_capacity(threads);
    let mut answers = Vec::with_capacity(threads);
    for index in 0..threads {
        let (give, take) = sync_channel(WAITING);
        let (answer, answered) = sync_channel(WAITING);
        batches.push(give);
        answers.push(answered);
        let plan = Arc::clone(plan);
        std::thread::spawn(move || evaluate(&plan, job, &take, &answer, index == 0));
    }
    std::thread::spawn(move || read(input, &batches));
    for answered in answers.iter().cycle() {
        // Nothing more comes from the thread whose turn it is, so nothing more comes at all.
        let Ok(answer) = answered.recv() else { break };
        if printer.print(&answer).is_err() || answer.last {
            break;
        }
    }
    printer.exit
}

/// Hands the input to the threads in turn.
fn read<R: Read>(mut input: LineReader<R>, batches: &[SyncSender<Batch>]) {
    for batches in batches.iter().cycle() {
        let (batch, broken) = match input.next() {
            Ok(Some(Piece::Lines(lines))) => (Batch::Lines(lines.to_vec()), false),
            Ok(Some(Piece::TooLong)) => (Batch::TooLong, false),
            Ok(None) => return,
            Err(error) => (Batch::Broken(error), true),
        };
        if batches.send(batch).is_err() || broken {
            return;
        }
    }
}

/// Evaluates the batches of one thread; the very first batch may begin with a byte order mark.
fn evaluate(plan: &Plan, job: Job, batches: &Receiver<Batch>, answers: &SyncSender<Answer>, first: bool) {
    let mut lines = job.lines(plan);
    let mut first = first;
    for batch in batches {
        let mut answer = Answer::default();
        match batch {
            Batch::Lines(batch) => answer.evaluate(&mut lines, &batch, first, job.fail_fast),
            Batch::TooLong => answer.too_long(job.fail_fast),
            Batch::Broken(error) => answer.broken(&error),
        }
        first = false;
        if answers.send(answer).is_err() {
            return;
        }
    }
}

impl Answer {
    fn clear(&mut self) {
        self.out.clear();
        self.said.clear();
        self.lines = 0;
    }

    fn evaluate(&mut self, lines: &mut Lines<'_>, batch: &[u8], first: bool, fail_fast: bool) {
        // Some editors begin a file with a byte order mark, which is no part of the first record.
        let mark = if first { "\u{feff}".as_bytes() } else { b"" };
        let mut rest = batch.strip_prefix(mark).unwrap_or(batch);
        while !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
            let (line, after) = rest.split_at(end);
            rest = after;
            self.lines += 1;
            if line.len() > MAX_LINE {
                self.lines -= 1;
                self.too_long(fail_fast);
            } else if !line.iter().all(u8::is_ascii_whitespace) {
                match lines.line(line, &mut self.out) {
                    Line::Written => {}
                    Line::Refused { guard, at } => {
                        let said = format!("skipped: `only if {guard}` does not hold ({at})");
                        self.said.push((self.lines, Said::Note(said)));
                    }
                    Line::Bad(message) => {
                        self.said.push((self.lines, Said::Error(message)));
                        self.last = fail_fast;
                    }
                    Line::Parked(message) => {
                        self.said.push((self.lines, Said::Parked(message)));
                        self.last = fail_fast;
                    }
                }
            }
            if self.last {
                return;
            }
        }
    }

    fn too_long(&mut self, fail_fast: bool) {
        self.lines += 1;
        let message = format!("the line is longer than {MAX_LINE} bytes");
        self.said.push((self.lines, Said::Error(message)));
        self.last = fail_fast;
    }

    fn broken(&mut self, error: &std::io::Error) {
        self.said.push((1, Said::Broken(format!("cannot be read: {error}"))));
        self.last = true;
    }
}

/// Prints answers in order.
struct Printer<W> {
    out: W,
    output: Output,
    /// The last line before the next answer.
    line: u64,
    exit: Exit,
}

impl<W: Write> Printer<W> {
    /// Fails where the reader has closed the pipe: it has what it wanted.
    fn print(&mut self, answer: &Answer) -> std::io::Result<()> {
        self.out.write_all(&answer.out)?;
        // Whoever writes a record and waits for its fields gets them before the next read waits.
        self.out.flush()?;
        for (line, said) in &answer.said {
            let line = self.line + line;
            match said {
                Said::Note(text) => self.output.note(&format!("line {line}: {text}")),
                Said::Error(text) => {
                    self.output.error(&format!("line {line}: {text}"));
                    self.exit = Exit::Findings;
                }
                Said::Parked(text) => {
                    self.output.complaint("parked", &format!("line {line}: {text}"));
                    self.exit = Exit::Findings;
                }
                Said::Broken(text) => {
                    self.output.error(&format!("line {line}: {text}"));
                    self.exit = Exit::Usage;
                }
            }
        }
        self.line += answer.lines;
        Ok(())
    }
}
