//! Long work shown: bars on a terminal, log lines otherwise.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::context::Context;
use super::output;
use crate::enforce::{ClassReport, Event, Status};
use crate::ident::ClassId;

/// Shows one pass as it goes on.
pub(super) struct Progress {
    style: Style,
    bar: Mutex<Option<ProgressBar>>,
    due: BTreeMap<ClassId, u64>,
    only: Vec<ClassId>,
}

#[derive(PartialEq, Eq)]
enum Style {
    Silent,
    Lines,
    Bars,
}

impl Progress {
    /// `due` is how many records are expected by class, where that was counted.
    pub fn new(context: &Context, due: BTreeMap<ClassId, u64>) -> Self {
        let style = if context.global.quiet {
            Style::Silent
        } else if context.global.no_progress || !std::io::stderr().is_terminal() {
            Style::Lines
        } else {
            Style::Bars
        };
        Self {
            style,
            bar: Mutex::new(None),
            due,
            only: Vec::new(),
        }
    }

    /// The same, where only these classes were asked for; none for all.
    pub fn only(self, classes: &[ClassId]) -> Self {
        Self {
            only: classes.to_vec(),
            ..self
        }
    }

    /// Takes an event of a pass.
    pub fn observe(&self, event: Event<'_>) {
        match event {
            Event::Began(class) => {
                if self.style == Style::Bars && class.work.is_some() {
                    // A bar draws as soon as it is made, so the last one must be gone before.
                    self.replace(None);
                    self.replace(Some(bar(
                        class.id.as_str(),
                        self.due.get(&class.id).copied(),
                    )));
                }
            }
            Event::Batch(class, acted, took) => {
                if let Ok(bar) = self.bar.lock()
                    && let Some(bar) = bar.as_ref()
                {
                    bar.set_position(acted);
                }
                tracing::debug!(class = %class, records = acted, seconds = took.as_secs_f64(), "batch committed");
            }
            Event::Trouble(class, reason) => {
                if self.style != Style::Silent {
                    self.say(&format!("{class}: {reason}"));
                }
            }
            Event::Published(_) | Event::Waits(..) | Event::Impatient(..) => {}
            Event::Unpublished(reason) => {
                if self.style != Style::Silent {
                    self.say(&format!(
                        "The ledger could not be sealed or published: {reason}."
                    ));
                }
            }
            Event::Moved(what) => {
                if self.style != Style::Silent {
                    self.say(&format!(
                        "The ledger was published last from elsewhere, and this is {what}. It is the same log."
                    ));
                }
            }
            Event::Ended(report) => {
                self.replace(None);
                let asked = self.only.is_empty() || self.only.contains(&report.id);
                if self.style == Style::Lines && asked && report.status != Status::Retained {
                    output::note(&sentence(report));
                }
            }
        }
    }

    fn say(&self, text: &str) {
        match self.bar.lock().ok().as_ref().and_then(|bar| bar.as_ref()) {
            Some(bar) => bar.println(text),
            None => output::note(text),
        }
    }

    fn replace(&self, next: Option<ProgressBar>) {
        if let Ok(mut bar) = self.bar.lock() {
            if let Some(last) = bar.take() {
                last.finish_and_clear();
            }
            *bar = next;
        }
    }
}

/// A bar, or a spinner where the end is not known.
pub(super) fn bar(title: &str, length: Option<u64>) -> ProgressBar {
    let (bar, template) = match length {
        Some(length) => (
            ProgressBar::new(length),
            "{prefix:23} {bar:18} {human_pos:>9} of {human_len}  {eta}",
        ),
        None => (
            ProgressBar::new_spinner(),
            "{prefix:23} {spinner} {human_pos:>9}  {elapsed}",
        ),
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("━╸ "));
    }
    bar.set_prefix(title.to_owned());
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// Why a class was refused or failed, without its name.
pub(super) fn reason(report: &ClassReport) -> Option<String> {
    report
        .reason
        .as_ref()
        .map(|reason| reason.replace(&format!("class `{}`: ", report.id), ""))
}

/// What was done under a class, in a sentence.
pub(super) fn sentence(report: &ClassReport) -> String {
    let mut parts = Vec::new();
    let mut add = |number: u64, one: &str, many: &str| {
        if number > 0 {
            parts.push(output::counted(number, one, many));
        }
    };
    add(report.flagged, "record flagged", "records flagged");
    add(report.anonymised, "record anonymised", "records anonymised");
    add(report.deleted, "record deleted", "records deleted");
    add(report.dependants, "dependant", "dependants");
    add(report.unlinked, "row unlinked", "rows unlinked");
    add(report.files, "file removed", "files removed");
    add(report.skipped.held, "held", "held");
    add(report.waiting, "waiting", "waiting");
    add(report.conflict, "in conflict", "in conflict");
    add(report.failed, "set aside", "set aside");
    let what = match (reason(report), parts.is_empty()) {
        (Some(reason), _) => reason,
        (None, true) => "nothing due".to_owned(),
        (None, false) => parts.join(", "),
    };
    format!("{}: {what} ({:.1} s)", report.id, report.seconds)
}
