//! Worlds on which engine and model once differed, made as small as they would go.

use super::examples::*;

/// The engine does with this world what the model says.
fn judged(world: &World) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    if let Err(error) = super::judge(world, &runtime) {
        panic!("{error}");
    }
}

fn unlinks(class: Class, table: &str) -> Class {
    changed(class, |rule| {
        rule.dependants.push(Dependant {
            table: table.to_owned(),
            unlink: true,
        })
    })
}

#[test]
fn a_row_that_stays_is_unlinked_before_the_dependant_it_refers_to_goes() {
    let tables = vec![
        table("matter", &[]),
        table("order", &["matter"]),
        table("note", &["order"]),
    ];
    let class = unlinks(goes_with(deletes("c"), &["order"]), "note");
    let mut world = world(tables, vec![class]);
    add(&mut world, "matter", 1, &[closed(2025, 5, 1)]);
    add(&mut world, "order", 2, &[("matter_id", Value::Int(1))]);
    add(&mut world, "note", 3, &[("order_id", Value::Int(2))]);
    let end = end(&world);
    assert_eq!(
        (left(&end, "matter"), left(&end, "note")),
        (vec![], vec![3])
    );
    judged(&world);
}

#[test]
fn what_is_done_is_counted_as_done_beside_a_maximum_without_a_date() {
    let done = changed(deletes("done"), |rule| rule.disposal = redact());
    let undated = changed(deletes("undated"), |rule| {
        rule.maximum = true;
        rule.trigger = Trigger::Columns(vec![("logged_at".to_owned(), None)]);
    });
    let mut world = one_row(vec![done, undated]);
    world.tables[0].rows[0].insert("full_name".to_owned(), Value::text("[redacted]"));
    assert_eq!(status(&world, "done"), Some(Status::Done));
    judged(&world);
}

#[test]
fn a_path_into_an_array_or_a_scalar_removes_nothing_and_stops_nothing() {
    let class = changed(deletes("c"), |rule| {
        let remove = |path: &[&str]| Anonymisation {
            column: "answers".to_owned(),
            path: path.iter().map(|key| (*key).to_owned()).collect(),
            strategy: Strategy::Remove,
        };
        rule.disposal = Disposal::Anonymise(vec![remove(&["phone"]), remove(&["a", "phone"])]);
    });
    let mut world = world(vec![table("matter", &[])], vec![class]);
    let answers = [
        r#"[1]"#,
        r#""phone""#,
        r#"null"#,
        r#"{"a": ["phone"], "phone": 1}"#,
        r#"{"a": "phone"}"#,
        r#"{"a": {"phone": null}, "phone": null}"#,
    ];
    for (id, answers) in (1..).zip(answers) {
        let json = Value::Json(serde_json::from_str(answers).expect("JSON"));
        add(
            &mut world,
            "matter",
            id,
            &[closed(2025, 5, 1), ("answers", json)],
        );
    }
    assert_eq!(end(&world).events.len(), 2);
    judged(&world);
}

#[test]
fn a_done_maximum_without_a_next_one_still_keeps_a_shorter_minimum_off() {
    let most = |id: &str, months| {
        changed(deletes(id), |rule| {
            (rule.maximum, rule.period, rule.disposal) =
                (true, Period::of(months, Unit::Months), redact());
        })
    };
    let least = changed(deletes("least"), |rule| {
        rule.period = Period::of(6, Unit::Months)
    });
    let redacted = |mut world: World| {
        world.tables[0].rows[0].insert("full_name".to_owned(), Value::text("[redacted]"));
        world
    };
    // Alone, and where the earlier of two has yielded to the later.
    for world in [
        one_row(vec![least.clone(), most("most", 12)]),
        redacted(one_row(vec![least.clone(), most("most", 12)])),
        redacted(one_row(vec![least, most("earlier", 3), most("later", 12)])),
    ] {
        assert_eq!(left(&end(&world), "matter"), [1]);
        judged(&world);
    }
}

