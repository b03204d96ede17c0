//! Writes the layout again, line by line.

use std::collections::HashMap;

use crate::source::{Span, Spanned};
use crate::syntax::ast::{Body, ConvertKind, FieldsEntry, File, Item, Policy};
use crate::syntax::layout::{Block, BlockKind, Node, layout};
use crate::syntax::shape::first_word;

use super::align::{Row, RowKind, align};
use super::pieces::{Piece, blank_between, pieces};

/// Two blanks for each level.
const INDENT: usize = 2;

/// A block may stay on one line around a statement of this many bytes; what is longer is easier to read on three lines.
const ONE_LINE: usize = 80;

/// Formats a text that parsed into this file.
pub(super) fn render(text: &str, file: &File) -> String {
    let layout = layout(file.file, text);
    let mut writer = Writer {
        text,
        comments: &layout.comments,
        next_comment: 0,
        splits: splits(file),
        lines: Vec::new(),
        depth: 0,
        at: 0,
        fresh: true,
    };
    writer.nodes(BlockKind::File, &layout.nodes, text.len());
    writer.finish()
}

/// Where the last column of a statement begins, by where the statement begins: policies and actions.
fn splits(file: &File) -> HashMap<usize, usize> {
    let mut splits = HashMap::new();
    let mut add = |statement: Span, last: Span| splits.insert(statement.start as usize, last.start as usize);
    let policies = |policies: &[Policy]| policies.first().map(|policy| policy.span);
    for item in &file.items {
        let mut body = |body: &Body| {
            for outcome in &body.outcomes {
                add(outcome.span, outcome.action.span);
            }
            for line in body.converts.iter().flat_map(|convert| &convert.lines) {
                match &line.kind {
                    ConvertKind::Account(_, Some(otherwise)) => add(line.span, otherwise.span),
                    ConvertKind::Owner(_, Some(otherwise)) => add(line.span, otherwise.span),
                    _ => None,
                };
            }
        };
        match item {
            Item::Mapping(mapping) => {
                body(&mapping.body);
                for entry in &mapping.fields {
                    if let FieldsEntry::Rule(rule) = entry {
                        policies(&rule.policies).map(|last| add(rule.span, last));
                    }
                }
            }
            Item::Sync(sync) => {
                body(&sync.body);
                for rule in &sync.fields {
                    policies(&rule.policies).map(|last| add(rule.span, last));
                }
            }
            Item::Fields(fields) => {
                for rule in &fields.rules {
                    policies(&rule.policies).map(|last| add(rule.span, last));
                }
            }
            Item::Picklist(_) | Item::Order(_) | Item::Test(_) => {}
        }
    }
    splits
}

/// A line to be written.
enum Line {
    Blank,
    /// A brace, a comment or the continuation of a statement.
    Fixed {
        depth: usize,
        text: String,
        comment: Option<String>,
    },
    /// The first line of a statement.
    Row {
        depth: usize,
        row: Row,
        comment: Option<String>,
    },
}

struct Writer<'t> {
    text: &'t str,
    comments: &'t [Spanned<String>],
    next_comment: usize,
    splits: HashMap<usize, usize>,
    lines: Vec<Line>,
    depth: usize,
    /// How far the text has been written.
    at: usize,
    /// Nothing stands in the current block yet.
    fresh: bool,
}

impl<'t> Writer<'t> {
    /// Writes the statements of a block that ends at `end`, and the comments between them.
    fn nodes(&mut self, kind: BlockKind, nodes: &[Node], end: usize) {
        self.fresh = true;
        for (index, node) in nodes.iter().enumerate() {
            let above = node.doc.start;
            self.comments_before(node.head.start, (kind == BlockKind::File && index > 0).then_some(above));
            let apart = kind == BlockKind::File && index > 0 && node.doc.is_empty();
            self.gap(node.head.start, apart);
            match &node.block {
                Some(block) => self.block(node, block),
                None => self.statement(kind, node),
            }
            self.fresh = false;
        }
        self.comments_before(end, None);
    }

    /// Writes the comments on lines of their own up to a place; `apart` is one that a blank line precedes.
    fn comments_before(&mut self, end: usize, apart: Option<usize>) {
        while let Some(comment) = self.comment_before(end) {
            let index = self.next_comment;
            self.next_comment += 1;
            self.gap(comment.span.range().start, apart == Some(index));
            let text = comment_text(&comment.value);
            self.lines.push(Line::Fixed { depth: self.depth, text, comment: None });
            self.at = comment.span.range().end;
            self.fresh = false;
        }
    }

