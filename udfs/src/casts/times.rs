//! Dates, times of day and timestamps among each other.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, Int64Array, PrimitiveBuilder};
use datafusion::arrow::datatypes::{
    Date32Type, Int64Type, Time32MillisecondType, Time32SecondType, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use datafusion::common::{Result, exec_err};

use super::failures::Failures;
use super::print::printer;
use super::types::{Type, time_unit};
use super::values::typed;
use super::zone::{SECONDS_PER_DAY, ahead};
use crate::calendar::{Moment, NANOS_PER_SECOND, per_second};

pub(super) const fn is_time(kind: &Type) -> bool {
    matches!(kind, Type::Date | Type::Time(_)) || kind.is_timestamp()
}

/// The parts of a day that values of the type count.
fn per_day(kind: &Type) -> i64 {
    match kind {
        Type::Date => 1,
        Type::Time(0) => SECONDS_PER_DAY,
        Type::Time(_) => SECONDS_PER_DAY * 1000,
        Type::Timestamp(p) | Type::TimestampLtz(p) => SECONDS_PER_DAY * per_second(time_unit(*p)),
        _ => 1,
    }
}

/// What values of the type are multiples of: less precision than the unit has cuts digits off.
fn step(kind: &Type) -> i64 {
    match kind {
        Type::Timestamp(p) | Type::TimestampLtz(p) | Type::Time(p) => {
            let digits = 10_i64.pow(u32::from(*p).min(9));
            (per_day(kind) / SECONDS_PER_DAY / digits).max(1)
        }
        _ => 1,
    }
}

/// From one to another. A time of day is one of 1970-01-01; digits that do not fit are cut off, downwards.
pub(super) fn between(
    array: &ArrayRef,
    from: &Type,
    to: &Type,
    failures: &mut Failures,
) -> Result<ArrayRef> {
    let (per_from, per_to) = (per_day(from), per_day(to));
    let zoned = |kind: &Type| matches!(kind, Type::TimestampLtz(_));
    let sign = i64::from(zoned(from)) - i64::from(zoned(to));
    // In units of the source.
    let second = (per_from / SECONDS_PER_DAY).max(1);
    // What lies under a NULL may be anything.
    let local = |v: i64| v.wrapping_add(sign * ahead(v.div_euclid(second)) * second);
    let of_day = |v: i64| match to {
        Type::Time(_) => v.rem_euclid(per_from),
        _ => v,
    };
    let step = step(to);
    let cut = |v: i64| {
        if step == 1 {
            v
        } else {
            v.wrapping_sub(v.rem_euclid(step))
        }
    };
    let values = numbers(array, from)?;
    if per_to <= per_from {
        let ratio = per_from / per_to;
        let values = values.unary::<_, Int64Type>(|v| cut(of_day(local(v)).div_euclid(ratio)));
        return of_numbers(values, to);
    }
    let ratio = per_to / per_from;
    let mut builder = PrimitiveBuilder::<Int64Type>::with_capacity(values.len());
    for (row, value) in values.iter().enumerate() {
        let result = value.map(|v| of_day(local(v)).checked_mul(ratio).map(cut));
        if result == Some(None) {
            let mut text = String::new();
            printer(array, from)?(row, &mut text)?;
            failures.add(row, text, to);
        }
        builder.append_option(result.flatten());
    }
    of_numbers(builder.finish(), to)
}

fn numbers(array: &ArrayRef, from: &Type) -> Result<Int64Array> {
    let unit = |p: &u8| time_unit(*p);
    macro_rules! same {
        ($t:ty) => {
            array.as_primitive::<$t>().reinterpret_cast::<Int64Type>()
        };
    }
    macro_rules! wide {
        ($t:ty) => {
            array.as_primitive::<$t>().unary::<_, Int64Type>(i64::from)
        };
    }
    Ok(match from {
        Type::Date => wide!(Date32Type),
        Type::Time(0) => wide!(Time32SecondType),
        Type::Time(_) => wide!(Time32MillisecondType),
        Type::Timestamp(p) | Type::TimestampLtz(p) => match unit(p) {
            TimeUnit::Second => same!(TimestampSecondType),
            TimeUnit::Millisecond => same!(TimestampMillisecondType),
            TimeUnit::Microsecond => same!(TimestampMicrosecondType),
            TimeUnit::Nanosecond => same!(TimestampNanosecondType),
        },
        other => return exec_err!("CAST: {other} is no date or time"),
    })
}

/// The dates or times that so many days or units since 1970 are.
pub(super) fn of_numbers(values: Int64Array, to: &Type) -> Result<ArrayRef> {
    macro_rules! same {
        ($t:ty) => {
            typed(values.reinterpret_cast::<$t>(), to)
        };
    }
    macro_rules! narrow {
        ($t:ty) => {
            Arc::new(values.unary::<_, $t>(|v| v as i32))
        };
    }
    Ok(match to {
        Type::Date => narrow!(Date32Type),
        Type::Time(0) => narrow!(Time32SecondType),
        Type::Time(_) => narrow!(Time32MillisecondType),
        Type::Timestamp(p) | Type::TimestampLtz(p) => match time_unit(*p) {
            TimeUnit::Second => same!(TimestampSecondType),
            TimeUnit::Millisecond => same!(TimestampMillisecondType),
            TimeUnit::Microsecond => same!(TimestampMicrosecondType),
            TimeUnit::Nanosecond => same!(TimestampNanosecondType),
        },
        other => return exec_err!("CAST: {other} is no date or time"),
    })
}

/// The number that a date or time of the type is, if there is one.
pub(super) fn number(moment: Moment, to: &Type) -> Option<i64> {
    let per_to = i128::from(per_day(to));
    let nanos = i128::from(SECONDS_PER_DAY) * i128::from(NANOS_PER_SECOND);
    let value =
        i128::from(moment.days) * per_to + (i128::from(moment.nanos) * per_to).div_euclid(nanos);
    let value = i64::try_from(value).ok()?;
    Some(value - value.rem_euclid(step(to)))
}
