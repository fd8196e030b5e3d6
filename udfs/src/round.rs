//! ROUND and TRUNCATE of floating-point numbers by the decimal digits that they print with.

use crate::decimal::Rounding;

/// To so many places after the point, half away from zero.
pub(crate) fn round_double(value: f64, places: i64) -> f64 {
    fast(value, places, Rounding::HalfUp).unwrap_or_else(|| by_digits(value, places, true))
}

/// To so many places after the point, toward zero.
pub(crate) fn truncate_double(value: f64, places: i64) -> f64 {
    fast(value, places, Rounding::Down).unwrap_or_else(|| by_digits(value, places, false))
}

/// The result where the printed digits cannot change it: away from the number where rounding turns.
fn fast(value: f64, places: i64, rounding: Rounding) -> Option<f64> {
    let power = i32::try_from(places)
        .ok()
        .filter(|p| (0..=15).contains(p))?;
    let unit = 10_f64.powi(power);
    let scaled = value.abs() * unit;
    if scaled.is_nan() || scaled >= 1e9 {
        return None;
    }
    let whole = scaled.floor();
    let rest = scaled - whole;
    const NEAR: f64 = 1e-6;
    let kept = match rounding {
        Rounding::HalfUp if (rest - 0.5).abs() > NEAR => whole + f64::from(u8::from(rest > 0.5)),
        Rounding::Down if rest > NEAR && rest < 1.0 - NEAR => whole,
        _ => return None,
    };
    let result = kept / unit;
    Some(if value < 0.0 && kept > 0.0 {
        -result
    } else {
        result
    })
}

fn by_digits(value: f64, places: i64, half_up: bool) -> f64 {
    if !value.is_finite() || value == 0.0 {
        return value;
    }
    let text = format!("{:e}", value.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i64 = exponent.parse().unwrap_or(0);
    let mut digits: Vec<u8> = mantissa.bytes().filter(u8::is_ascii_digit).collect();
    // How many of the digits stay.
    let kept = exponent.saturating_add(1).saturating_add(places);
    let Ok(kept) = usize::try_from(kept) else {
        return 0.0;
    };
    if kept >= digits.len() {
        return value;
    }
    let up = half_up && digits[kept] >= b'5';
    digits.truncate(kept);
    if up {
        let mut at = kept;
        loop {
            if at == 0 {
                digits.insert(0, b'1');
                break;
            }
            at -= 1;
            if digits[at] == b'9' {
                digits[at] = b'0';
            } else {
                digits[at] += 1;
                break;
            }
        }
    }
    if digits.is_empty() {
        return 0.0;
    }
    let number = format!("{}e{}", String::from_utf8_lossy(&digits), -places);
    let result: f64 = number.parse().unwrap_or(value);
    if value < 0.0 && result > 0.0 {
        -result
    } else {
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_as_printed() {
        let table = [
            (2.5, 0, 3.0),
            (-2.5, 0, -3.0),
            (1.005, 2, 1.01),
            (2.675, 2, 2.68),
            (0.285, 2, 0.29),
            (1e300, 2, 1e300),
            (155.0, -1, 160.0),
            (9.999, 2, 10.0),
            (0.04, 1, 0.0),
            (0.05, 1, 0.1),
            (-0.04, 1, 0.0),
            (5.0, -1, 10.0),
            (4.0, -1, 0.0),
            (1234.5678, 3, 1234.568),
            (123.456, 100, 123.456),
            (f64::INFINITY, 1, f64::INFINITY),
        ];
        for (value, places, expected) in table {
            assert_eq!(round_double(value, places), expected, "{value} {places}");
            assert_eq!(by_digits(value, places, true), expected, "{value} {places}");
        }
        assert!(round_double(f64::NAN, 1).is_nan());
    }

    #[test]
    fn truncates_as_printed() {
        let table = [
            (-42.345, 2, -42.34),
            (0.29, 2, 0.29),
            (1.9, 0, 1.0),
            (-0.5, 0, 0.0),
            (155.0, -1, 150.0),
        ];
        for (value, places, expected) in table {
            assert_eq!(truncate_double(value, places), expected, "{value} {places}");
            assert_eq!(
                by_digits(value, places, false),
                expected,
                "{value} {places}"
            );
        }
    }
}
