//! What people decide on a command line, and what the next pass makes of it.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::command::Desk;
use crate::{office, support};

/// Letters wait for a review.
fn schedule() -> String {
    let letters = "period = \"8 years\"\ndisposal = \"delete\"\ndependants = [\"page\"]\n";
    let gated = format!("{letters}gate = \"review\"\n");
    office::any_day(office::SCHEDULE).replacen(letters, &gated, 1)
}

async fn open() -> (String, Desk) {
    let (url, desk) = office::open_on_any_day().await;
    desk.write("retention.toml", schedule());
    (url, desk)
}

async fn letters(url: &str) -> Vec<String> {
    support::texts(url, "SELECT id::text FROM letter ORDER BY id").await
}

/// The hash over a decision's words, as docs/LEDGER.md has it.
fn committed(opens: &Value) -> String {
    let mut bytes = b"retentiond commitment v1\n".to_vec();
    bytes.extend(hex::decode(opens["salt"].as_str().unwrap()).unwrap());
    for pair in opens["words"].as_array().unwrap() {
        for text in pair.as_array().unwrap() {
            let text = text.as_str().unwrap();
            bytes.push(u8::try_from(text.len()).unwrap());
            bytes.extend(text.bytes());
        }
    }
    hex::encode(Sha256::digest(&bytes))
}

/// The ids of what waits.
fn waiting(desk: &Desk) -> Vec<String> {
    let (code, answer) = desk.json("review list --class letters");
    assert_eq!(code, 0, "{answer}");
    let records = answer["review"][0]["records"].as_array().cloned();
    let id = |record: &Value| record["id"].as_str().unwrap().to_owned();
    records.unwrap_or_default().iter().map(id).collect()
}

#[tokio::test]
async fn what_is_approved_goes_with_the_next_pass_and_nothing_else() {
    let (url, desk) = open().await;
    assert_eq!(desk.run("run").code, 3);
    assert_eq!(letters(&url).await.len(), 7);
    assert_eq!(waiting(&desk), ["letters:3", "letters:1", "letters:5"]);
    let said = desk.run("review list --class letters");
    assert_eq!(said.code, 0, "{said}");
    assert!(
        said.out
            .starts_with("letters: 3 records wait in public.letter\n"),
        "{said}"
    );
    assert!(said.out.contains("2015-03-01"), "{said}");

    // Looking changes nothing.
    let before = office::fingerprint(&url).await;
    let said = desk.run("review approve letters:1 --reason x --dry-run");
    assert_eq!(
        (said.code, &*said.out),
        (
            0,
            "This would approve 1 record of class `letters`: letters:1. Nothing was changed.\n"
        )
    );
    assert_eq!(office::fingerprint(&url).await, before);

    let said = desk.run_words(&["review", "approve", "letters:1", "--reason", "nothing open"]);
    assert_eq!(
        (said.code, &*said.out),
        (
            0,
            "Approved: 1 record of class `letters`. What nothing else protects goes with the next pass.\n"
        )
    );
    assert_eq!(waiting(&desk), ["letters:3", "letters:5"]);
    assert_eq!(desk.run("run").code, 3);
    assert_eq!(letters(&url).await, ["2", "3", "4", "5", "6", "7"]);
    let used = "SELECT count(*) FROM retentiond.approval WHERE run_id IS NOT NULL";
    assert_eq!(support::number(&url, used).await, 1);

    // The certificate has the words, and the ledger's entry a hash over them.
    let (code, certificate) = desk.json("ledger certificate --run 2 --as-format json");
    assert_eq!(code, 0, "{certificate}");
    let class = &certificate["certificate"]["passes"][0]["classes"][0];
    let approval = &class["approvals"][0];
    assert_eq!(
        approval["what"],
        json!("1 record, after a review"),
        "{certificate}"
    );
    assert_eq!(approval["reason"], json!("nothing open"));
    let entry =
        "SELECT encode(body, 'escape') FROM retentiond.ledger_entry WHERE action = 'approved'";
    let entry = support::texts(&url, entry).await;
    assert!(
        entry[0].contains(&committed(&approval["opens"])),
        "{entry:?}"
    );
    assert!(!entry[0].contains("nothing open"));

    // In bulk, by a condition; what is kept is asked about again, what is handed on is shown.
    let line = [
        "review",
        "hand-on",
        "letters:5",
        "--to",
        "Jo Field",
        "--reason",
        "her matter",
    ];
    assert_eq!(desk.run_words(&line).code, 0);
    let (_, answer) = desk.json("review list");
    assert_eq!(
        answer["review"][0]["records"][1]["handed_to"],
        json!("Jo Field")
    );
    let until = [
        "review",
        "keep",
        "letters:5",
        "--until",
        "2089-12-31",
        "--reason",
        "still used",
    ];
    assert_eq!(desk.run_words(&until).code, 0);
    assert_eq!(waiting(&desk), ["letters:3"]);
    let all = [
        "review",
        "approve",
        "--class",
        "letters",
        "--where",
        "case_id IS NULL",
        "--reason",
        "ok",
    ];
    assert_eq!(desk.run_words(&all).code, 0);
    desk.run("run");
    assert_eq!(letters(&url).await, ["2", "4", "5", "6", "7"]);
    let (_, record) = desk.json("explain letter 5");
    assert_eq!(record["record"]["state"], json!("held"), "{record}");
}

