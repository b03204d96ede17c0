//! As much of a shell as the walk needs: words with quotes, `$NAME`, `${NAME}`, `$?` and `$(…)`, `>`, `2>&1` and `&`, two
//! commands with `;` between them, and these commands: `mapwright`, `curl`, `cd`, `export`, `echo`, `cat`, `grep`, `kill`,
//! `wait`. What it does not know is a mistake of the page.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{PipeReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::page::{Edit, Step};
use super::{compare, curl};
use crate::stage::free_port;
use crate::world::{World, wait};

/// How long a command may take.
const PATIENCE: Duration = Duration::from_mins(1);
const TICK: Duration = Duration::from_millis(100);

/// What stands before the number of a port.
pub(super) const BEFORE_A_PORT: [&str; 3] = ["127.0.0.1:", "localhost:", "-port "];

/// A folder, its variables, and what runs in the background.
pub(super) struct Shell {
    world: World,
    folder: PathBuf,
    variables: BTreeMap<String, String>,
    /// The page's ports, and those that are free here.
    ports: Vec<(u16, u16)>,
    jobs: Vec<Job>,
    /// The exit code of the last command.
    code: i32,
    patience: Duration,
}

/// A command in the background; killed when the walk ends, however it ends.
struct Job {
    line: String,
    child: Child,
    shown: Arc<Mutex<Vec<u8>>>,
    /// How much of it the page has told of.
    told: usize,
    ended: bool,
}

/// One command, with its words read.
struct Call {
    words: Vec<String>,
    /// The file that takes standard output, and whether it takes standard error too.
    into: Option<(String, bool)>,
    behind: bool,
}

impl Shell {
    pub(super) fn new(ports: Vec<u16>, patience: Duration) -> Self {
        let world = World::empty();
        let folder = world.work();
        let ports = ports.into_iter().map(|port| (port, free_port())).collect();
        Self { world, folder, variables: BTreeMap::new(), ports, jobs: Vec::new(), code: 0, patience }
    }

    /// Runs a command and compares; again and again, if the page says so.
    pub(super) fn step(&mut self, step: &Step, again: bool, code_is_told: bool) -> Result<(), String> {
        let patience = Patience::begin(self.patience);
        loop {
            let shown = self.line(&step.command).map_err(|error| format!("{}: {error}", step.at))?;
            let behind = step.command.ends_with('&');
            let mut shown = self.as_on_the_page(&shown);
            while behind && !compare::is_as_told(&step.told, &shown) && !patience.is_over() {
                thread::sleep(TICK);
                shown = self.as_on_the_page(&self.jobs.last().map(Job::rest).unwrap_or_default());
            }
            let as_told = compare::is_as_told(&step.told, &shown);
            let fine = self.code == 0 || code_is_told;
            if as_told && fine {
                if behind && let Some(job) = self.jobs.last_mut() {
                    job.told += job.rest().len();
                }
                self.translate_files()?;
                return Ok(());
            }
            if again && !patience.is_over() {
                thread::sleep(TICK * 5);
                continue;
            }
            let both = compare::beside(&step.told, &shown);
            let code = if fine { String::new() } else { format!("  it ends with exit code {}\n", self.code) };
            let Step { at, command, .. } = step;
            return Err(format!("{at}: `{command}` is not as the page says\n{both}{code}{}", self.logs()));
        }
    }

    /// Changes a file as somebody with an editor does.
    pub(super) fn edit(&mut self, edit: &Edit) -> Result<(), String> {
        let Edit { at, file, places } = edit;
        let path = self.folder.join(file);
        let failed = |error: std::io::Error| format!("{at}: {file}: {error}");
        let mut text = std::fs::read_to_string(&path).map_err(failed)?;
        for (old, new) in places {
            let (old, new) = (self.as_it_is(old), self.as_it_is(new));
            let times = text.matches(&old).count();
            if times != 1 {
                return Err(format!("{at}: {file}: this stands there {times} times, and not once:\n{old}"));
            }
            text = text.replace(&old, &new);
        }
        std::fs::write(&path, text).map_err(failed)
    }