#[test]
fn a_maximum_that_begins_beyond_reckoning_is_a_next_one() {
    let done = changed(deletes("done"), |rule| {
        (rule.maximum, rule.disposal) = (true, redact())
    });
    let least = changed(deletes("least"), |rule| rule.period = years(1));
    let far = changed(deletes("far"), |rule| {
        rule.maximum = true;
        rule.trigger = Trigger::Columns(vec![("received_at".to_owned(), None)]);
    });
    for moment in [
        Moment::After,
        Moment::At(date(4000, 1, 1).and_hms_opt(0, 0, 0).expect("a time")),
    ] {
        let mut world = one_row(vec![done.clone(), least.clone(), far.clone()]);
        let row = &mut world.tables[0].rows[0];
        row.insert("full_name".to_owned(), Value::text("[redacted]"));
        row.insert("received_at".to_owned(), Value::Instant(moment));
        assert_eq!(left(&end(&world), "matter"), [1]);
        judged(&world);
    }
}

#[test]
fn a_refused_class_still_binds_its_gate() {
    let refused = changed(deletes("refused"), |rule| {
        rule.gate = Gate::Instruction;
        rule.trigger = Trigger::Columns(vec![("no_such_column".to_owned(), None)]);
    });
    let world = one_row(vec![deletes("c"), refused]);
    assert_eq!(status(&world, "c"), Some(Status::Waiting));
    judged(&world);
}

#[test]
fn a_shared_row_goes_with_the_last_row_that_refers_to_it_whichever_that_is() {
    // media -> form -> person, media -> person, and a note of the media -> person.
    let tables = vec![
        table("person", &[]),
        table("form", &["person"]),
        table("matter", &["person", "form"]),
        table("note", &["matter", "person"]),
    ];
    let class = goes_with(deletes("c"), &["person", "form", "note"]);
    let mut world = world(tables, vec![class]);
    let id = |name, id| (name, Value::Int(id));
    for person in 1..=4 {
        add(&mut world, "person", person, &[]);
    }
    add(&mut world, "form", 1, &[id("person_id", 1)]);
    // Only the form refers to person 1, only the note to person 2; the second matter to 3.
    add(
        &mut world,
        "matter",
        1,
        &[closed(2025, 5, 1), id("form_id", 1)],
    );
    add(
        &mut world,
        "matter",
        2,
        &[closed(2025, 5, 1), id("person_id", 3)],
    );
    add(
        &mut world,
        "note",
        1,
        &[id("matter_id", 1), id("person_id", 2)],
    );
    let gone = end(&world);
    assert_eq!(
        (left(&gone, "person"), left(&gone, "form")),
        (vec![4], vec![])
    );
    judged(&world);
    // A hold on a person keeps every record on which the person hangs.
    world.holds.push(Hold {
        table: "person".to_owned(),
        key: vec!["2".to_owned()],
        until: None,
    });
    let kept = end(&world);
    assert_eq!(
        (left(&kept, "matter"), left(&kept, "person")),
        (vec![1], vec![1, 2, 4])
    );
    judged(&world);
}

/// The longer class governs and is done: the shorter is kept off for good (rule 3), be the
/// longer a minimum or the last maximum. Nothing will go, so nothing is to be announced.
#[test]
fn a_class_that_is_kept_off_gives_no_notice() {
    for maximum in [false, true] {
        let longer = changed(deletes("longer"), |rule| {
            (rule.maximum, rule.disposal) = (maximum, redact());
        });
        let least = changed(deletes("least"), |rule| {
            (rule.period, rule.notice) = (Period::of(6, Unit::Months), Some(30));
        });
        let mut world = one_row(vec![least, longer]);
        world.tables[0].rows[0].insert("full_name".to_owned(), Value::text("[redacted]"));
        assert_eq!(end(&world).events, []);
        judged(&world);
    }
}

/// A minimum that stands at anonymising is not past for a deletion: the maximum is in conflict,
/// and nothing goes (rules 2 and 6), also where another maximum asks only for what is permitted.
fn in_conflict(others: &[Disposal]) {
    let staged = changed(deletes("staged"), |rule| {
        let after = std::mem::replace(&mut rule.period, years(3));
        rule.stages = vec![Stage {
            after,
            disposal: redact(),
        }];
    });
    let mut classes = vec![staged];
    for (nth, disposal) in others.iter().enumerate() {
        classes.push(changed(deletes(&format!("most{nth}")), |rule| {
            (rule.maximum, rule.disposal) = (true, disposal.clone());
        }));
    }
    let world = one_row(classes);
    assert_eq!(status(&world, "most0"), Some(Status::Conflict));
    assert_eq!(end(&world).events, []);
    judged(&world);
}

#[test]
fn a_stage_does_nothing_while_a_severer_maximum_is_in_conflict() {
    in_conflict(&[Disposal::Delete]);
}

