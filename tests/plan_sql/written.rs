//! The statements as snapshots, one file a class. Lines are broken for the reader, each at
//! a single blank, and nothing else is changed.

use std::fmt::Write as _;

use retentiond::plan::{ClassPlan, Dependant, FileOf, Key, Route};

use super::plan;

/// What begins a line.
const CLAUSES: [&str; 20] = [
    "SELECT ",
    "FROM ",
    "WHERE ",
    "AND ",
    "ORDER BY ",
    "UPDATE ",
    "SET ",
    "RETURNING ",
    "USING ",
    "JOIN ",
    "LEFT JOIN ",
    "WHEN ",
    "ELSE ",
    "FOR UPDATE ",
    "FOR SHARE ",
    "LIMIT ",
    "GROUP BY ",
    "VALUES ",
    "ON CONFLICT ",
    "THEN CASE ",
];

/// The statement with a line for each clause, as far in as its parentheses are deep.
fn lines(sql: &str) -> String {
    let mut lines = String::new();
    let (mut deep, mut quoted) = (0_usize, false);
    for (at, character) in sql.char_indices() {
        match character {
            '\'' => quoted = !quoted,
            '(' if !quoted => deep += 1,
            ')' if !quoted => deep = deep.saturating_sub(1),
            _ => {}
        }
        let begun = ["FOR", "DELETE", "LEFT"]
            .iter()
            .any(|word| sql[..at].ends_with(word));
        let breaks = character == ' '
            && !quoted
            && !begun
            && CLAUSES
                .iter()
                .any(|clause| sql[at + 1..].starts_with(clause));
        if breaks {
            lines.push('\n');
            lines.push_str(&"  ".repeat(deep));
        } else {
            lines.push(character);
        }
    }
    lines
}

fn named(key: &Key) -> String {
    let columns: Vec<String> = key
        .columns
        .iter()
        .map(|column| format!("{} {}", column.name, column.type_name))
        .collect();
    columns.join(", ")
}

struct Text(String);

impl Text {
    fn head(&mut self, text: &str) {
        writeln!(self.0, "\n== {text}").unwrap();
    }

    fn statement(&mut self, name: &str, sql: &str) {
        writeln!(self.0, "\n-- {name}\n{};", lines(sql)).unwrap();
    }

    fn files(&mut self, files: &[FileOf]) {
        for file in files {
            self.statement(
                &format!("files in store {}: which are still named", file.store),
                &file.still_named,
            );
        }
    }

    fn dependant(&mut self, what: &str, dependant: &Dependant) {
        self.head(&format!(
            "{what} {} ({})",
            dependant.table,
            named(&dependant.key)
        ));
        for edge in &dependant.edges {
            let parent = match edge.parent {
                0 => "the record".to_owned(),
                nth => format!("dependant {nth}"),
            };
            self.statement(
                &format!(
                    "lock those of {parent}, by its links {:?}",
                    edge.parent_links
                ),
                &edge.lock,
            );
            if !edge.unlink.is_empty() {
                self.statement("unlink", &edge.unlink);
            }
        }
        if !dependant.delete.is_empty() {
            self.statement("delete", &dependant.delete);
        }
        self.files(&dependant.files);
    }
}

