//! Flink's types, as far as values depend on them, and their Arrow types.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Fields, IntervalUnit, TimeUnit};

/// A Flink type, as far as values depend on it. Whether NULL is allowed is no part of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Type {
    /// The type of a bare NULL.
    Null,
    /// CHAR(n), padded with blanks.
    Char(u32),
    /// VARCHAR(n).
    Varchar(u32),
    /// STRING.
    String,
    /// BOOLEAN.
    Boolean,
    /// BINARY(n), padded with zero bytes.
    Binary(u32),
    /// VARBINARY(n).
    Varbinary(u32),
    /// BYTES.
    Bytes,
    /// DECIMAL(precision, scale).
    Decimal(u8, u8),
    /// TINYINT.
    TinyInt,
    /// SMALLINT.
    SmallInt,
    /// INT.
    Int,
    /// BIGINT.
    BigInt,
    /// FLOAT.
    Float,
    /// DOUBLE.
    Double,
    /// DATE.
    Date,
    /// TIME(p).
    Time(u8),
    /// TIMESTAMP(p).
    Timestamp(u8),
    /// TIMESTAMP_LTZ(p).
    TimestampLtz(u8),
    /// INTERVAL of years and months.
    IntervalYearMonth,
    /// INTERVAL of days and seconds.
    IntervalDaySecond,
    /// ARRAY.
    Array(Box<Type>),
    /// MAP of keys to values.
    Map(Box<Type>, Box<Type>),
    /// MULTISET.
    Multiset(Box<Type>),
    /// ROW of named fields.
    Row(Vec<(String, Type)>),
}

/// The unit that holds a timestamp of so many digits.
pub fn time_unit(precision: u8) -> TimeUnit {
    match precision {
        0 => TimeUnit::Second,
        1..=3 => TimeUnit::Millisecond,
        4..=6 => TimeUnit::Microsecond,
        _ => TimeUnit::Nanosecond,
    }
}

impl Type {
    /// The Arrow type that holds its values.
    pub fn arrow(&self) -> DataType {
        match self {
            Self::Null => DataType::Null,
            Self::Char(_) | Self::Varchar(_) | Self::String => DataType::Utf8,
            Self::Boolean => DataType::Boolean,
            Self::Binary(_) | Self::Varbinary(_) | Self::Bytes => DataType::Binary,
            Self::Decimal(p, s) => DataType::Decimal128(*p, i8::try_from(*s).unwrap_or(0)),
            Self::TinyInt => DataType::Int8,
            Self::SmallInt => DataType::Int16,
            Self::Int => DataType::Int32,
            Self::BigInt => DataType::Int64,
            Self::Float => DataType::Float32,
            Self::Double => DataType::Float64,
            Self::Date => DataType::Date32,
            Self::Time(0) => DataType::Time32(TimeUnit::Second),
            Self::Time(_) => DataType::Time32(TimeUnit::Millisecond),
            Self::Timestamp(p) => DataType::Timestamp(time_unit(*p), None),
            Self::TimestampLtz(p) => DataType::Timestamp(time_unit(*p), Some("UTC".into())),
            Self::IntervalYearMonth | Self::IntervalDaySecond => {
                DataType::Interval(IntervalUnit::MonthDayNano)
            }
            Self::Array(item) => DataType::List(Arc::new(Field::new("item", item.arrow(), true))),
            Self::Map(key, value) => map_type(key, Field::new("value", value.arrow(), true)),
            Self::Multiset(item) => map_type(item, Field::new("value", DataType::Int32, false)),
            Self::Row(fields) => DataType::Struct(
                fields
                    .iter()
                    .map(|(name, kind)| Field::new(name, kind.arrow(), true))
                    .collect::<Fields>(),
            ),
        }
    }

