//! The queues of classes, as the command line asks for them.

use chrono::Days;

use crate::cli::args::{Paging, QueueFilters, SortBy};
use crate::cli::context::Context;
use crate::cli::desk::{self, Desk};
use crate::cli::failure::Failure;
use crate::ident::{ClassId, TableName};
use crate::ledger::{KeyColumns, RecordKey};
use crate::plan::{Ask, Order};
use crate::schedule::Class;
use crate::survey::{self, Queued};

/// The queue of one class.
pub(super) struct ClassQueue {
    pub class: ClassId,
    pub title: String,
    pub table: TableName,
    pub digest: [u8; 32],
    pub columns: KeyColumns,
    /// How many people have to approve a record.
    pub approvals: u32,
    /// How many records fit, beside limit and offset.
    pub waiting: u64,
    /// Those that were asked for.
    pub records: Vec<Queued>,
}

impl ClassQueue {
    pub fn empty(desk: &Desk, class: &Class) -> Result<Self, Failure> {
        Ok(Self {
            class: class.id().clone(),
            title: class.title().to_owned(),
            table: class.table().clone(),
            digest: *class.digest(),
            columns: desk.columns(class.table())?,
            approvals: class.dispose().map_or(1, |rule| rule.approvals),
            waiting: 0,
            records: Vec::new(),
        })
    }

    /// How a record of it is named on the command line.
    pub fn id(&self, key: &RecordKey) -> String {
        format!("{}:{}", self.class, key.to_command_line(&self.columns))
    }
}

/// The queue of a class, or those records of it that have these keys.
pub(super) async fn queue_of(
    desk: &mut Desk,
    context: &Context,
    class: &str,
    ask: &Ask,
    keys: Option<&[&RecordKey]>,
) -> Result<ClassQueue, Failure> {
    let class = desk.class(context, class)?;
    let mut queue = ClassQueue::empty(desk, class)?;
    if let Some(planned) = desk.drawn.plan.class(&queue.class) {
        let page = survey::queue(&mut desk.conn, planned, &queue.columns, ask, keys).await?;
        (queue.waiting, queue.records) = (page.waiting, page.records);
    }
    Ok(queue)
}

/// What fits the filters of the queues that there are.
pub(super) async fn queues(
    desk: &mut Desk,
    context: &Context,
    filters: &QueueFilters,
    paging: &Paging,
    limit: Option<u64>,
) -> Result<Vec<ClassQueue>, Failure> {
    let classes: Vec<Class> = match &filters.class {
        Some(id) => vec![desk.class(context, id)?.clone()],
        None => desk.schedule.classes().to_vec(),
    };
    let mut found = Vec::new();
    for class in &classes {
        let planned = desk.drawn.plan.class(class.id());
        let asked = planned.and_then(|c| c.questions.as_ref()?.queue.as_ref());
        if asked.is_none() {
            continue;
        }
        let ask = ask(desk, class, filters, paging, limit)?;
        let mut queue = queue_of(desk, context, class.id().as_str(), &ask, None).await?;
        if paging.sort == SortBy::Dependants {
            by_dependants(desk, &mut queue, paging, limit).await?;
        }
        found.push(queue);
    }
    Ok(found)
}

fn ask(
    desk: &Desk,
    class: &Class,
    filters: &QueueFilters,
    paging: &Paging,
    limit: Option<u64>,
) -> Result<Ask, Failure> {
    let only = filters.condition.as_deref();
    let only = only
        .map(|text| desk::condition(desk, class.table(), text))
        .transpose()?;
    let after_key = paging.after_key.as_deref();
    let after_key = after_key
        .map(|text| desk.key(class.table(), text))
        .transpose()?;
    // So many days ago or more: before the day after that.
    let aged = filters.min_age.and_then(|days| {
        let oldest = desk.today.checked_sub_days(Days::new(u64::from(days)))?;
        oldest.succ_opt()
    });
    let last_day_before = [filters.last_day_before, aged];
    // How many rows hang on each is counted once it is known which they are.
    let counted = paging.sort == SortBy::Dependants;
    let order = match paging.sort {
        _ if after_key.is_some() => Order::Key,
        SortBy::Trigger => Order::Trigger,
        SortBy::LastDay => Order::LastDay,
        SortBy::Key | SortBy::Dependants => Order::Key,
    };
    Ok(Ask {
        only,
        of_keys: false,
        before: filters.before,
        after: filters.after,
        last_day_before: last_day_before.into_iter().flatten().min(),
        handed_to: filters.handed_to.clone(),
        again: filters.again,
        order,
        descending: paging.descending && !counted,
        after_key: after_key.map(|(_, key)| key.to_texts()),
        offset: if counted { 0 } else { paging.offset },
        limit: limit.filter(|_| !counted),
    })
}

async fn by_dependants(
    desk: &mut Desk,
    queue: &mut ClassQueue,
    paging: &Paging,
    limit: Option<u64>,
) -> Result<(), Failure> {
    let records = std::mem::take(&mut queue.records);
    let Some(planned) = desk.drawn.plan.class(&queue.class) else {
        return Ok(());
    };
    let sorted = survey::sort_by_dependants(
        &mut desk.conn,
        planned,
        &queue.columns,
        records,
        paging.descending,
    )
    .await?;
    let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let limit = limit.map_or(usize::MAX, number);
    queue.records = sorted
        .into_iter()
        .skip(number(paging.offset))
        .take(limit)
        .collect();
    Ok(())
}
