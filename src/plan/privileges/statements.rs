//! Every statement that stands in a class's plan. The values are taken apart whole, so that
//! a statement which somebody adds has to be named here before it compiles.

use super::super::{
    Again, ClassPlan, Dependant, Edge, FileOf, Follow, Limits, ParentQuestion, Questions, Read,
    Reads, Route, Scan, Shared, SharedEdge, Work,
};

/// Those that ask about its records.
pub(super) fn asking(class: &ClassPlan) -> Vec<String> {
    let Some(questions) = &class.questions else {
        return Vec::new();
    };
    let Questions {
        count,
        dependants,
        oldest,
        waits,
        explain,
        parents,
        key: _,
        // It is judged by what the others read; what is shown of it is [`reviewing`].
        queue: _,
        holders: _,
        debt: _,
        left: _,
        // It shows a person's records to whoever may see them whole; no role is given that.
        hanging: _,
    } = questions;
    let mut found = vec![count.clone(), explain.clone()];
    found.extend(dependants.iter().map(|(_, sql)| sql.clone()));
    found.extend(oldest.clone());
    found.extend(waits.clone());
    found.extend(parents.iter().map(|question| {
        let ParentQuestion {
            table: _,
            key: _,
            sql,
            shared: _,
        } = question;
        sql.clone()
    }));
    found
}

/// Those by which whoever reviews its records is shown them.
pub(super) fn reviewing(class: &ClassPlan) -> Vec<String> {
    let queue = class.questions.as_ref().and_then(|q| q.queue.as_ref());
    queue
        .into_iter()
        .flat_map(|queue| queue.showing().cloned())
        .collect()
}

/// Those that act on them, and count against its limits.
pub(super) fn acting(class: &ClassPlan) -> Vec<String> {
    let mut found = Vec::new();
    for work in class.earlier.iter().chain(&class.work) {
        add_work(work, &mut found);
    }
    if let Some(limits) = &class.limits {
        let Limits {
            measure,
            max_rows: _,
        } = limits;
        found.push(measure.clone());
    }
    found
}

fn add_work(work: &Work, found: &mut Vec<String>) {
    let Work {
        key: _,
        scans,
        route,
        stays: _,
        held,
        forget,
        use_up,
        rule: _,
    } = work;
    for scan in scans {
        let Scan {
            no: _,
            width: _,
            last_day: _,
            key_at: _,
            step,
            rest,
            act,
            day: _,
        } = scan;
        found.extend([step, rest, act].map(|bounded| bounded.text(true, true)));
    }
    match route {
        Route::Direct { what: _ } => {}
        Route::Follow(follow) => add_follow(follow, found),
    }
    found.push(held.clone());
    found.extend(forget.clone());
    found.extend(use_up.clone());
}

fn add_follow(follow: &Follow, found: &mut Vec<String>) {
    let Follow {
        finish,
        undone,
        anonymises: _,
        links: _,
        files,
        inbound,
        unlinked,
        referred,
        reads,
        foreign_keys: _,
    } = follow;
    found.extend([finish, undone].map(String::clone));
    add_files(files, found);
    for dependant in inbound.iter().chain(unlinked) {
        let Dependant {
            table: _,
            key: _,
            own: _,
            edges,
            delete,
            undone,
            links: _,
            files,
            reads,
        } = dependant;
        for edge in edges {
            let Edge {
                parent: _,
                parent_links: _,
                lock,
                again,
                unlink,
                undone,
            } = edge;
            found.extend([lock, again, unlink, undone].map(String::clone));
        }
        found.extend([delete, undone].map(String::clone));
        add_files(files, found);
        add_reads(reads.as_ref(), found);
    }
    for shared in referred {
        let Shared {
            table: _,
            key: _,
            edges,
            delete,
            undone,
            links: _,
            files,
            reads,
            again,
        } = shared;
        for edge in edges {
            let SharedEdge {
                from: _,
                links: _,
                lock,
            } = edge;
            found.push(lock.clone());
        }
        found.extend([delete, undone].map(String::clone));
        add_files(files, found);
        add_reads(reads.as_ref(), found);
        for look in again {
            let Again { links: _, count } = look;
            found.push(count.clone());
        }
    }
    add_reads(reads.as_ref(), found);
}

fn add_files(files: &[FileOf], found: &mut Vec<String>) {
    for file in files {
        let FileOf {
            store: _,
            still_named,
        } = file;
        found.push(still_named.clone());
    }
}

fn add_reads(reads: Option<&Reads>, found: &mut Vec<String>) {
    let Some(Reads { rows, again }) = reads else {
        return;
    };
    for row in rows {
        let Read { links: _, lock } = row;
        found.push(lock.clone());
    }
    found.push(again.clone());
}
