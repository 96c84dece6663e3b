//! A world as the texts that a fresh database and the engine are given.

use std::fmt::Write as _;

use super::calendar::{Period, Unit};
use super::condition::Condition;
use super::world::{
    Class, Column, Disposal, Dispose, Foreign, Gate, OnDelete, Rule, Strategy, Table, Trigger,
    World,
};

impl World {
    /// `CREATE TABLE` for every table, parents first.
    pub fn schema_sql(&self) -> String {
        self.tables.iter().map(|table| self.create(table)).collect()
    }

    fn create(&self, table: &Table) -> String {
        let mut lines: Vec<String> = table.key.iter().chain(&table.columns).map(column).collect();
        lines.push(format!("PRIMARY KEY ({})", names(&table.key)));
        for foreign in table.foreign.iter().filter(|foreign| !foreign.loose) {
            let columns: Vec<_> = foreign.columns.iter().map(|c| quoted(c)).collect();
            let action = match foreign.on_delete {
                OnDelete::NoAction => "NO ACTION",
                OnDelete::Cascade => "CASCADE",
                OnDelete::SetNull => "SET NULL",
            };
            lines.push(format!(
                "FOREIGN KEY ({}) REFERENCES {} ({}) ON DELETE {action}",
                columns.join(", "),
                quoted(&foreign.parent),
                names(&self.table(&foreign.parent).key),
            ));
        }
        let mut sql = format!(
            "CREATE TABLE {} (\n  {}\n);\n",
            quoted(&table.name),
            lines.join(",\n  ")
        );
        if table.indexed {
            for column in super::build::TRIGGERS {
                let _ = writeln!(sql, "CREATE INDEX ON {} ({column});", quoted(&table.name));
            }
        }
        sql
    }

    /// `INSERT` for every row, parents first.
    pub fn rows_sql(&self) -> String {
        let mut out = String::new();
        for table in self.tables.iter().filter(|table| !table.rows.is_empty()) {
            let columns: Vec<&Column> = table.key.iter().chain(&table.columns).collect();
            let rows = table.rows.iter().map(|row| {
                let values: Vec<_> = columns.iter().map(|c| row[&c.name].sql()).collect();
                format!("  ({})", values.join(", "))
            });
            let _ = writeln!(
                out,
                "INSERT INTO {} ({}) VALUES\n{};",
                quoted(&table.name),
                columns
                    .iter()
                    .map(|c| quoted(&c.name))
                    .collect::<Vec<_>>()
                    .join(", "),
                rows.collect::<Vec<_>>().join(",\n"),
            );
        }
        out
    }

    /// The whole `retention.toml`.
    pub fn schedule_toml(&self) -> String {
        let mut out = String::from(
            "[schedule]\norganisation = \"A small world\"\ntime_zone = \"Europe/London\"\n\
             every = \"0 0 2 * * *\"\n",
        );
        for class in &self.classes {
            self.write_class(&mut out, class);
        }
        out
    }
}

fn column(column: &Column) -> String {
    let null = if column.nullable { "" } else { " NOT NULL" };
    format!("{} {}{null}", quoted(&column.name), column.kind.sql())
}

fn names(columns: &[Column]) -> String {
    columns
        .iter()
        .map(|c| quoted(&c.name))
        .collect::<Vec<_>>()
        .join(", ")
}

pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A TOML basic string; JSON's escapes are a subset of TOML's.
fn text(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}

impl World {
    fn write_class(&self, out: &mut String, class: &Class) {
        let _ = writeln!(
            out,
            "\n[[class]]\nid = {}\ntitle = {}",
            text(&class.id),
            text(&class.id)
        );
        let _ = writeln!(
            out,
            "table = {}\nauthority = \"The model\"",
            text(&class.table)
        );
        if let Some(claim) = &class.claim {
            let _ = writeln!(out, "where = {}", text(&claim.sql()));
        }
        match &class.rule {
            Rule::Retain => {
                out.push_str(
                    "disposal = \"retain\"\nowner = \"The model\"\nreason = \"It is kept\"\n",
                );
            }
            Rule::Dispose(rule) => {
                write_rule(out, rule);
                let entries = self.dependants(class, rule);
                if !entries.is_empty() {
                    let _ = writeln!(out, "dependants = [{}]", entries.join(", "));
                }
            }
        }
    }

