//! `--format json`: the keys that `json.md` promises, written down here by hand; and the
//! exit codes of `cli.md`.

use serde_json::Value;

use crate::command::{Desk, Said};
use crate::{office, support};

/// Every one of the keys is there; there may be more.
fn has(value: &Value, keys: &str) {
    let object = value
        .as_object()
        .unwrap_or_else(|| panic!("no object: {value}"));
    for key in keys.split_whitespace() {
        assert!(object.contains_key(key), "no `{key}` in {value}");
    }
}

/// The one key that the object has, and its value.
fn only<'a>(value: &'a Value, key: &str) -> &'a Value {
    let keys: Vec<&String> = value.as_object().unwrap().keys().collect();
    assert_eq!(keys, [key]);
    &value[key]
}

const PLAN_CLASS: &str = "id table disposal status cutoff claimed due held conflict waiting retained_by_other quarantined overdue \
    done active without_trigger implausible_trigger future_trigger estimated dependants refusals";

#[tokio::test]
async fn plan() {
    let (_, desk) = office::open().await;
    let (code, answer) = desk.json("plan --on 2026-11-23");
    assert_eq!(code, 0);
    let plan = only(&answer, "plan");
    has(plan, "digest on time_zone schedule classes");
    assert_eq!(
        (&plan["on"], &plan["time_zone"]),
        (&"2026-11-23".into(), &"Europe/London".into())
    );
    for digest in ["digest", "schedule"] {
        assert_eq!(plan[digest].as_str().unwrap().len(), "sha256:".len() + 64);
    }
    let ids: Vec<&str> = plan["classes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|class| class["id"].as_str().unwrap())
        .collect();
    assert_eq!(
        ids,
        [
            "letters",
            "turned-down",
            "merit-list",
            "hired",
            "photos",
            "samples",
            "samples-of-record",
            "study",
            "visits"
        ]
    );
    for class in plan["classes"].as_array().unwrap() {
        has(class, PLAN_CLASS);
    }
    // Past before 23 November 2018: letters 1, 3 and 5, with two pages each.
    let letters = &plan["classes"][0];
    for (key, count) in [
        ("claimed", 7),
        ("due", 3),
        ("overdue", 2),
        ("without_trigger", 1),
        ("implausible_trigger", 1),
        ("future_trigger", 1),
    ] {
        assert_eq!(letters[key].as_u64(), Some(count), "{key}: {letters}");
    }
    assert_eq!(letters["cutoff"], "2018-11-23");
    assert_eq!(
        letters["dependants"],
        serde_json::json!({ "public.page": 6 })
    );
    assert_eq!(plan["classes"][3]["cutoff"], Value::Null);
    assert_eq!(plan["classes"][3]["status"], "retained");
    assert_eq!(plan["classes"][7]["status"], "waiting");
}

#[tokio::test]
async fn a_refused_class_has_nulls_and_says_why() {
    let (_, desk) = office::open().await;
    desk.write(
        "retention.toml",
        office::SCHEDULE.replacen("table = \"visit\"", "table = \"vist\"", 1),
    );
    let (code, answer) = desk.json("plan");
    assert_eq!(code, 0);
    let class = &answer["plan"]["classes"][8];
    has(class, PLAN_CLASS);
    for count in ["claimed", "due", "held", "done", "overdue", "cutoff"] {
        assert_eq!(class[count], Value::Null, "{count}");
    }
    assert_eq!(class["status"], "refused");
    assert_eq!(
        class["refusals"],
        serde_json::json!([{
            "code": "R0301", "message": "class `visits`: there is no table `public.vist` in the database", "hint": "did you mean `visit`?",
        }])
    );
}

#[tokio::test]
async fn run_then_status_then_verify() {
    let (url, desk) = office::open_on_any_day().await;
    let (code, answer) = desk.json("run");
    // The study waits for its controller, a sample is in conflict.
    assert_eq!(code, 3);
    let run = only(&answer, "run");
    has(
        run,
        "id plan started finished outcome classes entries checkpoint",
    );
    assert_eq!(
        (&run["id"], &run["outcome"]),
        (&1.into(), &"completed".into())
    );
    has(&run["checkpoint"], "size root");
    let sealed = support::number(&url, "SELECT count(*) FROM retentiond.ledger_seal").await;
    assert_eq!(run["checkpoint"]["size"].as_i64(), Some(sealed));
    for class in run["classes"].as_array().unwrap() {
        has(
            class,
            "id disposal status flagged anonymised deleted dependants files skipped failed seconds batches",
        );
        has(&class["skipped"], "held changed limit");
    }
    let status_of = |id: &str| {
        run["classes"]
            .as_array()
            .unwrap()
            .iter()
            .find(|c| c["id"] == id)
            .unwrap()["status"]
            .clone()
    };
    assert_eq!(
        (status_of("letters"), status_of("study"), status_of("hired")),
        ("done".into(), "waiting".into(), "retained".into())
    );
    assert_eq!(
        run["entries"].as_i64(),
        Some(
            support::number(
                &url,
                "SELECT count(*) FROM retentiond.ledger_entry WHERE run_id IS NOT NULL"
            )
            .await
        )
    );

    let (code, answer) = desk.json("status");
    assert_eq!(code, 0);
    let status = only(&answer, "status");
    has(status, "on classes ledger");
    for class in status["classes"].as_array().unwrap() {
        has(
            class,
            "id kept due overdue held waiting flagged anonymised without_trigger implausible_trigger last_full_sweep last_success oldest_overdue",
        );
    }
    has(&status["ledger"], "size unsealed verdict verified_at");
    assert_eq!(status["ledger"]["verdict"], Value::Null);

    let (code, answer) = desk.json("ledger verify");
    assert_eq!(code, 0, "what was published took part");
    let verify = only(&answer, "verify");
    has(
        verify,
        "verdict anchored size root unsealed first_bad dropped",
    );
    assert_eq!(
        (
            &verify["verdict"],
            &verify["anchored"],
            &verify["first_bad"]
        ),
        (&"OK".into(), &true.into(), &Value::Null)
    );
    assert_eq!(verify["root"], run["checkpoint"]["root"]);

    let (_, answer) = desk.json("status");
    assert_eq!(answer["status"]["ledger"]["verdict"], "OK");

    let (code, answer) = desk.json("ledger list");
    assert_eq!(code, 0);
    assert_eq!(only(&answer, "ledger")["entries"][0]["action"], "verified");

    let (code, answer) = desk.json("explain letter 1");
    assert_eq!(code, 0);
    has(
        only(&answer, "record"),
        "table key state claims holds will_go_on parent history",
    );
    has(
        &answer["record"]["history"][0],
        "entry at action class schedule",
    );

    let (code, answer) = desk.json("check");
    assert_eq!(code, 0);
    for diagnostic in only(&answer, "check")["diagnostics"].as_array().unwrap() {
        has(diagnostic, "severity code message hint at");
    }
}

#[tokio::test]
async fn a_second_pass_finds_only_what_waits() {
    let (url, desk) = office::open_on_any_day().await;
    assert_eq!(desk.json("run --class letters").0, 0);
    assert_eq!(
        support::number(&url, "SELECT count(*) FROM photo").await,
        4,
        "only letters were asked for"
    );
    assert_eq!(desk.json("run").0, 3);
    let (code, answer) = desk.json("run");
    assert_eq!(code, 3);
    for class in answer["run"]["classes"].as_array().unwrap() {
        for count in ["flagged", "anonymised", "deleted", "dependants"] {
            assert_eq!(class[count], 0, "{class}");
        }
    }
    // With nothing left that waits, it is done.
    support::sql(&url, "DELETE FROM participant; DELETE FROM sample").await;
    assert_eq!(desk.json("run").0, 0);
}

#[tokio::test]
async fn a_plan_that_was_looked_at_is_executed() {
    let (url, desk) = office::open_on_any_day().await;
    let digest = desk.json("plan").1["plan"]["digest"]
        .as_str()
        .unwrap()
        .to_owned();
    let (code, answer) = desk.json(&format!("run --on-plan {digest}"));
    assert_eq!(code, 3);
    assert_eq!(answer["run"]["plan"], digest.as_str());
    assert_eq!(
        support::number(&url, "SELECT count(*) FROM letter").await,
        4
    );
}

#[tokio::test]
async fn what_only_asks_changes_nothing() {
    let (url, desk) = office::open().await;
    let before = office::fingerprint(&url).await;
    for line in [
        "plan",
        "plan --on 1990-01-01",
        "plan --on 2026-11-23",
        "plan --on 2031-02-28",
        "plan --on 3999-12-31",
        "run --dry-run",
        "run --dry-run --class letters",
        "check",
        "status",
        "explain letter 1",
        "explain letter 1 --on 2100-01-01",
        "ledger list",
        "ledger verify --dry-run",
        "ledger export",
        "migrate",
        "check --offline",
        "plan --class letters --class study",
    ] {
        let said = desk.run(line);
        assert!(
            said.code == 0 || line.starts_with("ledger verify") && said.code == 3,
            "{line}: {said}"
        );
    }
    assert_eq!(office::fingerprint(&url).await, before);
}

#[tokio::test]
async fn a_dry_run_is_the_plan() {
    let (_, desk) = office::open().await;
    assert_eq!(desk.json("run --dry-run"), desk.json("plan"));
}

#[tokio::test]
async fn options_stand_before_or_after_the_command() {
    let (url, desk) = office::open().await;
    desk.write("other.toml", office::SCHEDULE);
    desk.write("settings.toml", "[log]\nlevel = \"warn\"\n");
    let desk = desk.set("DATABASE_URL", "postgres://nobody@127.0.0.1:1/nowhere");
    let options = [
        "--schedule",
        "other.toml",
        "--database",
        &url,
        "--config",
        "settings.toml",
        "--format",
        "json",
        "--no-progress",
        "-q",
    ];
    for command in [
        &["plan", "--on", "2026-11-23"][..],
        &["status"],
        &["explain", "letter", "4", "--on", "2026-11-23"],
        &["check"],
        &["ledger", "list"],
    ] {
        let before = desk.run_words(&[&options[..], command].concat());
        let after = desk.run_words(&[command, &options[..]].concat());
        assert_eq!((before.code, before.err.as_str()), (0, ""), "{before}");
        assert_eq!(before, after);
        let _ = before.object();
    }
}

#[tokio::test]
async fn the_database_is_the_options_before_the_environments_before_the_settings() {
    let (url, desk) = office::open().await;
    desk.write("settings.toml", format!("[database]\nurl = \"{url}\"\n"));
    let nowhere = "postgres://nobody@127.0.0.1:1/nowhere";
    let bare = Desk::bare();
    bare.write("retention.toml", office::SCHEDULE);
    let settings = desk.folder().join("settings.toml").display().to_string();
    assert_eq!(bare.run(&format!("plan --config {settings}")).code, 0);
    let bare = bare.set("DATABASE_URL", nowhere);
    assert_eq!(bare.run(&format!("plan --config {settings}")).code, 1);
    assert_eq!(
        bare.run(&format!("plan --config {settings} --database {url}"))
            .code,
        0
    );
}

#[tokio::test]
async fn tampering_is_exit_code_one_with_the_entry() {
    let (url, desk) = office::after_a_pass().await;
    let first = support::number(
        &url,
        "SELECT min(entry_id) FROM retentiond.ledger_entry WHERE action = 'deleted'",
    )
    .await;
    support::sql(
        &url,
        &format!(
            "ALTER TABLE retentiond.ledger_entry DISABLE TRIGGER ledger_append_only;
             UPDATE retentiond.ledger_entry SET class_id = 'nobody' WHERE entry_id = {first};
             ALTER TABLE retentiond.ledger_entry ENABLE ALWAYS TRIGGER ledger_append_only"
        ),
    )
    .await;
    let (code, answer) = desk.json("ledger verify");
    assert_eq!(code, 1);
    assert_eq!(
        (
            &answer["verify"]["verdict"],
            &answer["verify"]["first_bad"]["id"]
        ),
        (&"TAMPERED".into(), &first.into())
    );
    let said = desk.run("ledger verify");
    assert_eq!(said.code, 1);
    assert!(said.out.starts_with("TAMPERED\n"), "{said}");
    assert!(
        said.out
            .contains(&format!("(number {first}) is the first that is wrong: ")),
        "{said}"
    );
}

#[tokio::test]
async fn an_export_is_an_object_a_line_and_filters_agree_with_the_list() {
    let (_, desk) = office::after_a_pass().await;
    let said = desk.run("ledger export --class letters --action deleted");
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    let lines: Vec<Value> = said
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut keys: Vec<String> = Vec::new();
    for line in &lines {
        has(
            line,
            "entry at action class table run schedule actor records leaf hash",
        );
        assert_eq!(line["class"], "letters");
        for record in line["records"].as_array().unwrap() {
            has(record, "key trigger last_day");
            keys.push(format!(
                "{} {}",
                line["table"].as_str().unwrap(),
                record["key"]
            ));
        }
    }
    keys.sort();
    assert_eq!(
        keys,
        [
            "public.letter {\"id\":1}",
            "public.letter {\"id\":3}",
            "public.page {\"letter_id\":1,\"number\":1}",
            "public.page {\"letter_id\":1,\"number\":2}",
            "public.page {\"letter_id\":3,\"number\":1}",
            "public.page {\"letter_id\":3,\"number\":2}",
        ]
    );
    let listed = desk.json("ledger list --class letters --action deleted").1;
    assert_eq!(
        listed["ledger"]["entries"].as_array().unwrap().len(),
        lines.len()
    );
    let one = desk
        .json("ledger list --table page --key letter_id=3,number=1")
        .1;
    assert_eq!(one["ledger"]["entries"].as_array().unwrap().len(), 1);

    let file = desk.folder().join("ledger.csv").display().to_string();
    let said = desk.run(&format!(
        "ledger export --as-format csv --class letters --action deleted --output {file}"
    ));
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{said}");
    let csv = std::fs::read_to_string(&file).unwrap();
    assert_eq!(csv.lines().count(), 1 + keys.len(), "{csv}");
}

/// Errors of every kind have the same five keys.
#[tokio::test]
async fn errors_have_one_shape() {
    let (_, desk) = office::open().await;
    let lines = [
        "plan --schedule none",
        "plan --class nope",
        "explain nope 1",
        "explain letter x",
        "run --on-plan zz",
        "plan --config none",
        "plan --database garbage",
        "plan --database postgres://x@127.0.0.1:1/x",
        "ledger list --action nope",
        "plan --on nope",
        "nope",
    ];
    for line in lines {
        let said: Said = desk.run(&format!("{line} --format json"));
        let error = said.error();
        let keys: Vec<&String> = error.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["code", "message", "causes", "hint", "at"], "{line}");
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|text| !text.is_empty() && !text.contains('\n')),
            "{line}: {error}"
        );
        assert!(
            error["hint"].as_str().is_some_and(|text| !text.is_empty()),
            "{line}: {error}"
        );
    }
}
