//! Whole processes, timed as the system accounts for them: processor time and largest memory, the least of some runs.
//!
//! ```text
//! cargo bench --bench processes                           all of it
//! cargo bench --bench processes -- check|eval|record|start one part
//! cargo bench --bench processes -- write-contacts FILE N  the records of `eval`
//! cargo bench --bench processes -- write-project DIR N    the project of `check`, of N mappings
//! ```
//!
//! The least is what is quoted, because what else a machine does only ever adds to it.

#[path = "../support/mod.rs"]
mod support;

mod by_hand;

use std::fs::File;
use std::hash::{DefaultHasher, Hasher};
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use mapwright::eval::{Line, Lines};
use wait4::Wait4;

use support::{Parsed, contacts, project};

/// The records of `eval`.
const CONTACTS: usize = 200_000;
/// The seed of the records.
const SEED: u64 = 20_240_930;
/// How often each command runs.
const RUNS: usize = 7;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["by-hand-value", file] => by_hand::over_value(file),
        ["by-hand-structs", file] => by_hand::over_structs(file),
        ["write-contacts", file, count] => {
            write_contacts(Path::new(file), count.parse().expect("a number"), SEED);
        }
        ["write-project", folder, count] => {
            let files = project::files(count.parse().expect("a number"));
            write_files(Path::new(folder), &files);
        }
        // Without `--bench` this is `cargo test`, which measures nothing.
        _ if !std::env::args().any(|arg| arg == "--bench") => {}
        [] => {
            start();
            check();
            eval();
            record();
        }
        ["start"] => start(),
        ["check"] => check(),
        ["eval"] => eval(),
        ["record"] => record(),
        _ => {
            eprintln!(
                "unknown: {}; `check`, `eval`, `record`, `start`, `write-contacts` and `write-project` are known",
                args.join(" ")
            );
            std::process::exit(2);
        }
    }
}

/// `check` of 125 to 1000 mappings.
fn check() {
    println!(
        "check: mappings of {} fields, objects of {} fields",
        project::MAPPING_FIELDS,
        project::SCHEMA_FIELDS
    );
    for count in [125, 250, 500, 1000] {
        let folder = folder(&format!("check-{count}"));
        write_files(&folder, &project::files(count));
        let used = least(&mapwright(&folder, &["check"]));
        let each = used.cpu / u32::try_from(count).expect("a small number");
        println!("  {count:4} mappings  {used}  {each:?} a mapping");
    }
}

/// `eval` of all contacts against the programs that were written by hand.
fn eval() {
    let folder = folder("eval");
    write_files(&folder, &project::contacts());
    let contacts = folder.join("contacts.ndjson");
    write_contacts(&contacts, CONTACTS, SEED);
    let size = std::fs::metadata(&contacts).expect("it was just written").len();
    println!("eval: {CONTACTS} contacts, {size} bytes");
    let file = contacts.to_str().expect("a path of letters");
    let itself = std::env::current_exe().expect("this program");
    let by_hand = |which: &str| {
        [itself.to_str().expect("a path of letters").to_owned(), which.to_owned(), file.to_owned()].to_vec()
    };
    let eval = ["eval", contacts::MAPPING, file];
    let commands = [
        ("by hand, Value", by_hand("by-hand-value")),
        ("by hand, structs", by_hand("by-hand-structs")),
        ("mapwright", mapwright(&folder, &eval)),
        ("mapwright --threads 2", mapwright(&folder, &[&eval[..], &["--threads", "2"]].concat())),
        ("mapwright --provenance", mapwright(&folder, &[&eval[..], &["--provenance"]].concat())),
    ];
    let wanted = output(&commands[0].1);
    for (name, command) in &commands[1..4] {
        assert!(output(command) == wanted, "{name} gives other bytes");
    }
    // In turn, so that a busy moment of the machine meets all of them.
    let mut best: Vec<Option<Used>> = vec![None; commands.len()];
    for _ in 0..RUNS {
        for ((_, command), best) in commands.iter().zip(&mut best) {
            let used = run(command);
            *best = Some(best.map_or(used, |before| before.least(used)));
        }
    }
    for ((name, _), used) in commands.iter().zip(best.iter().flatten()) {
        let each = used.cpu / u32::try_from(CONTACTS).expect("a small number");
        println!("  {name:24}  {used}  {each:?} a record");
    }
    let long = folder.join("long.ndjson");
    write_contacts(&long, 5 * CONTACTS, SEED);
    let used = run(&mapwright(&folder, &["eval", contacts::MAPPING, long.to_str().expect("a path")]));
    println!("  {:24}  {used}", "five times as long");
    std::fs::remove_file(long).expect("it was just written");
}

