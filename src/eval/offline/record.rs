//! Takes the values in use out of a line, and proves the rest.

use std::collections::HashMap;

use crate::plan::Mapping;
use crate::source::Side;
use crate::types::Raw;

use super::scan::{Bad, Next, Scanner, unescape};

/// Longest key that is remembered with its quotes, and most keys of one object: more is no record of a CRM.
const REMEMBERED: (usize, usize) = (128, 4096);

/// Why a line is no record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoRecord {
    /// It is no JSON object; `serde_json` says why.
    Json,
    /// `properties` is something else than an object.
    Properties,
    /// There are no `properties`.
    NoProperties,
    /// There is no id.
    NoId,
}

/// What the value of a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// Nothing.
    Skip,
    /// The value of the slot with this index.
    Slot(usize),
    /// The record's id.
    Id,
    /// The record's id as Salesforce spells it.
    CapitalId,
    /// The object that holds the values.
    Properties,
}

/// The keys of one object and what they are for, in the order in which the last record had them. The next record mostly
/// has the same, and then a key is recognised by one comparison.
#[derive(Debug, Clone, Default)]
struct Keys {
    uses: HashMap<String, Use>,
    seen: Vec<(Vec<u8>, Use)>,
}

/// What a line gives.
#[derive(Debug)]
struct Values<'a> {
    slots: Vec<Raw<'a>>,
    id: Raw<'a>,
    capital_id: Raw<'a>,
    properties: Raw<'a>,
}

/// Reads the records of one mapping.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    side: Side,
    /// Of the line's own members.
    top: Keys,
    /// Of HubSpot's `properties`.
    inner: Keys,
    /// How many slots the mapping has.
    slots: usize,
    /// Slots that hold the record's id, and whether as text.
    ids: Vec<(usize, bool)>,
    /// Slots that hold the same as another: from and to.
    copies: Vec<(usize, usize)>,
}

impl Reader {
    /// A reader of the slots of a mapping.
    pub(super) fn new(mapping: &Mapping) -> Self {
        let mut names: HashMap<String, Use> = HashMap::new();
        let (mut ids, mut copies) = (Vec::new(), Vec::new());
        // Related records are not there, and their slots stay missing.
        for (index, slot) in mapping.slots.iter().enumerate().filter(|(_, slot)| slot.of.is_none()) {
            match slot.field.as_str() {
                "id" => ids.push((index, true)),
                "Id" => ids.push((index, false)),
                field => match *names.entry(field.to_owned()).or_insert(Use::Slot(index)) {
                    Use::Slot(first) if first != index => copies.push((first, index)),
                    _ => {}
                },
            }
        }
        let own = [("id".to_owned(), Use::Id), ("Id".to_owned(), Use::CapitalId)];
        let (mut top, inner) = match mapping.source.side {
            Side::Hubspot => (HashMap::from([("properties".to_owned(), Use::Properties)]), names),
            Side::Salesforce => (names, HashMap::new()),
        };
        top.extend(own);
        let keys = |uses| Keys { uses, seen: Vec::new() };
        let (top, inner) = (keys(top), keys(inner));
        Self { side: mapping.source.side, top, inner, slots: mapping.slots.len(), ids, copies }
    }

    /// The raw values of a line, by slot.
    pub(super) fn slots<'a>(&mut self, line: &'a str) -> Result<Vec<Raw<'a>>, NoRecord> {
        let mut values = Values {
            slots: vec![Raw::Missing; self.slots],
            id: Raw::Missing,
            capital_id: Raw::Missing,
            properties: Raw::Missing,
        };
        self.line(line, &mut values).map_err(|Bad| NoRecord::Json)?;
        let Values { mut slots, id, capital_id, properties } = values;
        match (self.side, properties) {
            (Side::Salesforce, _) | (Side::Hubspot, Raw::Other) => {}
            (Side::Hubspot, Raw::Missing) => return Err(NoRecord::NoProperties),
            (Side::Hubspot, _) => return Err(NoRecord::Properties),
        }
        // An `id` counts before an `Id`, also where it is none.
        let id = if id == Raw::Missing { capital_id } else { id };
        if !matches!(id, Raw::Text(_) | Raw::Number(_)) {
            return Err(NoRecord::NoId);
        }
        for (slot, as_text) in &self.ids {
            slots[*slot] = match &id {
                // HubSpot's ids are text; a script that wrote a number meant the same.
                Raw::Number(number) if *as_text => Raw::Text((*number).into()),
                id => id.clone(),
            };
        }
        for (from, to) in &self.copies {
            slots[*to] = slots[*from].clone();
        }
        Ok(slots)
    }

    fn line<'a>(&mut self, line: &'a str, values: &mut Values<'a>) -> Result<(), Bad> {
        let mut scanner = Scanner::new(line);
        scanner.take(b'{')?;
        let mut member = 0;
        while scanner.next(member == 0, b'}')? == Next::Member {
            let used = self.top.key(&mut scanner, member)?;
            member += 1;
            scanner.take(b':')?;
            match used {
                Use::Skip => scanner.skip(1)?,
                Use::Slot(index) => values.slots[index] = scanner.value(1)?,
                Use::Id => values.id = scanner.value(1)?,
                Use::CapitalId => values.capital_id = scanner.value(1)?,
                Use::Properties => {
                    // Of two members with one name the last counts, and nothing of the first.
                    values.slots.fill(Raw::Missing);
                    values.properties = if scanner.peek() == Some(b'{') {
                        self.properties(&mut scanner, values)?;
                        Raw::Other
                    } else {
                        not_an_object(scanner.value(1)?)
                    };
                }
            }
        }
        scanner.end()
    }

    fn properties<'a>(&mut self, scanner: &mut Scanner<'a>, values: &mut Values<'a>) -> Result<(), Bad> {
        scanner.take(b'{')?;
        let mut member = 0;
        while scanner.next(member == 0, b'}')? == Next::Member {
            let used = self.inner.key(scanner, member)?;
            member += 1;
            scanner.take(b':')?;
            match used {
                Use::Slot(index) => values.slots[index] = scanner.value(2)?,
                _ => scanner.skip(2)?,
            }
        }
        Ok(())
    }
}

/// An array is no object either.
fn not_an_object(value: Raw<'_>) -> Raw<'_> {
    if value == Raw::Other { Raw::Null } else { value }
}

impl Keys {
    /// Takes the key of the member with this index: what it is for.
    fn key(&mut self, scanner: &mut Scanner<'_>, member: usize) -> Result<Use, Bad> {
        // Where a record leaves out a few members, the next ones are found a little further on.
        for (quoted, used) in self.seen.iter().skip(member).take(3) {
            if scanner.take_key(quoted) {
                return Ok(*used);
            }
        }
        let (text, escaped) = scanner.string()?;
        let used = if escaped { self.uses.get(&unescape(text)?) } else { self.uses.get(text) };
        let used = used.copied().unwrap_or(Use::Skip);
        if text.len() <= REMEMBERED.0 && member < REMEMBERED.1 {
            self.remember(text, used, member);
        }
        Ok(used)
    }

    fn remember(&mut self, text: &str, used: Use, member: usize) {
        if self.seen.len() <= member {
            self.seen.resize(member + 1, (Vec::new(), Use::Skip));
        }
        let (quoted, place) = &mut self.seen[member];
        quoted.clear();
        quoted.push(b'"');
        quoted.extend_from_slice(text.as_bytes());
        quoted.push(b'"');
        *place = used;
    }
}
