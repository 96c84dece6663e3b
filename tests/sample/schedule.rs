//! The shipped schedule, read with nothing but a TOML parser: it stands on its own
//! against the tables, whatever the program makes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use retentiond::demo::sample;

use super::{empty_database, loaded, number, texts};

fn schedule() -> toml::Table {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("retention.toml");
    std::fs::read_to_string(file).unwrap().parse().unwrap()
}

fn text<'a>(class: &'a toml::Value, key: &str) -> Option<&'a str> {
    class.get(key).and_then(toml::Value::as_str)
}

/// Each dependant of a class, and whether its rows stay.
fn dependants(class: &toml::Value) -> BTreeMap<&str, bool> {
    let Some(list) = class.get("dependants") else {
        return BTreeMap::new();
    };
    list.as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            entry.as_str().map_or_else(
                || {
                    (
                        text(entry, "table").unwrap(),
                        text(entry, "action") == Some("unlink"),
                    )
                },
                |table| (table, false),
            )
        })
        .collect()
}

#[tokio::test]
async fn the_shipped_schedule_has_the_ten_classes_and_their_periods() {
    let schedule = schedule();
    let said: Vec<(&str, &str, &str, &str, &str)> = schedule["class"]
        .as_array()
        .unwrap()
        .iter()
        .map(|class| {
            let or = |key, otherwise| text(class, key).unwrap_or(otherwise);
            (
                or("id", ""),
                or("period", ""),
                or("limit", "minimum"),
                or("disposal", ""),
                or("gate", "none"),
            )
        })
        .collect();
    assert_eq!(
        said,
        [
            ("communications", "8 years", "minimum", "delete", "none"),
            ("foi-requests", "2 years", "minimum", "delete", "none"),
            ("photos-videos", "4 years", "maximum", "delete", "none"),
            (
                "applicants-unsuccessful",
                "6 months",
                "minimum",
                "anonymise",
                "none"
            ),
            (
                "applicants-merit-list",
                "12 months",
                "minimum",
                "anonymise",
                "none"
            ),
            ("applicants-successful", "", "minimum", "retain", "none"),
            ("survey-samples", "3 years", "maximum", "delete", "none"),
            (
                "capv-research",
                "90 days",
                "minimum",
                "delete",
                "instruction"
            ),
            ("social-dms", "3 months", "minimum", "delete", "none"),
            ("newsletter-opt-outs", "", "minimum", "retain", "none"),
        ]
    );
    for class in schedule["class"].as_array().unwrap() {
        let id = text(class, "id").unwrap();
        assert!(
            text(class, "title").is_some()
                && text(class, "authority").is_some()
                && text(class, "lawful_basis").is_some(),
            "{id}"
        );
        assert_eq!(
            text(class, "disposal") == Some("retain"),
            text(class, "owner").is_some() && text(class, "reason").is_some(),
            "{id}"
        );
    }
}

#[test]
fn what_the_contractor_holds_is_a_class_once_its_remarks_are_taken_away() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("retention.toml");
    let text = std::fs::read_to_string(file).unwrap();
    let (before, remarks) = text.split_once("\n# [[class]]\n").unwrap();
    let lines = remarks.lines().map(|line| line.strip_prefix("# ").unwrap());
    let lines: Vec<&str> = lines.collect();
    let whole = format!("{before}\n[[class]]\n{}\n", lines.join("\n"));
    let schedule = retentiond::schedule::parse(&whole, "retention.toml");
    let schedule = schedule.unwrap_or_else(|faults| panic!("{}", faults.render(false)));
    let [class] = schedule.processors() else {
        panic!("one processor's class");
    };
    let term = class.term().unwrap();
    // 31 July 2021 and 90 days end on 29 October 2021.
    assert_eq!(
        term.last_day().unwrap().to_string(),
        "2021-10-29",
        "as for the Office's own data"
    );
    assert_eq!(schedule.classes().len(), 10);
}

