//! A folder of its own for each test, and the real binary run in it with nothing of the surroundings: an empty
//! environment, an empty home, a fixed width, no colour, and a time after which it is killed.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A command takes a fraction of a second; one that runs this long hangs. Generous, as the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(30);
const TICK: Duration = Duration::from_millis(5);

/// A folder with a project in it, or without one.
pub(crate) struct World {
    dir: TempDir,
}

/// What a command said, with the folder's path written as `$DIR`.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl World {
    /// An empty folder.
    pub(crate) fn empty() -> Self {
        let world = Self { dir: tempfile::tempdir().expect("a temporary folder") };
        for folder in ["home", "work"] {
            std::fs::create_dir(world.dir.path().join(folder)).expect("a folder");
        }
        world
    }

    /// A folder with the project that `init` writes.
    pub(crate) fn project() -> Self {
        let world = Self::empty();
        world.run(&["init", "--quiet"]).fine();
        world
    }

    /// The home that commands see.
    pub(crate) fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    /// The folder that commands run in.
    pub(crate) fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.work().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), contents).unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    pub(crate) fn remove(&self, name: &str) {
        std::fs::remove_file(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    /// Replaces a text that must stand in the file exactly once.
    pub(crate) fn replace(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert_eq!(text.matches(from).count(), 1, "{name} holds `{from}` once");
        self.write(name, text.replace(from, to));
    }

    /// The binary with these arguments, not yet started.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mapwright"));
        command.args(args).current_dir(self.work()).env_clear();
        command.env("HOME", self.home()).env("NO_COLOR", "1");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs the binary to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        self.finish(self.command(args), &[])
    }

    /// Runs a command to its end, with this input.
    pub(crate) fn finish(&self, mut command: Command, input: &[u8]) -> Ran {
        if !input.is_empty() {
            command.stdin(Stdio::piped());
        }
        let mut child = command.spawn().expect("the binary starts");
        let input = input.to_vec();
        let writer = child.stdin.take().map(|mut stdin| {
            // A command may end before it has read everything.
            thread::spawn(move || drop(stdin.write_all(&input)))
        });
        let out = drain(child.stdout.take().expect("piped"));
        let err = drain(child.stderr.take().expect("piped"));
        let code = wait(&mut child, PATIENCE);
        if let Some(writer) = writer {
            writer.join().expect("the writer ends");
        }
        let (out, err) = (out.join().expect("readable"), err.join().expect("readable"));
        let ran = Ran { code: code.unwrap_or(-1), out: self.normal(&out), err: self.normal(&err) };
        assert!(code.is_some(), "the command did not end in time, or was killed by a signal: {ran:?}");
        assert!(!ran.err.contains("panicked"), "the command panicked: {ran:?}");
        ran
    }

    fn normal(&self, bytes: &[u8]) -> String {
        let text = String::from_utf8(bytes.to_vec()).expect("the output is UTF-8");
        assert!(!text.contains('\u{1b}'), "no colour was asked for: {text}");
        let shown = |path: &Path| path.display().to_string();
        let real = self.work().canonicalize().expect("the folder is there");
        text.replace(&shown(&real), "$DIR").replace(&shown(&self.work()), "$DIR")
    }
}

impl Ran {
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\n--- out\n{}\n--- err\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub(crate) fn fine(self) -> Self {
        self.exits(0)
    }

    /// Standard output as one JSON document.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Waits for the end and gives the exit code; kills when it takes too long. `None` where a signal ended it.
#[expect(clippy::disallowed_methods, reason = "a test's own time limit")]
pub(crate) fn wait(child: &mut Child, patience: Duration) -> Option<i32> {
    let start = Instant::now();
    while start.elapsed() < patience {
        if let Some(status) = child.try_wait().expect("the child can be waited for") {
            return status.code();
        }
        thread::sleep(TICK);
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

fn drain(mut from: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).expect("readable");
        bytes
    })
}