fn written(class: &ClassPlan) -> String {
    let mut text = Text(String::new());
    let cutoff = class
        .cutoff
        .map_or_else(|| "none".to_owned(), |day| day.to_string());
    writeln!(
        text.0,
        "{}: {} {}, {:?}, cutoff {cutoff}",
        class.id, class.disposal, class.table, class.standing
    )
    .unwrap();
    for warning in &class.warnings {
        writeln!(text.0, "{}: {}", warning.code, warning.message).unwrap();
    }
    if let Some(questions) = &class.questions {
        text.head(&format!("questions, by key ({})", named(&questions.key)));
        text.statement("count", &questions.count);
        for (table, sql) in &questions.dependants {
            text.statement(&format!("count of {table}"), sql);
        }
        if let Some(sql) = &questions.oldest {
            text.statement("oldest overdue", sql);
        }
        if let Some(sql) = &questions.waits {
            text.statement("conflict and waiting", sql);
        }
        text.statement("explain", &questions.explain);
    }
    let Some(work) = &class.work else {
        return text.0;
    };
    text.head(&format!(
        "work, by key ({}), rows stay: {}",
        named(&work.key),
        work.stays
    ));
    text.statement("held", &work.held);
    for scan in &work.scans {
        text.head(&format!(
            "range {}, position of {} columns, key at {:?}",
            scan.no, scan.width, scan.key_at
        ));
        text.statement("step", &scan.step.text(true, true));
        text.statement("step, where fewer are left", &scan.rest.text(true, true));
        text.statement("act", &scan.act.text(true, true));
    }
    match &work.route {
        Route::Direct { what } => text.head(&format!("directly: {what:?}")),
        Route::Follow(follow) => {
            text.head(&format!(
                "following, {} links, anonymises: {}",
                follow.links, follow.anonymises
            ));
            text.statement("finish", &follow.finish);
            text.files(&follow.files);
            for dependant in &follow.inbound {
                text.dependant("deleted", dependant);
            }
            for dependant in &follow.unlinked {
                text.dependant("unlinked", dependant);
            }
            for shared in &follow.referred {
                text.head(&format!("shared {} ({})", shared.table, named(&shared.key)));
                for edge in &shared.edges {
                    text.statement(
                        &format!("lock, by the record's links {:?}", edge.links),
                        &edge.lock,
                    );
                }
                text.statement("delete what nothing refers to", &shared.delete);
                text.files(&shared.files);
            }
        }
    }
    text.0
}

#[tokio::test]
async fn every_statement_is_the_one_that_was_read() {
    let plan = plan().await;
    assert_eq!(plan.classes().len(), 10);
    for class in plan.classes() {
        assert!(class.refusals.is_empty(), "{:?}", class.refusals);
        insta::assert_snapshot!(class.id.as_str(), written(class));
    }
}

#[tokio::test]
async fn breaking_lines_changes_nothing_but_blanks() {
    for class in plan().await.classes() {
        let questions = class.questions.as_ref().unwrap();
        for sql in [&questions.count, &questions.explain] {
            let joined: Vec<String> = lines(sql)
                .lines()
                .map(|line| line.trim_start().to_owned())
                .collect();
            assert_eq!(joined.join(" "), *sql);
            assert!(!sql.contains('\n') && lines(sql).contains('\n'));
        }
    }
}

/// A range without its bounds is the one with them, less the two comparisons: what stands
/// in the snapshot is all there is.
#[tokio::test]
async fn bounds_are_clauses_of_their_own() {
    for class in plan().await.classes() {
        for scan in class.work.iter().flat_map(|work| &work.scans) {
            for statement in [&scan.step, &scan.rest, &scan.act] {
                let whole = statement.text(true, true);
                let at = |from: usize| {
                    whole
                        .find(&format!(") > ((SELECT ${from}::text"))
                        .or(whole.find(&format!(") <= ((SELECT ${from}::text")))
                };
                let (after, until) = (at(1).unwrap(), at(scan.width + 1).unwrap());
                assert!(after < until, "{}", class.id);
                let bare = statement.text(false, false);
                assert!(bare.len() < statement.text(true, false).len());
                assert!(
                    !bare.contains("(SELECT $1::text") && !bare.contains(") <= ("),
                    "{bare}"
                );
                // The claim and the cutoff stand before the bounds, and are never left out.
                let start = whole[..after].rfind(" AND t.").unwrap();
                assert!(bare.starts_with(&whole[..start]), "{}", class.id);
            }
        }
    }
}

/// A plan is the same for the same day and schedule, whenever it is drawn.
#[tokio::test]
async fn the_statements_do_not_depend_on_the_hour() {
    let url = super::support::migrated().await;
    super::support::sql(
        &url,
        &format!("SET search_path = public; {}", super::SCHEMA_SQL),
    )
    .await;
    let early = super::support::plan(
        &url,
        super::SCHEDULE,
        "2026-11-23T00:00:00Z".parse().unwrap(),
    )
    .await;
    let late = super::support::plan(
        &url,
        super::SCHEDULE,
        "2026-11-23T23:59:59Z".parse().unwrap(),
    )
    .await;
    let next = super::support::plan(
        &url,
        super::SCHEDULE,
        "2026-11-24T00:00:00Z".parse().unwrap(),
    )
    .await;
    assert_eq!(early.digest(), late.digest());
    assert_ne!(early.digest(), next.digest());
    for (a, b) in early.classes().iter().zip(late.classes()) {
        assert_eq!((&a.work, &a.questions), (&b.work, &b.questions), "{}", a.id);
    }
}
