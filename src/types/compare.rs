//! Comparing values in conditions.

use std::cmp::Ordering;

use super::Value;

/// Whether two values are equal in a condition. A comparison with a blank is false, also of two blanks.
///
/// Numbers compare by value (`87.0` is `87`), text exactly, a date with a date and an instant with an instant. A list is a
/// set: its order does not count, and a text equals the list that holds nothing else.
pub fn same<T: PartialEq>(a: &Value<T>, b: &Value<T>) -> bool {
    match (a, b) {
        (Value::Blank, _) | (_, Value::Blank) => false,
        (Value::List(a), Value::List(b)) => within(a, b) && within(b, a),
        (Value::List(list), single) | (single, Value::List(list)) => {
            !list.is_empty() && list.iter().all(|item| same(item, single))
        }
        (a, b) => a == b,
    }
}

fn within<T: PartialEq>(a: &[Value<T>], b: &[Value<T>]) -> bool {
    a.iter().all(|item| b.iter().any(|other| same(item, other)))
}

/// Which of two values comes first; `None` where they have no order: a blank, lists, true and false, or two kinds.
///
/// Text is ordered by its characters' code points, so capital letters come first.
pub fn order<T: Ord>(a: &Value<T>, b: &Value<T>) -> Option<Ordering> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => Some(a.cmp(b)),
        (Value::Date(a), Value::Date(b)) => Some(a.cmp(b)),
        (Value::DateTime(a), Value::DateTime(b)) => Some(a.cmp(b)),
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use super::{order, same};
    use crate::types::{Value, parse_date, parse_instant};

    fn text(text: &str) -> Value {
        Value::text(text)
    }

    fn number(text: &str) -> Value {
        Value::Number(text.parse().unwrap())
    }

    fn list(items: &[&str]) -> Value {
        Value::List(items.iter().map(|item| Value::text(*item)).collect())
    }

    #[test]
    fn equality_is_of_values() {
        assert!(same(&number("87.0"), &number("87")));
        assert!(!same(&text("a"), &text("A")));
        assert!(!same(&text("87"), &number("87")));
        let no: Value = Value::Boolean(false);
        assert!(same(&no, &no));
        assert!(same(&list(&["a", "b"]), &list(&["b", "a"])));
        assert!(!same(&list(&["a", "b"]), &list(&["a"])));
        assert!(same(&list(&["a"]), &text("a")));
        assert!(!same(&list(&["a", "b"]), &text("a")));
    }

    #[test]
    fn a_blank_is_equal_to_nothing() {
        for other in [Value::Blank, text("a"), number("0"), Value::Boolean(false), list(&[])] {
            assert!(!same(&Value::Blank, &other) && !same(&other, &Value::Blank), "{other:?}");
            assert_eq!(order(&Value::Blank, &other), None);
        }
    }

    #[test]
    fn order_is_within_a_kind() {
        assert_eq!(order(&number("9"), &number("10")), Some(Ordering::Less));
        assert_eq!(order(&number("1.0"), &number("1")), Some(Ordering::Equal));
        assert_eq!(order(&text("9"), &text("10")), Some(Ordering::Greater));
        let date: Value = Value::Date(parse_date("2024-09-30").unwrap());
        let instant = Value::DateTime(parse_instant("2024-09-30T00:00:00Z").unwrap());
        assert_eq!(order(&date, &date), Some(Ordering::Equal));
        assert_eq!(order(&date, &instant), None);
        assert!(!same(&date, &instant));
        let yes: Value = Value::Boolean(true);
        assert_eq!(order(&Value::Boolean(false), &yes), None);
    }
}
