//! What an author probably meant, by what stands where the parser stopped and around it.

use crate::diagnostic::{Diagnostic, did_you_mean, nearest};

use super::explain::{Here, first_token, mended};
use super::grammar::Rule;
use super::habits;
use super::layout::BlockKind;
use super::shape;
use super::translate;

impl Here<'_, '_> {
    /// A habit of another language or a word in the wrong place, with what is written instead.
    pub(super) fn advice(&self) -> Option<Diagnostic> {
        let in_rule =
            matches!(self.statement.kind, BlockKind::Rules | BlockKind::Shared | BlockKind::SyncRules);
        self.count_in_pattern()
            .or_else(|| self.step_argument())
            .or_else(|| self.method())
            .or_else(|| self.formula())
            .or_else(|| self.is_null())
            .or_else(|| self.word_of_condition())
            .or_else(|| self.in_lookup())
            .or_else(|| if in_rule { self.in_ladder() } else { None })
            .or_else(|| if in_rule { self.in_rule() } else { None })
            .or_else(|| self.no_option())
            .or_else(|| self.in_picklist_or_order())
            .or_else(|| self.in_mapping())
            .or_else(|| self.in_test())
            .or_else(|| self.comma())
    }

    #[expect(clippy::unnecessary_wraps, reason = "every caller gives an `Option`")]
    fn says(&self, message: impl Into<String>, help: impl Into<String>) -> Option<Diagnostic> {
        Some(self.error(message).help(help))
    }

    /// What follows the place where the parser stopped, up to the end of the line.
    fn rest(&self) -> &str {
        let rest = &self.statement.text[self.at..];
        &rest[..rest.find('\n').unwrap_or(rest.len())]
    }

    pub(super) fn after_found(&self) -> &str {
        self.rest()[self.found.len().min(self.rest().len())..].trim_start()
    }

    fn last_word(&self) -> &str {
        let before = self.before();
        &before[before.rfind(|c: char| !(c.is_alphanumeric() || c == '_')).map_or(0, |at| next(before, at))..]
    }

    /// `"[A-Z]{2,3}"`: a count of a pattern, where a brace begins a value.
    fn count_in_pattern(&self) -> Option<Diagnostic> {
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let (_, least) = self.before().rsplit_once('{')?;
        let (most, _) = self.after_found().split_once('}')?;
        (self.found == "," && !least.is_empty() && is_digits(least) && is_digits(most)).then(|| {
            self.error("a brace in a text begins a value")
                .help(format!("one that is only text is written `\\{{`: write `\\{{{least},{most}\\}}`"))
        })
    }

    /// `| truncate 80`
    fn step_argument(&self) -> Option<Diagnostic> {
        let step = self.last_word();
        let bar = self.before().strip_suffix(step)?.trim_end();
        if step.is_empty() || !bar.ends_with('|') || step == "otherwise" {
            return None;
        }
        let rest = self.rest().trim_start_matches([':', ' ']);
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
        let argument = if digits > 0 { &rest[..digits] } else { first_token(rest) };
        let given = argument.starts_with(|c: char| c.is_ascii_digit() || c == '"');
        (given || self.found == ":").then(|| {
            self.error(format!("the arguments of `{step}` stand in parentheses"))
                .help(format!("write `{step}({argument})`"))
        })
    }

