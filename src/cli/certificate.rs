//! `retentiond ledger certificate`.

use std::path::Path;

use chrono::Days;
use sqlx::PgConnection;

use super::args::{CertificateFormat, LedgerCertificate};
use super::context::Context;
use super::explain::{key_hint, no_key, table};
use super::failure::Failure;
use super::output;
use crate::catalog;
use crate::daemon::tick;
use crate::ident::ClassId;
use crate::ledger::{RecordKey, certificate, store};
use crate::schedule::Code;
use crate::settings::Settings;
use crate::survey::{self, Beside, CertificateOf};

pub(super) async fn run(
    context: &Context,
    settings: &Settings,
    conn: &mut PgConnection,
    asked: LedgerCertificate,
) -> Result<u8, Failure> {
    let of = subject(conn, &asked).await?;
    let origin = store::origin(conn).await?;
    let keys = match tick::places(settings) {
        Ok(places) => places.keyring(&origin).public()?,
        // Whoever has no state has no keys; they come from elsewhere anyway.
        Err(_) => Vec::new(),
    };
    let beside = Beside {
        keys: &keys,
        backups: settings
            .ledger()
            .backups_kept_days()
            .map(|days| Days::new(days.into())),
        now: context.clock.now(),
    };
    if matches!(of, CertificateOf::Record(..)) {
        super::ledger::tell_dropped(conn).await?;
    }
    let Some(found) = survey::certificate(conn, &of, beside).await? else {
        let (what, hint) = match &of {
            CertificateOf::Run(run, _) => (
                format!("the ledger has no pass {run}"),
                "`retentiond ledger list --action run-finished` shows the passes",
            ),
            CertificateOf::Record(..) => (
                "the ledger has nothing about this record: nothing was done to it".to_owned(),
                "`retentiond explain TABLE KEY` says how it stands",
            ),
        };
        return Err(Failure::usage(Code::NoSuchRecord, what, hint));
    };
    let text = match (asked.as_format, context.json()) {
        (CertificateFormat::Html, false) => certificate::page(&found),
        _ => {
            let mut text = serde_json::to_string_pretty(&found.to_json()).unwrap_or_default();
            text.push('\n');
            text
        }
    };
    match asked.output.as_deref() {
        None => output::line(text.trim_end()),
        Some(path) => write(path, &text)?,
    }
    Ok(0)
}

pub(super) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|error| Failure::Other {
        code: Code::Unreadable,
        exit: 1,
        message: format!("cannot write {}", path.display()),
        causes: vec![super::failure::without_number(&error.to_string())],
        hint: Some(
            "name a file in a folder that is there, and that this account may write to".to_owned(),
        ),
    })?;
    output::note(&format!(
        "The certificate was written to {}.",
        path.display()
    ));
    Ok(())
}

async fn subject(
    conn: &mut PgConnection,
    asked: &LedgerCertificate,
) -> Result<CertificateOf, Failure> {
    if let Some(run) = asked.run {
        let class = asked.class.as_deref().map(|text| {
            ClassId::new(text).ok_or_else(|| {
                Failure::usage(
                    Code::UnknownClass,
                    format!("`{text}` is no class id"),
                    "ids look like `foi-requests`",
                )
            })
        });
        return Ok(CertificateOf::Run(run, class.transpose()?));
    }
    let (name, key) = match asked.record.as_deref() {
        Some([name, key]) => (name, key),
        _ => {
            return Err(Failure::usage(
                Code::Usage,
                "a certificate is of a pass or of a record",
                "give --run N, or --record TABLE KEY",
            ));
        }
    };
    let table = table(name)?;
    let catalog = catalog::read(conn)
        .await
        .map_err(|e| Failure::failed(Code::Unreachable, &e, None))?;
    let columns = survey::key_columns(&catalog, &table).ok_or_else(|| no_key(&catalog, &table))?;
    let key = RecordKey::parse(&columns, key).map_err(|error| {
        Failure::usage(Code::NoSuchRecord, error.to_string(), key_hint(&columns))
    })?;
    Ok(CertificateOf::Record(table, columns, key))
}
