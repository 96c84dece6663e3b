//! The three questions that the service answers over HTTP.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::seats::Seats;
use super::{Watch, page};

/// Answers until it is to stop.
pub(super) async fn answer(listener: TcpListener, watch: Watch, stop: CancellationToken) {
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(health))
        .route("/readyz", get(readiness))
        .with_state(watch);
    let served = axum::serve(Seats::of(listener), router)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await;
    if let Err(error) = served {
        tracing::error!(%error, "no longer listening for requests");
    }
}

async fn metrics(State(watch): State<Watch>) -> Response {
    match page::text(&watch) {
        Ok(text) => ([(header::CONTENT_TYPE, page::CONTENT_TYPE)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn health(State(watch): State<Watch>) -> Response {
    match watch.silent() {
        None => (StatusCode::OK, "alive\n".to_owned()),
        Some(silent) => (
            StatusCode::SERVICE_UNAVAILABLE,
            format!(
                "the service's loop has not turned for {} s; restart the service\n",
                silent.as_secs()
            ),
        ),
    }
    .into_response()
}

async fn readiness(State(watch): State<Watch>) -> Response {
    let missing = watch.missing();
    if missing.is_empty() {
        return (StatusCode::OK, "ready\n").into_response();
    }
    let text = missing.join("\n") + "\n";
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::clock::Clock;
    use crate::daemon::force::Force;
    use crate::daemon::timekeeper::Dial;
    use crate::settings::Settings;

    fn watch(watchdog: Option<Duration>, silent: u64) -> Watch {
        let text = "[schedule]\norganisation = \"A\"\ntime_zone = \"Europe/London\"\nevery = \"0 0 2 * * *\"\n\
                    [[class]]\nid = \"x\"\ntitle = \"X\"\ntable = \"x\"\ndisposal = \"retain\"\n\
                    authority = \"A\"\nowner = \"O\"\nreason = \"R\"\n";
        let force = Force {
            schedule: crate::schedule::parse(text, "retention.toml").unwrap(),
            settings: Settings::from_files(&[], None, std::iter::empty(), false).unwrap(),
        };
        let dial = Dial::Real(Clock::Fixed("2026-01-01T02:00:00Z".parse().unwrap()));
        let watch = Watch::new(
            dial,
            false,
            "none".to_owned().into(),
            watchdog,
            Arc::new(force),
        );
        watch.state().turned = Instant::now()
            .checked_sub(Duration::from_secs(silent))
            .unwrap();
        watch
    }

    async fn status(watch: &Watch) -> u16 {
        health(State(watch.clone())).await.status().as_u16()
    }

    #[tokio::test]
    async fn a_loop_that_is_silent_for_longer_than_a_minute_is_not_alive() {
        assert_eq!(status(&watch(None, 50)).await, 200);
        assert_eq!(status(&watch(None, 61)).await, 503);
    }

    #[tokio::test]
    async fn the_watchdogs_time_is_the_service_managers() {
        let watchdog = Some(Duration::from_secs(600));
        assert_eq!(status(&watch(watchdog, 500)).await, 200);
        assert_eq!(status(&watch(watchdog, 601)).await, 503);
    }

    #[tokio::test]
    async fn a_turn_of_the_loop_brings_it_back_to_life() {
        let watch = watch(None, 61);
        assert!(watch.missing()[0].starts_with("the service's loop has not turned for 61 s"));
        watch.turned();
        assert_eq!(status(&watch).await, 200);
    }
}
