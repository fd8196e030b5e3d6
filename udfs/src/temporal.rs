//! Functions of dates and times, as text and in parts. The session's time zone is UTC.

use datafusion::arrow::array::{ArrayRef, PrimitiveArray, StringArray};
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int32Type, TimeUnit};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::Volatility;

use crate::calendar::{
    Civil, Moment, NANOS_PER_DAY, NANOS_PER_MILLI, NANOS_PER_SECOND, Times, Unit, day_of_week,
    iso_day_of_week, iso_week, moments, months_between,
};
use crate::clock;
use crate::decimal::power_of_ten;
use crate::function::{BigInt, Call, Column, Function, Kind, MILLIS, Nulls, Takes};
use crate::pattern::{Pattern, Rules};
use crate::text_time::{date_of, timestamp_of};

/// The functions of this file.
pub(crate) static FUNCTIONS: &[Function] = &[
    Function::new(
        "date_format",
        Takes::Fixed(2, &[Kind::TimeOrText, Kind::Text]),
        |types, _| match &types[0] {
            DataType::Timestamp(..) | DataType::Utf8 => Ok(DataType::Utf8),
            other => plan_err!("DATE_FORMAT: argument 1 is {other}, expected TIMESTAMP or STRING"),
        },
        Nulls::Maybe,
        date_format,
    )
    .fails(),
    Function::new(
        "to_timestamp",
        Takes::Fixed(1, &[Kind::Text, Kind::Text]),
        |_, _| Ok(MILLIS),
        Nulls::Maybe,
        to_timestamp,
    )
    .fails(),
    Function::new(
        "to_timestamp_ltz",
        Takes::Fixed(1, &[Kind::NumberOrText, Kind::IntOrText]),
        |_, scalars| {
            let unit = match scalars.get(1) {
                Some(Some(ScalarValue::Int64(Some(p @ 4..=9)))) => {
                    if *p > 6 {
                        TimeUnit::Nanosecond
                    } else {
                        TimeUnit::Microsecond
                    }
                }
                _ => TimeUnit::Millisecond,
            };
            Ok(DataType::Timestamp(unit, Some("UTC".into())))
        },
        Nulls::Maybe,
        to_timestamp_ltz,
    )
    .fails(),
    Function::new(
        "to_date",
        Takes::Fixed(1, &[Kind::Text, Kind::Text]),
        |_, _| Ok(DataType::Date32),
        Nulls::Maybe,
        to_date,
    )
    .fails(),
    Function {
        volatility: Volatility::Volatile,
        ..Function::new(
            "unix_timestamp",
            Takes::Fixed(0, &[Kind::Text, Kind::Text]),
            |_, _| Ok(DataType::Int64),
            Nulls::Strict,
            unix_timestamp,
        )
        .fails()
    },
    Function::new(
        "from_unixtime",
        Takes::Fixed(1, &[Kind::Int, Kind::Text]),
        |_, _| Ok(DataType::Utf8),
        Nulls::Maybe,
        from_unixtime,
    )
    .fails(),
    Function::new(
        "timestampdiff",
        Takes::Fixed(3, &[Kind::Text, Kind::Time, Kind::Time]),
        |_, _| Ok(DataType::Int32),
        Nulls::Strict,
        timestampdiff,
    )
    .fails(),
    Function::new(
        "timestampadd",
        Takes::Fixed(3, &[Kind::Text, Kind::Int, Kind::Time]),
        timestampadd_type,
        Nulls::Strict,
        timestampadd,
    )
    .fails(),
    Function::new(
        "extract",
        Takes::Fixed(2, &[Kind::Text, Kind::Time]),
        |_, _| Ok(DataType::Int64),
        Nulls::Strict,
        extract,
    ),
    part("year", |call| parts(call, Part::Year)),
    part("quarter", |call| parts(call, Part::Quarter)),
    part("month", |call| parts(call, Part::Month)),
    part("week", |call| parts(call, Part::Week)),
    part("dayofyear", |call| parts(call, Part::DayOfYear)),
    part("dayofmonth", |call| parts(call, Part::Day)),
    part("dayofweek", |call| parts(call, Part::DayOfWeek)),
    part("hour", |call| parts(call, Part::Hour)),
    part("minute", |call| parts(call, Part::Minute)),
    part("second", |call| parts(call, Part::Second)),
];

