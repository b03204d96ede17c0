//! What changed between two snapshots of one CRM, as facts.

use std::fmt;

use crate::source::Span;

use super::associations::LabelsChange;
use super::owners::OwnersChange;
use super::{Field, FieldType, Object, RecordType, Schema, associations, owners};

/// One difference between an older and a newer snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The object's name in `.map` files.
    pub object: String,
    /// The field, where the change is one of a field.
    pub field: Option<String>,
    /// What is different.
    pub what: What,
    /// The place in the older snapshot that the change is about: the field, the option, or the object.
    pub at: Option<Span>,
}

/// What is different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The object or field is new.
    Added,
    /// The object or field is gone, or the integration's user does not see it any more.
    Removed,
    /// The field holds something else.
    Retyped {
        /// What it held.
        from: String,
        /// What it holds.
        to: String,
    },
    /// The field holds less of the same.
    Shortened {
        /// What it held.
        from: String,
        /// What it holds.
        to: String,
    },
    /// The field holds more of the same.
    Widened {
        /// What it held.
        from: String,
        /// What it holds.
        to: String,
    },
    /// A create fails without the field.
    Required,
    /// A create may leave the field out.
    Optional,
    /// A create (and, or) an update may not set the field any more.
    Unwritable {
        /// The create may not.
        create: bool,
        /// The update may not.
        update: bool,
    },
    /// A create or an update may set the field now.
    Writable,
    /// The field is not what a key needs any more: unique, or an external ID.
    KeyLost(&'static str),
    /// The field is what a key needs.
    KeyGained(&'static str),
    /// A value that is not in the list is refused now.
    Restricted,
    /// A value that is not in the list is taken now.
    Unrestricted,
    /// The picklist has a new option.
    OptionAdded(String),
    /// The picklist does not have the option any more.
    OptionRemoved(String),
    /// A new value may not use the option any more.
    OptionDeactivated(String),
    /// A new value may use the option again.
    OptionActivated(String),
    /// The option does not stand for converted Leads any more.
    OptionNotConverted(String),
    /// The option stands for converted Leads now.
    OptionConverted(String),
    /// A record type is new, or may be used again.
    RecordTypeAdded(String),
    /// A record type is gone, or new records may not use it.
    RecordTypeRemoved(String),
    /// Another record type is given to records that name none.
    RecordTypeDefault(String),
    /// A record type allows other options of the field.
    RecordTypeOptions {
        /// The record type.
        name: String,
        /// What it does not allow any more.
        lost: Vec<String>,
        /// What it allows now.
        gained: Vec<String>,
    },
    /// The labels of an object's associations are others.
    Labels(LabelsChange),
    /// Somebody else can own records.
    Owners(OwnersChange),
    /// Something else of its facts: how paths name it, whether it is computed, filled by the CRM or money.
    Other(&'static str),
    /// People see another label.
    Relabelled {
        /// What people saw.
        from: String,
        /// What people see.
        to: String,
    },
    /// The options, or an option's label, are shown in another way.
    Rearranged,
}

/// How much a change means to a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Nothing that a mapping says can depend on it.
    Cosmetic,
    /// Something more than the snapshot knows.
    Added,
    /// Other than the snapshot says, and nothing that a mapping relied on is taken away.
    Other,
    /// The CRM takes less than the snapshot says.
    Narrowed,
    /// What the snapshot knows is not there.
    Removed,
}

impl What {
    /// How much it means to a mapping.
    pub fn weight(&self) -> Weight {
        match self {
            Self::Added | Self::OptionAdded(_) | Self::RecordTypeAdded(_) => Weight::Added,
            Self::Removed | Self::OptionRemoved(_) | Self::RecordTypeRemoved(_) => Weight::Removed,
            Self::Labels(change) => change.weight(),
            Self::Owners(change) => change.weight(),
            Self::Retyped { .. }
            | Self::Shortened { .. }
            | Self::Required
            | Self::Unwritable { .. }
            | Self::KeyLost(_)
            | Self::Restricted
            | Self::OptionDeactivated(_)
            | Self::OptionNotConverted(_) => Weight::Narrowed,
            Self::RecordTypeOptions { lost, .. } if !lost.is_empty() => Weight::Narrowed,
            Self::Widened { .. }
            | Self::Optional
            | Self::Writable
            | Self::KeyGained(_)
            | Self::Unrestricted
            | Self::OptionActivated(_)
            | Self::OptionConverted(_)
            | Self::RecordTypeDefault(_)
            | Self::RecordTypeOptions { .. }
            | Self::Other(_) => Weight::Other,
            Self::Relabelled { .. } | Self::Rearranged => Weight::Cosmetic,
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added => f.write_str("is new"),
            Self::Removed => f.write_str("is not there any more, or not visible"),
            Self::Retyped { from, to } => write!(f, "was {from} and is {to}"),
            Self::Shortened { from, to } => write!(f, "holds less: was {from}, is {to}"),
            Self::Widened { from, to } => write!(f, "holds more: was {from}, is {to}"),
            Self::Required => f.write_str("is required now"),
            Self::Optional => f.write_str("is not required any more"),
            Self::Unwritable { create: true, update: true } => f.write_str("cannot be written any more"),
            Self::Unwritable { create: true, .. } => f.write_str("cannot be set on create any more"),
            Self::Unwritable { .. } => f.write_str("cannot be updated any more"),
            Self::Writable => f.write_str("can be written now"),
            Self::KeyLost(what) => write!(f, "is not {what} any more"),
            Self::KeyGained(what) => write!(f, "is {what} now"),
            Self::Restricted => f.write_str("refuses values that are not in its list now"),
            Self::Unrestricted => f.write_str("takes values that are not in its list now"),
            Self::OptionAdded(option) => write!(f, "has a new option `{option}`"),
            Self::OptionRemoved(option) => write!(f, "has no option `{option}` any more"),
            Self::OptionDeactivated(option) => write!(f, "has deactivated its option `{option}`"),
            Self::OptionActivated(option) => write!(f, "has activated its option `{option}` again"),
            Self::OptionNotConverted(option) => {
                write!(f, "has an option `{option}` that does not stand for converted Leads any more")
            }
            Self::OptionConverted(option) => {
                write!(f, "has an option `{option}` that stands for converted Leads now")
            }
            Self::RecordTypeAdded(name) => write!(f, "has a new record type `{name}`"),
            Self::RecordTypeRemoved(name) => {
                write!(f, "has no record type `{name}` for new records any more")
            }
            Self::RecordTypeDefault(name) => write!(f, "gives new records another record type, `{name}`"),
            Self::RecordTypeOptions { name, lost, gained } => {
                write!(f, "has other options under the record type `{name}`:")?;
                let lost = lost.iter().map(|option| format!(" without `{option}`"));
                let gained = gained.iter().map(|option| format!(" with `{option}`"));
                f.write_str(&lost.chain(gained).collect::<Vec<_>>().join(","))
            }
            Self::Other(what) => f.write_str(what),
            Self::Relabelled { from, to } => write!(f, "was called \"{from}\" and is called \"{to}\""),
            Self::Rearranged => f.write_str("shows its options in another way"),
            Self::Labels(change) => change.fmt(f),
            Self::Owners(change) => change.fmt(f),
        }
    }
}

/// The differences between an older and a newer snapshot of one CRM, in the order of the older one, then what is new.
pub fn compare(old: &Schema, new: &Schema) -> Vec<Change> {
    let mut found = Vec::new();
    for object in old.objects.values() {
        match new.objects.get(&object.name) {
            Some(now) => compare_objects(object, now, &mut found),
            None => found.push(of_object(object, What::Removed)),
        }
    }
    for object in new.objects.values().filter(|object| !old.objects.contains_key(&object.name)) {
        found.push(Change { object: object.name.clone(), field: None, what: What::Added, at: None });
    }
    let top = Span::new(old.file, 0, 0);
    owners::compare(old.side, old.owners.as_deref(), new.owners.as_deref(), top, &mut found);
    found
}

fn of_object(object: &Object, what: What) -> Change {
    Change { object: object.name.clone(), field: None, what, at: Some(object.span) }
}

fn compare_objects(old: &Object, new: &Object, found: &mut Vec<Change>) {
    if old.label != new.label {
        let what = What::Relabelled { from: old.label.clone(), to: new.label.clone() };
        found.push(of_object(old, what));
    }
    if (&old.plural, &old.type_id, &old.key_prefix, &old.timeline)
        != (&new.plural, &new.type_id, &new.key_prefix, &new.timeline)
    {
        found.push(of_object(old, What::Other("has another address or prefix of ids")));
    }
    if old.convertible != new.convertible {
        found.push(of_object(old, What::Other("is not converted as the snapshot says")));
    }
    compare_record_types(old, new, found);
    associations::compare(old, new, found);
    for field in old.fields.values() {
        match new.field(&field.name) {
            Some(now) => compare_fields(&old.name, field, now, found),
            None => found.push(Change {
                object: old.name.clone(),
                field: Some(field.name.clone()),
                what: What::Removed,
                at: Some(field.span),
            }),
        }
    }
    for field in new.fields.values().filter(|field| old.field(&field.name).is_none()) {
        found.push(Change {
            object: old.name.clone(),
            field: Some(field.name.clone()),
            what: What::Added,
            at: Some(old.span),
        });
        // Whoever creates records must know of it at once.
        if field.required_on_create() {
            let (object, field) = (old.name.clone(), Some(field.name.clone()));
            found.push(Change { object, field, what: What::Required, at: Some(old.span) });
        }
    }
}

fn compare_record_types(old: &Object, new: &Object, found: &mut Vec<Change>) {
    let usable = |object: &Object, name: &str| {
        object.record_types.iter().find(|known| known.developer_name == name && known.active).cloned()
    };
    let mut push = |field: Option<&str>, at: Span, what: What| {
        let field = field.map(str::to_owned);
        found.push(Change { object: old.name.clone(), field, what, at: Some(at) });
    };
    for known in old.record_types.iter().filter(|known| known.active) {
        let name = &known.developer_name;
        let Some(now) = usable(new, name) else {
            push(None, known.span, What::RecordTypeRemoved(name.clone()));
            continue;
        };
        for field in fields_of(known, &now) {
            let options = |of: &RecordType, object: &Object| allowed(of, object, &field);
            let (was, is) = (options(known, old), options(&now, new));
            let less = |a: &[String], b: &[String]| -> Vec<String> {
                a.iter().filter(|option| !b.contains(option)).cloned().collect()
            };
            let (lost, gained) = (less(&was, &is), less(&is, &was));
            if !(lost.is_empty() && gained.is_empty()) {
                push(Some(&field), known.span, What::RecordTypeOptions { name: name.clone(), lost, gained });
            }
        }
        if now.default && !known.default {
            push(None, known.span, What::RecordTypeDefault(name.clone()));
        }
    }
    for now in new.record_types.iter().filter(|now| now.active && usable(old, &now.developer_name).is_none())
    {
        push(None, old.span, What::RecordTypeAdded(now.developer_name.clone()));
    }
}

/// The fields that one of two record types restricts.
fn fields_of(a: &RecordType, b: &RecordType) -> Vec<String> {
    let mut fields: Vec<String> = a.picklists.keys().cloned().collect();
    fields.extend(b.picklists.keys().filter(|field| !a.picklists.contains_key(*field)).cloned());
    fields
}

/// The options that a record type allows of a field: all active ones, where it says nothing.
fn allowed(of: &RecordType, object: &Object, field: &str) -> Vec<String> {
    of.picklists.get(field).cloned().unwrap_or_else(|| {
        let options = object.field(field).map(|field| field.options.as_slice()).unwrap_or_default();
        options.iter().filter(|option| option.active).map(|option| option.value.clone()).collect()
    })
}

fn compare_fields(object: &str, old: &Field, new: &Field, found: &mut Vec<Change>) {
    let mut push = |at: Span, what: What| {
        found.push(Change { object: object.to_owned(), field: Some(old.name.clone()), what, at: Some(at) });
    };
    if old.label != new.label {
        push(old.span, What::Relabelled { from: old.label.clone(), to: new.label.clone() });
    }
    if let Some(what) = compare_kinds(&old.kind, &new.kind) {
        push(old.span, what);
    }
    match (old.required_on_create(), new.required_on_create()) {
        (false, true) => push(old.span, What::Required),
        (true, false) => push(old.span, What::Optional),
        _ => {}
    }
    let (create, update) = (old.createable && !new.createable, old.updateable && !new.updateable);
    if create || update {
        push(old.span, What::Unwritable { create, update });
    } else if (old.createable, old.updateable) != (new.createable, new.updateable) {
        push(old.span, What::Writable);
    }
    for (was, is, name) in
        [(old.unique, new.unique, "unique"), (old.external_id, new.external_id, "an external ID")]
    {
        match (was, is) {
            (true, false) => push(old.span, What::KeyLost(name)),
            (false, true) => push(old.span, What::KeyGained(name)),
            _ => {}
        }
    }
    compare_options(old, new, &mut push);
    let others = [
        (old.relationship != new.relationship, "is called otherwise in paths"),
        (old.calculated != new.calculated, "is computed in another way"),
        (old.currency != new.currency, "is money, or is not any more"),
        (old.consent != new.consent, "records a consent, or does not any more"),
        (old.primary_of != new.primary_of, "holds the id of another primary record"),
        (old.owner != new.owner, "holds the id of an owner, or does not any more"),
        (old.external_options != new.external_options, "keeps its options elsewhere"),
    ];
    others.into_iter().filter(|(differ, _)| *differ).for_each(|(_, what)| push(old.span, What::Other(what)));
    let filled = |field: &Field| (field.nillable, field.defaulted_on_create);
    if filled(old) != filled(new) && old.required_on_create() == new.required_on_create() {
        push(old.span, What::Other("is filled by the CRM, or can be blank, in another way"));
    }
}

fn compare_options(old: &Field, new: &Field, push: &mut impl FnMut(Span, What)) {
    let now = |value: &str| new.options.iter().find(|option| option.value == value);
    for option in &old.options {
        let value = option.value.clone();
        let Some(is) = now(&option.value) else {
            push(option.span, What::OptionRemoved(value));
            continue;
        };
        match (option.active, is.active) {
            (true, false) => push(option.span, What::OptionDeactivated(value.clone())),
            (false, true) => push(option.span, What::OptionActivated(value.clone())),
            _ => {}
        }
        match (option.converted, is.converted) {
            (true, false) => push(option.span, What::OptionNotConverted(value)),
            (false, true) => push(option.span, What::OptionConverted(value)),
            _ => {}
        }
    }
    let known = |value: &str| old.options.iter().any(|option| option.value == value);
    for option in new.options.iter().filter(|option| !known(&option.value)) {
        push(old.span, What::OptionAdded(option.value.clone()));
    }
    let shown = |field: &Field, other: &Field| -> Vec<(String, String)> {
        let both =
            field.options.iter().filter(|option| other.options.iter().any(|o| o.value == option.value));
        both.map(|option| (option.value.clone(), option.label.clone())).collect()
    };
    if shown(old, new) != shown(new, old) {
        push(old.span, What::Rearranged);
    }
}

/// How what a field holds differs.
fn compare_kinds(old: &FieldType, new: &FieldType) -> Option<What> {
    if old == new {
        return None;
    }
    let (from, to) = (words(old), words(new));
    let less = |was: u32, is: u32| is < was;
    let shorter = match (old, new) {
        (FieldType::Text { max: was }, FieldType::Text { max: is })
        | (FieldType::Email { max: was }, FieldType::Email { max: is })
        | (FieldType::Phone { max: was }, FieldType::Phone { max: is })
        | (FieldType::Url { max: was }, FieldType::Url { max: is })
        | (FieldType::Integer { digits: was }, FieldType::Integer { digits: is }) => less(*was, *is),
        (FieldType::Decimal { precision: p, scale: s }, FieldType::Decimal { precision, scale }) => {
            less(*s, *scale) || less(p - s, precision - scale)
        }
        (FieldType::Picklist { restricted: was, max: m }, FieldType::Picklist { restricted: is, max }) => {
            return Some(match (was, is) {
                (false, true) => What::Restricted,
                (true, false) => What::Unrestricted,
                _ if less(*m, *max) => What::Shortened { from, to },
                _ => What::Widened { from, to },
            });
        }
        (FieldType::MultiPicklist { .. }, FieldType::MultiPicklist { restricted }) => {
            return Some(if *restricted { What::Restricted } else { What::Unrestricted });
        }
        (FieldType::Reference { to: was }, FieldType::Reference { to: is })
            if was.len() == is.len() && was.iter().all(|object| is.contains(object)) =>
        {
            return None;
        }
        _ => return Some(What::Retyped { from, to }),
    };
    Some(if shorter { What::Shortened { from, to } } else { What::Widened { from, to } })
}

/// What a field holds, in words: `text of 80 characters`.
fn words(kind: &FieldType) -> String {
    let characters = |what: &str, max: &u32| format!("{what} of {max} characters");
    match kind {
        FieldType::Text { max } => characters("text", max),
        FieldType::Email { max } => characters("an e-mail address", max),
        FieldType::Phone { max } => characters("a phone number", max),
        FieldType::Url { max } => characters("a web address", max),
        FieldType::Picklist { max, .. } => characters("a picklist", max),
        FieldType::Integer { digits } => format!("a whole number of {digits} digits"),
        FieldType::Decimal { precision, scale } => {
            format!("a number of {precision} digits, {scale} after the point")
        }
        FieldType::Boolean => "true or false".to_owned(),
        FieldType::Date => "a date".to_owned(),
        FieldType::DateTime => "a date and time".to_owned(),
        FieldType::Time => "a time of day".to_owned(),
        FieldType::MultiPicklist { .. } => "a multi-select picklist".to_owned(),
        FieldType::Reference { to } => format!("a reference to {}", to.join(" or ")),
        FieldType::Id => "an id".to_owned(),
        FieldType::Other(name) => format!("of the type `{name}`"),
    }
}
