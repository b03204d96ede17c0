//! What each rule of the grammar is called in front of an author.

use super::grammar::Rule;

/// How a rule is called, and its place among others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Words {
    rank: u8,
    /// The name; several are parted by commas.
    pub(crate) text: &'static str,
}

/// The words that names may not be, unless they are in back-quotes.
pub(crate) const RESERVED: &[&str] = &[
    "and", "or", "not", "in", "is", "if", "then", "else", "where", "lookup", "linked", "true", "false",
    "nothing",
];

/// The name of a rule for authors; `None` for rules that are never expected by name. Lower ranks are named first.
pub(crate) fn words(rule: Rule) -> Option<Words> {
    let (rank, text) = match rule {
        Rule::item_name | Rule::local => (0, "a name"),
        Rule::mapping_name => (0, "the name of a mapping"),
        Rule::fields_name => (0, "the name of shared `fields`"),
        Rule::order_name => (0, "the name of an `order`"),
        Rule::field => (0, "a field name"),
        Rule::path | Rule::root => (0, "a field"),
        Rule::part => (0, "a name after the dot"),
        Rule::step_name | Rule::step => (0, "a function or picklist"),
        Rule::side => (0, "`hubspot`, `salesforce`"),
        Rule::object => (0, "an object such as `hubspot.contact`"),
        Rule::object_field => (0, "a field of an object such as `salesforce.Lead.Status`"),
        Rule::association | Rule::association_changes => {
            (0, "an association such as `primary hubspot.company`")
        }

        Rule::value
        | Rule::if_value
        | Rule::pipe
        | Rule::sum
        | Rule::product
        | Rule::group
        | Rule::call
        | Rule::function_name
        | Rule::lookup
        | Rule::hole
        | Rule::template => (0, "a value"),
        Rule::condition | Rule::conjunction | Rule::negation | Rule::comparison => (0, "a condition"),
        Rule::list | Rule::literal_list => (0, "a list such as `[\"A\", \"B\"]`"),
        Rule::linked | Rule::kw_linked => (1, "`linked`"),
        Rule::literal => (0, "a literal such as `\"text\"`, `12`, `true` or `nothing`"),
        Rule::text | Rule::chars | Rule::escape => (0, "a text in double quotes"),
        Rule::number => (0, "a number"),
        Rule::boolean => (0, "`true`, `false`"),

        Rule::field_rule | Rule::shared_line | Rule::rule_line => (0, "a rule such as `Email <- email`"),
        Rule::both_ways | Rule::to_hubspot | Rule::to_salesforce | Rule::sync_rule_line => {
            (0, "a rule such as `name <-> Name`")
        }
        Rule::use_ | Rule::kw_use => (1, "`use`"),
        Rule::via | Rule::kw_via => (1, "`via`"),
        Rule::policy => (3, "a policy such as `on create`"),
        Rule::sync_policy | Rule::conflict | Rule::fills => (3, "a policy such as `on conflict salesforce`"),
        Rule::field_tests | Rule::field_test => (0, "a test such as `Email = email`"),
        Rule::presence => (2, "`is present`, `is blank`"),
        Rule::not_in => (2, "`not in`"),
        Rule::compare_op => (2, "a comparison such as `=`"),
        Rule::add_op | Rule::multiply_op => (3, "an operator"),
        Rule::bar => (2, "`|`"),

        Rule::situation => (0, "a situation such as `none`"),
        Rule::action => (0, "an action such as `create`"),
        Rule::park | Rule::kw_park => (1, "`park`"),
        Rule::expect_write => (1, "`create`, `update`"),
        Rule::hand_over => (1, "`then` and a mapping"),
        Rule::guard_otherwise
        | Rule::picklist_otherwise
        | Rule::account_otherwise
        | Rule::owner_otherwise => (2, "`otherwise`"),
        Rule::changes | Rule::becomes | Rule::any_changes | Rule::created | Rule::when => {
            (0, "an event such as `email changes`")
        }
        Rule::key_rung | Rule::object_rung | Rule::field_rung | Rule::rung_line => {
            (0, "a rung such as `key External_Id__c = id` or `or Email = email`")
        }
        Rule::convert_account | Rule::kw_account => (1, "`account`"),
        Rule::convert_opportunity | Rule::kw_opportunity => (1, "`opportunity`"),
        Rule::convert_owner | Rule::kw_owner => (1, "`owner`"),
        Rule::convert_line => (0, "a line such as `opportunity none`"),
        Rule::picklist_from | Rule::kw_from => (1, "`from`"),
        Rule::picklist_to | Rule::kw_to => (1, "`to`"),
        Rule::translation => (0, "a translation such as `\"A\" -> \"B\"`"),
        Rule::duplicates => (1, "`blocks duplicates`, `warns of duplicates`"),
        Rule::not_triggered => (1, "`not triggered`"),
        Rule::not_associated => (1, "`not associated`"),
        Rule::record => (0, "a record such as `{ email: \"a@b.test\" }`"),
        Rule::entry => (0, "a field and its value such as `email: \"a@b.test\"`"),
        Rule::args => (2, "`(`"),

        Rule::source
        | Rule::destination
        | Rule::between
        | Rule::with
        | Rule::with_each
        | Rule::let_
        | Rule::only_if
        | Rule::outcome
        | Rule::assignment_rule
        | Rule::record_type
        | Rule::associate
        | Rule::subject
        | Rule::given
        | Rule::given_link
        | Rule::given_end
        | Rule::given_associated
        | Rule::expect
        | Rule::mapping_line
        | Rule::sync_line
        | Rule::picklist_line
        | Rule::order_line
        | Rule::test_line => (0, "a statement"),

        Rule::EOI => (4, "the end of the line"),
        Rule::arrow_left => (1, "`<-`"),
        Rule::arrow_right => (1, "`->`"),
        Rule::arrow_both => (1, "`<->`"),
        Rule::equals => (1, "`=`"),
        Rule::comma => (1, "`,`"),
        Rule::colon => (1, "`:`"),
        Rule::open_paren => (1, "`(`"),
        Rule::close_paren => (1, "`)`"),
        Rule::open_list => (1, "`[`"),
        Rule::close_list => (1, "`]`"),
        Rule::open_brace => (1, "`{`"),
        Rule::close_brace => (1, "`}`"),
        Rule::kw_absent => (1, "`absent`"),
        Rule::kw_adopt => (1, "`adopt`"),
        Rule::kw_advance => (1, "`advance`"),
        Rule::kw_allow => (1, "`allow`"),
        Rule::kw_along => (1, "`along`"),
        Rule::kw_and => (1, "`and`"),
        Rule::kw_any => (1, "`any`"),
        Rule::kw_assignment => (1, "`assignment`"),
        Rule::kw_associate => (1, "`associate`"),
        Rule::expect_associated | Rule::kw_associated => (1, "`associated`"),
        Rule::kw_at => (1, "`at`"),
        Rule::kw_becomes => (1, "`becomes`"),
        Rule::kw_between => (1, "`between`"),
        Rule::kw_blank => (1, "`blank`"),
        Rule::kw_blocks => (1, "`blocks`"),
        Rule::kw_by => (1, "`by`"),
        Rule::kw_changes => (1, "`changes`"),
        Rule::kw_clear => (1, "`clear`"),
        Rule::kw_conflict => (1, "`conflict`"),
        Rule::kw_convert => (1, "`convert`"),
        Rule::expect_converted | Rule::kw_converted => (1, "`converted`"),
        Rule::kw_create => (1, "`create`"),
        Rule::kw_created => (1, "`created`"),
        Rule::kw_deleted => (1, "`deleted`"),
        Rule::kw_drop => (1, "`drop`"),
        Rule::kw_duplicate => (1, "`duplicate`"),
        Rule::kw_duplicates => (1, "`duplicates`"),
        Rule::kw_each => (1, "`each`"),
        Rule::kw_else => (1, "`else`"),
        Rule::kw_exactly => (1, "`exactly`"),
        Rule::kw_expect => (1, "`expect`"),
        Rule::kw_false => (1, "`false`"),
        Rule::kw_field => (1, "`field`"),
        Rule::kw_fields => (1, "`fields`"),
        Rule::kw_fills => (1, "`fills`"),
        Rule::kw_follow => (1, "`follow`"),
        Rule::kw_given => (1, "`given`"),
        Rule::kw_if => (1, "`if`"),
        Rule::kw_in => (1, "`in`"),
        Rule::kw_is => (1, "`is`"),
        Rule::kw_keep => (1, "`keep`"),
        Rule::kw_kept => (1, "`kept`"),
        Rule::kw_key => (1, "`key`"),
        Rule::kw_latest => (1, "`latest`"),
        Rule::kw_let => (1, "`let`"),
        Rule::kw_into => (1, "`into`"),
        Rule::kw_link => (1, "`link`"),
        Rule::kw_lookup => (1, "`lookup`"),
        Rule::kw_many => (1, "`many`"),
        Rule::kw_mapping => (1, "`mapping`"),
        Rule::kw_match => (1, "`match`"),
        Rule::kw_merged => (1, "`merged`"),
        Rule::kw_newest => (1, "`newest`"),
        Rule::kw_none => (1, "`none`"),
        Rule::kw_not => (1, "`not`"),
        Rule::kw_nothing => (1, "`nothing`"),
        Rule::kw_of => (1, "`of`"),
        Rule::kw_off => (1, "`off`"),
        Rule::kw_oldest => (1, "`oldest`"),
        Rule::kw_on => (1, "`on`"),
        Rule::kw_once => (1, "`once`"),
        Rule::kw_only => (1, "`only`"),
        Rule::kw_or => (1, "`or`"),
        Rule::kw_order => (1, "`order`"),
        Rule::kw_otherwise => (1, "`otherwise`"),
        Rule::kw_picklist => (1, "`picklist`"),
        Rule::kw_present => (1, "`present`"),
        Rule::association_mark | Rule::kw_primary => (1, "`primary`"),
        Rule::kw_record => (1, "`record`"),
        Rule::kw_rejected => (1, "`rejected`"),
        Rule::rejects | Rule::kw_rejects => (1, "`rejects`"),
        Rule::kw_rule => (1, "`rule`"),
        Rule::kw_skip => (1, "`skip`"),
        Rule::kw_source => (1, "`source`"),
        Rule::kw_stays => (1, "`stays`"),
        Rule::kw_sync => (1, "`sync`"),
        Rule::kw_taken => (1, "`taken`"),
        Rule::kw_target => (1, "`target`"),
        Rule::kw_test => (1, "`test`"),
        Rule::kw_then => (1, "`then`"),
        Rule::kw_triggered => (1, "`triggered`"),
        Rule::kw_true => (1, "`true`"),
        Rule::kw_type => (1, "`type`"),
        Rule::kw_unlink => (1, "`unlink`"),
        Rule::kw_update => (1, "`update`"),
        Rule::kw_wait => (1, "`wait`"),
        Rule::kw_warns => (1, "`warns`"),
        Rule::kw_when => (1, "`when`"),
        Rule::kw_where => (1, "`where`"),
        Rule::kw_with => (1, "`with`"),

        Rule::mapping_head
        | Rule::sync_head
        | Rule::shared_head
        | Rule::picklist_head
        | Rule::order_head
        | Rule::test_head
        | Rule::inner_head
        | Rule::WHITESPACE
        | Rule::COMMENT
        | Rule::shared_statement
        | Rule::trigger
        | Rule::primary
        | Rule::bare_name
        | Rule::quoted
        | Rule::free_name
        | Rule::word_char
        | Rule::reserved
        | Rule::blank => return None,
    };
    Some(Words { rank, text })
}

impl Words {
    /// The word itself, when it is a keyword.
    pub(crate) fn keyword(self) -> Option<&'static str> {
        let word = self.text.strip_prefix('`')?.strip_suffix('`')?;
        word.bytes().all(|byte| byte.is_ascii_lowercase()).then_some(word)
    }
}
