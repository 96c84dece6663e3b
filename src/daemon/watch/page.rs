//! The page that Prometheus reads: every metric, once, in the order of `docs/METRICS.md`.
//!
//! The `prometheus-client` crate writes OpenMetrics. The page is the older text format,
//! which every Prometheus reads and `promtool check metrics` checks: there a counter's
//! name, with its `_total`, is that of its samples, and there is no `# EOF`.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text as openmetrics};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use chrono::{DateTime, Utc};

use super::Watch;
use super::books::Books;
use super::counts::Counted;
pub use super::metrics::METRICS;
use super::tally::Tally;

/// The page's content type.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

const TOTAL: &str = "_total";

/// One metric.
#[derive(Debug)]
pub struct Metric {
    /// Its name, as it is scraped.
    pub name: &'static str,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it says.
    pub help: &'static str,
    pub(super) kind: Kind,
}

impl Metric {
    /// `gauge`, `counter` or `histogram`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.kind {
            Kind::Gauge(_) => "gauge",
            Kind::Counter(_) => "counter",
            Kind::Histogram(_) => "histogram",
        }
    }

    fn kind_of(&self) -> MetricType {
        match self.kind {
            Kind::Gauge(_) => MetricType::Gauge,
            Kind::Counter(_) => MetricType::Counter,
            Kind::Histogram(_) => MetricType::Histogram,
        }
    }

    /// As OpenMetrics names the family.
    fn family(&self) -> &'static str {
        match self.kind {
            Kind::Counter(_) => self.name.strip_suffix(TOTAL).unwrap_or(self.name),
            _ => self.name,
        }
    }
}

/// How it is read from what is known.
#[derive(Debug)]
pub(super) enum Kind {
    Gauge(fn(&Page) -> Vec<Sample<f64>>),
    Counter(fn(&Page) -> Vec<Sample<u64>>),
    Histogram(fn(&Page) -> &Histogram),
}

/// The values of the labels, and the value.
pub(super) type Sample<N> = (Vec<String>, N);

/// What is known at the time of a request.
#[derive(Debug)]
pub(super) struct Page {
    pub now: DateTime<Utc>,
    pub began: DateTime<Utc>,
    pub file: [u8; 32],
    pub refused: bool,
    pub reload_failures: u64,
    pub next_pass: Option<DateTime<Utc>>,
    pub tally: Tally,
    pub reachable: Option<bool>,
    pub ready: bool,
    pub books: Option<Books>,
    pub counted: Option<Counted>,
}

/// The page.
///
/// # Errors
/// When it cannot be written.
pub(super) fn text(watch: &Watch) -> Result<String, fmt::Error> {
    let ready = watch.missing().is_empty();
    let now = watch.now();
    let page = {
        let state = watch.state();
        Page {
            now,
            began: state.began,
            file: *state.force.schedule.digest(),
            refused: state.refused,
            reload_failures: state.reload_failures,
            next_pass: state.next_pass,
            tally: state.tally.clone(),
            reachable: state.looked.as_ref().map(Result::is_ok),
            ready,
            books: state.books.clone(),
            counted: state.counted.clone(),
        }
    };
    let mut registry = Registry::default();
    registry.register_collector(Box::new(page));
    let mut text = String::new();
    openmetrics::encode_registry(&mut text, &registry)?;
    Ok(plain(&text))
}

/// The older format.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for line in text.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some(what @ ("HELP" | "TYPE")), Some(family), Some(rest)) => {
                let metric = METRICS.iter().find(|metric| metric.family() == family);
                let name = metric.map_or(family, |metric| metric.name);
                plain.push_str(&format!("# {what} {name} {rest}"));
            }
            _ => plain.push_str(line),
        }
        plain.push('\n');
    }
    plain
}

impl Collector for Page {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        for metric in &METRICS {
            match metric.kind {
                Kind::Gauge(read) => {
                    let samples = read(self);
                    let samples = samples
                        .iter()
                        .map(|(labels, value)| (labels, ConstGauge::new(*value)));
                    metric.encode(&mut encoder, samples)?;
                }
                Kind::Counter(read) => {
                    let samples = read(self);
                    let samples = samples
                        .iter()
                        .map(|(labels, value)| (labels, ConstCounter::new(*value)));
                    metric.encode(&mut encoder, samples)?;
                }
                Kind::Histogram(read) => {
                    let none = Vec::new();
                    let sample = (&none, read(self).clone());
                    metric.encode(&mut encoder, std::iter::once(sample))?;
                }
            }
        }
        Ok(())
    }
}

impl Metric {
    fn encode<'a, M: EncodeMetric>(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        samples: impl Iterator<Item = (&'a Vec<String>, M)>,
    ) -> Result<(), fmt::Error> {
        let mut samples = samples.peekable();
        if samples.peek().is_none() {
            return Ok(());
        }
        let mut family =
            encoder.encode_descriptor(self.family(), self.help, None, self.kind_of())?;
        if self.labels.is_empty() {
            return samples
                .next()
                .map_or(Ok(()), |(_, sample)| sample.encode(family));
        }
        for (values, sample) in samples {
            let labels: Vec<(&str, &str)> = self
                .labels
                .iter()
                .copied()
                .zip(values.iter().map(String::as_str))
                .collect();
            sample.encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
