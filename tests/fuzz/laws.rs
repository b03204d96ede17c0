//! The formatter's laws: twice is once, the tree stays, no comment is lost or moved past a statement.

use std::fs;

use mapwright::format::format;
use mapwright::source::FileId;
use mapwright::syntax::parse;
use proptest::prelude::*;

use super::cases::{config, tapes};
use super::corpus::{self, Sample};
use super::files::file;
use super::hold::hold;

#[test]
fn the_laws_hold_for_everything_that_is_written() {
    let held = corpus::all().iter().filter(|sample| hold(&sample.text)).count();
    assert!(held > 100, "only {held} files could be formatted");
}

/// Found by the fuzzer: such a character ends no line, and stays.
#[test]
fn the_laws_hold_for_a_carriage_return_within_a_comment() {
    assert!(hold("mapping m {\n  # one\rtwo\n  when created\n}\n"));
}

#[test]
fn what_ships_is_canonical() {
    let differences: Vec<String> = corpus::mappings().iter().filter_map(difference).collect();
    assert!(differences.is_empty(), "{}", differences.concat());
}

/// With `MAPWRIGHT_UPDATE=1` the pages are rewritten.
#[test]
fn every_example_is_canonical() {
    let update = std::env::var_os("MAPWRIGHT_UPDATE").is_some();
    let mut differences = Vec::new();
    for page in corpus::pages() {
        let text = fs::read_to_string(&page).expect("a page is readable");
        let (mut written, mut at) = (String::new(), 0);
        for (range, mark) in corpus::blocks(&text) {
            let example = &text[range.clone()];
            // An example of a mistake, or a piece of a file, may be one that cannot be read.
            let Ok(formatted) = format(example) else {
                let piece = page.parent().is_some_and(|folder| folder.ends_with("diagnostics"));
                assert!(mark != "map" || piece, "{}: an example cannot be read\n{example}", page.display());
                continue;
            };
            written.push_str(&text[at..range.start]);
            written.push_str(&formatted);
            at = range.end;
        }
        written.push_str(&text[at..]);
        if written == text {
            continue;
        }
        if update {
            fs::write(&page, written).expect("a page is writable");
        } else {
            let difference = similar::TextDiff::from_lines(&text, &written);
            differences.push(format!("{}\n{}", page.display(), difference.unified_diff()));
        }
    }
    assert!(differences.is_empty(), "{}\nMAPWRIGHT_UPDATE=1 rewrites the pages", differences.concat());
}

fn difference(sample: &Sample) -> Option<String> {
    let formatted = format(&sample.text).unwrap_or_else(|findings| panic!("{}: {findings:#?}", sample.at));
    let difference = similar::TextDiff::from_lines(&sample.text, &formatted);
    (formatted != sample.text).then(|| format!("{}\n{}", sample.at, difference.unified_diff()))
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_laws_hold_for_generated_files(tape in tapes(1_500)) {
        let text = file(&tape);
        let findings = parse(FileId(0), &text).1;
        prop_assert_eq!(&findings, &[], "{}", text);
        hold(&text);
    }
}
