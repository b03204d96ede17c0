//! From the parser's pairs to the tree, one statement at a time.

mod convert;
mod fields;
mod items;
mod names;
mod statements;
mod values;

use pest::iterators::Pair;

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Span, Spanned};

use super::allow;
use super::ast;
use super::explain;
use super::findings::Findings;
use super::grammar::{self, Failure, Rule};
use super::layout::{BlockKind, Node};
use super::shape;
use super::tokens::MAX_NESTING;

/// Lowers the items of a file.
pub(crate) fn items(
    text: &str,
    nodes: &[Node],
    comments: &[Spanned<String>],
    findings: Findings,
) -> (Vec<ast::Item>, Findings) {
    let mut lower = Lower { text, comments, findings, base: 0 };
    let mut items = Vec::new();
    // A run of lines that belong to no item is one mistake.
    let mut in_run = false;
    for node in nodes {
        let kind = BlockKind::of_item(shape::first_word(&text[node.head.clone()]));
        if let (Some(kind), Some(block)) = (kind, &node.block) {
            items.extend(lower.item(kind, node, block));
            in_run = false;
        } else {
            if !in_run && !node.broken {
                lower.not_an_item(node);
            }
            in_run = node.block.is_none();
        }
    }
    (items, lower.findings)
}

/// What lowering needs to know and gathers.
struct Lower<'t> {
    text: &'t str,
    comments: &'t [Spanned<String>],
    findings: Findings,
    /// Where the statement that is being lowered begins in the file.
    base: usize,
}

impl<'t> Lower<'t> {
    /// Parses a statement, or says what is wrong with it.
    fn read(&mut self, rule: Rule, node: &Node, kind: BlockKind) -> Option<Pair<'t, Rule>> {
        if node.broken {
            return None;
        }
        self.base = node.head.start;
        let text = &self.text[node.head.clone()];
        match grammar::read(rule, text) {
            Ok(pair) => Some(pair),
            Err(Failure::Expected(at, rules)) => {
                let file = self.findings.file();
                let statement = explain::Statement { file, text, base: self.base, kind };
                self.findings.push(explain::explain(&statement, at, &rules));
                None
            }
            Err(Failure::TooDeep) => {
                let message = format!("nested more than {MAX_NESTING} levels deep");
                let finding = Diagnostic::error(Code::SYNTAX_DEPTH, self.node_span(node), message);
                self.findings.push(finding.help("give the inner part a name with `let`"));
                None
            }
        }
    }

    /// The statement of a line that must open no block.
    fn statement(&mut self, rule: Rule, node: &Node, kind: BlockKind) -> Option<Pair<'t, Rule>> {
        if !self.check_block(node, false) {
            return None;
        }
        self.read(rule, node, kind)?.into_inner().next()
    }

    fn not_an_item(&mut self, node: &Node) {
        let text = &self.text[node.head.clone()];
        self.findings.push(explain::not_an_item(self.findings.file(), text, node.head.start));
    }

    /// A statement that opens a block where none may stand, or does not open the one that it needs.
    fn check_block(&mut self, node: &Node, needed: bool) -> bool {
        let span = self.node_span(node);
        let finding = match (&node.block, needed) {
            (Some(block), false) => {
                let brace = Span::new(span.file, block.open, block.open + 1);
                let word = shape::first_word(&self.text[node.head.clone()]);
                Diagnostic::error(Code::SYNTAX, brace, format!("`{word}` does not open a block here"))
                    .help("delete the block, or move it out of this one")
            }
            (None, true) => {
                let end = Span::new(span.file, node.head.end, node.head.end);
                let text = &self.text[node.head.clone()];
                Diagnostic::error(Code::SYNTAX_BLOCK, end, "expected `{`")
                    .help(format!("write `{text} {{` and close it with `}}`"))
            }
            _ => return true,
        };
        if !node.broken {
            self.findings.push(finding);
        }
        false
    }

    fn doc(&self, node: &Node) -> Option<String> {
        let lines = self.comments.get(node.doc.clone())?;
        let text =
            |comment: &Spanned<String>| comment.value.strip_prefix(' ').unwrap_or(&comment.value).to_owned();
        // A word to the checker describes nothing.
        let lines = lines.iter().filter(|comment| allow::read(&comment.value).is_none());
        let lines: Vec<_> = lines.map(text).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    fn node_span(&self, node: &Node) -> Span {
        Span::new(self.findings.file(), node.head.start, node.head.end)
    }

    fn span(&self, pair: &Pair<'_, Rule>) -> Span {
        let span = pair.as_span();
        Span::new(self.findings.file(), self.base + span.start(), self.base + span.end())
    }
}
