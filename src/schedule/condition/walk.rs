//! The third gate: the walk from the parser's tree to our own, through the
//! allow-list. It has no way to carry along what it does not name.

use sqlparser::ast::{
    BinaryOperator, CastKind, CeilFloorKind, DataType, DateTimeField, Expr, FunctionArg,
    FunctionArgExpr, FunctionArguments, Spanned, TrimWhereField, UnaryOperator, Value,
};

use super::constant::{
    constant, is_iso_date, number_constant, text_constant, type_of, without_nul,
};
use super::source::{MOST_BYTES, Source, construct, too_large};
use super::tree::{Function, Is, Like, Operator, Sign, Tree, Type};
use super::{ConditionError, Walked, print};
use crate::ident::Ident;
use crate::schedule::diagnostics::Code;

/// Bounds the depth of ours.
pub(super) const MOST_DEPTH: usize = 24;
const CLOCK_FUNCTIONS: [&str; 16] = [
    "now",
    "age",
    "clock_timestamp",
    "statement_timestamp",
    "transaction_timestamp",
    "timeofday",
    "current_date",
    "current_time",
    "current_timestamp",
    "localtime",
    "localtimestamp",
    "random",
    "gen_random_uuid",
    "txid_current",
    "current_setting",
    "pg_sleep",
];

const SESSION_WORDS: [&str; 8] = [
    "user",
    "current_user",
    "session_user",
    "system_user",
    "current_role",
    "current_catalog",
    "current_schema",
    "current_database",
];

/// Columns of PostgreSQL's own that say where a row lies, not what it is.
const SYSTEM_COLUMNS: [&str; 6] = ["ctid", "tableoid", "xmin", "xmax", "cmin", "cmax"];

/// Reads a condition.
pub(super) fn parse(text: &str) -> Walked<Tree> {
    if text.trim().is_empty() {
        return Err(
            ConditionError::new(Code::ConditionSyntax, "the condition is empty")
                .with_hint("leave `where` out to claim every row of the table"),
        );
    }
    if text.len() > MOST_BYTES {
        return Err(too_large());
    }
    let source = Source { text };
    let tokens = source.tokens()?;
    let expression = source.expression(tokens)?;
    let tree = source.walk(&expression, 0)?;
    match tree {
        Tree::Text(_) | Tree::Number(_) | Tree::Null | Tree::Sign(..) => Err(ConditionError::new(
            Code::ConditionSyntax,
            "a condition must be true or false for each row, and this is a value",
        )),
        tree => {
            // Its canonical form is read by the same rules, and is often longer.
            let printed = print::text(&tree);
            let again = Source { text: &printed };
            if printed.len() > MOST_BYTES || again.tokens().is_err() {
                return Err(too_large());
            }
            Ok(tree)
        }
    }
}

