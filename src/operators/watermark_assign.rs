//! Event time of rows: reading it, and starting it anew where one statement reads in process what another wrote.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, UInt16Array, UInt32Array,
};
use arrow::compute::kernels::arity::unary;
use arrow::datatypes::{
    DataType, Field, Int64Type, Schema, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};

use super::{Operator, Output};
use crate::changelog::Batch;
use crate::error::{Error, Result};
use crate::graph::WatermarkRule;
use crate::state::{KEY_GROUPS, StatePart, TableSnapshot, instance_of};
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
                 column COALESCE(`{}`, TIMESTAMP '1970-01-01 00:00:00'), and filter them away after it",
                self.name
            )));
        }
        let marks = self.expr.evaluate(rows)?.into_array(rows.num_rows())?;
        Ok((times, event_times(&marks)?))
    }
}

impl WatermarkRule {
    /// Moves the watermark of a partition over rows that come (a row that goes says nothing new about time). Gives the rows on,
    /// with what [`PartitionWatermarks::observe`] says of them: all at once, or in pieces after each of which the watermark is in
    /// another step.
    ///
    /// # Errors
    /// As [`WatermarkRule::evaluate`].
    pub fn observe(
        &self,
        batch: Batch,
        partition: &Arc<str>,
        watermarks: &mut PartitionWatermarks,
        now: i64,
        mut give: impl FnMut(Batch, &mut PartitionWatermarks),
    ) -> Result<()> {
        let (times, marks) = self.times(&batch)?;
        let marks = self.believed(&times, marks, watermarks, now);
        let (mut from, rows) = (0, times.len());
        while from < rows {
            let (times, marks) = (&times.values()[from..], marks.slice(from, rows - from));
            let (taken, behind) = watermarks.observe(partition, times, &marks, &self.steps, now);
            let mut piece = match taken == rows {
                true => batch.clone(),
                false => batch.slice(from, taken),
            };
            piece.behind = behind;
            give(piece, watermarks);
            from += taken;
        }
        Ok(())
    }

    /// Event time and watermark of every row; of rows that go none.
    fn times(&self, batch: &Batch) -> Result<(Int64Array, Int64Array)> {
        let Some(weights) = &batch.weights else {
            return self.evaluate(&batch.rows);
        };
        let comes = |i: &u32| weights.value(*i as usize) > 0;
        let coming: Vec<u32> = (0..batch.num_rows() as u32).filter(comes).collect();
        let (some_times, some_marks) =
            self.evaluate(&batch.take(&UInt32Array::from(coming.clone()))?.rows)?;
        let mut times = vec![i64::MAX; batch.num_rows()];
        let mut marks = vec![None; batch.num_rows()];
        for (i, row) in coming.into_iter().enumerate() {
            times[row as usize] = some_times.value(i);
            marks[row as usize] = some_marks.is_valid(i).then(|| some_marks.value(i));
        }
        Ok((Int64Array::from(times), Int64Array::from(marks)))
    }
}

impl WatermarkRule {
    /// The watermarks of rows without those that are too far ahead of the clock.
    fn believed(
        &self,
        times: &Int64Array,
        marks: Int64Array,
        watermarks: &mut PartitionWatermarks,
        now: i64,
    ) -> Int64Array {
        let Some(limit) = self.max_ahead else {
            return marks;
        };
        let limit = now.saturating_add(i64::try_from(limit.as_millis()).unwrap_or(i64::MAX));
        let ahead = times.values().iter().filter(|time| **time > limit).count();
        if ahead == 0 {
            return marks;
        }
        watermarks.count_ahead(ahead as u64);
        let pairs = marks.iter().zip(times.values());
        pairs
            .map(|(mark, time)| mark.filter(|_| *time <= limit))
            .collect()
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
    /// The key group that its state belongs to: one of its instance.
    home: u16,
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
            home: 0,
        }
    }
}

impl Operator for WatermarkAssign {
    fn be_instance(&mut self, instance: usize, parallelism: usize) {
        let mut groups = 0..KEY_GROUPS;
        let mine = groups.find(|group| instance_of(*group, parallelism) == instance);
        self.home = mine.unwrap_or(0);
    }

    fn on_batch(&mut self, _port: usize, batch: Batch, out: &mut Output) -> Result<()> {
        let give = |piece, watermarks: &mut PartitionWatermarks| {
            out.batch(piece);
            while let Some(watermark) = watermarks.merged() {
                out.watermark(watermark);
            }
        };
        self.rule
            .observe(batch, &self.partition, &mut self.watermarks, 0, give)
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
        let mut part = StatePart::unkeyed("watermark", rows);
        part.key_groups = UInt16Array::from(vec![self.home; part.rows.num_rows()]);
        Ok(vec![part.into()])
    }

    fn restore(&mut self, parts: Vec<StatePart>) -> Result<()> {
        let all = parts.iter().flat_map(|part| {
            let watermarks = part.rows.column(1).as_primitive::<Int64Type>();
            watermarks.values().iter().copied()
        });
        // Of several instances: none of their rows may be late that would not have been.
        if let Some(watermark) = all.min() {
            let mut restored = PartitionWatermarks::default();
            restored.assign(Arc::clone(&self.partition), Some(watermark), 0);
            self.watermarks = restored;
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use datafusion::physical_expr::expressions::Column;

    use super::*;

    fn assign(instance: usize, parallelism: usize, watermark: i64) -> WatermarkAssign {
        let rule = WatermarkRule {
            column: 0,
            name: "ts".into(),
            expr: Arc::new(Column::new("ts", 0)),
            idle_timeout: None,
            quiet_advance: None,
            max_ahead: None,
            steps: Vec::new(),
        };
        let mut assign = WatermarkAssign::new(rule);
        assign.be_instance(instance, parallelism);
        let marks = Int64Array::from(vec![watermark]);
        let partition = Arc::clone(&assign.partition);
        assign
            .watermarks
            .observe(&partition, &[watermark], &marks, &[], 0);
        assign
    }

    fn restored(parts: &[StatePart], instance: usize, parallelism: usize) -> i64 {
        let mut assign = assign(instance, parallelism, 0);
        let mine = parts
            .iter()
            .map(|p| p.of_instance(instance, parallelism).unwrap());
        assign.restore(mine.collect()).unwrap();
        assign
            .watermarks
            .positions()
            .map(|(_, w)| w)
            .next()
            .unwrap()
    }

    #[test]
    fn each_instance_goes_on_where_it_was() {
        let times = [10, 20, 30];
        let mut parts = Vec::new();
        for (instance, time) in times.into_iter().enumerate() {
            for part in assign(instance, 3, time).snapshot().unwrap() {
                match part {
                    TableSnapshot::Part(part) => parts.push(*part),
                    TableSnapshot::Rows(_) => panic!("no table"),
                }
            }
        }
        for (instance, time) in times.into_iter().enumerate() {
            assert_eq!(restored(&parts, instance, 3), time);
        }
        assert_eq!(restored(&parts, 0, 1), 10, "the one that was least far");
    }
}
