//! The `retentiond` program.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    // One TLS provider for every connection; a second call would only say that it is there.
    let _ = rustls::crypto::ring::default_provider().install_default();
    ExitCode::from(retentiond::cli::main(std::env::args_os()).await)
}
