//! Filters, orders and pages.

use retentiond::plan::{Ask, Order};
use retentiond::review::Decision;
use retentiond::survey;

use crate::office::{self, Room, TODAY, key, only};
use crate::stage;

fn day(text: &str) -> Option<chrono::NaiveDate> {
    Some(text.parse().unwrap())
}

#[tokio::test]
async fn a_filter_leaves_what_fits_it_and_nothing_else() {
    let url = office::open().await;
    let mut room = Room::on(&url, &office::schedule(), "dossiers", TODAY).await;
    assert_eq!(room.keys(&Ask::default()).await, ["7", "10", "2", "3", "1"]);
    for to in ["Kim O'Field", "Jo"] {
        let decision = Decision::HandOn(to);
        room.decide(&only("id IN (2, 7)"), decision, "Jo").await;
    }
    room.decide(&only("id = 7"), Decision::HandOn("Kim O'Field"), "Jo")
        .await;
    let cases: [(Ask, &[&str]); 9] = [
        (
            Ask {
                before: day("2015-06-30"),
                ..Ask::default()
            },
            &["7", "10"],
        ),
        (
            Ask {
                after: day("2015-06-30"),
                ..Ask::default()
            },
            &["3", "1"],
        ),
        (
            Ask {
                last_day_before: day("2025-01-31"),
                ..Ask::default()
            },
            &["7", "10", "2"],
        ),
        (
            Ask {
                last_day_before: day("2025-02-01"),
                after: day("2014-05-05"),
                ..Ask::default()
            },
            &["2", "3"],
        ),
        // NULL is not TRUE.
        (only("amount < 100"), &["2", "1"]),
        (only("about = 'x' OR id = 3"), &["3"]),
        (
            Ask {
                handed_to: Some("Kim O'Field".to_owned()),
                ..Ask::default()
            },
            &["7"],
        ),
        (
            Ask {
                handed_to: Some("nobody".to_owned()),
                ..Ask::default()
            },
            &[],
        ),
        (
            Ask {
                again: true,
                ..Ask::default()
            },
            &[],
        ),
    ];
    for (ask, expected) in cases {
        let page = room.page(&ask, None).await;
        assert_eq!(page.waiting, expected.len() as u64, "{ask:?}");
        assert_eq!(room.keys(&ask).await, expected, "{ask:?}");
    }
}

#[tokio::test]
async fn records_are_sorted_and_paged_and_counted_all_the_same() {
    let url = office::open().await;
    let mut room = Room::on(&url, &office::schedule(), "dossiers", TODAY).await;
    let ask = |order: Order, descending: bool| Ask {
        order,
        descending,
        ..Ask::default()
    };
    // As numbers, not as texts; on a tie by the key.
    for (order, descending, expected) in [
        (Order::Key, false, ["1", "2", "3", "7", "10"]),
        (Order::Key, true, ["10", "7", "3", "2", "1"]),
        (Order::Trigger, false, ["7", "10", "2", "3", "1"]),
        (Order::LastDay, true, ["1", "3", "2", "7", "10"]),
    ] {
        let ask = ask(order, descending);
        assert_eq!(room.keys(&ask).await, expected, "{ask:?}");
    }
    let part = |offset: u64, limit: u64| Ask {
        offset,
        limit: Some(limit),
        ..Ask::default()
    };
    for (offset, limit, expected) in [
        (0, 2, &["7", "10"][..]),
        (2, 2, &["2", "3"]),
        (4, 2, &["1"]),
        (5, 2, &[]),
        (0, 0, &[]),
    ] {
        let ask = part(offset, limit);
        assert_eq!(room.keys(&ask).await, expected);
        assert_eq!(room.page(&ask, None).await.waiting, 5);
    }
    let after = |key: &str, descending: bool| Ask {
        after_key: Some(vec![key.to_owned()]),
        limit: Some(2),
        ..ask(Order::Key, descending)
    };
    assert_eq!(room.keys(&after("2", false)).await, ["3", "7"]);
    // Also after one that is not there, or not any more.
    assert_eq!(room.keys(&after("4", false)).await, ["7", "10"]);
    assert_eq!(room.keys(&after("10", false)).await, [""; 0]);
    assert_eq!(room.keys(&after("3", true)).await, ["2", "1"]);

    // Dossier 1 has six rows on it, 7 three, 3 two, 2 one, 10 none.
    for (descending, expected) in [
        (false, ["10", "2", "3", "7", "1"]),
        (true, ["1", "7", "3", "2", "10"]),
    ] {
        let records = room.page(&Ask::default(), None).await.records;
        let class = room.drawn.plan.class(&room.class).unwrap();
        let sorted =
            survey::sort_by_dependants(&mut room.conn, class, &room.columns, records, descending)
                .await
                .unwrap();
        let keys: Vec<String> = sorted
            .iter()
            .map(|one| one.key.to_texts().concat())
            .collect();
        assert_eq!(keys, expected);
    }
}

#[tokio::test]
async fn only_the_keys_that_are_named_are_asked_about() {
    let url = office::open().await;
    let mut room = Room::on(&url, &office::schedule(), "dossiers", TODAY).await;
    let keys = [1, 2, 4, 5, 6, 8, 99].map(key);
    let keys: Vec<_> = keys.iter().collect();
    let page = room.page(&Ask::default(), Some(&keys)).await;
    let found: Vec<String> = page
        .records
        .iter()
        .map(|one| one.key.to_texts().concat())
        .collect();
    assert_eq!(found, ["2", "1"]);
    assert!(
        room.page(&Ask::default(), Some(&[]))
            .await
            .records
            .is_empty()
    );
}

/// Several columns, texts, capitals, and a key that looks like SQL.
#[tokio::test]
async fn keys_of_several_columns_and_of_texts_are_sorted_and_paged() {
    let url = stage::database(
        "CREATE TABLE \"Odd\" (\"From\" text, no int, on_day timestamp, PRIMARY KEY (\"From\", no));
         INSERT INTO \"Odd\" VALUES ('b', 2, '2010-01-01'), ('b', 10, '2010-01-01'), ('a''); --', 1, '2010-01-01'), ('ä,\\', 1, NULL)",
    )
    .await;
    let rest = "table = \"Odd\"\ntrigger = \"on_day\"\nperiod = \"1 year\"\nor_when = \"no = 1\"\ndisposal = \"delete\"\ngate = \"review\"\n";
    let toml = format!("{}{}", stage::HEAD, stage::class("odd", rest));
    let mut room = Room::on(&url, &toml, "odd", TODAY).await;
    // What is due at once has no last day, and comes first.
    let all = ["a'); --,1", "ä,\\,1", "b,2", "b,10"];
    assert_eq!(room.keys(&Ask::default()).await, all);
    let shown = room.shown(&Ask::default()).await;
    let why: Vec<&str> = shown.iter().map(|one| &*one.why).collect();
    let once = "due at once, since no = 1";
    let kept = "on day on 1 January 2010, kept 1 year, through 1 January 2011";
    let kept = kept.replace("on day on", "“on day” is");
    assert_eq!(why, [once, once, &kept, &kept]);
    let after = Ask {
        order: Order::Key,
        after_key: Some(vec!["a'); --".to_owned(), "1".to_owned()]),
        ..Ask::default()
    };
    let rest = room.keys(&after).await;
    assert_eq!(rest.len(), 3);
    assert!(!rest.contains(&all[0].to_owned()));
    let keys: Vec<_> = shown.iter().map(|one| &one.key).collect();
    assert_eq!(
        room.page(&Ask::default(), Some(&keys)).await.records.len(),
        4
    );
}
