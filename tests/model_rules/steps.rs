//! Stages and notices: classes that act more than once, on several days.

use super::examples::*;
use crate::model::pass::settle_from;
use crate::model::rules::State;

/// Anonymises after a year, deletes after three.
fn staged(id: &str) -> Class {
    changed(deletes(id), |rule| {
        let after = std::mem::replace(&mut rule.period, years(3));
        rule.stages = vec![Stage {
            after,
            disposal: redact(),
        }];
    })
}

fn name(state: &State) -> Value {
    state.rows[&at("matter", 1)]["full_name"].clone()
}

/// The only state after settling on each of these days in turn.
fn after(world: &World, days: &[NaiveDate]) -> State {
    let mut state = State::of(world);
    for day in days {
        let mut ends = settle_from(world, &state, *day);
        assert_eq!(ends.len(), 1);
        state = ends.swap_remove(0).state;
    }
    state
}

#[test]
fn a_staged_class_acts_at_each_stage() {
    let world = one_row(vec![staged("c")]);
    // Closed 1 May 2025: anonymised from 2 May 2026, deleted from 2 May 2028.
    let ada = Value::text("Ada");
    assert_eq!(name(&after(&world, &[date(2026, 5, 1)])), ada);
    let masked = after(&world, &[date(2026, 5, 2), date(2028, 5, 1)]);
    assert_eq!(name(&masked), Value::text("[redacted]"));
    assert!(
        after(&world, &[date(2026, 5, 2), date(2028, 5, 2)])
            .rows
            .is_empty()
    );
    // Where the first stage was never reached, the latest is what counts.
    assert!(after(&world, &[date(2028, 5, 2)]).rows.is_empty());
    assert_eq!(status(&world, "c"), Some(Status::Due));
}

#[test]
fn between_its_stages_a_record_is_done() {
    let mut world = one_row(vec![staged("c")]);
    world.tables[0].rows[0].insert("full_name".to_owned(), Value::Null);
    assert_eq!(status(&world, "c"), Some(Status::Done));
    let end = settle(&world, date(2028, 5, 2)).swap_remove(0);
    assert_eq!(left(&end, "matter"), Vec::<i32>::new());
}

#[test]
fn rule_6_a_staged_class_protects_against_what_is_severer_than_its_stage() {
    // From 2 May 2026 on `c` anonymises; deletion it permits from 2 May 2028 on.
    let deletes = changed(deletes("other"), |rule| {
        rule.period = Period::of(13, Unit::Months)
    });
    let world = one_row(vec![staged("c"), deletes]);
    // `other` is not past: protected until then.
    assert_eq!(status(&world, "c"), Some(Status::RetainedByOther));
    assert_eq!(
        name(&after(&world, &[date(2026, 6, 1)])),
        Value::text("Ada")
    );
    // From 2 June 2026 on it is, and deletes nothing; `c`, the longer one, anonymises.
    let kept = after(&world, &[date(2026, 6, 2), date(2028, 5, 1)]);
    assert_eq!(name(&kept), Value::text("[redacted]"));
    assert!(after(&world, &[date(2028, 5, 2)]).rows.is_empty());
}

#[test]
fn rule_6_a_longer_class_protects_from_the_stages_of_a_shorter() {
    // `other` keeps for four years, and then only flags: `c` does nothing, not even in 2028.
    let flags = changed(deletes("other"), |rule| {
        (rule.period, rule.disposal) = (years(4), Disposal::Flag);
    });
    let world = one_row(vec![staged("c"), flags]);
    let state = after(&world, &[date(2026, 6, 2), date(2028, 5, 2)]);
    assert_eq!(name(&state), Value::text("Ada"));
    let state = after(&world, &[date(2029, 5, 2)]);
    let flag = (at("matter", 1), "other".to_owned());
    assert!(state.rows.len() == 1 && state.flags.contains_key(&flag));
}

#[test]
fn rule_6_a_dependant_goes_with_its_parent_only_at_its_last_stage() {
    let tables = vec![table("matter", &[]), table("note", &["matter"])];
    let own = on(staged("notes"), "note");
    let mut world = world(tables, vec![goes_with(deletes("c"), &["note"]), own]);
    add(&mut world, "matter", 1, &[closed(2025, 5, 1)]);
    let of = ("matter_id", Value::Int(1));
    add(&mut world, "note", 1, &[of, closed(2025, 5, 1)]);
    // To go with the matter is to be deleted: the note permits that from 2 May 2028 on.
    assert_eq!(after(&world, &[today(), date(2028, 5, 1)]).rows.len(), 2);
    assert!(after(&world, &[date(2028, 5, 2)]).rows.is_empty());
}

