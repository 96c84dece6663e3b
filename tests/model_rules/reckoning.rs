//! `from_end_of`, `tolerance`, `plausible_from`, `trigger_zone`, `unless_active`.

use chrono_tz::Tz;

use super::examples::*;

fn rounded(class: Class, rounding: Rounding) -> Class {
    changed(class, |rule| rule.rounding = rounding)
}

#[test]
fn a_rounding_comes_before_the_period() {
    let one = Period::of(1, Unit::Months);
    let last = |period: &Period, rounding, day| period.last_day(rounding, Day::On(day));
    // 15 January -> 31 January -> + 1 month = 28 February. After the period it were 28 February
    // by 15 February too; but 30 November, by the year: 31 December, + 1 month = 31 January.
    let by_year = last(&one, Rounding::CalendarYear, date(2025, 11, 30));
    assert_eq!(by_year, Day::On(date(2026, 1, 31)));
    let by_month = last(&one, Rounding::Month, date(2026, 1, 15));
    assert_eq!(by_month, Day::On(date(2026, 2, 28)));
    // The financial year ends on 31 March: that day is in it, the next is not.
    let year = years(1);
    for (day, end) in [
        (date(2025, 3, 31), date(2026, 3, 31)),
        (date(2025, 4, 1), date(2027, 3, 31)),
        (date(2025, 12, 31), date(2027, 3, 31)),
    ] {
        assert_eq!(last(&year, Rounding::FinancialYear, day), Day::On(end));
    }
    // A leap year's February: 10 February 2024 -> 29 February, + 1 year = 28 February 2025.
    let leap = last(&year, Rounding::Month, date(2024, 2, 10));
    assert_eq!(leap, Day::On(date(2025, 2, 28)));
}

#[test]
fn all_that_one_year_rounds_together_goes_together() {
    let class = rounded(deletes("c"), Rounding::FinancialYear);
    let mut world = world(vec![table("matter", &[])], vec![class]);
    // Up to 31 March 2025 + 1 year = 31 March 2026: over. From 1 April 2025 on: 31 March 2027.
    add(&mut world, "matter", 1, &[closed(2024, 4, 1)]);
    add(&mut world, "matter", 2, &[closed(2025, 3, 31)]);
    add(&mut world, "matter", 3, &[closed(2025, 4, 1)]);
    let end = end(&world);
    assert_eq!(left(&end, "matter"), [3]);
    assert_eq!(counts(&end, "c").cutoffs, [date(2025, 4, 1)]);
    // On its last day it is kept yet; a maximum goes on it.
    let gone = |world: &World, day| pass(world, day).events.len();
    assert_eq!(gone(&world, date(2026, 3, 31)), 0);
    assert_eq!(gone(&world, date(2026, 4, 1)), 2);
    world.classes = vec![changed(world.classes[0].clone(), |rule| {
        rule.maximum = true
    })];
    assert_eq!(gone(&world, date(2026, 3, 30)), 0);
    assert_eq!(gone(&world, date(2026, 3, 31)), 2);
}

#[test]
fn within_its_tolerance_nothing_is_overdue() {
    // Closed on 1 May 2025: last day 1 May 2026, first past on 2 May, 30 days before 1 June.
    for (tolerance, late) in [(0, 1), (29, 1), (30, 0)] {
        let world = one_row(vec![changed(deletes("c"), |r| r.tolerance = tolerance)]);
        let outcome = pass(&world, today());
        assert_eq!(counts(&outcome, "c").overdue, exactly(late), "{tolerance}");
        assert_eq!(counts(&outcome, "c").state(Status::Due), exactly(1));
    }
}

#[test]
fn what_is_plausible_is_the_class_s_to_say() {
    let with = |from| changed(deletes("c"), |rule| rule.plausible_from = from);
    let mut world = world(vec![table("matter", &[])], vec![]);
    add(&mut world, "matter", 1, &[closed(1970, 1, 1)]);
    add(&mut world, "matter", 2, &[closed(2025, 4, 30)]);
    add(&mut world, "matter", 3, &[closed(2025, 5, 1)]);
    for (from, kept, implausible) in [
        (None, vec![1], 1),
        (Some(date(1970, 1, 1)), vec![], 0),
        (Some(date(1970, 1, 2)), vec![1], 1),
        (Some(date(2025, 5, 1)), vec![1, 2], 2),
        // Later than the cutoff: nothing is past.
        (Some(date(2026, 1, 1)), vec![1, 2, 3], 3),
    ] {
        world.classes = vec![with(from)];
        let end = end(&world);
        assert_eq!(left(&end, "matter"), kept, "{from:?}");
        assert_eq!(counts(&end, "c").implausible_trigger, implausible);
    }
    // Each class has its own: implausible to `late`, whose minimum is thus not past.
    let late = changed(with(Some(date(2026, 1, 1))), |_| ());
    world.classes = vec![
        with(None),
        Class {
            id: "late".to_owned(),
            ..late
        },
    ];
    assert_eq!(left(&end(&world), "matter"), [1, 2, 3]);
}

