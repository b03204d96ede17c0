//! Puts into the author's words why a statement could not be parsed.
//!
//! The parser knows the furthest place that it reached and what it could have read there. The common mistakes are
//! recognised by what stands there instead; the rest says what was expected.

use std::collections::BTreeSet;

use crate::diagnostic::{Code, Diagnostic, did_you_mean, nearest, unambiguous};
use crate::source::{FileId, Span};

use super::grammar::Rule;
use super::layout::BlockKind;
use super::shape;
use super::words::{RESERVED, Words, words};

/// A statement that could not be parsed.
pub(crate) struct Statement<'t> {
    /// The file.
    pub(crate) file: FileId,
    /// Its text.
    pub(crate) text: &'t str,
    /// Where it begins in the file.
    pub(crate) base: usize,
    /// The block in which it stands.
    pub(crate) kind: BlockKind,
}

/// What stands only in conditions.
const CONDITION_TOKENS: &[&str] = &["=", "!=", "<", "<=", ">", ">=", "is", "in", "not", "and", "or"];

/// The items, for did-you-mean and for help.
const ITEMS: &[&str] = &["mapping", "sync", "fields", "picklist", "order", "test"];

/// Explains a line at the top level that begins no item.
pub(crate) fn not_an_item(file: FileId, text: &str, base: usize) -> Diagnostic {
    let word = shape::first_word(text);
    let shown = if word.is_empty() { first_token(text) } else { word };
    let span = Span::new(file, base, base + shown.len());
    let message = format!("{} does not begin an item", quote(shown));
    let finding = Diagnostic::error(Code::SYNTAX_ITEM, span, message);
    match nearest(word, ITEMS.iter().copied()) {
        Some(item) => {
            let finding = finding.help(format!("did you mean `{item}`?"));
            mended(finding, span, word, item)
        }
        None => finding.help("a file holds `mapping`, `sync`, `fields`, `picklist`, `order` and `test`"),
    }
}

/// Explains a statement of which the parser understood everything before `at`, and expected one of `rules` there.
pub(crate) fn explain(statement: &Statement<'_>, at: usize, rules: &[Rule]) -> Diagnostic {
    let rest = &statement.text[at..];
    let found = first_token(rest);
    let here = Here { statement, at, found, rules, span: statement.span(at, at + found.len()) };
    here.advice()
        .or_else(|| here.text_needed())
        .or_else(|| here.unknown_statement())
        .or_else(|| here.arrow())
        .or_else(|| here.condition_in_when())
        .or_else(|| here.hole_in_fixed_text())
        .or_else(|| here.misspelled())
        .or_else(|| here.reserved())
        .unwrap_or_else(|| here.expected())
}

/// Puts the word that is meant in place of a misspelt one, where it is a slip of the pen.
pub(super) fn mended(finding: Diagnostic, span: Span, word: &str, near: &str) -> Diagnostic {
    match unambiguous(word, [near]) {
        Some(near) => finding.fix(span, near),
        None => finding,
    }
}

impl Statement<'_> {
    fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.file, self.base + start, self.base + end)
    }
}

/// The place where the parser stopped.
pub(super) struct Here<'s, 't> {
    /// The statement.
    pub(super) statement: &'s Statement<'t>,
    /// Where, in the statement.
    pub(super) at: usize,
    /// The token that stands there; empty at the end.
    pub(super) found: &'t str,
    rules: &'s [Rule],
    /// The token's place.
    pub(super) span: Span,
}

impl Here<'_, '_> {
    pub(super) fn error(&self, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(Code::SYNTAX, self.span, message)
    }

    pub(super) fn expects(&self, wanted: &[Rule]) -> bool {
        self.rules.iter().any(|rule| wanted.contains(rule))
    }

    pub(super) fn before(&self) -> &str {
        self.statement.text[..self.at].trim_end()
    }

