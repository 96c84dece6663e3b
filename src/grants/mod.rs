//! The least that retentiond's roles need, as SQL that an administrator reads and runs.
//!
//! Pure: what the plan's statements need ([`crate::plan::needs`]), what there is of our own
//! schema and what the roles hold already go in, statements with a comment each come out.
//! They begin by taking everything away, in one transaction, so that afterwards the roles
//! have exactly what is written, whatever an earlier schedule had asked for.

mod own;

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::{Catalog, Held, Own, OwnSort};
use crate::ident::{Ident, IdentError, TableName, literal};
use crate::plan::{ClassNeeds, Needed, Needs, together};

pub use own::{Decision, decided};

/// The roles, none of which can log in by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Asks: check, plan, status, explain, and the ledger's list, verify and export.
    Reader,
    /// Acts: `run` and `daemon`.
    Enforcer,
    /// Decides: holds and acceptance; and whatever the reader may.
    Console,
    /// Looks after the tables that are acted on, as their owner.
    Maintainer,
}

impl Role {
    /// In the order in which they are told.
    pub const ALL: [Self; 4] = [
        Self::Reader,
        Self::Enforcer,
        Self::Console,
        Self::Maintainer,
    ];

    fn suffix(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Enforcer => "enforcer",
            Self::Console => "console",
            Self::Maintainer => "maintainer",
        }
    }

    fn purpose(self) -> &'static str {
        match self {
            Self::Reader => "asks: check, plan, status, explain, ledger list, verify and export",
            Self::Enforcer => "acts: run and daemon",
            Self::Console => "decides: holds and acceptance; and whatever the reader may",
            Self::Maintainer => "looks after the tables that are acted on, once it owns them",
        }
    }
}

/// The roles' names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names(BTreeMap<Role, Ident>);

impl Names {
    /// Each begins with `prefix`.
    ///
    /// # Errors
    /// When PostgreSQL would not take the names as they are.
    pub fn new(prefix: &str) -> Result<Self, IdentError> {
        let name = |role: Role| Ident::new(format!("{prefix}_{}", role.suffix()));
        let names = Role::ALL.map(|role| name(role).map(|name| (role, name)));
        names.into_iter().collect::<Result<_, _>>().map(Self)
    }

    /// All of them, in order.
    pub fn all(&self) -> impl Iterator<Item = &Ident> {
        self.0.values()
    }

    fn quoted(&self, roles: &[Role]) -> String {
        let named = roles.iter().filter_map(|role| self.0.get(role));
        named.map(Ident::quoted).collect::<Vec<_>>().join(", ")
    }
}

/// One statement, and what is to be said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Lines of the comment above it.
    pub about: Vec<String>,
    /// The statement with its semicolon; empty where there is only something to say.
    pub sql: String,
}

/// What the statements are made of.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The roles.
    pub names: &'a Names,
    /// What the classes need: of the version in force, and of one that waits.
    pub classes: &'a [ClassNeeds],
    /// What the database has.
    pub catalog: &'a Catalog,
    /// What there is of our own schema.
    pub own: &'a [Own],
    /// What these roles hold already.
    pub held: &'a Held,
}

/// Writes the statements, in their order, one transaction from the first to the last.
#[must_use]
pub fn write(request: &Request<'_>) -> Vec<Statement> {
    let asking = together(request.classes.iter().map(|class| &class.asking));
    let acting = together(
        request
            .classes
            .iter()
            .flat_map(|class| [&class.asking, &class.acting]),
    );
    let reviewing = together(
        request
            .classes
            .iter()
            .flat_map(|class| [&class.asking, &class.reviewing]),
    );
    let schemas: BTreeSet<&Ident> = acting.keys().map(TableName::schema).collect();
    let mut all = vec![plain("BEGIN;")];
    all.push(roles(request.names));
    all.extend(revoked(request, &acting, &schemas));
    all.extend(own_schema(request));
    all.extend(targets(request, &asking, &acting, &reviewing, &schemas));
    all.extend(misfits(request.classes));
    all.extend(row_security(request, &acting));
    all.extend(triggers(request, &acting));
    all.extend(ownership(request, &acting));
    all.push(plain("COMMIT;"));
    all
}

