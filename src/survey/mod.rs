//! Questions: how many, which, why. With the plan this is the dry run; it changes nothing.

mod against;
mod certificate;
mod count;
mod coverage;
mod debt;
mod draw;
mod erasure;
mod explain;
mod forecast;
mod probe;
mod processor;
mod queue;
mod reminders;
mod returned;
mod status;
mod subject;
mod version;

pub use against::{Against, Change, Dependants, Effect, Side, against};
pub use certificate::{Beside, CertificateOf, certificate};
pub use count::{ClassCounts, Counts, SurveyError, count, oldest_overdue, waiting_for_a_person};
pub use coverage::{Coverage, PersonalColumn, Unclaimed, Uncovered, coverage};
pub use debt::{ClassDebt, Debt, DebtReason, OpenRequest, ProcessorDebt, SetAside, debt};
pub use draw::{Drawn, draw, draw_beside};
pub use explain::{
    Awaited, Claim, Event, Explanation, Gone, Held, Parent, Proof, Word, explain, key_columns,
};
pub use forecast::{ClassForecast, Forecast, Outlook, forecast};
pub use probe::probe;
pub use processor::{
    Confirmed, HeldElsewhere, HeldState, ProcessorOrder, WaitsFor, processor_orders, processors,
};
pub use queue::{
    QueuePage, Queued, Shown, about, covered, queue, show, sort_by_dependants, why_not_queued,
};
pub use reminders::{Reminder, reminders};
pub use returned::{Returned, returned};
pub use status::{
    ClassOverview, LastRun, LedgerOverview, Overview, files_pending, last_successes,
    ledger_overview, overview,
};
pub use subject::{Authority, Personal, everybody, left_to_erase, personal};
pub use version::{
    Accepted, Coming, StoppedPlan, Versions, draw_in_force, last_accepted, stopped_plans, versions,
};
