//! `explain`, `functions`, `completions`, usage errors.

use std::process::Stdio;

use crate::world::World;

#[test]
fn explain_prints_the_page_of_a_code() {
    let world = World::empty();
    let ran = world.run(&["explain", "E0601"]).fine();
    insta::assert_snapshot!(ran.out, @r#"
    E0601: option has no translation

    An active option of the source has no line in the picklist, and there is no `otherwise`.

    The first record with that option would fail, on the day when somebody picks it.

            LeadSource <- source | by_source  otherwise keep

        picklist by_source {
          from hubspot.contact.source
          to   salesforce.Lead.LeadSource
          "SEARCH" -> "Inbound"
        }

    What to write instead:

    Write a line for each option, `nothing` where there is no counterpart, or `otherwise` for the rest.

            LeadSource <- source | by_source

        picklist by_source {
          from hubspot.contact.source
          to   salesforce.Lead.LeadSource
          "SEARCH"  -> "Inbound"
          "OFFLINE" -> nothing
          otherwise -> "Other"
        }
    "#);
    assert_eq!(world.run(&["explain", "e0601"]).fine().out, ran.out);
    let ran = world.run(&["explain", "E9999"]).exits(2);
    assert!(ran.err.starts_with("error: there is no code `E9999`"), "{}", ran.err);
}

#[test]
fn every_code_that_check_prints_has_a_page() {
    let world = World::project();
    world.replace("mql_to_lead.map", "Title     <- jobtitle", "Title     <- jobtitel");
    world.write("nothing.map", "");
    let findings = world.run(&["check", "--format", "json"]).exits(1).json();
    for finding in findings.as_array().expect("an array") {
        world.run(&["explain", finding["code"].as_str().expect("a code")]).fine();
    }
}

#[test]
fn functions_lists_and_explains() {
    let world = World::empty();
    let all = world.run(&["functions"]).fine().out;
    for line in ["  trim(text) -> text", "  truncate(text, integer) -> text", "text:"] {
        assert!(all.lines().any(|known| known.starts_with(line)), "{line} in {all}");
    }
    insta::assert_snapshot!(world.run(&["functions", "domain_of"]).fine().out, @r#"
    domain_of(text) -> text

    The domain of an e-mail or web address, in small letters; with `www.` if it stands there. Letters outside ASCII are written as the domain name system does (`xn--…`). Blank where there is no domain with a dot in it.

    never fails

      "Jane@Acme.test" | domain_of               gives  "acme.test"
      "https://www.acme.test/about" | domain_of  gives  "www.acme.test"
      "not an address" | domain_of               gives  nothing
    "#);
    let json: serde_json::Value =
        serde_json::from_str(&world.run(&["functions", "--json"]).fine().out).expect("one JSON document");
    let count =
        json.as_array().expect("a list").iter().find(|one| one["name"] == "count").expect("it is there");
    assert_eq!((&count["failure"], &count["examples"][1]["result"]), (&serde_json::Value::Null, &"0".into()));
    let ran = world.run(&["functions", "trunkate"]).exits(2);
    assert_eq!(ran.err, "error: there is no function `trunkate`; did you mean `truncate`?\n");
}

#[test]
fn every_function_has_a_page_with_an_example() {
    let world = World::empty();
    let all = world.run(&["functions"]).fine().out;
    let names = all.lines().filter_map(|line| line.strip_prefix("  ")?.split('(').next());
    for name in names {
        let page = world.run(&["functions", name]).fine().out;
        assert!(page.contains("  gives  "), "{page}");
    }
}

#[test]
fn completions_are_for_all_commands() {
    let world = World::empty();
    for shell in ["bash", "zsh", "fish"] {
        let script = world.run(&["completions", shell]).fine().out;
        for command in ["check", "eval", "parked", "demo"] {
            assert!(script.contains(command), "{shell}: {command}");
        }
    }
    world.run(&["completions", "tcsh"]).exits(2);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let world = World::project();
    for args in [&["completions", "bash"][..], &["functions"], &["check", "--format", "json"]] {
        let mut command = world.command(args);
        // The other end is closed before a line is written.
        let (reader, writer) = std::io::pipe().expect("a pipe");
        command.stdout(writer).stderr(Stdio::piped());
        drop(reader);
        let mut child = command.spawn().expect("the binary starts");
        drop(command);
        let code = crate::world::wait(&mut child, std::time::Duration::from_secs(20));
        assert_eq!(code, Some(0), "{args:?}");
    }
}

#[test]
fn usage_errors_are_2_with_a_suggestion() {
    let world = World::project();
    let ran = world.run(&["chek"]).exits(2);
    assert!(ran.err.contains("'check'"), "{}", ran.err);
    let ran = world.run(&["check", "--format", "xml"]).exits(2);
    assert!(ran.err.contains("human"), "{}", ran.err);
    let ran = world.run(&["plan", "mql_to_lead"]).exits(2);
    assert!(ran.err.contains("--record"), "{}", ran.err);
    world.run(&[]).exits(2);
    assert!(world.run(&["--help"]).fine().out.contains("sandbox"));
    assert!(world.run(&["--version"]).fine().out.starts_with("mapwright "));
}

#[test]
fn an_unknown_mapping_gets_the_nearest_name() {
    let world = World::project();
    for args in [&["eval", "mql_to_laed"][..], &["plan", "mql_to_laed", "--record", "1"]] {
        let mut command = world.command(args);
        for name in
            ["HUBSPOT_TOKEN", "HUBSPOT_CLIENT_SECRET", "SALESFORCE_CLIENT_ID", "SALESFORCE_CLIENT_SECRET"]
        {
            command.env(name, "x");
        }
        let ran = world.finish(command, &[]).exits(2);
        assert!(
            ran.err.contains("there is no mapping `mql_to_laed`; did you mean `mql_to_lead`?"),
            "{}",
            ran.err
        );
    }
    let ran = world.run(&["eval", "something_else"]).exits(2);
    assert!(ran.err.contains("`company_to_account`, `contact_from_mql`, `mql_to_lead`"), "{}", ran.err);
}

/// The commands, as `--help` lists them.
fn commands(world: &World) -> Vec<String> {
    let help = world.run(&["--help"]).fine().out;
    let listed =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let name = |line: &str| line.strip_prefix("  ")?.split(' ').next().map(str::to_owned);
    listed.filter_map(name).filter(|name| !name.is_empty() && name != "help").collect()
}

#[test]
fn every_command_has_examples_and_exit_codes() {
    let world = World::empty();
    let commands = commands(&world);
    assert!(commands.len() >= 14, "{commands:?}");
    for command in &commands {
        let help = world.run(&[command, "--help"]).fine().out;
        let (_, after) = help.split_once("\nExamples:\n").unwrap_or_else(|| panic!("{help}"));
        let (examples, codes) = after.split_once("\n\nExit codes:\n").unwrap_or_else(|| panic!("{help}"));
        let example = format!("  mapwright {command}");
        assert!(examples.lines().all(|line| line.starts_with(&example)), "{examples}");
        assert!(codes.starts_with("  0  "), "{codes}");
    }
}

#[test]
fn the_page_of_the_command_line_has_every_command_and_option() {
    let page = include_str!("../../docs/cli.md");
    let world = World::empty();
    for command in commands(&world) {
        let heading = format!("\n### `mapwright {command}");
        let (_, section) =
            page.split_once(&heading).unwrap_or_else(|| panic!("docs/cli.md has no {heading}"));
        let section = section.split("\n### ").next().unwrap_or(section);
        let help = world.run(&[&command, "--help"]).fine().out;
        let options = help.split_whitespace().filter(|word| {
            word.strip_prefix("--").is_some_and(|name| name.starts_with(|c: char| c.is_ascii_lowercase()))
        });
        let common = ["--project", "--quiet", "--help"];
        for option in options.map(|word| word.trim_end_matches([',', ';', '.', ')'])) {
            assert!(common.contains(&option) || section.contains(option), "{command}: {option}");
        }
    }
}
