//! How rows of one table refer to rows of another: by a foreign key of the database, or by
//! a relation that only the schedule declares. Whoever plans asks for links, and never
//! which of the two they are, but where the database itself would act.

use super::judge::equal;
use crate::catalog::{Catalog, Column, ForeignKey, OnDelete, Sort, Table};
use crate::ident::{ClassId, Ident, TableName};
use crate::schedule::{Condition, Place, Relation, Schedule};

/// Rows of `from` refer to rows of `to`: one row of `to` at most, since its columns are unique.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Link {
    /// The table that refers.
    pub from: TableName,
    /// Its columns, matching `to_columns` one by one. A NULL in any refers to nothing.
    pub from_columns: Vec<Ident>,
    /// The table referred to.
    pub to: TableName,
    /// The unique columns referred to.
    pub to_columns: Vec<Ident>,
    /// What must be TRUE of the row on one side for the link to hold.
    pub condition: Option<(Side, Condition)>,
    /// Who declares it.
    pub by: By,
}

/// One end of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The row that refers.
    From,
    /// The row referred to.
    To,
}

/// Who declares a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum By {
    /// The database, by a foreign key of this name.
    Key(String, OnDelete),
    /// The schedule, in this class: PostgreSQL neither checks nor protects it.
    Schedule(ClassId),
}

/// Why a relation of the schedule is none that can be followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Broken {
    /// One of its tables is not there; said elsewhere.
    NoTable,
    /// A column is not there.
    NoColumn(TableName, Ident, Place),
    /// Two columns of types that cannot be compared safely.
    Types(String, Place),
    /// Neither side is unique, so that nobody can say which row is meant.
    Undecided(Place),
    /// The record's own table would be what its records refer to.
    Backwards(Place),
    /// A foreign key does the same for every row, whatever the condition says.
    KeyBinds(String, Place),
}

impl Link {
    pub fn of_key(key: &ForeignKey) -> Self {
        Self {
            from: key.from.clone(),
            from_columns: key.from_columns.clone(),
            to: key.to.clone(),
            to_columns: key.to_columns.clone(),
            condition: None,
            by: By::Key(key.name.clone(), key.on_delete),
        }
    }

    /// The relation that a class declares between a dependant and `relation.to`.
    ///
    /// Which of the two refers the equality does not say; uniqueness does. Where the right
    /// side is unique in its table the dependant refers to it, else where the left is.
    pub fn of_relation(
        class: &ClassId,
        dependant: &TableName,
        relation: &Relation,
        catalog: &Catalog,
    ) -> Result<Self, Broken> {
        let (Some(near), Some(far)) = (catalog.table(dependant), catalog.table(&relation.to))
        else {
            return Err(Broken::NoTable);
        };
        for (left, right) in &relation.columns {
            let found = |table: &Table, name: &Ident| match table.column(name) {
                Some(column) => Ok(column.clone()),
                None => Err(Broken::NoColumn(
                    table.name.clone(),
                    name.clone(),
                    relation.place,
                )),
            };
            let (left, right) = (found(near, left)?, found(far, right)?);
            if !comparable(&left, &right) {
                return Err(Broken::Types(
                    format!(
                        "`{dependant}.{}` is of type `{}` and `{}.{}` of type `{}`",
                        left.name, left.type_name, relation.to, right.name, right.type_name
                    ),
                    relation.place,
                ));
            }
        }
        let (left, right): (Vec<Ident>, Vec<Ident>) = relation.columns.iter().cloned().unzip();
        let refers = is_unique(far, &right);
        if !refers && !is_unique(near, &left) {
            return Err(Broken::Undecided(relation.place));
        }
        if !refers && dependant == &relation.to {
            return Err(Broken::Backwards(relation.place));
        }
        let condition = |side| relation.when.clone().map(|when| (side, when));
        let mut link = if refers {
            Self {
                from: dependant.clone(),
                from_columns: left,
                to: relation.to.clone(),
                to_columns: right,
                condition: condition(Side::From),
                by: By::Schedule(class.clone()),
            }
        } else {
            Self {
                from: relation.to.clone(),
                from_columns: right,
                to: dependant.clone(),
                to_columns: left,
                condition: condition(Side::To),
                by: By::Schedule(class.clone()),
            }
        };
        let key = catalog
            .outbound(&link.from)
            .map(Self::of_key)
            .find(|key| key.relates_as(&link));
        if let Some(key) = key {
            if link.condition.is_some()
                && let By::Key(name, _) = key.by
            {
                return Err(Broken::KeyBinds(name, relation.place));
            }
            link = key;
        }
        Ok(link)
    }

    /// The same columns of the same tables, in whatever order.
    fn relates_as(&self, other: &Self) -> bool {
        let pairs = |link: &Self| {
            let mut pairs: Vec<(Ident, Ident)> = link
                .from_columns
                .iter()
                .cloned()
                .zip(link.to_columns.iter().cloned())
                .collect();
            pairs.sort();
            pairs
        };
        self.from == other.from && self.to == other.to && pairs(self) == pairs(other)
    }

    /// The same link, whoever declares it. (Two foreign keys over the same columns are two:
    /// each acts by itself.)
    pub fn same(&self, other: &Self) -> bool {
        let name = |link: &Self| match &link.by {
            By::Key(name, _) => Some(name.clone()),
            By::Schedule(_) => None,
        };
        self.relates_as(other) && self.condition == other.condition && name(self) == name(other)
    }

