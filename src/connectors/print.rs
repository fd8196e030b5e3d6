//! Prints rows as Flink's print connector does: `+I[1, a, null]`.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{Array, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time32MillisecondType, Time32SecondType, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use arrow::util::display::array_value_to_string;
use async_trait::async_trait;
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Timelike};

use super::{Sink, SinkMode, SinkWriter, WriteRequest};
use crate::catalog::Table;
use crate::catalog::options::{OptionError, Options};
use crate::changelog::{Batch, RowKind, row_kinds};
use crate::error::{Error, Result};

/// The table as a sink that prints.
pub(super) fn sink(
    _table: &Table,
    options: &Options,
) -> std::result::Result<Arc<dyn Sink>, OptionError> {
    let identifier = options
        .get("print-identifier")
        .unwrap_or_default()
        .to_string();
    let to_stderr = options.bool("standard-error", false)?;
    let single = super::single_writer(options)?;
    Ok(Arc::new(Print {
        identifier,
        to_stderr,
        single,
        writers: Arc::default(),
    }))
}

struct Print {
    identifier: String,
    to_stderr: bool,
    single: bool,
    /// How many writers there are: with more than one, each row says which one printed it.
    writers: Arc<AtomicUsize>,
}

#[async_trait]
impl Sink for Print {
    fn mode(&self) -> SinkMode {
        SinkMode::Retract
    }

    fn guarantee(&self) -> &'static str {
        "at least once"
    }

    fn is_single(&self) -> bool {
        self.single
    }

    async fn writer(&self, request: WriteRequest) -> Result<Box<dyn SinkWriter>> {
        let WriteRequest { instance, key, .. } = request;
        self.writers.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(Printer {
            identifier: self.identifier.clone(),
            to_stderr: self.to_stderr,
            writers: Arc::clone(&self.writers),
            instance,
            key,
            text: String::new(),
        }))
    }
}

struct Printer {
    identifier: String,
    to_stderr: bool,
    writers: Arc<AtomicUsize>,
    instance: usize,
    key: Option<Vec<usize>>,
    text: String,
}

impl Printer {
    /// `identifier:2> `, with the parts that there are.
    fn prefix(&self) -> String {
        let is_parallel = self.writers.load(Ordering::Relaxed) > 1;
        match (self.identifier.as_str(), is_parallel) {
            ("", false) => String::new(),
            ("", true) => format!("{}> ", self.instance + 1),
            (name, false) => format!("{name}> "),
            (name, true) => format!("{name}:{}> ", self.instance + 1),
        }
    }
}

#[async_trait]
impl SinkWriter for Printer {
    async fn write(&mut self, batch: &Batch) -> Result<()> {
        let prefix = self.prefix();
        self.text.clear();
        for (row, kind) in row_kinds(batch, self.key.as_deref())? {
            self.text.push_str(&prefix);
            write_row(
                kind,
                batch.rows.columns().iter().map(AsRef::as_ref),
                row,
                &mut self.text,
            )?;
            self.text.push('\n');
        }
        let text = self.text.as_bytes();
        let written = if self.to_stderr {
            std::io::stderr().lock().write_all(text)
        } else {
            std::io::stdout().lock().write_all(text)
        };
        written.map_err(cannot_print)
    }

    async fn flush(&mut self) -> Result<()> {
        let flushed = if self.to_stderr {
            std::io::stderr().flush()
        } else {
            std::io::stdout().flush()
        };
        flushed.map_err(cannot_print)
    }
}

fn cannot_print(error: std::io::Error) -> Error {
    Error::external(format!("printing a row failed: {error}"))
        .with_help("does the program that reads the output still run?")
        .caused_by(error)
}

/// `+I[...]`
fn write_row<'a>(
    kind: RowKind,
    columns: impl Iterator<Item = &'a dyn Array>,
    row: usize,
    out: &mut String,
) -> Result<()> {
    out.push_str(kind.as_str());
    out.push('[');
    for (i, column) in columns.enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        write_value(column, row, out)?;
    }
    out.push(']');
    Ok(())
}

