//! Every statement of `mapping` and `sync`, of `match` and of `fields`.

use super::writer::{Place, Writer};

impl Writer<'_> {
    /// A statement that mappings and syncs share.
    pub(crate) fn shared_statement(&mut self) {
        match self.tape.below(9) {
            0 => {
                self.tokens(&["with"]);
                self.name();
                self.token("=");
                self.association();
            }
            1 => {
                self.tokens(&["with", "each"]);
                self.name();
                self.token("=");
                self.object();
                self.soft();
                self.token("where");
                self.field_tests(0, true);
            }
            2 => {
                self.token("let");
                self.name();
                self.token("=");
                self.value(0, true);
            }
            3 => self.when(),
            4 => {
                self.tokens(&["only", "if"]);
                self.condition(0, true);
                self.guard_otherwise();
            }
            5 => self.outcome(),
            6 => {
                self.tokens(&["assignment", "rule"]);
                match self.tape.pick(&["on", "off", ""]) {
                    "" => self.text(),
                    word => self.token(word),
                }
            }
            7 => {
                self.tokens(&["record", "type"]);
                self.value(0, true);
            }
            _ => self.associate(),
        }
    }

    fn association(&mut self) {
        if self.tape.once_in(2) {
            self.text();
        } else {
            self.token("primary");
        }
        self.object();
    }

    fn when(&mut self) {
        self.token("when");
        match self.tape.below(5) {
            0 => self.token("created"),
            1 => {
                self.path();
                self.token("changes");
            }
            2 => {
                self.path();
                self.token("becomes");
                if self.tape.once_in(2) {
                    self.bracketed("[", "]", 1, Self::literal);
                } else {
                    self.literal();
                }
            }
            3 => {
                self.tokens(&["any", "of"]);
                self.bracketed("(", ")", 1, Self::path);
                self.token("changes");
            }
            _ => {
                self.association();
                self.token("changes");
            }
        }
    }

    fn park(&mut self) {
        self.token("park");
        if self.tape.once_in(2) {
            self.text();
        }
    }

    pub(crate) fn hand_over(&mut self) {
        self.soft();
        self.token("then");
        self.name();
    }

    fn guard_otherwise(&mut self) {
        if !self.tape.once_in(2) {
            return;
        }
        self.soft();
        self.token("otherwise");
        match self.tape.below(4) {
            0 => self.token("skip"),
            1 => self.token("wait"),
            2 => self.park(),
            _ => self.hand_over(),
        }
    }

    fn outcome(&mut self) {
        self.token("on");
        match self.tape.below(8) {
            0 => self.token("none"),
            1 => {
                let side = self.side();
                self.tokens(&["none", "in", side]);
            }
            6 => {
                let what = self.tape.pick(&["deleted", "merged"]);
                self.tokens(&["source", what]);
            }
            7 => {
                let what = self.tape.pick(&["deleted", "merged"]);
                self.tokens(&["target", what]);
            }
            other => self.token(["many", "taken", "converted", "duplicate", "rejected", ""][other - 2]),
        }
        let action = self.tape.pick(&[
            "create", "skip", "newest", "oldest", "adopt", "allow", "follow", "unlink", "drop", "park",
            "then",
        ]);
        match action {
            "drop" => self.tokens(&["drop", "field"]),
            "park" => self.park(),
            "then" => self.hand_over(),
            word => self.token(word),
        }
    }

    fn associate(&mut self) {
        self.token("associate");
        if self.tape.once_in(3) {
            self.token("exactly");
        }
        match self.tape.below(3) {
            0 => {}
            1 => self.token("primary"),
            _ => self.text(),
        }
        self.token("linked");
        self.object();
        self.token("of");
        self.path();
        self.guard_otherwise();
    }

    /// A rung; every one but the first begins with `or`.
    pub(crate) fn rung(&mut self, first: bool) {
        if !first {
            self.token("or");
        }
        match self.tape.below(4) {
            0 => {
                self.token("key");
                if self.tape.once_in(2) {
                    self.object_field();
                } else {
                    self.name();
                }
                self.token("=");
                self.value(0, false);
            }
            1 => {
                self.object();
                self.soft();
                self.token("where");
                self.field_tests(0, false);
                if self.tape.once_in(2) {
                    self.hand_over();
                }
            }
            other => {
                self.name();
                self.token("=");
                self.pipe(0, false);
                if other == 3 {
                    self.soft();
                    self.token("where");
                    self.field_tests(0, false);
                }
            }
        }
    }

    /// `convert to "…" { … }`
    pub(crate) fn convert(&mut self) {
        self.tokens(&["convert", "to"]);
        self.text();
        self.block(4, |w, _| match w.tape.below(5) {
            0 => w.tokens(&["account", "create"]),
            1 => {
                w.token("account");
                w.value(0, true);
                w.convert_otherwise("create");
            }
            2 => w.tokens(&["opportunity", "none"]),
            3 => {
                w.token("opportunity");
                w.value(0, true);
            }
            _ => {
                w.token("owner");
                w.value(0, true);
                w.convert_otherwise("keep");
            }
        });
    }

    fn convert_otherwise(&mut self, own: &str) {
        if !self.tape.once_in(2) {
            return;
        }
        self.soft();
        self.token("otherwise");
        match self.tape.below(3) {
            0 => self.token(own),
            1 => self.token("wait"),
            _ => self.park(),
        }
    }

    pub(crate) fn field_rule(&mut self) {
        self.name();
        self.token("<-");
        self.value(0, true);
        while self.tape.once_in(2) {
            self.policy();
        }
    }

    pub(crate) fn sync_rule(&mut self) {
        match self.tape.below(3) {
            0 => {
                self.name();
                self.token("<->");
                self.name();
                if self.tape.once_in(3) {
                    self.token("via");
                    self.step(0);
                    while self.tape.once_in(3) {
                        self.soft();
                        self.token("|");
                        self.step(0);
                    }
                }
            }
            1 => {
                self.name();
                self.token("<-");
                self.value(0, true);
            }
            _ => {
                self.value(0, true);
                self.token("->");
                self.name();
            }
        }
        while self.tape.once_in(2) {
            match self.tape.below(4) {
                0 => {
                    let side = self.side();
                    self.soft();
                    self.tokens(&["on", "conflict", side]);
                }
                1 => {
                    let side = self.side();
                    self.soft();
                    self.tokens(&["on", "conflict", "latest", "otherwise", side]);
                }
                2 => {
                    let side = self.side();
                    self.soft();
                    self.tokens(&[side, "fills", "only"]);
                }
                _ => self.policy(),
            }
        }
    }

    fn policy(&mut self) {
        self.soft();
        match self.tape.below(8) {
            0 => self.tokens(&["on", "create"]),
            1 => self.tokens(&["on", "update"]),
            2 => self.tokens(&["on", "blank", "clear"]),
            3 => self.tokens(&["if", "target", "is", "blank"]),
            4 => {
                self.tokens(&["advance", "only", "along"]);
                self.name();
            }
            5 => {
                let word = self.tape.pick(&["true", "false"]);
                self.tokens(&["once", word, "stays", word]);
            }
            _ => {
                self.token("otherwise");
                match self.tape.below(4) {
                    0 => self.token("keep"),
                    1 => self.token("wait"),
                    2 => self.park(),
                    _ => self.literal(),
                }
            }
        }
    }

    /// `{ NAME: VALUE, … }` of a test.
    pub(crate) fn record(&mut self) {
        self.bracketed("{", "}", 0, |w| {
            w.name();
            w.token(":");
            match w.tape.below(4) {
                0 => w.token("absent"),
                1 => w.token("kept"),
                _ => w.literal(),
            }
        });
    }

    /// A block of statements.
    pub(crate) fn block(&mut self, most: usize, mut one: impl FnMut(&mut Self, usize)) {
        self.soft();
        self.token("{");
        self.maybe_line_end();
        let count = self.tape.below(most + 1);
        for index in 0..count {
            if index > 0 {
                self.line_end();
            }
            let before = self.enter(Place::Line);
            one(self, index);
            self.leave(before);
        }
        self.maybe_line_end();
        self.token("}");
    }
}
