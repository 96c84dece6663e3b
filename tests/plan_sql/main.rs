//! Every statement of the shipped schedule's plan on the sample's tables: written down, to
//! be read when it changes, and asked of PostgreSQL how it would be carried out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod explained;
#[path = "../support/mod.rs"]
mod support;
mod written;

use retentiond::demo::sample::SCHEMA_SQL;
use retentiond::ident::ClassId;
use retentiond::plan::{ClassPlan, Plan};

const SCHEDULE: &str = include_str!("../../retention.toml");
const DAY: &str = "2026-11-23";

/// The plan on the organisation's empty tables.
async fn plan() -> Plan {
    let url = support::migrated().await;
    // A role's own schema would come first, and ours is named like the role.
    support::sql(&url, &format!("SET search_path = public; {SCHEMA_SQL}")).await;
    support::plan(&url, SCHEDULE, support::at(DAY)).await
}

fn class<'a>(plan: &'a Plan, id: &str) -> &'a ClassPlan {
    plan.class(&ClassId::new(id).unwrap()).unwrap()
}
