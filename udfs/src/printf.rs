//! PRINTF: Java's format strings.

use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::datatypes::{DataType, Float64Type};
use datafusion::common::{Result, plan_err};

use crate::casts::print::printer_of;
use crate::function::{BigInt, Call, Function, Nulls, Takes};
use crate::texts::MOST_OF_ONE;

/// The functions of this file.
pub(crate) static FUNCTIONS: &[Function] = &[Function::new(
    "printf",
    Takes::Own(|given| match given.split_first() {
        Some((
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null,
            values,
        )) => Ok([&[DataType::Utf8], values].concat()),
        _ => plan_err!(
            "PRINTF takes a format as STRING and values, not {}",
            crate::casts::sql_names(given)
        ),
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
            // Flink passes on what a date and a time are inside.
            DataType::Date32 | DataType::Time32(_) => call.cast::<BigInt>(at).map(Some),
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
                let bits = column.data_type().primitive_width().unwrap_or(8) * 8;
                return values.get(row).map(|value| Value::Whole(value, bits));
            }
            if let Some(Some(values)) = doubles.get(at) {
                let mut text = String::new();
                printers.get(at)?(row, &mut text).ok()?;
                return values.get(row).map(|value| Value::Double(value, text));
            }
            let mut text = String::new();
            printers.get(at)?(row, &mut text).ok()?;
            Some(match column.data_type() {
                DataType::Boolean => Value::Boolean(text.eq_ignore_ascii_case("true")),
                DataType::Timestamp(..) => Value::Text(iso(&text)),
                _ => Value::Text(text),
            })
        };
        Ok(formatted(format, value, out).is_some())
    })
}

