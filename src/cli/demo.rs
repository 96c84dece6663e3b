//! `retentiond demo`: the whole house on a private database.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::{Connection, PgConnection};
use tokio_util::sync::CancellationToken;

use super::args;
use super::context::{Context, PATIENCE, noon};
use super::failure::Failure;
use super::output;
use super::progress::{self, Progress};
use crate::clock::Clock;
use crate::daemon::tick::{self, Order};
use crate::demo::cluster::{Cluster, ClusterError, ClusterOptions};
use crate::demo::sample::{self, SampleError, SampleOptions};
use crate::enforce::RunReport;
use crate::ident::ClassId;
use crate::review::{self, AcceptedPlan, How, NewLift, NewVersion};
use crate::schedule::{self, Code, Schedule};
use crate::settings::Settings;
use crate::store::{self, Limits};
use crate::survey;

/// The schedule that ships with the program.
const SCHEDULE: &str = include_str!("../../retention.toml");
const SCHEDULE_FILE: &str = "retention.toml";
const DATABASE: &str = "sample";
/// The same people every time.
const SEED: u64 = 1;

pub(super) async fn run(context: &Context, arguments: args::Demo) -> Result<u8, Failure> {
    let schedule =
        schedule::parse(SCHEDULE, "retention.toml").map_err(|d| Failure::Schedule(Box::new(d)))?;
    let clock = match arguments.on {
        Some(day) => Clock::Fixed(noon(&schedule, day)?),
        None => context.clock,
    };
    say(
        context,
        "Starting a private PostgreSQL: it listens on no port, and stops with this program.",
    );
    let kept = arguments.data_dir.as_deref().map(Kept::at).transpose()?;
    let options = ClusterOptions {
        data_dir: kept.as_ref().map(|kept| kept.database.clone()),
        durable: true,
    };
    let cluster = tokio::task::spawn_blocking(move || Cluster::start(options))
        .await
        .map_err(|e| Failure::failed(Code::Internal, &e, None))??;
    let home = kept.map_or_else(|| cluster.folder().to_path_buf(), |kept| kept.folder);
    let media = home.join("media");
    if !home.join(SCHEDULE_FILE).exists() {
        std::fs::write(home.join(SCHEDULE_FILE), SCHEDULE)
            .map_err(|e| Failure::failed(Code::Unreadable, &e, None))?;
    }
    let url = cluster.url(DATABASE);
    fill(context, &cluster, &arguments, &schedule, clock, &media).await?;

    let settings = settings(&media, &home.join(STATE))?;
    let mut conn = store::connect(&url, "retentiond/demo", Limits::READING).await?;
    store::migrate(&mut conn).await?;
    let now = clock.now();
    accept(context, &mut conn, &schedule, now).await?;
    let drawn = survey::draw(&mut conn, &schedule, now).await?;
    let counts = survey::count(&mut conn, &drawn.plan).await?;
    if !context.json() {
        let shown: Vec<_> = drawn.plan.classes().iter().zip(&counts).collect();
        output::line("");
        let elsewhere = survey::processors(&mut conn, &drawn.plan, true).await?;
        let elsewhere: Vec<_> = elsewhere.iter().collect();
        super::plan::print(&schedule, &drawn.plan, &shown, &elsewhere, true);
        output::text(
            "\nNow one pass. (The demonstration has accepted its own schedule and what is over its limits; you would do so by hand, with `retentiond accept`.)\n",
        );
    }
    let due = counts
        .iter()
        .filter_map(|class| Some((class.id.clone(), class.counts.as_ref()?.due)))
        .collect();
    let report = pass(context, &schedule, &settings, &url, clock, now, due).await?;
    if context.json() {
        output::json(&json!({ "run": report }));
    } else {
        super::run::print(&report, &[]);
        told(&mut conn, &url, &home, &arguments).await?;
    }
    let _ = conn.close().await;
    let failed = report.exit_code() == 1;
    if !arguments.once && !failed {
        say(context, "\nThe database stays until you press Ctrl-C.");
        let _ = tokio::signal::ctrl_c().await;
        say(context, "\nStopping.");
    }
    tokio::task::spawn_blocking(move || cluster.stop())
        .await
        .map_err(|e| Failure::failed(Code::Internal, &e, None))?;
    // Gated classes wait by design, and are not a failure of the demonstration.
    Ok(u8::from(failed))
}

