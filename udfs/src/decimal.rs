//! DECIMAL: division and rounding with Flink's result types, half up; what does not fit is an error.

use datafusion::arrow::array::{ArrayRef, PrimitiveArray};
use datafusion::arrow::datatypes::{DataType, Decimal128Type, i256};
use datafusion::common::{Result, exec_err, plan_err};

use crate::function::{Call, Function, Nulls, Takes};

/// The largest DECIMAL, without its scale.
pub(crate) const MAX_DECIMAL: i128 = 10_i128.pow(38) - 1;

pub(crate) type Decimals = PrimitiveArray<Decimal128Type>;

/// `decimal_divide(DECIMAL, DECIMAL)`: what `/` is between decimals.
pub(crate) static DIVIDE: Function = Function::new(
    "decimal_divide",
    Takes::Own(|given| match given {
        [DataType::Decimal128(..), DataType::Decimal128(..)] => Ok(given.to_vec()),
        [left @ DataType::Decimal128(..), DataType::Null] => Ok(vec![left.clone(), left.clone()]),
        [DataType::Null, right @ DataType::Decimal128(..)] => {
            Ok(vec![right.clone(), right.clone()])
        }
        _ => plan_err!(
            "DECIMAL_DIVIDE: the arguments are {}, expected two DECIMALs",
            crate::casts::sql_names(given)
        ),
    }),
    |types, _| quotient_type(types),
    Nulls::Strict,
    quotients,
)
.fails();

/// 10 to a power up to 38; the largest for more, 1 for less than 0.
pub(crate) const fn power_of_ten(power: i64) -> i128 {
    let power = if power < 0 {
        0
    } else if power > 38 {
        38
    } else {
        power as u32
    };
    10_i128.pow(power)
}

/// A DECIMAL type of at most 38 digits that keeps the digits before the point; of those after it six stay.
pub(crate) fn adjusted(precision: i32, scale: i32) -> (u8, i8) {
    if precision <= 38 {
        return (narrow(precision), narrow(scale) as i8);
    }
    let before = precision - scale;
    let scale = (38 - before).max(scale.min(6));
    (38, narrow(scale) as i8)
}

fn narrow(digits: i32) -> u8 {
    u8::try_from(digits.clamp(0, 38)).unwrap_or(38)
}

fn quotient_type(types: &[DataType]) -> Result<DataType> {
    let [DataType::Decimal128(p1, s1), DataType::Decimal128(p2, s2)] = types else {
        return plan_err!("DECIMAL_DIVIDE: the arguments are {types:?}, expected two DECIMALs");
    };
    let (p1, s1) = (i32::from(*p1), i32::from(*s1));
    let (p2, s2) = (i32::from(*p2), i32::from(*s2));
    let scale = (s1 + p2 + 1).max(6);
    let (precision, scale) = adjusted(p1 - s1 + s2 + scale, scale);
    Ok(DataType::Decimal128(precision, scale))
}

fn quotients(call: &Call) -> Result<ArrayRef> {
    let (
        DataType::Decimal128(_, s1),
        DataType::Decimal128(_, s2),
        DataType::Decimal128(precision, scale),
    ) = (call.data_type(0), call.data_type(1), &call.result_type)
    else {
        return exec_err!("DECIMAL_DIVIDE: the arguments are no DECIMALs");
    };
    let shift = i32::from(*scale) - i32::from(*s1) + i32::from(*s2);
    let limit = power_of_ten(i64::from(*precision)).unsigned_abs();
    let (left, right) = (call.column::<Decimals>(0)?, call.column::<Decimals>(1)?);
    call.values::<Decimal128Type>(|row| {
        let (Some(left), Some(right)) = (left.get(row), right.get(row)) else {
            return Ok(None);
        };
        if right == 0 {
            return exec_err!("Division by zero");
        }
        match divide(left, right, shift) {
            Some(quotient) if quotient.unsigned_abs() < limit => Ok(Some(quotient)),
            _ => exec_err!("a decimal division overflows DECIMAL({precision}, {scale})"),
        }
    })
}

