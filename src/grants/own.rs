//! Who may do what with our own schema: a decision about each of its tables, sequences and
//! functions. What has none gets nothing, and a test fails until somebody decides.

use super::Role;
use crate::catalog::OwnSort as Sort;

/// What each role may do with one object, as `GRANT` writes it; empty for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    reader: &'static str,
    enforcer: &'static str,
    console: &'static str,
}

impl Decision {
    const NOTHING: Self = Self {
        reader: "",
        enforcer: "",
        console: "",
    };

    /// The privileges of a role.
    #[must_use]
    pub fn of(&self, role: Role) -> &'static str {
        match role {
            Role::Reader => self.reader,
            Role::Enforcer => self.enforcer,
            Role::Console => self.console,
            // It looks after the organisation's tables, not after ours.
            Role::Maintainer => "",
        }
    }
}

const fn decision(reader: &'static str, enforcer: &'static str, console: &'static str) -> Decision {
    Decision {
        reader,
        enforcer,
        console,
    }
}

/// What was decided about an object; `None` where nobody did.
#[must_use]
pub fn decided(sort: Sort, name: &str) -> Option<Decision> {
    let is_ledger = name.starts_with("ledger_");
    Some(match (sort, name) {
        // Only the service signs the log, and says which one it is.
        (Sort::Table, "ledger_checkpoint" | "ledger_origin") => {
            decision("SELECT", "SELECT, INSERT", "SELECT")
        }
        // The log: whoever acts or decides appends to it, and nobody changes it.
        (Sort::Table, _) if is_ledger => decision("SELECT", "SELECT, INSERT", "SELECT, INSERT"),
        (Sort::Sequence, _) if is_ledger => decision("", "USAGE", "USAGE"),
        // What waits to be sealed, put there with each entry; whoever seals takes it out.
        (Sort::Table, "unsealed") => {
            decision("SELECT", "SELECT, INSERT, DELETE", "SELECT, INSERT, DELETE")
        }
        // These belong to the migrations, which the owner runs.
        (Sort::Function, "ledger_refuse_change" | "ledger_make_append_only") => Decision::NOTHING,
        (Sort::Table, "origin" | "_sqlx_migrations") => decision("SELECT", "SELECT", "SELECT"),
        // What people decide. A version that nobody has to accept comes into force with a pass.
        (Sort::Table, "decision_epoch") => {
            decision("SELECT", "SELECT, UPDATE (epoch)", "SELECT, UPDATE (epoch)")
        }
        (Sort::Table, "hold") => decision(
            "SELECT",
            "SELECT, UPDATE (expired_at, subject)",
            "SELECT, INSERT, UPDATE (released_by, released_at, release_reason, subject)",
        ),
        // A pass forgets whom a request was about once nothing of it is left to do.
        (Sort::Table, "erasure") => decision(
            "SELECT",
            "SELECT, UPDATE (subject, closed_at, looked_on, returned, returned_at, known_by, known_reason)",
            "SELECT, INSERT, UPDATE (subject, closed_at, withdrawn_by, withdraw_reason, known_by, known_reason)",
        ),
        (Sort::Table, "review") => decision("SELECT", "SELECT", "SELECT, INSERT"),
        (Sort::Table, "approval") => decision(
            "SELECT",
            "SELECT, UPDATE (run_id)",
            "SELECT, INSERT, UPDATE (voided_at)",
        ),
        (Sort::Table, "handed_on") => {
            decision("SELECT", "SELECT", "SELECT, INSERT, UPDATE (review_id)")
        }
        (Sort::Table, "instruction") => decision(
            "SELECT",
            "SELECT",
            "SELECT, INSERT, UPDATE (withdrawn_by, withdrawn_at, withdraw_reason)",
        ),
        (Sort::Table, "processor_order") => decision(
            "SELECT",
            "SELECT, INSERT, UPDATE (superseded_at)",
            "SELECT, UPDATE (confirmed_by, reference, document, recorded_by, confirmed_at, confirmed_on, confirmation_salt)",
        ),
        (Sort::Table, "pause") => decision(
            "SELECT",
            "SELECT",
            "SELECT, INSERT, UPDATE (resumed_by, resumed_at)",
        ),
        (Sort::Table, "operator") => decision("SELECT", "SELECT", "SELECT, INSERT, DELETE"),
        (Sort::Table, "schedule_version") => decision(
            "SELECT",
            "SELECT, INSERT, UPDATE (file_digest, text)",
            "SELECT, INSERT, UPDATE (file_digest, text)",
        ),
        (Sort::Table, "acceptance") => decision("SELECT", "SELECT, INSERT", "SELECT, INSERT"),
        (Sort::Table, "limit_lift") => {
            decision("SELECT", "SELECT, UPDATE (runs, used_at)", "SELECT, INSERT")
        }
        // What a pass remembers. Rows of these are no record of anything.
        (Sort::Table, "flag" | "quarantine" | "file_work") => {
            decision("SELECT", "SELECT, INSERT, UPDATE, DELETE", "SELECT")
        }
        (Sort::Table, "position" | "class_state" | "lease" | "stopped_plan") => {
            decision("SELECT", "SELECT, INSERT, UPDATE", "SELECT")
        }
        // What is told outside, and what was told: rows of these are no record of anything.
        (Sort::Table, "notice") => decision(
            "SELECT",
            "SELECT, INSERT, UPDATE (attempts, next_try_at, delivered_at, given_up_at, last_error), DELETE",
            "SELECT",
        ),
        (Sort::Table, "notice_told") => decision(
            "SELECT",
            "SELECT, INSERT, UPDATE (count, told_on), DELETE",
            "SELECT",
        ),
        (Sort::Table, "run") => decision(
            "SELECT",
            "SELECT, INSERT, UPDATE (finished_at, outcome, report)",
            "SELECT",
        ),
        _ => return None,
    })
}
