//! Interval literals, brought into the forms that DataFusion's planner reads.
//!
//! `INTERVAL '5' MINUTES` becomes `Interval { value: '5', leading_field: MINUTE }` (the unit always singular, quarters
//! as months); `INTERVAL '1 02:03:04' DAY TO SECOND` becomes `Interval { value: '1 days 2 hours 3 minutes 4 seconds',
//! leading_field: None }`. Precisions such as `SECOND(3)` only bound the digits and are dropped.

use sqlparser::ast::{DateTimeField, Expr, Interval, Value, ValueWithSpan};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Span, Token};

use super::failure::{fail, nearest};
use super::reserved::upper;
use super::words::{eat, expected, here, last};

/// Units of an interval, from the largest to the smallest, in two families.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Unit {
    Year,
    Quarter,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
}

const UNITS: &[&str] = &[
    "YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND",
];

impl Unit {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "YEAR" | "YEARS" => Self::Year,
            "QUARTER" | "QUARTERS" => Self::Quarter,
            "MONTH" | "MONTHS" => Self::Month,
            "WEEK" | "WEEKS" => Self::Week,
            "DAY" | "DAYS" => Self::Day,
            "HOUR" | "HOURS" => Self::Hour,
            "MINUTE" | "MINUTES" => Self::Minute,
            "SECOND" | "SECONDS" => Self::Second,
            _ => return None,
        })
    }
}

/// Reads an interval literal; INTERVAL is the next token.
pub(super) fn interval(parser: &mut Parser) -> Result<Expr, ParserError> {
    let start = here(parser);
    parser.advance_token();
    let outer_minus = parser.consume_token(&Token::Minus);
    let _plus = !outer_minus && parser.consume_token(&Token::Plus);
    let literal = parser.peek_token();
    let text = match literal.token {
        Token::SingleQuotedString(text) => text,
        Token::Number(number, _) => {
            let help = format!("write INTERVAL '{number}' MINUTE, with the unit you mean");
            return Err(fail(
                literal.span,
                "the number of an interval stands in quotes",
                help,
            ));
        }
        _ => {
            return Err(fail(
                literal.span,
                "an interval is a literal: INTERVAL '5' MINUTE",
                "for a computed length multiply: n * INTERVAL '1' MINUTE",
            ));
        }
    };
    parser.advance_token();
    let text = text.trim();
    let (inner_minus, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, text.strip_prefix('+').unwrap_or(text).trim_start()),
    };
    let minus = outer_minus != inner_minus;
    let Some(first) = unit(parser)? else {
        if let Some(word) = upper(&parser.peek_token_ref().token)
            && let Some(help) = meant(&word, digits)
        {
            let message = format!("an interval has no unit {word}");
            return Err(fail(here(parser), message, help));
        }
        let help = "write the number in quotes and the unit after it: INTERVAL '5' MINUTE";
        return Err(fail(
            start.union(&literal.span),
            "the unit of the interval is missing",
            help,
        ));
    };
    let bad = || {
        let help = "the number goes in the quotes and the unit after them: INTERVAL '5' MINUTE, \
                    INTERVAL '1 02:03:04' DAY TO SECOND, INTERVAL '1-2' YEAR TO MONTH";
        fail(
            literal.span,
            format!("'{text}' does not fit the unit of the interval"),
            help,
        )
    };
    if !eat(parser, &["TO"]) {
        let fraction = first == Unit::Second;
        if !is_number(digits, fraction) {
            return Err(bad());
        }
        return single(digits, minus, first, literal.span).ok_or_else(bad);
    }
    let Some(end) = unit(parser)? else {
        return expected(parser, "MONTH, HOUR, MINUTE or SECOND");
    };
    let parts = split(digits, first, end).ok_or_else(bad)?;
    let sign = if minus { "-" } else { "" };
    let words: Vec<String> = parts
        .iter()
        .map(|(n, unit)| format!("{sign}{n} {unit}"))
        .collect();
    Ok(literal_interval(words.join(" "), None, literal.span))
}

/// What to write for a unit that there is not.
fn meant(word: &str, digits: &str) -> Option<String> {
    let places = match word {
        "MILLISECOND" | "MILLISECONDS" | "MILLIS" | "MS" => 3,
        "MICROSECOND" | "MICROSECONDS" => 6,
        "NANOSECOND" | "NANOSECONDS" => 9,
        word => {
            let unit = match word {
                "HR" | "HRS" | "H" => "HOUR",
                "MIN" | "MINS" => "MINUTE",
                "SEC" | "SECS" | "S" => "SECOND",
                other => nearest(other, UNITS)?,
            };
            return Some(format!("write INTERVAL '{digits}' {unit}"));
        }
    };
    let number = digits.parse::<u64>().ok()?;
    let size = 10_u64.pow(places);
    let fraction = format!("{:0width$}", number % size, width = places as usize);
    let fraction = fraction.trim_end_matches('0');
    Some(match fraction {
        "" => format!("write INTERVAL '{}' SECOND", number / size),
        _ => format!("write INTERVAL '{}.{fraction}' SECOND", number / size),
    })
}