    /// The type of values of an Arrow type, where nothing else is known of them.
    pub(crate) fn of(data_type: &DataType) -> Option<Self> {
        let digits = |unit: &TimeUnit| match unit {
            TimeUnit::Second => 0,
            TimeUnit::Millisecond => 3,
            TimeUnit::Microsecond => 6,
            TimeUnit::Nanosecond => 9,
        };
        let boxed = |field: &Field| Self::of(field.data_type()).map(Box::new);
        Some(match data_type {
            DataType::Null => Self::Null,
            DataType::Boolean => Self::Boolean,
            DataType::Int8 => Self::TinyInt,
            DataType::Int16 => Self::SmallInt,
            DataType::Int32 => Self::Int,
            DataType::Int64 => Self::BigInt,
            DataType::Float32 => Self::Float,
            DataType::Float64 => Self::Double,
            DataType::Decimal128(p, s) => Self::Decimal(*p, u8::try_from(*s).ok()?),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::String,
            DataType::Binary | DataType::FixedSizeBinary(_) => Self::Bytes,
            DataType::Date32 => Self::Date,
            DataType::Time32(unit) => Self::Time(digits(unit)),
            DataType::Timestamp(unit, None) => Self::Timestamp(digits(unit)),
            DataType::Timestamp(unit, Some(_)) => Self::TimestampLtz(digits(unit)),
            DataType::Interval(IntervalUnit::MonthDayNano) => Self::IntervalDaySecond,
            DataType::List(item) => Self::Array(boxed(item)?),
            DataType::Map(entries, _) => match entries.data_type() {
                DataType::Struct(pair) if pair.len() == 2 => {
                    Self::Map(boxed(&pair[0])?, boxed(&pair[1])?)
                }
                _ => return None,
            },
            DataType::Struct(fields) => Self::Row(
                fields
                    .iter()
                    .map(|field| Some((field.name().clone(), Self::of(field.data_type())?)))
                    .collect::<Option<_>>()?,
            ),
            _ => return None,
        })
    }

    pub(super) const fn is_text(&self) -> bool {
        matches!(self, Self::Char(_) | Self::Varchar(_) | Self::String)
    }

    pub(super) const fn is_bytes(&self) -> bool {
        matches!(self, Self::Binary(_) | Self::Varbinary(_) | Self::Bytes)
    }

    pub(super) const fn is_float(&self) -> bool {
        matches!(self, Self::Float | Self::Double)
    }

    pub(super) const fn is_number(&self) -> bool {
        self.whole_digits().is_some() || self.is_float() || matches!(self, Self::Decimal(..))
    }

    pub(super) const fn is_timestamp(&self) -> bool {
        matches!(self, Self::Timestamp(_) | Self::TimestampLtz(_))
    }

    /// The most digits of a whole number's type.
    pub(super) const fn whole_digits(&self) -> Option<u8> {
        Some(match self {
            Self::TinyInt => 3,
            Self::SmallInt => 5,
            Self::Int => 10,
            Self::BigInt => 19,
            _ => return None,
        })
    }
}

fn map_type(key: &Type, value: Field) -> DataType {
    let entries = Fields::from(vec![Field::new("key", key.arrow(), false), value]);
    let entries = Field::new("entries", DataType::Struct(entries), false);
    DataType::Map(Arc::new(entries), false)
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Char(n) => write!(f, "CHAR({n})"),
            Self::Varchar(n) => write!(f, "VARCHAR({n})"),
            Self::String => f.write_str("STRING"),
            Self::Boolean => f.write_str("BOOLEAN"),
            Self::Binary(n) => write!(f, "BINARY({n})"),
            Self::Varbinary(n) => write!(f, "VARBINARY({n})"),
            Self::Bytes => f.write_str("BYTES"),
            Self::Decimal(p, s) => write!(f, "DECIMAL({p}, {s})"),
            Self::TinyInt => f.write_str("TINYINT"),
            Self::SmallInt => f.write_str("SMALLINT"),
            Self::Int => f.write_str("INT"),
            Self::BigInt => f.write_str("BIGINT"),
            Self::Float => f.write_str("FLOAT"),
            Self::Double => f.write_str("DOUBLE"),
            Self::Date => f.write_str("DATE"),
            Self::Time(p) => write!(f, "TIME({p})"),
            Self::Timestamp(p) => write!(f, "TIMESTAMP({p})"),
            Self::TimestampLtz(p) => write!(f, "TIMESTAMP_LTZ({p})"),
            Self::IntervalYearMonth => f.write_str("INTERVAL YEAR TO MONTH"),
            Self::IntervalDaySecond => f.write_str("INTERVAL DAY TO SECOND(3)"),
            Self::Array(item) => write!(f, "ARRAY<{item}>"),
            Self::Map(key, value) => write!(f, "MAP<{key}, {value}>"),
            Self::Multiset(item) => write!(f, "MULTISET<{item}>"),
            Self::Row(fields) => {
                f.write_str("ROW<")?;
                for (i, (name, kind)) in fields.iter().enumerate() {
                    let comma = if i == 0 { "" } else { ", " };
                    write!(f, "{comma}`{}` {kind}", name.replace('`', "``"))?;
                }
                f.write_str(">")
            }
        }
    }
}

/// The type as SQL spells it.
pub(crate) fn sql_name(data_type: &DataType) -> String {
    match Type::of(data_type) {
        Some(known) => known.to_string(),
        None => data_type.to_string(),
    }
}

/// The SQL names of types, for messages.
pub(crate) fn sql_names(data_types: &[DataType]) -> String {
    let names: Vec<String> = data_types.iter().map(sql_name).collect();
    names.join(", ")
}
