//! Associations between records, their types and labels. Each is stored in both directions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The type of an association in one direction.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Spec {
    #[serde(rename = "associationCategory", alias = "category")]
    pub(super) category: String,
    #[serde(rename = "associationTypeId", alias = "typeId")]
    pub(super) type_id: u32,
}

/// An association type that HubSpot defines.
#[derive(Debug, Clone)]
pub(super) struct LinkType {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) category: String,
    pub(super) type_id: u32,
    /// The type of the same association seen from the other side.
    pub(super) inverse: u32,
    pub(super) label: Option<String>,
    /// The name in v3 answers (`contact_to_company`).
    pub(super) name: String,
}

type Standard = (&'static str, &'static str, [u32; 2], Option<[u32; 2]>);

/// HubSpot's association types (its associations v4 docs): from, to, unlabelled ids, primary ids.
const STANDARD: &[Standard] = &[
    ("0-1", "0-2", [279, 280], Some([1, 2])),
    ("0-3", "0-1", [3, 4], None),
    ("0-3", "0-2", [341, 342], Some([5, 6])),
    ("0-5", "0-2", [339, 340], Some([26, 25])),
    ("0-1", "0-5", [15, 16], None),
    ("0-3", "0-5", [27, 28], None),
    ("0-3", "0-8", [19, 20], None),
    ("0-1", "0-1", [449, 449], None),
    ("0-2", "0-2", [450, 450], None),
    ("0-3", "0-3", [451, 451], None),
    ("0-5", "0-5", [452, 452], None),
];

const NAMES: &[(&str, &str)] = &[
    ("0-1", "contact"),
    ("0-2", "company"),
    ("0-3", "deal"),
    ("0-5", "ticket"),
    ("0-7", "product"),
    ("0-8", "line_item"),
];

/// HubSpot's own labels, each named after the record that it leads to: from, to, the ids in both directions, and both labels
/// (its changelog, "Parent <-> Child Associations").
const LABELLED: &[(&str, &str, [u32; 2], [&str; 2])] =
    &[("0-2", "0-2", [14, 13], ["Parent Company", "Child Company"])];

/// The first id of a label that a portal defines.
const FIRST_LABEL: u32 = 1001;

/// HubSpot's category of its own types.
pub(super) const DEFINED: &str = "HUBSPOT_DEFINED";

type Key = (String, u64, String, u64);

/// All associations of a portal.
#[derive(Debug)]
pub(super) struct Links {
    types: Vec<LinkType>,
    pairs: BTreeMap<Key, Vec<Spec>>,
}

impl Default for Links {
    fn default() -> Self {
        let mut types = Vec::new();
        for (from, to, unlabelled, primary) in STANDARD {
            let primary = primary.map(|ids| (ids, true));
            for ([there, back], is_primary) in primary.into_iter().chain([(*unlabelled, false)]) {
                let has_primary = primary.is_some();
                types.push(defined(from, to, there, back, is_primary, has_primary));
                if from != to {
                    types.push(defined(to, from, back, there, is_primary, has_primary));
                }
            }
        }
        for (from, to, [there, back], [forward, backward]) in LABELLED {
            let label = |text: &str| Some(text.to_owned());
            let name = |text: &str| text.to_lowercase().replace(' ', "_");
            let one = defined(from, to, *there, *back, false, false);
            types.push(LinkType { label: label(forward), name: name(forward), ..one });
            let other = defined(to, from, *back, *there, false, false);
            types.push(LinkType { label: label(backward), name: name(backward), ..other });
        }
        Self { types, pairs: BTreeMap::new() }
    }
}

fn defined(from: &str, to: &str, type_id: u32, inverse: u32, primary: bool, has_primary: bool) -> LinkType {
    let noun = |id: &str| NAMES.iter().find(|(known, _)| *known == id).map_or("object", |(_, name)| name);
    let suffix = if has_primary && !primary { "_unlabeled" } else { "" };
    LinkType {
        from: from.to_owned(),
        to: to.to_owned(),
        category: DEFINED.to_owned(),
        type_id,
        inverse,
        label: primary.then(|| "Primary".to_owned()),
        name: format!("{}_to_{}{suffix}", noun(from), noun(to)),
    }
}

impl Links {
    /// The association types of a pair of object types.
    pub(super) fn types(&self, from: &str, to: &str) -> Vec<&LinkType> {
        self.types.iter().filter(|known| known.from == from && known.to == to).collect()
    }

    /// The type of a specification in one direction.
    pub(super) fn link_type(&self, from: &str, to: &str, spec: &Spec) -> Option<&LinkType> {
        self.types.iter().find(|known| {
            known.from == from
                && known.to == to
                && known.type_id == spec.type_id
                && known.category == spec.category
        })
    }

