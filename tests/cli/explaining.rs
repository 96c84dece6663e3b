//! `explain`, case by case, against what `rules.md` says of each row by hand.

use serde_json::{Value, json};

use crate::command::Desk;
use crate::{office, support};

fn record(desk: &Desk, line: &str) -> Value {
    let (code, answer) = desk.json(&format!("explain {line} --on {}", office::TODAY));
    assert_eq!(code, 0);
    answer["record"].clone()
}

/// State, governing class and day.
fn verdict(desk: &Desk, line: &str) -> (String, Option<String>, Option<String>) {
    let record = record(desk, line);
    let governs: Vec<&Value> = record["claims"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|claim| claim["governs"] == true)
        .collect();
    assert!(governs.len() <= 1, "{record}");
    let text = |value: &Value| value.as_str().map(str::to_owned);
    (
        text(&record["state"]).unwrap(),
        governs.first().and_then(|claim| text(&claim["class"])),
        text(&record["will_go_on"]),
    )
}

fn said(
    state: &str,
    governs: Option<&str>,
    day: Option<&str>,
) -> (String, Option<String>, Option<String>) {
    (
        state.to_owned(),
        governs.map(str::to_owned),
        day.map(str::to_owned),
    )
}

#[tokio::test]
async fn the_whole_shape() {
    let (_, desk) = office::open().await;
    assert_eq!(
        record(&desk, "letter 4"),
        json!({
            "table": "public.letter", "key": { "id": 4 }, "state": "kept",
            "claims": [{
                "class": "letters", "title": "Letters and their pages", "disposal": "delete", "maximum": false, "certain": true,
                "trigger": "2018-11-23", "last_day": "2026-11-23", "governs": true, "undated": null, "note": null,
            }],
            "why": "only `letters` claims it", "gates": [],
            "holds": [], "will_go_on": "2026-11-24", "parent": null, "history": [],
        })
    );
}

#[tokio::test]
async fn one_class_and_its_trigger() {
    let (url, desk) = office::open().await;
    support::hold(&url, "letter", &["5"], None).await;
    let letters = Some("letters");
    // Closed on 1 March 2015, kept through 1 March 2023: it goes in today's pass.
    assert_eq!(
        verdict(&desk, "letter 1"),
        said("due", letters, Some("2026-11-23"))
    );
    // An open matter has no trigger, whenever the letter was received.
    assert_eq!(verdict(&desk, "letter 2"), said("undated", letters, None));
    // Received 22 November 2018: its last day was yesterday.
    assert_eq!(
        verdict(&desk, "letter 3"),
        said("due", letters, Some("2026-11-23"))
    );
    assert_eq!(
        verdict(&desk, "letter 4"),
        said("kept", letters, Some("2026-11-24"))
    );
    assert_eq!(verdict(&desk, "letter 5"), said("held", letters, None));
    assert_eq!(verdict(&desk, "letter 6"), said("undated", letters, None));
    // A date that is still to come counts like any other: 1 June 2027 and eight years.
    assert_eq!(
        verdict(&desk, "letter 7"),
        said("kept", letters, Some("2035-06-02"))
    );
    assert_eq!(record(&desk, "letter 7")["claims"][0]["undated"], "future");
    assert_eq!(
        record(&desk, "letter 6")["claims"][0]["undated"],
        "implausible"
    );
    assert_eq!(record(&desk, "letter 2")["claims"][0]["undated"], "without");
    assert_eq!(
        record(&desk, "letter 5")["holds"],
        json!([{ "hold": 1, "kind": "litigation", "reference": "TEST/1", "until": null }])
    );
}

#[tokio::test]
async fn another_day_another_answer() {
    let (_, desk) = office::open().await;
    let on =
        |day: &str| desk.json(&format!("explain letter 4 --on {day}")).1["record"]["state"].clone();
    assert_eq!(
        (on("2026-11-23"), on("2026-11-24")),
        ("kept".into(), "due".into())
    );
}

