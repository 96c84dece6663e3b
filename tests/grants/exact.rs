//! Neither more nor less. PostgreSQL itself says what a statement needs: each is planned
//! under the role (EXPLAIN checks privileges as execution does), with everything that was
//! granted, and with each single privilege taken away.

use std::collections::BTreeSet;

use insta::assert_snapshot;
use retentiond::catalog;
use retentiond::decisions::{Decisions, Epoch};
use retentiond::plan::{self, Plan};
use retentiond::schedule::Code;
use retentiond::survey;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

use crate::command::Desk;
use crate::house::{House, ON, sample, schedule};
use crate::support;

#[tokio::test]
async fn what_is_printed_for_the_sample() {
    let (url, _) = sample().await;
    let desk = Desk::with(&url, &schedule());
    let said = desk.run("grants");
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert_snapshot!(said.out);

    // For a script: the same statements, which do the same.
    let (code, answer) = desk.json("grants --role-prefix scripted");
    assert_eq!(code, 0);
    assert_eq!(
        answer["grants"]["roles"],
        serde_json::json!([
            "scripted_reader",
            "scripted_enforcer",
            "scripted_console",
            "scripted_maintainer"
        ])
    );
    let statements = answer["grants"]["statements"].as_array().unwrap();
    let mut conn = support::client(&url).await;
    for statement in statements {
        sqlx::raw_sql(AssertSqlSafe(statement.as_str().unwrap()))
            .execute(&mut conn)
            .await
            .unwrap();
    }
    conn.close().await.unwrap();
    let granted = |prefix: &str| desk.run(&format!("grants --role-prefix {prefix}")).out;
    let text = granted("scripted");
    for statement in statements {
        assert!(text.contains(statement.as_str().unwrap()), "{statement}");
    }
    // Run again, it says and does the same.
    let before = privileges(&url, "scripted").await;
    support::sql(&url, &text).await;
    assert_eq!(granted("scripted"), text);
    assert_eq!(privileges(&url, "scripted").await, before);
    assert!(!before.is_empty());
}

#[tokio::test]
async fn names_that_no_role_can_have_are_refused_and_odd_ones_are_quoted() {
    let (url, _) = sample().await;
    let desk = Desk::with(&url, &schedule());
    let said = desk.run(&format!("grants --role-prefix {}", "x".repeat(60)));
    assert_eq!((said.code, said.out.as_str()), (2, ""), "{said}");
    let odd = "o'd\"d $roles$";
    let said = desk.run_words(&["grants", "--role-prefix", odd]);
    assert_eq!(said.code, 0, "{said}");
    support::sql(&url, &said.out).await;
    assert_eq!(
        support::texts(
            &url,
            "SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'o''d%' ORDER BY 1"
        )
        .await,
        ["console", "enforcer", "maintainer", "reader"].map(|role| format!("{odd}_{role}"))
    );
}

/// Every privilege of the roles on the organisation's tables: role, privilege, table, column.
async fn privileges(url: &str, prefix: &str) -> BTreeSet<[String; 4]> {
    let mut conn = support::client(url).await;
    let rows = sqlx::query(AssertSqlSafe(format!(
        "SELECT r.rolname::text, x.privilege_type, c.relname::text, COALESCE(l.attname::text, '')
           FROM pg_class c
          CROSS JOIN LATERAL (SELECT c.relacl, NULL::name UNION ALL
                              SELECT attacl, attname FROM pg_attribute WHERE attrelid = c.oid) AS l (acl, attname)
          CROSS JOIN LATERAL aclexplode(l.acl) AS x
           JOIN pg_roles r ON r.oid = x.grantee
          WHERE c.relnamespace = 'public'::regnamespace AND starts_with(r.rolname, '{prefix}_')"
    )))
    .fetch_all(&mut conn)
    .await
    .unwrap();
    conn.close().await.unwrap();
    rows.iter()
        .map(|row| [0, 1, 2, 3].map(|nth| row.get::<String, _>(nth)))
        .collect()
}

/// A day on which everything that is dated is past.
const LATE: &str = "2101-01-01";

