//! Values, conditions and the tests of a `where`: every form of them.

use super::writer::{Place, Writer};

/// Names that need care: words of the language, reserved ones in back-quotes, anything else.
const NAMES: &[&str] = &[
    "a",
    "email",
    "Owner",
    "HubSpot_Contact_ID__c",
    "type",
    "status",
    "date",
    "key",
    "from",
    "on",
    "once",
    "x1",
    "_y",
    "`where`",
    "`back quoted`",
    "`größe 🦀`",
    "`a#b`",
    "`{(\"`",
    "each",
    "created",
    "a_name_that_is_much_longer_than_any_other_name_that_a_person_would_write__c",
];

const PARTS: &[&str] = &["Id", "in", "where", "`x y`", "nothing", "Name"];

const NUMBERS: &[&str] = &["1", "0", "-1", "12.50", "-0.0001", "9999999999999999999999999999", "007", "1.10"];

const PIECES: &[&str] =
    &["x", " ", "# no comment", "\\n", "\\\"", "\\\\", "\\{", "\\}", "ünï 🦀", "\t", "//", "'", "`", "<- |"];

/// Deeper values are only fields.
const DEPTH: usize = 5;

impl Writer<'_> {
    pub(crate) fn name(&mut self) {
        let name = self.tape.pick(NAMES);
        self.token(name);
    }

    pub(crate) fn path(&mut self) {
        let mut path = self.tape.pick(NAMES).to_owned();
        while self.tape.once_in(4) {
            path.push('.');
            path.push_str(self.tape.pick(PARTS));
        }
        self.token(&path);
    }

    pub(crate) fn object(&mut self) {
        let object = format!("{}.{}", self.side(), self.tape.pick(NAMES));
        self.token(&object);
    }

    pub(crate) fn object_field(&mut self) {
        let field = format!("{}.{}.{}", self.side(), self.tape.pick(NAMES), self.tape.pick(PARTS));
        self.token(&field);
    }

    pub(crate) fn side(&mut self) -> &'static str {
        self.tape.pick(&["hubspot", "salesforce"])
    }

    /// A text without holes.
    pub(crate) fn text(&mut self) {
        let mut text = "\"".to_owned();
        while self.tape.once_in(2) {
            text.push_str(self.tape.pick(PIECES));
        }
        text.push('"');
        self.token(&text);
    }

    pub(crate) fn literal(&mut self) {
        match self.tape.below(4) {
            0 => self.text(),
            1 => {
                let number = self.tape.pick(NUMBERS);
                self.token(number);
            }
            2 => {
                let word = self.tape.pick(&["true", "false"]);
                self.token(word);
            }
            _ => self.token("nothing"),
        }
    }

    /// Something in brackets, parted by commas, perhaps with one at the end.
    pub(crate) fn bracketed(
        &mut self,
        open: &str,
        close: &str,
        least: usize,
        mut one: impl FnMut(&mut Self),
    ) {
        self.token(open);
        let before = self.enter(Place::Brackets);
        let count = least + self.tape.below(4);
        for index in 0..count {
            if index > 0 {
                self.token(",");
            }
            one(self);
        }
        if count > 0 && self.tape.once_in(8) {
            self.token(",");
        }
        self.token(close);
        self.leave(before);
    }

    /// `soft_or`: whether a line may begin with `or` here.
    pub(crate) fn value(&mut self, depth: usize, soft_or: bool) {
        if depth < DEPTH && self.tape.once_in(10) {
            self.if_value(depth, soft_or);
        } else {
            self.pipe(depth, soft_or);
        }
    }

    fn if_value(&mut self, depth: usize, soft_or: bool) {
        self.token("if");
        self.condition(depth + 1, soft_or);
        self.soft();
        self.token("then");
        self.value(depth + 1, soft_or);
        self.soft();
        self.token("else");
        self.value(depth + 1, soft_or);
    }

    pub(crate) fn pipe(&mut self, depth: usize, soft_or: bool) {
        self.sum(depth, soft_or);
        while self.tape.once_in(3) {
            self.soft();
            self.token("|");
            self.step(depth);
        }
    }

    pub(crate) fn step(&mut self, depth: usize) {
        self.name();
        if self.tape.once_in(3) {
            self.bracketed("(", ")", 0, |w| w.value(depth + 1, true));
        }
    }

    fn sum(&mut self, depth: usize, soft_or: bool) {
        self.primary(depth, soft_or);
        while self.tape.once_in(8) {
            let operator = self.tape.pick(&["+", "-", "*", "/"]);
            self.token(operator);
            self.primary(depth, soft_or);
        }
    }

    fn primary(&mut self, depth: usize, soft_or: bool) {
        if depth >= DEPTH {
            return self.path();
        }
        match self.tape.below(12) {
            0..4 => self.path(),
            4 => {
                let number = self.tape.pick(NUMBERS);
                self.token(number);
            }
            5 => {
                let word = self.tape.pick(&["true", "false", "nothing"]);
                self.token(word);
            }
            6 => self.template(depth),
            7 => {
                self.name();
                // The name of a function is one because of the bracket behind it.
                self.stay();
                self.bracketed("(", ")", 0, |w| w.value(depth + 1, true));
            }
            8 => {
                self.token("(");
                let before = self.enter(Place::Brackets);
                self.condition(depth + 1, true);
                self.token(")");
                self.leave(before);
            }
            9 => self.bracketed("[", "]", 0, |w| w.value(depth + 1, true)),
            10 => {
                self.token("lookup");
                self.object_field();
                self.soft();
                self.token("where");
                self.field_tests(depth + 1, soft_or);
            }
            _ => {
                self.token("linked");
                self.object();
                self.token("of");
                self.path();
            }
        }
    }

    /// A text with holes, which may hold texts with holes.
    pub(crate) fn template(&mut self, depth: usize) {
        self.token("\"");
        while self.tape.once_in(2) {
            if depth < DEPTH && self.tape.once_in(2) {
                self.raw("{");
                let before = self.enter(Place::Hole);
                self.value(depth + 1, true);
                self.leave(before);
                self.raw("}");
            } else {
                let piece = self.tape.pick(PIECES);
                self.raw(piece);
            }
        }
        self.raw("\"");
    }

    pub(crate) fn condition(&mut self, depth: usize, soft_or: bool) {
        self.negation(depth, soft_or);
        while self.tape.once_in(5) {
            let word = self.tape.pick(&["and", "or"]);
            if word == "and" || soft_or {
                self.soft();
            }
            self.token(word);
            self.negation(depth, soft_or);
        }
    }

    fn negation(&mut self, depth: usize, soft_or: bool) {
        while self.tape.once_in(8) {
            self.token("not");
        }
        self.pipe(depth, soft_or);
        match self.tape.below(5) {
            0 => {}
            1 => self.presence(),
            2 => {
                self.tokens(&["not", "in"]);
                self.pipe(depth + 1, soft_or);
            }
            3 => {
                self.token("in");
                self.pipe(depth + 1, soft_or);
            }
            _ => {
                self.comparison();
                self.pipe(depth + 1, soft_or);
            }
        }
    }

    fn comparison(&mut self) {
        let operator = self.tape.pick(&["=", "!=", "<", "<=", ">", ">="]);
        self.token(operator);
    }

    fn presence(&mut self) {
        let word = self.tape.pick(&["present", "blank"]);
        self.tokens(&["is", word]);
    }

    pub(crate) fn field_tests(&mut self, depth: usize, soft_or: bool) {
        self.field_test(depth, soft_or);
        while self.tape.once_in(3) {
            self.soft();
            self.token("and");
            self.field_test(depth, soft_or);
        }
    }

    fn field_test(&mut self, depth: usize, soft_or: bool) {
        self.path();
        match self.tape.below(3) {
            0 => {
                self.comparison();
                self.pipe(depth + 1, soft_or);
            }
            1 => self.presence(),
            _ => {
                self.token("in");
                self.bracketed("[", "]", 0, |w| w.value(depth + 1, true));
            }
        }
    }
}
