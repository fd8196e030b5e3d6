//! Event time of rows: reading it, and starting it anew where one statement reads in process what another wrote.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, UInt32Array};
use arrow::compute::kernels::arity::unary;
use arrow::datatypes::{
    DataType, Field, Int64Type, Schema, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};

use super::{Operator, Output};
use crate::changelog::Batch;
use crate::error::{Error, Result};
use crate::graph::WatermarkRule;
use crate::state::{StatePart, TableSnapshot};
use crate::time::{PartitionWatermarks, Watermark};

/// Timestamps as milliseconds since the epoch, floored; nulls stay null.
///
/// # Errors
/// Where the column is no timestamp, or a value leaves the range of 64-bit milliseconds.
pub fn event_times(column: &ArrayRef) -> Result<Int64Array> {
    Ok(match column.data_type() {
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            let a = column.as_primitive::<TimestampMillisecondType>();
            Int64Array::new(a.values().clone(), a.nulls().cloned())
        }
        DataType::Timestamp(TimeUnit::Second, _) => {
            arrow::compute::kernels::arity::try_unary::<_, _, Int64Type>(
                column.as_primitive::<TimestampSecondType>(),
                |v| {
                    v.checked_mul(1000).ok_or_else(|| {
                        arrow::error::ArrowError::ArithmeticOverflow(format!("time {v} s"))
                    })
                },
            )?
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            unary(column.as_primitive::<TimestampMicrosecondType>(), |v| {
                v.div_euclid(1000)
            })
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            unary(column.as_primitive::<TimestampNanosecondType>(), |v| {
                v.div_euclid(1_000_000)
            })
        }
        other => return Err(Error::internal(format!("event time of type {other}"))),
    })
}

impl WatermarkRule {
    /// Event time and watermark of every row, in milliseconds.
    ///
    /// # Errors
    /// A NULL event time (as in Flink: "RowTime field should not be null"), or an expression that fails.
    pub fn evaluate(&self, rows: &RecordBatch) -> Result<(Int64Array, Int64Array)> {
        let times = event_times(rows.column(self.column))?;
        if times.null_count() > 0 {
            let row = (0..times.len()).find(|i| times.is_null(*i)).unwrap_or(0);
            return Err(Error::data(format!(
                "the event time '{}' is NULL{}",
                self.name,
                row_excerpt(rows, row)
            ))
            .with_help(format!(
                "RowTime field should not be null: keep such rows out before the watermark, for example with a computed \
                 column COALESCE(`{}`, TIMESTAMP '1970-01-01 00:00:00'), and filter them away behind it",
                self.name
            )));
        }
        let marks = self.expr.evaluate(rows)?.into_array(rows.num_rows())?;
        Ok((times, event_times(&marks)?))
    }
}

impl WatermarkRule {
    /// Moves the watermark of a partition over rows that come (a row that goes says nothing new about time). Returns what
    /// [`PartitionWatermarks::observe`] says of them.
    ///
    /// # Errors
    /// As [`WatermarkRule::evaluate`].
    pub fn observe(
        &self,
        batch: &Batch,
        partition: &Arc<str>,
        watermarks: &mut PartitionWatermarks,
        now: i64,
    ) -> Result<Option<Int64Array>> {
        let going = batch
            .weights
            .as_ref()
            .is_some_and(|w| w.values().iter().any(|w| *w < 0));
        if !going {
            let (times, marks) = self.evaluate(&batch.rows)?;
            return Ok(watermarks.observe(partition, times.values(), &marks, now));
        }
        let coming: Vec<u32> = (0..batch.num_rows() as u32)
            .filter(|i| batch.weight(*i as usize) > 0)
            .collect();
        let (times, marks) =
            self.evaluate(&batch.take(&UInt32Array::from(coming.clone()))?.rows)?;
        let behind = watermarks.observe(partition, times.values(), &marks, now);
        Ok(behind.map(|behind| {
            let mut all = vec![None; batch.num_rows()];
            for (i, value) in coming.iter().zip(behind.iter()) {
                all[*i as usize] = value;
            }
            Int64Array::from(all)
        }))
    }
}

/// A row as text for a message: ` in the row {...}`.
fn row_excerpt(rows: &RecordBatch, row: usize) -> String {
    let fields = rows.schema();
    let options = arrow::util::display::FormatOptions::default().with_null("NULL");
    let shown: Vec<String> = fields
        .fields()
        .iter()
        .zip(rows.columns())
        .take(8)
        .filter_map(|(f, c)| {
            let value = arrow::util::display::ArrayFormatter::try_new(c, &options)
                .ok()?
                .value(row)
                .to_string();
            Some(format!(
                "{} = {}",
                f.name(),
                value.chars().take(60).collect::<String>()
            ))
        })
        .collect();
    format!(" in the row ({})", shown.join(", "))
}

/// Gives rows the watermark of their own table instead of the one they came with.
pub struct WatermarkAssign {
    rule: WatermarkRule,
    partition: Arc<str>,
    watermarks: PartitionWatermarks,
}

impl WatermarkAssign {
    /// By this rule; all rows are one partition.
    pub fn new(rule: WatermarkRule) -> Self {
        let partition: Arc<str> = Arc::from("");
        let mut watermarks = PartitionWatermarks::default();
        watermarks.assign(Arc::clone(&partition), None, 0);
        Self {
            rule,
            partition,
            watermarks,
        }
    }
}

impl Operator for WatermarkAssign {
    fn on_batch(&mut self, _port: usize, mut batch: Batch, out: &mut Output) -> Result<()> {
        batch.behind = self
            .rule
            .observe(&batch, &self.partition, &mut self.watermarks, 0)?;
        out.batch(batch);
        if let Some(watermark) = self.watermarks.merged() {
            out.watermark(watermark);
        }
        Ok(())
    }

    fn on_watermark(&mut self, watermark: Watermark, out: &mut Output) -> Result<()> {
        // The writers' event time ends here; that they are quiet, or done, still counts.
        if watermark == Watermark::Idle || watermark == Watermark::At(i64::MAX) {
            out.watermark(watermark);
        }
        Ok(())
    }

    fn snapshot(&mut self) -> Result<Vec<TableSnapshot>> {
        let values: Vec<i64> = self.watermarks.positions().map(|(_, w)| w).collect();
        let names = StringArray::from(vec![""; values.len()]);
        let schema = Schema::new(vec![
            Field::new("partition", DataType::Utf8, false),
            Field::new("watermark", DataType::Int64, false),
        ]);
        let rows = RecordBatch::try_new(
            Arc::new(schema),
            vec![Arc::new(names), Arc::new(Int64Array::from(values))],
        )?;
        Ok(vec![StatePart::unkeyed("watermark", rows).into()])
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        for part in parts {
            for w in part.rows.column(1).as_primitive::<Int64Type>().values() {
                self.watermarks = PartitionWatermarks::default();
                self.watermarks
                    .assign(Arc::clone(&self.partition), Some(*w), 0);
            }
        }
        Ok(())
    }
}
