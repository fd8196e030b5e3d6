//! Functions of numbers that keep their argument's type, and those of real numbers in DOUBLE.

use datafusion::arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use datafusion::arrow::datatypes::{
    ArrowPrimitiveType, DataType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type,
};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};

use crate::decimal::{Decimals, Rounding, drop_digits, power_of_ten, round_to, rounded_type};
use crate::function::{Call, Function, Kind, Nulls, Takes};
use crate::integers::with_integers;
use crate::round::{round_double, truncate_double};
use crate::temporal;

const DOUBLE: fn(&[DataType], &[Option<&ScalarValue>]) -> Result<DataType> =
    |_, _| Ok(DataType::Float64);

const fn real(name: &'static str, eval: fn(&Call) -> Result<ArrayRef>) -> Function {
    Function::new(
        name,
        Takes::Fixed(1, &[Kind::Double]),
        DOUBLE,
        Nulls::Strict,
        eval,
    )
}

/// The functions of this file.
pub(crate) static FUNCTIONS: &[Function] = &[
    Function::new(
        "round",
        Takes::Fixed(1, &[Kind::Number, Kind::Int]),
        places_type,
        Nulls::Strict,
        |call| round(call, Rounding::HalfUp),
    )
    .fails(),
    Function::new(
        "truncate",
        Takes::Fixed(1, &[Kind::Number, Kind::Int]),
        places_type,
        Nulls::Strict,
        |call| round(call, Rounding::Down),
    )
    .fails(),
    Function::new(
        "floor",
        Takes::Fixed(1, &[Kind::NumberOrTime, Kind::Text]),
        whole_type,
        Nulls::Strict,
        |call| to_whole(call, false),
    )
    .fails(),
    Function::new(
        "ceil",
        Takes::Fixed(1, &[Kind::NumberOrTime, Kind::Text]),
        whole_type,
        Nulls::Strict,
        |call| to_whole(call, true),
    )
    .fails()
    .alias(&["ceiling"]),
    Function::new(
        "abs",
        Takes::Fixed(1, &[Kind::Number]),
        |types, _| Ok(types[0].clone()),
        Nulls::Strict,
        abs,
    ),
    Function::new(
        "sign",
        Takes::Fixed(1, &[Kind::Number]),
        |types, _| Ok(types[0].clone()),
        Nulls::Strict,
        sign,
    )
    .fails(),
    Function::new(
        "mod",
        Takes::Fixed(2, &[Kind::Number, Kind::Number]),
        mod_type,
        Nulls::Strict,
        modulo,
    )
    .fails(),
    Function::new(
        "power",
        Takes::Fixed(2, &[Kind::Double, Kind::Double]),
        DOUBLE,
        Nulls::Strict,
        |call| reals2(call, f64::powf),
    ),
    Function::new(
        "log",
        Takes::Fixed(1, &[Kind::Double, Kind::Double]),
        DOUBLE,
        Nulls::Strict,
        |call| match call.len() {
            1 => reals(call, f64::ln),
            _ => reals2(call, |base, x| x.ln() / base.ln()),
        },
    ),
    real("sqrt", |call| reals(call, f64::sqrt)),
    real("ln", |call| reals(call, f64::ln)),
    real("log10", |call| reals(call, f64::log10)),
    real("log2", |call| {
        reals(call, |x| x.ln() / std::f64::consts::LN_2)
    }),
    real("exp", |call| reals(call, f64::exp)),
    real("sin", |call| reals(call, f64::sin)),
    real("cos", |call| reals(call, f64::cos)),
    real("tan", |call| reals(call, f64::tan)),
    real("cot", |call| reals(call, |x| 1.0 / x.tan())),
    real("asin", |call| reals(call, f64::asin)),
    real("acos", |call| reals(call, f64::acos)),
    real("atan", |call| reals(call, f64::atan)),
    real("sinh", |call| reals(call, f64::sinh)),
    real("cosh", |call| reals(call, f64::cosh)),
    real("tanh", |call| reals(call, f64::tanh)),
    real("degrees", |call| reals(call, f64::to_degrees)),
    real("radians", |call| reals(call, f64::to_radians)),
    Function::new(
        "atan2",
        Takes::Fixed(2, &[Kind::Double, Kind::Double]),
        DOUBLE,
        Nulls::Strict,
        |call| reals2(call, f64::atan2),
    ),
    Function::new("pi", Takes::Fixed(0, &[]), DOUBLE, Nulls::Never, |call| {
        call.values::<Float64Type>(|_| Ok(Some(std::f64::consts::PI)))
    }),
    Function::new("e", Takes::Fixed(0, &[]), DOUBLE, Nulls::Never, |call| {
        call.values::<Float64Type>(|_| Ok(Some(std::f64::consts::E)))
    }),
];