const fn part(name: &'static str, eval: fn(&Call) -> Result<ArrayRef>) -> Function {
    Function::new(
        name,
        Takes::Fixed(1, &[Kind::Time]),
        |_, _| Ok(DataType::Int64),
        Nulls::Strict,
        eval,
    )
}

/// The patterns of an argument; one that repeats is read once.
struct Patterns<'a> {
    function: String,
    rules: Rules,
    column: Option<Column<'a, StringArray>>,
    last: Option<(String, Pattern)>,
}

impl<'a> Patterns<'a> {
    /// Those of argument `at`; `default` if there is none.
    fn of(call: &'a Call, at: usize, rules: Rules, default: Option<&str>) -> Result<Self> {
        let function = call.name();
        let (column, last) = if at < call.len() {
            (Some(call.text(at)?), None)
        } else {
            let text = default.unwrap_or_default();
            let pattern = Pattern::new(&function, text, rules)?;
            (None, Some((text.to_owned(), pattern)))
        };
        Ok(Self {
            function,
            rules,
            column,
            last,
        })
    }

    fn get(&mut self, row: usize) -> Result<Option<&Pattern>> {
        if let Some(column) = &self.column {
            let Some(text) = column.get(row) else {
                return Ok(None);
            };
            if self.last.as_ref().is_none_or(|(last, _)| last != text) {
                let pattern = Pattern::new(&self.function, text, self.rules)?;
                self.last = Some((text.to_owned(), pattern));
            }
        }
        Ok(self.last.as_ref().map(|(_, pattern)| pattern))
    }
}

const DEFAULT: &str = "yyyy-MM-dd HH:mm:ss";

/// Text is read to the second by Flink's default pattern, in the lenient way of Java's SimpleDateFormat, which writes it too.
fn date_format(call: &Call) -> Result<ArrayRef> {
    if *call.data_type(0) == DataType::Utf8 {
        let texts = call.text(0)?;
        let read = Pattern::new(&call.name(), DEFAULT, Rules::Simple)?;
        let mut patterns = Patterns::of(call, 1, Rules::Simple, None)?;
        return call.strings(|row, out| {
            let moment = texts.get(row).and_then(|text| read.parse(text));
            let (Some(moment), Some(pattern)) = (moment, patterns.get(row)?) else {
                return Ok(false);
            };
            pattern.format(moment, out);
            Ok(true)
        });
    }
    let mut patterns = Patterns::of(call, 1, Rules::Formatter, None)?;
    let times = Times::of(call, 0)?;
    call.strings(|row, out| {
        let (Some(moment), Some(pattern)) = (times.get(row), patterns.get(row)?) else {
            return Ok(false);
        };
        pattern.format(moment, out);
        Ok(true)
    })
}

/// The moment of a text by the pattern of argument 1, else as SQL writes a timestamp.
fn parsed(call: &Call) -> Result<impl FnMut(usize) -> Result<Option<Moment>> + '_> {
    let texts = call.text(0)?;
    let mut patterns = match call.len() {
        1 => None,
        _ => Some(Patterns::of(call, 1, Rules::Formatter, None)?),
    };
    Ok(move |row| {
        let Some(text) = texts.get(row) else {
            return Ok(None);
        };
        let Some(patterns) = &mut patterns else {
            return Ok(timestamp_of(text));
        };
        let pattern = patterns.get(row)?;
        Ok(pattern.and_then(|p| p.parse(text).or_else(|| timestamp_of(text.trim()))))
    })
}

/// To the millisecond, downwards.
fn to_millis(moment: Moment) -> Moment {
    moment.floor(Unit::Millisecond)
}

fn to_timestamp(call: &Call) -> Result<ArrayRef> {
    let mut parsed = parsed(call)?;
    moments(call, |row| Ok(parsed(row)?.map(to_millis)))
}

