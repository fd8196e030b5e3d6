//! Values for one column: random ones or a sequence.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Decimal128Builder, Float64Builder, Int64Builder,
    ListArray, MapArray, NullBufferBuilder, StringBuilder, StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, TimeUnit};

use crate::catalog::options::{OptionError, Options};
use crate::error::{Error, Result};

/// Flink's default lengths.
const TEXT_LENGTH: i64 = 100;
const COLLECTION_LENGTH: i64 = 3;

const DAY: i64 = 86_400_000;

/// What a value of one row is made from.
pub(super) struct Moment {
    /// The number of the row, from 0.
    pub(super) row: u64,
    /// The seed of the row in this column.
    pub(super) seed: u64,
    /// The time, in milliseconds since the epoch.
    pub(super) now: i64,
}

/// Makes the values of one column.
pub(super) struct Generator {
    kind: Kind,
    null_rate: f64,
}

enum Kind {
    Bool,
    Int {
        min: i64,
        max: i64,
    },
    Float {
        min: f64,
        max: f64,
    },
    Decimal {
        min: i128,
        max: i128,
    },
    Text {
        length: i64,
        varies: bool,
    },
    Bytes {
        length: i64,
        varies: bool,
    },
    Date,
    Time,
    /// In the past, at most so many milliseconds ago; in units of so many a second.
    Timestamp {
        max_past: i64,
        unit: TimeUnit,
    },
    Row {
        children: Vec<Generator>,
    },
    List {
        child: Box<Generator>,
        length: i64,
    },
    Map {
        key: Box<Generator>,
        value: Box<Generator>,
        length: i64,
    },
    Sequence {
        start: i64,
        end: i64,
        as_text: bool,
    },
}

impl Generator {
    /// The generator that the options `fields.NAME.*` describe.
    ///
    /// # Errors
    /// Bounds that are no bounds, and types that cannot be generated.
    pub(super) fn read(field: &Field, options: &Options) -> std::result::Result<Self, OptionError> {
        Self::of(
            &format!("fields.{}", field.name()),
            field.data_type(),
            options,
        )
    }

    fn of(
        prefix: &str,
        data_type: &DataType,
        options: &Options,
    ) -> std::result::Result<Self, OptionError> {
        let key = |name: &str| format!("{prefix}.{name}");
        let kind = options.choice(&key("kind"), "random", &["random", "sequence"])?;
        if kind == "sequence" {
            return Self::sequence(prefix, data_type, options);
        }
        let ints = |least: i64, most: i64| -> std::result::Result<Kind, OptionError> {
            let (min, max) = (
                options.int(&key("min"), least)?,
                options.int(&key("max"), most)?,
            );
            let fits = least <= min && min <= max && max <= most;
            if fits {
                Ok(Kind::Int { min, max })
            } else {
                Err(bounds(&key("min"), &least, &most))
            }
        };
        let floats = |most: f64| -> std::result::Result<(f64, f64), OptionError> {
            let number = |name: &str, default: f64| {
                options.parse(&key(name), default, "a number", |t| {
                    t.parse().ok().filter(|v: &f64| v.is_finite())
                })
            };
            let (min, max) = (number("min", 0.0)?, number("max", most)?);
            if min <= max {
                Ok((min, max))
            } else {
                Err(bounds(&key("min"), &-most, &most))
            }
        };
        let length = |default: i64| -> std::result::Result<i64, OptionError> {
            let length = options.int(&key("length"), default)?;
            let is_length = (0..=i64::from(i32::MAX)).contains(&length);
            if is_length {
                Ok(length)
            } else {
                Err(OptionError::new(
                    &key("length"),
                    format!("{length} is no length"),
                ))
            }
        };
        let kind = match data_type {
            DataType::Boolean => Kind::Bool,
            DataType::Int8 => ints(i8::MIN.into(), i8::MAX.into())?,
            DataType::Int16 => ints(i16::MIN.into(), i16::MAX.into())?,
            DataType::Int32 => ints(i32::MIN.into(), i32::MAX.into())?,
            DataType::Int64 => ints(i64::MIN, i64::MAX)?,
            DataType::Float32 => {
                let (min, max) = floats(f32::MAX.into())?;
                Kind::Float { min, max }
            }
            DataType::Float64 => {
                let (min, max) = floats(f64::MAX)?;
                Kind::Float { min, max }
            }
            DataType::Decimal128(precision, scale) => {
                let unit = 10f64.powi((*scale).into());
                let most = 10i128.pow((*precision).into()) - 1;
                let (min, max) = floats(most as f64 / unit)?;
                let unscaled = |v: f64| ((v * unit).round() as i128).clamp(-most, most);
                Kind::Decimal {
                    min: unscaled(min),
                    max: unscaled(max),
                }
            }
            DataType::Utf8 => Kind::Text {
                length: length(TEXT_LENGTH)?,
                varies: options.bool(&key("var-len"), false)?,
            },
            DataType::Binary => Kind::Bytes {
                length: length(TEXT_LENGTH)?,
                varies: options.bool(&key("var-len"), false)?,
            },
            DataType::Date32 => Kind::Date,
            DataType::Time32(_) => Kind::Time,
            DataType::Timestamp(unit, _) => {
                let past = options
                    .duration(&key("max-past"), None)?
                    .unwrap_or_default();
                Kind::Timestamp {
                    max_past: i64::try_from(past.as_millis()).unwrap_or(i64::MAX),
                    unit: *unit,
                }
            }
            DataType::Struct(fields) => {
                let children = fields
                    .iter()
                    .map(|f| Self::of(&key(f.name()), f.data_type(), options))
                    .collect::<std::result::Result<_, _>>()?;
                Kind::Row { children }
            }
            DataType::List(item) => Kind::List {
                child: Box::new(Self::of(&key("element"), item.data_type(), options)?),
                length: length(COLLECTION_LENGTH)?,
            },
            DataType::Map(entries, _) => match entries.data_type() {
                DataType::Struct(fields) if fields.len() == 2 => Kind::Map {
                    key: Box::new(Self::of(&key("key"), fields[0].data_type(), options)?),
                    value: Box::new(Self::of(&key("value"), fields[1].data_type(), options)?),
                    length: length(COLLECTION_LENGTH)?,
                },
                _ => return Err(unsupported(prefix, data_type)),
            },
            _ => return Err(unsupported(prefix, data_type)),
        };
        let null_rate = options.parse(&key("null-rate"), 0.0, "a number from 0 to 1", |t| {
            t.parse().ok().filter(|rate| (0.0..=1.0).contains(rate))
        })?;
        Ok(Self { kind, null_rate })
    }

