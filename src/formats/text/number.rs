//! Numbers as text: Java's `Double.toString`, `BigDecimal.toString`, `Integer.parseInt` and similar.

use std::io::Write;

/// Appends a whole number.
pub fn write_int(value: i64, out: &mut Vec<u8>) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends a DOUBLE as Java prints it (JDK 19 and later: the shortest digits that read back as the same value):
/// `1.0E10`, `1.0E-5`, `123.0`, `NaN`, `-Infinity`.
pub fn write_double(value: f64, out: &mut Vec<u8>) {
    if !special(value, out) {
        let value = value.abs();
        let bits = value.to_bits();
        let fraction = bits | 1 << 52;
        let fraction_bits = 1075 - (bits >> 52).max(1) as i32 - fraction.trailing_zeros() as i32;
        let (mut text, mut near) = ([0u8; 40], [0u8; 40]);
        let mut digits = print(&mut text, format_args!("{value:e}"));
        if let Some(places) = other_choice(digits, fraction_bits) {
            let other = print(&mut near, format_args!("{value:.places$e}"));
            if other.parse() == Ok(value) {
                digits = other;
            }
        }
        java_layout(digits, out);
    }
}

/// Appends a FLOAT as Java prints it; see [`write_double`].
pub fn write_float(value: f32, out: &mut Vec<u8>) {
    if !special(f64::from(value), out) {
        let value = value.abs();
        let bits = value.to_bits();
        let fraction = bits | 1 << 23;
        let fraction_bits = 150 - (bits >> 23).max(1) as i32 - fraction.trailing_zeros() as i32;
        let (mut text, mut near) = ([0u8; 40], [0u8; 40]);
        let mut digits = print(&mut text, format_args!("{value:e}"));
        if let Some(places) = other_choice(digits, fraction_bits) {
            let other = print(&mut near, format_args!("{value:.places$e}"));
            if other.parse() == Ok(value) {
                digits = other;
            }
        }
        java_layout(digits, out);
    }
}

/// Whether Java may choose other digits than these shortest ones, and how many after the point: where one digit would
/// do it takes the nearest number of two, and between two that are equally near the even one.
fn other_choice(shortest: &str, fraction_bits: i32) -> Option<usize> {
    let (mantissa, exponent) = shortest.split_once('e')?;
    if mantissa.len() == 1 {
        return Some(1);
    }
    let places = mantissa.len() - 2;
    let odd = mantissa.ends_with(['1', '3', '5', '7', '9']);
    // A number with n bits after the binary point has n digits after the decimal point, so it lies in the middle
    // between two numbers of n - 1 digits. Whole numbers need a look.
    let fraction_digits = places as i32 - exponent.parse::<i32>().ok()?;
    let middle = fraction_bits <= 0 || fraction_bits == fraction_digits + 1;
    (odd && middle).then_some(places)
}

/// Writes the sign, and the whole of what has no digits; whether the number is written.
fn special(value: f64, out: &mut Vec<u8>) -> bool {
    if value.is_nan() {
        out.extend_from_slice(b"NaN");
        return true;
    }
    if value.is_sign_negative() {
        out.push(b'-');
    }
    if value.is_infinite() {
        out.extend_from_slice(b"Infinity");
    } else if value == 0.0 {
        out.extend_from_slice(b"0.0");
    }
    value.is_infinite() || value == 0.0
}

fn print<'a>(buffer: &'a mut [u8; 40], text: std::fmt::Arguments<'_>) -> &'a str {
    let mut rest = &mut buffer[..];
    // 17 digits, a point, `e-` and three digits of exponent always fit.
    let _ = rest.write_fmt(text);
    let left = rest.len();
    let end = buffer.len() - left;
    std::str::from_utf8(&buffer[..end]).unwrap_or_default()
}

/// `d.ddde±x` as Java lays it out: plain from 10^-3 to below 10^7, else with `E`; always a digit after the point.
fn java_layout(text: &str, out: &mut Vec<u8>) {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (first, rest) = mantissa.split_at(mantissa.len().min(1));
    let rest = rest.trim_start_matches('.').trim_end_matches('0');
    let rest_or_zero = if rest.is_empty() { "0" } else { rest };
    if (-3..0).contains(&exponent) {
        out.extend_from_slice(b"0.");
        out.resize(out.len() + (-exponent - 1) as usize, b'0');
        out.extend_from_slice(first.as_bytes());
        out.extend_from_slice(rest.as_bytes());
    } else if (0..7).contains(&exponent) {
        let whole = exponent as usize;
        out.extend_from_slice(first.as_bytes());
        if rest.len() <= whole {
            out.extend_from_slice(rest.as_bytes());
            out.resize(out.len() + whole - rest.len(), b'0');
            out.extend_from_slice(b".0");
        } else {
            out.extend_from_slice(&rest.as_bytes()[..whole]);
            out.push(b'.');
            out.extend_from_slice(&rest.as_bytes()[whole..]);
        }
    } else {
        out.extend_from_slice(first.as_bytes());
        out.push(b'.');
        out.extend_from_slice(rest_or_zero.as_bytes());
        out.push(b'E');
        write_int(i64::from(exponent), out);
    }
}

