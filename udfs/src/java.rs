//! Numbers as Java prints them: `Double.toString`, `Float.toString`, `BigDecimal.toPlainString`.

use std::fmt::{self, Write};

/// Text on the stack; what does not fit is an error.
#[derive(Debug, Default)]
struct Short {
    bytes: [u8; 32],
    len: usize,
}

impl Short {
    fn of(text: fmt::Arguments<'_>) -> Self {
        let mut short = Self::default();
        // 17 digits, a point, `e-` and three digits of exponent always fit.
        let _ = short.write_fmt(text);
        short
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }

    /// Whether it is one digit and an exponent.
    fn is_one_digit(&self) -> bool {
        self.bytes[1] == b'e'
    }
}

impl Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        let place = self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

/// Writes a DOUBLE: the fewest digits that read back as the same number, at least one on each side of the point, with
/// an exponent from 10^7 and below 10^-3: `1.0E10`, `0.001`, `NaN`, `-Infinity`.
///
/// # Errors
/// Where `out` fails.
pub fn write_double(value: f64, out: &mut impl Write) -> fmt::Result {
    if !value.is_finite() || value == 0.0 {
        return special(value, out);
    }
    let size = value.abs();
    let shortest = Short::of(format_args!("{size:e}"));
    let mut text = shortest.as_str();
    // Java writes two digits at least, and so takes the nearest number of two digits.
    let two = Short::of(format_args!("{size:.1e}"));
    if shortest.is_one_digit() && two.as_str().parse::<f64>() == Ok(size) {
        text = two.as_str();
    }
    lay_out(value < 0.0, text, out)
}

/// Writes a FLOAT; see [`write_double`].
///
/// # Errors
/// Where `out` fails.
pub fn write_float(value: f32, out: &mut impl Write) -> fmt::Result {
    if !value.is_finite() || value == 0.0 {
        return special(f64::from(value), out);
    }
    let size = value.abs();
    let shortest = Short::of(format_args!("{size:e}"));
    let mut text = shortest.as_str();
    let two = Short::of(format_args!("{size:.1e}"));
    if shortest.is_one_digit() && two.as_str().parse::<f32>() == Ok(size) {
        text = two.as_str();
    }
    lay_out(value < 0.0, text, out)
}

fn special(value: f64, out: &mut impl Write) -> fmt::Result {
    if value.is_nan() {
        return out.write_str("NaN");
    }
    if value.is_sign_negative() {
        out.write_char('-')?;
    }
    out.write_str(if value == 0.0 { "0.0" } else { "Infinity" })
}

/// `d.ddde±x` as Java lays it out.
fn lay_out(negative: bool, text: &str, out: &mut impl Write) -> fmt::Result {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (first, rest) = mantissa.split_at(mantissa.len().min(1));
    let rest = rest.trim_start_matches('.').trim_end_matches('0');
    let or_zero = |digits: &'static str, given| if rest.is_empty() { digits } else { given };
    if negative {
        out.write_char('-')?;
    }
    match exponent {
        -3..=-1 => {
            let zeros = usize::try_from(-exponent - 1).unwrap_or(0);
            write!(out, "0.{:0<zeros$}{first}{rest}", "")
        }
        0..=6 => {
            let whole = usize::try_from(exponent).unwrap_or(0);
            if rest.len() <= whole {
                write!(out, "{first}{rest:0<whole$}.0")
            } else {
                let (whole, fraction) = rest.split_at(whole);
                write!(out, "{first}{whole}.{fraction}")
            }
        }
        _ => write!(out, "{first}.{}E{exponent}", or_zero("0", rest)),
    }
}

/// Writes a DECIMAL without an exponent, with all digits of its scale.
///
/// # Errors
/// Where `out` fails.
pub fn write_decimal(unscaled: i128, scale: i8, out: &mut impl Write) -> fmt::Result {
    if unscaled < 0 {
        out.write_char('-')?;
    }
    let size = unscaled.unsigned_abs();
    let Ok(places @ 1..) = usize::try_from(scale) else {
        let zeros = if size == 0 {
            0
        } else {
            usize::from(scale.unsigned_abs())
        };
        return write!(out, "{size}{:0<zeros$}", "");
    };
    match 10_u128.checked_pow(u32::from(scale.unsigned_abs())) {
        Some(unit) => write!(out, "{}.{:0places$}", size / unit, size % unit),
        None => write!(out, "0.{size:0places$}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles() {
        let table = [
            (1.0, "1.0"),
            (1e10, "1.0E10"),
            (1e7, "1.0E7"),
            (1234567.0, "1234567.0"),
            (123456.7, "123456.7"),
            (0.001, "0.001"),
            (0.002, "0.002"),
            (0.00012, "1.2E-4"),
            (1e-5, "1.0E-5"),
            (-0.05, "-0.05"),
            (0.1 + 0.2, "0.30000000000000004"),
            (f64::MIN_POSITIVE, "2.2250738585072014E-308"),
            (5e-324, "4.9E-324"),
            (f64::MAX, "1.7976931348623157E308"),
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ];
        for (value, expected) in table {
            let mut out = String::new();
            assert_eq!(write_double(value, &mut out), Ok(()));
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn floats() {
        for (value, expected) in [
            (1.0, "1.0"),
            (1e7, "1.0E7"),
            (123456.7, "123456.7"),
            (0.1, "0.1"),
            (f32::MAX, "3.4028235E38"),
        ] {
            let mut out = String::new();
            assert_eq!(write_float(value, &mut out), Ok(()));
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn decimals() {
        for (value, scale, expected) in [
            (10000, 2, "100.00"),
            (-5, 2, "-0.05"),
            (1000, 10, "0.0000001000"),
            (0, 3, "0.000"),
            (7, 0, "7"),
            (7, -2, "700"),
            (1, 38, "0.00000000000000000000000000000000000001"),
        ] {
            let mut out = String::new();
            assert_eq!(write_decimal(value, scale, &mut out), Ok(()));
            assert_eq!(out, expected);
        }
    }
}