    /// `firstname.trim()`
    fn method(&self) -> Option<Diagnostic> {
        let before = self.before();
        if self.found != "(" || before.ends_with(['`', ' ']) {
            return None;
        }
        let start = before.rfind(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.')));
        let path = &before[start.map_or(0, |at| next(before, at))..];
        let (value, name) = path.rsplit_once('.')?;
        let mut steps = value.to_owned();
        let (mut name, mut rest) = (name, self.rest());
        while let Some(end) = rest.find(')') {
            let arguments = rest[1..end].trim();
            let arguments = if arguments.is_empty() { String::new() } else { format!("({arguments})") };
            steps = format!("{steps} | {name}{arguments}");
            let Some(more) = rest[end + 1..].strip_prefix('.') else { break };
            name = shape::first_word(more);
            rest = &more[name.len()..];
            if !rest.starts_with('(') {
                break;
            }
        }
        self.says("a function is a step after `|`", format!("write `{steps}`"))
    }

    /// `IF(a = 1, b, c)`: a condition where a formula has an argument.
    fn formula(&self) -> Option<Diagnostic> {
        let before = self.before();
        let mut depth = 0_usize;
        let open = before.char_indices().rev().find(|(_, c)| match c {
            ')' => {
                depth += 1;
                false
            }
            '(' if depth > 0 => {
                depth -= 1;
                false
            }
            c => *c == '(',
        });
        let called = before[..open?.0].trim_end();
        let name = &called
            [called.rfind(|c: char| !(c.is_alphanumeric() || c == '_')).map_or(0, |at| next(called, at))..];
        let start = called.len() - name.len();
        let whole = &self.statement.text[start..];
        let whole = shape::closing(whole).map(|close| &whole[..=close]);
        if name == "if" && self.found == "," {
            let own = whole.and_then(translate::call);
            let own = own.as_deref().unwrap_or("if CONDITION then VALUE else VALUE");
            return self.says("`if` takes no parentheses and commas", format!("write `{own}`"));
        }
        if name == "in" && self.found == "," {
            let list =
                whole.and_then(|text| text.split_once('(')).map(|(_, list)| list.trim_end_matches(')'));
            let list = list.unwrap_or("\"A\", \"B\"");
            return self.says("a list stands in square brackets", format!("write `in [{list}]`"));
        }
        let pattern = habits::instead_of_function(name)?;
        let own = whole.and_then(translate::call);
        self.says(
            format!("`{name}` is no function here, and a condition is no argument"),
            format!("write `{}`", own.as_deref().unwrap_or(pattern)),
        )
    }

    /// `x is null`, `x is not blank`, `x is "y"`
    fn is_null(&self) -> Option<Diagnostic> {
        let value = self.before().strip_suffix("is")?;
        if !value.ends_with(' ') {
            return None;
        }
        let start = value.trim_end().rfind([' ', '(']).map_or(0, |at| at + 1);
        let value = value[start..].trim();
        let blank = [
            "null",
            "NULL",
            "Null",
            "empty",
            "nil",
            "none",
            "None",
            "nothing",
            "undefined",
            "missing",
            "absent",
        ];
        let after = shape::first_word(self.after_found());
        let instead = match self.found {
            "known" | "set" | "filled" | "given" => "is present",
            "unknown" | "unset" => "is blank",
            "changed" | "updated" => return None,
            "not" if after == "present" => "is blank",
            "not" if after == "blank" || blank.contains(&after) => "is present",
            word if blank.contains(&word) => "is blank",
            "not" => {
                return self.says(
                    "`is` asks only for `present` or `blank`",
                    format!("write `{value} != {}`", first_token(self.after_found())),
                );
            }
            found if found.starts_with('"') || matches!(found, "true" | "false") => {
                return self
                    .says("`is` asks only for `present` or `blank`", format!("write `{value} = {found}`"));
            }
            _ => return None,
        };
        let message = if self.found == "not" {
            "`not` does not stand after `is`".to_owned()
        } else {
            format!("expected `blank` or `present`, found `{}`", self.found)
        };
        self.says(message, format!("write `{value} {instead}`"))
    }

    /// `x contains "y"`
    fn word_of_condition(&self) -> Option<Diagnostic> {
        if !self.expects(&[Rule::compare_op, Rule::presence]) {
            return None;
        }
        let before = self.before();
        let start = before.rfind(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '`')));
        let value = &before[start.map_or(0, |at| next(before, at))..];
        let after = self.after_found();
        let after = after.strip_prefix("with").map_or(after, str::trim_start);
        let text = Some(first_token(after)).filter(|token| token.len() > 1 && token.starts_with('"'));
        let text = text.unwrap_or("\"text\"");
        let step = |name: &str, text: &str| format!("write `({value} | {name}({text}))`");
        let help = match self.found.to_ascii_lowercase().as_str() {
            "contains" | "includes" => step("contains", text),
            "starts" | "startswith" | "begins" => step("starts_with", text),
            "ends" | "endswith" => step("ends_with", text),
            "matches" => format!("{}, which takes a regular expression", step("matches", text)),
            "like" => match (text.strip_prefix("\"%"), text.strip_suffix("%\"")) {
                (Some(rest), Some(_)) if rest.len() > 1 => {
                    step("contains", &format!("\"{}\"", &rest[..rest.len() - 2]))
                }
                (Some(rest), None) => step("ends_with", &format!("\"{rest}")),
                (None, Some(rest)) => step("starts_with", &format!("{rest}\"")),
                _ => step("contains", text),
            },
            "equals" | "eq" | "equal" => {
                let after = after.strip_prefix("to ").unwrap_or(after);
                format!("write `{value} = {}`", first_token(after))
            }
            "between" => {
                let mut ends =
                    after.split(" and ").map(|end| end.split_whitespace().next().unwrap_or("VALUE"));
                let (low, high) = (ends.next().unwrap_or("VALUE"), ends.next().unwrap_or("VALUE"));
                format!("write `{value} >= {low} and {value} <= {high}`")
            }
            _ => return None,
        };
        self.says(format!("`{}` is not a comparison", self.found), help)
    }

    fn in_rule(&self) -> Option<Diagnostic> {
        let found = self.found;
        let target = shape::first_name(self.statement.text);
        if self.last_word() == "otherwise" {
            return self.after_otherwise();
        }
        if self.statement.kind == BlockKind::Shared && target == "use" && !self.before().is_empty() {
            return self
                .says("shared fields use no others", "write its rules here, or `use` both in the mapping");
        }
        let arrow_expected = self.expects(&[Rule::arrow_left, Rule::arrow_both]);
        if arrow_expected && found == "." {
            let text = first_token(self.statement.text);
            let name = text.rsplit('.').next().unwrap_or(text);
            return self.says("the field of a rule is named without its object", format!("write `{name}`"));
        }
        if arrow_expected && found == "," {
            return self.says("a rule writes one field", "write a rule for each field, on a line of its own");
        }
        if arrow_expected && matches!(found, "on" | "otherwise" | "once" | "advance") {
            return self.says(
                "a policy stands behind the value",
                format!("write `{target} <- VALUE {}`", policy(self.rest())),
            );
        }
        if self.statement.kind == BlockKind::SyncRules && arrow_expected {
            return self.in_two_way(target);
        }
        // The wrong arrow has words of its own.
        if target != "use"
            && arrow_expected
            && !matches!(found, "=" | ":" | "->" | "<-" | "<->" | "<=" | "<" | ">")
        {
            let (name, value) =
                (shape::first_word(found), self.after_found().trim_start_matches(['=', ':', '<', '-', '>']));
            let words = matches!(target, "set" | "map" | "copy" | "write" | "let") && !name.is_empty();
            let help = if words {
                format!("write `{name} <- {}`", value.trim())
            } else {
                format!("a rule is written `{target} {} VALUE`", habits::arrow(self.statement.kind))
            };
            return self.says(self.message(), help);
        }
        self.in_value()
    }

    fn after_otherwise(&self) -> Option<Diagnostic> {
        let (before, found) = (self.before(), self.found);
        if before.trim_end_matches("otherwise").trim_end().ends_with('|') {
            return self.says("`otherwise` is a policy and no step", "write it without the `|`");
        }
        let outcomes = "`otherwise keep`, `otherwise nothing`, a literal such as `otherwise \"Unknown\"`, `otherwise park` or `otherwise wait`";
        match found {
            "skip" => self.says("a rule cannot `skip`", format!("write {outcomes}")),
            "null" | "NULL" | "None" | "blank" | "empty" => {
                self.says(format!("there is no `{found}`"), "write `otherwise nothing`")
            }
            _ if found.is_empty() => None,
            _ if shape::first_word(found).is_empty() => None,
            _ => self.slip(&["keep", "nothing", "park", "wait"]).or_else(|| {
                self.says(
                    format!("after `otherwise` stands a fixed value, and `{found}` is none"),
                    format!("write {outcomes}; for the first of two fields write `first_present(a, b)`"),
                )
            }),
        }
    }

    /// A word that is nearly one of those that may stand here.
    fn slip(&self, known: &[&str]) -> Option<Diagnostic> {
        let help = did_you_mean(self.found, known.iter().copied())?;
        let near = nearest(self.found, known.iter().copied()).filter(|near| *near != self.found)?;
        let finding = mended(self.error(self.message()).help(help), self.span, self.found, near);
        finding.fix.is_some().then_some(finding)
    }

    fn in_value(&self) -> Option<Diagnostic> {
        let (before, found) = (self.before(), self.found);
        let value_expected = self.expects(&[Rule::value, Rule::pipe, Rule::path, Rule::template]);
        match (self.last_word(), found) {
            ("on", "create" | "update" | "blank" | "conflict")
                if before.trim_end_matches("on").trim_end().ends_with('-') =>
            {
                return self.says(
                    "a policy stands behind the value",
                    format!("write the value first and `on {found}` at the end of the line"),
                );
            }
            ("case" | "switch", _) if !value_expected => {
                return self.says(
                    format!("there is no `{}`", self.last_word()),
                    "write `if CONDITION then VALUE else VALUE`, or translate options with a `picklist`",
                );
            }
            (_, "elsif" | "elif" | "elseif") => {
                return self.says(format!("there is no `{found}`"), "write `else if`");
            }
            _ if self.condition_behind().is_some() => return self.condition_behind(),
            (_, "default") if self.expects(&[Rule::EOI]) => {
                let value = first_token(self.after_found());
                return self.says(
                    "`default` is a step",
                    format!("write `| default({value})` for a blank, or `otherwise {value}` for a failure"),
                );
            }
            ("on", "insert" | "new" | "creation") => return self.says(self.message(), "write `on create`"),
            ("on", "change" | "edit") => return self.says(self.message(), "write `on update`"),
            ("if", "blank" | "empty") if self.expects(&[Rule::kw_target]) => {
                return self.says(self.message(), "write `if target is blank`");
            }
            (_, "via") if self.expects(&[Rule::EOI]) => {
                let steps = self.after_found();
                return self.says(
                    "`via` belongs to a `<->`",
                    format!(
                        "write the steps behind the value: `{}`",
                        one_way_with_steps(self.statement.text, before, steps)
                    ),
                );
            }
            _ => {}
        }
        self.in_place_of_value()
    }

    /// `Title <- jobtitle if city = "Rome"`
    fn condition_behind(&self) -> Option<Diagnostic> {
        let text = self.statement.text;
        let before = self.before();
        let behind_if = self.expects(&[Rule::kw_target]) && before.ends_with(" if") && !self.found.is_empty();
        let words = ["if", "when", "unless", "only", "where"];
        let is_word = words.contains(&self.found) && self.expects(&[Rule::EOI]);
        if !behind_if && !is_word
            || self.rest().starts_with("if target")
            || matches!(self.found, "blank" | "empty")
        {
            return None;
        }
        let (word, value, condition) = if behind_if {
            ("if", before.trim_end_matches("if").trim_end(), self.rest())
        } else {
            (self.found, before, self.after_found())
        };
        let condition = condition.strip_prefix("if ").unwrap_or(condition).trim();
        let written = text.split_once("<-").map_or(value, |(target, _)| value[target.len() + 2..].trim());
        let help = if written.is_empty() || condition.is_empty() || text.contains('\n') {
            "write `if CONDITION then VALUE else nothing`".to_owned()
        } else if word == "unless" {
            format!("write `if {condition} then nothing else {written}`")
        } else {
            format!("write `if {condition} then {written} else nothing`")
        };
        self.says(format!("`{word}` does not stand behind a value"), help)
    }

    /// What stands where the arrow of a sync's rule is expected.
    fn in_two_way(&self, first: &str) -> Option<Diagnostic> {
        let (before, found) = (self.before(), self.found);
        if first == "use" && !found.is_empty() {
            return self.says(
                "a `sync` takes no shared fields: each of its rules has a direction",
                "write the rules here, with `->`, `<-` or `<->`",
            );
        }
        let (field, steps) = before.split_once('|').map(|(field, steps)| (field.trim(), steps.trim()))?;
        let after = self.after_found();
        let right = shape::first_name(after);
        if found != "<->" || right.is_empty() {
            return None;
        }
        let rest = after[right.len()..].trim();
        let gap = if rest.is_empty() { "" } else { "  " };
        self.says(
            "the steps of a two-way rule stand behind `via`",
            format!("write `{field} <-> {right} via {steps}{gap}{rest}`"),
        )
    }

    fn in_place_of_value(&self) -> Option<Diagnostic> {
        let (before, found) = (self.before(), self.found);
        let value_expected = self.expects(&[Rule::value, Rule::pipe, Rule::path, Rule::template]);
        let name = shape::first_word(self.after_found().trim_start_matches('{'));
        match found {
            "{" | "$" if value_expected && !name.is_empty() => self.says(
                format!("a field is named as it is, without `{found}`"),
                format!("write `{name}`, or `\"{{{name}}}\"` for a text with its value in it"),
            ),
            "{" if before.contains("if ") => self.says("`if` takes no braces", "write `if CONDITION then VALUE else VALUE`"),
            "-" if value_expected => self.says("a minus stands between two values", format!("write `0 - {}`", first_token(self.after_found()))),
            "." if value_expected => self.says("a number begins with a digit", format!("write `0.{}`", shape::first_word(self.after_found()))),
            _ if value_expected && has_exponent(found) => {
                self.says("a number has no exponent", "write all its digits, such as `1000` or `0.001`")
            }
            "," if before.ends_with(|c: char| c.is_ascii_digit()) && self.after_found().starts_with(|c: char| c.is_ascii_digit()) => {
                self.says("a number has no commas", format!("write `{}{}`", self.last_word(), shape::first_word(self.after_found())))
            }
            "|" if self.expects(&[Rule::via, Rule::kw_via]) => {
                self.says("the steps of a two-way rule stand behind `via`", format!("write `via {}`", self.after_found()))
            }
            _ if self.expects(&[Rule::kw_then]) && !self.expects(&[Rule::EOI]) => {
                self.says(self.message(), "write `if CONDITION then VALUE else VALUE`")
            }
            _ if self.last_word() == "latest" && self.expects(&[Rule::kw_otherwise]) => {
                self.says(self.message(), "write `on conflict latest otherwise salesforce` or `on conflict latest otherwise hubspot`: that side decides where nobody can tell")
            }
            _ if self.expects(&[Rule::kw_latest]) => {
                self.slip(&["hubspot", "salesforce", "latest"]).or_else(|| self.says(self.message(), "write `on conflict hubspot`, `on conflict salesforce` or `on conflict latest otherwise salesforce`"))
            }
            _ => None,
        }
    }

    /// A word where an option is translated or put in order.
    fn no_option(&self) -> Option<Diagnostic> {
        match (self.statement.kind, self.found) {
            (BlockKind::Picklist, "park")
                if self.before().ends_with("->") && self.last_word() != "otherwise" =>
            {
                self.says(
                    "a translation cannot `park`",
                    "remove the line, and write `otherwise -> park` for all options without one",
                )
            }
            (BlockKind::Picklist, "nothing" | "true" | "false") if self.at == 0 => {
                let help = match self.found {
                    "nothing" => {
                        "a blank stays blank: write `first_present(FIELD | PICKLIST, \"option\")` in the rule"
                    }
                    _ => "write `if FIELD then \"A\" else \"B\"` in the rule",
                };
                self.says(format!("a picklist translates options, and `{}` is none", self.found), help)
            }
            (BlockKind::Order, "true" | "false" | "nothing") if self.expects(&[Rule::text]) => self.says(
                format!("the stages of an order are options, and `{}` is none", self.found),
                "write options in double quotes: `\"A\" then \"B\"`",
            ),
            _ => None,
        }
    }

    fn in_picklist_or_order(&self) -> Option<Diagnostic> {
        let text = self.statement.text;
        match (self.statement.kind, self.found) {
            (BlockKind::Picklist, word @ ("default" | "else" | "_" | "*")) if self.at == 0 => {
                let to = text.split_once("->").map_or("\"option\"", |(_, to)| to.trim());
                self.says(
                    format!("`{word}` does not begin a translation"),
                    format!("write `otherwise -> {to}` for all options without a line"),
                )
            }
            (BlockKind::Picklist, word @ ("null" | "NULL" | "None" | "blank"))
                if self.before().ends_with("->") =>
            {
                self.says(format!("there is no `{word}`"), "write `nothing`")
            }
            (BlockKind::Picklist, word @ ("keep" | "skip" | "wait" | "create"))
                if self.before().ends_with("->") =>
            {
                self.says(
                    format!("a translation cannot `{word}`"),
                    "write an option in double quotes, `nothing`, or `park` behind `otherwise ->`",
                )
            }
            (BlockKind::Picklist, "," | "or") if !self.after_found().is_empty() => {
                self.says("a translation is of one option", "write a line for each option")
            }
            (BlockKind::Picklist, _) if self.last_word() == "otherwise" => {
                self.says(self.message(), format!("write `otherwise -> {}`", self.rest()))
            }
            (BlockKind::Picklist, object)
                if matches!(self.last_word(), "from" | "to")
                    && object.contains('.')
                    && !object.starts_with("hubspot.")
                    && !object.starts_with("salesforce.") =>
            {
                let side = if self.last_word() == "from" { "hubspot" } else { "salesforce" };
                self.says(self.message(), format!("name its CRM, as in `{side}.{object}`"))
            }
            (BlockKind::Order, symbol @ ("," | "->" | "<" | ">" | "<-")) if self.at > 0 => self.says(
                format!("the stages of an order are not parted by `{symbol}`"),
                format!("write `{} then {}`", self.before(), self.after_found()),
            ),
            _ => None,
        }
    }

    fn in_mapping(&self) -> Option<Diagnostic> {
        if !matches!(self.statement.kind, BlockKind::Mapping | BlockKind::Sync | BlockKind::Match) {
            return None;
        }
        let (text, found) = (self.statement.text, self.found);
        let first = shape::first_word(text);
        let one_line = !text.contains('\n') && text.len() < 100;
        let own = self.other_item().or_else(|| self.in_trigger()).or_else(|| self.in_outcome());
        let own = own.or_else(|| self.in_with());
        if let Some(finding) = own.or_else(|| self.in_ladder()) {
            return Some(finding);
        }
        match (first, found) {
            ("when", "or" | ",") if text.contains("becomes") => {
                self.says("`becomes` takes one value or a list", "write `becomes [\"A\", \"B\"]`")
            }
            ("on", ":") => self.says("`:` is not needed", "delete the `:`"),
            ("on", "because") => {
                self.says("`because` is not needed", format!("write `park {}`", self.after_found()))
            }
            ("only" | "when", "then") => None,
            _ if self.at == 0
                && one_line
                && self.after_found().starts_with('=')
                && shape::first_word(found) == found =>
            {
                self.says(
                    self.message_of_statement(found),
                    format!("write `let {text}` for a value, and rules in a block: `fields {{ … }}`"),
                )
            }
            _ if found.is_empty() || self.expects(&[Rule::EOI]) => None,
            _ if self.last_word() == "hubspot" || self.last_word() == "salesforce" => {
                self.says(self.message(), format!("write `{}.{found}`", self.last_word()))
            }
            _ => None,
        }
    }

    /// An object where the association is missing that leads to it.
    fn in_with(&self) -> Option<Diagnostic> {
        let is_with = shape::first_word(self.statement.text) == "with"
            && self.expects(&[Rule::association, Rule::kw_primary])
            && self.found.contains('.');
        let object = Some(self.found).filter(|_| is_with)?;
        match object.strip_prefix("salesforce.") {
            Some(name) => self.says(
                "a `with` follows an association, and only HubSpot has them",
                format!("follow a relationship where its value is needed, such as `{name}.Name`"),
            ),
            None => self.says(
                self.message(),
                format!(
                    "write `primary {object}`, or the label of the association in double quotes before it"
                ),
            ),
        }
    }

    fn message_of_statement(&self, word: &str) -> String {
        let block = if self.statement.kind == BlockKind::Sync { "sync" } else { "mapping" };
        if self.statement.kind == BlockKind::Match {
            self.message()
        } else {
            format!("`{word}` does not begin a statement of a `{block}`")
        }
    }

    fn in_test(&self) -> Option<Diagnostic> {
        if self.statement.kind != BlockKind::Test {
            return None;
        }
        let found = self.found;
        let name = found.trim_matches('"');
        let entry = self.expects(&[Rule::entry, Rule::field, Rule::close_brace]);
        if matches!(found, "null" | "NULL" | "None" | "nil") && self.before().ends_with(':') {
            return self.says(format!("there is no `{found}`"), "write `nothing`");
        }
        if entry && found.starts_with('"') && self.after_found().starts_with(':') {
            let plain = !name.is_empty() && shape::first_word(name) == name;
            let name = if plain { name.to_owned() } else { format!("a name in back-quotes: {name}") };
            return self.says("a field is named without quotes", format!("write `{name}`"));
        }
        let next = !shape::first_word(found).is_empty() && self.after_found().starts_with(':');
        if self.expects(&[Rule::comma]) && next {
            return self.says(self.message(), "the fields of a record are parted by commas");
        }
        if found == "[" && self.before().ends_with(':') {
            return self.says(
                "a field of a record is given one value",
                "write several options as the CRMs do: `\"A;B\"`",
            );
        }
        None
    }

    /// A comma at the end of a line.
    fn comma(&self) -> Option<Diagnostic> {
        (self.found == "," && self.after_found().is_empty() && self.expects(&[Rule::EOI])).then(|| {
            self.error("`,` is not needed")
                .help("a statement ends with its line; delete the `,`")
                .fix(self.span, "")
        })
    }
}

/// `phone -> Phone via trim` with its steps where they belong.
fn one_way_with_steps(text: &str, before: &str, steps: &str) -> String {
    match text.split_once("->") {
        Some((value, _)) if !value.contains('<') => {
            let target = before[value.len() + 2..].trim();
            format!("{} | {steps} -> {target}", value.trim())
        }
        _ => format!("{before} | {steps}"),
    }
}

/// `1e3`
fn has_exponent(number: &str) -> bool {
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    number.split_once(['e', 'E']).is_some_and(|(digits, power)| is_digits(digits) && is_digits(power))
}

/// The policy at the start of a rest, without the arrow and the value behind it.
fn policy(rest: &str) -> &str {
    rest.split("<-").next().unwrap_or(rest).trim()
}

/// The byte after the character at this one.
fn next(text: &str, at: usize) -> usize {
    at + text[at..].chars().next().map_or(0, char::len_utf8)
}
