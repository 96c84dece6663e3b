//! One pass over the sample organisation, against what plain SQL, written by hand from
//! the notices, says that it must do: numbers, rows, files, and every line of the ledger.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod story;
#[path = "../support/mod.rs"]
mod support;

use std::collections::{BTreeSet, HashSet};

use retentiond::enforce::{ClassReport, Outcome, RunReport, Status};
use retentiond::survey::{ClassCounts, Counts};
use story::{Story, TABLES, everything_of_ours, story};

/// The classes that act, in the schedule's order: what is counted of each by hand.
const COUNTED: [(&str, &str, &[&str], &[&str]); 7] = [
    // class, records, dependants, files
    (
        "communications",
        "must.correspondence",
        &[
            "must.attachment",
            "must.case_note",
            "must.unlink_foi_request",
            "must.unlink_social_message",
        ],
        &[],
    ),
    (
        "foi-requests",
        "must.foi_request",
        &["must.foi_exchange"],
        &[],
    ),
    (
        "photos-videos",
        "must.media",
        &["must.consent_form"],
        &["must.media", "must.consent_form"],
    ),
    (
        "applicants-unsuccessful",
        "must.applicant WHERE class = 'applicants-unsuccessful'",
        &[],
        &[],
    ),
    (
        "applicants-merit-list",
        "must.applicant WHERE class = 'applicants-merit-list'",
        &[],
        &[],
    ),
    (
        "survey-samples",
        "must.survey_sample",
        &["must.survey_contact_attempt"],
        &[],
    ),
    ("social-dms", "must.social_message", &[], &[]),
];

async fn count(story: &Story, from: &str) -> u64 {
    let rows = support::number(&story.url, &format!("SELECT count(*) FROM {from}")).await;
    u64::try_from(rows).unwrap()
}

async fn sum(story: &Story, tables: &[&str]) -> u64 {
    let mut sum = 0;
    for table in tables {
        sum += count(story, table).await;
    }
    sum
}

fn class<'a>(report: &'a RunReport, id: &str) -> &'a ClassReport {
    report
        .classes
        .iter()
        .find(|class| class.id.as_str() == id)
        .unwrap()
}

fn counts<'a>(counted: &'a [ClassCounts], id: &str) -> &'a ClassCounts {
    counted
        .iter()
        .find(|class| class.id.as_str() == id)
        .unwrap()
}

fn counts_of<'a>(counted: &'a [ClassCounts], id: &str) -> &'a Counts {
    counts(counted, id).counts.as_ref().unwrap()
}

/// Asserts that both queries answer the same rows, and shows some that only one does.
async fn assert_same(story: &Story, what: &str, left: &str, right: &str) {
    for (side, only) in [
        ("not expected", format!("({left}) EXCEPT ALL ({right})")),
        ("missing", format!("({right}) EXCEPT ALL ({left})")),
    ] {
        let sql = format!("SELECT d::text FROM ({only}) AS d LIMIT 5");
        assert_eq!(
            support::texts(&story.url, &sql).await,
            [""; 0],
            "{what}: {side}"
        );
    }
}

#[tokio::test]
async fn there_is_something_to_do_and_something_to_leave_in_every_class() {
    let story = story().await;
    for (id, records, dependants, files) in COUNTED {
        let table = records.trim_start_matches("must.");
        let table = table.split(' ').next().unwrap();
        let go = count(story, records).await;
        let all = count(story, &format!("was.{table}")).await;
        assert!(go >= 50 && go < all, "{id}: {go} of {all}");
        for dependants in dependants.iter().chain(files) {
            assert!(count(story, dependants).await > 0, "{id}: {dependants}");
        }
    }
    // Forms that lose some of their pictures and stay.
    let shared = "was.consent_form AS f WHERE id NOT IN (SELECT id FROM must.consent_form)
        AND EXISTS (SELECT FROM was.media AS m JOIN must.media USING (id) WHERE m.consent_form_id = f.id)";
    assert!(count(story, shared).await > 0);
}