/// `left * 10^shift / right`, half up; None if it does not fit or `right` is 0.
pub(crate) fn divide(left: i128, right: i128, shift: i32) -> Option<i128> {
    let factor = 10_i128.checked_pow(shift.unsigned_abs());
    let (up, down) = match (shift >= 0, factor) {
        (true, Some(f)) => (left.checked_mul(f), Some(right)),
        (false, Some(f)) => (Some(left), right.checked_mul(f)),
        _ => (None, None),
    };
    if let (Some(up), Some(down)) = (up, down) {
        return divide_half_up(up, down);
    }
    let ten = i256::from_i128(10);
    let (mut up, mut down) = (i256::from_i128(left), i256::from_i128(right));
    for _ in 0..shift.unsigned_abs() {
        if shift >= 0 {
            up = up.checked_mul(ten)?;
        } else {
            match down.checked_mul(ten) {
                Some(larger) => down = larger,
                // A divisor beyond 256 bits: nothing is left.
                None => return Some(0),
            }
        }
    }
    let quotient = up.checked_div(down)?;
    let rest = up.checked_rem(down)?.wrapping_abs();
    let half = rest >= down.wrapping_abs().wrapping_sub(rest);
    let negative = up.is_negative() != down.is_negative();
    let away = i256::from_i128(match (half, negative) {
        (false, _) => 0,
        (true, false) => 1,
        (true, true) => -1,
    });
    quotient.checked_add(away)?.to_i128()
}

/// `left * right` without its last `drop` digits, half up; None if it does not fit.
pub(crate) fn multiply(left: i128, right: i128, drop: i32) -> Option<i128> {
    let mut product = i256::from_i128(left).checked_mul(i256::from_i128(right))?;
    if drop > 0 {
        let unit = i256::from_i128(power_of_ten(i64::from(drop)));
        let rest = product.checked_rem(unit)?.wrapping_abs();
        let up = rest >= unit.wrapping_sub(rest);
        let away = i256::from_i128(if product.is_negative() { -1 } else { 1 });
        product = product.checked_div(unit)?;
        if up {
            product = product.checked_add(away)?;
        }
    }
    product.to_i128()
}

fn divide_half_up(up: i128, down: i128) -> Option<i128> {
    let quotient = up.checked_div(down)?;
    let rest = (up % down).unsigned_abs();
    if rest < down.unsigned_abs() - rest {
        return Some(quotient);
    }
    if (up < 0) == (down < 0) {
        quotient.checked_add(1)
    } else {
        quotient.checked_sub(1)
    }
}

/// Which neighbour a number goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rounding {
    HalfUp,
    Down,
    Floor,
    Ceiling,
}

/// The number without its last `digits` digits.
pub(crate) fn drop_digits(value: i128, digits: i64, rounding: Rounding) -> i128 {
    if digits <= 0 {
        return value;
    }
    if digits > 38 {
        return match rounding {
            Rounding::Floor if value < 0 => -1,
            Rounding::Ceiling if value > 0 => 1,
            _ => 0,
        };
    }
    let unit = power_of_ten(digits);
    match rounding {
        Rounding::HalfUp => divide_half_up(value, unit).unwrap_or(0),
        Rounding::Down => value / unit,
        Rounding::Floor => value.div_euclid(unit),
        Rounding::Ceiling => -((-value).div_euclid(unit)),
    }
}

/// The type of ROUND and TRUNCATE of a DECIMAL to so many places, if these are constant.
pub(crate) fn rounded_type(precision: u8, scale: i8, places: Option<i64>) -> DataType {
    match places {
        Some(places) if places < i64::from(scale) => {
            let kept = places.clamp(0, 38) as i32;
            let whole = i32::from(precision) - i32::from(scale);
            DataType::Decimal128(narrow(1 + whole + kept), kept as i8)
        }
        _ => DataType::Decimal128(precision, scale),
    }
}