fn to_timestamp_ltz(call: &Call) -> Result<ArrayRef> {
    if *call.data_type(0) == DataType::Utf8 {
        if call.len() > 1 && *call.data_type(1) != DataType::Utf8 {
            return exec_err!("TO_TIMESTAMP_LTZ: with a STRING, argument 2 is its pattern");
        }
        // Without a pattern, what TO_TIMESTAMP makes NULL fails.
        let fails = call.len() == 1;
        let mut parsed = parsed(call)?;
        let text = call.text(0)?;
        return moments(call, |row| match (parsed(row)?, text.get(row)) {
            (Some(moment), _) => Ok(Some(to_millis(moment))),
            (None, Some(text)) if fails => {
                exec_err!("TO_TIMESTAMP_LTZ: '{text}' could not be parsed")
            }
            (None, _) => Ok(None),
        });
    }
    let precision = match call.len() {
        1 => None,
        _ => Some(call.ints(1)?),
    };
    let precision_at = |row: usize| -> Result<Option<i64>> {
        match precision {
            None => Ok(Some(3)),
            Some(column) => match column.get(row) {
                Some(p) if !(0..=9).contains(&p) => {
                    exec_err!("TO_TIMESTAMP_LTZ: precision {p}, expected 0 to 9")
                }
                other => Ok(other),
            },
        }
    };
    // Nanoseconds in the last digit of the precision.
    let step = |precision: i64| power_of_ten(9 - precision);
    match call.data_type(0) {
        DataType::Float32 | DataType::Float64 => {
            let values = call.cast::<Float64Type>(0)?;
            moments(call, |row| {
                let (Some(value), Some(p)) = (values.get(row), precision_at(row)?) else {
                    return Ok(None);
                };
                let millis = (value * step(p) as f64 / NANOS_PER_MILLI as f64).trunc();
                if !millis.is_finite() || millis.abs() > 1e18 {
                    return Ok(None);
                }
                Ok(ltz(Moment::from_epoch(
                    millis as i128 * i128::from(NANOS_PER_MILLI),
                )))
            })
        }
        DataType::Decimal128(_, scale) => {
            let unit = power_of_ten(i64::from(*scale));
            let values = call.column::<PrimitiveArray<Decimal128Type>>(0)?;
            moments(call, |row| {
                let (Some(value), Some(p)) = (values.get(row), precision_at(row)?) else {
                    return Ok(None);
                };
                let nanos = (value / unit).checked_mul(step(p));
                Ok(ltz(nanos.and_then(Moment::from_epoch)))
            })
        }
        _ => {
            let values = call.cast::<BigInt>(0)?;
            moments(call, |row| {
                let (Some(value), Some(p)) = (values.get(row), precision_at(row)?) else {
                    return Ok(None);
                };
                Ok(ltz(Moment::from_epoch(i128::from(value) * step(p))))
            })
        }
    }
}

/// The moment, if it lies in the years 1 to 9999.
fn ltz(moment: Option<Moment>) -> Option<Moment> {
    const FIRST: i64 = Civil::new(1, 1, 1).days();
    const END: i64 = Civil::new(10_000, 1, 1).days();
    moment.filter(|m| (FIRST..END).contains(&m.days))
}

fn to_date(call: &Call) -> Result<ArrayRef> {
    let texts = call.text(0)?;
    let midnight = |days| Moment { days, nanos: 0 };
    if call.len() == 1 {
        return moments(call, |row| {
            Ok(texts.get(row).and_then(date_of).map(midnight))
        });
    }
    let mut patterns = Patterns::of(call, 1, Rules::Simple, None)?;
    moments(call, |row| {
        let (Some(text), Some(pattern)) = (texts.get(row), patterns.get(row)?) else {
            return Ok(None);
        };
        Ok(pattern.parse(text).map(|m| midnight(m.days)))
    })
}

