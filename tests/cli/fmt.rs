//! `mapwright fmt`: what it changes, what it would change, and what it cannot read.

use crate::world::World;

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
