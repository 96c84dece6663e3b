//! The tree as text, for PostgreSQL or in its canonical form.

use super::tree::{Function, Sign, Tree, Type};
use crate::ident::{Ident, literal};

/// For PostgreSQL: columns qualified by the alias, functions and types by
/// `pg_catalog`, so that nothing on a search path can step in.
pub(super) fn sql(tree: &Tree, alias: &str) -> String {
    let mut out = String::new();
    Printer { alias: Some(alias) }.print(tree, &mut out);
    out
}

/// As a person could have written it; the parser reads it back to the same tree.
pub(super) fn text(tree: &Tree) -> String {
    let mut out = String::new();
    Printer { alias: None }.print(tree, &mut out);
    out
}

struct Printer<'a> {
    alias: Option<&'a str>,
}

impl Printer<'_> {
    /// Whatever is more than one token is in parentheses or is a call.
    fn print(&self, tree: &Tree, out: &mut String) {
        match tree {
            Tree::Column(column) => self.column(column, out),
            Tree::Text(text) => out.push_str(&literal(text)),
            Tree::Number(number) => out.push_str(number),
            Tree::Boolean(true) => out.push_str("TRUE"),
            Tree::Boolean(false) => out.push_str("FALSE"),
            Tree::Null => out.push_str("NULL"),
            Tree::All(parts) => self.joined(parts, " AND ", out),
            Tree::Any(parts) => self.joined(parts, " OR ", out),
            Tree::Not(part) => self.parts(&["(NOT ", ")"], &[part], out),
            // The space keeps two minus signs from becoming a comment.
            Tree::Sign(Sign::Minus, part) => self.parts(&["(- ", ")"], &[part], out),
            Tree::Sign(Sign::Plus, part) => self.parts(&["(+ ", ")"], &[part], out),
            Tree::Binary(left, operator, right) => {
                let operator = format!(" {} ", operator.sql());
                self.parts(&["(", &operator, ")"], &[left, right], out);
            }
            Tree::Is(part, is) => {
                let end = format!(" {})", is.sql());
                self.parts(&["(", &end], &[part], out);
            }
            Tree::Distinct(left, true, right) => {
                self.parts(&["(", " IS DISTINCT FROM ", ")"], &[left, right], out);
            }
            Tree::Distinct(left, false, right) => {
                self.parts(&["(", " IS NOT DISTINCT FROM ", ")"], &[left, right], out);
            }
            Tree::In(value, negated, list) => {
                out.push('(');
                self.print(value, out);
                out.push_str(if *negated { " NOT IN " } else { " IN " });
                self.joined(list, ", ", out);
                out.push(')');
            }
            Tree::Between(value, negated, low, high) => {
                let between = if *negated {
                    " NOT BETWEEN "
                } else {
                    " BETWEEN "
                };
                self.parts(&["(", between, " AND ", ")"], &[value, low, high], out);
            }
            Tree::Like(like) => {
                let operator = match (like.negated, like.fold) {
                    (false, false) => " LIKE ",
                    (true, false) => " NOT LIKE ",
                    (false, true) => " ILIKE ",
                    (true, true) => " NOT ILIKE ",
                };
                self.parts(&["(", operator, ""], &[&like.text, &like.pattern], out);
                if let Some(escape) = &like.escape {
                    out.push_str(" ESCAPE ");
                    out.push_str(&literal(escape));
                }
                out.push(')');
            }
            Tree::Cast(part, to) => {
                let end = format!(" AS {})", self.type_name(*to));
                self.parts(&["CAST(", &end], &[part], out);
            }
            Tree::Call(function, arguments) => {
                out.push_str(&self.function_name(*function));
                self.joined(arguments, ", ", out);
            }
        }
    }

    fn column(&self, column: &Ident, out: &mut String) {
        if let Some(alias) = self.alias {
            out.push_str(alias);
            out.push('.');
        }
        out.push_str(&column.quoted());
    }

    fn type_name(&self, to: Type) -> String {
        match self.alias {
            Some(_) => format!("pg_catalog.{}", to.catalogue_name()),
            None => to.name().to_owned(),
        }
    }

    fn function_name(&self, function: Function) -> String {
        match self.alias {
            // `left` and `right` are reserved words, and need the quotes.
            Some(_) if !function.is_syntax() => format!("pg_catalog.\"{}\"", function.name()),
            _ => function.name().to_owned(),
        }
    }

    fn joined(&self, parts: &[Tree], between: &str, out: &mut String) {
        out.push('(');
        for (position, part) in parts.iter().enumerate() {
            if position > 0 {
                out.push_str(between);
            }
            self.print(part, out);
        }
        out.push(')');
    }

    /// The words before, between and after the parts.
    fn parts(&self, words: &[&str], parts: &[&Tree], out: &mut String) {
        for (position, word) in words.iter().enumerate() {
            out.push_str(word);
            if let Some(part) = parts.get(position) {
                self.print(part, out);
            }
        }
    }
}
