//! An array of one type to an array of another: which cast is made where; and of arrays, maps and rows, part by part.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, ListArray, MapArray, StructArray, new_null_array,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, exec_err};

use super::failures::Failures;
use super::types::Type;
use super::{Overflow, bytes, decimals, numbers, parse, print, texts, times};

/// Casts the values of an array; NULL stays NULL.
pub(super) fn convert(
    from: &Type,
    to: &Type,
    array: &ArrayRef,
    overflow: Overflow,
    failures: &mut Failures,
) -> Result<ArrayRef> {
    use Type::*;
    match (from, to) {
        (Null, to) => Ok(new_null_array(&to.arrow(), array.len())),
        (from, to) if from == to && *array.data_type() == to.arrow() => Ok(Arc::clone(array)),
        (from, to) if from.is_text() && to.is_text() => texts::to_length(array, from, to),
        (from, to) if from.is_text() && to.is_bytes() => bytes::of_text(array, to),
        (from, Boolean) if from.is_text() => parse::booleans(array, to, failures),
        (from, Float | Double) if from.is_text() => parse::floats(array, to, failures),
        (from, Decimal(..)) if from.is_text() => parse::decimals(array, to, failures),
        (from, to) if from.is_text() && to.is_number() => parse::wholes(array, to, failures),
        (from, to) if from.is_text() => parse::times(array, to, failures),
        (from, to) if from.is_bytes() && to.is_bytes() => bytes::to_length(array, from, to),
        (from, to) if to.is_text() => print::texts(array, from, to),
        (Boolean, to) => numbers::of_boolean(array, to),
        (from, Boolean) => numbers::to_boolean(array, from),
        (from, Decimal(..)) => decimals::of_number(array, from, to, failures),
        (Decimal(..), to) => decimals::to_number(array, from, to, overflow, failures),
        (from, to) if from.is_number() && to.is_number() => {
            numbers::between(array, from, to, overflow, failures)
        }
        (from, to) if times::is_time(from) && times::is_time(to) => {
            times::between(array, from, to, failures)
        }
        (Array(..) | Map(..) | Multiset(..) | Row(..), to) => {
            parts(array, from, to, overflow, failures)
        }
        (from, to) => exec_err!("CAST: {from} cannot be cast to {to}"),
    }
}

/// Casts the parts of arrays, maps and rows; a value whose part has no cast has none.
fn parts(
    array: &ArrayRef,
    from: &Type,
    to: &Type,
    overflow: Overflow,
    failures: &mut Failures,
) -> Result<ArrayRef> {
    match (from, to, to.arrow()) {
        (Type::Array(from), Type::Array(to), DataType::List(field)) => {
            let array = array.as_list::<i32>();
            let (items, offsets) = held(array.values(), array.offsets());
            let mut inner = failures.within();
            let items = convert(from, to, &items, overflow, &mut inner)?;
            pass_on(inner, &offsets, array.nulls(), failures);
            let array = ListArray::try_new(field, offsets, items, array.nulls().cloned())?;
            Ok(Arc::new(array))
        }
        (Type::Map(key, value), Type::Map(to_key, to_value), DataType::Map(field, _)) => {
            let pair = [(&**key, &**to_key), (&**value, &**to_value)];
            entries(array.as_map(), pair, field, overflow, failures)
        }
        (Type::Multiset(item), Type::Multiset(to_item), DataType::Map(field, _)) => {
            let pair = [(&**item, &**to_item), (&Type::Int, &Type::Int)];
            entries(array.as_map(), pair, field, overflow, failures)
        }
        (Type::Row(from), Type::Row(to), DataType::Struct(fields)) => {
            let array = array.as_struct();
            let mut columns = Vec::with_capacity(to.len());
            for ((column, (_, from)), (_, to)) in array.columns().iter().zip(from).zip(to) {
                let mut inner = failures.within();
                columns.push(convert(from, to, column, overflow, &mut inner)?);
                for (row, reason) in inner.into_all() {
                    if array.is_valid(row) {
                        failures.pass_on(row, reason);
                    }
                }
            }
            let nulls = array.nulls().cloned();
            let rows = StructArray::try_new_with_length(fields, columns, nulls, array.len())?;
            Ok(Arc::new(rows))
        }
        _ => exec_err!("CAST: {from} cannot be cast to {to}"),
    }
}

fn entries(
    array: &MapArray,
    pair: [(&Type, &Type); 2],
    field: FieldRef,
    overflow: Overflow,
    failures: &mut Failures,
) -> Result<ArrayRef> {
    let DataType::Struct(fields) = field.data_type() else {
        return exec_err!("CAST: a map without entries");
    };
    let mut columns = Vec::with_capacity(2);
    let mut offsets = array.offsets().clone();
    for (at, ((from, to), column)) in pair
        .into_iter()
        .zip([array.keys(), array.values()])
        .enumerate()
    {
        let (column, kept) = held(column, array.offsets());
        let mut inner = failures.within();
        let mut column = convert(from, to, &column, overflow, &mut inner)?;
        if at == 0 && column.null_count() > 0 {
            column = without_nulls(&column, to, &mut inner)?;
        }
        pass_on(inner, &kept, array.nulls(), failures);
        columns.push(column);
        offsets = kept;
    }
    let entries = StructArray::try_new(fields.clone(), columns, None)?;
    let nulls = array.nulls().cloned();
    Ok(Arc::new(MapArray::try_new(
        field, offsets, entries, nulls, false,
    )?))
}

/// The keys of a map, in which NULL (a DECIMAL that does not fit) is a failure and stands as another value.
fn without_nulls(keys: &ArrayRef, to: &Type, failures: &mut Failures) -> Result<ArrayRef> {
    for row in (0..keys.len()).filter(|row| keys.is_null(*row)) {
        failures.add(row, "the key of a map", to);
    }
    let data = keys.to_data().into_builder().nulls(None).build()?;
    Ok(datafusion::arrow::array::make_array(data))
}

/// The parts that a slice of arrays or maps holds, and their offsets from 0.
fn held(parts: &ArrayRef, offsets: &OffsetBuffer<i32>) -> (ArrayRef, OffsetBuffer<i32>) {
    let (Some(first), Some(last)) = (offsets.first(), offsets.last()) else {
        return (parts.slice(0, 0), OffsetBuffer::new_empty());
    };
    let (first, last) = (*first, *last);
    let lengths = offsets.windows(2).map(|w| (w[1] - w[0]) as usize);
    let parts = parts.slice(first as usize, (last - first) as usize);
    (parts, OffsetBuffer::from_lengths(lengths))
}

/// Failures of parts become failures of the rows that hold them.
fn pass_on(
    inner: Failures,
    offsets: &OffsetBuffer<i32>,
    nulls: Option<&NullBuffer>,
    failures: &mut Failures,
) {
    for (part, reason) in inner.into_all() {
        let row = offsets.partition_point(|from| *from as usize <= part) - 1;
        if nulls.is_none_or(|nulls| nulls.is_valid(row)) {
            failures.pass_on(row, reason);
        }
    }
}