/// The statements as a file: what each is for stands above it.
#[must_use]
pub fn text(statements: &[Statement]) -> String {
    let mut text = String::new();
    for line in HEAD {
        text.push_str(format!("-- {line}").trim_end());
        text.push('\n');
    }
    for statement in statements {
        if !statement.about.is_empty() || statement.sql == "COMMIT;" {
            text.push('\n');
        }
        for line in &statement.about {
            text.push_str(format!("-- {line}").trim_end());
            text.push('\n');
        }
        if !statement.sql.is_empty() {
            text.push_str(&statement.sql);
            text.push('\n');
        }
    }
    text
}

const HEAD: [&str; 8] = [
    "What retentiond needs in this database, and no more, for this schedule.",
    "Run it as a superuser, or as a role that may create roles and owns the tables and the",
    "schema retentiond. It may be run again: afterwards the roles have exactly what stands here.",
    "After a change of the schedule, or a retentiond migrate, print it anew and run that.",
    "",
    "Nobody can log in with these roles. Give each person or service a login that is a member of",
    "one of them, for example: CREATE ROLE retention LOGIN; GRANT retentiond_enforcer TO retention;",
    "A superuser or an owner needs none of this, and nothing here can hold such a login back.",
];

fn plain(sql: &str) -> Statement {
    Statement {
        about: Vec::new(),
        sql: sql.to_owned(),
    }
}

fn told(about: &[&str], sql: String) -> Statement {
    Statement {
        about: about.iter().map(|line| (*line).to_owned()).collect(),
        sql,
    }
}

fn roles(names: &Names) -> Statement {
    let mut about = vec!["The roles, if they are not there yet:".to_owned()];
    let mut body = String::new();
    for (role, name) in &names.0 {
        about.push(format!("  {} {}", name.written(), role.purpose()));
        body.push_str(&format!(
            "    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {}) THEN\n        \
             CREATE ROLE {} NOLOGIN;\n    END IF;\n",
            literal(name.as_str()),
            name.quoted()
        ));
    }
    // Between marks that no role's name contains.
    let mut mark = "roles".to_owned();
    while body.contains(&format!("${mark}$")) {
        mark.push('_');
    }
    Statement {
        about,
        sql: format!("DO ${mark}$\nBEGIN\n{body}END\n${mark}$;"),
    }
}

/// Everything away: what is needed now is granted below.
fn revoked(request: &Request<'_>, acting: &Needs, schemas: &BTreeSet<&Ident>) -> Vec<Statement> {
    let from = request.names.quoted(&Role::ALL);
    // Not from the maintainer, who was given none on tables, and whose own they may be:
    // an owner without them could not even check its foreign keys.
    let granted = request
        .names
        .quoted(&[Role::Reader, Role::Enforcer, Role::Console]);
    let held = request.held;
    let tables: BTreeSet<&TableName> = acting.keys().chain(&held.tables).collect();
    let tables: Vec<String> = tables.into_iter().map(TableName::quoted).collect();
    let schemas: BTreeSet<&Ident> = schemas.iter().copied().chain(&held.schemas).collect();
    let schemas: Vec<String> = schemas.into_iter().map(Ident::quoted).collect();
    let mut all = vec![told(
        &["From nothing: whatever an earlier schedule asked for is taken back first."],
        format!("REVOKE ALL ON ALL TABLES IN SCHEMA \"retentiond\" FROM {from};"),
    )];
    for what in ["SEQUENCES", "FUNCTIONS"] {
        all.push(plain(&format!(
            "REVOKE ALL ON ALL {what} IN SCHEMA \"retentiond\" FROM {from};"
        )));
    }
    all.push(plain(&format!(
        "REVOKE ALL ON SCHEMA \"retentiond\" FROM {from};"
    )));
    if !tables.is_empty() {
        all.push(plain(&format!(
            "REVOKE ALL ON TABLE\n    {}\n    FROM {granted};",
            tables.join(",\n    ")
        )));
    }
    if !schemas.is_empty() {
        all.push(plain(&format!(
            "REVOKE ALL ON SCHEMA {} FROM {from};",
            schemas.join(", ")
        )));
    }
    all
}