    fn comment_before(&self, end: usize) -> Option<&'t Spanned<String>> {
        self.comments.get(self.next_comment).filter(|comment| comment.span.range().start < end)
    }

    /// Writes a blank line if one stands between what was written and `next`, or one must stand there.
    fn gap(&mut self, next: usize, forced: bool) {
        let between = self.text.get(self.at..next).unwrap_or("");
        let blank = between.bytes().filter(|byte| *byte == b'\n').count() > 1;
        if (blank || forced) && !self.fresh {
            self.lines.push(Line::Blank);
        }
    }

    /// The comments up to `from`, and the one behind it on its line.
    fn trailing(&mut self, from: usize) -> Option<String> {
        self.at = self.at.max(from);
        let mut texts = Vec::new();
        while let Some(comment) = self.comments.get(self.next_comment) {
            let start = comment.span.range().start;
            if start >= from
                && !self.text[from..start].bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
            {
                break;
            }
            texts.push(comment_text(&comment.value));
            self.next_comment += 1;
            self.at = comment.span.range().end;
        }
        (!texts.is_empty()).then(|| texts.join(" "))
    }

    fn block(&mut self, node: &Node, block: &Block) {
        let head = pieces(self.text, node.head.clone());
        let tokens: Vec<_> = head.iter().filter(|piece| !piece.comment).collect();
        let text = format!("{} {{", joined(&tokens));
        if let Some(inner) = self.on_one_line(node, block) {
            let text = format!("{text} {inner} }}");
            let comment = self.trailing(block.end);
            self.lines.push(Line::Fixed { depth: self.depth, text, comment });
            return;
        }
        let comment = self.trailing(block.open + 1);
        self.lines.push(Line::Fixed { depth: self.depth, text, comment });
        self.depth += 1;
        self.nodes(block.kind, &block.nodes, block.end - 1);
        self.depth -= 1;
        let comment = self.trailing(block.end);
        self.lines.push(Line::Fixed { depth: self.depth, text: "}".to_owned(), comment });
    }

    /// The only statement of a block that the author wrote on one line, if it may stay there.
    fn on_one_line(&self, node: &Node, block: &Block) -> Option<String> {
        let [inner] = block.nodes.as_slice() else { return None };
        let written = self.text.get(node.head.start..block.end)?;
        if written.contains('\n') || inner.block.is_some() {
            return None;
        }
        let statement = pieces(self.text, inner.head.clone());
        let split = self.splits.get(&inner.head.start).copied();
        let row = row(block.kind, &statement.iter().collect::<Vec<_>>(), split);
        let statement = align(&[&row]).concat();
        // Judged by what will be written, so that it is the same the second time.
        (statement.len() <= ONE_LINE).then_some(statement)
    }

    fn statement(&mut self, kind: BlockKind, node: &Node) {
        let pieces = pieces(self.text, node.head.clone());
        let split = self.splits.get(&node.head.start).copied();
        let mut rest = pieces.as_slice();
        let mut brackets = 0_usize;
        let mut first = true;
        while !rest.is_empty() {
            let length = 1 + rest[1..].iter().take_while(|piece| !piece.first).count();
            let (line, others) = rest.split_at(length);
            rest = others;
            let tokens: Vec<_> = line.iter().filter(|piece| !piece.comment).collect();
            let comment = line.iter().find(|piece| piece.comment).map(|piece| comment_text(piece.text));
            if first {
                let row = row(kind, &tokens, split);
                self.lines.push(Line::Row { depth: self.depth, row, comment });
                first = false;
            } else {
                let closing = tokens.iter().take_while(|token| is_closing(token.text)).count();
                let levels = if brackets == 0 { 1 } else { brackets.saturating_sub(closing) };
                let depth = self.depth + levels;
                let (text, comment) = match (tokens.is_empty(), comment) {
                    (true, comment) => (comment.unwrap_or_default(), None),
                    (false, comment) => (joined(&tokens), comment),
                };
                self.lines.push(Line::Fixed { depth, text, comment });
            }
            for token in &tokens {
                match token.text {
                    "(" | "[" | "{" => brackets += 1,
                    text if is_closing(text) => brackets = brackets.saturating_sub(1),
                    _ => {}
                }
            }
        }
        while self.comment_before(node.head.end).is_some() {
            self.next_comment += 1;
        }
        let trailing = self.trailing(node.head.end);
        if let (Some(trailing), Some(Line::Row { comment, .. } | Line::Fixed { comment, .. })) =
            (trailing, self.lines.last_mut())
        {
            *comment = Some(trailing);
        }
    }

    /// Aligns what stands together and joins the lines.
    fn finish(self) -> String {
        let mut written = String::with_capacity(self.text.len() + self.text.len() / 4);
        let mut lines = self.lines.as_slice();
        while !lines.is_empty() {
            let section = lines.iter().take_while(|line| !ends_section(line)).count().max(1);
            let (these, others) = lines.split_at(section);
            write_section(&mut written, these);
            lines = others;
        }
        written
    }
}

