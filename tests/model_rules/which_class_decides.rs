//! Rules 1 to 4: which class decides about a row that several claim.

use super::examples::*;

#[test]
fn to_dispose_a_claim_must_be_true_and_to_protect_it_need_not_be() {
    let mut world = world(
        vec![table("matter", &[])],
        vec![
            where_kind(deletes("short"), "a"),
            where_kind(changed(deletes("long"), |r| r.period = years(9)), "b"),
        ],
    );
    // a: short alone. NULL: both unknown, so nobody disposes. b: long alone, not past.
    add(&mut world, "matter", 1, &[closed(2025, 5, 1), kind("a")]);
    add(&mut world, "matter", 2, &[closed(2025, 5, 1)]);
    add(&mut world, "matter", 3, &[closed(2025, 5, 1), kind("b")]);
    assert_eq!(left(&end(&world), "matter"), [2, 3]);
    // Short without a condition is TRUE of row 2; long is unknown there, and protects.
    world.classes[0].claim = None;
    let end = end(&world);
    assert_eq!(left(&end, "matter"), [2, 3]);
    assert_eq!(
        counts(&end, "short").state(Status::RetainedByOther),
        exactly(2)
    );
}

#[test]
fn rule_1_any_retain_protects() {
    let world = one_row(vec![deletes("c"), retains("kept")]);
    assert_eq!(status(&world, "c"), Some(Status::RetainedByOther));
    // Also where its claim is only unknown (kind is NULL) ...
    let world = one_row(vec![deletes("c"), where_kind(retains("kept"), "a")]);
    assert_eq!(status(&world, "c"), Some(Status::RetainedByOther));
    // ... and not where it is FALSE.
    let mut world = world;
    world.tables[0].rows[0].insert("kind".to_owned(), Value::text("b"));
    assert_eq!(status(&world, "c"), Some(Status::Due));
}

#[test]
fn rule_2_all_minimums_must_be_past_and_one_maximum() {
    let longer = changed(deletes("long"), |r| r.period = years(2));
    assert_eq!(
        status(&one_row(vec![deletes("c"), longer]), "c"),
        Some(Status::RetainedByOther)
    );
    let maximum = |id: &str, count| {
        changed(deletes(id), |r| {
            (r.maximum, r.period) = (true, years(count))
        })
    };
    // Its only maximum ends in 2027: nothing has to go yet.
    let waits = one_row(vec![deletes("c"), maximum("most", 2)]);
    assert_eq!(status(&waits, "c"), Some(Status::RetainedByOther));
    // Two maximums, of which the shorter (1 May 2026) is past: one of them is enough, and
    // of the minimum (1 November 2025) and the earlier maximum the later governs.
    let least = changed(deletes("least"), |r| r.period = Period::of(6, Unit::Months));
    let goes = one_row(vec![least, maximum("most", 1), maximum("more", 2)]);
    assert_eq!(status(&goes, "most"), Some(Status::Due));
    assert_eq!(status(&goes, "least"), Some(Status::RetainedByOther));
}

#[test]
fn rule_2_a_late_maximum_under_a_minimum_is_a_conflict() {
    let maximum = changed(deletes("most"), |rule| rule.maximum = true);
    let longer = changed(deletes("least"), |rule| rule.period = years(2));
    let world = one_row(vec![maximum.clone(), longer]);
    assert_eq!(status(&world, "most"), Some(Status::Conflict));
    assert_eq!(status(&world, "least"), None); // not past
    assert_eq!(left(&end(&world), "matter"), [1]);
    assert_eq!(
        status(&one_row(vec![maximum, retains("kept")]), "most"),
        Some(Status::Conflict)
    );
}

#[test]
fn rule_3_the_latest_last_day_governs() {
    let short = changed(deletes("short"), |rule| {
        rule.period = Period::of(6, Unit::Months)
    });
    let long = changed(deletes("long"), |rule| rule.disposal = redact());
    let world = one_row(vec![short, long]);
    assert_eq!(status(&world, "short"), Some(Status::RetainedByOther));
    assert_eq!(status(&world, "long"), Some(Status::Due));
    // And so it stays: two classes on one row are never two steps.
    let end = end(&world);
    assert_eq!(
        end.state.rows[&at("matter", 1)]["full_name"],
        Value::text("[redacted]")
    );
    assert_eq!(end.events.len(), 1);
}

