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

/// A client that makes one look-up.
#[async_trait]
pub(super) trait LookUp: Sync {
    /// Makes it.
    async fn look_up(&self, request: &FindRequest) -> Result<Vec<Record>, CrmError>;
}

/// Makes all look-ups, sharing calls of at most `size` values; one answer for each request, in order.
pub(super) async fn look_up_all(
    client: &impl LookUp,
    requests: &[FindRequest],
    size: usize,
) -> Vec<Result<Vec<Record>, CrmError>> {
    // Every index is in one call of `share`, so these are all replaced. "No record" would be the wrong thing to start
    // from: it makes a caller create one.
    let unasked = |r: &FindRequest| error(r.object.side, CrmErrorKind::Refused, "the look-up was not made");
    let mut answers: Vec<Result<Vec<Record>, CrmError>> = requests.iter().map(|r| Err(unasked(r))).collect();
    let mut pending = share(requests, size);
    while let Some(call) = pending.pop() {
        let shared = match call {
            Call::Single(index) => {
                answers[index] = client.look_up(&requests[index]).await;
                continue;
            }
            Call::Shared(shared) => shared,
        };
        match client.look_up(&shared.request).await {
            Ok(rows) => match shared.hand_out(&rows) {
                Some(handed) => {
                    for (index, rows) in handed {
                        answers[index] = Ok(rows);
                    }
                }
                None => pending.extend(shared.indices().map(Call::Single)),
            },
            // One text at fault must not fail the others.
            Err(error) if error.kind == CrmErrorKind::Refused => pending.extend(shared.halves(requests)),
            Err(error) => {
                for index in shared.indices() {
                    answers[index] = Err(error.clone());
                }
            }
        }
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

/// Groups look-ups into calls of at most `size` values.
fn share(requests: &[FindRequest], size: usize) -> Vec<Call> {
    let mut calls = Vec::new();
    let mut taken = vec![false; requests.len()];
    for first in 0..requests.len() {
        if taken[first] {
            continue;
        }
        taken[first] = true;
        let mut position = None;
        let mut members = vec![first];
        for next in first + 1..requests.len() {
            if members.len() == size {
                break;
            }
            if taken[next] {
                continue;
            }
            let Some(at) = difference(&requests[first], &requests[next], position) else { continue };
            let clashes =
                || members.iter().any(|m| clash(&requests[*m].filters[at], &requests[next].filters[at]));
            if position.is_some_and(|known| known != at) || clashes() {
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

/// The position of the one filter in which two requests differ, both testing one field for equality with a text; for
/// requests that do not differ, the `known` position or that of any such filter.
fn difference(a: &FindRequest, b: &FindRequest, known: Option<usize>) -> Option<usize> {
    if a.object != b.object || a.fields != b.fields || a.filters.len() != b.filters.len() {
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

/// Two different texts that a CRM may take for the same could not be told apart afterwards.
fn clash(a: &Filter, b: &Filter) -> bool {
    text(a) != text(b) && text(a).map(fold) == text(b).map(fold)
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
            fields: vec!["Status".into()],
            limit,
        }
    }

    fn row(id: &str, email: &Json) -> Record {
        let values = json!({"Status": "New", "Email": email}).as_object().unwrap().clone();
        Record { object: ObjectName::new(Side::Salesforce, "Lead"), id: id.into(), values }
    }

    fn only_shared(requests: &[FindRequest]) -> Shared {
        match share(requests, 100).pop() {
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
        assert_eq!(share(&requests, 100), [0, 1, 2, 3].map(Call::Single));
    }

    #[test]
    fn texts_that_differ_in_case_only_are_asked_for_apart() {
        let calls = share(&[by("Email", "a@x.test", 2), by("Email", "A@x.test", 2)], 100);
        assert_eq!(calls, [Call::Single(0), Call::Single(1)]);
    }

    #[test]
    fn calls_are_not_too_large() {
        let requests: Vec<_> = (0..5).map(|i| by("Email", &format!("{i}@x.test"), 2)).collect();
        let sizes: Vec<_> = share(&requests, 2)
            .iter()
            .map(|call| match call {
                Call::Single(_) => 1,
                Call::Shared(shared) => shared.members.len(),
            })
            .collect();
        assert_eq!(sizes, [2, 2, 1]);
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

    #[async_trait]
    impl LookUp for Fake {
        async fn look_up(&self, request: &FindRequest) -> Result<Vec<Record>, CrmError> {
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

    #[tokio::test]
    async fn a_text_at_fault_fails_alone_and_a_call_that_fails_is_not_multiplied() {
        let fake = Fake(std::sync::Mutex::default());
        let answers =
            look_up_all(&fake, &[by("Email", "a", 1), by("Email", "bad", 1), by("Email", "c", 1)], 100).await;
        assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
        assert_eq!(fake.0.lock().unwrap().len(), 5, "three, one, two, one, one");
        let fake = Fake(std::sync::Mutex::default());
        let answers = look_up_all(&fake, &[by("Email", "a", 1), by("Email", "broken", 1)], 100).await;
        assert!(answers.iter().all(Result::is_err));
        assert_eq!(fake.0.lock().unwrap().len(), 1);
    }
}
