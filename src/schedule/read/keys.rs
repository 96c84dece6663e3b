//! Which keys each table of the file knows, and which are for a later version.

/// The keys of one kind of table.
pub(super) struct Keys {
    /// As a person would call the table.
    pub name: &'static str,
    /// What this version reads.
    pub known: &'static [&'static str],
    /// What the format names and this version does not enforce yet.
    pub later: &'static [&'static str],
}

pub(super) const FILE: Keys = Keys {
    name: "the file",
    known: &["schedule", "class"],
    later: &[],
};

pub(super) const SCHEDULE: Keys = Keys {
    name: "[schedule]",
    known: &["organisation", "time_zone", "every", "accept"],
    later: &["appeal_window", "details_kept"],
};

pub(super) const CLASS: Keys = Keys {
    name: "a [[class]]",
    known: &[
        "id",
        "title",
        "table",
        "where",
        "trigger",
        "plausible_from",
        "trigger_zone",
        "from_end_of",
        "period",
        "tolerance",
        "unless_active",
        "disposal",
        "anonymise",
        "stages",
        "notice",
        "limit",
        "gate",
        "dependants",
        "files",
        "authority",
        "lawful_basis",
        "owner",
        "reason",
        "review_on",
        "max_rows",
        "max_share",
        "max_growth",
    ],
    later: &[
        "processor",
        "approvals",
        "or_when",
        "unit",
        "resweep",
        "subject",
        "hide_keys",
        "erasure",
        "erasure_right",
        "preview",
        "every",
    ],
};

pub(super) const TRIGGER: Keys = Keys {
    name: "a trigger",
    known: &["column", "when"],
    later: &[],
};

pub(super) const STAGE: Keys = Keys {
    name: "a stage",
    known: &["after", "disposal", "anonymise"],
    later: &[],
};

pub(super) const DEPENDANT: Keys = Keys {
    name: "a dependant",
    known: &["table", "action", "on", "where"],
    later: &[],
};

pub(super) const FILE_COLUMN: Keys = Keys {
    name: "an entry of files",
    known: &["column", "store", "table"],
    later: &[],
};

/// Every kind of table.
pub(super) const ALL: [&Keys; 7] = [
    &STAGE,
    &FILE,
    &SCHEDULE,
    &CLASS,
    &TRIGGER,
    &DEPENDANT,
    &FILE_COLUMN,
];

/// The known key that was probably meant, if one is near enough.
pub(super) fn nearest<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let written = written.to_lowercase().replace('-', "_");
    // A third of the word may be wrong: `peroid`, `organization`, `dependents`.
    let most = (written.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|key| (strsim::damerau_levenshtein(&written, key), key))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= most)
        .map(|(_, key)| key)
}