#[test]
fn rule_3_on_a_tie_the_mildest_governs_then_the_first_id() {
    let flag = changed(deletes("flag"), |rule| rule.disposal = Disposal::Flag);
    let anonymise = changed(deletes("anonymise"), |rule| rule.disposal = redact());
    let world = one_row(vec![deletes("delete"), anonymise, flag]);
    let governs = ["delete", "anonymise", "flag"].map(|c| status(&world, c));
    assert_eq!(
        governs,
        [
            Some(Status::RetainedByOther),
            Some(Status::RetainedByOther),
            Some(Status::Due)
        ]
    );
    // In whichever order the file has them.
    let world = one_row(vec![deletes("b"), deletes("a")]);
    assert_eq!(status(&world, "a"), Some(Status::Due));
    assert_eq!(status(&world, "b"), Some(Status::RetainedByOther));
}

#[test]
fn rule_3_nothing_goes_where_the_governing_claim_is_only_unknown() {
    // kind is NULL: `long` is unknown, past, and has the later last day.
    let short = changed(deletes("short"), |rule| {
        rule.period = Period::of(6, Unit::Months)
    });
    let world = one_row(vec![short.clone(), where_kind(deletes("long"), "a")]);
    assert_eq!(status(&world, "short"), Some(Status::RetainedByOther));
    assert_eq!(left(&end(&world), "matter"), [1]);
    // The other way round the unknown one does not govern, and is past: no matter.
    let world = one_row(vec![where_kind(short, "a"), deletes("long")]);
    assert_eq!(status(&world, "long"), Some(Status::Due));
}

#[test]
fn rule_3_a_maximum_that_is_done_yields_to_the_next() {
    let maximum = |id: &str, months, disposal: Disposal| {
        changed(deletes(id), |rule| {
            (rule.maximum, rule.period) = (true, Period::of(months, Unit::Months));
            rule.disposal = disposal;
        })
    };
    // Last days 1 August 2025, 1 November 2025, 1 July 2026.
    let world = one_row(vec![
        maximum("flag", 3, Disposal::Flag),
        maximum("redact", 6, redact()),
        maximum("delete", 14, Disposal::Delete),
    ]);
    // First the flag alone; it yields, and the row is redacted; then both wait for July.
    let first = pass(&world, today());
    assert_eq!(counts(&first, "flag").state(Status::Due), exactly(1));
    assert_eq!(
        counts(&first, "redact").state(Status::RetainedByOther),
        exactly(1)
    );
    let end = end(&world);
    let actions: Vec<_> = end
        .events
        .iter()
        .map(|e| (e.class.as_str(), &e.action))
        .collect();
    let last_day = Day::On(date(2025, 8, 1));
    let flagged = Action::Flagged {
        trigger: Some(Day::On(date(2025, 5, 1))),
        last_day: Some(last_day),
    };
    assert_eq!(
        actions,
        [("flag", &flagged), ("redact", &Action::Anonymised)]
    );
    // In July it goes.
    let later = settle(&world, date(2026, 7, 1));
    assert_eq!(left(&later[0], "matter"), Vec::<i32>::new());
}

#[test]
fn rule_4_a_refused_class_protects_what_it_might_claim() {
    let bad = changed(where_kind(deletes("bad"), "a"), |rule| {
        rule.trigger = Trigger::Columns(vec![("no_such_column".to_owned(), None)]);
    });
    let mut world = world(vec![table("matter", &[])], vec![deletes("c"), bad]);
    add(&mut world, "matter", 1, &[closed(2025, 5, 1), kind("a")]); // claimed
    add(&mut world, "matter", 2, &[closed(2025, 5, 1)]); // perhaps
    add(&mut world, "matter", 3, &[closed(2025, 5, 1), kind("b")]); // not
    let outcome = end(&world);
    assert_eq!(left(&outcome, "matter"), [1, 2]);
    assert!(counts(&outcome, "bad").refused);
    assert_eq!(counts(&outcome, "c").state(Status::Due), exactly(1));
    assert_eq!(
        counts(&outcome, "c").state(Status::RetainedByOther),
        exactly(2)
    );
    // Where its condition cannot be evaluated, the whole table is protected.
    world.classes[1].claim = Some(Condition::Column("no_such_column".to_owned()));
    assert_eq!(left(&end(&world), "matter"), [1, 2, 3]);
}

