//! What the tests of this crate share: calling a function by name as DataFusion would.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{DataFusionError, Result, ScalarValue, exec_datafusion_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF};

use crate::casts::print::printer_of;

/// Calls a function on constants and, at the same time, on columns: both must agree.
pub(crate) fn evaluate(name: &str, args: Vec<ScalarValue>) -> Result<ScalarValue> {
    let all = crate::scalar_functions();
    let udf = all
        .iter()
        .find(|f| f.name() == name || f.aliases().iter().any(|a| a == name))
        .ok_or_else(|| exec_datafusion_err!("no function {name}"))?;
    evaluate_udf(udf, args)
}

pub(crate) fn evaluate_udf(udf: &Arc<ScalarUDF>, args: Vec<ScalarValue>) -> Result<ScalarValue> {
    let given: Vec<DataType> = args.iter().map(ScalarValue::data_type).collect();
    let args = if given.is_empty() {
        args
    } else {
        let types = udf.coerce_types(&given)?;
        args.iter()
            .zip(&types)
            .map(|(value, to)| value.cast_to(to))
            .collect::<Result<Vec<_>>>()?
    };
    let arg_fields: Vec<_> = args
        .iter()
        .map(|v| Arc::new(Field::new("a", v.data_type(), v.is_null())))
        .collect();
    let scalars: Vec<Option<&ScalarValue>> = args.iter().map(Some).collect();
    let return_field = udf.return_field_from_args(ReturnFieldArgs {
        arg_fields: &arg_fields,
        scalar_arguments: &scalars,
    })?;
    let call = |args: Vec<ColumnarValue>, number_rows| {
        udf.invoke_with_args(ScalarFunctionArgs {
            args,
            arg_fields: arg_fields.clone(),
            number_rows,
            return_field: Arc::clone(&return_field),
            config_options: Arc::new(ConfigOptions::new()),
        })
    };
    let constants = args.iter().cloned().map(ColumnarValue::Scalar).collect();
    let ColumnarValue::Scalar(result) = call(constants, 3)? else {
        return Err(exec_datafusion_err!("constants gave a column"));
    };
    if result.data_type() != *return_field.data_type() {
        return Err(exec_datafusion_err!(
            "{} gave {}, declared {}",
            udf.name(),
            result.data_type(),
            return_field.data_type()
        ));
    }
    if result.is_null() && !return_field.is_nullable() {
        return Err(exec_datafusion_err!(
            "{} gave NULL, declared NOT NULL",
            udf.name()
        ));
    }
    // Text constants such as units and patterns stay constant in the second call.
    let columns = args
        .iter()
        .enumerate()
        .map(|(i, v)| match v {
            ScalarValue::Utf8(_) if i != 0 || args.len() == 3 || udf.name() == "extract" => {
                Ok(ColumnarValue::Scalar(v.clone()))
            }
            _ => Ok(ColumnarValue::Array(v.to_array_of_size(3)?)),
        })
        .collect::<Result<Vec<_>>>()?;
    if columns.iter().any(|c| matches!(c, ColumnarValue::Array(_))) {
        let array = call(columns, 3)?.into_array(3)?;
        for row in 0..3 {
            let value = ScalarValue::try_from_array(&array, row)?;
            if value != result && !udf.name().starts_with("now") {
                return Err(exec_datafusion_err!("row {row} is {value}, not {result}"));
            }
        }
    }
    Ok(result)
}

/// The value as CAST to STRING prints it.
pub(crate) fn text_of(value: &ScalarValue) -> String {
    if value.is_null() {
        return "NULL".into();
    }
    let print = || {
        let array = value.to_array()?;
        let mut text = String::new();
        printer_of(array.as_ref())?(0, &mut text)?;
        Ok::<_, DataFusionError>(text)
    };
    print().unwrap_or_else(|error| format!("error: {error}"))
}

/// Calls a function and prints the result, or the error.
pub(crate) fn show(name: &str, args: &[ScalarValue]) -> String {
    match evaluate(name, args.to_vec()) {
        Ok(value) => text_of(&value),
        Err(error) => format!("error: {error}"),
    }
}

pub(crate) fn text(value: &str) -> ScalarValue {
    ScalarValue::Utf8(Some(value.into()))
}

pub(crate) fn no_text() -> ScalarValue {
    ScalarValue::Utf8(None)
}

pub(crate) fn int(value: i32) -> ScalarValue {
    ScalarValue::Int32(Some(value))
}

pub(crate) fn bigint(value: i64) -> ScalarValue {
    ScalarValue::Int64(Some(value))
}

pub(crate) fn double(value: f64) -> ScalarValue {
    ScalarValue::Float64(Some(value))
}

pub(crate) fn decimal(value: i128, precision: u8, scale: i8) -> ScalarValue {
    ScalarValue::Decimal128(Some(value), precision, scale)
}

/// A TIMESTAMP of the unit, from `yyyy-MM-dd HH:mm:ss.f`.
pub(crate) fn timestamp(value: &str, unit: TimeUnit) -> ScalarValue {
    let moment = crate::text_time::timestamp_of(value);
    let value = moment.and_then(|m| crate::calendar::timestamp(m, unit));
    match unit {
        TimeUnit::Second => ScalarValue::TimestampSecond(value, None),
        TimeUnit::Millisecond => ScalarValue::TimestampMillisecond(value, None),
        TimeUnit::Microsecond => ScalarValue::TimestampMicrosecond(value, None),
        TimeUnit::Nanosecond => ScalarValue::TimestampNanosecond(value, None),
    }
}

pub(crate) fn date(value: &str) -> ScalarValue {
    let days = crate::text_time::date_of(value);
    ScalarValue::Date32(days.and_then(|d| i32::try_from(d).ok()))
}