impl Source<'_> {
    /// Adds the place to a refusal that has none yet.
    fn placed<T>(&self, expression: &Expr, walked: Walked<T>) -> Walked<T> {
        walked.map_err(|error| {
            let span = expression.span();
            if error.span.is_none() && span.start.line > 0 {
                error.with_span(self.range(span))
            } else {
                error
            }
        })
    }

    fn walk(&self, mut expression: &Expr, mut depth: usize) -> Walked<Tree> {
        // The printer puts one pair of parentheses around each level: those are none by
        // themselves, so that what is printed is no deeper than what was read.
        if let Expr::Nested(inner) = expression {
            expression = inner;
        }
        while let Expr::Nested(inner) = expression {
            expression = inner;
            depth += 1;
        }
        if depth > MOST_DEPTH {
            return self.placed(expression, Err(too_large()));
        }
        let walked = self.walk_unplaced(expression, depth + 1);
        self.placed(expression, walked)
    }

    fn boxed(&self, expression: &Expr, depth: usize) -> Walked<Box<Tree>> {
        self.walk(expression, depth).map(Box::new)
    }

    fn list(&self, expressions: &[Expr], depth: usize) -> Walked<Vec<Tree>> {
        expressions
            .iter()
            .map(|expression| self.walk(expression, depth))
            .collect()
    }

    fn walk_unplaced(&self, expression: &Expr, depth: usize) -> Walked<Tree> {
        let is = |part: &Expr, is| Ok(Tree::Is(self.boxed(part, depth)?, is));
        match expression {
            Expr::Identifier(name) => column(name),
            Expr::Value(value) => constant(&value.value),
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right, depth),
            Expr::UnaryOp {
                op: UnaryOperator::Not,
                expr,
            } => Ok(Tree::Not(self.boxed(expr, depth)?)),
            Expr::UnaryOp {
                op: UnaryOperator::Minus,
                expr,
            } => Ok(Tree::Sign(Sign::Minus, self.boxed(expr, depth)?)),
            Expr::UnaryOp {
                op: UnaryOperator::Plus,
                expr,
            } => Ok(Tree::Sign(Sign::Plus, self.boxed(expr, depth)?)),
            Expr::UnaryOp { op, .. } => Err(construct(&format!("the operator `{op}`"))),
            Expr::IsNull(part) => is(part, Is::Null),
            Expr::IsNotNull(part) => is(part, Is::NotNull),
            Expr::IsTrue(part) => is(part, Is::True),
            Expr::IsNotTrue(part) => is(part, Is::NotTrue),
            Expr::IsFalse(part) => is(part, Is::False),
            Expr::IsNotFalse(part) => is(part, Is::NotFalse),
            Expr::IsUnknown(part) => is(part, Is::Unknown),
            Expr::IsNotUnknown(part) => is(part, Is::NotUnknown),
            Expr::IsDistinctFrom(left, right) => Ok(Tree::Distinct(
                self.boxed(left, depth)?,
                true,
                self.boxed(right, depth)?,
            )),
            Expr::IsNotDistinctFrom(left, right) => Ok(Tree::Distinct(
                self.boxed(left, depth)?,
                false,
                self.boxed(right, depth)?,
            )),
            Expr::InList {
                expr,
                list,
                negated,
            } if !list.is_empty() => Ok(Tree::In(
                self.boxed(expr, depth)?,
                *negated,
                self.list(list, depth)?,
            )),
            Expr::Between {
                expr,
                negated,
                low,
                high,
            } => Ok(Tree::Between(
                self.boxed(expr, depth)?,
                *negated,
                self.boxed(low, depth)?,
                self.boxed(high, depth)?,
            )),
            Expr::Like {
                negated,
                any: false,
                expr,
                pattern,
                escape_char,
            } => self.like(
                *negated,
                false,
                [expr, pattern],
                escape_char.as_deref(),
                depth,
            ),
            Expr::ILike {
                negated,
                any: false,
                expr,
                pattern,
                escape_char,
            } => self.like(
                *negated,
                true,
                [expr, pattern],
                escape_char.as_deref(),
                depth,
            ),
            Expr::Cast {
                kind: CastKind::Cast | CastKind::DoubleColon,
                expr,
                data_type,
                format: None,
            } => self.cast(expr, data_type, depth),
            Expr::TypedString(typed) if !typed.uses_odbc_syntax => {
                let to = type_of(&typed.data_type)?;
                if !to.is_calendar() {
                    return Err(ConditionError::new(
                        Code::ConditionLiteral,
                        "only DATE '…' and TIMESTAMP '…' may stand before a constant",
                    ));
                }
                self.cast_tree(text_constant(&typed.value.value)?, to)
            }
            Expr::Function(function) => self.call(function, depth),
            Expr::Trim {
                trim_where,
                trim_what,
                expr,
                trim_characters,
            } => {
                let function = match trim_where {
                    None | Some(TrimWhereField::Both) => Function::Btrim,
                    Some(TrimWhereField::Leading) => Function::Ltrim,
                    Some(TrimWhereField::Trailing) => Function::Rtrim,
                };
                let mut arguments = vec![self.walk(expr, depth)?];
                if let Some(what) = trim_what {
                    arguments.push(self.walk(what, depth)?);
                }
                for what in trim_characters.iter().flatten() {
                    arguments.push(self.walk(what, depth)?);
                }
                called(function, arguments)
            }
            Expr::Substring {
                expr,
                substring_from: Some(from),
                substring_for,
                ..
            } => {
                let mut arguments = vec![self.walk(expr, depth)?, self.walk(from, depth)?];
                if let Some(length) = substring_for {
                    arguments.push(self.walk(length, depth)?);
                }
                called(Function::Substring, arguments)
            }
            Expr::Ceil {
                expr,
                field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime),
            } => called(Function::Ceil, vec![self.walk(expr, depth)?]),
            Expr::Floor {
                expr,
                field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime),
            } => called(Function::Floor, vec![self.walk(expr, depth)?]),
            other => Err(refusal(other)),
        }
    }

    fn binary(&self, left: &Expr, op: &BinaryOperator, right: &Expr, depth: usize) -> Walked<Tree> {
        let operator = match op {
            BinaryOperator::And | BinaryOperator::Or => {
                return self.chain(left, op, right, depth);
            }
            BinaryOperator::Eq => Operator::Equal,
            BinaryOperator::NotEq => Operator::Unequal,
            BinaryOperator::Lt => Operator::Less,
            BinaryOperator::LtEq => Operator::LessOrEqual,
            BinaryOperator::Gt => Operator::Greater,
            BinaryOperator::GtEq => Operator::GreaterOrEqual,
            BinaryOperator::Plus => Operator::Plus,
            BinaryOperator::Minus => Operator::Minus,
            BinaryOperator::Multiply => Operator::Times,
            BinaryOperator::Divide => Operator::Divide,
            BinaryOperator::Modulo => Operator::Modulo,
            BinaryOperator::StringConcat => Operator::Concat,
            BinaryOperator::Arrow => Operator::Arrow,
            BinaryOperator::LongArrow => Operator::ArrowText,
            other => return Err(construct(&format!("the operator `{other}`"))),
        };
        if is_comparison(op) && (compares(left) || compares(right)) {
            return Err(ConditionError::new(
                Code::ConditionSyntax,
                "two comparisons in a row have no meaning in SQL",
            )
            .with_hint("write `a < b AND b < c`"));
        }
        if matches!(operator, Operator::Arrow | Operator::ArrowText) {
            let key = match unnested(right) {
                Expr::Value(value) => match &value.value {
                    Value::SingleQuotedString(key) => Tree::Text(without_nul(key)?),
                    Value::Number(number, false) => number_constant(number)?,
                    _ => return Err(json_key()),
                },
                _ => return Err(json_key()),
            };
            return Ok(Tree::Binary(
                self.boxed(left, depth)?,
                operator,
                Box::new(key),
            ));
        }
        Ok(Tree::Binary(
            self.boxed(left, depth)?,
            operator,
            self.boxed(right, depth)?,
        ))
    }

    /// A chain of ANDs or ORs of any length is one level.
    fn chain(&self, left: &Expr, op: &BinaryOperator, right: &Expr, depth: usize) -> Walked<Tree> {
        let mut parts = Vec::new();
        let mut pending = vec![right, left];
        while let Some(expression) = pending.pop() {
            match unnested(expression) {
                Expr::BinaryOp {
                    left,
                    op: inner,
                    right,
                } if inner == op => {
                    pending.push(right);
                    pending.push(left);
                }
                other => parts.push(self.walk(other, depth)?),
            }
        }
        Ok(if *op == BinaryOperator::And {
            Tree::All(parts)
        } else {
            Tree::Any(parts)
        })
    }

    fn like(
        &self,
        negated: bool,
        fold: bool,
        [text, pattern]: [&Expr; 2],
        escape: Option<&Expr>,
        depth: usize,
    ) -> Walked<Tree> {
        let escape = match escape {
            None => None,
            Some(Expr::Value(value)) => match &value.value {
                Value::SingleQuotedString(text) if text.chars().count() <= 1 => {
                    Some(without_nul(text)?)
                }
                _ => return Err(construct("an ESCAPE that is not one character")),
            },
            Some(_) => return Err(construct("an ESCAPE that is not one character")),
        };
        // A pattern is always text, whatever its words.
        let pattern = match unnested(pattern) {
            Expr::Value(value) => match &value.value {
                Value::SingleQuotedString(text) => Tree::Text(without_nul(text)?),
                _ => self.walk(pattern, depth)?,
            },
            _ => self.walk(pattern, depth)?,
        };
        let text = self.walk(text, depth)?;
        Ok(Tree::Like(Box::new(Like {
            negated,
            fold,
            text,
            pattern,
            escape,
        })))
    }

    fn cast(&self, expression: &Expr, data_type: &DataType, depth: usize) -> Walked<Tree> {
        let to = type_of(data_type)?;
        let tree = self.walk(expression, depth)?;
        self.cast_tree(tree, to)
    }

    fn cast_tree(&self, tree: Tree, to: Type) -> Walked<Tree> {
        if to.is_calendar() {
            match &tree {
                Tree::Text(text) if !is_iso_date(text) => {
                    return Err(ConditionError::new(
                        Code::ConditionLiteral,
                        format!("'{text}' is not a date that reads the same everywhere"),
                    )
                    .with_hint(
                        "write dates like DATE '2026-01-31' or TIMESTAMP '2026-01-31 12:00:00'",
                    ));
                }
                tree if !can_hold_a_date(tree) => {
                    return Err(ConditionError::new(
                        Code::ConditionCast,
                        format!("a computed value cannot be cast to {}", to.name()),
                    )
                    .with_hint("cast a column or a constant"));
                }
                _ => {}
            }
        }
        Ok(Tree::Cast(Box::new(tree), to))
    }

    fn call(&self, function: &sqlparser::ast::Function, depth: usize) -> Walked<Tree> {
        let name = match function.name.0.as_slice() {
            [part] => match part.as_ident() {
                Some(name) if name.quote_style.is_none() => name.value.to_ascii_lowercase(),
                _ => return Err(construct(&format!("the function {}", function.name))),
            },
            _ => {
                return Err(ConditionError::new(
                    Code::ConditionFunction,
                    format!("the function `{}` is named with a schema", function.name),
                )
                .with_hint("only PostgreSQL's own functions are allowed, by their bare names"));
            }
        };
        if CLOCK_FUNCTIONS.contains(&name.as_str()) || SESSION_WORDS.contains(&name.as_str()) {
            return Err(clock(&name));
        }
        let arguments = match &function.args {
            FunctionArguments::List(list)
                if list.duplicate_treatment.is_none() && list.clauses.is_empty() =>
            {
                &list.args
            }
            FunctionArguments::Subquery(_) => return Err(construct("a sub-query")),
            _ => return Err(construct(&format!("`{name}` in this form"))),
        };
        if function.over.is_some() {
            return Err(construct("a window function"));
        }
        if function.uses_odbc_syntax
            || !matches!(function.parameters, FunctionArguments::None)
            || !function.within_group.is_empty()
            || function.filter.is_some()
            || function.null_treatment.is_some()
        {
            return Err(construct(&format!("`{name}` in this form")));
        }
        let Some(function) = Function::from_name(&name) else {
            let allowed: Vec<&str> = Function::ALL
                .iter()
                .map(|function| function.name())
                .collect();
            return Err(ConditionError::new(
                Code::ConditionFunction,
                format!("the function `{name}` is not on the list"),
            )
            .with_hint(format!("allowed are {}", allowed.join(", "))));
        };
        let arguments = arguments
            .iter()
            .map(|argument| match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => {
                    self.walk(expression, depth)
                }
                _ => Err(construct(&format!("a `*` or a named argument in `{name}`"))),
            })
            .collect::<Walked<Vec<_>>>()?;
        called(function, arguments)
    }
}

