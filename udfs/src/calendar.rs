//! Days, months and units of time on the proleptic Gregorian calendar, and Arrow's times as a day and a time of day.

use datafusion::arrow::array::{
    Date32Array, Time32MillisecondArray, Time32SecondArray, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray,
};
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{Result, exec_err};

use crate::function::{Call, Column};

pub(crate) const NANOS_PER_SECOND: i64 = 1_000_000_000;
pub(crate) const NANOS_PER_MILLI: i64 = 1_000_000;
pub(crate) const NANOS_PER_DAY: i64 = 86_400 * NANOS_PER_SECOND;

/// A day since 1970-01-01 and the nanoseconds since its midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Moment {
    pub days: i64,
    pub nanos: i64,
}

/// A date in parts; months and days count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Civil {
    pub year: i64,
    pub month: i64,
    pub day: i64,
}

impl Civil {
    pub const fn new(year: i64, month: i64, day: i64) -> Self {
        Self { year, month, day }
    }

    /// The date of a day since 1970-01-01.
    pub const fn of(days: i64) -> Self {
        // Years from March, in eras of 400 years, so that the leap day is the last of a year.
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 {
            from_march + 3
        } else {
            from_march - 9
        };
        let year = year_of_era + era * 400 + (month <= 2) as i64;
        Self::new(year, month, day)
    }

    /// The day since 1970-01-01. A month or day past the end counts on.
    pub const fn days(self) -> i64 {
        let months = self.month - 1;
        let year = self.year + months.div_euclid(12);
        let month = months.rem_euclid(12) + 1;
        let from_march = if month > 2 { month - 3 } else { month + 9 };
        let year = year - (month <= 2) as i64;
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let day_of_era = 365 * year_of_era + year_of_era / 4 - year_of_era / 100
            + (153 * from_march + 2) / 5
            + self.day
            - 1;
        era * 146_097 + day_of_era - 719_468
    }

    pub const fn day_of_year(self) -> i64 {
        self.days() - Self::new(self.year, 1, 1).days() + 1
    }

    pub const fn quarter(self) -> i64 {
        (self.month + 2) / 3
    }
}

pub(crate) const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

pub(crate) const fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Sunday is 1, Saturday 7.
pub(crate) const fn day_of_week(days: i64) -> i64 {
    (days + 4).rem_euclid(7) + 1
}

/// Monday is 1, Sunday 7.
pub(crate) const fn iso_day_of_week(days: i64) -> i64 {
    (days + 3).rem_euclid(7) + 1
}

/// The ISO year and week: the week of a day is that of its Thursday.
pub(crate) const fn iso_week(days: i64) -> (i64, i64) {
    let thursday = days + 4 - iso_day_of_week(days);
    let year = Civil::of(thursday).year;
    (year, (thursday - Civil::new(year, 1, 1).days()) / 7 + 1)
}

/// The day, so many months on; the last of the month where it has no such day.
pub(crate) fn add_months(days: i64, months: i64) -> Option<i64> {
    let date = Civil::of(days);
    let all = date
        .year
        .checked_mul(12)?
        .checked_add(date.month - 1)?
        .checked_add(months)?;
    let (year, month) = (all.div_euclid(12), all.rem_euclid(12) + 1);
    if year.abs() > 20_000_000 {
        return None;
    }
    let day = date.day.min(days_in_month(year, month));
    Some(Civil::new(year, month, day).days())
}

/// Full months from `start` to `end`, as Flink counts them.
pub(crate) fn months_between(start: Moment, end: Moment) -> Option<i64> {
    let months = if end.days < start.days {
        -months_between_days(end.days, start.days)?
    } else {
        months_between_days(start.days, end.days)?
    };
    let same_day = add_months(start.days, months)? == end.days;
    Some(if same_day && end.nanos < start.nanos {
        months - 1
    } else {
        months
    })
}

