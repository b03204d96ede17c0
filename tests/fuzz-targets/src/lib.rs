//! What the fuzzer's bytes are handed to. The modules of `tests/fuzz` are used as they are.

#[path = "../../fuzz/corpus.rs"]
mod corpus;
#[path = "../../fuzz/files.rs"]
mod files;
#[path = "../../fuzz/hold.rs"]
mod hold;
#[path = "../../fuzz/mutate.rs"]
mod mutate;
#[path = "../../fuzz/processor.rs"]
mod processor;
#[path = "../../fuzz/run.rs"]
mod run;
#[path = "../../fuzz/statements.rs"]
mod statements;
#[path = "../../fuzz/tape.rs"]
mod tape;
#[path = "../../fuzz/values.rs"]
mod values;
#[path = "../../fuzz/writer.rs"]
mod writer;

mod answers;
mod webhook;

use std::time::Duration;

pub use answers::answers;
pub use webhook::webhook;

/// The root of the repository.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The longest input that is promised to be answered in [`PROMISED`].
const SIZE: usize = 64 * 1024;

/// Processor time, so that a busy machine is no finding.
const PROMISED: Duration = Duration::from_secs(1);

/// Fails when an input takes longer than is promised.
fn in_time<T>(text: &str, what: impl FnOnce() -> T) -> T {
    let (result, time) = processor::time(what);
    assert!(text.len() > SIZE || time <= PROMISED, "{} bytes take {time:?}", text.len());
    result
}

/// An author's file: parsed, checked, formatted, compiled, and its tests run; the formatter's laws hold.
pub fn mapping(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    in_time(&text, || run::mapping(&text));
    hold::hold(&text);
}

/// A file that the grammar allows, or the shipped mappings with pieces changed: by a tape of choices.
pub fn tape(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    let text = match kind % 4 {
        0 | 1 => files::file(rest),
        2 => {
            let mut tape = tape::Tape::new(rest);
            let (one, other) = (tape.below(run::CORPUS.len()), tape.below(run::CORPUS.len()));
            mutate::mutate(&run::CORPUS[one], &run::CORPUS[other], &mut tape)
        }
        _ => {
            let mut tape = tape::Tape::new(rest);
            let other = tape.below(run::CORPUS.len());
            mutate::mutate(&run::WHOLE, &run::CORPUS[other], &mut tape)
        }
    };
    in_time(&text, || run::mapping(&text));
    let held = hold::hold(&text);
    assert!(held || kind % 4 > 1, "a generated file does not parse\n{text}");
}

/// A snapshot of a schema, and a configuration.
pub fn yaml(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    in_time(&text, || run::yaml(&text));
}