#[tokio::test]
async fn the_report_has_the_numbers_that_were_counted_beforehand() {
    let story = story().await;
    for (id, records, dependants, files) in COUNTED {
        let class = class(&story.first, id);
        let records = count(story, records).await;
        let (deleted, anonymised) = match class.disposal {
            "anonymise" => (0, records),
            _ => (records, 0),
        };
        assert_eq!(class.status, Status::Done, "{id}");
        assert_eq!(
            (class.deleted, class.anonymised, class.flagged),
            (deleted, anonymised, 0),
            "{id}"
        );
        let (unlinked, deleted): (Vec<&str>, Vec<&str>) = dependants
            .iter()
            .partition(|table| table.contains("unlink_"));
        assert_eq!(class.dependants, sum(story, &deleted).await, "{id}");
        assert_eq!(class.unlinked, sum(story, &unlinked).await, "{id}");
        assert_eq!(class.files, sum(story, files).await, "{id}");
        assert_eq!(
            (class.failed, class.waiting, class.conflict),
            (0, 0, 0),
            "{id}"
        );
    }
    for id in ["applicants-successful", "newsletter-opt-outs"] {
        let class = class(&story.first, id);
        assert_eq!((class.status, class.acted()), (Status::Retained, 0), "{id}");
    }
    let research = class(&story.first, "capv-research");
    assert_eq!((research.status, research.acted()), (Status::Waiting, 0));
    assert_eq!(research.waiting, count(story, "was.capv_participant").await);
    assert_eq!(story.first.outcome, Outcome::Completed);
    assert_eq!(story.first.exit_code(), 3, "the research data waits");
}

#[tokio::test]
async fn what_is_left_is_exactly_what_plain_sql_leaves() {
    let story = story().await;
    for (table, _) in TABLES {
        assert_same(
            story,
            table,
            &format!("SELECT t::text FROM public.{table} AS t"),
            &format!("SELECT t::text FROM remain.{table} AS t"),
        )
        .await;
    }
}

#[tokio::test]
async fn a_row_that_was_not_due_was_not_even_rewritten() {
    let story = story().await;
    assert_same(
        story,
        "rows without a line in the ledger",
        "SELECT * FROM was.rows_after_first WHERE (table_name, key) NOT IN (SELECT table_name, key FROM said.line)",
        "SELECT * FROM was.rows_before WHERE (table_name, key) NOT IN (SELECT table_name, key FROM said.line)",
    )
    .await;
}

#[tokio::test]
async fn each_row_that_went_or_changed_has_one_line_and_each_line_its_row() {
    let story = story().await;
    assert_same(
        story,
        "lines of deletions against rows that are gone",
        "SELECT table_name, key FROM said.line WHERE action = 'deleted'",
        "SELECT table_name, key FROM was.rows_before EXCEPT SELECT table_name, key FROM was.rows_after_first",
    )
    .await;
    assert_same(
        story,
        "other lines against rows that changed",
        "SELECT table_name, key FROM said.line WHERE action <> 'deleted'",
        "SELECT table_name, key FROM was.rows_before JOIN was.rows_after_first AS a USING (table_name, key)
         WHERE a.bytes <> rows_before.bytes",
    )
    .await;
    let new = "was.rows_after_first WHERE (table_name, key) NOT IN (SELECT table_name, key FROM was.rows_before)";
    assert_eq!(count(story, new).await, 0);
}

#[tokio::test]
async fn every_line_names_its_class_its_parent_its_trigger_and_its_last_day() {
    let story = story().await;
    assert_same(
        story,
        "lines",
        "SELECT * FROM said.line WHERE table_name <> 'public.consent_form'",
        "SELECT * FROM must.line",
    )
    .await;
}

#[tokio::test]
async fn the_line_of_a_form_names_one_of_the_photos_it_went_with() {
    let story = story().await;
    assert_same(
        story,
        "forms",
        "SELECT (key ->> 'id')::bigint FROM said.line WHERE table_name = 'public.consent_form'",
        "SELECT id FROM must.consent_form",
    )
    .await;
    let right = "said.line AS l
        JOIN was.media AS m ON l.parent = jsonb_build_object('id', m.id) AND l.key = jsonb_build_object('id', m.consent_form_id)
        JOIN must.media AS g ON g.id = m.id AND (g.trigger_on, g.last_day) IS NOT DISTINCT FROM (l.trigger_on, l.last_day)
        WHERE l.table_name = 'public.consent_form' AND l.action = 'deleted' AND l.class = 'photos-videos'";
    assert_eq!(
        count(story, right).await,
        count(story, "must.consent_form").await
    );
}

