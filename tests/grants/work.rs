//! Everything that each role is for, done by a login that has nothing else.

use retentiond::enforce::{ClassReport, RunReport, Status, Throttle};
use retentiond::ledger::{KeyValue, RecordKey};
use retentiond::review::{self, NewHold};
use serde_json::Value;
use sqlx::Connection;

use crate::house::{House, ON, schedule};
use crate::support;

async fn hold(house: &House, role: &str, key: i64) -> i64 {
    let mut conn = support::ours(&house.as_role(role)).await;
    let table = "public.social_message".parse().unwrap();
    let key = RecordKey::new(vec![KeyValue::Text(key.to_string().into())]).unwrap();
    let hold = NewHold {
        reference: "LIT/7",
        reason: "a claim",
        owner: "Legal",
        ..NewHold::on_record(&table, &key, "litigation")
    };
    let id = review::place_hold(&mut conn, &hold, "Ann", support::at("2026-11-23"))
        .await
        .unwrap();
    conn.close().await.unwrap();
    id
}

/// A pass of the sample's day, as the enforcer.
async fn pass(house: &House) -> RunReport {
    let stores = support::store("media", &house.media());
    let (url, now) = (house.as_role("enforcer"), support::at(ON));
    support::pass_with(&url, &schedule(), now, &stores, Throttle::FULL_SPEED).await
}

fn class_of<'a>(report: &'a RunReport, id: &str) -> &'a ClassReport {
    let mut classes = report.classes.iter();
    classes.find(|class| class.id.as_str() == id).unwrap()
}

/// Whoever decides has the console's role, and whoever enforces what was decided the
/// enforcer's: nobody the other's.
#[tokio::test]
async fn every_decision_takes_the_console_and_is_acted_on_by_the_enforcer() {
    let house = House::new("decides").await;
    let lines = [
        "review list",
        "hold place --class communications --kind foi --reference R --reason W --owner O --until 2027-01-01",
        "hold place --record social_message 1 --kind other --reference R --reason W --owner O",
        "hold list",
        "hold release 2 --reason over",
        "exempt place --class survey-samples --kind archiving --authority A --reference R --reason W --owner O",
        "exempt release 3 --reason over --yes",
        "instruct capv-research --by C --reference R",
        "instruct list",
        "instruct withdraw capv-research --reason mistaken",
        "pause foi-requests --reason moving",
        "resume foi-requests",
        "subject restrict someone@example.org --reason disputed",
        "subject release someone@example.org --reason settled",
        "subject erase someone@example.org --basis Art.17 --reference R --yes",
        "subject withdraw someone@example.org --reason mistaken",
        "subject erase nobody@example.org --basis Art.17 --reference R --yes",
        "subject list",
        "operator add Jo --role administrator",
        "operator add Kim --role reviewer --as Jo",
        "operator remove Kim --as Jo",
        "operator list",
    ];
    for line in lines {
        let refused = house.run("enforcer", line);
        let looks = line.ends_with("list");
        assert_eq!(refused.code == 0, looks, "enforcer: {line}: {refused}");
        let said = house.run("console", line);
        assert_eq!(said.code, 0, "{line}: {said}");
    }
    // The end of the hold is noted by whoever enforces.
    let mut conn = support::ours(&house.as_role("enforcer")).await;
    let day = "2027-06-01";
    let over = review::note_expired(&mut conn, day.parse().unwrap(), "service", support::at(day));
    assert_eq!(over.await.unwrap(), 1);
    // So is the end of a request.
    let request = [review::erasures(&mut conn).await.unwrap()[1].erasure];
    let now = support::at(day);
    review::fulfil(&mut conn, &request, "service", now)
        .await
        .unwrap();
    let looked = [review::LookedFor {
        erasure: request[0],
        rows: 1,
    }];
    review::note_looked(&mut conn, &looked, day.parse().unwrap(), "service", now)
        .await
        .unwrap();
    conn.close().await.unwrap();
    let said = house.run(
        "console",
        &format!("subject known {} --reason back --as Jo", request[0]),
    );
    assert_eq!(said.code, 0, "{said}");
}