    /// The unlabelled type of a pair, by which every association is.
    pub(super) fn unlabelled(&self, from: &str, to: &str) -> Option<&LinkType> {
        self.types.iter().find(|known| known.from == from && known.to == to && known.label.is_none())
    }

    fn primary(&self, from: &str, to: &str) -> Option<&LinkType> {
        let primary =
            |known: &&LinkType| known.category == DEFINED && known.label.as_deref() == Some("Primary");
        self.types.iter().filter(|known| known.from == from && known.to == to).find(primary)
    }

    /// Defines a label of the portal's own and gives its ids in both directions.
    pub(super) fn define(
        &mut self,
        from: &str,
        to: &str,
        name: &str,
        label: &str,
        back: Option<&str>,
    ) -> [u32; 2] {
        let highest = self.types.iter().map(|known| known.type_id).max().unwrap_or(0);
        let there = FIRST_LABEL.max(highest + 1);
        let inverse = if from == to && back.is_none() { there } else { there + 1 };
        let own = |from: &str, to: &str, type_id, inverse, label: &str| LinkType {
            from: from.to_owned(),
            to: to.to_owned(),
            category: "USER_DEFINED".to_owned(),
            type_id,
            inverse,
            label: Some(label.to_owned()),
            name: name.to_owned(),
        };
        self.types.push(own(from, to, there, inverse, label));
        if inverse != there {
            self.types.push(own(to, from, inverse, there, back.unwrap_or(label)));
        }
        [there, inverse]
    }

    /// Lets a custom object type be associated with another type, without a label.
    pub(super) fn connect(&mut self, custom: &str, name: &str, other: &str) {
        let noun = NAMES.iter().find(|(known, _)| *known == other).map_or("object", |(_, noun)| noun);
        let highest = self.types.iter().map(|known| known.type_id).max().unwrap_or(0);
        let there = FIRST_LABEL.max(highest + 1);
        let plain = |from: &str, to: &str, type_id, inverse, name: String| LinkType {
            from: from.to_owned(),
            to: to.to_owned(),
            category: "USER_DEFINED".to_owned(),
            type_id,
            inverse,
            label: None,
            name,
        };
        self.types.push(plain(custom, other, there, there + 1, format!("{name}_to_{noun}")));
        self.types.push(plain(other, custom, there + 1, there, format!("{noun}_to_{name}")));
    }

    /// Removes a label of the portal's own; whether there was one.
    pub(super) fn undefine(&mut self, type_id: u32) -> bool {
        let before = self.types.len();
        let goes = |known: &LinkType| {
            known.category != DEFINED && (known.type_id == type_id || known.inverse == type_id)
        };
        self.types.retain(|known| !goes(known));
        before != self.types.len()
    }

    /// Associates two records; the unlabelled type is always there, and the first of a kind becomes the primary one.
    ///
    /// Gives the specifications that are new, from the first record's side.
    pub(super) fn add(&mut self, from: (&str, u64), to: (&str, u64), specs: &[Spec]) -> Vec<Spec> {
        let mut wanted: Vec<Spec> = specs.to_vec();
        let spec = |known: &LinkType| Spec { category: known.category.clone(), type_id: known.type_id };
        wanted.extend(self.unlabelled(from.0, to.0).map(spec));
        if let Some(primary) = self.primary(from.0, to.0).map(spec) {
            // The primary company is one for each contact, deal or ticket; companies have many.
            let one = if to.0 == "0-2" { Some((from, to)) } else { (from.0 == "0-2").then_some((to, from)) };
            if let Some((owner, company)) = one {
                let held = self.primary_of(owner, company.0);
                if held.is_none() {
                    wanted.push(primary);
                } else if wanted.contains(&primary) && held != Some(company.1) {
                    self.demote(owner, company.0);
                }
            }
        }
        let mut added = Vec::new();
        for spec in wanted {
            let inverse = self.link_type(from.0, to.0, &spec).map(|known| known.inverse);
            if self.put(from, to, &spec) {
                added.push(spec.clone());
            }
            if let Some(inverse) = inverse {
                self.put(to, from, &Spec { category: spec.category, type_id: inverse });
            }
        }
        added
    }

    /// The record of a type that is a record's primary one.
    pub(super) fn primary_of(&self, from: (&str, u64), to: &str) -> Option<u64> {
        let primary = self.primary(from.0, to)?.type_id;
        let found =
            self.of(from.0, from.1, to).find(|(_, specs)| specs.iter().any(|spec| spec.type_id == primary));
        found.map(|(id, _)| id)
    }

    fn demote(&mut self, from: (&str, u64), to: &str) {
        let (Some(held), Some(primary)) = (self.primary_of(from, to), self.primary(from.0, to)) else {
            return;
        };
        let (there, back) = (primary.type_id, primary.inverse);
        for (key, type_id) in [(key(from, (to, held)), there), (key((to, held), from), back)] {
            if let Some(specs) = self.pairs.get_mut(&key) {
                specs.retain(|spec| spec.type_id != type_id || spec.category != DEFINED);
            }
        }
    }