    /// An entry for each table that foreign keys relate, and one for each loose reference.
    fn dependants(&self, class: &Class, rule: &Dispose) -> Vec<String> {
        let mut out = Vec::new();
        for dependant in &rule.dependants {
            let table = self.table(&dependant.table);
            let action = if dependant.unlink {
                ", action = \"unlink\""
            } else {
                ""
            };
            let down = |f: &&Foreign| self.names_down(class, table, f);
            let own = self.table(&class.table);
            let own_key = |f: &&Foreign| f.parent == table.name && !f.loose;
            let keys = table.foreign.iter().filter(down).any(|f| !f.loose);
            if keys || own.foreign.iter().any(|f| own_key(&f)) {
                out.push(if dependant.unlink {
                    format!("{{ table = {}{action} }}", text(&table.name))
                } else {
                    text(&table.name)
                });
            }
            let mut relate = |left: &[&str], right: &Table, names: &[&str], f: &Foreign| {
                let pairs = left.iter().zip(names).map(|(left, name)| {
                    if right.name == class.table {
                        format!("{left} = {name}")
                    } else {
                        format!("{left} = {}.{name}", right.name)
                    }
                });
                let on = pairs.collect::<Vec<_>>().join(" AND ");
                let only = f.only.as_ref().map_or(String::new(), |only| {
                    format!(", where = {}", text(&only.sql()))
                });
                out.push(format!(
                    "{{ table = {}, on = {}{only}{action} }}",
                    text(&table.name),
                    text(&on)
                ));
            };
            fn key(table: &Table) -> Vec<&str> {
                table.key.iter().map(|c| c.name.as_str()).collect()
            }
            fn columns(foreign: &Foreign) -> Vec<&str> {
                foreign.columns.iter().map(String::as_str).collect()
            }
            for foreign in table.foreign.iter().filter(down).filter(|f| f.loose) {
                let parent = self.table(&foreign.parent);
                relate(&columns(foreign), parent, &key(parent), foreign);
            }
            for from in &self.tables {
                let to = |f: &&Foreign| f.loose && f.parent == table.name;
                let up = |f: &&Foreign| to(f) && self.names_up(class, from, f);
                let theirs = from.foreign.iter().filter(up);
                for foreign in theirs {
                    relate(&key(table), from, &columns(foreign), foreign);
                }
            }
        }
        out
    }
}

fn write_rule(out: &mut String, rule: &Dispose) {
    let trigger = match &rule.trigger {
        Trigger::Fixed(date) => date.to_string(),
        Trigger::Columns(list) => match list.as_slice() {
            [(column, None)] => text(column),
            list => {
                let parts: Vec<_> = list.iter().map(trigger_column).collect();
                format!("[{}]", parts.join(", "))
            }
        },
    };
    let _ = writeln!(
        out,
        "trigger = {trigger}\nperiod = {}",
        text(&rule.period.text())
    );
    // What earlier worlds left in a room's ledger counts against a share, but not against so
    // many rows: the statement that counts what is due is asked all the same.
    out.push_str("max_share = 1.0\nmax_rows = 100000\n");
    if let Some(rounding) = rule.rounding.text() {
        let _ = writeln!(out, "from_end_of = {}", text(rounding));
    }
    if rule.tolerance > 0 {
        let _ = writeln!(out, "tolerance = {}", days(rule.tolerance));
    }
    if let Some(day) = rule.plausible_from {
        let _ = writeln!(out, "plausible_from = {day}");
    }
    if let Some(zone) = rule.trigger_zone {
        let _ = writeln!(out, "trigger_zone = {}", text(zone.name()));
    }
    if !rule.unless_active.is_empty() {
        let list: Vec<_> = rule.unless_active.iter().map(|c| text(c)).collect();
        let _ = writeln!(out, "unless_active = [{}]", list.join(", "));
    }
    if let Some(or_when) = &rule.or_when {
        let _ = writeln!(out, "or_when = {}", text(&or_when.sql()));
    }
    if let Some(notice) = rule.notice {
        let _ = writeln!(out, "notice = {}", days(notice));
    }
    if !rule.stages.is_empty() {
        let list: Vec<_> = rule
            .stages
            .iter()
            .map(|stage| {
                let after = text(&stage.after.text());
                let disposal = disposal(&stage.disposal).join(", ");
                format!("{{ after = {after}, {disposal} }}")
            })
            .collect();
        let _ = writeln!(out, "stages = [{}]", list.join(", "));
    }
    if rule.maximum {
        out.push_str("limit = \"maximum\"\n");
    }
    match rule.gate {
        Gate::None => {}
        Gate::Review => out.push_str("gate = \"review\"\n"),
        Gate::Instruction => out.push_str("gate = \"instruction\"\n"),
    }
    for line in disposal(&rule.disposal) {
        let _ = writeln!(out, "{line}");
    }
}

/// So many days, as a period.
fn days(count: u32) -> String {
    text(&Period::of(count, Unit::Days).text())
}

/// The keys of a disposal, of a class's own or of a stage.
fn disposal(disposal: &Disposal) -> Vec<String> {
    match disposal {
        Disposal::Flag => vec!["disposal = \"flag\"".to_owned()],
        Disposal::Delete => vec!["disposal = \"delete\"".to_owned()],
        Disposal::Anonymise(list) => {
            let parts: Vec<_> = list
                .iter()
                .map(|a| {
                    let mut name = a.column.clone();
                    for key in &a.path {
                        name = format!("{name}.{key}");
                    }
                    format!("{} = {}", text(&name), text(strategy(a.strategy)))
                })
                .collect();
            vec![
                "disposal = \"anonymise\"".to_owned(),
                format!("anonymise = {{ {} }}", parts.join(", ")),
            ]
        }
    }
}

fn trigger_column((column, when): &(String, Option<Condition>)) -> String {
    match when {
        None => text(column),
        Some(when) => format!(
            "{{ column = {}, when = {} }}",
            text(column),
            text(&when.sql())
        ),
    }
}

fn strategy(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::Null => "null",
        Strategy::Redact => "redact",
        Strategy::Year => "year",
        Strategy::Month => "month",
        Strategy::Area => "area",
        Strategy::Remove => "remove",
    }
}
