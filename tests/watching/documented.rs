//! `docs/METRICS.md` holds every metric, and nothing else.

use std::fs;

use retentiond::daemon::METRICS;

/// A row of the document's table, without its quotes.
type Row = [String; 4];

fn documented() -> Vec<Row> {
    let text = fs::read_to_string("docs/METRICS.md").unwrap();
    let rows = text
        .lines()
        .filter(|line| line.starts_with("| `retentiond_"));
    rows.map(|line| {
        let cells: Vec<String> = line
            .trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().replace('`', ""))
            .collect();
        cells.try_into().expect("four cells")
    })
    .collect()
}

#[test]
fn the_table_of_the_document_is_that_of_the_program() {
    let known: Vec<Row> = METRICS
        .iter()
        .map(|metric| {
            [
                metric.name.to_owned(),
                metric.kind().to_owned(),
                metric.labels.join(", "),
                metric.help.to_owned(),
            ]
        })
        .collect();
    assert_eq!(documented(), known);
}

#[test]
fn names_say_their_unit_and_labels_hold_no_key() {
    for metric in &METRICS {
        let name = metric.name;
        assert_eq!(
            name.ends_with("_total"),
            metric.kind() == "counter",
            "{name}"
        );
        for label in metric.labels {
            assert!(
                [
                    "action", "class", "digest", "limit", "outcome", "reason", "standing",
                    "verdict", "version",
                ]
                .contains(label),
                "{name}: nobody has decided that a label {label} may be there"
            );
        }
    }
}
