//! Listing, finding a record, exporting.

use chrono::{NaiveDate, TimeDelta};
use futures_util::{StreamExt, TryStreamExt};
use retentiond::ident::{ClassId, Ident, TableName};
use retentiond::ledger::store::{
    ExportFormat, Filter, Order, StoredEntry, append, export, find_record, list,
};
use retentiond::ledger::{Action, RecordKey};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use crate::database::{columns, deleted, manifest, migrated, noon, run, small_ledger, table};

async fn listed(conn: &mut PgConnection, filter: &Filter) -> Vec<StoredEntry> {
    let stream = list(conn, filter).await.unwrap();
    stream.try_collect().await.unwrap()
}

async fn numbers(conn: &mut PgConnection, filter: &Filter) -> Vec<i64> {
    let entries = listed(conn, filter).await;
    entries.iter().map(|stored| stored.entry.id.0).collect()
}

fn about(name: &str, key: i64) -> Filter {
    Filter {
        key: Some((table(name), RecordKey::int(key))),
        ..Filter::default()
    }
}

#[tokio::test]
#[rustfmt::skip]
async fn a_listing_has_what_meets_everything_that_was_asked() {
    let mut conn = small_ledger("ledger_list").await;
    let all = Filter::default;
    for (filter, expected) in [
        (all(), &[1, 2, 3, 4][..]),
        (Filter { order: Order::NewestFirst, ..all() }, &[4, 3, 2, 1]),
        (Filter { order: Order::NewestFirst, limit: Some(2), ..all() }, &[4, 3]),
        (Filter { limit: Some(1), ..all() }, &[1]),
        (Filter { class: ClassId::new("communications"), ..all() }, &[2, 3]),
        (Filter { class: ClassId::new("foi-requests"), ..all() }, &[]),
        (Filter { table: Some(table("attachment")), ..all() }, &[3]),
        (Filter { action: Some(Action::RunFinished), ..all() }, &[4]),
        (Filter { action: Some(Action::Deleted), table: Some(table("attachment")), ..all() }, &[3]),
        (Filter { run: Some(7), ..all() }, &[1, 2, 3, 4]),
        (Filter { run: Some(8), ..all() }, &[]),
        (Filter { since: Some(noon() + TimeDelta::seconds(3)), ..all() }, &[3, 4]),
        (Filter { until: Some(noon() + TimeDelta::seconds(3)), ..all() }, &[1, 2]),
        (about("correspondence", 40), &[2]),
        (about("correspondence", 41), &[]),
        (about("attachment", 40), &[]),
        (about("attachment", 901), &[3]),
        (Filter { run: Some(8), ..about("attachment", 901) }, &[]),
    ] {
        assert_eq!(numbers(&mut conn, &filter).await, expected, "{filter:?}");
    }
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_does_not_hide_the_others() {
    let mut conn = small_ledger("ledger_unreadable").await;
    run(
        &mut conn,
        "ALTER TABLE retentiond.ledger_entry DISABLE TRIGGER USER;
         UPDATE retentiond.ledger_entry SET body = 'x' WHERE entry_id = 2",
    )
    .await;
    let stream = list(&mut conn, &Filter::default()).await.unwrap();
    let shown = stream.map(|stored| match stored {
        Ok(stored) => stored.entry.id.to_string(),
        Err(error) => error.to_string(),
    });
    let shown: Vec<String> = shown.collect().await;
    let unreadable = "entry 2 of the ledger cannot be read";
    assert_eq!(shown, ["1", unreadable, "3", "4"]);
    // What may name the record must not be passed over.
    let sought = find_record(&mut conn, &table("correspondence"), &RecordKey::int(42)).await;
    assert_eq!(sought.unwrap_err().to_string(), unreadable);
}

#[tokio::test]
async fn a_record_is_found_in_every_entry_that_names_it_and_in_no_other() {
    let mut conn = migrated("ledger_find").await;
    let mut transaction = conn.begin().await.unwrap();
    for id in 1..=40 {
        // Entry 1 has 0, 1, …, 199; entry 2 has 100, 101, …, 299; and so on.
        let keys: Vec<i64> = ((id - 1) * 100..(id + 1) * 100).collect();
        let name = match id % 10 {
            0 => "attachment",
            _ => "correspondence",
        };
        let records = manifest(&keys, None, id as u8);
        let entry = deleted(id, name, &records);
        append(&mut transaction, &entry, Some(&records))
            .await
            .unwrap();
    }
    transaction.commit().await.unwrap();
    for (key, expected) in [
        (0, &[1][..]),
        (150, &[1, 2]),
        (899, &[8, 9]),
        (950, &[9]), // and 10, which is another table's
        (3_999, &[39]),
        (4_050, &[]),
        (-1, &[]),
    ] {
        let key = RecordKey::int(key);
        let lines = find_record(&mut conn, &table("correspondence"), &key)
            .await
            .unwrap();
        let found: Vec<i64> = lines.iter().map(|line| line.entry.entry.id.0).collect();
        assert_eq!(found, expected, "{key:?}");
    }
    let key = RecordKey::int(950);
    let lines = find_record(&mut conn, &table("attachment"), &key)
        .await
        .unwrap();
    assert_eq!(lines.len(), 1);
    // The fifty-first key of entry 10: 50 days after 1 March 2015.
    let day = |text: &str| Some(text.parse::<NaiveDate>().unwrap().to_epoch_days());
    assert_eq!(lines[0].trigger, day("2015-04-20"));
    assert_eq!(lines[0].last_day, day("2023-04-20"));
    assert_eq!(
        (&lines[0].columns, &lines[0].parent),
        (&columns("id"), &None)
    );
}

#[tokio::test]
async fn a_dependant_is_found_with_its_parent() {
    let mut conn = small_ledger("ledger_dependant").await;
    let key = RecordKey::int(901);
    let lines = find_record(&mut conn, &table("attachment"), &key)
        .await
        .unwrap();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].parent, Some(RecordKey::int(42)));
    assert_eq!(lines[0].parent_columns, Some(columns("id")));
    assert_eq!(lines[0].entry.entry.parent, Some(table("correspondence")));
}

