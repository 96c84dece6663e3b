//! A small office: ten tables with a handful of rows each, every one of which is there
//! for a reason, and the schedule for them. All days are counted for 23 November 2026.

use crate::command::Desk;
use crate::support;

/// The day of every plan and explanation here.
pub const TODAY: &str = "2026-11-23";

pub const SCHEDULE: &str = r#"[schedule]
organisation = "An Office"
time_zone = "Europe/London"
every = "0 0 2 * * *"
accept = "automatic"
[[class]]
id = "letters"
title = "Letters and their pages"
table = "letter"
trigger = ["closed_on", { column = "received_on", when = "case_id IS NULL" }]
period = "8 years"
disposal = "delete"
dependants = ["page"]
authority = "Notice"

[[class]]
id = "turned-down"
title = "Applicants turned down"
table = "applicant"
where = "outcome = 'no'"
trigger = "decided_on"
period = "6 months"
disposal = "anonymise"
anonymise = { name = "redact", email = "null" }
authority = "Notice"

[[class]]
id = "merit-list"
title = "Applicants on the merit list"
table = "applicant"
where = "outcome = 'no' AND merit"
trigger = "decided_on"
period = "12 months"
disposal = "anonymise"
anonymise = { name = "redact", email = "null" }
authority = "Notice"

[[class]]
id = "hired"
title = "Applicants hired"
table = "applicant"
where = "outcome = 'yes'"
disposal = "retain"
owner = "Head of People"
reason = "Part of the personnel file"
authority = "Notice"

[[class]]
id = "photos"
title = "Photographs with consent forms"
table = "photo"
trigger = "taken_on"
period = "4 years"
limit = "maximum"
disposal = "delete"
dependants = ["form"]
authority = "Notice"

[[class]]
id = "samples"
title = "Survey samples"
table = "sample"
trigger = "received_on"
period = "3 years"
limit = "maximum"
disposal = "delete"
authority = "Notice"

[[class]]
id = "samples-of-record"
title = "Survey samples that statistics rest on"
table = "sample"
where = "of_record"
trigger = "received_on"
period = "5 years"
disposal = "delete"
authority = "Statistics code"

[[class]]
id = "study"
title = "A research study"
table = "participant"
trigger = 2021-07-31
period = "90 days"
disposal = "delete"
gate = "instruction"
authority = "Study notice"

[[class]]
id = "visits"
title = "Visitors' book"
table = "visit"
trigger = "made_on"
period = "1 year"
disposal = "flag"
authority = "Notice"
"#;

pub const TABLES: &str = "
CREATE TABLE letter (id bigint PRIMARY KEY, case_id bigint, sender text, received_on date, closed_on date);
CREATE INDEX ON letter (closed_on);
CREATE INDEX ON letter (received_on);
CREATE TABLE page (letter_id bigint NOT NULL REFERENCES letter, number integer, body text, PRIMARY KEY (letter_id, number));
CREATE TABLE applicant (id uuid PRIMARY KEY, name text NOT NULL, email text, outcome text, merit boolean, decided_on date);
CREATE INDEX ON applicant (decided_on);
CREATE TABLE form (id bigint PRIMARY KEY, signed_by text);
CREATE TABLE photo (id bigint PRIMARY KEY, form_id bigint REFERENCES form, taken_on date);
CREATE INDEX ON photo (taken_on);
CREATE INDEX ON photo (form_id);
CREATE TABLE sample (campaign integer, id integer, name text, of_record boolean NOT NULL DEFAULT false, received_on date, PRIMARY KEY (campaign, id));
CREATE INDEX ON sample (received_on);
CREATE TABLE participant (id bigint PRIMARY KEY, name text);
CREATE TABLE visit (id bigint PRIMARY KEY, visitor text, made_on date);
CREATE INDEX ON visit (made_on);
CREATE TABLE matter (id bigint PRIMARY KEY, reference text);
";

/// `00000000-0000-0000-0000-00000000000n`.
pub fn uuid(n: u32) -> String {
    format!("00000000-0000-0000-0000-{n:012}")
}

/// Rows on either side of every line on 23 November 2026.
pub const ROWS: &str = "
INSERT INTO letter VALUES
    (1, 11, 'Ada Quill', '2010-01-05', '2015-03-01'),       -- closed, past
    (2, 12, 'Ada Quill', '2010-01-05', NULL),               -- the matter is open
    (3, NULL, 'Bo Ferro', '2018-11-22', NULL),              -- past since today
    (4, NULL, 'Bo Ferro', '2018-11-23', NULL),              -- its last day is today
    (5, 15, 'Cy Umber', '2010-01-05', '2016-05-05'),        -- past, to be held
    (6, NULL, 'Cy Umber', '1970-01-01', NULL),              -- a sentinel
    (7, NULL, 'Di Vane', '2027-06-01', NULL);               -- still to come
INSERT INTO page SELECT n, p, 'Dear office' FROM generate_series(1, 7) n, generate_series(1, 2) p WHERE n <> 6;
INSERT INTO applicant VALUES
    ('00000000-0000-0000-0000-000000000001', 'Eve Marsh', 'eve@example.org', 'no', false, '2026-01-10'),   -- past
    ('00000000-0000-0000-0000-000000000002', 'Flo Reed', 'flo@example.org', 'no', true, '2026-01-10'),     -- the longer period wins
    ('00000000-0000-0000-0000-000000000003', 'Gus Wren', 'gus@example.org', 'no', true, '2025-08-31'),     -- past both
    ('00000000-0000-0000-0000-000000000004', 'Hal Oake', 'hal@example.org', 'yes', true, '2019-01-01'),    -- hired
    ('00000000-0000-0000-0000-000000000005', 'Ida Thorn', 'ida@example.org', 'pending', NULL, NULL),       -- nobody's
    ('00000000-0000-0000-0000-000000000006', 'Jan Lark', 'jan@example.org', 'no', NULL, '2020-01-01');     -- perhaps on the merit list