#[test]
fn a_maximum_that_a_stage_does_not_permit_is_in_conflict() {
    let most = |disposal| {
        changed(deletes("most"), |rule| {
            (rule.maximum, rule.disposal) = (true, disposal);
        })
    };
    let world = one_row(vec![staged("c"), most(Disposal::Delete)]);
    assert_eq!(status(&world, "most"), Some(Status::Conflict));
    assert_eq!(end(&world).events.len(), 0);
    // What is as mild as the stage it permits: no conflict, and something goes.
    let world = one_row(vec![staged("c"), most(redact())]);
    assert_eq!(end(&world).events.len(), 1);
}

fn noticed(class: Class, days: u32) -> Class {
    changed(class, |rule| rule.notice = Some(days))
}

#[test]
fn a_record_is_flagged_first_and_goes_when_its_notice_has_run() {
    let world = one_row(vec![noticed(deletes("c"), 30)]);
    assert_eq!(status(&world, "c"), Some(Status::Waiting));
    let first = end(&world);
    let (trigger, last_day) = (
        Some(Day::On(date(2025, 5, 1))),
        Some(Day::On(date(2026, 5, 1))),
    );
    assert_eq!(first.events.len(), 1);
    assert_eq!(
        first.events[0].action,
        Action::Flagged { trigger, last_day }
    );
    // Flagged on 1 June: due on 1 July, thirty days later, and not before.
    assert_eq!(after(&world, &[today(), date(2026, 6, 30)]).rows.len(), 1);
    assert_eq!(after(&world, &[today(), date(2026, 7, 1)]).rows.len(), 0);
    // Never flagged, it is not due however late it is.
    assert_eq!(after(&world, &[date(2026, 7, 1)]).rows.len(), 1);
    // A minimum is not flagged before it is past.
    assert!(after(&world, &[date(2026, 5, 1)]).flags.is_empty());
}

#[test]
fn a_maximum_is_flagged_so_many_days_before_its_last_day() {
    let most = changed(noticed(deletes("c"), 30), |rule| rule.maximum = true);
    let world = one_row(vec![most]);
    // Its last day is 1 May 2026, on which it is due; thirty days before that is 1 April.
    assert!(after(&world, &[date(2026, 3, 31)]).flags.is_empty());
    let told = after(&world, &[date(2026, 4, 1), date(2026, 4, 30)]);
    assert_eq!((told.rows.len(), told.flags.len()), (1, 1));
    assert_eq!(
        after(&world, &[date(2026, 4, 1), date(2026, 5, 1)])
            .rows
            .len(),
        0
    );
    // Flagged late, on 15 April, it goes late, on 15 May, and is overdue.
    let late = after(&world, &[date(2026, 4, 15), date(2026, 5, 14)]);
    assert_eq!(late.rows.len(), 1);
    let counted = crate::model::counts::plan(&world, &late, date(2026, 5, 14));
    assert_eq!(counted[0].1.overdue, exactly(1));
    assert_eq!(
        after(&world, &[date(2026, 4, 15), date(2026, 5, 15)])
            .rows
            .len(),
        0
    );
}

#[test]
fn a_changed_trigger_voids_the_flag_and_the_whole_notice_starts_again() {
    let world = one_row(vec![noticed(deletes("c"), 30)]);
    let mut state = after(&world, &[today()]);
    let row = state.rows.get_mut(&at("matter", 1)).unwrap();
    row.insert("closed_on".to_owned(), Value::on(date(2025, 5, 2)));
    // On 1 July the first notice would have run; flagged anew then, it goes on 31 July.
    let pass = |state: &State, day| settle_from(&world, state, day).swap_remove(0).state;
    state = pass(&state, date(2026, 7, 1));
    assert_eq!(state.rows.len(), 1);
    state = pass(&state, date(2026, 7, 30));
    assert_eq!(state.rows.len(), 1);
    assert!(pass(&state, date(2026, 7, 31)).rows.is_empty());
}

#[test]
fn the_notice_of_a_class_that_does_not_govern_binds_too() {
    let short = changed(noticed(deletes("short"), 10), |rule| {
        rule.period = Period::of(1, Unit::Months);
    });
    for other in [short.clone(), where_kind(short, "a")] {
        let world = one_row(vec![deletes("c"), other]);
        assert_eq!(after(&world, &[today(), date(2026, 6, 10)]).rows.len(), 1);
        assert_eq!(after(&world, &[today(), date(2026, 6, 11)]).rows.len(), 0);
    }
}

#[test]
fn what_is_held_is_not_flagged() {
    let mut world = one_row(vec![noticed(deletes("c"), 30)]);
    let key = vec!["1".to_owned()];
    world.holds.push(Hold {
        table: "matter".to_owned(),
        key,
        until: Some(today()),
    });
    assert_eq!(status(&world, "c"), Some(Status::Held));
    assert!(after(&world, &[today()]).flags.is_empty());
    assert_eq!(after(&world, &[date(2026, 6, 2)]).flags.len(), 1);
}
