//! Look-ups that differ in one value only share a call.
//!
//! A batch of records is looked up by key: the same object, fields and tests, and one text that differs. Both vendors
//! can ask for all the texts at once; the answer is then handed out by value again. Whatever cannot be handed out
//! without doubt is asked for again, one by one.

use std::collections::HashMap;

use async_trait::async_trait;
use serde_json::Value as Json;

use super::http::error;
use crate::types::{CrmError, CrmErrorKind, Filter, FilterOp, FindRequest, Record, Value};

/// How much one look-up for several texts may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// Texts.
    pub(super) texts: usize,
    /// What they may cost together.
    pub(super) total: usize,
    /// What one costs.
    pub(super) cost: fn(&str) -> usize,
}

/// A client that makes look-ups.
#[async_trait]
pub(super) trait LookUp: Sync {
    /// How much one look-up may hold.
    fn room(&self) -> Room;

    /// Makes several, in as few calls as the vendor permits; one answer for each, in order.
    async fn look_up(&self, requests: &[FindRequest]) -> Vec<Result<Vec<Record>, CrmError>>;
}

/// Makes all look-ups, sharing what can be shared; one answer for each request, in order.
pub(super) async fn look_up_all(
    client: &impl LookUp,
    requests: &[FindRequest],
) -> Vec<Result<Vec<Record>, CrmError>> {
    // Every index is in one call of `share`, so these are all replaced. "No record" would be the wrong thing to start
    // from: it makes a caller create one.
    let unasked = |r: &FindRequest| error(r.object.side, CrmErrorKind::Refused, "the look-up was not made");
    let mut answers: Vec<Result<Vec<Record>, CrmError>> = requests.iter().map(|r| Err(unasked(r))).collect();
    let mut pending = share(requests, client.room());
    while !pending.is_empty() {
        let asked: Vec<FindRequest> = pending.iter().map(|call| call.request(requests)).collect();
        let mut found = client.look_up(&asked).await.into_iter();
        let mut again = Vec::new();
        for call in pending {
            // A client that answers too little leaves the rest as not made.
            let Some(found) = found.next() else { break };
            let shared = match call {
                Call::Single(index) => {
                    answers[index] = found;
                    continue;
                }
                Call::Shared(shared) => shared,
            };
            match found {
                Ok(rows) => match shared.hand_out(&rows) {
                    Some(handed) => {
                        for (index, rows) in handed {
                            answers[index] = Ok(rows);
                        }
                    }
                    None => again.extend(shared.indices().map(Call::Single)),
                },
                // One text at fault must not fail the others.
                Err(error) if error.kind == CrmErrorKind::Refused => again.extend(shared.halves(requests)),
                Err(error) => {
                    for index in shared.indices() {
                        answers[index] = Err(error.clone());
                    }
                }
            }
        }
        pending = again;
    }
    answers
}

/// Look-ups that go in one call.
#[derive(Debug, PartialEq)]
enum Call {
    /// One request by itself: its index.
    Single(usize),
    /// Several that differ in one text.
    Shared(Shared),
}

impl Call {
    fn request(&self, requests: &[FindRequest]) -> FindRequest {
        match self {
            Call::Single(index) => requests[*index].clone(),
            Call::Shared(shared) => shared.request.clone(),
        }
    }
}

/// Several look-ups as one.
#[derive(Debug, PartialEq)]
struct Shared {
    /// The request that asks for all of them.
    request: FindRequest,
    /// The position of the filter that differs, and its field.
    at: usize,
    field: String,
    /// Whether the field was added for handing out.
    added: bool,
    /// Each request's index, its text and its limit.
    members: Vec<(usize, String, u32)>,
}

/// Beside the limits themselves, so many further rows are read before the sharing is given up.
const SLACK: u32 = 100;