/// A value as Java prints it.
fn write_value(array: &dyn Array, row: usize, out: &mut String) -> Result<()> {
    if array.is_null(row) {
        out.push_str("null");
        return Ok(());
    }
    match array.data_type() {
        DataType::Boolean => out.push_str(if array.as_boolean().value(row) {
            "true"
        } else {
            "false"
        }),
        DataType::Utf8 => out.push_str(array.as_string::<i32>().value(row)),
        DataType::Utf8View => out.push_str(array.as_string_view().value(row)),
        DataType::Int8 => push(out, array.as_primitive::<Int8Type>().value(row)),
        DataType::Int16 => push(out, array.as_primitive::<Int16Type>().value(row)),
        DataType::Int32 => push(out, array.as_primitive::<Int32Type>().value(row)),
        DataType::Int64 => push(out, array.as_primitive::<Int64Type>().value(row)),
        DataType::Float32 => write_float(
            &format!("{:e}", array.as_primitive::<Float32Type>().value(row)),
            out,
        ),
        DataType::Float64 => write_float(
            &format!("{:e}", array.as_primitive::<Float64Type>().value(row)),
            out,
        ),
        DataType::Decimal128(_, scale) => {
            write_decimal(
                array.as_primitive::<Decimal128Type>().value(row),
                i32::from(*scale),
                out,
            );
        }
        DataType::Date32 => {
            let day = i64::from(array.as_primitive::<Date32Type>().value(row));
            write_timestamp(day.checked_mul(86_400_000_000_000), Show::Date, out)?;
        }
        DataType::Time32(TimeUnit::Second) => {
            let seconds = i64::from(array.as_primitive::<Time32SecondType>().value(row));
            write_timestamp(seconds.checked_mul(1_000_000_000), Show::Time, out)?;
        }
        DataType::Time32(_) => {
            let millis = i64::from(array.as_primitive::<Time32MillisecondType>().value(row));
            write_timestamp(millis.checked_mul(1_000_000), Show::Time, out)?;
        }
        DataType::Timestamp(unit, zone) => {
            let (value, per_second) = match unit {
                TimeUnit::Second => (array.as_primitive::<TimestampSecondType>().value(row), 1),
                TimeUnit::Millisecond => (
                    array.as_primitive::<TimestampMillisecondType>().value(row),
                    1_000,
                ),
                TimeUnit::Microsecond => (
                    array.as_primitive::<TimestampMicrosecondType>().value(row),
                    1_000_000,
                ),
                TimeUnit::Nanosecond => (
                    array.as_primitive::<TimestampNanosecondType>().value(row),
                    1_000_000_000,
                ),
            };
            let nanos = u32::try_from(value.rem_euclid(per_second) * (1_000_000_000 / per_second))
                .unwrap_or(0);
            let at = DateTime::from_timestamp(value.div_euclid(per_second), nanos)
                .ok_or_else(|| Error::data(format!("{value} is no timestamp")))?
                .naive_utc();
            match zone {
                None => write_local(at, out),
                Some(_) => write_instant(at, out),
            }
        }
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            write_list(&*items, out)?;
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            out.push('{');
            for i in 0..entries.len() {
                if i > 0 {
                    out.push_str(", ");
                }
                write_value(entries.column(0), i, out)?;
                out.push('=');
                write_value(entries.column(1), i, out)?;
            }
            out.push('}');
        }
        DataType::Struct(_) => {
            let fields = array.as_struct().columns().iter().map(AsRef::as_ref);
            write_row(RowKind::Insert, fields, row, out)?;
        }
        DataType::Binary => {
            // Java's bytes are signed.
            let bytes = array.as_binary::<i32>().value(row);
            let texts: Vec<String> = bytes.iter().map(|b| b.cast_signed().to_string()).collect();
            out.push('[');
            out.push_str(&texts.join(", "));
            out.push(']');
        }
        _ => out.push_str(&array_value_to_string(array, row)?),
    }
    Ok(())
}

fn write_list(items: &dyn Array, out: &mut String) -> Result<()> {
    out.push('[');
    for i in 0..items.len() {
        if i > 0 {
            out.push_str(", ");
        }
        write_value(items, i, out)?;
    }
    out.push(']');
    Ok(())
}

fn push(out: &mut String, value: impl std::fmt::Display) {
    use std::fmt::Write;
    // Writing to a String cannot fail.
    let _ = write!(out, "{value}");
}

#[derive(Clone, Copy)]
enum Show {
    Date,
    Time,
}

fn write_timestamp(nanos: Option<i64>, show: Show, out: &mut String) -> Result<()> {
    let at = nanos
        .map(DateTime::from_timestamp_nanos)
        .ok_or_else(|| Error::data("a date is out of range"))?;
    match show {
        Show::Date => write_date(at.date_naive(), out),
        Show::Time => write_time(at.time(), out),
    }
    Ok(())
}

fn write_date(date: NaiveDate, out: &mut String) {
    push(out, date.format("%Y-%m-%d"));
}

/// `10:15`, with seconds and fraction only where they are not zero.
fn write_time(time: NaiveTime, out: &mut String) {
    push(out, time.format("%H:%M"));
    if time.second() > 0 || time.nanosecond() > 0 {
        push(out, time.format(":%S"));
    }
    write_fraction(time.nanosecond(), out);
}

