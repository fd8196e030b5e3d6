//! Text to numbers, BOOLEAN, dates and times: which forms Flink reads.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanBuilder, PrimitiveBuilder,
};
use datafusion::arrow::datatypes::{
    Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
};
use datafusion::common::{Result, exec_err};

use super::decimals::Number;
use super::failures::Failures;
use super::times::{number, of_numbers};
use super::types::Type;
use super::values::typed;
use super::zone::instant;
use crate::calendar::Moment;
use crate::text_time::{date_of, time_of, timestamp_of};

/// Text that has no cast, as messages show it.
struct Quoted<'a>(&'a str);

impl std::fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const SHOWN: usize = 100;
        match self.0.char_indices().nth(SHOWN) {
            Some((end, _)) => write!(f, "'{}...'", &self.0[..end]),
            None => write!(f, "'{}'", self.0),
        }
    }
}

/// Values of a fixed width that a function reads; None is no such value.
fn each<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    to: &Type,
    failures: &mut Failures,
    read: impl Fn(&str) -> Option<T::Native>,
) -> ArrayRef {
    let array = array.as_string::<i32>();
    let mut builder = PrimitiveBuilder::<T>::with_capacity(array.len());
    for (row, text) in array.iter().enumerate() {
        let value = text.and_then(&read);
        if let (Some(text), None) = (text, value) {
            failures.add(row, Quoted(text), to);
        }
        builder.append_option(value);
    }
    typed(builder.finish(), to)
}

/// To whole numbers: digits; a fraction is cut off.
pub(super) fn wholes(array: &ArrayRef, to: &Type, failures: &mut Failures) -> Result<ArrayRef> {
    macro_rules! read {
        ($t:ty) => {
            each::<$t>(array, to, failures, |text| {
                whole(text).and_then(|value| value.try_into().ok())
            })
        };
    }
    Ok(match to {
        Type::TinyInt => read!(Int8Type),
        Type::SmallInt => read!(Int16Type),
        Type::Int => read!(Int32Type),
        Type::BigInt => read!(Int64Type),
        other => return exec_err!("CAST: {other} is no type of whole numbers"),
    })
}

fn whole(text: &str) -> Option<i64> {
    let text = text.trim_matches(' ').as_bytes();
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() {
        return None;
    }
    // Counted downwards, for there is one more number below 0.
    let mut value = 0_i64;
    let mut bytes = digits.iter();
    for byte in bytes.by_ref() {
        match byte {
            b'0'..=b'9' => {
                value = value.checked_mul(10)?.checked_sub(i64::from(byte - b'0'))?;
            }
            b'.' => break,
            _ => return None,
        }
    }
    if !bytes.all(u8::is_ascii_digit) {
        return None;
    }
    if negative {
        Some(value)
    } else {
        value.checked_neg()
    }
}

/// To DECIMAL, half up.
pub(super) fn decimals(array: &ArrayRef, to: &Type, failures: &mut Failures) -> Result<ArrayRef> {
    let Type::Decimal(precision, scale) = *to else {
        return exec_err!("CAST: {to} is no DECIMAL");
    };
    Ok(each::<Decimal128Type>(array, to, failures, |text| {
        let text = text.trim_matches(|c: char| c <= ' ');
        Number::read(text.as_bytes())?.decimal(precision, scale)
    }))
}

/// To FLOAT and DOUBLE.
pub(super) fn floats(array: &ArrayRef, to: &Type, failures: &mut Failures) -> Result<ArrayRef> {
    Ok(match to {
        Type::Float => each::<Float32Type>(array, to, failures, |text| float(text)?.parse().ok()),
        _ => each::<Float64Type>(array, to, failures, |text| float(text)?.parse().ok()),
    })
}

/// The text of a number that Java reads, as Rust reads it.
fn float(text: &str) -> Option<&str> {
    let text = text.trim_matches(|c: char| c <= ' ');
    let size = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(size, "NaN" | "Infinity") {
        return Some(text);
    }
    let digits = text.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(text);
    Number::read(digits.as_bytes()).map(|_| digits)
}

/// To BOOLEAN.
pub(super) fn booleans(array: &ArrayRef, to: &Type, failures: &mut Failures) -> Result<ArrayRef> {
    let array = array.as_string::<i32>();
    let mut builder = BooleanBuilder::with_capacity(array.len());
    for (row, text) in array.iter().enumerate() {
        let value = text.and_then(boolean);
        if let (Some(text), None) = (text, value) {
            failures.add(row, Quoted(text), to);
        }
        builder.append_option(value);
    }
    Ok(Arc::new(builder.finish()))
}

fn boolean(text: &str) -> Option<bool> {
    let is = |words: [&str; 5]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is(["true", "t", "yes", "y", "1"]) {
        Some(true)
    } else {
        is(["false", "f", "no", "n", "0"]).then_some(false)
    }
}

/// To DATE, TIME, TIMESTAMP and TIMESTAMP_LTZ.
pub(super) fn times(array: &ArrayRef, to: &Type, failures: &mut Failures) -> Result<ArrayRef> {
    let read: fn(&str) -> Option<Moment> = match to {
        Type::Date => |text| date_of(text).map(|days| Moment { days, nanos: 0 }),
        Type::Time(_) => time_of,
        Type::Timestamp(_) => timestamp_of,
        Type::TimestampLtz(_) => |text| timestamp_of(text).map(instant),
        other => return exec_err!("CAST: text cannot be cast to {other}"),
    };
    let array = array.as_string::<i32>();
    let mut builder = PrimitiveBuilder::<Int64Type>::with_capacity(array.len());
    for (row, text) in array.iter().enumerate() {
        let value = text.and_then(read).and_then(|moment| number(moment, to));
        if let (Some(text), None) = (text, value) {
            failures.add(row, Quoted(text), to);
        }
        builder.append_option(value);
    }
    of_numbers(builder.finish(), to)
}