#[test]
fn an_undeclared_key_is_a_refusal() {
    let tables = vec![
        table("matter", &[]),
        table("note", &["matter"]),
        table("scan", &["note"]),
    ];
    let class = |names: &[&str]| goes_with(deletes("c"), names);
    let mut world = world(tables, vec![class(&["note"])]);
    add(&mut world, "matter", 1, &[closed(2025, 5, 1)]);
    assert_eq!(left(&end(&world), "matter"), [1]); // scan, two levels down, is missing
    world.classes = vec![class(&["note", "scan"])];
    assert_eq!(left(&end(&world), "matter"), Vec::<i32>::new());
    // To anonymise, what refers to the record is no matter.
    world.classes = vec![changed(deletes("c"), |rule| rule.disposal = redact())];
    assert!(!counts(&pass(&world, today()), "c").refused);
}

#[test]
fn rule_2_a_claim_without_a_usable_trigger_is_not_past() {
    let by_receipt = |id: &str, maximum: bool| {
        changed(deletes(id), |rule| {
            rule.trigger = Trigger::Columns(vec![("received_at".to_owned(), None)]);
            rule.maximum = maximum;
        })
    };
    // received_at is NULL: the other minimum is not past, the other maximum neither.
    for maximum in [false, true] {
        let mut world = one_row(vec![deletes("c"), by_receipt("other", maximum)]);
        assert_eq!(
            status(&world, "c"),
            Some(Status::RetainedByOther),
            "{maximum}"
        );
        // A sentinel there is no better ...
        let row = &mut world.tables[0].rows[0];
        row.insert("received_at".to_owned(), Value::Instant(Moment::Before));
        assert_eq!(
            status(&world, "c"),
            Some(Status::RetainedByOther),
            "{maximum}"
        );
        // ... and with a day in 2024 both are past: the minimum's year ended later.
        let row = &mut world.tables[0].rows[0];
        let noon = date(2024, 5, 1).and_hms_opt(12, 0, 0).unwrap();
        row.insert("received_at".to_owned(), Value::Instant(Moment::At(noon)));
        assert_eq!(status(&world, "c"), Some(Status::Due), "{maximum}");
    }
}

#[test]
fn a_maximum_that_is_done_is_in_no_conflict() {
    let maximum = changed(deletes("most"), |rule| {
        (rule.maximum, rule.disposal) = (true, redact());
    });
    let longer = changed(deletes("least"), |rule| rule.period = years(2));
    let mut world = one_row(vec![maximum, longer]);
    assert_eq!(status(&world, "most"), Some(Status::Conflict));
    let row = &mut world.tables[0].rows[0];
    row.insert("full_name".to_owned(), Value::text("[redacted]"));
    // It asks for nothing more; the minimum governs, and is not past.
    assert_eq!(status(&world, "most"), Some(Status::RetainedByOther));
}

#[test]
fn a_class_counts_no_row_of_which_it_is_only_perhaps_the_class() {
    // kind is NULL, so the claim is unknown.
    let world = one_row(vec![where_kind(deletes("c"), "a")]);
    assert_eq!(status(&world, "c"), None);
    assert_eq!(counts(&pass(&world, today()), "c").claimed, 0);
}

#[test]
fn what_another_class_keeps_is_not_overdue() {
    let world = one_row(vec![deletes("c"), retains("kept")]);
    assert_eq!(counts(&pass(&world, today()), "c").overdue, exactly(0));
    // Held, it would be: past since 2 May.
    let mut world = one_row(vec![deletes("c")]);
    let key = vec!["1".to_owned()];
    world.holds.push(Hold {
        table: "matter".to_owned(),
        key,
        until: None,
    });
    assert_eq!(counts(&pass(&world, today()), "c").overdue, exactly(1));
}
