//! `mapwright explain`, `functions` and `completions`

use clap::CommandFactory;
use serde_json::{Value as Json, json};

use super::Exit;
use super::output::Output;
use crate::diagnostic::{CODES, code_page, did_you_mean};
use crate::functions::{self, Function};

pub(super) fn explain(code: &str, output: Output) -> Exit {
    let Some(page) = code_page(code) else {
        let near = did_you_mean(code, CODES.iter().map(|page| page.code.0));
        output.error(&format!(
            "there is no code `{code}`{}",
            near.map_or_else(String::new, |near| format!("; {near}"))
        ));
        return Exit::Usage;
    };
    Output::result(&page.terminal());
    Exit::Fine
}

pub(super) fn functions(name: Option<&str>, as_json: bool, output: Output) -> Exit {
    let Some(name) = name else {
        if as_json {
            let all: Vec<Json> = functions::all().map(json).collect();
            Output::result(&Json::from(all).to_string());
        } else {
            list();
        }
        return Exit::Fine;
    };
    let Some(function) = functions::find(name) else {
        let near = did_you_mean(name, functions::all().map(|function| function.name));
        output.error(&format!(
            "there is no function `{name}`{}",
            near.map_or_else(String::new, |near| format!("; {near}"))
        ));
        return Exit::Usage;
    };
    Output::result(&if as_json { json(function).to_string() } else { functions::page(function) });
    Exit::Fine
}

/// Every function by family, with what it does in a sentence.
fn list() {
    let width = functions::all().map(|function| function.signature.len()).filter(|width| *width <= 44).max();
    let width = width.unwrap_or(0);
    let mut family = None;
    for function in functions::all() {
        if family != Some(function.family) {
            family = Some(function.family);
            Output::result(&format!("{}:", function.family.title()));
        }
        Output::result(&format!("  {:width$}  {}", function.signature, functions::summary(function)));
    }
}

fn json(function: &Function) -> Json {
    let examples = function.examples.iter();
    let examples: Vec<Json> =
        examples.map(|example| json!({"expression": example.expression, "result": example.result})).collect();
    json!({
        "name": function.name,
        "family": function.family.title(),
        "signature": function.signature,
        "doc": function.doc,
        "failure": function.failure,
        "inverse": function.inverse,
        "idempotent": function.idempotent,
        "takes_blank": function.takes_blank,
        "examples": examples,
    })
}

pub(super) fn completions(shell: clap_complete::Shell) -> Exit {
    let mut command = super::args::Args::command();
    // Into memory first: the generator panics when the reader of a pipe has gone.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "mapwright", &mut script);
    Output::result(String::from_utf8_lossy(&script).trim_end());
    Exit::Fine
}