fn months_between_days(start: i64, end: i64) -> Option<i64> {
    let (from, to) = (Civil::of(start), Civil::of(end));
    let mut months = ((to.year - from.year) * 12 + to.month - from.month - 1).max(0);
    loop {
        if add_months(start, months)? >= end || add_months(start, months + 1)? > end {
            return Some(months);
        }
        months += 1;
    }
}

/// A unit of time, smallest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Unit {
    Nanosecond,
    Microsecond,
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    Decade,
    Century,
    Millennium,
}

impl Unit {
    pub fn parse(function: &str, name: &str) -> Result<Self> {
        Ok(match name.to_uppercase().as_str() {
            "NANOSECOND" => Self::Nanosecond,
            "MICROSECOND" => Self::Microsecond,
            "MILLISECOND" => Self::Millisecond,
            "SECOND" => Self::Second,
            "MINUTE" => Self::Minute,
            "HOUR" => Self::Hour,
            "DAY" => Self::Day,
            "WEEK" => Self::Week,
            "MONTH" => Self::Month,
            "QUARTER" => Self::Quarter,
            "YEAR" => Self::Year,
            "DECADE" => Self::Decade,
            "CENTURY" => Self::Century,
            "MILLENNIUM" => Self::Millennium,
            _ => {
                return exec_err!(
                    "{function}: '{name}' is no unit of time, expected one such as DAY or MINUTE"
                );
            }
        })
    }

    /// Its length, if it has one.
    pub const fn nanos(self) -> Option<i64> {
        Some(match self {
            Self::Nanosecond => 1,
            Self::Microsecond => 1000,
            Self::Millisecond => NANOS_PER_MILLI,
            Self::Second => NANOS_PER_SECOND,
            Self::Minute => 60 * NANOS_PER_SECOND,
            Self::Hour => 3600 * NANOS_PER_SECOND,
            Self::Day => NANOS_PER_DAY,
            Self::Week => 7 * NANOS_PER_DAY,
            _ => return None,
        })
    }

    /// Its length in months, if it has one.
    pub const fn months(self) -> Option<i64> {
        Some(match self {
            Self::Month => 1,
            Self::Quarter => 3,
            Self::Year => 12,
            Self::Decade => 120,
            Self::Century => 1200,
            Self::Millennium => 12_000,
            _ => return None,
        })
    }
}

impl Moment {
    pub fn checked(self) -> Option<Self> {
        let carry = self.nanos.div_euclid(NANOS_PER_DAY);
        Some(Self {
            days: self.days.checked_add(carry)?,
            nanos: self.nanos.rem_euclid(NANOS_PER_DAY),
        })
    }

    /// Nanoseconds since 1970.
    pub const fn since_epoch(self) -> i128 {
        self.days as i128 * NANOS_PER_DAY as i128 + self.nanos as i128
    }

    pub fn from_epoch(nanos: i128) -> Option<Self> {
        let day = i128::from(NANOS_PER_DAY);
        Some(Self {
            days: i64::try_from(nanos.div_euclid(day)).ok()?,
            nanos: i64::try_from(nanos.rem_euclid(day)).ok()?,
        })
    }

    pub const fn seconds(self) -> i64 {
        self.nanos / NANOS_PER_SECOND
    }

    /// The start of the unit that it is in.
    pub fn floor(self, unit: Unit) -> Self {
        let day = |date: Civil| Self {
            days: date.days(),
            nanos: 0,
        };
        let date = Civil::of(self.days);
        match unit {
            Unit::Day => day(date),
            Unit::Week => Self {
                days: self.days - (day_of_week(self.days) - 1),
                nanos: 0,
            },
            Unit::Month => day(Civil::new(date.year, date.month, 1)),
            Unit::Quarter => day(Civil::new(date.year, date.quarter() * 3 - 2, 1)),
            Unit::Year => day(Civil::new(date.year, 1, 1)),
            Unit::Decade => day(Civil::new(date.year.div_euclid(10) * 10, 1, 1)),
            Unit::Century => day(Civil::new((date.year - 1).div_euclid(100) * 100 + 1, 1, 1)),
            Unit::Millennium => day(Civil::new(
                (date.year - 1).div_euclid(1000) * 1000 + 1,
                1,
                1,
            )),
            _ => match unit.nanos() {
                Some(length) => Self {
                    days: self.days,
                    nanos: self.nanos - self.nanos % length,
                },
                None => self,
            },
        }
    }

