//! What hangs on a record: the dependants of a class, followed through the declared
//! foreign keys, level by level.
//!
//! Three sorts: rows that refer to the record (or to another dependant) and go before it;
//! rows that the record refers to, which go after it with the last row that refers to
//! them; and rows that stay and are unlinked. A table that refers to anything deleted
//! here and is none of these is a fault, since PostgreSQL would cascade, unlink or refuse
//! by itself, unseen.

use std::collections::BTreeMap;

use crate::catalog::{Catalog, ForeignKey};
use crate::ident::TableName;
use crate::schedule::{Class, Disposal, Dispose, Fate, Place};

/// Everything that hangs on the records of one class.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Relations {
    /// Tables whose rows refer to the record or to another of these; whoever is referred
    /// to stands before whoever refers.
    pub inbound: Vec<Inbound>,
    /// Tables whose rows the record refers to; whoever refers stands before whoever is
    /// referred to.
    pub referred: Vec<Referred>,
    /// Tables whose rows stay and lose their link.
    pub unlinked: Vec<Inbound>,
}

/// A table that refers to the record's table, or to a dependant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Inbound {
    /// The table that refers.
    pub table: TableName,
    /// The keys by which it does.
    pub edges: Vec<ForeignKey>,
}

/// A table that the record's table refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Referred {
    /// The table referred to.
    pub table: TableName,
    /// The keys by which the record refers to it, and those by which what goes with the
    /// record does: the last row that refers to it may be any of these.
    pub edges: Vec<ForeignKey>,
    /// Every key by which anything at all refers to it: none of these may be left.
    pub all_inbound: Vec<ForeignKey>,
}

/// Why the declared dependants do not fit the foreign keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Misfit {
    /// A declared dependant that no foreign key relates.
    Unrelated(TableName, Place),
    /// A foreign key that would delete, unlink or block without being declared.
    Undeclared(ForeignKey),
    /// A table that refers to itself.
    SelfReference(ForeignKey),
    /// Foreign keys that run in a circle.
    Circle(TableName),
    /// A foreign key that cannot be emptied.
    NotNull(ForeignKey, Place),
}

/// Follows the declared dependants of a class. Collects every misfit.
pub(super) fn resolve(
    class: &Class,
    dispose: &Dispose,
    catalog: &Catalog,
) -> (Relations, Vec<Misfit>) {
    let mut misfits = Vec::new();
    let mut relations = Relations::default();
    let root = class.table();
    let deletes = matches!(dispose.disposal, Disposal::Delete);

    let declared: BTreeMap<&TableName, (Fate, &Place)> = dispose
        .dependants
        .iter()
        .filter(|dependant| catalog.table(&dependant.table).is_some())
        .map(|dependant| (&dependant.table, (dependant.fate, &dependant.place)))
        .collect();

    // Level by level: a declared table joins once every declared table that it refers to
    // within the house has joined, so that the order of `inbound` is the order of locking.
    let mut house: Vec<&TableName> = vec![root];
    let reaches = reachable(root, &declared, catalog);
    loop {
        let next = declared.iter().find(|(table, (fate, _))| {
            *fate == Fate::Delete
                && !house.contains(*table)
                && reaches.contains(*table)
                && catalog.outbound(table).all(|key| {
                    key.to == key.from || !reaches.contains(&&key.to) || house.contains(&&key.to)
                })
        });
        let Some((table, _)) = next else { break };
        let edges = edges_into(table, &house, catalog);
        relations.inbound.push(Inbound {
            table: (*table).clone(),
            edges,
        });
        house.push(table);
    }
    for table in &reaches {
        if !house.contains(table)
            && declared
                .get(table)
                .is_some_and(|(fate, _)| *fate == Fate::Delete)
        {
            misfits.push(Misfit::Circle((*table).clone()));
        }
    }

    let mut shared: Vec<&TableName> = Vec::new();
    for (table, (fate, place)) in &declared {
        if house.contains(table) || reaches.contains(table) && *fate == Fate::Delete {
            continue;
        }
        let inward = edges_into(table, &house, catalog);
        match fate {
            Fate::Unlink if !inward.is_empty() => {
                for key in &inward {
                    let emptiable = catalog.table(table).is_some_and(|t| {
                        key.from_columns
                            .iter()
                            .any(|c| t.column(c).is_some_and(|c| !c.not_null))
                    });
                    if !emptiable {
                        misfits.push(Misfit::NotNull(key.clone(), **place));
                    }
                }
                relations.unlinked.push(Inbound {
                    table: (*table).clone(),
                    edges: inward,
                });
            }
            Fate::Delete if catalog.outbound(root).any(|key| &&key.to == table) => {
                shared.push(table)
            }
            _ => misfits.push(Misfit::Unrelated((*table).clone(), **place)),
        }
    }

    while !shared.is_empty() {
        let refers = |from: &TableName, to: &TableName| {
            from != to && catalog.outbound(from).any(|key| &key.to == to)
        };
        let Some(next) = shared
            .iter()
            .position(|table| !shared.iter().any(|other| refers(other, table)))
        else {
            misfits.extend(shared.iter().map(|table| Misfit::Circle((*table).clone())));
            break;
        };
        let table = shared.remove(next);
        let goes = |from: &TableName| {
            house.contains(&from)
                || relations
                    .referred
                    .iter()
                    .any(|referred| &referred.table == from)
        };
        relations.referred.push(Referred {
            table: table.clone(),
            edges: catalog
                .inbound(table)
                .filter(|key| key.from != key.to && goes(&key.from))
                .cloned()
                .collect(),
            all_inbound: catalog.inbound(table).cloned().collect(),
        });
    }

    // What is deleted must have nothing pointing at it that nobody named.
    let deleted = house.iter().filter(|table| deletes || **table != root);
    for table in deleted {
        for key in catalog.inbound(table) {
            let unlinked = relations.unlinked.iter().any(|u| u.table == key.from);
            // What is caught in a circle is declared all the same.
            let named = unlinked || house.contains(&&key.from) || reaches.contains(&&key.from);
            if key.from == key.to {
                misfits.push(Misfit::SelfReference(key.clone()));
            } else if !named {
                misfits.push(Misfit::Undeclared(key.clone()));
            }
        }
    }
    (relations, misfits)
}

/// The declared, deleted dependants that lead to `root` along their own foreign keys.
fn reachable<'a>(
    root: &'a TableName,
    declared: &BTreeMap<&'a TableName, (Fate, &Place)>,
    catalog: &'a Catalog,
) -> Vec<&'a TableName> {
    let mut found: Vec<&TableName> = Vec::new();
    loop {
        let next = declared.iter().find(|(table, (fate, _))| {
            *fate == Fate::Delete
                && !found.contains(*table)
                && catalog
                    .outbound(table)
                    .any(|key| key.to != key.from && (&key.to == root || found.contains(&&key.to)))
        });
        match next {
            Some((table, _)) => found.push(table),
            None => return found,
        }
    }
}

fn edges_into(table: &TableName, house: &[&TableName], catalog: &Catalog) -> Vec<ForeignKey> {
    catalog
        .outbound(table)
        .filter(|key| key.from != key.to && house.contains(&&key.to))
        .cloned()
        .collect()
}
