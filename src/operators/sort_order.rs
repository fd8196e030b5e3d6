//! The order of rows by columns, as one comparable value a row.

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::SortOptions;
use arrow::datatypes::Schema;
use arrow::row::{RowConverter, Rows, SortField};

use crate::error::Result;
use crate::graph::SortColumn;

/// Makes values that compare as rows do in an order.
pub struct SortOrder {
    columns: Vec<usize>,
    /// `None`: all rows are equal.
    converter: Option<RowConverter>,
}

/// The sort key of each row of a batch.
pub struct SortKeys(Option<Rows>);

impl SortOrder {
    /// The order of rows of a schema; without columns all are equal.
    ///
    /// # Errors
    /// Where a column type has no order.
    pub fn new(order: &[SortColumn], schema: &Schema) -> Result<Self> {
        let fields = order.iter().map(|c| {
            let options = SortOptions::new(c.descending, c.nulls_first);
            SortField::new_with_options(schema.field(c.column).data_type().clone(), options)
        });
        let converter = (!order.is_empty()).then(|| RowConverter::new(fields.collect()));
        Ok(Self {
            columns: order.iter().map(|c| c.column).collect(),
            converter: converter.transpose()?,
        })
    }

    /// The order by all columns: only rows that are equal have equal sort keys.
    ///
    /// # Errors
    /// Where a column type has no order.
    pub fn by_all(schema: &Schema) -> Result<Self> {
        let by = |column| SortColumn {
            column,
            descending: false,
            nulls_first: true,
        };
        let order: Vec<SortColumn> = (0..schema.fields().len()).map(by).collect();
        Self::new(&order, schema)
    }

    /// The columns it is by.
    pub fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// The sort keys of rows.
    ///
    /// # Errors
    /// Rows of other types.
    pub fn keys(&self, rows: &RecordBatch) -> Result<SortKeys> {
        let columns = self.columns.iter().map(|c| rows.column(*c).clone());
        self.keys_of(&columns.collect::<Vec<_>>())
    }

    /// The sort keys of rows of which there are the columns that it is by.
    ///
    /// # Errors
    /// Columns of other types.
    pub fn keys_of(&self, columns: &[ArrayRef]) -> Result<SortKeys> {
        let converter = self.converter.as_ref();
        let rows = converter.map(|c| c.convert_columns(columns));
        Ok(SortKeys(rows.transpose()?))
    }
}

impl SortKeys {
    /// The sort key of a row.
    pub fn get(&self, row: usize) -> &[u8] {
        self.0.as_ref().map_or(&[], |rows| rows.row(row).data())
    }
}
