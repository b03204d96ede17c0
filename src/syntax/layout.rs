//! The layout of a file: items, blocks and statements, found in one pass by line ends, brackets and texts.
//!
//! Nothing is understood here but where things begin and end, so that each statement can be parsed alone: a broken one
//! costs one finding and the next is read as if nothing had happened. What is wrong in every context (a text without an
//! end, `&&`, a bracket without its partner) is found here and marks the statement as broken. The pass is linear in the
//! length of the file.

use std::ops::Range;

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{FileId, Spanned};

use super::findings::Findings;
use super::shape;
use super::tokens::Tokens;

/// What the statements of a block are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BlockKind {
    /// The file itself: items.
    File,
    /// `mapping`
    Mapping,
    /// `sync`
    Sync,
    /// `fields NAME from …`
    Shared,
    /// `picklist`
    Picklist,
    /// `order`
    Order,
    /// `test`
    Test,
    /// `match { … }`
    Match,
    /// `convert to "…" { … }`
    Convert,
    /// `fields { … }` of a mapping
    Rules,
    /// `fields { … }` of a sync
    SyncRules,
    /// A block whose word is not known; nothing in it is looked at.
    Unknown,
}

impl BlockKind {
    /// The block that a word opens at the top level.
    pub(crate) fn of_item(word: &str) -> Option<Self> {
        Some(match word {
            "mapping" => Self::Mapping,
            "sync" => Self::Sync,
            "fields" => Self::Shared,
            "picklist" => Self::Picklist,
            "order" => Self::Order,
            "test" => Self::Test,
            _ => return None,
        })
    }

    /// The block that a word opens inside this one.
    fn inner(self, word: &str) -> Self {
        match (self, word) {
            (Self::File, word) => Self::of_item(word).unwrap_or(Self::Unknown),
            (Self::Mapping | Self::Sync, "match") => Self::Match,
            (Self::Mapping | Self::Sync, "convert") => Self::Convert,
            (Self::Mapping, "fields") => Self::Rules,
            (Self::Sync, "fields") => Self::SyncRules,
            _ => Self::Unknown,
        }
    }
}

/// A statement, or the head of a block and the block.
#[derive(Debug)]
pub(crate) struct Node {
    /// The text without the block; trimmed.
    pub(crate) head: Range<usize>,
    /// The comments directly above, as indices into [`Layout::comments`].
    pub(crate) doc: Range<usize>,
    /// The block, if it opens one.
    pub(crate) block: Option<Block>,
    /// A finding was given: there is no use in parsing it.
    pub(crate) broken: bool,
}

/// The statements between two braces.
#[derive(Debug)]
pub(crate) struct Block {
    /// What they are.
    pub(crate) kind: BlockKind,
    /// Where `{` stands, or should.
    pub(crate) open: usize,
    /// One past `}`, or where the block was given up.
    pub(crate) end: usize,
    /// The statements.
    pub(crate) nodes: Vec<Node>,
}

/// The layout of a file.
#[derive(Debug)]
pub(crate) struct Layout {
    /// The items.
    pub(crate) nodes: Vec<Node>,
    /// All comments, without `#` and without white space at their end.
    pub(crate) comments: Vec<Spanned<String>>,
    /// What is wrong already.
    pub(crate) findings: Findings,
}

/// Splits a file.
pub(crate) fn layout(file: FileId, text: &str) -> Layout {
    let mut scanner = Scanner::new(file, text);
    scanner.run();
    let nodes = scanner.finish();
    Layout { nodes, comments: scanner.comments, findings: scanner.tokens.findings }
}

/// A block that is not closed yet.
struct OpenBlock {
    /// The statement that opens it; the block's nodes gather in `block`.
    head: Node,
    block: Block,
    /// How far its head is indented.
    indent: usize,
    /// `{` was missing and a finding given.
    implicit: bool,
}

/// The statement that is being read.
struct Statement {
    start: usize,
    /// One past its last token.
    end: usize,
    indent: usize,
    doc: Range<usize>,
    /// Its brackets that are not closed yet: the opening byte and where it stands.
    brackets: Vec<(u8, usize)>,
}

struct Scanner<'t> {
    tokens: Tokens<'t>,
    comments: Vec<Spanned<String>>,
    /// The comments on lines of their own directly above the current line.
    doc: Range<usize>,
    /// Where the current line begins.
    line_start: usize,
    file_nodes: Vec<Node>,
    blocks: Vec<OpenBlock>,
    statement: Option<Statement>,
    /// A `}` that stands further left than the line of its `{`: the likely place of a missing one.
    suspect: Option<(usize, usize)>,
}

