//! What a run asks for and what it is told.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::plan::LinkElse;
use crate::source::{Location, ObjectName, Side};
use crate::types::{
    AssociateRequest, AssociatedRequest, AssociationKind, AwaitedPair, ChangedRequest, ConvertAnswer,
    ConvertRequest, ConvertedInto, FindRequest, LinkChange, LinkRequest, LinkedPair, ReadRequest, Record,
    Value, WriteAnswer, WriteRequest,
};

/// What a run needs next.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Records by id; the answer is [`Answer::Records`].
    Read(ReadRequest),
    /// Associated ids; the answer is [`Answer::Associated`].
    Associated(AssociatedRequest),
    /// Look-ups, independent of one another; the answer is [`Answer::Found`], in order.
    Find(Vec<FindRequest>),
    /// One write; the answer is [`Answer::Written`]. The driver handles [`WriteAnswer::Failed`] itself (it retries the
    /// record, from the start of the run where the write may have been applied) and never passes it on.
    Write(PlannedWrite),
    /// One conversion; the answer is [`Answer::Converted`]. The driver handles [`ConvertAnswer::Failed`] as it handles a
    /// write that failed.
    Convert(PlannedConversion),
    /// Pairs of records that were settled before; the answer is [`Answer::Links`].
    Links(LinkRequest),
    /// When fields took their values; the answer is [`Answer::Changed`].
    Changed(ChangedRequest),
    /// Into which record another one that is gone was merged; the answer is [`Answer::Survivor`].
    Survivor {
        /// The object.
        object: ObjectName,
        /// The id of the record that is gone.
        id: String,
    },
    /// Associations to add and to remove; the answer is [`Answer::Associations`].
    Associate {
        /// Those to add.
        add: Vec<AssociateRequest>,
        /// Those to remove.
        remove: Vec<AssociateRequest>,
    },
    /// The run is over.
    Finish(Finished),
}

/// What a driver tells a run. A call that failed as a whole ([`crate::types::CrmError`]) is the driver's business: it
/// retries, pauses or parks the record and drops the run, which can always be started again.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The records that exist, of those asked for.
    Records(Vec<Record>),
    /// Associated ids by id.
    Associated(HashMap<String, Vec<String>>),
    /// The records found, one list for each request.
    Found(Vec<Vec<Record>>),
    /// What became of the write.
    Written(WriteAnswer),
    /// What became of the conversion.
    Converted(ConvertAnswer),
    /// The pairs that exist, of those asked for.
    Links(Vec<LinkedPair>),
    /// When each field took its value; one whose time nobody knows is absent.
    Changed(BTreeMap<String, DateTime<Utc>>),
    /// The surviving record's id; `None` where there is none, or nobody knows.
    Survivor(Option<String>),
    /// What the CRM said of each association that it refused for good, those to add first; `None` where it is as asked.
    Associations(Vec<Option<String>>),
    /// The write was not sent: another run has meanwhile written the record that it is about, or one that its look-ups
    /// would find now. The run looks again.
    LookAgain,
}

/// A write and where each of its values comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedWrite {
    /// The mapping that makes it.
    pub mapping: String,
    /// The write. Fields whose value is already there are left out.
    pub request: WriteRequest,
    /// The look-ups of the target that found nothing, where a new record relies on them: of two runs that rely on the
    /// same one, the second must look again.
    #[serde(skip)]
    pub relies_on: Vec<FindRequest>,
    /// Every field that a rule spoke about, in rule order: changed, kept and why.
    pub changes: Vec<FieldChange>,
}

/// A conversion and the line that says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedConversion {
    /// The mapping that makes it.
    pub mapping: String,
    /// The conversion.
    pub request: ConvertRequest,
    /// The line.
    pub at: Location,
}

/// One field of a write, as a preview and the provenance show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldChange {
    /// The target field.
    pub field: String,
    /// Its value before; `None` when the record is new or the value was not read.
    pub old: Option<Value>,
    /// Its value after; `None` when it is left as it is.
    pub new: Option<Value>,
    /// Why it is left as it is, in the author's words; `None` when it is written.
    pub kept: Option<String>,
    /// The rule's place.
    pub at: Location,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    /// The mapping that ended it (the last of a chain of hand-overs).
    pub mapping: String,
    /// How.
    pub verdict: Verdict,
    /// What became of each association that the mapping asks for, in its order; then those removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub associations: Vec<Association>,
    /// What became of the conversion of the record, where its mapping asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversion: Option<Box<Conversion>>,
    /// The mappings gone through, each with why it handed over.
    pub path: Vec<String>,
    /// What changes in what is remembered about the pairs of the record, beside the pair that the verdict settles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<LinkChange>,
    /// The fields that the CRM refused, and that were left out as the mapping says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<Dropped>,
}

/// A field that was left out of a write because the CRM refused it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// The field.
    pub field: String,
    /// What the CRM said.
    pub said: String,
    /// The rule's place.
    pub at: Location,
}

impl Finished {
    /// The pairs that its associations wait for: the record runs again once one of them is settled.
    pub fn awaits(&self) -> Vec<AwaitedPair> {
        let waiting = self.associations.iter().filter_map(|association| match &association.made {
            Made::Unpaired { pair, otherwise: LinkElse::Wait } => Some(pair.clone()),
            _ => None,
        });
        waiting.collect()
    }

    /// Why a person must look at its conversion or its associations, although the record itself is as it should be.
    pub fn troubled(&self) -> Option<Park> {
        if let Some(Conversion { end: ConversionEnd::Refused(park), .. }) = self.conversion.as_deref() {
            return Some(park.clone());
        }
        self.associations.iter().find_map(Association::trouble)
    }

