//! What hangs on a record: the dependants of a class, followed through foreign keys and
//! the relations that the schedule declares, level by level.
//!
//! Three sorts: rows that refer to the record (or to another dependant, or to a row of
//! their own table) and go before it; rows that the record refers to, which go after it
//! with the last row that refers to them; and rows that stay and are unlinked. A table
//! that refers to anything deleted here and is none of these is a fault, since PostgreSQL
//! would cascade, unlink or refuse by itself, unseen, or leave rows that refer to nothing.

use crate::catalog::{Catalog, Table};
use crate::ident::TableName;
use crate::schedule::{Class, Disposal, Dispose, Fate, Place};

use super::link::{Broken, By, Link, Side};

/// Everything that hangs on the records of one class.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Relations {
    /// Tables whose rows refer to the record or to another of these; whoever is referred
    /// to stands before whoever refers. The record's own table stands first, if its rows
    /// go with the row of it that they refer to.
    pub inbound: Vec<Inbound>,
    /// Tables whose rows the record refers to; whoever refers stands before whoever is
    /// referred to.
    pub referred: Vec<Referred>,
    /// Tables whose rows stay and lose their link.
    pub unlinked: Vec<Inbound>,
}

/// A table that refers to the record's table, or to a dependant.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Inbound {
    /// The table that refers.
    pub table: TableName,
    /// The links by which it does.
    pub edges: Vec<Link>,
}

/// A table that the record's table refers to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Referred {
    /// The table referred to.
    pub table: TableName,
    /// The links by which the record refers to it, and those by which what goes with the
    /// record does: the last row that refers to it may be any of these.
    pub edges: Vec<Link>,
    /// Every link by which anything at all refers to it: none of these may be left.
    pub all_inbound: Vec<Link>,
}

/// Why the declared dependants do not fit the database.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Misfit {
    /// A declared dependant that nothing relates.
    Unrelated(TableName, Place),
    /// A link that would delete, unlink, block or leave rows behind without being declared.
    Undeclared(Link),
    /// A table that refers to itself, and of which nothing is declared.
    SelfReference(Link),
    /// Links that run in a circle.
    Circle(TableName),
    /// A link that cannot be emptied.
    NotNull(Link, Place),
    /// A row that the record refers to cannot be unlinked from it.
    UnlinksReferred(TableName, Place),
    /// A relation that cannot be followed.
    Broken(TableName, Broken),
}

impl Relations {
    /// The links by which rows of a table go with a row of the same table.
    pub fn own(&self, table: &TableName) -> impl Iterator<Item = &Link> {
        let table = table.clone();
        self.inbound
            .iter()
            .filter(move |inbound| inbound.table == table)
            .flat_map(|inbound| &inbound.edges)
            .filter(|edge| edge.is_own())
    }

    /// Where rows of a table stand among those that go: 0 are the records, `n` the `n`th
    /// of `inbound` (from 1). Rows of the record's own table may be both.
    pub fn places(&self, table: &TableName, root: &TableName) -> Vec<usize> {
        let inbound = self.inbound.iter().enumerate();
        let inbound = inbound.filter(|(_, inbound)| &inbound.table == table);
        let records = (table == root).then_some(0);
        records
            .into_iter()
            .chain(inbound.map(|(nth, _)| nth + 1))
            .collect()
    }
}

/// A link that an entry of `dependants` names.
struct Named<'a> {
    link: Link,
    fate: Fate,
    entry: usize,
    place: &'a Place,
}