/// The number of the scale, rounded to so many places, in the scale of the result; None if it does not fit.
pub(crate) fn round_to(
    value: i128,
    scale: i8,
    places: i64,
    rounding: Rounding,
    (precision, result_scale): (u8, i8),
) -> Option<i128> {
    let scale = i64::from(scale);
    let places = places.clamp(-100, 100).min(scale);
    let kept = drop_digits(value, scale - places, rounding);
    let up = i64::from(result_scale) - places;
    let result = if kept == 0 || up <= 0 {
        kept
    } else if up > 38 {
        return None;
    } else {
        kept.checked_mul(power_of_ten(up))?
    };
    let limit = power_of_ten(i64::from(precision)).unsigned_abs();
    (result.unsigned_abs() < limit).then_some(result)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::testing::{decimal, evaluate_udf, text_of};

    #[test]
    fn types_as_flink_derives_them() {
        let decimal = DataType::Decimal128;
        let table = [
            ((10, 0), (2, 1), (17, 6)),
            ((10, 2), (10, 2), (23, 13)),
            ((38, 10), (38, 10), (38, 6)),
            ((38, 18), (38, 18), (38, 6)),
            ((5, 0), (5, 0), (11, 6)),
            ((20, 4), (30, 10), (38, 12)),
            ((38, 30), (10, 2), (38, 28)),
            ((38, 2), (19, 0), (38, 6)),
        ];
        for ((p1, s1), (p2, s2), (p, s)) in table {
            let types = [decimal(p1, s1), decimal(p2, s2)];
            assert_eq!(quotient_type(&types).unwrap(), decimal(p, s), "{types:?}");
        }
    }

    #[test]
    fn divides() {
        let udf = crate::function::udf(&DIVIDE);
        let table = [
            (decimal(7, 10, 0), decimal(20, 2, 1), "3.500000"),
            (decimal(100, 10, 2), decimal(300, 10, 2), "0.3333333333333"),
            (decimal(-1, 5, 0), decimal(6, 5, 0), "-0.166667"),
            (
                decimal(2 * 10_i128.pow(18), 38, 18),
                decimal(3 * 10_i128.pow(18), 38, 18),
                "0.666667",
            ),
            (
                decimal(2 * 10_i128.pow(30), 38, 30),
                decimal(300, 10, 2),
                "0.6666666666666666666666666667",
            ),
        ];
        for (left, right, expected) in table {
            let result = evaluate_udf(&udf, vec![left.clone(), right.clone()]).unwrap();
            assert_eq!(text_of(&result), expected, "{left} / {right}");
        }
        let zero = evaluate_udf(&udf, vec![decimal(2, 5, 0), decimal(0, 5, 0)]);
        assert!(zero.unwrap_err().to_string().contains("Division by zero"));
        let large = evaluate_udf(&udf, vec![decimal(MAX_DECIMAL, 38, 0), decimal(1, 10, 3)]);
        assert!(
            large
                .unwrap_err()
                .to_string()
                .contains("overflows DECIMAL(38, 6)")
        );
    }

    #[test]
    fn halves_go_up() {
        for (left, right, shift, expected) in [
            (5, 2, 0, 3),
            (-5, 2, 0, -3),
            (4, 3, 0, 1),
            (1, 8, 2, 13),
            (125, 1, -1, 13),
            (
                MAX_DECIMAL,
                3,
                0,
                33_333_333_333_333_333_333_333_333_333_333_333_333,
            ),
            (MAX_DECIMAL, MAX_DECIMAL, 20, 10_i128.pow(20)),
            (1, MAX_DECIMAL, -20, 0),
        ] {
            assert_eq!(
                divide(left, right, shift),
                Some(expected),
                "{left} {right} {shift}"
            );
        }
        assert_eq!(divide(MAX_DECIMAL, 1, 30), None);
    }
}