    /// The records that the Lead became, where it was converted.
    pub fn converted(&self) -> Option<(&Conversion, &ConvertedInto)> {
        match self.conversion.as_deref() {
            Some(conversion @ Conversion { end: ConversionEnd::Converted(into), .. }) => {
                Some((conversion, into))
            }
            _ => None,
        }
    }
}

/// What became of a conversion that a mapping asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversion {
    /// What was asked for.
    pub request: ConvertRequest,
    /// What became of it.
    pub end: ConversionEnd,
    /// The line that says so.
    pub at: Location,
}

/// What became of a conversion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConversionEnd {
    /// The Lead became these.
    Converted(ConvertedInto),
    /// The CRM refuses it for good.
    Refused(Park),
}

/// What became of an association that a mapping asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Association {
    /// Which kind.
    pub kind: AssociationKind,
    /// The object of the record at its other end.
    pub to: ObjectName,
    /// That record's id; `None` where it is not known yet.
    pub id: Option<String>,
    /// What became of it.
    pub made: Made,
    /// The line that says so.
    pub at: Location,
}

/// What became of an association.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Made {
    /// It is new.
    Added,
    /// It was there.
    Kept,
    /// It was there, and `exactly` removed it.
    Removed,
    /// The CRM refuses it for good, with what it said; or its rows cannot be found, and why.
    Refused(String),
    /// The record at its other end is not there yet.
    Unpaired {
        /// The pair that is missing.
        pair: AwaitedPair,
        /// What the mapping says about that.
        otherwise: LinkElse,
    },
}

impl Association {
    fn trouble(&self) -> Option<Park> {
        let at = Some(self.at.clone());
        match &self.made {
            Made::Refused(said) => {
                let other = self.id.as_ref().map_or_else(String::new, |id| format!(" {id}"));
                let reason = format!("the association with {}{other} could not be changed", self.to);
                Some(Park { answer: Some(said.clone()), at, ..Park::because(reason) })
            }
            Made::Unpaired { pair, otherwise: LinkElse::Park(said) } => {
                let reason = said.clone().unwrap_or_else(|| format!("{pair} is not there yet"));
                let help = Some("retry once it is there; the record itself is written".to_owned());
                Some(Park { help, at, ..Park::because(reason) })
            }
            _ => None,
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Verdict {
    /// A record was written.
    Written {
        /// The object.
        object: ObjectName,
        /// Its id.
        id: String,
        /// Whether it is new.
        created: bool,
        /// The fields, with old and new values and the rules that say so.
        changes: Vec<FieldChange>,
    },
    /// Everything was already as the mapping says.
    Unchanged {
        /// The object.
        object: ObjectName,
        /// Its id.
        id: String,
        /// The fields that a rule spoke about and left as they are, and why.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        kept: Vec<FieldChange>,
    },
    /// A sync has settled a pair of records.
    Synced(Synced),
    /// A guard or an outcome says `skip`.
    Skipped {
        /// Why, in the author's words.
        reason: String,
        /// The line that says so.
        at: Option<Location>,
    },
    /// A guard or a rule says `wait`.
    Waiting {
        /// Why.
        reason: String,
        /// The source fields whose change is waited for.
        fields: Vec<String>,
        /// The pairs whose settlement is waited for.
        pairs: Vec<AwaitedPair>,
        /// The line that says so.
        at: Option<Location>,
    },
    /// A person must look.
    Parked(Park),
    /// A record of a pair ended, and what is remembered about the pair changes; nothing is written.
    Relinked {
        /// What happened, and what becomes of the pair.
        reason: String,
        /// Whether the pair is forgotten; else it goes over to the surviving record.
        forgotten: bool,
        /// The line that says so.
        at: Option<Location>,
    },
    /// The source record does not exist (any more).
    SourceGone,
}

/// A pair of records that a sync has settled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Synced {
    /// HubSpot's record: its object and id.
    pub hubspot: (ObjectName, String),
    /// Salesforce's record: its object and id.
    pub salesforce: (ObjectName, String),
    /// What was written, none to two records.
    pub writes: Vec<SyncedWrite>,
    /// The values that both sides hold now, by the Salesforce field, as Salesforce holds them: what the next run compares
    /// with. They are remembered with the link.
    pub synced: BTreeMap<String, Value>,
    /// The fields that rules left as they are in a record that was not written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<SyncedWrite>,
    /// The fields of both records, as they were read before anything was written.
    #[serde(skip)]
    pub read: BTreeMap<Side, serde_json::Map<String, serde_json::Value>>,
    /// How many of the writes came before that.
    #[serde(skip)]
    pub written_before: usize,
}

/// A record that a sync has written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SyncedWrite {
    /// The object.
    pub object: ObjectName,
    /// Its id.
    pub id: String,
    /// Whether it is new.
    pub created: bool,
    /// The fields, with old and new values and the rules that say so.
    pub changes: Vec<FieldChange>,
}

/// Why a record is parked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Park {
    /// Why, in the author's words.
    pub reason: String,
    /// The target field, where one field is to blame.
    pub field: Option<String>,
    /// What the CRM said, where it said something.
    pub answer: Option<String>,
    /// What to do about it.
    pub help: Option<String>,
    /// The line that says so.
    pub at: Option<Location>,
    /// The CRM's codes of what it said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What was sent for the field, as the CRM got it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<String>,
}
