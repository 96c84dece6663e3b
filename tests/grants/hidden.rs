//! Row-level security: a class is refused rather than shown a part of its rows.

use retentiond::enforce::Status;

use crate::house::{House, ON, schedule};
use crate::support;

#[tokio::test]
async fn a_policy_on_any_table_of_a_class_refuses_it_and_nothing_of_it_goes() {
    let house = House::new("hidden").await;
    // On a class's own table, and on one that another class only reads when it decides.
    support::sql(
        &house.url,
        "ALTER TABLE social_message ENABLE ROW LEVEL SECURITY;
         CREATE POLICY even ON social_message USING (id % 2 = 0);",
    )
    .await;
    let counted = "SELECT count(*) FROM social_message";
    let before = support::number(&house.url, counted).await;
    let letters = support::number(&house.url, "SELECT count(*) FROM correspondence").await;

    let said = house.run("enforcer", "check");
    assert_eq!(said.code, 2, "{said}");
    assert!(said.out.contains("error[R0314]"), "{said}");
    assert!(said.out.contains("BYPASSRLS"), "{said}");
    let (code, plan) = house.desk("reader").json("plan");
    assert_eq!(code, 0, "{plan}");
    let classes = plan["plan"]["classes"].as_array().unwrap();
    let refused: Vec<&str> = classes
        .iter()
        .filter(|class| class["status"] == "refused")
        .map(|class| class["id"].as_str().unwrap())
        .collect();
    // Letters are named by messages, which would have been unlinked.
    assert_eq!(refused, ["communications", "social-dms"]);

    let enforcer = house.as_role("enforcer");
    let stores = support::store("media", &house.media());
    let full = retentiond::enforce::Throttle::FULL_SPEED;
    let now = support::at(ON);
    let report = support::pass_with(&enforcer, &schedule(), now, &stores, full).await;
    for class in &report.classes {
        let is_refused = refused.contains(&class.id.as_str());
        assert_eq!(class.status == Status::Refused, is_refused, "{class:?}");
    }
    assert_eq!(report.exit_code(), 1);
    assert_eq!(support::number(&house.url, counted).await, before);
    assert_eq!(
        support::number(&house.url, "SELECT count(*) FROM correspondence").await,
        letters
    );
    let said =
        crate::command::Desk::with(&house.url, &schedule()).run("grants --role-prefix hidden");
    assert!(said.out.contains("Row-level security is on."), "{said}");

    // A login that every row is shown to acts on all of them.
    support::sql(&house.url, "ALTER ROLE hidden_enforcer_login BYPASSRLS").await;
    let said = house.run("enforcer", "check");
    assert_eq!(said.code, 0, "{said}");
    let report = support::pass_with(&enforcer, &schedule(), now, &stores, full).await;
    let class = report
        .classes
        .iter()
        .find(|class| class.id.as_str() == "social-dms")
        .unwrap();
    assert!(class.deleted > 0, "{class:?}");
}

#[tokio::test]
async fn a_class_that_keeps_rows_it_is_not_shown_is_refused_and_keeps_them() {
    let house = House::new("kept").await;
    support::sql(
        &house.url,
        "ALTER TABLE opt_out ENABLE ROW LEVEL SECURITY; CREATE POLICY none ON opt_out USING (false);",
    )
    .await;
    let (code, plan) = house.desk("enforcer").json("plan");
    assert_eq!(code, 0, "{plan}");
    let classes = plan["plan"]["classes"].as_array().unwrap();
    let refused: Vec<&str> = classes
        .iter()
        .filter(|class| class["status"] == "refused")
        .map(|class| class["id"].as_str().unwrap())
        .collect();
    assert_eq!(refused, ["newsletter-opt-outs"]);
}
