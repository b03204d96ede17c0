//! Salesforce record ids: 15 case-sensitive characters, or 18 with a suffix that makes them safe to compare
//! without case.
//!
//! The suffix holds one character for each block of five: bit `n` is set when character `n` of the block is a
//! capital ("What are Salesforce ID's composed of?", Salesforce's help).

const SUFFIX_ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The pod characters of every id that the sandbox mints, between the key prefix and the running number.
const POD: &str = "gL0";

/// Brings an id of 15 or 18 characters to its 18-character form; `None` where it is neither.
///
/// The case of an 18-character id is restored from its suffix, as the real API does.
pub(super) fn normalize(id: &str) -> Option<String> {
    if !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    match id.len() {
        15 => Some(format!("{id}{}", suffix(id))),
        18 => {
            let base = restore_case(&id[..15], &id[15..].to_ascii_uppercase())?;
            Some(format!("{base}{}", suffix(&base)))
        }
        _ => None,
    }
}

/// The 15-character form, which some of Salesforce's messages use.
pub(super) fn short(id: &str) -> &str {
    id.get(..15).unwrap_or(id)
}

/// Mints the 18-character id of the `number`th record behind a key prefix.
pub(super) fn mint(prefix: &str, number: u64) -> String {
    let mut digits = [b'0'; 9];
    let mut rest = number;
    for slot in digits.iter_mut().rev() {
        // The remainder is below 62, so the index is in range and the conversion cannot lose anything.
        *slot = DIGITS[usize::try_from(rest % 62).unwrap_or(0)];
        rest /= 62;
    }
    let base = format!("{prefix}{POD}{}", String::from_utf8_lossy(&digits));
    format!("{base}{}", suffix(&base))
}

fn suffix(base: &str) -> String {
    base.as_bytes()
        .chunks(5)
        .map(|block| {
            let bits = block
                .iter()
                .enumerate()
                .filter(|(_, byte)| byte.is_ascii_uppercase())
                .fold(0_usize, |bits, (position, _)| bits | (1 << position));
            char::from(SUFFIX_ALPHABET[bits])
        })
        .collect()
}

fn restore_case(base: &str, suffix: &str) -> Option<String> {
    let mut restored = String::with_capacity(15);
    for (block, letter) in base.as_bytes().chunks(5).zip(suffix.bytes()) {
        let bits = SUFFIX_ALPHABET.iter().position(|candidate| *candidate == letter)?;
        for (position, byte) in block.iter().enumerate() {
            let capital = bits & (1 << position) != 0;
            if capital && !byte.is_ascii_alphabetic() {
                return None;
            }
            let byte = if capital { byte.to_ascii_uppercase() } else { byte.to_ascii_lowercase() };
            restored.push(char::from(byte));
        }
    }
    Some(restored)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_id_gets_its_known_suffix() {
        // Pairs from recorded answers of real organisations.
        for id in ["003ak00000jvIfpAAE", "0031i000013x2TEAAY", "00Qak00000696HFEAY", "701E0000000JuFHIA0"] {
            assert_eq!(normalize(&id[..15]).as_deref(), Some(id));
            assert_eq!(normalize(id).as_deref(), Some(id));
        }
    }

    #[test]
    fn the_case_of_eighteen_characters_is_restored() {
        assert_eq!(normalize("003AK00000JVIFPAAE").as_deref(), Some("003ak00000jvIfpAAE"));
        assert_eq!(normalize("003ak00000jvifpaae").as_deref(), Some("003ak00000jvIfpAAE"));
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in ["", "abc", "003ak00000jvIfpAA", "003ak00000jvIf-AAE", "000000000000000ZZZ"] {
            assert_eq!(normalize(text), None, "{text}");
        }
    }

    #[test]
    fn minted_ids_differ_and_stand() {
        let first = mint("00Q", 1);
        let second = mint("00Q", 62);
        assert_eq!(first.len(), 18);
        assert!(first.starts_with("00QgL0000000001"));
        assert!(second.starts_with("00QgL0000000010"));
        assert_eq!(normalize(&first).as_deref(), Some(first.as_str()));
    }
}