    /// The first word is none that the block knows.
    fn unknown_statement(&self) -> Option<Diagnostic> {
        let (block, known): (&str, &[&str]) = match self.statement.kind {
            BlockKind::Mapping => ("a `mapping`", MAPPING_STATEMENTS),
            BlockKind::Sync => ("a `sync`", SYNC_STATEMENTS),
            BlockKind::Convert => ("a `convert`", &["account", "opportunity", "owner"]),
            BlockKind::Picklist => ("a `picklist`", PICKLIST_STATEMENTS),
            BlockKind::Test => ("a `test`", &["mapping", "sync", "given", "when", "expect"]),
            _ => return None,
        };
        if self.at != 0 {
            return None;
        }
        let word = shape::first_word(self.statement.text);
        if word.is_empty() {
            return None;
        }
        if matches!(word, "match" | "fields" | "convert") {
            let end = self.statement.span(self.statement.text.len(), self.statement.text.len());
            let finding = Diagnostic::error(Code::SYNTAX_BLOCK, end, "expected `{`");
            let head = if word == "convert" { "convert to \"STATUS\"" } else { word };
            return Some(finding.help(format!("write `{head} {{` and close it with `}}`")));
        }
        let finding = self.error(format!("`{word}` does not begin a statement of {block}"));
        let rest = self.statement.text[word.len()..].trim_start();
        if let Some(near) = nearest(word, known.iter().map(|name| shape::first_word(name))) {
            let finding = finding.help(format!("did you mean `{near}`?"));
            let span = self.statement.span(0, word.len());
            return Some(mended(finding, span, word, near));
        }
        if shape::starts_arrow(rest) && self.statement.kind != BlockKind::Picklist {
            return Some(finding.help("rules stand in a block: `fields { … }`"));
        }
        if word == "if" {
            return Some(finding.help("a condition for the whole mapping is written `only if …`"));
        }
        if word == "key" || word == "or" {
            return Some(finding.help("rungs stand in a block: `match { … }`"));
        }
        Some(
            finding.help(format!(
                "its statements begin with {}",
                list(known.iter().map(|name| quote(name)), "or")
            )),
        )
    }

    /// `=`, `:` or the wrong arrow in a rule, a translation or a record.
    fn arrow(&self) -> Option<Diagnostic> {
        let symbol = self.found;
        if !matches!(symbol, "=" | ":" | "<-" | "->" | "<->" | "<=" | ">" | "<") {
            return None;
        }
        let (message, instead) = match self.statement.kind {
            BlockKind::Rules | BlockKind::Shared if self.expects(&[Rule::arrow_left]) => {
                ("a rule is written with `<-`: the field of the target stands on the left", "<-")
            }
            BlockKind::SyncRules if self.expects(&[Rule::arrow_both, Rule::arrow_left]) => {
                ("a two-way rule is written with `<->`, `->` or `<-`", "<->")
            }
            BlockKind::Picklist if self.expects(&[Rule::arrow_right]) => {
                ("a translation is written with `->`", "->")
            }
            BlockKind::Test if self.expects(&[Rule::colon]) => {
                ("a field and its value are written with `:`", ":")
            }
            _ if self.expects(&[Rule::equals]) => ("`=` is expected here", "="),
            _ => return None,
        };
        let (left, right) = (self.before(), self.statement.text[self.at + symbol.len()..].trim_start());
        let finding = self.error(format!("{message}, not `{symbol}`"));
        let target = shape::first_name(right);
        if (symbol, instead) == ("->", "<-")
            && !target.is_empty()
            && !left.contains('\n')
            && !right.contains('\n')
        {
            // The value stands before the arrow, and the policies behind the field.
            let policies = right[target.len()..].trim();
            let gap = if policies.is_empty() { "" } else { "  " };
            return Some(finding.help(format!("write `{target} <- {left}{gap}{policies}`")));
        }
        let one_line = !left.contains('\n') && !right.contains('\n') && left.len() + right.len() < 60;
        let finding = if one_line && self.statement.kind != BlockKind::Test {
            let separator = if right.is_empty() { "" } else { " " };
            finding.help(format!("write `{left} {instead}{separator}{right}`"))
        } else {
            finding.help(format!("write `{instead}`"))
        };
        Some(finding.fix(self.span, instead))
    }

    /// `when email is present`: an event was expected, and a condition is written.
    fn condition_in_when(&self) -> Option<Diagnostic> {
        let is_when = shape::first_word(self.statement.text) == "when";
        if !is_when || !CONDITION_TOKENS.contains(&self.found) {
            return None;
        }
        let condition = self.statement.text["when".len()..].trim();
        let finding = self.error("`when` names an event, and this is a condition");
        if let ("=", [field, _, value]) = (self.found, condition.split(' ').collect::<Vec<_>>().as_slice()) {
            let help =
                format!("write `when {field} becomes {value}` for the event, or `only if {condition}`");
            return Some(finding.help(help));
        }
        let help = if condition.contains('\n') || condition.len() > 60 {
            "write the condition after `only if`, and an event such as `email changes` after `when`"
                .to_owned()
        } else {
            format!("write `only if {condition}`, and an event such as `email changes` after `when`")
        };
        Some(finding.help(help))
    }

