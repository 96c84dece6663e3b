//! A trigger that stands in the row which the record refers to.

use super::examples::*;

/// Notes of matters, a year after the matter was closed.
fn notes(triggers: &[&str]) -> World {
    let tables = vec![table("matter", &[]), table("note", &["matter"])];
    let class = changed(on(deletes("c"), "note"), |rule| {
        let list = triggers.iter().map(|column| ((*column).to_owned(), None));
        rule.trigger = Trigger::Columns(list.collect());
    });
    world(tables, vec![class])
}

fn of(matter: i32) -> (&'static str, Value) {
    ("matter_id", Value::Int(matter))
}

#[test]
fn a_row_is_counted_from_the_day_of_the_row_it_refers_to() {
    let mut world = notes(&["matter.closed_on"]);
    // Closed on 31 May 2025: a year is over with 31 May 2026.
    add(&mut world, "matter", 1, &[closed(2025, 5, 31)]);
    add(&mut world, "matter", 2, &[closed(2025, 6, 1)]);
    add(&mut world, "matter", 3, &[closed(1900, 1, 1)]);
    add(&mut world, "matter", 4, &[closed(2026, 12, 1)]);
    add(&mut world, "matter", 5, &[]);
    for matter in 1..=5 {
        // Their own day does not count.
        add(
            &mut world,
            "note",
            matter,
            &[of(matter), closed(2020, 1, 1)],
        );
    }
    add(&mut world, "note", 6, &[closed(2020, 1, 1)]);
    let end = end(&world);
    assert_eq!(left(&end, "note"), [2, 3, 4, 5, 6]);
    let counts = counts(&end, "c");
    assert_eq!(
        (
            counts.implausible_trigger,
            counts.future_trigger,
            counts.without_trigger
        ),
        (1, 1, 2)
    );
}

#[test]
fn the_first_that_is_not_null_counts_wherever_it_stands() {
    for (triggers, kept) in [
        (["matter.closed_on", "received_at"], [2, 3]),
        (["received_at", "matter.closed_on"], [1, 3]),
    ] {
        let mut world = notes(&triggers);
        let at = |year| {
            let day = date(year, 1, 1).and_hms_opt(12, 0, 0).expect("a time");
            ("received_at", Value::Instant(Moment::At(day)))
        };
        add(&mut world, "matter", 1, &[closed(2020, 1, 1)]);
        add(&mut world, "matter", 2, &[closed(2026, 1, 1)]);
        add(&mut world, "matter", 3, &[]);
        add(&mut world, "note", 1, &[of(1), at(2026)]);
        add(&mut world, "note", 2, &[of(2), at(2020)]);
        add(&mut world, "note", 3, &[of(3)]);
        add(&mut world, "note", 4, &[of(3), at(2020)]);
        add(&mut world, "note", 5, &[at(2020)]);
        assert_eq!(left(&end(&world), "note"), kept, "{triggers:?}");
    }
}

#[test]
fn two_keys_onto_one_table_say_not_which_row_is_meant() {
    let mut world = notes(&["matter.closed_on"]);
    world.tables[1] = table("note", &["matter", "matter"]);
    add(&mut world, "matter", 1, &[closed(2020, 1, 1)]);
    add(&mut world, "note", 1, &[of(1), closed(2020, 1, 1)]);
    assert!(counts(&end(&world), "c").refused);
    assert_eq!(left(&end(&world), "note"), [1]);
}
