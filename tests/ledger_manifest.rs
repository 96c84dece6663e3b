//! The bytes of a manifest: the vectors of `docs/LEDGER.md`, which were computed by
//! another program from that page; every batch comes back; hostile bytes do no harm.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Instant;

use chrono::{Months, NaiveDate};
use proptest::collection::vec;
use proptest::prelude::*;
use retentiond::ident::Ident;
use retentiond::ledger::key::{KeyColumn, KeyColumns, KeyKind, KeyValue, RecordKey};
use retentiond::ledger::manifest::{
    LONGEST_TEXT, Manifest, ManifestBuilder, ManifestError, Record, decode, filter_may_contain,
};

fn columns(list: &[(&str, KeyKind)]) -> KeyColumns {
    let columns = list.iter().map(|(name, kind)| KeyColumn {
        name: Ident::new(*name).unwrap(),
        kind: *kind,
    });
    KeyColumns::new(columns.collect()).unwrap()
}

fn id() -> KeyColumns {
    columns(&[("id", KeyKind::Int)])
}

fn day(text: &str) -> Option<i32> {
    let date: NaiveDate = text.parse().unwrap();
    Some(date.to_epoch_days())
}

/// 00 01 02 … 1f.
fn seed() -> [u8; 32] {
    std::array::from_fn(|i| u8::try_from(i).unwrap())
}

fn build(columns: &KeyColumns, parents: Option<&KeyColumns>, records: &[Record]) -> Manifest {
    let mut builder = ManifestBuilder::new(columns.clone(), parents.cloned(), seed());
    for record in records {
        let parent = record.parent.as_ref().map(RecordKey::values);
        builder
            .push(record.key.values(), record.trigger, record.last_day, parent)
            .unwrap();
    }
    builder.finish()
}

fn record(key: RecordKey, trigger: Option<i32>, last_day: Option<i32>) -> Record {
    Record {
        key,
        trigger,
        last_day,
        parent: None,
    }
}

fn check_vector(
    manifest: &Manifest,
    expected: (&str, &str, &str),
    columns: &KeyColumns,
    records: &[Record],
) {
    let (bytes, root, filter) = expected;
    assert_eq!(hex::encode(&manifest.bytes), bytes);
    assert_eq!(hex::encode(manifest.root), root);
    assert_eq!(hex::encode(&manifest.filter), filter);
    let manual = include_str!("../docs/LEDGER.md");
    assert!(manual.contains(root) && manual.contains(filter));
    assert_eq!(manifest.count, records.len() as u64);
    let bytes = hex::decode(bytes).unwrap();
    let decoded = decode(&bytes).unwrap();
    assert_eq!(&decoded.header().columns, columns);
    assert_eq!(decoded.header().count, records.len() as u64);
    let decoded: Vec<Record> = decoded.collect::<Result<_, _>>().unwrap();
    assert_eq!(decoded, records);
}

#[test]
fn the_vector_with_numbers_is_reproduced_byte_for_byte() {
    let records = [
        record(RecordKey::int(42), day("2015-03-01"), day("2023-03-01")),
        record(RecordKey::int(45), day("2015-03-02"), day("2023-03-02")),
        record(RecordKey::int(40), None, None),
    ];
    let expected = (
        "72646d010301010269640054bf8304d52d06060900",
        "c5589d608cce81847c31f8601b8aa7269049f656d7fae27af829f49c0ab7be9e",
        "07ff18cd66",
    );
    check_vector(&build(&id(), None, &records), expected, &id(), &records);
}

#[test]
fn the_vector_with_texts_and_parents_is_reproduced_byte_for_byte() {
    let own = columns(&[("campaign", KeyKind::Int), ("ref", KeyKind::Text)]);
    let parents = columns(&[("parent_id", KeyKind::Text)]);
    let key = |campaign, reference: &'static str| {
        RecordKey::new(vec![KeyValue::Int(campaign), KeyValue::text(reference)]).unwrap()
    };
    let uuid = "6f2c1b1e-0c5b-4b8e-9d5e-2f0a4f6f0001";
    let with_parent = |record: Record, parent: &str| Record {
        parent: Some(RecordKey::text(parent)),
        ..record
    };
    let records = [
        with_parent(
            record(key(2, "A-001"), day("2024-02-29"), day("2025-02-28")),
            uuid,
        ),
        with_parent(
            record(key(2, "A-002"), day("2024-02-29"), day("2025-02-28")),
            uuid,
        ),
        with_parent(
            record(key(-3, "é"), day("2024-03-01"), day("2025-03-01")),
            "not-a-uuid",
        ),
        with_parent(
            record(key(-3, ""), day("2024-02-28"), None),
            "not-a-uuid too",
        ),
    ];
    let manifest = build(&own, Some(&parents), &records);
    check_vector(&manifest, VECTOR_WITH_PARENTS, &own, &records);
}

