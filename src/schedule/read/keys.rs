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
    known: &[
        "organisation",
        "time_zone",
        "every",
        "accept",
        "details_kept",
        "appeal_window",
    ],
    later: &[],
};

pub(super) const CLASS: Keys = Keys {
    name: "a [[class]]",
    known: &[
        "id",
        "title",
        "table",
        "processor",
        "where",
        "subject",
        "trigger",
        "plausible_from",
        "trigger_zone",
        "from_end_of",
        "period",
        "tolerance",
        "unless_active",
        "or_when",
        "disposal",
        "anonymise",
        "stages",
        "notice",
        "limit",
        "gate",
        "approvals",
        "preview",
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
        "erasure",
        "erasure_right",
        "every",
    ],
    later: &["unit", "resweep", "hide_keys"],
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

/// Every table, each by the name that descriptions use. A key that becomes known needs a
/// line in `schedule/json_schema/properties.rs` and one in docs/SCHEDULE.md, and tests say so.
pub(super) const ALL: [(&str, &Keys); 7] = [
    ("file", &FILE),
    ("schedule", &SCHEDULE),
    ("class", &CLASS),
    ("trigger", &TRIGGER),
    ("stage", &STAGE),
    ("dependant", &DEPENDANT),
    ("file column", &FILE_COLUMN),
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::ALL;

    #[test]
    fn every_table_of_keys_is_in_all() {
        let written = include_str!("keys.rs")
            .lines()
            .filter(|line| {
                line.starts_with("pub(super) const") && line.ends_with(": Keys = Keys {")
            })
            .count();
        assert_eq!(ALL.len(), written);
    }

    #[test]
    fn no_key_is_both_known_and_for_later() {
        for (table, keys) in ALL {
            let known: BTreeSet<&str> = keys.known.iter().copied().collect();
            assert_eq!(known.len(), keys.known.len(), "{table}");
            assert!(keys.later.iter().all(|key| !known.contains(key)), "{table}");
        }
    }
}
