//! Rows that clients insert into managed tables: taken in, read by the job that keeps the table, and acknowledged once a committed
//! checkpoint holds them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use async_trait::async_trait;
use tokio::sync::{Notify, oneshot, watch};

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

    /// The job has ended, and why where it failed: clients that still wait are told so.
    pub fn close(&self, why: Option<&Error>) {
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        for inbox in tables.values() {
            inbox.state.send_modify(|state| {
                state.is_closed = true;
                let read = state.read;
                for insert in state.held.drain(..) {
                    let error = match insert.number > read {
                        true => not_taken(),
                        false => Error::external(match why {
                            Some(why) => format!(
                                "the job failed before the rows were durable, and the table may have them or not: {why}"
                            ),
                            None => "the job ended before the rows were durable: the table may have them or not".to_string(),
                        })
                        .with_help(
                            "read the table once the job runs, or insert the rows again: with a PRIMARY KEY they are not doubled",
                        ),
                    };
                    insert.answer(Err(error));
                }
            });
        }
    }
}

fn not_taken() -> Error {
    Error::external("the job has ended: the rows were not inserted")
        .with_help("insert them again once the job runs")
}

/// Rows on their way from clients to a managed table.
#[derive(Debug, Clone)]
pub struct Inbox {
    state: watch::Sender<State>,
    wanted: Arc<Notify>,
}

#[derive(Debug, Default)]
struct State {
    /// What no committed checkpoint holds yet, oldest first.
    held: VecDeque<Insert>,
    /// Their bytes.
    bytes: usize,
    /// The number of the last insert taken in.
    last: u64,
    /// The number of the last one that the job has read.
    read: u64,
    /// The job reads.
    is_open: bool,
    /// The job has ended.
    is_closed: bool,
}

/// The rows that a client inserts together.
#[derive(Debug)]
struct Insert {
    number: u64,
    rows: RecordBatch,
    /// To the client, who may have gone.
    answer: oneshot::Sender<Result<()>>,
}

impl Insert {
    fn answer(self, answer: Result<()>) {
        let _ = self.answer.send(answer);
    }
}

impl State {
    /// Takes out the inserts up to this number, and answers them.
    fn answer(&mut self, number: u64, answer: impl Fn() -> Result<()>) {
        while let Some(insert) = self.held.pop_front_if(|insert| insert.number <= number) {
            self.bytes -= insert.rows.get_array_memory_size();
            insert.answer(answer());
        }
    }

    /// A job begins to read after this number, which is that of its checkpoint. What it had read since then, before it failed, is
    /// given up: it may be why it failed.
    fn open(&mut self, number: u64) {
        self.answer(number, || Ok(()));
        self.answer(self.read, || {
            Err(Error::external(
                "the job failed after it read the rows, and has begun again without them: they were not inserted",
            )
            .with_help(
                "'flowline logs JOB' says why it failed; insert them again unless it was because of them",
            ))
        });
        self.last = self.last.max(number);
        self.read = self.last.min(self.read.max(number));
        self.is_open = true;
    }

    /// The first insert after this number.
    fn after(&self, number: u64) -> Option<&Insert> {
        let place = self.held.partition_point(|insert| insert.number <= number);
        self.held.get(place)
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
        let (answer, mut answered) = oneshot::channel();
        let mut unsent = Some((rows, answer));
        while unsent.is_some() {
            let may_go_on = |state: &State| state.takes_rows() || state.is_closed;
            // The sender lives as long as this inbox.
            if state.wait_for(may_go_on).await.is_ok_and(|s| s.is_closed) {
                return Err(not_taken());
            }
            self.state.send_if_modified(|state| {
                let Some((rows, answer)) = unsent.take_if(|_| state.takes_rows()) else {
                    return false;
                };
                state.last += 1;
                state.bytes += rows.get_array_memory_size();
                state.held.push_back(Insert {
                    number: state.last,
                    rows,
                    answer,
                });
                true
            });
        }
        let answer = (&mut answered).await;
        answer.unwrap_or_else(|_| Err(Error::internal("an insert was not answered")))
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
            self.state
                .send_modify(|state| state.answer(number, || Ok(())));
        }
        Ok(())
    }

    async fn reader(&self, request: ReadRequest) -> Result<Box<dyn SourceReader>> {
        let restored = request.restored.get(PARTITION);
        let read = restored.map_or(Ok(0), |position| number(position))?;
        self.state.send_modify(|state| state.open(read));
        Ok(Box::new(Reader {
            state: self.state.clone(),
            changes: self.state.subscribe(),
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
    state: watch::Sender<State>,
    changes: watch::Receiver<State>,
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
        let next = match self.changes.wait_for(|s| s.after(read).is_some()).await {
            Ok(state) => state.after(read).map(|i| (i.number, i.rows.clone())),
            Err(_) => None,
        };
        let Some((number, rows)) = next else {
            return Ok(SourceEvent::Quiet);
        };
        self.read = number;
        self.state.send_if_modified(|state| {
            state.read = number;
            false
        });
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
