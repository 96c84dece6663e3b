//! Questions: how many, which, why. With the plan this is the dry run; it changes nothing.

mod count;
mod draw;
mod explain;
mod status;

pub use count::{ClassCounts, Counts, SurveyError, count, oldest_overdue};
pub use draw::{Drawn, draw};
pub use explain::{Claim, Event, Explanation, Held, Parent, explain, key_columns};
pub use status::{ClassOverview, LastRun, LedgerOverview, Overview, overview};
