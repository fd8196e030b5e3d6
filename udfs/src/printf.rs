//! PRINTF: Java's format strings.

use std::fmt::Write;

use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::datatypes::{DataType, Float64Type, TimeUnit};
use datafusion::common::{Result, plan_err};

use crate::casts::print::printer_of;
use crate::function::{BigInt, Call, Function, Nulls, Takes};
use crate::texts::MOST_BYTES;

/// The functions of this file.
pub(crate) static FUNCTIONS: &[Function] = &[Function::new(
    "printf",
    Takes::Own(|given| match given.split_first() {
        Some((
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null,
            values,
        )) => Ok([&[DataType::Utf8], values].concat()),
        _ => plan_err!("PRINTF takes a format as STRING and values, not {given:?}"),
    }),
    |_, _| Ok(DataType::Utf8),
    Nulls::Maybe,
    printf,
)];

/// NULL where the format is none or does not fit the values.
fn printf(call: &Call) -> Result<ArrayRef> {
    let formats = call.text(0)?;
    let columns = (1..call.len())
        .map(|at| call.full_array(at))
        .collect::<Result<Vec<_>>>()?;
    let printers = columns
        .iter()
        .map(|c| printer_of(c.as_ref()))
        .collect::<Result<Vec<_>>>()?;
    let doubles = (1..call.len())
        .map(|at| match call.data_type(at) {
            DataType::Float32 | DataType::Float64 => call.cast::<Float64Type>(at).map(Some),
            _ => Ok(None),
        })
        .collect::<Result<Vec<_>>>()?;
    let wholes = (1..call.len())
        .map(|at| match call.data_type(at) {
            t if t.is_integer() => call.cast::<BigInt>(at).map(Some),
            _ => Ok(None),
        })
        .collect::<Result<Vec<_>>>()?;
    call.strings(|row, out| {
        let Some(format) = formats.get(row) else {
            return Ok(false);
        };
        let value = |at: usize| -> Option<Value> {
            let column = columns.get(at)?;
            if column.is_null(row) {
                return Some(Value::Null);
            }
            if let Some(Some(values)) = wholes.get(at) {
                return values.get(row).map(Value::Whole);
            }
            if let Some(Some(values)) = doubles.get(at) {
                let mut text = String::new();
                printers.get(at)?(row, &mut text).ok()?;
                return values.get(row).map(|value| Value::Double(value, text));
            }
            let mut text = String::new();
            printers.get(at)?(row, &mut text).ok()?;
            Some(match column.data_type() {
                DataType::Boolean => Value::Text(text.to_lowercase()),
                DataType::Timestamp(unit, _) => Value::Text(iso(&text, *unit)),
                _ => Value::Text(text),
            })
        };
        Ok(formatted(format, value, out).is_some())
    })
}

/// A timestamp with a T in it and only the digits that it needs.
fn iso(text: &str, unit: TimeUnit) -> String {
    let text = text.replacen(' ', "T", 1);
    match unit {
        TimeUnit::Second => text,
        _ => text.trim_end_matches('0').trim_end_matches('.').to_string(),
    }
}

enum Value {
    Null,
    Whole(i64),
    /// And how it is printed.
    Double(f64, String),
    Text(String),
}

/// One `%...`.
#[derive(Default)]
struct Spec {
    left: bool,
    zeros: bool,
    plus: bool,
    space: bool,
    group: bool,
    width: usize,
    precision: Option<usize>,
}

fn formatted(format: &str, value: impl Fn(usize) -> Option<Value>, out: &mut String) -> Option<()> {
    let mut rest = format;
    let mut next = 0;
    while let Some(percent) = rest.find('%') {
        out.push_str(&rest[..percent]);
        rest = &rest[percent + 1..];
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let mut at = None;
        if digits > 0 && rest[digits..].starts_with('$') {
            at = Some(rest[..digits].parse::<usize>().ok()?.checked_sub(1)?);
            rest = &rest[digits + 1..];
        }
        let mut spec = Spec::default();
        loop {
            match rest.chars().next()? {
                '-' => spec.left = true,
                '0' => spec.zeros = true,
                '+' => spec.plus = true,
                ' ' => spec.space = true,
                ',' => spec.group = true,
                _ => break,
            }
            rest = &rest[1..];
        }
        let number = |rest: &mut &str| -> Option<usize> {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, behind) = rest.split_at(digits);
            *rest = behind;
            // Nobody wants a text as long as that.
            number.parse().ok().filter(|n| *n < 1 << 20)
        };
        if rest.starts_with(|c: char| c.is_ascii_digit()) {
            spec.width = number(&mut rest)?;
        }
        if let Some(behind) = rest.strip_prefix('.') {
            rest = behind;
            spec.precision = Some(number(&mut rest)?);
        }
        let conversion = rest.chars().next()?;
        rest = &rest[conversion.len_utf8()..];
        match conversion {
            '%' => spec.pad("%", out),
            'n' => out.push('\n'),
            _ => {
                let at = at.unwrap_or_else(|| {
                    next += 1;
                    next - 1
                });
                spec.write(conversion, value(at)?, out)?;
            }
        }
    }
    out.push_str(rest);
    Some(())
}

