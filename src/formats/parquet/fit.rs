//! What a column of a Parquet file is as a column of the table: which types fit, and how values are turned.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, ListArray, MapArray, PrimitiveArray, StructArray,
    new_null_array,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType, Field, Time32MillisecondType, Time32SecondType, Time64MicrosecondType,
    Time64NanosecondType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};

/// Says which part of a column's type `wanted` cannot hold what is `found` in a file.
///
/// # Errors
/// The two types at fault.
pub(super) fn check(found: &DataType, wanted: &DataType) -> Result<(), String> {
    use DataType as D;
    let fits = match (found, wanted) {
        (found, wanted) if found == wanted => true,
        (D::Null, _) => true,
        // An INT32 of Parquet is all the smaller numbers too; whether a value fits is seen when it comes.
        (D::Int8 | D::Int16 | D::Int32 | D::UInt8 | D::UInt16, to) => to.is_signed_integer(),
        (D::UInt32, D::Int64) | (D::Float32, D::Float64) => true,
        (D::Decimal128(p, s), D::Decimal128(precision, scale)) => {
            scale >= s && i16::from(*precision) - i16::from(*scale) >= i16::from(*p) - i16::from(*s)
        }
        (D::Utf8 | D::Binary | D::FixedSizeBinary(_), D::Utf8 | D::Binary) => true,
        (D::Time32(_) | D::Time64(_), D::Time32(_)) => true,
        (D::Timestamp(..), D::Timestamp(..)) => true,
        (D::List(found), D::List(wanted)) => return check(found.data_type(), wanted.data_type()),
        (D::Map(found, _), D::Map(wanted, _)) => {
            return match (found.data_type(), wanted.data_type()) {
                (D::Struct(found), D::Struct(wanted)) => found
                    .iter()
                    .zip(wanted)
                    .try_for_each(|(f, w)| check(f.data_type(), w.data_type())),
                _ => Err("a MAP without keys and values".to_string()),
            };
        }
        (D::Struct(found), D::Struct(wanted)) => {
            for field in wanted {
                match found.find(field.name()) {
                    Some((_, there)) => check(there.data_type(), field.data_type())
                        .map_err(|reason| format!("field '{}': {reason}", field.name()))?,
                    None if field.is_nullable() => {}
                    None => {
                        return Err(format!(
                            "the file has no field '{}', which is declared NOT NULL",
                            field.name()
                        ));
                    }
                }
            }
            true
        }
        _ => false,
    };
    if fits {
        Ok(())
    } else {
        Err(format!(
            "the file has {}, which does not fit the declared {}",
            name(found),
            name(wanted)
        ))
    }
}

/// A type as Flink names it, where it has one.
pub(super) fn name(data_type: &DataType) -> String {
    let digits = |unit: &TimeUnit| match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    };
    match data_type {
        DataType::Boolean => "BOOLEAN".to_string(),
        DataType::Int8 => "TINYINT".to_string(),
        DataType::Int16 => "SMALLINT".to_string(),
        DataType::Int32 => "INT".to_string(),
        DataType::Int64 => "BIGINT".to_string(),
        DataType::Float32 => "FLOAT".to_string(),
        DataType::Float64 => "DOUBLE".to_string(),
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            format!("DECIMAL({precision}, {scale})")
        }
        DataType::Utf8 => "STRING".to_string(),
        DataType::Binary | DataType::FixedSizeBinary(_) => "BYTES".to_string(),
        DataType::Date32 => "DATE".to_string(),
        DataType::Time32(unit) | DataType::Time64(unit) => format!("TIME({})", digits(unit)),
        DataType::Timestamp(unit, None) => format!("TIMESTAMP({})", digits(unit)),
        DataType::Timestamp(unit, Some(_)) => format!("TIMESTAMP_LTZ({})", digits(unit)),
        DataType::List(_) => "ARRAY".to_string(),
        DataType::Map(..) => "MAP".to_string(),
        DataType::Struct(_) => "ROW".to_string(),
        other => other.to_string(),
    }
}

/// A column as `wanted` says, its type having passed [`check`].
///
/// # Errors
/// The first value that does not fit.
pub(super) fn convert(array: &ArrayRef, wanted: &Field) -> Result<ArrayRef, String> {
    use DataType as D;
    let (found, to) = (array.data_type(), wanted.data_type());
    let converted: ArrayRef = match (found, to) {
        (found, to) if found == to => Arc::clone(array),
        (D::Null, to) => new_null_array(to, array.len()),
        (D::Time32(_) | D::Time64(_), D::Time32(unit)) => time(array, *unit)?,
        (D::Timestamp(..), D::Timestamp(unit, zone)) => timestamp(array, *unit, zone.clone())?,
        (D::List(_), D::List(item)) => {
            let list = array.as_list::<i32>();
            let values = convert(list.values(), item)?;
            let (offsets, nulls) = (list.offsets().clone(), list.nulls().cloned());
            let list = ListArray::try_new(Arc::clone(item), offsets, values, nulls);
            Arc::new(list.map_err(|e| e.to_string())?)
        }
        (D::Map(..), D::Map(entries, sorted)) => {
            let map = array.as_map();
            let D::Struct(fields) = entries.data_type() else {
                return Err("a MAP without keys and values".to_string());
            };
            let columns = [map.keys(), map.values()]
                .into_iter()
                .zip(fields)
                .map(|(array, field)| convert(array, field))
                .collect::<Result<Vec<_>, _>>()?;
            let parts = StructArray::try_new(fields.clone(), columns, None)
                .map_err(|_| "a key of a MAP is NULL".to_string())?;
            let (offsets, nulls) = (map.offsets().clone(), map.nulls().cloned());
            let map = MapArray::try_new(Arc::clone(entries), offsets, parts, nulls, *sorted);
            Arc::new(map.map_err(|e| e.to_string())?)
        }
        (D::Struct(_), D::Struct(fields)) => {
            let row = array.as_struct();
            let columns = fields
                .iter()
                .map(|field| match row.column_by_name(field.name()) {
                    Some(part) => convert(part, &field.as_ref().clone().with_nullable(true))
                        .map_err(|reason| format!("field '{}': {reason}", field.name())),
                    None => Ok(new_null_array(field.data_type(), row.len())),
                })
                .collect::<Result<Vec<_>, _>>()?;
            let nulls = row.nulls().cloned();
            let row = StructArray::try_new_with_length(fields.clone(), columns, nulls, row.len());
            Arc::new(row.map_err(|_| "a field that is declared NOT NULL is NULL".to_string())?)
        }
        _ => {
            let strict = CastOptions {
                safe: false,
                ..CastOptions::default()
            };
            // `check` let only such casts through that lose nothing.
            let between = match (found, to) {
                (D::FixedSizeBinary(_), D::Utf8) => cast_with_options(array, &D::Binary, &strict),
                _ => Ok(Arc::clone(array)),
            };
            between
                .and_then(|array| cast_with_options(&array, to, &strict))
                .map_err(|_| format!("a value is no {}", name(to)))?
        }
    };
    if !wanted.is_nullable() && converted.null_count() > 0 {
        return Err("a value is NULL, but declared NOT NULL".to_string());
    }
    Ok(converted)
}

