//! What a class that fits would cost, and what would outlive its records: advice, each
//! with the line to run. Nothing here keeps a class from acting.

use super::fit::{Fit, anonymised_place};
use super::link::{By, Link};
use super::related::leads;
use super::relations::is_led_to;
use crate::catalog::{Catalog, Kind, Sort, Table};
use crate::ident::{Ident, TableName};
use crate::schedule::{
    Anonymisation, Class, Code, Diagnostic, Disposal, Dispose, Erasure, Fate, Place, Schedule,
    Strategy, Trigger, TriggerColumn,
};

/// Advice about pages is worth a line from so many rows.
const LARGE: u64 = 10_000;

/// Adds the advice about one class to what was found about it.
pub(super) fn advise(fit: &mut Fit, class: &Class, schedule: &Schedule, catalog: &Catalog) {
    let (Some(dispose), Some(table)) = (class.dispose(), catalog.table(class.table())) else {
        return;
    };
    // A view has no indexes, and is refused.
    if !matches!(table.kind, Kind::Ordinary | Kind::Partitioned) {
        return;
    }
    let mut advice = Advice {
        fit,
        class,
        dispose,
        table,
        catalog,
    };
    advice.triggers(schedule);
    advice.foreign_keys();
    if dispose.disposal != Disposal::Flag {
        for (touched, place) in advice.touched() {
            advice.user_triggers(touched, &place);
            advice.copies(touched, &place);
            advice.publications(touched, &place);
            advice.rewriting(touched);
        }
    }
    for step in dispose.steps() {
        if let Disposal::Anonymise(columns) = &step.disposal {
            advice.exclusions(columns);
            advice.pages(columns);
        }
    }
}

/// Advice about the server as a whole, for a schedule whose classes are these.
#[must_use]
pub fn server_advice(schedule: &Schedule, catalog: &Catalog) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    if catalog.only_asks {
        found.push(
            Diagnostic::new(
                Code::OnlyAsks,
                format!("role `{}` can ask and not act; whether a pass may do what it must was not looked at", catalog.role),
            )
            .hint("ask as a member of the enforcer's role, such as retentiond_enforcer"),
        );
    }
    if catalog.superuser {
        found.push(
            Diagnostic::new(
                Code::Superuser,
                format!(
                    "connected as `{}`, a superuser, from whom nothing can be withheld",
                    catalog.role
                ),
            )
            .hint("give the service a role of its own, with no more than it needs"),
        );
    }
    let largest = schedule
        .classes()
        .iter()
        .filter(|class| {
            class
                .dispose()
                .is_some_and(|dispose| dispose.disposal != Disposal::Flag)
        })
        .filter_map(|class| catalog.table(class.table()))
        .filter_map(|table| Some((table.estimated_rows?, &table.name)))
        .max();
    if let Some((rows, table)) = largest.filter(|(rows, _)| *rows >= LARGE)
        && !catalog.wal_compression
    {
        found.push(
            Diagnostic::new(
                Code::WalUncompressed,
                format!(
                    "`wal_compression` is off, so a row of `{table}` (about {} rows) that lies by itself on its page costs some 6.4 kB of write-ahead log to delete or change, and 1.4 kB with it",
                    about(rows)
                ),
            )
            .hint("ALTER SYSTEM SET wal_compression = 'on'; SELECT pg_reload_conf();"),
        );
    }
    found
}

struct Advice<'a> {
    fit: &'a mut Fit,
    class: &'a Class,
    dispose: &'a Dispose,
    table: &'a Table,
    catalog: &'a Catalog,
}

impl<'a> Advice<'a> {
    fn triggers(&mut self, schedule: &Schedule) {
        let Trigger::Columns(sources) = &self.dispose.trigger else {
            return;
        };
        let zone = schedule.time_zone().name();
        let told = self.class.places().keys.contains_key("trigger_zone");
        for source in sources {
            let place = trigger_place(self.class, source);
            let table = match &source.related {
                None => self.table,
                Some(related) => {
                    let Some(table) = self.catalog.table(related) else {
                        continue;
                    };
                    if let Ok(link) = leads(self.class.table(), related, self.catalog) {
                        self.index_on(&link, "every batch", place);
                    }
                    table
                }
            };
            let Some(column) = table.column(&source.column) else {
                continue;
            };
            let named = format!("`{}.{}`", table.name, column.name);
            if column.sort == Sort::Timestamp && !told && !matches!(zone, "UTC" | "Etc/UTC") {
                self.fit.warn(
                    Code::NaiveTrigger,
                    format!("the trigger {named} has no time zone, and is read as civil time in {zone}; had it been written in UTC, some records would be a day off"),
                    format!("if it is UTC, add to the class: trigger_zone = \"UTC\"; if not: trigger_zone = \"{zone}\""),
                    place,
                );
            }
            let readable = matches!(
                column.sort,
                Sort::Date | Sort::Timestamp | Sort::TimestampTz
            );
            if readable && !table.is_indexed_by(&[&source.column]) {
                self.fit.warn(
                    Code::NoTriggerIndex,
                    format!(
                        "no index starts with the trigger {named}, so every pass reads {} instead of the due ones",
                        all_rows(table)
                    ),
                    index(table, std::slice::from_ref(&source.column)),
                    place,
                );
            }
        }
    }

