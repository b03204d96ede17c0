//! Comparing values in conditions.

use std::cmp::Ordering;

use super::Value;

/// Whether two values are equal in a condition. A comparison with a blank is false, also of two blanks.
///
/// Numbers compare by value (`87.0` is `87`), text exactly, a date with a date and an instant with an instant. A list is a
/// set: its order does not count, and a text equals the list that holds nothing else.
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Blank, _) | (_, Value::Blank) => false,
        (Value::List(a), Value::List(b)) => within(a, b) && within(b, a),
        (Value::List(list), single) | (single, Value::List(list)) => {
            !list.is_empty() && list.iter().all(|item| same(item, single))
        }
        (a, b) => a == b,
    }
}

fn within(a: &[Value], b: &[Value]) -> bool {
    a.iter().all(|item| b.iter().any(|other| same(item, other)))
}

/// Which of two values comes first; `None` where they have no order: a blank, lists, true and false, or two kinds.
///
/// Text is ordered by its characters' code points, so capital letters come first.
pub fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => Some(a.cmp(b)),
        (Value::Date(a), Value::Date(b)) => Some(a.cmp(b)),
        (Value::DateTime(a), Value::DateTime(b)) => Some(a.cmp(b)),
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        _ => None,
    }
}
