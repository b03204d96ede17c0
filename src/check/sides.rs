//! Whose record a name of a `sync` means: HubSpot's or Salesforce's.

use crate::source::Side;
use crate::syntax::ast::{self, Condition, ConditionKind, Path, TestOp, Value, ValueKind};

/// A `let` of a sync, with its paths relative to the record that it reads.
pub(super) struct SidedLet {
    pub(super) line: ast::Let,
    /// The side of that record; none where it reads neither.
    pub(super) side: Option<Side>,
}

/// The side that a path begins with.
pub(super) fn side_of(path: &Path) -> Option<Side> {
    let [first, _, ..] = path.parts.as_slice() else { return None };
    Side::ALL.into_iter().find(|side| side.word() == first.value)
}

/// A path of one side as its record's own rules would write it.
pub(super) fn without_side(path: &Path) -> Path {
    let parts = path.parts[1..].to_vec();
    let span = parts.first().map_or(path.span, |first| first.span.to(path.span));
    Path { parts, span }
}

/// Whether a path is one name, and this one.
pub(super) fn is_name(path: &Path, name: &str) -> bool {
    matches!(path.parts.as_slice(), [only] if only.value == name)
}

/// The paths of a condition or a value: makes those of a side relative, and collects the sides and those that name none.
pub(super) struct Sides<'w> {
    withs: &'w [ast::With],
    lets: &'w [SidedLet],
    /// The sides that are read.
    pub(super) read: Vec<Side>,
    /// Paths that do not say on which side they stand.
    pub(super) bare: Vec<Path>,
    /// Paths that name their side.
    pub(super) named: Vec<(Path, Side)>,
    /// Paths that are the name of a `let`, and the side that it reads.
    pub(super) by_let: Vec<(Path, Side)>,
}

impl<'w> Sides<'w> {
    pub(super) fn new(withs: &'w [ast::With], lets: &'w [SidedLet]) -> Self {
        Self { withs, lets, read: Vec::new(), bare: Vec::new(), named: Vec::new(), by_let: Vec::new() }
    }

    fn path(&mut self, path: &mut Path) {
        if let Some(line) = self.lets.iter().find(|line| is_name(path, &line.line.name.value)) {
            if let Some(side) = line.side {
                self.read.push(side);
                self.by_let.push((path.clone(), side));
            }
            return;
        }
        let with = path.parts.first().and_then(|first| {
            self.withs.iter().find(|with| path.parts.len() > 1 && with.name.value == first.value)
        });
        if let Some(side) = side_of(path) {
            self.read.push(side);
            self.named.push((path.clone(), side));
            *path = without_side(path);
        } else if let Some(with) = with {
            let (ast::WithSource::Primary(object)
            | ast::WithSource::Labelled(_, object)
            | ast::WithSource::Each(object, _)) = &with.source;
            self.read.push(object.side);
        } else {
            self.bare.push(path.clone());
        }
    }

    pub(super) fn condition(&mut self, condition: &mut Condition) {
        match &mut condition.kind {
            ConditionKind::Or(all) | ConditionKind::And(all) => {
                for one in all {
                    self.condition(one);
                }
            }
            ConditionKind::Not(one) => self.condition(one),
            ConditionKind::Compare(left, _, right) => {
                self.value(left);
                self.value(right);
            }
            ConditionKind::In { value, list, .. } => {
                self.value(value);
                self.value(list);
            }
            ConditionKind::Presence(value, _) | ConditionKind::Value(value) => self.value(value),
        }
    }

    pub(super) fn value(&mut self, value: &mut Value) {
        match &mut value.kind {
            ValueKind::Path(path) | ValueKind::Linked(_, path) => self.path(path),
            ValueKind::Template(parts) => {
                for part in parts {
                    if let ast::TemplatePart::Hole(hole) = part {
                        self.value(hole);
                    }
                }
            }
            ValueKind::Call(call) => call.args.iter_mut().for_each(|arg| self.value(arg)),
            ValueKind::Pipe(input, step) => {
                self.value(input);
                step.args.iter_mut().flatten().for_each(|arg| self.value(arg));
            }
            ValueKind::Arithmetic(left, _, right) => {
                self.value(left);
                self.value(right);
            }
            ValueKind::If(condition, then, otherwise) => {
                self.condition(condition);
                self.value(then);
                self.value(otherwise);
            }
            ValueKind::List(items) => items.iter_mut().for_each(|item| self.value(item)),
            ValueKind::Lookup(_, tests) => {
                for test in tests {
                    match &mut test.test {
                        TestOp::Compare(_, value) => self.value(value),
                        TestOp::In(values) => values.iter_mut().for_each(|value| self.value(value)),
                        TestOp::Presence(_) => {}
                    }
                }
            }
            ValueKind::Condition(condition) => self.condition(condition),
            ValueKind::Literal(_) | ValueKind::Error => {}
        }
    }
}
