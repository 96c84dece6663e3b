//! How much of a class may go before a person must look: `max_rows`, `max_share`, `max_growth`.
//!
//! A typo in a period makes half a table due at once. So a class that is over one of its
//! limits does nothing, and waits until somebody has looked at the plan and accepts it.

/// The share of a table that may go within seven days where the class says nothing.
pub const DEFAULT_SHARE: f64 = 0.25;

/// So many records may always go: a share or a growth of a small table says nothing.
pub const FLOOR: u64 = 100;

/// A class's limits, as the schedule has them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limits {
    /// The most records in one pass.
    pub max_rows: Option<u64>,
    /// The largest share of the table within seven days; none where it is not written.
    pub max_share: Option<Factor>,
    /// The most times as many records as in the last completed pass.
    pub max_growth: Option<Factor>,
}

/// A number over 0 that is no infinity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Factor(f64);

impl Factor {
    /// `None` for 0, a negative number, an infinity, or what is no number.
    #[must_use]
    pub fn new(value: f64) -> Option<Self> {
        (value.is_finite() && value > 0.0).then_some(Self(value))
    }

    /// The number.
    #[must_use]
    pub fn value(self) -> f64 {
        self.0
    }
}

impl std::fmt::Display for Factor {
    /// In digits, without an exponent, so that PostgreSQL reads it as an exact `numeric`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// What happens with a version of the schedule that changes more than words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accept {
    /// It waits for a person, and the version that was accepted stays in force.
    ByHand,
    /// It is in force at once, if the version in force says so as well, or there is none.
    Automatic,
}

impl Accept {
    /// Both.
    pub const ALL: [Self; 2] = [Self::ByHand, Self::Automatic];

    /// `by hand` or `automatic`, as the schedule writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ByHand => "by hand",
            Self::Automatic => "automatic",
        }
    }
}