/// The statements of every class, with the gates open, as the tables' owner plans them.
async fn planned(url: &str, toml: &str) -> (Plan, Vec<String>) {
    let mut conn = support::ours(url).await;
    let schedule = support::schedule(toml);
    let catalog = catalog::read(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    let decisions = schedule
        .classes()
        .iter()
        .fold(Decisions::none(Epoch(1)), |decisions, class| {
            decisions.with_instruction(class.id().clone())
        });
    let plan = plan::draft(&schedule, &catalog, &decisions, support::at(LATE));
    let probes = plan::probes(&schedule, &catalog, &plan);
    let probes = probes.into_iter().map(|probe| probe.sql).collect();
    (plan, probes)
}

/// Statements prepared in one session, so that each can be planned under a role.
struct Prepared {
    conn: PgConnection,
    /// Its text, and how it is planned.
    statements: Vec<(String, String)>,
}

impl Prepared {
    async fn new(url: &str, texts: Vec<String>) -> Self {
        let mut conn = support::ours(url).await;
        let mut statements = Vec::new();
        for (nth, text) in texts.into_iter().enumerate() {
            let prepare = format!("PREPARE s{nth} AS {text}");
            sqlx::raw_sql(AssertSqlSafe(prepare))
                .execute(&mut conn)
                .await
                .unwrap_or_else(|e| panic!("{e}\n{text}"));
            let parameters: i32 = sqlx::query_scalar(
                "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = $1",
            )
            .bind(format!("s{nth}"))
            .fetch_one(&mut conn)
            .await
            .unwrap();
            let nulls = vec!["NULL"; usize::try_from(parameters).unwrap()].join(", ");
            let execute = match parameters {
                0 => format!("EXPLAIN EXECUTE s{nth}"),
                _ => format!("EXPLAIN EXECUTE s{nth} ({nulls})"),
            };
            statements.push((text, execute));
        }
        sqlx::raw_sql("SET plan_cache_mode = force_generic_plan")
            .execute(&mut conn)
            .await
            .unwrap();
        Self { conn, statements }
    }

    /// The first statement that names `table` and that the role may not execute, once the
    /// superuser has done `first`. Nothing of it stays.
    async fn refused(&mut self, role: &str, first: &str, table: &str) -> Option<String> {
        let named = format!("\"{table}\"");
        let mut tx = self.conn.begin().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!("{first}; SET LOCAL ROLE {role}")))
            .execute(&mut *tx)
            .await
            .unwrap();
        let mut found = None;
        for (text, explain) in &self.statements {
            if !text.contains(&named) {
                continue;
            }
            let done = sqlx::raw_sql(AssertSqlSafe(explain.as_str()))
                .execute(&mut *tx)
                .await;
            if let Err(error) = done {
                let error = error.as_database_error().unwrap();
                assert_eq!(error.code().unwrap(), "42501", "{error}\n{text}");
                found = Some(text.clone());
                break;
            }
        }
        tx.rollback().await.unwrap();
        found
    }
}

#[tokio::test]
async fn everything_that_is_granted_is_enough_and_none_of_it_could_be_left_out() {
    let house = House::new("exact").await;
    let tables = neither_more_nor_less(&house.url, &schedule(), "exact").await;
    assert_eq!(tables, 15);
}

/// Everything that the sample has not: triggers in a related row, rows that hang on rows of
/// their own table, relations that only the schedule knows, stages, notice, generated keys,
/// a review that nobody can approve yet.
const ELSEWHERE: &str = r#"
[schedule]
organisation = "Test"
time_zone = "Europe/London"
every = "0 0 2 * * *"
accept = "automatic"

[[class]]
id = "messages"
title = "Messages"
table = "message"
where = "kind = 'message'"
trigger = "matter.closed_on"
period = "1 year"
disposal = "delete"
unless_active = ["touched_on"]
dependants = ["message", { table = "note", on = "about_id = id", where = "about_kind = 'message'" }]
authority = "Notice"

[[class]]
id = "persons"
title = "Persons"
table = "person"
trigger = "left_on"
period = "7 years"
notice = "10 days"
disposal = "delete"
stages = [{ after = "1 year", disposal = "anonymise", anonymise = { name = "redact" } }]
dependants = ["badge"]
authority = "Notice"

[[class]]
id = "moods"
title = "Moods"
table = "mood"
trigger = 2099-12-31
period = "90 days"
disposal = "delete"
gate = "instruction"
authority = "Notice"

[[class]]
id = "wishes"
title = "Wishes"
table = "wish"
trigger = "made_on"
period = "1 year"
disposal = "delete"
gate = "review"
preview = ["wish", "words"]
dependants = ["gift", { table = "answer", action = "unlink" }]
files = [{ column = "scan", store = "media" }, { table = "gift", column = "photo", store = "media" }]
authority = "Notice"
"#;

const TABLES_ELSEWHERE: &str = "
CREATE TABLE matter (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, closed_on date, secret text);
CREATE TABLE message (id bigint PRIMARY KEY, kind text, matter_id bigint REFERENCES matter,
                      reply_to bigint REFERENCES message, touched_on date, body text);