    /// The start of the next unit, or itself if it is such a start.
    pub fn ceil(self, unit: Unit) -> Option<Self> {
        let floor = self.floor(unit);
        if floor == self {
            return Some(self);
        }
        floor.add(unit, 1)
    }

    /// So many units on.
    pub fn add(self, unit: Unit, count: i64) -> Option<Self> {
        if let Some(months) = unit.months() {
            return Some(Self {
                days: add_months(self.days, count.checked_mul(months)?)?,
                nanos: self.nanos,
            });
        }
        Self::from_epoch(self.since_epoch() + i128::from(count) * i128::from(unit.nanos()?))
    }
}

/// Units of an Arrow timestamp in a second.
pub(crate) const fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => NANOS_PER_SECOND,
    }
}

/// The moment of a timestamp.
pub(crate) const fn moment(value: i64, unit: TimeUnit) -> Moment {
    let per_second = per_second(unit);
    let per_day = per_second * 86_400;
    Moment {
        days: value.div_euclid(per_day),
        nanos: value.rem_euclid(per_day) * (NANOS_PER_SECOND / per_second),
    }
}

/// The timestamp of a moment, if it fits.
pub(crate) fn timestamp(moment: Moment, unit: TimeUnit) -> Option<i64> {
    let step = NANOS_PER_SECOND / per_second(unit);
    i64::try_from(moment.since_epoch().div_euclid(i128::from(step))).ok()
}

/// The moment as the Arrow value of a date or time of the type.
pub(crate) fn encode(moment: Moment, data_type: &DataType) -> Option<i64> {
    match data_type {
        DataType::Timestamp(unit, _) => timestamp(moment, *unit),
        DataType::Date32 => i32::try_from(moment.days).ok().map(i64::from),
        DataType::Time32(unit) => Some(moment.nanos / (NANOS_PER_SECOND / per_second(*unit))),
        _ => None,
    }
}

