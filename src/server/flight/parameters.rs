//! The values of a prepared statement's parameters, as literals.

use arrow::array::{Array, ArrayRef, AsArray as _, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use tonic::Status;

use crate::sql::count_parameters;

/// The parameters of a statement. What type a value has is up to who gives it.
pub fn schema(sql: &str) -> Schema {
    let fields =
        (1..=count_parameters(sql)).map(|n| Field::new(n.to_string(), DataType::Null, true));
    Schema::new(fields.collect::<Vec<_>>())
}

/// The rows of values for the parameters of a statement, as literals.
pub fn literals(sql: &str, values: &[RecordBatch]) -> Result<Vec<Vec<String>>, Status> {
    let mut rows = Vec::new();
    for batch in values {
        check(sql, batch.num_columns())?;
        for row in 0..batch.num_rows() {
            let columns = batch.columns().iter();
            let row = columns.map(|column| literal(&column.slice(row, 1)));
            rows.push(row.collect::<Result<_, _>>()?);
        }
    }
    Ok(rows)
}

/// Whether a statement has so many parameters.
pub fn check(sql: &str, given: usize) -> Result<(), Status> {
    let wanted = count_parameters(sql);
    if wanted == given {
        return Ok(());
    }
    Err(Status::invalid_argument(format!(
        "the statement has {wanted} parameters, and {given} values are given"
    )))
}

/// The one value.
fn literal(value: &ArrayRef) -> Result<String, Status> {
    if value.data_type() == &DataType::Null || value.is_null(0) {
        return Ok("NULL".to_string());
    }
    let text = |value: &ArrayRef| {
        let formatter = ArrayFormatter::try_new(value.as_ref(), &FormatOptions::default());
        formatter.map(|formatter| formatter.value(0).to_string())
    };
    let shown = match value.data_type() {
        DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => text(value),
        DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            let double = cast(value, &DataType::Float64);
            double.map(|double| {
                let double = double
                    .as_primitive::<arrow::datatypes::Float64Type>()
                    .value(0);
                match double.is_finite() {
                    true => format!("{double:e}"),
                    false => format!("CAST('{double}' AS DOUBLE)"),
                }
            })
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            text(value).map(|text| format!("'{}'", text.replace('\'', "''")))
        }
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
            cast(value, &DataType::Binary).map(|bytes| {
                let bytes = bytes.as_binary::<i32>().value(0);
                let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
                format!("X'{}'", digits.collect::<String>())
            })
        }
        DataType::Date32 | DataType::Date64 => {
            cast(value, &DataType::Date32).and_then(|day| Ok(format!("DATE '{}'", text(&day)?)))
        }
        DataType::Timestamp(_, zone) => {
            let plain = DataType::Timestamp(TimeUnit::Nanosecond, None);
            let time = cast(value, &plain).and_then(|time| text(&time));
            let time = time.map(|time| format!("TIMESTAMP '{}'", time.replace('T', " ")));
            match zone {
                // An instant, as the session's zone shows it: UTC.
                Some(_) => time.map(|time| format!("CAST({time} AS TIMESTAMP_LTZ(9))")),
                None => time,
            }
        }
        DataType::Time32(_) | DataType::Time64(_) => {
            text(value).map(|time| format!("TIME '{time}'"))
        }
        other => {
            return Err(Status::invalid_argument(format!(
                "a parameter of type {other} cannot be given"
            )));
        }
    };
    shown.map_err(super::internal)
}