impl<'t> Scanner<'t> {
    fn new(file: FileId, text: &'t str) -> Self {
        Self {
            tokens: Tokens::new(file, text),
            comments: Vec::new(),
            doc: 0..0,
            line_start: 0,
            file_nodes: Vec::new(),
            blocks: Vec::new(),
            statement: None,
            suspect: None,
        }
    }

    fn run(&mut self) {
        // The first token of a line may end the statement before it; blank lines cut a comment from what follows.
        let (mut first, mut blank_line) = (true, true);
        while let Some(byte) = self.tokens.peek() {
            match byte {
                b' ' | b'\t' | b'\r' => self.tokens.pos += 1,
                b'\n' => {
                    if blank_line {
                        self.doc = self.comments.len()..self.comments.len();
                    }
                    (first, blank_line) = (true, true);
                    self.tokens.pos += 1;
                    self.line_start = self.tokens.pos;
                }
                b'#' => {
                    self.comment(first);
                    blank_line = false;
                }
                _ => {
                    if first {
                        self.begin_line();
                    }
                    self.token();
                    (first, blank_line) = (false, false);
                }
            }
        }
    }

    fn comment(&mut self, own_line: bool) {
        let (start, text) = self.tokens.comment();
        let span = self.tokens.span(start, start + 1 + text.len());
        let at = self.comments.len();
        self.comments.push(Spanned::new(text.to_owned(), span));
        self.doc = if !own_line {
            at + 1..at + 1
        } else if self.doc.end == at && !self.doc.is_empty() {
            self.doc.start..at + 1
        } else {
            at..at + 1
        };
    }

    /// Decides whether the line goes on with the statement before it.
    fn begin_line(&mut self) {
        let (text, pos) = (self.tokens.text, self.tokens.pos);
        if !self.blocks.is_empty() && shape::is_item_head(text, pos) {
            self.end_statement();
            while !self.blocks.is_empty() {
                self.abandon_block();
            }
            return;
        }
        let kind = self.kind();
        if let Some(statement) = &self.statement {
            let goes_on = if statement.brackets.is_empty() {
                shape::continues(kind, text, pos)
            } else {
                !shape::starts_statement(kind, text, pos)
            };
            if goes_on {
                return;
            }
            self.end_statement();
        }
        // A statement of the block around this one: the `}` is missing.
        let parent = self.blocks.iter().rev().nth(1).map(|outer| outer.block.kind);
        if matches!(kind, BlockKind::Match | BlockKind::Convert | BlockKind::Rules | BlockKind::SyncRules)
            && parent.is_some_and(|parent| shape::starts_statement(parent, text, pos))
        {
            self.abandon_block();
        }
    }

    fn token(&mut self) {
        let pos = self.tokens.pos;
        // A comment above a statement describes it; one inside a statement describes no other.
        let doc = self.take_doc();
        if self.statement.is_none() {
            if self.tokens.peek() == Some(b'}') {
                self.tokens.pos += 1;
                self.close_block(pos);
                return;
            }
            self.tokens.begin_statement();
            let indent = pos - self.line_start;
            self.statement = Some(Statement { start: pos, end: pos, indent, doc, brackets: Vec::new() });
        }
        match self.tokens.peek() {
            Some(b'{') => self.open_brace(pos),
            Some(b'}') => self.close_brace(pos),
            Some(byte @ (b'(' | b'[')) => {
                self.tokens.pos += 1;
                self.open_bracket(byte, pos);
            }
            Some(byte @ (b')' | b']')) => {
                self.tokens.pos += 1;
                self.close_bracket(if byte == b')' { b'(' } else { b'[' });
            }
            _ => self.tokens.advance(self.kind()),
        }
        if let Some(statement) = &mut self.statement {
            statement.end = self.tokens.pos;
        }
    }

    fn open_bracket(&mut self, byte: u8, pos: usize) {
        self.tokens.enter(pos);
        if let Some(statement) = &mut self.statement {
            statement.brackets.push((byte, pos));
        }
    }

    /// A closing bracket without its partner is left for the parser to find.
    fn close_bracket(&mut self, partner: u8) {
        let Some(statement) = &mut self.statement else { return };
        if statement.brackets.last().is_some_and(|(open, _)| *open == partner) {
            statement.brackets.pop();
            self.tokens.leave();
        }
    }

    fn open_brace(&mut self, pos: usize) {
        self.tokens.pos += 1;
        let kind = self.kind();
        let Some(statement) = &self.statement else { return };
        let head = self.tokens.text[statement.start..pos].trim_end();
        let word = shape::first_word(head);
        let opens = match kind {
            BlockKind::File => true,
            BlockKind::Mapping | BlockKind::Sync => {
                statement.brackets.is_empty() && (kind.inner(word) != BlockKind::Unknown || head == word)
            }
            _ => false,
        };
        if opens {
            self.open_block(kind.inner(word), pos, false);
        } else {
            self.open_bracket(b'{', pos);
        }
    }

