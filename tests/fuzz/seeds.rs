//! What a coverage-guided fuzzer begins with: the files of the repository, and the words of the language.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use mapwright::functions;

use super::corpus::{self, root};
use super::growth::inputs;
use super::run::SHIPPED;

/// What HubSpot and Salesforce send, by target: one for each form that is read.
const MESSAGES: &[(&str, &str)] = &[
    (
        "webhook",
        r#"[{"eventId":1,"portalId":1,"occurredAt":1700000000000,"subscriptionType":"contact.propertyChange","objectId":2,"propertyName":"email","propertyValue":"a@b.c","changeSource":"CRM","sourceId":"userId:3"}]"#,
    ),
    (
        "webhook",
        r#"{"portalId":"1","occurredAt":1700000000000,"subscriptionType":"company.merge","primaryObjectId":2,"mergedObjectIds":[3,4],"newObjectId":5}"#,
    ),
    (
        "webhook",
        r#"[{"portalId":1,"occurredAt":1700000000000,"eventType":"object.associationChange","objectTypeId":"0-1","fromObjectId":2,"toObjectId":3,"associationType":"CONTACT_TO_COMPANY","associationRemoved":true}]"#,
    ),
    ("webhook", "\u{80}\n[]"),
    (
        "answers",
        "\0\0{\"status\":\"COMPLETE\",\"results\":[{\"id\":\"1\",\"properties\":{\"email\":\"a@b.c\"}}]}",
    ),
    (
        "answers",
        "\u{2}\0{\"total\":1,\"results\":[{\"id\":\"1\",\"properties\":{}}],\"paging\":{\"next\":{\"after\":\"1\"}}}",
    ),
    (
        "answers",
        "\u{4}\u{5}{\"status\":\"error\",\"message\":\"Property values were not valid: [{\\\"isValid\\\":false,\\\"error\\\":\\\"INVALID_EMAIL\\\",\\\"name\\\":\\\"email\\\"}]\",\"category\":\"VALIDATION_ERROR\"}",
    ),
    (
        "answers",
        "\u{6}\u{3}{\"status\":\"COMPLETE\",\"results\":[],\"numErrors\":1,\"errors\":[{\"category\":\"CONFLICT\",\"message\":\"Contact already exists. Existing ID: 12\",\"context\":{\"existingId\":[\"12\"]}}]}",
    ),
    (
        "answers",
        "\u{8}\u{3}{\"results\":[{\"from\":{\"id\":\"1\"},\"to\":[{\"toObjectId\":2,\"associationTypes\":[{\"category\":\"HUBSPOT_DEFINED\",\"typeId\":1,\"label\":\"Primary\"}]}]}]}",
    ),
    (
        "answers",
        "\u{1}\0{\"totalSize\":1,\"done\":true,\"records\":[{\"attributes\":{\"type\":\"Lead\"},\"Id\":\"00Q000000000001AAA\",\"Email\":\"a@b.c\",\"Owner\":{\"Email\":\"o@b.c\"}}]}",
    ),
    (
        "answers",
        "\u{5}\u{5}[{\"message\":\"Use one of these records?\",\"errorCode\":\"DUPLICATES_DETECTED\",\"fields\":[],\"duplicateResult\":{\"allowSave\":true,\"duplicateRule\":\"R\",\"matchResults\":[{\"entityType\":\"Lead\",\"matchRecords\":[{\"record\":{\"attributes\":{\"type\":\"Lead\"},\"Id\":\"00Q000000000001AAA\"}}]}]}}]",
    ),
    ("answers", "\u{7}\0[{\"id\":\"00Q000000000001AAA\",\"success\":true,\"errors\":[],\"created\":true}]"),
];

/// Writes the seeds of every target and the dictionary of the language below `tests/fuzz-targets`.
#[test]
#[ignore = "writes files: run it by hand, before the fuzzer"]
fn seeds() {
    let folder = root().join("tests/fuzz-targets");
    let files: Vec<String> = corpus::all().into_iter().map(|sample| sample.text).collect();
    assert!(files.len() > 100, "only {} files", files.len());
    write(&folder, "mapping", files.iter().map(String::as_bytes));
    // Small ones of every way to be slow, which the fuzzer can make worse.
    let growth = inputs(2048);
    write(&folder, "mapping", growth.iter().map(|(_, text)| text.as_bytes()));
    write(&folder, "yaml", SHIPPED.iter().map(|text| text.as_bytes()));
    write(&folder, "yaml", pieces(SHIPPED[0]).chain(pieces(SHIPPED[1])));
    // Any bytes are a tape; these are as good as any others, one for each of its kinds.
    let tapes: Vec<Vec<u8>> = files.iter().enumerate().map(|(n, text)| tape(n, text)).collect();
    write(&folder, "tape", tapes.iter().map(Vec::as_slice));
    for (target, message) in MESSAGES {
        write(&folder, target, std::iter::once(message.as_bytes()));
    }
    fs::write(folder.join("corpus/mapping.dict"), dictionary()).expect("the dictionary is writable");
}

fn tape(number: usize, text: &str) -> Vec<u8> {
    let kind = u8::try_from(number % 4).unwrap_or_default();
    std::iter::once(kind).chain(text.bytes().take(400)).collect()
}

/// The top of a snapshot with each of its objects alone.
fn pieces(snapshot: &str) -> impl Iterator<Item = &[u8]> {
    snapshot.as_bytes().chunks(4096)
}

fn write<'b>(folder: &Path, target: &str, inputs: impl Iterator<Item = &'b [u8]>) {
    let folder = folder.join("corpus").join(target);
    fs::create_dir_all(&folder).expect("the folder can be made");
    for (number, input) in inputs.enumerate() {
        let name = format!("seed-{:016x}-{number}", fingerprint(input));
        fs::write(folder.join(name), input).expect("a seed is writable");
    }
}

/// FNV-1a, so that a second run writes the same names.
fn fingerprint(input: &[u8]) -> u64 {
    input
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Every literal of the grammar, every function, and the names of the fields that the shipped mappings use.
fn dictionary() -> String {
    let grammar = include_str!("../../grammar/mapping.pest");
    let literals = grammar
        .lines()
        .filter(|line| !line.starts_with("//"))
        .flat_map(|line| line.split('"').skip(1).step_by(2));
    let names =
        ["hubspot.contact", "salesforce.Lead", "salesforce.Contact", "hubspot.company", "salesforce.Account"];
    let words: BTreeSet<&str> = literals
        .chain(functions::all().map(|function| function.name))
        .chain(names)
        .filter(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_graphic() && c != '\\'))
        .collect();
    let mut text = String::new();
    for word in words {
        let _ = writeln!(text, "\"{word}\"");
    }
    text
}
