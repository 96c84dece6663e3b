//! Medians, ratios and the tables that `docs/BENCHMARKS.md` shows.

use std::fmt;

use crate::Extent;
use crate::stage::{Footprint, Kind};
use crate::work::{Done, Method};

/// The runs of some methods on the same rows.
pub struct Sheet<'a> {
    kind: Kind,
    rows: i64,
    rounds: usize,
    methods: &'a [Method],
    runs: Vec<Vec<Run>>,
}

struct Run {
    done: Done,
    wal: i64,
    on_disk: i64,
    payload: i64,
    /// Records that the ledger has, dependants counted.
    logged: i64,
}

impl<'a> Sheet<'a> {
    pub fn new(kind: Kind, extent: &Extent, methods: &'a [Method]) -> Self {
        Self {
            kind,
            rows: extent.rows,
            rounds: extent.rounds,
            methods,
            runs: methods.iter().map(|_| Vec::new()).collect(),
        }
    }

    pub fn add(&mut self, method: usize, done: Done, before: &Footprint, after: &Footprint) {
        self.runs[method].push(Run {
            done,
            wal: after.wal - before.wal,
            on_disk: after.ledger_on_disk - before.ledger_on_disk,
            payload: after.ledger_payload - before.ledger_payload,
            logged: after.records - before.records,
        });
    }

    fn of(&self, method: usize, pick: impl Fn(&Run) -> f64) -> f64 {
        median(self.runs[method].iter().map(pick).collect())
    }

    /// How much longer than another method: the median of each round's own ratio, since
    /// two runs of a round share what else went on.
    fn ratio(&self, method: usize, to: usize) -> f64 {
        let ratios = self.runs[method]
            .iter()
            .zip(&self.runs[to])
            .map(|(a, b)| a.done.seconds / b.done.seconds);
        median(ratios.collect())
    }
}

impl fmt::Display for Sheet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "### {} past rows, {}; {} rounds\n",
            self.rows,
            self.kind.title(),
            self.rounds
        )?;
        writeln!(
            f,
            "| | seconds: median (least to most) | rows/s | to the `DELETE` | to the batches | batches | WAL bytes a row | processor, s: server, ours | our memory |"
        )?;
        writeln!(f, "|---|---:|---:|---:|---:|---:|---:|---:|---:|")?;
        for (nth, method) in self.methods.iter().enumerate() {
            let seconds = |run: &Run| run.done.seconds;
            let records = self.of(nth, |run| as_f64(run.done.records));
            let all: Vec<f64> = self.runs[nth].iter().map(seconds).collect();
            let ratio = |to: usize| {
                if self.methods.len() > 1 {
                    format!("{:.2}", self.ratio(nth, to))
                } else {
                    String::new()
                }
            };
            writeln!(
                f,
                "| {} | {:.2} ({:.2} to {:.2}) | {:.0} | {} | {} | {:.0} | {:.0} | {:.2}, {:.2} | {:.0} MB |",
                method.title(),
                median(all.clone()),
                all.iter().copied().fold(f64::INFINITY, f64::min),
                all.iter().copied().fold(0.0, f64::max),
                records / median(all),
                ratio(0),
                ratio(1),
                self.of(nth, |run| as_f64(run.done.batches.len().max(1))),
                self.of(nth, |run| as_f64(run.wal) / as_f64(run.done.records)),
                self.of(nth, |run| run.done.server.unwrap_or(f64::NAN)),
                self.of(nth, |run| run.done.own.unwrap_or(f64::NAN)),
                self.of(nth, |run| run
                    .done
                    .memory
                    .map_or(f64::NAN, |bytes| as_f64(bytes) / 1e6)),
            )?;
        }
        let last = self.methods.len() - 1;
        writeln!(
            f,
            "\nThe ledger, a record (dependants are records too): {:.1} bytes of content, {:.1} on disk with its indexes.",
            self.of(last, |run| as_f64(run.payload) / as_f64(run.logged)),
            self.of(last, |run| as_f64(run.on_disk) / as_f64(run.logged)),
        )
    }
}

/// The heading of [`drift`]'s lines.
pub const DRIFT_HEAD: &str = "| old transaction | rows a batch | batches | first tenth, ms | last tenth, ms | last to first |\n|---|---:|---:|---:|---:|---:|";

/// The median batch of the first and of the last tenth.
pub fn drift(old: &str, size: i64, batches: &[(u64, f64)]) -> String {
    // The last batch is a smaller one.
    let whole = &batches[..batches.len().saturating_sub(1)];
    let tenth = (whole.len() / 10).max(1).min(whole.len());
    let of =
        |part: &[(u64, f64)]| 1_000.0 * median(part.iter().map(|(_, seconds)| *seconds).collect());
    let (first, last) = (of(&whole[..tenth]), of(&whole[whole.len() - tenth..]));
    format!(
        "| {old} | {size} | {} | {first:.1} | {last:.1} | {:.2} |",
        batches.len(),
        last / first
    )
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

/// Counts and bytes as a measure.
#[expect(clippy::cast_precision_loss, reason = "a measure")]
fn as_f64(number: impl TryInto<i64>) -> f64 {
    number.try_into().unwrap_or(i64::MAX) as f64
}
