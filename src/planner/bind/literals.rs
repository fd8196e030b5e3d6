//! Literals: numbers, texts, dates and times, intervals.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, IntervalMonthDayNano, Schema};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{ColumnarValue, Expr};
use datafusion::physical_expr::create_physical_expr;
use flowline_udfs::casts::Failure;
use sqlparser::ast::{self, DateTimeField, Value, ValueWithSpan};
use sqlparser::tokenizer::Span;

use super::{Binder, Bound, Typed};
use crate::planner::types::cast_type;
use crate::sql::ast::SqlTypeKind as Kind;
use crate::sql::sql_type_of;

const MILLIS_PER_DAY: i128 = 86_400_000;

impl Binder<'_> {
    pub(super) fn literal(&self, value: &ValueWithSpan) -> Bound<Typed> {
        let span = value.span;
        let text = |s: &str| self.text(s);
        Ok(match &value.value {
            Value::Null => Typed::new(Expr::Literal(ScalarValue::Null, None), Kind::Null, true),
            Value::Boolean(b) => Typed::boolean(Expr::Literal((*b).into(), None), false),
            Value::Number(digits, _) => self.number(digits, span)?,
            Value::SingleQuotedString(s)
            | Value::NationalStringLiteral(s)
            | Value::UnicodeStringLiteral(s)
            | Value::EscapedStringLiteral(s) => text(s),
            Value::HexStringLiteral(hex) => {
                let digits: Vec<char> = hex.chars().collect();
                let pair = |p: &[char]| u8::from_str_radix(&p.iter().collect::<String>(), 16).ok();
                let bytes: Option<Vec<u8>> = digits.chunks(2).map(pair).collect();
                let Some(bytes) = bytes.filter(|_| digits.len().is_multiple_of(2)) else {
                    return Err(self.mistake(
                        span,
                        "a binary literal has an even number of hexadecimal digits",
                    ));
                };
                let kind = Kind::Binary(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
                Typed::new(
                    Expr::Literal(ScalarValue::Binary(Some(bytes)), None),
                    kind,
                    false,
                )
            }
            other => {
                return Err(self.unsupported(
                    span,
                    &format!("the literal {other}"),
                    "write it as Flink does: 'text', 1, 1.5, 1e3, TRUE, NULL",
                ));
            }
        })
    }

    /// INT where it fits, else BIGINT, else DECIMAL; DECIMAL with a point; DOUBLE with an exponent.
    pub(super) fn number(&self, digits: &str, span: Span) -> Bound<Typed> {
        let unfit = || {
            self.mistake_with(
                span,
                format!("the number {digits} has more than 38 digits"),
                "write it with an exponent, as a DOUBLE",
            )
        };
        if digits.contains(['e', 'E']) {
            let value: f64 = digits.parse().map_err(|_| unfit())?;
            if value.is_infinite() {
                return Err(self.mistake(span, format!("Numeric literal '{digits}' out of range")));
            }
            // A literal has no negative zero.
            let value = if value == 0.0 { 0.0 } else { value };
            return Ok(Typed::new(
                Expr::Literal(value.into(), None),
                Kind::Double,
                false,
            ));
        }
        if let Ok(value) = digits.parse::<i32>() {
            return Ok(Typed::new(
                Expr::Literal(value.into(), None),
                Kind::Int,
                false,
            ));
        }
        if let Ok(value) = digits.parse::<i64>() {
            return Ok(Typed::new(
                Expr::Literal(value.into(), None),
                Kind::BigInt,
                false,
            ));
        }
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if fraction.is_empty() && digits.ends_with('.') {
            return self.number(whole, span);
        }
        let all = format!("{whole}{fraction}");
        let value: i128 = all.parse().map_err(|_| unfit())?;
        let count = all.trim_start_matches('-').len();
        let precision = u8::try_from(count).map_err(|_| unfit())?;
        let scale = u8::try_from(fraction.len()).map_err(|_| unfit())?;
        // As in Flink, whose parser keeps a literal in 64 bits.
        if precision > 38 || i64::try_from(value).is_err() {
            return Err(self.mistake_with(
                span,
                format!("Numeric literal '{digits}' out of range"),
                format!("CAST('{digits}' AS DECIMAL({precision}, {scale}))"),
            ));
        }
        let signed = i8::try_from(scale).map_err(|_| unfit())?;
        Ok(Typed::new(
            Expr::Literal(
                ScalarValue::Decimal128(Some(value), precision, signed),
                None,
            ),
            Kind::Decimal(precision, scale),
            false,
        ))
    }

    /// DATE '...', TIME '...', TIMESTAMP '...': as precise as the digits that are written.
    pub(super) fn typed_string(&self, literal: &ast::TypedString) -> Bound<Typed> {
        let span = literal.value.span;
        let ty = sql_type_of(&literal.data_type).map_err(|m| self.mistake(span, m))?;
        let Some(text) = literal.value.value.clone().into_string() else {
            return Err(self.mistake(span, format!("{} takes a text in quotes", ty.kind)));
        };
        let text = text.trim();
        let fraction = text
            .split_once('.')
            .map_or(0, |(_, f)| u8::try_from(f.len()).unwrap_or(u8::MAX))
            .min(9);
        let (kind, form) = match ty.kind {
            Kind::Date => (Kind::Date, "yyyy-MM-dd"),
            Kind::Time(_) => (Kind::Time(fraction.min(3)), "HH:mm:ss"),
            Kind::Timestamp(_) => (Kind::Timestamp(fraction), "yyyy-MM-dd HH:mm:ss"),
            _ => {
                return Err(self.mistake_with(
                    span,
                    format!("Flink has no literals of type {}", ty.kind),
                    format!("CAST('{text}' AS {})", ty.kind),
                ));
            }
        };
        let name = kind.to_string();
        let name = name.split('(').next().unwrap_or(&name);
        let bad = || {
            self.mistake_with(
                span,
                format!("Illegal {name} literal '{text}': not in format '{form}'"),
                format!("write it as {name} '{}'", example(&kind)),
            )
        };
        let is_in_form = match &kind {
            Kind::Date => is_date(text),
            Kind::Time(_) => is_time_of_day(text),
            _ => {
                is_date(text)
                    || text
                        .split_once(' ')
                        .is_some_and(|(date, time)| is_date(date) && is_time_of_day(time))
            }
        };
        if !is_in_form {
            return Err(bad());
        }
        let cast = flowline_udfs::casts::Cast {
            from: cast_type(&Kind::String),
            to: cast_type(&kind),
            failure: Failure::Error,
            overflow: flowline_udfs::casts::Overflow::Wrap,
        };
        let text = Expr::Literal(ScalarValue::from(text), None);
        match evaluate(&cast.udf().call(vec![text])) {
            Some(value) if !value.is_null() => {
                Ok(Typed::new(Expr::Literal(value, None), kind, false))
            }
            _ => Err(bad()),
        }
    }

    pub(super) fn interval(&self, interval: &ast::Interval, span: Span) -> Bound<Typed> {
        let ast::Expr::Value(ValueWithSpan {
            value: Value::SingleQuotedString(text),
            ..
        }) = interval.value.as_ref()
        else {
            return Err(self.mistake(span, "an interval is a literal: INTERVAL '5' MINUTE"));
        };
        let parsed = match &interval.leading_field {
            Some(field) => amount(text, field),
            None => words(text),
        };
        let Some((months, millis)) = parsed else {
            return Err(self.mistake(span, format!("the interval '{text}' is too large")));
        };
        let is_months = match &interval.leading_field {
            Some(field) => matches!(field, DateTimeField::Year | DateTimeField::Month),
            None => text.contains("years") || text.contains("months"),
        };
        let kind = if is_months {
            Kind::IntervalYearMonth
        } else {
            Kind::IntervalDaySecond
        };
        let Some(value) = interval_value(months, millis) else {
            return Err(self.mistake(span, format!("the interval '{text}' is too large")));
        };
        Ok(Typed::new(
            Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(value)), None),
            kind,
            false,
        ))
    }
}

