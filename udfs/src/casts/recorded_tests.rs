//! What Flink gave for the casts of tests-data, recorded by tests/record_casts.py.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, ListArray, MapArray, StructArray};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::concat;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;

use super::{Cast, Failure, Overflow, Type, is_implicit};
use crate::testing::{evaluate_udf, text};

/// The type that Flink writes so.
pub(super) fn kind(text: &str) -> Type {
    let (name, inner) = match text.find(['(', '<']) {
        Some(at) => (&text[..at], &text[at + 1..text.len() - 1]),
        None => (text, ""),
    };
    let parts = split(inner);
    let number = |at: usize| parts[at].parse::<u32>().unwrap();
    let digits = |at: usize| number(at) as u8;
    match name {
        _ if text.starts_with("INTERVAL YEAR") => Type::IntervalYearMonth,
        _ if text.starts_with("INTERVAL") => Type::IntervalDaySecond,
        "NULL" => Type::Null,
        "CHAR" => Type::Char(number(0)),
        "VARCHAR" => Type::Varchar(number(0)),
        "STRING" => Type::String,
        "BOOLEAN" => Type::Boolean,
        "BINARY" => Type::Binary(number(0)),
        "VARBINARY" => Type::Varbinary(number(0)),
        "BYTES" => Type::Bytes,
        "DECIMAL" => Type::Decimal(digits(0), digits(1)),
        "TINYINT" => Type::TinyInt,
        "SMALLINT" => Type::SmallInt,
        "INT" => Type::Int,
        "BIGINT" => Type::BigInt,
        "FLOAT" => Type::Float,
        "DOUBLE" => Type::Double,
        "DATE" => Type::Date,
        "TIME" => Type::Time(digits(0)),
        "TIMESTAMP" => Type::Timestamp(digits(0)),
        "TIMESTAMP_LTZ" => Type::TimestampLtz(digits(0)),
        "ARRAY" => Type::Array(Box::new(kind(parts[0]))),
        "MAP" => Type::Map(Box::new(kind(parts[0])), Box::new(kind(parts[1]))),
        "MULTISET" => Type::Multiset(Box::new(kind(parts[0]))),
        "ROW" => Type::Row(
            parts
                .iter()
                .map(|field| field.split_once(' ').unwrap())
                .map(|(name, inner)| (name.trim_matches('`').to_string(), kind(inner)))
                .collect(),
        ),
        other => panic!("no type {other}"),
    }
}

/// The parts between top-level commas.
fn split(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0, 0, vec![]);
    for (at, c) in text.char_indices() {
        match c {
            '(' | '<' => depth += 1,
            ')' | '>' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}

pub(super) fn cast(from: &Type, to: &Type) -> Cast {
    Cast {
        from: from.clone(),
        to: to.clone(),
        failure: Failure::Error,
        overflow: Overflow::Wrap,
    }
}

/// One value of a type, as an array.
pub(super) fn value(kind: &Type, given: &str) -> ArrayRef {
    if given == "NULL" {
        return ScalarValue::try_from(&kind.arrow())
            .unwrap()
            .to_array_of_size(1)
            .unwrap();
    }
    let inner = || split(&given[1..given.len() - 1]);
    let parts = |kind: &Type, given: &[&str]| {
        let parts: Vec<ArrayRef> = given.iter().map(|given| value(kind, given)).collect();
        concat(&parts.iter().map(AsRef::as_ref).collect::<Vec<&dyn Array>>()).unwrap()
    };
    match (kind, kind.arrow()) {
        (Type::Array(item), DataType::List(field)) => {
            let items = parts(item, &inner());
            let offsets = OffsetBuffer::from_lengths([items.len()]);
            Arc::new(ListArray::new(field, offsets, items, None))
        }
        (Type::Map(key, value), DataType::Map(field, _)) => {
            let given = inner();
            let every = |at| {
                given
                    .iter()
                    .skip(at)
                    .step_by(2)
                    .copied()
                    .collect::<Vec<_>>()
            };
            let (keys, values) = (parts(key, &every(0)), parts(value, &every(1)));
            let DataType::Struct(fields) = field.data_type() else {
                panic!()
            };
            let offsets = OffsetBuffer::from_lengths([keys.len()]);
            let entries = StructArray::new(fields.clone(), vec![keys, values], None);
            Arc::new(MapArray::new(field, offsets, entries, None, false))
        }
        (Type::Row(kinds), DataType::Struct(fields)) => {
            let pairs = kinds.iter().zip(inner());
            let columns = pairs.map(|((_, kind), given)| value(kind, given)).collect();
            Arc::new(StructArray::new(fields, columns, None))
        }
        (Type::IntervalYearMonth, _) => interval(given.trim_start_matches('-'), given, true),
        (Type::IntervalDaySecond, _) => interval(given.trim_start_matches('-'), given, false),
        _ => {
            let udf = cast(&Type::String, kind).udf();
            let value = evaluate_udf(&udf, vec![text(given)]);
            value
                .unwrap_or_else(|e| panic!("{given} {kind}: {e}"))
                .to_array_of_size(1)
                .unwrap()
        }
    }
}

/// `y-m`, or `d hh:mm:ss.fff`; one number is years or days.
fn interval(size: &str, given: &str, months: bool) -> ArrayRef {
    let sign = if given.starts_with('-') { -1 } else { 1 };
    let mut numbers = size
        .split(['-', ' ', ':'])
        .map(|n| n.parse::<f64>().unwrap());
    let mut next = || numbers.next().unwrap_or(0.0);
    let value = if months {
        let (years, months) = (next() as i32, next() as i32);
        datafusion::arrow::datatypes::IntervalMonthDayNano::new(sign * (years * 12 + months), 0, 0)
    } else {
        let days = next() as i32;
        let seconds = next() * 3600.0 + next() * 60.0 + next();
        let millis = (seconds * 1000.0).round() as i64;
        let nanos = i64::from(sign) * millis * 1_000_000;
        datafusion::arrow::datatypes::IntervalMonthDayNano::new(0, sign * days, nanos)
    };
    let value = ScalarValue::IntervalMonthDayNano(Some(value));
    value.to_array_of_size(1).unwrap()
}

fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '\\' => match chars.next() {
                Some('t') => '\t',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('0') => '\0',
                other => other.unwrap(),
            },
            other => other,
        });
    }
    out
}

