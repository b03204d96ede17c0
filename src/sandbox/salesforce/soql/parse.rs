//! The grammar of SOQL, by recursive descent.

use super::super::error::ApiError;
use super::lex::{Kind, Token, plain};
use super::located;

/// Parentheses inside of one another, and subqueries, before the query counts as too complicated.
const MAX_DEPTH: usize = 50;

#[derive(Debug, Clone)]
pub(in super::super) struct Query {
    pub(super) items: Vec<Item>,
    pub(super) from: Name,
    pub(super) alias: Option<String>,
    pub(super) filter: Option<Condition>,
    pub(super) group: Vec<Expression>,
    pub(super) having: Option<Condition>,
    pub(super) order: Vec<Order>,
    pub(super) limit: Option<usize>,
    pub(super) offset: usize,
    pub(super) all_rows: bool,
}

impl Query {
    /// The object that it reads, as the query spells it.
    pub(in super::super) fn object(&self) -> &str {
        &self.from.text
    }
}

/// A name, possibly dotted, with its place.
#[derive(Debug, Clone)]
pub(super) struct Name {
    pub(super) text: String,
    pub(super) at: usize,
}

#[derive(Debug, Clone)]
pub(super) enum Item {
    Expression {
        expression: Expression,
        alias: Option<String>,
    },
    /// `FIELDS(ALL)`, `FIELDS(STANDARD)`, `FIELDS(CUSTOM)`.
    Fields(Name),
    Children(Box<Query>),
}

#[derive(Debug, Clone)]
pub(super) enum Expression {
    Path(Name),
    Call { function: Name, argument: Option<Name> },
}

