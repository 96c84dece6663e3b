//! Triggers that stand in a related row: `case.closed_at` for a message that refers to its
//! case by a foreign key.
//!
//! As a value over the message's row such a trigger is a sub-query; where a pass walks along
//! it, a join. The rows that are read so are nobody's dependants: they are locked against
//! change while the batch decides by them, and what was read is judged again after that.

use serde::Serialize;

use super::judge::{Judge, columns};
use super::key::{Key, among};
use super::link::{Link, Side};
use crate::catalog::{Catalog, Sort, Table};
use crate::ident::{Ident, TableName};
use crate::schedule::{Class, Rule, Trigger, TriggerColumn};

/// A column as statements read it over a row: its expression, and what sort it is.
#[derive(Debug, Clone)]
pub(super) struct Dated {
    pub sort: Option<Sort>,
    pub bare: String,
}

impl Dated {
    /// A column of the row itself.
    pub fn own(table: &Table, column: &Ident, a: &str) -> Self {
        Self {
            sort: table.column(column).map(|c| c.sort),
            bare: format!("{a}.{}", column.quoted()),
        }
    }
}

/// Rows of other tables that the judgement of some rows reads, and the judgement again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reads {
    /// The tables that are read.
    pub rows: Vec<Read>,
    /// Judges the rows of these keys again (`text[]` a key column), once what they read is
    /// locked. Answers the key, and for records whether they are still due, for what hangs on
    /// them the verdict.
    pub again: String,
}

/// One table whose rows are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Read {
    /// By which links of the judged rows they are found.
    pub links: Vec<usize>,
    /// Locks them against change, in the key's order (`text[]` a link).
    pub lock: String,
}

/// Why a trigger's table cannot be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unreached {
    /// No foreign key leads there.
    NoKey,
    /// Several do.
    Several(Vec<String>),
}

/// The one foreign key that leads from a class's table to a trigger's.
pub(super) fn leads(
    from: &TableName,
    to: &TableName,
    catalog: &Catalog,
) -> Result<Link, Unreached> {
    let keys: Vec<_> = catalog.outbound(from).filter(|key| &key.to == to).collect();
    match &keys[..] {
        [] => Err(Unreached::NoKey),
        [key] => Ok(Link::of_key(key)),
        many => Err(Unreached::Several(
            many.iter().map(|key| key.name.clone()).collect(),
        )),
    }
}

impl Judge<'_> {
    /// A source of a class's trigger over the row `a`; `None` where the catalogue lacks what
    /// it needs, and the class is refused.
    pub fn dated(&self, class: &Class, source: &TriggerColumn, a: &str) -> Option<Dated> {
        let Some(related) = &source.related else {
            let table = self.catalog.table(class.table())?;
            return Some(Dated::own(table, &source.column, a));
        };
        let link = leads(class.table(), related, self.catalog).ok()?;
        let column = Dated::own(self.catalog.table(related)?, &source.column, "q");
        Some(Dated {
            sort: column.sort,
            bare: format!(
                "(SELECT {} FROM {} AS q WHERE {})",
                column.bare,
                related.quoted(),
                link.holds(a, "q")
            ),
        })
    }

    /// The links along which any class that judges a table's rows reads related triggers.
    pub fn read_links(&self, table: &TableName) -> Vec<Link> {
        let mut links: Vec<Link> = Vec::new();
        for class in self.judging(table) {
            let Rule::Dispose(dispose) = class.rule() else {
                continue;
            };
            let Trigger::Columns(sources) = &dispose.trigger else {
                continue;
            };
            for related in sources.iter().filter_map(|source| source.related.as_ref()) {
                if let Ok(link) = leads(class.table(), related, self.catalog)
                    && !links.iter().any(|other| other.same(&link))
                {
                    links.push(link);
                }
            }
        }
        links
    }

    /// How the rows that the judgement of a table's rows reads are locked; none where it
    /// reads its own row alone. `links` are the columns that the locking of those rows answers.
    pub fn reads(&self, table: &Table, links: &[Ident], answer: &str) -> Option<Reads> {
        let rows: Vec<Read> = self
            .read_links(&table.name)
            .iter()
            .filter_map(|link| self.read(link, links))
            .collect();
        let by_key = among(&Key::of(table).typed(), "t", 1);
        (!rows.is_empty()).then(|| Reads {
            rows,
            again: format!("{answer} FROM {} AS t WHERE {by_key}", table.name.quoted()),
        })
    }

    fn read(&self, link: &Link, links: &[Ident]) -> Option<Read> {
        let table = self.catalog.table(&link.to)?;
        let casts: Vec<String> = (0..link.to_columns.len())
            .map(|nth| link.compared_as(nth, Side::To, self.catalog))
            .collect();
        let typed: Vec<(&Ident, &str)> = link
            .to_columns
            .iter()
            .zip(casts.iter().map(String::as_str))
            .collect();
        let order = if table.key.is_empty() {
            &link.to_columns
        } else {
            &table.key
        };
        Some(Read {
            links: link
                .from_columns
                .iter()
                .filter_map(|column| links.iter().position(|link| link == column))
                .collect(),
            lock: format!(
                "SELECT 1 FROM {} AS q WHERE {} ORDER BY {} FOR SHARE OF q",
                table.name.quoted(),
                among(&typed, "q", 1),
                columns(order, "q")
            ),
        })
    }
}