    /// A word where a text in quotes was meant.
    fn text_needed(&self) -> Option<Diagnostic> {
        let plain = shape::first_word(self.found);
        if plain.is_empty() || plain.len() != self.found.len() || RESERVED.contains(&plain) {
            return None;
        }
        // A word that a picklist knows, and its author nearly wrote, is no option.
        let nearly = if self.at == 0 { PICKLIST_STATEMENTS } else { PICKLIST_VALUES };
        let is_slip = self.statement.kind == BlockKind::Picklist
            && unambiguous(plain, nearly.iter().copied()).is_some();
        let translated = self.statement.kind == BlockKind::Picklist
            && self.at == 0
            && !is_slip
            && self.statement.text[plain.len()..].trim_start().starts_with(['-', '<']);
        let option = translated
            || self.expects(&[Rule::literal, Rule::text])
                && !self.rules.iter().any(|rule| words(*rule).is_some_and(|name| is_keyword(name, plain)))
                && (self.before().ends_with("becomes")
                    || self.statement.kind == BlockKind::Picklist && self.at > 0 && !is_slip
                    || self.statement.kind == BlockKind::Order
                    || self.statement.kind == BlockKind::Test && self.before().ends_with(':'));
        option.then(|| {
            let text = format!("\"{plain}\"");
            self.error(format!("`{plain}` is not in quotes"))
                .help(format!("a text stands in double quotes: write `{text}`"))
                .fix(self.span, text)
        })
    }

    /// `{` in a text that must be fixed.
    fn hole_in_fixed_text(&self) -> Option<Diagnostic> {
        let in_text = self.expects(&[Rule::chars, Rule::escape, Rule::text]) && self.before().contains('"');
        (self.found == "{" && in_text).then(|| {
            self.error("a value cannot stand in this text")
                .help("this text is always the same; a brace that is only text is written `\\{`")
        })
    }

    /// A word that is nearly one of those expected.
    fn misspelled(&self) -> Option<Diagnostic> {
        let word = shape::first_word(self.found);
        let span = self.statement.span(self.at, self.at + word.len());
        if word.is_empty() || RESERVED.contains(&word) {
            return None;
        }
        let expected: Vec<&str> = self.expected_words().into_iter().filter(|known| *known != word).collect();
        let help = did_you_mean(word, expected.iter().copied())?;
        let near = nearest(word, expected)?;
        // A name may be anything, so that only a place without names has misspelled words.
        let name = [Rule::value, Rule::field, Rule::path, Rule::root, Rule::local, Rule::template];
        if self.expects(&name) {
            return None;
        }
        Some(mended(self.error(self.message()).help(help), span, word, near))
    }