#[test]
fn a_naive_moment_is_read_where_the_class_says() {
    let at = |h, m| Value::Naive(Moment::At(date(2025, 5, 31).and_hms_opt(h, m, 0).unwrap()));
    let day = |value: Value, zone| value.day_read(zone).unwrap();
    // In May London is one hour ahead of UTC, five of New York; Kathmandu is 4:45 ahead of it.
    let (may, june) = (Day::On(date(2025, 5, 31)), Day::On(date(2025, 6, 1)));
    assert_eq!(day(at(23, 0), Tz::Europe__London), may);
    assert_eq!(
        (day(at(22, 59), Tz::UTC), day(at(23, 0), Tz::UTC)),
        (may, june)
    );
    let york = Tz::America__New_York;
    assert_eq!((day(at(18, 59), york), day(at(19, 0), york)), (may, june));
    let nepal = Tz::Asia__Kathmandu;
    assert_eq!(day(at(4, 44), nepal), Day::On(date(2025, 5, 30)));
    assert_eq!(day(at(4, 45), nepal), may);
    // 31 May 2025, 23:30 UTC is 1 June in London, kept through 1 June 2026; read there it is
    // 31 May, which was over yesterday.
    for (zone, kept) in [(None, vec![]), (Some(Tz::UTC), vec![1])] {
        let class = changed(deletes("c"), |rule| {
            rule.trigger = Trigger::Columns(vec![("logged_at".to_owned(), None)]);
            rule.trigger_zone = zone;
        });
        let mut world = world(vec![table("matter", &[])], vec![class]);
        add(&mut world, "matter", 1, &[("logged_at", at(23, 30))]);
        assert_eq!(left(&end(&world), "matter"), kept, "{zone:?}");
    }
}

fn guarded(class: Class) -> Class {
    changed(class, |rule| {
        rule.unless_active = vec!["touched_at".to_owned()]
    })
}

/// The row of [`one_row`], touched at noon on a day.
fn touched(classes: Vec<Class>, on: Option<NaiveDate>) -> World {
    let mut world = one_row(classes);
    if let Some(day) = on {
        let noon = Moment::At(day.and_hms_opt(12, 0, 0).unwrap());
        let row = &mut world.tables[0].rows[0];
        row.insert("touched_at".to_owned(), Value::Instant(noon));
    }
    world
}

#[test]
fn a_row_touched_after_its_trigger_day_is_in_use() {
    for (on, expected) in [
        (None, Status::Due),
        (Some(date(2024, 1, 1)), Status::Due),
        (Some(date(2025, 5, 1)), Status::Due), // on the day, not after it
        (Some(date(2025, 5, 2)), Status::Active),
        (Some(date(2030, 1, 1)), Status::Active),
    ] {
        let world = touched(vec![guarded(deletes("c"))], on);
        assert_eq!(status(&world, "c"), Some(expected), "{on:?}");
        assert_eq!(
            end(&world).events.len(),
            usize::from(expected == Status::Due)
        );
    }
    // A day is a day in London: 23:30 UTC on 1 May is half past midnight on 2 May there.
    let mut world = touched(vec![guarded(deletes("c"))], None);
    let late = Moment::At(date(2025, 5, 1).and_hms_opt(23, 30, 0).unwrap());
    world.tables[0].rows[0].insert("touched_at".to_owned(), Value::Instant(late));
    assert_eq!(status(&world, "c"), Some(Status::Active));
}

#[test]
fn a_row_in_use_is_kept_from_every_class() {
    let on = Some(date(2025, 5, 2));
    let short = changed(deletes("short"), |rule| {
        rule.period = Period::of(1, Unit::Months)
    });
    let keeps = |other: Class| {
        let world = touched(vec![deletes("c"), other], on);
        end(&world).events.is_empty()
    };
    // It need not govern, and whether it claims the row may be unknown (kind is NULL).
    assert!(keeps(guarded(short.clone())));
    assert!(keeps(where_kind(guarded(short.clone()), "a")));
    // Without the guard `short` lets it go; and so it does where its claim is FALSE.
    assert!(!keeps(short.clone()));
    let mut world = touched(vec![deletes("c"), where_kind(guarded(short), "a")], on);
    world.tables[0].rows[0].insert("kind".to_owned(), Value::text("b"));
    assert_eq!(left(&end(&world), "matter"), Vec::<i32>::new());
}

#[test]
fn a_dependant_in_use_keeps_its_record() {
    let tables = vec![table("matter", &[]), table("note", &["matter"])];
    let own = guarded(on(deletes("notes"), "note"));
    let mut world = world(tables, vec![goes_with(deletes("c"), &["note"]), own]);
    add(&mut world, "matter", 1, &[closed(2025, 5, 1)]);
    let noon = Moment::At(date(2025, 6, 1).and_hms_opt(12, 0, 0).unwrap());
    let of = ("matter_id", Value::Int(1));
    let note = [of, closed(2025, 5, 1), ("touched_at", Value::Instant(noon))];
    add(&mut world, "note", 1, &note);
    assert_eq!(status(&world, "c"), Some(Status::RetainedByOther));
    assert_eq!(end(&world).events.len(), 0);
}
