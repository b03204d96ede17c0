//! Whatever an author or a disk hands in: nothing panics, places lie inside the text, findings are in order.

use std::fs;
use std::sync::{Arc, LazyLock};

use mapwright::diagnostic::Diagnostic;
use mapwright::schema::{Schemas, load};
use mapwright::source::{FileId, Sources};
use mapwright::{check, config, format, harness, plan, syntax};
use proptest::prelude::*;

use super::corpus::{self, root};
use super::files::file;
use super::mutate::mutate;
use super::tape::{Tape, config as cases, tapes};

/// The shipped schemas as texts, and the configuration.
static SHIPPED: LazyLock<[String; 3]> = LazyLock::new(|| {
    ["schema/hubspot.yaml", "schema/salesforce.yaml", "mapwright.yaml"]
        .map(|name| fs::read_to_string(root().join("mappings").join(name)).expect("it ships"))
});

/// Everything written in the language.
static CORPUS: LazyLock<Vec<String>> =
    LazyLock::new(|| corpus::all().into_iter().map(|sample| sample.text).collect());

/// The shipped mappings as one file, which checks and has tests.
static WHOLE: LazyLock<String> =
    LazyLock::new(|| corpus::mappings().into_iter().map(|sample| sample.text).collect());

/// The schemas, read once.
static SCHEMAS: LazyLock<(Sources, Schemas)> = LazyLock::new(|| {
    let mut sources = Sources::new();
    let mut read = |name, text: &str| load(&mut sources, name, text).0.expect("a shipped schema is one");
    let schemas = Schemas {
        hubspot: read("hubspot.yaml", &SHIPPED[0]),
        salesforce: read("salesforce.yaml", &SHIPPED[1]),
    };
    (sources, schemas)
});

/// Parses, checks, formats; compiles and runs the tests where there is no error.
pub(crate) fn mapping(text: &str) -> Vec<Diagnostic> {
    let (sources, schemas) = &*SCHEMAS;
    let mut sources = sources.clone();
    let id = sources.add("fuzz.map", text);
    let (tree, syntax) = syntax::parse(id, text);
    sane(text, id, &syntax);
    let inside = |range| text.get(range).is_some();
    assert!(tree.comments.iter().all(|comment| inside(comment.span.range())));
    let (project, findings) = check::check(&[tree], schemas, &sources);
    for finding in &findings {
        words(finding);
        let own = finding.labels.iter().filter(|label| label.span.file == id);
        own.for_each(|label| assert!(inside(label.span.range()), "{text:?} {finding:?}"));
    }
    if let Err(refused) = format::format(text) {
        assert_eq!(refused.len(), syntax.len(), "{text:?}");
    }
    if let Some(project) = project {
        let plan = Arc::new(plan::compile(&project, schemas, &sources));
        for test in &project.tests {
            harness::report(&harness::run(&plan, test, &sources, None));
        }
    }
    syntax.into_iter().chain(findings).collect()
}

fn sane(text: &str, id: FileId, findings: &[Diagnostic]) {
    for finding in findings {
        words(finding);
        for label in &finding.labels {
            assert!(label.span.file == id && text.get(label.span.range()).is_some(), "{text:?} {finding:?}");
        }
    }
    assert!(findings.windows(2).all(|pair| pair[0].span().start <= pair[1].span().start), "{text:?}");
}

fn words(finding: &Diagnostic) {
    assert!(!finding.message.is_empty() && !finding.message.ends_with('.'), "{finding:?}");
}

/// Reads a text as a schema and as a configuration.
fn yaml(text: &str) {
    let mut sources = Sources::new();
    let findings = load(&mut sources, "schema/fuzz.yaml", text).1;
    findings.iter().for_each(words);
    let findings = config::parse(&mut sources, "mapwright.yaml", text).1;
    findings.iter().for_each(words);
}

#[test]
fn the_whole_checks_and_its_tests_run() {
    let errors: Vec<_> = mapping(&WHOLE).into_iter().filter(Diagnostic::is_error).collect();
    assert_eq!(errors, []);
}

proptest! {
    #![proptest_config(cases())]

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
        yaml(&mutate(&SHIPPED[one], &SHIPPED[other], &mut tape));
    }
}
