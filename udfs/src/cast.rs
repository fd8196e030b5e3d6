//! CAST(x AS STRING) of any type, as Flink prints values.

use datafusion::arrow::array::{Array, ArrayRef, new_null_array};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};

use crate::casts::{Type, print};
use crate::function::{Call, Function, Kind, Nulls, Takes};

/// `cast_to_string(x)`.
pub(crate) static CAST: Function = Function::new(
    "cast_to_string",
    Takes::Fixed(1, &[Kind::Any]),
    |_, _| Ok(DataType::Utf8),
    Nulls::Strict,
    cast,
);

fn cast(call: &Call) -> Result<ArrayRef> {
    let array = call.array(0);
    match array.data_type() {
        DataType::Utf8 => return call.full_array(0),
        DataType::Null => return Ok(new_null_array(&DataType::Utf8, call.rows)),
        _ => {}
    }
    let print = printer(array)?;
    let constant = call.is_constant(0);
    call.strings(|row, out| {
        let row = if constant { 0 } else { row };
        if array.is_null(row) {
            return Ok(false);
        }
        print(row, out)?;
        Ok(true)
    })
}

/// Prints the values of a column that are not NULL, as those of its Arrow type.
pub(crate) fn printer(array: &dyn Array) -> Result<print::Printer<'_>> {
    match Type::of(array.data_type()) {
        Some(kind) => print::printer(array, &kind),
        None => exec_err!("CAST: {} cannot be cast to STRING", array.data_type()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#[path = "cast_tests.rs"]
mod tests;
