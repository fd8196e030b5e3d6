//! Intervals of a computed length.

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, IntervalMonthDayNanoArray, PrimitiveArray,
};
use datafusion::arrow::datatypes::{
    ArrowPrimitiveType, DataType, Float64Type, IntervalMonthDayNano, IntervalMonthDayNanoType,
    IntervalUnit, Time32MillisecondType, Time32SecondType, TimeUnit,
};
use datafusion::common::{Result, exec_datafusion_err, plan_err};
use std::sync::Arc;

use crate::function::{Call, Function, Nulls, Takes};

const MILLIS_PER_DAY: i64 = 86_400_000;

/// `interval * number`: whole months, or whole milliseconds.
pub(crate) static TIMES: Function = Function::new(
    "interval_times",
    Takes::Own(|given| match given {
        [
            interval @ DataType::Interval(IntervalUnit::MonthDayNano),
            number,
        ] if number.is_numeric() || number.is_null() => {
            Ok(vec![interval.clone(), DataType::Float64])
        }
        _ => plan_err!(
            "an interval is multiplied by a number, not {}",
            crate::casts::sql_names(given)
        ),
    }),
    |types, _| Ok(types[0].clone()),
    Nulls::Strict,
    times,
)
.fails();

fn times(call: &Call) -> Result<ArrayRef> {
    let intervals = call.full_array(0)?;
    let numbers = call.full_array(1)?;
    let intervals = intervals.as_primitive::<IntervalMonthDayNanoType>();
    let numbers = numbers.as_primitive::<Float64Type>();
    let product = |i: usize| -> Result<Option<IntervalMonthDayNano>> {
        if intervals.is_null(i) || numbers.is_null(i) {
            return Ok(None);
        }
        let (interval, by) = (intervals.value(i), numbers.value(i));
        let millis = i64::from(interval.days) * MILLIS_PER_DAY + interval.nanoseconds / 1_000_000;
        let (months, millis) = (f64::from(interval.months) * by, millis as f64 * by);
        let fits = months.abs() <= f64::from(i32::MAX)
            && (millis / MILLIS_PER_DAY as f64).abs() <= f64::from(i32::MAX);
        if !fits {
            return Err(exec_datafusion_err!("an interval times {by} is too long"));
        }
        let millis = millis as i64;
        Ok(Some(IntervalMonthDayNano::new(
            months as i32,
            (millis / MILLIS_PER_DAY) as i32,
            millis % MILLIS_PER_DAY * 1_000_000,
        )))
    };
    let products = (0..intervals.len()).map(product);
    let array: IntervalMonthDayNanoArray = products.collect::<Result<Vec<_>>>()?.into();
    Ok(Arc::new(array))
}

/// `time + interval`: what passes midnight goes on from 0.
pub(crate) static TIME_PLUS: Function = Function::new(
    "time_plus",
    Takes::Own(|given| match given {
        [
            DataType::Time32(_),
            DataType::Interval(IntervalUnit::MonthDayNano),
        ] => Ok(given.to_vec()),
        _ => plan_err!(
            "an interval is added to a TIME here, not {}",
            crate::casts::sql_names(given)
        ),
    }),
    |types, _| Ok(types[0].clone()),
    Nulls::Strict,
    |call| match call.data_type(0) {
        DataType::Time32(TimeUnit::Second) => time_plus::<Time32SecondType>(call, 1000),
        _ => time_plus::<Time32MillisecondType>(call, 1),
    },
);

fn time_plus<T: ArrowPrimitiveType<Native = i32>>(call: &Call, millis: i64) -> Result<ArrayRef> {
    let (times, intervals) = (call.full_array(0)?, call.full_array(1)?);
    let times = times.as_primitive::<T>();
    let intervals = intervals.as_primitive::<IntervalMonthDayNanoType>();
    let moved = (0..times.len()).map(|i| {
        if times.is_null(i) || intervals.is_null(i) {
            return None;
        }
        let by = i64::from(intervals.value(i).days) * MILLIS_PER_DAY
            + intervals.value(i).nanoseconds / 1_000_000;
        let sum = i64::from(times.value(i)) * millis + by;
        i32::try_from(sum.rem_euclid(MILLIS_PER_DAY) / millis).ok()
    });
    let array: PrimitiveArray<T> = moved.collect();
    Ok(Arc::new(array))
}
