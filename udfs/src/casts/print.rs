//! Values as text: CAST to CHAR, VARCHAR and STRING.

use std::fmt::{self, Write};

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, IntervalMonthDayNanoType, Time32MillisecondType, Time32SecondType, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use datafusion::common::{Result, exec_err};

use super::texts::Texts;
use super::types::Type;
use super::zone::local;
use crate::calendar::{Civil, Moment, NANOS_PER_MILLI, NANOS_PER_SECOND, moment};
use crate::java::{write_decimal, write_double, write_float};

/// Values of any type to text of a length.
pub(super) fn texts(array: &ArrayRef, from: &Type, to: &Type) -> Result<ArrayRef> {
    let print = printer(array, from)?;
    let mut texts = Texts::new(array.len(), to);
    let mut text = String::new();
    for row in 0..array.len() {
        if array.is_null(row) {
            texts.push_null();
            continue;
        }
        text.clear();
        print(row, &mut text)?;
        texts.push(&text)?;
    }
    Ok(texts.finish())
}

/// Prints the value of a row.
pub(crate) type Printer<'a> = Box<dyn Fn(usize, &mut String) -> fmt::Result + 'a>;

/// Prints the values of a column that are not NULL, as those of the Flink type its Arrow type stands for.
pub(crate) fn printer_of(array: &dyn Array) -> Result<Printer<'_>> {
    match Type::of(array.data_type()) {
        Some(kind) => printer(array, &kind),
        None => exec_err!("{} cannot be printed", array.data_type()),
    }
}

/// Prints the values of a column that are not NULL.
pub(super) fn printer<'a>(array: &'a dyn Array, kind: &Type) -> Result<Printer<'a>> {
    macro_rules! primitive {
        ($t:ty, |$value:ident, $out:ident| $write:expr) => {{
            let array = array.as_primitive::<$t>();
            Box::new(move |row, $out: &mut String| {
                let $value = array.value(row);
                $write
            })
        }};
    }
    Ok(match kind {
        Type::Null => Box::new(|_, out: &mut String| out.write_str("NULL")),
        Type::Boolean => {
            let array = array.as_boolean();
            Box::new(|row, out| out.write_str(if array.value(row) { "TRUE" } else { "FALSE" }))
        }
        Type::TinyInt => primitive!(Int8Type, |v, out| write!(out, "{v}")),
        Type::SmallInt => primitive!(Int16Type, |v, out| write!(out, "{v}")),
        Type::Int => primitive!(Int32Type, |v, out| write!(out, "{v}")),
        Type::BigInt => primitive!(Int64Type, |v, out| write!(out, "{v}")),
        Type::Float => primitive!(Float32Type, |v, out| write_float(v, out)),
        Type::Double => primitive!(Float64Type, |v, out| write_double(v, out)),
        Type::Decimal(_, scale) => {
            let scale = i8::try_from(*scale).unwrap_or(0);
            primitive!(Decimal128Type, |v, out| write_decimal(v, scale, out))
        }
        Type::Char(_) | Type::Varchar(_) | Type::String => match array.data_type() {
            DataType::LargeUtf8 => {
                let array = array.as_string::<i64>();
                Box::new(|row, out| out.write_str(array.value(row)))
            }
            DataType::Utf8View => {
                let array = array.as_string_view();
                Box::new(|row, out| out.write_str(array.value(row)))
            }
            _ => {
                let array = array.as_string::<i32>();
                Box::new(|row, out| out.write_str(array.value(row)))
            }
        },
        Type::Binary(_) | Type::Varbinary(_) | Type::Bytes => match array.data_type() {
            DataType::FixedSizeBinary(_) => {
                let array = array.as_fixed_size_binary();
                Box::new(|row, out| out.write_str(&String::from_utf8_lossy(array.value(row))))
            }
            _ => {
                let array = array.as_binary::<i32>();
                Box::new(|row, out| out.write_str(&String::from_utf8_lossy(array.value(row))))
            }
        },
        Type::Date => primitive!(Date32Type, |v, out| write_date(i64::from(v), out)),
        Type::Time(0) => primitive!(Time32SecondType, |v, out| write_clock(i64::from(v), out)),
        Type::Time(digits) => {
            let digits = *digits;
            primitive!(Time32MillisecondType, |v, out| {
                write_time(i64::from(v), digits, out)
            })
        }
        Type::Timestamp(digits) => moments(array, *digits, |moment| moment)?,
        Type::TimestampLtz(digits) => moments(array, *digits, local)?,
        Type::IntervalYearMonth => {
            primitive!(IntervalMonthDayNanoType, |v, out| write_months(
                v.months, out
            ))
        }
        // Where only the Arrow type is known, months tell the kind.
        Type::IntervalDaySecond => primitive!(IntervalMonthDayNanoType, |v, out| {
            if v.months == 0 {
                write_days(v.days, v.nanoseconds, out)
            } else {
                write_months(v.months, out)
            }
        }),
        Type::Array(item) => {
            let array = array.as_list::<i32>();
            let item = nested(array.values(), item)?;
            let offsets = array.value_offsets();
            Box::new(move |row, out| {
                let (from, to) = (offsets[row] as usize, offsets[row + 1] as usize);
                listed(out, from..to, ['[', ']'], &item)
            })
        }
        Type::Map(key, value) => pairs(array, key, value)?,
        Type::Multiset(item) => pairs(array, item, &Type::Int)?,
        Type::Row(kinds) => {
            let columns = array.as_struct().columns();
            let fields = columns
                .iter()
                .zip(kinds)
                .map(|(column, (_, kind))| nested(column, kind))
                .collect::<Result<Vec<_>>>()?;
            Box::new(move |row, out| {
                listed(out, 0..fields.len(), ['(', ')'], |at, out| {
                    fields[at](row, out)
                })
            })
        }
    })
}

