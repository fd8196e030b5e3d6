//! CAST(x AS STRING) of any type, as Flink prints values.

use std::fmt::{self, Write};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, new_null_array};
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, IntervalMonthDayNanoType, IntervalUnit, Time32MillisecondType, Time32SecondType,
    TimeUnit, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use datafusion::common::{Result, exec_err};

use crate::calendar::{Civil, Moment, NANOS_PER_MILLI, NANOS_PER_SECOND, moment};
use crate::function::{Call, Function, Kind, Nulls, Takes};
use crate::java::{write_decimal, write_double, write_float};

/// `cast_to_string(x)`.
pub(crate) static CAST: Function = Function::new(
    "cast_to_string",
    Takes::Fixed(1, &[Kind::Any]),
    |_, _| Ok(DataType::Utf8),
    Nulls::Strict,
    cast,
);

fn cast(call: &Call) -> Result<ArrayRef> {
    let array = call.array(0);
    match array.data_type() {
        DataType::Utf8 => return call.full_array(0),
        DataType::Null => return Ok(new_null_array(&DataType::Utf8, call.rows)),
        _ => {}
    }
    let print = printer(array)?;
    let constant = call.is_constant(0);
    call.strings(|row, out| {
        let row = if constant { 0 } else { row };
        if array.is_null(row) {
            return Ok(false);
        }
        print(row, out)?;
        Ok(true)
    })
}

type Printer<'a> = Box<dyn Fn(usize, &mut String) -> fmt::Result + 'a>;

/// Prints the values of a column that are not NULL.
pub(crate) fn printer(array: &dyn Array) -> Result<Printer<'_>> {
    macro_rules! primitive {
        ($t:ty, |$value:ident, $out:ident| $write:expr) => {{
            let array = array.as_primitive::<$t>();
            Box::new(move |row, $out: &mut String| {
                let $value = array.value(row);
                $write
            })
        }};
    }
    Ok(match array.data_type() {
        DataType::Null => Box::new(|_, out: &mut String| out.write_str("NULL")),
        DataType::Boolean => {
            let array = array.as_boolean();
            Box::new(|row, out| out.write_str(if array.value(row) { "TRUE" } else { "FALSE" }))
        }
        DataType::Int8 => primitive!(Int8Type, |v, out| write!(out, "{v}")),
        DataType::Int16 => primitive!(Int16Type, |v, out| write!(out, "{v}")),
        DataType::Int32 => primitive!(Int32Type, |v, out| write!(out, "{v}")),
        DataType::Int64 => primitive!(Int64Type, |v, out| write!(out, "{v}")),
        DataType::Float32 => primitive!(Float32Type, |v, out| write_float(v, out)),
        DataType::Float64 => primitive!(Float64Type, |v, out| write_double(v, out)),
        DataType::Decimal128(_, scale) => {
            let scale = *scale;
            primitive!(Decimal128Type, |v, out| write_decimal(v, scale, out))
        }
        DataType::Utf8 => {
            let array = array.as_string::<i32>();
            Box::new(|row, out| out.write_str(array.value(row)))
        }
        DataType::LargeUtf8 => {
            let array = array.as_string::<i64>();
            Box::new(|row, out| out.write_str(array.value(row)))
        }
        DataType::Utf8View => {
            let array = array.as_string_view();
            Box::new(|row, out| out.write_str(array.value(row)))
        }
        DataType::Binary => {
            let array = array.as_binary::<i32>();
            Box::new(|row, out| out.write_str(&String::from_utf8_lossy(array.value(row))))
        }
        DataType::FixedSizeBinary(_) => {
            let array = array.as_fixed_size_binary();
            Box::new(|row, out| out.write_str(&String::from_utf8_lossy(array.value(row))))
        }
        DataType::Date32 => primitive!(Date32Type, |v, out| write_date(i64::from(v), out)),
        DataType::Time32(TimeUnit::Second) => {
            primitive!(Time32SecondType, |v, out| write_clock(i64::from(v), out))
        }
        DataType::Time32(_) => {
            primitive!(Time32MillisecondType, |v, out| write_time(
                i64::from(v),
                out
            ))
        }
        DataType::Timestamp(TimeUnit::Second, _) => primitive!(TimestampSecondType, |v, out| {
            write_moment(moment(v, TimeUnit::Second), 0, out)
        }),
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            primitive!(TimestampMillisecondType, |v, out| {
                write_moment(moment(v, TimeUnit::Millisecond), 3, out)
            })
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            primitive!(TimestampMicrosecondType, |v, out| {
                write_moment(moment(v, TimeUnit::Microsecond), 6, out)
            })
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            primitive!(TimestampNanosecondType, |v, out| {
                write_moment(moment(v, TimeUnit::Nanosecond), 9, out)
            })
        }
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            primitive!(IntervalMonthDayNanoType, |v, out| {
                write_interval(v.months, v.days, v.nanoseconds, out)
            })
        }
        DataType::List(_) => {
            let array = array.as_list::<i32>();
            let item = nested(array.values())?;
            Box::new(move |row, out| {
                let range = array.value_offsets();
                let (from, to) = (range[row] as usize, range[row + 1] as usize);
                out.push('[');
                for at in from..to {
                    if at > from {
                        out.push_str(", ");
                    }
                    item(at, out)?;
                }
                out.push(']');
                Ok(())
            })
        }
        DataType::Map(..) => {
            let array = array.as_map();
            let (key, value) = (nested(array.keys())?, nested(array.values())?);
            Box::new(move |row, out| {
                let range = array.value_offsets();
                let (from, to) = (range[row] as usize, range[row + 1] as usize);
                out.push('{');
                for at in from..to {
                    if at > from {
                        out.push_str(", ");
                    }
                    key(at, out)?;
                    out.push('=');
                    value(at, out)?;
                }
                out.push('}');
                Ok(())
            })
        }
        DataType::Struct(_) => {
            let fields = array
                .as_struct()
                .columns()
                .iter()
                .map(|column| nested(column))
                .collect::<Result<Vec<_>>>()?;
            Box::new(move |row, out| {
                out.push('(');
                for (i, field) in fields.iter().enumerate() {
                    if i > 0 {
                        out.push_str(", ");
                    }
                    field(row, out)?;
                }
                out.push(')');
                Ok(())
            })
        }
        other => return exec_err!("CAST: {other} cannot be cast to STRING"),
    })
}