    fn sequence(
        prefix: &str,
        data_type: &DataType,
        options: &Options,
    ) -> std::result::Result<Self, OptionError> {
        let (start_key, end_key) = (format!("{prefix}.start"), format!("{prefix}.end"));
        options.require(&start_key)?;
        options.require(&end_key)?;
        let (start, end) = (options.int(&start_key, 0)?, options.int(&end_key, 0)?);
        let (least, most) = match data_type {
            DataType::Int8 => (i8::MIN.into(), i8::MAX.into()),
            DataType::Int16 => (i16::MIN.into(), i16::MAX.into()),
            DataType::Int32 => (i32::MIN.into(), i32::MAX.into()),
            DataType::Int64
            | DataType::Float32
            | DataType::Float64
            | DataType::Decimal128(..)
            | DataType::Utf8 => (i64::MIN, i64::MAX),
            _ => {
                return Err(OptionError::new(
                    &format!("{prefix}.kind"),
                    "a sequence needs a column of numbers or strings",
                ));
            }
        };
        if start > end || start < least || end > most {
            return Err(bounds(&start_key, &least, &most));
        }
        Ok(Self {
            kind: Kind::Sequence {
                start,
                end,
                as_text: *data_type == DataType::Utf8,
            },
            null_rate: 0.0,
        })
    }

    /// How many rows there are before the values run out.
    pub(super) fn rows(&self) -> Option<u64> {
        match &self.kind {
            Kind::Sequence { start, end, .. } => Some(end.abs_diff(*start).saturating_add(1)),
            Kind::Row { children } => children.iter().filter_map(Self::rows).min(),
            _ => None,
        }
    }

    /// The values of some rows.
    pub(super) fn array(
        &self,
        moments: impl Iterator<Item = Moment>,
        data_type: &DataType,
    ) -> Result<ArrayRef> {
        let mut values = Values::new(self);
        for moment in moments {
            let mut random = fastrand::Rng::with_seed(moment.seed);
            values.push(self, &moment, &mut random)?;
        }
        values.finish(data_type)
    }
}

fn bounds(key: &str, least: &dyn std::fmt::Display, most: &dyn std::fmt::Display) -> OptionError {
    OptionError::new(key, "the bounds do not fit the column").with_help(format!(
        "the lower one must not be above the upper one, and both from {least} to {most}"
    ))
}

fn unsupported(prefix: &str, data_type: &DataType) -> OptionError {
    OptionError {
        key: None,
        message: format!("values of type {data_type} cannot be generated ('{prefix}')"),
        help: Some("compute the column from others: name AS expression".to_string()),
    }
}