CREATE TABLE note (id bigint PRIMARY KEY, about_kind text, about_id bigint, words text);
CREATE TABLE person (id bigint PRIMARY KEY, left_on date, name text CHECK (length(name) > 0), email text);
CREATE TABLE badge (no bigint PRIMARY KEY, code bigint GENERATED ALWAYS AS (no * 7) STORED,
                    person_id bigint REFERENCES person);
CREATE TABLE mood (id bigint PRIMARY KEY, mood text);
CREATE TABLE wish (id bigint PRIMARY KEY, made_on date, wish text, words text, scan text, secret text);
CREATE TABLE gift (id bigint PRIMARY KEY, wish_id bigint REFERENCES wish, photo text, secret text);
CREATE TABLE answer (id bigint PRIMARY KEY, wish_id bigint REFERENCES wish, secret text);
";

#[tokio::test]
async fn the_same_holds_for_what_the_sample_has_not() {
    let url = support::copy_of(&support::migrated().await).await;
    support::sql(&url, TABLES_ELSEWHERE).await;
    let said = Desk::with(&url, ELSEWHERE).run("grants --role-prefix elsewhere");
    assert_eq!(said.code, 0, "{said}");
    support::sql(&url, &said.out).await;
    assert_eq!(neither_more_nor_less(&url, ELSEWHERE, "elsewhere").await, 9);
    // What a table is locked by: a value that is generated, where there is one.
    let set: Vec<[String; 2]> = privileges(&url, "elsewhere")
        .await
        .into_iter()
        .filter(|[_, privilege, ..]| privilege == "UPDATE")
        .map(|[_, _, table, column]| [table, column])
        .collect();
    let expected = [
        ["answer", "wish_id"],
        ["badge", "code"],
        ["gift", "id"],
        ["matter", "id"],
        ["message", "id"],
        ["note", "id"],
        ["person", "name"],
        ["wish", "id"],
    ];
    assert_eq!(set, expected.map(|pair| pair.map(str::to_owned)));
    // Wishes once somebody approves one; moods, when ordered.
    let deleted: Vec<String> = privileges(&url, "elsewhere")
        .await
        .into_iter()
        .filter(|[_, privilege, ..]| privilege == "DELETE")
        .map(|[_, _, table, _]| table)
        .collect();
    assert_eq!(
        deleted,
        ["badge", "gift", "message", "mood", "note", "person", "wish"]
    );
}

/// Whoever may only look at the queue sees who waits, and not what is personal of them.
#[tokio::test]
async fn what_reviewers_are_shown_is_the_consoles_alone() {
    let url = support::copy_of(&support::migrated().await).await;
    support::sql(&url, TABLES_ELSEWHERE).await;
    support::sql(&url, "INSERT INTO wish VALUES (1, '2010-01-01', 'MARK', 'MARK', 'a.tif'); INSERT INTO gift VALUES (1, 1, 'b.tif')").await;
    let said = Desk::with(&url, ELSEWHERE).run("grants --role-prefix shown");
    support::sql(&url, &said.out).await;
    for role in ["reader", "enforcer", "console"] {
        let login = format!("shown_{role}_login");
        support::sql(
            &url,
            &format!("CREATE ROLE {login} LOGIN IN ROLE shown_{role}"),
        )
        .await;
        let own = url.replacen("//retentiond@", &format!("//{login}@"), 1);
        let (code, answer) = Desk::with(&own, ELSEWHERE).json("review list --class wishes");
        assert_eq!(code, 0, "{role}: {answer}");
        let queue = &answer["review"][0];
        let (withheld, preview, files) = match role {
            "console" => (
                json!([]),
                json!({ "wish": "MARK", "words": "MARK" }),
                json!(2),
            ),
            "enforcer" => (json!(["wish", "words"]), json!({}), json!(2)),
            _ => (json!(["wish", "words"]), json!({}), json!(null)),
        };
        let record = &queue["records"][0];
        assert_eq!(
            (&queue["withheld"], &record["preview"], &record["files"]),
            (&withheld, &preview, &files),
            "{role}"
        );
        assert_eq!(record["dependants"], json!({ "public.gift": 1 }), "{role}");
    }
}

