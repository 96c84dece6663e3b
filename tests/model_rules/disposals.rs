//! What a disposal leaves, and when it is done already.

use super::examples::*;

#[test]
fn what_already_shows_its_disposal_is_done_even_if_it_is_held() {
    let class = changed(deletes("c"), |rule| rule.disposal = redact());
    let mut world = one_row(vec![class]);
    world.tables[0].rows[0].insert("full_name".to_owned(), Value::Null);
    world.holds.push(Hold {
        table: "matter".to_owned(),
        key: vec!["1".to_owned()],
        until: None,
    });
    assert_eq!(status(&world, "c"), Some(Status::Done));
    assert_eq!(counts(&pass(&world, today()), "c").overdue, exactly(0));
}

#[test]
fn every_strategy_says_what_is_left() {
    let after = |value: &Value, path: &[&str], strategy| {
        let path: Vec<String> = path.iter().map(|p| (*p).to_owned()).collect();
        let once = crate::model::value::anonymised(value, &path, strategy);
        assert_eq!(
            crate::model::value::anonymised(&once, &path, strategy),
            once,
            "twice is once"
        );
        once
    };
    let born = Value::on(date(1972, 2, 29));
    assert_eq!(
        after(&born, &[], Strategy::Year),
        Value::on(date(1972, 1, 1))
    );
    assert_eq!(
        after(&born, &[], Strategy::Month),
        Value::on(date(1972, 2, 1))
    );
    assert_eq!(
        after(&Value::text("SE1 2AA"), &[], Strategy::Area),
        Value::text("SE1")
    );
    assert_eq!(
        after(&Value::text("Ada"), &[], Strategy::Redact),
        Value::text("[redacted]")
    );
    assert_eq!(after(&Value::Null, &[], Strategy::Redact), Value::Null);
    assert_eq!(after(&Value::text("Ada"), &[], Strategy::Null), Value::Null);
    let answers = |json: &str| Value::Json(serde_json::from_str(json).unwrap());
    let full = answers(r#"{"phone": 1, "a": {"phone": 2}}"#);
    assert_eq!(
        after(&full, &["phone"], Strategy::Remove),
        answers(r#"{"a": {"phone": 2}}"#)
    );
    assert_eq!(
        after(&full, &["a", "phone"], Strategy::Remove),
        answers(r#"{"phone": 1, "a": {}}"#)
    );
}
