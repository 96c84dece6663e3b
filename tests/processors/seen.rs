//! What the command line shows of it, takes and refuses, and that the log stays one that
//! others can check.

use std::process::Command;

use insta::assert_snapshot;
use retentiond::daemon::tick;
use retentiond::ledger::audit::Trust;
use retentiond::ledger::store::{self, Reading};
use serde_json::{Value, json};
use sqlx::Connection;

use crate::command::Desk;
use crate::office::{ANSWERS, Office, STUDY, schedule};
use crate::support;

fn desk(office: &Office, schedule: &str) -> Desk {
    let state = office.state.path().display().to_string();
    Desk::with(&office.url, schedule).set("RETENTIOND__STATE__DIRECTORY", &state)
}

/// Days from the class's date on are over, or lie in another lifetime: the program asks the
/// machine what day it is.
const LATER: &str = r#"
[[class]]
id = "later"
title = "Applications"
processor = "Example Jobs Ltd"
trigger = 2024-03-31
period = "90 years"
disposal = "delete"
authority = "Contract 8"
"#;

const CONFIRM: [&str; 7] = [
    "processor",
    "confirm",
    "answers",
    "--by",
    "A Clerk",
    "--reference",
    "ES/99",
];

#[tokio::test]
async fn the_letter_says_who_what_why_and_by_when() {
    let office = Office::open().await;
    let schedule = schedule(ANSWERS);
    let desk = desk(&office, &schedule);
    let said = desk.run("processor letter answers");
    assert_eq!(said.code, 2, "{said}");
    assert!(
        said.err
            .contains("no instruction to destroy was issued for class `answers` yet"),
        "{said}"
    );
    office.pass(&schedule, "2026-04-01").await;
    assert_snapshot!(desk.run("processor letter answers").redacted(), @r#"
    exit 0
    --- out
    Example Council

    To: Example Surveys Ltd, 1 High Street, London

    Date: 1 April 2026
    Our reference: answers/1

    INSTRUCTION TO DESTROY PERSONAL DATA

    Dear Sir or Madam,

    Example Council is the controller of the following personal data, which you
    hold on its behalf:

        Answers to the telephone survey

    It is kept for 2 years, counted from 31 March 2024. The last day of that
    period is 31 March 2026.

    We instruct you to destroy this data, securely and without delay, wherever
    you or anybody acting for you holds it, so that it cannot be recovered.

    Authority: Contract 7, clause 12
    Retention schedule: version sha256:****************************************************************

    Please confirm to us in writing, to reach us by 15 April 2026. Your
    confirmation has to say

    1. that all of the data named above is destroyed, on which day, and by what
       means;

    2. that this includes copies, extracts and backups, and whatever others hold
       on your behalf; where a backup cannot be changed, the day by which it will
       have been overwritten;

    3. whether any part of it is kept because the law obliges you to: if so,
       which part, under which provision and until when;

    4. the name and position of whoever confirms it, and the reference given
       above.

    Yours faithfully,

    Head of Insight

    for Example Council
    "#);
    let (code, letter) = desk.json("processor letter answers");
    let letter = &letter["letter"];
    assert_eq!(code, 0);
    assert_eq!(
        (
            &letter["reference"],
            &letter["action"],
            &letter["controller"],
            &letter["answer_by"]
        ),
        (
            &json!("answers/1"),
            &json!("destroy"),
            &json!("Example Council"),
            &json!("2026-04-15")
        )
    );
    assert_eq!(letter["last_day"], json!("2026-03-31"));
    assert_eq!(letter["confirmed"], Value::Null);

    // To a file, and only said what would be written.
    let path = desk.folder().join("letter.txt");
    let said = desk.run("processor letter answers --output letter.txt --dry-run");
    assert_eq!(said.code, 0, "{said}");
    assert!(!path.exists());
    let said = desk.run("processor letter answers --output letter.txt");
    assert_eq!(
        said.out,
        "The letter answers/1 to Example Surveys Ltd, 1 High Street, London is in letter.txt.\n"
    );
    let written = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        written.trim_end(),
        desk.run("processor letter answers").out.trim_end()
    );
}

