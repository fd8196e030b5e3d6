//! The head of a source task: what its reader says to elements, with computed columns and watermarks.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use async_trait::async_trait;

use crate::changelog::Batch;
use crate::checkpoint::PartitionPosition;
use crate::connectors::{SourceEvent, SourceMetrics, SourceReader};
use crate::error::Result;
use crate::graph::{self, CalcStep};
use crate::operators::{Calc, Element};
use crate::time::{PartitionWatermarks, TableTime, Watermark};

/// How far a reader has come, besides the events it gave.
#[derive(Debug, Default)]
pub struct Standing {
    /// Records before this that gave no row, where they are kept.
    pub bad_rows: Vec<RecordBatch>,
    /// Where its partitions stand; only before a barrier and at the end.
    pub positions: Vec<(Arc<str>, String)>,
}

impl Standing {
    /// Before a barrier or at the end.
    pub fn at(reader: &mut dyn SourceReader) -> Self {
        Self {
            bad_rows: reader.take_bad_rows(),
            positions: reader.positions(),
        }
    }

    /// After an event of the reader.
    pub fn after(reader: &mut dyn SourceReader, event: &SourceEvent) -> Self {
        match event {
            SourceEvent::End => Self::at(reader),
            _ => Self {
                bad_rows: reader.take_bad_rows(),
                positions: Vec::new(),
            },
        }
    }
}

/// Turns what a reader says into elements.
pub struct SourceHead {
    compute: Option<Calc>,
    rule: Option<graph::WatermarkRule>,
    watermarks: PartitionWatermarks,
    restored: HashMap<String, Option<i64>>,
    /// The end of a partition is none of event time.
    stays_open: bool,
    /// The reader said that there is nothing to read.
    is_quiet: bool,
    metrics: Arc<SourceMetrics>,
    /// Where the partitions of all readers stand, for others to see.
    shown: Arc<Mutex<TableTime>>,
}

impl SourceHead {
    /// For one instance of a source node; `restored` where it goes on from a snapshot.
    pub fn new(
        source: Option<&graph::Source>,
        schema: &arrow::datatypes::SchemaRef,
        restored: &[PartitionPosition],
        stays_open: bool,
        metrics: Arc<SourceMetrics>,
    ) -> Self {
        let compute = source
            .and_then(|s| s.compute.clone())
            .map(|exprs| Calc::new(vec![CalcStep::Project(exprs, Arc::clone(schema))]));
        Self {
            compute,
            rule: source.and_then(|s| s.watermark.clone()),
            watermarks: PartitionWatermarks::default(),
            restored: restored
                .iter()
                .map(|p| (p.partition.clone(), p.watermark))
                .collect(),
            stays_open,
            is_quiet: false,
            metrics,
            shown: Arc::default(),
        }
    }

    /// Shows others here where its partitions stand.
    pub fn show_time(&mut self, shown: Arc<Mutex<TableTime>>) {
        self.shown = shown;
    }

    /// How often idleness must be looked at while nothing is read, in milliseconds.
    pub fn tick_period(&self) -> Option<u64> {
        let rule = self.rule.as_ref()?;
        let shortest = rule
            .idle_timeout
            .into_iter()
            .chain(rule.quiet_advance)
            .min()?;
        Some((shortest.as_millis() as u64 / 4).clamp(10, 1000))
    }

