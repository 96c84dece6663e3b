//! Fifty thousand records that wait: filtered, sorted, exported and decided by as many
//! statements as five. Seconds are printed, and nothing is asserted of them.

use std::time::Instant;

use retentiond::plan::{Ask, Order};
use retentiond::review::Decision;
use retentiond::survey;

use crate::command::Desk;
use crate::office::Room;
use crate::{stage, support};

const TODAY: &str = "2026-11-23";

/// Memos over ten years, a tenth of which is not past; two notes on every third. No index
/// leads from a memo to its notes, so that whoever looked for each by itself would read the
/// table fifty thousand times.
const TABLES: &str = "
CREATE TABLE memo (id bigint PRIMARY KEY, sender text, closed_on date, kind int);
INSERT INTO memo SELECT n, 'sender ' || n, DATE '2008-01-01' + (n % 3000), n % 7 FROM generate_series(1, 50000) n;
INSERT INTO memo SELECT n, 'sender ' || n, '2090-01-01', 0 FROM generate_series(50001, 55000) n;
CREATE INDEX ON memo (closed_on);
CREATE TABLE note (id bigint PRIMARY KEY, memo_id bigint REFERENCES memo);
INSERT INTO note SELECT n, 3 * ((n - 1) / 2 + 1) FROM generate_series(1, 33332) n;
";

fn schedule() -> String {
    let rest = "table = \"memo\"\ntrigger = \"closed_on\"\nperiod = \"8 years\"\ndisposal = \"delete\"\n\
                gate = \"review\"\npreview = [\"sender\"]\ndependants = [\"note\"]\n";
    format!(
        "{}accept = \"automatic\"\n{}",
        stage::HEAD,
        stage::class("memos", rest)
    )
}

/// Counts the statements that write to our tables, by table, from now on.
const COUNTED: &str = "
CREATE TABLE public.written (name text PRIMARY KEY, statements int NOT NULL);
CREATE FUNCTION public.count_statement() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO public.written VALUES (TG_TABLE_NAME || ' ' || TG_OP, 1)
        ON CONFLICT (name) DO UPDATE SET statements = public.written.statements + 1;
    RETURN NULL; END $$;
CREATE TRIGGER counted AFTER INSERT OR UPDATE ON retentiond.approval FOR EACH STATEMENT EXECUTE FUNCTION public.count_statement();
CREATE TRIGGER counted AFTER INSERT OR UPDATE ON retentiond.review FOR EACH STATEMENT EXECUTE FUNCTION public.count_statement();
CREATE TRIGGER counted AFTER INSERT OR UPDATE ON retentiond.hold FOR EACH STATEMENT EXECUTE FUNCTION public.count_statement();
CREATE TRIGGER counted AFTER INSERT OR UPDATE ON retentiond.handed_on FOR EACH STATEMENT EXECUTE FUNCTION public.count_statement();
CREATE TRIGGER counted AFTER INSERT ON retentiond.ledger_entry FOR EACH STATEMENT EXECUTE FUNCTION public.count_statement();
";

async fn written(url: &str) -> Vec<String> {
    let found = support::texts(
        url,
        "SELECT name || ' ' || statements FROM public.written ORDER BY 1",
    )
    .await;
    support::sql(url, "TRUNCATE public.written").await;
    found
}

async fn number(url: &str, sql: &str) -> u64 {
    support::number(url, sql).await.unsigned_abs()
}

