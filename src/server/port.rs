//! The connections of a server: so many and no more, and none that never says anything.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};
use tonic::transport::server::{Connected, TcpConnectInfo};

/// How long a connection may say nothing at its beginning.
const SILENCE: Duration = Duration::from_secs(10);

/// How long to wait where the system has no more connections to give.
const PAUSE: Duration = Duration::from_millis(100);

/// A connection, which counts as long as it lives.
pub struct Connection {
    stream: TcpStream,
    /// Until its first bytes have come.
    silence: Option<Pin<Box<Sleep>>>,
    _place: OwnedSemaphorePermit,
}

/// The connections that come. Those beyond `most` at once are closed.
pub fn connections(
    listener: TcpListener,
    most: usize,
) -> impl Stream<Item = io::Result<Connection>> {
    let places = Arc::new(Semaphore::new(most));
    futures::stream::unfold((listener, places), |(listener, places)| async {
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                // It went away meanwhile, or there are too many files open: no reason to stop listening.
                Err(e) => {
                    tracing::warn!("a connection cannot be taken: {e}");
                    sleep(PAUSE).await;
                    continue;
                }
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                tracing::debug!("a connection is closed: there are enough");
                continue;
            };
            // Small messages are not held back; a connection that refuses this is as good.
            let _ = stream.set_nodelay(true);
            let connection = Connection {
                stream,
                silence: Some(Box::pin(sleep(SILENCE))),
                _place: place,
            };
            return Some((Ok(connection), (listener, places)));
        }
    })
}

impl Connected for Connection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, into);
        if read.is_ready() {
            self.silence = None;
            return read;
        }
        match &mut self.silence {
            Some(silence) => {
                ready!(silence.as_mut().poll(context));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            None => Poll::Pending,
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
