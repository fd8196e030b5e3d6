//! What lies under a NULL may be anything, and no function looks at it.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayData, ArrayRef, make_array};
use datafusion::arrow::buffer::{Buffer, NullBuffer};
use datafusion::arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF};

use crate::casts::{Cast, Failure, Overflow, Type};

const ROWS: usize = 5;

/// NULLs over the largest, the smallest and other values of a type of fixed width.
fn garbage(data_type: &DataType) -> Option<ArrayRef> {
    let width = data_type.primitive_width()?;
    let mut bytes = Vec::new();
    for (low, high) in [
        (0xff, 0x7f),
        (0, 0x80),
        (0xff, 0xff),
        (0x55, 0x55),
        (0, 0x7f),
    ] {
        bytes.extend(std::iter::repeat_n(low, width - 1));
        bytes.push(high);
    }
    let data = ArrayData::builder(data_type.clone())
        .len(ROWS)
        .add_buffer(Buffer::from_vec(bytes))
        .nulls(Some(NullBuffer::new_null(ROWS)))
        .build()
        .unwrap();
    Some(make_array(data))
}

/// Whether it takes arguments of these types; it must not panic then.
fn call(udf: &Arc<ScalarUDF>, given: &[DataType]) -> bool {
    let Ok(types) = udf.coerce_types(given) else {
        return false;
    };
    let Some(args) = types.iter().map(garbage).collect::<Option<Vec<_>>>() else {
        return false;
    };
    let arg_fields: Vec<_> = types
        .iter()
        .map(|t| Arc::new(Field::new("a", t.clone(), true)))
        .collect();
    let Ok(return_field) = udf.return_field_from_args(ReturnFieldArgs {
        arg_fields: &arg_fields,
        scalar_arguments: &vec![None; types.len()],
    }) else {
        return false;
    };
    let result = udf.invoke_with_args(ScalarFunctionArgs {
        args: args.into_iter().map(ColumnarValue::Array).collect(),
        arg_fields,
        number_rows: ROWS,
        return_field,
        config_options: Arc::new(ConfigOptions::new()),
    });
    // An error about a NULL is an answer; one about what lies under it is not.
    if let Err(error) = result {
        let message = error.to_string();
        assert!(
            !message.contains("overflow"),
            "{} {given:?}: {message}",
            udf.name()
        );
    }
    true
}

#[test]
fn functions() {
    let types = [
        DataType::Boolean,
        DataType::Int8,
        DataType::Int32,
        DataType::Int64,
        DataType::Float32,
        DataType::Float64,
        DataType::Decimal128(10, 2),
        DataType::Decimal128(38, 10),
        DataType::Date32,
        DataType::Time32(TimeUnit::Millisecond),
        DataType::Timestamp(TimeUnit::Millisecond, None),
        DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
    ];
    let mut all = crate::scalar_functions();
    all.extend([
        crate::decimal_divide(),
        crate::float_distinct(),
        crate::integer_divide(),
        crate::integer_modulo(),
        crate::time_plus(),
        crate::interval_times(),
    ]);
    let mut called = 0;
    for udf in &all {
        for a in &types {
            called += usize::from(call(udf, std::slice::from_ref(a)));
            for b in &types {
                called += usize::from(call(udf, &[a.clone(), b.clone()]));
                called += usize::from(call(udf, &[a.clone(), b.clone(), b.clone()]));
            }
        }
    }
    assert!(called > 500, "{called}");
}

#[test]
fn casts() {
    use Type as T;
    let types = [
        T::Boolean,
        T::TinyInt,
        T::SmallInt,
        T::Int,
        T::BigInt,
        T::Float,
        T::Double,
        T::Decimal(10, 2),
        T::Decimal(38, 10),
        T::Decimal(20, 0),
        T::Decimal(5, 5),
        T::Date,
        T::Time(0),
        T::Timestamp(0),
        T::Timestamp(3),
        T::Timestamp(6),
        T::Timestamp(9),
        T::TimestampLtz(3),
        T::TimestampLtz(9),
        T::String,
        T::Varchar(3),
    ];
    let mut called = 0;
    for from in &types {
        for to in &types {
            for overflow in [Overflow::Wrap, Overflow::Error] {
                let Some(array) = garbage(&from.arrow()) else {
                    continue;
                };
                let cast = Cast {
                    from: from.clone(),
                    to: to.clone(),
                    failure: Failure::Error,
                    overflow,
                };
                let result = cast.udf().invoke_with_args(ScalarFunctionArgs {
                    args: vec![ColumnarValue::Array(array)],
                    arg_fields: vec![Arc::new(Field::new("a", from.arrow(), true))],
                    number_rows: ROWS,
                    return_field: Arc::new(Field::new("r", to.arrow(), true)),
                    config_options: Arc::new(ConfigOptions::new()),
                });
                if let Ok(result) = result {
                    let result = result.into_array(ROWS).unwrap();
                    assert_eq!(result.null_count(), ROWS, "{from} {to}");
                    called += 1;
                }
            }
        }
    }
    assert!(called > 300, "{called}");
}