/// A unit word and its precision.
fn unit(parser: &mut Parser) -> Result<Option<Unit>, ParserError> {
    let Some(unit) = upper(&parser.peek_token_ref().token).and_then(|word| Unit::of(&word)) else {
        return Ok(None);
    };
    parser.advance_token();
    if parser.consume_token(&Token::LParen) {
        parser.parse_literal_uint()?;
        if parser.consume_token(&Token::Comma) {
            parser.parse_literal_uint()?;
        }
        parser.expect_token(&Token::RParen)?;
    }
    Ok(Some(unit))
}

fn single(digits: &str, minus: bool, unit: Unit, span: Span) -> Option<Expr> {
    let sign = if minus { "-" } else { "" };
    let (digits, field) = match unit {
        Unit::Year => (digits.to_owned(), DateTimeField::Year),
        Unit::Quarter => (
            digits.parse::<u32>().ok()?.checked_mul(3)?.to_string(),
            DateTimeField::Month,
        ),
        Unit::Month => (digits.to_owned(), DateTimeField::Month),
        Unit::Week => (
            digits.parse::<u32>().ok()?.checked_mul(7)?.to_string(),
            DateTimeField::Day,
        ),
        Unit::Day => (digits.to_owned(), DateTimeField::Day),
        Unit::Hour => (digits.to_owned(), DateTimeField::Hour),
        Unit::Minute => (digits.to_owned(), DateTimeField::Minute),
        Unit::Second => (digits.to_owned(), DateTimeField::Second),
    };
    Some(literal_interval(
        format!("{sign}{digits}"),
        Some(field),
        span,
    ))
}

fn literal_interval(text: String, leading_field: Option<DateTimeField>, span: Span) -> Expr {
    Expr::Interval(Interval {
        value: Box::new(Expr::Value(ValueWithSpan {
            value: Value::SingleQuotedString(text),
            span,
        })),
        leading_field,
        leading_precision: None,
        last_field: None,
        fractional_seconds_precision: None,
    })
}

/// The fields of `1-2`, `1 02:03:04.5`, `02:03` and the like.
fn split(text: &str, first: Unit, end: Unit) -> Option<Vec<(String, &'static str)>> {
    const FIELDS: [(Unit, &str); 4] = [
        (Unit::Day, "days"),
        (Unit::Hour, "hours"),
        (Unit::Minute, "minutes"),
        (Unit::Second, "seconds"),
    ];
    if (first, end) == (Unit::Year, Unit::Month) {
        let (years, months) = text.split_once('-')?;
        return Some(vec![
            number(years, false).map(|n| (n, "years"))?,
            number(months, false).map(|n| (n, "months"))?,
        ]);
    }
    let fields: Vec<(Unit, &'static str)> = FIELDS
        .into_iter()
        .filter(|(unit, _)| (first..=end).contains(unit))
        .collect();
    if first < Unit::Day || fields.len() < 2 {
        return None;
    }
    let texts: Vec<&str> = match (first, text.split_once(' ')) {
        (Unit::Day, Some((days, rest))) => std::iter::once(days)
            .chain(rest.trim_start().split(':'))
            .collect(),
        (Unit::Day, None) => return None,
        (_, _) => text.split(':').collect(),
    };
    if texts.len() != fields.len() {
        return None;
    }
    texts
        .into_iter()
        .zip(fields)
        .map(|(text, (unit, name))| Some((number(text, unit == Unit::Second)?, name)))
        .collect()
}

/// A number without leading zeros.
fn number(text: &str, fraction: bool) -> Option<String> {
    let text = text.trim();
    if !is_number(text, fraction) {
        return None;
    }
    let trimmed = text.trim_start_matches('0');
    Some(match trimmed.chars().next() {
        None => "0".to_owned(),
        Some('.') => format!("0{trimmed}"),
        Some(_) => trimmed.to_owned(),
    })
}

fn is_number(text: &str, fraction: bool) -> bool {
    let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |s: &str| !s.is_empty() && s.len() <= 18 && s.bytes().all(|b| b.is_ascii_digit());
    digits(whole) && digits(rest) && (fraction || !text.contains('.'))
}

/// Reads the unit of FLOOR, CEIL, TIMESTAMPDIFF and TIMESTAMPADD: its name in the singular, without `SQL_TSI_`.
pub(super) fn time_unit(parser: &mut Parser) -> Result<(String, Span), ParserError> {
    const NAMES: &[&str] = &[
        "YEAR",
        "QUARTER",
        "MONTH",
        "WEEK",
        "DAY",
        "HOUR",
        "MINUTE",
        "SECOND",
        "MILLISECOND",
        "MICROSECOND",
        "NANOSECOND",
        "DECADE",
        "CENTURY",
        "MILLENNIUM",
    ];
    let word = upper(&parser.peek_token_ref().token).unwrap_or_default();
    let name = word.strip_prefix("SQL_TSI_").unwrap_or(&word);
    let singular = name.strip_suffix('S').unwrap_or(name);
    if NAMES.contains(&name) || NAMES.contains(&singular) {
        parser.advance_token();
        let name = if NAMES.contains(&name) {
            name
        } else {
            singular
        };
        return Ok((name.to_owned(), last(parser)));
    }
    expected(parser, "a unit of time such as DAY or MINUTE")
}