/// An argument that is a date or time.
#[derive(Debug)]
pub(crate) enum Times<'a> {
    Seconds(Column<'a, TimestampSecondArray>),
    Millis(Column<'a, TimestampMillisecondArray>),
    Micros(Column<'a, TimestampMicrosecondArray>),
    Nanos(Column<'a, TimestampNanosecondArray>),
    Dates(Column<'a, Date32Array>),
    TimeSeconds(Column<'a, Time32SecondArray>),
    TimeMillis(Column<'a, Time32MillisecondArray>),
}

impl<'a> Times<'a> {
    pub fn of(call: &'a Call, at: usize) -> Result<Self> {
        Ok(match call.data_type(at) {
            DataType::Timestamp(TimeUnit::Second, _) => Self::Seconds(call.column(at)?),
            DataType::Timestamp(TimeUnit::Millisecond, _) => Self::Millis(call.column(at)?),
            DataType::Timestamp(TimeUnit::Microsecond, _) => Self::Micros(call.column(at)?),
            DataType::Timestamp(TimeUnit::Nanosecond, _) => Self::Nanos(call.column(at)?),
            DataType::Date32 => Self::Dates(call.column(at)?),
            DataType::Time32(TimeUnit::Second) => Self::TimeSeconds(call.column(at)?),
            DataType::Time32(TimeUnit::Millisecond) => Self::TimeMillis(call.column(at)?),
            other => {
                return exec_err!(
                    "{}: argument {} is {other}, expected TIMESTAMP, TIMESTAMP_LTZ, DATE or TIME",
                    call.name(),
                    at + 1
                );
            }
        })
    }

    #[inline]
    pub fn get(&self, row: usize) -> Option<Moment> {
        let time = |nanos| Moment { days: 0, nanos };
        match self {
            Self::Seconds(c) => c.get(row).map(|v| moment(v, TimeUnit::Second)),
            Self::Millis(c) => c.get(row).map(|v| moment(v, TimeUnit::Millisecond)),
            Self::Micros(c) => c.get(row).map(|v| moment(v, TimeUnit::Microsecond)),
            Self::Nanos(c) => c.get(row).map(|v| moment(v, TimeUnit::Nanosecond)),
            Self::Dates(c) => c.get(row).map(|days| Moment {
                days: i64::from(days),
                nanos: 0,
            }),
            Self::TimeSeconds(c) => c.get(row).map(|v| time(i64::from(v) * NANOS_PER_SECOND)),
            Self::TimeMillis(c) => c.get(row).map(|v| time(i64::from(v) * NANOS_PER_MILLI)),
        }
    }
}

/// A result of dates or times in the declared type.
pub(crate) fn moments(
    call: &Call,
    mut row: impl FnMut(usize) -> Result<Option<Moment>>,
) -> Result<datafusion::arrow::array::ArrayRef> {
    use datafusion::arrow::compute::cast;
    let result = &call.result_type;
    let mut wide = |row_number: usize| match row(row_number)? {
        None => Ok(None),
        Some(moment) => match encode(moment, result) {
            Some(value) => Ok(Some(value)),
            None => exec_err!("{}: the result does not fit {result}", call.name()),
        },
    };
    let mut builder = datafusion::arrow::array::Int64Builder::with_capacity(call.rows);
    for i in 0..call.rows {
        builder.append_option(wide(i)?);
    }
    let array = builder.finish();
    Ok(match result {
        DataType::Timestamp(..) => cast(&array, result)?,
        _ => cast(&cast(&array, &DataType::Int32)?, result)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_go_there_and_back() {
        for days in (-800_000..800_000).step_by(13) {
            assert_eq!(Civil::of(days).days(), days);
        }
        assert_eq!(Civil::of(0), Civil::new(1970, 1, 1));
        assert_eq!(Civil::new(2024, 2, 29).days(), 19_782);
        assert_eq!(
            Civil::new(2024, 14, 31).days(),
            Civil::new(2025, 3, 3).days()
        );
    }

    #[test]
    fn weeks() {
        let day = |y, m, d| Civil::new(y, m, d).days();
        assert_eq!(day_of_week(day(2024, 5, 19)), 1);
        assert_eq!(iso_day_of_week(day(2024, 5, 19)), 7);
        assert_eq!(iso_week(day(2024, 12, 30)), (2025, 1));
        assert_eq!(iso_week(day(2021, 1, 3)), (2020, 53));
    }

    #[test]
    fn months_as_flink_counts_them() {
        let at = |y, m, d, hour: i64| Moment {
            days: Civil::new(y, m, d).days(),
            nanos: hour * 3600 * NANOS_PER_SECOND,
        };
        let table = [
            (at(2024, 1, 31, 0), at(2024, 2, 29, 0), 1),
            (at(2024, 3, 15, 12), at(2024, 1, 15, 13), -2),
            (at(2024, 1, 31, 10), at(2024, 2, 29, 11), 1),
            (at(2024, 2, 29, 10), at(2024, 1, 31, 9), -1),
            (at(2020, 2, 29, 0), at(2021, 2, 28, 0), 12),
            (at(2024, 1, 15, 13), at(2024, 2, 15, 12), 0),
        ];
        for (start, end, months) in table {
            assert_eq!(
                months_between(start, end),
                Some(months),
                "{start:?} {end:?}"
            );
        }
    }
}
