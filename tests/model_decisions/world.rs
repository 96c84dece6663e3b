//! The small world: seven tables of one shape, the schedule as a plain value, and both as the
//! texts that make them real.

use chrono::NaiveDate;

use crate::stage;

/// A table of schema public; all have the same columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    Letter,
    /// Hangs on a letter, and has no class of its own.
    Page,
    Applicant,
    Invoice,
    Dossier,
    Visit,
    Photo,
}

pub const TABLES: [Table; 7] = [
    Table::Letter,
    Table::Page,
    Table::Applicant,
    Table::Invoice,
    Table::Dossier,
    Table::Visit,
    Table::Photo,
];

impl Table {
    pub fn name(self) -> &'static str {
        match self {
            Self::Letter => "letter",
            Self::Page => "page",
            Self::Applicant => "applicant",
            Self::Invoice => "invoice",
            Self::Dossier => "dossier",
            Self::Visit => "visit",
            Self::Photo => "photo",
        }
    }
}

pub const PEOPLE: [&str; 3] = ["p", "q", "r"];

/// A row, but for its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub person: Option<&'static str>,
    pub kind: Option<&'static str>,
    /// The trigger.
    pub day: Option<NaiveDate>,
    pub name: String,
    /// When consent was withdrawn.
    pub withdrawn: Option<NaiveDate>,
    /// The letter of a page.
    pub parent: Option<i64>,
}

pub const REDACTED: &str = "[redacted]";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Disposal {
    Flag,
    Anonymise,
    Delete,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    None,
    /// So many people.
    Review(usize),
    Instruction,
}

/// A class; two that are equal mean the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Class {
    pub id: &'static str,
    pub table: Table,
    /// The kind that it claims; none is every row.
    pub kind: Option<&'static str>,
    /// In days.
    pub period: i64,
    pub maximum: bool,
    pub disposal: Disposal,
    pub gate: Gate,
    pub notice: Option<i64>,
    pub or_when: bool,
    pub erasure_right: bool,
}

/// The ids of the classes, each table's first class being its minimum.
pub const CLASSES: [(&str, Table); 7] = [
    ("letters", Table::Letter),
    ("decided", Table::Applicant),
    ("at-most", Table::Applicant),
    ("invoices", Table::Invoice),
    ("dossiers", Table::Dossier),
    ("visits", Table::Visit),
    ("photos", Table::Photo),
];

/// What of the schedule somebody can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edit {
    /// Another period of a class.
    Period(&'static str, i64),
    /// How many have to approve an invoice; none is no gate.
    Approvals(usize),
    /// Whether dossiers wait for an order.
    Ordered(bool),
    /// The notice of photos.
    Notice(Option<i64>),
    /// Whether a request for erasure brings letters forward.
    Right(bool),
    /// Whether applicants have their maximum.
    Maximum(bool),
}

/// A schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule(pub Vec<Class>);

impl Schedule {
    pub fn first(approvals: usize) -> Self {
        let plain = |(id, table): (&'static str, Table)| Class {
            id,
            table,
            kind: None,
            period: 30,
            maximum: false,
            disposal: Disposal::Delete,
            gate: Gate::None,
            notice: None,
            or_when: false,
            erasure_right: true,
        };
        let classes = CLASSES.iter().map(|named| {
            let class = plain(*named);
            match class.id {
                "decided" => Class {
                    disposal: Disposal::Anonymise,
                    ..class
                },
                "at-most" => Class {
                    kind: Some("a"),
                    maximum: true,
                    period: 40,
                    ..class
                },
                "invoices" => Class {
                    gate: review(approvals),
                    ..class
                },
                "dossiers" => Class {
                    gate: Gate::Instruction,
                    ..class
                },
                "visits" => Class {
                    disposal: Disposal::Flag,
                    ..class
                },
                "photos" => Class {
                    notice: Some(5),
                    or_when: true,
                    ..class
                },
                _ => class,
            }
        });
        Self(classes.collect())
    }

    pub fn class(&self, id: &str) -> Option<&Class> {
        self.0.iter().find(|class| class.id == id)
    }

    pub fn edit(&mut self, edit: Edit) {
        if let Edit::Maximum(there) = edit {
            let without = self.0.iter().position(|class| class.id == "at-most");
            match (there, without) {
                (false, Some(at)) => drop(self.0.remove(at)),
                (true, None) => {
                    let all = Self::first(1).0.into_iter();
                    self.0.extend(all.filter(|class| class.id == "at-most"));
                }
                _ => {}
            }
        }
        for class in &mut self.0 {
            match edit {
                Edit::Period(id, days) if class.id == id => class.period = days,
                Edit::Approvals(people) if class.id == "invoices" => class.gate = review(people),
                Edit::Ordered(yes) if class.id == "dossiers" => {
                    class.gate = if yes { Gate::Instruction } else { Gate::None };
                }
                Edit::Notice(days) if class.id == "photos" => class.notice = days,
                Edit::Right(yes) if class.id == "letters" => class.erasure_right = yes,
                _ => {}
            }
        }
    }

    pub fn toml(&self) -> String {
        let classes: String = self.0.iter().map(Class::toml).collect();
        format!("{}{classes}", stage::HEAD)
    }
}

fn review(people: usize) -> Gate {
    if people == 0 {
        Gate::None
    } else {
        Gate::Review(people)
    }
}

impl Class {
    /// Its condition, as the schedule has it.
    pub fn claim(&self) -> Option<String> {
        self.kind.map(|kind| format!("kind = '{kind}'"))
    }

    fn toml(&self) -> String {
        let mut text = format!(
            "table = \"{}\"\nsubject = \"person\"\ntrigger = \"day\"\nperiod = \"{} days\"\n",
            self.table.name(),
            self.period
        );
        text.push_str(match self.disposal {
            Disposal::Flag => "disposal = \"flag\"\n",
            Disposal::Anonymise => "disposal = \"anonymise\"\nanonymise = { name = \"redact\" }\n",
            Disposal::Delete => "disposal = \"delete\"\n",
        });
        if let Some(claim) = self.claim() {
            text.push_str(&format!("where = \"{claim}\"\n"));
        }
        match self.gate {
            Gate::None => {}
            Gate::Review(people) => {
                text.push_str(&format!("gate = \"review\"\napprovals = {people}\n"));
            }
            Gate::Instruction => text.push_str("gate = \"instruction\"\n"),
        }
        if let Some(days) = self.notice {
            text.push_str(&format!("notice = \"{days} days\"\n"));
        }
        for (is, line) in [
            (self.maximum, "limit = \"maximum\"\n"),
            (self.or_when, "or_when = \"withdrawn IS NOT NULL\"\n"),
            (!self.erasure_right, "erasure_right = false\n"),
            (self.table == Table::Letter, "dependants = [\"page\"]\n"),
        ] {
            if is {
                text.push_str(line);
            }
        }
        stage::class(self.id, &text)
    }
}

/// The tables, empty.
pub fn tables_sql() -> String {
    let mut sql = String::new();
    for table in TABLES {
        let parent = match table {
            Table::Page => "parent bigint NOT NULL REFERENCES letter",
            _ => "parent bigint",
        };
        sql.push_str(&format!(
            "CREATE TABLE {} (id bigint PRIMARY KEY, person text, kind text, day date,
                 name text NOT NULL, withdrawn date, {parent});\n",
            table.name()
        ));
    }
    sql.push_str("CREATE INDEX ON page (parent);");
    sql
}

pub fn literal(text: Option<impl std::fmt::Display>) -> String {
    text.map_or_else(|| "NULL".to_owned(), |text| format!("'{text}'"))
}
