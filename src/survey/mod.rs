//! Questions: how many, which, why. With the plan this is the dry run; it changes nothing.

mod count;
mod draw;
mod explain;
mod status;
mod version;

pub use count::{ClassCounts, Counts, SurveyError, count, oldest_overdue};
pub use draw::{Drawn, draw, draw_beside};
pub use explain::{Claim, Event, Explanation, Held, Parent, explain, key_columns};
pub use status::{ClassOverview, LastRun, LedgerOverview, Overview, overview};
pub use version::{
    Accepted, Coming, StoppedPlan, Versions, draw_in_force, last_accepted, stopped_plans, versions,
};
