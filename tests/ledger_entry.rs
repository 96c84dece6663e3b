//! The bytes of an entry: the vectors of `docs/LEDGER.md`, which were computed by
//! another program from that page, and what must never be taken for an entry.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use chrono::{DateTime, TimeZone, Utc};
use proptest::collection::btree_map;
use proptest::option;
use proptest::prelude::*;
use retentiond::ident::{ClassId, Ident, TableName};
use retentiond::ledger::entry::{Action, Entry, EntryError, EntryId};

const DELETED: &str = concat!(
    "726574656e74696f6e6420656e7472792076310a",
    "01080000000000000011",
    "0208000660d3d5c3aa40",
    "030764656c65746564",
    "040e636f6d6d756e69636174696f6e73",
    "0516067075626c69630e636f72726573706f6e64656e6365",
    "06080000000000000007",
    "07201111111111111111111111111111111111111111111111111111111111111111",
    "08202222222222222222222222222222222222222222222222222222222222222222",
    "09203333333333333333333333333333333333333333333333333333333333333333",
    "0a0773657276696365",
    "0b080000000000000003",
    "0c20c5589d608cce81847c31f8601b8aa7269049f656d7fae27af829f49c0ab7be9e",
    "0e080562617463680131",
);

const RUN_STARTED: &str = concat!(
    "726574656e74696f6e6420656e7472792076310a",
    "01080000000000000001",
    "0208000660d3d5c3aa40",
    "030b72756e2d73746172746564",
    "0a0773657276696365",
    "0b080000000000000000",
);

fn at() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 22, 2, 0, 1).unwrap()
}

fn deleted() -> Entry {
    let root = "c5589d608cce81847c31f8601b8aa7269049f656d7fae27af829f49c0ab7be9e";
    let mut entry = Entry::new(EntryId(17), at(), Action::Deleted, "service");
    entry.class = ClassId::new("communications");
    entry.table = Some("correspondence".parse().unwrap());
    entry.run = Some(7);
    entry.schedule = Some([0x11; 32]);
    entry.file = Some([0x22; 32]);
    entry.plan = Some([0x33; 32]);
    entry.count = 3;
    entry.manifest = Some(hex::decode(root).unwrap().try_into().unwrap());
    entry.detail.insert("batch".to_owned(), "1".to_owned());
    entry
}

#[test]
fn the_vectors_of_the_manual_are_reproduced_byte_for_byte() {
    let started = Entry::new(EntryId(1), at(), Action::RunStarted, "service");
    for (entry, bytes, leaf) in [
        (
            deleted(),
            DELETED,
            "1afef9916f4d2841e69e602f638190cbfbcf3092d34edb68bcb22cc0a8006664",
        ),
        (
            started,
            RUN_STARTED,
            "69480792b2cb207e0afd7402fa5020662e8167bb366ca57143b616f09345ec3d",
        ),
    ] {
        assert_eq!(hex::encode(entry.encode()), bytes);
        assert_eq!(hex::encode(entry.leaf_hash()), leaf);
        assert!(include_str!("../docs/LEDGER.md").contains(leaf));
        let decoded = Entry::decode(&hex::decode(bytes).unwrap());
        assert_eq!(decoded, Ok(entry));
    }
}

#[test]
fn a_part_of_a_microsecond_is_not_kept() {
    let finer = at() + chrono::TimeDelta::nanoseconds(1_999);
    let entry = Entry::new(EntryId(1), finer, Action::Verified, "service");
    let decoded = Entry::decode(&entry.encode()).unwrap();
    assert_eq!(decoded.at, at() + chrono::TimeDelta::microseconds(1));
}

#[test]
fn every_action_has_a_name_of_its_own_that_reads_back() {
    let mut names: Vec<&str> = Action::ALL.iter().map(|action| action.name()).collect();
    assert_eq!(names.len(), 39);
    for action in Action::ALL {
        assert_eq!(action.name().parse(), Ok(*action));
    }
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 39);
}

/// The bytes of `run-started`, with fields replaced, added or left out.
fn fields(change: impl FnOnce(&mut Vec<(u8, Vec<u8>)>)) -> Vec<u8> {
    let mut fields = vec![
        (1, 1_i64.to_be_bytes().to_vec()),
        (2, at().timestamp_micros().to_be_bytes().to_vec()),
        (3, b"run-started".to_vec()),
        (10, b"service".to_vec()),
        (11, 0_u64.to_be_bytes().to_vec()),
    ];
    change(&mut fields);
    let mut bytes = b"retentiond entry v1\n".to_vec();
    for (tag, value) in fields {
        bytes.extend([tag, u8::try_from(value.len()).unwrap()]);
        bytes.extend(value);
    }
    bytes
}

#[test]
fn an_unknown_version_field_or_action_is_newer_and_not_wrong() {
    assert_eq!(hex::encode(fields(|_| {})), RUN_STARTED);
    for (bytes, error) in [
        (b"retentiond entry v2\n".to_vec(), EntryError::Version),
        (
            fields(|fields| fields.push((15, vec![]))),
            EntryError::Field(15),
        ),
        (
            fields(|fields| fields[2].1 = b"pardoned".to_vec()),
            EntryError::Action("pardoned".to_owned()),
        ),
    ] {
        assert!(error.is_newer());
        assert_eq!(Entry::decode(&bytes), Err(error));
    }
}