    /// After the last step: nothing was shown of which the page does not tell, and what still runs is killed.
    pub(super) fn end(&mut self) -> Result<(), String> {
        let untold = self.jobs.iter().find(|job| !job.rest().is_empty());
        untold.map_or(Ok(()), |job| Err(format!("`{}` also shows\n{}", job.line, job.rest())))
    }

    /// Runs a line, and gives what the terminal shows.
    fn line(&mut self, line: &str) -> Result<String, String> {
        let line = self.as_it_is(line);
        let mut shown = String::new();
        for call in self.calls(&line)? {
            shown.push_str(&self.call(&call, &line)?);
        }
        Ok(shown)
    }

    fn call(&mut self, call: &Call, line: &str) -> Result<String, String> {
        let Some((name, words)) = call.words.split_first() else { return Ok(String::new()) };
        if name == "mapwright" {
            return self.mapwright(words, call, line);
        }
        if call.behind {
            return Err(format!("the walk runs nothing but `mapwright` in the background: {line}"));
        }
        let (code, shown) = self.builtin(name, words, line)?;
        self.code = code;
        match &call.into {
            None => Ok(shown),
            Some((file, _)) => {
                std::fs::write(self.folder.join(file), shown).map_err(|error| format!("{file}: {error}"))?;
                Ok(String::new())
            }
        }
    }

    /// Everything but the binary: the exit code, and what it shows.
    fn builtin(&mut self, name: &str, words: &[String], line: &str) -> Result<(i32, String), String> {
        Ok(match (name, words) {
            ("curl", words) => curl::run(words)?,
            ("echo", words) => (0, words.join(" ") + "\n"),
            ("export", words) => {
                for word in words {
                    let (name, value) = word.split_once('=').ok_or(format!("`export {word}`: no value"))?;
                    self.variables.insert(name.to_owned(), value.to_owned());
                }
                (0, String::new())
            }
            ("cd", [folder]) => {
                self.folder = self.folder.join(folder);
                let there = self.folder.is_dir();
                if there { (0, String::new()) } else { (1, format!("cd: {folder}: no such folder\n")) }
            }
            ("cat", [file]) => (0, self.file(file)?),
            ("grep", [part, file]) => {
                if part.contains(['.', '*', '[', '^', '$', '\\']) {
                    return Err(format!("the walk's `grep` knows no patterns: {part}"));
                }
                let text = self.file(file)?;
                let found: Vec<&str> =
                    text.split_inclusive('\n').filter(|line| line.contains(part.as_str())).collect();
                (i32::from(found.is_empty()), found.concat())
            }
            ("kill", jobs) => (self.kill(jobs)?, String::new()),
            ("wait", jobs) => self.wait(jobs)?,
            _ => {
                return Err(format!("the walk's shell has no command `{name}` with these words: {line}"));
            }
        })
    }

    fn file(&self, file: &str) -> Result<String, String> {
        let path = self.folder.join(file);
        std::fs::read_to_string(path).map_err(|error| format!("{file}: {error}"))
    }

    /// Runs the binary, with both of its outputs on one terminal.
    fn mapwright(&mut self, words: &[String], call: &Call, line: &str) -> Result<String, String> {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut command = self.world.command(&words);
        command.current_dir(&self.folder).envs(&self.variables);
        let failed = |error: std::io::Error| format!("{line}: {error}");
        let terminal = route(&mut command, call, &self.folder).map_err(failed)?;
        let child = command.spawn().map_err(failed)?;
        drop(command);
        let mut job = Job::new(line, child, terminal);
        if call.behind {
            let shown = job.rest();
            self.code = 0;
            self.jobs.push(job);
            return Ok(shown);
        }
        self.code = wait(&mut job.child, PATIENCE).unwrap_or(-1);
        job.ended = true;
        Ok(job.last_words())
    }

    /// Asks jobs to end.
    fn kill(&mut self, names: &[String]) -> Result<i32, String> {
        for name in names {
            let id = self.job(name)?.child.id().to_string();
            let sent = Command::new("kill").args(["-TERM", &id]).status();
            sent.map_err(|error| format!("kill {name}: {error}"))?;
        }
        Ok(0)
    }