    /// The elements of an event; `now` is the clock in milliseconds.
    ///
    /// # Errors
    /// A computed column or watermark that fails on a row.
    pub fn on_event(&mut self, event: SourceEvent, now: i64, out: &mut Vec<Element>) -> Result<()> {
        let is_of = match &event {
            SourceEvent::Rows { partition, .. } => Some(Arc::clone(partition)),
            _ => None,
        };
        self.is_quiet = matches!(event, SourceEvent::Quiet);
        match event {
            SourceEvent::Assigned(partitions) => {
                self.watermarks.set_assigned();
                for partition in partitions {
                    let watermark = self.restored.get(partition.as_ref()).copied().flatten();
                    self.watermarks.assign(partition, watermark, now);
                }
                self.show_all(now);
            }
            SourceEvent::Rows {
                partition,
                rows,
                weights,
            } => {
                self.metrics
                    .rows
                    .fetch_add(rows.num_rows() as u64, Ordering::Relaxed);
                self.metrics.last_row.store(now, Ordering::Relaxed);
                let mut batch = Batch {
                    weights,
                    ..Batch::append(rows)
                };
                if let Some(compute) = &self.compute {
                    batch = compute.apply(batch).map_err(|e| e.at(&partition))?;
                }
                if batch.num_rows() == 0 {
                    return Ok(());
                }
                let Some(rule) = &self.rule else {
                    out.push(Element::Batch(batch));
                    return Ok(());
                };
                let give = |piece, watermarks: &mut PartitionWatermarks| {
                    out.push(Element::Batch(piece));
                    tell_time(watermarks, &self.metrics, out);
                };
                rule.observe(batch, &partition, &mut self.watermarks, now, give)
                    .map_err(|e| e.at(&partition))?;
                let ahead = self.watermarks.take_ahead();
                self.metrics.ahead_rows.fetch_add(ahead, Ordering::Relaxed);
            }
            // One without a row in the range says nothing about time, and must not hold it up.
            SourceEvent::PartitionEnd(partition)
                if !self.stays_open || !self.watermarks.has_time(&partition) =>
            {
                self.watermarks.end(&partition, now);
                self.shown_time().remove(&partition, now);
            }
            SourceEvent::PartitionEnd(_) => {}
            SourceEvent::Quiet => {}
            SourceEvent::End => {
                out.push(Element::End);
                return Ok(());
            }
        }
        self.advance(now, out);
        if let Some(partition) = is_of.filter(|_| self.rule.is_some())
            && let Some(standing) = self.watermarks.standing(&partition)
        {
            self.shown_time().set(&partition, standing, now);
        }
        Ok(())
    }

    /// Marks idle partitions and emits the watermark where it moved.
    pub fn on_tick(&mut self, now: i64, out: &mut Vec<Element>) {
        self.advance(now, out);
        self.show_all(now);
    }

    fn shown_time(&self) -> std::sync::MutexGuard<'_, TableTime> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show_all(&self, now: i64) {
        if self.rule.is_some() {
            let mut shown = self.shown_time();
            for (partition, standing) in self.watermarks.standings() {
                shown.set(partition, standing, now);
            }
        }
    }

    fn advance(&mut self, now: i64, out: &mut Vec<Element>) {
        let Some(rule) = &self.rule else { return };
        if let Some(timeout) = rule.idle_timeout {
            self.watermarks.mark_idle(timeout.as_millis() as i64, now);
        }
        if let Some(after) = rule.quiet_advance.filter(|_| self.is_quiet) {
            self.watermarks.advance_quiet(after.as_millis() as i64, now);
        }
        tell_time(&mut self.watermarks, &self.metrics, out);
    }

    /// Where every partition stands, by what the reader says.
    pub fn snapshot(&self, positions: Vec<(Arc<str>, String)>) -> Vec<PartitionPosition> {
        let watermarks: HashMap<&Arc<str>, i64> = self.watermarks.positions().collect();
        positions
            .into_iter()
            .map(|(partition, position)| PartitionPosition {
                watermark: watermarks.get(&partition).copied().or_else(|| {
                    // Not assigned yet since it was restored.
                    self.restored.get(&*partition).copied().flatten()
                }),
                partition: partition.to_string(),
                position,
            })
            .collect()
    }
}

/// Emits the watermark where it moved.
fn tell_time(
    watermarks: &mut PartitionWatermarks,
    metrics: &SourceMetrics,
    out: &mut Vec<Element>,
) {
    while let Some(watermark) = watermarks.merged() {
        if let Watermark::At(time) = watermark {
            metrics.watermark.fetch_max(time, Ordering::Relaxed);
        }
        out.push(Element::Watermark(watermark));
    }
}

/// Reads the rows of a VALUES list.
pub struct ValuesReader {
    rows: Option<RecordBatch>,
    partition: Arc<str>,
}

impl ValuesReader {
    /// All rows, unless a snapshot says that they were read.
    pub fn new(rows: RecordBatch, restored: &HashMap<String, String>) -> Self {
        let rows = Some(rows).filter(|_| restored.get("values").is_none_or(|p| p != "read"));
        Self {
            rows,
            partition: Arc::from("values"),
        }
    }
}

#[async_trait]
impl SourceReader for ValuesReader {
    async fn next(&mut self) -> Result<SourceEvent> {
        Ok(match self.rows.take() {
            Some(rows) if rows.num_rows() > 0 => SourceEvent::Rows {
                partition: Arc::clone(&self.partition),
                rows,
                weights: None,
            },
            _ => SourceEvent::End,
        })
    }

    fn positions(&self) -> Vec<(Arc<str>, String)> {
        let position = if self.rows.is_some() {
            "unread"
        } else {
            "read"
        };
        vec![(Arc::clone(&self.partition), position.to_string())]
    }
}
