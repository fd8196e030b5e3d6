//! Rows kept as state: one comparable, hashable value a row, in Arrow's row format.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use arrow::row::{OwnedRow, RowConverter, Rows, SortField};

use crate::error::{Error, Result};

/// Turns rows of one schema into values and back. Equal rows have equal values, whichever codec of the schema made them;
/// values order as their columns do, NULL first.
pub struct RowCodec {
    schema: SchemaRef,
    /// `None` where there are no columns: then all rows are the same.
    converter: Option<RowConverter>,
    empty: OwnedRow,
}

impl RowCodec {
    /// For rows of `schema`.
    ///
    /// # Errors
    /// Where a column type cannot be kept as state.
    pub fn new(schema: SchemaRef) -> Result<Self> {
        let fields: Vec<SortField> = schema
            .fields()
            .iter()
            .map(|f| SortField::new(f.data_type().clone()))
            .collect();
        let null = RowConverter::new(vec![SortField::new(arrow::datatypes::DataType::Null)])?;
        let empty = one_null(&null)?;
        let converter = if fields.is_empty() {
            None
        } else {
            Some(RowConverter::new(fields)?)
        };
        Ok(Self {
            schema,
            converter,
            empty,
        })
    }

    /// For the columns `columns` of `schema`, in that order.
    ///
    /// # Errors
    /// Where a column type cannot be kept as state.
    pub fn of_columns(schema: &SchemaRef, columns: &[usize]) -> Result<Self> {
        Self::new(Arc::new(schema.project(columns)?))
    }

    /// The rows' schema.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The values of rows given as columns.
    ///
    /// # Errors
    /// Where a column is of another type than the schema says.
    pub fn encode(&self, columns: &[ArrayRef], rows: usize) -> Result<Vec<OwnedRow>> {
        Ok(match &self.converter {
            None => vec![self.empty.clone(); rows],
            Some(converter) => owned(&converter.convert_columns(columns)?),
        })
    }

    /// The values of whole rows.
    ///
    /// # Errors
    /// Where a column is of another type than the schema says.
    pub fn encode_rows(&self, rows: &RecordBatch) -> Result<Vec<OwnedRow>> {
        self.encode(rows.columns(), rows.num_rows())
    }

    /// The values of the columns `columns` of rows.
    ///
    /// # Errors
    /// Where a column is of another type than the schema says.
    pub fn encode_columns(&self, rows: &RecordBatch, columns: &[usize]) -> Result<Vec<OwnedRow>> {
        let arrays: Vec<ArrayRef> = columns.iter().map(|c| rows.column(*c).clone()).collect();
        self.encode(&arrays, rows.num_rows())
    }

    /// The rows of values.
    ///
    /// # Errors
    /// Where a value is not of this schema.
    pub fn decode<'a>(
        &self,
        values: impl IntoIterator<Item = &'a OwnedRow>,
    ) -> Result<RecordBatch> {
        let values: Vec<&OwnedRow> = values.into_iter().collect();
        let columns = match &self.converter {
            None => Vec::new(),
            Some(converter) => converter.convert_rows(values.iter().map(|v| v.row()))?,
        };
        let options = RecordBatchOptions::new().with_row_count(Some(values.len()));
        Ok(RecordBatch::try_new_with_options(
            Arc::clone(&self.schema),
            columns,
            &options,
        )?)
    }
}

/// Rows with a column of whole numbers behind their own: such as when each was last written.
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

fn one_null(converter: &RowConverter) -> Result<OwnedRow> {
    let null: ArrayRef = Arc::new(arrow::array::NullArray::new(1));
    Ok(converter.convert_columns(&[null])?.row(0).owned())
}

fn owned(rows: &Rows) -> Vec<OwnedRow> {
    rows.iter().map(|r| r.owned()).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use arrow::array::{Int64Array, StringArray};

    #[test]
    fn rows_come_back_as_they_were_and_sort_by_column_null_first() {
        let a: ArrayRef = Arc::new(Int64Array::from(vec![Some(2), None, Some(1)]));
        let b: ArrayRef = Arc::new(StringArray::from(vec!["x", "y", "z"]));
        let rows =
            RecordBatch::try_from_iter_with_nullable([("a", a, true), ("b", b, true)]).unwrap();
        let codec = RowCodec::new(rows.schema()).unwrap();
        let mut values = codec.encode_rows(&rows).unwrap();
        assert_eq!(codec.decode(&values).unwrap(), rows);
        values.sort();
        let sorted = codec.decode(&values).unwrap();
        assert_eq!(
            sorted.column(1).as_ref(),
            &StringArray::from(vec!["y", "z", "x"])
        );
        let none = RowCodec::of_columns(&rows.schema(), &[]).unwrap();
        let keys = none.encode_columns(&rows, &[]).unwrap();
        assert_eq!(keys.len(), 3);
        assert_eq!(none.decode(&keys).unwrap().num_rows(), 3);
    }
}