/// Parts between brackets, with commas.
fn listed(
    out: &mut String,
    parts: std::ops::Range<usize>,
    [open, close]: [char; 2],
    print: impl Fn(usize, &mut String) -> fmt::Result,
) -> fmt::Result {
    let first = parts.start;
    out.push(open);
    for at in parts {
        if at > first {
            out.push_str(", ");
        }
        print(at, out)?;
    }
    out.push(close);
    Ok(())
}

fn pairs<'a>(array: &'a dyn Array, key: &Type, value: &Type) -> Result<Printer<'a>> {
    let array = array.as_map();
    let (key, value) = (nested(array.keys(), key)?, nested(array.values(), value)?);
    let offsets = array.value_offsets();
    Ok(Box::new(move |row, out| {
        let (from, to) = (offsets[row] as usize, offsets[row + 1] as usize);
        listed(out, from..to, ['{', '}'], |at, out| {
            key(at, out)?;
            out.push('=');
            value(at, out)
        })
    }))
}

/// As [`printer`], and NULL as such.
fn nested<'a>(array: &'a ArrayRef, kind: &Type) -> Result<Printer<'a>> {
    let print = printer(array, kind)?;
    Ok(Box::new(move |row, out| {
        if array.is_null(row) {
            out.write_str("NULL")
        } else {
            print(row, out)
        }
    }))
}

fn moments<'a>(
    array: &'a dyn Array,
    digits: u8,
    zone: impl Fn(Moment) -> Moment + 'a,
) -> Result<Printer<'a>> {
    macro_rules! moments {
        ($t:ty, $unit:ident) => {{
            let array = array.as_primitive::<$t>();
            Box::new(move |row, out: &mut String| {
                let moment = moment(array.value(row), TimeUnit::$unit);
                write_moment(zone(moment), digits, out)
            })
        }};
    }
    Ok(match array.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => moments!(TimestampSecondType, Second),
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            moments!(TimestampMillisecondType, Millisecond)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            moments!(TimestampMicrosecondType, Microsecond)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            moments!(TimestampNanosecondType, Nanosecond)
        }
        other => return exec_err!("CAST: {other} is no TIMESTAMP"),
    })
}

/// `yyyy-MM-dd`.
fn write_date(days: i64, out: &mut String) -> fmt::Result {
    let Civil { year, month, day } = Civil::of(days);
    if let 0..=9999 = year {
        // The usual case, without the detour over formatting.
        let two = |n: i64| [b'0' + (n / 10 % 10) as u8, b'0' + (n % 10) as u8];
        let ([y1, y2], [y3, y4]) = (two(year / 100), two(year));
        let ([m1, m2], [d1, d2]) = (two(month), two(day));
        let text = [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2];
        out.push_str(std::str::from_utf8(&text).unwrap_or_default());
        return Ok(());
    }
    let sign = if year < 0 { "-" } else { "" };
    write!(out, "{sign}{:04}-{month:02}-{day:02}", year.unsigned_abs())
}

/// `HH:mm:ss`.
fn write_clock(seconds: i64, out: &mut String) -> fmt::Result {
    let two = |n: i64| [b'0' + (n / 10 % 10) as u8, b'0' + (n % 10) as u8];
    let ([h1, h2], [m1, m2]) = (two(seconds / 3600), two(seconds / 60 % 60));
    let [s1, s2] = two(seconds % 60);
    let text = [h1, h2, b':', m1, m2, b':', s1, s2];
    out.push_str(std::str::from_utf8(&text).unwrap_or_default());
    Ok(())
}

/// `HH:mm:ss.f`, with at least one digit of the fraction and no trailing zeros.
fn write_time(millis: i64, digits: u8, out: &mut String) -> fmt::Result {
    write_clock(millis / 1000, out)?;
    let mut rest = millis % 1000;
    for digit in 0..digits {
        let dot = if digit == 0 { "." } else { "" };
        write!(out, "{dot}{}", rest / 100)?;
        rest = rest % 100 * 10;
        if rest == 0 {
            break;
        }
    }
    Ok(())
}

/// `yyyy-MM-dd HH:mm:ss` and as many digits of the second.
fn write_moment(moment: Moment, digits: u8, out: &mut String) -> fmt::Result {
    write_date(moment.days, out)?;
    out.push(' ');
    write_clock(moment.seconds(), out)?;
    let rest = moment.nanos % NANOS_PER_SECOND;
    match digits {
        0 => Ok(()),
        3 => write!(out, ".{:03}", rest / NANOS_PER_MILLI),
        _ => {
            let width = digits.min(9);
            let dropped = 10_i64.pow(u32::from(9 - width));
            write!(
                out,
                ".{:0width$}",
                rest / dropped,
                width = usize::from(width)
            )
        }
    }
}

fn sign(is_negative: bool) -> char {
    if is_negative { '-' } else { '+' }
}

/// `+1-02`: years and months.
fn write_months(months: i32, out: &mut String) -> fmt::Result {
    let size = months.unsigned_abs();
    write!(out, "{}{}-{:02}", sign(months < 0), size / 12, size % 12)
}

/// `+1 02:03:04.500`: days and time.
fn write_days(days: i32, nanos: i64, out: &mut String) -> fmt::Result {
    let all = i128::from(days) * 86_400_000 + i128::from(nanos / NANOS_PER_MILLI);
    let size = all.unsigned_abs();
    let (days, rest) = (size / 86_400_000, size % 86_400_000);
    let seconds = rest / 1000;
    write!(
        out,
        "{}{days} {:02}:{:02}:{:02}.{:03}",
        sign(all < 0),
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        rest % 1000
    )
}
