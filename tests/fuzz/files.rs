//! Whole files: every item.

use super::tape::Tape;
use super::writer::Writer;

/// A file that the grammar allows; what it names need not exist.
pub(crate) fn file(tape: &[u8]) -> String {
    let mut writer = Writer::new(Tape::new(tape));
    writer.maybe_line_end();
    while !writer.tape.is_empty() {
        writer.item();
        writer.line_end();
    }
    writer.finish()
}

impl Writer<'_> {
    fn item(&mut self) {
        match self.tape.below(8) {
            0 => self.test(),
            1 => self.shared(),
            2 => self.picklist(),
            3 => self.order(),
            4 | 5 => self.sync(),
            _ => self.mapping(),
        }
    }

    fn mapping(&mut self) {
        self.token("mapping");
        self.name();
        self.block(10, |w, _| match w.tape.below(8) {
            0 => {
                w.token("from");
                w.object();
            }
            1 => {
                w.token("to");
                w.object();
            }
            2 if w.tape.once_in(2) => w.convert(),
            2 => {
                w.token("match");
                w.block(4, |w, index| w.rung(index == 0));
            }
            3 | 4 => {
                w.token("fields");
                w.block(8, |w, _| {
                    if w.tape.once_in(8) {
                        w.token("use");
                        w.name();
                    } else {
                        w.field_rule();
                    }
                });
            }
            _ => w.shared_statement(),
        });
    }

    fn sync(&mut self) {
        self.token("sync");
        self.name();
        self.block(10, |w, _| match w.tape.below(6) {
            0 => {
                w.token("between");
                w.object();
                w.soft();
                w.token("and");
                w.object();
            }
            1 => {
                w.token("match");
                w.block(4, |w, index| w.rung(index == 0));
            }
            2 | 3 => {
                w.token("fields");
                w.block(8, |w, _| w.sync_rule());
            }
            _ => w.shared_statement(),
        });
    }

    fn shared(&mut self) {
        self.token("fields");
        self.name();
        self.token("from");
        self.object();
        self.block(6, |w, _| w.field_rule());
    }

    fn picklist(&mut self) {
        self.token("picklist");
        self.name();
        self.block(8, |w, _| match w.tape.below(6) {
            0 => {
                let word = w.tape.pick(&["from", "to"]);
                w.token(word);
                w.object_field();
            }
            1 => {
                w.tokens(&["otherwise", "->"]);
                match w.tape.below(3) {
                    0 => w.text(),
                    1 => w.token("nothing"),
                    _ => {
                        w.token("park");
                        if w.tape.once_in(2) {
                            w.text();
                        }
                    }
                }
            }
            2 => {
                w.text();
                w.tokens(&["->", "nothing"]);
            }
            other => {
                w.text();
                w.token(if other == 3 { "<->" } else { "->" });
                w.text();
            }
        });
    }

    fn order(&mut self) {
        self.token("order");
        self.name();
        self.token("of");
        self.object_field();
        self.block(2, |w, _| {
            w.text();
            while w.tape.once_in(2) {
                w.soft();
                w.token("then");
                w.text();
            }
        });
    }

    fn test(&mut self) {
        self.token("test");
        self.text();
        self.block(6, |w, _| match w.tape.below(6) {
            0 => {
                let word = w.tape.pick(&["mapping", "sync"]);
                w.token(word);
                w.name();
            }
            1 | 2 => {
                w.token("given");
                w.object();
                w.record();
            }
            3 => {
                w.token("expect");
                match w.tape.below(4) {
                    3 => {
                        w.token("converted");
                        w.record();
                    }
                    0 => w.token("skip"),
                    1 => {
                        w.token("park");
                        if w.tape.once_in(2) {
                            w.text();
                        }
                    }
                    _ => {
                        w.tokens(&["then"]);
                        w.name();
                    }
                }
            }
            _ => {
                let word = w.tape.pick(&["create", "update"]);
                w.tokens(&["expect", word]);
                w.object();
                w.record();
            }
        });
    }
}
