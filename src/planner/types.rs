//! Flink's SQL types as Arrow types.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, TimeUnit};

use crate::sql::ast::{SqlType, SqlTypeKind};

/// The unit that holds a timestamp of precision `p`.
pub fn time_unit(p: u8) -> TimeUnit {
    match p {
        0 => TimeUnit::Second,
        1..=3 => TimeUnit::Millisecond,
        4..=6 => TimeUnit::Microsecond,
        _ => TimeUnit::Nanosecond,
    }
}

/// The Arrow type of a Flink type.
pub fn arrow_type(sql: &SqlType) -> DataType {
    match &sql.kind {
        SqlTypeKind::Char(_) | SqlTypeKind::Varchar(_) | SqlTypeKind::String => DataType::Utf8,
        SqlTypeKind::Boolean => DataType::Boolean,
        SqlTypeKind::Binary(_) | SqlTypeKind::Varbinary(_) | SqlTypeKind::Bytes => DataType::Binary,
        SqlTypeKind::Decimal(p, s) => DataType::Decimal128(*p, i8::try_from(*s).unwrap_or(0)),
        SqlTypeKind::TinyInt => DataType::Int8,
        SqlTypeKind::SmallInt => DataType::Int16,
        SqlTypeKind::Int => DataType::Int32,
        SqlTypeKind::BigInt => DataType::Int64,
        SqlTypeKind::Float => DataType::Float32,
        SqlTypeKind::Double => DataType::Float64,
        SqlTypeKind::Date => DataType::Date32,
        SqlTypeKind::Time(0) => DataType::Time32(TimeUnit::Second),
        // Flink keeps times of day in milliseconds whatever precision is declared.
        SqlTypeKind::Time(_) => DataType::Time32(TimeUnit::Millisecond),
        SqlTypeKind::Timestamp(p) => DataType::Timestamp(time_unit(*p), None),
        SqlTypeKind::TimestampLtz(p) => DataType::Timestamp(time_unit(*p), Some("UTC".into())),
        SqlTypeKind::IntervalYearMonth => {
            DataType::Interval(arrow::datatypes::IntervalUnit::MonthDayNano)
        }
        SqlTypeKind::IntervalDaySecond => {
            DataType::Interval(arrow::datatypes::IntervalUnit::MonthDayNano)
        }
        SqlTypeKind::Array(item) => DataType::List(Arc::new(arrow_field("item", item))),
        SqlTypeKind::Map(key, value) => {
            map_type(arrow_field("key", key), arrow_field("value", value))
        }
        SqlTypeKind::Multiset(item) => map_type(
            arrow_field("key", item),
            Field::new("value", DataType::Int32, false),
        ),
        SqlTypeKind::Row(fields) => DataType::Struct(
            fields
                .iter()
                .map(|(n, t)| arrow_field(&n.value, t))
                .collect::<Fields>(),
        ),
    }
}

fn map_type(key: Field, value: Field) -> DataType {
    let entries = Fields::from(vec![key.with_nullable(false), value]);
    DataType::Map(
        Arc::new(Field::new("entries", DataType::Struct(entries), false)),
        false,
    )
}

/// A column of a Flink type.
pub fn arrow_field(name: &str, sql: &SqlType) -> Field {
    Field::new(name, arrow_type(sql), sql.nullable)
}

/// The Flink spelling of an Arrow type, for messages, DESCRIBE and EXPLAIN.
pub fn flink_name(data_type: &DataType) -> String {
    let precision = |unit: &TimeUnit| match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    };
    match data_type {
        DataType::Null => "NULL".to_string(),
        DataType::Boolean => "BOOLEAN".to_string(),
        DataType::Int8 => "TINYINT".to_string(),
        DataType::Int16 => "SMALLINT".to_string(),
        DataType::Int32 => "INT".to_string(),
        DataType::Int64 => "BIGINT".to_string(),
        DataType::Float32 => "FLOAT".to_string(),
        DataType::Float64 => "DOUBLE".to_string(),
        DataType::Decimal128(p, s) => format!("DECIMAL({p}, {s})"),
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => "STRING".to_string(),
        DataType::Binary | DataType::BinaryView | DataType::LargeBinary => "BYTES".to_string(),
        DataType::Date32 => "DATE".to_string(),
        DataType::Time32(TimeUnit::Second) => "TIME(0)".to_string(),
        DataType::Time32(_) | DataType::Time64(_) => "TIME(3)".to_string(),
        DataType::Timestamp(unit, None) => format!("TIMESTAMP({})", precision(unit)),
        DataType::Timestamp(unit, Some(_)) => format!("TIMESTAMP_LTZ({})", precision(unit)),
        DataType::Interval(_) => "INTERVAL".to_string(),
        DataType::List(item) => format!("ARRAY<{}>", flink_name(item.data_type())),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(kv) if kv.len() == 2 => {
                format!(
                    "MAP<{}, {}>",
                    flink_name(kv[0].data_type()),
                    flink_name(kv[1].data_type())
                )
            }
            _ => "MAP".to_string(),
        },
        DataType::Struct(fields) => {
            let inner: Vec<String> = fields
                .iter()
                .map(|f| format!("`{}` {}", f.name(), flink_name(f.data_type())))
                .collect();
            format!("ROW<{}>", inner.join(", "))
        }
        other => other.to_string(),
    }
}
