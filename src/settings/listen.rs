//! Where the service can be asked how it is.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;

/// Where the service answers `GET /metrics`, `/healthz` and `/readyz`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    address: Option<SocketAddr>,
    refresh: Duration,
}

impl Listen {
    /// The address; it answers nowhere where none is set. There is none built in: several
    /// services on one machine, one a database, could not share it, and all but the first
    /// would fail to start.
    #[must_use]
    pub fn address(self) -> Option<SocketAddr> {
        self.address
    }

    /// How old the figures may become before the database is asked again.
    #[must_use]
    pub fn refresh(self) -> Duration {
        self.refresh
    }
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawListen {
    address: Option<SocketAddr>,
    refresh_seconds: u64,
}

impl Default for RawListen {
    fn default() -> Self {
        Self {
            address: None,
            refresh_seconds: 60,
        }
    }
}

impl From<RawListen> for Listen {
    fn from(raw: RawListen) -> Self {
        Self {
            address: raw.address,
            refresh: Duration::from_secs(raw.refresh_seconds),
        }
    }
}