fn reals(call: &Call, f: fn(f64) -> f64) -> Result<ArrayRef> {
    let x = call.doubles(0)?;
    call.values::<Float64Type>(|row| Ok(x.get(row).map(f)))
}

fn reals2(call: &Call, f: fn(f64, f64) -> f64) -> Result<ArrayRef> {
    let (x, y) = (call.doubles(0)?, call.doubles(1)?);
    call.values::<Float64Type>(|row| match (x.get(row), y.get(row)) {
        (Some(x), Some(y)) => Ok(Some(f(x, y))),
        _ => Ok(None),
    })
}

/// The type of ROUND and TRUNCATE.
fn places_type(types: &[DataType], scalars: &[Option<&ScalarValue>]) -> Result<DataType> {
    let DataType::Decimal128(precision, scale) = &types[0] else {
        return Ok(types[0].clone());
    };
    let places = match (types.len(), scalars.get(1)) {
        (1, _) => Some(0),
        (_, Some(Some(ScalarValue::Int64(Some(places))))) => Some(*places),
        (_, Some(Some(ScalarValue::Int32(Some(places))))) => Some(i64::from(*places)),
        _ => None,
    };
    Ok(rounded_type(*precision, *scale, places))
}

fn unexpected<T>(call: &Call) -> Result<T> {
    let given = call.data_type(0);
    exec_err!("{}: argument 1 is {given}, expected a number", call.name())
}

/// Applies `f` to whole numbers, widened; a result that does not fit is an error.
fn integers<T>(call: &Call, mut f: impl FnMut(usize, i128) -> Option<i128>) -> Result<ArrayRef>
where
    T: ArrowPrimitiveType<Native: Into<i128> + TryFrom<i128>>,
{
    let column = call.column::<PrimitiveArray<T>>(0)?;
    call.values::<T>(|row| {
        let Some(value) = column.get(row) else {
            return Ok(None);
        };
        let value = value.into();
        match f(row, value) {
            None => Ok(None),
            Some(result) => match T::Native::try_from(result) {
                Ok(result) => Ok(Some(result)),
                Err(_) => exec_err!(
                    "{}({value}) overflows {}: {result}",
                    call.name(),
                    crate::casts::sql_name(&T::DATA_TYPE)
                ),
            },
        }
    })
}

