//! The tables on which the races are run, with a class for each route through `enforce`.

use std::collections::BTreeSet;

use crate::stage::{self, HEAD, Rows, class};

/// Everything in them is past on this day, but for the letter, message and photo 9.
pub const TODAY: &str = "2026-11-23";

pub const TABLES: [&str; 8] = [
    "message",
    "letter",
    "attachment",
    "page",
    "request",
    "photo",
    "film",
    "form",
];

const SQL: &str = "
CREATE TABLE message (id bigint PRIMARY KEY, received_on date, status text NOT NULL DEFAULT 'closed');
CREATE INDEX ON message (received_on);

CREATE TABLE letter (id bigint PRIMARY KEY, received_on date, status text NOT NULL DEFAULT 'closed');
CREATE INDEX ON letter (received_on);
CREATE TABLE attachment (id bigint PRIMARY KEY, kind text NOT NULL DEFAULT 'scan',
    letter_id bigint NOT NULL REFERENCES letter ON DELETE CASCADE);
CREATE INDEX ON attachment (letter_id);
CREATE TABLE page (id bigint PRIMARY KEY, attachment_id bigint NOT NULL REFERENCES attachment ON DELETE CASCADE);
CREATE INDEX ON page (attachment_id);
CREATE TABLE request (id bigint PRIMARY KEY, letter_id bigint REFERENCES letter ON DELETE SET NULL);
CREATE INDEX ON request (letter_id);

CREATE TABLE form (id bigint PRIMARY KEY);
CREATE TABLE photo (id bigint PRIMARY KEY, captured_on date, form_id bigint REFERENCES form);
CREATE INDEX ON photo (captured_on);
CREATE INDEX ON photo (form_id);
CREATE TABLE film (id bigint PRIMARY KEY, captured_on date, form_id bigint REFERENCES form);
CREATE INDEX ON film (captured_on);
CREATE INDEX ON film (form_id);

INSERT INTO message VALUES (1, '2020-01-01'), (2, '2020-01-02'), (9, '2026-11-01');

INSERT INTO letter VALUES (1, '2020-01-01'), (2, '2020-01-02'), (9, '2026-11-01');
INSERT INTO attachment (id, letter_id) VALUES (11, 1), (21, 2), (91, 9);
INSERT INTO page VALUES (111, 11), (211, 21), (911, 91);
INSERT INTO request VALUES (1111, 1), (2111, 2), (9111, 9);

INSERT INTO form VALUES (5), (6), (8);
INSERT INTO photo VALUES (51, '2020-01-01', 5), (52, '2020-01-02', 5), (61, '2020-01-01', 6), (9, '2026-11-01', 8);
";

/// A database with the tables and our schema.
pub async fn open() -> String {
    stage::database(SQL).await
}

pub fn messages() -> String {
    class(
        "messages",
        r#"table = "message"
where = "status = 'closed'"
trigger = "received_on"
period = "1 year"
disposal = "delete""#,
    )
}

pub fn letters() -> String {
    class(
        "letters",
        r#"table = "letter"
where = "status = 'closed'"
trigger = "received_on"
period = "1 year"
disposal = "delete"
dependants = ["attachment", "page", { table = "request", action = "unlink" }]"#,
    )
}

pub fn photos() -> String {
    class(
        "photos",
        r#"table = "photo"
trigger = "captured_on"
period = "1 year"
disposal = "delete"
dependants = ["form"]"#,
    )
}

pub fn films() -> String {
    class(
        "films",
        r#"table = "film"
trigger = "captured_on"
period = "1 year"
disposal = "delete"
dependants = ["form"]"#,
    )
}

pub fn schedule() -> String {
    format!("{HEAD}{}{}{}{}", messages(), letters(), photos(), films())
}

/// What is left where nobody steps in: rows that are not past, and what is unlinked.
pub fn left() -> BTreeSet<String> {
    [
        "message 9",
        "letter 9",
        "attachment 91",
        "page 911",
        "photo 9",
        "form 8",
        "request 1111",
        "request 2111",
        "request 9111",
    ]
    .map(str::to_owned)
    .into()
}

/// The same with these rows too.
pub fn left_and(kept: &[&str]) -> BTreeSet<String> {
    let mut left = left();
    left.extend(kept.iter().map(|name| (*name).to_owned()));
    left
}

/// What is there now, compared with the ledger.
pub async fn told(url: &str, before: &Rows) -> BTreeSet<String> {
    stage::assert_told(url, before, &TABLES).await;
    stage::names(&stage::rows(url, &TABLES).await)
}