/// Values being gathered.
enum Values {
    Bools(BooleanBuilder),
    Ints(Int64Builder),
    Floats(Float64Builder),
    Decimals(Decimal128Builder),
    Texts(StringBuilder),
    Bytes(BinaryBuilder),
    Rows {
        children: Vec<Values>,
        nulls: NullBufferBuilder,
    },
    Lists {
        child: Box<Values>,
        lengths: Vec<usize>,
        nulls: NullBufferBuilder,
    },
    Maps {
        key: Box<Values>,
        value: Box<Values>,
        lengths: Vec<usize>,
        nulls: NullBufferBuilder,
    },
}

impl Values {
    fn new(generator: &Generator) -> Self {
        let nulls = || NullBufferBuilder::new(0);
        let of = |child: &Generator| Box::new(Self::new(child));
        match &generator.kind {
            Kind::Bool => Self::Bools(BooleanBuilder::new()),
            Kind::Float { .. } => Self::Floats(Float64Builder::new()),
            Kind::Decimal { .. } => Self::Decimals(Decimal128Builder::new()),
            Kind::Text { .. } | Kind::Sequence { as_text: true, .. } => {
                Self::Texts(StringBuilder::new())
            }
            Kind::Bytes { .. } => Self::Bytes(BinaryBuilder::new()),
            Kind::Row { children } => Self::Rows {
                children: children.iter().map(Self::new).collect(),
                nulls: nulls(),
            },
            Kind::List { child, .. } => Self::Lists {
                child: of(child),
                lengths: Vec::new(),
                nulls: nulls(),
            },
            Kind::Map { key, value, .. } => Self::Maps {
                key: of(key),
                value: of(value),
                lengths: Vec::new(),
                nulls: nulls(),
            },
            Kind::Int { .. }
            | Kind::Date
            | Kind::Time
            | Kind::Timestamp { .. }
            | Kind::Sequence { as_text: false, .. } => Self::Ints(Int64Builder::new()),
        }
    }

    /// Appends one value.
    fn push(
        &mut self,
        generator: &Generator,
        moment: &Moment,
        random: &mut fastrand::Rng,
    ) -> Result<()> {
        if generator.null_rate > 0.0 && random.f64() < generator.null_rate {
            return self.push_null(generator, moment, random);
        }
        match (&generator.kind, self) {
            (Kind::Bool, Self::Bools(out)) => out.append_value(random.bool()),
            (Kind::Int { min, max }, Self::Ints(out)) => out.append_value(random.i64(min..=max)),
            (Kind::Float { min, max }, Self::Floats(out)) => {
                // Not min + x * (max - min), which overflows for the widest bounds.
                let x = random.f64();
                out.append_value(min * (1.0 - x) + max * x);
            }
            (Kind::Decimal { min, max }, Self::Decimals(out)) => {
                out.append_value(random.i128(min..=max))
            }
            (Kind::Text { length, varies }, Self::Texts(out)) => {
                let length = some_length(*length, *varies, random);
                let text: String = (0..length)
                    .map(|_| char::from_digit(random.u32(0..16), 16).unwrap_or('0'))
                    .collect();
                out.append_value(text);
            }
            (Kind::Bytes { length, varies }, Self::Bytes(out)) => {
                let length = some_length(*length, *varies, random);
                out.append_value((0..length).map(|_| random.u8(..)).collect::<Vec<u8>>());
            }
            (Kind::Date, Self::Ints(out)) => out.append_value(moment.now.div_euclid(DAY)),
            (Kind::Time, Self::Ints(out)) => out.append_value(moment.now.rem_euclid(DAY)),
            (Kind::Timestamp { max_past, unit }, Self::Ints(out)) => {
                let millis = moment.now.saturating_sub(random.i64(0..=*max_past));
                out.append_value(match unit {
                    TimeUnit::Second => millis.div_euclid(1000),
                    TimeUnit::Millisecond => millis,
                    TimeUnit::Microsecond => millis.saturating_mul(1000),
                    TimeUnit::Nanosecond => millis.saturating_mul(1_000_000),
                });
            }
            (Kind::Sequence { start, .. }, Self::Ints(out)) => {
                out.append_value(start.wrapping_add_unsigned(moment.row));
            }
            (Kind::Sequence { start, .. }, Self::Texts(out)) => {
                out.append_value(start.wrapping_add_unsigned(moment.row).to_string());
            }
            (
                Kind::Row {
                    children: generators,
                },
                Self::Rows { children, nulls },
            ) => {
                for (generator, child) in generators.iter().zip(children) {
                    child.push(generator, moment, random)?;
                }
                nulls.append_non_null();
            }
            (
                Kind::List {
                    child: generator,
                    length,
                },
                Self::Lists {
                    child,
                    lengths,
                    nulls,
                },
            ) => {
                for _ in 0..*length {
                    child.push(generator, moment, random)?;
                }
                lengths.push(*length as usize);
                nulls.append_non_null();
            }
            (
                Kind::Map {
                    key: keys,
                    value: generator,
                    length,
                },
                Self::Maps {
                    key,
                    value,
                    lengths,
                    nulls,
                },
            ) => {
                for _ in 0..*length {
                    key.push(keys, moment, random)?;
                    value.push(generator, moment, random)?;
                }
                lengths.push(*length as usize);
                nulls.append_non_null();
            }
            _ => {
                return Err(Error::internal(
                    "a generated value has another type than its column",
                ));
            }
        }
        Ok(())
    }