/// What is refused by its kind.
fn refusal(expression: &Expr) -> ConditionError {
    let found = match expression {
        Expr::CompoundIdentifier(_) | Expr::CompoundFieldAccess { .. } => {
            return ConditionError::new(
                Code::ConditionOtherRow,
                "a condition sees only the class's own row, so that a column has no table before it",
            )
            .with_hint("write the bare name of the column, in double quotes if it has capitals");
        }
        Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => {
            return ConditionError::new(
                Code::ConditionOtherRow,
                "a condition sees only the class's own row, and cannot hold a sub-query",
            )
            .with_hint("keep what decides in a column of the table, or choose another trigger");
        }
        Expr::AnyOp { .. } | Expr::AllOp { .. } => "ANY or ALL",
        Expr::InList { .. } => "an empty list",
        Expr::InUnnest { .. } | Expr::Array(_) => "an array",
        Expr::Tuple(_) | Expr::Struct { .. } => "a row of several values",
        Expr::Case { .. } => "CASE",
        Expr::AtTimeZone { .. } => "AT TIME ZONE",
        Expr::Collate { .. } => "COLLATE",
        Expr::SimilarTo { .. } | Expr::RLike { .. } => "a regular expression",
        Expr::Interval(_) => "an interval",
        Expr::Extract { .. } => "EXTRACT",
        Expr::Like { .. } | Expr::ILike { .. } => "LIKE ANY",
        Expr::Position { .. } => "POSITION",
        Expr::Overlay { .. } => "OVERLAY",
        Expr::IsJson { .. } | Expr::IsNormalized { .. } => "this IS",
        Expr::Wildcard(_) | Expr::QualifiedWildcard(..) => "`*`",
        _ => "this construct",
    };
    construct(found)
}

