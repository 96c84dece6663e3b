//! The comparison itself: it is content with what the model says, and with nothing else.

use serde_json::{Map, Value as Json, json};

use super::examples::*;
use crate::model::compare::{End, end_differs, first_pass_differs, ledger_differs, plan_differs};
use crate::model::counts::due;
use crate::model::rules::State;

/// matter 1 goes with its note, matter 2 is anonymised, matter 3 flagged; note 2 is unlinked.
fn example() -> World {
    let kinds = ["gone", "masked", "flagged"];
    let [gone, masked, flagged] = kinds.map(|id| where_kind(deletes(id), id));
    let gone = changed(gone, |rule| {
        rule.dependants.push(Dependant {
            table: "note".to_owned(),
            unlink: false,
        });
        rule.dependants.push(Dependant {
            table: "scan".to_owned(),
            unlink: true,
        });
    });
    let masked = changed(masked, |rule| rule.disposal = redact());
    let flagged = changed(flagged, |rule| rule.disposal = Disposal::Flag);
    let tables = vec![
        table("matter", &[]),
        table("note", &["matter"]),
        table("scan", &["matter"]),
    ];
    let mut world = world(tables, vec![gone, masked, flagged]);
    let name = ("full_name", Value::text("Ada"));
    for (id, of) in [(1, "gone"), (2, "masked"), (3, "flagged")] {
        add(
            &mut world,
            "matter",
            id,
            &[closed(2025, 5, 1), kind(of), name.clone()],
        );
    }
    add(&mut world, "matter", 4, &[kind("gone"), name]);
    add(&mut world, "note", 1, &[("matter_id", Value::Int(1))]);
    add(&mut world, "scan", 1, &[("matter_id", Value::Int(1))]);
    world
}

/// What a faithful ledger would export.
fn lines() -> Vec<Json> {
    [
        ("gone", "unlinked", "scan", "1"),
        ("gone", "deleted", "note", "1"),
        ("gone", "deleted", "matter", "1"),
        ("masked", "anonymised", "matter", "2"),
        ("flagged", "flagged", "matter", "3"),
    ]
    .map(|(class, action, table, key)| {
        json!({ "class": class, "action": action, "table": format!("public.{table}"), "key": { "id": key } })
    })
    .to_vec()
}

#[test]
fn a_faithful_end_and_ledger_are_accepted() {
    let world = example();
    let (start, ends) = (State::of(&world), settle(&world, today()));
    let found = End::of(&ends[0].state);
    let nothing = Vec::<String>::new();
    assert_eq!(end_differs(&ends, &found), nothing);
    assert_eq!(
        ledger_differs(&world, &start, &ends, &found, &lines()),
        nothing
    );
    let due = due(&world, &start, today());
    assert_eq!(
        due.iter().map(|id| id.key[0].as_str()).collect::<Vec<_>>(),
        ["1", "2", "3"]
    );
    assert_eq!(first_pass_differs(&start, &ends, &due, &found), nothing);
}

#[test]
fn whatever_happened_otherwise_is_told() {
    let world = example();
    let ends = settle(&world, today());
    let right = End::of(&ends[0].state);
    let told = |change: &dyn Fn(&mut End)| {
        let mut found = right.clone();
        change(&mut found);
        end_differs(&ends, &found).join("; ")
    };
    let gone = told(&|end| drop(end.rows.remove(&at("matter", 4))));
    assert_eq!(gone, "matter(4) is gone and should be there");
    let there = told(&|end| drop(end.rows.insert(at("note", 1), [].into())));
    assert_eq!(there, "note(1) is there and should be gone");
    let value = told(&|end| {
        let row = end.rows.get_mut(&at("matter", 2)).unwrap();
        row.insert("full_name".to_owned(), Some("Ada".to_owned()));
    });
    assert_eq!(
        value,
        "matter(2).full_name is Some(Some(\"Ada\")) and should be Some(\"[redacted]\")"
    );
    let flag = told(&|end| end.flags.clear());
    assert!(
        flag.starts_with("matter(3)'s flag by flagged is None"),
        "{flag}"
    );
}