#[tokio::test]
async fn tables_whose_names_look_alike_are_kept_apart() {
    let mut conn = migrated("ledger_alike").await;
    let name = |schema: &str, name: &str| {
        TableName::new(Ident::new(schema).unwrap(), Ident::new(name).unwrap())
    };
    let records = manifest(&[1], None, 1);
    let mut entry = deleted(1, "correspondence", &records);
    entry.table = Some(name("a.b", "c"));
    append(&mut conn, &entry, Some(&records)).await.unwrap();
    for (table, lines) in [(name("a.b", "c"), 1), (name("a", "b.c"), 0)] {
        let found = find_record(&mut conn, &table, &RecordKey::int(1))
            .await
            .unwrap();
        assert_eq!(found.len(), lines, "{table:?}");
    }
}

async fn exported(conn: &mut PgConnection, filter: &Filter, format: ExportFormat) -> (u64, String) {
    let mut out = Vec::new();
    let number = export(conn, filter, format, &mut out).await.unwrap();
    (number, String::from_utf8(out).unwrap())
}

fn objects(text: &str) -> Vec<Value> {
    let objects = text.lines().map(|line| serde_json::from_str(line).unwrap());
    objects.collect()
}

#[tokio::test]
async fn an_export_has_one_object_a_line_in_the_documented_shape() {
    let mut conn = small_ledger("ledger_export").await;
    let (number, text) = exported(&mut conn, &Filter::default(), ExportFormat::JsonLines).await;
    let lines = objects(&text);
    assert_eq!((number, lines.len()), (4, 4));
    let stored = listed(&mut conn, &Filter::default()).await;
    let keys: Vec<&String> = lines[0].as_object().unwrap().keys().collect();
    let expected = [
        "entry", "at", "action", "class", "table", "run", "schedule", "actor", "records", "leaf",
        "hash",
    ];
    assert_eq!(keys, expected);
    assert_eq!(
        lines[1],
        json!({
            "entry": null, "at": "2026-11-22T12:00:02Z", "action": "deleted",
            "class": "communications", "table": "public.correspondence", "run": 7,
            "schedule": format!("sha256:{}", "11".repeat(32)), "actor": "service",
            "records": [
                { "key": { "id": 42 }, "trigger": "2015-03-01", "last_day": "2023-03-01" },
                { "key": { "id": 45 }, "trigger": "2015-03-02", "last_day": "2023-03-02" },
                { "key": { "id": 40 }, "trigger": "2015-03-03", "last_day": "2023-03-03" },
            ],
            "seed": "01".repeat(32),
            "leaf": hex::encode(stored[1].entry.encode()),
            "hash": hex::encode(stored[1].entry.leaf_hash()),
        })
    );
    assert_eq!(
        lines[2]["records"],
        json!([
            { "key": { "id": 900 }, "trigger": "2015-03-01", "last_day": "2023-03-01",
              "parent": { "id": 42 } },
            { "key": { "id": 901 }, "trigger": "2015-03-02", "last_day": "2023-03-02",
              "parent": { "id": 42 } },
        ])
    );
    assert_eq!(lines[3]["at"], "2026-11-22T12:00:04.500250Z");
    for absent in ["class", "table", "schedule"] {
        assert_eq!(lines[3][absent], Value::Null);
    }
    assert_eq!(lines[3]["records"], json!([]));
}

