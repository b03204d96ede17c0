//! Runs everything that reads an author's text or a file of a project, and looks at what it says.

use std::sync::{Arc, LazyLock};

use mapwright::diagnostic::Diagnostic;
use mapwright::schema::{Schemas, load};
use mapwright::source::{FileId, Sources};
use mapwright::{check, config, format, harness, plan, syntax};

use super::corpus;

/// The shipped schemas as texts, and the configuration.
pub(crate) const SHIPPED: [&str; 3] = [
    include_str!("../../mappings/schema/hubspot.yaml"),
    include_str!("../../mappings/schema/salesforce.yaml"),
    include_str!("../../mappings/mapwright.yaml"),
];

/// Everything written in the language.
pub(crate) static CORPUS: LazyLock<Vec<String>> =
    LazyLock::new(|| corpus::all().into_iter().map(|sample| sample.text).collect());

/// The shipped mappings as one file, which checks and has tests.
pub(crate) static WHOLE: LazyLock<String> =
    LazyLock::new(|| corpus::mappings().into_iter().map(|sample| sample.text).collect());

/// The schemas, read once.
pub(crate) static SCHEMAS: LazyLock<(Sources, Schemas)> = LazyLock::new(|| {
    let mut sources = Sources::new();
    let mut read = |name, text: &str| load(&mut sources, name, text).0.expect("a shipped schema is one");
    let schemas = Schemas {
        hubspot: read("hubspot.yaml", SHIPPED[0]),
        salesforce: read("salesforce.yaml", SHIPPED[1]),
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
pub(crate) fn yaml(text: &str) {
    let mut sources = Sources::new();
    let findings = load(&mut sources, "schema/fuzz.yaml", text).1;
    findings.iter().for_each(words);
    let findings = config::parse(&mut sources, "mapwright.yaml", text).1;
    findings.iter().for_each(words);
}