/// How many of a unit there are in a second.
fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// The number in another unit: finer digits are cut off, towards the past.
fn rescale(value: i64, from: TimeUnit, to: TimeUnit) -> Option<i64> {
    let (from, to) = (per_second(from), per_second(to));
    if to >= from {
        value.checked_mul(to / from)
    } else {
        Some(value.div_euclid(from / to))
    }
}

fn time(array: &ArrayRef, to: TimeUnit) -> Result<ArrayRef, String> {
    macro_rules! between {
        ($from:ty, $to:ty, $from_unit:expr) => {
            mapped::<$from, $to>(array, |value| {
                i32::try_from(rescale(i64::from(value), $from_unit, to)?).ok()
            })?
        };
    }
    use TimeUnit as U;
    Ok(match (array.data_type(), to) {
        (DataType::Time32(U::Second), U::Second) => Arc::clone(array),
        (DataType::Time32(U::Second), _) => {
            between!(Time32SecondType, Time32MillisecondType, U::Second)
        }
        (DataType::Time32(_), U::Second) => {
            between!(Time32MillisecondType, Time32SecondType, U::Millisecond)
        }
        (DataType::Time32(_), _) => Arc::clone(array),
        (DataType::Time64(U::Microsecond), U::Second) => {
            between!(Time64MicrosecondType, Time32SecondType, U::Microsecond)
        }
        (DataType::Time64(U::Microsecond), _) => {
            between!(Time64MicrosecondType, Time32MillisecondType, U::Microsecond)
        }
        (_, U::Second) => between!(Time64NanosecondType, Time32SecondType, U::Nanosecond),
        (_, _) => between!(Time64NanosecondType, Time32MillisecondType, U::Nanosecond),
    })
}

fn timestamp(array: &ArrayRef, to: TimeUnit, zone: Option<Arc<str>>) -> Result<ArrayRef, String> {
    macro_rules! from {
        ($from:ty, $unit:expr) => {{
            let rescaled = |value| rescale(value, $unit, to);
            match to {
                TimeUnit::Second => {
                    zoned(mapped::<$from, TimestampSecondType>(array, rescaled)?, zone)
                }
                TimeUnit::Millisecond => zoned(
                    mapped::<$from, TimestampMillisecondType>(array, rescaled)?,
                    zone,
                ),
                TimeUnit::Microsecond => zoned(
                    mapped::<$from, TimestampMicrosecondType>(array, rescaled)?,
                    zone,
                ),
                TimeUnit::Nanosecond => zoned(
                    mapped::<$from, TimestampNanosecondType>(array, rescaled)?,
                    zone,
                ),
            }
        }};
    }
    match array.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => from!(TimestampSecondType, TimeUnit::Second),
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            from!(TimestampMillisecondType, TimeUnit::Millisecond)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            from!(TimestampMicrosecondType, TimeUnit::Microsecond)
        }
        _ => from!(TimestampNanosecondType, TimeUnit::Nanosecond),
    }
}

/// The same points in time, said to be of a zone or of none: both are UTC.
fn zoned(array: ArrayRef, zone: Option<Arc<str>>) -> Result<ArrayRef, String> {
    let DataType::Timestamp(unit, _) = array.data_type() else {
        return Ok(array);
    };
    let data = array.to_data().into_builder();
    let data = data.data_type(DataType::Timestamp(*unit, zone));
    Ok(arrow::array::make_array(
        data.build().map_err(|e| e.to_string())?,
    ))
}

fn mapped<F, T>(
    array: &ArrayRef,
    map: impl Fn(F::Native) -> Option<T::Native>,
) -> Result<ArrayRef, String>
where
    F: ArrowPrimitiveType,
    T: ArrowPrimitiveType,
    F::Native: Copy + std::fmt::Debug,
{
    let values = array.as_primitive::<F>();
    let mapped: PrimitiveArray<T> = values.try_unary(|value| {
        map(value).ok_or_else(|| {
            format!(
                "the {} of {value:?} does not fit the declared one",
                name(array.data_type())
            )
        })
    })?;
    Ok(Arc::new(mapped))
}
