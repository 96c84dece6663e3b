//! What an audited pass costs, beside the same rows deleted with nothing written down.
//!
//! On one durable private cluster, alternating, each time on a fresh copy of the same
//! tables: one bare `DELETE`; bare range batches; the pass of `run --full-speed`. Each is
//! timed in a process of its own, so that its memory is its own too. Then a pass beside
//! an old transaction; and with `BENCH_LARGE=1`, one over ten million rows.
//!
//! `docs/BENCHMARKS.md` says how to read what it prints.

mod machine;
mod report;
mod stage;
mod work;

use std::time::Duration;

use anyhow::{Context, Result};
use retentiond::demo::cluster::{Cluster, ClusterOptions};

use report::Sheet;
use stage::{Kind, Stage};
use work::{Method, Order};

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    if let Some(order) = Order::of_this_process()? {
        return runtime.block_on(work::answer(&order));
    }
    // `cargo test --all-targets` starts benchmarks too, without this word.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let cluster = Cluster::start(ClusterOptions {
        data_dir: None,
        durable: true,
    })?;
    let outcome = runtime.block_on(measure(&cluster));
    cluster.stop();
    outcome
}

/// How much is measured.
struct Extent {
    rows: i64,
    rounds: usize,
    batch: i64,
    large: Option<i64>,
    kinds: Vec<Kind>,
}

impl Extent {
    fn of_environment() -> Result<Self> {
        let large = number("BENCH_LARGE", 0)?;
        Ok(Self {
            rows: number("BENCH_ROWS", 200_000)?.max(1_000),
            rounds: usize::try_from(number("BENCH_ROUNDS", 5)?)?.max(1),
            batch: number("BENCH_BATCH", 10_000)?.max(1),
            large: (large > 0).then_some(if large == 1 { 10_000_000 } else { large }),
            kinds: match std::env::var("BENCH_ONLY").as_deref() {
                Ok("alone") => vec![Kind::Alone],
                Ok("children") => vec![Kind::WithChildren],
                Ok("large") => vec![],
                _ => vec![Kind::Alone, Kind::WithChildren],
            },
        })
    }
}

fn number(name: &str, otherwise: i64) -> Result<i64> {
    match std::env::var(name) {
        Ok(text) if !text.is_empty() => text
            .replace('_', "")
            .parse()
            .with_context(|| format!("{name} is to be a whole number")),
        _ => Ok(otherwise),
    }
}

async fn measure(cluster: &Cluster) -> Result<()> {
    let extent = Extent::of_environment()?;
    let stage = Stage::new(cluster).await?;
    println!("{}", machine::describe());
    println!("{}\n", stage.server().await?);
    for kind in &extent.kinds {
        compare(&stage, &extent, *kind).await?;
    }
    for kind in &extent.kinds {
        beside_an_old_transaction(&stage, &extent, *kind).await?;
    }
    if let Some(rows) = extent.large {
        large(&stage, rows).await?;
    }
    Ok(())
}

/// The three ways, round by round.
async fn compare(stage: &Stage<'_>, extent: &Extent, kind: Kind) -> Result<()> {
    stage.prepare(kind, extent.rows).await?;
    let methods = [
        Method::Statement,
        Method::Ranges {
            batch: extent.batch,
        },
        Method::FULL_SPEED,
    ];
    let mut sheet = Sheet::new(kind, extent, &methods);
    for round in 0..extent.rounds {
        for nth in 0..methods.len() {
            // Another one begins each round: whoever comes first has the quietest disk.
            let nth = (round + nth) % methods.len();
            let url = stage.fresh(kind).await?;
            let before = stage.footprint(&url).await?;
            let done = work::by_a_process_of_its_own(&Order {
                url: url.clone(),
                method: methods[nth].clone(),
                kind,
            })?;
            let after = stage.footprint(&url).await?;
            stage.must_hold_none(&url, kind).await?;
            sheet.add(nth, done, &before, &after);
        }
        eprintln!("{}: round {} of {}", kind.title(), round + 1, extent.rounds);
    }
    println!("{sheet}");
    Ok(())
}

/// Batches of one size, while somebody's snapshot keeps every dead row alive.
async fn beside_an_old_transaction(stage: &Stage<'_>, extent: &Extent, kind: Kind) -> Result<()> {
    stage.prepare(kind, extent.rows).await?;
    let size = (extent.rows / 100).clamp(1, 2_000);
    let mut lines = Vec::new();
    for old in [false, true] {
        let url = stage.fresh(kind).await?;
        let held = if old {
            Some(stage.old_transaction(&url).await?)
        } else {
            None
        };
        let method = Method::Pass {
            batch: Duration::from_secs(3600),
            first: size,
            most: size,
        };
        let done = work::by_a_process_of_its_own(&Order {
            url: url.clone(),
            method,
            kind,
        })?;
        stage.must_hold_none(&url, kind).await?;
        drop(held);
        lines.push(report::drift(
            if old { "with" } else { "without" },
            size,
            &done.batches,
        ));
    }
    println!(
        "### Batches beside an old transaction, {}\n\n{}\n{}\n",
        kind.title(),
        report::DRIFT_HEAD,
        lines.join("\n")
    );
    Ok(())
}

/// One pass over very many narrow rows: memory, and bytes a record.
async fn large(stage: &Stage<'_>, rows: i64) -> Result<()> {
    stage.prepare(Kind::Narrow, rows).await?;
    let methods = [Method::FULL_SPEED];
    let extent = Extent {
        rows,
        rounds: 1,
        batch: 0,
        large: None,
        kinds: Vec::new(),
    };
    let mut sheet = Sheet::new(Kind::Narrow, &extent, &methods);
    let url = stage.fresh(Kind::Narrow).await?;
    let before = stage.footprint(&url).await?;
    let done = work::by_a_process_of_its_own(&Order {
        url: url.clone(),
        method: Method::FULL_SPEED,
        kind: Kind::Narrow,
    })?;
    let after = stage.footprint(&url).await?;
    stage.must_hold_none(&url, Kind::Narrow).await?;
    sheet.add(0, done, &before, &after);
    println!("{sheet}");
    Ok(())
}