/// In groups of three digits, as many as are needed.
fn write_fraction(nanos: u32, out: &mut String) {
    match nanos {
        0 => {}
        n if n % 1_000_000 == 0 => push(out, format_args!(".{:03}", n / 1_000_000)),
        n if n % 1_000 == 0 => push(out, format_args!(".{:06}", n / 1_000)),
        n => push(out, format_args!(".{n:09}")),
    }
}

/// As Java's LocalDateTime: `2025-01-15T00:00`.
fn write_local(at: NaiveDateTime, out: &mut String) {
    write_date(at.date(), out);
    out.push('T');
    write_time(at.time(), out);
}

/// As Java's Instant: `2025-01-15T00:00:00Z`.
fn write_instant(at: NaiveDateTime, out: &mut String) {
    write_date(at.date(), out);
    push(out, at.format("T%H:%M:%S"));
    write_fraction(at.nanosecond(), out);
    out.push('Z');
}

/// From Rust's shortest `1.5e-7` to Java's `1.5E-7`, which is plain from 0.001 up to ten million.
fn write_float(scientific: &str, out: &mut String) {
    let Some((digits, exponent)) = scientific.split_once('e') else {
        out.push_str(match scientific {
            "inf" => "Infinity",
            "-inf" => "-Infinity",
            _ => "NaN",
        });
        return;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits = match digits.strip_prefix('-') {
        Some(digits) => {
            out.push('-');
            digits
        }
        None => digits,
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    let or_zero = |text: &str| {
        if text.is_empty() {
            "0".to_string()
        } else {
            text.to_string()
        }
    };
    match exponent {
        0..=6 => {
            let point = exponent as usize + 1;
            let padded = format!("{all:0<point$}");
            push(
                out,
                format_args!("{}.{}", &padded[..point], or_zero(&padded[point..])),
            );
        }
        -3..=-1 => push(
            out,
            format_args!("0.{}{all}", "0".repeat((-exponent - 1) as usize)),
        ),
        _ => push(
            out,
            format_args!("{whole}.{}E{exponent}", or_zero(fraction)),
        ),
    }
}

/// As Java's BigDecimal: plain unless the number is far below one.
fn write_decimal(unscaled: i128, scale: i32, out: &mut String) {
    let digits = unscaled.unsigned_abs().to_string();
    if unscaled < 0 {
        out.push('-');
    }
    let adjusted = digits.len() as i32 - 1 - scale;
    if scale == 0 {
        out.push_str(&digits);
    } else if scale > 0 && adjusted >= -6 {
        let scale = scale as usize;
        let padded = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = padded.split_at(padded.len() - scale);
        push(out, format_args!("{whole}.{fraction}"));
    } else {
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        let sign = if adjusted >= 0 { "+" } else { "" };
        push(out, format_args!("{first}{point}{rest}E{sign}{adjusted}"));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn float(value: f64) -> String {
        let mut out = String::new();
        write_float(&format!("{value:e}"), &mut out);
        out
    }

    #[test]
    fn doubles_as_java_prints_them() {
        for (value, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (100.0, "100.0"),
            (1.5, "1.5"),
            (1e7, "1.0E7"),
            (9_999_999.5, "9999999.5"),
            (123_456.789, "123456.789"),
            (0.001, "0.001"),
            (0.01, "0.01"),
            (0.25, "0.25"),
            (0.000_99, "9.9E-4"),
            (1e10, "1.0E10"),
            (-1.25e-7, "-1.25E-7"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "Infinity"),
        ] {
            assert_eq!(float(value), text);
        }
    }

    #[test]
    fn decimals_as_java_prints_them() {
        for (unscaled, scale, text) in [
            (12345, 2, "123.45"),
            (-5, 2, "-0.05"),
            (100, 0, "100"),
            (1, 7, "1E-7"),
            (12, 8, "1.2E-7"),
            (0, 2, "0.00"),
        ] {
            let mut out = String::new();
            write_decimal(unscaled, scale, &mut out);
            assert_eq!(out, text);
        }
    }

    #[test]
    fn times_as_java_prints_them() {
        let at = |millis: i64| DateTime::from_timestamp_millis(millis).unwrap().naive_utc();
        let local = |millis| {
            let mut out = String::new();
            write_local(at(millis), &mut out);
            out
        };
        let instant = |millis| {
            let mut out = String::new();
            write_instant(at(millis), &mut out);
            out
        };
        assert_eq!(local(1_736_899_200_000), "2025-01-15T00:00");
        assert_eq!(local(1_736_899_201_120), "2025-01-15T00:00:01.120");
        assert_eq!(local(1_736_899_200_500), "2025-01-15T00:00:00.500");
        assert_eq!(instant(1_736_899_200_000), "2025-01-15T00:00:00Z");
        assert_eq!(instant(1_736_899_200_500), "2025-01-15T00:00:00.500Z");
    }
}