/// An interval in its one form: whole days as days, the rest of a day as nanoseconds.
pub(super) fn interval_value(months: i64, millis: i128) -> Option<IntervalMonthDayNano> {
    Some(IntervalMonthDayNano::new(
        i32::try_from(months).ok()?,
        i32::try_from(millis / MILLIS_PER_DAY).ok()?,
        i64::try_from(millis % MILLIS_PER_DAY * 1_000_000).ok()?,
    ))
}

/// Months and milliseconds of a number of units.
fn amount(text: &str, field: &DateTimeField) -> Option<(i64, i128)> {
    let whole = || text.trim().parse::<i64>().ok();
    let days = |n: i64| Some((0, i128::from(n) * MILLIS_PER_DAY));
    match field {
        DateTimeField::Year => Some((whole()?.checked_mul(12)?, 0)),
        DateTimeField::Month => Some((whole()?, 0)),
        DateTimeField::Day => days(whole()?),
        DateTimeField::Hour => Some((0, i128::from(whole()?) * 3_600_000)),
        DateTimeField::Minute => Some((0, i128::from(whole()?) * 60_000)),
        DateTimeField::Second => Some((0, seconds(text)?)),
        _ => None,
    }
}

/// Milliseconds of `5`, `-5.25`.
fn seconds(text: &str) -> Option<i128> {
    let text = text.trim();
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let millis: String = fraction.chars().chain("000".chars()).take(3).collect();
    let whole = whole.parse::<i128>().ok()?.checked_mul(1000)?;
    let total = whole.checked_add(millis.parse().ok()?)?;
    Some(if is_negative { -total } else { total })
}

