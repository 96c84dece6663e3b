//! What a reviewer is shown of a record.

use retentiond::plan::Ask;
use retentiond::review::Decision;
use serde_json::{Value, json};

use crate::office::{self, Room, TODAY, only};
use crate::{stage, support};

/// A record as scripts get it, with its key.
fn all(shown: &[retentiond::survey::Shown]) -> Vec<Value> {
    let one = |one: &retentiond::survey::Shown| {
        let mut value = json!(one);
        value["key"] = json!(one.key.to_texts().join(","));
        value
    };
    shown.iter().map(one).collect()
}

#[tokio::test]
async fn a_reviewer_sees_what_a_decision_takes() {
    let url = office::open().await;
    let mut room = Room::on(&url, &office::schedule(), "dossiers", TODAY).await;
    assert_eq!(
        room.decide(&only("id = 1"), Decision::Approve, "Jo").await,
        1
    );
    assert_eq!(
        room.decide(&only("id = 3"), Decision::HandOn("Kim Field"), "Jo")
            .await,
        1
    );
    let shown = all(&room.shown(&Ask::default()).await);
    let expected = [
        json!({
            "key": "7", "trigger": "2014-05-05", "last_day": "2022-05-05", "days_past": 1_663, "last_activity": null,
            "dependants": { "public.page": 3 }, "files": 0,
            "why": "closed on 5 May 2014, kept 8 years, through 5 May 2022",
            "approved_by": [], "void": null, "handed_to": null, "preview": [["about", "@Cy"], ["amount", null]],
        }),
        json!({
            "key": "10", "trigger": "2014-05-05", "last_day": "2022-05-05", "days_past": 1_663, "last_activity": null,
            "dependants": {}, "files": 0,
            "why": "closed on 5 May 2014, kept 8 years, through 5 May 2022",
            "approved_by": [], "void": null, "handed_to": null, "preview": [["about", null], ["amount", null]],
        }),
        json!({
            "key": "2", "trigger": "2015-06-30", "last_day": "2023-06-30", "days_past": 1_242, "last_activity": "2015-06-30",
            "dependants": { "public.page": 1 }, "files": 1,
            "why": "closed on 30 June 2015, kept 8 years, through 30 June 2023",
            "approved_by": [], "void": null, "handed_to": null, "preview": [["about", "Bo\nFerro"], ["amount", "3.00"]],
        }),
        json!({
            "key": "3", "trigger": "2017-01-31", "last_day": "2025-01-31", "days_past": 661, "last_activity": null,
            "dependants": { "public.mention": 2 }, "files": 0,
            "why": "received on 31 January 2017, kept 8 years, through 31 January 2025",
            "approved_by": [], "void": null, "handed_to": "Kim Field", "preview": [["about", null], ["amount", null]],
        }),
        json!({
            "key": "1", "trigger": "2018-03-03", "last_day": "2026-03-03", "days_past": 265, "last_activity": "2018-02-05",
            "dependants": { "public.mention": 1, "public.page": 2, "public.sheet": 3 }, "files": 2,
            "why": "closed on 3 March 2018, kept 8 years, through 3 March 2026",
            "approved_by": ["Jo"], "void": null, "handed_to": null,
            "preview": [["about", "=HYPERLINK(\"x\"), \"Ann\""], ["amount", "-12.50"]],
        }),
    ];
    for (found, expected) in shown.iter().zip(&expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(shown.len(), expected.len());
}

/// Why an approval counts no more is told, and what it was of can be asked for.
#[tokio::test]
async fn a_record_that_is_queued_again_says_why() {
    let url = office::open().await;
    let toml = office::schedule();
    let mut room = Room::on(&url, &toml, "dossiers", TODAY).await;
    for by in ["Jo", "Kim"] {
        room.decide(&only("id IN (1, 2, 7)"), Decision::Approve, by)
            .await;
    }
    assert_eq!(room.keys(&Ask::default()).await, ["10", "3"]);
    support::sql(
        &url,
        "UPDATE dossier SET closed_on = '2018-03-04' WHERE id = 1",
    )
    .await;
    let again = Ask {
        again: true,
        ..Ask::default()
    };
    let said = |shown: Vec<retentiond::survey::Shown>| -> Vec<String> {
        let one = |one: retentiond::survey::Shown| {
            format!(
                "{}: {}",
                one.key.to_texts()[0],
                one.void.unwrap_or_default()
            )
        };
        shown.into_iter().map(one).collect()
    };
    assert_eq!(
        said(room.shown(&again).await),
        ["1: Kim had approved it (review 2): its trigger was 2018-03-03 and is 2018-03-04"]
    );
    // A longer period is another meaning of the class, and other days.
    let longer = toml.replace("8 years", "8 years 1 day");
    let mut room = Room::on(&url, &longer, "dossiers", TODAY).await;
    assert_eq!(
        said(room.shown(&again).await),
        [
            "7: Kim had approved it (review 2): its last day was 2022-05-05 and is 2022-05-06",
            "2: Kim had approved it (review 2): its last day was 2023-06-30 and is 2023-07-01",
            "1: Kim had approved it (review 2): its trigger was 2018-03-03 and is 2018-03-04",
        ]
    );
    // What is shown is no part of what was approved.
    let other = toml.replace("[\"about\", \"amount\"]", "[\"amount\"]");
    let mut room = Room::on(&url, &other, "dossiers", TODAY).await;
    assert_eq!(room.keys(&again).await, ["1"]);
}

/// A column that is not there is told before anybody needs it, and the class waits until then.
#[tokio::test]
async fn a_previewed_column_that_is_not_there_refuses_the_class() {
    let url = office::open().await;
    let toml = office::schedule().replace("\"amount\"]", "\"amuont\"]");
    let plan = support::plan(&url, &toml, support::at(TODAY)).await;
    let [refusal] = &plan.classes()[0].refusals[..] else {
        panic!("{:?}", plan.classes()[0].refusals);
    };
    assert_eq!(
        (
            refusal.code.as_str(),
            &*refusal.message,
            refusal.hint.as_deref()
        ),
        (
            "R0302",
            "class `dossiers`: there is no column `amuont` in table `public.dossier` that reviewers could be shown",
            Some("did you mean `amount`?")
        )
    );
    let desk = crate::command::Desk::with(&url, &toml);
    let said = desk.run("check");
    assert_eq!(said.code, 2, "{said}");
    assert!(said.out.contains("preview = ["), "{said}");
}

/// Rows are counted once by however many ways they hang on a record: replies below replies,
/// a form that two photos share, a row that hangs on the record and on what hangs on it.
#[tokio::test]
async fn what_hangs_on_a_record_is_counted_once() {
    let url = stage::database(
        "CREATE TABLE message (\"to\" text, no int, answers_to text, answers_no int, sent_on date, \"Kopf\" text,
             PRIMARY KEY (\"to\", no), FOREIGN KEY (answers_to, answers_no) REFERENCES message (\"to\", no));
         CREATE TABLE clip (id uuid PRIMARY KEY, m_to text, m_no int, of_clip uuid, FOREIGN KEY (m_to, m_no) REFERENCES message (\"to\", no));
         CREATE TABLE tag (id int PRIMARY KEY, clip_id uuid REFERENCES clip, m_to text, m_no int,
             FOREIGN KEY (m_to, m_no) REFERENCES message (\"to\", no));
         CREATE TABLE form (id int PRIMARY KEY);
         CREATE TABLE photo (id int PRIMARY KEY, form_id int REFERENCES form, taken_at timestamptz);
         INSERT INTO message VALUES ('a', 1, NULL, NULL, '2010-01-01', 'x'), ('a', 2, 'a', 1, '2010-01-02', NULL),
             ('a,b', 3, 'a', 2, '2010-01-03', NULL), ('b', 10, NULL, NULL, '2010-01-04', 'y');
         INSERT INTO clip VALUES ('00000000-0000-0000-0000-000000000001', 'a', 1), ('00000000-0000-0000-0000-000000000002', 'a,b', 3);
         INSERT INTO tag VALUES (1, '00000000-0000-0000-0000-000000000001', 'a', 1), (2, '00000000-0000-0000-0000-000000000002', NULL, NULL),
             (3, NULL, 'b', 10);
         INSERT INTO form VALUES (1), (2);
         INSERT INTO photo VALUES (1, 1, '2010-06-30T23:30:00Z'), (2, 1, '2011-01-01'), (3, NULL, '2012-01-01')",
    )
    .await;
    let classes = [
        stage::class(
            "messages",
            "table = \"message\"\ntrigger = \"sent_on\"\nperiod = \"1 year\"\ndisposal = \"delete\"\ngate = \"review\"\n\
             preview = [\"Kopf\"]\ndependants = [\"message\", \"clip\", \"tag\"]\n",
        ),
        stage::class(
            "photos",
            "table = \"photo\"\ntrigger = \"taken_at\"\nperiod = \"1 year\"\nlimit = \"maximum\"\ndisposal = \"delete\"\n\
             gate = \"review\"\ndependants = [\"form\"]\n",
        ),
    ];
    let toml = format!("{}{}", stage::HEAD, classes.concat());
    let mut room = Room::on(&url, &toml, "messages", TODAY).await;
    let hanging = |shown: Vec<retentiond::survey::Shown>| -> Vec<Value> {
        let one =
            |one: retentiond::survey::Shown| json!([one.key.to_texts().join(" "), one.dependants]);
        shown.into_iter().map(one).collect()
    };
    assert_eq!(
        hanging(room.shown(&Ask::default()).await),
        [
            json!(["a 1", { "public.message": 2, "public.clip": 2, "public.tag": 2 }]),
            json!(["a 2", { "public.message": 1, "public.clip": 1, "public.tag": 1 }]),
            json!(["a,b 3", { "public.clip": 1, "public.tag": 1 }]),
            json!(["b 10", { "public.tag": 1 }]),
        ]
    );
    let mut room = Room::on(&url, &toml, "photos", TODAY).await;
    let shown = room.shown(&Ask::default()).await;
    // In London it was the day after already.
    assert_eq!(
        shown[0].why,
        "taken on 1 July 2010, kept at most 1 year, until 1 July 2011"
    );
    assert_eq!(
        hanging(shown),
        [
            json!(["1", { "public.form": 1 }]),
            json!(["2", { "public.form": 1 }]),
            json!(["3", {}]),
        ]
    );
}

/// What is flagged waits until somebody has decided; flags are made, and said, once.
#[tokio::test]
async fn a_flag_is_set_and_entered_once_and_not_on_every_day() {
    let url = stage::database(
        "CREATE TABLE visit (id bigint PRIMARY KEY, name text, made_on date);
         INSERT INTO visit VALUES (1, 'Ann', '2024-01-01'), (2, 'Bob', '2024-01-02'), (3, 'Cy', '2025-12-24');
         CREATE TABLE letter (id bigint PRIMARY KEY, closed_on date);
         INSERT INTO letter VALUES (1, '2024-01-01')",
    )
    .await;
    let classes = [
        stage::class(
            "visits",
            "table = \"visit\"\ntrigger = \"made_on\"\nperiod = \"1 year\"\ndisposal = \"flag\"\npreview = [\"name\"]\n",
        ),
        stage::class(
            "letters",
            "table = \"letter\"\ntrigger = \"closed_on\"\nperiod = \"1 year\"\nnotice = \"30 days\"\ndisposal = \"delete\"\n",
        ),
    ];
    let toml = format!("{}{}", stage::HEAD, classes.concat());
    let flagged = async |day: &str| {
        let report = support::pass(&url, &toml, support::at(day)).await;
        let flags = "SELECT count(*) FROM retentiond.flag";
        let entries = "SELECT count(*) FROM retentiond.ledger_entry WHERE action = 'flagged'";
        (
            report
                .classes
                .iter()
                .map(|class| class.flagged)
                .sum::<u64>(),
            support::number(&url, flags).await,
            support::number(&url, entries).await,
        )
    };
    // Visits 1 and 2, and the letter's notice; an entry for each table.
    assert_eq!(flagged("2026-11-23").await, (3, 3, 2));
    let when = "SELECT class_id || flagged_at FROM retentiond.flag ORDER BY 1, key";
    let before = support::texts(&url, when).await;
    for day in ["2026-11-23", "2026-11-24", "2026-11-25"] {
        let mut room = Room::on(&url, &toml, "visits", day).await;
        assert_eq!(room.keys(&Ask::default()).await, ["1", "2"], "{day}");
        assert_eq!(flagged(day).await, (0, 3, 2), "{day}");
        assert_eq!(support::texts(&url, when).await, before, "{day}");
    }
    // Visit 3 is past on 25 November; flagging it leaves the others as they are.
    support::sql(&url, "UPDATE visit SET made_on = '2025-11-25' WHERE id = 3").await;
    assert_eq!(flagged("2026-11-26").await, (1, 4, 3));
    assert_eq!(flagged("2026-11-27").await, (0, 4, 3));
    // What somebody has decided about is not flagged anew either.
    let mut room = Room::on(&url, &toml, "visits", "2026-11-27").await;
    let shown = room.shown(&only("id = 1")).await;
    assert_eq!(
        (&*shown[0].why, &shown[0].preview[0].1),
        (
            "made on 1 January 2024, kept 1 year, through 1 January 2025",
            &Some("Ann".to_owned())
        )
    );
    room.decide(&only("id = 1"), Decision::Approve, "Jo").await;
    assert_eq!(room.keys(&Ask::default()).await, ["2", "3"]);
    assert_eq!(flagged("2026-11-28").await, (0, 4, 3));
}
