//! Text on its way to a number, as Flink's CAST reads it: `1.9` is a whole number cut to 1, `1e3` a decimal.

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;

use crate::function::{Call, Function, Kind, Nulls, Takes};

/// `whole_number_text(text)`: digits with a fraction lose it; any other text stays for the cast to refuse.
pub(crate) static WHOLE: Function = Function::new(
    "whole_number_text",
    Takes::Fixed(1, &[Kind::Text]),
    |_, _| Ok(DataType::Utf8),
    Nulls::Strict,
    |call| rewritten(call, without_fraction),
);

/// `decimal_text(text)`: a number with an exponent is written out; any other text stays.
pub(crate) static DECIMAL: Function = Function::new(
    "decimal_text",
    Takes::Fixed(1, &[Kind::Text]),
    |_, _| Ok(DataType::Utf8),
    Nulls::Strict,
    |call| rewritten(call, |text| written_out(text).map(std::borrow::Cow::Owned)),
);

fn rewritten(
    call: &Call,
    rewrite: impl Fn(&str) -> Option<std::borrow::Cow<'_, str>>,
) -> Result<ArrayRef> {
    let texts = call.text(0)?;
    call.strings(|row, out| {
        let Some(text) = texts.get(row) else {
            return Ok(false);
        };
        let text = text.trim_matches(' ');
        match rewrite(text) {
            Some(changed) => out.push_str(&changed),
            None => out.push_str(text),
        }
        Ok(true)
    })
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

fn without_fraction(text: &str) -> Option<std::borrow::Cow<'_, str>> {
    let (whole, fraction) = text.split_once('.')?;
    let digits = whole.strip_prefix(['+', '-']).unwrap_or(whole);
    (!digits.is_empty() && is_digits(digits) && is_digits(fraction)).then_some(whole.into())
}

/// Exponents beyond what 38 digits can hold stay as they are.
fn written_out(text: &str) -> Option<String> {
    let (mantissa, exponent) = text.split_once(['e', 'E'])?;
    let exponent: i32 = exponent.parse().ok().filter(|e: &i32| e.abs() <= 76)?;
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.len() + fraction.len() == 0 || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let digits = format!("{whole}{fraction}");
    let point = i32::try_from(whole.len()).ok()? + exponent;
    let zeros = |n: i32| "0".repeat(usize::try_from(n).unwrap_or(0));
    let length = i32::try_from(digits.len()).ok()?;
    Some(if point <= 0 {
        format!("{sign}0.{}{digits}", zeros(-point))
    } else if point >= length {
        format!("{sign}{digits}{}", zeros(point - length))
    } else {
        let (a, b) = digits.split_at(usize::try_from(point).ok()?);
        format!("{sign}{a}.{b}")
    })
}

#[cfg(test)]
mod tests {
    use super::{without_fraction, written_out};

    #[test]
    fn fractions_are_cut_and_exponents_written_out() {
        assert_eq!(without_fraction("-1.9").as_deref(), Some("-1"));
        assert_eq!(without_fraction("1.x"), None);
        assert_eq!(without_fraction(".5"), None);
        assert_eq!(written_out("1e3").as_deref(), Some("1000"));
        assert_eq!(written_out("-12.5E-3").as_deref(), Some("-0.0125"));
        assert_eq!(written_out("1.25e1").as_deref(), Some("12.5"));
        assert_eq!(written_out("e5"), None);
    }
}
