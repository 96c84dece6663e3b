//! Records that are named one by one, of which some do not wait.

use retentiond::plan::Ask;
use retentiond::review::{self, Decision};
use serde_json::json;

use crate::command::Desk;
use crate::office::{self, Room, TODAY, key, only};
use crate::support;

#[tokio::test]
async fn whatever_does_not_wait_is_told_with_the_reason() {
    let url = office::open().await;
    let mut room = Room::on(&url, &office::schedule(), "dossiers", TODAY).await;
    for by in ["Jo", "Kim"] {
        room.decide(&only("id = 1"), Decision::Approve, by).await;
    }
    let keys = [4, 5, 6, 8, 1, 99].map(key);
    let keys: Vec<_> = keys.iter().collect();
    assert_eq!(
        room.why_not(&keys).await,
        [
            "it is kept through 1 December 2026 yet",
            "a hold, a restriction or an exemption protects it",
            "it has no plausible day to count from",
            "somebody has worked with it since",
            "it is decided already",
            "there is no such record",
        ]
    );
    // One who approves twice is still one.
    for _ in 0..2 {
        room.decide(&only("id = 2"), Decision::Approve, "Jo").await;
    }
    assert!(room.keys(&Ask::default()).await.contains(&"2".to_owned()));
}

/// The same schedule on any day: whatever waits does so for a lifetime.
fn any_day() -> String {
    office::schedule()
}

async fn desk() -> (String, Desk) {
    let url = office::open().await;
    support::sql(
        &url,
        "UPDATE dossier SET closed_on = '2090-12-01' WHERE id = 4",
    )
    .await;
    let desk = Desk::with(&url, &any_day());
    (url, desk)
}

#[tokio::test]
async fn those_that_wait_are_decided_and_the_others_told_one_by_one() {
    let (url, desk) = desk().await;
    // In the dry run as well, which changes nothing.
    let words = [
        "dossiers:2",
        "dossiers:5",
        "dossiers:1",
        "dossiers:2",
        "dossiers:99",
    ];
    let line = |more: &[&str]| {
        let command = [
            &["review", "approve"],
            &words[..],
            &["--reason", "ok", "--as", "Jo"],
            more,
        ];
        desk.run_words(&command.concat())
    };
    let approvals = "SELECT count(*) FROM retentiond.approval";
    let said = line(&["--dry-run"]);
    assert_eq!(
        (said.code, &*said.out),
        (
            3,
            "This would approve 2 records of class `dossiers`: dossiers:2, dossiers:1. Nothing was changed.\n\
             Not covered: dossiers:5: a hold, a restriction or an exemption protects it.\n\
             Not covered: dossiers:99: there is no such record.\n"
        )
    );
    assert_eq!(support::number(&url, approvals).await, 0);
    let said = line(&["--format", "json"]);
    assert_eq!(
        (said.code, said.object()),
        (
            3,
            json!({
                "reviews": [{ "review": 1, "class": "dossiers", "records": 2 }],
                "not_covered": [
                    { "id": "dossiers:5", "why": "a hold, a restriction or an exemption protects it" },
                    { "id": "dossiers:99", "why": "there is no such record" },
                ],
            })
        )
    );
    let approved = "SELECT key[1] FROM retentiond.approval ORDER BY 1";
    assert_eq!(support::texts(&url, approved).await, ["1", "2"]);
    // Where none waits nothing is written, and a word that names no record is a wrong word.
    let said = desk.run("review keep dossiers:99 --until 2100-01-01 --reason ok");
    assert_eq!(said.code, 3, "{said}");
    assert!(said.out.ends_with("Nothing was changed.\n"), "{said}");
    assert_eq!(
        support::number(&url, "SELECT count(*) FROM retentiond.review").await,
        1
    );
    for wrong in ["dossiers", "dossiers:x", "nothing:1"] {
        let said = desk.run(&format!("review approve dossiers:1 {wrong} --reason ok"));
        assert_eq!(said.code, 2, "{wrong}: {said}");
    }
    // Filters beside names would be ignored.
    let said = desk.run("review approve dossiers:1 --before 2000-01-01 --reason ok");
    assert_eq!(said.code, 2, "{said}");
    assert_eq!(
        support::number(&url, "SELECT count(*) FROM retentiond.review").await,
        1
    );
}