    /// The words that could stand here, also those inside the rules that are expected.
    fn expected_words(&self) -> Vec<&'static str> {
        let mut known = Vec::new();
        for rule in self.rules {
            match rule {
                Rule::policy => known.extend(POLICY_WORDS),
                Rule::sync_policy => known.extend(POLICY_WORDS.iter().chain(&["hubspot", "salesforce"])),
                Rule::conflict | Rule::fills | Rule::side => known.extend(["on", "hubspot", "salesforce"]),
                Rule::situation => known.extend(SITUATION_WORDS),
                Rule::action => known.extend(ACTION_WORDS),
                Rule::object | Rule::object_field => known.extend(["hubspot", "salesforce"]),
                Rule::presence => known.push("is"),
                Rule::guard_otherwise | Rule::picklist_otherwise => known.push("otherwise"),
                Rule::park => known.push("park"),
                Rule::association | Rule::association_changes | Rule::association_mark => {
                    known.push("primary");
                }
                Rule::hand_over => known.push("then"),
                Rule::expect_write => known.extend(["create", "update"]),
                _ => known.extend(words(*rule).and_then(Words::keyword)),
            }
        }
        known
    }

    /// A reserved word where a name could stand.
    fn reserved(&self) -> Option<Diagnostic> {
        let names = [
            Rule::value,
            Rule::field,
            Rule::path,
            Rule::root,
            Rule::local,
            Rule::item_name,
            Rule::mapping_name,
            Rule::fields_name,
            Rule::order_name,
            Rule::step_name,
            Rule::step,
            Rule::field_rule,
            Rule::rule_line,
            Rule::shared_line,
            Rule::use_,
            Rule::both_ways,
            Rule::to_hubspot,
            Rule::to_salesforce,
            Rule::sync_rule_line,
            Rule::entry,
            Rule::condition,
            Rule::template,
            Rule::field_tests,
            Rule::field_rung,
            Rule::key_rung,
            Rule::object_rung,
        ];
        (RESERVED.contains(&self.found) && self.expects(&names)).then(|| {
            if self.found == "not" && self.expects(&[Rule::value, Rule::pipe, Rule::path, Rule::template]) {
                let asked = first_token(self.statement.text[self.at + self.found.len()..].trim_start());
                let message = "`not` begins a condition, and a value was expected";
                let help =
                    format!("a condition that is a value stands in parentheses: write `(not {asked})`");
                return Diagnostic::error(Code::SYNTAX_RESERVED, self.span, message).help(help);
            }
            let quoted = format!("`{}`", self.found);
            let message = format!("{quoted} is a reserved word, and {} was expected", self.expected_list());
            Diagnostic::error(Code::SYNTAX_RESERVED, self.span, message)
                .help("if it is a name, put it in back-quotes")
                .fix(self.span, quoted)
        })
    }

    fn expected(&self) -> Diagnostic {
        let finding = self.error(self.message());
        if let Some(help) = self.plain_help() {
            return finding.help(help);
        }
        if let Some(help) = self.of_object() {
            return finding.help(help);
        }
        let ends = self.expects(&[Rule::EOI]);
        if let Some(help) = self.in_rung(ends) {
            return finding.help(help);
        }
        match (self.statement.kind, self.found) {
            (_, ")" | "]") if ends => {
                let message = format!("this `{}` closes nothing", self.found);
                return self.error(message).help("delete it, or write the bracket that it closes");
            }
            (BlockKind::Match, "where" | "and") if ends && self.is_key() => return self.key_with_where(),
            (BlockKind::Match, "or") if ends => return finding.help("each rung stands on a line of its own"),
            (
                BlockKind::Rules
                | BlockKind::Shared
                | BlockKind::SyncRules
                | BlockKind::Mapping
                | BlockKind::Sync,
                symbol,
            ) if ends && CONDITION_TOKENS.contains(&symbol) => {
                return finding.help("a condition stands after `if`, after `only if` or in parentheses");
            }
            _ => {}
        }
        match (self.statement.kind, self.at) {
            (BlockKind::Rules | BlockKind::Shared, 0) => finding.help("a rule is written `Email <- email`"),
            (BlockKind::SyncRules, 0) => finding.help("a rule is written `name <-> Name`"),
            (BlockKind::Match, 0) => {
                finding.help("a rung is written `key FIELD = VALUE` or `or FIELD = VALUE`")
            }
            (BlockKind::Picklist, 0) => finding.help("a translation is written `\"A\" -> \"B\"`"),
            _ if !ends
                || shape::first_word(self.found).is_empty()
                || self.statement.kind == BlockKind::File =>
            {
                finding
            }
            _ => finding.help("each statement stands on a line of its own"),
        }
    }

    /// What to write for a test that a rung does not have.
    fn in_rung(&self, ends: bool) -> Option<&'static str> {
        match (self.statement.kind, self.found) {
            (BlockKind::Match, "is" | "in" | "not") if !ends => {
                Some("a rung looks for a value, `FIELD = VALUE`; other tests stand behind `where`")
            }
            (BlockKind::Match, "and") if ends && !self.is_key() => {
                Some("write `where` before the second test: `FIELD = VALUE where FIELD = VALUE`")
            }
            _ => None,
        }
    }

    /// What to write where that does not depend on the author's text.
    fn plain_help(&self) -> Option<&'static str> {
        if self.found.is_empty() && self.before().ends_with(['|', '+', '-', '*', '/', ',', '=']) {
            return Some("a statement ends with its line; it goes on when the next line begins with `|`");
        }
        if self.statement.kind == BlockKind::File && self.found == "-" {
            return Some("a name holds letters, digits and `_`; anything else goes in back-quotes");
        }
        if self.expects(&[Rule::kw_else]) {
            return Some("every `if` has an `else`; write `else nothing` for no value");
        }
        self.of_conversion()
    }

    /// What to write for a `convert` without its status, or for a line of it that looks like a rule.
    fn of_conversion(&self) -> Option<&'static str> {
        let is_head = shape::first_word(self.statement.text) == "convert";
        if is_head && self.expects(&[Rule::kw_to, Rule::text]) {
            return Some("write the status that the Lead takes: `convert to \"STATUS\" {`");
        }
        let is_rule =
            self.statement.kind == BlockKind::Convert && matches!(self.found, "=" | ":" | "<-" | "->");
        is_rule.then_some("the value stands behind the word: `account create`")
    }

    /// How an object or its field is named in full.
    fn of_object(&self) -> Option<String> {
        let found = self.found;
        if self.expects(&[Rule::object_field]) && found.matches('.').count() == 1 {
            return Some(format!("name a field of it, as in `{found}.Id`"));
        }
        // Salesforce's API names begin with a capital letter, HubSpot's do not.
        let side = if found.starts_with(|c: char| c.is_ascii_uppercase()) { "salesforce" } else { "hubspot" };
        let is_bare = self.expects(&[Rule::side]) && !found.is_empty() && !found.contains('.');
        is_bare.then(|| format!("name its CRM, as in `{side}.{found}`"))
    }

    /// Whether the statement, in a ladder, is its key.
    fn is_key(&self) -> bool {
        self.before().split_whitespace().any(|word| word == "key")
    }

    fn key_with_where(&self) -> Diagnostic {
        let message = "a key has no `where`: the write by it would no longer be atomic";
        self.error(message).help("write it as a rung below the key: `or FIELD = VALUE where …`")
    }

    pub(super) fn message(&self) -> String {
        let found = match self.found {
            "" if self.statement.kind == BlockKind::File => "`{`".to_owned(),
            "" => "the end of the line".to_owned(),
            found => quote(found),
        };
        format!("expected {}, found {found}", self.expected_list())
    }

    fn expected_list(&self) -> String {
        let names: BTreeSet<Words> = self.rules.iter().filter_map(|rule| words(*rule)).collect();
        let mut texts: Vec<String> = Vec::with_capacity(names.len());
        for name in names {
            let head_end = self.statement.kind == BlockKind::File && name.text == "the end of the line";
            let name = if head_end { "`{`" } else { name.text };
            // An example may hold a comma; a list of words begins with a back-quote.
            let single = if name.starts_with('`') { name.split(", ").collect() } else { vec![name] };
            for text in single {
                if !texts.iter().any(|known| known == text) {
                    texts.push(text.to_owned());
                }
            }
        }
        if texts.is_empty() { "something else".to_owned() } else { list(texts, "or") }
    }
}

