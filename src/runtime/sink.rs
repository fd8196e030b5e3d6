//! The tail of a task that ends in a sink: NOT NULL enforced, rows counted, then the connector's writer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{Array, BooleanArray};

use crate::changelog::Batch;
use crate::connectors::SinkWriter;
use crate::error::{Error, Result};
use crate::graph::Sink;

/// Writes the rows of one instance.
pub struct SinkTail {
    writer: Box<dyn SinkWriter>,
    /// NOT NULL columns and their names.
    not_null: Vec<(usize, String)>,
    drop_nulls: bool,
    name: String,
    rows: Arc<AtomicU64>,
}

impl SinkTail {
    /// For one instance of a sink node.
    pub fn new(
        writer: Box<dyn SinkWriter>,
        sink: &Sink,
        drop_nulls: bool,
        rows: Arc<AtomicU64>,
    ) -> Self {
        let schema = sink.table.sink_schema();
        let not_null = schema
            .fields()
            .iter()
            .enumerate()
            .filter(|(_, f)| !f.is_nullable())
            .map(|(i, f)| (i, f.name().clone()))
            .collect();
        Self {
            writer,
            not_null,
            drop_nulls,
            name: sink.name.clone(),
            rows,
        }
    }

    /// Takes rows.
    ///
    /// # Errors
    /// NULL in a NOT NULL column (Flink: `table.exec.sink.not-null-enforcer` = ERROR), or as the writer's.
    pub async fn write(&mut self, mut batch: Batch) -> Result<()> {
        for (column, name) in &self.not_null {
            let values = batch.rows.column(*column);
            if values.null_count() == 0 {
                continue;
            }
            if !self.drop_nulls {
                return Err(Error::data(format!(
                    "Column '{name}' is NOT NULL, however, a null value is being written into it (table '{}')",
                    self.name
                ))
                .with_help("You can set 'table.exec.sink.not-null-enforcer'='DROP' to leave such rows out"));
            }
            let keep: BooleanArray = (0..values.len())
                .map(|i| Some(values.is_valid(i)))
                .collect();
            batch = batch.filter(&keep)?;
        }
        self.rows
            .fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
        self.writer.write(&batch).await
    }

    /// All rows taken are safely out when this returns.
    ///
    /// # Errors
    /// As the writer's.
    pub async fn flush(&mut self) -> Result<()> {
        self.writer.flush().await
    }

    /// Flushes and ends the writer.
    ///
    /// # Errors
    /// As the writer's.
    pub async fn close(&mut self) -> Result<()> {
        self.writer.close().await
    }
}