#[tokio::test]
async fn before_the_pass_the_survey_counts_what_will_go() {
    let story = story().await;
    for (id, records, dependants, _) in COUNTED {
        let counted = counts(&story.counts_before, id);
        let due = counts_of(&story.counts_before, id).due;
        assert_eq!(due, count(story, records).await, "{id}");
        for table in dependants {
            // What is only unlinked does not go.
            let Some(name) = table
                .strip_prefix("must.")
                .filter(|name| !name.starts_with("unlink_"))
            else {
                continue;
            };
            assert_eq!(
                counted.dependants.get(&format!("public.{name}")),
                Some(&count(story, table).await),
                "{id}: {name}"
            );
        }
    }
}

#[tokio::test]
async fn the_survey_counts_every_state_as_plain_sql_does() {
    let story = story().await;
    // Late: it should have gone by yesterday, which a maximum does on its last day.
    for (id, late) in [
        (
            "communications",
            "must.correspondence WHERE last_day < '2026-11-22'",
        ),
        (
            "foi-requests",
            "must.foi_request WHERE last_day < '2026-11-22'",
        ),
        ("photos-videos", "must.media WHERE last_day < '2026-11-23'"),
        (
            "survey-samples",
            "must.survey_sample WHERE last_day < '2026-11-23'",
        ),
        (
            "social-dms",
            "must.social_message WHERE last_day < '2026-11-22'",
        ),
        (
            "applicants-merit-list",
            "must.applicant WHERE class = 'applicants-merit-list' AND last_day < '2026-11-22'",
        ),
        ("capv-research", "was.capv_participant"),
    ] {
        assert_eq!(
            counts_of(&story.counts_before, id).overdue,
            count(story, late).await,
            "{id}"
        );
    }
    // On the merit list, past six months from the decision and so claimed by both.
    let kept = "was.applicant WHERE outcome = 'unsuccessful' AND met_merit_criteria
        AND decided_on >= '1990-01-01' AND (decided_on + interval '6 months')::date < '2026-11-23'";
    let shorter = counts_of(&story.counts_before, "applicants-unsuccessful");
    assert_eq!(shorter.retained_by_other, count(story, kept).await);
    assert_eq!(
        shorter.claimed,
        count(story, "was.applicant WHERE outcome = 'unsuccessful'").await
    );

    let letters = counts_of(&story.counts_before, "communications");
    let trigger = "(SELECT CASE WHEN closed_at IS NOT NULL THEN closed_at WHEN case_id IS NULL THEN received_at END AS at FROM was.correspondence) AS c";
    for (name, counted, condition) in [
        ("claimed", letters.claimed, "true"),
        ("without", letters.without_trigger, "at IS NULL"),
        (
            "implausible",
            letters.implausible_trigger,
            "at < '1990-01-01 00:00Z'",
        ),
        (
            "future",
            letters.future_trigger,
            "at >= '2026-11-24 00:00Z'",
        ),
    ] {
        let expected = count(story, &format!("{trigger} WHERE {condition}")).await;
        assert!(expected > 0, "{name}");
        assert_eq!(counted, expected, "{name}");
    }
    let research = counts_of(&story.counts_before, "capv-research");
    assert_eq!(
        (research.due, research.waiting),
        (0, count(story, "was.capv_participant").await)
    );
}

#[tokio::test]
async fn after_the_pass_nothing_is_due() {
    let story = story().await;
    for (id, records, ..) in COUNTED {
        let counted = counts_of(&story.counts_after, id);
        assert_eq!((counted.due, counted.overdue), (0, 0), "{id}");
        if id.starts_with("applicants") {
            assert_eq!(counted.done, count(story, records).await, "{id}");
        } else {
            let before = counts_of(&story.counts_before, id).claimed;
            assert_eq!(
                counted.claimed,
                before - count(story, records).await,
                "{id}"
            );
        }
    }
    for id in [
        "applicants-successful",
        "newsletter-opt-outs",
        "capv-research",
    ] {
        assert_eq!(
            counts(&story.counts_after, id),
            counts(&story.counts_before, id),
            "{id}"
        );
    }
}