#[tokio::test]
async fn two_classes_on_one_row() {
    let (_, desk) = office::open().await;
    let applicant = |n| verdict(&desk, &format!("applicant {}", office::uuid(n)));
    // Only the shorter period: 10 July 2026 was its last day.
    assert_eq!(
        applicant(1),
        said("due", Some("turned-down"), Some("2026-11-23"))
    );
    // Both: the longer decides, through 10 January 2027.
    assert_eq!(
        applicant(2),
        said("kept", Some("merit-list"), Some("2027-01-11"))
    );
    assert_eq!(
        applicant(3),
        said("due", Some("merit-list"), Some("2026-11-23"))
    );
    // Hired: no period touches it.
    assert_eq!(applicant(4), said("retained", Some("hired"), None));
    assert_eq!(applicant(5), said("unclaimed", None, None));
    // Whether it is on the merit list cannot be told: that class decides, and cannot let it go.
    assert_eq!(applicant(6), said("kept", Some("merit-list"), None));
    let claims = record(&desk, &format!("applicant {}", office::uuid(6)))["claims"].clone();
    assert_eq!(
        (&claims[0]["certain"], &claims[1]["certain"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(
        claims[1]["note"],
        "its condition cannot be told true or false for this record, so it only protects"
    );
    let hired = record(&desk, &format!("applicant {}", office::uuid(4)));
    assert_eq!(
        hired["claims"][0]["note"],
        "Part of the personnel file (Head of People)"
    );
}

#[tokio::test]
async fn maximum_against_minimum_and_keys_of_two_columns() {
    let (_, desk) = office::open().await;
    let samples = Some("samples");
    // A maximum is due on its last day.
    assert_eq!(
        verdict(&desk, "sample campaign=1,id=1"),
        said("due", samples, Some("2026-11-23"))
    );
    assert_eq!(
        verdict(&desk, "sample id=2,campaign=1"),
        said("kept", samples, Some("2026-11-24"))
    );
    // At most three years, at least five: nothing goes, and a person must decide.
    assert_eq!(
        verdict(&desk, "sample campaign=2,id=7"),
        said("conflict", Some("samples-of-record"), None)
    );
    assert_eq!(
        verdict(&desk, "sample campaign=2,id=8"),
        said("due", Some("samples-of-record"), Some("2026-11-23"))
    );
    assert_eq!(
        record(&desk, "sample campaign=2,id=8")["key"],
        json!({ "campaign": 2, "id": 8 })
    );
}

#[tokio::test]
async fn a_fixed_date_behind_an_instruction() {
    let (_, desk) = office::open().await;
    assert_eq!(
        verdict(&desk, "participant 1"),
        said("waiting", Some("study"), None)
    );
    let claim = &record(&desk, "participant 1")["claims"][0];
    assert_eq!(
        (&claim["trigger"], &claim["last_day"]),
        (&json!("2021-07-31"), &json!("2021-10-29"))
    );
    assert_eq!(claim["note"], "waits for the controller's instruction");
}

#[tokio::test]
async fn a_dependant_names_its_record_and_shares_its_fate() {
    let (url, desk) = office::open().await;
    assert_eq!(
        verdict(&desk, "page letter_id=1,number=2"),
        said("due", None, Some("2026-11-23"))
    );
    assert_eq!(
        verdict(&desk, "page letter_id=4,number=1"),
        said("kept", None, Some("2026-11-24"))
    );
    assert_eq!(
        record(&desk, "page letter_id=4,number=1")["parent"],
        json!({ "table": "public.letter", "key": { "id": 4 } })
    );
    // A hold on a page protects the letter, and with it the other page.
    support::hold(&url, "page", &["1", "2"], None).await;
    assert_eq!(
        verdict(&desk, "letter 1"),
        said("held", Some("letters"), None)
    );
    assert_eq!(
        verdict(&desk, "page letter_id=1,number=2"),
        said("held", None, None)
    );
    assert_eq!(
        verdict(&desk, "page letter_id=1,number=1"),
        said("held", None, None)
    );
}

#[tokio::test]
async fn a_shared_form_goes_with_the_last_photo() {
    let (_, desk) = office::open().await;
    // Photo 1 goes today, photo 2 on 28 February 2028 (four years to 29 February, a maximum).
    assert_eq!(
        verdict(&desk, "photo 1"),
        said("due", Some("photos"), Some("2026-11-23"))
    );
    assert_eq!(
        verdict(&desk, "photo 2"),
        said("kept", Some("photos"), Some("2028-02-29"))
    );
    assert_eq!(
        verdict(&desk, "form 1"),
        said("kept", None, Some("2028-02-29"))
    );
    assert_eq!(
        record(&desk, "form 1")["parent"],
        json!({ "table": "public.photo", "key": { "id": 2 } })
    );
    assert_eq!(
        verdict(&desk, "form 2"),
        said("due", None, Some("2026-11-23"))
    );
    // Nothing refers to it, so nothing will ever take it along.
    assert_eq!(verdict(&desk, "form 3"), said("unclaimed", None, None));
    assert_eq!(verdict(&desk, "photo 4"), said("undated", None, None));
}

#[tokio::test]
async fn a_dependant_with_a_class_of_its_own_keeps_its_record() {
    let (url, desk) = office::open().await;
    support::sql(&url, "ALTER TABLE page ADD written_on date; UPDATE page SET written_on = '2020-01-01'; CREATE INDEX ON page (written_on)").await;
    desk.write(
        "retention.toml",
        format!(
            "{}\n[[class]]\nid = \"pages\"\ntitle = \"Pages\"\ntable = \"page\"\ntrigger = \"written_on\"\nperiod = \"10 years\"\n\
             disposal = \"delete\"\nauthority = \"Notice\"\n",
            office::SCHEDULE
        ),
    );
    assert_eq!(
        verdict(&desk, "letter 1"),
        said("kept", Some("letters"), None)
    );
    assert_eq!(
        record(&desk, "letter 1")["claims"][0]["note"],
        "something that belongs to it is kept by a class of its own, and so it stays too"
    );
    assert_eq!(
        verdict(&desk, "page letter_id=1,number=1"),
        said("kept", Some("pages"), Some("2030-01-02"))
    );
    assert_eq!(
        record(&desk, "page letter_id=1,number=1")["parent"]["key"],
        json!({ "id": 1 })
    );
}

#[tokio::test]
async fn a_refused_class_protects_what_it_might_claim_and_no_more() {
    let (_, desk) = office::open().await;
    let refused = office::SCHEDULE.replacen(
        "where = \"outcome = 'no' AND merit\"\ntrigger = \"decided_on\"",
        "where = \"outcome = 'no' AND merit\"\ntrigger = \"decided\"",
        1,
    );
    assert_ne!(refused, office::SCHEDULE);
    desk.write("retention.toml", refused);
    let applicant = |n| verdict(&desk, &format!("applicant {}", office::uuid(n)));
    assert_eq!(
        applicant(1),
        said("due", Some("turned-down"), Some("2026-11-23"))
    );
    assert_eq!(applicant(3), said("retained", Some("merit-list"), None));
    assert_eq!(applicant(5), said("unclaimed", None, None));
}

#[tokio::test]
async fn what_a_pass_did_to_a_record() {
    let (url, desk) = office::after_a_pass().await;
    let gone = record(&desk, "letter 1");
    assert_eq!(
        (&gone["state"], &gone["claims"], &gone["will_go_on"]),
        (&json!("gone"), &json!([]), &json!(null))
    );
    let event = &gone["history"][0];
    let place = support::number(
        &url,
        "SELECT leaf_index FROM retentiond.ledger_seal JOIN retentiond.ledger_entry USING (entry_id)
         WHERE action = 'deleted' AND table_name = 'public.letter'",
    )
    .await;
    assert_eq!(gone["history"].as_array().unwrap().len(), 1);
    for (key, value) in [
        ("action", json!("deleted")),
        ("class", json!("letters")),
        ("run", json!(1)),
        ("actor", json!("test")),
        ("trigger", json!("2015-03-01")),
        ("last_day", json!("2023-03-01")),
        ("parent", json!(null)),
        ("entry", json!(place)),
    ] {
        assert_eq!(event[key], value, "{key}");
    }
    assert!(
        event["at"]
            .as_str()
            .unwrap()
            .starts_with("2026-11-23T02:00:0"),
        "{event}"
    );
    let digest = hex::encode(support::schedule(office::SCHEDULE).digest());
    assert_eq!(event["schedule"], format!("sha256:{digest}"));

    let page = record(&desk, "page letter_id=1,number=2");
    assert_eq!(
        (&page["state"], &page["history"][0]["parent"]),
        (&json!("gone"), &json!({ "id": 1 }))
    );
    assert_eq!(
        (
            &page["history"][0]["class"],
            &page["history"][0]["last_day"]
        ),
        (&json!("letters"), &json!("2023-03-01"))
    );

    assert_eq!(
        verdict(&desk, "letter 5"),
        said("held", Some("letters"), None)
    );
    let held = &record(&desk, "letter 5")["history"];
    assert_eq!(held.as_array().unwrap().len(), 1, "{held}");
    assert_eq!(
        (&held[0]["action"], &held[0]["trigger"]),
        (&json!("hold-placed"), &json!(null))
    );

    let anonymised = record(&desk, &format!("applicant {}", office::uuid(3)));
    assert_eq!(
        (&anonymised["state"], &anonymised["history"][0]["action"]),
        (&json!("anonymised"), &json!("anonymised"))
    );
    assert_eq!(anonymised["history"][0]["class"], "merit-list");
    assert_eq!(
        record(&desk, &format!("applicant {}", office::uuid(2)))["state"],
        "kept"
    );

    let flagged = record(&desk, "visit 1");
    assert_eq!(
        (&flagged["state"], &flagged["history"][0]["last_day"]),
        (&json!("flagged"), &json!("2025-01-01"))
    );
    assert_eq!(verdict(&desk, "sample campaign=2,id=8").0, "gone");
    assert_eq!(verdict(&desk, "form 2").0, "gone");
    assert_eq!(verdict(&desk, "form 1").0, "kept");
    assert_eq!(verdict(&desk, "letter 99"), said("unknown", None, None));
}

#[tokio::test]
async fn a_record_that_came_back_is_explained_as_it_is_now() {
    let (url, desk) = office::after_a_pass().await;
    support::sql(
        &url,
        "INSERT INTO letter VALUES (1, 11, 'Ada Quill', '2010-01-05', '2026-01-01')",
    )
    .await;
    let record = record(&desk, "letter 1");
    assert_eq!(
        (&record["state"], &record["will_go_on"]),
        (&json!("kept"), &json!("2034-01-02"))
    );
    assert_eq!(record["history"][0]["action"], "deleted");
}

/// Who has said what about a record that waits, and what changed since.
#[tokio::test]
async fn what_a_record_waits_for_is_told_with_whose_word_it_is() {
    let (url, desk) = office::open().await;
    let letters = "period = \"8 years\"\ndisposal = \"delete\"\ndependants = [\"page\"]\n";
    let gated = format!("{letters}gate = \"review\"\napprovals = 2\n");
    desk.write(
        "retention.toml",
        office::SCHEDULE.replacen(letters, &gated, 1),
    );
    assert_eq!(desk.run("run").code, 3);
    let gate = |line: &str| {
        let (_, answer) = desk.json(&format!("explain {line}"));
        answer["record"]["gates"][0].clone()
    };
    let before = gate("letter 1");
    assert_eq!(
        (&before["gate"], &before["open"], &before["words"]),
        (
            &json!("review"),
            &json!(false),
            &json!("nobody has approved it")
        )
    );
    for (by, open) in [("Jo", false), ("Kim", true)] {
        let line = format!("review approve letters:1 --reason checked --as {by}");
        assert_eq!(desk.run(&line).code, 0, "{line}");
        assert_eq!(gate("letter 1")["open"], json!(open), "{by}");
    }
    let today = "SELECT (now() AT TIME ZONE 'Europe/London')::date::text";
    let today = support::texts(&url, today).await.remove(0);
    assert_eq!(
        gate("letter 1")["words"],
        json!(format!("approved by Jo on {today} and by Kim on {today}"))
    );
    support::sql(
        &url,
        "UPDATE letter SET closed_on = '2015-03-02' WHERE id = 1",
    )
    .await;
    let after = gate("letter 1");
    assert_eq!(after["open"], json!(false));
    let words = after["words"].as_str().unwrap();
    assert!(words.ends_with("approved has changed since"), "{words}");
    let order = "instruct study --by Controller --reference CR-1";
    assert_eq!(desk.run(order).code, 0);
    assert_eq!(
        gate("participant 1")["words"],
        json!(format!("ordered by Controller, CR-1, recorded on {today}"))
    );
}

/// The whole answer for a record that is gone: the sentence can be sent as it is.
#[tokio::test]
async fn what_is_gone_is_told_with_rule_word_and_proof() {
    let (_, desk) = office::open_on_any_day().await;
    let order = "instruct study --by Controller --reference CR-1";
    assert_eq!(desk.run("migrate").code, 0);
    assert_eq!(desk.run(order).code, 0);
    desk.run("run");
    let gone = |line: &str| {
        let (_, answer) = desk.json(&format!("explain {line}"));
        assert_eq!(answer["record"]["state"], "gone", "{line}: {answer}");
        answer["record"]["gone"].clone()
    };
    let letter = gone("letter 1");
    assert_eq!(
        [
            &letter["class"],
            &letter["authority"],
            &letter["trigger"],
            &letter["last_day"]
        ],
        [
            &json!("letters"),
            &json!("Notice"),
            &json!("2015-03-01"),
            &json!("2023-03-01")
        ]
    );
    let sentence = letter["sentence"].as_str().unwrap();
    assert!(
        sentence.contains(
            "under the retention schedule of An Office, \u{201c}Letters and their pages\u{201d} (Notice). \
             Its retention was counted from 1 March 2015, and ended on 1 March 2023. \
             The deletion is entry "
        ),
        "{sentence}"
    );
    assert!(letter["proof"]["checkpoint"].is_string(), "{letter}");
    // What it names is what proves it.
    let command = letter["proof"]["command"].as_str().unwrap();
    let line = command.strip_prefix("retentiond ").unwrap();
    let (code, certificate) = desk.json(&format!("{line} --as-format json"));
    assert_eq!(code, 0, "{certificate}");
    let page = gone("page letter_id=1,number=2");
    assert!(
        page["sentence"]
            .as_str()
            .unwrap()
            .contains("It went with the record that it belonged to."),
        "{page}"
    );
    let study = gone("participant 1");
    assert_eq!(
        study["approvals"][0]["what"],
        "The class, as Controller ordered"
    );
    assert!(
        study["sentence"]
            .as_str()
            .unwrap()
            .contains("That was approved: recorded by "),
        "{study}"
    );
    let said = desk.run("explain letter 1");
    assert!(said.out.contains(sentence), "{said}");
    assert!(
        said.out
            .contains("The proof: `retentiond ledger certificate --record public.letter 1`."),
        "{said}"
    );
}