INSERT INTO form VALUES (1, 'Kay Bloom'), (2, 'Lou Finch'), (3, 'Mia Stone');
INSERT INTO photo VALUES
    (1, 1, '2022-11-23'),                                   -- its last day is today: due
    (2, 1, '2024-02-29'),                                   -- shares the form
    (3, 2, '2022-01-01'),                                   -- overdue
    (4, NULL, NULL);                                        -- undated
INSERT INTO sample VALUES
    (1, 1, 'Ned Hill', false, '2023-11-23'),                -- due today
    (1, 2, 'Oda Pine', false, '2023-11-24'),                -- tomorrow
    (2, 7, 'Pat Ash', true, '2022-06-30'),                  -- at most three years, at least five
    (2, 8, 'Quin Yew', true, '2020-06-30');                 -- past both
INSERT INTO participant VALUES (1, 'Rae Moss'), (2, 'Sal Fern');
INSERT INTO visit VALUES (1, 'Tom Brook', '2024-01-01'), (2, 'Una Dell', '2026-10-01');
INSERT INTO matter VALUES (1, 'M/1');
";

/// Every personal text of [`ROWS`].
pub const SECRETS: [&str; 26] = [
    "Ada Quill",
    "Bo Ferro",
    "Cy Umber",
    "Di Vane",
    "Dear office",
    "Eve Marsh",
    "eve@",
    "Flo Reed",
    "flo@",
    "Gus Wren",
    "gus@",
    "Hal Oake",
    "hal@",
    "Ida Thorn",
    "ida@",
    "Jan Lark",
    "jan@",
    "Kay Bloom",
    "Lou Finch",
    "Mia Stone",
    "Ned Hill",
    "Oda Pine",
    "Pat Ash",
    "Rae Moss",
    "Tom Brook",
    "Una Dell",
];

/// The office's database, migrated, with its rows; and a desk to work at.
pub async fn open() -> (String, Desk) {
    let url = support::database().await;
    // Before our schema is there: the account is named like it, and would create in it.
    support::sql(&url, TABLES).await;
    support::sql(&url, ROWS).await;
    support::migrate(&url).await;
    let desk = Desk::with(&url, SCHEDULE);
    (url, desk)
}

/// The same office for `run`, which asks the machine what day it is: whatever was due on
/// [`TODAY`] is long past, whatever was not lies in another lifetime, and the sample that
/// is in conflict stays so.
pub async fn open_on_any_day() -> (String, Desk) {
    let (url, desk) = open().await;
    support::sql(
        &url,
        "UPDATE letter SET received_on = '2010-01-01' WHERE id = 3;
         UPDATE letter SET received_on = '2090-01-01' WHERE id IN (4, 7);
         UPDATE applicant SET decided_on = '2010-01-01' WHERE id::text ~ '[13]$';
         UPDATE applicant SET decided_on = '2090-01-01' WHERE id::text ~ '2$';
         UPDATE photo SET taken_on = CASE id WHEN 2 THEN DATE '2090-01-01' ELSE '2010-01-01' END WHERE id < 4;
         UPDATE sample SET received_on = CASE id WHEN 2 THEN DATE '2090-01-01' ELSE '2010-01-01' END, of_record = id = 7;
         UPDATE visit SET made_on = CASE id WHEN 2 THEN DATE '2090-01-01' ELSE '2010-01-01' END",
    )
    .await;
    desk.write("retention.toml", any_day(SCHEDULE));
    (url, desk)
}

/// The schedule that keeps a sample of record for a lifetime.
pub fn any_day(schedule: &str) -> String {
    schedule.replacen("period = \"5 years\"", "period = \"90 years\"", 1)
}

/// The same after the pass of [`TODAY`], with letter 5 held.
pub async fn after_a_pass() -> (String, Desk) {
    let (url, desk) = open().await;
    support::hold(&url, "letter", &["5"], None).await;
    support::pass(&url, SCHEDULE, support::at(TODAY)).await;
    (url, desk)
}

/// Everything that stands in a database: every row of every table, and what tables,
/// columns, constraints, triggers and privileges there are.
pub async fn fingerprint(url: &str) -> Vec<String> {
    let mut found = support::texts(
        url,
        "SELECT format('%s.%s %s', schemaname, tablename,
                md5(query_to_xml(format('SELECT t::text FROM %I.%I t ORDER BY 1', schemaname, tablename), true, false, '')::text))
           FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1",
    )
    .await;
    found.extend(
        support::texts(
            url,
            "SELECT format('%s.%s %s %s %s', n.nspname, c.relname, c.relkind, c.relacl, c.relrowsecurity) FROM pg_class c
               JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
             UNION ALL SELECT format('%s %s %s', attrelid::regclass, attname, atttypid::regtype) FROM pg_attribute
               WHERE attrelid > 16384 AND attnum > 0
             UNION ALL SELECT format('%s %s', conrelid::regclass, pg_get_constraintdef(oid)) FROM pg_constraint WHERE conrelid > 16384
             UNION ALL SELECT format('%s %s %s', tgrelid::regclass, tgname, tgenabled) FROM pg_trigger
             UNION ALL SELECT format('%s %s', proname, md5(prosrc)) FROM pg_proc WHERE oid > 16384
             UNION ALL SELECT nspname::text FROM pg_namespace WHERE oid > 16384 ORDER BY 1",
        )
        .await,
    );
    found
}