#[tokio::test]
async fn fifty_thousand_records_are_filtered_sorted_exported_and_decided() {
    let url = stage::database(TABLES).await;
    support::sql(&url, COUNTED).await;
    // Nobody has told PostgreSQL yet how much was approved: whatever looks an approval up must not
    // depend on a guess.
    let never = "ALTER TABLE retentiond.approval SET (autovacuum_enabled = off)";
    support::sql(&url, never).await;
    let toml = schedule();
    let mut room = Room::on(&url, &toml, "memos", TODAY).await;
    let timed = |what: &str, begun: Instant| println!("{what}: {:.2?}", begun.elapsed());

    // Filter, sort, limit, with all there is to see of the page.
    let ask = Ask {
        only: Some(retentiond::schedule::Condition::parse("kind = 3").unwrap()),
        before: Some("2012-01-01".parse().unwrap()),
        order: Order::Trigger,
        descending: true,
        limit: Some(50),
        ..Ask::default()
    };
    let begun = Instant::now();
    let page = room.page(&ask, None).await;
    let shown = room.show(&page.records).await;
    timed("a page of 50 out of 50,000, filtered and sorted", begun);
    let fits = "kind = 3 AND closed_on < '2012-01-01'";
    let waiting = number(&url, &format!("SELECT count(*) FROM memo WHERE {fits}")).await;
    assert_eq!(page.waiting, waiting);
    assert!(waiting > 3_000, "{waiting}");
    let first = format!(
        "SELECT m.id::text FROM memo m WHERE {fits} ORDER BY m.closed_on DESC, m.id LIMIT 50"
    );
    let keys: Vec<String> = shown
        .iter()
        .map(|one| one.key.to_texts().concat())
        .collect();
    assert_eq!(keys, support::texts(&url, &first).await);

    // All of them, by how much hangs on each.
    let begun = Instant::now();
    let all = room.page(&Ask::default(), None).await;
    assert_eq!((all.waiting, all.records.len()), (50_000, 50_000));
    let class = room.drawn.plan.class(&room.class).unwrap();
    let sorted =
        survey::sort_by_dependants(&mut room.conn, class, &room.columns, all.records, true)
            .await
            .unwrap();
    let shown = room.show(&sorted).await;
    timed("all 50,000 sorted by what hangs on them, and shown", begun);
    let notes: u64 = shown.iter().flat_map(|one| one.dependants.values()).sum();
    assert_eq!(notes, number(&url, "SELECT count(*) FROM note").await);
    let with_notes = shown
        .iter()
        .take_while(|one| !one.dependants.is_empty())
        .count();
    assert_eq!(
        with_notes as u64,
        number(&url, "SELECT count(DISTINCT memo_id) FROM note").await
    );

    // As a file.
    let desk = Desk::with(&url, &toml);
    let begun = Instant::now();
    let said = desk.run("review list --class memos --output memos.csv");
    timed("50,000 written as CSV by the program", begun);
    assert_eq!(said.code, 0, "{said}");
    let csv = std::fs::read_to_string(desk.folder().join("memos.csv")).unwrap();
    assert_eq!(csv.lines().count(), 50_001);

    // A hundred are handed on and kept, the rest approved: each by one statement, whatever
    // the number, and with one entry.
    assert_eq!(written(&url).await, [""; 0]);
    let hundred = Ask {
        limit: Some(100),
        ..Ask::default()
    };
    room.decide(&hundred, Decision::HandOn("Kim"), "Jo").await;
    assert_eq!(
        written(&url).await,
        [
            "handed_on INSERT 1",
            // As PostgreSQL counts ON CONFLICT DO UPDATE, whether there was one or not.
            "handed_on UPDATE 1",
            "ledger_entry INSERT 1",
            "review INSERT 1"
        ]
    );
    let of_kim = Ask {
        handed_to: Some("Kim".to_owned()),
        ..Ask::default()
    };
    let until = "2100-01-01".parse().unwrap();
    assert_eq!(
        room.decide(&of_kim, Decision::Keep(until), "Kim").await,
        100
    );
    assert_eq!(
        written(&url).await,
        [
            "approval UPDATE 1",
            "hold INSERT 1",
            "ledger_entry INSERT 1",
            "review INSERT 1"
        ]
    );
    let begun = Instant::now();
    let said = desk.run("review approve --class memos --min-age 1 --reason ok --as Jo");
    timed("49,900 approved by a filter with the program", begun);
    assert_eq!(
        (said.code, &*said.out),
        (
            0,
            "Approved: 49,900 records of class `memos`. What nothing else protects goes with the next pass.\n"
        )
    );
    assert_eq!(
        written(&url).await,
        [
            "approval INSERT 1",
            "ledger_entry INSERT 1",
            "review INSERT 1"
        ]
    );
    let approved = "SELECT count(*) FROM retentiond.approval a JOIN memo m ON a.key = ARRAY[m.id::text]
         WHERE a.trigger_on = m.closed_on AND a.last_day = m.closed_on + interval '8 years' AND a.run_id IS NULL
           AND NOT EXISTS (SELECT FROM retentiond.hold h WHERE h.key = a.key)";
    assert_eq!(number(&url, approved).await, 49_900);
    let named: usize = support::ledger(&url)
        .await
        .iter()
        .filter(|entry| entry["action"] == "approved")
        .map(|entry| entry["records"].as_array().unwrap().len())
        .sum();
    assert_eq!(named, 49_900);
    let begun = Instant::now();
    assert_eq!(room.page(&Ask::default(), None).await.waiting, 0);
    timed("a look at the queue with nothing left in it", begun);

    // By their names: as many as a command line takes, of which every other is decided already.
    let ids: Vec<String> = (1..=5_000).map(|n| format!("memos:{n}")).collect();
    let words: Vec<&str> = ids.iter().map(String::as_str).collect();
    let begun = Instant::now();
    let said = desk.run_words(&[&["review", "approve"], &words[..], &["--reason", "ok"]].concat());
    timed("5,000 named that do not wait, told one by one", begun);
    assert_eq!(said.code, 3);
    assert_eq!(
        said.out
            .lines()
            .filter(|line| line.starts_with("Not covered: "))
            .count(),
        5_000
    );
    assert_eq!(written(&url).await, [""; 0]);

    // As many as a batch has are looked up one by one, whatever PostgreSQL believes of the table.
    let plan = support::plan(&url, &toml, support::at(TODAY)).await;
    let use_up = plan.classes()[0]
        .work
        .as_ref()
        .unwrap()
        .use_up
        .clone()
        .unwrap();
    let keys: Vec<String> = (1..=1_000).map(|n| n.to_string()).collect();
    let mut conn = support::ours(&url).await;
    let explained: Vec<String> =
        sqlx::query_scalar(sqlx::AssertSqlSafe(format!("EXPLAIN {use_up}")))
            .bind(keys)
            .bind(1_i64)
            .fetch_all(&mut conn)
            .await
            .unwrap();
    let explained = explained.join("\n");
    assert!(
        explained.contains("Tid Scan on approval p")
            && explained
                .contains("Index Cond: ((class_id = 'memos'::text) AND (key = ARRAY[u.c0]))")
            && !explained.contains("Join Filter"),
        "{explained}"
    );
    // PostgreSQL itself looks for notes of each memo that is deleted.
    support::sql(&url, "CREATE INDEX ON note (memo_id)").await;
    let begun = Instant::now();
    let report = support::pass(&url, &toml, support::at(TODAY)).await;
    timed("a pass that goes by all of it", begun);
    assert_eq!(stage::of(&report, "memos").deleted, 49_900);
    assert_eq!(number(&url, "SELECT count(*) FROM memo").await, 5_100);
}