#[tokio::test]
async fn each_role_does_what_it_is_for() {
    let house = House::new("works").await;
    let oldest = "SELECT min(id) FROM public.social_message WHERE received_at BETWEEN '2020-01-01' AND '2026-08-01'";
    let held = support::number(&house.url, oldest).await;
    let id = hold(&house, "console", held).await;

    // Everybody may ask; that the first version waits for a person is no fault.
    for role in ["reader", "console", "enforcer"] {
        let said = house.run(role, "check");
        assert_eq!(said.code, 0, "{role}: {said}");
        assert_eq!(
            said.out.contains("R0382"),
            role != "enforcer",
            "{role}: {said}"
        );
        for line in [
            "plan",
            "plan --months 3",
            "status",
            &format!("explain social_message {held}"),
            "explain attachment 1",
            "ledger list",
            "ledger export",
        ] {
            let said = house.run(role, line);
            assert_eq!(said.code, 0, "{role}: {line}: {said}");
        }
        let said = house.run(role, "ledger verify");
        assert_eq!(said.code, 3, "{role}: {said}");
    }

    // Nobody but the console accepts.
    let (_, plan) = house.desk("reader").json("plan");
    let digest = plan["plan"]["schedule"].as_str().unwrap();
    let said = house.run("reader", &format!("accept {digest} --reason agreed --yes"));
    assert_eq!(said.code, 1, "{said}");
    let said = house.run("console", &format!("accept {digest} --reason agreed --yes"));
    assert_eq!(said.code, 0, "{said}");

    // Nobody but the enforcer makes a pass.
    for role in ["reader", "console", "maintainer"] {
        let said = house.run(role, "run");
        assert_eq!(said.code, 1, "{role}: {said}");
    }
    assert_eq!(
        support::number(&house.url, "SELECT count(*) FROM retentiond.run").await,
        0
    );
    let said = house.run("enforcer", "run --full-speed --format json");
    assert_eq!(said.code, 3, "{said}");
    let first = said.object();
    let done = |answer: &Value, id: &str| -> i64 {
        let classes = answer["run"]["classes"].as_array().unwrap();
        let class = classes.iter().find(|class| class["id"] == id).unwrap();
        assert_eq!(class["status"], "done", "{class}");
        assert_eq!(class["failed"], 0, "{class}");
        class["deleted"].as_i64().unwrap() + class["anonymised"].as_i64().unwrap()
    };
    let acting = [
        "communications",
        "foi-requests",
        "photos-videos",
        "applicants-unsuccessful",
        "applicants-merit-list",
        "survey-samples",
        "social-dms",
    ];
    for class in acting {
        assert!(done(&first, class) > 0, "{class}: {first}");
    }
    let still = format!("SELECT count(*) FROM public.social_message WHERE id = {held}");
    assert_eq!(support::number(&house.url, &still).await, 1);
    // What was due on the sample's day was due today as well, and is gone.
    let again = pass(&house).await;
    for class in acting {
        assert_eq!(class_of(&again, class).acted(), 0, "{class}: {again:?}");
        assert_ne!(class_of(&again, class).status, Status::Failed, "{again:?}");
    }

    // The enforcer releases no hold, the console does, and then the record goes.
    let mut conn = support::ours(&house.as_role("enforcer")).await;
    let refused = review::release_hold(&mut conn, id, "over", "Ann", support::at("2026-11-23"));
    assert!(refused.await.is_err());
    conn.close().await.unwrap();
    let mut conn = support::ours(&house.as_role("console")).await;
    review::release_hold(&mut conn, id, "over", "Ann", support::at("2026-11-23"))
        .await
        .unwrap();
    conn.close().await.unwrap();
    let last = pass(&house).await;
    assert_eq!(class_of(&last, "social-dms").acted(), 1, "{last:?}");
    assert_eq!(support::number(&house.url, &still).await, 0);

    for role in ["reader", "console", "enforcer"] {
        for line in [
            "status",
            &format!("explain social_message {held}"),
            "ledger list --class social-dms",
            "ledger export --as-format csv",
        ] {
            let said = house.run(role, line);
            assert_eq!(said.code, 0, "{role}: {line}: {said}");
        }
    }
}