/// The text between quotes; what is without them is a word.
fn unquoted(text: &str) -> String {
    match text.strip_prefix('\'').and_then(|t| t.strip_suffix('\'')) {
        Some(inner) => unescaped(inner),
        None => text.to_string(),
    }
}

pub(super) fn printed(kind: &Type, value: &ScalarValue) -> String {
    if value.is_null() {
        return "NULL".into();
    }
    match evaluate_udf(&cast(kind, &Type::String).udf(), vec![value.clone()]) {
        Ok(ScalarValue::Utf8(Some(text))) => text,
        other => format!("{other:?}"),
    }
}

#[test]
fn casts_give_what_flink_gives() {
    let lines = include_str!("../../tests-data/casts.tsv").lines();
    let mut count = 0;
    let mut wrong = Vec::new();
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let cells: Vec<&str> = line.split('\t').collect();
        let [from, to, given, flinks, ref ours @ ..] = cells[..] else {
            panic!("{line}")
        };
        let answer = ours.first().unwrap_or(&flinks);
        count += 1;
        let (from, to) = (kind(from), kind(to));
        let strict = cast(&from, &to);
        assert!(strict.is_supported(), "{line}");
        let given = value(&from, &unquoted(given));
        let given = ScalarValue::try_from_array(&given, 0).unwrap();
        let lenient = Cast {
            failure: Failure::Null,
            ..strict.clone()
        };
        let said = |cast: &Cast| match evaluate_udf(&cast.udf(), vec![given.clone()]) {
            Ok(value) => (!value.is_null()).then(|| printed(&to, &value)),
            Err(error) => Some(format!("error {error}")),
        };
        let (strictly, leniently) = (said(&strict), said(&lenient));
        let fine = match *answer {
            "error" => {
                let error = strictly.clone().unwrap_or_default();
                // A part of an array, map or row names its own type.
                let named = error.contains(&format!("cannot be cast to {to}"));
                let named = named || line.contains('<') && error.contains("cannot be cast to");
                strict.can_fail() && error.starts_with("error ") && named && leniently.is_none()
            }
            "NULL" => strictly.is_none() && leniently.is_none(),
            answer => strictly.as_ref() == Some(&unquoted(answer)) && leniently == strictly,
        };
        if !fine {
            wrong.push(format!("{line}\n    {strictly:?} {leniently:?}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {count}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(count > 1000, "{count}");
}

#[test]
fn types_are_cast_as_flink_allows() {
    let mut lines = include_str!("../../tests-data/cast_types.tsv").lines();
    let targets: Vec<&str> = lines.next().unwrap().split('\t').skip(1).collect();
    for line in lines {
        let mut cells = line.split('\t');
        let from = cells.next().unwrap();
        for (to, cell) in targets.iter().zip(cells) {
            let is_number = |name: &str| name.ends_with("INT");
            let is_interval = |name: &str| name.starts_with("INTERVAL");
            if (is_number(from) && is_interval(to)) || cell == "?" {
                // A Type does not say the unit of an interval.
                continue;
            }
            let pair = (kind(from), kind(to));
            let supported = cast(&pair.0, &pair.1).is_supported();
            assert_eq!(supported, matches!(cell, "c" | "i"), "{from} to {to}");
            if !is_interval(to) {
                assert_eq!(is_implicit(&pair.0, &pair.1), cell == "i", "{from} to {to}");
            }
        }
    }
}
