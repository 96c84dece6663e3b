//! What a statement of the plan needs of the tables that it names: which columns it reads
//! and writes, whether it deletes, whether it locks.
//!
//! The text is taken apart by a parser and each column looked up in the FROM clauses around
//! it, as PostgreSQL does, so that nothing has to be listed beside the statements and then
//! kept in step with them. PostgreSQL asks for `SELECT` on every column that a statement
//! mentions, and on any one where it mentions none; for `UPDATE` on every column that is
//! set; and for `FOR UPDATE` and `FOR SHARE` for `UPDATE` on any column
//! (`ExecCheckRTEPerms`, all supported versions).

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use sqlparser::ast::{
    AssignmentTarget, Expr, FromTable, Ident as SqlIdent, ObjectName, Query, Select, SetExpr,
    Statement, TableFactor, TableWithJoins, Visit, Visitor,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

use super::Needed;
use crate::catalog::Catalog;
use crate::ident::{Ident, TableName};

/// A statement of ours that our own parser cannot read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a planned statement could not be read: {0}")]
pub struct Unreadable(String);

/// The judgement of many classes about one row nests deeply.
const DEEP: usize = 10_000;

/// Adds what a statement needs to `found`.
pub(super) fn statement(
    sql: &str,
    catalog: &Catalog,
    found: &mut BTreeMap<TableName, Needed>,
) -> Result<(), Unreadable> {
    if sql.is_empty() {
        return Ok(());
    }
    let unreadable = |error: sqlparser::parser::ParserError| Unreadable(error.to_string());
    let statements = Parser::new(&PostgreSqlDialect {})
        .with_recursion_limit(DEEP)
        .try_with_sql(sql)
        .map_err(unreadable)?
        .parse_statements()
        .map_err(unreadable)?;
    let mut reader = Reader {
        catalog,
        found,
        scopes: Vec::new(),
        unknown: None,
    };
    for statement in &statements {
        let _ = statement.visit(&mut reader);
    }
    match reader.unknown {
        None => Ok(()),
        Some(what) => Err(Unreadable(what)),
    }
}

/// The names that one FROM clause gives, and the tables behind them; `None` for what is no
/// table of an organisation: a sub-query, a function, a table of our own.
type Scope = Vec<(String, Option<TableName>)>;

struct Reader<'a> {
    catalog: &'a Catalog,
    found: &'a mut BTreeMap<TableName, Needed>,
    scopes: Vec<Scope>,
    unknown: Option<String>,
}

impl Reader<'_> {
    fn scope<'t>(&mut self, from: impl IntoIterator<Item = &'t TableWithJoins>) -> Scope {
        let mut scope = Scope::new();
        for item in from {
            self.item(item, &mut scope);
        }
        scope
    }

    fn item(&mut self, item: &TableWithJoins, scope: &mut Scope) {
        let joined = item.joins.iter().map(|join| &join.relation);
        for factor in std::iter::once(&item.relation).chain(joined) {
            match factor {
                TableFactor::Table {
                    name, alias, args, ..
                } => {
                    let table = if args.is_some() {
                        None
                    } else {
                        self.table(name)
                    };
                    let alias = alias.as_ref().map(|alias| alias.name.value.clone());
                    let called = alias.or_else(|| last(name)).unwrap_or_default();
                    if let Some(table) = &table {
                        self.found.entry(table.clone()).or_default();
                    }
                    scope.push((called, table));
                }
                TableFactor::Derived { alias, .. } | TableFactor::UNNEST { alias, .. } => {
                    let called = alias.as_ref().map(|alias| alias.name.value.clone());
                    scope.push((called.unwrap_or_default(), None));
                }
                TableFactor::NestedJoin {
                    table_with_joins, ..
                } => self.item(table_with_joins, scope),
                other => {
                    self.unknown
                        .get_or_insert_with(|| format!("`{other}` in a FROM clause"));
                }
            }
        }
    }

    /// The table of the organisation that a name of two parts stands for.
    fn table(&mut self, name: &ObjectName) -> Option<TableName> {
        let parts: Vec<&SqlIdent> = name.0.iter().filter_map(|part| part.as_ident()).collect();
        let [schema, table] = parts[..] else {
            // A name of one part is that of a recursion.
            return None;
        };
        if schema.value == "retentiond" || schema.value == "pg_catalog" {
            return None;
        }
        let table = TableName::new(
            Ident::new(&schema.value).ok()?,
            Ident::new(&table.value).ok()?,
        );
        if self.catalog.table(&table).is_none() {
            self.unknown
                .get_or_insert_with(|| format!("`{table}` is no table"));
            return None;
        }
        Some(table)
    }

    fn resolve(&self, alias: &str) -> Option<TableName> {
        let mut scopes = self.scopes.iter().rev().flatten();
        scopes.find(|(name, _)| name == alias)?.1.clone()
    }

    fn reads(&mut self, table: &TableName, column: &str) {
        let known = self.catalog.table(table).and_then(|table| {
            let mut columns = table.columns.iter();
            columns.find(|known| known.name.as_str() == column)
        });
        if let Some(column) = known {
            let needed = self.found.entry(table.clone()).or_default();
            needed.select.insert(column.name.clone());
        }
    }

    fn push_body(&mut self, body: &SetExpr) {
        let scope = match body {
            SetExpr::Select(select) => self.scope(&select.from),
            _ => Scope::new(),
        };
        self.scopes.push(scope);
    }
}

