//! The lines of a `convert`.

use pest::iterators::Pair;

use crate::source::{Span, Spanned};
use crate::syntax::ast::{AccountOtherwise, Convert, ConvertKind, ConvertLine, Otherwise, Value};
use crate::syntax::grammar::Rule;
use crate::syntax::layout::{Block, BlockKind};

use super::Lower;

impl Lower<'_> {
    /// The lines of a `convert`, whose head stands at `span`.
    pub(super) fn convert(&mut self, status: Option<Spanned<String>>, span: Span, block: &Block) -> Convert {
        let mut lines = Vec::with_capacity(block.nodes.len());
        for node in &block.nodes {
            let Some(line) = self.statement(Rule::convert_line, node, BlockKind::Convert) else { continue };
            let span = self.span(&line);
            lines.extend(self.convert_kind(line).map(|kind| ConvertLine { kind, span }));
        }
        Convert { status, lines, span }
    }

    fn convert_kind(&mut self, line: Pair<'_, Rule>) -> Option<ConvertKind> {
        let rule = line.as_rule();
        let (mut value, mut account, mut owner): (Option<Value>, _, _) = (None, None, None);
        for child in line.into_inner() {
            match child.as_rule() {
                Rule::value => value = Some(self.value(child)),
                Rule::account_otherwise => account = self.account_otherwise(child),
                Rule::owner_otherwise => owner = self.owner_otherwise(child),
                _ => {}
            }
        }
        Some(match rule {
            Rule::convert_account => ConvertKind::Account(value, account),
            Rule::convert_opportunity => ConvertKind::Opportunity(value),
            _ => ConvertKind::Owner(value?, owner),
        })
    }

    fn account_otherwise(&self, pair: Pair<'_, Rule>) -> Option<Spanned<AccountOtherwise>> {
        let span = self.span(&pair);
        let action = pair.into_inner().find(|child| child.as_rule() != Rule::kw_otherwise)?;
        let action = match action.as_rule() {
            Rule::kw_create => AccountOtherwise::Create,
            Rule::park => AccountOtherwise::Park(self.park(&action)),
            _ => AccountOtherwise::Wait,
        };
        Some(Spanned::new(action, span))
    }

    fn owner_otherwise(&self, pair: Pair<'_, Rule>) -> Option<Spanned<Otherwise>> {
        let span = self.span(&pair);
        let action = pair.into_inner().find(|child| child.as_rule() != Rule::kw_otherwise)?;
        let action = match action.as_rule() {
            Rule::kw_keep => Otherwise::Keep,
            Rule::park => Otherwise::Park(self.park(&action)),
            _ => Otherwise::Wait,
        };
        Some(Spanned::new(action, span))
    }
}
