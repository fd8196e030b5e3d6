//! Numbers to DECIMAL and back. What does not fit a DECIMAL is NULL.

use std::cell::RefCell;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{
    Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
};
use datafusion::common::{Result, exec_err};

use super::failures::Failures;
use super::numbers::to_whole;
use super::types::Type;
use super::values::{all, each};
use super::{Overflow, rules};
use crate::decimal::{Rounding, drop_digits, power_of_ten};
use crate::java::{write_decimal, write_double};

/// From any number to DECIMAL.
pub(super) fn of_number(
    array: &ArrayRef,
    from: &Type,
    to: &Type,
    failures: &mut Failures,
) -> Result<ArrayRef> {
    let Type::Decimal(precision, scale) = *to else {
        return exec_err!("CAST: {to} is no DECIMAL");
    };
    let limit = power_of_ten(i64::from(precision));
    let fitting = |value: i128| (-limit < value && value < limit).then_some(value);
    let unit = power_of_ten(i64::from(scale));
    let always = !rules::is_lossy(from, to);
    macro_rules! whole {
        ($s:ty) => {
            if always {
                all::<$s, Decimal128Type>(array, to, |v| i128::from(v) * unit)
            } else {
                each::<$s, Decimal128Type>(array, to, |_, v| {
                    i128::from(v).checked_mul(unit).and_then(fitting)
                })
            }
        };
    }
    let mut text = String::new();
    let mut float = |row: usize, value: f64| {
        text.clear();
        let _ = write_double(value, &mut text);
        match Number::read(text.as_bytes()) {
            Some(number) => number.decimal(precision, scale),
            None => {
                failures.add(row, &text, to);
                None
            }
        }
    };
    Ok(match from {
        Type::TinyInt => whole!(Int8Type),
        Type::SmallInt => whole!(Int16Type),
        Type::Int => whole!(Int32Type),
        Type::BigInt => whole!(Int64Type),
        Type::Float => {
            each::<Float32Type, Decimal128Type>(array, to, |row, v| float(row, f64::from(v)))
        }
        Type::Double => each::<Float64Type, Decimal128Type>(array, to, float),
        Type::Decimal(_, given) => {
            let drop = i64::from(*given) - i64::from(scale);
            let up = power_of_ten(-drop);
            if drop == 0 && always {
                all::<Decimal128Type, Decimal128Type>(array, to, |v| v)
            } else if drop <= 0 && always {
                // What lies under a NULL may be anything.
                all::<Decimal128Type, Decimal128Type>(array, to, |v| v.wrapping_mul(up))
            } else {
                each::<Decimal128Type, Decimal128Type>(array, to, |_, v| {
                    drop_digits(v, drop, Rounding::HalfUp)
                        .checked_mul(up)
                        .and_then(fitting)
                })
            }
        }
        other => return exec_err!("CAST: {other} is no number"),
    })
}

/// From DECIMAL to another number.
pub(super) fn to_number(
    array: &ArrayRef,
    from: &Type,
    to: &Type,
    overflow: Overflow,
    failures: &mut Failures,
) -> Result<ArrayRef> {
    let Type::Decimal(precision, scale) = *from else {
        return exec_err!("CAST: {from} is no DECIMAL");
    };
    let unit = power_of_ten(i64::from(scale));
    // Digits before the point; the lower bits of what does not fit.
    let low = |v: i128| (v / unit) as i64;
    macro_rules! whole {
        ($t:ty, $native:ty) => {
            all::<Decimal128Type, $t>(array, to, |v| low(v) as $native)
        };
    }
    let text = RefCell::new(String::new());
    let double = |v: i128| {
        if precision <= 18 {
            return v as f64 / unit as f64;
        }
        let mut text = text.borrow_mut();
        text.clear();
        let _ = write_decimal(v, i8::try_from(scale).unwrap_or(0), &mut *text);
        text.parse().unwrap_or(f64::NAN)
    };
    Ok(match to {
        Type::Float => all::<Decimal128Type, Float32Type>(array, to, |v| double(v) as f32),
        Type::Double => all::<Decimal128Type, Float64Type>(array, to, double),
        to if overflow == Overflow::Error => {
            return to_whole::<Decimal128Type>(array, to, failures, |v| (v / unit).try_into().ok());
        }
        Type::TinyInt => whole!(Int8Type, i8),
        Type::SmallInt => whole!(Int16Type, i16),
        Type::Int => whole!(Int32Type, i32),
        Type::BigInt => whole!(Int64Type, i64),
        other => return exec_err!("CAST: {other} is no number"),
    })
}

/// A decimal number as text: digits around a point, and an exponent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number<'a> {
    negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
    exponent: i64,
}

impl<'a> Number<'a> {
    /// `[+-]digits[.digits][e[+-]digits]`, with one digit at least before the exponent.
    pub(super) fn read(text: &'a [u8]) -> Option<Self> {
        let (negative, text) = sign(text);
        let (whole, text) = digits(text);
        let (fraction, text) = match text {
            [b'.', rest @ ..] => digits(rest),
            _ => (&[][..], text),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let exponent = match text {
            [] => 0,
            [b'e' | b'E', rest @ ..] => {
                let (negative, rest) = sign(rest);
                let (digits, rest) = digits(rest);
                if digits.is_empty() || digits.len() > 9 || !rest.is_empty() {
                    return None;
                }
                let size = digits.iter().fold(0, |n, d| n * 10 + i64::from(d - b'0'));
                if negative { -size } else { size }
            }
            _ => return None,
        };
        Some(Self {
            negative,
            whole,
            fraction,
            exponent,
        })
    }

    /// The DECIMAL without its scale, half up; None if it does not fit.
    pub(super) fn decimal(self, precision: u8, scale: u8) -> Option<i128> {
        let limit = power_of_ten(i64::from(precision));
        let mut digits = self.whole.iter().chain(self.fraction).map(|d| d - b'0');
        let mut kept = i64::try_from(self.whole.len()).ok()? + self.exponent + i64::from(scale);
        let mut size = 0_i128;
        let round_up = loop {
            match digits.next() {
                _ if kept < 0 => break false,
                Some(digit) if kept == 0 => break digit >= 5,
                Some(digit) => size = size.checked_mul(10)? + i128::from(digit),
                None if size == 0 || kept == 0 => break false,
                None => size = size.checked_mul(10)?,
            }
            if size >= limit {
                return None;
            }
            kept -= 1;
        };
        size += i128::from(round_up);
        (size < limit).then_some(if self.negative { -size } else { size })
    }
}

fn sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    }
}

/// The digits at the start of a text, and the rest.
fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|b| !b.is_ascii_digit());
    text.split_at(end.unwrap_or(text.len()))
}
