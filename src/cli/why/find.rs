//! Which record and which field are meant, and what to say where there is none.

use std::collections::BTreeSet;

use super::super::args::WhyArgs;
use super::super::output::Output;
use super::super::parts;
use super::super::project::Project;
use super::known::Known;
use crate::diagnostic::{did_you_mean, nearest};
use crate::plan::Mapping;
use crate::source::{ObjectName, Side};
use crate::store::{RecordKey, Store, StoreError};

/// The record that is meant, or in words why that cannot be told.
pub(super) async fn record(
    store: &dyn Store,
    project: &Project,
    options: &WhyArgs,
) -> Result<Result<RecordKey, String>, StoreError> {
    let id = whole(&options.id);
    let known = store.known_as(&id).await?;
    let object = match object(project, &known, options) {
        Ok(object) => object,
        Err(message) => return Ok(Err(message)),
    };
    let pairs: Vec<String> =
        project.config.iter().flat_map(|config| &config.pairs).map(|pair| pair.name.value.clone()).collect();
    Ok(pair(&known, &pairs, &object, options).map(|pair| RecordKey::new(pair, object, id)))
}

/// A Salesforce id of 15 characters as one of 18, which is what the API gives: three more characters tell which of the
/// others are capitals (Salesforce's docs: "What is the difference between 15-character and 18-character ids?").
pub(super) fn whole(id: &str) -> String {
    let plain = id.len() == 15
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && id.bytes().any(|byte| byte.is_ascii_alphabetic());
    if !plain {
        return id.to_owned();
    }
    let check = |chunk: &[u8]| {
        let bits = chunk.iter().enumerate().filter(|(_, byte)| byte.is_ascii_uppercase());
        let index: usize = bits.map(|(place, _)| 1 << place).sum();
        char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[index])
    };
    id.chars().chain(id.as_bytes().chunks(5).map(check)).collect()
}

fn object(project: &Project, known: &[RecordKey], options: &WhyArgs) -> Result<ObjectName, String> {
    let (side, name) = match options.object.split_once('.') {
        Some(("hubspot", name)) => (Some(Side::Hubspot), name),
        Some(("salesforce", name)) => (Some(Side::Salesforce), name),
        _ => (None, options.object.as_str()),
    };
    let given = options.side.map(Side::from);
    let side = given.or(side);
    let all = objects(project, known);
    let of_side = |object: &&ObjectName| side.is_none_or(|side| object.side == side);
    let exact: Vec<&ObjectName> = all.iter().filter(of_side).filter(|object| object.name == name).collect();
    let alike: Vec<&ObjectName> = match exact.as_slice() {
        // `contact` is HubSpot's and `Contact` Salesforce's, where it is written so.
        [_] => exact,
        _ => all.iter().filter(of_side).filter(|object| object.name.eq_ignore_ascii_case(name)).collect(),
    };
    match alike.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(unknown(&options.object, name, side, &all)),
        several => {
            let held: Vec<_> =
                several.iter().filter(|object| known.iter().any(|key| key.object == ***object)).collect();
            if let [one] = held.as_slice() {
                return Ok((**one).clone());
            }
            let names: Vec<String> = several.iter().map(|object| format!("`{object}`")).collect();
            Err(format!("which `{name}`? There is {}; `--side` chooses", names.join(" and ")))
        }
    }
}

/// The objects of the snapshots, or, where those cannot be read, those that the store knows of this id.
fn objects(project: &Project, known: &[RecordKey]) -> Vec<ObjectName> {
    let mut all: BTreeSet<ObjectName> = known.iter().map(|key| key.object.clone()).collect();
    for schemas in project.worlds.iter().filter_map(|world| world.schemas.as_ref()) {
        for side in Side::ALL {
            all.extend(schemas.side(side).objects.keys().map(|name| ObjectName::new(side, name)));
        }
    }
    all.into_iter().collect()
}

fn unknown(given: &str, name: &str, side: Option<Side>, all: &[ObjectName]) -> String {
    let same = |object: &&ObjectName| object.name.eq_ignore_ascii_case(name);
    if let (Some(side), Some(other)) = (side, all.iter().find(same)) {
        return format!("{} has no object `{name}`; `{other}` is {}'s", side.label(), other.side.label());
    }
    let of_side: Vec<&ObjectName> =
        all.iter().filter(|object| side.is_none_or(|side| object.side == side)).collect();
    let near = nearest(name, of_side.iter().map(|object| object.name.as_str()));
    // `contact` and `Contact` are as near; the one that begins like the given name is meant.
    let begins_alike = |object: &&&ObjectName| {
        let upper = |text: &str| text.starts_with(char::is_uppercase);
        upper(&object.name) == upper(name)
    };
    let near = near.and_then(|near| {
        let alike = || of_side.iter().filter(|object| object.name.eq_ignore_ascii_case(near));
        alike().find(begins_alike).or_else(|| alike().next())
    });
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None if all.is_empty() => {
            "the project's snapshots cannot be read, and the store knows no record of this id".to_owned()
        }
        None => {
            let names: Vec<String> = of_side.iter().map(|object| format!("`{object}`")).collect();
            format!("there is {}", names.join(", "))
        }
    };
    format!("there is no object `{given}`; {help}")
}