/// Blank lines and blocks part sections.
fn ends_section(line: &Line) -> bool {
    match line {
        Line::Blank => true,
        Line::Fixed { text, .. } => text == "}" || text.ends_with('{'),
        Line::Row { .. } => false,
    }
}

fn write_section(written: &mut String, lines: &[Line]) {
    let rows: Vec<&Row> = lines
        .iter()
        .filter_map(|line| match line {
            Line::Row { row, .. } => Some(row),
            _ => None,
        })
        .collect();
    let mut aligned = align(&rows).into_iter();
    for line in lines {
        let (depth, text, comment) = match line {
            Line::Blank => {
                written.push('\n');
                continue;
            }
            Line::Fixed { depth, text, comment } => (depth, text.clone(), comment),
            Line::Row { depth, comment, .. } => (depth, aligned.next().unwrap_or_default(), comment),
        };
        written.extend(std::iter::repeat_n(' ', depth * INDENT));
        written.push_str(&text);
        if let Some(comment) = comment {
            written.push_str("  ");
            written.push_str(comment);
        }
        written.push('\n');
    }
}

/// The columns of a statement's first line; `split` is where its policies or its action begin.
fn row(kind: BlockKind, tokens: &[&Piece<'_>], split: Option<usize>) -> Row {
    let plain = || Row { kind: RowKind::Plain, cells: vec![joined(tokens)] };
    let word = tokens.first().map_or("", |token| first_word(token.text));
    let find = |texts: &[&str]| tokens.iter().position(|token| texts.contains(&token.text));
    let cut = |kind, at: &[usize]| {
        let bounds: Vec<usize> = std::iter::once(0).chain(at.iter().copied()).chain([tokens.len()]).collect();
        let cells = bounds.windows(2).map(|bounds| joined(&tokens[bounds[0]..bounds[1]])).collect();
        Row { kind, cells }
    };
    let split = split.and_then(|start| tokens.iter().position(|token| token.start == start));
    match kind {
        BlockKind::Rules | BlockKind::Shared | BlockKind::SyncRules | BlockKind::Picklist => {
            let Some(arrow) = find(&["<-", "->", "<->"]) else {
                return if matches!(word, "from" | "to") { cut(RowKind::Words, &[1]) } else { plain() };
            };
            if kind == BlockKind::Picklist {
                return cut(RowKind::Translation, &[arrow, arrow + 1]);
            }
            let last = split.filter(|last| *last > arrow).unwrap_or(tokens.len());
            cut(RowKind::Rule, &[arrow, arrow + 1, last])
        }
        BlockKind::Match => cut(RowKind::Words, &[1]),
        BlockKind::Convert => match split {
            Some(otherwise) => cut(RowKind::Outcome, &[1, otherwise]),
            None => cut(RowKind::Outcome, &[1]),
        },
        BlockKind::Mapping | BlockKind::Sync => match (word, split, find(&["="])) {
            ("from" | "to", ..) => cut(RowKind::Words, &[1]),
            ("on", Some(action), _) => cut(RowKind::Outcome, &[action]),
            ("with" | "let", _, Some(equals)) => cut(RowKind::Binding, &[1, equals]),
            _ => plain(),
        },
        _ => plain(),
    }
}

/// Tokens of one line with the blanks between them.
fn joined(tokens: &[&Piece<'_>]) -> String {
    let mut line = String::new();
    let mut before: Option<&str> = None;
    for token in tokens {
        if before.is_some_and(|before| blank_between(before, token.text)) {
            line.push(' ');
        }
        line.push_str(token.text);
        before = Some(token.text);
    }
    line
}

/// A comment with its `#`, and a blank before its first word.
fn comment_text(value: &str) -> String {
    let blank = if value.starts_with(char::is_alphanumeric) { " " } else { "" };
    format!("#{blank}{value}")
}

fn is_closing(token: &str) -> bool {
    matches!(token, ")" | "]" | "}")
}
