//! Flink's SQL types as Arrow types.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, TimeUnit};

use flowline_udfs::casts::{self, time_unit};

use crate::sql::ast::{SqlType, SqlTypeKind};

/// The Arrow type of a Flink type.
pub fn arrow_type(sql: &SqlType) -> DataType {
    match &sql.kind {
        SqlTypeKind::Null => DataType::Null,
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

/// The Flink type that an Arrow type stands for where nothing else is known: text of any length, nullable.
pub fn sql_type(data_type: &DataType) -> SqlType {
    use SqlTypeKind as Kind;
    let digits = |unit: &TimeUnit| match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    };
    let of = |field: &Field| {
        Box::new(SqlType {
            nullable: field.is_nullable(),
            ..sql_type(field.data_type())
        })
    };
    SqlType::nullable(match data_type {
        DataType::Boolean => Kind::Boolean,
        DataType::Int8 => Kind::TinyInt,
        DataType::Int16 => Kind::SmallInt,
        DataType::Int32 => Kind::Int,
        DataType::Int64 => Kind::BigInt,
        DataType::Float32 => Kind::Float,
        DataType::Float64 => Kind::Double,
        DataType::Decimal128(p, s) => Kind::Decimal(*p, u8::try_from(*s).unwrap_or(0)),
        DataType::Utf8 => Kind::String,
        DataType::Binary => Kind::Bytes,
        DataType::Date32 => Kind::Date,
        DataType::Time32(TimeUnit::Second) => Kind::Time(0),
        DataType::Time32(_) | DataType::Time64(_) => Kind::Time(3),
        DataType::Timestamp(unit, None) => Kind::Timestamp(digits(unit)),
        DataType::Timestamp(unit, Some(_)) => Kind::TimestampLtz(digits(unit)),
        DataType::Interval(_) => Kind::IntervalDaySecond,
        DataType::List(item) => Kind::Array(of(item)),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(kv) if kv.len() == 2 => Kind::Map(of(&kv[0]), of(&kv[1])),
            _ => Kind::Null,
        },
        DataType::Struct(fields) => Kind::Row(
            fields
                .iter()
                .map(|f| (sqlparser::ast::Ident::new(f.name().as_str()), *of(f)))
                .collect(),
        ),
        _ => Kind::Null,
    })
}

/// The Arrow type without DataFusion's other representations of text, bytes and numbers.
pub fn plain_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        other => other.clone(),
    }
}

/// A type as CAST knows it.
pub fn cast_type(kind: &SqlTypeKind) -> casts::Type {
    use SqlTypeKind as Kind;
    use casts::Type;
    let of = |t: &SqlType| Box::new(cast_type(&t.kind));
    match kind {
        Kind::Null => Type::Null,
        Kind::Char(n) => Type::Char(*n),
        Kind::Varchar(n) => Type::Varchar(*n),
        Kind::String => Type::String,
        Kind::Boolean => Type::Boolean,
        Kind::Binary(n) => Type::Binary(*n),
        Kind::Varbinary(n) => Type::Varbinary(*n),
        Kind::Bytes => Type::Bytes,
        Kind::Decimal(p, s) => Type::Decimal(*p, *s),
        Kind::TinyInt => Type::TinyInt,
        Kind::SmallInt => Type::SmallInt,
        Kind::Int => Type::Int,
        Kind::BigInt => Type::BigInt,
        Kind::Float => Type::Float,
        Kind::Double => Type::Double,
        Kind::Date => Type::Date,
        Kind::Time(p) => Type::Time(*p),
        Kind::Timestamp(p) => Type::Timestamp(*p),
        Kind::TimestampLtz(p) => Type::TimestampLtz(*p),
        Kind::IntervalYearMonth => Type::IntervalYearMonth,
        Kind::IntervalDaySecond => Type::IntervalDaySecond,
        Kind::Array(item) => Type::Array(of(item)),
        Kind::Map(key, value) => Type::Map(of(key), of(value)),
        Kind::Multiset(item) => Type::Multiset(of(item)),
        Kind::Row(fields) => Type::Row(
            fields
                .iter()
                .map(|(name, t)| (name.value.clone(), cast_type(&t.kind)))
                .collect(),
        ),
    }
}

/// The Flink spelling of an Arrow type, for messages.
pub fn flink_name(data_type: &DataType) -> String {
    sql_type(&plain_type(data_type)).kind.to_string()
}
