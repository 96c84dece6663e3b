//! Holds, gates, and the order in which states are judged.

use super::examples::*;

#[test]
fn a_hold_lasts_through_the_end_of_its_day() {
    for (until, expected) in [
        (None, Status::Held),
        (Some(date(2026, 6, 2)), Status::Held),
        (Some(date(2026, 6, 1)), Status::Held), // today: through its end
        (Some(date(2026, 5, 31)), Status::Due), // it ended with yesterday
    ] {
        let mut world = one_row(vec![deletes("c")]);
        let key = vec!["1".to_owned()];
        world.holds.push(Hold {
            table: "matter".to_owned(),
            key,
            until,
        });
        assert_eq!(status(&world, "c"), Some(expected), "{until:?}");
    }
}

#[test]
fn a_held_grandchild_keeps_its_record() {
    let tables = vec![
        table("matter", &[]),
        table("note", &["matter"]),
        table("scan", &["note"]),
    ];
    let mut world = world(tables, vec![goes_with(deletes("c"), &["note", "scan"])]);
    add(&mut world, "matter", 1, &[closed(2025, 5, 1)]);
    add(&mut world, "note", 1, &[("matter_id", Value::Int(1))]);
    add(&mut world, "scan", 1, &[("note_id", Value::Int(1))]);
    world.holds.push(Hold {
        table: "scan".to_owned(),
        key: vec!["1".to_owned()],
        until: None,
    });
    assert_eq!(status(&world, "c"), Some(Status::Held));
    assert_eq!(end(&world).events.len(), 0);
}

#[test]
fn every_claim_that_is_not_false_binds_its_gate() {
    let gated = |id| {
        changed(deletes(id), |rule| {
            (rule.gate, rule.period) = (Gate::Review, Period::of(1, Unit::Months));
        })
    };
    // `short` does not govern, and its gate binds all the same; also where it is unknown.
    assert_eq!(
        status(&one_row(vec![deletes("c"), gated("short")]), "c"),
        Some(Status::Waiting)
    );
    let unknown = one_row(vec![deletes("c"), where_kind(gated("short"), "a")]);
    assert_eq!(status(&unknown, "c"), Some(Status::Waiting));
}

#[test]
fn a_gate_on_a_dependant_s_claim_makes_the_record_wait() {
    let tables = vec![table("matter", &[]), table("note", &["matter"])];
    let gated = changed(on(deletes("notes"), "note"), |rule| {
        rule.gate = Gate::Instruction
    });
    let mut world = world(tables, vec![goes_with(deletes("c"), &["note"]), gated]);
    add(&mut world, "matter", 1, &[closed(2025, 5, 1)]);
    add(
        &mut world,
        "note",
        1,
        &[("matter_id", Value::Int(1)), closed(2025, 5, 1)],
    );
    assert_eq!(status(&world, "c"), Some(Status::Waiting));
    assert_eq!(status(&world, "notes"), Some(Status::Waiting));
}

#[test]
fn states_are_judged_in_their_order() {
    // Held before conflict, conflict before waiting.
    let maximum = changed(deletes("most"), |rule| rule.maximum = true);
    let longer = changed(deletes("least"), |rule| {
        (rule.period, rule.gate) = (years(2), Gate::Review);
    });
    let mut world = one_row(vec![maximum, longer]);
    assert_eq!(status(&world, "most"), Some(Status::Conflict));
    world.holds.push(Hold {
        table: "matter".to_owned(),
        key: vec!["1".to_owned()],
        until: None,
    });
    assert_eq!(status(&world, "most"), Some(Status::Held));
}
