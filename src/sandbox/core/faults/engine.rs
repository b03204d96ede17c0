//! Which fault strikes which request, and how often each was used.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::response::Response;
use serde::Serialize;

use super::super::server::Line;
use super::spec::{Fault, RecordFault};
use super::wire::{Reply, Spoiler, stem};

/// A request, as far as faults look at it.
#[derive(Debug, Clone, Copy)]
pub(in crate::sandbox) struct Target<'a> {
    pub(in crate::sandbox) method: &'a str,
    pub(in crate::sandbox) path: &'a str,
    pub(in crate::sandbox) query: &'a str,
    /// With the server's name (`hubspot.batch_read`).
    pub(in crate::sandbox) operation: &'a str,
    /// The type of object that it is about, in the server's spelling.
    pub(in crate::sandbox) object: Option<&'a str>,
    pub(in crate::sandbox) body: &'a [u8],
}

/// A fault that strikes.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Strike {
    pub(in crate::sandbox) name: String,
    pub(in crate::sandbox) fault: Fault,
}

/// A fault, and how often it was used.
#[derive(Debug, Clone, Serialize)]
pub struct FaultUse {
    /// Its name, or its number.
    pub name: String,
    /// Requests (or records) that it was for, struck or not.
    pub seen: u64,
    /// Those that it struck.
    pub used: u64,
    /// Whether it will strike no more.
    pub spent: bool,
    /// The fault as it was put.
    pub fault: Fault,
}

/// The faults of one server.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    put: u64,
    armed: Vec<Armed>,
}

#[derive(Debug)]
struct Armed {
    name: String,
    fault: Fault,
    seen: u64,
    used: u64,
    dice: u64,
}

impl Fault {
    fn spoiler(&self) -> Option<Spoiler> {
        self.answer.as_deref().and_then(|name| Spoiler::named(stem(name)))
    }

    /// Whether it spoils the real answer or the line, and has no answer of its own.
    pub(in crate::sandbox) fn spoils(&self) -> bool {
        self.spoiler().is_some()
    }

    /// Whether the request is carried out.
    pub(in crate::sandbox) fn carries_out(&self) -> bool {
        self.is_after() || self.spoiler().is_some_and(Spoiler::needs_answer)
    }

    /// The status that the log of calls shows.
    pub(in crate::sandbox) fn logged(&self, real: u16) -> u16 {
        self.spoiler().map_or(real, |spoiler| spoiler.logged(self, real))
    }
}

impl Strike {
    /// Sends an answer as the fault has it: late, spoiled, or not at all.
    pub(in crate::sandbox) async fn send(
        self,
        reply: Reply,
        line: &Line,
        host: &str,
        target: &str,
    ) -> Response {
        let spoiler = self.fault.spoiler();
        if !spoiler.is_some_and(Spoiler::takes_its_time) {
            tokio::time::sleep(Duration::from_millis(self.fault.delay_ms.unwrap_or_default())).await;
        }
        match spoiler {
            Some(spoiler) => spoiler.spoil(&self.fault, reply, line, host, target).await,
            None => reply.into_response(),
        }
    }
}

impl Faults {
    /// Adds a fault and gives its name; one of the same name is replaced.
    pub fn add(&self, fault: Fault) -> String {
        let mut inner = self.lock();
        inner.put += 1;
        let name = fault.name.clone().unwrap_or_else(|| format!("fault-{}", inner.put));
        let armed = Armed { name: name.clone(), dice: fault.seed, fault, seen: 0, used: 0 };
        match inner.armed.iter_mut().find(|known| known.name == name) {
            Some(known) => *known = armed,
            None => inner.armed.push(armed),
        }
        name
    }

    /// Removes all faults.
    pub fn clear(&self) {
        self.lock().armed.clear();
    }

    /// Removes one; whether there was one of that name.
    pub fn remove(&self, name: &str) -> bool {
        let mut inner = self.lock();
        let before = inner.armed.len();
        inner.armed.retain(|armed| armed.name != name);
        inner.armed.len() < before
    }

    /// All faults, with how often each was used.
    pub fn list(&self) -> Vec<FaultUse> {
        self.lock().armed.iter().map(Armed::usage).collect()
    }

    /// The fault that strikes a request as a whole; `allows` has the last word.
    pub(in crate::sandbox) fn strike(
        &self,
        target: &Target<'_>,
        allows: impl Fn(&Fault) -> bool,
    ) -> Option<Strike> {
        self.take(|fault| fault.record.is_none() && fits(fault, target) && allows(fault))
    }

    /// The fault that strikes one record of a request, by the type of object and the text of what is written.
    pub(in crate::sandbox) fn strike_record(
        &self,
        object: &str,
        text: impl Fn() -> String,
        allows: impl Fn(&Fault) -> bool,
    ) -> Option<Strike> {
        if !self.lock().armed.iter().any(|armed| armed.fault.record.is_some()) {
            return None;
        }
        let text = text();
        let fits = |record: &RecordFault| {
            (record.object.is_empty() || record.object.eq_ignore_ascii_case(object))
                && text.contains(&record.contains)
        };
        self.take(|fault| fault.record.as_ref().is_some_and(fits) && allows(fault))
    }