/// Follows the declared dependants of a class. Collects every misfit.
pub(super) fn resolve(
    class: &Class,
    dispose: &Dispose,
    catalog: &Catalog,
    known: &[Link],
) -> (Relations, Vec<Misfit>) {
    let mut misfits = Vec::new();
    let mut relations = Relations::default();
    let root = class.table();
    let deletes = matches!(dispose.disposal, Disposal::Delete);

    // What each entry names: a table alone all its foreign keys, `on` one relation.
    let mut upward: Vec<Named<'_>> = Vec::new();
    let mut downward: Vec<Named<'_>> = Vec::new();
    let mut broken: Vec<usize> = Vec::new();
    for (entry, dependant) in dispose.dependants.iter().enumerate() {
        let table = &dependant.table;
        if catalog.table(table).is_none() {
            broken.push(entry);
            continue;
        }
        let named = |link| Named {
            link,
            fate: dependant.fate,
            entry,
            place: &dependant.place,
        };
        match &dependant.relation {
            None => {
                upward.extend(catalog.outbound(table).map(Link::of_key).map(named));
                let from_record = catalog.outbound(root).filter(|key| &key.to == table);
                if table != root && dependant.fate == Fate::Delete {
                    downward.extend(from_record.map(Link::of_key).map(named));
                }
            }
            Some(relation) => match Link::of_relation(class.id(), table, relation, catalog) {
                Ok(link) if &link.from == table => upward.push(named(link)),
                Ok(_) if dependant.fate == Fate::Unlink => {
                    broken.push(entry);
                    misfits.push(Misfit::UnlinksReferred(table.clone(), dependant.place));
                }
                Ok(link) => downward.push(named(link)),
                Err(why) => {
                    broken.push(entry);
                    if why != Broken::NoTable {
                        misfits.push(Misfit::Broken(table.clone(), why));
                    }
                }
            },
        }
    }
    let going = |named: &&Named<'_>| named.fate == Fate::Delete;

    // The record's own table first: its rows hang on records, and all else may hang on them.
    let thread: Vec<Link> = upward
        .iter()
        .filter(going)
        .map(|named| &named.link)
        .filter(|link| link.is_own() && &link.from == root)
        .cloned()
        .collect();
    if deletes && !thread.is_empty() {
        relations.inbound.push(Inbound {
            table: root.clone(),
            edges: unique(thread),
        });
    }

    // Level by level: a table joins once every table that it refers to within the house
    // has joined, so that the order of `inbound` is the order of locking.
    let mut house: Vec<&TableName> = vec![root];
    let reaches = reachable(root, &upward);
    loop {
        let waits = |table: &TableName, link: &Link| {
            &link.from == table
                && !link.is_own()
                && reaches.contains(&&link.to)
                && !house.contains(&&link.to)
        };
        let next = reaches.iter().copied().filter(|table| {
            !house.contains(table)
                && !known.iter().any(|link| link.is_key() && waits(table, link))
                && !upward.iter().any(|named| waits(table, &named.link))
        });
        // By name, so that the order of the file does not matter.
        let Some(table) = next.min() else { break };
        house.push(table);
        let edges = upward
            .iter()
            .filter(going)
            .map(|named| &named.link)
            .filter(|link| &link.from == table && house.contains(&&link.to))
            .cloned()
            .collect();
        relations.inbound.push(Inbound {
            table: table.clone(),
            edges: unique(edges),
        });
    }
    for table in reaches.iter().filter(|table| !house.contains(table)) {
        misfits.push(Misfit::Circle((*table).clone()));
    }

    // Whoever stays and is unlinked.
    let in_house = |table: &TableName| house.contains(&table) || reaches.contains(&table);
    let mut stays: Vec<&TableName> = Vec::new();
    for named in &upward {
        if named.fate == Fate::Unlink && in_house(&named.link.to) {
            let emptiable = catalog.table(&named.link.from).is_some_and(|table| {
                let may_be_null = |c| table.column(c).is_some_and(|c| !c.not_null);
                named.link.from_columns.iter().any(may_be_null)
            });
            if !emptiable {
                misfits.push(Misfit::NotNull(named.link.clone(), *named.place));
            }
            if !stays.contains(&&named.link.from) {
                stays.push(&named.link.from);
            }
        }
    }
    stays.sort();
    for table in stays {
        let edges = upward
            .iter()
            .filter(|named| named.fate == Fate::Unlink)
            .map(|named| &named.link)
            .filter(|link| &link.from == table && in_house(&link.to))
            .cloned()
            .collect();
        relations.unlinked.push(Inbound {
            table: table.clone(),
            edges: unique(edges),
        });
    }

    // What the record refers to; a table that refers to the record itself is none of these.
    let mut shared: Vec<&TableName> = Vec::new();
    for named in &downward {
        let table = &named.link.to;
        let free = !in_house(table) && in_house(&named.link.from);
        if free && !shared.contains(&table) {
            shared.push(table);
        }
    }
    for (entry, dependant) in dispose.dependants.iter().enumerate() {
        let of_entry = |named: &&Named<'_>| named.entry == entry;
        let relates = upward
            .iter()
            .filter(of_entry)
            .any(|named| in_house(&named.link.to) && (deletes || &named.link.from != root))
            || downward
                .iter()
                .filter(of_entry)
                .any(|named| shared.contains(&&named.link.to));
        if !relates && !broken.contains(&entry) {
            misfits.push(Misfit::Unrelated(dependant.table.clone(), dependant.place));
        }
    }
    shared.sort();
    while !shared.is_empty() {
        let refers = |from: &TableName, to: &TableName| {
            from != to && known.iter().any(|l| &l.from == from && &l.to == to)
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
            let referred = &relations.referred;
            house.contains(&from) || referred.iter().any(|referred| &referred.table == from)
        };
        let into = || known.iter().filter(|link| &link.to == table);
        relations.referred.push(Referred {
            table: table.clone(),
            // What another class says of the rows that refer is asked where those are the
            // dependants: whoever follows a reference from its row knows that row's values alone.
            edges: into()
                .filter(|link| !link.is_own() && goes(&link.from))
                .filter(|link| !matches!(link.condition, Some((Side::From, _))))
                .cloned()
                .collect(),
            all_inbound: into().cloned().collect(),
        });
    }

    // What is deleted must have nothing pointing at it that nobody named.
    let deleted = house.iter().filter(|table| deletes || **table != root);
    for table in deleted {
        for link in known.iter().filter(|link| &&link.to == table) {
            // What the record itself refers to by a circle is for the order of deletion.
            let by_record = &link.from == root && !link.is_own();
            let by_itself = matches!(&link.by, By::Schedule(by) if by == class.id());
            if by_record || by_itself || upward.iter().any(|named| named.link.covers(link)) {
                continue;
            }
            misfits.push(if link.is_own() {
                Misfit::SelfReference(link.clone())
            } else {
                Misfit::Undeclared(link.clone())
            });
        }
    }
    (relations, misfits)
}