fn pair(
    known: &[RecordKey],
    pairs: &[String],
    object: &ObjectName,
    options: &WhyArgs,
) -> Result<String, String> {
    if let Some(pair) = &options.pair {
        return if pairs.contains(pair) || known.iter().any(|key| key.pair == *pair) {
            Ok(pair.clone())
        } else {
            Err(parts::no_such_pair(pair, pairs))
        };
    }
    let held: BTreeSet<&str> =
        known.iter().filter(|key| key.object == *object).map(|key| key.pair.as_str()).collect();
    let held: Vec<&str> = held.into_iter().collect();
    match (held.as_slice(), pairs) {
        ([one], _) => Ok((*one).to_owned()),
        ([], [first, ..]) => Ok(first.clone()),
        ([], []) => Err("`mapwright.yaml` names no pair".to_owned()),
        (several, _) => {
            let names: Vec<String> = several.iter().map(|name| format!("`{name}`")).collect();
            Err(format!("the pairs {} know such a record; `--pair` chooses", names.join(" and ")))
        }
    }
}

/// The field that is meant, as the snapshot writes it.
pub(super) fn field(project: &Project, record: &RecordKey, name: &str) -> Result<String, String> {
    let object = super::world(project, &record.pair)
        .and_then(|world| world.schemas.as_ref())
        .and_then(|schemas| schemas.side(record.object.side).objects.get(&record.object.name));
    let Some(object) = object else { return Ok(name.to_owned()) };
    if let Some(field) = object.fields.keys().find(|field| field.eq_ignore_ascii_case(name)) {
        return Ok(field.clone());
    }
    let help = did_you_mean(name, object.fields.keys().map(String::as_str))
        .unwrap_or_else(|| "`mapwright schema pull` brings the snapshot up to date".to_owned());
    Err(format!("{} has no field `{name}` in the snapshot; {help}", record.object))
}

/// Says that nothing is known, and what may help.
pub(super) async fn nothing(store: &dyn Store, known: &Known, output: Output) -> Result<(), StoreError> {
    let record = &known.record;
    output.error(&format!(
        "the store knows nothing of {} {} (pair `{}`)",
        record.object, record.record, record.pair
    ));
    for key in store.known_as(&record.record).await? {
        output.note(&format!("it knows a {} of this id, in pair `{}`", key.object, key.pair));
    }
    output.note(&could_meet(known));
    output.note("what Mapwright did not write was written by somebody else: the CRM's own field history tells by whom");
    Ok(())
}

/// What could have met a record that nothing is known of.
fn could_meet(known: &Known) -> String {
    let object = &known.record.object;
    let Some(plan) = &known.plan else {
        return format!(
            "the project has errors, so what writes or reads {object} is not known: `mapwright check`"
        );
    };
    let named = |is: fn(&Mapping, &ObjectName) -> bool| {
        let own = plan.mappings.iter().filter(|mapping| is(mapping, object));
        let names: BTreeSet<String> =
            own.map(|mapping| format!("`{}` ({})", mapping.name, mapping.at)).collect();
        names.into_iter().collect::<Vec<_>>().join(", ")
    };
    let writers = named(|mapping, object| mapping.target == *object);
    let readers = named(|mapping, object| mapping.source == *object);
    match (writers.as_str(), readers.as_str()) {
        ("", "") => format!("no mapping writes or reads {object}"),
        (writers, "") => format!("{object} is written by {writers}; none of them met this record"),
        ("", readers) => format!("{object} is the source of {readers}; none of them met this record"),
        (writers, readers) => format!(
            "{object} is written by {writers}, and is the source of {readers}; none of them met this record"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_ids_become_long_ones() {
        // Examples of Salesforce's own documentation.
        assert_eq!(whole("001D000000IqhSL"), "001D000000IqhSLIAZ");
        assert_eq!(whole("00Q5e00001AbCdE"), whole(&whole("00Q5e00001AbCdE")));
        assert_eq!(whole("123456789012345"), "123456789012345", "digits alone are HubSpot's");
        assert_eq!(whole("5501"), "5501");
    }
}