/// Our own schema, role by role, objects with the same privileges together.
fn own_schema(request: &Request<'_>) -> Vec<Statement> {
    let seeing = [Role::Reader, Role::Enforcer, Role::Console];
    let mut all = vec![told(
        &[
            "retentiond's own schema. The log (ledger_…) is read and appended to, never changed:",
            "nobody here may UPDATE, DELETE or TRUNCATE it. A partition is reached through its table.",
        ],
        format!(
            "GRANT USAGE ON SCHEMA \"retentiond\" TO {};",
            request.names.quoted(&seeing)
        ),
    )];
    for role in seeing {
        let mut alike: BTreeMap<(OwnSort, &str), Vec<String>> = BTreeMap::new();
        for own in request.own.iter().filter(|own| !own.is_partition) {
            let privileges = decided(own.sort, own.name.as_str());
            let privileges = privileges.map_or("", |decision| decision.of(role));
            if !privileges.is_empty() {
                let name = format!("\"retentiond\".{}", own.name.quoted());
                alike.entry((own.sort, privileges)).or_default().push(name);
            }
        }
        let mut first = true;
        for ((sort, privileges), names) in alike {
            let what = match sort {
                OwnSort::Table => "TABLE",
                OwnSort::Sequence => "SEQUENCE",
                OwnSort::Function => "FUNCTION",
            };
            let sql = format!(
                "GRANT {privileges} ON {what}\n    {}\n    TO {};",
                names.join(", "),
                request.names.quoted(&[role])
            );
            let about = format!("The {}.", role.suffix());
            all.push(if first {
                told(&[&about], sql)
            } else {
                plain(&sql)
            });
            first = false;
        }
    }
    let undecided: Vec<String> = request
        .own
        .iter()
        .filter(|own| decided(own.sort, own.name.as_str()).is_none())
        .map(|own| format!("  {}", own.name))
        .collect();
    if !undecided.is_empty() {
        let mut about = vec!["Not known to this version, so that nothing is granted:".to_owned()];
        about.extend(undecided);
        all.push(Statement {
            about,
            sql: String::new(),
        });
    }
    all
}

fn targets(
    request: &Request<'_>,
    asking: &Needs,
    acting: &Needs,
    reviewing: &Needs,
    schemas: &BTreeSet<&Ident>,
) -> Vec<Statement> {
    let mut all = Vec::new();
    if schemas.is_empty() {
        return all;
    }
    let schemas: Vec<String> = schemas.iter().map(|schema| schema.quoted()).collect();
    all.push(told(
        &[
            "The organisation's tables: exactly the columns that the schedule's statements read, and",
            "for the enforcer alone those that they set, and DELETE where they delete.",
        ],
        format!(
            "GRANT USAGE ON SCHEMA {} TO {};",
            schemas.join(", "),
            request.names.quoted(&Role::ALL)
        ),
    ));
    let looking = request.names.quoted(&[Role::Reader, Role::Console]);
    let enforcing = request.names.quoted(&[Role::Enforcer]);
    let reviewing_role = request.names.quoted(&[Role::Console]);
    for (name, needed) in acting {
        let Some(table) = request.catalog.table(name) else {
            continue;
        };
        let mut about = vec![format!("{name}")];
        let lock = needed.lock_column(table);
        if let Some(column) = lock {
            let generated = table.column(column).is_some_and(|c| c.generated);
            about.push(format!(
                "The enforcer's UPDATE ({}) is there only because PostgreSQL asks for it on some column",
                column.written()
            ));
            about.push(if generated {
                "before rows can be locked; the value is generated, and cannot be set even so."
                    .to_owned()
            } else {
                "before rows can be locked; retentiond never sets it.".to_owned()
            });
        }
        if let Some(looked) = asking.get(name).filter(|looked| !looked.select.is_empty()) {
            all.push(Statement {
                about: std::mem::take(&mut about),
                sql: format!(
                    "GRANT SELECT ({}) ON TABLE {} TO {looking};",
                    quoted(&looked.select),
                    name.quoted()
                ),
            });
        }
        let shown = reviewing.get(name).map(|shown| &shown.select);
        let looked = asking.get(name).map(|looked| &looked.select);
        let more: BTreeSet<Ident> = shown
            .into_iter()
            .flatten()
            .filter(|column| !looked.is_some_and(|looked| looked.contains(*column)))
            .cloned()
            .collect();
        if !more.is_empty() {
            about.push("The console besides: what reviewers are shown of a record.".to_owned());
            all.push(Statement {
                about: std::mem::take(&mut about),
                sql: format!(
                    "GRANT SELECT ({}) ON TABLE {} TO {reviewing_role};",
                    quoted(&more),
                    name.quoted()
                ),
            });
        }
        all.push(Statement {
            about,
            sql: format!(
                "GRANT {} ON TABLE {} TO {enforcing};",
                privileges(needed, lock),
                name.quoted()
            ),
        });
    }
    all
}

