//! What a schedule can say beyond the first rules, each to be switched on by itself.
//!
//! The numbers of a seed do not depend on it, so that a feature more changes a world only
//! where it is used.

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feature {
    /// `from_end_of`
    Rounding,
    Tolerance,
    /// `plausible_from`
    Plausible,
    /// `trigger_zone`
    Zone,
    /// `unless_active`
    Activity,
    /// `or_when`
    AtOnce,
    Stages,
    Notice,
    /// Passes on several days, with rows updated and holds placed and released between them.
    Days,
    /// `trigger = "matter.closed_on"`, over a declared foreign key
    Related,
    /// `{ table, on, where }`: references of which PostgreSQL does not know
    Loose,
    /// Tables whose rows refer to one another
    Threads,
}

/// All that the model knows.
pub const ALL: &[Feature] = &[
    Feature::Rounding,
    Feature::Tolerance,
    Feature::Plausible,
    Feature::Zone,
    Feature::Activity,
    Feature::AtOnce,
    Feature::Stages,
    Feature::Notice,
    Feature::Days,
    Feature::Related,
    Feature::Loose,
    Feature::Threads,
];