#[test]
fn so_it_is_beside_a_maximum_that_is_permitted() {
    in_conflict(&[Disposal::Delete, Disposal::Flag]);
}

/// Of the maximums only `undated` claims the row, and it has no trigger there: none is past, and
/// nothing goes (rule 2). That the triggers of `other` are past is nothing to a row whose claim
/// by it is FALSE.
#[test]
fn the_triggers_of_a_maximum_that_does_not_claim_the_row_are_not_asked() {
    let by = |id: &str, columns: &[&str]| {
        changed(deletes(id), |rule| {
            rule.maximum = true;
            let list = columns.iter().map(|column| ((*column).to_owned(), None));
            rule.trigger = Trigger::Columns(list.collect());
        })
    };
    let other = where_kind(by("other", &["logged_at", "closed_on"]), "a");
    let mut world = one_row(vec![deletes("c"), other, by("undated", &["received_at"])]);
    world.tables[0].rows[0].insert("kind".to_owned(), Value::text("b"));
    assert_eq!(status(&world, "c"), Some(Status::RetainedByOther));
    judged(&world);
}

/// Letters counted from the day of the matter that they belong to. The table of the matters was
/// missing from the statement that counts what is due against the limits, where an index led
/// the walk along it: every class with such a trigger failed, and nothing of it went.
#[test]
fn what_is_due_by_a_related_row_is_counted_against_the_limits() {
    let letters = changed(on(deletes("letters"), "letter"), |rule| {
        rule.trigger = Trigger::Columns(vec![("matter.closed_on".to_owned(), None)]);
    });
    let tables = vec![table("matter", &[]), table("letter", &["matter"])];
    let mut world = world(tables, vec![letters]);
    world.tables[0].indexed = true;
    add(&mut world, "matter", 1, &[closed(2025, 5, 1)]);
    add(&mut world, "letter", 2, &[("matter_id", Value::Int(1))]);
    assert_eq!(left(&end(&world), "letter"), Vec::<i32>::new());
    judged(&world);
}

/// The notice of a maximum begins so many days before its own last day, and binds: an earlier
/// maximum does not take the row before that.
#[test]
fn a_later_maximum_gives_its_notice_in_its_own_time() {
    let most = |id: &str, months| {
        changed(deletes(id), |rule| {
            (rule.maximum, rule.period) = (true, Period::of(months, Unit::Months));
        })
    };
    for (months, flagged) in [(14, 0), (13, 1)] {
        let second = changed(most("second", months), |rule| rule.notice = Some(1));
        let mut world = one_row(vec![most("first", 6), second]);
        // Closed on 2 May 2025: thirteen months are over on 2 June 2026, which is tomorrow.
        world.tables[0].rows[0].insert("closed_on".to_owned(), Value::on(date(2025, 5, 2)));
        let end = end(&world);
        assert_eq!((left(&end, "matter"), end.events.len()), (vec![1], flagged));
        judged(&world);
    }
}

/// A notice that looks ahead looks ahead for what hangs on the record too.
#[test]
fn a_maximums_notice_begins_if_what_hangs_on_the_record_will_let_it_go() {
    let most = changed(goes_with(deletes("most"), &["note"]), |rule| {
        (rule.maximum, rule.notice) = (true, Some(30));
    });
    let tables = vec![table("matter", &[]), table("note", &["matter"])];
    let mut world = world(tables, vec![most, on(deletes("notes"), "note")]);
    add(&mut world, "matter", 1, &[closed(2025, 6, 10)]);
    for (day, flagged) in [(date(2025, 8, 1), 0), (date(2025, 6, 9), 1)] {
        world.tables[1].rows.clear();
        // The day of the flag's end is 1 July 2026.
        let note = [("matter_id", Value::Int(1)), ("closed_on", Value::on(day))];
        add(&mut world, "note", 1, &note);
        let told = end(&world).events;
        let flags = told.iter().filter(|e| e.class == "most").count();
        assert_eq!(flags, flagged);
        judged(&world);
    }
}