impl Visitor for Reader<'_> {
    type Break = ();

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<()> {
        let scope = match statement {
            Statement::Update(update) => {
                let scope = self.scope([&update.table]);
                if let Some((_, Some(table))) = scope.first() {
                    let needed = self.found.entry(table.clone()).or_default();
                    for assignment in &update.assignments {
                        let name = match &assignment.target {
                            AssignmentTarget::ColumnName(name) => last(name),
                            AssignmentTarget::Tuple(_) => None,
                        };
                        match name.and_then(|name| Ident::new(name).ok()) {
                            Some(column) => drop(needed.update.insert(column)),
                            None => self.unknown = Some(format!("`{assignment}` in an UPDATE")),
                        }
                    }
                }
                scope
            }
            Statement::Delete(delete) => {
                let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) =
                    &delete.from;
                let scope = self.scope(from);
                if let Some((_, Some(table))) = scope.first() {
                    self.found.entry(table.clone()).or_default().delete = true;
                }
                scope
            }
            // What is inserted goes into tables of our own.
            Statement::Query(_) | Statement::Insert(_) => Scope::new(),
            other => {
                self.unknown = Some(format!("`{other}`"));
                Scope::new()
            }
        };
        self.scopes.push(scope);
        ControlFlow::Continue(())
    }

    fn post_visit_statement(&mut self, _: &Statement) -> ControlFlow<()> {
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        // ORDER BY stands outside the SELECT that it orders.
        self.push_body(&query.body);
        for lock in &query.locks {
            let locked: Vec<TableName> = match &lock.of {
                Some(name) => last(name)
                    .and_then(|name| self.resolve(&name))
                    .into_iter()
                    .collect(),
                None => {
                    let scope = self.scopes.last().into_iter().flatten();
                    scope.filter_map(|(_, table)| table.clone()).collect()
                }
            };
            for table in locked {
                self.found.entry(table).or_default().locks = true;
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        let scope = self.scope(&select.from);
        self.scopes.push(scope);
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, _: &Select) -> ControlFlow<()> {
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        match expression {
            Expr::CompoundIdentifier(parts) => {
                if let [alias, column, ..] = &parts[..]
                    && let Some(table) = self.resolve(&alias.value)
                {
                    self.reads(&table, &column.value);
                }
            }
            // Without an alias: a column of the nearest clause.
            Expr::Identifier(column) => {
                let tables: Vec<TableName> = self
                    .scopes
                    .last()
                    .into_iter()
                    .flatten()
                    .filter_map(|(_, table)| table.clone())
                    .collect();
                for table in tables {
                    self.reads(&table, &column.value);
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn last(name: &ObjectName) -> Option<String> {
    let part = name.0.last()?.as_ident()?;
    Some(part.value.clone())
}
