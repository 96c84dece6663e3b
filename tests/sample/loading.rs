//! What a load promises: the same rows for the same options, all or nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use retentiond::demo::sample::{self, SampleError, SampleOptions};
use sqlx::PgConnection;

use super::{empty_database, load, loaded, number, options, tables, texts};

/// Each table's rows, as one MD5 that does not depend on their order on disk.
async fn digests(connection: &mut PgConnection) -> BTreeMap<String, String> {
    let mut digests = BTreeMap::new();
    for table in tables(connection).await {
        let sql = format!(
            "SELECT md5(coalesce(string_agg(t::text, chr(10) ORDER BY t::text), '')) FROM {table} AS t"
        );
        digests.insert(table, texts(connection, &sql).await.remove(0));
    }
    digests
}

#[tokio::test]
async fn the_same_options_give_the_same_rows() {
    // 54,000 letters are three chunks.
    let first = digests(&mut loaded("same_a", 100_000, 7).await).await;
    let second = digests(&mut loaded("same_b", 100_000, 7).await).await;
    assert_eq!(first.len(), 19);
    assert_eq!(first, second);
}

#[tokio::test]
async fn another_seed_gives_other_rows_in_every_generated_table() {
    let first = digests(&mut loaded("seed_a", 0, 1).await).await;
    let second = digests(&mut loaded("seed_b", 0, 2).await).await;
    let same: Vec<&str> = first
        .iter()
        .filter(|(table, md5)| second[*table] == **md5)
        .map(|(table, _)| table.as_str())
        .collect();
    assert_eq!(same, ["department", "staff_post"]);
}

#[tokio::test]
async fn the_summary_says_what_is_there() {
    let mut connection = empty_database("summary").await;
    let mut last: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let summary = sample::load(
        &mut connection,
        &options(10_000, 1),
        &mut |table, done, total| {
            let before = last
                .insert(table.to_owned(), (done, total))
                .unwrap_or((0, total));
            assert!(
                before.0 <= done && before.1 == total,
                "{table}: {done} of {total} after {before:?}"
            );
        },
    )
    .await
    .unwrap();

    assert_eq!(summary.records, 10_000);
    assert_eq!(summary.files, 0);
    for (table, rows) in &summary.tables {
        let counted = number(&mut connection, &format!("SELECT count(*) FROM {table}")).await;
        assert_eq!(counted.cast_unsigned(), *rows, "{table}");
        assert_eq!(summary.rows_of(table), *rows);
    }
    for (table, (done, total)) in &last {
        assert_eq!(done, total, "{table} was not reported to its end");
    }
    assert_eq!(
        last.len(),
        summary.tables.len() + 1,
        "every table, and the keys"
    );
}

/// Columns, constraints and indexes, as the catalogue prints them.
async fn structure(connection: &mut PgConnection) -> Vec<String> {
    texts(
        connection,
        "SELECT concat_ws(' ', table_name, column_name, data_type, is_nullable, column_default, is_identity) FROM information_schema.columns WHERE table_schema = 'public'
         UNION ALL SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
         UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
         ORDER BY 1",
    )
    .await
}

#[tokio::test]
async fn the_schema_constant_makes_the_same_tables_as_a_load() {
    let mut bare = empty_database("bare").await;
    sqlx::raw_sql(sample::SCHEMA_SQL)
        .execute(&mut bare)
        .await
        .unwrap();
    let mut full = loaded("full", 0, 1).await;
    let structure_of_bare = structure(&mut bare).await;
    assert!(structure_of_bare.len() > 150);
    assert_eq!(structure_of_bare, structure(&mut full).await);
}

#[tokio::test]
async fn the_next_row_of_the_application_gets_the_next_number() {
    let mut connection = loaded("identity", 0, 1).await;
    let most = number(&mut connection, "SELECT max(id) FROM opt_out").await;
    let next = number(&mut connection, "INSERT INTO opt_out (email, list, added_on) VALUES ('new@example.org', 'newsletter', '2026-11-23') RETURNING id").await;
    assert_eq!(next, most + 1);
}

fn files_below(folder: &Path, base: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, base, found);
        } else {
            found.insert(
                path.strip_prefix(base)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned(),
            );
        }
    }
}

#[tokio::test]
async fn every_path_has_its_file_and_no_file_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let media = folder.path().join("media");
    let mut connection = empty_database("files").await;
    let options = SampleOptions {
        media_folder: Some(media.clone()),
        ..options(0, 1)
    };
    let summary = load(&mut connection, &options).await.unwrap();

    let named: BTreeSet<String> = texts(
        &mut connection,
        "SELECT path FROM media UNION ALL SELECT scan_path FROM consent_form",
    )
    .await
    .into_iter()
    .collect();
    let mut found = BTreeSet::new();
    files_below(&media, &media, &mut found);
    assert_eq!(found, named);
    assert_eq!(summary.files, found.len() as u64);
    assert_eq!(found.len(), 160, "120 pictures and recordings, 40 forms");

    let mut other = empty_database("files_again").await;
    let refused = load(&mut other, &options).await.unwrap_err();
    assert!(
        matches!(&refused, SampleError::NotEmpty { folder } if *folder == media),
        "{refused}"
    );
    assert_eq!(tables(&mut other).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_database_with_a_table_of_that_name_is_left_as_it_was() {
    let mut connection = empty_database("occupied").await;
    sqlx::raw_sql("CREATE TABLE opt_out (precious text); INSERT INTO opt_out VALUES ('kept')")
        .execute(&mut connection)
        .await
        .unwrap();
    let refused = load(&mut connection, &options(0, 1)).await.unwrap_err();
    assert!(
        matches!(refused, SampleError::Exists { table: "opt_out" }),
        "{refused}"
    );
    assert_eq!(tables(&mut connection).await, ["opt_out"]);
    assert_eq!(
        texts(&mut connection, "SELECT precious FROM opt_out").await,
        ["kept"]
    );
}

#[tokio::test]
async fn a_load_that_fails_leaves_no_table() {
    let mut connection = empty_database("failing").await;
    let folder = tempfile::tempdir().unwrap();
    let media = folder.path().join("media");
    // The folder goes away while the rows are made, and a file takes its place.
    let options = SampleOptions {
        media_folder: Some(media.clone()),
        ..options(0, 1)
    };
    let mut spoil = |table: &str, _, _| {
        if table == "opt_out" && media.is_dir() {
            std::fs::remove_dir(&media).unwrap();
            std::fs::write(&media, "in the way").unwrap();
        }
    };
    let failed = sample::load(&mut connection, &options, &mut spoil)
        .await
        .unwrap_err();
    assert!(matches!(failed, SampleError::File { .. }), "{failed}");
    // The transaction is rolled back before the connection is used again.
    assert_eq!(tables(&mut connection).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_mistyped_number_of_rows_is_refused() {
    let mut connection = empty_database("too_many").await;
    let refused = load(&mut connection, &options(sample::MOST_ROWS + 1, 1))
        .await
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "100000001 records are more than the 100000000 that the sample is made for"
    );
}
