//! Bytes of a length: cut to it, and padded with zeros for BINARY.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder};
use datafusion::common::{Result, exec_err};

use super::types::Type;

/// Text to its UTF-8 bytes.
pub(super) fn of_text(array: &ArrayRef, to: &Type) -> Result<ArrayRef> {
    let bytes: ArrayRef = Arc::new(BinaryArray::from(array.as_string::<i32>().clone()));
    to_length(&bytes, &Type::Bytes, to)
}

/// Bytes to bytes of another length.
pub(super) fn to_length(array: &ArrayRef, from: &Type, to: &Type) -> Result<ArrayRef> {
    let longest = |kind: &Type| match kind {
        Type::Binary(n) | Type::Varbinary(n) => *n,
        _ => u32::MAX,
    };
    let size = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    let most = size(longest(to));
    let least = if let Type::Binary(n) = to {
        size(*n)
    } else {
        0
    };
    if least == 0 && longest(from) <= longest(to) {
        return Ok(Arc::clone(array));
    }
    let array = array.as_binary::<i32>();
    let mut builder = BinaryBuilder::with_capacity(array.len(), array.value_data().len());
    let mut total = 0;
    let mut padded = Vec::new();
    for value in array {
        let Some(value) = value else {
            builder.append_null();
            continue;
        };
        let value = &value[..value.len().min(most)];
        total += value.len().max(least);
        if total > i32::MAX as usize {
            return exec_err!(
                "CAST: the bytes of one batch exceed 2 GiB; ask for smaller batches (batch-rows)"
            );
        }
        if value.len() >= least {
            builder.append_value(value);
        } else {
            padded.clear();
            padded.extend_from_slice(value);
            padded.resize(least, 0);
            builder.append_value(&padded);
        }
    }
    Ok(Arc::new(builder.finish()))
}
