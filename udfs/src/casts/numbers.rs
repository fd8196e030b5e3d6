//! Whole numbers, FLOAT, DOUBLE and BOOLEAN: Java's conversions.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use datafusion::arrow::buffer::BooleanBuffer;
use datafusion::arrow::datatypes::{
    ArrowPrimitiveType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type,
};
use datafusion::common::{Result, exec_err};

use super::Overflow;
use super::failures::Failures;
use super::types::Type;
use super::values::{all, each, typed};
use crate::decimal::power_of_ten;

/// Between whole numbers, FLOAT and DOUBLE.
pub(super) fn between(
    array: &ArrayRef,
    from: &Type,
    to: &Type,
    overflow: Overflow,
    failures: &mut Failures,
) -> Result<ArrayRef> {
    /// From a whole number: bits are cut off.
    macro_rules! of_whole {
        ($s:ty) => {
            match to {
                Type::TinyInt => all::<$s, Int8Type>(array, to, |v| v as i8),
                Type::SmallInt => all::<$s, Int16Type>(array, to, |v| v as i16),
                Type::Int => all::<$s, Int32Type>(array, to, |v| v as i32),
                Type::BigInt => all::<$s, Int64Type>(array, to, |v| i64::from(v)),
                Type::Float => all::<$s, Float32Type>(array, to, |v| v as f32),
                _ => all::<$s, Float64Type>(array, to, |v| v as f64),
            }
        };
    }
    /// From a FLOAT or DOUBLE: NaN is 0, INT and BIGINT stop at their ends, the smaller ones cut bits off an INT.
    macro_rules! of_float {
        ($s:ty) => {
            match to {
                Type::TinyInt => all::<$s, Int8Type>(array, to, |v| v as i32 as i8),
                Type::SmallInt => all::<$s, Int16Type>(array, to, |v| v as i32 as i16),
                Type::Int => all::<$s, Int32Type>(array, to, |v| v as i32),
                Type::BigInt => all::<$s, Int64Type>(array, to, |v| v as i64),
                Type::Float => all::<$s, Float32Type>(array, to, |v| v as f32),
                _ => all::<$s, Float64Type>(array, to, |v| f64::from(v)),
            }
        };
    }
    if overflow == Overflow::Error && to.whole_digits().is_some() {
        return checked(array, from, to, failures);
    }
    Ok(match from {
        Type::TinyInt => of_whole!(Int8Type),
        Type::SmallInt => of_whole!(Int16Type),
        Type::Int => of_whole!(Int32Type),
        Type::BigInt => of_whole!(Int64Type),
        Type::Float => of_float!(Float32Type),
        Type::Double => of_float!(Float64Type),
        other => return exec_err!("CAST: {other} is no number"),
    })
}

/// To a whole number, where one that does not fit has no cast.
fn checked(array: &ArrayRef, from: &Type, to: &Type, failures: &mut Failures) -> Result<ArrayRef> {
    macro_rules! whole {
        ($s:ty) => {
            to_whole::<$s>(array, to, failures, |v| Some(i64::from(v)))
        };
    }
    match from {
        Type::TinyInt => whole!(Int8Type),
        Type::SmallInt => whole!(Int16Type),
        Type::Int => whole!(Int32Type),
        Type::BigInt => whole!(Int64Type),
        Type::Float => to_whole::<Float32Type>(array, to, failures, |v| floor(f64::from(v))),
        Type::Double => to_whole::<Float64Type>(array, to, failures, floor),
        other => exec_err!("CAST: {other} is no number"),
    }
}

/// The whole number of a DOUBLE, if BIGINT holds it; 0 for NaN.
fn floor(value: f64) -> Option<i64> {
    let limit = -(i64::MIN as f64);
    (value.is_nan() || (-limit..limit).contains(&value)).then_some(value as i64)
}

/// To a type of whole numbers by way of BIGINT, where what does not fit has no cast.
pub(super) fn to_whole<S: ArrowPrimitiveType>(
    array: &ArrayRef,
    to: &Type,
    failures: &mut Failures,
    wide: impl Fn(S::Native) -> Option<i64>,
) -> Result<ArrayRef>
where
    S::Native: std::fmt::Display,
{
    macro_rules! narrow {
        ($t:ty) => {
            each::<S, $t>(array, to, |row, value| {
                let fit = wide(value).and_then(|v| v.try_into().ok());
                if fit.is_none() {
                    failures.add(row, value, to);
                }
                fit
            })
        };
    }
    Ok(match to {
        Type::TinyInt => narrow!(Int8Type),
        Type::SmallInt => narrow!(Int16Type),
        Type::Int => narrow!(Int32Type),
        Type::BigInt => narrow!(Int64Type),
        other => return exec_err!("CAST: {other} is no type of whole numbers"),
    })
}

/// TRUE is 1, FALSE 0.
pub(super) fn of_boolean(array: &ArrayRef, to: &Type) -> Result<ArrayRef> {
    let array = array.as_boolean();
    macro_rules! numbers {
        ($t:ty, $one:expr) => {{
            let one = |v: bool| if v { $one } else { Default::default() };
            let values = array.values().iter().map(one).collect();
            typed(PrimitiveOf::<$t>::new(values, array.nulls().cloned()), to)
        }};
    }
    Ok(match to {
        Type::TinyInt => numbers!(Int8Type, 1),
        Type::SmallInt => numbers!(Int16Type, 1),
        Type::Int => numbers!(Int32Type, 1),
        Type::BigInt => numbers!(Int64Type, 1),
        Type::Float => numbers!(Float32Type, 1.0),
        Type::Double => numbers!(Float64Type, 1.0),
        Type::Decimal(precision, scale) => {
            let one = (precision > scale).then(|| power_of_ten(i64::from(*scale)));
            let numbers = array.iter().map(|v| if v? { one } else { Some(0) });
            typed(numbers.collect::<PrimitiveOf<Decimal128Type>>(), to)
        }
        other => return exec_err!("CAST: BOOLEAN cannot be cast to {other}"),
    })
}

type PrimitiveOf<T> = datafusion::arrow::array::PrimitiveArray<T>;

/// All but 0 is TRUE, NaN too.
pub(super) fn to_boolean(array: &ArrayRef, from: &Type) -> Result<ArrayRef> {
    macro_rules! nonzero {
        ($s:ty) => {{
            let zero = <$s as ArrowPrimitiveType>::Native::default();
            let values = array.as_primitive::<$s>().values();
            BooleanBuffer::collect_bool(values.len(), |i| values[i] != zero)
        }};
    }
    let values = match from {
        Type::TinyInt => nonzero!(Int8Type),
        Type::SmallInt => nonzero!(Int16Type),
        Type::Int => nonzero!(Int32Type),
        Type::BigInt => nonzero!(Int64Type),
        Type::Float => nonzero!(Float32Type),
        Type::Double => nonzero!(Float64Type),
        Type::Decimal(..) => nonzero!(Decimal128Type),
        other => return exec_err!("CAST: {other} cannot be cast to BOOLEAN"),
    };
    Ok(Arc::new(BooleanArray::new(values, array.nulls().cloned())))
}