fn unix_timestamp(call: &Call) -> Result<ArrayRef> {
    if call.len() == 0 {
        let now = clock::now()?;
        return call.values::<BigInt>(|_| Ok(Some(seconds_of(now))));
    }
    let texts = call.text(0)?;
    let mut patterns = Patterns::of(call, 1, Rules::Simple, Some(DEFAULT))?;
    call.values::<BigInt>(|row| {
        let (Some(text), Some(pattern)) = (texts.get(row), patterns.get(row)?) else {
            return Ok(None);
        };
        // As Flink says that a text is no time.
        Ok(Some(pattern.parse(text).map_or(i64::MIN, seconds_of)))
    })
}

fn seconds_of(moment: Moment) -> i64 {
    moment.days * 86_400 + moment.seconds()
}

fn from_unixtime(call: &Call) -> Result<ArrayRef> {
    let seconds = call.ints(0)?;
    let mut patterns = Patterns::of(call, 1, Rules::Simple, Some(DEFAULT))?;
    call.strings(|row, out| {
        let (Some(seconds), Some(pattern)) = (seconds.get(row), patterns.get(row)?) else {
            return Ok(false);
        };
        let nanos = i128::from(seconds) * i128::from(NANOS_PER_SECOND);
        let Some(moment) = Moment::from_epoch(nanos).filter(|m| m.days.abs() < 100_000_000_000)
        else {
            return exec_err!("FROM_UNIXTIME: {seconds} seconds are out of range");
        };
        pattern.format(moment, out);
        Ok(true)
    })
}

fn unit_of(call: &Call) -> Result<Unit> {
    match call.constant_text(0) {
        Some(unit) => Unit::parse(&call.name(), unit),
        None => exec_err!("{}: the unit of time must be a constant", call.name()),
    }
}

fn timestampdiff(call: &Call) -> Result<ArrayRef> {
    let unit = unit_of(call)?;
    let (from, to) = (Times::of(call, 1)?, Times::of(call, 2)?);
    call.values::<Int32Type>(|row| {
        let (Some(from), Some(to)) = (from.get(row), to.get(row)) else {
            return Ok(None);
        };
        let units = match (unit.nanos(), unit.months()) {
            (Some(length), _) => Some((to.since_epoch() - from.since_epoch()) / i128::from(length)),
            (None, Some(months)) => months_between(from, to).map(|m| i128::from(m / months)),
            (None, None) => None,
        };
        match units.map(i32::try_from) {
            Some(Ok(units)) => Ok(Some(units)),
            _ => exec_err!(
                "TIMESTAMPDIFF: {} units do not fit INT, its result type; take a larger unit",
                units.map_or_else(|| "the".into(), |u| u.to_string())
            ),
        }
    })
}

fn timestampadd_type(types: &[DataType], scalars: &[Option<&ScalarValue>]) -> Result<DataType> {
    let Some(Some(unit)) = scalars
        .first()
        .copied()
        .map(|s| s.and_then(|v| v.try_as_str()))
    else {
        return Ok(types[2].clone());
    };
    let Some(unit) = unit else {
        return plan_err!("TIMESTAMPADD: the unit of time is NULL");
    };
    let unit = Unit::parse("TIMESTAMPADD", unit)?;
    let least = match unit {
        Unit::Nanosecond => TimeUnit::Nanosecond,
        Unit::Microsecond => TimeUnit::Microsecond,
        Unit::Millisecond => TimeUnit::Millisecond,
        _ => TimeUnit::Second,
    };
    Ok(match &types[2] {
        DataType::Timestamp(own, zone) => DataType::Timestamp((*own).max(least), zone.clone()),
        DataType::Date32 if unit < Unit::Day => {
            DataType::Timestamp(least.max(TimeUnit::Microsecond), None)
        }
        other => other.clone(),
    })
}

fn timestampadd(call: &Call) -> Result<ArrayRef> {
    let unit = unit_of(call)?;
    let (counts, times) = (call.ints(1)?, Times::of(call, 2)?);
    let clock = matches!(call.data_type(2), DataType::Time32(_));
    moments(call, |row| {
        let (Some(count), Some(time)) = (counts.get(row), times.get(row)) else {
            return Ok(None);
        };
        match time.add(unit, count) {
            Some(moment) if clock => Ok(Some(Moment { days: 0, ..moment })),
            Some(moment) => Ok(Some(moment)),
            None => exec_err!("TIMESTAMPADD: the result of adding {count} is out of range"),
        }
    })
}