fn round(call: &Call, rounding: Rounding) -> Result<ArrayRef> {
    let places = match call.len() {
        1 => None,
        _ => Some(call.ints(1)?),
    };
    let places = |row| match &places {
        Some(column) => column.get(row),
        None => Some(0),
    };
    let real = match rounding {
        Rounding::HalfUp => round_double,
        _ => truncate_double,
    };
    match (call.data_type(0), &call.result_type) {
        (DataType::Float64, _) => {
            let column = call.doubles(0)?;
            call.values::<Float64Type>(|row| {
                Ok(column.get(row).zip(places(row)).map(|(v, p)| real(v, p)))
            })
        }
        (DataType::Float32, _) => {
            let column = call.column::<PrimitiveArray<Float32Type>>(0)?;
            call.values::<Float32Type>(|row| {
                let both = column.get(row).zip(places(row));
                Ok(both.map(|(v, p)| real(f64::from(v), p) as f32))
            })
        }
        (DataType::Decimal128(_, scale), DataType::Decimal128(precision, result_scale)) => {
            let to = (*precision, *result_scale);
            let column = call.column::<Decimals>(0)?;
            call.values::<Decimal128Type>(|row| {
                let (Some(value), Some(places)) = (column.get(row), places(row)) else {
                    return Ok(None);
                };
                match round_to(value, *scale, places, rounding, to) {
                    Some(result) => Ok(Some(result)),
                    None => exec_err!(
                        "{}: the result does not fit DECIMAL({}, {})",
                        call.name(),
                        to.0,
                        to.1
                    ),
                }
            })
        }
        (other, _) => with_integers!(
            other,
            T => integers::<T>(call, |row, value| {
                let digits = -places(row)?.clamp(-50, 50);
                if digits <= 0 {
                    return Some(value);
                }
                let kept = drop_digits(value, digits, rounding);
                Some(if kept == 0 { 0 } else { kept * power_of_ten(digits) })
            }),
            unexpected(call)
        ),
    }
}

/// The type of FLOOR and CEIL.
fn whole_type(types: &[DataType], scalars: &[Option<&ScalarValue>]) -> Result<DataType> {
    let to_unit = types.len() > 1 && scalars.len() > 1;
    match &types[0] {
        number if number.is_numeric() && to_unit => {
            plan_err!("FLOOR and CEIL TO a unit of time take a date or time, not {number}")
        }
        time if time.is_temporal() && types.len() == 1 => {
            plan_err!("FLOOR and CEIL of {time} need a unit: FLOOR(x TO DAY)")
        }
        DataType::Decimal128(precision, _) => Ok(DataType::Decimal128(*precision, 0)),
        other => Ok(other.clone()),
    }
}

fn to_whole(call: &Call, up: bool) -> Result<ArrayRef> {
    if call.len() > 1 {
        return temporal::round_to_unit(call, up);
    }
    match call.data_type(0) {
        DataType::Float64 => {
            let column = call.doubles(0)?;
            // Zero has no sign here.
            call.values::<Float64Type>(|row| {
                let value = column.get(row);
                Ok(value.map(|v| if up { v.ceil() } else { v.floor() } + 0.0))
            })
        }
        DataType::Float32 => {
            let column = call.column::<PrimitiveArray<Float32Type>>(0)?;
            call.values::<Float32Type>(|row| {
                let value = column.get(row);
                Ok(value.map(|v| if up { v.ceil() } else { v.floor() } + 0.0))
            })
        }
        DataType::Decimal128(_, scale) => {
            let rounding = if up {
                Rounding::Ceiling
            } else {
                Rounding::Floor
            };
            let column = call.column::<Decimals>(0)?;
            call.values::<Decimal128Type>(|row| {
                let value = column.get(row);
                Ok(value.map(|v| drop_digits(v, i64::from(*scale), rounding)))
            })
        }
        _ => call.full_array(0),
    }
}

fn abs(call: &Call) -> Result<ArrayRef> {
    match call.data_type(0) {
        DataType::Float64 => {
            let column = call.doubles(0)?;
            call.values::<Float64Type>(|row| Ok(column.get(row).map(f64::abs)))
        }
        DataType::Float32 => {
            let column = call.column::<PrimitiveArray<Float32Type>>(0)?;
            call.values::<Float32Type>(|row| Ok(column.get(row).map(f32::abs)))
        }
        DataType::Decimal128(..) => {
            let column = call.column::<Decimals>(0)?;
            call.values::<Decimal128Type>(|row| Ok(column.get(row).map(i128::abs)))
        }
        other => with_integers!(
            other,
            // As in Java, the smallest number has no positive one beside it and stays.
            T => integers::<T>(call, |_, value| {
                let fits = <T as ArrowPrimitiveType>::Native::try_from(value.abs()).is_ok();
                Some(if fits { value.abs() } else { value })
            }),
            unexpected(call)
        ),
    }
}

