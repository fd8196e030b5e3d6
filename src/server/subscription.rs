//! Subscriptions: a SELECT over managed tables, answered with its present rows and then, epoch by epoch, with every change.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, AsArray as _, Int64Array, RecordBatch, StringArray, UInt32Array};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use futures::StreamExt as _;
use futures::stream::BoxStream;

use super::job::{Job, State};
use super::jobs::Jobs;
use super::pipeline::Planned;
use crate::catalog::{Catalog, Relation, Table};
use crate::changelog::{Batch, row_kinds, take_rows};
use crate::connectors::MANAGED;
use crate::error::{Error, Result};
use crate::graph::{Graph, NodeId, Operation};
use crate::runtime::{EpochView, Inline};
use crate::session::BATCH_ROWS;
use crate::state::KeptView;

/// The column that says how a row changes the answer: `+I`, `-U`, `+U` or `-D`.
pub const OP: &str = "__op";

/// So often a subscriber hears of the epoch although nothing changed.
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);

/// What an epoch changed.
#[derive(Debug, Clone)]
pub struct EpochChanges {
    /// The epoch.
    pub epoch: u64,
    /// The rows, with [`OP`] before their columns.
    pub rows: RecordBatch,
}

/// What a subscription gives.
pub type Changes = BoxStream<'static, Result<EpochChanges>>;

/// A SELECT that follows the tables it reads.
pub struct Subscription {
    job: Arc<Job>,
    planned: Arc<Planned>,
    inline: Inline,
    reads: Vec<Read>,
    /// Columns of the result that identify its rows.
    key: Option<Vec<usize>>,
    schema: SchemaRef,
    /// The last epoch that the subscriber has.
    epoch: Option<u64>,
    /// The subscriber has what there was at the beginning.
    has_begun: bool,
    pending: VecDeque<EpochChanges>,
}

/// A table that is read.
struct Read {
    source: NodeId,
    /// The node that keeps it.
    keeper: NodeId,
    /// Which of its stored columns are read.
    columns: Vec<usize>,
    has_key: bool,
    name: String,
}

/// A table without a connector as one whose changes are read.
pub fn followed(table: &Table) -> Table {
    let mut table = table.clone();
    if table.connector().is_none() {
        table.with.insert("connector".into(), MANAGED.into());
        // Event time plays no part: a row is a change as soon as its epoch is committed.
        table.watermark = None;
    }
    table
}

impl Subscription {
    /// Of a graph over the tables of `jobs`. `from`: the epoch after which it goes on; `None`: from the present rows.
    ///
    /// # Errors
    /// Tables that cannot be followed, or are not of one job; an epoch whose changes are gone or that has not been.
    pub fn new(jobs: &Jobs, catalog: &Catalog, graph: &Graph, from: Option<u64>) -> Result<Self> {
        let mut found: BTreeMap<String, Arc<Job>> = BTreeMap::new();
        let mut reads = Vec::new();
        let mut planned = None;
        for (id, node) in graph.nodes.iter().enumerate() {
            let Operation::Source(source) = &node.operation else {
                continue;
            };
            let table = &source.table;
            let owner = catalog
                .databases()
                .find(|(_, database)| is_in(database, table));
            let kept = owner.and_then(|(name, _)| {
                let job = jobs.get(name).ok()?;
                let plan = job.planned()?;
                let own = table.name.strip_prefix(name.as_str())?.strip_prefix('.')?;
                Some((plan.keeper(own)?, own.to_string(), job, plan))
            });
            let Some((keeper, name, job, plan)) = kept else {
                return Err(Error::usage(format!(
                    "table '{}' cannot be subscribed to: the server does not keep it",
                    table.name
                ))
                .with_help("subscribe to tables without a connector that a job writes"));
            };
            let stored = table.insertable();
            let place = |column: &usize| stored.iter().position(|s| s == column);
            let columns = source.columns.iter().map(place).collect::<Option<Vec<_>>>();
            reads.push(Read {
                source: id,
                keeper,
                columns: columns
                    .ok_or_else(|| Error::internal("a column that is not kept is read"))?,
                has_key: table.primary_key.is_some(),
                name,
            });
            found.insert(job.name.clone(), job);
            planned = Some(plan);
        }
        let names: Vec<String> = found.keys().cloned().collect();
        let (Some(job), Some(planned)) = (found.into_values().next(), planned) else {
            return Err(
                Error::usage("nothing changes in a query that reads no table")
                    .with_help("leave out SET 'execution.runtime-mode' = 'streaming'"),
            );
        };
        if names.len() > 1 {
            return Err(Error::usage(format!(
                "the tables are of several jobs, whose epochs are not the same: {}",
                names.join(", ")
            ))
            .with_help("subscribe to the tables of one job, or submit the query as a job"));
        }
        let inline = Inline::new(graph, BATCH_ROWS)?;
        let sink = graph
            .nodes
            .iter()
            .find(|n| matches!(n.operation, Operation::Sink(_)));
        let key = sink.and_then(|node| node.changes.upsert_keys.first().cloned());
        let mut fields = vec![Arc::new(Field::new(OP, DataType::Utf8, false))];
        fields.extend(inline.schema().fields().iter().map(Arc::clone));
        Ok(Self {
            job,
            planned,
            inline,
            reads,
            key,
            schema: Arc::new(Schema::new(fields)),
            epoch: from,
            has_begun: false,
            pending: VecDeque::new(),
        })
    }

