//! The server stops as a crash would stop it, with passes at work.

use std::sync::mpsc;
use std::time::Duration;

use retentiond::demo::cluster::{Cluster, ClusterOptions};
use retentiond::enforce::Event;

use crate::stage;
use crate::world::{self, Numbers, SQL, TABLES, assert_agrees, assert_ends};

const ROUNDS: u64 = 5;

#[test]
fn a_servers_crash_leaves_tables_ledger_and_files_in_agreement() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut cluster = Cluster::start(ClusterOptions {
        data_dir: None,
        durable: true,
    })
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (url, before) = runtime.block_on(async {
        let url = stage::database_in(&cluster, "crash", SQL).await;
        world::files(&url, folder.path()).await;
        let before = stage::rows(&url, &TABLES).await;
        (url, before)
    });
    let mut numbers = Numbers(42);
    let mut crashed = 0;
    for round in 0..ROUNDS {
        let (say, heard) = mpsc::channel();
        let run = world::pass(&url, folder.path());
        let pass = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(run.observed(&|event| {
                if let Event::Batch(..) = event {
                    let _ = say.send(());
                }
            }))
        });
        for _ in 0..=numbers.below(20) {
            if heard.recv_timeout(Duration::from_secs(60)).is_err() {
                break;
            }
        }
        cluster.crash().unwrap();
        crashed += u64::from(pass.join().unwrap().is_err());
        cluster.restart().unwrap();
        runtime.block_on(assert_agrees(
            &url,
            &before,
            folder.path(),
            &format!("round {round}"),
        ));
    }
    assert!(crashed >= 3, "only {crashed} passes were broken off");
    runtime.block_on(assert_ends(&url, &before, folder.path()));
}