/// Adds so many of a character, but not many more than a text can have: that is refused when the row is done.
fn fill(out: &mut String, with: char, count: usize) {
    let room = (MOST_BYTES + 1).saturating_sub(out.len());
    out.extend(std::iter::repeat_n(with, count.min(room)));
}

impl Spec {
    fn pad(&self, text: &str, out: &mut String) {
        let missing = self.width.saturating_sub(text.chars().count());
        if self.left {
            out.push_str(text);
        }
        fill(out, ' ', missing);
        if !self.left {
            out.push_str(text);
        }
    }

    /// Digits with a sign before them, filled up with zeros or blanks.
    fn number(&self, negative: bool, digits: &str, out: &mut String) {
        let digits = if self.group {
            grouped(digits)
        } else {
            digits.to_string()
        };
        let sign = match (negative, self.plus, self.space) {
            (true, ..) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ => "",
        };
        if self.zeros {
            let missing = self.width.saturating_sub(sign.len() + digits.len());
            out.push_str(sign);
            fill(out, '0', missing);
            out.push_str(&digits);
        } else {
            self.pad(&format!("{sign}{digits}"), out);
        }
    }

    fn write(&self, conversion: char, value: Value, out: &mut String) -> Option<()> {
        let upper = conversion.is_ascii_uppercase();
        let mut text = String::new();
        match (conversion.to_ascii_lowercase(), value) {
            ('b', value) => {
                let answer = match value {
                    Value::Null => "false".to_string(),
                    Value::Text(text) if text == "true" || text == "false" => text,
                    _ => "true".to_string(),
                };
                self.pad(&answer, &mut text);
            }
            ('s', value) => {
                let shown = match value {
                    Value::Null => "null".to_string(),
                    Value::Whole(value) => value.to_string(),
                    Value::Double(_, shown) | Value::Text(shown) => shown,
                };
                let length = self.precision.unwrap_or(usize::MAX);
                self.pad(&shown.chars().take(length).collect::<String>(), &mut text);
            }
            (_, Value::Null) => self.pad("null", &mut text),
            ('d', Value::Whole(value)) if !upper => {
                self.number(value < 0, &value.unsigned_abs().to_string(), &mut text);
            }
            ('x', Value::Whole(value)) => self.number(false, &format!("{value:x}"), &mut text),
            ('o', Value::Whole(value)) if !upper => {
                self.number(false, &format!("{value:o}"), &mut text)
            }
            ('c', Value::Whole(value)) => {
                self.pad(
                    &char::from_u32(u32::try_from(value).ok()?)?.to_string(),
                    &mut text,
                );
            }
            ('f' | 'e', Value::Double(value, shown)) if !value.is_finite() => {
                self.pad(&shown, &mut text)
            }
            ('f', Value::Double(value, shown)) if !upper => {
                let digits = half_up(&shown, self.precision.unwrap_or(6));
                self.number(value.is_sign_negative(), &digits, &mut text);
            }
            ('e', Value::Double(value, _)) => {
                let shown = format!("{:.*e}", self.precision.unwrap_or(6), value.abs());
                let (mantissa, exponent) = shown.split_once('e')?;
                let exponent: i32 = exponent.parse().ok()?;
                let sign = if exponent < 0 { '-' } else { '+' };
                let mut digits = mantissa.to_string();
                // Writing to a String does not fail.
                let _ = write!(digits, "e{sign}{:02}", exponent.abs());
                self.number(value.is_sign_negative(), &digits, &mut text);
            }
            _ => return None,
        }
        if upper {
            text = text.to_uppercase();
        }
        out.push_str(&text);
        Some(())
    }
}

/// The digits of a DOUBLE as printed, without its sign, to so many places, half up.
fn half_up(shown: &str, places: usize) -> String {
    let shown = shown.trim_start_matches('-');
    let (mantissa, exponent) = shown.split_once('E').unwrap_or((shown, "0"));
    let exponent: i64 = exponent.parse().unwrap_or(0);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits: Vec<u8> = whole
        .bytes()
        .chain(fraction.bytes())
        .map(|b| b - b'0')
        .collect();
    // Where the point stands, counted from the front; with zeros so that it stands inside.
    let mut point = whole.len() as i64 + exponent;
    while point < 1 {
        digits.insert(0, 0);
        point += 1;
    }
    let point = usize::try_from(point).unwrap_or(1);
    let kept = point + places;
    let up = digits.get(kept).is_some_and(|d| *d >= 5);
    digits.resize(kept, 0);
    if up {
        let mut at = kept;
        loop {
            if at == 0 {
                digits.insert(0, 1);
                break;
            }
            at -= 1;
            if digits[at] < 9 {
                digits[at] += 1;
                break;
            }
            digits[at] = 0;
        }
    }
    let text: String = digits.iter().map(|d| char::from(b'0' + d)).collect();
    let (whole, fraction) = text.split_at(text.len() - places);
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    if places == 0 {
        whole.to_string()
    } else {
        format!("{whole}.{fraction}")
    }
}

/// With a comma between thousands.
fn grouped(digits: &str) -> String {
    let (whole, behind) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut out = String::new();
    for (i, c) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(c);
    }
    out + behind
}