/// Appends a DECIMAL as Java's `BigDecimal.toString` does: exponent form where the scale is negative or the number is
/// below 10^-6 (`1E+2`, `1.2E-7`), else plain with all digits of the scale.
pub fn write_decimal(unscaled: i128, scale: i32, out: &mut Vec<u8>) {
    let mut buffer = [0u8; 40];
    let digits = digits_of(unscaled, &mut buffer);
    let exponent = digits.len() as i64 - 1 - i64::from(scale);
    if scale >= 0 && exponent >= -6 {
        return write_decimal_plain(unscaled, scale, out);
    }
    if unscaled < 0 {
        out.push(b'-');
    }
    out.push(digits[0]);
    if digits.len() > 1 {
        out.push(b'.');
        out.extend_from_slice(&digits[1..]);
    }
    if exponent != 0 {
        out.push(b'E');
        if exponent > 0 {
            out.push(b'+');
        }
        write_int(exponent, out);
    }
}

/// The same without trailing zeros (`100` is `1E+2`, `1.50` is `1.5`, `0.00` is `0`): how Flink's json writes a DECIMAL.
pub fn write_decimal_stripped(mut unscaled: i128, mut scale: i32, out: &mut Vec<u8>) {
    if unscaled == 0 {
        scale = 0;
    } else {
        while unscaled % 10 == 0 {
            unscaled /= 10;
            scale -= 1;
        }
    }
    write_decimal(unscaled, scale, out);
}

/// Appends a DECIMAL without an exponent, with all digits of the scale (`BigDecimal.toPlainString`).
pub fn write_decimal_plain(unscaled: i128, scale: i32, out: &mut Vec<u8>) {
    let mut buffer = [0u8; 40];
    let digits = digits_of(unscaled, &mut buffer);
    if unscaled < 0 {
        out.push(b'-');
    }
    if scale <= 0 {
        out.extend_from_slice(digits);
        if unscaled != 0 {
            out.resize(out.len() + scale.unsigned_abs() as usize, b'0');
        }
        return;
    }
    let scale = scale as usize;
    if digits.len() > scale {
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        out.extend_from_slice(whole);
        out.push(b'.');
        out.extend_from_slice(fraction);
    } else {
        out.extend_from_slice(b"0.");
        out.resize(out.len() + scale - digits.len(), b'0');
        out.extend_from_slice(digits);
    }
}

fn digits_of(value: i128, buffer: &mut [u8; 40]) -> &[u8] {
    let mut at = buffer.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        buffer[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    &buffer[at..]
}

/// A whole number as Java's `parseInt` reads it: an optional sign and digits, nothing else.
pub fn parse_int(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value = 0i64;
    if digits.len() <= 18 {
        for byte in digits {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return None;
            }
            value = value * 10 + i64::from(digit);
        }
        return Some(if negative { -value } else { value });
    }
    // Counted downwards, as the lowest number has no positive counterpart.
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_sub(i64::from(digit))?;
    }
    if negative {
        Some(value)
    } else {
        value.checked_neg()
    }
}

/// A DOUBLE as Java's `parseDouble` reads it, without hexadecimal notation: a decimal number (`.5`, `5.`, `1e3`, with a
/// trailing `d` or `f` if need be), `NaN` or `Infinity`; too large is infinite.
pub fn parse_double(text: &[u8]) -> Option<f64> {
    match java_float(super::trim(text))? {
        Ok(text) => text.parse().ok(),
        Err(special) => Some(special),
    }
}

/// A FLOAT; see [`parse_double`].
pub fn parse_float(text: &[u8]) -> Option<f32> {
    match java_float(super::trim(text))? {
        Ok(text) => text.parse().ok(),
        Err(special) => Some(special as f32),
    }
}

/// The decimal number in `text`, or the value of a word for one.
fn java_float(text: &[u8]) -> Option<Result<&str, f64>> {
    let (negative, unsigned) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    match unsigned {
        b"NaN" => return Some(Err(f64::NAN)),
        b"Infinity" if negative => return Some(Err(f64::NEG_INFINITY)),
        b"Infinity" => return Some(Err(f64::INFINITY)),
        _ => {}
    }
    let text = match text {
        [rest @ .., b'f' | b'F' | b'd' | b'D'] => rest,
        _ => text,
    };
    // Rust's own words for these ("inf", "nan", "infinity") all have letters other than e.
    let plain = |b: &u8| b.is_ascii_digit() || matches!(b, b'.' | b'+' | b'-' | b'e' | b'E');
    if !text.iter().all(plain) {
        return None;
    }
    std::str::from_utf8(text).ok().map(Ok)
}

