//! What hangs on a table's records: by foreign keys, which the database declares, and by
//! columns whose names say so, which nobody declared.

use crate::catalog::{Catalog, Column, OnDelete, Sort, Table};
use crate::ident::{Ident, TableName};

/// What a declared foreign key makes of a table whose rows refer to the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependant {
    /// The table.
    pub table: TableName,
    /// Its rows stay and lose their link (`ON DELETE SET NULL`); otherwise they go with it.
    pub unlink: bool,
    /// The table that it refers to, and the foreign key's name.
    pub by: (TableName, String),
    /// What PostgreSQL would do by itself.
    pub on_delete: OnDelete,
    /// It has no primary key, so that its rows cannot be named yet.
    pub keyless: bool,
}

/// A reference that the database does not declare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Likely {
    /// The table that seems to refer.
    pub from: TableName,
    /// By this column,
    pub column: Ident,
    /// to this table's key.
    pub to: TableName,
    /// That key.
    pub key: Ident,
}

/// A pair of columns that refer to rows of several tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Polymorphic {
    /// Which table, in the application's words.
    pub kind: Ident,
    /// Which row.
    pub id: Ident,
}

/// Every table that a deletion from `table` reaches along declared keys, level by level.
pub(super) fn dependants(table: &TableName, catalog: &Catalog) -> Vec<Dependant> {
    let mut found: Vec<Dependant> = Vec::new();
    let mut house: Vec<&TableName> = vec![table];
    let mut next = 0;
    while let Some(to) = house.get(next).copied() {
        next += 1;
        for key in catalog.inbound(to) {
            if key.from == key.to || &key.from == table {
                continue;
            }
            let unlink = key.on_delete == OnDelete::Set;
            let known = found
                .iter()
                .position(|dependant| dependant.table == key.from);
            match known {
                // A row that goes by one key does not stay by another.
                Some(nth) if found[nth].unlink && !unlink => {
                    found.remove(nth);
                }
                Some(_) => continue,
                None => {}
            }
            found.push(Dependant {
                table: key.from.clone(),
                unlink,
                by: (key.to.clone(), key.name.clone()),
                on_delete: key.on_delete,
                keyless: catalog
                    .table(&key.from)
                    .is_some_and(|from| from.key.is_empty()),
            });
            if !unlink && !house.contains(&&key.from) {
                house.push(&key.from);
            }
        }
    }
    found
}

/// Columns of any table that seem to refer to this one's key, and are not declared.
pub(super) fn likely(table: &Table, catalog: &Catalog) -> Vec<Likely> {
    let [key] = table.key.as_slice() else {
        return Vec::new();
    };
    let Some(target) = table.column(key) else {
        return Vec::new();
    };
    if !matches!(target.sort, Sort::Integer | Sort::Uuid) {
        return Vec::new();
    }
    // A key that refers to another table is that table's, and so are references to it.
    if catalog
        .outbound(&table.name)
        .any(|foreign| foreign.from_columns.contains(key))
    {
        return Vec::new();
    }
    let mut found = Vec::new();
    for from in catalog.tables.values() {
        if !super::is_plain(from) || catalog.of_extensions.contains(&from.name) {
            continue;
        }
        for column in &from.columns {
            let itself = from.name == table.name;
            let declared = catalog
                .outbound(&from.name)
                .any(|key| key.from_columns.contains(&column.name));
            if itself || declared || column.sort != target.sort {
                continue;
            }
            // A table's own key is its own.
            if from.key.len() == 1 && from.key.contains(&column.name) {
                continue;
            }
            if speaks_of(column, &table.name, key) && from.name.schema() == table.name.schema() {
                found.push(Likely {
                    from: from.name.clone(),
                    column: column.name.clone(),
                    to: table.name.clone(),
                    key: key.clone(),
                });
            }
        }
    }
    found
}

/// `transaction`, `transactionid` and `transaction_id` speak of `transactions`; so does the
/// key's own name, where it is more than `id`.
fn speaks_of(column: &Column, table: &TableName, key: &Ident) -> bool {
    let plain = |text: &str| -> String {
        text.chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect()
    };
    let (column, table, key) = (
        plain(column.name.as_str()),
        plain(table.name().as_str()),
        plain(key.as_str()),
    );
    if column == key {
        return key != "id";
    }
    let mut names = vec![table.clone()];
    names.extend(table.strip_suffix('s').map(str::to_owned));
    names.extend(table.strip_suffix("es").map(str::to_owned));
    names.extend(table.strip_suffix("ies").map(|stem| format!("{stem}y")));
    names.iter().any(|name| {
        column == *name || column == format!("{name}id") || column == format!("{name}{key}")
    })
}

/// Pairs such as `objecttype` and `objectid`.
pub(super) fn polymorphic(table: &Table, catalog: &Catalog) -> Vec<Polymorphic> {
    table
        .columns
        .iter()
        .filter(|column| column.sort == Sort::Text)
        .filter_map(|kind| {
            let stem = kind.name.as_str().to_lowercase();
            let stem = stem.strip_suffix("type")?.trim_end_matches('_').to_owned();
            if stem.is_empty() {
                return None;
            }
            let id = table.columns.iter().find(|column| {
                let name = column.name.as_str().to_lowercase();
                matches!(column.sort, Sort::Integer | Sort::Uuid)
                    && (name == format!("{stem}id") || name == format!("{stem}_id"))
            })?;
            let declared = catalog
                .outbound(&table.name)
                .any(|key| key.from_columns.contains(&id.name));
            let one_table = catalog
                .tables
                .values()
                .any(|other| other.key.len() == 1 && speaks_of(id, &other.name, &other.key[0]));
            (!declared && !one_table).then(|| Polymorphic {
                kind: kind.name.clone(),
                id: id.name.clone(),
            })
        })
        .collect()
}
