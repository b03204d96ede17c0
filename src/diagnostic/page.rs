//! The page of a code as other places show it.
//!
//! A page is Markdown of a fixed form: a title, paragraphs, one heading, fenced examples. No line is longer than a terminal
//! is wide, so that nothing is wrapped again; `tests/pages.rs` holds pages to that.

use super::CodePage;

/// Begins and ends an example.
const FENCE: &str = "```";

impl CodePage {
    /// What the code means: the page's first paragraph, as one line without mark-up.
    pub fn summary(&self) -> String {
        let paragraph = self.page.lines().skip(1).skip_while(|line| line.is_empty());
        paragraph.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
    }

    /// The page for a terminal: headings without their signs, examples indented.
    pub fn terminal(&self) -> String {
        let mut in_example = false;
        let mut lines = Vec::new();
        for line in self.page.lines() {
            if line.starts_with(FENCE) {
                in_example = !in_example;
            } else if in_example && !line.is_empty() {
                lines.push(format!("    {line}"));
            } else if let Some(heading) = line.strip_prefix("## ").filter(|_| !in_example) {
                lines.push(format!("{heading}:"));
            } else {
                lines.push(line.strip_prefix("# ").filter(|_| !in_example).unwrap_or(line).to_owned());
            }
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use crate::diagnostic::{Code, CodePage};

    const PAGE: CodePage = CodePage {
        code: Code("E9999"),
        title: "a title",
        page: "# E9999: a title\n\nOne sentence,\nand `more`.\n\nWhy.\n\n```map,fails\n# E9999\n  Title\n\n  Phone\n```\n\n\
               ## What to write instead\n\nThis.\n",
    };

    #[test]
    fn a_page_is_readable_without_mark_up() {
        assert_eq!(PAGE.summary(), "One sentence, and `more`.");
        insta::assert_snapshot!(PAGE.terminal(), @r"
        E9999: a title

        One sentence,
        and `more`.

        Why.

            # E9999
              Title

              Phone

        What to write instead:

        This.
        ");
    }
}
