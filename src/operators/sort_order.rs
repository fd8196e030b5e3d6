//! The order of rows by columns, as one comparable value a row.

use arrow::compute::SortOptions;
use arrow::datatypes::Schema;
use arrow::row::{RowConverter, SortField};

use crate::error::Result;
use crate::graph::SortColumn;

/// Makes values that compare as rows do in this order.
///
/// # Errors
/// Where a column type has no order.
pub fn sorter(order: &[SortColumn], schema: &Schema) -> Result<RowConverter> {
    let fields = order.iter().map(|c| {
        let options = SortOptions::new(c.descending, c.nulls_first);
        SortField::new_with_options(schema.field(c.column).data_type().clone(), options)
    });
    Ok(RowConverter::new(fields.collect())?)
}