/// The declared, deleted dependants that lead to `root` along their own links.
fn reachable<'a>(root: &TableName, upward: &'a [Named<'_>]) -> Vec<&'a TableName> {
    let mut found: Vec<&TableName> = Vec::new();
    loop {
        let next = upward.iter().find(|named| {
            let link = &named.link;
            named.fate == Fate::Delete
                && !link.is_own()
                && &link.from != root
                && !found.contains(&&link.from)
                && (&link.to == root || found.contains(&&link.to))
        });
        match next {
            Some(named) => found.push(&named.link.from),
            None => return found,
        }
    }
}

fn unique(links: Vec<Link>) -> Vec<Link> {
    let mut kept: Vec<Link> = Vec::new();
    for link in links {
        if !kept.iter().any(|other| other.same(&link)) {
            kept.push(link);
        }
    }
    kept
}

/// Whether an index leads from the referring columns to their rows. Columns that the link's
/// condition compares may stand before or between them, as those of a polymorphic
/// reference do.
pub(super) fn is_led_to(table: &Table, link: &Link) -> bool {
    let compared = |column| match &link.condition {
        Some((super::link::Side::From, condition)) => condition.columns().any(|c| c == column),
        _ => false,
    };
    table.indexes.iter().any(|index| {
        let mut missing: Vec<_> = link.from_columns.iter().collect();
        for column in &index.columns {
            match column {
                Some(column) if missing.contains(&column) => missing.retain(|m| *m != column),
                Some(column) if compared(column) => {}
                _ => break,
            }
        }
        index.ordered && !index.partial && missing.is_empty()
    })
}

/// As a line of the schedule declares the link.
pub(super) fn line(link: &Link) -> String {
    let short = |table: &TableName| {
        if table.schema().as_str() == "public" {
            table.name().to_string()
        } else {
            table.to_string()
        }
    };
    let table = short(&link.from);
    match &link.by {
        By::Key(_, crate::catalog::OnDelete::Set) => {
            format!("{{ table = \"{table}\", action = \"unlink\" }}")
        }
        By::Key(..) => format!("\"{table}\""),
        By::Schedule(_) => {
            let pairs = link.from_columns.iter().zip(&link.to_columns);
            let on: Vec<String> = pairs
                .map(|(from, to)| format!("{from} = {}.{to}", short(&link.to)))
                .collect();
            let when = match &link.condition {
                Some((super::link::Side::From, condition)) => {
                    let text = condition.text();
                    format!(", where = \"{}\"", text.replace('"', "\\\""))
                }
                _ => String::new(),
            };
            format!(
                "{{ table = \"{table}\", on = \"{}\"{when} }}",
                on.join(" AND ")
            )
        }
    }
}