#[test]
fn a_first_pass_that_did_nothing_or_too_much_is_told() {
    let world = example();
    let (start, ends) = (State::of(&world), settle(&world, today()));
    let due = due(&world, &start, today());
    let idle = first_pass_differs(&start, &ends, &due, &End::of(&start));
    assert_eq!(idle.len(), 3, "{idle:?}");
    let mut found = End::of(&ends[0].state);
    found.rows.remove(&at("matter", 4));
    let told = first_pass_differs(&start, &ends, &due, &found);
    assert_eq!(told, ["matter(4) was touched and nothing permits it"]);
}

#[test]
fn a_ledger_that_lies_is_told() {
    let world = example();
    let (start, ends) = (State::of(&world), settle(&world, today()));
    let found = End::of(&ends[0].state);
    for missing in 0..lines().len() {
        let mut short = lines();
        short.remove(missing);
        assert_eq!(
            ledger_differs(&world, &start, &ends, &found, &short).len(),
            1,
            "{missing}"
        );
        let mut twice = lines();
        twice.push(lines()[missing].clone());
        assert!(
            !ledger_differs(&world, &start, &ends, &found, &twice).is_empty(),
            "{missing}"
        );
    }
    let mut false_line = lines();
    false_line
        .push(json!({ "class": "gone", "action": "deleted", "table": "matter", "key": ["4"] }));
    assert_eq!(
        ledger_differs(&world, &start, &ends, &found, &false_line).len(),
        2
    ); // not permitted, not so
    // All that is written, and nothing of it done.
    assert_eq!(
        ledger_differs(&world, &start, &ends, &End::of(&start), &lines()).len(),
        5
    );
}

/// The plan that agrees with the model's counts.
fn agreeing(world: &World) -> Json {
    let classes: Vec<Json> = settle(world, today())[0]
        .counts
        .iter()
        .map(|(id, counts)| {
            let mut class = Map::new();
            class.insert("id".to_owned(), json!(id));
            class.insert("status".to_owned(), json!("ready"));
            class.insert(
                "cutoff".to_owned(),
                json!(counts.cutoffs.first().map(|day| day.to_string())),
            );
            for (name, count) in [
                ("claimed", counts.claimed),
                ("due", counts.state(Status::Due).least),
                ("done", counts.state(Status::Done).least),
                ("held", counts.state(Status::Held).least),
                ("conflict", counts.state(Status::Conflict).least),
                ("waiting", counts.state(Status::Waiting).least),
                (
                    "retained_by_other",
                    counts.state(Status::RetainedByOther).least,
                ),
                ("active", counts.state(Status::Active).least),
                ("quarantined", 0),
                ("overdue", counts.overdue.least),
                ("without_trigger", counts.without_trigger),
                ("implausible_trigger", counts.implausible_trigger),
                ("future_trigger", counts.future_trigger),
            ] {
                class.insert(name.to_owned(), json!(count));
            }
            let with = counts
                .dependants
                .iter()
                .map(|(t, s)| (format!("public.{t}"), json!(s.least)));
            class.insert("dependants".to_owned(), Json::Object(with.collect()));
            Json::Object(class)
        })
        .collect();
    json!({ "plan": { "classes": classes } })
}

#[test]
fn a_count_that_is_one_off_is_told() {
    let world = example();
    let counts = &settle(&world, today())[0].counts;
    let plan = agreeing(&world);
    assert_eq!(plan_differs(&plan, counts), Vec::<String>::new());
    let names = [
        "claimed",
        "due",
        "done",
        "held",
        "conflict",
        "waiting",
        "retained_by_other",
    ];
    let more = [
        "quarantined",
        "overdue",
        "without_trigger",
        "implausible_trigger",
        "future_trigger",
    ];
    for name in names.into_iter().chain(more) {
        let mut wrong = plan.clone();
        let class = &mut wrong["plan"]["classes"][0];
        class[name] = json!(class[name].as_u64().unwrap() + 1);
        assert!(!plan_differs(&wrong, counts).is_empty(), "{name}");
    }
    for (name, value) in [
        ("cutoff", json!("2025-06-02")),
        ("status", json!("refused")),
        ("dependants", json!({ "public.note": 2 })),
        ("id", json!("other")),
    ] {
        let mut wrong = plan.clone();
        wrong["plan"]["classes"][0][name] = value;
        assert!(!plan_differs(&wrong, counts).is_empty(), "{name}");
    }
}
