//! Ctrl-C, SIGTERM and SIGHUP: the first asks to stop, a second ends the process at once, and so does time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::tell;

/// The exit code after a second Ctrl-C.
const INTERRUPTED: i32 = 130;

/// The exit code where time has run out.
const OUT_OF_TIME: i32 = 3;

/// How long ending may take, unless told otherwise.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// How long ending may take in this process.
static PATIENCE_HERE: OnceLock<Duration> = OnceLock::new();

/// Becomes true with the first signal. From then on ending takes `patience` at most (0: as long as it takes). A second signal ends
/// the process.
pub fn stop_asked(patience: Duration) -> watch::Receiver<bool> {
    let _ = PATIENCE_HERE.set(patience);
    let (asked, receiver) = watch::channel(false);
    tokio::spawn(async move {
        let mut signals = Signals::listen();
        signals.next().await;
        end_soon();
        asked.send_replace(true);
        signals.next().await;
        tell("ended at once; not everything that was read is written out");
        end_at_once(INTERRUPTED);
    });
    receiver
}

/// Ctrl-C, SIGTERM and SIGHUP for an interactive shell: they stop the statement that runs, and only the latter two the shell.
pub struct ShellSignals {
    running: Arc<Mutex<watch::Sender<bool>>>,
    ended: Arc<AtomicBool>,
}

impl ShellSignals {
    /// Listens from now on.
    pub fn listen() -> Self {
        let running = Arc::new(Mutex::new(watch::Sender::new(false)));
        let ended = Arc::new(AtomicBool::new(false));
        let (heard, ends) = (Arc::clone(&running), Arc::clone(&ended));
        tokio::spawn(async move {
            let mut signals = Signals::listen();
            loop {
                let heard_of = signals.next().await;
                if heard_of == Heard::End {
                    ends.store(true, Ordering::Relaxed);
                }
                let running = heard.lock().unwrap_or_else(PoisonError::into_inner);
                if !running.is_closed() && running.send_replace(true) {
                    tell("ended at once");
                    end_at_once(INTERRUPTED);
                }
            }
        });
        Self { running, ended }
    }

    /// Whether the next statement is asked to stop. A second Ctrl-C while this is held ends the process.
    pub fn statement(&self) -> watch::Receiver<bool> {
        let (asked, receiver) = watch::channel(false);
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = asked;
        receiver
    }

    /// Becomes true when the shell is to end.
    pub fn ended(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.ended)
    }
}

/// Whatever hangs, an outside system or whoever reads stdout: the process ends when the time for it is over.
pub fn end_soon() {
    static BEGUN: Once = Once::new();
    let Some(patience) = PATIENCE_HERE.get().filter(|p| !p.is_zero()) else {
        return;
    };
    BEGUN.call_once(|| {
        std::thread::spawn(|| {
            std::thread::sleep(*patience);
            // On a thread of its own: stderr may hang too.
            let told = std::thread::spawn(|| {
                tell(&format!(
                    "ended at once: it did not end by itself within {} s (--stop-timeout waits longer). Not everything that was read \
                     is written out; a job with checkpoints goes on from its last one",
                    patience.as_secs_f64()
                ));
            });
            for _ in 0..50 {
                if told.is_finished() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            end_at_once(OUT_OF_TIME);
        });
    });
}

#[allow(
    clippy::disallowed_methods,
    reason = "there is nothing to be waited for any more"
)]
fn end_at_once(code: i32) {
    std::process::exit(code);
}

/// Waits until it is asked to stop.
pub async fn asked(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|asked| *asked).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Which signal came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM or SIGHUP.
    End,
}

#[cfg(unix)]
struct Signals {
    interrupt: Option<tokio::signal::unix::Signal>,
    terminate: Option<tokio::signal::unix::Signal>,
    hangup: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        Self {
            interrupt: signal(SignalKind::interrupt()).ok(),
            terminate: signal(SignalKind::terminate()).ok(),
            hangup: match hangup_is_ignored() {
                true => None,
                false => signal(SignalKind::hangup()).ok(),
            },
        }
    }

    async fn next(&mut self) -> Heard {
        async fn one(signal: &mut Option<tokio::signal::unix::Signal>) {
            match signal {
                Some(signal) => {
                    signal.recv().await;
                }
                None => std::future::pending().await,
            }
        }
        tokio::select! {
            () = one(&mut self.interrupt) => Heard::Interrupt,
            () = one(&mut self.terminate) => Heard::End,
            () = one(&mut self.hangup) => Heard::End,
        }
    }
}

/// Whether the process was started to outlive its terminal, as `nohup` does.
#[cfg(unix)]
fn hangup_is_ignored() -> bool {
    static IGNORED: OnceLock<bool> = OnceLock::new();
    // Listening changes it: so it is looked at once, before that.
    *IGNORED.get_or_init(|| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let mask = mask.and_then(|text| u64::from_str_radix(text.trim(), 16).ok());
        mask.is_some_and(|mask| mask & 1 != 0)
    })
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> Self {
        Self
    }

    async fn next(&mut self) -> Heard {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Heard::Interrupt
    }
}
