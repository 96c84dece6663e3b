//! Certificates: what they say, held against plain SQL, and the proofs in them, followed
//! from the record to the signed root.

use retentiond::ident::ClassId;
use retentiond::ledger::certificate::Stage;
use retentiond::ledger::manifest::RecordProof;
use retentiond::ledger::note::Verifier;
use retentiond::ledger::proof::Proof;
use retentiond::ledger::store;
use retentiond::ledger::{Action, Entry};
use retentiond::survey::{self, Beside, CertificateOf};
use serde_json::{Value, json};

use crate::command::Desk;
use crate::{office, support};

async fn certified() -> (String, Desk) {
    let (url, desk) = office::open_on_any_day().await;
    assert_eq!(desk.run("run").code, 3);
    (url, desk)
}

fn certificate(desk: &Desk, line: &str) -> Value {
    let said = desk.run(&format!("ledger certificate {line} --as-format json"));
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{said}");
    said.object()["certificate"].clone()
}

fn class<'a>(certificate: &'a Value, id: &str) -> &'a Value {
    let classes = certificate["passes"][0]["classes"].as_array().unwrap();
    classes.iter().find(|class| class["id"] == id).unwrap()
}

/// Follows an entry's proof, and answers what the entry says.
fn proven(certificate: &Value, entry: &Value) -> (Entry, Proof) {
    let keys: Vec<Verifier> = certificate["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key.as_str().unwrap().parse().unwrap())
        .collect();
    let leaf = hex::decode(entry["leaf"].as_str().unwrap()).unwrap();
    let proof: Proof = entry["proof"].as_str().unwrap().parse().unwrap();
    proof.check(&leaf, &keys).unwrap();
    assert_eq!(entry["entry"], proof.index);
    (Entry::decode(&leaf).unwrap(), proof)
}

#[tokio::test]
async fn of_a_pass_it_says_what_went_under_which_rule_and_every_proof_leads_to_the_root() {
    let (url, desk) = certified().await;
    let found = certificate(&desk, "--run 1");
    assert_eq!(
        found["subject"],
        json!({ "run": { "run": 1, "class": null } })
    );
    assert_eq!(found["organisation"], "An Office");
    assert_eq!(found["stage"], "executed");
    let pass = &found["passes"][0];
    assert_eq!(
        (&pass["run"], &pass["outcome"]),
        (&json!(1), &json!("completed"))
    );
    assert_eq!(pass["schedule"]["accepted"], "automatic");
    let letters = class(&found, "letters");
    assert_eq!(letters["title"], "Letters and their pages");
    assert_eq!(letters["authority"], "Notice");
    assert_eq!(
        letters["rule"],
        "8 years from the first that applies: the day it was closed or the day it was received. Then: deleted, together with what belongs to it (page)."
    );
    // Every class with its tables: as many records as the ledger's own rows say.
    let mut told: Vec<(String, String, String, i64)> = Vec::new();
    let mut entries = 0;
    for class in pass["classes"].as_array().unwrap() {
        for table in class["tables"].as_array().unwrap() {
            let text = |key: &str| table[key].as_str().unwrap().to_owned();
            let id = class["id"].as_str().unwrap().to_owned();
            told.push((
                id,
                text("table"),
                text("action"),
                table["records"].as_i64().unwrap(),
            ));
        }
        for entry in class["entries"].as_array().unwrap() {
            let (decoded, _) = proven(&found, entry);
            assert_eq!(decoded.class.unwrap().as_str(), class["id"]);
            assert_eq!(entry["records"], decoded.count);
            entries += 1;
        }
    }
    told.sort();
    let mut conn = support::client(&url).await;
    let expected: Vec<(String, String, String, i64)> = sqlx::query_as(
        "SELECT class_id, table_name, action, sum(count)::bigint FROM retentiond.ledger_entry
         WHERE run_id = 1 AND action IN ('deleted', 'anonymised', 'flagged', 'unlinked')
         GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    assert_eq!(told, expected);
    assert!(expected.len() > 4, "{expected:?}");
    let of_classes = support::number(
        &url,
        "SELECT count(*) FROM retentiond.ledger_entry WHERE run_id = 1 AND class_id IS NOT NULL",
    )
    .await;
    assert_eq!(entries, of_classes);
    // Letters 1 and those like it; the days are the records' own.
    let days = letters["tables"]
        .as_array()
        .unwrap()
        .iter()
        .find(|table| table["table"] == "public.letter")
        .unwrap();
    let first = days["trigger"][0].as_str().unwrap();
    let last_day = days["last_day"][0].as_str().unwrap();
    let eight_years = support::texts(
        &url,
        &format!("SELECT (date '{first}' + interval '8 years')::date::text"),
    )
    .await;
    assert_eq!(eight_years, [last_day]);
    // One class alone.
    let alone = certificate(&desk, "--run 1 --class letters");
    assert_eq!(alone["passes"][0]["classes"], json!([letters]));
}

#[tokio::test]
async fn of_a_record_it_shows_that_record_and_no_other() {
    let (_, desk) = certified().await;
    let found = certificate(&desk, "--record letter 1");
    assert_eq!(
        found["subject"],
        json!({ "record": { "table": "public.letter", "key": { "id": 1 } } })
    );
    let entry = &class(&found, "letters")["entries"][0];
    let (decoded, proof) = proven(&found, entry);
    assert_eq!(decoded.action, Action::Deleted);
    let record = &entry["record"];
    assert_eq!(
        (&record["trigger"], &record["last_day"]),
        (&json!("2015-03-01"), &json!("2023-03-01"))
    );
    // From the record to the entry's root, and from the entry to the signed one.
    let path: RecordProof = serde_json::from_value(record["proof"].clone()).unwrap();
    assert_eq!(path.root(), decoded.manifest);
    assert_eq!(
        serde_json::from_slice::<RecordProof>(&proof.extra.unwrap()).unwrap(),
        path
    );
    // The canonical bytes: one column `id` of value 1, the two days, no parent.
    let day = |days: i32| format!("01{}", hex::encode(days.to_be_bytes()));
    let expected = format!("01026964010000000000000001{}{}00", day(16_495), day(19_417));
    assert_eq!(hex::encode(&path.record), expected);
    let mut forged = path.clone();
    forged.record[11] ^= 1;
    assert_ne!(forged.root(), decoded.manifest);
    let said = desk.run("ledger certificate --record letter 5000");
    assert_eq!(said.code, 2);
    assert!(
        said.err
            .contains("the ledger has nothing about this record"),
        "{said}"
    );
    let said = desk.run("ledger certificate --run 99");
    assert_eq!(said.code, 2);
}

#[tokio::test]
async fn it_is_completed_when_nothing_is_open_and_says_what_is() {
    let (url, desk) = certified().await;
    let open = |found: &Value| -> Vec<String> {
        found["open"]
            .as_array()
            .unwrap()
            .iter()
            .map(|o| o.as_str().unwrap().to_owned())
            .collect()
    };
    let line = "--run 1 --class letters";
    let backups = "How long backups are kept is not declared (ledger.backups_kept_days in the settings), so that it is not known when the last copy is gone.";
    let dead = |table: &str| {
        format!(
            "public.{table} was not vacuumed since: dead row versions may still be in its files."
        )
    };
    assert_eq!(
        open(&certificate(&desk, line)),
        [dead("letter"), dead("page"), backups.to_owned()]
    );
    support::sql(&url, "VACUUM page").await;
    support::sql(&url, "VACUUM letter").await;
    vacuumed(&url, 2).await;
    let found = certificate(&desk, line);
    assert_eq!(
        (open(&found), &found["stage"]),
        (vec![backups.to_owned()], &json!("executed"))
    );
    let desk = desk.set("RETENTIOND__LEDGER__BACKUPS_KEPT_DAYS", "30");
    let found = certificate(&desk, line);
    assert_eq!(open(&found).len(), 1);
    assert!(
        open(&found)[0].starts_with("Backups may hold it through "),
        "{found}"
    );
    // Two days later, where backups are kept for one.
    let mut conn = support::ours(&url).await;
    let now: chrono::DateTime<chrono::Utc> = sqlx::query_scalar(
        "SELECT max(at) + interval '2 days' FROM retentiond.ledger_entry WHERE run_id = 1",
    )
    .fetch_one(&mut conn)
    .await
    .unwrap();
    let of = CertificateOf::Run(1, ClassId::new("letters"));
    let beside = |days| Beside {
        keys: &[],
        backups: Some(chrono::Days::new(days)),
        now,
    };
    let later = survey::certificate(&mut conn, &of, beside(1))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((later.stage, later.open), (Stage::Completed, vec![]));
    let sooner = survey::certificate(&mut conn, &of, beside(2))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((sooner.stage, sooner.open.len()), (Stage::Executed, 1));
    // A file that is still there keeps it open.
    support::sql(
        &url,
        "INSERT INTO retentiond.file_work (class_id, table_name, store, path, entry_id, run_id)
         SELECT 'letters', 'public.letter', 'media', 'x', entry_id, 1 FROM retentiond.ledger_entry
         WHERE action = 'deleted' AND table_name = 'public.letter' LIMIT 1",
    )
    .await;
    let waiting = survey::certificate(&mut conn, &of, beside(1))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        waiting.open,
        ["Files of class letters that are still to be removed: 1."]
    );
}

/// Statistics of a vacuum reach the view a moment after it has ended.
async fn vacuumed(url: &str, tables: i64) {
    for _ in 0..1_000 {
        let seen = support::number(
            url,
            "SELECT count(*) FROM pg_stat_user_tables WHERE last_vacuum IS NOT NULL",
        )
        .await;
        if seen >= tables {
            return;
        }
    }
    panic!("no vacuum is in the statistics");
}

#[tokio::test]
async fn a_page_for_print_stands_by_itself() {
    let (_, desk) = certified().await;
    let said = desk.run("ledger certificate --run 1 --class letters");
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    let page = &said.out;
    assert!(
        page.starts_with("<!doctype html>\n<html lang=\"en-GB\">"),
        "{page}"
    );
    assert_eq!(page.matches("<h1>").count(), 1);
    assert!(
        !page.contains("http://") && !page.contains("https://"),
        "it loads nothing"
    );
    for words in [
        "<h3>Letters and their pages</h3>",
        "<dt>Authority</dt><dd>Notice</dd>",
        "Executed. Not completed yet:",
        "<th scope=\"row\">public.page (with rows of public.letter)</th>",
        "<th scope=\"row\">public.letter</th><td>deleted</td><td class=\"number\">3</td>",
        "\u{2014} retentiond/",
    ] {
        assert!(page.contains(words), "{words}\n{page}");
    }
    let path = desk.folder().join("certificate.html");
    let said = desk.run(&format!(
        "ledger certificate --run 1 --class letters --output {}",
        path.display()
    ));
    assert_eq!((said.code, said.out.as_str()), (0, ""));
    let written = std::fs::read_to_string(path).unwrap();
    let rest = |page: &str| {
        page.split("<dt>Class</dt>")
            .nth(1)
            .unwrap()
            .trim_end()
            .to_owned()
    };
    assert_eq!(rest(&written), rest(page));
}

#[tokio::test]
async fn whoever_asks_about_a_record_is_told_which_years_are_dropped() {
    let (url, desk) = certified().await;
    let mut conn = support::ours(&url).await;
    let id = store::next_entry_ids(&mut conn, 1).await.unwrap()[0];
    let mut entry = Entry::new(
        id,
        support::at("2026-11-22"),
        Action::DetailsDropped,
        "test",
    );
    entry.detail.insert("year".to_owned(), "2019".to_owned());
    store::append(&mut conn, &entry, None).await.unwrap();
    store::seal(&mut conn).await.unwrap();
    let place = support::number(
        &url,
        &format!("SELECT leaf_index FROM retentiond.ledger_seal WHERE entry_id = {id}"),
    )
    .await;
    let told = format!(
        "The details of 2019 were dropped by entry {place}: which records the entries of that year are about is not known any more."
    );
    for line in [
        "ledger list --table letter --key 1",
        "explain letter 1",
        "ledger certificate --record letter 1 --as-format json",
    ] {
        let said = desk.run(line);
        assert!(said.err.contains(&told), "{line}: {said}");
    }
    let said = desk.run("ledger list --table letter");
    assert!(!said.err.contains("2019"), "{said}");
}