/// Groups look-ups into calls that hold no more than there is room for.
fn share(requests: &[FindRequest], room: Room) -> Vec<Call> {
    let mut calls = Vec::new();
    let mut taken = vec![false; requests.len()];
    for first in 0..requests.len() {
        if taken[first] {
            continue;
        }
        taken[first] = true;
        let mut position = None;
        let mut members = vec![first];
        let mut texts = Texts::default();
        for next in first + 1..requests.len() {
            if members.len() == room.texts {
                break;
            }
            if taken[next] {
                continue;
            }
            let Some(at) = difference(&requests[first], &requests[next], position) else { continue };
            if position.is_some_and(|known| known != at) {
                continue;
            }
            let text_of = |index: usize| text(&requests[index].filters[at]).unwrap_or_default();
            if position.is_none() {
                texts = Texts::default();
                texts.add(text_of(first), room);
            }
            if !texts.add(text_of(next), room) {
                continue;
            }
            position = Some(at);
            taken[next] = true;
            members.push(next);
        }
        calls.push(match position {
            Some(at) => Call::Shared(join(requests, &members, at)),
            None => Call::Single(first),
        });
    }
    calls
}

/// The texts of one call.
#[derive(Default)]
struct Texts<'a> {
    /// By what a CRM may take for the same.
    folded: HashMap<String, &'a str>,
    cost: usize,
}

impl<'a> Texts<'a> {
    /// Adds a text; `false` where there is no room for it, or where another one could not be told from it afterwards.
    fn add(&mut self, text: &'a str, room: Room) -> bool {
        let folded = fold(text);
        if let Some(known) = self.folded.get(&folded) {
            return *known == text;
        }
        let cost = self.cost + (room.cost)(text);
        if !self.folded.is_empty() && cost > room.total {
            return false;
        }
        self.cost = cost;
        self.folded.insert(folded, text);
        true
    }
}

/// The position of the one filter in which two requests differ, both testing one field for equality with a text; for
/// requests that do not differ, the `known` position or that of any such filter.
fn difference(a: &FindRequest, b: &FindRequest, known: Option<usize>) -> Option<usize> {
    if (&a.object, &a.fields, &a.ids) != (&b.object, &b.fields, &b.ids) || a.filters.len() != b.filters.len()
    {
        return None;
    }
    let mut found = None;
    for (at, (left, right)) in a.filters.iter().zip(&b.filters).enumerate() {
        if left == right {
            continue;
        }
        if found.is_some() || left.field != right.field || text(left).is_none() || text(right).is_none() {
            return None;
        }
        found = Some(at);
    }
    found.or(known).or_else(|| a.filters.iter().position(|filter| text(filter).is_some()))
}

fn text(filter: &Filter) -> Option<&str> {
    match &filter.op {
        FilterOp::Eq(Value::Text(text)) => Some(text),
        _ => None,
    }
}

fn fold(text: &str) -> String {
    text.trim().to_lowercase()
}

fn join(requests: &[FindRequest], indices: &[usize], at: usize) -> Shared {
    let first = &requests[indices[0]];
    let members: Vec<_> = indices
        .iter()
        .map(|i| (*i, text(&requests[*i].filters[at]).unwrap_or_default().to_owned(), requests[*i].limit))
        .collect();
    let mut request = first.clone();
    let field = first.filters[at].field.clone();
    request.filters[at].op =
        FilterOp::In(members.iter().map(|(_, text, _)| Value::Text(text.clone())).collect());
    let added = !request.fields.contains(&field);
    if added {
        request.fields.push(field.clone());
    }
    request.limit = members.iter().fold(SLACK, |sum, (_, _, limit)| sum.saturating_add(*limit));
    Shared { request, at, field, added, members }
}