#[tokio::test]
async fn a_letter_on_the_controllers_word_names_it() {
    let office = Office::open().await;
    let schedule = schedule(STUDY);
    office.instruct("study").await;
    office.pass(&schedule, "2026-04-01").await;
    let said = desk(&office, &schedule).run("processor letter study");
    assert!(
        said.out
            .contains("The controller's instruction: number 1, given by The Controller, MIN/4\n"),
        "{said}"
    );
    assert!(
        said.out
            .contains("It is kept until the controller instructs that it be destroyed"),
        "{said}"
    );
}

#[tokio::test]
async fn what_stands_where_is_listed_planned_and_part_of_the_status() {
    let office = Office::open().await;
    let classes = format!("{ANSWERS}{STUDY}{LATER}");
    let schedule = schedule(&classes);
    let desk = desk(&office, &schedule);
    let (_, plan) = desk.json("plan");
    let class = |answer: &Value, of: &str, id: &str| -> Value {
        let classes = answer[of]["classes"].as_array().unwrap();
        classes
            .iter()
            .find(|class| class["id"] == id)
            .unwrap()
            .clone()
    };
    let figures = |class: &Value| -> Vec<u64> {
        ["claimed", "due", "held", "waiting", "overdue", "done"]
            .map(|name| class[name].as_u64().unwrap())
            .to_vec()
    };
    let answers = class(&plan, "plan", "answers");
    assert_eq!(
        (&answers["table"], &answers["status"], &answers["disposal"]),
        (&Value::Null, &json!("ready"), &json!("delete"))
    );
    assert_eq!(figures(&answers), [1, 1, 0, 0, 1, 0]);
    let later = class(&plan, "plan", "later");
    assert_eq!(later["status"], json!("idle"));
    assert_eq!(figures(&later), [1, 0, 0, 0, 0, 0]);
    assert!(
        desk.run("plan")
            .out
            .contains("is told by the next pass to destroy what it holds")
    );

    office.pass(&schedule, "2026-04-01").await;
    assert_snapshot!(without_days(&desk.run("processor list").to_string()), @r#"
    exit 0
    --- out
    class    processor                                   state    last day    issued on   days open  answer by   overdue  waits for
    answers  Example Surveys Ltd, 1 High Street, London  open     2026-03-31  2026-04-01  ***        2026-04-15  yes      its confirmation
    study    A University                                not-due
    later    Example Jobs Ltd                            not-due  2114-03-31
    "#);
    let (code, list) = desk.json("processor list");
    assert_eq!(code, 0);
    let shown: Vec<Vec<Value>> = list["processors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            ["class", "state", "last_day", "issued_on", "overdue"]
                .map(|key| one[key].clone())
                .to_vec()
        })
        .collect();
    assert_eq!(
        shown,
        [
            vec![
                json!("answers"),
                json!("open"),
                json!("2026-03-31"),
                json!("2026-04-01"),
                json!(true)
            ],
            vec![
                json!("study"),
                json!("not-due"),
                Value::Null,
                Value::Null,
                json!(false)
            ],
            vec![
                json!("later"),
                json!("not-due"),
                json!("2114-03-31"),
                Value::Null,
                json!(false)
            ],
        ]
    );
    let (code, status) = desk.json("status");
    assert_eq!(code, 0);
    let answers = class(&status, "status", "answers");
    assert_eq!(
        (
            &answers["table"],
            &answers["overdue"],
            &answers["waiting"],
            &answers["oldest_overdue"]
        ),
        (&Value::Null, &json!(1), &json!(1), &json!("2026-03-31"))
    );
    assert_eq!(
        class(&status, "status", "staff")["table"],
        json!("public.person")
    );
    assert_eq!(
        figures(&class(&desk.json("plan").1, "plan", "answers")),
        [1, 0, 0, 1, 1, 0]
    );

    assert_eq!(desk.run_words(&CONFIRM).code, 0);
    let answers = class(&desk.json("status").1, "status", "answers");
    assert_eq!(
        (&answers["overdue"], &answers["kept"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(
        figures(&class(&desk.json("plan").1, "plan", "answers")),
        [1, 0, 0, 0, 0, 1]
    );
    // On a day before it the plan knows of it all the same; on a later one there is nothing new.
    let (_, plan) = desk.json("plan --on 2114-04-01");
    assert_eq!(class(&plan, "plan", "later")["status"], json!("ready"));
    for line in [
        "check",
        "publish",
        "grants",
        "plan --months 3",
        "plan --against retention.toml",
        "ledger certificate --run 1",
    ] {
        let said = desk.run(line);
        assert_eq!(said.code, 0, "{line}: {said}");
    }
}

/// How many days an answer has been open depends on the day of the test.
fn without_days(text: &str) -> String {
    let words: Vec<String> = text
        .split_inclusive(' ')
        .map(|word| match word.trim().parse::<u32>() {
            Ok(days) if days > 99 => {
                let digits = days.to_string();
                let stars = format!("***{}", " ".repeat(digits.len() - 3));
                word.replace(&digits, &stars)
            }
            _ => word.to_owned(),
        })
        .collect();
    words.concat()
}

#[tokio::test]
async fn a_confirmation_is_taken_from_whoever_may_and_once() {
    let office = Office::open().await;
    let schedule = schedule(ANSWERS);
    let desk = desk(&office, &schedule);
    let said = desk.run_words(&CONFIRM);
    assert_eq!(said.code, 2, "{said}");
    assert!(
        said.err
            .contains("no instruction to destroy is open for class `answers`"),
        "{said}"
    );
    office.pass(&schedule, "2026-04-01").await;

    // Whoever is no administrator may look, and no more.
    assert_eq!(desk.run("operator add root --role administrator").code, 0);
    assert_eq!(
        desk.run("operator add ann --role reviewer --as root").code,
        0
    );
    let with = |more: &[&'static str]| -> Vec<&'static str> {
        CONFIRM
            .iter()
            .copied()
            .chain(more.iter().copied())
            .collect()
    };
    let said = desk.run_words(&with(&["--as", "ann"]));
    assert_eq!(said.code, 2, "{said}");
    assert!(said.err.contains("`ann` may not do that"), "{said}");
    assert_eq!(desk.run("processor list --as ann").code, 0);

    desk.write("destroyed.pdf", "all gone");
    let document = ["--as", "root", "--document", "destroyed.pdf"];
    let said = desk.run_words(&with(&[&document[..], &["--dry-run"]].concat()));
    assert_eq!(
        said.out,
        "This would record that Example Surveys Ltd, 1 High Street, London has destroyed what it held under class \
         `answers` (answers/1). Nothing was changed.\nThe document's digest is \
         sha256:a2f5d2e79d42d430b71520a4eb6d53818795473f0b94da7e156f4c40ecde58c6.\n"
    );
    assert_eq!(
        office.orders().await,
        ["answers 2024-03-31 2026-03-31 2026-04-01 open"]
    );
    let said = desk.run_words(&with(&["--as", "root", "--document", "nothing.pdf"]));
    assert_eq!(said.code, 1, "{said}");
    let said = desk.run_words(&with(&document));
    assert_eq!(said.code, 0, "{said}");
    let (_, list) = desk.json("processor list");
    let confirmed = &list["processors"][0]["confirmed"];
    assert_eq!(
        (
            &confirmed["by"],
            &confirmed["reference"],
            &confirmed["recorded_by"]
        ),
        (&json!("A Clerk"), &json!("ES/99"), &json!("root"))
    );
    let said = desk.run_words(&with(&document));
    assert_eq!(said.code, 2, "{said}");
    let entries = office.entries("processor-confirmed").await;
    assert_eq!((entries.len(), &*entries[0].actor), (1, "root"));
}

#[tokio::test]
async fn the_other_decisions_know_the_class_and_those_about_rows_refuse_it() {
    let office = Office::open().await;
    let schedule = schedule(&format!("{ANSWERS}{STUDY}"));
    let desk = desk(&office, &schedule);
    let hold = [
        "hold",
        "place",
        "--class",
        "answers",
        "--kind",
        "litigation",
        "--reference",
        "C/1",
        "--reason",
        "a claim",
        "--owner",
        "Solicitor",
    ];
    let said = desk.run_words(&hold);
    assert_eq!(
        (said.code, &*said.out),
        (
            0,
            "Hold 1 protects what Example Surveys Ltd, 1 High Street, London holds under class `answers`, until it is released.\n"
        ),
        "{said}"
    );
    assert_eq!(office.state(&schedule, "2026-04-01").await, "held");
    assert!(desk.run("hold list").out.contains("class `answers`"));
    let said = desk.run_words(&[&hold[..], &["--where", "id = 1"]].concat());
    assert_eq!(said.code, 2, "{said}");
    assert!(
        said.err.contains("class `answers` has no records here"),
        "{said}"
    );
    assert_eq!(desk.run("review list --class answers").code, 2);
    assert_eq!(desk.run("hold release 1 --reason over --yes").code, 0);
    assert_eq!(desk.run("pause answers --reason move").code, 0);
    assert_eq!(office.state(&schedule, "2026-04-01").await, "waiting");
    assert_eq!(desk.run("resume answers").code, 0);
    let said = desk.run("instruct answers --by Me --reference R");
    assert_eq!(said.code, 2, "{said}");
    let said = desk.run("instruct study --by Me --reference R");
    assert_eq!(
        said.out,
        "Instruction 1 is recorded: what A University holds under class `study` is to be destroyed. The first pass for which it is due issues the letter.\n"
    );
    // A pass for one class tells no other.
    let said = desk.run("run --class staff");
    assert_eq!(said.code, 0, "{said}");
    assert_eq!(office.orders().await, [""; 0]);
    let said = desk.run("run --class study");
    assert!(
        said.out.contains("study: A University is to destroy what it holds; `retentiond processor letter study` prints the letter to send.\n"),
        "{said}"
    );
    assert_eq!(office.orders().await.len(), 1);
    let (_, report) = desk.json("run");
    assert_eq!(
        report["run"]["processors"],
        json!([
            { "id": "answers", "processor": "Example Surveys Ltd, 1 High Street, London", "status": "instructed", "waiting": 0, "reference": "answers/2" },
            { "id": "study", "processor": "A University", "status": "waiting", "waiting": 0, "reference": "study/1" },
        ])
    );
}

#[tokio::test]
async fn the_log_is_sound_to_us_and_to_another_program() {
    let office = Office::open().await;
    let schedule = schedule(ANSWERS);
    office.pass(&schedule, "2026-04-01").await;
    office.confirm("answers", "2026-04-02").await.unwrap();
    let report = office
        .pass_at(&schedule, support::at("2026-04-03"), &|_| ())
        .await;
    let entries = report.unwrap().checkpoint.unwrap().size;
    let mut conn = support::ours(&office.url).await;
    let origin = store::origin(&mut conn).await.unwrap();
    let places = tick::places(&office.settings()).unwrap();
    let folder = places.folder(&origin);
    let (checkpoint, _) = folder.checkpoint().unwrap().unwrap();
    let trust = Trust {
        keys: places.keyring(&origin).public().unwrap(),
        checkpoints: vec![checkpoint.clone()],
    };
    let found = store::verify(&mut conn, &trust, &Reading::Whole, |_| ())
        .await
        .unwrap();
    conn.close().await.unwrap();
    assert_eq!(
        (
            found.verdict.to_string().as_str(),
            found.size,
            found.anchored
        ),
        ("OK", entries, true)
    );
    let keys: String = trust.keys.iter().map(|key| format!("{key}\n")).collect();
    let (key, note) = (office.state.path().join("k"), office.state.path().join("c"));
    std::fs::write(&key, keys).unwrap();
    std::fs::write(&note, checkpoint).unwrap();
    let ran = Command::new("python3")
        .args([
            "-B",
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/verify_ledger.py"),
            "--key",
        ])
        .args([
            &key,
            std::path::Path::new("--checkpoint"),
            &note,
            folder.path(),
        ])
        .output()
        .unwrap();
    let said: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(
        (ran.status.code(), &said["verdict"], said["size"].as_u64()),
        (Some(0), &json!("OK"), Some(entries)),
        "{said}"
    );
}
