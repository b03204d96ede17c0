//! `mapwright fmt`: what it changes, what it would change, and what it cannot read.

use crate::world::{Ran, World};

#[test]
fn a_difference_is_shown_and_nothing_written() {
    let world = World::project();
    world.write("extra.map", "mapping m {\n  from hubspot.contact\n  to salesforce.Lead\n}\n");
    let ran = world.run(&["fmt", "--check"]).exits(1);
    insta::assert_snapshot!(ran.out, @r"
    --- extra.map
    +++ extra.map
    @@ -1,4 +1,4 @@
     mapping m {
       from hubspot.contact
    -  to salesforce.Lead
    +  to   salesforce.Lead
     }
    ");
    assert!(world.read("extra.map").contains("  to salesforce.Lead"));
    world.run(&["fmt"]).fine();
    assert!(world.read("extra.map").contains("  to   salesforce.Lead"));
    assert_eq!(world.run(&["fmt", "--check"]).fine().out, "");
}

#[test]
fn a_file_that_is_not_utf8_names_the_place() {
    let world = World::project();
    world.write("extra.map", b"# fine\nmapping m\xe9 {\n}\n");
    let report = world.run(&["fmt"]).exits(1).err;
    assert!(report.contains("E0002"), "{report}");
    assert!(report.contains("the file is not UTF-8: byte 17 on line 2 is 0xe9"), "{report}");
    assert!(report.contains("[extra.map:2:10]"), "{report}");
}

#[test]
fn a_file_that_is_not_there_is_a_mistake_of_the_call() {
    let report = World::project().run(&["fmt", "nowhere.map"]).exits(2).err;
    assert!(report.contains("`nowhere.map` cannot be read"), "{report}");
}

/// A mapping that is not in canonical form, and the same one in it.
const ROUGH: &str = "mapping  m {\n\tfrom hubspot.contact\n\tto salesforce.Lead\n}";
const CANONICAL: &str = "mapping m {\n  from hubspot.contact\n  to   salesforce.Lead\n}\n";

fn given(world: &World, args: &[&str], text: &str) -> Ran {
    world.finish(world.command(args), text.as_bytes())
}

#[test]
fn standard_input_goes_to_standard_output() {
    // An editor formats a file that lies in no project.
    let world = World::empty();
    assert_eq!(given(&world, &["fmt", "-"], ROUGH).fine().out, CANONICAL);
    assert_eq!(given(&world, &["fmt", "-"], CANONICAL).fine().out, CANONICAL);
    assert_eq!(given(&world, &["fmt", "--check", "-"], CANONICAL).fine().out, "");
    let ran = given(&world, &["fmt", "--check", "-"], ROUGH).exits(1);
    assert!(
        ran.out.starts_with("--- -\n+++ -\n") && ran.out.contains("+  to   salesforce.Lead"),
        "{}",
        ran.out
    );
    let ran = given(&world, &["fmt", "-"], "mapping m {\n  frm hubspot.contact\n}\n").exits(1);
    assert!(ran.out.is_empty() && ran.err.contains("[-:2:3]"), "{ran:?}");
    assert!(given(&world, &["fmt", "-"], "# ü\n").fine().out == "# ü\n");
}

#[test]
fn only_map_files_are_formatted() {
    let world = World::project();
    let before = world.read("mapwright.yaml");
    let ran = world.run(&["fmt", "mapwright.yaml"]).exits(2);
    assert_eq!(
        ran.err,
        "error: `mapwright.yaml` is no `.map` file; name files, or none for all of the project\n"
    );
    assert_eq!(world.read("mapwright.yaml"), before);
    world.run(&["fmt", "."]).exits(2);
}

#[test]
fn line_ends_stay_what_they_are() {
    let world = World::project();
    let windows = |text: &str| text.replace('\n', "\r\n");
    world.write("extra.map", windows(CANONICAL));
    assert_eq!(world.run(&["fmt", "--check"]).fine().out, "", "a checkout on Windows");
    world.write("extra.map", windows(ROUGH));
    let ran = world.run(&["fmt", "--check", "extra.map"]).exits(1);
    assert!(ran.out.contains("\\ No newline at end of file\n"), "{}", ran.out);
    world.run(&["fmt"]).fine();
    assert_eq!(world.read("extra.map"), windows(CANONICAL));
    // Mixed ones, and a mark at the beginning, are nobody's wish.
    world.write("extra.map", format!("\u{feff}{}", CANONICAL.replacen('\n', "\r\n", 1)));
    world.run(&["fmt", "--check"]).exits(1);
    world.run(&["fmt"]).fine();
    assert_eq!(world.read("extra.map"), CANONICAL);
}
