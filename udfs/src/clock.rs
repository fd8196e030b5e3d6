//! The time now: read from the system's clock once a batch.

use std::time::{SystemTime, UNIX_EPOCH};

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::Volatility;

use crate::calendar::{Moment, Unit, moments};
use crate::function::{Call, Function, MILLIS, Nulls, Takes};

/// The functions of this file.
pub(crate) static FUNCTIONS: &[Function] = &[
    clock("now", instant).alias(&["current_timestamp", "current_row_timestamp"]),
    clock("proctime", instant),
    clock("localtimestamp", |_, _| Ok(MILLIS)),
    clock("current_date", |_, _| Ok(DataType::Date32)),
    clock("localtime", |_, _| Ok(DataType::Time32(TimeUnit::Second))).alias(&["current_time"]),
];

type Returns = fn(&[DataType], &[Option<&ScalarValue>]) -> Result<DataType>;

const fn clock(name: &'static str, returns: Returns) -> Function {
    Function {
        volatility: Volatility::Volatile,
        ..Function::new(name, Takes::Fixed(0, &[]), returns, Nulls::Never, read)
    }
}

/// TIMESTAMP_LTZ(3).
fn instant(_: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    Ok(DataType::Timestamp(
        TimeUnit::Millisecond,
        Some("UTC".into()),
    ))
}

fn read(call: &Call) -> Result<ArrayRef> {
    let now = now()?.floor(Unit::Millisecond);
    moments(call, |_| Ok(Some(now)))
}

/// The time now.
#[allow(
    clippy::disallowed_methods,
    reason = "CURRENT_TIMESTAMP and similar are the wall clock, and without flowline there is no injected one"
)]
pub(crate) fn now() -> Result<Moment> {
    let nanos = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i128::try_from(since.as_nanos()).ok(),
        Err(before) => i128::try_from(before.duration().as_nanos())
            .ok()
            .map(|n| -n),
    };
    match nanos.and_then(Moment::from_epoch) {
        Some(now) => Ok(now),
        None => exec_err!("the system's clock is out of range"),
    }
}