#[test]
fn a_second_spelling_is_refused() {
    for (bytes, error) in [
        (vec![], EntryError::NotAnEntry),
        (b"rdm\x01".to_vec(), EntryError::NotAnEntry),
        (fields(|fields| fields.swap(3, 4)), EntryError::Order(10)),
        (
            fields(|fields| fields.push((11, vec![0; 8]))),
            EntryError::Order(11),
        ),
        (
            fields(|fields| fields.insert(0, (0, vec![]))),
            EntryError::Order(0),
        ),
        (
            fields(|fields| drop(fields.remove(0))),
            EntryError::Missing(1),
        ),
        (
            fields(|fields| drop(fields.remove(1))),
            EntryError::Missing(2),
        ),
        (
            fields(|fields| drop(fields.remove(2))),
            EntryError::Missing(3),
        ),
        (
            fields(|fields| drop(fields.remove(3))),
            EntryError::Missing(10),
        ),
        (
            fields(|fields| drop(fields.remove(4))),
            EntryError::Missing(11),
        ),
        (fields(|fields| fields[0].1 = vec![1]), EntryError::Value(1)),
        (
            fields(|fields| fields[1].1 = vec![0x7f; 8]),
            EntryError::Value(2),
        ),
        (
            fields(|fields| fields[3].1 = vec![0xff]),
            EntryError::Value(10),
        ),
        (
            fields(|fields| fields.insert(3, (4, b"Not A Class".to_vec()))),
            EntryError::Value(4),
        ),
        (
            fields(|fields| fields.insert(3, (5, b"\x01a\x00".to_vec()))),
            EntryError::Value(5),
        ),
        (
            fields(|fields| fields.insert(3, (5, b"\x01a\x01bc".to_vec()))),
            EntryError::Value(5),
        ),
        (
            fields(|fields| fields.insert(3, (7, vec![0; 31]))),
            EntryError::Value(7),
        ),
        (
            fields(|fields| fields.push((14, vec![]))),
            EntryError::Value(14),
        ),
        (
            fields(|fields| fields.push((14, b"\x01b\x00\x01a\x00".to_vec()))),
            EntryError::Order(14),
        ),
        (
            fields(|fields| fields.push((14, b"\x01a\x00\x01a\x00".to_vec()))),
            EntryError::Order(14),
        ),
    ] {
        assert!(!error.is_newer());
        assert_eq!(Entry::decode(&bytes), Err(error), "{}", hex::encode(&bytes));
    }
    let mut trailing = hex::decode(DELETED).unwrap();
    trailing.push(0);
    assert_eq!(Entry::decode(&trailing), Err(EntryError::Order(0)));
    // A length with a superfluous byte: 01 08 … as 01 88 00 ….
    let long = DELETED.replacen("0108", "018800", 1);
    assert!(Entry::decode(&hex::decode(long).unwrap()).is_err());
}

#[test]
fn an_entry_cut_off_anywhere_is_no_entry_or_another_one() {
    let bytes = hex::decode(DELETED).unwrap();
    for length in 0..bytes.len() {
        if let Ok(shorter) = Entry::decode(&bytes[..length]) {
            // Only whole optional fields at the end can be missing, and then it says less.
            assert_eq!(shorter.encode(), bytes[..length]);
            assert_ne!(shorter, deleted());
        }
    }
}

fn table() -> impl Strategy<Value = TableName> {
    ("[a-z.\"é ]{1,12}", "[A-Za-z_]{1,20}").prop_map(|(schema, name)| {
        TableName::new(Ident::new(schema).unwrap(), Ident::new(name).unwrap())
    })
}

prop_compose! {
    fn entry()(
        id: i64,
        // From year 0 to year 9999 and beyond.
        microseconds in -62_135_596_800_000_000_i64..300_000_000_000_000_000,
        action in prop::sample::select(Action::ALL),
        class in option::of("[a-z][a-z0-9]{0,20}".prop_filter_map("a command", |id| ClassId::new(&id))),
        (table, parent) in (option::of(table()), option::of(table())),
        run: Option<i64>,
        digests: [Option<[u8; 32]>; 4],
        actor in "\\PC{0,200}",
        count: u64,
        detail in btree_map("[a-z ]{0,8}", "\\PC{0,20}", 0..4),
    ) -> Entry {
        let [schedule, file, plan, manifest] = digests;
        let at = DateTime::from_timestamp_micros(microseconds).unwrap();
        Entry {
            id: EntryId(id),
            at, action, class, table, run, schedule, file, plan, actor, count, manifest, parent, detail,
        }
    }
}

proptest! {
    #[test]
    fn every_entry_comes_back(entry in entry()) {
        let bytes = entry.encode();
        prop_assert_eq!(Entry::decode(&bytes), Ok(entry));
    }

    #[test]
    fn what_decodes_encodes_to_the_same_bytes(
        entry in entry(), at: prop::sample::Index, byte: u8, cut: prop::sample::Index,
    ) {
        let mut bytes = entry.encode();
        let i = at.index(bytes.len());
        bytes[i] = byte;
        if let Ok(decoded) = Entry::decode(&bytes) {
            prop_assert_eq!(decoded.encode(), bytes.clone());
        }
        bytes.truncate(cut.index(bytes.len()));
        if let Ok(decoded) = Entry::decode(&bytes) {
            prop_assert_eq!(decoded.encode(), bytes);
        }
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
        let mut entry = b"retentiond entry v1\n".to_vec();
        entry.extend(&bytes);
        for bytes in [bytes, entry] {
            if let Ok(decoded) = Entry::decode(&bytes) {
                prop_assert_eq!(decoded.encode(), bytes);
            }
        }
    }
}