fn sign(call: &Call) -> Result<ArrayRef> {
    fn of(value: f64) -> f64 {
        if value == 0.0 || value.is_nan() {
            value
        } else {
            value.signum()
        }
    }
    match call.data_type(0) {
        DataType::Float64 => {
            let column = call.doubles(0)?;
            call.values::<Float64Type>(|row| Ok(column.get(row).map(of)))
        }
        DataType::Float32 => {
            let column = call.column::<PrimitiveArray<Float32Type>>(0)?;
            call.values::<Float32Type>(|row| Ok(column.get(row).map(|v| of(v.into()) as f32)))
        }
        DataType::Decimal128(precision, scale) => {
            let one = power_of_ten(i64::from(*scale));
            let column = call.column::<Decimals>(0)?;
            call.values::<Decimal128Type>(|row| match column.get(row) {
                Some(value) if value != 0 && i16::from(*precision) == i16::from(*scale) => {
                    exec_err!("SIGN: 1 does not fit DECIMAL({precision}, {scale})")
                }
                value => Ok(value.map(|v| v.signum() * one)),
            })
        }
        other => with_integers!(
            other,
            T => integers::<T>(call, |_, value| Some(value.signum())),
            unexpected(call)
        ),
    }
}

fn decimal_digits(data_type: &DataType) -> Option<(i16, i16)> {
    Some(match data_type {
        DataType::Decimal128(p, s) => (i16::from(*p), i16::from(*s)),
        DataType::Int8 => (3, 0),
        DataType::Int16 => (5, 0),
        DataType::Int32 => (10, 0),
        DataType::Int64 => (19, 0),
        _ => return None,
    })
}

/// MOD has the type of the divisor; of decimals, the digits that a rest can have.
fn mod_type(types: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    let digits = (decimal_digits(&types[0]), decimal_digits(&types[1]));
    let (Some((p1, s1)), Some((p2, s2))) = digits else {
        let (a, b) = (&types[0], &types[1]);
        return plan_err!("MOD: the arguments are {a} and {b}, expected whole or DECIMAL numbers");
    };
    if types[0].is_integer() && types[1].is_integer() {
        return Ok(types[1].clone());
    }
    let scale = s1.max(s2);
    let precision = ((p1 - s1).min(p2 - s2) + scale).clamp(1, 38);
    Ok(DataType::Decimal128(precision as u8, scale as i8))
}

fn modulo(call: &Call) -> Result<ArrayRef> {
    use datafusion::arrow::compute::{cast, kernels::numeric::rem};
    let (left, right) = (call.full_array(0)?, call.full_array(1)?);
    // NULL % 0 is NULL; arrow divides where both are given.
    let result = match &call.result_type {
        DataType::Decimal128(..) => {
            let decimal = |array: &ArrayRef| match decimal_digits(array.data_type()) {
                Some((p, s)) => cast(array, &DataType::Decimal128(p as u8, s as i8)),
                None => Ok(array.clone()),
            };
            rem(&decimal(&left)?, &decimal(&right)?)
        }
        _ => rem(
            &cast(&left, &DataType::Int64)?,
            &cast(&right, &DataType::Int64)?,
        ),
    };
    let result = match result {
        Ok(result) => result,
        Err(datafusion::arrow::error::ArrowError::DivideByZero) => {
            return exec_err!("MOD: Division by zero");
        }
        Err(other) => return Err(other.into()),
    };
    match (result.data_type(), &call.result_type) {
        (DataType::Decimal128(_, s), to @ DataType::Decimal128(_, t)) if s == t => {
            let rests = result.as_primitive::<Decimal128Type>().clone();
            Ok(std::sync::Arc::new(rests.with_data_type(to.clone())))
        }
        (_, to) => Ok(cast(&result, to)?),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#[path = "numeric_tests.rs"]
mod tests;
