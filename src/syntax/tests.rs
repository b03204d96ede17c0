//! The whole of parsing: every form, every message, recovery and hostile input.

mod errors;
mod forms;
mod hostile;

use crate::source::{FileId, Sources};

use super::ast::{File, Item};
use super::parse;

/// The tree of a text without mistakes.
fn tree(text: &str) -> File {
    let (file, findings) = parse(FileId(0), text);
    assert!(findings.is_empty(), "{text}\n{:#?}", shown(text));
    file
}

/// `line:column code message` and, after ` | `, the help of every finding.
fn shown(text: &str) -> Vec<String> {
    let mut sources = Sources::new();
    let id = sources.add("test.map", text);
    let (_, findings) = parse(id, text);
    let show = |finding: &crate::diagnostic::Diagnostic| {
        let (line, column) = sources.file(id).position(finding.span().start);
        let help = finding.help.as_deref().unwrap_or("");
        format!("{line}:{column} {} {} | {help}", finding.code, finding.message)
    };
    findings.iter().map(show).collect()
}

/// A function that is added to the table must leave the list of foreign ones.
#[test]
fn no_function_of_another_language_is_one_here() {
    let own: Vec<_> = crate::functions::all().map(|function| function.name).collect();
    for foreign in super::habits::foreign_functions() {
        assert!(!own.contains(&foreign), "`{foreign}` is a function");
    }
}

/// The names of the items that were read.
fn names(file: &File) -> Vec<&str> {
    file.items
        .iter()
        .map(|item| match item {
            Item::Mapping(item) => item.name.value.as_str(),
            Item::Sync(item) => item.name.value.as_str(),
            Item::Fields(item) => item.name.value.as_str(),
            Item::Picklist(item) => item.name.value.as_str(),
            Item::Order(item) => item.name.value.as_str(),
            Item::Test(item) => item.name.value.as_str(),
        })
        .collect()
}
