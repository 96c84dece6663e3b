//! Relations that only the schedule knows, and rows that hang on rows of their own table.

use super::examples::*;

fn int(name: &'static str, value: i32) -> (&'static str, Value) {
    (name, Value::Int(value))
}

/// Adds a nullable column that refers to `parent` where `only` is true, or always.
fn refer(table: &mut Table, column: &str, parent: &str, loose: bool, only: Option<&str>) {
    table.columns.push(Column {
        name: column.to_owned(),
        kind: Kind::Int,
        nullable: true,
    });
    table.foreign.push(Foreign {
        columns: vec![column.to_owned()],
        parent: parent.to_owned(),
        nullable: true,
        on_delete: OnDelete::NoAction,
        loose,
        only: only.map(|kind| Condition::Equal("kind".to_owned(), Value::text(kind))),
    });
}

/// Notes of kind `a` are about matters; kinds `b` and NULL have the same number by chance.
fn about(class: Class) -> World {
    let mut note = table("note", &[]);
    refer(&mut note, "about_id", "matter", true, Some("a"));
    let mut world = world(vec![table("matter", &[]), note], vec![class]);
    for matter in [1, 2] {
        add(&mut world, "matter", matter, &[closed(2023 + matter, 5, 1)]);
    }
    add(&mut world, "note", 1, &[int("about_id", 1), kind("a")]);
    add(&mut world, "note", 2, &[int("about_id", 1), kind("b")]);
    add(&mut world, "note", 3, &[int("about_id", 1)]);
    // Matter 9 is not there, and no foreign key says that it must be.
    add(&mut world, "note", 4, &[int("about_id", 9), kind("a")]);
    world
}

#[test]
fn what_the_schedule_relates_goes_like_what_a_foreign_key_does() {
    let mut world = about(goes_with(deletes("c"), &["note"]));
    world.tables[0].rows[1].insert("closed_on".to_owned(), Value::on(date(2026, 1, 1)));
    let free = end(&world);
    assert_eq!(
        (left(&free, "matter"), left(&free, "note")),
        (vec![2], vec![2, 3, 4])
    );
    world.classes.push(on(retains("notes"), "note"));
    assert_eq!(status(&world, "c"), Some(Status::RetainedByOther));
}

#[test]
fn what_no_class_relates_is_no_relation_and_what_one_does_binds_the_others() {
    let alone = about(deletes("c"));
    assert_eq!(left(&end(&alone), "note"), [1, 2, 3, 4]);
    assert_eq!(left(&end(&alone), "matter"), Vec::<i32>::new());
    let mut two = about(goes_with(deletes("c"), &["note"]));
    two.classes.push(where_kind(deletes("silent"), "x"));
    assert!(counts(&end(&two), "silent").refused);
}

#[test]
fn a_loose_reference_is_emptied_where_it_is_one() {
    let class = changed(deletes("c"), |rule| {
        rule.dependants.push(Dependant {
            table: "note".to_owned(),
            unlink: true,
        });
    });
    let end = end(&about(class));
    let about = |id| end.state.rows[&at("note", id)]["about_id"].clone();
    assert_eq!(about(1), Value::Null);
    assert_eq!(about(2), Value::Int(1));
    assert_eq!(about(4), Value::Int(9));
}

#[test]
fn what_records_refer_to_loosely_goes_with_the_last_that_does() {
    let mut matter = table("matter", &[]);
    refer(&mut matter, "form_no", "form", true, None);
    let tables = vec![table("form", &[]), matter];
    let mut world = world(tables, vec![goes_with(deletes("c"), &["form"])]);
    for form in [1, 2] {
        add(&mut world, "form", form, &[]);
    }
    add(
        &mut world,
        "matter",
        1,
        &[closed(2025, 5, 1), int("form_no", 1)],
    );
    add(
        &mut world,
        "matter",
        2,
        &[closed(2025, 5, 1), int("form_no", 2)],
    );
    add(
        &mut world,
        "matter",
        3,
        &[closed(2026, 5, 1), int("form_no", 2)],
    );
    assert_eq!(left(&end(&world), "form"), [2]);
}

/// 1 <- 2 <- 3 <- 4 of one table, all closed on 1 May 2025.
fn thread(unlink: bool) -> World {
    let mut matter = table("matter", &[]);
    refer(&mut matter, "answers", "matter", false, None);
    let class = changed(deletes("c"), |rule| {
        rule.dependants.push(Dependant {
            table: "matter".to_owned(),
            unlink,
        });
    });
    let mut world = world(vec![matter], vec![class]);
    add(&mut world, "matter", 1, &[closed(2025, 5, 1)]);
    for id in 2..=4 {
        add(
            &mut world,
            "matter",
            id,
            &[closed(2025, 5, 1), int("answers", id - 1)],
        );
    }
    world
}

#[test]
fn a_thread_goes_as_a_whole_and_a_reply_that_is_protected_keeps_what_is_above_it() {
    let world = thread(false);
    assert_eq!(left(&end(&world), "matter"), Vec::<i32>::new());
    assert_eq!(counts(&end(&world), "c").dependants["matter"].least, 0);
    for (reply, left_over) in [(1, vec![1]), (3, vec![1, 2, 3]), (4, vec![1, 2, 3, 4])] {
        let mut held = world.clone();
        held.holds.push(Hold {
            table: "matter".to_owned(),
            key: vec![reply.to_string()],
            until: None,
        });
        assert_eq!(left(&end(&held), "matter"), left_over);
        // So does its own day.
        let mut young = world.clone();
        let at = usize::try_from(reply - 1).expect("a row");
        young.tables[0].rows[at].insert("closed_on".to_owned(), Value::on(date(2026, 1, 1)));
        assert_eq!(left(&end(&young), "matter"), left_over);
    }
}

#[test]
fn a_reply_in_no_class_goes_with_what_it_answers() {
    let mut world = thread(false);
    world.classes[0].claim = Some(Condition::IsNull("kind".to_owned()));
    world.tables[0].rows[3].insert("kind".to_owned(), Value::text("draft"));
    let end = end(&world);
    assert_eq!(left(&end, "matter"), Vec::<i32>::new());
    let draft = end.events.iter().find(|e| e.row == at("matter", 4));
    let above = [1, 2, 3].map(|id| at("matter", id));
    assert_eq!(
        draft.map(|e| &e.action),
        Some(&Action::DeletedWith(above.into()))
    );
    assert_eq!(counts(&end, "c").dependants["matter"].least, 1);
}

#[test]
fn a_circle_goes_and_a_reply_that_is_unlinked_stays() {
    let mut circle = thread(false);
    circle.tables[0].rows[0].insert("answers".to_owned(), Value::Int(4));
    assert_eq!(left(&end(&circle), "matter"), Vec::<i32>::new());
    let mut unlinked = thread(true);
    unlinked.tables[0].rows[2].insert("closed_on".to_owned(), Value::on(date(2026, 1, 1)));
    let end = end(&unlinked);
    assert_eq!(left(&end, "matter"), [3]);
    assert_eq!(end.state.rows[&at("matter", 3)]["answers"], Value::Null);
}

#[test]
fn a_class_that_says_nothing_of_its_replies_is_refused() {
    let mut world = thread(false);
    world.classes = vec![deletes("c")];
    assert!(counts(&end(&world), "c").refused);
}