#[tokio::test]
async fn a_bulk_decision_covers_what_the_filters_fit() {
    let (url, desk) = desk().await;
    let line = "review approve --class dossiers --before 2018-01-01 --as Jo --reason ok";
    let said = desk.run(&format!("{line} --dry-run"));
    assert_eq!(
        (said.code, &*said.out),
        (
            0,
            "This would approve 4 records of class `dossiers`: dossiers:7, dossiers:10, dossiers:2, dossiers:3. Nothing was changed.\n"
        )
    );
    let (code, answer) = desk.json(&format!(
        "{line} --dry-run --sort key --descending --limit 2"
    ));
    assert_eq!(code, 0);
    assert_eq!(
        answer["reviews"],
        json!([{ "review": null, "class": "dossiers", "records": 2, "first": ["dossiers:10", "dossiers:7"] }])
    );
    let said = desk.run(line);
    assert_eq!(
        (said.code, &*said.out),
        (
            0,
            "Approved: 4 records of class `dossiers`. 2 people have to; what has all of them goes with the next pass.\n"
        )
    );
    let said = desk.run("review approve --class dossiers --min-age 1 --sort dependants --limit 2 --as Kim --reason ok");
    assert_eq!(said.code, 0, "{said}");
    let by_kim = "SELECT key[1] FROM retentiond.approval WHERE approved_by = 'Kim' ORDER BY 1";
    assert_eq!(support::texts(&url, by_kim).await, ["10", "2"]);
    let left = || {
        let (_, answer) = desk.json("review list --class dossiers --sort key");
        let records = answer["review"][0]["records"].as_array().unwrap().clone();
        records
            .iter()
            .map(|one| one["id"].to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        left(),
        ["\"dossiers:1\"", "\"dossiers:3\"", "\"dossiers:7\""]
    );
    // Handed on, and decided about by whoever got it.
    let to = [
        "review",
        "hand-on",
        "--class",
        "dossiers",
        "--after",
        "2018-01-01",
        "--to",
        "Kim",
        "--reason",
        "hers",
    ];
    assert_eq!(desk.run_words(&to).code, 0);
    let until = "review keep --class dossiers --handed-to Kim --until 2100-01-01 --reason used";
    assert_eq!(desk.run(until).code, 0);
    assert_eq!(left(), ["\"dossiers:3\"", "\"dossiers:7\""]);
    // Page after page.
    let page = |more: &str| {
        let (code, answer) = desk.json(&format!("review list --class dossiers {more}"));
        assert_eq!(code, 0, "{answer}");
        let queue = &answer["review"][0];
        let records = queue["records"].as_array().unwrap().iter();
        let ids = records.map(|one| one["id"].as_str().unwrap().to_owned());
        (queue["waiting"].clone(), ids.collect::<Vec<_>>())
    };
    let (both, third, seventh) = (json!(2), "dossiers:3".to_owned(), "dossiers:7".to_owned());
    assert_eq!(page("--limit 1"), (both.clone(), vec![seventh.clone()]));
    assert_eq!(
        page("--limit 1 --offset 1"),
        (both.clone(), vec![third.clone()])
    );
    assert_eq!(
        page("--sort trigger --descending --limit 1"),
        (both.clone(), vec![third])
    );
    assert_eq!(page("--after-key 3"), (both, vec![seventh]));
    for wrong in [
        "--after-key 3 --sort trigger",
        "--after-key x",
        "--limit -1",
        "--sort age",
    ] {
        let said = desk.run(&format!("review list --class dossiers {wrong}"));
        assert_eq!(said.code, 2, "{wrong}: {said}");
    }
    assert_eq!(desk.run("review list --after-key 3").code, 2);
    // Nothing that fits is no fault.
    let said = desk.run("review approve --class dossiers --again --reason ok");
    assert_eq!(
        (said.code, &*said.out),
        (0, "Nothing that waits fits. Nothing was changed.\n")
    );
}

#[tokio::test]
async fn what_is_released_from_a_hold_waits_again() {
    let url = office::open().await;
    let mut room = Room::on(&url, &office::schedule(), "dossiers", TODAY).await;
    let hold = office::hold(&url, 2).await;
    assert_eq!(room.keys(&Ask::default()).await, ["7", "10", "3", "1"]);
    review::release_hold(&mut room.conn, hold, "over", "test", support::at(TODAY))
        .await
        .unwrap();
    assert_eq!(room.keys(&Ask::default()).await, ["7", "10", "2", "3", "1"]);
}

/// Whoever is asked about a record that would stay whatever they say learns to say anything.
#[tokio::test]
async fn nobody_is_asked_about_what_would_stay_whatever_they_say() {
    let url = office::open().await;
    let pages = crate::stage::class(
        "pages",
        "table = \"page\"\nwhere = \"id = 13\"\ndisposal = \"retain\"\nowner = \"Archive\"\nreason = \"history\"\n",
    );
    let toml = format!("{}{pages}", office::schedule());
    let mut room = Room::on(&url, &toml, "dossiers", TODAY).await;
    assert_eq!(room.keys(&Ask::default()).await, ["7", "10", "3", "1"]);
    assert_eq!(
        room.why_not(&[&key(2), &key(8)]).await,
        [
            "a class protects something that hangs on it",
            "somebody has worked with it since"
        ]
    );
}
