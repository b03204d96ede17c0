//! Several pairs in one project: each has its own mappings and snapshots.

use crate::world::World;

/// A project with two pairs: `emea` has mappings and snapshots of its own, `amer` all the rest.
fn world() -> World {
    let world = World::project();
    for folder in ["emea", "schema/emea"] {
        std::fs::create_dir_all(world.path(folder)).expect("a folder");
    }
    for file in ["hubspot.yaml", "salesforce.yaml"] {
        let text = world.read(&format!("schema/{file}"));
        world.write(&format!("schema/emea/{file}"), text);
    }
    let text = world.read("mapwright.yaml");
    let (head, pair) = text.split_once("  main:\n").expect("the pair");
    let (pair, tail) = pair.split_once("\n# Events").expect("its end");
    let amer: String = ["mql_to_lead", "contact_from_mql", "company_to_account", "picklists"]
        .map(|name| format!("{name}.map, {name}_tests.map"))
        .join(", ")
        .replace("contact_from_mql.map, contact_from_mql_tests.map", "contact_from_mql.map, contact_from_mql_tests.map, tests.map");
    let other = pair.replace("4556789", "77").replace("login.salesforce.com", "emea.my.salesforce.com");
    world.write(
        "mapwright.yaml",
        format!(
            "{head}  amer:\n    mappings: [{amer}]\n{pair}\n  emea:\n    mappings: [emea, picklists.map]\n    \
             schema: schema/emea\n{other}\n# Events{tail}"
        ),
    );
    world.write("emea/jobs.map", MAPPING);
    world
}

const MAPPING: &str = r#"mapping job {
  from hubspot.contact
  to   salesforce.Lead
  when created
  only if email is present and lastname is present otherwise skip
  match { Email = email }
  on none      create
  on many      oldest
  on converted skip
  on duplicate park
  on taken     park
  on rejected  park
  fields {
    LastName <- lastname | truncate(80)
    Company  <- "Unknown"
    Email    <- email | lowercase | fits(80) otherwise park
    Title    <- jobtitle | truncate(128)
  }
}

test "a job" {
  mapping job
  given hubspot.contact { lastname "Doe" email "a@x.example" jobtitle "Boss" }
  expect create { LastName "Doe" Company "Unknown" Email "a@x.example" Title "Boss" }
}
"#;

#[test]
fn debug_first() {
    let world = world();
    let ran = world.run(&["check"]);
    eprintln!("{}\n{}", ran.out, ran.err);
    let ran = world.run(&["test"]);
    eprintln!("{}\n{}", ran.out, ran.err);
}