    fn put(&mut self, from: (&str, u64), to: (&str, u64), spec: &Spec) -> bool {
        let specs = self.pairs.entry(key(from, to)).or_default();
        let new = !specs.contains(spec);
        if new {
            specs.push(spec.clone());
            specs.sort();
        }
        new
    }

    /// Removes all association between two records; whether there was one.
    pub(super) fn remove(&mut self, from: (&str, u64), to: (&str, u64)) -> bool {
        self.pairs.remove(&key(to, from));
        self.pairs.remove(&key(from, to)).is_some()
    }

    /// Removes some labels between two records; the pair stays associated.
    pub(super) fn remove_labels(&mut self, from: (&str, u64), to: (&str, u64), specs: &[Spec]) {
        for spec in specs {
            let inverse = self.link_type(from.0, to.0, spec).map(|known| known.inverse);
            if let Some(held) = self.pairs.get_mut(&key(from, to)) {
                held.retain(|known| known != spec);
            }
            if let (Some(held), Some(inverse)) = (self.pairs.get_mut(&key(to, from)), inverse) {
                held.retain(|known| known.type_id != inverse || known.category != spec.category);
            }
        }
    }

    /// The records of a type that a record is associated with, by id.
    pub(super) fn of<'a>(
        &'a self,
        kind: &str,
        id: u64,
        to: &str,
    ) -> impl Iterator<Item = (u64, &'a [Spec])> + use<'a> {
        let first = (kind.to_owned(), id, to.to_owned(), 0);
        let last = (kind.to_owned(), id, to.to_owned(), u64::MAX);
        self.pairs.range(first..=last).map(|((_, _, _, other), specs)| (*other, specs.as_slice()))
    }

    /// Removes whatever a record takes part in.
    pub(super) fn remove_record(&mut self, kind: &str, id: u64) {
        self.pairs
            .retain(|(a, a_id, b, b_id), _| !((a == kind && *a_id == id) || (b == kind && *b_id == id)));
    }

    /// Moves the associations of one record to another.
    pub(super) fn rename(&mut self, kind: &str, old: u64, new: u64) {
        let moved = |side: &str, id: u64| if side == kind && id == old { new } else { id };
        let pairs = std::mem::take(&mut self.pairs);
        for ((a, a_id, b, b_id), specs) in pairs {
            let (a_id, b_id) = (moved(&a, a_id), moved(&b, b_id));
            for spec in specs {
                self.put((&a, a_id), (&b, b_id), &spec);
            }
        }
    }
}

fn key(from: (&str, u64), to: (&str, u64)) -> Key {
    (from.0.to_owned(), from.1, to.0.to_owned(), to.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(links: &Links, from: (&str, u64), to: (&str, u64)) -> Vec<u32> {
        let found = links.of(from.0, from.1, to.0).find(|(id, _)| *id == to.1);
        found.map(|(_, specs)| specs.iter().map(|spec| spec.type_id).collect()).unwrap_or_default()
    }

    #[test]
    fn the_first_company_is_primary_and_a_new_primary_replaces_it() {
        let mut links = Links::default();
        let contact = ("0-1", 1);
        links.add(contact, ("0-2", 10), &[]);
        links.add(("0-2", 11), contact, &[]);
        assert_eq!(ids(&links, contact, ("0-2", 10)), [1, 279]);
        assert_eq!(ids(&links, ("0-2", 10), contact), [2, 280]);
        assert_eq!(ids(&links, contact, ("0-2", 11)), [279]);
        links.add(contact, ("0-2", 11), &[Spec { category: DEFINED.into(), type_id: 1 }]);
        assert_eq!(links.primary_of(contact, "0-2"), Some(11));
        assert_eq!(ids(&links, contact, ("0-2", 10)), [279]);
        assert_eq!(ids(&links, ("0-2", 10), contact), [280]);
    }

    #[test]
    fn a_company_keeps_many_contacts_that_have_it_as_primary() {
        let mut links = Links::default();
        links.add(("0-1", 1), ("0-2", 10), &[]);
        links.add(("0-1", 2), ("0-2", 10), &[]);
        assert_eq!(ids(&links, ("0-1", 1), ("0-2", 10)), [1, 279]);
        assert_eq!(ids(&links, ("0-1", 2), ("0-2", 10)), [1, 279]);
        links.rename("0-1", 2, 3);
        assert_eq!(ids(&links, ("0-1", 3), ("0-2", 10)), [1, 279]);
        links.remove_record("0-1", 1);
        assert_eq!(links.of("0-2", 10, "0-1").count(), 1);
    }
}