#[tokio::test]
async fn the_files_of_the_photos_and_forms_are_gone_and_no_other() {
    let story = story().await;
    let paths = |condition: &str| {
        format!(
            "SELECT path FROM was.media WHERE id {condition} (SELECT id FROM must.media)
             UNION ALL SELECT scan_path FROM was.consent_form WHERE id {condition} (SELECT id FROM must.consent_form)"
        )
    };
    let left: BTreeSet<String> = support::texts(&story.url, &paths("NOT IN"))
        .await
        .into_iter()
        .collect();
    let gone: BTreeSet<String> = support::texts(&story.url, &paths("IN"))
        .await
        .into_iter()
        .collect();
    assert_eq!(story.files_after, left);
    assert_eq!(
        story
            .files_before
            .difference(&story.files_after)
            .cloned()
            .collect::<BTreeSet<_>>(),
        gone
    );
    assert_eq!(count(story, "retentiond.file_work").await, 0);

    let said: u64 = story.entries[0]
        .iter()
        .filter(|entry| entry["action"] == "file-removed")
        .map(|entry| {
            assert_eq!(entry["class"], "photos-videos");
            let leaf = hex::decode(entry["leaf"].as_str().unwrap()).unwrap();
            retentiond::ledger::Entry::decode(&leaf).unwrap().count
        })
        .sum();
    assert_eq!(said, gone.len() as u64);
}

#[tokio::test]
async fn a_second_pass_disposes_of_nothing_and_rewrites_nothing() {
    let story = story().await;
    for class in &story.second.classes {
        let did = (class.acted(), class.dependants, class.files, class.batches);
        assert_eq!(did, (0, 0, 0, 0), "{}", class.id);
        assert_eq!(class.failed, 0, "{}", class.id);
    }
    assert_same(
        story,
        "rows after the second pass",
        "TABLE was.rows_after_second",
        "TABLE was.rows_after_first",
    )
    .await;
    let [first, second] = &story.entries;
    assert_eq!(&second[..first.len()], &first[..]);
    for entry in &second[first.len()..] {
        assert_eq!(entry["records"], serde_json::json!([]), "{entry}");
        assert_eq!(entry["class"], serde_json::Value::Null, "{entry}");
    }
}

#[tokio::test]
async fn the_ledger_verifies() {
    let story = story().await;
    let mut conn = support::ours(&story.url).await;
    let verified = retentiond::ledger::store::verify(
        &mut conn,
        &retentiond::ledger::audit::Trust::default(),
        &retentiond::ledger::store::Reading::Whole,
        |_| (),
    )
    .await
    .unwrap()
    .to_json();
    let verify = &verified["verify"];
    assert_eq!(verify["verdict"], "OK", "{verify}");
    assert_eq!(verify["first_bad"], serde_json::Value::Null);
    assert_eq!(
        verify["records"],
        count(story, "said.line").await,
        "{verify}"
    );
}

#[tokio::test]
async fn nobody_of_the_sample_can_be_found_in_the_bookkeeping() {
    let story = story().await;
    let ours = everything_of_ours(&story.url).await;
    // That the search finds what is there: a name in the entries, and a key that is a text.
    assert!(ours.contains("photos-videos") && ours.contains("public.survey_sample"));
    let campaign = support::texts(
        &story.url,
        "SELECT campaign FROM must.survey_sample LIMIT 1",
    )
    .await;
    assert!(ours.contains(&campaign[0]));

    let needles = support::texts(
        &story.url,
        &format!("{} ORDER BY needle", include_str!("personal.sql")),
    )
    .await;
    assert!(needles.len() > 10_000, "{}", needles.len());
    // Sixty thousand searches would take half a minute; most end at their beginning.
    let beginnings: HashSet<&[u8]> = ours.as_bytes().windows(6).collect();
    let found: Vec<&String> = needles
        .iter()
        .filter(|needle| beginnings.contains(&needle.as_bytes()[..6]))
        .filter(|needle| ours.contains(needle.as_str()))
        .collect();
    assert!(found.is_empty(), "{found:?}");
}
