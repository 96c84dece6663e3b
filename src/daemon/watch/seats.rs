//! A listener with a bounded number of connections, each for a bounded time: whoever opens
//! many, or never ends a request, must not take the file descriptors that a pass needs.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;

/// More than anybody needs who watches.
const SEATS: usize = 32;

/// Prometheus asks anew on a new connection.
const LONGEST: Duration = Duration::from_secs(60);

/// Lets in so many at a time; others wait in the system's queue.
pub(super) struct Seats {
    listener: TcpListener,
    free: Arc<Semaphore>,
    longest: Duration,
}

impl Seats {
    pub(super) fn of(listener: TcpListener) -> Self {
        Self::with(listener, SEATS, LONGEST)
    }

    fn with(listener: TcpListener, seats: usize, longest: Duration) -> Self {
        Self {
            listener,
            free: Arc::new(Semaphore::new(seats)),
            longest,
        }
    }
}

impl Listener for Seats {
    type Io = Seated;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Seated, SocketAddr) {
        // The semaphore is never closed.
        let seat = Arc::clone(&self.free).acquire_owned().await.ok();
        // It tries again by itself where the system has no descriptor left.
        let (stream, address) = Listener::accept(&mut self.listener).await;
        let seated = Seated {
            stream,
            over: Box::pin(tokio::time::sleep(self.longest)),
            _seat: seat,
        };
        (seated, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that ends when its time is over.
pub(super) struct Seated {
    stream: TcpStream,
    over: Pin<Box<Sleep>>,
    _seat: Option<OwnedSemaphorePermit>,
}

impl Seated {
    fn is_over(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.over.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for Seated {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.is_over(context)?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Seated {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.is_over(context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn seats(number: usize, longest: Duration) -> (Seats, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let seats = Seats::with(listener, number, longest);
        let address = seats.local_addr().unwrap();
        (seats, address)
    }

    #[tokio::test]
    async fn whoever_comes_when_all_seats_are_taken_waits_for_one() {
        let (mut seats, address) = seats(1, LONGEST).await;
        let _one = TcpStream::connect(address).await.unwrap();
        let (first, _) = seats.accept().await;
        let mut other = TcpStream::connect(address).await.unwrap();
        other.write_all(b"?").await.unwrap();
        let mut next = Box::pin(seats.accept());
        assert!(futures_util::poll!(next.as_mut()).is_pending());
        drop(first);
        let (mut second, _) = next.await;
        let mut asked = [0];
        second.read_exact(&mut asked).await.unwrap();
        assert_eq!(&asked, b"?");
    }

    #[tokio::test]
    async fn a_connection_that_says_nothing_ends_when_its_time_is_over() {
        let (mut seats, address) = seats(1, Duration::from_millis(1)).await;
        let _silent = TcpStream::connect(address).await.unwrap();
        let (mut seated, _) = seats.accept().await;
        let error = seated.read(&mut [0]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