    fn foreign_keys(&mut self) {
        let relations = self.fit.relations.clone();
        let inbound = relations.inbound.iter().chain(&relations.unlinked);
        let place = self.class.place("dependants");
        for edge in inbound.flat_map(|inbound| &inbound.edges).chain(
            relations
                .referred
                .iter()
                .flat_map(|referred| &referred.all_inbound),
        ) {
            // Of a relation that only the schedule declares, PostgreSQL looks for nothing.
            let reads = match edge.by {
                By::Key(..) => "every batch, and every deleted record in it,",
                By::Schedule(_) => "every batch",
            };
            self.index_on(edge, reads, place);
        }
    }

    fn index_on(&mut self, edge: &Link, reads: &str, place: &Place) {
        let Some(from) = self.catalog.table(&edge.from) else {
            return;
        };
        if !is_led_to(from, edge) {
            let place = dependant_place(self.dispose, &edge.from).unwrap_or(place);
            self.fit.warn(
                Code::NoForeignKeyIndex,
                format!(
                    "no index on `{}` ({}), by which it refers to `{}`, so {reads} reads {}",
                    edge.from,
                    list(&edge.from_columns, Ident::as_str),
                    edge.to,
                    all_rows(from)
                ),
                index(from, &edge.from_columns),
                place,
            );
        }
    }

    /// The class's table and those whose rows go or change with its records.
    fn touched(&self) -> Vec<(&'a Table, Place)> {
        let mut touched = vec![(self.table, *self.class.place("table"))];
        for dependant in &self.dispose.dependants {
            if let Some(table) = self.catalog.table(&dependant.table) {
                touched.push((table, dependant.place));
            }
        }
        touched
    }

    fn user_triggers(&mut self, table: &Table, place: &Place) {
        if !table.triggers.is_empty() {
            self.fit.warn(
                Code::TableHasTriggers,
                format!("table `{}` has triggers of its own ({}); what they change elsewhere is not in the ledger", table.name, table.triggers.join(", ")),
                format!("see that they delete nothing that the schedule does not name: SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = '{}'::regclass AND NOT tgisinternal", table.name.written()),
                place,
            );
        }
    }

    fn copies(&mut self, table: &Table, place: &Place) {
        let copies = self
            .catalog
            .tables
            .values()
            .filter(|copy| copy.kind == Kind::Materialised)
            .filter(|copy| self.catalog.shows(&copy.name, &table.name));
        for copy in copies {
            self.fit.warn(
                Code::MaterialisedCopy,
                format!(
                    "the materialised view `{}` keeps copies of rows of `{}`, which stay until it is refreshed",
                    copy.name, table.name
                ),
                format!(
                    "after each pass: REFRESH MATERIALIZED VIEW {}",
                    copy.name.written()
                ),
                place,
            );
        }
    }

    fn rewriting(&mut self, table: &Table) {
        if self.dispose.erasure == Erasure::Secure && !table.privileges.vacuum {
            self.fit.warn(
                Code::MayNotRewrite,
                format!(
                    "class `{}` has its records erased from the files of `{}`, which `{}` may not rewrite: only its owner can",
                    self.class.id(), table.name, self.catalog.role
                ),
                "in the settings, set erasure.database_url to the same database as the table's owner",
                self.class.place("erasure"),
            );
        }
    }

    fn publications(&mut self, table: &Table, place: &Place) {
        let own = table.name == *self.class.table();
        let unlinked = self
            .dispose
            .dependants
            .iter()
            .any(|dependant| dependant.table == table.name && dependant.fate == Fate::Unlink);
        let changes = own && matches!(self.dispose.disposal, Disposal::Anonymise(_)) || unlinked;
        for publication in &table.publications {
            let (kept, setting) = match changes {
                true if !publication.updates => ("changes", "insert, update, delete"),
                false if !publication.deletes => ("deletions", "insert, update, delete"),
                _ => continue,
            };
            self.fit.warn(
                Code::NotPublished,
                format!(
                    "the publication `{}` sends rows of `{}` to subscribers, but no {kept}: they keep what goes here",
                    publication.name, table.name
                ),
                format!(
                    "ALTER PUBLICATION {} SET (publish = '{setting}')",
                    Ident::new(publication.name.as_str())
                        .map_or_else(|_| publication.name.clone(), |name| name.written())
                ),
                place,
            );
        }
    }

