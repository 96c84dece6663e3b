//! The entries of `dependants`: a table alone, or with what becomes of its rows and how they
//! are related.

use toml::de::DeValue;

use super::{Reader, Value, keys};
use crate::ident::TableName;
use crate::schedule::class::{Dependant, Fate, Relation};
use crate::schedule::condition::Condition;
use crate::schedule::diagnostics::{Code, Diagnostic, Place};
use crate::schedule::relation::{self, Equality};

impl Reader<'_> {
    /// `anonymises`: the class keeps its rows, so that none of them goes with another.
    pub(super) fn dependants(
        &mut self,
        value: &Value<'_>,
        own: Option<&TableName>,
        anonymises: bool,
    ) -> Option<Vec<Dependant>> {
        let entries = self.array(value, "dependants", "a list of tables")?;
        let mut dependants: Vec<Dependant> = Vec::new();
        let mut fits = true;
        for entry in entries {
            let earlier: Vec<TableName> = dependants.iter().map(|d| d.table.clone()).collect();
            let Some(dependant) = self.dependant(entry, own, &earlier) else {
                fits = false;
                continue;
            };
            if anonymises && Some(&dependant.table) == own {
                fits = false;
                self.report(
                    Diagnostic::new(
                        Code::OwnDependant,
                        format!(
                            "{} is the class's own table, whose rows it anonymises",
                            dependant.table
                        ),
                    )
                    .hint("leave it out: each row is anonymised when it is due itself")
                    .at(dependant.place),
                );
            }
            if let Some(first) = dependants.iter().find(|other| other.is_of(&dependant)) {
                fits = false;
                self.repeated(
                    &format!("the dependant {}", dependant.table),
                    dependant.place,
                    first.place,
                );
            }
            dependants.push(dependant);
        }
        fits.then_some(dependants)
    }

    fn dependant(
        &mut self,
        entry: &Value<'_>,
        own: Option<&TableName>,
        earlier: &[TableName],
    ) -> Option<Dependant> {
        match entry.get_ref() {
            DeValue::Table(table) => {
                let place = self.place_of(entry);
                let fields = self.fields(table, &keys::DEPENDANT, place);
                let table = self
                    .required_text(&fields, "table")
                    .and_then(|(text, place)| {
                        self.table_name(&text, place).map(|table| (table, place))
                    });
                let fate = match fields.get("action") {
                    Some(value) => {
                        self.word(value, "action", &Fate::ALL.map(|fate| (fate.name(), fate)))
                    }
                    None => Some(Fate::Delete),
                };
                let when = match fields.get("where") {
                    Some(value) => self.condition(value, "where").map(Some),
                    None => Some(None),
                };
                if let (Some(value), None) = (fields.get("where"), fields.get("on")) {
                    let place = self.place_of(value);
                    self.contradiction(
                        "`where` narrows a relation, and there is no `on`".to_owned(),
                        "say how the rows are related: on = \"COLUMN = id\"; a foreign key binds every row",
                        place,
                    );
                    return None;
                }
                let relation = match fields.get("on") {
                    Some(value) => {
                        let named = table.as_ref().map(|(table, _)| table);
                        self.relation(value, named, own, earlier, when?).map(Some)
                    }
                    None => Some(None),
                };
                let (table, place) = table?;
                Some(Dependant {
                    table,
                    fate: fate?,
                    relation: relation?,
                    place,
                })
            }
            DeValue::String(_) => {
                let (text, place) = self.text_value(entry, "dependants")?;
                let table = self.table_name(&text, place)?;
                Some(Dependant {
                    table,
                    fate: Fate::Delete,
                    relation: None,
                    place,
                })
            }
            _ => {
                self.wrong_type("dependants", "a list of tables", entry);
                None
            }
        }
    }

    fn relation(
        &mut self,
        value: &Value<'_>,
        table: Option<&TableName>,
        own: Option<&TableName>,
        earlier: &[TableName],
        when: Option<Condition>,
    ) -> Option<Relation> {
        let (text, place) = self.text_value(value, "on")?;
        let equalities = match relation::parse(&text) {
            Ok(equalities) => equalities,
            Err(error) => {
                let place = self.within(place, &text, error.span);
                self.report(
                    Diagnostic::new(Code::BadRelation, error.message)
                        .hint(error.hint)
                        .at(place),
                );
                return None;
            }
        };
        let (table, own) = (table?, own?);
        let mut to: Option<TableName> = None;
        for equality in &equalities {
            let wanted = equality.table.clone().unwrap_or_else(|| own.clone());
            let known = &wanted == own || &wanted == table || earlier.contains(&wanted);
            if !known {
                self.unknown_side(&wanted, own, earlier, self.part(place, &text, equality));
                return None;
            }
            match &to {
                Some(to) if to != &wanted => {
                    let place = self.part(place, &text, equality);
                    self.report(
                        Diagnostic::new(
                            Code::BadRelation,
                            format!(
                                "one relation leads to one table, and this names {to} and {wanted}"
                            ),
                        )
                        .hint("write an entry of its own for each relation")
                        .at(place),
                    );
                    return None;
                }
                _ => to = Some(wanted),
            }
        }
        let mut columns: Vec<_> = equalities
            .into_iter()
            .map(|equality| (equality.left, equality.right))
            .collect();
        columns.sort();
        columns.dedup();
        Some(Relation {
            to: to?,
            columns,
            when,
            place,
        })
    }

    fn part(&self, place: Place, text: &str, equality: &Equality) -> Place {
        self.within(place, text, Some(equality.span.clone()))
    }

    fn unknown_side(
        &mut self,
        wanted: &TableName,
        own: &TableName,
        earlier: &[TableName],
        place: Place,
    ) {
        let mut tables: Vec<String> = vec![own.to_string()];
        tables.extend(earlier.iter().map(TableName::to_string));
        tables.dedup();
        self.report(
            Diagnostic::new(
                Code::BadRelation,
                format!("the right side names {wanted}, on which nothing can hang here"),
            )
            .hint(format!(
                "it is the class's own table or a dependant that stands before this one: {}",
                tables.join(", ")
            ))
            .at(place),
        );
    }
}