    /// Whether every row that `other` relates is related by this link too.
    pub fn covers(&self, other: &Self) -> bool {
        self.same(other) || !other.is_key() && self.condition.is_none() && self.relates_as(other)
    }

    /// Whether rows of a table refer to rows of the same.
    pub fn is_own(&self) -> bool {
        self.from == self.to
    }

    /// Whether PostgreSQL itself keeps the link, so that a lock on the row referred to
    /// keeps new referring rows out.
    pub fn is_key(&self) -> bool {
        matches!(self.by, By::Key(..))
    }

    /// That the row `from` refers to the row `to`; may be NULL for FALSE.
    pub fn holds(&self, from: &str, to: &str) -> String {
        let mut sql = equal(&self.from_columns, from, &self.to_columns, to);
        for condition in self
            .condition_on(Side::From, from)
            .into_iter()
            .chain(self.condition_on(Side::To, to))
        {
            sql.push_str(&format!(" AND {condition}"));
        }
        sql
    }

    /// What must be TRUE of the row on one side.
    pub fn condition_on(&self, side: Side, a: &str) -> Option<String> {
        self.condition
            .as_ref()
            .filter(|(on, _)| *on == side)
            .map(|(_, condition)| format!("(({}) IS TRUE)", condition.sql(a)))
    }

    /// The type that values of the `nth` pair of columns are compared in, on one side.
    pub fn compared_as(&self, nth: usize, side: Side, catalog: &Catalog) -> String {
        let column = |table: &TableName, columns: &[Ident]| {
            catalog
                .table(table)
                .and_then(|t| t.column(columns.get(nth)?))
                .cloned()
        };
        let from = column(&self.from, &self.from_columns);
        let to = column(&self.to, &self.to_columns);
        let own = match side {
            Side::From => &from,
            Side::To => &to,
        };
        match (own, &from, &to) {
            // A value of the other side need not fit into this side's type.
            (_, Some(from), Some(to)) if from.type_name != to.type_name => {
                match (from.sort, to.sort) {
                    (Sort::Integer, Sort::Integer) => "bigint".to_owned(),
                    (Sort::Text, Sort::Text) if !self.is_key() => "text".to_owned(),
                    _ => own
                        .as_ref()
                        .map_or("text", |c| c.type_name.as_str())
                        .to_owned(),
                }
            }
            (Some(own), ..) => own.type_name.clone(),
            (None, ..) => "text".to_owned(),
        }
    }
}

/// Every link that is known: the foreign keys, and what any class of the schedule declares.
pub(super) fn known(schedule: &Schedule, catalog: &Catalog) -> Vec<Link> {
    let mut links: Vec<Link> = catalog.foreign_keys.iter().map(Link::of_key).collect();
    for class in schedule.classes() {
        let Some(dispose) = class.dispose() else {
            continue;
        };
        for dependant in &dispose.dependants {
            let relation = dependant.relation.as_ref();
            let link = relation
                .map(|relation| Link::of_relation(class.id(), &dependant.table, relation, catalog));
            let Some(Ok(mut link)) = link else { continue };
            // What cannot be asked may hold of every row.
            let asked = |(side, condition): &(Side, Condition)| {
                let table = match side {
                    Side::From => &link.from,
                    Side::To => &link.to,
                };
                let columns = |t: &Table| condition.columns().all(|c| t.column(c).is_some());
                catalog.table(table).is_some_and(columns)
                    && catalog.objection(table, &condition.sql("t")).is_none()
            };
            link.condition = link.condition.clone().filter(asked);
            if !links.iter().any(|other| other.same(&link)) {
                links.push(link);
            }
        }
    }
    links
}

/// Whether some key forbids that two rows agree in these columns: all of its own are among them.
fn is_unique(table: &Table, columns: &[Ident]) -> bool {
    let keys = table
        .indexes
        .iter()
        .filter(|index| index.unique && !index.partial)
        .filter_map(|index| {
            index
                .columns
                .iter()
                .cloned()
                .collect::<Option<Vec<Ident>>>()
        });
    keys.chain([table.key.clone()])
        .any(|key| !key.is_empty() && key.iter().all(|column| columns.contains(column)))
}

/// Whether two columns can be compared so that an index serves, and so that values which
/// are equal are written alike.
fn comparable(left: &Column, right: &Column) -> bool {
    let padded = |column: &Column| {
        let name = column.type_name.as_str();
        name.starts_with("character(")
            || name == "character"
            || name == "bpchar"
            || name == "citext"
    };
    match (left.sort, right.sort) {
        (Sort::Integer, Sort::Integer) | (Sort::Uuid, Sort::Uuid) => true,
        (Sort::Text, Sort::Text) => {
            left.type_name == right.type_name || !padded(left) && !padded(right)
        }
        (Sort::Date, Sort::Date)
        | (Sort::Timestamp, Sort::Timestamp)
        | (Sort::TimestampTz, Sort::TimestampTz) => true,
        (Sort::Other, Sort::Other) => {
            let plain = ["bytea", "inet", "cidr", "macaddr", "boolean", "oid"];
            left.type_name == right.type_name
                && (left.type_name.starts_with("numeric")
                    || plain.contains(&left.type_name.as_str()))
        }
        _ => false,
    }
}
