//! What a repository of mappings uses as it is: the pre-commit hooks, the GitHub Action and the example workflow. They are
//! YAML, they hold together, and their commands run on the shipped project.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_yaml::Value as Yaml;

const ACTION: &str = ".github/actions/mapwright/action.yml";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn yaml(name: &str) -> Yaml {
    let text = std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn text<'y>(value: &'y Yaml, key: &str) -> &'y str {
    value[key].as_str().unwrap_or_else(|| panic!("no `{key}` in {value:?}"))
}

/// A repository that holds the shipped project.
fn repository() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let made = mapwright(folder.path(), "mapwright init --quiet", &[]);
    assert!(made.status.success(), "{made:?}");
    folder
}

/// Runs a line of shell with the built program on the path and nothing else of the surroundings.
fn mapwright(folder: &Path, line: &str, env: &[(String, String)]) -> Output {
    let binary = PathBuf::from(env!("CARGO_BIN_EXE_mapwright"));
    let path = format!("{}:/usr/bin:/bin", binary.parent().expect("a folder").display());
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", line]).current_dir(folder).env_clear();
    command.env("PATH", path).envs(env.iter().cloned());
    command.output().expect("bash runs")
}

/// The steps of the action that run the program, with the environment that they get for these inputs.
fn program_steps(inputs: &BTreeMap<&str, &str>) -> Vec<(String, Vec<(String, String)>)> {
    let action = yaml(ACTION);
    let steps = action["runs"]["steps"].as_sequence().expect("steps").clone();
    let runs = steps
        .iter()
        .filter(|step| step["run"].as_str().is_some_and(|run| run.contains("mapwright --project")));
    let env = |step: &Yaml| {
        let env = step["env"].as_mapping().expect("an environment").iter();
        let value =
            |value: &str| match value.strip_prefix("${{ inputs.").and_then(|rest| rest.strip_suffix(" }}")) {
                Some("deny-warnings == 'true' && '--deny-warnings' || ''") => {
                    if inputs["deny-warnings"] == "true" { "--deny-warnings" } else { "" }
                }
                Some(name) => inputs.get(name).copied().unwrap_or_else(|| panic!("no input `{name}`")),
                None => panic!("`{value}` is no input"),
            };
        env.map(|(key, given)| {
            (key.as_str().expect("a name").to_owned(), value(given.as_str().expect("a text")).to_owned())
        })
        .collect()
    };
    runs.map(|step| (text(step, "run").to_owned(), env(step))).collect()
}

fn defaults() -> BTreeMap<&'static str, &'static str> {
    let inputs: BTreeMap<_, _> =
        [("project", "."), ("deny-warnings", "false"), ("sarif", "mapwright.sarif")].into();
    let action = yaml(ACTION);
    for (name, value) in &inputs {
        assert_eq!(text(&action["inputs"][*name], "default"), *value, "{name}");
        assert!(!text(&action["inputs"][*name], "description").is_empty());
    }
    assert_eq!(action["inputs"].as_mapping().map(serde_yaml::Mapping::len), Some(inputs.len()));
    inputs
}

#[test]
fn the_hooks_run() {
    let hooks = yaml(".pre-commit-hooks.yaml");
    let hooks = hooks.as_sequence().expect("a list");
    let ids: Vec<_> = hooks.iter().map(|hook| text(hook, "id")).collect();
    assert_eq!(ids, ["mapwright-check", "mapwright-fmt", "mapwright-test"]);
    let repository = repository();
    for hook in hooks {
        assert_eq!(text(hook, "language"), "rust");
        let files = regex::Regex::new(text(hook, "files")).expect("a pattern");
        assert!(files.is_match("crm/mql_to_lead.map") && !files.is_match("README.md"), "{hook:?}");
        // pre-commit adds the changed files, unless it is told not to.
        let line = match hook["pass_filenames"].as_bool() {
            Some(false) => {
                assert!(files.is_match("schema/salesforce.yaml") && files.is_match("mapwright.yaml"));
                text(hook, "entry").to_owned()
            }
            _ => format!("{} mql_to_lead.map picklists.map", text(hook, "entry")),
        };
        let ran = mapwright(repository.path(), &line, &[]);
        assert!(ran.status.success(), "{line}: {ran:?}");
    }
}

#[test]
fn the_action_passes_on_the_shipped_project() {
    let repository = repository();
    let steps = program_steps(&defaults());
    assert_eq!(steps.len(), 4);
    for (run, env) in steps {
        let ran = mapwright(repository.path(), &run, &env);
        assert!(ran.status.success(), "{run}: {ran:?}");
    }
    let sarif = std::fs::read_to_string(repository.path().join("mapwright.sarif")).expect("a SARIF file");
    let sarif: serde_json::Value = serde_json::from_str(&sarif).expect("JSON");
    assert_eq!(sarif["runs"][0]["results"].as_array().map(Vec::len), Some(0));
}

