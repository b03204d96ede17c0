//! `# allow W0004: reason`, the comment that keeps a warning quiet.

/// What such a comment says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Allow<'t> {
    /// The codes as they are written, each with its place in the comment's text.
    pub(crate) codes: Vec<(usize, &'t str)>,
    /// Why; empty when no reason is given.
    pub(crate) reason: &'t str,
    /// What stands behind the last code without a colon between.
    pub(crate) rest: &'t str,
}

/// Reads a comment, without its `#`; `None` where it is prose.
///
/// What follows `allow` must look like a code, right or wrong, so that "allow the duplicate" stays a remark.
pub(crate) fn read(comment: &str) -> Option<Allow<'_>> {
    let text = comment.trim_start();
    let rest =
        text.get(..WORD.len()).filter(|word| word.eq_ignore_ascii_case(WORD)).map(|_| &text[WORD.len()..])?;
    if !rest.starts_with([' ', '\t']) {
        return None;
    }
    let (list, reason) = rest.split_once(':').unwrap_or((rest, ""));
    let base = comment.len() - rest.len();
    let mut codes = Vec::new();
    let (mut at, mut behind) = (0, "");
    for part in list.split(',') {
        let indent = part.len() - part.trim_start().len();
        // Without a colon, the reason is written straight behind the code.
        let code = part.trim_start().split([' ', '\t']).next().unwrap_or_default();
        if !looks_like_code(code) {
            break;
        }
        codes.push((base + at + indent, code));
        behind = &list[at + indent + code.len()..];
        at += part.len() + 1;
    }
    (!codes.is_empty()).then(|| Allow { codes, reason: reason.trim(), rest: behind.trim() })
}

/// The word that begins it.
const WORD: &str = "allow";

/// A letter of a family and digits.
fn looks_like_code(word: &str) -> bool {
    let digits = word.strip_prefix(['W', 'E', 'w', 'e']).unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::{Allow, read};

    #[test]
    fn a_code_and_a_reason() {
        let allow = read(" allow W0004: blank counts as different").expect("an allow");
        assert_eq!(allow, Allow { codes: vec![(7, "W0004")], reason: "blank counts as different", rest: "" });
        assert_eq!(
            read("allow W0001,W0005 : two: of them").map(|allow| (allow.codes.len(), allow.reason)),
            Some((2, "two: of them"))
        );
    }

    #[test]
    fn what_has_no_reason_is_still_one() {
        for comment in [" allow W0004", " allow W0004:", " Allow W4 because I say so", "allow e0202:   "] {
            assert_eq!(read(comment).map(|allow| allow.reason), Some(""), "{comment}");
        }
        assert_eq!(read(" Allow W4 because I say so").map(|allow| allow.rest), Some("because I say so"));
    }

    #[test]
    fn prose_is_none() {
        for comment in [
            " allow the duplicate: sales asked",
            "allows W0004: x",
            "allow",
            " see W0004: x",
            "allow W: x",
            "alloü",
        ] {
            assert_eq!(read(comment), None, "{comment}");
        }
    }

    #[test]
    fn it_is_no_part_of_what_a_comment_describes() {
        let text = "# The funnel.\n# allow W0001: soon\norder o of salesforce.Lead.Status { \"New\" }\n\n# allow W0001: soon\norder p of salesforce.Lead.Status { \"New\" }\n";
        let (file, findings) = crate::syntax::parse(crate::source::FileId(0), text);
        let docs: Vec<_> = file
            .items
            .iter()
            .map(|item| match item {
                crate::syntax::ast::Item::Order(order) => order.doc.as_deref(),
                _ => None,
            })
            .collect();
        assert_eq!((docs, findings.len()), (vec![Some("The funnel."), None], 0));
    }
}
