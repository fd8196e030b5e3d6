//! Answers that are being given, so that they can be cancelled.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt as _;
use futures::stream::{AbortHandle, abortable};
use tonic::Status;

use super::Rows;

/// Running answers by the names in their tickets.
#[derive(Default, Clone)]
pub struct Running(Arc<Mutex<HashMap<Vec<u8>, AbortHandle>>>);

/// Takes an answer out of the list when it has ended.
struct Entry {
    running: Running,
    name: Vec<u8>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.running.entries().remove(&self.name);
    }
}

impl Running {
    fn entries(&self) -> std::sync::MutexGuard<'_, HashMap<Vec<u8>, AbortHandle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rows, which end with `CANCELLED` where the answer of this name is cancelled.
    pub fn cancellable(&self, name: &[u8], rows: Rows) -> Rows {
        let (rows, handle) = abortable(rows);
        let entry = Entry {
            running: self.clone(),
            name: name.to_vec(),
        };
        self.entries().insert(name.to_vec(), handle.clone());
        let end = futures::stream::once(async move {
            let _ = &entry;
            handle
                .is_aborted()
                .then(|| Err(Status::cancelled("the query was cancelled")))
        });
        rows.chain(end.filter_map(std::future::ready)).boxed()
    }

    /// Cancels an answer; whether it was being given.
    pub fn cancel(&self, name: &[u8]) -> bool {
        let handle = self.entries().remove(name);
        handle.inspect(AbortHandle::abort).is_some()
    }
}
