//! Intervals of a computed length.

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::array::{Array, AsArray, IntervalMonthDayNanoArray};
use datafusion::arrow::datatypes::{
    DataType, Float64Type, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit,
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
        _ => plan_err!("an interval is multiplied by a number, not {given:?}"),
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