#[tokio::test]
async fn an_approval_of_what_has_changed_is_void_and_says_why() {
    let (url, desk) = open().await;
    assert_eq!(
        desk.run("review approve letters:1 letters:5 --reason ok")
            .code,
        0
    );
    support::sql(
        &url,
        "UPDATE letter SET closed_on = '2015-04-01' WHERE id = 1",
    )
    .await;
    assert_eq!(
        desk.run("review revoke letters:5 --reason mistaken").code,
        0
    );
    desk.run("run");
    assert_eq!(letters(&url).await.len(), 7);
    let (_, answer) = desk.json("review list --class letters");
    let records = answer["review"][0]["records"].as_array().unwrap();
    let first = records.iter().find(|r| r["id"] == "letters:1").unwrap();
    let account = support::texts(&url, "SELECT decided_by FROM retentiond.review LIMIT 1").await;
    assert_eq!(
        first["void"],
        json!(format!(
            "{} had approved it (review 1): its trigger was 2015-03-01 and is 2015-04-01",
            account[0]
        ))
    );
}

#[tokio::test]
async fn a_hold_is_placed_shown_and_released() {
    let (url, desk) = office::open_on_any_day().await;
    let matter = [
        "--reference",
        "CL/7",
        "--owner",
        "Legal",
        "--reason",
        "claim of a tenant",
    ];
    let place = |on: &[&str], more: &[&str]| {
        let words = [
            &["hold", "place"],
            on,
            &["--kind", "litigation"],
            &matter,
            more,
        ]
        .concat();
        desk.run_words(&words)
    };
    let before = office::fingerprint(&url).await;
    let said = place(&["--class", "letters"], &["--dry-run"]);
    assert_eq!(
        (said.code, &*said.out),
        (
            0,
            "This would protect 7 records: everything of class `letters`, until it is released. Nothing was changed.\n"
        )
    );
    assert_eq!(office::fingerprint(&url).await, before);
    let said = place(&["--class", "letters", "--where", "case_idd = 1"], &[]);
    assert_eq!(
        (said.code, &*said.err),
        (
            2,
            "error[R0302]: there is no column `case_idd` in table `public.letter`\nhelp: did you mean `case_id`?\n"
        )
    );
    let said = place(&["--record", "letter", "5"], &[]);
    assert_eq!(
        (said.code, &*said.out),
        (
            0,
            "Hold 1 protects public.letter 5, until it is released.\n"
        )
    );
    let condition = ["--class", "letters", "--where", "case_id = 11"];
    let said = place(&condition, &["--until", "2088-01-01"]);
    // That of letter 3 is NULL, so that nobody can say.
    assert!(
        said.out
            .starts_with("Hold 2 protects 5 records of class `letters` for which"),
        "{said}"
    );
    desk.run("run");
    assert_eq!(letters(&url).await.len(), 7);
    let said = desk.run("hold list --open");
    assert!(said.out.contains("claim of a tenant"), "{said}");
    let (_, record) = desk.json("explain letter 1");
    assert_eq!(record["record"]["state"], json!("held"));
    assert_eq!(record["record"]["holds"][0]["hold"], json!(2));

    // A hold on many is not released by a slip.
    let said = desk.run("hold release 2 --reason over");
    assert_eq!(said.code, 2, "{said}");
    let said = desk.run("hold release 2 --reason over --yes");
    assert_eq!(
        (said.code, &*said.out),
        (
            0,
            "Hold 2 is released. What is past and nothing else protects goes with the next pass.\n"
        )
    );
    desk.run("run");
    assert_eq!(letters(&url).await, ["2", "4", "5", "6", "7"]);
    let (code, failed) = (2, desk.run("hold release 2 --reason again --format json"));
    assert_eq!(
        (failed.code, &failed.error()["code"]),
        (code, &json!("R0419"))
    );
    // Whoever asks for information is to get what there was until the time to appeal is over.
    let words = ["hold", "place", "--record", "letter", "5", "--kind", "foi"];
    let said = desk.run_words(&[&words[..], &matter].concat());
    assert!(said.out.contains("Nothing of it goes before "), "{said}");
    desk.run("hold release 1 --reason over");
    assert_eq!(desk.run("hold release 3 --reason answered").code, 0);
    desk.run("run");
    assert_eq!(letters(&url).await, ["2", "4", "5", "6", "7"]);
}