/// As [`printer`], and NULL as such.
fn nested(array: &ArrayRef) -> Result<Printer<'_>> {
    let print = printer(array)?;
    Ok(Box::new(move |row, out| {
        if array.is_null(row) {
            out.write_str("NULL")
        } else {
            print(row, out)
        }
    }))
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

/// `HH:mm:ss.f`, one digit of fraction at least and no trailing zeros beyond it.
fn write_time(millis: i64, out: &mut String) -> fmt::Result {
    write_clock(millis / 1000, out)?;
    let rest = millis % 1000;
    match (rest % 10, rest % 100) {
        (_, 0) => write!(out, ".{}", rest / 100),
        (0, _) => write!(out, ".{:02}", rest / 10),
        _ => write!(out, ".{rest:03}"),
    }
}

/// `yyyy-MM-dd HH:mm:ss` and as many digits of the second.
fn write_moment(moment: Moment, digits: usize, out: &mut String) -> fmt::Result {
    write_date(moment.days, out)?;
    out.push(' ');
    write_clock(moment.seconds(), out)?;
    let rest = moment.nanos % NANOS_PER_SECOND;
    match digits {
        0 => Ok(()),
        3 => write!(out, ".{:03}", rest / NANOS_PER_MILLI),
        6 => write!(out, ".{:06}", rest / 1000),
        _ => write!(out, ".{rest:09}"),
    }
}

/// `+1-02` (years and months) or `+1 02:03:04.500` (days and time).
fn write_interval(months: i32, days: i32, nanos: i64, out: &mut String) -> fmt::Result {
    let sign = |negative| if negative { '-' } else { '+' };
    if months != 0 {
        let size = months.unsigned_abs();
        return write!(out, "{}{}-{:02}", sign(months < 0), size / 12, size % 12);
    }
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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#[path = "cast_tests.rs"]
mod tests;