const VECTOR_WITH_PARENTS: (&str, &str, &str) = (
    concat!(
        "72646d010402010863616d706169676e020372656601010209706172656e745f",
        "6964040105412d3030319bea04db05006f2c1b1e0c5b4b8e9d5e2f0a4f6f0001",
        "00050132022500090102c3a906010a6e6f742d612d7575696400010009000b04",
        "20746f6f",
    ),
    "a2f2e8215de830fd3c029f84e19cff63dc6e58a8d5cc6995c5df7a4fd7260556",
    "07723f7847a9",
);

#[test]
fn the_empty_manifest_has_the_root_of_the_empty_tree() {
    let expected = (
        "72646d0100010102696400",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "07",
    );
    let manifest = build(&id(), None, &[]);
    check_vector(&manifest, expected, &id(), &[]);
    assert!(!filter_may_contain(
        &seed(),
        &manifest.filter,
        &[KeyValue::Int(1)]
    ));
}

#[test]
fn a_record_that_does_not_fit_is_refused_and_leaves_no_trace() {
    let mut builder = ManifestBuilder::new(id(), None, seed());
    let one = [KeyValue::Int(1)];
    let long = "x".repeat(LONGEST_TEXT + 1);
    assert_eq!(builder.push(&[], None, None, None), Err(ManifestError::Key));
    let text = [KeyValue::text("1")];
    assert_eq!(
        builder.push(&text, None, None, None),
        Err(ManifestError::Key)
    );
    let twice = [KeyValue::Int(1), KeyValue::Int(1)];
    assert_eq!(
        builder.push(&twice, None, None, None),
        Err(ManifestError::Key)
    );
    let with_parent = builder.push(&one, None, None, Some(&one));
    assert_eq!(with_parent, Err(ManifestError::Parent));
    builder.push(&one, Some(3), Some(4), None).unwrap();
    let expected = record(RecordKey::int(1), Some(3), Some(4));
    assert_eq!(builder.finish(), build(&id(), None, &[expected]));

    let mut builder = ManifestBuilder::new(columns(&[("t", KeyKind::Text)]), Some(id()), seed());
    let key = [KeyValue::text(&long)];
    let too_long = builder.push(&key, None, None, Some(&one));
    assert_eq!(too_long, Err(ManifestError::LongText));
    let orphan = builder.push(&[KeyValue::text("a")], None, None, None);
    assert_eq!(orphan, Err(ManifestError::Parent));
}

#[test]
fn an_ordinary_batch_takes_less_than_eight_bytes_a_record_and_the_rate_is_shown() {
    // A batch of 5,000, keys anywhere among twenty million, seven hundred a day.
    let started = Instant::now();
    let start: NaiveDate = "2015-12-01".parse().unwrap();
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut bytes = 0;
    for _ in 0..20 {
        let mut builder = ManifestBuilder::new(id(), None, seed());
        for i in 0..5_000_u64 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let trigger = start + chrono::Days::new(i / 700);
            let last_day = trigger + Months::new(96);
            let key = [KeyValue::Int(i64::try_from(random % 20_000_000).unwrap())];
            let days = (trigger.to_epoch_days(), last_day.to_epoch_days());
            builder
                .push(&key, Some(days.0), Some(days.1), None)
                .unwrap();
        }
        let manifest = builder.finish();
        bytes += manifest.bytes.len() + manifest.filter.len();
    }
    let rate = 100_000.0 / started.elapsed().as_secs_f64();
    println!("{rate:.0} records/s, {} bytes for 100,000", bytes);
    assert!(bytes < 8 * 100_000, "{bytes}");
    assert!(bytes > 2 * 100_000, "{bytes}");
}

#[test]
fn the_children_of_one_parent_repeat_its_key_in_two_bytes() {
    let parents = columns(&[("parent", KeyKind::Text)]);
    let children = |number: i64| -> Vec<Record> {
        let child = |i| Record {
            parent: Some(RecordKey::text("6f2c1b1e-0c5b-4b8e-9d5e-2f0a4f6f0001")),
            ..record(RecordKey::int(i), Some(1), Some(2))
        };
        (0..number).map(child).collect()
    };
    let length = |number| build(&id(), Some(&parents), &children(number)).bytes.len();
    // Key, days, and the parent again.
    assert_eq!(length(11) - length(1), 10 * 4);
}