/// Accepts the demonstration's own schedule, and whatever is over its limits.
async fn accept(
    context: &Context,
    conn: &mut PgConnection,
    schedule: &Schedule,
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    const REASON: &str = "the demonstration accepts its own schedule and limits";
    let actor = context.actor();
    let versions = survey::versions(conn, schedule).await?;
    if versions.coming != survey::Coming::InForce {
        let version = NewVersion {
            digest: schedule.digest(),
            file_digest: schedule.file_digest(),
            text: schedule.text(),
            previous: versions.accepted.as_ref().map(|accepted| &accepted.stored),
        };
        let how = How::ByHand {
            reason: REASON,
            counts: &[],
        };
        review::bring_into_force(conn, &version, how, &actor, now).await?;
    }
    let drawn = survey::draw(conn, schedule, now).await?;
    let counts = survey::count(conn, &drawn.plan).await?;
    let classes: Vec<NewLift> = counts
        .iter()
        .filter_map(|counted| {
            Some(NewLift {
                class: counted.id.clone(),
                on: drawn.plan.on(),
                due: counted.over?.due,
            })
        })
        .collect();
    if !classes.is_empty() {
        let plan = AcceptedPlan {
            digest: drawn.plan.digest(),
            schedule: schedule.digest(),
            classes: &classes,
        };
        review::lift_limits(conn, &plan, REASON, &actor, now).await?;
    }
    Ok(())
}

/// The folder of the log's key and its published copy.
const STATE: &str = "ledger";

/// The folder of `--data-dir`. It holds the server's folder, which suffers nothing beside
/// its data, the files, and the schedule.
struct Kept {
    folder: PathBuf,
    database: PathBuf,
}

impl Kept {
    /// Makes the folder if it is not there. One that holds anything else is left alone.
    fn at(folder: &Path) -> Result<Self, Failure> {
        let failed = |e: std::io::Error| {
            let error = ClusterError::File {
                what: "could not make or read",
                path: folder.to_path_buf(),
                source: e,
            };
            Failure::from(error)
        };
        std::fs::create_dir_all(folder).map_err(failed)?;
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            if name != "database" && name != "media" && name != STATE && name != SCHEDULE_FILE {
                return Err(ClusterError::NotOurs {
                    folder: folder.to_path_buf(),
                }
                .into());
            }
        }
        let folder = std::path::absolute(folder).map_err(failed)?;
        Ok(Self {
            database: folder.join("database"),
            folder,
        })
    }
}

/// Loads the sample organisation, unless a kept database has it already.
async fn fill(
    context: &Context,
    cluster: &Cluster,
    arguments: &args::Demo,
    schedule: &Schedule,
    clock: Clock,
    media: &Path,
) -> Result<(), Failure> {
    let url = cluster.url(DATABASE);
    let kept = match arguments.data_dir {
        Some(_) => store::connect(&url, "retentiond/demo", Limits::READING)
            .await
            .ok(),
        None => None,
    };
    match kept {
        Some(mut conn) => {
            // All rows come in one transaction: whoever broke it off left an empty database,
            // and perhaps files.
            let whole: bool =
                sqlx::query_scalar("SELECT to_regclass('public.opt_out') IS NOT NULL")
                    .fetch_one(&mut conn)
                    .await
                    .map_err(|e| Failure::failed(Code::Internal, &e, None))?;
            let _ = conn.close().await;
            if whole {
                say(
                    context,
                    "Going on with the organisation that the folder holds; --rows has no part in it.",
                );
                return Ok(());
            }
            if media.exists() {
                std::fs::remove_dir_all(media)
                    .map_err(|e| Failure::failed(Code::Unreadable, &e, None))?;
            }
        }
        None => drop(cluster.create_database(DATABASE).await?),
    }
    say(
        context,
        &format!(
            "Making up an organisation with {}.",
            output::counted(
                arguments.rows.max(sample::least_rows()),
                "record",
                "records"
            )
        ),
    );
    let mut conn = store::connect(&url, "retentiond/demo", Limits::READING).await?;
    let options = SampleOptions {
        rows: arguments.rows,
        on: clock
            .now()
            .with_timezone(&schedule.time_zone())
            .date_naive(),
        seed: SEED,
        media_folder: Some(media.to_owned()),
    };
    let bars = !context.global.quiet
        && !context.global.no_progress
        && !context.json()
        && std::io::IsTerminal::is_terminal(&std::io::stderr());
    let bar = bars.then(|| progress::bar("loading", Some(arguments.rows)));
    let summary = sample::load(&mut conn, &options, &mut |table, done, of| {
        if let Some(bar) = &bar {
            bar.set_prefix(table.to_owned());
            bar.set_length(of);
            bar.set_position(done);
        }
    })
    .await;
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    let summary = summary?;
    let _ = conn.close().await;
    say(
        context,
        &format!(
            "Loaded {} with their dependants, and {}.",
            output::counted(summary.rows(), "row", "rows"),
            output::counted(summary.files, "file", "files")
        ),
    );
    Ok(())
}

