//! What Flink 2.3 printed for the same values.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, BinaryArray, Int32Array, ListArray, MapArray, StringArray, StructArray,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use datafusion::common::ScalarValue;

use super::print::printer_of;
use crate::testing::{date, decimal, double, int, text, text_of, timestamp};

#[test]
fn plain_values() {
    let at = "2025-01-15 00:00:00.12";
    let ltz = ScalarValue::TimestampMillisecond(Some(1_736_899_200_500), Some("UTC".into()));
    let table = [
        (timestamp(at, TimeUnit::Second), "2025-01-15 00:00:00"),
        (
            timestamp(at, TimeUnit::Millisecond),
            "2025-01-15 00:00:00.120",
        ),
        (
            timestamp(at, TimeUnit::Microsecond),
            "2025-01-15 00:00:00.120000",
        ),
        (
            timestamp(at, TimeUnit::Nanosecond),
            "2025-01-15 00:00:00.120000000",
        ),
        (
            timestamp("0001-01-01 00:00:00", TimeUnit::Second),
            "0001-01-01 00:00:00",
        ),
        (ltz, "2025-01-15 00:00:00.500"),
        (date("2025-01-15"), "2025-01-15"),
        (ScalarValue::Time32Second(Some(49_531)), "13:45:31"),
        (
            ScalarValue::Time32Millisecond(Some(49_531_500)),
            "13:45:31.5",
        ),
        (
            ScalarValue::Time32Millisecond(Some(49_531_120)),
            "13:45:31.12",
        ),
        (
            ScalarValue::Time32Millisecond(Some(49_531_000)),
            "13:45:31.0",
        ),
        (
            ScalarValue::Time32Millisecond(Some(49_531_007)),
            "13:45:31.007",
        ),
        (double(1e10), "1.0E10"),
        (ScalarValue::Float32(Some(1.0)), "1.0"),
        (double(f64::NAN), "NaN"),
        (double(f64::INFINITY), "Infinity"),
        (decimal(1000, 20, 10), "0.0000001000"),
        (decimal(10000, 10, 2), "100.00"),
        (decimal(-5, 5, 2), "-0.05"),
        (ScalarValue::Boolean(Some(true)), "TRUE"),
        (ScalarValue::Binary(Some(b"AB".to_vec())), "AB"),
        (ScalarValue::Binary(Some(b"\xffA".to_vec())), "\u{fffd}A"),
        (int(12), "12"),
        (text("as it is"), "as it is"),
        (ScalarValue::Int32(None), "NULL"),
        (ScalarValue::Null, "NULL"),
        (interval(0, 1, 0), "+1 00:00:00.000"),
        (interval(0, -1, -7_384_500_000_000), "-1 02:03:04.500"),
        (interval(14, 0, 0), "+1-02"),
    ];
    for (value, expected) in table {
        assert_eq!(text_of(&value), expected, "{value:?}");
    }
}

fn interval(months: i32, days: i32, nanos: i64) -> ScalarValue {
    let value = datafusion::arrow::datatypes::IntervalMonthDayNano::new(months, days, nanos);
    ScalarValue::IntervalMonthDayNano(Some(value))
}

fn printed(array: &dyn Array) -> Vec<String> {
    let print = printer_of(array).unwrap();
    (0..array.len())
        .map(|row| {
            let mut out = String::new();
            print(row, &mut out).unwrap();
            out
        })
        .collect()
}

#[test]
fn nested_values() {
    let items: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("b")]));
    let list = ListArray::new(
        Arc::new(Field::new_list_field(DataType::Utf8, true)),
        OffsetBuffer::from_lengths([2, 0, 1]),
        Arc::clone(&items),
        None,
    );
    assert_eq!(printed(&list), ["[a, NULL]", "[]", "[b]"]);

    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None, Some(2)]));
    let fields = Fields::from(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", DataType::Int32, true),
    ]);
    let keys: ArrayRef = Arc::new(StringArray::from(vec!["k", "l", "m"]));
    let entries = StructArray::new(fields.clone(), vec![keys, Arc::clone(&numbers)], None);
    let map = MapArray::new(
        Arc::new(Field::new("entries", DataType::Struct(fields), false)),
        OffsetBuffer::from_lengths([2, 1]),
        entries,
        None,
        false,
    );
    assert_eq!(printed(&map), ["{k=1, l=NULL}", "{m=2}"]);

    let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![b"A".as_slice(), b"B", b"C"]));
    let row = StructArray::from(vec![
        (Arc::new(Field::new("a", DataType::Int32, true)), numbers),
        (
            Arc::new(Field::new("b", list.data_type().clone(), true)),
            Arc::new(list) as ArrayRef,
        ),
        (Arc::new(Field::new("c", DataType::Binary, true)), bytes),
    ]);
    assert_eq!(
        printed(&row),
        ["(1, [a, NULL], A)", "(NULL, [], B)", "(2, [b], C)"]
    );
}
