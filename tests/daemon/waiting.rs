//! A schedule that waits for a person: nothing of it is in force, and the service says so
//! each time.

use tracing::Level;

use crate::harness::{self, NIGHTLY};
use crate::support;

/// The same schedule, which asks a person.
fn by_hand(every: &str, period: &str) -> String {
    harness::schedule(every, period).replace("accept = \"automatic\"", "accept = \"by hand\"")
}

fn digest(toml: &str) -> String {
    format!("sha256:{}", hex::encode(support::schedule(toml).digest()))
}

/// A person accepts a version.
async fn accept(url: &str, toml: &str, at: &str) {
    use retentiond::review::{self, How, NewVersion};
    let schedule = support::schedule(toml);
    let mut conn = support::ours(url).await;
    let versions = retentiond::survey::versions(&mut conn, &schedule)
        .await
        .unwrap();
    let version = NewVersion {
        digest: schedule.digest(),
        file_digest: schedule.file_digest(),
        text: schedule.text(),
        previous: versions.accepted.as_ref().map(|old| &old.stored),
    };
    let how = How::ByHand {
        reason: "agreed",
        counts: &[],
    };
    review::bring_into_force(&mut conn, &version, how, "operator", harness::at(at))
        .await
        .unwrap();
}

async fn left(url: &str) -> i64 {
    support::number(url, "SELECT count(*) FROM public.matter").await
}

async fn office() -> String {
    let url = harness::database().await;
    support::sql(
        &url,
        "INSERT INTO public.matter VALUES (1, '2015-01-01'), (2, '2024-06-01')",
    )
    .await;
    url
}

#[tokio::test]
async fn a_schedule_that_was_never_accepted_does_nothing_night_after_night() {
    let url = office().await;
    let toml = by_hand(NIGHTLY, "8 years");
    let mut service = harness::start(&url, &toml, "2026-01-05T12:00:00Z");
    service.until("2026-01-07T12:00:00Z").await;
    assert_eq!(service.passes().await, Vec::<String>::new());
    assert_eq!(left(&url).await, 2);
    // At the start, and with each of the two passes that were none.
    let told = service.log.with("THE SCHEDULE WAITS");
    let levels: Vec<Level> = told.iter().map(|line| line.level).collect();
    assert_eq!(levels, [Level::WARN; 3]);
    assert!(
        told.iter()
            .all(|line| line.field("schedule") == digest(&toml))
    );
    // Not a failure that is tried again.
    assert_eq!(service.log.with("failed").len(), 0);
    accept(&url, &toml, "2026-01-07T12:00:00Z").await;
    service.until("2026-01-08T12:00:00Z").await;
    assert_eq!(service.passes().await, ["2026-01-08T02:00:00Z"]);
    assert_eq!(left(&url).await, 1);
    service.stop().await;
}

#[tokio::test]
async fn a_changed_file_waits_and_the_accepted_timetable_stays() {
    let url = office().await;
    let (old, new) = (
        by_hand(NIGHTLY, "8 years"),
        by_hand("0 0 3 * * *", "8 days"),
    );
    accept(&url, &old, "2026-01-05T11:00:00Z").await;
    let mut service = harness::start(&url, &old, "2026-01-05T12:00:00Z");
    service.until("2026-01-05T13:00:00Z").await;
    service.reload(&new).await;
    let told = service.hear("THE SCHEDULE WAITS").await;
    assert!(
        told.contains(&format!(
            "{} is not in force until a person accepts it",
            &digest(&new)[..19]
        )),
        "{told}"
    );
    service.until("2026-01-06T12:00:00Z").await;
    assert_eq!(service.passes().await, ["2026-01-06T02:00:00Z"]);
    // What both let go went.
    assert_eq!(left(&url).await, 1);
    let told = service.log.with("THE SCHEDULE WAITS");
    assert_eq!(told.len(), 2);
    for line in &told {
        assert_eq!(line.level, Level::WARN);
        assert_eq!(
            (line.field("waiting"), line.field("in_force")),
            (&*digest(&new), &*digest(&old))
        );
    }
    // Accepted, it is in force from the next pass on, and its timetable after that.
    accept(&url, &new, "2026-01-06T12:00:00Z").await;
    service.until("2026-01-08T12:00:00Z").await;
    assert_eq!(
        service.passes().await[1..],
        [
            "2026-01-07T02:00:00Z",
            "2026-01-07T03:00:00Z",
            "2026-01-08T03:00:00Z"
        ]
    );
    assert_eq!(left(&url).await, 0);
    assert_eq!(service.log.with("THE SCHEDULE WAITS").len(), 2);
    service.stop().await;
}

#[tokio::test]
async fn a_file_that_is_changed_back_waits_no_longer() {
    let url = office().await;
    let (old, new) = (by_hand(NIGHTLY, "8 years"), by_hand(NIGHTLY, "8 days"));
    accept(&url, &old, "2026-01-05T11:00:00Z").await;
    let mut service = harness::start(&url, &new, "2026-01-05T12:00:00Z");
    service.hear("THE SCHEDULE WAITS").await;
    service.until("2026-01-05T13:00:00Z").await;
    service.reload(&old).await;
    service.until("2026-01-06T12:00:00Z").await;
    assert_eq!(service.log.with("THE SCHEDULE WAITS").len(), 1);
    assert_eq!(left(&url).await, 1);
    service.stop().await;
}