    /// The columns: [`OP`], then those of the SELECT.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// The present rows and then every change. Whoever drops it ends it; whoever does not read it holds up nobody, but may hear that
    /// the changes it has not read are gone.
    pub fn changes(self) -> Changes {
        futures::stream::unfold(Some(self), |subscription| async move {
            let subscription = subscription?;
            match subscription.next().await {
                Ok((changes, subscription)) => Some((Ok(changes), subscription)),
                Err(error) => Some((Err(error), None)),
            }
        })
        .boxed()
    }

    async fn next(mut self) -> Result<(EpochChanges, Option<Self>)> {
        let mut views = self.planned.metrics.views.subscribe();
        let mut status = self.job.changes();
        let mut life = tokio::time::interval(SIGN_OF_LIFE);
        life.reset();
        loop {
            if let Some(changes) = self.pending.pop_front() {
                return Ok((changes, Some(self)));
            }
            let newest = views.borrow_and_update().clone();
            if let Some(view) =
                newest.filter(|view| !self.has_begun || Some(view.epoch) > self.epoch)
            {
                // Much may have to be computed: not on the threads that jobs run on.
                let work = tokio::task::spawn_blocking(move || {
                    let advanced = self.advance(&view);
                    (self, advanced)
                });
                let (back, advanced) = work
                    .await
                    .map_err(|_| Error::internal("a subscription panicked"))?;
                self = back;
                advanced?;
                continue;
            }
            tokio::select! {
                changed = views.changed() => if changed.is_err() {
                    return Err(self.over("is no more"));
                },
                _ = life.tick(), if self.has_begun => {
                    let rows = RecordBatch::new_empty(self.schema());
                    let epoch = self.epoch.unwrap_or(0);
                    self.pending.push_back(EpochChanges { epoch, rows });
                }
                ended = ended(&mut status) => {
                    // What it committed last may have come meanwhile.
                    let newest = self.planned.metrics.views.newest();
                    if newest.is_none_or(|view| self.has_begun && Some(view.epoch) <= self.epoch) {
                        return Err(self.over(ended));
                    }
                }
            }
        }
    }

    fn over(&self, how: &str) -> Error {
        let epoch = self.epoch.unwrap_or(0);
        Error::external(format!("job '{}' {how}", self.job.name)).with_help(format!(
            "once it runs again, SET 'flowline.subscribe.from' = '{epoch}' goes on where this ends"
        ))
    }

    /// Takes the tables as they are now, and finds out what has changed since the subscriber heard of them.
    fn advance(&mut self, view: &EpochView) -> Result<()> {
        let parts = |read: &Read| view.tables.get(&read.keeper).into_iter().flatten();
        if !self.has_begun {
            let after = self.epoch;
            if let Some(after) = after.filter(|after| *after > view.epoch) {
                return Err(Error::usage(format!(
                    "epoch {after} has not been: job '{}' is at epoch {}",
                    self.job.name, view.epoch
                )));
            }
            let mut present = Vec::new();
            for read in &self.reads {
                for part in parts(read) {
                    read.check(part, after, &self.job.name)?;
                    present.extend(read.at(part, after)?);
                }
            }
            let answer = self.inline.step(present)?;
            self.has_begun = true;
            if after.is_none() {
                self.epoch = Some(view.epoch);
                let rows = self.rows(&answer)?;
                let epoch = view.epoch;
                self.pending.push_back(EpochChanges { epoch, rows });
                return Ok(());
            }
        }
        let since = self.epoch.unwrap_or(0);
        let mut epochs: BTreeMap<u64, Vec<(NodeId, Batch)>> = BTreeMap::new();
        for read in &self.reads {
            for part in parts(read) {
                read.check(part, Some(since), &self.job.name)?;
                for (epoch, batch) in read.since(part, since)? {
                    epochs.entry(epoch).or_default().push((read.source, batch));
                }
            }
        }
        for (epoch, changes) in epochs {
            let changed = self.inline.step(changes)?;
            let rows = self.rows(&changed)?;
            if rows.num_rows() > 0 {
                self.pending.push_back(EpochChanges { epoch, rows });
            }
        }
        self.epoch = Some(view.epoch);
        Ok(())
    }