    fn take(&self, wanted: impl Fn(&Fault) -> bool) -> Option<Strike> {
        let mut struck = None;
        for armed in &mut self.lock().armed {
            if wanted(&armed.fault) && armed.is_due() && struck.is_none() {
                armed.used += 1;
                struck = Some(Strike { name: armed.name.clone(), fault: armed.fault.clone() });
            }
        }
        struck
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Armed {
    /// Counts a request that the fault is for; whether it is one to strike.
    fn is_due(&mut self) -> bool {
        self.seen += 1;
        if self.spent() || self.seen <= self.fault.after || self.fault.nth.is_some_and(|nth| self.seen != nth)
        {
            return false;
        }
        match self.fault.probability {
            Some(chance) => self.roll() < chance,
            None => true,
        }
    }

    fn spent(&self) -> bool {
        self.fault.most().is_some_and(|most| self.used >= most)
            || self.fault.nth.is_some_and(|nth| self.seen > nth)
    }

    /// The next number from 0 to 1 of a sequence that the seed fixes (`SplitMix64`).
    fn roll(&mut self) -> f64 {
        self.dice = self.dice.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.dice;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        let top = u32::try_from(mixed >> 32).unwrap_or(u32::MAX);
        f64::from(top) / (f64::from(u32::MAX) + 1.0)
    }

    fn usage(&self) -> FaultUse {
        FaultUse {
            name: self.name.clone(),
            seen: self.seen,
            used: self.used,
            spent: self.spent(),
            fault: self.fault.clone(),
        }
    }
}

fn fits(fault: &Fault, target: &Target<'_>) -> bool {
    let path = if fault.path.contains('*') {
        glob(&fault.path, target.path)
    } else {
        target.path.contains(&fault.path)
            || (!target.query.is_empty() && format!("{}?{}", target.path, target.query).contains(&fault.path))
    };
    path && fault.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(target.method))
        && fault.operation.as_ref().is_none_or(|wanted| glob(wanted, target.operation))
        && fault
            .object
            .as_ref()
            .is_none_or(|wanted| target.object.is_some_and(|object| wanted.eq_ignore_ascii_case(object)))
        && fault.contains.as_ref().is_none_or(|text| String::from_utf8_lossy(target.body).contains(text))
}

/// Whether a pattern, in which `*` stands for any text, matches all of a text.
pub(super) fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn armed(fault: Value) -> Faults {
        let faults = Faults::default();
        faults.add(serde_json::from_value(fault).expect("a fault"));
        faults
    }

    fn strikes(faults: &Faults, method: &str, path: &str) -> bool {
        let target = Target {
            method,
            path,
            query: "limit=1",
            operation: "hubspot.batch_read",
            object: Some("contact"),
            body: b"{\"id\": 7}",
        };
        faults.strike(&target, |_| true).is_some()
    }

    #[test]
    fn a_fault_strikes_as_often_as_it_says_and_only_where_it_says() {
        let faults = armed(json!({"method": "post", "path": "/batch/", "status": 503, "times": 2}));
        assert!(!strikes(&faults, "GET", "/crm/v3/objects/contacts/batch/read"));
        assert!(!strikes(&faults, "POST", "/crm/v3/objects/contacts"));
        let hits = (0..3).map(|_| strikes(&faults, "POST", "/x/batch/read")).collect::<Vec<_>>();
        assert_eq!(hits, [true, true, false]);
        let usage = faults.list();
        assert_eq!(
            (usage[0].name.as_str(), usage[0].seen, usage[0].used, usage[0].spent),
            ("fault-1", 3, 2, true)
        );
        assert!(faults.remove("fault-1") && !faults.remove("fault-1"));
    }

    #[test]
    fn requests_are_chosen_by_number() {
        let hits = |fault: Value| {
            let faults = armed(fault);
            (0..5).map(|_| strikes(&faults, "GET", "/x")).collect::<Vec<_>>()
        };
        assert_eq!(hits(json!({"nth": 3})), [false, false, true, false, false]);
        assert_eq!(hits(json!({"after": 2, "count": 2})), [false, false, true, true, false]);
        assert_eq!(hits(json!({"times": "always"})), [true; 5]);
        assert_eq!(hits(json!({"probability": 1.0})), [true; 5]);
        assert_eq!(hits(json!({"probability": 0.0, "times": "always"})), [false; 5]);
    }

    #[test]
    fn dice_fall_alike_for_a_seed_and_about_as_often_as_they_should() {
        let rolls = |seed: u64| {
            let faults = armed(json!({"probability": 0.25, "seed": seed}));
            (0..1_000).map(|_| strikes(&faults, "GET", "/x")).collect::<Vec<_>>()
        };
        assert_eq!(rolls(7), rolls(7));
        assert_ne!(rolls(7), rolls(8));
        let hits = rolls(7).into_iter().filter(|hit| *hit).count();
        assert!((200..300).contains(&hits), "{hits}");
    }

    #[test]
    fn every_condition_must_hold() {
        for (fault, fits) in [
            (json!({"operation": "hubspot.batch_read"}), true),
            (json!({"operation": "hubspot.batch_*"}), true),
            (json!({"operation": "hubspot.batch"}), false),
            (json!({"path": "/crm/*/batch/read"}), true),
            (json!({"path": "/crm/*/read/x"}), false),
            (json!({"path": "?limit=1"}), true),
            (json!({"object": "Contact", "contains": "\"id\": 7"}), true),
            (json!({"object": "company"}), false),
            (json!({"contains": "id: 7"}), false),
        ] {
            assert_eq!(
                strikes(&armed(fault.clone()), "POST", "/crm/v3/contacts/batch/read"),
                fits,
                "{fault}"
            );
        }
    }

    #[test]
    fn a_fault_of_the_same_name_takes_its_place() {
        let faults = armed(json!({"name": "down", "status": 503}));
        assert!(strikes(&faults, "GET", "/x"));
        faults.add(serde_json::from_value(json!({"name": "down", "status": 502})).expect("a fault"));
        assert_eq!((faults.list().len(), faults.list()[0].used), (1, 0));
    }
}
