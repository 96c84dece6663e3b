//! `plan --months` and `plan --against`: the words, the shapes, and what is refused.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::command::Desk;
use crate::{office, support};

/// The second half of a plan's words: what is told beside the plan of the day.
fn beside(text: &str, head: &str) -> String {
    let at = text.find(head).unwrap_or_else(|| panic!("{text}"));
    text[at..].to_owned()
}

fn class<'a>(answer: &'a Value, part: &str, id: &str) -> &'a Value {
    let classes = answer["plan"][part]["classes"].as_array().unwrap();
    classes.iter().find(|class| class["id"] == id).unwrap()
}

/// The office's schedule with letters kept for seven years, the merit list struck out,
/// visits deleted instead of flagged, and a class of its own for matters.
fn revised() -> String {
    let merit = office::SCHEDULE
        .find("[[class]]\nid = \"merit-list\"")
        .unwrap();
    let hired = office::SCHEDULE.find("[[class]]\nid = \"hired\"").unwrap();
    let mut text = office::SCHEDULE.to_owned();
    text.replace_range(merit..hired, "");
    text.replace("period = \"8 years\"", "period = \"7 years\"")
        .replace("disposal = \"flag\"", "disposal = \"delete\"")
        + "\n[[class]]\nid = \"matters\"\ntitle = \"Matters\"\ntable = \"matter\"\ndisposal = \"retain\"\nowner = \"A\"\nreason = \"B\"\nauthority = \"C\"\n"
}

#[tokio::test]
async fn a_forecast_in_words() {
    let (url, desk) = office::open().await;
    support::hold(&url, "letter", &["5"], None).await;
    let plain = desk.run("plan --on 2026-11-23 --months 14");
    assert_eq!((plain.code, plain.err.as_str()), (0, ""));
    assert_snapshot!("forecast_ascii", beside(&plain.out, "Becoming due"));
    let desk = desk.set("LANG", "en_GB.UTF-8");
    let blocks = desk.run("plan --on 2026-11-23 --months 3 --class letters");
    assert_snapshot!("forecast_blocks", beside(&blocks.out, "Becoming due"));
}

#[tokio::test]
async fn a_forecast_as_json_agrees_with_the_plan_of_each_last_day() {
    let (_, desk) = office::open().await;
    let (code, answer) = desk.json("plan --on 2026-11-23 --months 14");
    assert_eq!(code, 0);
    let forecast = &answer["plan"]["forecast"];
    assert_eq!(
        (&forecast["on"], &forecast["until"]),
        (&json!("2026-11-23"), &json!("2027-12-31"))
    );
    // Letter 4 is due tomorrow.
    let letters = class(&answer, "forecast", "letters");
    assert_eq!(letters["now"]["due"], 3);
    assert_eq!(
        letters["months"][0],
        json!({ "month": "2026-11", "until": "2026-11-30", "due": 1, "cumulative": 4, "held": 0, "conflict": 0, "waiting": 0, "active": 0 })
    );
    for nth in [0, 3, 13] {
        let until = letters["months"][nth]["until"].as_str().unwrap();
        let (_, then) = desk.json(&format!("plan --on {until}"));
        for planned in then["plan"]["classes"].as_array().unwrap() {
            let id = planned["id"].as_str().unwrap();
            let month = &class(&answer, "forecast", id)["months"][nth];
            for (ours, theirs) in [
                ("cumulative", "due"),
                ("held", "held"),
                ("conflict", "conflict"),
                ("waiting", "waiting"),
            ] {
                let planned = planned[theirs].as_u64().unwrap_or(0);
                assert_eq!(month[ours].as_u64(), Some(planned), "{id} {until} {ours}");
            }
        }
    }
    let (_, answer) = desk.json("plan --on 2026-11-23 --months 1 --class visits");
    let classes = answer["plan"]["forecast"]["classes"].as_array().unwrap();
    assert_eq!(classes.len(), 1);
}

