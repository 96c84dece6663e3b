//! How a dependant's rows are related to the rows that they hang on, where the database
//! does not declare it: `on`.
//!
//! ```text
//! on       = equality { AND equality }
//! equality = COLUMN "=" [ [ SCHEMA "." ] TABLE "." ] COLUMN
//! ```
//!
//! On the left stands a column of the dependant; on the right one of the class's own table, or,
//! with a table before it, of a dependant that stands earlier in the list. Names are read as
//! PostgreSQL reads them: in lower case, unless they stand in double quotes. Nothing else is
//! a relation: no constant, no function, no cast, no OR.

use std::ops::Range;

use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer, Whitespace, Word};

use crate::ident::{Ident, TableName};

/// No key that a person maintains has more columns.
const MOST_EQUALITIES: usize = 16;
const MOST_BYTES: usize = 1_000;

/// One equality.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Equality {
    /// The dependant's column.
    pub left: Ident,
    /// The other table, where it is named.
    pub table: Option<TableName>,
    /// The other table's column.
    pub right: Ident,
    /// Where the right side stands in the text.
    pub span: Range<usize>,
}

/// Why a text is no relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RelationError {
    pub message: String,
    pub hint: String,
    pub span: Option<Range<usize>>,
}

const HINT: &str = "write `on = \"COLUMN = id\"`: on the left a column of the dependant, on the right one of the record; join several with AND";

fn error(message: impl Into<String>, span: Option<Range<usize>>) -> RelationError {
    RelationError {
        message: message.into(),
        hint: HINT.to_owned(),
        span,
    }
}

/// Reads the text of `on`.
pub(super) fn parse(text: &str) -> Result<Vec<Equality>, RelationError> {
    if text.len() > MOST_BYTES {
        return Err(error("the relation is too long", None));
    }
    let dialect = PostgreSqlDialect {};
    let tokens = Tokenizer::new(&dialect, text)
        .tokenize_with_location()
        .map_err(|e| error(format!("the relation cannot be read: {}", e.message), None))?;
    let mut words = Words {
        text,
        tokens: tokens
            .into_iter()
            .filter(|token| {
                !matches!(
                    token.token,
                    Token::Whitespace(Whitespace::Space | Whitespace::Tab | Whitespace::Newline)
                        | Token::EOF
                )
            })
            .collect(),
        next: 0,
    };
    let mut equalities = Vec::new();
    loop {
        equalities.push(words.equality()?);
        if words.next == words.tokens.len() {
            return Ok(equalities);
        }
        if equalities.len() == MOST_EQUALITIES {
            return Err(error("the relation has too many equalities", words.here()));
        }
        words.and()?;
    }
}

struct Words<'a> {
    text: &'a str,
    tokens: Vec<TokenWithSpan>,
    next: usize,
}

