//! `mapwright explain`, `functions` and `completions`

use clap::CommandFactory;

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

pub(super) fn functions(name: Option<&str>, output: Output) -> Exit {
    let Some(name) = name else {
        let mut family = None;
        for function in functions::all() {
            if family != Some(function.family) {
                family = Some(function.family);
                Output::result(&format!("{}:", function.family.title()));
            }
            Output::result(&format!("  {}", function.signature));
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
    Output::result(&page(function));
    Exit::Fine
}

fn page(function: &Function) -> String {
    let mut page = format!("{}\n\n{}\n", function.signature, function.doc);
    match function.failure {
        Some(failure) => page.extend(["\nfails: ", failure, "\n"]),
        None => page.push_str("\nnever fails\n"),
    }
    for example in function.examples {
        page.extend(["\n  ", example.expression, "  gives  ", example.result]);
    }
    page
}

pub(super) fn completions(shell: clap_complete::Shell) -> Exit {
    let mut command = super::args::Args::command();
    // Into memory first: the generator panics when the reader of a pipe has gone.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "mapwright", &mut script);
    Output::result(String::from_utf8_lossy(&script).trim_end());
    Exit::Fine
}
