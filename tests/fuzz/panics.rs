//! Whatever an author or a disk hands in: nothing panics, places lie inside the text, findings are in order.

use mapwright::diagnostic::Diagnostic;
use proptest::prelude::*;

use super::cases::{config, tapes};
use super::files::file;
use super::mutate::mutate;
use super::run::{CORPUS, SHIPPED, WHOLE, mapping, yaml};
use super::tape::Tape;

#[test]
fn the_whole_checks_and_its_tests_run() {
    let errors: Vec<_> = mapping(&WHOLE).into_iter().filter(Diagnostic::is_error).collect();
    assert_eq!(errors, []);
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn arbitrary_bytes(bytes in tapes(400)) {
        let text = String::from_utf8_lossy(&bytes);
        mapping(&text);
        yaml(&text);
    }

    #[test]
    fn arbitrary_text(text in "\\PC{0,200}") {
        mapping(&text);
        yaml(&text);
    }

    #[test]
    fn generated_files(tape in tapes(800)) {
        mapping(&file(&tape));
    }

    #[test]
    fn mutated_files(tape in tapes(24)) {
        let mut tape = Tape::new(&tape);
        let (one, other) = (tape.below(CORPUS.len()), tape.below(CORPUS.len()));
        mapping(&mutate(&CORPUS[one], &CORPUS[other], &mut tape));
    }

    /// What is nearly right goes on to the compiler and to the tests.
    #[test]
    fn the_mutated_whole(tape in tapes(16)) {
        let mut tape = Tape::new(&tape);
        let other = tape.below(CORPUS.len());
        mapping(&mutate(&WHOLE, &CORPUS[other], &mut tape));
    }

    #[test]
    fn mutated_yaml(tape in tapes(24)) {
        let mut tape = Tape::new(&tape);
        let (one, other) = (tape.below(SHIPPED.len()), tape.below(SHIPPED.len()));
        yaml(&mutate(SHIPPED[one], SHIPPED[other], &mut tape));
    }
}
