//! Input that nobody should hand in: a clear answer, soon, and no panic (which `World::finish` looks for).

use std::fmt::Write as _;
use std::time::Duration;

use crate::world::{Ran, World};

/// A file's worth of nonsense beside a good project.
fn with_map(contents: impl AsRef<[u8]>) -> World {
    let world = World::project();
    world.write("extra.map", contents);
    world
}

/// `plan` with these variables, which is where the configuration is resolved.
fn plan(world: &World, variables: &[(&str, &str)]) -> Ran {
    let mut command = world.command(&["plan", "mql_to_lead", "--record", "1"]);
    command.envs(variables.iter().copied());
    world.finish(command, &[])
}

#[test]
fn an_empty_file() {
    let report = with_map("").run(&["check"]).fine().err;
    insta::assert_snapshot!(report, @r#"
    W0006

      ⚠ the file has no item
       ╭─[extra.map:1:1]
     1 │ 
       · ▲
       ╰────
      help: write a `mapping`, or remove the file

    8 mappings checked: 1 warning
    "#);
}

#[test]
fn a_file_that_is_not_utf8() {
    let report = with_map(b"# caf\xe9 is Windows-1252\nmapping x {\n}\n").run(&["check"]).exits(1).err;
    insta::assert_snapshot!(report, @r#"
    E0002

      × the file is not UTF-8: byte 6 on line 1 is 0xe9
       ╭─[extra.map:1:6]
     1 │ # caf� is Windows-1252
       ·      ─
       ╰────
      help: save the file as UTF-8; spreadsheets and old editors write Windows-1252 or UTF-16

    1 error
    "#);
}

#[test]
fn utf16_and_binary_files() {
    let utf16: Vec<u8> = "\u{feff}mapping x {".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for bytes in [utf16, (0..=255).collect(), vec![0; 100]] {
        let ran = with_map(&bytes).run(&["check"]).exits(1);
        assert!(ran.err.contains("extra.map:1:") || ran.err.contains("extra.map:2:"), "{}", ran.err);
    }
}

#[test]
fn a_file_of_ten_megabytes() {
    let report = with_map("# line\n".repeat(1_500_000)).run(&["check"]).exits(1).err;
    insta::assert_snapshot!(report, @r#"
    E0003

      × `extra.map` has 10500000 bytes, and at most 1048576 are read
       ╭─[extra.map:1:1]
     1 │ 
       · ▲
       ╰────
      help: split it: all `.map` files of a project form one namespace

    1 error
    "#);
}

#[test]
fn a_file_that_is_wrong_from_end_to_end() {
    // The answer is long, but it comes, and each error has its place.
    let ran = with_map("mapping m {\n  nonsense here\n}\n".repeat(2_000)).run(&["check", "--format", "json"]);
    let findings = ran.exits(1).json();
    let findings = findings.as_array().expect("an array");
    assert!(findings.len() >= 2_000, "{}", findings.len());
    assert!(findings.iter().all(|finding| finding["labels"][0]["file"] == "extra.map"));
}

#[test]
fn a_hundred_thousand_nested_parentheses() {
    let world = World::project();
    let deep = format!("{}city{}", "(".repeat(100_000), ")".repeat(100_000));
    world.replace("mql_to_lead.map", "city | trim | truncate(40)", &deep);
    let ran = world.run(&["check"]).exits(1);
    assert!(ran.err.contains("nested more than 64 levels deep"), "{}", &ran.err[..ran.err.len().min(2000)]);
    assert!(ran.err.contains("mql_to_lead.map:33:"), "the place");
    assert!(ran.err.len() < 5_000, "a report to read, not {} bytes", ran.err.len());
}

#[test]
fn other_things_that_nest() {
    let deep = [
        "not ".repeat(100_000),
        "[".repeat(100_000),
        "{".repeat(100_000),
        "if city = ".repeat(50_000),
        "-".repeat(100_000),
        "\"{".repeat(100_000),
        "trim(".repeat(100_000),
        "city | ".repeat(100_000),
        "city + ".repeat(100_000),
    ];
    for value in deep {
        let world = World::project();
        world.replace("mql_to_lead.map", "city | trim | truncate(40)", &value);
        let ran = world.run(&["check"]).exits(1);
        assert!(
            ran.err.contains("mql_to_lead.map:"),
            "{}: {}",
            &value[..6],
            &ran.err[..ran.err.len().min(2000)]
        );
    }
}

#[test]
fn a_picklist_of_thousands_of_lines() {
    let lines: String =
        (0..2_000).fold(String::new(), |text, number| text + &format!("  \"O{number}\" -> \"x\"\n"));
    let world = with_map(format!(
        "picklist many {{\n  from hubspot.contact.hs_analytics_source\n  to salesforce.Lead.LeadSource\n{lines}}}\n"
    ));
    let ran = world.run(&["check", "--format", "json"]).exits(1);
    assert!(ran.json().as_array().is_some_and(|findings| findings.len() >= 2_000));
}

#[test]
fn two_items_of_one_name() {
    let world = with_map(
        "picklist industry {\n  from hubspot.company.industry\n  to   salesforce.Account.Industry\n  otherwise -> \"Other\"\n}\n",
    );
    insta::assert_snapshot!(world.run(&["check"]).exits(1).err, @r#"
    E0207

      × two picklists are called `industry`
        ╭─[picklists.map:19:10]
     18 │ # HubSpot tells over a hundred industries apart, Salesforce thirty; these are the ones we sell to.
     19 │ picklist industry {
        ·          ────┬───
        ·              ╰── the second
     20 │   from hubspot.company.industry
        ╰────
       ╭─[extra.map:1:10]
     1 │ picklist industry {
       ·          ────┬───
       ·              ╰── the first
     2 │   from hubspot.company.industry
       ╰────
      help: give one of them another name

    1 error
    "#);
}

#[test]
fn two_mappings_of_one_name_in_one_file() {
    let world = World::project();
    let text = world.read("company_to_account.map");
    world.write("company_to_account.map", format!("{text}\n{text}"));
    let ran = world.run(&["check"]).exits(1);
    assert!(ran.err.contains("two mappings are called `company_to_account`"), "{}", ran.err);
}

#[test]
fn a_schema_with_a_wrong_type() {
    let world = World::project();
    world.replace(
        "schema/salesforce.yaml",
        "City: { label: City, type: string, length: 40 }",
        "City: { label: City, type: strnig, length: 40 }",
    );
    insta::assert_snapshot!(world.run(&["check"]).exits(1).err, @r#"
    E0010

      × Salesforce has no field type `strnig`
        ╭─[schema/salesforce.yaml:34:34]
     33 │       Street: { label: Street, type: textarea, length: 255 }
     34 │       City: { label: City, type: strnig, length: 40 }
        ·                                  ───┬──
        ·                                     ╰── unknown type
     35 │       State: { label: State/Province, type: string, length: 80 }
        ╰────
      help: did you mean `string`?

    1 error
    "#);
}

#[test]
fn a_schema_that_is_missing() {
    let world = World::project();
    std::fs::remove_file(world.path("schema/salesforce.yaml")).expect("removed");
    insta::assert_snapshot!(world.run(&["check"]).exits(1).err, @r#"
    E0009

      × `schema/salesforce.yaml` is missing
       ╭─[schema/salesforce.yaml:1:1]
     1 │ 
       · ▲
       ╰────
      help: `mapwright schema pull` writes it from the CRM; `mapwright init DIR` writes one to start from

    1 error
    "#);
}

#[test]
fn a_schema_that_is_no_yaml() {
    for text in ["", "[", "just a text", "a: &a [*a, *a]\n", "objects: 7\n", "\t- x", "%YAML 9.9\n---\n"] {
        let world = World::project();
        world.write("schema/hubspot.yaml", text);
        let ran = world.run(&["check"]).exits(1);
        assert!(ran.err.contains("schema/hubspot.yaml:"), "{text:?}: {}", ran.err);
    }
}

#[test]
fn a_schema_that_would_expand_to_a_billion_is_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let below = format!("*a{}, ", level - 1).repeat(10);
        let _ = writeln!(text, "a{level}: &a{level} [{below}]");
    }
    let world = World::project();
    world.write("schema/hubspot.yaml", format!("{text}objects: *a11\n"));
    world.run(&["check"]).exits(1);
}

#[test]
fn no_project() {
    let world = World::empty();
    for args in
        [&["check"][..], &["eval", "m"], &["plan", "m", "--record", "1"], &["serve"], &["parked", "list"]]
    {
        let ran = world.run(args).exits(2);
        assert_eq!(
            ran.err,
            "error: no `mapwright.yaml` here or in a folder above; `mapwright init` writes a project, `--project DIR` \
             names one
",
        );
    }
    let ran = world.run(&["--project", "nowhere", "check"]).exits(2);
    assert_eq!(
        ran.err,
        "error: `nowhere` holds no `mapwright.yaml`; `mapwright init nowhere` writes a project there\n"
    );
}

#[test]
fn an_unknown_key_in_the_configuration() {
    let world = World::project();
    world.replace("mapwright.yaml", "api_path: v3", "api_pth: v3");
    insta::assert_snapshot!(world.run(&["check"]).exits(1).err, @r#"
    E0005

      × `hubspot` has no key `api_pth`
        ╭─[mapwright.yaml:17:7]
     16 │       # The version in the paths; `v3` until HubSpot ends it.
     17 │       api_pth: v3
        ·       ───┬───
        ·          ╰── unknown key
     18 │       # Settings > Integrations > Private Apps > your app > Auth.
        ╰────
      help: did you mean `api_path`?

    1 error
    "#);
}

#[test]
fn a_variable_that_is_not_set() {
    let world = World::project();
    let set = [("HUBSPOT_TOKEN", "x"), ("SALESFORCE_CLIENT_ID", "x"), ("SALESFORCE_CLIENT_SECRET", "x")];
    insta::assert_snapshot!(plan(&world, &set).exits(2).err, @r#"
    E0008

      × the environment variable `HUBSPOT_CLIENT_SECRET` is not set
        ╭─[mapwright.yaml:27:20]
     26 │         # The app's client secret. While you rotate it: the new one and the old one.
     27 │         secrets: ["${HUBSPOT_CLIENT_SECRET}"]
        ·                    ────────────┬───────────
        ·                                ╰── needed here
     28 │         # The address that HubSpot calls and signs, which is the proxy's, not this machine's.
        ╰────
      help: set it before the command: `export HUBSPOT_CLIENT_SECRET=…`
    "#);
    let ran = plan(&world, &[]).exits(2);
    assert_eq!(ran.err.matches("is not set").count(), 4, "all of them in one run: {}", ran.err);
    // Checking and evaluating needs none of them.
    world.run(&["check"]).fine();
}

#[test]
fn a_secret_in_the_clear() {
    let world = World::project();
    world.replace("mapwright.yaml", "token: ${HUBSPOT_TOKEN}", "token: pat-na1-1234");
    insta::assert_snapshot!(world.run(&["check"]).exits(1).err, @r#"
    E0012

      × `token` is a secret and stands here in the clear
        ╭─[mapwright.yaml:19:14]
     18 │       # Settings > Integrations > Private Apps > your app > Auth.
     19 │       token: pat-na1-1234
        ·              ──────┬─────
        ·                    ╰── everyone who can read the file has it
     20 │       # The app's id. Its own writes come back as events, and are recognised by it.
        ╰────
      help: write `${TOKEN}`, set that variable, and replace the secret

    1 error
    "#);
}

#[test]
fn a_project_with_errors_runs_nothing() {
    let world = World::project();
    world.replace("mql_to_lead.map", "Title     <- jobtitle", "Title     <- jobtitel");
    for args in [&["eval", "mql_to_lead"][..], &["plan", "mql_to_lead", "--record", "1"], &["serve"]] {
        let ran = world.run(args).exits(1);
        assert!(ran.err.contains("did you mean `jobtitle`?"), "{}", ran.err);
        assert!(ran.err.ends_with("error: the project has errors; nothing was run\n"), "{}", ran.err);
    }
}

#[test]
fn a_folder_where_a_file_is_expected() {
    let world = World::project();
    std::fs::create_dir(world.path("x.map")).expect("a folder");
    insta::assert_snapshot!(world.run(&["check"]).exits(1).err, @r#"
    E0001

      × `x.map` cannot be read: it is a folder
       ╭─[x.map:1:1]
     1 │ 
       · ▲
       ╰────
      help: check that it is a file and that you may read it

    1 error
    "#);
    std::fs::remove_dir(world.path("x.map")).expect("removed");
    std::fs::remove_file(world.path("schema/hubspot.yaml")).expect("removed");
    std::fs::create_dir(world.path("schema/hubspot.yaml")).expect("a folder");
    let ran = world.run(&["check"]).exits(1);
    assert!(ran.err.contains("`schema/hubspot.yaml` cannot be read: it is a folder"), "{}", ran.err);
}

#[cfg(unix)]
#[test]
fn a_file_of_faults_is_refused_with_line_and_remedy() {
    let world = World::empty();
    world.write("faults.yaml", "faults:\n  - answer: hubspot.expired_tokn\n");
    let ran = world.run(&["sandbox", "--faults", "faults.yaml"]).exits(2);
    assert!(ran.err.contains("faults.yaml:2 (faults[0].answer)"), "{}", ran.err);
    assert!(ran.err.contains("did you mean `expired_token`?"), "{}", ran.err);
    let ran = world.run(&["sandbox", "--faults", "none.yaml"]).exits(2);
    assert!(ran.err.contains("`none.yaml` cannot be read"), "{}", ran.err);
}

#[test]
fn files_that_cannot_be_read() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let world = World::project();
    symlink("nowhere", world.path("x.map")).expect("a link");
    let ran = world.run(&["check"]).exits(1);
    assert!(ran.err.contains("`x.map` cannot be read: No such file"), "{}", ran.err);
    std::fs::remove_file(world.path("x.map")).expect("removed");
    // An endless one, and one that would be waited for.
    symlink("/dev/zero", world.path("x.map")).expect("a link");
    let ran = world.run(&["check"]).exits(1);
    assert!(ran.err.contains("`x.map` cannot be read: it is no regular file"), "{}", ran.err);
    std::fs::remove_file(world.path("x.map")).expect("removed");
    let made = std::process::Command::new("mkfifo").arg(world.path("x.map")).status();
    if made.is_ok_and(|status| status.success()) {
        world.run(&["check"]).exits(1);
        std::fs::remove_file(world.path("x.map")).expect("removed");
    }
    // Whoever is root may read everything.
    world.write("x.map", "");
    std::fs::set_permissions(world.path("x.map"), std::fs::Permissions::from_mode(0o000)).expect("set");
    if std::fs::read(world.path("x.map")).is_err() {
        let ran = world.run(&["check"]).exits(1);
        assert!(ran.err.contains("`x.map` cannot be read: Permission denied"), "{}", ran.err);
    }
}

#[cfg(unix)]
#[test]
fn folders_that_link_in_a_circle_are_not_walked() {
    let world = World::project();
    std::os::unix::fs::symlink("..", world.path("schema/up")).expect("a link");
    std::os::unix::fs::symlink("/", world.path("root")).expect("a link");
    world.run(&["check"]).fine();
}

#[cfg(unix)]
#[test]
fn a_check_can_be_interrupted() {
    // SIGTERM while it waits for standard input: it ends at once, and by the signal.
    let world = World::project();
    let mut command = world.command(&["eval", "mql_to_lead"]);
    command.stdin(std::process::Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    std::thread::sleep(Duration::from_millis(500));
    let sent = std::process::Command::new("kill").arg(child.id().to_string()).status().expect("kill runs");
    assert!(sent.success());
    assert_eq!(crate::world::wait(&mut child, Duration::from_secs(5)), None);
}

/// A mapping whose values each read the one above.
fn chain(length: usize) -> String {
    let lines: Vec<String> =
        (1..length).map(|n| format!("  let v{n} = \"{{v{}}}\" | trim\n", n - 1)).collect();
    let lets = lines.concat();
    format!(
        "mapping deep {{\n  from hubspot.contact\n  to salesforce.Contact\n  let v0 = jobtitle | trim\n{lets}  \
         match {{ key HubSpot_Contact_ID__c = id }}\n  on none skip\n  on rejected park\n  \
         fields {{ Title <- v{} | truncate(128) }}\n}}\n",
        length - 1
    )
}

#[test]
fn a_chain_of_values_is_evaluated_or_refused_and_never_exhausts_the_stack() {
    let world = World::project();
    world.write("deep.map", chain(160));
    let line = r#"{"id": "1", "properties": {"jobtitle": " CEO "}}"#;
    for threads in ["1", "2"] {
        let command = world.command(&["eval", "deep", "--threads", threads]);
        assert!(world.finish(command, line.as_bytes()).fine().out.contains("\"Title\":\"CEO\""));
    }
    world.write("deep.map", chain(20_000));
    let ran = world.run(&["check", "--format", "json"]).exits(1);
    // What is too deep counts as one level for those below it.
    let found = ran.out.matches("\"E0104\"").count();
    assert!((1..200).contains(&found), "{found}");
}

#[test]
fn text_of_any_length_does_not_go_into_a_multi_select() {
    let world = World::project();
    let contact = "  Contact:\n    label: Contact\n";
    let text = world.read("schema/salesforce.yaml");
    let at = text.find(contact).expect("the object");
    let (head, tail) =
        text.split_at(at + text[at..].find("    fields:\n").expect("its fields") + "    fields:\n".len());
    let field = "      Interests__c: { label: Interests, type: multipicklist, options: [Golf, Chess] }\n";
    world.write("schema/salesforce.yaml", format!("{head}{field}{tail}"));
    let mapping = |value: &str| {
        format!(
            "mapping m {{\n  from hubspot.contact\n  to salesforce.Contact\n  when jobtitle changes\n  \
             match {{ key HubSpot_Contact_ID__c = id }}\n  on none skip\n  on rejected park\n  \
             fields {{ Interests__c <- {value} }}\n}}\n"
        )
    };
    world.write("m.map", mapping("message"));
    let ran = world.run(&["check", "m.map"]).exits(1);
    assert!(ran.out.contains("E0501") || ran.err.contains("E0501"), "{ran:?}");
    world.write("m.map", mapping("message | truncate(4099)"));
    world.run(&["check", "m.map"]).fine();
}