#[tokio::test]
async fn the_shipped_schedule_names_every_foreign_key_into_what_it_deletes() {
    let mut connection = empty_database("schedule_keys").await;
    sqlx::raw_sql(sample::SCHEMA_SQL)
        .execute(&mut connection)
        .await
        .unwrap();
    let keys: Vec<(String, String, bool)> = sqlx::query_as(
        "SELECT confrelid::regclass::text, conrelid::regclass::text, confdeltype = 'n' FROM pg_constraint WHERE contype = 'f'",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();

    for class in schedule()["class"].as_array().unwrap() {
        let (id, table) = (text(class, "id").unwrap(), text(class, "table").unwrap());
        let declared = dependants(class);
        if text(class, "disposal") == Some("delete") {
            let deleted = declared
                .iter()
                .filter(|(_, stays)| !**stays)
                .map(|(table, _)| *table)
                .chain([table]);
            for gone in deleted {
                for (_, child, set_null) in keys.iter().filter(|(parent, _, _)| parent == gone) {
                    let known = child == table || declared.get(child.as_str()) == Some(set_null);
                    assert!(known, "{id}: {child} refers to {gone}");
                }
            }
        }
        for dependant in declared.keys() {
            let related = keys.iter().any(|(parent, child, _)| {
                (parent == table && child == dependant) || (child == table && parent == dependant)
            });
            assert!(related, "{id}: no key relates {dependant} to {table}");
        }
    }
    let kinds = texts(
        &mut connection,
        "SELECT DISTINCT concat(confdeltype, cardinality(conkey)) FROM pg_constraint WHERE contype = 'f' ORDER BY 1",
    )
    .await;
    assert_eq!(
        kinds,
        ["a1", "a2", "c1", "n1"],
        "no action (also of two columns), cascade, set null"
    );
}

#[tokio::test]
async fn the_shipped_schedule_names_columns_that_are_there_and_fit() {
    let mut connection = loaded("schedule_columns", 0, 1).await;
    let mut conditions = 0;
    for class in schedule()["class"].as_array().unwrap() {
        let (id, table) = (text(class, "id").unwrap(), text(class, "table").unwrap());
        let types: BTreeMap<String, (String, bool)> = sqlx::query_as::<_, (String, String, bool)>(
            "SELECT column_name::text, data_type::text, is_nullable = 'YES' FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1",
        )
        .bind(table)
        .fetch_all(&mut connection)
        .await
        .unwrap()
        .into_iter()
        .map(|(column, kind, nullable)| (column, (kind, nullable)))
        .collect();

        let mut claims = vec![text(class, "where").unwrap_or("true").to_owned()];
        let columns: Vec<&str> = match class.get("trigger") {
            Some(toml::Value::String(column)) => vec![column],
            Some(toml::Value::Array(list)) => {
                claims.extend(
                    list.iter()
                        .filter_map(|entry| text(entry, "when"))
                        .map(str::to_owned),
                );
                list.iter()
                    .map(|entry| entry.as_str().or_else(|| text(entry, "column")).unwrap())
                    .collect()
            }
            _ => vec![],
        };
        for column in columns {
            assert!(
                ["date", "timestamp with time zone"].contains(&types[column].0.as_str()),
                "{id}: {column}"
            );
        }
        for claim in claims {
            assert!(
                number(
                    &mut connection,
                    &format!("SELECT count(*) FROM {table} WHERE {claim}")
                )
                .await
                    > 0,
                "{id}: {claim}"
            );
            conditions += 1;
        }
        for (column, strategy) in class
            .get("anonymise")
            .and_then(toml::Value::as_table)
            .into_iter()
            .flatten()
        {
            let (column, path) = column
                .split_once('.')
                .map_or((column.as_str(), None), |(column, path)| {
                    (column, Some(path))
                });
            let (kind, nullable) = &types[column];
            let fits = match (strategy.as_str().unwrap(), path) {
                ("redact" | "area", None) => kind == "text",
                ("null", None) => *nullable,
                ("year", None) => kind == "date",
                ("remove", Some(path)) => {
                    kind == "jsonb"
                        && number(
                            &mut connection,
                            &format!("SELECT count(*) FROM {table} WHERE {column} ? '{path}'"),
                        )
                        .await
                            > 0
                }
                _ => false,
            };
            assert!(fits, "{id}: {column} {strategy}");
        }
        for file in class
            .get("files")
            .and_then(toml::Value::as_array)
            .into_iter()
            .flatten()
        {
            let (table, column) = (
                text(file, "table").unwrap_or(table),
                text(file, "column").unwrap(),
            );
            assert!(
                number(
                    &mut connection,
                    &format!("SELECT count({column}) FROM {table}")
                )
                .await
                    > 0,
                "{id}: {table}.{column}"
            );
        }
    }
    assert_eq!(conditions, 11);
}

/// What would be left of a person when every strategy had been applied.
#[tokio::test]
async fn the_columns_that_survive_anonymising_name_nobody() {
    let mut connection = loaded("survivors", 2_000, 1).await;
    let schedule = schedule();
    let anonymising: Vec<&toml::Value> = schedule["class"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|class| class.get("anonymise").is_some())
        .collect();
    assert_eq!(anonymising.len(), 2);
    assert_eq!(
        anonymising[0]["anonymise"], anonymising[1]["anonymise"],
        "both classes leave the same"
    );

    let changed: BTreeSet<&str> = anonymising[0]["anonymise"]
        .as_table()
        .unwrap()
        .keys()
        .map(|column| {
            column
                .split_once('.')
                .map_or(column.as_str(), |(column, _)| column)
        })
        .collect();
    let columns = texts(&mut connection, "SELECT column_name::text FROM information_schema.columns WHERE table_schema = 'public' AND table_name = 'applicant' ORDER BY ordinal_position").await;
    let survive: Vec<&str> = columns
        .iter()
        .map(String::as_str)
        .filter(|column| !changed.contains(column))
        .collect();
    assert_eq!(
        survive,
        [
            "id",
            "vacancy_id",
            "ethnicity",
            "gender",
            "disability",
            "outcome",
            "met_merit_criteria",
            "decided_on"
        ]
    );

    let answers = texts(
        &mut connection,
        "SELECT DISTINCT jsonb_object_keys(answers) FROM applicant ORDER BY 1",
    )
    .await;
    let left: Vec<&str> = answers
        .iter()
        .map(String::as_str)
        .filter(|key| {
            anonymising[0]["anonymise"]
                .get(format!("answers.{key}"))
                .is_none()
        })
        .collect();
    assert_eq!(left, ["full_time", "heard_from"]);
}