/// As many that are flagged: the pass of the next day finds each of them flagged already.
#[tokio::test]
async fn fifty_thousand_flags_are_set_once_and_decided_about() {
    let url = stage::database(
        "CREATE TABLE visit (id bigint PRIMARY KEY, made_on date);
         INSERT INTO visit SELECT n, DATE '2008-01-01' + (n % 3000) FROM generate_series(1, 50000) n;
         CREATE INDEX ON visit (made_on)",
    )
    .await;
    let never = "ALTER TABLE retentiond.flag SET (autovacuum_enabled = off);
                 ALTER TABLE retentiond.approval SET (autovacuum_enabled = off);
                 ALTER TABLE retentiond.handed_on SET (autovacuum_enabled = off)";
    support::sql(&url, never).await;
    let rest =
        "table = \"visit\"\ntrigger = \"made_on\"\nperiod = \"8 years\"\ndisposal = \"flag\"\n";
    let toml = format!("{}{}", stage::HEAD, stage::class("visits", rest));
    let timed = |what: &str, begun: Instant| println!("{what}: {:.2?}", begun.elapsed());
    for (day, flagged) in [("2026-11-23", 50_000), ("2026-11-24", 0), ("2026-11-25", 0)] {
        let begun = Instant::now();
        let report = support::pass(&url, &toml, support::at(day)).await;
        timed(&format!("a pass of {day} that flags {flagged}"), begun);
        assert_eq!(stage::of(&report, "visits").flagged, flagged);
        let begun = Instant::now();
        let mut room = Room::on(&url, &toml, "visits", day).await;
        let ask = Ask {
            limit: Some(50),
            ..Ask::default()
        };
        assert_eq!(room.page(&ask, None).await.waiting, 50_000);
        timed("a page of the flagged", begun);
    }
    let mut room = Room::on(&url, &toml, "visits", "2026-11-25").await;
    let of_kim = Ask {
        handed_to: Some("Kim".to_owned()),
        ..Ask::default()
    };
    let again = Ask {
        again: true,
        ..Ask::default()
    };
    let begun = Instant::now();
    let all = [
        (&Ask::default(), Decision::HandOn("Kim")),
        (&of_kim, Decision::Approve),
    ];
    for (ask, decision) in all {
        assert_eq!(room.decide(ask, decision, "Jo").await, 50_000);
    }
    timed("50,000 flagged are handed on, and approved", begun);
    let begun = Instant::now();
    assert_eq!(room.page(&Ask::default(), None).await.waiting, 0);
    timed("a look at the queue with nothing left in it", begun);
    // Another meaning of the class voids all of it; the flags too, which the next pass renews.
    let toml = toml.replace("8 years", "7 years");
    let report = support::pass(&url, &toml, support::at("2026-11-25")).await;
    assert_eq!(stage::of(&report, "visits").flagged, 50_000);
    let begun = Instant::now();
    let mut room = Room::on(&url, &toml, "visits", "2026-11-25").await;
    assert_eq!(room.page(&again, None).await.waiting, 50_000);
    timed("50,000 are queued again", begun);
    let begun = Instant::now();
    let until = "2100-01-01".parse().unwrap();
    assert_eq!(
        room.decide(&again, Decision::Keep(until), "Jo").await,
        50_000
    );
    timed("50,000 approvals are voided, and the records kept", begun);
    let left = "SELECT count(*) FROM retentiond.approval WHERE voided_at IS NULL";
    assert_eq!(number(&url, left).await, 0);
    assert_eq!(room.page(&Ask::default(), None).await.waiting, 0);
}
