//! Rows that came too late: counted, and handed out as rows of `flowline.late_rows`.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Int64Array, RecordBatch, StringArray, StringBuilder, UInt32Array,
};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, TimestampMillisecondType};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::DateTime;

use super::{Metrics, Output};
use crate::changelog::Batch;
use crate::error::{Error, Result};
use crate::graph::{Aside, late_rows_schema};
use crate::time::Millis;

/// The watermark by which it is too late for what must come before the watermark is at `last`: the one the row was `behind`
/// where it came from, else the operator's `own`. `None`: it is not too late.
pub fn too_late(last: Millis, behind: Option<Millis>, own: Millis) -> Option<Millis> {
    behind
        .filter(|watermark| last <= *watermark)
        .or((last <= own).then_some(own))
}

/// The late rows of a batch.
#[derive(Debug, Default)]
pub struct LateRows {
    rows: Vec<Late>,
}

#[derive(Debug)]
struct Late {
    /// Its index in the batch.
    row: u32,
    watermark: Millis,
    reason: Reason,
}

/// What a row was too late for.
#[derive(Debug, Clone, Copy)]
pub enum Reason {
    /// Its time.
    Time(Millis),
    /// The end of its window.
    Window(Millis),
    /// Its time, and the end its session would have had.
    Session(Millis, Millis),
}

impl LateRows {
    /// A row of the batch was late by this watermark.
    pub fn add(&mut self, row: usize, watermark: Millis, reason: Reason) {
        self.rows.push(Late {
            row: row as u32,
            watermark,
            reason,
        });
    }

    /// Whether there are any.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Counts the rows and hands them out. `operator`: the name of the node, as EXPLAIN has it.
    ///
    /// # Errors
    /// Where a value cannot be shown.
    pub fn hand_out(
        self,
        operator: &str,
        batch: &Batch,
        metrics: &Metrics,
        out: &mut Output,
    ) -> Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        metrics.count_late(self.rows.len());
        let indices = UInt32Array::from_iter_values(self.rows.iter().map(|late| late.row));
        let shown = as_json(&take_record_batch(&batch.rows, &indices)?)?;
        let times: Int64Array = self.rows.iter().map(|late| late.reason.time()).collect();
        let watermarks = self.rows.iter().map(|late| late.watermark);
        let watermarks: Int64Array = watermarks.map(|w| shown_time(w).and(Some(w))).collect();
        let reason = |late: &Late| {
            let goes = batch.weight(late.row as usize) < 0;
            let retraction = if goes { "a retraction: " } else { "" };
            format!(
                "{retraction}{} and the watermark {}",
                late.reason,
                past(late.watermark)
            )
        };
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(vec![operator; self.rows.len()])),
            Arc::new(times.reinterpret_cast::<TimestampMillisecondType>()),
            Arc::new(watermarks.reinterpret_cast::<TimestampMillisecondType>()),
            Arc::new(StringArray::from_iter_values(self.rows.iter().map(reason))),
            Arc::new(shown),
        ];
        let rows = RecordBatch::try_new(late_rows_schema(), columns)?;
        metrics.keep_late(&rows);
        out.aside(Aside::LateRows, rows);
        Ok(())
    }
}

