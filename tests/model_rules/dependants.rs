//! Rule 5: what goes with a record, before it and after it.

use super::examples::*;

/// matter <- note <- scan: matter 1 past with note 1, which has scan 1.
fn family(own: Vec<Class>) -> World {
    let tables = vec![
        table("matter", &[]),
        table("note", &["matter"]),
        table("scan", &["note"]),
    ];
    let mut classes = vec![goes_with(deletes("c"), &["note", "scan"])];
    classes.extend(own);
    let mut world = world(tables, classes);
    add(&mut world, "matter", 1, &[closed(2025, 5, 1)]);
    add(
        &mut world,
        "note",
        1,
        &[("matter_id", Value::Int(1)), closed(2025, 5, 1)],
    );
    add(
        &mut world,
        "scan",
        1,
        &[("note_id", Value::Int(1)), closed(2025, 5, 1)],
    );
    world
}

#[test]
fn rule_5_unclaimed_dependants_go_with_their_record_however_deep() {
    let end = end(&family(vec![]));
    assert!(end.state.rows.is_empty());
    let with = Action::DeletedWith([at("matter", 1)].into());
    assert_eq!(end.events[1].action, with);
    assert_eq!(end.events[2].action, with);
    assert_eq!(counts(&end, "c").dependants["scan"], exactly(1));
}

#[test]
fn rule_5_a_dependant_that_is_protected_keeps_its_record() {
    let longer = changed(on(deletes("scans"), "scan"), |rule| rule.period = years(2));
    for own in [longer, on(retains("scans"), "scan")] {
        let world = family(vec![own]);
        assert_eq!(status(&world, "c"), Some(Status::RetainedByOther));
        assert_eq!(end(&world).state.rows.len(), 3);
    }
    // Refused: protects the rows it might claim, and their parents.
    let refused = changed(on(deletes("scans"), "scan"), |rule| {
        rule.trigger = Trigger::Columns(vec![("no_such_column".to_owned(), None)]);
    });
    assert_eq!(end(&family(vec![refused])).state.rows.len(), 3);
}

#[test]
fn rule_5_once_let_go_a_dependant_goes_with_its_parent_whatever_its_own_disposal() {
    let flags = changed(on(deletes("scans"), "scan"), |rule| {
        rule.disposal = Disposal::Flag
    });
    let world = family(vec![flags]);
    assert_eq!(status(&world, "c"), Some(Status::Due));
    assert!(end(&world).state.rows.is_empty());
}

#[test]
fn rule_5_a_dependant_may_go_earlier_alone() {
    let own = changed(on(deletes("scans"), "scan"), |rule| {
        rule.period = Period::of(1, Unit::Months)
    });
    let mut world = family(vec![own]);
    world.tables[0].rows[0].insert("closed_on".to_owned(), Value::on(date(2026, 1, 1)));
    let end = end(&world);
    assert_eq!((left(&end, "note"), left(&end, "scan")), (vec![1], vec![]));
}

#[test]
fn rule_5_the_governing_claim_on_a_dependant_must_be_true() {
    let own = where_kind(on(deletes("notes"), "note"), "a"); // kind is NULL
    let world = family(vec![goes_with(own, &["scan"])]);
    assert_eq!(status(&world, "c"), Some(Status::RetainedByOther));
}

#[test]
fn rule_5_what_a_record_refers_to_goes_with_the_last_that_refers_to_it() {
    let tables = vec![table("form", &[]), table("matter", &["form"])];
    let mut world = world(tables, vec![goes_with(deletes("c"), &["form"])]);
    for form in [1, 2, 3] {
        add(&mut world, "form", form, &[]);
    }
    let to = |form| ("form_id", Value::Int(form));
    add(&mut world, "matter", 1, &[closed(2025, 5, 1), to(1)]);
    add(&mut world, "matter", 2, &[closed(2025, 5, 1), to(1)]);
    add(&mut world, "matter", 3, &[closed(2025, 5, 1), to(2)]);
    add(&mut world, "matter", 4, &[closed(2026, 5, 1), to(2)]);
    // Form 1 goes with the last of 1 and 2; form 2 is still referred to; form 3 never was.
    let end = end(&world);
    assert_eq!(
        (left(&end, "matter"), left(&end, "form")),
        (vec![4], vec![2, 3])
    );
    assert_eq!(
        counts(&end, "c").dependants["form"],
        Span { least: 1, most: 3 }
    );
}

#[test]
fn a_hold_on_a_form_keeps_every_record_that_refers_to_it() {
    let tables = vec![table("form", &[]), table("matter", &["form"])];
    let mut world = world(tables, vec![goes_with(deletes("c"), &["form"])]);
    add(&mut world, "form", 1, &[]);
    add(
        &mut world,
        "matter",
        1,
        &[closed(2025, 5, 1), ("form_id", Value::Int(1))],
    );
    world.holds.push(Hold {
        table: "form".to_owned(),
        key: vec!["1".to_owned()],
        until: None,
    });
    assert_eq!(status(&world, "c"), Some(Status::Held));
}

#[test]
fn which_class_takes_the_last_referring_row_decides_about_the_form() {
    // `all` declares the form and `some` does not; both permitted orders are answers.
    let tables = vec![table("form", &[]), table("matter", &["form"])];
    let all = where_kind(goes_with(deletes("all"), &["form"]), "a");
    let some = where_kind(deletes("some"), "b");
    let mut world = world(tables, vec![all, some]);
    add(&mut world, "form", 1, &[]);
    for (id, kinds) in [(1, "a"), (2, "b")] {
        add(
            &mut world,
            "matter",
            id,
            &[closed(2025, 5, 1), kind(kinds), ("form_id", Value::Int(1))],
        );
    }
    let forms: Vec<_> = settle(&world, today())
        .iter()
        .map(|end| left(end, "form"))
        .collect();
    assert_eq!(forms, [vec![1], vec![]]);
}

#[test]
fn unlinked_rows_stay_and_only_their_holds_protect() {
    let tables = vec![table("matter", &[]), table("note", &["matter"])];
    let class = changed(deletes("c"), |rule| {
        rule.dependants.push(Dependant {
            table: "note".to_owned(),
            unlink: true,
        });
    });
    let mut world = world(tables, vec![class, on(retains("notes"), "note")]);
    add(&mut world, "matter", 1, &[closed(2025, 5, 1)]);
    add(&mut world, "note", 1, &[("matter_id", Value::Int(1))]);
    let free = end(&world);
    assert_eq!(
        (left(&free, "matter"), left(&free, "note")),
        (vec![], vec![1])
    );
    assert_eq!(free.state.rows[&at("note", 1)]["matter_id"], Value::Null);
    world.holds.push(Hold {
        table: "note".to_owned(),
        key: vec!["1".to_owned()],
        until: None,
    });
    assert_eq!(status(&world, "c"), Some(Status::Held));
}

#[test]
fn an_anonymised_record_stays_and_its_dependants_go() {
    let mut world = family(vec![]);
    world.classes = vec![changed(goes_with(deletes("c"), &["note", "scan"]), |r| {
        r.disposal = redact()
    })];
    world.tables[0].rows[0].insert("full_name".to_owned(), Value::text("Ada"));
    let end = end(&world);
    assert_eq!(end.state.rows.len(), 1);
    assert_eq!(
        end.state.rows[&at("matter", 1)]["full_name"],
        Value::text("[redacted]")
    );
}
