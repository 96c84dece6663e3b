//! The metrics: each with what it says, and how it is read from what is known.

use chrono::{DateTime, Utc};
use prometheus_client::metrics::histogram::Histogram;

use super::books::{Books, Force};
use super::counts::{ClassFigures, Reason, Records};
use super::page::{Kind, Metric, Page, Sample};
use super::tally::ACTIONS;
use crate::ledger::audit::Verdict;
use crate::plan::Standing;

fn one(value: f64) -> Vec<Sample<f64>> {
    vec![(Vec::new(), value)]
}

fn maybe(value: Option<f64>) -> Vec<Sample<f64>> {
    value.map(one).unwrap_or_default()
}

fn flag(value: bool) -> Vec<Sample<f64>> {
    one(f64::from(u8::from(value)))
}

/// Seconds since 1970, as Prometheus counts time.
#[expect(
    clippy::cast_precision_loss,
    reason = "exact to the microsecond for two centuries"
)]
fn seconds(instant: DateTime<Utc>) -> f64 {
    instant.timestamp_micros() as f64 / 1_000_000.0
}

#[expect(
    clippy::cast_precision_loss,
    reason = "Prometheus knows no other numbers; exact up to nine quadrillion"
)]
fn number(value: u64) -> f64 {
    value as f64
}

impl Page {
    fn of_books(&self, read: impl Fn(&Books) -> f64) -> Vec<Sample<f64>> {
        maybe(self.books.as_ref().map(read))
    }

    fn of_classes(&self, read: impl Fn(&ClassFigures) -> Vec<Sample<f64>>) -> Vec<Sample<f64>> {
        let classes = self.counted.iter().flat_map(|counted| &counted.classes);
        classes.flat_map(read).collect()
    }

    fn of_records(&self, read: impl Fn(&str, &Records) -> Vec<Sample<f64>>) -> Vec<Sample<f64>> {
        self.of_classes(|class| {
            let records = class.records.as_ref();
            records.map_or_else(Vec::new, |records| read(class.id.as_str(), records))
        })
    }
}

fn digits(digest: &[u8; 32]) -> String {
    let mut digits = hex::encode(digest);
    digits.truncate(12);
    digits
}

const fn gauge(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    read: fn(&Page) -> Vec<Sample<f64>>,
) -> Metric {
    Metric {
        name,
        labels,
        help,
        kind: Kind::Gauge(read),
    }
}

const fn counter(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
    read: fn(&Page) -> Vec<Sample<u64>>,
) -> Metric {
    Metric {
        name,
        labels,
        help,
        kind: Kind::Counter(read),
    }
}

const fn histogram(
    name: &'static str,
    help: &'static str,
    read: fn(&Page) -> &Histogram,
) -> Metric {
    Metric {
        name,
        labels: &[],
        help,
        kind: Kind::Histogram(read),
    }
}

const STANDINGS: [(Standing, &str); 4] = [
    (Standing::Ready, "ready"),
    (Standing::Waiting, "waiting"),
    (Standing::Refused, "refused"),
    (Standing::Retained, "retained"),
];

const VERDICTS: [Verdict; 5] = [
    Verdict::Ok,
    Verdict::Tampered,
    Verdict::Truncated,
    Verdict::Forked,
    Verdict::Incomplete,
];