impl Words<'_> {
    fn take(&mut self) -> Option<TokenWithSpan> {
        let token = self.tokens.get(self.next).cloned();
        self.next += usize::from(token.is_some());
        token
    }

    fn here(&self) -> Option<Range<usize>> {
        let token = self.tokens.get(self.next)?;
        Some(self.offset(token.span.start)..self.offset(token.span.end))
    }

    fn offset(&self, location: Location) -> usize {
        let line = usize::try_from(location.line.saturating_sub(1)).unwrap_or(usize::MAX);
        let column = usize::try_from(location.column.saturating_sub(1)).unwrap_or(usize::MAX);
        let start: usize = self
            .text
            .split_inclusive('\n')
            .take(line)
            .map(str::len)
            .sum();
        self.text
            .get(start..)
            .and_then(|rest| rest.char_indices().nth(column))
            .map_or(self.text.len(), |(offset, _)| start + offset)
    }

    fn wanted(&self, what: &str) -> RelationError {
        match self.tokens.get(self.next) {
            Some(token) => error(
                format!("`{}` stands where {what} is expected", token.token),
                self.here(),
            ),
            None => error(format!("the relation ends where {what} is expected"), None),
        }
    }

    fn name(&mut self, what: &str) -> Result<Ident, RelationError> {
        let wanted = self.wanted(what);
        let Some(Token::Word(Word {
            value,
            quote_style,
            keyword,
        })) = self.tokens.get(self.next).map(|token| token.token.clone())
        else {
            return Err(wanted);
        };
        let stored = match quote_style {
            None if matches!(keyword, Keyword::AND | Keyword::OR | Keyword::NOT) => {
                return Err(wanted);
            }
            None => value.to_ascii_lowercase(),
            Some('"') => value,
            Some(_) => return Err(wanted),
        };
        let here = self.here();
        self.next += 1;
        Ident::new(stored).map_err(|e| error(format!("this is not a name: {e}"), here))
    }

    fn equality(&mut self) -> Result<Equality, RelationError> {
        let left = self.name("a column of the dependant")?;
        if self.tokens.get(self.next).map(|t| &t.token) == Some(&Token::Period) {
            return Err(error(
                "the left side is a column of the dependant, without a table before it",
                self.here(),
            ));
        }
        if self.tokens.get(self.next).map(|t| &t.token) != Some(&Token::Eq) {
            return Err(self.wanted("`=`"));
        }
        self.next += 1;
        let begins = self.here();
        let mut names = vec![self.name("a column")?];
        while names.len() < 3
            && self.tokens.get(self.next).map(|t| &t.token) == Some(&Token::Period)
        {
            self.take();
            names.push(self.name("a name")?);
        }
        let ends = self
            .next
            .checked_sub(1)
            .and_then(|last| self.tokens.get(last))
            .map_or(self.text.len(), |token| self.offset(token.span.end));
        let span = begins.map_or(0..ends, |begins| begins.start..ends);
        let right = names
            .pop()
            .ok_or_else(|| error("a column is missing", None))?;
        let table = match names.pop() {
            None => None,
            Some(name) => {
                let table = match names.pop() {
                    Some(schema) => TableName::new(schema, name),
                    None => {
                        let public = Ident::new("public")
                            .map_err(|e| error(e.to_string(), Some(span.clone())))?;
                        TableName::new(public, name)
                    }
                };
                Some(table)
            }
        };
        Ok(Equality {
            left,
            table,
            right,
            span,
        })
    }

    fn and(&mut self) -> Result<(), RelationError> {
        match self.tokens.get(self.next).map(|token| &token.token) {
            Some(Token::Word(word))
                if word.keyword == Keyword::AND && word.quote_style.is_none() =>
            {
                self.next += 1;
                Ok(())
            }
            _ => Err(self.wanted("AND")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, Option<String>, String)> {
        let show = |e: Equality| {
            (
                e.left.to_string(),
                e.table.map(|t| t.to_string()),
                e.right.to_string(),
            )
        };
        parse(text).unwrap().into_iter().map(show).collect()
    }

    #[test]
    fn equalities_are_read_as_postgresql_reads_names() {
        assert_eq!(
            read("TransactionId = id"),
            [("transactionid".to_owned(), None, "id".to_owned())]
        );
        assert_eq!(
            read("\"TransactionId\" = transactions.id AND tenant=rt.transactions.\"Tenant\""),
            [
                (
                    "TransactionId".to_owned(),
                    Some("public.transactions".to_owned()),
                    "id".to_owned()
                ),
                (
                    "tenant".to_owned(),
                    Some("rt.transactions".to_owned()),
                    "Tenant".to_owned()
                ),
            ]
        );
    }

    #[test]
    fn nothing_else_is_a_relation() {
        for text in [
            "",
            "a",
            "a =",
            "= id",
            "a = 1",
            "a = 'x'",
            "a < id",
            "a == id",
            "a = id OR b = id",
            "a = id AND",
            "a = id b = c",
            "t.a = id",
            "lower(a) = id",
            "a = lower(id)",
            "a::text = id",
            "a = b.c.d.e",
            "a = id; DROP TABLE x",
            "a = id -- more",
            "a = id /* more */",
            "(a = id)",
            "a = $1",
            "a = E'x'",
            "a = `id`",
            "not = id",
            "a = \u{0}",
            "a = \"x\u{0}\"",
            "a = 'never ended",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
        let many = vec!["a = id"; 17].join(" AND ");
        assert!(parse(&many).is_err());
        assert!(parse(&format!("a = {}", "x".repeat(1_000))).is_err());
    }

    #[test]
    fn the_place_of_a_fault_is_told() {
        let text = "a = id OR b = id";
        let span = parse(text).unwrap_err().span.unwrap();
        assert_eq!(&text[span], "OR");
        let text = "ä = id AND b = other.id";
        let second = &parse(text).unwrap()[1];
        assert_eq!(&text[second.span.clone()], "other.id");
    }
}