fn privileges(needed: &Needed, lock: Option<&Ident>) -> String {
    let mut parts = Vec::new();
    if !needed.select.is_empty() {
        parts.push(format!("SELECT ({})", quoted(&needed.select)));
    }
    let update: BTreeSet<Ident> = needed.update.iter().chain(lock).cloned().collect();
    if !update.is_empty() {
        parts.push(format!("UPDATE ({})", quoted(&update)));
    }
    if needed.delete {
        parts.push("DELETE".to_owned());
    }
    parts.join(", ")
}

fn quoted(columns: &BTreeSet<Ident>) -> String {
    let columns: Vec<String> = columns.iter().map(Ident::quoted).collect();
    columns.join(", ")
}

/// Only something to say.
fn remark(lines: Vec<String>) -> Option<Statement> {
    // The first lines introduce what is listed below them, two blanks in.
    lines
        .iter()
        .any(|line| line.starts_with("  "))
        .then(|| Statement {
            // A name may hold anything, a line break too.
            about: lines
                .iter()
                .map(|line| line.replace(['\n', '\r'], " "))
                .collect(),
            sql: String::new(),
        })
}

fn misfits(classes: &[ClassNeeds]) -> Option<Statement> {
    let mut lines = vec![
        "Refused classes, for which nothing is granted but to ask what they might claim:"
            .to_owned(),
    ];
    for class in classes {
        lines.extend(class.misfits.iter().map(|why| format!("  {why}")));
    }
    let mut seen = BTreeSet::new();
    lines.retain(|line| seen.insert(line.clone()));
    remark(lines)
}

fn row_security(request: &Request<'_>, acting: &Needs) -> Option<Statement> {
    let mut lines = vec![
        "Row-level security is on. A class is refused rather than shown a part of its rows, whatever".to_owned(),
        "the policies say, unless the login has BYPASSRLS (a superuser's to give) or owns the table:".to_owned(),
    ];
    let secured = acting
        .keys()
        .filter(|name| request.catalog.row_secured.contains(*name));
    lines.extend(secured.map(|name| format!("  {}", name.written())));
    remark(lines)
}

fn triggers(request: &Request<'_>, acting: &Needs) -> Option<Statement> {
    let mut lines = vec![
        "Triggers run with the enforcer's privileges, unless their functions are SECURITY DEFINER."
            .to_owned(),
        "What they need cannot be known here; grant it yourself:".to_owned(),
    ];
    for (name, needed) in acting {
        let table = request.catalog.table(name);
        let triggers = table.map_or(&[][..], |table| &table.triggers);
        if (needed.delete || !needed.update.is_empty()) && !triggers.is_empty() {
            lines.push(format!("  {}: {}", name.written(), triggers.join(", ")));
        }
    }
    remark(lines)
}

/// What cannot be granted.
fn ownership(request: &Request<'_>, acting: &Needs) -> Option<Statement> {
    let maintainer = request.names.quoted(&[Role::Maintainer]);
    let mut lines = vec![
        "Not done here, a proposal: to vacuum, rewrite, detach and drop, a role must own the table,".to_owned(),
        "which cannot be granted. Make the maintainer a member of the role that owns them, or, where".to_owned(),
        "the applications do not depend on owning them:".to_owned(),
    ];
    for (name, needed) in acting {
        if needed.delete || !needed.update.is_empty() {
            lines.push(format!(
                "  ALTER TABLE {} OWNER TO {maintainer};",
                name.quoted()
            ));
        }
    }
    remark(lines)
}