impl Expression {
    pub(super) fn at(&self) -> usize {
        match self {
            Self::Path(name) | Self::Call { function: name, .. } => name.at,
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Order {
    pub(super) by: Expression,
    pub(super) descending: bool,
    pub(super) nulls_last: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Condition {
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
    Compare { left: Expression, operator: Operator, right: Literal, at: usize },
    In { left: Expression, negated: bool, list: Vec<(Literal, usize)> },
    InQuery { left: Expression, negated: bool, query: Box<Query> },
    Includes { left: Expression, negated: bool, list: Vec<String> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Like,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    Null,
    Boolean(bool),
    Number(f64),
    /// As the lexer leaves it, see `lex::plain`.
    Text(String),
    Date(String),
    DateTime(String),
    /// `TODAY`, `LAST_N_DAYS:30`; the name in capitals.
    Relative(String, Option<i64>),
}

pub(super) fn query(soql: &str, tokens: &[Token]) -> Result<Query, ApiError> {
    let mut parser = Parser { soql, tokens, position: 0, depth: 0 };
    let query = parser.query()?;
    match parser.peek().kind {
        Kind::End => Ok(query),
        _ => Err(parser.unexpected()),
    }
}

struct Parser<'a> {
    soql: &'a str,
    tokens: &'a [Token],
    position: usize,
    depth: usize,
}

impl Parser<'_> {
    fn query(&mut self) -> Result<Query, ApiError> {
        self.deeper()?;
        self.expect_word("SELECT")?;
        let mut items = vec![self.item()?];
        while self.take_sign(",") {
            items.push(self.item()?);
        }
        self.expect_word("FROM")?;
        let from = self.name()?;
        let alias = self.alias();
        let mut query = Query {
            items,
            from,
            alias,
            filter: None,
            group: Vec::new(),
            having: None,
            order: Vec::new(),
            limit: None,
            offset: 0,
            all_rows: false,
        };
        if self.take_word("USING") {
            self.expect_word("SCOPE")?;
            self.name()?;
        }
        if self.take_word("WHERE") {
            query.filter = Some(self.condition()?);
        }
        if self.take_word("WITH") {
            // SECURITY_ENFORCED, USER_MODE, SYSTEM_MODE: the sandbox's user may read everything.
            self.name()?;
        }
        self.clauses(&mut query)?;
        self.depth -= 1;
        Ok(query)
    }

    fn clauses(&mut self, query: &mut Query) -> Result<(), ApiError> {
        if self.take_words(&["GROUP", "BY"]) {
            query.group.push(self.expression()?);
            while self.take_sign(",") {
                query.group.push(self.expression()?);
            }
            if self.take_word("HAVING") {
                query.having = Some(self.condition()?);
            }
        }
        if self.take_words(&["ORDER", "BY"]) {
            query.order.push(self.order()?);
            while self.take_sign(",") {
                query.order.push(self.order()?);
            }
        }
        if self.take_word("LIMIT") {
            query.limit = Some(self.count()?);
        }
        if self.take_word("OFFSET") {
            let at = self.peek().at;
            query.offset = self.count()?;
            if query.offset > 2_000 {
                let message = "Maximum SOQL offset allowed is 2000";
                return Err(located("NUMBER_OUTSIDE_VALID_RANGE", self.soql, at, message));
            }
        }
        while self.take_word("FOR") {
            // FOR UPDATE, FOR VIEW, FOR REFERENCE change nothing here.
            self.name()?;
        }
        query.all_rows = self.take_words(&["ALL", "ROWS"]);
        Ok(())
    }

    fn item(&mut self) -> Result<Item, ApiError> {
        if self.take_sign("(") {
            let query = self.query()?;
            self.expect_sign(")")?;
            return Ok(Item::Children(Box::new(query)));
        }
        let expression = self.expression()?;
        if let Expression::Call { function, argument: Some(argument) } = &expression
            && function.text.eq_ignore_ascii_case("FIELDS")
        {
            return Ok(Item::Fields(argument.clone()));
        }
        let alias = if self.peek_word("FROM") { None } else { self.alias() };
        Ok(Item::Expression { expression, alias })
    }

    /// A name behind something, unless it begins the next clause.
    fn alias(&mut self) -> Option<String> {
        const CLAUSES: [&str; 14] = [
            "FROM", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "FOR", "ALL", "USING", "WITH",
            "ASC", "DESC", "NULLS",
        ];
        let token = self.peek();
        let is_alias = token.kind == Kind::Word
            && !token.text.contains('.')
            && !CLAUSES.iter().any(|clause| clause.eq_ignore_ascii_case(&token.text));
        is_alias.then(|| self.next().text)
    }

    fn expression(&mut self) -> Result<Expression, ApiError> {
        let name = self.name()?;
        if !self.take_sign("(") {
            return Ok(Expression::Path(name));
        }
        if self.take_sign(")") {
            return Ok(Expression::Call { function: name, argument: None });
        }
        // `toLabel(convertCurrency(X))`: what wraps the innermost name adds nothing here.
        let argument = match self.expression()? {
            Expression::Path(argument) | Expression::Call { argument: Some(argument), .. } => argument,
            Expression::Call { function, argument: None } => function,
        };
        self.expect_sign(")")?;
        Ok(Expression::Call { function: name, argument: Some(argument) })
    }

    fn order(&mut self) -> Result<Order, ApiError> {
        let by = self.expression()?;
        let descending = self.take_word("DESC");
        if !descending {
            self.take_word("ASC");
        }
        let mut nulls_last = false;
        if self.take_word("NULLS") {
            nulls_last = self.take_word("LAST");
            if !nulls_last {
                self.expect_word("FIRST")?;
            }
        }
        Ok(Order { by, descending, nulls_last })
    }

    /// AND and OR side by side need parentheses, as in the real grammar.
    fn condition(&mut self) -> Result<Condition, ApiError> {
        self.deeper()?;
        let first = self.simple_condition()?;
        let mut all = vec![first];
        let joined = ["AND", "OR"].into_iter().find(|word| self.peek_word(word));
        if let Some(joined) = joined {
            while self.take_word(joined) {
                all.push(self.simple_condition()?);
            }
            if self.peek_word("AND") || self.peek_word("OR") {
                return Err(self.unexpected());
            }
        }
        self.depth -= 1;
        Ok(match (joined, all.len()) {
            (Some("OR"), _) => Condition::Or(all),
            (_, 1) => all.remove(0),
            _ => Condition::And(all),
        })
    }

    fn simple_condition(&mut self) -> Result<Condition, ApiError> {
        if self.take_word("NOT") {
            self.deeper()?;
            let inner = self.simple_condition()?;
            self.depth -= 1;
            return Ok(Condition::Not(Box::new(inner)));
        }
        if self.take_sign("(") {
            let inner = self.condition()?;
            self.expect_sign(")")?;
            return Ok(inner);
        }
        let left = self.expression()?;
        self.comparison(left)
    }

    fn comparison(&mut self, left: Expression) -> Result<Condition, ApiError> {
        if self.take_word("INCLUDES") {
            return Ok(Condition::Includes { left, negated: false, list: self.texts()? });
        }
        if self.take_word("EXCLUDES") {
            return Ok(Condition::Includes { left, negated: true, list: self.texts()? });
        }
        let negated = self.peek_word("NOT");
        if negated || self.peek_word("IN") {
            if negated {
                self.next();
            }
            self.expect_word("IN")?;
            return self.in_list(left, negated);
        }
        let operator = if self.take_word("LIKE") {
            Operator::Like
        } else {
            let token = self.peek().clone();
            let operator = match token.kind {
                Kind::Sign("=") => Operator::Equal,
                Kind::Sign("!=" | "<>") => Operator::NotEqual,
                Kind::Sign("<") => Operator::Less,
                Kind::Sign("<=") => Operator::LessOrEqual,
                Kind::Sign(">") => Operator::Greater,
                Kind::Sign(">=") => Operator::GreaterOrEqual,
                _ => return Err(self.unexpected()),
            };
            self.next();
            operator
        };
        let at = left.at();
        Ok(Condition::Compare { left, operator, right: self.literal()?, at })
    }

    fn in_list(&mut self, left: Expression, negated: bool) -> Result<Condition, ApiError> {
        self.expect_sign("(")?;
        if self.peek_word("SELECT") {
            let query = self.query()?;
            self.expect_sign(")")?;
            return Ok(Condition::InQuery { left, negated, query: Box::new(query) });
        }
        let at = left.at();
        let mut list = vec![(self.literal()?, at)];
        while self.take_sign(",") {
            list.push((self.literal()?, at));
        }
        self.expect_sign(")")?;
        Ok(Condition::In { left, negated, list })
    }

    fn texts(&mut self) -> Result<Vec<String>, ApiError> {
        self.expect_sign("(")?;
        let mut texts = Vec::new();
        loop {
            match self.literal()? {
                Literal::Text(text) => texts.push(plain(&text)),
                _ => return Err(self.unexpected()),
            }
            if !self.take_sign(",") {
                break;
            }
        }
        self.expect_sign(")")?;
        Ok(texts)
    }

    fn literal(&mut self) -> Result<Literal, ApiError> {
        let token = self.peek().clone();
        let literal = match &token.kind {
            Kind::Text(text) => Literal::Text(text.clone()),
            Kind::Date => Literal::Date(token.text.clone()),
            Kind::DateTime => Literal::DateTime(token.text.clone()),
            Kind::Number => Literal::Number(token.text.parse().unwrap_or(0.0)),
            Kind::Word => match token.text.to_ascii_uppercase().as_str() {
                "NULL" => Literal::Null,
                "TRUE" => Literal::Boolean(true),
                "FALSE" => Literal::Boolean(false),
                name if super::dates::is_literal(name) => {
                    let name = name.to_owned();
                    self.next();
                    let number = if self.take_sign(":") { Some(self.whole_number()?) } else { None };
                    if number.is_some() != super::dates::needs_number(&name) {
                        return Err(self.unexpected());
                    }
                    return Ok(Literal::Relative(name, number));
                }
                _ => return Err(self.unexpected()),
            },
            _ => return Err(self.unexpected()),
        };
        self.next();
        Ok(literal)
    }

    fn whole_number(&mut self) -> Result<i64, ApiError> {
        match self.peek().text.parse() {
            Ok(number) => {
                self.next();
                Ok(number)
            }
            Err(_) => Err(self.unexpected()),
        }
    }

    fn count(&mut self) -> Result<usize, ApiError> {
        let number = self.whole_number()?;
        usize::try_from(number).map_err(|_| self.unexpected())
    }

    fn name(&mut self) -> Result<Name, ApiError> {
        let token = self.peek();
        if token.kind != Kind::Word {
            return Err(self.unexpected());
        }
        let token = self.next();
        Ok(Name { text: token.text, at: token.at })
    }

    fn peek(&self) -> &Token {
        // INVARIANT: the lexer ends every list with an end token, and nothing moves past it.
        &self.tokens[self.position]
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        if token.kind != Kind::End {
            self.position += 1;
        }
        token
    }

    fn peek_word(&self, word: &str) -> bool {
        let token = self.peek();
        token.kind == Kind::Word && token.text.eq_ignore_ascii_case(word)
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.peek_word(word);
        if found {
            self.next();
        }
        found
    }

    fn take_words(&mut self, words: &[&str; 2]) -> bool {
        let second = self.tokens.get(self.position + 1);
        let found = self.peek_word(words[0])
            && second
                .is_some_and(|token| token.kind == Kind::Word && token.text.eq_ignore_ascii_case(words[1]));
        if found {
            self.next();
            self.next();
        }
        found
    }

    fn expect_word(&mut self, word: &str) -> Result<(), ApiError> {
        if self.take_word(word) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn take_sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek().kind, Kind::Sign(known) if known == sign);
        if found {
            self.next();
        }
        found
    }

    fn expect_sign(&mut self, sign: &str) -> Result<(), ApiError> {
        if self.take_sign(sign) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn deeper(&mut self) -> Result<(), ApiError> {
        self.depth += 1;
        if self.depth <= MAX_DEPTH {
            return Ok(());
        }
        let message =
            "Query is either selecting too many fields or the filter conditions are too complicated.";
        Err(located("QUERY_TOO_COMPLICATED", self.soql, self.peek().at, message))
    }

    fn unexpected(&self) -> ApiError {
        let token = self.peek();
        located("MALFORMED_QUERY", self.soql, token.at, &format!("unexpected token: '{}'", token.text))
    }
}

#[cfg(test)]
mod tests {
    use super::super::read;

    #[test]
    fn whole_queries_are_read() {
        for soql in [
            "SELECT Id FROM Lead",
            "select Id, Owner.Email, Account.Parent.Name from Contact c where c.Email like 'a%' and IsDeleted = false",
            "SELECT COUNT() FROM Lead WHERE NOT (Email = null OR Status IN ('A', 'B'))",
            "SELECT COUNT(Id) total, Status FROM Lead GROUP BY Status HAVING COUNT(Id) > 1 ORDER BY COUNT(Id) DESC",
            "SELECT FIELDS(ALL) FROM Lead LIMIT 200",
            "SELECT Id, (SELECT Id FROM Contacts WHERE Email != null LIMIT 5) FROM Account ORDER BY Name ASC NULLS LAST",
            "SELECT Id FROM Lead WHERE CreatedDate = LAST_N_DAYS:3 LIMIT 10 OFFSET 5 FOR UPDATE",
            "SELECT Id FROM Lead WHERE Email != null WITH SECURITY_ENFORCED LIMIT 1",
            "SELECT Id FROM Contact WHERE AccountId NOT IN (SELECT Id FROM Account WHERE Name = 'x') ALL ROWS",
        ] {
            assert!(read(soql).is_ok(), "{soql}: {:?}", read(soql).err());
        }
    }

    #[test]
    fn malformed_queries_name_the_place() {
        for (soql, column, token) in [
            ("SELECT Id FRM Lead", 15, "Lead"),
            ("SELECT Id FROM Lead WHERE", 26, "<EOF>"),
            ("SELECT Id FROM Lead WHERE A = 1 AND B = 2 OR C = 3", 43, "OR"),
            ("SELECT Id FROM Lead LIMIT x", 27, "x"),
            ("SELECT Id FROM Lead WHERE A = LAST_N_DAYS", 42, "<EOF>"),
            ("DELETE FROM Lead", 1, "DELETE"),
        ] {
            let error = read(soql).unwrap_err();
            assert_eq!(error.code, "MALFORMED_QUERY");
            let expected = format!("ERROR at Row:1:Column:{column}\nunexpected token: '{token}'");
            assert!(error.message.ends_with(&expected), "{soql}: {}", error.message);
        }
        let deep = format!("SELECT Id FROM Lead WHERE {}A = 1", "(".repeat(100_000 - 40));
        assert_eq!(read(&deep).unwrap_err().code, "QUERY_TOO_COMPLICATED");
        assert!(read(&"x".repeat(100_001)).is_err());
    }
}
