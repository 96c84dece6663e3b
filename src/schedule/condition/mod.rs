//! A condition: one SQL boolean expression over the class's own row.
//!
//! What a person wrote is parsed, walked against an allow-list into a small tree
//! of our own, and printed from that tree. Nothing that was not understood can
//! reach the database, because only what the tree can say is ever printed: columns
//! of this row, constants, and a few pure operators and functions. No sub-query,
//! no other table, no clock, no session, no second statement.
//!
//! Whoever uses a condition must still see that its [`Condition::columns`] exist:
//! PostgreSQL reads `t."f"` as a call of `f(t)` where `t` has no column `f`.

mod constant;
mod print;
mod source;
mod tree;
mod walk;

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use super::diagnostics::Code;
use crate::ident::Ident;
use tree::Tree;

/// A condition that was understood in full.
#[derive(Clone, PartialEq)]
pub struct Condition {
    tree: Tree,
    columns: BTreeSet<Ident>,
}

/// Why a text is no condition that we will run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConditionError {
    code: Code,
    message: String,
    hint: Option<String>,
    span: Option<Range<usize>>,
}

type Walked<T> = Result<T, ConditionError>;

impl ConditionError {
    fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: None,
            span: None,
        }
    }

    fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn with_span(mut self, span: Range<usize>) -> Self {
        self.span = Some(span);
        self
    }

    /// R0201 to R0208.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The bytes of the condition's text at fault, where they are known.
    #[must_use]
    pub fn span(&self) -> Option<Range<usize>> {
        self.span.clone()
    }
}

impl Condition {
    /// Reads one expression and refuses whatever is not on the list.
    ///
    /// # Errors
    /// With what was found, for everything else.
    pub fn parse(text: &str) -> Result<Self, ConditionError> {
        let tree = walk::parse(text)?;
        let mut columns = BTreeSet::new();
        tree.collect_columns(&mut columns);
        Ok(Self { tree, columns })
    }

    /// SQL with every column qualified by `alias` (`t` gives `t."closed_at"`),
    /// fully parenthesised, every function and type qualified by its schema. The
    /// alias is ours, never a person's text.
    #[must_use]
    pub fn sql(&self, alias: &str) -> String {
        print::sql(&self.tree, alias)
    }

    /// The columns that it reads, each once, in alphabetical order.
    pub fn columns(&self) -> impl Iterator<Item = &Ident> {
        self.columns.iter()
    }

    /// Canonical text, which parses to the same condition: the same for two
    /// conditions that differ only in layout, case of keywords, needless
    /// parentheses or the way a type is written.
    #[must_use]
    pub fn text(&self) -> String {
        print::text(&self.tree)
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Condition({})", self.text())
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}
