//! The first two gates: the tokens of a condition, and the parser.
//!
//! No comments, no other forms of constants, no second statement, no operators
//! beyond the list; then one expression, and the end.

use std::ops::Range;

use sqlparser::ast::Expr;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer, Whitespace};

use super::walk::MOST_DEPTH;
use super::{ConditionError, Walked};
use crate::schedule::diagnostics::Code;

/// No condition that a person maintains is longer.
pub(super) const MOST_BYTES: usize = 4_000;
/// Bounds the depth of the parser's own tree, whose chains it builds in a loop.
const MOST_TOKENS: usize = 800;
/// Of the parser: printed, a tree of ours nests twice as deep in its counting.
const RECURSION: usize = 100;

pub(super) fn too_large() -> ConditionError {
    ConditionError::new(
        Code::ConditionTooLarge,
        format!("the condition is too long or nested too deeply (at most {MOST_BYTES} bytes, {MOST_TOKENS} words and signs, {MOST_DEPTH} levels)"),
    )
    .with_hint("a long list of keys belongs in a column of the table")
}

/// What is refused, with what was found.
pub(super) fn construct(found: &str) -> ConditionError {
    ConditionError::new(
        Code::ConditionConstruct,
        format!("{found} is not allowed in a condition"),
    )
    .with_hint("a condition compares columns of the class's own table with constants")
}

/// A condition's text, to which every place refers.
pub(super) struct Source<'a> {
    pub(super) text: &'a str,
}

impl Source<'_> {
    pub(super) fn tokens(&self) -> Walked<Vec<TokenWithSpan>> {
        let dialect = PostgreSqlDialect {};
        let tokens = Tokenizer::new(&dialect, self.text)
            .tokenize_with_location()
            .map_err(|error| {
                ConditionError::new(
                    Code::ConditionSyntax,
                    format!("the condition cannot be read: {}", error.message),
                )
                .with_span(self.range(Span::new(error.location, error.location)))
            })?;
        let mut count = 0;
        for token in &tokens {
            check_token(&token.token).map_err(|error| error.with_span(self.range(token.span)))?;
            // The canonical form has more parentheses, which the parser bounds by itself.
            count += usize::from(!matches!(
                token.token,
                Token::Whitespace(_) | Token::LParen | Token::RParen
            ));
        }
        if count > MOST_TOKENS {
            Err(too_large())
        } else {
            Ok(tokens)
        }
    }

    pub(super) fn expression(&self, tokens: Vec<TokenWithSpan>) -> Walked<Expr> {
        let dialect = PostgreSqlDialect {};
        let mut parser = Parser::new(&dialect)
            .with_recursion_limit(RECURSION)
            .with_tokens_with_locations(tokens);
        let expression = parser.parse_expr().map_err(|error| match error {
            ParserError::RecursionLimitExceeded => too_large(),
            ParserError::ParserError(message) | ParserError::TokenizerError(message) => {
                ConditionError::new(
                    Code::ConditionSyntax,
                    format!("the condition is not an SQL expression: {message}"),
                )
            }
        })?;
        let next = parser.peek_token();
        if next.token == Token::EOF {
            return Ok(expression);
        }
        Err(ConditionError::new(
            Code::ConditionSyntax,
            format!("the condition goes on after its end, with `{}`", next.token),
        )
        .with_hint("write one expression; join several with AND or OR")
        .with_span(self.range(next.span)))
    }

    /// Bytes of the text, from the parser's lines and columns.
    pub(super) fn range(&self, span: Span) -> Range<usize> {
        let start = self.offset(span.start);
        let end = self.offset(span.end).max(start);
        start..end
    }

    fn offset(&self, location: Location) -> usize {
        let mut line_start = 0;
        for _ in 1..location.line {
            match self.text.get(line_start..).and_then(|rest| rest.find('\n')) {
                Some(newline) => line_start += newline + 1,
                None => return self.text.len(),
            }
        }
        let column = usize::try_from(location.column.saturating_sub(1)).unwrap_or(usize::MAX);
        self.text
            .get(line_start..)
            .and_then(|rest| rest.char_indices().nth(column))
            .map_or(self.text.len(), |(offset, _)| line_start + offset)
    }
}

fn check_token(token: &Token) -> Walked<()> {
    let literal = |what: &str| {
        Err(ConditionError::new(
            Code::ConditionLiteral,
            format!("{what} is not allowed in a condition"),
        )
        .with_hint("write constants as 'text', 12, 1.5, TRUE, NULL or DATE '2026-01-31'"))
    };
    match token {
        Token::Word(_)
        | Token::Number(_, false)
        | Token::SingleQuotedString(_)
        | Token::Comma
        | Token::Eq
        | Token::Neq
        | Token::Lt
        | Token::LtEq
        | Token::Gt
        | Token::GtEq
        | Token::Plus
        | Token::Minus
        | Token::Mul
        | Token::Div
        | Token::Mod
        | Token::StringConcat
        | Token::LParen
        | Token::RParen
        | Token::DoubleColon
        | Token::Arrow
        | Token::LongArrow
        | Token::EOF
        // `a.b` is refused by the walk, which can say why.
        | Token::Period => Ok(()),
        Token::Whitespace(Whitespace::Space | Whitespace::Newline | Whitespace::Tab) => Ok(()),
        Token::Whitespace(_) => Err(construct("a comment").with_hint(
            "write comments in the schedule file, after a `#` outside the condition",
        )),
        Token::SemiColon => Err(ConditionError::new(
            Code::ConditionConstruct,
            "a condition is one expression, without `;`",
        )),
        Token::Placeholder(_) | Token::Colon | Token::AtSign | Token::Question => {
            Err(construct("a parameter"))
        }
        Token::DollarQuotedString(_) => literal("a dollar-quoted text"),
        Token::EscapedStringLiteral(_) => literal("a text with escapes (E'…')"),
        Token::UnicodeStringLiteral(_) => literal("a text with Unicode escapes (U&'…')"),
        Token::NationalStringLiteral(_) => literal("a national text (N'…')"),
        Token::HexStringLiteral(_)
        | Token::SingleQuotedByteStringLiteral(_)
        | Token::DoubleQuotedByteStringLiteral(_) => literal("a bit string"),
        Token::Number(..) => literal("a number with a suffix"),
        Token::LBracket | Token::RBracket | Token::LBrace | Token::RBrace => {
            Err(construct("an array"))
        }
        other => Err(construct(&format!("`{other}`"))),
    }
}