#[tokio::test]
async fn an_export_about_one_record_shows_no_neighbour() {
    let mut conn = small_ledger("ledger_neighbour").await;
    let filter = about("correspondence", 45);
    let (number, text) = exported(&mut conn, &filter, ExportFormat::JsonLines).await;
    assert_eq!(number, 1);
    let records = &objects(&text)[0]["records"];
    assert_eq!(records.as_array().unwrap().len(), 1);
    assert_eq!(records[0]["key"], json!({ "id": 45 }));
    let (_, text) = exported(&mut conn, &filter, ExportFormat::Csv).await;
    assert_eq!(text.lines().count(), 2);
}

#[tokio::test]
async fn records_that_are_gone_are_null_and_not_none() {
    let mut conn = small_ledger("ledger_gone").await;
    run(&mut conn, "DROP TABLE retentiond.ledger_manifest_2026").await;
    let (_, text) = exported(&mut conn, &Filter::default(), ExportFormat::JsonLines).await;
    let records: Vec<Value> = objects(&text)
        .iter()
        .map(|o| o["records"].clone())
        .collect();
    assert_eq!(records, [json!([]), Value::Null, Value::Null, json!([])]);
}

#[tokio::test]
async fn a_table_for_a_spreadsheet_has_one_line_a_record_and_no_formula() {
    let mut conn = small_ledger("ledger_csv").await;
    let (number, text) = exported(&mut conn, &Filter::default(), ExportFormat::Csv).await;
    assert_eq!(number, 4);
    let lines: Vec<&str> = text.split("\r\n").collect();
    // A heading, the start, three letters, two attachments, the end, and nothing.
    assert_eq!(lines.len(), 9);
    assert_eq!(
        lines[0],
        "entry,at,action,class,table,run,schedule,actor,key,trigger,last_day,parent,hash"
    );
    assert!(lines[1].starts_with(",2026-11-22T12:00:00Z,run-started,,,7,,ada,,,,,"));
    let schedule = format!("sha256:{}", "11".repeat(32));
    let attachment = format!(
        ",2026-11-22T12:00:03Z,deleted,communications,public.attachment,7,{schedule},service,\
         901,2015-03-02,2023-03-02,42,"
    );
    assert!(lines[6].starts_with(&attachment), "{}", lines[6]);

    let records = manifest(&[-5], None, 9);
    let mut entry = deleted(5, "correspondence", &records);
    entry.actor = "=HYPERLINK(\"x\")".to_owned();
    append(&mut conn, &entry, Some(&records)).await.unwrap();
    let (_, text) = exported(&mut conn, &about("correspondence", -5), ExportFormat::Csv).await;
    let expected = ",\"'=HYPERLINK(\"\"x\"\")\",'-5,2015-03-01,";
    assert!(text.contains(expected), "{text}");
}
