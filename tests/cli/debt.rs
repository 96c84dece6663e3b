//! `status --overdue`, and that what it says is what its exit code says. On any day: everything
//! late here has been late for years.

use insta::assert_snapshot;
use serde_json::json;

use crate::{office, support};

#[tokio::test]
async fn what_is_late_is_told_by_what_keeps_it_and_exits_with_3() {
    let (url, desk) = office::open_on_any_day().await;
    assert_eq!(desk.run("migrate").code, 0);
    let line = "hold place --record letter 5 --kind litigation --reference R --reason W --owner O";
    assert_eq!(desk.run(line).code, 0);
    let said = desk.run("status --overdue");
    assert_eq!(said.code, 3, "{said}");
    let (first, rest) = said.out.split_once("\n\n").unwrap();
    assert!(first.starts_with("13 things are late on "), "{said}");
    assert_snapshot!(rest, @r"
    class        kept by                   records  over a year  since
    letters      nothing: the next pass          2            2  2018-01-02
    letters      a hold                          1            1  2024-05-06
    turned-down  nothing: the next pass          1            1  2010-07-02
    merit-list   nothing: the next pass          1            1  2011-01-02
    photos       nothing: the next pass          2            2  2014-01-01
    samples      another class (conflict)        1            1  2013-01-01
    samples      nothing: the next pass          2            2  2013-01-01
    study        no instruction yet              2            2  2021-10-30
    visits       nothing: the next pass          1            1  2011-01-02

    letters: 2 records have no date that can be believed: nobody can say whether they are late.
    photos: 1 record has no date that can be believed: nobody can say whether they are late.
    ");
    let (code, answer) = desk.json("status --overdue");
    assert_eq!(code, 3);
    let overdue = &answer["status"]["overdue"];
    assert_eq!(overdue["ages_from"], json!([1, 8, 31, 91, 366]));
    let letters = &overdue["classes"][0];
    assert_eq!(letters["id"], "letters");
    assert_eq!(
        letters["reasons"],
        json!([
            { "reason": "next-pass", "records": 2, "ages": [0, 0, 0, 0, 2], "since": letters["reasons"][0]["since"] },
            { "reason": "held", "records": 1, "ages": [0, 0, 0, 0, 1], "since": letters["reasons"][1]["since"] },
        ])
    );
    // Looking is no pass, and the other status does not mind what is late.
    assert_eq!(desk.run("status").code, 0);

    // What can go is gone; what waits for somebody is late still.
    desk.run("run");
    assert_eq!(desk.run("status --overdue").code, 3);
    let keepers = [
        "hold release 1 --reason over",
        "instruct study --by C --reference R",
    ];
    for line in keepers {
        assert_eq!(desk.run(line).code, 0, "{line}");
    }
    support::sql(
        &url,
        "DELETE FROM photo; DELETE FROM form; DELETE FROM sample",
    )
    .await;
    desk.run("run");
    let said = desk.run("status --overdue");
    assert_eq!(said.code, 0, "{said}");
    assert!(said.out.starts_with("Nothing is late on "), "{said}");
}

/// What waits for a person is said with every `status`, and no more once it is done.
#[tokio::test]
async fn status_reminds_of_what_waits_for_a_person() {
    let (url, desk) = office::open_on_any_day().await;
    assert_eq!(desk.run("migrate").code, 0);
    let kinds = || {
        let (code, answer) = desk.json("status");
        assert_eq!(code, 0, "{answer}");
        let reminders = answer["status"]["reminders"].as_array().unwrap().clone();
        let kind = |one: &serde_json::Value| {
            format!(
                "{} {} {}",
                one["kind"].as_str().unwrap(),
                one["class"].as_str().unwrap_or("-"),
                one["count"]
            )
        };
        reminders.iter().map(kind).collect::<Vec<_>>()
    };
    assert_eq!(kinds(), ["instruction study 2", "operators - 0"]);
    let said = desk.run("status");
    assert!(
        said.out.contains(
            "study: 2 records wait for the controller's instruction, the oldest since 2021-10-29: \
             `retentiond instruct study --by NAME --reference REF`.\n"
        ),
        "{said}"
    );
    for line in [
        "operator add Jo --role administrator",
        "hold place --record letter 5 --kind other --reference R --reason W --owner O --review-on 2026-01-01 --as Jo",
        "hold place --record letter 6 --kind other --reference R --reason W --owner O --review-on 2088-01-01 --as Jo",
        "exempt place --class samples --kind archiving --authority A --reference R --reason W --owner O --review-on 2026-02-01 --as Jo",
        "pause visits --reason moving --as Jo",
    ] {
        assert_eq!(desk.run(line).code, 0, "{line}");
    }
    assert_eq!(
        kinds(),
        [
            "pause visits 1",
            "instruction study 2",
            "hold-review - 1",
            "exemption-review - 1"
        ]
    );
    let said = desk.run("status");
    for words in [
        "by Jo: moving.\n",
        "1 hold is to be looked at again, the first since 2026-01-01 (1): `retentiond hold list --open`.\n",
        "1 exemption is to be looked at again, the first since 2026-02-01 (3): `retentiond exempt list --open`.\n",
    ] {
        assert!(said.out.contains(words), "{words}{said}");
    }
    for line in [
        "hold release 1 --reason over --as Jo",
        "exempt release 3 --reason over --yes --as Jo",
        "resume visits --as Jo",
        "instruct study --by C --reference R --as Jo",
    ] {
        assert_eq!(desk.run(line).code, 0, "{line}");
    }
    assert_eq!(kinds(), [""; 0]);
    drop(url);
}