/// Another class says of which notes it is so that they are about a matter. The class of the
/// notes takes a matter along by the foreign key, and a note that is about none goes, whatever
/// stands in its column. It was due in every plan, and every batch left it alone.
#[test]
fn a_row_of_which_a_relations_condition_is_not_true_is_not_followed() {
    let mut tables = vec![table("matter", &[]), table("note", &["matter"])];
    let loose = Foreign {
        columns: vec!["about_id".to_owned()],
        loose: true,
        only: Some(Condition::Equal("kind".to_owned(), Value::text("a"))),
        ..tables[1].foreign[0].clone()
    };
    tables[1].columns.push(Column {
        name: "about_id".to_owned(),
        kind: Kind::Int,
        nullable: true,
    });
    tables[1].foreign.push(loose);
    let matters = goes_with(deletes("matters"), &["note"]);
    let notes = on(goes_with(deletes("notes"), &["matter"]), "note");
    let mut world = world(tables, vec![matters, notes]);
    add(&mut world, "matter", 1, &[closed(2026, 5, 1)]);
    let about = ("about_id", Value::Int(1));
    add(
        &mut world,
        "note",
        1,
        &[closed(2025, 5, 1), kind("b"), about.clone()],
    );
    // Nor is one that is about a matter the last to go with it.
    add(&mut world, "matter", 2, &[]);
    let about = ("about_id", Value::Int(2));
    add(
        &mut world,
        "note",
        2,
        &[closed(2025, 5, 1), kind("a"), about],
    );
    let end = end(&world);
    assert_eq!(
        (left(&end, "matter"), left(&end, "note")),
        (vec![1, 2], Vec::<i32>::new())
    );
    judged(&world);
}

/// Gates and notices on a dependant's table keep the records that its rows hang on, and no
/// others, also where two classes have them.
#[test]
fn two_classes_of_a_dependant_table_keep_only_what_its_rows_hang_on() {
    let gated: fn(&mut Dispose) = |rule| rule.gate = Gate::Review;
    let noticed: fn(&mut Dispose) = |rule| rule.notice = Some(30);
    for binds in [gated, noticed] {
        let [one, other] = ["a", "b"].map(|kind| {
            let class = changed(on(deletes(kind), "note"), binds);
            where_kind(class, kind)
        });
        let tables = vec![table("matter", &[]), table("note", &["matter"])];
        let matters = goes_with(deletes("matters"), &["note"]);
        let mut world = world(tables, vec![matters, one, other]);
        for (id, kinds) in [(1, "a"), (2, "b"), (3, "c"), (4, "a"), (5, "b")] {
            if id <= 3 {
                add(&mut world, "matter", id, &[closed(2025, 5, 1)]);
            }
            let of = if id <= 3 { Value::Int(id) } else { Value::Null };
            let note = [closed(2025, 5, 1), kind(kinds), ("matter_id", of)];
            add(&mut world, "note", id, &note);
        }
        assert_eq!(left(&end(&world), "matter"), [1, 2]);
        judged(&world);
    }
}

/// `first` governs and would take the form along, which is held: so the record is kept by more
/// than a notice, and no notice is to begin. The engine asked only what the class that gives the
/// notice would take along, so that the days of notice ran while the record was held.
#[test]
fn no_notice_begins_while_what_the_governing_class_would_take_along_is_held() {
    let most = |id: &str| changed(deletes(id), |rule| rule.maximum = true);
    let first = goes_with(most("first"), &["form"]);
    let second = changed(most("second"), |rule| {
        (rule.period, rule.notice) = (Period::of(13, Unit::Months), Some(30));
    });
    let tables = vec![table("form", &[]), table("matter", &["form"])];
    let mut world = world(tables, vec![first, second]);
    add(&mut world, "form", 1, &[]);
    let form = ("form_id", Value::Int(1));
    add(&mut world, "matter", 1, &[closed(2025, 5, 1), form]);
    world.holds.push(Hold {
        table: "form".to_owned(),
        key: vec!["1".to_owned()],
        until: None,
    });
    assert_eq!(end(&world).events, []);
    judged(&world);
}

/// The row shows already what the class that gives notice would do, and another class deletes
/// it: the notice binds all the same, and is given. No flag ever came, so that the record
/// stayed for good.
#[test]
fn a_class_whose_disposal_the_row_shows_gives_its_notice_of_anothers() {
    let redacts = changed(deletes("redacts"), |rule| {
        (rule.period, rule.notice) = (Period::of(6, Unit::Months), Some(30));
        rule.disposal = redact();
    });
    let mut world = one_row(vec![redacts, deletes("longer")]);
    world.tables[0].rows[0].insert("full_name".to_owned(), Value::text("[redacted]"));
    let told = end(&world).events;
    assert_eq!(told.iter().filter(|e| e.class == "redacts").count(), 1);
    judged(&world);
}
