//! Ctrl-C and SIGTERM: the first asks to stop, a second ends the process at once.

use tokio::sync::watch;

use super::tell;

/// The exit code after a second Ctrl-C.
const INTERRUPTED: i32 = 130;

/// Becomes true with the first Ctrl-C or SIGTERM. A second one ends the process.
pub fn stop_asked() -> watch::Receiver<bool> {
    let (asked, receiver) = watch::channel(false);
    tokio::spawn(async move {
        let mut signals = Signals::listen();
        signals.next().await;
        asked.send_replace(true);
        signals.next().await;
        tell("ended at once; not everything that was read is written out");
        end_at_once();
    });
    receiver
}

#[allow(
    clippy::disallowed_methods,
    reason = "whoever asks twice does not want to wait for anything"
)]
fn end_at_once() {
    std::process::exit(INTERRUPTED);
}

/// Waits until it is asked to stop.
pub async fn asked(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|asked| *asked).await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(unix)]
struct Signals {
    interrupt: Option<tokio::signal::unix::Signal>,
    terminate: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        Self {
            interrupt: signal(SignalKind::interrupt()).ok(),
            terminate: signal(SignalKind::terminate()).ok(),
        }
    }

    async fn next(&mut self) {
        async fn one(signal: &mut Option<tokio::signal::unix::Signal>) {
            match signal {
                Some(signal) => {
                    signal.recv().await;
                }
                None => std::future::pending().await,
            }
        }
        tokio::select! {
            () = one(&mut self.interrupt) => {}
            () = one(&mut self.terminate) => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> Self {
        Self
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
