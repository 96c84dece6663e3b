//! All that a condition can say. What is not here cannot be printed.

use std::collections::BTreeSet;

use crate::ident::Ident;

/// An expression over one row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree {
    Column(Ident),
    /// A text constant, without NUL; not yet of any type.
    Text(String),
    /// Digits, at most one point, at most one exponent; no sign.
    Number(String),
    Boolean(bool),
    Null,
    /// Two or more, none of them itself an `All`.
    All(Vec<Tree>),
    /// Two or more, none of them itself an `Any`.
    Any(Vec<Tree>),
    Not(Box<Tree>),
    Sign(Sign, Box<Tree>),
    Binary(Box<Tree>, Operator, Box<Tree>),
    Is(Box<Tree>, Is),
    /// True for `IS DISTINCT FROM`, false for `IS NOT DISTINCT FROM`.
    Distinct(Box<Tree>, bool, Box<Tree>),
    /// Whether negated; the list is not empty.
    In(Box<Tree>, bool, Vec<Tree>),
    /// Whether negated.
    Between(Box<Tree>, bool, Box<Tree>, Box<Tree>),
    Like(Box<Like>),
    Cast(Box<Tree>, Type),
    Call(Function, Vec<Tree>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    Plus,
    Minus,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Like {
    pub negated: bool,
    pub fold: bool,
    pub text: Tree,
    pub pattern: Tree,
    pub escape: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Plus,
    Minus,
    Times,
    Divide,
    Modulo,
    Concat,
    Arrow,
    ArrowText,
}

impl Operator {
    pub(super) fn sql(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::Unequal => "<>",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Plus => "+",
            Self::Minus => "-",
            Self::Times => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
            Self::Concat => "||",
            Self::Arrow => "->",
            Self::ArrowText => "->>",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Is {
    Null,
    NotNull,
    True,
    NotTrue,
    False,
    NotFalse,
    Unknown,
    NotUnknown,
}

impl Is {
    pub(super) fn sql(self) -> &'static str {
        match self {
            Self::Null => "IS NULL",
            Self::NotNull => "IS NOT NULL",
            Self::True => "IS TRUE",
            Self::NotTrue => "IS NOT TRUE",
            Self::False => "IS FALSE",
            Self::NotFalse => "IS NOT FALSE",
            Self::Unknown => "IS UNKNOWN",
            Self::NotUnknown => "IS NOT UNKNOWN",
        }
    }
}

/// The types that may be cast to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Text,
    Integer,
    Bigint,
    Numeric,
    Boolean,
    Date,
    Timestamp,
    Timestamptz,
    Uuid,
}

impl Type {
    /// As people write it, and [`super::walk`] reads it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Bigint => "bigint",
            Self::Numeric => "numeric",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
            Self::Timestamptz => "timestamptz",
            Self::Uuid => "uuid",
        }
    }

    /// The name in `pg_catalog`, so that no other schema's type can step in.
    pub(super) fn catalogue_name(self) -> &'static str {
        match self {
            Self::Integer => "int4",
            Self::Bigint => "int8",
            Self::Boolean => "bool",
            other => other.name(),
        }
    }

    pub(super) fn is_calendar(self) -> bool {
        matches!(self, Self::Date | Self::Timestamp | Self::Timestamptz)
    }
}

/// The functions that may be called: pure, immutable, and PostgreSQL's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Abs,
    Btrim,
    Ceil,
    Coalesce,
    Floor,
    Left,
    Length,
    Lower,
    Ltrim,
    Nullif,
    Replace,
    Right,
    Round,
    Rtrim,
    StartsWith,
    Substring,
    Upper,
}

impl Function {
    pub(super) const ALL: [Self; 17] = [
        Self::Abs,
        Self::Btrim,
        Self::Ceil,
        Self::Coalesce,
        Self::Floor,
        Self::Left,
        Self::Length,
        Self::Lower,
        Self::Ltrim,
        Self::Nullif,
        Self::Replace,
        Self::Right,
        Self::Round,
        Self::Rtrim,
        Self::StartsWith,
        Self::Substring,
        Self::Upper,
    ];

    /// The one name under which it is printed.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Abs => "abs",
            Self::Btrim => "btrim",
            Self::Ceil => "ceil",
            Self::Coalesce => "coalesce",
            Self::Floor => "floor",
            Self::Left => "left",
            Self::Length => "length",
            Self::Lower => "lower",
            Self::Ltrim => "ltrim",
            Self::Nullif => "nullif",
            Self::Replace => "replace",
            Self::Right => "right",
            Self::Round => "round",
            Self::Rtrim => "rtrim",
            Self::StartsWith => "starts_with",
            Self::Substring => "substring",
            Self::Upper => "upper",
        }
    }

    /// `coalesce` and `nullif` are syntax, and have no schema.
    pub(super) fn is_syntax(self) -> bool {
        matches!(self, Self::Coalesce | Self::Nullif)
    }

    /// By a name in lower case; other spellings of the same are one function.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        match name {
            "trim" => Some(Self::Btrim),
            "char_length" | "character_length" => Some(Self::Length),
            "substr" => Some(Self::Substring),
            "ceiling" => Some(Self::Ceil),
            _ => Self::ALL
                .into_iter()
                .find(|function| function.name() == name),
        }
    }

    /// The least and the most arguments.
    pub(super) fn arity(self) -> (usize, usize) {
        match self {
            Self::Abs | Self::Ceil | Self::Floor | Self::Length | Self::Lower | Self::Upper => {
                (1, 1)
            }
            Self::Btrim | Self::Ltrim | Self::Rtrim | Self::Round => (1, 2),
            Self::Left | Self::Right | Self::Nullif | Self::StartsWith => (2, 2),
            Self::Substring => (2, 3),
            Self::Replace => (3, 3),
            Self::Coalesce => (1, 20),
        }
    }
}

impl Tree {
    pub(super) fn collect_columns(&self, into: &mut BTreeSet<Ident>) {
        match self {
            Self::Column(column) => {
                into.insert(column.clone());
            }
            Self::Text(_) | Self::Number(_) | Self::Boolean(_) | Self::Null => {}
            Self::All(parts) | Self::Any(parts) | Self::Call(_, parts) => {
                parts.iter().for_each(|part| part.collect_columns(into));
            }
            Self::Not(part) | Self::Sign(_, part) | Self::Is(part, _) | Self::Cast(part, _) => {
                part.collect_columns(into);
            }
            Self::Binary(left, _, right) | Self::Distinct(left, _, right) => {
                left.collect_columns(into);
                right.collect_columns(into);
            }
            Self::In(value, _, list) => {
                value.collect_columns(into);
                list.iter().for_each(|part| part.collect_columns(into));
            }
            Self::Between(value, _, low, high) => {
                value.collect_columns(into);
                low.collect_columns(into);
                high.collect_columns(into);
            }
            Self::Like(like) => {
                like.text.collect_columns(into);
                like.pattern.collect_columns(into);
            }
        }
    }
}