/// Under each role everything may be executed that it is for, and without any one of its
/// privileges something may not. Answers on how many tables they hold something.
async fn neither_more_nor_less(url: &str, toml: &str, prefix: &str) -> usize {
    let (plan, probes) = planned(url, toml).await;
    let (mut asking, acting) = plan::statements(&plan);
    asking.extend(probes);
    let all = privileges(url, prefix).await;
    let tables: BTreeSet<&String> = all.iter().map(|[_, _, table, _]| table).collect();
    let both: Vec<String> = asking.iter().chain(&acting).cloned().collect();
    // What reviewers are shown is the console's alone.
    let deciding = asking.iter().cloned().chain(plan::showing(&plan));
    let deciding: Vec<String> = deciding.collect();
    assert!(asking.len() > 10 && acting.len() > 20);
    for (role, statements) in [
        ("reader", asking.clone()),
        ("console", deciding),
        ("enforcer", both),
    ] {
        let role = &format!("{prefix}_{role}");
        let mut prepared = Prepared::new(url, statements).await;
        for table in &tables {
            assert_eq!(prepared.refused(role, "SELECT 1", table).await, None);
        }
        let mut tried = 0;
        for [_, privilege, table, column] in all.iter().filter(|[held, ..]| held == role) {
            let columns = if column.is_empty() {
                String::new()
            } else {
                format!("(\"{column}\")")
            };
            let revoke = format!("REVOKE {privilege} {columns} ON public.\"{table}\" FROM {role}");
            assert!(
                prepared.refused(role, &revoke, table).await.is_some(),
                "nothing needs {privilege} {columns} on {table} by {role}"
            );
            tried += 1;
        }
        assert!(tried > 15, "{role}: {tried}");
        prepared.conn.close().await.unwrap();
    }
    tables.len()
}

#[tokio::test]
async fn each_missing_privilege_is_refused_in_advance_with_the_grant_that_mends_it() {
    let house = House::new("lacks").await;
    let all = privileges(&house.url, "lacks").await;
    let parsed = support::schedule(&schedule());
    let mut conn = support::ours(&house.as_role("enforcer")).await;
    let mut of_table: BTreeSet<(String, String)> = BTreeSet::new();
    let mut tried = 0;
    for [_, privilege, table, column] in all.iter().filter(|[role, ..]| role == "lacks_enforcer") {
        // One of each sort a table: that all are alike is the other test's matter.
        if !of_table.insert((privilege.clone(), table.clone())) {
            continue;
        }
        let part = if column.is_empty() {
            privilege.clone()
        } else {
            format!("{privilege} ({column})")
        };
        let sql = format!("REVOKE {part} ON public.{table} FROM lacks_enforcer");
        support::sql(&house.url, &sql).await;
        let drawn = survey::draw(&mut conn, &parsed, support::at(ON))
            .await
            .unwrap();
        let sql = format!("GRANT {part} ON public.{table} TO lacks_enforcer");
        support::sql(&house.url, &sql).await;
        let hints: BTreeSet<String> = drawn
            .plan
            .classes()
            .iter()
            .flat_map(|class| &class.refusals)
            .map(|refusal| {
                assert_eq!(refusal.code, Code::MissingPrivilege, "{}", refusal.message);
                refusal.hint.clone().unwrap()
            })
            .collect();
        let expected = format!("GRANT {part} ON public.{table} TO lacks_enforcer_login");
        assert_eq!(hints.into_iter().collect::<Vec<_>>(), [expected]);
        tried += 1;
    }
    conn.close().await.unwrap();
    assert!(tried > 30, "{tried}");
}

#[tokio::test]
async fn what_an_earlier_schedule_was_granted_is_taken_back() {
    let house = House::new("former").await;
    // Only messages are left, and they are only flagged.
    let toml = r#"
[schedule]
organisation = "Test"
time_zone = "Europe/London"
every = "0 0 2 * * *"
accept = "automatic"
[[class]]
id = "social-dms"
title = "Messages"
table = "social_message"
trigger = "received_at"
period = "3 months"
disposal = "flag"
max_share = 1.0
authority = "Notice"
"#;
    let said = Desk::with(&house.url, toml).run("grants --role-prefix former");
    assert_eq!(said.code, 0, "{said}");
    support::sql(&house.url, &said.out).await;
    let left = privileges(&house.url, "former").await;
    let expected: BTreeSet<[String; 4]> = ["reader", "enforcer", "console"]
        .iter()
        .flat_map(|role| {
            ["id", "received_at"].map(|column| {
                [
                    format!("former_{role}"),
                    "SELECT".to_owned(),
                    "social_message".to_owned(),
                    column.to_owned(),
                ]
            })
        })
        .collect();
    assert_eq!(left, expected);
    // And again with nothing but that: the tables of old are forgotten.
    let said = Desk::with(&house.url, toml).run("grants --role-prefix former");
    assert!(!said.out.contains("correspondence"), "{said}");
    let report = support::pass(&house.as_role("enforcer"), toml, support::at(ON)).await;
    assert!(report.classes[0].flagged > 0, "{report:?}");
}