/// Every metric. A label is a class's id or one of a few words; never a key, a table or a
/// person.
pub static METRICS: [Metric; 31] = [
    gauge(
        "retentiond_build_info",
        &["version"],
        "The version of the program; always 1.",
        |_| vec![(vec![env!("CARGO_PKG_VERSION").to_owned()], 1.0)],
    ),
    gauge(
        "retentiond_start_timestamp_seconds",
        &[],
        "When the service started.",
        |page| one(seconds(page.began)),
    ),
    gauge(
        "retentiond_ready",
        &[],
        "1 if a pass that began now could be made; /readyz says what is missing.",
        |page| flag(page.ready),
    ),
    gauge(
        "retentiond_schedule_info",
        &["digest"],
        "The version of the schedule in force, by the first digits of its digest; always 1.",
        |page| match page.books.as_ref().map(|books| &books.force) {
            Some(Force::Version { digest }) => vec![(vec![digits(digest)], 1.0)],
            Some(Force::Nothing(_)) | None => Vec::new(),
        },
    ),
    gauge(
        "retentiond_schedule_file_info",
        &["digest"],
        "The version of the schedule that was last read from its file; always 1.",
        |page| vec![(vec![digits(&page.file)], 1.0)],
    ),
    gauge(
        "retentiond_schedule_waiting",
        &[],
        "1 while the schedule's file waits for a person's acceptance.",
        |page| page.of_books(|books| f64::from(u8::from(books.waits))),
    ),
    gauge(
        "retentiond_reload_refused",
        &[],
        "1 while the schedule or the settings on disk cannot be used, and older ones stay in force.",
        |page| flag(page.refused),
    ),
    counter(
        "retentiond_reload_failures_total",
        &[],
        "Reloads that were refused.",
        |page| vec![(Vec::new(), page.reload_failures)],
    ),
    gauge(
        "retentiond_next_pass_timestamp_seconds",
        &[],
        "When the next pass is due by the timetable.",
        |page| maybe(page.next_pass.map(seconds)),
    ),
    counter(
        "retentiond_passes_total",
        &["outcome"],
        "Passes by how they went.",
        |page| {
            let passes = page.tally.passes();
            passes
                .map(|(outcome, count)| (vec![outcome.name().to_owned()], count))
                .collect()
        },
    ),
    histogram(
        "retentiond_pass_duration_seconds",
        "How long passes took that were made to their end.",
        |page| &page.tally.pass_seconds,
    ),
    histogram(
        "retentiond_batch_duration_seconds",
        "How long batches took, from their first lock to their commit.",
        |page| &page.tally.batch_seconds,
    ),
    counter(
        "retentiond_disposed_total",
        &["class", "action"],
        "Records, dependants, links and files that classes have disposed of.",
        |page| {
            let disposed = page.tally.disposed.iter();
            disposed
                .flat_map(|(class, done)| {
                    let action = |(action, count): (&&str, &u64)| {
                        (vec![class.to_string(), (*action).to_owned()], *count)
                    };
                    ACTIONS.iter().zip(done).map(action).collect::<Vec<_>>()
                })
                .collect()
        },
    ),
    gauge(
        "retentiond_database_reachable",
        &[],
        "1 if the bookkeeping in the database could be read when it was last tried.",
        |page| page.reachable.map(flag).unwrap_or_default(),
    ),
    gauge(
        "retentiond_database_clock_difference_seconds",
        &[],
        "How far the database's clock is ahead of this machine's; beyond 300 s either way no pass acts.",
        |page| {
            let difference = page.books.as_ref().and_then(|books| books.difference);
            maybe(difference.map(|difference| difference.as_seconds_f64()))
        },
    ),
    gauge(
        "retentiond_refreshed_timestamp_seconds",
        &[],
        "When the figures from the bookkeeping were read: the schedule, the ledger, last successes, files, the clock.",
        |page| page.of_books(|books| seconds(books.at)),
    ),
    gauge(
        "retentiond_counted_timestamp_seconds",
        &[],
        "When records were counted: standing, due, overdue, waiting.",
        |page| maybe(page.counted.as_ref().map(|counted| seconds(counted.at))),
    ),
    gauge(
        "retentiond_class_standing",
        &["class", "standing"],
        "1 for how the class stands, 0 for the other ways.",
        |page| {
            page.of_classes(|class| {
                let stands = |(standing, name): &(Standing, &str)| {
                    let labels = vec![class.id.to_string(), (*name).to_owned()];
                    (labels, f64::from(u8::from(class.standing == *standing)))
                };
                STANDINGS.iter().map(stands).collect()
            })
        },
    ),
    gauge(
        "retentiond_last_success_timestamp_seconds",
        &["class"],
        "When the class was last dealt with to the end; absent until it was.",
        |page| {
            let successes = page.books.iter().flat_map(|books| &books.successes);
            successes
                .filter_map(|(class, at)| Some((vec![class.to_string()], seconds((*at)?))))
                .collect()
        },
    ),
    gauge(
        "retentiond_due_records",
        &["class"],
        "Records that go with the next pass.",
        |page| {
            page.of_records(|class, records| vec![(vec![class.to_owned()], number(records.due))])
        },
    ),
    gauge(
        "retentiond_overdue_records",
        &["class", "limit"],
        "Records that are still there though they should be gone, whatever the reason; limit says whether the class's period is a minimum or a maximum.",
        |page| {
            page.of_records(|class, records| {
                let labels = vec![class.to_owned(), records.limit.to_owned()];
                vec![(labels, number(records.overdue))]
            })
        },
    ),
    gauge(
        "retentiond_oldest_overdue_seconds",
        &["class", "limit"],
        "How long ago the last day of the oldest overdue record was, in whole days of 86400 s; 0 where none is overdue.",
        |page| {
            page.of_records(|class, records| {
                let labels = vec![class.to_owned(), records.limit.to_owned()];
                let days = records
                    .oldest_days
                    .and_then(|days| u32::try_from(days).ok());
                days.map(|days| (labels, f64::from(days) * 86_400.0))
                    .into_iter()
                    .collect()
            })
        },
    ),
    gauge(
        "retentiond_waiting_records",
        &["class", "reason"],
        "Records that a class claims and that do not go, by what keeps them.",
        |page| {
            page.of_records(|class, records| {
                let waits = |(reason, count): (Reason, u64)| {
                    (
                        vec![class.to_owned(), reason.name().to_owned()],
                        number(count),
                    )
                };
                Reason::ALL
                    .into_iter()
                    .zip(records.waiting)
                    .map(waits)
                    .collect()
            })
        },
    ),
    gauge(
        "retentiond_ledger_entries",
        &[],
        "Entries of the ledger that are sealed.",
        |page| page.of_books(|books| number(books.ledger.size)),
    ),
    gauge(
        "retentiond_ledger_unsealed_entries",
        &[],
        "Entries of the ledger that are not sealed yet.",
        |page| page.of_books(|books| number(books.ledger.unsealed)),
    ),
    gauge(
        "retentiond_ledger_checkpoint_timestamp_seconds",
        &[],
        "When the newest checkpoint was signed; absent before the first.",
        |page| {
            let signed = page.books.as_ref().and_then(|books| books.ledger.signed_at);
            maybe(signed.map(seconds))
        },
    ),
    gauge(
        "retentiond_ledger_checkpoint_age_seconds",
        &[],
        "How old the newest checkpoint is at the time of the request; absent before the first.",
        |page| {
            let signed = page.books.as_ref().and_then(|books| books.ledger.signed_at);
            maybe(signed.map(|signed| (page.now - signed).as_seconds_f64().max(0.0)))
        },
    ),
    gauge(
        "retentiond_ledger_verdict",
        &["verdict"],
        "1 for what the last verification of the ledger said, 0 for the other verdicts; absent before the first.",
        |page| {
            let verdict = page
                .books
                .as_ref()
                .and_then(|books| books.ledger.verdict.as_ref());
            verdict.map_or_else(Vec::new, |verdict| {
                let said = VERDICTS.map(|one| one.to_string());
                said.into_iter()
                    .map(|one| {
                        let value = f64::from(u8::from(one == *verdict));
                        (vec![one], value)
                    })
                    .collect()
            })
        },
    ),
    gauge(
        "retentiond_ledger_verified_timestamp_seconds",
        &[],
        "When the ledger was last verified; absent before the first time.",
        |page| {
            let verified = page
                .books
                .as_ref()
                .and_then(|books| books.ledger.verified_at);
            maybe(verified.map(seconds))
        },
    ),
    gauge(
        "retentiond_ledger_interlocked",
        &[],
        "1 while the ledger does not agree, or cannot be compared, with what was published of it, and nothing acts.",
        |page| page.of_books(|books| f64::from(u8::from(books.interlock.is_some()))),
    ),
    gauge(
        "retentiond_pending_files",
        &[],
        "Files whose rows are gone and which are still to be removed.",
        |page| page.of_books(|books| number(books.files_pending)),
    ),
];
