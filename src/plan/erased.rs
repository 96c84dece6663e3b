//! Whose records a person's request erases before their time, as SQL over a row.
//!
//! The request stands in our schema with whom it is about, as the column that names the person
//! writes it, until nothing of it is left to do. The statement that changes a row reads it
//! there. Where there is no request, nothing of this is in any statement.

use super::judge::{Judge, any};
use crate::ident::Ident;
use crate::schedule::{Class, Dispose};

impl Judge<'_> {
    /// A request that is not fulfilled erases the row, and the class lets itself be told so:
    /// its claim is past whatever its trigger. FALSE for a class whose records a statute keeps.
    pub fn erased(&self, class: &Class, a: &str) -> String {
        let columns = self.erasable_by(class);
        let erased = columns.iter().map(|column| {
            format!(
                "({a}.{}::text IN (SELECT e.subject FROM retentiond.erasure e WHERE {})) IS TRUE",
                column.quoted(),
                self.open_requests()
            )
        });
        any(erased.collect())
    }

    /// The last day of a row that is erased: the day before the first of the requests.
    pub fn erased_last_day(&self, class: &Class, a: &str) -> String {
        let columns = self.erasable_by(class);
        let named: Vec<String> = columns
            .iter()
            .map(|column| format!("{a}.{}::text", column.quoted()))
            .collect();
        if named.is_empty() {
            return "NULL::date".to_owned();
        }
        format!(
            "(SELECT min(e.requested_on) - 1 FROM retentiond.erasure e WHERE {} AND e.subject IN ({}))",
            self.open_requests(),
            named.join(", ")
        )
    }

    /// Whether a row that the class claims can be past without a day.
    pub fn may_be_regardless(&self, class: &Class, dispose: &Dispose) -> bool {
        dispose.or_when.is_some() || !self.erasable_by(class).is_empty()
    }

    /// The requests `e` that count today.
    fn open_requests(&self) -> String {
        format!(
            "e.closed_at IS NULL AND e.requested_on <= DATE '{}'",
            self.today
        )
    }

    /// The columns that name whom a row is about, if a request can erase what the class claims.
    fn erasable_by(&self, class: &Class) -> Vec<&Ident> {
        let right = class.dispose().is_some_and(|own| own.erasure_right);
        if right && self.decisions.recorded() && self.decisions.erasing() {
            self.subjects(class.table())
        } else {
            Vec::new()
        }
    }
}