#[test]
fn bytes_that_promise_more_than_they_hold_are_refused_at_once() {
    let header = |count: &[u8]| {
        let mut bytes = b"rdm\x01".to_vec();
        bytes.extend(count);
        bytes.extend(b"\x01\x01\x02id\x00");
        bytes
    };
    for (bytes, error) in [
        (b"rdx\x01\x00".to_vec(), ManifestError::NotAManifest),
        (b"rdm\x02\x00".to_vec(), ManifestError::Version(2)),
        (
            b"rdm\x01\x00\x01\x09\x02id\x00".to_vec(),
            ManifestError::Kind(9),
        ),
        (b"rdm\x01\x00\x00\x00".to_vec(), ManifestError::Columns),
        (
            b"rdm\x01\x00\x02\x01\x01a\x01\x01a\x00".to_vec(),
            ManifestError::Columns,
        ),
        (
            b"rdm\x01\x00\x01\x01\x02id\x02".to_vec(),
            ManifestError::Spelling,
        ),
        (header(&[1]), ManifestError::Count),
        (
            header(&[0xff, 0xff, 0xff, 0xff, 0x7f]),
            ManifestError::Count,
        ),
    ] {
        assert_eq!(decode(&bytes).map(|_| ()), Err(error));
    }
    let mut trailing = header(&[0]);
    trailing.push(7);
    let read: Vec<_> = decode(&trailing).unwrap().collect();
    assert_eq!(read, [Err(ManifestError::Count)]);
}

#[test]
fn a_second_spelling_of_a_record_is_refused() {
    let text = |records: &[u8], count: u8| {
        let mut bytes = vec![b'r', b'd', b'm', 1, count];
        bytes.extend(b"\x01\x02\x01t\x00");
        bytes.extend(records);
        let read: Result<Vec<Record>, _> = decode(&bytes).unwrap().collect();
        read
    };
    let ab = [1, 2, b'a', b'b', 0];
    assert_eq!(
        text(&ab, 1).unwrap(),
        [record(RecordKey::text("ab"), None, None)]
    );
    let wrong = Err(ManifestError::Spelling);
    // The second `ab` shares one byte where it could share two; more than there is.
    assert_eq!(text(&[&ab[..], &[2, 1, b'b', 0]].concat(), 2), wrong);
    assert_eq!(text(&[&ab[..], &[4, 0, 0]].concat(), 2), wrong);
    // Not UTF-8; a UUID spelled out; a UUID repeated as 16 bytes.
    assert_eq!(text(&[1, 1, 0xff, 0], 1), wrong);
    let uuid = b"6f2c1b1e-0c5b-4b8e-9d5e-2f0a4f6f0001";
    assert_eq!(text(&[&[1, 36], &uuid[..], &[0]].concat(), 1), wrong);
    let packed = [
        &[0],
        &hex::decode("6f2c1b1e0c5b4b8e9d5e2f0a4f6f0001").unwrap()[..],
        &[0],
    ]
    .concat();
    assert_eq!(text(&packed, 1).unwrap().len(), 1);
    assert_eq!(text(&[&packed[..], &packed].concat(), 2), wrong);
    // A last day written although it is the one that is expected; a day out of range.
    assert_eq!(text(&[1, 0, 1, 0], 1), wrong);
    assert_eq!(text(&[1, 0, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x0f], 1), wrong);
}

#[test]
fn few_filters_say_yes_to_a_key_that_is_not_there_and_none_no_to_one_that_is() {
    let records: Vec<Record> = (0..5_000)
        .map(|i| record(RecordKey::int(i * 3), Some(1), None))
        .collect();
    let filter = build(&id(), None, &records).filter;
    assert_eq!(filter.len(), 1 + 6_250);
    let says = |number: i64| filter_may_contain(&seed(), &filter, &[KeyValue::Int(number)]);
    assert!((0..5_000).all(|i| says(i * 3)));
    let mistaken = (0..10_000).filter(|i| says(i * 3 + 1)).count();
    // Ten bits and seven probes: 0.82 %.
    assert!((40..160).contains(&mistaken), "{mistaken}");
    // Another seed, another filter; and what is no filter must be looked into.
    let other =
        (0..5_000).filter(|i| filter_may_contain(&[9; 32], &filter, &[KeyValue::Int(i * 3)]));
    assert!(other.count() < 100);
    assert!(filter_may_contain(&seed(), &[], &[KeyValue::Int(1)]));
}