/// Months and milliseconds of `1 days 2 hours 3.5 seconds`.
fn words(text: &str) -> Option<(i64, i128)> {
    let parts: Vec<&str> = text.split_whitespace().collect();
    let mut sum = (0i64, 0i128);
    for pair in parts.chunks(2) {
        let [number, unit] = pair else { return None };
        let field = match *unit {
            "years" => DateTimeField::Year,
            "months" => DateTimeField::Month,
            "days" => DateTimeField::Day,
            "hours" => DateTimeField::Hour,
            "minutes" => DateTimeField::Minute,
            "seconds" => DateTimeField::Second,
            _ => return None,
        };
        let (months, millis) = amount(number, &field)?;
        sum = (sum.0.checked_add(months)?, sum.1.checked_add(millis)?);
    }
    Some(sum)
}

fn numbers(text: &str, separator: char, sizes: &[usize]) -> bool {
    let parts: Vec<&str> = text.split(separator).collect();
    parts.len() == sizes.len()
        && parts.iter().zip(sizes).all(|(part, size)| {
            !part.is_empty() && part.len() <= *size && part.bytes().all(|b| b.is_ascii_digit())
        })
}

fn is_date(text: &str) -> bool {
    numbers(text, '-', &[4, 2, 2])
}

fn is_time_of_day(text: &str) -> bool {
    let (time, fraction) = text.split_once('.').unwrap_or((text, "0"));
    numbers(time, ':', &[2, 2, 2]) && numbers(fraction, ' ', &[usize::MAX])
}

fn example(kind: &Kind) -> &'static str {
    match kind {
        Kind::Date => "2026-01-31",
        Kind::Time(_) => "12:30:00",
        _ => "2026-01-31 12:30:00",
    }
}

/// The value of an expression without columns; `None` where it fails.
pub(super) fn evaluate(expr: &Expr) -> Option<ScalarValue> {
    let schema = DFSchema::empty();
    let context = PhysicalPlanningContext::default();
    let physical = create_physical_expr(expr, &schema, &ExecutionProps::new(), &context).ok()?;
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    let row =
        RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options).ok()?;
    match physical.evaluate(&row).ok()? {
        ColumnarValue::Scalar(value) => Some(value),
        ColumnarValue::Array(array) => ScalarValue::try_from_array(&array, 0).ok(),
    }
}

/// A whole number that a constant expression is.
pub(super) fn whole_number(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Literal(value, _) => match value.cast_to(&DataType::Int64).ok()? {
            ScalarValue::Int64(n) => n,
            _ => None,
        },
        _ => None,
    }
}
