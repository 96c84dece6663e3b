//! Last days, cutoffs, and triggers that are never due.

use super::examples::*;

#[test]
fn six_months_from_the_end_of_august_end_with_february() {
    // The domain's page, Counting time (Dodds v Walker).
    assert_eq!(corresponding(date(2025, 8, 30), 6), date(2026, 2, 28));
    assert_eq!(corresponding(date(2025, 8, 31), 6), date(2026, 2, 28));
    assert_eq!(corresponding(date(2024, 2, 29), 12), date(2025, 2, 28));
    // The facts of Dodds v Walker itself: four months from 30 September are 30 January.
    assert_eq!(corresponding(date(1978, 9, 30), 4), date(1979, 1, 30));
}

#[test]
fn components_are_summed_before_the_month_is_cut() {
    // rules.md: step by step, 31 January + 1 + 1 months would be 28 March.
    let twice = Period {
        parts: vec![(1, Unit::Months), (1, Unit::Months)],
        iso: false,
    };
    assert_eq!(
        twice.last_day(Rounding::Exact, Day::On(date(2026, 1, 31))),
        Day::On(date(2026, 3, 31))
    );
    // Months first, then days: 31 January + 1 month = 28 February, + 1 day = 1 March.
    let mixed = Period {
        parts: vec![(1, Unit::Days), (1, Unit::Months)],
        iso: false,
    };
    assert_eq!(
        mixed.last_day(Rounding::Exact, Day::On(date(2026, 1, 31))),
        Day::On(date(2026, 3, 1))
    );
}

#[test]
fn capv_is_due_on_30_october_2021_and_not_the_day_before() {
    let class = changed(deletes("capv"), |rule| {
        rule.trigger = Trigger::Fixed(date(2021, 7, 31));
        rule.period = Period::of(90, Unit::Days);
    });
    let mut world = world(vec![table("matter", &[])], vec![class]);
    add(&mut world, "matter", 1, &[]);
    // 31 July + 90 days: 31 days of August, 30 of September, 29 of October.
    assert_eq!(pass(&world, date(2021, 10, 29)).events.len(), 0);
    assert_eq!(pass(&world, date(2021, 10, 30)).events.len(), 1);
}

#[test]
fn a_minimum_goes_the_day_after_its_last_day() {
    let world = |class| {
        let mut world = world(vec![table("matter", &[])], vec![class]);
        for (id, day) in [(1, 30), (2, 31)] {
            add(&mut world, "matter", id, &[closed(2025, 5, day)]);
        }
        add(&mut world, "matter", 3, &[closed(2025, 6, 1)]);
        add(&mut world, "matter", 4, &[closed(2025, 6, 2)]);
        world
    };
    // 31 May 2025 + 1 year = 31 May 2026, over on 1 June. 1 June 2025 is kept through today.
    let minimum = end(&world(deletes("c")));
    assert_eq!(left(&minimum, "matter"), [3, 4]);
    assert_eq!(counts(&minimum, "c").cutoffs, [date(2025, 6, 1)]);
    // 30 May 2025 was past yesterday already; 31 May became past today.
    assert_eq!(counts(&minimum, "c").overdue, exactly(1));
    // A maximum is due on its last day: 1 June 2025 + 1 year is today.
    let maximum = end(&world(changed(deletes("c"), |rule| rule.maximum = true)));
    assert_eq!(left(&maximum, "matter"), [4]);
    assert_eq!(counts(&maximum, "c").cutoffs, [date(2025, 6, 2)]);
    // 30 and 31 May were due before today: breaches.
    assert_eq!(counts(&maximum, "c").overdue, exactly(2));
}

#[test]
fn a_day_is_a_day_in_london() {
    let utc = |h, m, s| Value::Instant(Moment::At(date(2025, 5, 31).and_hms_opt(h, m, s).unwrap()));
    // In summer London is an hour ahead: 22:59:59 UTC is 31 May there, 23:00 is 1 June.
    assert_eq!(utc(22, 59, 59).day(), Some(Day::On(date(2025, 5, 31))));
    assert_eq!(utc(23, 0, 0).day(), Some(Day::On(date(2025, 6, 1))));
    let winter = date(2025, 12, 31).and_hms_opt(23, 59, 59).unwrap();
    assert_eq!(
        Value::Instant(Moment::At(winter)).day(),
        Some(Day::On(date(2025, 12, 31)))
    );
    // A naive one is read in the schedule's zone as it stands.
    let naive = date(2025, 5, 31).and_hms_opt(23, 0, 0).unwrap();
    assert_eq!(
        Value::Naive(Moment::At(naive)).day(),
        Some(Day::On(date(2025, 5, 31)))
    );
}

#[test]
fn sentinels_the_future_and_nothing_are_counted_and_never_go() {
    let mut world = world(vec![table("matter", &[])], vec![deletes("c")]);
    add(&mut world, "matter", 1, &[]);
    add(
        &mut world,
        "matter",
        2,
        &[("closed_on", Value::Date(Day::Before))],
    );
    add(&mut world, "matter", 3, &[closed(1900, 1, 1)]);
    add(&mut world, "matter", 4, &[closed(1970, 1, 1)]);
    add(&mut world, "matter", 5, &[closed(1989, 12, 31)]);
    add(&mut world, "matter", 6, &[closed(1990, 1, 1)]);
    add(&mut world, "matter", 7, &[closed(2026, 6, 1)]);
    add(&mut world, "matter", 8, &[closed(2026, 6, 2)]);
    let end = end(&world);
    assert_eq!(left(&end, "matter"), [1, 2, 3, 4, 5, 7, 8]);
    let counts = counts(&end, "c");
    assert_eq!(counts.without_trigger, 1);
    assert_eq!(counts.implausible_trigger, 4);
    assert_eq!(counts.future_trigger, 1); // the second of June; today is not the future
    assert_eq!((counts.claimed, counts.past), (8, 1));
}

#[test]
fn the_first_trigger_that_is_there_and_whose_condition_is_true_counts() {
    let class = changed(deletes("c"), |rule| {
        let when = Condition::Column("active".to_owned());
        rule.trigger = Trigger::Columns(vec![
            ("closed_on".to_owned(), Some(when)),
            ("logged_at".to_owned(), None),
        ]);
    });
    let mut world = world(vec![table("matter", &[])], vec![class]);
    let old = Value::Naive(Moment::At(date(2020, 1, 1).and_hms_opt(12, 0, 0).unwrap()));
    let recent = closed(2026, 5, 1);
    // 1: closed_on counts (recent). 2: its condition is FALSE, so logged_at (old).
    // 3: it is NULL, so logged_at (old).
    add(
        &mut world,
        "matter",
        1,
        &[
            recent.clone(),
            ("logged_at", old.clone()),
            ("active", Value::Bool(true)),
        ],
    );
    add(
        &mut world,
        "matter",
        2,
        &[
            recent,
            ("logged_at", old.clone()),
            ("active", Value::Bool(false)),
        ],
    );
    add(
        &mut world,
        "matter",
        3,
        &[("logged_at", old), ("active", Value::Bool(true))],
    );
    // 4: whether its condition holds is unknown, which is not TRUE: logged_at (old).
    let old = world.tables[0].rows[0]["logged_at"].clone();
    add(
        &mut world,
        "matter",
        4,
        &[closed(2026, 5, 1), ("logged_at", old)],
    );
    assert_eq!(left(&end(&world), "matter"), [1]);
}