const MAPPING_STATEMENTS: &[&str] = &[
    "from",
    "to",
    "with",
    "let",
    "when",
    "only if",
    "match",
    "on",
    "assignment rule",
    "record type",
    "associate",
    "convert to",
    "fields",
];

const SYNC_STATEMENTS: &[&str] = &[
    "between",
    "with",
    "let",
    "when",
    "only if",
    "match",
    "on",
    "assignment rule",
    "record type",
    "associate",
    "fields",
];

const PICKLIST_STATEMENTS: &[&str] = &["from", "to", "otherwise", "\"A\" -> \"B\""];

/// What an option may become besides another one.
const PICKLIST_VALUES: &[&str] = &["nothing", "park"];

const POLICY_WORDS: &[&str] = &["on", "otherwise", "once", "advance", "if"];

const SITUATION_WORDS: &[&str] =
    &["none", "many", "taken", "converted", "duplicate", "rejected", "source", "target", "deleted", "merged"];

const ACTION_WORDS: &[&str] =
    &["create", "skip", "park", "newest", "oldest", "adopt", "allow", "follow", "unlink", "drop", "then"];

fn is_keyword(name: Words, word: &str) -> bool {
    name.keyword() == Some(word)
}

/// The token at the start of a text: a word, a short symbol, or the beginning of a text literal.
pub(super) fn first_token(text: &str) -> &str {
    let mut length = shape::first_name(text).len();
    while length > 0 && text[length..].starts_with('.') {
        match shape::first_name(&text[length + 1..]).len() {
            0 => break,
            part => length += 1 + part,
        }
    }
    if length > 0 {
        return &text[..length];
    }
    if text.starts_with('"') {
        // As much as a person needs to recognise it.
        let line = &text[..text.find('\n').unwrap_or(text.len())];
        let end = line[1..].find('"').map_or(line.len(), |end| end + 2);
        return if line[..end].chars().count() > 24 { &line[..1] } else { &line[..end] };
    }
    let symbol = ["<->", "<-", "->", "<=", ">=", "!="].into_iter().find(|symbol| text.starts_with(symbol));
    let length = symbol.map_or_else(|| text.chars().next().map_or(0, char::len_utf8), str::len);
    &text[..length]
}

/// The author's text in back-quotes.
fn quote(text: &str) -> String {
    if text.contains('`') { text.to_owned() } else { format!("`{text}`") }
}

/// `a, b or c`
fn list(texts: impl IntoIterator<Item = String>, last: &str) -> String {
    let mut texts: Vec<String> = texts.into_iter().collect();
    match (texts.pop(), texts.is_empty()) {
        (Some(only), true) => only,
        (Some(end), false) => format!("{} {last} {end}", texts.join(", ")),
        (None, _) => String::new(),
    }
}