#[test]
fn a_record_s_columns_days_and_place_are_part_of_the_root() {
    let records = [
        record(RecordKey::int(1), Some(10), Some(20)),
        record(RecordKey::int(2), Some(10), Some(20)),
    ];
    let root = build(&id(), None, &records).root;
    let renamed = build(&columns(&[("other", KeyKind::Int)]), None, &records).root;
    let swapped = build(&id(), None, &[records[1].clone(), records[0].clone()]).root;
    let later = [
        records[0].clone(),
        record(RecordKey::int(2), Some(10), Some(21)),
    ];
    let later = build(&id(), None, &later).root;
    let undated = [
        record(RecordKey::int(1), None, Some(20)),
        records[1].clone(),
    ];
    let undated = build(&id(), None, &undated).root;
    let reseeded = Manifest::recompute(&build(&id(), None, &records).bytes, [7; 32]);
    for other in [renamed, swapped, later, undated, reseeded.unwrap().root] {
        assert_ne!(other, root);
    }
}

fn day_value() -> impl Strategy<Value = Option<i32>> {
    prop_oneof![
        5 => (15_000..15_020).prop_map(Some),
        1 => any::<i32>().prop_map(Some),
        1 => Just(None),
    ]
}

fn text() -> impl Strategy<Value = String> {
    let uuid = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
    prop_oneof![
        2 => "A-[0-9]{0,3}",
        1 => "\\PC{0,10}",
        1 => uuid,
        1 => Just("6f2c1b1e-0c5b-4b8e-9d5e-2f0a4f6f0001".to_owned()),
        1 => Just("6F2c1b1e-0c5b-4b8e-9d5e-2f0a4f6f0001".to_owned()),
        1 => (250_usize..300).prop_map(|n| "y".repeat(n)),
    ]
}

fn own_key() -> impl Strategy<Value = RecordKey> {
    (prop_oneof![any::<i64>(), 0_i64..100], text()).prop_map(|(number, text)| {
        RecordKey::new(vec![KeyValue::Int(number), KeyValue::Text(text.into())]).unwrap()
    })
}

fn records(with_parents: bool) -> impl Strategy<Value = Vec<Record>> {
    let parent = if with_parents {
        text().prop_map(|text| Some(RecordKey::text(text))).boxed()
    } else {
        Just(None).boxed()
    };
    let record = (own_key(), day_value(), day_value(), parent);
    vec(
        record.prop_map(|(key, trigger, last_day, parent)| Record {
            key,
            trigger,
            last_day,
            parent,
        }),
        0..40,
    )
}

fn two() -> KeyColumns {
    columns(&[("n", KeyKind::Int), ("t", KeyKind::Text)])
}

fn round_trip(records: &[Record], parents: Option<&KeyColumns>) -> Result<(), TestCaseError> {
    let manifest = build(&two(), parents, records);
    let decoded = decode(&manifest.bytes).unwrap();
    prop_assert_eq!(decoded.header().parent_columns.as_ref(), parents);
    let decoded: Result<Vec<Record>, _> = decoded.collect();
    prop_assert_eq!(decoded.unwrap(), records);
    for record in records {
        prop_assert!(filter_may_contain(
            &seed(),
            &manifest.filter,
            record.key.values()
        ));
    }
    let again = Manifest::recompute(&manifest.bytes, seed()).unwrap();
    prop_assert_eq!(again, manifest);
    Ok(())
}

proptest! {
    #[test]
    fn every_batch_comes_back(records in records(false)) {
        round_trip(&records, None)?;
    }

    #[test]
    fn every_batch_of_dependants_comes_back(records in records(true)) {
        round_trip(&records, Some(&columns(&[("p", KeyKind::Text)])))?;
    }

    #[test]
    fn changed_bytes_are_refused_or_are_other_records(
        records in records(true), at: prop::sample::Index, byte: u8,
    ) {
        let parents = columns(&[("p", KeyKind::Text)]);
        let manifest = build(&two(), Some(&parents), &records);
        let mut bytes = manifest.bytes.clone();
        let i = at.index(bytes.len());
        bytes[i] ^= byte.max(1);
        if let Ok(changed) = Manifest::recompute(&bytes, seed()) {
            // One spelling: what can be read is written as it stands.
            prop_assert_eq!(&changed.bytes, &bytes);
            // An empty manifest has no record that its columns' names could be part of.
            if !records.is_empty() {
                prop_assert_ne!(changed.root, manifest.root);
            }
        }
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in vec(any::<u8>(), 0..300), count in 0_u8..100) {
        let mut manifest = vec![b'r', b'd', b'm', 1, count];
        manifest.extend(b"\x02\x01\x01n\x02\x01t\x00");
        manifest.extend(&bytes);
        for bytes in [bytes, manifest] {
            if let Ok(read) = Manifest::recompute(&bytes, seed()) {
                prop_assert_eq!(read.bytes, bytes);
            }
        }
    }
}