#[tokio::test]
async fn months_are_from_one_to_a_hundred_and_twenty() {
    let desk = Desk::bare();
    for months in ["0", "121", "-1", "many"] {
        let said = desk.run(&format!("plan --months={months}"));
        assert_eq!(said.code, 2, "{said}");
        assert!(said.err.contains("--months"), "{said}");
    }
}

#[tokio::test]
async fn a_comparison_in_words_and_as_json() {
    let (url, desk) = office::open().await;
    // A letter between seven and eight years old, with a page.
    support::sql(
        &url,
        "INSERT INTO letter VALUES (8, 1, 'Ada Quill', '2010-01-01', '2019-05-05'); INSERT INTO page VALUES (8, 1, 'Dear office')",
    )
    .await;
    desk.write("old.toml", office::SCHEDULE);
    desk.write("retention.toml", revised());
    let before = office::fingerprint(&url).await;
    let said = desk
        .run("plan --on 2026-11-23 --against old.toml")
        .redacted();
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert_snapshot!("against", beside(&said.out, "Against"));
    assert_eq!(office::fingerprint(&url).await, before);

    let (code, answer) = desk.json("plan --on 2026-11-23 --against old.toml");
    assert_eq!(code, 0);
    let against = &answer["plan"]["against"];
    assert_eq!(against["file"], "old.toml");
    // Letters 4 and 8 become due; applicants 2 and 6 no longer have a merit list to keep
    // them, and 3 is done to alike; visit 1 is deleted, no longer flagged.
    let count = |id: &str, key: &str| class(&answer, "against", id)[key].as_u64().unwrap();
    assert_eq!(count("letters", "becomes_due"), 2);
    assert_eq!(count("letters", "alike"), 3);
    assert_eq!(count("turned-down", "becomes_due"), 2);
    assert_eq!(count("turned-down", "alike"), 2);
    assert_eq!(count("visits", "other_disposal"), 1);
    assert_eq!(class(&answer, "against", "merit-list")["version"], "old");
    assert_eq!(class(&answer, "against", "matters")["version"], "new");
    assert_eq!(against["total"]["becomes_due"], 4);
    assert_eq!(against["total"]["no_longer_due"], 0);
    assert_eq!(
        against["dependants"]["public.page"],
        json!({ "more": 3, "fewer": 0, "alike": 6 })
    );
    let visits = against["changes"].as_array().unwrap().iter();
    let visits: Vec<&Value> = visits
        .filter(|change| change["table"] == "public.visit")
        .collect();
    assert_eq!(
        visits,
        [&json!({
            "table": "public.visit", "effect": "other_disposal", "records": 1,
            "old": { "class": "visits", "disposal": "flag", "standing": "due" },
            "new": { "class": "visits", "disposal": "delete", "standing": "due" },
        })]
    );

    let same = desk
        .run("plan --on 2026-11-23 --against retention.toml")
        .redacted();
    assert_snapshot!("against_itself", beside(&same.out, "Against"));
}

#[tokio::test]
async fn an_old_version_that_cannot_be_read_is_told_under_its_own_name() {
    let (_, desk) = office::open().await;
    desk.write(
        "old.toml",
        office::SCHEDULE.replace("period = \"8 years\"", "period = \"8 yeers\""),
    );
    let said = desk.run("plan --against old.toml");
    assert_eq!((said.code, said.out.as_str()), (2, ""));
    assert!(said.err.contains("--> old.toml:11:"), "{said}");
    let said = desk.run("plan --against older.toml --format json");
    assert_eq!(said.code, 2);
    let message = said.error()["message"].to_string();
    assert!(message.contains("older.toml"), "{message}");
    // And a class that only the old version refuses is said, and protected there.
    desk.write(
        "old.toml",
        office::SCHEDULE.replace("trigger = \"made_on\"", "trigger = \"made_om\""),
    );
    let said = desk
        .run("plan --on 2026-11-23 --against old.toml")
        .redacted();
    assert_snapshot!("against_refused", beside(&said.out, "Against"));
}