/// Evaluating records in this process that were read before: the least of many rounds by the clock.
fn record() {
    /// Records of a round, and rounds.
    const COUNTS: (u32, u32) = (2000, 500);
    println!("record: {} contacts that were read before, the least of {} rounds", COUNTS.0, COUNTS.1);
    let plan = Parsed::new(&project::contacts()).plan();
    let mapping = plan.mapping(contacts::MAPPING).expect("the mapping");
    let mut text = Vec::new();
    contacts::write(COUNTS.0 as usize, SEED, &mut text).expect("memory can be written");
    let records = support::records(&text);
    let slots: Vec<_> = records.iter().map(|record| support::slots(mapping, record)).collect();
    for (name, provenance) in [("without provenance", false), ("with provenance", true)] {
        let lines = Lines::new(&plan, mapping, provenance);
        let mut out = Vec::new();
        let round = || {
            out.clear();
            #[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
            let start = std::time::Instant::now();
            for slots in &slots {
                assert_eq!(lines.record(slots, &mut out), Line::Written);
            }
            start.elapsed()
        };
        let least = std::iter::repeat_with(round).take(COUNTS.1 as usize).min().expect("many rounds");
        println!("  {name:24}  {:?} a record", least / COUNTS.0);
    }
}

/// Starting, checking one mapping and evaluating one record.
fn start() {
    println!("start: one mapping, one record");
    let folder = folder("start");
    write_files(&folder, &project::contacts());
    write_contacts(&folder.join("one.ndjson"), 1, SEED);
    let one = folder.join("one.ndjson");
    let command = mapwright(&folder, &["eval", contacts::MAPPING, one.to_str().expect("a path")]);
    println!("  {:24}  {}", "the contacts", least(&command));
    // What `mapwright init` writes: whole objects, and phone numbers.
    let folder = self::folder("start-shipped");
    let _ = std::fs::remove_dir_all(&folder);
    assert!(run(&mapwright(Path::new("."), &["init", folder.to_str().expect("a path"), "--quiet"])).fine);
    let one = folder.join("one.ndjson");
    std::fs::write(
        &one,
        "{\"id\":\"1\",\"properties\":{\"email\":\"jane@acme.example\",\"phone\":\"+1 415 555 0100\",\"country\":\"US\"}}\n",
    )
    .expect("a file can be written");
    let command = mapwright(&folder, &["eval", "mql_to_lead", one.to_str().expect("a path"), "--quiet"]);
    println!("  {:24}  {}", "the shipped project", least(&command));
}

/// What a process used.
#[derive(Debug, Clone, Copy)]
struct Used {
    cpu: Duration,
    user: Duration,
    /// In KiB.
    memory: u64,
    fine: bool,
}

impl Used {
    fn least(self, other: Used) -> Used {
        let first = if self.cpu <= other.cpu { self } else { other };
        Used { memory: self.memory.max(other.memory), ..first }
    }
}

impl std::fmt::Display for Used {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        let (whole, tenth) = (self.memory / 1024, self.memory % 1024 * 10 / 1024);
        write!(f, "{:8.1} ms CPU ({:8.1} user)  {whole:3}.{tenth} MiB at most", ms(self.cpu), ms(self.user))
    }
}

/// The least of some runs, after one that does not count.
fn least(command: &[String]) -> Used {
    run(command);
    let runs: Vec<Used> = (0..RUNS).map(|_| run(command)).collect();
    assert!(runs.iter().all(|used| used.fine), "{command:?} failed");
    runs.into_iter().reduce(Used::least).expect("at least one run")
}

fn run(command: &[String]) -> Used {
    let child = Command::new(&command[0])
        .args(&command[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let ended = child.wait4().expect("the program ends");
    Used {
        cpu: ended.rusage.utime + ended.rusage.stime,
        user: ended.rusage.utime,
        memory: ended.rusage.maxrss / 1024,
        fine: ended.status.success(),
    }
}

/// How much a command prints, and a digest of it. Nothing is kept: what this process holds when it starts another is
/// counted as memory of that one.
fn output(command: &[String]) -> (usize, u64) {
    let mut child = Command::new(&command[0])
        .args(&command[1..])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut out = child.stdout.take().expect("it is piped");
    let (mut hasher, mut length) = (DefaultHasher::new(), 0);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = out.read(&mut buffer).expect("the output can be read");
        if read == 0 {
            break;
        }
        // Byte for byte, however the pieces arrive.
        hasher.write(&buffer[..read]);
        length += read;
    }
    assert!(child.wait().expect("the program ends").success(), "{command:?} failed");
    (length, hasher.finish())
}

fn mapwright(project: &Path, args: &[&str]) -> Vec<String> {
    let project = ["--project", project.to_str().expect("a path of letters")];
    let program = [env!("CARGO_BIN_EXE_mapwright")];
    program.iter().chain(args).chain(&project).map(|part| (*part).to_owned()).collect()
}

/// A folder of this name below the build's own.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("benches").join(name);
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    folder
}

fn write_files(folder: &Path, files: &[(String, String)]) {
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder can be made");
        std::fs::write(path, text).expect("a file can be written");
    }
}

fn write_contacts(path: &Path, count: usize, seed: u64) {
    let mut out = BufWriter::new(File::create(path).expect("a file can be written"));
    contacts::write(count, seed, &mut out).expect("a file can be written");
    out.flush().expect("a file can be written");
}
