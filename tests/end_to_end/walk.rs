//! The operator's walk of `docs/operations.md`, walked: every block between `<!-- walk: begin -->` and `<!-- walk: end -->` is
//! done in order, with the real binary in a folder of its own, and what comes out is compared with what the reader is told.
//!
//! | block | what it is |
//! | --- | --- |
//! | `console` | commands behind `$ `, which go on behind a `\` at the end and in an open quote; below each what the terminal shows |
//! | `console,again` | the same, but the first command is repeated until the terminal shows it, as the page asks its reader to |
//! | `diff FILE` | lines to take out of a file and to put there; a line `@@` is between two places |
//!
//! `…` stands for whatever is there: as a line of its own for any lines, elsewhere for anything in its line. A command
//! must end with exit code 0, unless the next one is `echo $?`. A block of another kind is a mistake, and so is a
//! `console` block in any page that is outside the walk.

#[path = "walk/compare.rs"]
mod compare;
#[path = "walk/curl.rs"]
mod curl;
#[path = "walk/page.rs"]
mod page;
#[path = "walk/shell.rs"]
mod shell;

use std::path::{Path, PathBuf};
use std::time::Duration;

use page::{Block, Page};
use shell::Shell;

/// How long it may take until something is to be seen; a pause of a CRM lasts a minute.
const PATIENCE: Duration = Duration::from_secs(150);

fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages: Vec<PathBuf> = std::fs::read_dir(root.join("docs"))
        .expect("docs is a folder")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    pages.push(root.join("README.md"));
    pages.sort();
    pages
}

fn read(page: &Path) -> Page {
    let name = page.file_name().expect("a name").to_string_lossy().into_owned();
    let text = std::fs::read_to_string(page).expect("readable");
    Page::read(&name, &text).unwrap_or_else(|mistake| panic!("{mistake}"))
}

/// Does every block in order; the first thing that is not as the page says, with its place.
fn walk(page: &Page, patience: Duration) -> Result<usize, String> {
    let mut shell = Shell::new(page.ports(), patience);
    let mut steps = 0;
    for block in &page.blocks {
        match block {
            Block::Edit(edit) => shell.edit(edit)?,
            Block::Session { again, steps: session } => {
                for (index, step) in session.iter().enumerate() {
                    let code_is_told = session.get(index + 1).is_some_and(|next| next.command == "echo $?");
                    shell.step(step, *again && index == 0, code_is_told)?;
                    steps += 1;
                }
            }
        }
    }
    shell.end()?;
    Ok(steps)
}

#[test]
fn every_step_of_the_operators_walk_is_as_the_page_says() {
    let walks: Vec<Page> =
        pages().iter().map(|page| read(page)).filter(|page| !page.blocks.is_empty()).collect();
    assert!(!walks.is_empty(), "no page has a walk");
    for page in walks {
        let steps = walk(&page, PATIENCE).unwrap_or_else(|difference| panic!("\n{difference}\n"));
        assert_eq!(steps, page.prompts, "{}: a command was left out", page.name);
    }
}

/// A page of one walk.
fn page(text: &str) -> Page {
    let text = format!("# Page\n\n<!-- walk: begin -->\n{text}\n<!-- walk: end -->\n");
    Page::read("page.md", &text).unwrap_or_else(|mistake| panic!("{mistake}"))
}

#[test]
fn what_the_page_says_wrongly_is_found() {
    let wrong = |text: &str, complaint: &str| {
        let difference = walk(&page(text), Duration::from_secs(5)).expect_err(text);
        assert!(difference.contains(complaint), "{text}\n{difference}");
    };
    let right = |text: &str| {
        walk(&page(text), Duration::from_secs(5)).unwrap_or_else(|difference| panic!("{text}\n{difference}"))
    };
    right("```console\n$ echo one two\none two\n$ mapwright functions nothing\nerror: …\n$ echo $?\n2\n```");
    right("```console\n$ export A=$(echo x)\n$ echo \"$A\" '$A' ${A}y\nx $A xy\n```");
    right(
        "```console\n$ echo a: 1 > file.yaml\n```\n```diff file.yaml\n-a: 1\n+a: 2\n```\n```console\n$ cat file.yaml\na: 2\n```",
    );
    wrong("```console\n$ echo one\ntwo\n```", "page.md:5");
    wrong("```console\n$ echo one\n```", "`echo one`");
    wrong("```console\n$ echo one\none\ntwo\n```", "`echo one`");
    wrong("```console\n$ mapwright functions nothing\nerror: …\n```", "exit code 2");
    wrong("```console\n$ rm -rf folder\n```", "no command `rm`");
    wrong("```diff file.yaml\n-a\n+b\n```", "file.yaml");
    wrong("```console\n$ echo a a > file.yaml\n```\n```diff file.yaml\n-b\n+c\n```", "stands there 0 times");
    wrong(
        "```console\n$ mapwright sandbox --hubspot-port 4010 &\nHubSpot     http://127.0.0.1:4011\n…\n```",
        "HubSpot     http://127.0.0.1:4010",
    );
}

#[test]
fn what_is_no_walk_is_refused() {
    for (text, complaint) in [
        ("```console\n$ echo one\n```\n", "outside the walk"),
        ("<!-- walk: begin -->\n```sh\nmapwright check\n```\n<!-- walk: end -->\n", "`sh`"),
        ("<!-- walk: begin -->\n```console\nmapwright check\n```\n<!-- walk: end -->\n", "begin with `$ `"),
        ("<!-- walk: begin -->\n```console\n$ mapwright check\n…\n```\n<!-- walk: end -->\n", "says nothing"),
        ("<!-- walk: begin -->\n```console\n$ echo one\none\n", "not closed"),
        ("<!-- walk: begin -->\n```diff a.map\n same\n```\n<!-- walk: end -->\n", "changes nothing"),
    ] {
        let mistake = Page::read("page.md", text).err().unwrap_or_else(|| panic!("{text}: it is taken"));
        assert!(mistake.contains(complaint), "{text}\n{mistake}");
    }
}