    /// Whether anonymised values would meet an EXCLUDE constraint depends on its operators.
    fn exclusions(&mut self, columns: &[Anonymisation]) {
        for part in columns {
            // NULL excludes nothing.
            let indexes = self.table.indexes.iter().filter(|index| {
                index.excludes
                    && index.reads.contains(&part.column)
                    && part.strategy != Strategy::Null
            });
            for index in indexes {
                self.fit.warn(
                    Code::ConstraintUnproven,
                    format!(
                        "whether what is written to `{}.{}` meets the exclusion constraint `{}` cannot be known beforehand; a row that does not is set aside",
                        self.table.name, part.column, index.name
                    ),
                    "use \"null\", which excludes nothing",
                    anonymised_place(self.class, part),
                );
            }
        }
    }

    /// Whether the changed row finds room on its page, and needs no new index entries.
    fn pages(&mut self, columns: &[Anonymisation]) {
        let Some(rows) = self.table.estimated_rows.filter(|rows| *rows >= LARGE) else {
            return;
        };
        let mut covered = Vec::new();
        for index in &self.table.indexes {
            if let Some(part) = columns
                .iter()
                .find(|part| index.reads.contains(&part.column))
            {
                covered.push((part, index));
            }
        }
        for (part, index) in &covered {
            let name = Ident::new(index.name.as_str()).map_or_else(
                |_| index.name.clone(),
                |name| TableName::new(self.table.name.schema().clone(), name).written(),
            );
            self.fit.warn(
                Code::IndexedColumnChanges,
                format!(
                    "the index `{}` reads `{}.{}`, so each anonymised record costs an entry in every index of the table's {}, not only a changed row",
                    index.name,
                    self.table.name,
                    part.column,
                    self.table.indexes.len()
                ),
                format!("if nothing else needs it: DROP INDEX CONCURRENTLY {name}"),
                anonymised_place(self.class, part),
            );
        }
        if covered.is_empty() && self.table.fill_factor > 90 {
            self.fit.warn(
                Code::NoRoomForUpdates,
                format!(
                    "the pages of `{}` (about {} rows) are filled to {} %, so a changed row moves to another page; with room on its own, anonymising is up to 7 times faster",
                    self.table.name,
                    about(rows),
                    self.table.fill_factor
                ),
                if self.table.kind == Kind::Partitioned {
                    "on each partition, for new pages: ALTER TABLE … SET (fillfactor = 85)".to_owned()
                } else {
                    format!(
                        "for new pages; the old ones change when the table is rewritten: ALTER TABLE {} SET (fillfactor = 85)",
                        self.table.name.written()
                    )
                },
                self.class.place("disposal"),
            );
        }
    }
}

/// Where a trigger's column stands, or the whole of `trigger`.
pub(super) fn trigger_place<'a>(class: &'a Class, source: &TriggerColumn) -> &'a Place {
    let column = &source.column;
    let keys = &class.places().keys;
    let exact = match &source.related {
        None => keys.get(&format!("trigger.{column}")),
        Some(table) => keys
            .get(&format!("trigger.{table}.{column}"))
            .or_else(|| keys.get(&format!("trigger.{}.{column}", table.name()))),
    };
    exact.unwrap_or_else(|| class.place("trigger"))
}

fn dependant_place<'a>(dispose: &'a Dispose, table: &TableName) -> Option<&'a Place> {
    dispose
        .dependants
        .iter()
        .find(|dependant| &dependant.table == table)
        .map(|dependant| &dependant.place)
}

fn list<'a, T: ToString>(columns: &'a [Ident], write: impl Fn(&'a Ident) -> T) -> String {
    let names: Vec<String> = columns.iter().map(|name| write(name).to_string()).collect();
    names.join(", ")
}

/// The statement that makes an index.
fn index(table: &Table, columns: &[Ident]) -> String {
    let on = format!(
        "{} ({})",
        table.name.written(),
        list(columns, Ident::written)
    );
    if table.kind == Kind::Partitioned {
        format!("CREATE INDEX ON {on}; the table is partitioned, so writes wait until it is made")
    } else {
        format!("CREATE INDEX CONCURRENTLY ON {on}")
    }
}

/// `all of its about 2,000,000 rows`, or without a number while it would not matter.
fn all_rows(table: &Table) -> String {
    match table.estimated_rows.filter(|rows| *rows >= 1_000) {
        Some(rows) => format!("all of about {} rows", about(rows)),
        None => "the whole table".to_owned(),
    }
}

/// Two digits that count, with commas: the planner knows no more.
fn about(rows: u64) -> String {
    let mut unit = 1;
    while rows / unit >= 100 {
        unit *= 10;
    }
    let digits = ((rows + unit / 2) / unit * unit).to_string();
    let mut grouped = String::new();
    for (nth, digit) in digits.chars().enumerate() {
        if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::about;

    #[test]
    fn a_number_of_rows_has_two_digits_that_count() {
        for (rows, shown) in [
            (0, "0"),
            (99, "99"),
            (1_949, "1,900"),
            (1_999_999, "2,000,000"),
            (123_456_789, "120,000,000"),
        ] {
            assert_eq!(about(rows), shown);
        }
    }
}
