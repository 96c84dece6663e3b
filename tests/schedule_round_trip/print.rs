//! A schedule as the text of a file, by what docs/SCHEDULE.md says and nothing else: in
//! several layouts, which all mean the same.

use retentiond::schedule::{Accept, Erasure, Fate, Gate, Limit, PLAUSIBLE_FROM};

use super::written::{
    Class, Dependant, Disposes, Elsewhere, File, Order, Related, Since, Span, Table, Test, What,
    Written,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// One key a line, in order; what may be left out is.
    Plain,
    /// Keys the other way round, remarks, ISO 8601, literal strings, lists over several lines,
    /// Windows' line ends, and every default written.
    Loose,
    /// TOML's own tables for what is more than a word, and strings in three quotes.
    Tables,
}

pub fn print(written: &Written, layout: Layout) -> String {
    let printer = Printer { layout };
    let mut keys = vec![
        ("organisation", printer.text(&written.organisation)),
        ("time_zone", printer.text(&written.zone)),
        ("every", printer.text(&written.every)),
    ];
    if written.accept != Accept::ByHand || printer.loose() {
        keys.push(("accept", printer.text(written.accept.name())));
    }
    if let Some(kept) = written.details_kept {
        keys.push(("details_kept", printer.span(kept)));
    }
    if let Some(window) = written.appeal_window {
        keys.push(("appeal_window", printer.span(window)));
    }
    let mut file = "[schedule]\n".to_owned();
    printer.keys(&mut file, keys);
    for class in &written.classes {
        file.push_str("\n[[class]]\n");
        printer.class(&mut file, class);
    }
    for class in &written.processors {
        file.push_str("\n[[class]]\n");
        printer.elsewhere(&mut file, class);
    }
    match layout {
        Layout::Loose => file.replace('\n', "\r\n"),
        _ => file,
    }
}

struct Printer {
    layout: Layout,
}

