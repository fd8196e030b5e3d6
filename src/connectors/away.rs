//! Work that waits for a disk or the like, away from the threads that move rows.

use tokio::task::JoinHandle;

use crate::error::{Error, Result};

/// Something whose work blocks: it goes to a thread of its own for that, and comes back with what came of it. Whoever waits may give
/// up waiting and take it up again.
pub(super) enum Away<T, R> {
    /// It can be used.
    Here(T),
    /// It is at work.
    Busy(JoinHandle<(T, R)>),
    /// It was lost with its thread.
    Lost,
}

impl<T: Send + 'static, R: Send + 'static> Away<T, R> {
    /// The thing itself, where it is not at work.
    pub(super) fn here(&mut self) -> Option<&mut T> {
        match self {
            Self::Here(thing) => Some(thing),
            Self::Busy(_) | Self::Lost => None,
        }
    }

    /// Begins some work, unless some is under way.
    pub(super) fn begin(&mut self, work: impl FnOnce(&mut T) -> R + Send + 'static) {
        if let Self::Here(_) = self
            && let Self::Here(mut thing) = std::mem::replace(self, Self::Lost)
        {
            *self = Self::Busy(tokio::task::spawn_blocking(move || {
                let result = work(&mut thing);
                (thing, result)
            }));
        }
    }

    /// What came of the work, once it is done; `None` where none is under way. Dropping the future loses nothing.
    ///
    /// # Errors
    /// Its thread has died.
    pub(super) async fn done(&mut self) -> Result<Option<R>> {
        let lost = || Error::internal("a thread that reads files has died");
        match self {
            Self::Here(_) => Ok(None),
            Self::Lost => Err(lost()),
            Self::Busy(thread) => {
                let ended = thread.await;
                *self = Self::Lost;
                let (thing, result) = ended.map_err(|e| lost().caused_by(e))?;
                *self = Self::Here(thing);
                Ok(Some(result))
            }
        }
    }
}