#[test]
fn the_action_fails_where_it_should() {
    let repository = repository();
    let lead = repository.path().join("mql_to_lead.map");
    let good = std::fs::read_to_string(&lead).expect("a mapping");
    let failing = |inputs: &BTreeMap<&str, &str>| -> Vec<String> {
        let failed = |(run, env): (String, Vec<(String, String)>)| {
            let ran = mapwright(repository.path(), &run, &env);
            (!ran.status.success()).then_some(run)
        };
        program_steps(inputs).into_iter().filter_map(failed).collect()
    };
    std::fs::write(&lead, good.replace("<- jobtitle", "<- jobtitel")).expect("written");
    let failed = failing(&defaults());
    assert!(failed.iter().any(|run| run.contains(" check --format github")), "{failed:?}");
    assert!(
        !failed.iter().any(|run| run.contains("sarif")),
        "findings are no reason not to upload them: {failed:?}"
    );
    std::fs::write(&lead, good.replace("  when ", "    when ")).expect("written");
    let failed = failing(&defaults());
    assert!(matches!(failed.as_slice(), [run] if run.contains("fmt --check")), "{failed:?}");
    std::fs::write(&lead, &good).expect("written");
    std::fs::write(repository.path().join("empty.map"), "").expect("written");
    assert_eq!(failing(&defaults()), Vec::<String>::new());
    let mut strict = defaults();
    strict.insert("deny-warnings", "true");
    let failed = failing(&strict);
    assert!(matches!(failed.as_slice(), [run] if run.contains("check --format github")), "{failed:?}");
    strict.insert("project", "nowhere");
    assert_eq!(failing(&strict).len(), 4, "a project that is not there fails every step");
    let mut elsewhere = defaults();
    elsewhere.insert("sarif", "out/of the way/found.sarif");
    assert_eq!(failing(&elsewhere), Vec::<String>::new());
    assert!(repository.path().join("out/of the way/found.sarif").is_file());
    elsewhere.insert("sarif", "");
    let failed = failing(&elsewhere);
    assert!(matches!(failed.as_slice(), [run] if run.contains("sarif")), "nowhere to write to: {failed:?}");
}

#[test]
fn inputs_of_the_action_are_data() {
    let repository = repository();
    for text in [
        "$(touch run)",
        "`touch run`",
        "\"; touch run; \"",
        "'; touch run; '",
        ". ; touch run",
        ".\ntouch run",
    ] {
        let inputs: BTreeMap<_, _> = ["project", "deny-warnings", "sarif"].map(|name| (name, text)).into();
        for (run, env) in program_steps(&inputs) {
            let ran = mapwright(repository.path(), &run, &env);
            assert!(!ran.status.success(), "{text}: {run}");
        }
        assert!(!repository.path().join("run").exists(), "{text}");
    }
}

#[test]
fn the_action_knows_its_sources() {
    let action = yaml(ACTION);
    assert_eq!(text(&action["runs"], "using"), "composite");
    for step in action["runs"]["steps"].as_sequence().expect("steps") {
        assert!(!text(step, "name").is_empty());
        // GitHub asks for a shell wherever a composite action runs something.
        assert_eq!(step["run"].is_null(), step["shell"].is_null(), "{step:?}");
    }
    let first = &action["runs"]["steps"][0];
    let output = tempfile::NamedTempFile::new().expect("a file");
    let env = [
        ("ACTION".to_owned(), root().join(".github/actions/mapwright").display().to_string()),
        ("GITHUB_OUTPUT".to_owned(), output.path().display().to_string()),
    ];
    let ran = mapwright(root(), text(first, "run"), &env);
    assert!(ran.status.success(), "{ran:?}");
    let said = std::fs::read_to_string(output.path()).expect("what it said");
    assert!(said.starts_with("digest=") && said.trim_end().len() == "digest=".len() + 64, "{said}");
}

#[test]
fn the_workflow_uses_the_action_as_it_is() {
    let workflow = yaml("docs/ci/mapwright.yml");
    assert_eq!(text(&workflow["permissions"], "security-events"), "write");
    let steps = workflow["jobs"]["mappings"]["steps"].as_sequence().expect("steps");
    let action = steps
        .iter()
        .find(|step| text(step, "uses").contains("/.github/actions/mapwright@"))
        .expect("the action");
    let known = defaults();
    for (name, value) in action["with"].as_mapping().expect("inputs") {
        let name = name.as_str().expect("a name");
        assert!(known.contains_key(name) && value.is_string(), "{name}: {value:?}");
    }
    let upload = steps.iter().find(|step| text(step, "uses").contains("upload-sarif@")).expect("the upload");
    assert_eq!(text(&upload["with"], "sarif_file"), text(&action["with"], "sarif"));
}