type Keys = Vec<(&'static str, String)>;

impl Printer {
    fn loose(&self) -> bool {
        self.layout == Layout::Loose
    }

    fn keys(&self, file: &mut String, mut keys: Keys) {
        if self.loose() {
            keys.reverse();
        }
        for (key, value) in keys {
            let end = if self.loose() {
                "   # a remark = \"\n\n"
            } else {
                "\n"
            };
            file.push_str(&format!("{key} = {value}{end}"));
        }
    }

    /// Through escapes, as it is where it can be, or over several lines.
    fn text(&self, text: &str) -> String {
        let plain = !text.contains('\'') && !text.chars().any(char::is_control);
        if self.loose() && plain {
            return format!("'{text}'");
        }
        let mut quoted = String::new();
        for character in text.chars() {
            match character {
                '"' => quoted.push_str("\\\""),
                '\\' => quoted.push_str("\\\\"),
                '\n' if self.layout == Layout::Tables => quoted.push('\n'),
                c if c.is_control() || self.loose() && !c.is_ascii() => {
                    quoted.push_str(&format!("\\U{:08X}", u32::from(c)));
                }
                c => quoted.push(c),
            }
        }
        match self.layout {
            Layout::Tables => format!("\"\"\"\n{quoted}\\\n   \"\"\""),
            _ => format!("\"{quoted}\""),
        }
    }

    fn list(&self, entries: &[String]) -> String {
        match self.layout {
            Layout::Loose => format!("[ # a list\n  {},\n]", entries.join(",\n  ")),
            _ => format!("[{}]", entries.join(", ")),
        }
    }

    fn inline(&self, keys: &Keys) -> String {
        let keys: Vec<String> = keys.iter().map(|(k, v)| format!("{k} = {v}")).collect();
        format!("{{ {} }}", keys.join(", "))
    }

    fn table(&self, Table(schema, name): &Table) -> String {
        self.text(&self.dotted(schema, name))
    }

    fn dotted(&self, schema: &str, name: &str) -> String {
        match (schema, self.layout) {
            ("public", Layout::Plain) => name.to_owned(),
            _ => format!("{schema}.{name}"),
        }
    }

    fn test(&self, Test(sql): &Test) -> String {
        let sql = match self.layout {
            Layout::Plain => sql.clone(),
            // The constants that are drawn have no capitals.
            _ => format!(
                "( {} )",
                sql.replace(" AND ", "  and\t")
                    .replace(" OR ", " Or\n ")
                    .replace("(NOT ", "( not ")
                    .replace(" IS NOT NULL", " is  Not null")
                    .replace("lower(", "LOWER( ")
            ),
        };
        self.text(&sql)
    }

    fn span(&self, Span(months, days): Span) -> String {
        let words = match self.layout {
            Layout::Loose => format!(
                "P{}Y{}M{}W{}D",
                months / 12,
                months % 12,
                days / 7,
                days % 7
            ),
            Layout::Plain => format!("{months} months {days} days"),
            Layout::Tables => format!(
                "{} years {} month {} week {} day",
                months / 12,
                months % 12,
                days / 7,
                days % 7
            ),
        };
        self.text(&words)
    }

    fn days(&self, days: u32) -> String {
        let words = match self.layout {
            Layout::Plain => format!("{days} days"),
            _ if days == 0 => "0 days".to_owned(),
            Layout::Loose => format!("P{}W{}D", days / 7, days % 7),
            Layout::Tables => format!("{} weeks {} days", days / 7, days % 7),
        };
        self.text(&words)
    }

    /// Each column or path and its strategy.
    fn columns(&self, what: &What) -> Option<Vec<(String, String)>> {
        let What::Anonymise(parts) = what else {
            return None;
        };
        let columns = parts.iter().map(|(column, path, way)| {
            let path: Vec<&str> = std::iter::once(column.as_str())
                .chain(path.iter().map(String::as_str))
                .collect();
            // A key stands on one line, whatever the layout.
            let key = Printer {
                layout: Layout::Plain,
            }
            .text(&path.join("."));
            (key, self.text(way.name()))
        });
        Some(columns.collect())
    }

    fn what(what: &What) -> &'static str {
        match what {
            What::Flag => "flag",
            What::Anonymise(_) => "anonymise",
            What::Delete => "delete",
        }
    }

    fn class(&self, file: &mut String, class: &Class) {
        let mut keys = vec![
            ("id", self.text(&class.id)),
            ("title", self.text(&class.title)),
            ("table", self.table(&class.table)),
            ("authority", self.text(&class.authority)),
        ];
        if let Some(test) = &class.claim {
            keys.push(("where", self.test(test)));
        }
        if let Some(column) = &class.subject {
            keys.push(("subject", self.text(column)));
        }
        if let Some(basis) = &class.basis {
            keys.push(("lawful_basis", self.text(basis)));
        }
        let mut tables = String::new();
        match &class.order {
            Order::Retain {
                owner,
                reason,
                review_on,
            } => {
                keys.push(("disposal", self.text("retain")));
                keys.push(("owner", self.text(owner)));
                keys.push(("reason", self.text(reason)));
                if let Some(day) = review_on {
                    keys.push(("review_on", day.to_string()));
                }
            }
            Order::Dispose(rule) => self.disposes(&mut keys, &mut tables, rule, &class.table),
        }
        self.keys(file, keys);
        file.push_str(&tables);
    }

    fn elsewhere(&self, file: &mut String, class: &Elsewhere) {
        let loose = self.loose();
        let mut keys = vec![
            ("id", self.text(&class.id)),
            ("title", self.text(&class.title)),
            ("processor", self.text(&class.processor)),
            ("disposal", self.text("delete")),
            ("authority", self.text(&class.authority)),
        ];
        if let Some((day, span, limit)) = class.term {
            keys.push(("trigger", day.to_string()));
            keys.push(("period", self.span(span)));
            if limit != Limit::Minimum || loose {
                keys.push(("limit", self.text(limit.name())));
            }
        }
        if class.tolerance > 0 || loose {
            keys.push(("tolerance", self.days(class.tolerance)));
        }
        if class.gate != Gate::None || loose {
            keys.push(("gate", self.text(class.gate.name())));
        }
        let words = [("lawful_basis", &class.basis), ("owner", &class.owner)];
        for (key, text) in words {
            keys.extend(text.as_ref().map(|text| (key, self.text(text))));
        }
        keys.extend(class.review_on.map(|day| ("review_on", day.to_string())));
        self.keys(file, keys);
    }

    fn disposes(&self, keys: &mut Keys, tables: &mut String, rule: &Disposes, own: &Table) {
        let loose = self.loose();
        keys.push(("trigger", self.since(&rule.trigger)));
        if rule.plausible_from != PLAUSIBLE_FROM || loose {
            keys.push(("plausible_from", rule.plausible_from.to_string()));
        }
        if let Some(zone) = &rule.trigger_zone {
            keys.push(("trigger_zone", self.text(zone)));
        }
        if let Some(end_of) = rule.from_end_of {
            keys.push(("from_end_of", self.text(end_of.name())));
        }
        keys.push(("period", self.span(rule.period)));
        if rule.tolerance > 0 || loose {
            keys.push(("tolerance", self.days(rule.tolerance)));
        }
        if !rule.unless_active.is_empty() {
            let columns: Vec<String> = rule.unless_active.iter().map(|c| self.text(c)).collect();
            keys.push(("unless_active", self.list(&columns)));
        }
        if let Some(test) = &rule.or_when {
            keys.push(("or_when", self.test(test)));
        }
        keys.push(("disposal", self.text(Self::what(&rule.disposal))));
        if rule.limit != Limit::Minimum || loose {
            keys.push(("limit", self.text(rule.limit.name())));
        }
        if rule.gate != Gate::None || loose {
            keys.push(("gate", self.text(rule.gate.name())));
        }
        if !rule.preview.is_empty() {
            let columns: Vec<String> = rule.preview.iter().map(|c| self.text(c)).collect();
            keys.push(("preview", self.list(&columns)));
        }
        if rule.approvals != 1 || loose && rule.gate == Gate::Review {
            keys.push(("approvals", rule.approvals.to_string()));
        }
        if rule.erasure == Erasure::Secure || loose && rule.disposal != What::Flag {
            keys.push(("erasure", self.text(rule.erasure.name())));
        }
        if !rule.erasure_right || loose {
            keys.push(("erasure_right", rule.erasure_right.to_string()));
        }
        if let Some(every) = &rule.every {
            keys.push(("every", self.text(every)));
        }
        if let Some(days) = rule.notice {
            keys.push(("notice", self.days(days)));
        }
        let limits = [
            ("max_rows", rule.max_rows.map(|n| n.to_string())),
            ("max_share", rule.max_share.map(|n| n.to_string())),
            ("max_growth", rule.max_growth.map(|n| n.to_string())),
        ];
        keys.extend(limits.into_iter().filter_map(|(key, n)| Some((key, n?))));
        if loose {
            // Allowed beside any disposal, and only words there.
            keys.push(("owner", self.text("Clerk")));
            keys.push(("reason", self.text("So it was")));
        }
        let rows = |columns: Vec<(String, String)>| {
            let rows: Vec<String> = columns.iter().map(|(k, v)| format!("{k} = {v}")).collect();
            rows
        };
        let stages: Vec<(Keys, Option<Vec<String>>)> = rule
            .stages
            .iter()
            .map(|(after, what)| {
                let keys = vec![
                    ("after", self.span(*after)),
                    ("disposal", self.text(Self::what(what))),
                ];
                (keys, self.columns(what).map(rows))
            })
            .collect();
        let columns = self.columns(&rule.disposal).map(rows);
        let dependants: Vec<Keys> = rule
            .dependants
            .iter()
            .map(|dependant| self.dependant(dependant, own))
            .collect();
        let files: Vec<Keys> = rule.files.iter().map(|file| self.file(file, own)).collect();
        if self.layout == Layout::Tables {
            let mut table = |header: &str, rows: &[String]| {
                *tables += &format!("\n  {header}\n  {}\n", rows.join("\n  "));
            };
            let lines = |keys: &Keys| -> Vec<String> {
                keys.iter().map(|(k, v)| format!("{k} = {v}")).collect()
            };
            if let Some(columns) = columns {
                table("[class.anonymise]", &columns);
            }
            for (keys, columns) in &stages {
                table("[[class.stages]]", &lines(keys));
                if let Some(columns) = columns {
                    table("[class.stages.anonymise]", columns);
                }
            }
            for keys in &dependants {
                table("[[class.dependants]]", &lines(keys));
            }
            for keys in &files {
                table("[[class.files]]", &lines(keys));
            }
            return;
        }
        if let Some(columns) = columns {
            keys.push(("anonymise", format!("{{ {} }}", columns.join(", "))));
        }
        if !stages.is_empty() {
            let stages: Vec<String> = stages
                .into_iter()
                .map(|(mut keys, columns)| {
                    if let Some(columns) = columns {
                        keys.push(("anonymise", format!("{{ {} }}", columns.join(", "))));
                    }
                    self.inline(&keys)
                })
                .collect();
            keys.push(("stages", self.list(&stages)));
        }
        if !dependants.is_empty() {
            let entries: Vec<String> = dependants
                .iter()
                .map(|entry| match entry.as_slice() {
                    // A table alone.
                    [(_, table)] => table.clone(),
                    _ => self.inline(entry),
                })
                .collect();
            keys.push(("dependants", self.list(&entries)));
        }
        if !files.is_empty() {
            let entries: Vec<String> = files.iter().map(|entry| self.inline(entry)).collect();
            keys.push(("files", self.list(&entries)));
        }
    }

    fn since(&self, since: &Since) -> String {
        let columns = match since {
            Since::Day(day) => return day.to_string(),
            Since::Columns(columns) => columns,
        };
        let entries: Vec<String> = columns
            .iter()
            .map(|(table, column, when)| {
                let path = match table {
                    None => column.clone(),
                    Some(Table(schema, name)) => format!("{}.{column}", self.dotted(schema, name)),
                };
                let column = self.text(&path);
                match when {
                    None if self.layout == Layout::Tables => self.inline(&vec![("column", column)]),
                    None => column,
                    Some(when) => self.inline(&vec![("column", column), ("when", self.test(when))]),
                }
            })
            .collect();
        match entries.as_slice() {
            [one] if self.layout == Layout::Plain && !one.starts_with('{') => one.clone(),
            entries => self.list(entries),
        }
    }

    fn dependant(&self, dependant: &Dependant, own: &Table) -> Keys {
        let mut keys = vec![("table", self.table(&dependant.table))];
        if dependant.fate != Fate::Delete || self.loose() {
            keys.push(("action", self.text(dependant.fate.name())));
        }
        if let Some(related) = &dependant.related {
            keys.push(("on", self.text(&self.on(related, own))));
            if let Some(when) = &related.when {
                keys.push(("where", self.test(when)));
            }
        }
        keys
    }

    fn on(&self, related: &Related, own: &Table) -> String {
        let name = |name: &str| {
            let plain = name.starts_with(|c: char| c.is_ascii_lowercase())
                && name
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
            match plain && self.loose() && !["and", "or", "not"].contains(&name) {
                true => name.to_ascii_uppercase(),
                false => format!("\"{}\"", name.replace('"', "\"\"")),
            }
        };
        let Table(schema, table) = &related.to;
        let side = match (&related.to == own, schema.as_str(), self.layout) {
            (true, _, Layout::Plain) => String::new(),
            (_, "public", Layout::Plain) => format!("{}.", name(table)),
            _ => format!("{}.{}.", name(schema), name(table)),
        };
        let equalities: Vec<String> = related
            .pairs
            .iter()
            .map(|(left, right)| format!("{} = {side}{}", name(left), name(right)))
            .collect();
        let and = if self.loose() { "\n and " } else { " AND " };
        equalities.join(and)
    }

    fn file(&self, file: &File, own: &Table) -> Keys {
        let mut keys = vec![
            ("column", self.text(&file.column)),
            ("store", self.text(&file.store)),
        ];
        if &file.table != own || self.loose() {
            keys.push(("table", self.table(&file.table)));
        }
        keys
    }
}
