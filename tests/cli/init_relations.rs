//! What `init` proposes for references that the database does not declare can be used as it
//! stands: the reader takes it, and it fits the database.

use crate::command::Desk;
use crate::support;

/// References by names alone: plain, in capitals, with a space, by a reserved word, by another
/// key than `id`, by a UUID, and by a pair that may lead to any table.
const TABLES: &str = r#"
    CREATE TABLE member (id integer PRIMARY KEY, email text, left_on date);
    CREATE TABLE call_log (id integer PRIMARY KEY, memberid integer);
    CREATE TABLE visit (id integer PRIMARY KEY, "Member_Id" integer);
    CREATE TABLE gift (id integer PRIMARY KEY, "member id" integer);
    CREATE TABLE "Letters" ("Letter Nr" integer PRIMARY KEY, email text, ended date);
    CREATE TABLE "Replies" ("No" integer PRIMARY KEY, "Letter Nr" integer);
    CREATE TABLE "user" (id uuid PRIMARY KEY, email text, closed_on date);
    CREATE TABLE session (id integer PRIMARY KEY, "user" uuid);
    CREATE TABLE note (id integer PRIMARY KEY, "ObjectType" text, "ObjectId" integer, email text, sent_on date);
"#;

/// The text of a class, from its `[[class]]` to the next heading.
fn class<'t>(text: &'t str, table: &str) -> &'t str {
    let start = text.find(&format!("table = \"{table}\"")).unwrap();
    let start = text[..start].rfind("[[class]]").unwrap();
    text[start..].split("# -----").next().unwrap()
}

/// The entries that stand as remarks in a class, each on its line.
fn proposed(class: &str) -> Vec<String> {
    let lines = class.lines();
    let entries = lines.filter_map(|line| line.strip_prefix("#     { table = "));
    entries
        .map(|rest| format!("{{ table = {}", rest.trim_end_matches(',')))
        .collect()
}

/// The class as somebody would have it who decided to delete with these.
fn deletes(text: &str, table: &str, entries: &[String]) -> String {
    let class = class(text, table);
    let lines: Vec<&str> = class
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    let head = "[schedule]\norganisation = \"A\"\ntime_zone = \"Europe/London\"\nevery = \"0 0 2 * * *\"\n";
    format!(
        "{head}{}\ndependants = [{}]\n",
        lines.join("\n").replace("\"flag\"", "\"delete\""),
        entries.join(", ")
    )
}

#[tokio::test]
async fn what_init_proposes_for_undeclared_references_fits_the_database() {
    let url = support::database().await;
    support::sql(&url, TABLES).await;
    let text = Desk::bare().set("DATABASE_URL", &url).run("init").out;

    let expected = [
        (
            "member",
            vec![
                r#"{ table = "call_log", on = "memberid = id" }"#,
                r#"{ table = "gift", on = "\"member id\" = id" }"#,
                r#"{ table = "visit", on = "\"Member_Id\" = id" }"#,
            ],
        ),
        (
            "Letters",
            vec![r#"{ table = "Replies", on = "\"Letter Nr\" = \"Letter Nr\"" }"#],
        ),
        (
            "user",
            vec![r#"{ table = "session", on = "\"user\" = id" }"#],
        ),
    ];
    for (table, expected) in expected {
        let entries = proposed(class(&text, table));
        assert_eq!(entries, expected, "{table}");
        fits(&url, &deletes(&text, table, &entries), &entries);
    }
}

#[tokio::test]
async fn what_init_proposes_for_a_pair_of_columns_fits_the_database() {
    let url = support::database().await;
    support::sql(&url, TABLES).await;
    let text = Desk::bare().set("DATABASE_URL", &url).run("init").out;
    // It stands in the prose before the class of the table that refers.
    let prose: Vec<&str> = text
        .split_whitespace()
        .filter(|word| *word != "#")
        .collect();
    let prose = prose.join(" ");
    let entry = prose
        .split("dependants = [")
        .find(|rest| rest.starts_with("{ table = \"note\""))
        .and_then(|rest| rest.split(']').next())
        .unwrap();
    assert_eq!(
        entry,
        r#"{ table = "note", on = "\"ObjectId\" = id", where = "\"ObjectType\" = '…'" }"#
    );
    let entry = entry.replace('…', "App::Member");
    fits(
        &url,
        &deletes(&text, "member", std::slice::from_ref(&entry)),
        &[entry],
    );
}

/// `check` finds no error, and it is the relation that it looked at: under another column's
/// name it does.
fn fits(url: &str, schedule: &str, entries: &[String]) {
    let said = Desk::with(url, schedule).run("check");
    assert_eq!(said.code, 0, "{schedule}\n{said}");
    let first = &entries[0];
    let wrong = first
        .replace("on = \"", "on = \"nobody_")
        .replace("nobody_\\\"", "\\\"nobody_");
    let said = Desk::with(url, &schedule.replace(first, &wrong)).run("check");
    assert_eq!(said.code, 2, "{wrong}\n{said}");
    assert!(said.out.contains("[R0302]"), "{said}");
}