/// A DECIMAL(`precision`, `scale`) as an unscaled number, rounded half up as Java's `BigDecimal` reads and Flink fits it.
/// `None` when the text is no number, `Some(None)` when the number does not fit, which in Flink gives NULL.
pub fn parse_decimal(text: &[u8], precision: u8, scale: i8) -> Option<Option<i128>> {
    let (negative, unsigned) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let run = |bytes: &[u8]| bytes.iter().take_while(|b| b.is_ascii_digit()).count();
    let (whole, rest) = unsigned.split_at(run(unsigned));
    let (fraction, rest) = match rest {
        [b'.', rest @ ..] => rest.split_at(run(rest)),
        _ => (&[][..], rest),
    };
    let exponent = match rest {
        [] => 0,
        [b'e' | b'E', rest @ ..] => i64::from(i32::try_from(parse_int(rest)?).ok()?),
        _ => return None,
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }

    let leading = whole
        .iter()
        .chain(fraction)
        .take_while(|b| **b == b'0')
        .count();
    let significant = (whole.len() + fraction.len() - leading) as i64;
    // How many of the significant digits stand before the last kept place; beyond them come zeros.
    let kept = significant + exponent - fraction.len() as i64 + i64::from(scale);
    if significant == 0 || kept < 0 {
        return Some(Some(0));
    }
    if kept > i64::from(precision) {
        return Some(None);
    }
    let mut digits = whole
        .iter()
        .chain(fraction)
        .skip(leading)
        .map(|b| i128::from(b - b'0'));
    let mut value = 0i128;
    for _ in 0..kept {
        value = value * 10 + digits.next().unwrap_or(0);
    }
    if digits.next().unwrap_or(0) >= 5 {
        value += 1;
    }
    if value >= 10i128.pow(u32::from(precision.min(38))) {
        return Some(None);
    }
    Some(Some(if negative { -value } else { value }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn text(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn doubles_as_java_prints_them() {
        for (value, expected) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (-123.0, "-123.0"),
            (0.002, "0.002"),
            (9.99e-4, "9.99E-4"),
            (1e7, "1.0E7"),
            (9999999.0, "9999999.0"),
            (1.2345678e7, "1.2345678E7"),
            (1e10, "1.0E10"),
            (1e-5, "1.0E-5"),
            (1e23, "1.0E23"),
            (2e23, "2.0E23"),
            (5e-324, "4.9E-324"),
            (f64::MAX, "1.7976931348623157E308"),
            (f64::MIN_POSITIVE, "2.2250738585072014E-308"),
            (123456.789, "123456.789"),
            (9.5367431640625e-7, "9.5367431640625E-7"),
            (100.0, "100.0"),
            (0.1, "0.1"),
            (0.001, "0.001"),
            (1.5e-9, "1.5E-9"),
            (2f64.powi(-44), "5.684341886080802E-14"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(text(|out| write_double(value, out)), expected);
        }
        for (value, expected) in [
            (1e10f32, "1.0E10"),
            (0.1, "0.1"),
            (3e10, "3.0E10"),
            (1e-45, "1.4E-45"),
            (f32::MAX, "3.4028235E38"),
            (16777216.0, "1.6777216E7"),
            (123456.79, "123456.79"),
            (2.4414063e-4, "2.4414062E-4"),
            (2097152.3, "2097152.2"),
            (f32::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(text(|out| write_float(value, out)), expected);
        }
    }

    #[test]
    fn decimals_as_java_prints_them() {
        for (unscaled, scale, normal, stripped, plain) in [
            (100, 0, "100", "1E+2", "100"),
            (12050, 2, "120.50", "120.5", "120.50"),
            (0, 2, "0.00", "0", "0.00"),
            (0, 18, "0E-18", "0", "0.000000000000000000"),
            (-7, 2, "-0.07", "-0.07", "-0.07"),
            (
                100_000_000_000,
                18,
                "1.00000000000E-7",
                "1E-7",
                "0.000000100000000000",
            ),
            (12, 8, "1.2E-7", "1.2E-7", "0.00000012"),
            (-120, 0, "-120", "-1.2E+2", "-120"),
            (0, 0, "0", "0", "0"),
            (1, -2, "1E+2", "1E+2", "100"),
        ] {
            assert_eq!(text(|out| write_decimal(unscaled, scale, out)), normal);
            assert_eq!(
                text(|out| write_decimal_stripped(unscaled, scale, out)),
                stripped
            );
            assert_eq!(text(|out| write_decimal_plain(unscaled, scale, out)), plain);
        }
    }

    #[test]
    fn decimals_are_rounded_half_up_and_null_when_too_large() {
        for (input, precision, scale, expected) in [
            ("0.125", 5, 2, Some(Some(13))),
            ("-0.125", 5, 2, Some(Some(-13))),
            ("0.004999", 5, 2, Some(Some(0))),
            ("0.005", 5, 2, Some(Some(1))),
            ("999.994", 5, 2, Some(Some(99999))),
            ("999.995", 5, 2, Some(None)),
            ("1e2", 5, 2, Some(Some(10000))),
            ("1E+2", 5, 2, Some(Some(10000))),
            ("1.5e1", 5, 2, Some(Some(1500))),
            ("1e30", 5, 2, Some(None)),
            ("1e400", 38, 0, Some(None)),
            ("1e-400", 38, 0, Some(Some(0))),
            ("0e999999", 5, 2, Some(Some(0))),
            (".5", 5, 2, Some(Some(50))),
            ("5.", 5, 2, Some(Some(500))),
            ("+7", 5, 2, Some(Some(700))),
            ("00012.340", 5, 2, Some(Some(1234))),
            (
                "12345678901234567890123456789012345678",
                38,
                0,
                Some(Some(12345678901234567890123456789012345678)),
            ),
            (
                "99999999999999999999999999999999999999.5",
                38,
                0,
                Some(None),
            ),
            ("1e99999999999", 5, 2, None),
            ("", 5, 2, None),
            (".", 5, 2, None),
            ("-", 5, 2, None),
            ("1f", 5, 2, None),
            ("1 ", 5, 2, None),
            ("1e", 5, 2, None),
            ("0x10", 5, 2, None),
        ] {
            assert_eq!(
                parse_decimal(input.as_bytes(), precision, scale),
                expected,
                "{input}"
            );
        }
    }

    #[test]
    fn whole_numbers() {
        for (input, expected) in [
            ("7", Some(7)),
            ("+7", Some(7)),
            ("-7", Some(-7)),
            ("-0", Some(0)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("00000000000000000000000000012", Some(12)),
            ("", None),
            ("+", None),
            ("1.0", None),
            ("1_0", None),
            (" 1", None),
        ] {
            assert_eq!(parse_int(input.as_bytes()), expected, "{input}");
        }
        for value in [0, 1, -1, 10, i64::MAX, i64::MIN] {
            assert_eq!(text(|out| write_int(value, out)), value.to_string());
        }
    }

    #[test]
    fn doubles_as_java_reads_them() {
        for (input, expected) in [
            (" 12.7 ", Some(12.7)),
            ("1e400", Some(f64::INFINITY)),
            ("-Infinity", Some(f64::NEG_INFINITY)),
            ("+Infinity", Some(f64::INFINITY)),
            (".5", Some(0.5)),
            ("5.", Some(5.0)),
            ("1f", Some(1.0)),
            ("1E+2d", Some(100.0)),
            ("inf", None),
            ("nan", None),
            ("", None),
            ("f", None),
            ("1ff", None),
            ("e", None),
            ("1_0", None),
        ] {
            assert_eq!(parse_double(input.as_bytes()), expected, "{input}");
            assert_eq!(
                parse_float(input.as_bytes()),
                expected.map(|v| v as f32),
                "{input}"
            );
        }
        assert!(parse_double(b"NaN").unwrap().is_nan());
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn printed_doubles_read_back(bits in proptest::num::u64::ANY) {
            let value = f64::from_bits(bits);
            let printed = text(|out| write_double(value, out));
            let back = parse_double(printed.as_bytes()).unwrap();
            proptest::prop_assert!(back == value || value.is_nan() && back.is_nan());
            let value = f32::from_bits(bits as u32);
            let printed = text(|out| write_float(value, out));
            let back = parse_float(printed.as_bytes()).unwrap();
            proptest::prop_assert!(back == value || value.is_nan() && back.is_nan());
        }

        #[test]
        fn printed_decimals_read_back(unscaled in proptest::num::i128::ANY, scale in 0i8..=38) {
            let unscaled = unscaled % 10i128.pow(38);
            for write in [write_decimal, write_decimal_plain, write_decimal_stripped] {
                let printed = text(|out| write(unscaled, i32::from(scale), out));
                proptest::prop_assert_eq!(parse_decimal(printed.as_bytes(), 38, scale), Some(Some(unscaled)));
            }
        }
    }
}
