//! The items, from their heads and the statements in their blocks.

use pest::iterators::Pair;

use crate::source::{Span, Spanned};
use crate::syntax::ast::{
    AssociateKind, AssociationMark, Body, Entry, EntryValue, Expect, ExpectKind, FieldRef, Given,
    GivenAssociation, GivenEnd, GivenLink, Item, Mapping, Name, ObjectRef, Order, Picklist, PicklistElse,
    PicklistLine, PicklistOtherwise, Refusal, RefusalKind, SharedFields, Sync, Test, Trigger,
};
use crate::syntax::grammar::Rule;
use crate::syntax::layout::{Block, BlockKind, Node};

use super::Lower;

/// What the head of an item says.
#[derive(Default)]
struct Head {
    name: Option<Name>,
    object: Option<ObjectRef>,
    field: Option<FieldRef>,
    text: Option<Spanned<String>>,
}

impl Lower<'_> {
    /// Lowers an item. When its head cannot be read there is nothing to call it by, but its statements are still
    /// looked at for their mistakes.
    pub(super) fn item(&mut self, kind: BlockKind, node: &Node, block: &Block) -> Option<Item> {
        let head = self.head(kind, node);
        let span = Span::new(self.findings.file(), node.head.start, block.end);
        let doc = self.doc(node);
        Some(match kind {
            BlockKind::Mapping => {
                let mapping = self.mapping(block, Spanned::new(doc, span));
                Item::Mapping(Mapping { name: head.name?, ..mapping })
            }
            BlockKind::Sync => {
                let sync = self.sync(block, Spanned::new(doc, span));
                Item::Sync(Sync { name: head.name?, ..sync })
            }
            BlockKind::Shared => {
                let rules = self.shared_rules(block);
                Item::Fields(SharedFields { doc, name: head.name?, from: head.object?, rules, span })
            }
            BlockKind::Picklist => {
                let picklist = self.picklist(block, Spanned::new(doc, span));
                Item::Picklist(Picklist { name: head.name?, ..picklist })
            }
            BlockKind::Order => {
                let stages = self.stages(block);
                Item::Order(Order { doc, name: head.name?, of: head.field?, stages, span })
            }
            BlockKind::Test => {
                let test = self.test(block, Spanned::new(doc, span));
                Item::Test(Test { name: head.text?, ..test })
            }
            _ => return None,
        })
    }

    fn head(&mut self, kind: BlockKind, node: &Node) -> Head {
        let rule = match kind {
            BlockKind::Sync => Rule::sync_head,
            BlockKind::Shared => Rule::shared_head,
            BlockKind::Picklist => Rule::picklist_head,
            BlockKind::Order => Rule::order_head,
            BlockKind::Test => Rule::test_head,
            _ => Rule::mapping_head,
        };
        let mut head = Head::default();
        let Some(pair) = self.read(rule, node, BlockKind::File) else { return head };
        for child in pair.into_inner() {
            match child.as_rule() {
                Rule::item_name => head.name = Some(self.name(&child)),
                Rule::object => head.object = Some(self.object(&child)),
                Rule::object_field => head.field = Some(self.field_ref(&child)),
                Rule::text => head.text = Some(self.text(&child)),
                _ => {}
            }
        }
        head
    }

    fn mapping(&mut self, block: &Block, item: Spanned<Option<String>>) -> Mapping {
        let mut mapping = Mapping {
            doc: item.value,
            name: nameless(item.span),
            from: Vec::new(),
            to: Vec::new(),
            body: Body::default(),
            fields: Vec::new(),
            fields_span: None,
            span: item.span,
        };
        for node in &block.nodes {
            if let Some(inner) = self.inner_block(node, BlockKind::Mapping, &mut mapping.body) {
                if inner.kind == BlockKind::Rules {
                    mapping.fields_span = mapping.fields_span.or(Some(self.node_span(node)));
                    self.rules(inner, &mut mapping.fields);
                }
                continue;
            }
            let Some(statement) = self.statement(Rule::mapping_line, node, BlockKind::Mapping) else {
                continue;
            };
            match statement.as_rule() {
                Rule::source => mapping.from.extend(self.objects(statement)),
                Rule::destination => mapping.to.extend(self.objects(statement)),
                _ => self.body_statement(statement, &mut mapping.body),
            }
        }
        mapping
    }

    fn sync(&mut self, block: &Block, item: Spanned<Option<String>>) -> Sync {
        let mut sync = Sync {
            doc: item.value,
            name: nameless(item.span),
            between: Vec::new(),
            body: Body::default(),
            fields: Vec::new(),
            span: item.span,
        };
        for node in &block.nodes {
            if let Some(inner) = self.inner_block(node, BlockKind::Sync, &mut sync.body) {
                if inner.kind == BlockKind::SyncRules {
                    self.sync_rules(inner, &mut sync.fields);
                }
                continue;
            }
            let Some(statement) = self.statement(Rule::sync_line, node, BlockKind::Sync) else { continue };
            if statement.as_rule() == Rule::between {
                let mut objects = self.objects(statement).into_iter();
                sync.between.extend(objects.next().zip(objects.next()));
            } else {
                self.body_statement(statement, &mut sync.body);
            }
        }
        sync
    }

    /// The block of a statement, if it has one. `match` goes into the body at once; an unknown block is reported.
    fn inner_block<'n>(&mut self, node: &'n Node, kind: BlockKind, body: &mut Body) -> Option<&'n Block> {
        let block = node.block.as_ref()?;
        if block.kind == BlockKind::Unknown {
            let rule = if kind == BlockKind::Sync { Rule::sync_line } else { Rule::mapping_line };
            if self.read(rule, node, kind).is_some() {
                self.check_block(node, false);
            }
            return Some(block);
        }
        let status = self.read(Rule::inner_head, node, kind).and_then(|head| {
            let status = head.into_inner().find(|child| child.as_rule() == Rule::text)?;
            Some(self.text(&status))
        });
        match block.kind {
            BlockKind::Match => {
                let ladder = self.ladder(node.head.start, block);
                body.matches.push(ladder);
            }
            BlockKind::Convert => {
                let convert = self.convert(status, self.node_span(node), block);
                body.converts.push(convert);
            }
            _ => {}
        }
        Some(block)
    }

    fn objects(&self, pair: Pair<'_, Rule>) -> Vec<ObjectRef> {
        let objects = pair.into_inner().filter(|child| child.as_rule() == Rule::object);
        objects.map(|object| self.object(&object)).collect()
    }

    fn picklist(&mut self, block: &Block, item: Spanned<Option<String>>) -> Picklist {
        let mut picklist = Picklist {
            doc: item.value,
            name: nameless(item.span),
            from: Vec::new(),
            to: Vec::new(),
            lines: Vec::new(),
            otherwise: Vec::new(),
            span: item.span,
        };
        for node in &block.nodes {
            let Some(statement) = self.statement(Rule::picklist_line, node, BlockKind::Picklist) else {
                continue;
            };
            let span = self.span(&statement);
            match statement.as_rule() {
                Rule::translation => picklist.lines.extend(self.translation(statement)),
                Rule::picklist_otherwise => {
                    let to = self.picklist_else(statement);
                    picklist.otherwise.extend(to.map(|to| PicklistOtherwise { to, span }));
                }
                rule => {
                    let field = statement.into_inner().find(|child| child.as_rule() == Rule::object_field);
                    let field = field.map(|field| self.field_ref(&field));
                    if rule == Rule::picklist_from {
                        picklist.from.extend(field);
                    } else {
                        picklist.to.extend(field);
                    }
                }
            }
        }
        picklist
    }

    fn translation(&self, pair: Pair<'_, Rule>) -> Option<PicklistLine> {
        let span = self.span(&pair);
        let (mut from, mut to, mut both) = (None, None, false);
        for child in pair.into_inner() {
            match child.as_rule() {
                Rule::arrow_both => both = true,
                Rule::text if from.is_none() => from = Some(self.text(&child)),
                Rule::text => {
                    let text = self.text(&child);
                    to = Some(Spanned::new(Some(text.value), text.span));
                }
                Rule::kw_nothing => to = Some(Spanned::new(None, self.span(&child))),
                _ => {}
            }
        }
        Some(PicklistLine { from: from?, to: to?, both, span })
    }

    fn picklist_else(&self, pair: Pair<'_, Rule>) -> Option<Spanned<PicklistElse>> {
        let target = pair.into_inner().last()?;
        let to = match target.as_rule() {
            Rule::text => PicklistElse::Option(self.text(&target).value),
            Rule::park => PicklistElse::Park(self.park(&target)),
            _ => PicklistElse::Nothing,
        };
        Some(Spanned::new(to, self.span(&target)))
    }

    fn stages(&mut self, block: &Block) -> Vec<Spanned<String>> {
        let mut stages = Vec::new();
        for node in &block.nodes {
            if !self.check_block(node, false) {
                continue;
            }
            let Some(line) = self.read(Rule::order_line, node, BlockKind::Order) else { continue };
            let texts = line.into_inner().filter(|child| child.as_rule() == Rule::text);
            stages.extend(texts.map(|text| self.text(&text)));
        }
        stages
    }

    fn test(&mut self, block: &Block, item: Spanned<Option<String>>) -> Test {
        let mut test = Test {
            doc: item.value,
            name: Spanned::new(String::new(), item.span),
            subjects: Vec::new(),
            given: Vec::new(),
            links: Vec::new(),
            refusals: Vec::new(),
            whens: Vec::new(),
            ends: Vec::new(),
            associations: Vec::new(),
            expect: Vec::new(),
            span: item.span,
        };
        for node in &block.nodes {
            let Some(statement) = self.statement(Rule::test_line, node, BlockKind::Test) else { continue };
            match statement.as_rule() {
                Rule::subject => test.subjects.extend(self.hand_over(statement)),
                Rule::given_link => test.links.extend(self.given_link(statement)),
                Rule::given => self.given(statement, &mut test),
                Rule::when => {
                    let span = self.span(&statement);
                    test.whens.extend(self.trigger(statement).map(|kind| Trigger { kind, span }));
                }
                Rule::given_associated => {
                    let span = self.span(&statement);
                    let association = self.associated_with(statement);
                    test.associations.extend(association.map(|(kind, object, id)| GivenAssociation {
                        kind,
                        object,
                        id,
                        span,
                    }));
                }
                Rule::given_end => test.ends.extend(self.given_end(&statement)),
                _ => test.expect.extend(self.expect(statement)),
            }
        }
        test
    }

    fn given(&mut self, pair: Pair<'_, Rule>, test: &mut Test) {
        let span = self.span(&pair);
        let (mut association, mut kind, mut at) = (None, None, None);
        for child in pair.clone().into_inner() {
            match child.as_rule() {
                Rule::association_mark => association = Some(self.association_mark(child)),
                Rule::text => at = Some(self.text(&child)),
                Rule::rejects => kind = self.rejects(child),
                Rule::duplicates => kind = self.duplicates(child),
                _ => {}
            }
        }
        let (object, entries) = self.object_and_record(pair);
        let Some(object) = object else { return };
        match kind {
            Some(kind) => test.refusals.push(Refusal { object, kind, span }),
            None => test.given.push(Given { association, object, at, entries, span }),
        }
    }

    fn given_link(&mut self, pair: Pair<'_, Rule>) -> Option<GivenLink> {
        let span = self.span(&pair);
        let (mut objects, mut ids) = (Vec::new(), Vec::new());
        for child in pair.clone().into_inner() {
            match child.as_rule() {
                Rule::object => objects.push(self.object(&child)),
                Rule::text => ids.push(self.text(&child)),
                _ => {}
            }
        }
        let (_, entries) = self.object_and_record(pair);
        let ends: Vec<_> = objects.into_iter().zip(ids).collect();
        Some(GivenLink { ends: ends.try_into().ok()?, entries, span })
    }

    fn association_mark(&self, pair: Pair<'_, Rule>) -> Spanned<AssociationMark> {
        let span = self.span(&pair);
        let label = pair.into_inner().find(|child| child.as_rule() == Rule::text);
        let mark = label.map(|label| AssociationMark::Labelled(self.text(&label).value));
        Spanned::new(mark.unwrap_or(AssociationMark::Primary), span)
    }

    fn rejects(&self, pair: Pair<'_, Rule>) -> Option<RefusalKind> {
        let (mut field, mut message) = (None, None);
        for child in pair.into_inner() {
            match child.as_rule() {
                Rule::field => field = Some(self.name(&child)),
                Rule::text => message = Some(self.text(&child)),
                _ => {}
            }
        }
        Some(RefusalKind::Rejects { field, message: message? })
    }

    fn duplicates(&self, pair: Pair<'_, Rule>) -> Option<RefusalKind> {
        let (mut field, mut of, mut allow_save) = (None, None, false);
        for child in pair.into_inner() {
            match child.as_rule() {
                Rule::field => field = Some(self.name(&child)),
                Rule::object => of = Some(self.object(&child)),
                Rule::kw_warns => allow_save = true,
                _ => {}
            }
        }
        Some(RefusalKind::Duplicates { field: field?, of, allow_save })
    }

    fn given_end(&mut self, pair: &Pair<'_, Rule>) -> Option<GivenEnd> {
        let span = self.span(pair);
        let (mut object, mut ids) = (None, Vec::new());
        for child in pair.clone().into_inner() {
            match child.as_rule() {
                Rule::object => object = Some(self.object(&child)),
                Rule::text => ids.push(self.text(&child)),
                _ => {}
            }
        }
        let mut ids = ids.into_iter();
        Some(GivenEnd { object: object?, id: ids.next()?, into: ids.next(), span })
    }

    fn expect(&mut self, pair: Pair<'_, Rule>) -> Option<Expect> {
        let span = self.span(&pair);
        let what = pair.into_inner().find(|child| child.as_rule() != Rule::kw_expect)?;
        let kind = match what.as_rule() {
            Rule::park => ExpectKind::Park(self.park(&what)),
            Rule::hand_over => ExpectKind::Then(self.hand_over(what)?),
            Rule::expect_write => {
                let update = what.clone().into_inner().any(|child| child.as_rule() == Rule::kw_update);
                let (object, entries) = self.object_and_record(what);
                if update {
                    ExpectKind::Update(object?, entries)
                } else {
                    ExpectKind::Create(object?, entries)
                }
            }
            Rule::kw_wait => ExpectKind::Wait,
            Rule::kw_nothing => ExpectKind::Nothing,
            Rule::not_triggered => ExpectKind::NotTriggered,
            Rule::kw_unlink => ExpectKind::Unlink,
            Rule::kw_follow => ExpectKind::Follow,
            Rule::expect_converted => ExpectKind::Converted(self.object_and_record(what).1),
            Rule::expect_associated => {
                let (kind, object, id) = self.associated_with(what)?;
                ExpectKind::Associated(kind, object, id)
            }
            Rule::not_associated => {
                let (kind, object, id) = self.associated_with(what)?;
                ExpectKind::NotAssociated(kind, object, id)
            }
            _ => ExpectKind::Skip,
        };
        Some(Expect { kind, span })
    }

    fn associated_with(&self, pair: Pair<'_, Rule>) -> Option<(AssociateKind, ObjectRef, Spanned<String>)> {
        let (mut kind, mut object, mut id) = (AssociateKind::Plain, None, None);
        for child in pair.into_inner() {
            match child.as_rule() {
                Rule::kw_primary => kind = AssociateKind::Primary,
                Rule::object => object = Some(self.object(&child)),
                // The text behind the object is the id, one before it the label.
                Rule::text if object.is_some() => id = Some(self.text(&child)),
                Rule::text => kind = AssociateKind::Labelled(self.text(&child)),
                _ => {}
            }
        }
        Some((kind, object?, id?))
    }

    fn object_and_record(&mut self, pair: Pair<'_, Rule>) -> (Option<ObjectRef>, Vec<Entry>) {
        let (mut object, mut entries) = (None, Vec::new());
        for child in pair.into_inner() {
            match child.as_rule() {
                Rule::object => object = Some(self.object(&child)),
                Rule::record => {
                    let pairs = child.into_inner().filter(|entry| entry.as_rule() == Rule::entry);
                    entries = pairs.filter_map(|entry| self.entry(entry)).collect();
                }
                _ => {}
            }
        }
        (object, entries)
    }

    fn entry(&mut self, pair: Pair<'_, Rule>) -> Option<Entry> {
        let (mut name, mut value) = (None, None);
        for child in pair.into_inner() {
            let span = self.span(&child);
            match child.as_rule() {
                Rule::field => name = Some(self.name(&child)),
                Rule::kw_absent => value = Some(Spanned::new(EntryValue::Absent, span)),
                Rule::kw_kept => value = Some(Spanned::new(EntryValue::Kept, span)),
                Rule::literal => value = Some(Spanned::new(EntryValue::Literal(self.literal(&child)), span)),
                _ => {}
            }
        }
        Some(Entry { name: name?, value: value? })
    }
}

/// A place for the name that the head gives.
fn nameless(span: Span) -> Name {
    Spanned::new(String::new(), span)
}
