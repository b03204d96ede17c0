//! Did-you-mean.

use std::cell::Cell;

/// How alike two names must be, from 0 to 1 by Jaro-Winkler, to be worth suggesting. Below 0.8 the suggestions for
/// API names (`Lead_Source__c` for `LeadSource`) become noise.
const ALIKE: f64 = 0.8;

/// Names that are compared with an unknown one. A file of thousands of names that nobody knows would otherwise cost
/// their number squared; an object of a CRM has at most 800 fields.
const COMPARED: usize = 1_000;

/// How many characters are compared with one another before suggestions end: enough for hundreds of unknown fields of
/// an object with 800, and a fraction of a second.
const COMPARISONS: usize = 100_000_000;

/// Did-you-mean for a whole project, whose cost has a bound: the names that nobody knows and those that are known may
/// both be as long as a file.
#[derive(Debug)]
pub struct Guesses {
    left: Cell<usize>,
}

impl Default for Guesses {
    fn default() -> Self {
        Self { left: Cell::new(COMPARISONS) }
    }
}

impl Guesses {
    /// [`did_you_mean`], while there are comparisons left.
    pub fn did_you_mean<'c>(
        &self,
        name: &str,
        candidates: impl IntoIterator<Item = &'c str>,
    ) -> Option<String> {
        let candidates: Vec<&str> = candidates.into_iter().collect();
        self.affords(name, &candidates).then(|| did_you_mean(name, candidates)).flatten()
    }

    /// [`unambiguous`], while there are comparisons left.
    pub fn unambiguous<'c>(
        &self,
        name: &str,
        candidates: impl IntoIterator<Item = &'c str>,
    ) -> Option<&'c str> {
        let candidates: Vec<&str> = candidates.into_iter().collect();
        self.affords(name, &candidates).then(|| unambiguous(name, candidates)).flatten()
    }

    fn affords(&self, name: &str, candidates: &[&str]) -> bool {
        let lengths = candidates.iter().map(|candidate| candidate.len()).sum::<usize>();
        let left = self.left.get().checked_sub(name.len().saturating_mul(lengths));
        left.inspect(|left| self.left.set(*left)).is_some()
    }
}

/// The nearest of the candidates, if one is near enough; case does not count.
pub fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let wanted = name.to_lowercase();
    candidates
        .into_iter()
        .take(COMPARED)
        .map(|candidate| (strsim::jaro_winkler(&wanted, &candidate.to_lowercase()), candidate))
        .filter(|(score, _)| *score >= ALIKE)
        .max_by(|(a, x), (b, y)| a.total_cmp(b).then_with(|| y.cmp(x)))
        .map(|(_, candidate)| candidate)
}

/// "did you mean `x`?", if some candidate is near enough.
pub fn did_you_mean<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<String> {
    nearest(name, candidates).map(|candidate| format!("did you mean `{candidate}`?"))
}

/// The candidate that a misspelt name certainly means, if there is one; case does not count.
///
/// Stricter than [`nearest`], since a correction is written and not only read: one slip in a short name, two in a long
/// one, the digits as they are (`address_2` is no slip for `address_1`), and no other candidate as near. The longer of
/// the two names counts, since a letter that was left out makes a short one (`trm`). The ending of Salesforce's own fields,
/// `__c`, is left out so often that it is no slip at all.
pub fn unambiguous<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let wanted = name.to_lowercase();
    let custom = format!("{wanted}__c");
    let length = wanted.chars().count();
    // Each slip makes a name one longer or shorter at most.
    let alike = |candidate: &&str| {
        // The longer of the two allows the more.
        let other = candidate.chars().flat_map(char::to_lowercase).count();
        let near = other.abs_diff(length) <= slips_allowed(&wanted).max(slips_allowed(candidate));
        (near || candidate.to_lowercase() == custom) && digits(candidate).eq(digits(name))
    };
    let mut near: Vec<(usize, &str)> = candidates
        .into_iter()
        .filter(alike)
        .map(|candidate| (candidate.to_lowercase(), candidate))
        .map(|(lower, candidate)| {
            let allowed = slips_allowed(&wanted).max(slips_allowed(&lower));
            let slips = if lower == custom { 0 } else { strsim::osa_distance(&wanted, &lower) };
            (slips, allowed, candidate)
        })
        .filter(|(slips, allowed, _)| slips <= allowed)
        .map(|(slips, _, candidate)| (slips, candidate))
        .collect();
    near.sort_unstable();
    near.dedup();
    match near.as_slice() {
        [(_, only)] => Some(only),
        [(best, first), (second, _), ..] if best < second => Some(first),
        _ => None,
    }
}

fn digits(name: &str) -> impl Iterator<Item = char> {
    name.chars().filter(char::is_ascii_digit)
}

/// How many slips of the pen a name of this length may have and still be that name.
fn slips_allowed(name: &str) -> usize {
    match name.chars().count() {
        0..=3 => 0,
        4..=7 => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::{Guesses, unambiguous};

    #[test]
    fn the_names_of_a_project_are_compared_up_to_a_limit() {
        let guesses = Guesses::default();
        let long = "ab".repeat(20_000);
        assert_eq!(guesses.did_you_mean(&long, [long.as_str()]), None, "both are as long as a file");
        let fields = || ["jobtitle", "firstname"];
        assert_eq!(guesses.unambiguous("jobtitel", fields()), Some("jobtitle"), "and others still have one");
        let many = "x".repeat(5_000);
        let helped = (0..100).filter(|_| guesses.unambiguous(&many, [many.as_str()]).is_some());
        assert_eq!(helped.count(), 3);
        assert_eq!(guesses.did_you_mean("jobtitel", fields()).as_deref(), Some("did you mean `jobtitle`?"));
    }

    #[test]
    fn a_slip_of_the_pen_is_corrected() {
        let fields = ["jobtitle", "firstname", "lastname", "Email", "id", "HubSpot_Contact_ID__c"];
        for (written, meant) in [
            ("jobtitel", "jobtitle"),
            ("fristname", "firstname"),
            ("EMAIL", "Email"),
            ("ID", "id"),
            ("emal", "Email"),
            ("HubSpot_Contact_ID", "HubSpot_Contact_ID__c"),
        ] {
            assert_eq!(unambiguous(written, fields), Some(meant), "{written}");
        }
    }

    #[test]
    fn what_could_be_another_name_is_not() {
        assert_eq!(unambiguous("fone", ["founded_year", "phone2"]), None, "far from both");
        assert_eq!(unambiguous("Contrct__c", ["Contract__c", "Contrect__c"]), None, "as near to both");
        assert_eq!(unambiguous("address_2", ["address_1"]), None, "another number is another field");
        assert_eq!(unambiguous("one", ["own"]), None, "too short to tell");
        assert_eq!(unambiguous("trm", ["trim", "number"]), Some("trim"), "a letter of four was left out");
        assert_eq!(unambiguous("nm", ["name"]), None, "two letters of four were");
        assert_eq!(unambiguous("name", []), None);
    }

    #[test]
    fn one_name_twice_is_one_candidate() {
        assert_eq!(unambiguous("statuss", ["status", "status"]), Some("status"));
    }
}
