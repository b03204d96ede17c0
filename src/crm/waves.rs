//! Groups requests into calls without two of the same record in one call.
//!
//! Both vendors refuse a batch that names a record twice, and the order of two writes to one record matters.

use std::collections::HashMap;
use std::hash::Hash;

/// Indices of requests that may share a call.
pub(super) type Group<K> = (K, Vec<usize>);

/// Splits `items` into groups of one kind, in order of first appearance, each of at most `size`.
///
/// `describe` gives a request's kind and, where it names a record, the record. A record's second request lands in a
/// later group than its first, also when the kinds differ.
pub(super) fn waves<T, K: Eq + Hash + Clone>(
    items: &[T],
    size: usize,
    describe: impl Fn(&T) -> (K, Option<String>),
) -> Vec<Group<K>> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut waves: Vec<Vec<Group<K>>> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let (kind, record) = describe(item);
        let wave = record.map_or(0, |record| {
            let count = seen.entry(record).or_default();
            *count += 1;
            *count - 1
        });
        if waves.len() <= wave {
            waves.resize_with(wave + 1, Vec::new);
        }
        let groups = &mut waves[wave];
        match groups.iter_mut().find(|(other, members)| *other == kind && members.len() < size) {
            Some((_, members)) => members.push(index),
            None => groups.push((kind, vec![index])),
        }
    }
    waves.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(items: &[(&'static str, &'static str)], size: usize) -> Vec<Group<&'static str>> {
        waves(items, size, |(kind, record)| (*kind, (!record.is_empty()).then(|| (*record).to_owned())))
    }

    #[test]
    fn kinds_are_kept_apart_and_calls_are_not_too_large() {
        let items = [("a", "1"), ("b", "2"), ("a", "3"), ("a", "4")];
        assert_eq!(split(&items, 2), [("a", vec![0, 2]), ("b", vec![1]), ("a", vec![3])]);
    }

    #[test]
    fn a_record_appears_once_in_a_call_and_its_requests_keep_their_order() {
        let items = [("a", "1"), ("a", "1"), ("b", "1"), ("a", "2")];
        assert_eq!(split(&items, 9), [("a", vec![0, 3]), ("a", vec![1]), ("b", vec![2])]);
    }

    #[test]
    fn new_records_have_no_identity_and_share_a_call() {
        assert_eq!(split(&[("c", ""), ("c", ""), ("c", "")], 9), [("c", vec![0, 1, 2])]);
    }
}