/// A timestamp as Java's LocalDateTime prints it: with a T, without seconds where there are none, and with the digits of its
/// fraction in threes.
fn iso(text: &str) -> String {
    let text = text.replacen(' ', "T", 1);
    let (time, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let fraction = fraction.trim_end_matches('0');
    match (fraction.len().next_multiple_of(3), time.strip_suffix(":00")) {
        (0, Some(minutes)) => minutes.to_string(),
        (0, None) => time.to_string(),
        (digits, _) => format!("{time}.{fraction:0<digits$}"),
    }
}

enum Value {
    Null,
    Boolean(bool),
    /// And how many bits its type has.
    Whole(i64, usize),
    /// And how it is printed.
    Double(f64, String),
    Text(String),
}

/// One `%...`, after the rules of java.util.Formatter.
#[derive(Default)]
struct Spec {
    left: bool,
    zeros: bool,
    plus: bool,
    space: bool,
    group: bool,
    parentheses: bool,
    alternate: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// A number at the front of a text.
fn leading(text: &str) -> (&str, &str) {
    text.split_at(text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len())
}

fn formatted(format: &str, value: impl Fn(usize) -> Option<Value>, out: &mut String) -> Option<()> {
    let mut rest = format;
    let (mut next, mut last) = (0, None);
    // Nobody wants a text as long as that.
    let number = |digits: &str| digits.parse().ok().filter(|n: &usize| *n < 1 << 20);
    while let Some(percent) = rest.find('%') {
        out.push_str(&rest[..percent]);
        rest = &rest[percent + 1..];
        let mut at = None;
        let (digits, after) = leading(rest);
        if let Some(after) = after.strip_prefix('$').filter(|_| !digits.is_empty()) {
            at = Some(number(digits)?.checked_sub(1)?);
            rest = after;
        } else if let Some(after) = rest.strip_prefix('<') {
            at = Some(last?);
            rest = after;
        }
        let mut spec = Spec::default();
        while let Some(flag) = rest.chars().next().and_then(|c| spec.flag(c)) {
            // Each once.
            if std::mem::replace(flag, true) {
                return None;
            }
            rest = &rest[1..];
        }
        let (digits, after) = leading(rest);
        if !digits.is_empty() {
            spec.width = Some(number(digits)?);
        }
        rest = after;
        if let Some(after) = rest.strip_prefix('.') {
            let (digits, after) = leading(after);
            spec.precision = Some(number(digits)?);
            rest = after;
        }
        let conversion = rest.chars().next()?;
        rest = &rest[conversion.len_utf8()..];
        match conversion {
            '%' if spec.left && spec.width.is_none() => return None,
            '%' => spec.justify("%", out),
            'n' => out.push('\n'),
            _ => {
                let at = at.unwrap_or_else(|| {
                    next += 1;
                    next - 1
                });
                last = Some(at);
                spec.write(conversion, value(at)?, out)?;
            }
        }
    }
    out.push_str(rest);
    Some(())
}

/// The bits of a number as %x and %o write them.
fn unsigned(value: i64, bits: usize) -> u64 {
    let unused = 64_usize.saturating_sub(bits);
    value.cast_unsigned() << unused >> unused
}

/// Adds so many of a character, but not many more than a text can have: that is refused when the row is done.
fn fill(out: &mut String, with: char, count: usize) {
    let room = (MOST_OF_ONE + 1).saturating_sub(out.len());
    out.extend(std::iter::repeat_n(with, count.min(room)));
}

impl Spec {
    fn flag(&mut self, c: char) -> Option<&mut bool> {
        Some(match c {
            '-' => &mut self.left,
            '0' => &mut self.zeros,
            '+' => &mut self.plus,
            ' ' => &mut self.space,
            ',' => &mut self.group,
            '(' => &mut self.parentheses,
            '#' => &mut self.alternate,
            _ => return None,
        })
    }

    /// Whether the flags go with each other and with a conversion to a number.
    fn fits_numbers(&self) -> bool {
        let needs_width = (self.left || self.zeros) && self.width.is_none();
        !(needs_width || self.plus && self.space || self.left && self.zeros)
    }

    /// Whether there are only flags that go with text.
    fn fits_text(&self) -> bool {
        let numeric = self.plus || self.space || self.zeros || self.group || self.parentheses;
        !(numeric || self.left && self.width.is_none())
    }

    fn justify(&self, text: &str, out: &mut String) {
        let missing = self.width.unwrap_or(0).saturating_sub(text.chars().count());
        if self.left {
            out.push_str(text);
        }
        fill(out, ' ', missing);
        if !self.left {
            out.push_str(text);
        }
    }

    /// Text, cut to the precision.
    fn text(&self, text: &str, out: &mut String) -> Option<()> {
        if !self.fits_text() {
            return None;
        }
        let length = self.precision.unwrap_or(usize::MAX);
        self.justify(&text.chars().take(length).collect::<String>(), out);
        Some(())
    }

    /// Digits with their sign, grouped and filled up; `after` is appended, such as an exponent.
    fn number(&self, negative: bool, digits: &str, after: &str, out: &mut String) {
        let digits = if self.group {
            grouped(digits)
        } else {
            digits.to_string()
        };
        let (before, behind) = match negative {
            true if self.parentheses => ("(", ")"),
            true => ("-", ""),
            false if self.plus => ("+", ""),
            false if self.space => (" ", ""),
            false => ("", ""),
        };
        let mut text = before.to_string();
        if self.zeros {
            let length = before.len() + digits.len() + after.len() + behind.len();
            fill(
                &mut text,
                '0',
                self.width.unwrap_or(0).saturating_sub(length),
            );
        }
        text = text + &digits + after + behind;
        self.justify(&text, out);
    }

    /// Digits without a sign, after `mark` where that is asked for.
    fn bits(&self, digits: &str, mark: &str, out: &mut String) -> Option<()> {
        let bad = self.group || self.parentheses || self.space || self.plus;
        if bad || self.precision.is_some() || !self.fits_numbers() {
            return None;
        }
        let mut text = if self.alternate { mark } else { "" }.to_string();
        if self.zeros {
            let length = text.len() + digits.len();
            fill(
                &mut text,
                '0',
                self.width.unwrap_or(0).saturating_sub(length),
            );
        }
        text += digits;
        self.justify(&text, out);
        Some(())
    }

    fn write(&self, conversion: char, value: Value, out: &mut String) -> Option<()> {
        let upper = conversion.is_ascii_uppercase();
        if upper && !"BHSCXEGA".contains(conversion) {
            return None;
        }
        let mut text = String::new();
        match (conversion.to_ascii_lowercase(), value) {
            ('b', value) if !self.alternate => {
                let answer = !matches!(value, Value::Null | Value::Boolean(false));
                self.text(if answer { "true" } else { "false" }, &mut text)?;
            }
            ('h', value) if !self.alternate => {
                let hash = match value {
                    Value::Null => "null".to_string(),
                    Value::Boolean(value) => format!("{:x}", if value { 1231 } else { 1237 }),
                    Value::Whole(value, 64) => format!("{:x}", (value ^ (value >> 32)) as u32),
                    Value::Whole(value, _) => format!("{:x}", value as u32),
                    Value::Double(..) | Value::Text(_) => return None,
                };
                self.text(&hash, &mut text)?;
            }
            ('s', value) if !self.alternate => {
                let shown = match value {
                    Value::Null => "null".to_string(),
                    Value::Boolean(value) => value.to_string(),
                    Value::Whole(value, _) => value.to_string(),
                    Value::Double(_, shown) | Value::Text(shown) => shown,
                };
                self.text(&shown, &mut text)?;
            }
            ('c', value) if !self.alternate && self.precision.is_none() => {
                let shown = match value {
                    Value::Null => "null".to_string(),
                    Value::Whole(value, ..=32) => {
                        char::from_u32(u32::try_from(value).ok()?)?.to_string()
                    }
                    _ => return None,
                };
                self.text(&shown, &mut text)?;
            }
            ('d', value) if !self.alternate && self.precision.is_none() && self.fits_numbers() => {
                match value {
                    Value::Null => self.justify("null", &mut text),
                    Value::Whole(value, _) => {
                        self.number(value < 0, &value.unsigned_abs().to_string(), "", &mut text);
                    }
                    _ => return None,
                }
            }
            ('x' | 'o', Value::Null) => {
                let bad = self.group || self.precision.is_some() || !self.fits_numbers();
                (!bad).then(|| self.justify("null", &mut text))?;
            }
            ('x', Value::Whole(value, bits)) => {
                self.bits(&format!("{:x}", unsigned(value, bits)), "0x", &mut text)?;
            }
            ('o', Value::Whole(value, bits)) => {
                self.bits(&format!("{:o}", unsigned(value, bits)), "0", &mut text)?;
            }
            ('f' | 'e' | 'g' | 'a', value) if self.fits_numbers() => {
                let bad = match conversion.to_ascii_lowercase() {
                    'e' => self.group,
                    'g' => self.alternate,
                    'a' => self.group || self.parentheses || self.precision.is_some(),
                    _ => false,
                };
                match value {
                    _ if bad => return None,
                    Value::Null => self.justify("null", &mut text),
                    Value::Double(value, shown) => {
                        self.real(conversion, value, &shown, &mut text)?
                    }
                    _ => return None,
                }
            }
            _ => return None,
        }
        if upper {
            text = text.to_uppercase();
        }
        out.push_str(&text);
        Some(())
    }

    fn real(&self, conversion: char, value: f64, shown: &str, out: &mut String) -> Option<()> {
        let negative = value.is_sign_negative() && !value.is_nan();
        if !value.is_finite() {
            let plain = Self {
                zeros: false,
                group: false,
                ..*self
            };
            let (digits, negative) = match value.is_nan() {
                true => ("NaN", false),
                false => ("Infinity", negative),
            };
            plain.number(negative, digits, "", out);
            return Some(());
        }
        let point = |digits: String| match self.alternate && !digits.contains('.') {
            true => digits + ".",
            false => digits,
        };
        let precision = self.precision.unwrap_or(6);
        match conversion.to_ascii_lowercase() {
            'f' => self.number(negative, &point(half_up(shown, precision)), "", out),
            'e' => {
                let (digits, exponent) = scientific(shown, precision);
                self.number(negative, &point(digits), &power(exponent), out);
            }
            'g' => {
                let precision = precision.max(1);
                let (digits, exponent) = scientific(shown, precision - 1);
                let places = i64::try_from(precision).ok()? - 1 - exponent;
                match usize::try_from(places) {
                    _ if value == 0.0 => {
                        self.number(negative, &half_up("0.0", precision - 1), "", out);
                    }
                    Ok(places) if exponent >= -4 => {
                        self.number(negative, &half_up(shown, places), "", out);
                    }
                    _ => self.number(negative, &digits, &power(exponent), out),
                }
            }
            _ => self.number(negative, &hexadecimal(value.abs()), "", out),
        }
        Some(())
    }
}

/// The exponent of a number in scientific notation.
fn power(exponent: i64) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("e{sign}{:02}", exponent.abs())
}

/// A DOUBLE as printed as one digit before the point and so many after it, half up, and the power of ten.
fn scientific(shown: &str, places: usize) -> (String, i64) {
    let shown = shown.trim_start_matches('-');
    let (mantissa, exponent) = shown.split_once('E').unwrap_or((shown, "0"));
    let exponent: i64 = exponent.parse().unwrap_or(0);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0');
    if significant.is_empty() {
        return (half_up("0.0", places), 0);
    }
    let zeros = digits.len() - significant.len();
    let mut exponent = exponent + whole.len() as i64 - 1 - zeros as i64;
    let (first, rest) = significant.split_at(1);
    let mut rounded = half_up(&format!("{first}.{rest}0"), places);
    // 9.99 became 10.0.
    if rounded.starts_with("10") {
        exponent += 1;
        rounded = half_up("1.0", places);
    }
    (rounded, exponent)
}

/// Java's Double.toHexString of a number that is not negative.
fn hexadecimal(value: f64) -> String {
    let bits = value.to_bits();
    let mantissa = bits & ((1 << 52) - 1);
    let digits = format!("{mantissa:013x}");
    let digits = digits.trim_end_matches('0');
    let digits = if digits.is_empty() { "0" } else { digits };
    match (bits >> 52) as i64 {
        0 if mantissa == 0 => "0x0.0p0".into(),
        0 => format!("0x0.{digits}p-1022"),
        exponent => format!("0x1.{digits}p{}", exponent - 1023),
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