/// By PostgreSQL's calendar.
#[tokio::test]
async fn whoever_asks_for_information_may_appeal_for_three_months_or_as_the_schedule_says() {
    for (more, window) in [
        ("", "3 months"),
        ("appeal_window = \"20 weeks\"\n", "20 weeks"),
    ] {
        let (url, desk) = open().await;
        let toml = schedule().replace("accept = ", &format!("{more}accept = "));
        desk.write("retention.toml", toml);
        assert_eq!(desk.run("run").code, 3);
        for kind in ["foi", "access-request", "litigation"] {
            let line = format!(
                "hold place --record letter 5 --kind {kind} --reference R --reason W --owner O"
            );
            assert_eq!(desk.run(&line).code, 0, "{line}");
        }
        let sql = format!(
            "SELECT kind FROM retentiond.hold WHERE not_before =
                ((placed_at AT TIME ZONE 'Europe/London')::date + interval '{window}')::date ORDER BY 1"
        );
        assert_eq!(
            support::texts(&url, &sql).await,
            ["access-request", "foi"],
            "{window}"
        );
    }
}

#[tokio::test]
async fn an_exemption_needs_an_authority_and_is_released_by_its_own_command() {
    let (url, desk) = office::open_on_any_day().await;
    let line = [
        "exempt",
        "place",
        "--class",
        "letters",
        "--kind",
        "archiving",
        "--reference",
        "A/1",
        "--reason",
        "history of the office",
        "--owner",
        "Archive",
    ];
    assert_eq!(desk.run_words(&line).code, 2);
    let said = desk.run_words(&[&line[..], &["--authority", "Public Records Act 1958"]].concat());
    assert_eq!(said.code, 0, "{said}");
    desk.run("run");
    assert_eq!(letters(&url).await.len(), 7);
    assert!(desk.run("exempt list").out.contains("archiving"));
    assert_eq!(desk.run("hold list").out, "Nothing was ever held.\n");
    assert_eq!(desk.run("hold release 1 --reason x --yes").code, 2);
    assert_eq!(desk.run("exempt release 1 --reason x --yes").code, 0);
    desk.run("run");
    assert_eq!(letters(&url).await, ["2", "4", "6", "7"]);
}

#[tokio::test]
async fn an_order_lets_a_class_go_and_a_pause_stops_it() {
    let (url, desk) = office::open_on_any_day().await;
    let people = async || support::number(&url, "SELECT count(*) FROM participant").await;
    assert_eq!(desk.run("run").code, 3);
    assert_eq!(people().await, 2);
    assert_eq!(desk.run("instruct letters --by X --reference Y").code, 2);
    let order = [
        "instruct",
        "study",
        "--by",
        "The Controller",
        "--reference",
        "Letter of 3 March",
    ];
    let said = desk.run_words(&order);
    assert_eq!(
        (said.code, &*said.out),
        (
            0,
            "Instruction 1 is recorded: 2 records of class `study` that waited for it may go with the next pass.\n"
        )
    );
    assert_eq!(desk.run("pause study --reason moving").code, 0);
    desk.run("run");
    assert_eq!(people().await, 2);
    assert_eq!(
        desk.run("instruct withdraw study --reason mistaken").code,
        0
    );
    assert_eq!(desk.run("resume study").code, 0);
    desk.run("run");
    assert_eq!(people().await, 2);
    assert_eq!(desk.run_words(&order).code, 0);
    let said = desk.run("instruct list");
    assert!(
        said.out.contains("withdrawn") && said.out.contains("in force"),
        "{said}"
    );
    desk.run("run");
    assert_eq!(people().await, 0);
    assert_eq!(desk.run("resume study").code, 2);
}

#[tokio::test]
async fn who_is_registered_decides_and_nobody_else() {
    let (_, desk) = office::open_on_any_day().await;
    assert_eq!(desk.run("operator add Jo --role reviewer").code, 2);
    assert_eq!(desk.run("operator add Jo --role administrator").code, 0);
    let said = desk.run("pause --reason x --format json");
    assert_eq!((said.code, &said.error()["code"]), (2, &json!("R0420")));
    assert_eq!(desk.run("operator add Kim --role holds --as Jo").code, 0);
    assert_eq!(desk.run("pause --reason x --as Kim").code, 2);
    assert_eq!(desk.run("pause --reason x --as Jo").code, 0);
    assert_eq!(desk.run("operator remove Jo --as Jo").code, 2);
    let (code, all) = desk.json("operator list");
    assert_eq!((code, all["operators"].as_array().unwrap().len()), (0, 2));
}
