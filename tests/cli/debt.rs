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
