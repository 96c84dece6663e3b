//! The sample organisation: two years ahead, month by month, as the plan of each month's
//! last day counts them.

use retentiond::demo::sample::{self, SampleOptions};
use retentiond::survey;
use sqlx::Connection as _;

use crate::support;

const SCHEDULE: &str = include_str!("../../retention.toml");
const DAY: &str = "2026-11-23";

#[tokio::test]
async fn two_years_of_the_sample_are_foreseen_exactly() {
    let url = support::migrated().await;
    let options = SampleOptions {
        rows: 6_000,
        on: DAY.parse().unwrap(),
        seed: 3,
        media_folder: None,
    };
    let mut conn = support::client(&url).await;
    sample::load(&mut conn, &options, &mut |_, _, _| ())
        .await
        .unwrap();
    conn.close().await.unwrap();
    let schedule = support::schedule(&support::unlimited(SCHEDULE));
    let mut conn = support::ours(&url).await;
    let drawn = survey::draw(&mut conn, &schedule, support::at(DAY))
        .await
        .unwrap();
    let forecast = survey::forecast(&mut conn, &schedule, &drawn, 24)
        .await
        .unwrap();
    assert_eq!(forecast.days.len(), 25);
    let mut rising = 0;
    for (nth, day) in forecast.days.iter().enumerate() {
        let then = support::at(&day.to_string());
        let plan = survey::draw(&mut conn, &schedule, then).await.unwrap().plan;
        let counted = survey::count(&mut conn, &plan).await.unwrap();
        for (class, counted) in forecast.classes.iter().zip(&counted) {
            let outlook = class.outlooks.as_ref().unwrap()[nth];
            let counts = counted.counts.as_ref().unwrap();
            assert_eq!(
                (outlook.due, outlook.held, outlook.conflict, outlook.waiting),
                (counts.due, counts.held, counts.conflict, counts.waiting),
                "{} on {day}",
                class.id
            );
            if nth > 0 && outlook.due > class.outlooks.as_ref().unwrap()[nth - 1].due {
                rising += 1;
            }
        }
    }
    conn.close().await.unwrap();
    assert!(rising > 60, "{rising}");
}