/// The usual settings, with the sample's folder as the store `media`, and the log's key and
/// published copy beside it.
fn settings(media: &Path, state: &Path) -> Result<Settings, Failure> {
    let environment = [
        ("RETENTIOND__STORES__MEDIA__PATH", media),
        ("RETENTIOND__STATE__DIRECTORY", state),
    ]
    .map(|(name, path)| (name.to_owned(), path.display().to_string()));
    Ok(Settings::from_files(
        &[],
        None,
        environment.into_iter(),
        rustix::process::geteuid().is_root(),
    )?)
}

async fn pass(
    context: &Context,
    schedule: &Schedule,
    settings: &Settings,
    url: &str,
    clock: Clock,
    now: DateTime<Utc>,
    due: BTreeMap<ClassId, u64>,
) -> Result<RunReport, Failure> {
    let stop = CancellationToken::new();
    let progress = Progress::new(context, due);
    let actor = context.actor();
    let order = Order {
        url,
        schedule,
        settings,
        now,
        present: !clock.is_fixed(),
        actor: &actor,
        patience: PATIENCE,
        full_speed: true,
        only: &[],
        due: None,
        on_plan: None,
        stop: &stop,
        observe: &|event| progress.observe(event),
    };
    let interrupted = super::daemon::stop_on_interrupt(stop.clone());
    let report = tick::tick(&order).await;
    interrupted.abort();
    Ok(report?)
}

/// Where things are, and what to try next.
async fn told(
    conn: &mut PgConnection,
    url: &str,
    home: &Path,
    arguments: &args::Demo,
) -> Result<(), Failure> {
    let entries: i64 = sqlx::query_scalar("SELECT count(*) FROM retentiond.ledger_entry")
        .fetch_one(&mut *conn)
        .await
        .map_err(|e| Failure::failed(Code::Internal, &e, None))?;
    let gone: Option<i64> = sqlx::query_scalar(
        "SELECT min(g.id) FROM generate_series(1::bigint, 1000) AS g (id)
          WHERE NOT EXISTS (SELECT 1 FROM public.correspondence c WHERE c.id = g.id)",
    )
    .fetch_one(conn)
    .await
    .map_err(|e| Failure::failed(Code::Internal, &e, None))?;
    output::text(&format!(
        "\nThe ledger is the table retentiond.ledger_entry of this database; it has {}.\nIt was signed and published to {}, with the key.\nThe files are in {}.",
        output::counted(u64::try_from(entries).unwrap_or(0), "entry", "entries"),
        home.join(STATE).display(),
        home.join("media").display(),
    ));
    if !arguments.once {
        output::line(&format!(
            "\nTo look around, in another terminal (the schedule is the folder's retention.toml):\n  cd '{0}'\n  \
             export DATABASE_URL='{url}'\n  export RETENTIOND__STORES__MEDIA__PATH='{0}/media'\n  \
             export RETENTIOND__STATE__DIRECTORY='{0}/{STATE}'\n  retentiond status\n  \
             retentiond explain correspondence {1}\n  retentiond ledger list\n  retentiond ledger verify\n  \
             retentiond ledger certificate --run 1 --output certificate.html\n  psql \"$DATABASE_URL\"",
            home.display(),
            gone.unwrap_or(1),
        ));
    } else if let Some(folder) = &arguments.data_dir {
        output::text(&format!(
            "\nThe database stops here, and stays in {0}. `retentiond demo --data-dir {0}` goes on with it, and lets you ask it things.",
            folder.display()
        ));
    } else {
        output::text(
            "\nThe database ends here. Without --once it stays, and you can ask it things; --data-dir DIR keeps it for next time.",
        );
    }
    Ok(())
}

fn say(context: &Context, text: &str) {
    if !context.global.quiet {
        output::note(text);
    }
}

impl From<&ClusterError> for Failure {
    fn from(error: &ClusterError) -> Self {
        if let ClusterError::NoServer { looked } = error {
            let looked: Vec<String> = looked
                .iter()
                .map(|folder| folder.display().to_string())
                .collect();
            return Self::Other {
                code: Code::Unreachable,
                exit: 1,
                message: "no PostgreSQL server programs (initdb, postgres) were found on this machine".to_owned(),
                causes: vec![format!("looked in {}", looked.join(", "))],
                hint: Some(
                    "install them (`apt-get install postgresql`, `dnf install postgresql-server` or \
                     `brew install postgresql`), or name their folder in PG_BIN"
                        .to_owned(),
                ),
            };
        }
        Self::failed(Code::Unreachable, error, None)
    }
}

impl From<ClusterError> for Failure {
    fn from(error: ClusterError) -> Self {
        Self::from(&error)
    }
}

impl From<SampleError> for Failure {
    fn from(error: SampleError) -> Self {
        Self::failed(Code::Internal, &error, None)
    }
}
