//! The one place that knows what time it is.
//!
//! Everything else takes the time as an argument. `cli` and `daemon` hold a [`Clock`]
//! and pass the instant down, so that one pass has one `now`, and a test has any.

use chrono::{DateTime, SubsecRound, Utc};

/// Where the present instant comes from.
#[derive(Debug, Clone, Copy)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// Always this instant: a demonstration on another day, or a test.
    Fixed(DateTime<Utc>),
}

impl Clock {
    /// The present instant, to the microsecond that PostgreSQL and the ledger keep.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            #[expect(
                clippy::disallowed_methods,
                reason = "the one door to the ambient clock"
            )]
            Self::System => Utc::now().trunc_subsecs(6),
            Self::Fixed(instant) => *instant,
        }
    }

    /// Whether it is a clock that people chose, which the database's cannot agree with.
    #[must_use]
    pub fn is_fixed(&self) -> bool {
        matches!(self, Self::Fixed(_))
    }
}