impl Shared {
    /// The requests' indices.
    fn indices(&self) -> impl Iterator<Item = usize> + '_ {
        self.members.iter().map(|(index, _, _)| *index)
    }

    /// Two calls for half of the requests each.
    fn halves(&self, requests: &[FindRequest]) -> [Call; 2] {
        let indices: Vec<usize> = self.indices().collect();
        let (left, right) = indices.split_at(indices.len() / 2);
        [left, right].map(|half| match half {
            [index] => Call::Single(*index),
            several => Call::Shared(join(requests, several, self.at)),
        })
    }

    /// Hands the rows out to their requests, in order and up to each limit; `None` when that is not possible without
    /// doubt: the answer was cut off, or a row answers to none of the texts.
    fn hand_out(&self, rows: &[Record]) -> Option<HashMap<usize, Vec<Record>>> {
        if rows.len() >= usize::try_from(self.request.limit).unwrap_or(usize::MAX) {
            return None;
        }
        let mut answers: HashMap<usize, Vec<Record>> =
            self.members.iter().map(|(index, _, _)| (*index, Vec::new())).collect();
        for row in rows {
            let value = fold(row.values.get(&self.field).and_then(Json::as_str)?);
            let mut known = false;
            for (index, text, limit) in &self.members {
                if fold(text) != value {
                    continue;
                }
                known = true;
                let answer = answers.entry(*index).or_default();
                if answer.len() < usize::try_from(*limit).unwrap_or(usize::MAX) {
                    let mut row = row.clone();
                    if self.added {
                        row.values.shift_remove(&self.field);
                    }
                    answer.push(row);
                }
            }
            if !known {
                return None;
            }
        }
        Some(answers)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::source::{ObjectName, Side};

    use super::*;

    fn by(field: &str, text: &str, limit: u32) -> FindRequest {
        FindRequest {
            object: ObjectName::new(Side::Salesforce, "Lead"),
            filters: vec![
                Filter { field: field.into(), op: FilterOp::Eq(Value::text(text)) },
                Filter { field: "IsConverted".into(), op: FilterOp::Eq(Value::Boolean(false)) },
            ],
            ids: Vec::new(),
            fields: vec!["Status".into()],
            limit,
        }
    }

    fn row(id: &str, email: &Json) -> Record {
        let values = json!({"Status": "New", "Email": email}).as_object().unwrap().clone();
        Record { object: ObjectName::new(Side::Salesforce, "Lead"), id: id.into(), values }
    }

    fn room(texts: usize) -> Room {
        Room { texts, total: 1_000, cost: str::len }
    }

    fn only_shared(requests: &[FindRequest]) -> Shared {
        match share(requests, room(100)).pop() {
            Some(Call::Shared(shared)) => shared,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_differing_text_shares_a_call() {
        let shared = only_shared(&[
            by("Email", "a@x.test", 2),
            by("Email", "b@x.test", 2),
            by("Email", "a@x.test", 1),
        ]);
        assert_eq!(shared.request.fields, ["Status", "Email"]);
        assert_eq!(shared.request.limit, 105);
        let rows = [row("1", &json!("A@X.test")), row("2", &json!("b@x.test")), row("3", &json!("a@x.test"))];
        let answers = shared.hand_out(&rows).unwrap();
        let ids = |index: usize| answers[&index].iter().map(|r| r.id.as_str()).collect::<Vec<_>>();
        assert_eq!((ids(0), ids(1), ids(2)), (vec!["1", "3"], vec!["2"], vec!["1"]));
        assert!(!answers[&0][0].values.contains_key("Email"), "only what was asked for comes back");
    }

    #[test]
    fn what_differs_in_more_stays_apart() {
        let mut other_fields = by("Email", "c@x.test", 2);
        other_fields.fields.clear();
        let mut two = by("Email", "d@x.test", 2);
        two.filters[1].op = FilterOp::Present;
        let requests = [by("Email", "a@x.test", 2), by("Phone", "1", 2), other_fields, two];
        assert_eq!(share(&requests, room(100)), [0, 1, 2, 3].map(Call::Single));
    }

    #[test]
    fn texts_that_differ_in_case_only_are_asked_for_apart() {
        let calls = share(&[by("Email", "a@x.test", 2), by("Email", "A@x.test", 2)], room(100));
        assert_eq!(calls, [Call::Single(0), Call::Single(1)]);
    }

    #[test]
    fn calls_are_not_too_large() {
        let requests: Vec<_> = (0..5).map(|i| by("Email", &format!("{i}@x.test"), 2)).collect();
        let sizes: Vec<_> = share(&requests, room(2))
            .iter()
            .map(|call| match call {
                Call::Single(_) => 1,
                Call::Shared(shared) => shared.members.len(),
            })
            .collect();
        assert_eq!(sizes, [2, 2, 1]);
    }

    #[test]
    fn long_texts_share_with_few_others_and_one_that_is_too_long_stands_alone() {
        let texts = ["a".repeat(600), "b".repeat(300), "c".repeat(2_000), "d".repeat(200), "e".repeat(100)];
        let requests: Vec<_> = texts.iter().map(|text| by("Email", text, 1)).collect();
        let groups: Vec<Vec<usize>> = share(&requests, room(100))
            .iter()
            .map(|call| match call {
                Call::Single(index) => vec![*index],
                Call::Shared(shared) => shared.indices().collect(),
            })
            .collect();
        assert_eq!(groups, [vec![0, 1, 4], vec![2], vec![3]]);
    }

    #[test]
    fn a_row_that_fits_no_text_or_a_cut_answer_gives_the_sharing_up() {
        let shared = only_shared(&[by("Email", "a@x.test", 1), by("Email", "b@x.test", 1)]);
        assert_eq!(shared.hand_out(&[row("1", &json!("ä@x.test"))]), None);
        assert_eq!(shared.hand_out(&[row("1", &Json::Null)]), None);
        let many: Vec<_> = (0..102).map(|i| row(&i.to_string(), &json!("a@x.test"))).collect();
        assert_eq!(shared.hand_out(&many), None);
    }

    /// Refuses the text `bad`, breaks off at `broken`, answers every other list with no rows.
    struct Fake(std::sync::Mutex<Vec<FilterOp>>);

    impl Fake {
        fn answer(&self, request: &FindRequest) -> Result<Vec<Record>, CrmError> {
            let op = request.filters[0].op.clone();
            self.0.lock().unwrap().push(op.clone());
            let has = |text: &str| match &op {
                FilterOp::In(values) => values.contains(&Value::text(text)),
                op => *op == FilterOp::Eq(Value::text(text)),
            };
            let error = |kind| Err(crate::crm::http::error(Side::Salesforce, kind, "m"));
            match (has("bad"), has("broken")) {
                (true, _) => error(CrmErrorKind::Refused),
                (_, true) => error(CrmErrorKind::Retry),
                _ => Ok(Vec::new()),
            }
        }
    }

    #[async_trait]
    impl LookUp for Fake {
        fn room(&self) -> Room {
            room(100)
        }

        async fn look_up(&self, requests: &[FindRequest]) -> Vec<Result<Vec<Record>, CrmError>> {
            requests.iter().map(|request| self.answer(request)).collect()
        }
    }

    #[tokio::test]
    async fn a_text_at_fault_fails_alone_and_a_call_that_fails_is_not_multiplied() {
        let fake = Fake(std::sync::Mutex::default());
        let answers =
            look_up_all(&fake, &[by("Email", "a", 1), by("Email", "bad", 1), by("Email", "c", 1)]).await;
        assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
        assert_eq!(fake.0.lock().unwrap().len(), 5, "three, one, two, one, one");
        let fake = Fake(std::sync::Mutex::default());
        let answers = look_up_all(&fake, &[by("Email", "a", 1), by("Email", "broken", 1)]).await;
        assert!(answers.iter().all(Result::is_err));
        assert_eq!(fake.0.lock().unwrap().len(), 1);
    }
}