/// A part of a date or time.
#[derive(Debug, Clone, Copy)]
enum Part {
    Nanosecond,
    Microsecond,
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    DayOfWeek,
    IsoDayOfWeek,
    DayOfYear,
    Week,
    Month,
    Quarter,
    Year,
    IsoYear,
    Decade,
    Century,
    Millennium,
    Epoch,
}

fn parts(call: &Call, part: Part) -> Result<ArrayRef> {
    let times = Times::of(call, call.len() - 1)?;
    call.values::<BigInt>(|row| Ok(times.get(row).map(|moment| part_of(moment, part))))
}

fn part_of(moment: Moment, part: Part) -> i64 {
    let date = || Civil::of(moment.days);
    let of_second = moment.nanos % NANOS_PER_SECOND;
    let period = |years: i64| match date().year {
        year @ 1.. => (year + years - 1) / years,
        year => (year - years) / years,
    };
    match part {
        Part::Nanosecond => of_second,
        Part::Microsecond => of_second / 1000,
        Part::Millisecond => of_second / NANOS_PER_MILLI,
        Part::Second => moment.seconds() % 60,
        Part::Minute => moment.seconds() / 60 % 60,
        Part::Hour => moment.seconds() / 3600,
        Part::Day => date().day,
        Part::DayOfWeek => day_of_week(moment.days),
        Part::IsoDayOfWeek => iso_day_of_week(moment.days),
        Part::DayOfYear => date().day_of_year(),
        Part::Week => iso_week(moment.days).1,
        Part::Month => date().month,
        Part::Quarter => date().quarter(),
        Part::Year => date().year,
        Part::IsoYear => iso_week(moment.days).0,
        Part::Decade => date().year.div_euclid(10),
        Part::Century => period(100),
        Part::Millennium => period(1000),
        Part::Epoch => moment.days * (NANOS_PER_DAY / NANOS_PER_SECOND) + moment.seconds(),
    }
}

fn extract(call: &Call) -> Result<ArrayRef> {
    let Some(unit) = call.constant_text(0) else {
        return exec_err!("EXTRACT: the unit of time must be a constant");
    };
    let part = match unit.to_uppercase().as_str() {
        "NANOSECOND" => Part::Nanosecond,
        "MICROSECOND" => Part::Microsecond,
        "MILLISECOND" => Part::Millisecond,
        "SECOND" => Part::Second,
        "MINUTE" => Part::Minute,
        "HOUR" => Part::Hour,
        "DAY" => Part::Day,
        "DOW" => Part::DayOfWeek,
        "ISODOW" => Part::IsoDayOfWeek,
        "DOY" => Part::DayOfYear,
        "WEEK" => Part::Week,
        "MONTH" => Part::Month,
        "QUARTER" => Part::Quarter,
        "YEAR" => Part::Year,
        "ISOYEAR" => Part::IsoYear,
        "DECADE" => Part::Decade,
        "CENTURY" => Part::Century,
        "MILLENNIUM" => Part::Millennium,
        "EPOCH" => Part::Epoch,
        _ => return exec_err!("EXTRACT: '{unit}' is no part of a time, expected one such as HOUR"),
    };
    parts(call, part)
}

/// FLOOR and CEIL of a date or time to a unit.
pub(crate) fn round_to_unit(call: &Call, up: bool) -> Result<ArrayRef> {
    let Some(unit) = call.constant_text(1) else {
        return exec_err!("{}: the unit of time must be a constant", call.name());
    };
    let unit = Unit::parse(&call.name(), unit)?;
    let times = Times::of(call, 0)?;
    moments(call, |row| {
        let Some(time) = times.get(row) else {
            return Ok(None);
        };
        match if up {
            time.ceil(unit)
        } else {
            Some(time.floor(unit))
        } {
            Some(moment) => Ok(Some(moment)),
            None => exec_err!("{}: the result is out of range", call.name()),
        }
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#[path = "temporal_tests.rs"]
mod tests;
