//! The `if`s of a mapping, wherever they stand.

use crate::source::Location;

use super::expression::{Expr, children, condition_children};
use super::program::{Convert, Mapping, Sought, Test, TestOp};

impl Mapping {
    /// Where its `if`s stand, in no particular order; one that several rules share is there once for each.
    pub fn branches(&self) -> Vec<&Location> {
        let mut found = Vec::new();
        let mut visit = |expr| branches(expr, &mut found);
        self.lets.iter().for_each(&mut visit);
        self.guards.iter().for_each(|guard| condition_children(&guard.condition, &mut visit));
        self.key.iter().for_each(|key| visit(&key.value));
        self.rungs.iter().for_each(|rung| tests(&rung.tests, &mut visit));
        for lookup in &self.lookups {
            match &lookup.what {
                Sought::Field { tests: all, .. } | Sought::RecordType { tests: all, .. } => {
                    tests(all, &mut visit);
                }
                Sought::Linked { id, .. } => visit(id),
            }
        }
        let converts = self.convert.iter().flat_map(Convert::rules);
        self.rules.iter().chain(converts).for_each(|rule| visit(&rule.value));
        found
    }
}

fn branches<'e>(expr: &'e Expr, found: &mut Vec<&'e Location>) {
    if let Expr::If(_, _, _, at) = expr {
        found.push(at);
    }
    children(expr, &mut |child| branches(child, found));
}

fn tests<'e>(tests: &'e [Test], visit: &mut dyn FnMut(&'e Expr)) {
    for test in tests {
        match &test.op {
            TestOp::Compare(_, value) => visit(value),
            TestOp::In(values) => values.iter().for_each(&mut *visit),
            TestOp::Presence(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::testing::{LEAD, Lead};

    #[test]
    fn an_if_is_found_wherever_it_stands() {
        let plan = Lead {
            head: "let title = if hubscore > 1 then \"a\" else \"b\"\n only if (if hubscore > 2 then true else false)",
            rungs: "key HubSpot_Contact_ID__c = id\n or Phone = (if hubscore > 3 then phone else nothing)",
            outcomes: "on none create\n on many park\n on taken park\n on converted park\n on duplicate park\n on rejected park",
            fields: "Title <- title | truncate(9)\n Email <- \"{if hubscore > 4 then \"a\" else (if hubscore > 5 then \"b\" else \"c\")}\" | fits(80) otherwise park\n \
                     OwnerId <- lookup salesforce.User.Id where Email = (if hubscore > 6 then email else nothing) otherwise keep",
            ..LEAD
        }
        .plan();
        assert_eq!(plan.mappings[0].branches().len(), 6);
    }
}