fn clock(name: &str) -> ConditionError {
    ConditionError::new(
        Code::ConditionClock,
        format!("`{name}` depends on the clock or the session, and a condition must not"),
    )
    .with_hint("time is counted by `trigger` and `period`; a condition says which rows are meant")
}

fn json_key() -> ConditionError {
    construct("a JSON key that is not a constant")
}

fn unnested(mut expression: &Expr) -> &Expr {
    while let Expr::Nested(inner) = expression {
        expression = inner;
    }
    expression
}

fn is_comparison(op: &BinaryOperator) -> bool {
    matches!(
        op,
        BinaryOperator::Eq
            | BinaryOperator::NotEq
            | BinaryOperator::Lt
            | BinaryOperator::LtEq
            | BinaryOperator::Gt
            | BinaryOperator::GtEq
    )
}

fn compares(expression: &Expr) -> bool {
    matches!(expression, Expr::BinaryOp { op, .. } if is_comparison(op))
}

fn column(name: &sqlparser::ast::Ident) -> Walked<Tree> {
    let stored = match name.quote_style {
        None => name.value.to_ascii_lowercase(),
        Some('"') => name.value.clone(),
        Some(_) => return Err(construct("a name in these quotes")),
    };
    let word = name.quote_style.is_none().then_some(stored.as_str());
    if word.is_some_and(|word| CLOCK_FUNCTIONS.contains(&word) || SESSION_WORDS.contains(&word)) {
        return Err(clock(&stored));
    }
    if SYSTEM_COLUMNS.contains(&stored.as_str()) {
        return Err(construct(&format!("PostgreSQL's own column `{stored}`")));
    }
    Ident::new(stored).map(Tree::Column).map_err(|error| {
        ConditionError::new(
            Code::ConditionSyntax,
            format!("a column's name is wrong: {error}"),
        )
    })
}

fn called(function: Function, arguments: Vec<Tree>) -> Walked<Tree> {
    let (least, most) = function.arity();
    if (least..=most).contains(&arguments.len()) {
        return Ok(Tree::Call(function, arguments));
    }
    Err(ConditionError::new(
        Code::ConditionFunction,
        format!(
            "`{}` cannot have {} arguments",
            function.name(),
            arguments.len()
        ),
    ))
}

/// A column, a constant, or what merely picks one of them: nothing by which the
/// word `now` could be put together.
fn can_hold_a_date(tree: &Tree) -> bool {
    match tree {
        Tree::Column(_) | Tree::Null => true,
        Tree::Text(text) => is_iso_date(text),
        Tree::Cast(inner, to) => (to.is_calendar() || *to == Type::Text) && can_hold_a_date(inner),
        Tree::Binary(left, Operator::Arrow | Operator::ArrowText, _) => can_hold_a_date(left),
        Tree::Call(Function::Nullif, arguments) => arguments.first().is_some_and(can_hold_a_date),
        Tree::Call(Function::Coalesce, arguments) => arguments.iter().all(can_hold_a_date),
        _ => false,
    }
}
