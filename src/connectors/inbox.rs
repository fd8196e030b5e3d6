//! Rows that clients insert into managed tables: taken in, read by the job that keeps the table, and acknowledged once a committed
//! checkpoint holds them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use async_trait::async_trait;
use tokio::sync::{Notify, watch};

use super::{ReadRequest, Source, SourceEvent, SourceReader};
use crate::error::{Error, Result};

/// The one partition of an inbox. Its position is the number of inserts that were read.
const PARTITION: &str = "clients";

/// Bytes that may wait in an inbox before clients have to wait.
const ROOM: usize = 64 << 20;

/// The inboxes of a job, by table.
#[derive(Debug, Default)]
pub struct Inboxes {
    tables: Mutex<BTreeMap<String, Inbox>>,
    wanted: Arc<Notify>,
}

impl Inboxes {
    /// The inbox of a table.
    pub fn of(&self, table: &str) -> Inbox {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let inbox = tables.entry(table.to_string());
        let new = || Inbox {
            state: watch::Sender::default(),
            wanted: Arc::clone(&self.wanted),
        };
        inbox.or_insert_with(new).clone()
    }

    /// Notified when the job has read rows that clients wait for: a checkpoint is wanted.
    pub fn wanted(&self) -> Arc<Notify> {
        Arc::clone(&self.wanted)
    }

    /// The job has ended: clients that still wait are told so.
    pub fn close(&self) {
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        for inbox in tables.values() {
            inbox.state.send_modify(|state| {
                state.held.clear();
                state.is_closed = true;
            });
        }
    }
}

/// Rows on their way from clients to a managed table.
#[derive(Debug, Clone)]
pub struct Inbox {
    state: watch::Sender<State>,
    wanted: Arc<Notify>,
}

#[derive(Debug, Default)]
struct State {
    /// Inserts that no committed checkpoint holds yet, each with its number.
    held: VecDeque<(u64, RecordBatch)>,
    /// Their bytes.
    bytes: usize,
    /// The number of the last insert taken in.
    last: u64,
    /// The number of the last one that a committed checkpoint holds.
    durable: u64,
    /// The job reads.
    is_open: bool,
    /// The job has ended.
    is_closed: bool,
}

impl State {
    /// A committed checkpoint holds the inserts up to this number.
    fn set_durable(&mut self, number: u64) {
        self.durable = self.durable.max(number);
        self.last = self.last.max(number);
        while let Some((_, rows)) = self.held.pop_front_if(|(first, _)| *first <= number) {
            self.bytes -= rows.get_array_memory_size();
        }
    }

    fn takes_rows(&self) -> bool {
        self.is_open && !self.is_closed && self.bytes < ROOM
    }
}

impl Inbox {
    /// Gives rows to the job and waits until a committed checkpoint holds them; queries see them by then. They all come in the same
    /// epoch. Whoever drops the future does not take them back.
    ///
    /// # Errors
    /// The job ends before that.
    pub async fn insert(&self, rows: RecordBatch) -> Result<()> {
        let mut state = self.state.subscribe();
        let mut number = None;
        while number.is_none() {
            let may_go_on = |state: &State| state.takes_rows() || state.is_closed;
            // The sender lives as long as this inbox.
            if state.wait_for(may_go_on).await.is_ok_and(|s| s.is_closed) {
                return Err(
                    Error::external("the job has ended: the rows were not taken")
                        .with_help("insert them again once the job runs"),
                );
            }
            self.state.send_if_modified(|state| {
                if !state.takes_rows() {
                    return false;
                }
                state.last += 1;
                state.bytes += rows.get_array_memory_size();
                state.held.push_back((state.last, rows.clone()));
                number = Some(state.last);
                true
            });
        }
        let is_durable = |state: &State| number.is_some_and(|number| state.durable >= number);
        let decided = state.wait_for(|s| is_durable(s) || s.is_closed).await;
        if decided.is_ok_and(|state| is_durable(&state)) {
            return Ok(());
        }
        Err(Error::external(
            "the job ended before the rows were durable: the table may have them or not",
        )
        .with_help(
            "read the table once the job runs, or insert the rows again: with a PRIMARY KEY they are not doubled",
        ))
    }
}

#[async_trait]
impl Source for Inbox {
    fn is_bounded(&self) -> bool {
        false
    }

    async fn committed(&self, positions: &[(&str, &str)]) -> Result<()> {
        for (_, position) in positions {
            let number = number(position)?;
            self.state.send_modify(|state| state.set_durable(number));
        }
        Ok(())
    }

    async fn reader(&self, request: ReadRequest) -> Result<Box<dyn SourceReader>> {
        let restored = request.restored.get(PARTITION);
        let read = restored.map_or(Ok(0), |position| number(position))?;
        self.state.send_modify(|state| {
            state.set_durable(read);
            state.is_open = true;
        });
        Ok(Box::new(Reader {
            state: self.state.subscribe(),
            wanted: Arc::clone(&self.wanted),
            partition: Some(Arc::from(PARTITION)),
            read,
        }))
    }
}

fn number(position: &str) -> Result<u64> {
    let number = position.parse();
    number.map_err(|_| Error::internal(format!("'{position}' is no number of inserts")))
}

struct Reader {
    state: watch::Receiver<State>,
    wanted: Arc<Notify>,
    /// Until it was said.
    partition: Option<Arc<str>>,
    read: u64,
}

#[async_trait]
impl SourceReader for Reader {
    async fn next(&mut self) -> Result<SourceEvent> {
        if let Some(partition) = self.partition.take() {
            return Ok(SourceEvent::Assigned(vec![partition]));
        }
        let read = self.read;
        let is_new = |held: &&(u64, RecordBatch)| held.0 > read;
        let Ok(state) = self
            .state
            .wait_for(|state| state.held.iter().any(|held| is_new(&held)))
            .await
        else {
            return std::future::pending().await;
        };
        let Some((number, rows)) = state.held.iter().find(is_new).cloned() else {
            return Ok(SourceEvent::Quiet);
        };
        drop(state);
        self.read = number;
        // The barrier that is ordered from now on comes after them.
        self.wanted.notify_one();
        Ok(SourceEvent::Rows {
            partition: Arc::from(PARTITION),
            rows,
            weights: None,
        })
    }

    fn positions(&self) -> Vec<(Arc<str>, String)> {
        vec![(Arc::from(PARTITION), self.read.to_string())]
    }
}