    /// Waits for a job, or for all, and shows what they have said since.
    fn wait(&mut self, names: &[String]) -> Result<(i32, String), String> {
        let mut code = 0;
        let mut shown = String::new();
        let all: Vec<String> =
            self.jobs.iter().filter(|job| !job.ended).map(|job| format!("%{}", job.line)).collect();
        for name in if names.is_empty() { &all } else { names } {
            let job = self.job(name)?;
            code = wait(&mut job.child, PATIENCE).unwrap_or(-1);
            job.ended = true;
            shown.push_str(&job.last_words());
        }
        Ok((code, shown))
    }

    /// `$!` is the last one, `%TEXT` the one whose line begins so, `%?TEXT` the one that holds it.
    fn job(&mut self, name: &str) -> Result<&mut Job, String> {
        let jobs = &mut self.jobs;
        let found = match (name, name.strip_prefix("%?"), name.strip_prefix('%')) {
            ("$!", _, _) => jobs.last_mut(),
            (_, Some(part), _) => jobs.iter_mut().find(|job| !job.ended && job.line.contains(part)),
            (_, _, Some(beginning)) => {
                jobs.iter_mut().find(|job| !job.ended && job.line.starts_with(beginning))
            }
            _ => None,
        };
        found.ok_or_else(|| format!("nothing in the background is `{name}`"))
    }

    /// What the files that jobs write into hold, for whoever has to find out what went wrong.
    fn logs(&self) -> String {
        let entries = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut logs = String::new();
        for log in entries.filter(|entry| entry.path().extension().is_some_and(|ending| ending == "log")) {
            let text = std::fs::read_to_string(log.path()).unwrap_or_default();
            let _ = write!(logs, "  {}\n{text}", log.file_name().display());
        }
        logs
    }

    /// The page's ports as those that are free here.
    fn as_it_is(&self, text: &str) -> String {
        self.ports.iter().fold(text.to_owned(), |text, (told, real)| ports(&text, *told, *real))
    }

    fn as_on_the_page(&self, text: &str) -> String {
        self.ports.iter().fold(text.to_owned(), |text, (told, real)| ports(&text, *real, *told))
    }