    fn push_null(
        &mut self,
        generator: &Generator,
        moment: &Moment,
        random: &mut fastrand::Rng,
    ) -> Result<()> {
        match self {
            Self::Bools(out) => out.append_null(),
            Self::Ints(out) => out.append_null(),
            Self::Floats(out) => out.append_null(),
            Self::Decimals(out) => out.append_null(),
            Self::Texts(out) => out.append_null(),
            Self::Bytes(out) => out.append_null(),
            Self::Rows { children, nulls } => {
                // A struct that is NULL still has a place in each of its fields.
                if let Kind::Row {
                    children: generators,
                } = &generator.kind
                {
                    for (generator, child) in generators.iter().zip(children) {
                        child.push(generator, moment, random)?;
                    }
                }
                nulls.append_null();
            }
            Self::Lists { lengths, nulls, .. } | Self::Maps { lengths, nulls, .. } => {
                lengths.push(0);
                nulls.append_null();
            }
        }
        Ok(())
    }

    fn finish(self, data_type: &DataType) -> Result<ArrayRef> {
        let array: ArrayRef = match (self, data_type) {
            (Self::Bools(mut values), _) => Arc::new(values.finish()),
            (Self::Texts(mut values), _) => Arc::new(values.finish()),
            (Self::Bytes(mut values), _) => Arc::new(values.finish()),
            (Self::Floats(mut values), _) => cast(&values.finish(), data_type)?,
            (Self::Decimals(mut values), DataType::Decimal128(precision, scale)) => Arc::new(
                values
                    .finish()
                    .with_precision_and_scale(*precision, *scale)?,
            ),
            (Self::Ints(mut values), DataType::Time32(TimeUnit::Second)) => {
                let seconds = values
                    .finish()
                    .unary::<_, arrow::datatypes::Int64Type>(|millis| millis / 1000);
                cast(&cast(&seconds, &DataType::Int32)?, data_type)?
            }
            (Self::Ints(mut values), DataType::Date32 | DataType::Time32(_)) => {
                cast(&cast(&values.finish(), &DataType::Int32)?, data_type)?
            }
            (Self::Ints(mut values), _) => cast(&values.finish(), data_type)?,
            (
                Self::Rows {
                    children,
                    mut nulls,
                },
                DataType::Struct(fields),
            ) => {
                let len = nulls.len();
                let arrays = children
                    .into_iter()
                    .zip(fields)
                    .map(|(child, field)| child.finish(field.data_type()))
                    .collect::<Result<Vec<_>>>()?;
                Arc::new(StructArray::try_new_with_length(
                    fields.clone(),
                    arrays,
                    nulls.finish(),
                    len,
                )?)
            }
            (
                Self::Lists {
                    child,
                    lengths,
                    mut nulls,
                },
                DataType::List(item),
            ) => {
                let items = child.finish(item.data_type())?;
                let offsets = OffsetBuffer::from_lengths(lengths);
                Arc::new(ListArray::try_new(
                    Arc::clone(item),
                    offsets,
                    items,
                    nulls.finish(),
                )?)
            }
            (
                Self::Maps {
                    key,
                    value,
                    lengths,
                    mut nulls,
                },
                DataType::Map(entries, sorted),
            ) => {
                let DataType::Struct(fields) = entries.data_type() else {
                    return Err(Error::internal("a map without entries"));
                };
                let columns = vec![
                    key.finish(fields[0].data_type())?,
                    value.finish(fields[1].data_type())?,
                ];
                let pairs = StructArray::try_new(fields.clone(), columns, None)?;
                let offsets = OffsetBuffer::from_lengths(lengths);
                Arc::new(MapArray::try_new(
                    Arc::clone(entries),
                    offsets,
                    pairs,
                    nulls.finish(),
                    *sorted,
                )?)
            }
            _ => {
                return Err(Error::internal(
                    "a generated value has another type than its column",
                ));
            }
        };
        Ok(array)
    }
}

/// The length, or with `var-len` anything from 1 up to it.
fn some_length(length: i64, varies: bool, random: &mut fastrand::Rng) -> i64 {
    if varies && length > 1 {
        random.i64(1..=length)
    } else {
        length
    }
}