    /// Changes with their kinds.
    fn rows(&self, changes: &Batch) -> Result<RecordBatch> {
        let kinds = row_kinds(changes, self.key.as_deref())?;
        let picked = kinds.iter().map(|(row, _)| *row as u32);
        let rows = take_rows(&changes.rows, &UInt32Array::from_iter_values(picked))?;
        let ops = kinds.iter().map(|(_, kind)| kind.as_str());
        let mut columns: Vec<ArrayRef> = vec![Arc::new(StringArray::from_iter_values(ops))];
        columns.extend(rows.columns().iter().map(Arc::clone));
        Ok(RecordBatch::try_new(self.schema(), columns)?)
    }
}

/// Whether a table is one of a database.
fn is_in(database: &Catalog, table: &Arc<Table>) -> bool {
    database
        .iter()
        .any(|(_, relation)| matches!(relation, Relation::Table(t) if t.name == table.name))
}

/// Waits until the job does not run any more; how it ended.
async fn ended(status: &mut tokio::sync::watch::Receiver<super::job::Status>) -> &'static str {
    let runs = |state| matches!(state, State::Running | State::Starting);
    match status.wait_for(|status| !runs(status.state)).await {
        Ok(status) => match status.state {
            State::Finished => "has read all its input",
            State::Failed => "has failed",
            _ => "was stopped",
        },
        Err(_) => "was removed",
    }
}

impl Read {
    /// Whether all changes after an epoch are there.
    fn check(&self, part: &KeptView, after: Option<u64>, job: &str) -> Result<()> {
        match after.filter(|after| *after < part.gone) {
            None => Ok(()),
            Some(after) => Err(Error::data(format!(
                "changes of table '{}' after epoch {after} are gone: job '{job}' keeps those after epoch {}",
                self.name, part.gone
            ))
            .with_help("subscribe anew, without 'flowline.subscribe.from': the present rows come first")),
        }
    }

    /// The rows of a table as they were after an epoch: now, where it is `None`.
    fn at(&self, part: &KeptView, after: Option<u64>) -> Result<Vec<(NodeId, Batch)>> {
        let mut all = Vec::new();
        if !self.has_key
            && let Some(after) = after
        {
            for (_, batch) in self.changes(part, |epoch| epoch <= after)? {
                all.push((self.source, batch));
            }
            return Ok(all);
        }
        for rows in part.rows.batches(0, BATCH_ROWS) {
            let rows = rows?.project(&self.columns)?;
            all.push((self.source, Batch::append(rows)));
        }
        if let Some(after) = after {
            // What came since then goes again, the last first.
            for (_, batch) in self.changes(part, |epoch| epoch > after)?.into_iter().rev() {
                let weights = (0..batch.num_rows())
                    .map(|row| -batch.weight(row))
                    .collect();
                all.push((self.source, Batch::changes(batch.rows, weights)));
            }
        }
        Ok(all)
    }

    /// What changed after an epoch.
    fn since(&self, part: &KeptView, epoch: u64) -> Result<Vec<(u64, Batch)>> {
        self.changes(part, |of| of > epoch)
    }

    fn changes(
        &self,
        part: &KeptView,
        is_wanted: impl Fn(u64) -> bool,
    ) -> Result<Vec<(u64, Batch)>> {
        let changes = &part.changes;
        let epoch = |row: usize| u64::try_from(changes.int(0, row)).unwrap_or(0);
        // Epochs ascend.
        let first = partition_point(changes.count(), |row| !is_wanted(epoch(row)));
        let first = if is_wanted(0) { 0 } else { first };
        let mut all: Vec<(u64, Batch)> = Vec::new();
        for rows in changes.batches(first, BATCH_ROWS) {
            let rows = rows?;
            let epochs: &Int64Array = rows.column(0).as_primitive::<Int64Type>();
            let mut start = 0;
            while start < rows.num_rows() {
                let of = epochs.value(start);
                let same = epochs.values()[start..].iter().take_while(|e| **e == of);
                let count = same.count();
                let of = u64::try_from(of).unwrap_or(0);
                if is_wanted(of) {
                    let cut = rows.slice(start, count);
                    let weights = cut.column(1).as_primitive::<Int64Type>().values().to_vec();
                    let columns: Vec<usize> = self.columns.iter().map(|c| c + 2).collect();
                    let rows = cut.project(&columns)?;
                    all.push(match self.has_key {
                        true => (of, Batch::changes(rows, weights)),
                        false => (of, Batch::append(rows)),
                    });
                }
                start += count;
            }
        }
        Ok(all)
    }
}

/// The first of so many numbers of which a condition does not hold, where it holds of all before it.
fn partition_point(count: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        match holds(middle) {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    low
}
