//! Rows with a number beside each.

use std::sync::Arc;

use arrow::array::{AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};

use crate::error::{Error, Result};

/// Rows with a column of whole numbers after their own: such as when each was last written.
///
/// # Errors
/// Where there are not as many numbers as rows.
pub fn with_numbers(rows: &RecordBatch, name: &str, numbers: Int64Array) -> Result<RecordBatch> {
    let mut fields = rows.schema().fields().to_vec();
    let mut columns = rows.columns().to_vec();
    fields.push(Arc::new(Field::new(name, DataType::Int64, true)));
    columns.push(Arc::new(numbers));
    Ok(RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        columns,
    )?)
}

/// The inverse of [`with_numbers`].
///
/// # Errors
/// Where the last column holds other values.
pub fn without_numbers(rows: &RecordBatch) -> Result<(RecordBatch, Int64Array)> {
    let width = rows.num_columns().saturating_sub(1);
    let own: Vec<usize> = (0..width).collect();
    let numbers = rows
        .columns()
        .last()
        .and_then(|c| c.as_primitive_opt::<Int64Type>());
    let numbers = numbers.ok_or_else(|| Error::internal("state without its last column"))?;
    Ok((rows.project(&own)?, numbers.clone()))
}