impl Reason {
    fn time(self) -> Option<Millis> {
        match self {
            Self::Time(time) | Self::Session(time, _) => Some(time),
            Self::Window(_) => None,
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |time: &Millis| shown_time(*time).unwrap_or_else(|| time.to_string());
        match self {
            Self::Time(time) => write!(f, "it is at {}", shown(time)),
            Self::Window(end) => write!(f, "its window ended at {}", shown(end)),
            Self::Session(_, end) => write!(f, "its session would have ended at {}", shown(end)),
        }
    }
}

fn past(watermark: Millis) -> String {
    match shown_time(watermark) {
        Some(time) => format!("was {time}"),
        None => "was past the end of the input".to_string(),
    }
}

/// As in `2026-01-01T00:05:00`; `None` where no calendar reaches so far.
fn shown_time(time: Millis) -> Option<String> {
    let time = DateTime::from_timestamp_millis(time)?.naive_utc();
    Some(time.format("%Y-%m-%dT%H:%M:%S%.f").to_string())
}

/// Each row as a JSON object: numbers and booleans as such, everything else as the text it is shown as.
pub(super) fn as_json(rows: &RecordBatch) -> Result<StringArray> {
    let failed = |e| Error::internal(format!("a value cannot be written as JSON: {e}"));
    let quoted = |text: &str| serde_json::to_string(text).map_err(failed);
    let options = FormatOptions::default();
    let schema = rows.schema();
    let mut columns = Vec::with_capacity(rows.num_columns());
    for (field, column) in schema.fields().iter().zip(rows.columns()) {
        let formatter = ArrayFormatter::try_new(column, &options)?;
        columns.push((quoted(field.name())?, column.logical_nulls(), formatter));
    }
    let mut objects = StringBuilder::new();
    for row in 0..rows.num_rows() {
        let mut object = String::from("{");
        for (c, (name, nulls, formatter)) in columns.iter().enumerate() {
            if c > 0 {
                object.push(',');
            }
            object += name;
            object.push(':');
            if nulls.as_ref().is_some_and(|n| n.is_null(row)) {
                object += "null";
                continue;
            }
            let text = formatter.value(row).try_to_string()?;
            let data_type = schema.field(c).data_type();
            // NaN and the infinities are numbers that JSON does not have.
            let is_plain = data_type == &DataType::Boolean
                || (data_type.is_numeric()
                    && serde_json::from_str::<serde_json::Number>(&text).is_ok());
            object += &if is_plain { text } else { quoted(&text)? };
        }
        object.push('}');
        objects.append_value(object);
    }
    Ok(objects.finish())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::Element;
    use super::super::testing::*;
    use arrow::datatypes::Field;

    use super::*;
    use arrow::array::{
        AsArray, BinaryArray, Decimal128Array, Float64Array, ListArray, StructArray,
    };
    use arrow::datatypes::Int64Type;
    use std::sync::atomic::Ordering;

    fn handed_out(late: LateRows, batch: &Batch) -> Vec<RecordBatch> {
        let (metrics, mut out) = (Metrics::default(), Output::default());
        let n = late.rows.len();
        late.hand_out("Node", batch, &metrics, &mut out).unwrap();
        assert_eq!(metrics.late_rows.load(Ordering::Relaxed), n as u64);
        let aside = |e| match e {
            Element::Aside(Aside::LateRows, rows) => rows,
            other => unreachable!("{other:?}"),
        };
        out.elements.into_iter().map(aside).collect()
    }

    fn texts(rows: &RecordBatch, column: usize) -> Vec<&str> {
        rows.column(column)
            .as_string::<i32>()
            .iter()
            .map(Option::unwrap)
            .collect()
    }

    #[test]
    fn late_rows_say_what_they_were_too_late_for() {
        let schema = schema(&["k", "t", "m"]);
        let all = rows(&schema, &[[1, 1500, 0], [2, 2000, 1], [3, 1, 1], [4, 5, 0]]);
        let all = weighted(all, &[1, 1, -1, 1]);
        assert!(handed_out(LateRows::default(), &all).is_empty());
        let mut late = LateRows::default();
        late.add(0, 3500, Reason::Time(1500));
        late.add(2, 300_000, Reason::Window(300_000));
        late.add(3, Millis::MAX, Reason::Session(5, 10));
        let got = handed_out(late, &all);
        assert_eq!(got.len(), 1);
        assert_eq!(got[0].schema(), late_rows_schema());
        assert_eq!(texts(&got[0], 0), ["Node"; 3]);
        let millis = |c: usize| {
            let column = arrow::compute::cast(got[0].column(c), &DataType::Int64).unwrap();
            column
                .as_primitive::<Int64Type>()
                .iter()
                .collect::<Vec<_>>()
        };
        assert_eq!(millis(1), [Some(1500), None, Some(5)]);
        assert_eq!(millis(2), [Some(3500), Some(300_000), None]);
        let reasons = [
            "it is at 1970-01-01T00:00:01.500 and the watermark was 1970-01-01T00:00:03.500",
            "a retraction: its window ended at 1970-01-01T00:05:00 and the watermark was 1970-01-01T00:05:00",
            "its session would have ended at 1970-01-01T00:00:00.010 and the watermark was past the end of the input",
        ];
        assert_eq!(texts(&got[0], 3), reasons);
        let shown = [
            r#"{"k":1,"t":"1970-01-01T00:00:01.500","m":false}"#,
            r#"{"k":3,"t":"1970-01-01T00:00:00.001","m":true}"#,
            r#"{"k":4,"t":"1970-01-01T00:00:00.005","m":false}"#,
        ];
        assert_eq!(texts(&got[0], 4), shown);
    }

    #[test]
    fn every_type_is_shown_as_json_that_can_be_read() {
        let int = |v: i64| -> ArrayRef { Arc::new(Int64Array::from(vec![v])) };
        let inner = Arc::new(Field::new("x", DataType::Int64, true));
        let decimal = Decimal128Array::from(vec![Some(-1230), None]);
        let decimal = decimal.with_precision_and_scale(10, 2).unwrap();
        let list = ListArray::from_iter_primitive::<Int64Type, _, _>(vec![
            Some(vec![Some(1), None]),
            None,
        ]);
        let nested = StructArray::from(vec![(inner, int(7))]);
        let nested = arrow::compute::concat(&[&nested, &nested]).unwrap();
        let columns: Vec<(&str, ArrayRef)> = vec![
            (
                "a \"name\"",
                Arc::new(StringArray::from(vec![Some("a\n\"b\""), None])),
            ),
            ("d", Arc::new(decimal)),
            ("f", Arc::new(Float64Array::from(vec![1e300, f64::NAN]))),
            (
                "b",
                Arc::new(BinaryArray::from(vec![&b"\x01\xff"[..], b""])),
            ),
            ("l", Arc::new(list)),
            ("s", nested),
            ("n", Arc::new(arrow::array::NullArray::new(2))),
        ];
        let rows = RecordBatch::try_from_iter(columns).unwrap();
        let shown = as_json(&rows).unwrap();
        let first: serde_json::Value = serde_json::from_str(shown.value(0)).unwrap();
        assert_eq!(first["a \"name\""], "a\n\"b\"");
        assert!(shown.value(0).contains(r#""d":-12.30,"#));
        assert_eq!(first["f"], 1e300);
        assert_eq!(
            (&first["b"], &first["l"]),
            (&"01ff".into(), &"[1, ]".into())
        );
        assert_eq!(first["s"], "{x: 7}");
        let second: serde_json::Value = serde_json::from_str(shown.value(1)).unwrap();
        assert!(second["d"].is_null() && second["n"].is_null() && second["l"].is_null());
        assert_eq!(second["f"], "NaN");
    }

    #[test]
    fn the_row_s_own_watermark_is_named_before_the_operator_s() {
        assert_eq!(too_late(10, Some(10), 20), Some(10));
        assert_eq!(too_late(10, Some(9), 20), Some(20));
        assert_eq!(too_late(10, None, 10), Some(10));
        assert_eq!(too_late(10, Some(9), 9), None);
    }
}