    /// What the program wrote about ports of the page into files of the project is about those that are free here.
    fn translate_files(&self) -> Result<(), String> {
        let entries =
            std::fs::read_dir(&self.folder).into_iter().flatten().flatten().map(|entry| entry.path());
        for path in entries.filter(|path| path.extension().is_some_and(|ending| ending == "yaml")) {
            let failed = |error: std::io::Error| format!("{}: {error}", path.display());
            let text = std::fs::read_to_string(&path).map_err(failed)?;
            let real = self.as_it_is(&text);
            if real != text {
                std::fs::write(&path, real).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// The commands of a line.
    fn calls(&mut self, line: &str) -> Result<Vec<Call>, String> {
        let mut calls = vec![Call { words: Vec::new(), into: None, behind: false }];
        let mut into = false;
        for token in self.tokens(line)? {
            let last = calls.last_mut().ok_or("a command")?;
            match token {
                Token::Word(word) if into => {
                    last.into = Some((word, false));
                    into = false;
                }
                Token::Word(word) => last.words.push(word),
                Token::Operator(operator) => match (operator.as_str(), &mut last.into) {
                    (">", None) => into = true,
                    ("2>&1", Some((_, errors))) => *errors = true,
                    ("&", _) => last.behind = true,
                    (";", _) => calls.push(Call { words: Vec::new(), into: None, behind: false }),
                    (operator, _) => return Err(format!("`{operator}` is not known there: {line}")),
                },
            }
        }
        Ok(calls)
    }

    fn tokens(&mut self, line: &str) -> Result<Vec<Token>, String> {
        let mut tokens = Vec::new();
        let mut rest = line.trim_start();
        while !rest.is_empty() {
            let operator = ["2>&1", ">", "&", ";"].into_iter().find(|operator| rest.starts_with(operator));
            if let Some(operator) = operator {
                tokens.push(Token::Operator(operator.to_owned()));
                rest = rest[operator.len()..].trim_start();
                continue;
            }
            let (word, after) = self.word(rest)?;
            tokens.push(Token::Word(word));
            rest = after.trim_start();
        }
        Ok(tokens)
    }

    /// The word at the beginning, and what comes after it.
    fn word<'a>(&mut self, text: &'a str) -> Result<(String, &'a str), String> {
        let mut word = String::new();
        let mut rest = text;
        let mut quoted = false;
        while let Some(first) = rest.chars().next() {
            match first {
                '"' => {
                    quoted = !quoted;
                    rest = &rest[1..];
                }
                '\'' if !quoted => {
                    let (inner, after) =
                        rest[1..].split_once('\'').ok_or(format!("a quote is open: {text}"))?;
                    word.push_str(inner);
                    rest = after;
                }
                '$' => {
                    let (value, after) = self.value(rest)?;
                    word.push_str(&value);
                    rest = after;
                }
                ' ' | ';' | '>' | '&' if !quoted => break,
                '|' | '<' | '`' | '\\' | '*' | '#' if !quoted => {
                    return Err(format!("`{first}` is not known to the walk's shell: {text}"));
                }
                other => {
                    word.push(other);
                    rest = &rest[other.len_utf8()..];
                }
            }
        }
        if quoted { Err(format!("a quote is open: {text}")) } else { Ok((word, rest)) }
    }

    /// What `$…` stands for, and what comes after it.
    fn value<'a>(&mut self, text: &'a str) -> Result<(String, &'a str), String> {
        let rest = &text[1..];
        if let Some(after) = rest.strip_prefix('?') {
            return Ok((self.code.to_string(), after));
        }
        if let Some(after) = rest.strip_prefix('!') {
            return Ok(("$!".to_owned(), after));
        }
        if let Some(inner) = rest.strip_prefix('(') {
            let (command, after) = inner.split_once(')').ok_or(format!("`$(` is open: {text}"))?;
            return Ok((self.line(command)?.trim_end().to_owned(), after));
        }
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let (name, after) = if let Some(inner) = rest.strip_prefix('{') {
            inner.split_once('}').ok_or(format!("`${{` is open: {text}"))?
        } else {
            rest.split_at(rest.find(|c| !is_part(c)).unwrap_or(rest.len()))
        };
        let value = self.variables.get(name).ok_or(format!("no variable `{name}` was exported"))?;
        Ok((value.clone(), after))
    }
}

enum Token {
    Word(String),
    Operator(String),
}

/// One port in the place of another, where a port stands.
fn ports(text: &str, from: u16, to: u16) -> String {
    BEFORE_A_PORT.iter().fold(text.to_owned(), |text, before| {
        let wanted = format!("{before}{from}");
        let mut pieces = text.split(&wanted);
        let mut into = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let longer = piece.starts_with(|c: char| c.is_ascii_digit());
            let _ = write!(into, "{before}{}{piece}", if longer { from } else { to });
        }
        into
    })
}

/// Sends what a command says to the terminal, or to a file.
fn route(command: &mut Command, call: &Call, folder: &std::path::Path) -> std::io::Result<PipeReader> {
    let (reader, writer) = std::io::pipe()?;
    command.stderr(writer.try_clone()?);
    match &call.into {
        None => command.stdout(writer),
        Some((file, errors)) => {
            let file = std::fs::File::create(folder.join(file))?;
            if *errors {
                command.stderr(file.try_clone()?);
            }
            command.stdout(file)
        }
    };
    Ok(reader)
}

impl Job {
    fn new(line: &str, child: Child, mut terminal: PipeReader) -> Self {
        let shown = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&shown);
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = terminal.read(&mut bytes) {
                into.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&bytes[..read]);
            }
        });
        Self { line: line.to_owned(), child, shown, told: 0, ended: false }
    }

    /// What was shown since the page told of it.
    fn rest(&self) -> String {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&shown[self.told..]).into_owned()
    }

    /// The same, of one that has ended: once the reader has seen the end.
    fn last_words(&mut self) -> String {
        let patience = Patience::begin(PATIENCE);
        while Arc::strong_count(&self.shown) > 1 && !patience.is_over() {
            thread::sleep(Duration::from_millis(2));
        }
        let rest = self.rest();
        self.told += rest.len();
        rest
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if !self.ended {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

struct Patience(Instant, Duration);

impl Patience {
    #[expect(clippy::disallowed_methods, reason = "a test's own time limit")]
    fn begin(time: Duration) -> Self {
        Self(Instant::now(), time)
    }

    fn is_over(&self) -> bool {
        self.0.elapsed() > self.1
    }
}