    fn close_brace(&mut self, pos: usize) {
        let Some(statement) = &mut self.statement else { return };
        if statement.brackets.iter().rev().any(|(open, _)| *open == b'{') {
            self.tokens.pos += 1;
            while let Some((open, at)) = statement.brackets.pop() {
                self.tokens.leave();
                if open == b'{' {
                    return;
                }
                self.tokens.unclosed(open, at);
            }
        } else {
            self.end_statement();
            self.tokens.pos += 1;
            self.close_block(pos);
        }
    }

    fn open_block(&mut self, kind: BlockKind, open: usize, implicit: bool) {
        let Some(mut statement) = self.statement.take() else { return };
        for (bracket, at) in std::mem::take(&mut statement.brackets) {
            self.tokens.unclosed(bracket, at);
        }
        let text = self.tokens.text;
        let end = statement.start + text[statement.start..open].trim_end().len();
        let head = if implicit { statement.start..statement.end } else { statement.start..end };
        let node = Node { head, doc: statement.doc, block: None, broken: self.tokens.broken };
        let block = Block { kind, open, end: open, nodes: Vec::new() };
        self.blocks.push(OpenBlock { head: node, block, indent: statement.indent, implicit });
        self.doc = self.comments.len()..self.comments.len();
    }

    fn close_block(&mut self, pos: usize) {
        self.doc = self.comments.len()..self.comments.len();
        let Some(open) = self.blocks.pop() else {
            let span = self.tokens.span(pos, pos + 1);
            let finding = Diagnostic::error(Code::SYNTAX_BLOCK, span, "this `}` closes nothing");
            self.tokens
                .findings
                .push(finding.help("delete it, or look for a block above that it closes too early"));
            return;
        };
        if !open.implicit && self.suspect.is_none() && pos - self.line_start < open.indent {
            self.suspect = Some((open.block.open, pos));
        }
        self.push_block(open, pos + 1);
    }

    /// Gives the innermost block up: its `}` is missing.
    fn abandon_block(&mut self) {
        let Some(open) = self.blocks.pop() else { return };
        if !open.implicit {
            let suspect = self.suspect.take();
            let at = suspect.map_or(open.block.open, |(open, _)| open);
            let finding =
                Diagnostic::error(Code::SYNTAX_BLOCK, self.tokens.span(at, at + 1), "this `{` has no `}`")
                    .help("write `}` on a line of its own after the last statement of the block");
            self.tokens.findings.push(match suspect {
                Some((_, close)) => finding
                    .and(self.tokens.span(close, close + 1), "this `}` closes it, but stands further left"),
                None => finding,
            });
        }
        let end = open
            .block
            .nodes
            .last()
            .map_or(open.block.open, |node| node.block.as_ref().map_or(node.head.end, |block| block.end));
        self.push_block(open, end);
    }

    fn push_block(&mut self, open: OpenBlock, end: usize) {
        let OpenBlock { mut head, mut block, .. } = open;
        block.end = end;
        head.block = Some(block);
        self.push(head);
        if self.blocks.is_empty() {
            self.suspect = None;
        }
    }

    fn end_statement(&mut self) {
        let kind = self.kind();
        let Some(statement) = &mut self.statement else { return };
        for (bracket, at) in std::mem::take(&mut statement.brackets) {
            self.tokens.unclosed(bracket, at);
        }
        let head = &self.tokens.text[statement.start..statement.end];
        if kind == BlockKind::File && BlockKind::of_item(shape::first_word(head)).is_some() {
            let inner = kind.inner(shape::first_word(head));
            let at = statement.end;
            let finding = Diagnostic::error(Code::SYNTAX_BLOCK, self.tokens.span(at, at), "expected `{`");
            self.tokens.findings.push(finding.help(format!("write `{head} {{` and close it with `}}`")));
            self.open_block(inner, at, true);
            return;
        }
        let node = Node {
            head: statement.start..statement.end,
            doc: statement.doc.clone(),
            block: None,
            broken: self.tokens.broken,
        };
        self.statement = None;
        self.push(node);
    }

    fn finish(&mut self) -> Vec<Node> {
        self.end_statement();
        while !self.blocks.is_empty() {
            self.abandon_block();
        }
        std::mem::take(&mut self.file_nodes)
    }

    fn push(&mut self, node: Node) {
        match self.blocks.last_mut() {
            Some(open) => open.block.nodes.push(node),
            None => self.file_nodes.push(node),
        }
    }

    fn kind(&self) -> BlockKind {
        self.blocks.last().map_or(BlockKind::File, |open| open.block.kind)
    }

    fn take_doc(&mut self) -> Range<usize> {
        let none = self.comments.len()..self.comments.len();
        std::mem::replace(&mut self.doc, none)
    }
}
