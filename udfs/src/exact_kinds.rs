//! How SUM and AVG add up each type of number.

use std::fmt::{self, Debug, Display};
use std::hash::Hash;
use std::marker::PhantomData;

use datafusion::arrow::datatypes::{
    ArrowPrimitiveType, DataType, Decimal128Type, Float32Type, Float64Type, Int64Type,
};
use datafusion::common::{Result, exec_err};

use crate::decimal::{self, MAX_DECIMAL};
use crate::exact::Finish;

/// The aggregate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Which {
    Sum,
    Avg,
    /// AVG inside OVER, where FLOAT is added up as such.
    AvgOver,
}

impl Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sum => "SUM",
            Self::Avg | Self::AvgOver => "AVG",
        })
    }
}

/// Whether SUM and AVG take the type.
pub(crate) fn is_summable(data_type: &DataType) -> bool {
    use DataType::{Decimal128, Float32, Float64, Int8, Int16, Int32, Int64};
    matches!(
        data_type,
        Int8 | Int16 | Int32 | Int64 | Float32 | Float64 | Decimal128(..)
    )
}

/// The type as SQL spells it.
pub(crate) fn sql_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Int8 => "TINYINT".into(),
        DataType::Int16 => "SMALLINT".into(),
        DataType::Int32 => "INT".into(),
        DataType::Int64 => "BIGINT".into(),
        DataType::Float32 => "FLOAT".into(),
        DataType::Float64 => "DOUBLE".into(),
        DataType::Decimal128(p, s) => format!("DECIMAL({p}, {s})"),
        other => other.to_string(),
    }
}

type Native<T> = <T as ArrowPrimitiveType>::Native;

/// How one type of number is added up. The functions that add say whether the sum went out of range.
pub(crate) trait Kind: Debug + Send + Sync + 'static {
    type In: ArrowPrimitiveType<Native: Key>;
    type State: ArrowPrimitiveType<Native: Default>;
    type Out: ArrowPrimitiveType;

    fn state_type(input: &DataType) -> DataType;
    fn add(sum: &mut Native<Self::State>, value: Native<Self::In>) -> bool;
    fn retract(sum: &mut Native<Self::State>, value: Native<Self::In>) -> bool;
    fn merge(sum: &mut Native<Self::State>, other: Native<Self::State>) -> bool;
    fn finish(finish: &Finish, sum: Native<Self::State>, count: i64) -> Result<Native<Self::Out>>;
}

/// A number as a key: equal numbers have equal keys.
pub(crate) trait Key: Copy {
    type Key: Copy + Eq + Ord + Hash + Debug + Send + Sync;
    fn key(self) -> Self::Key;
    fn of(key: Self::Key) -> Self;
}

macro_rules! plain_key {
    ($($t:ty),*) => {$(
        impl Key for $t {
            type Key = $t;
            fn key(self) -> $t {
                self
            }
            fn of(key: $t) -> $t {
                key
            }
        }
    )*};
}

plain_key!(i8, i16, i32, i64, i128);

macro_rules! float_key {
    ($t:ty, $bits:ty) => {
        impl Key for $t {
            type Key = $bits;
            fn key(self) -> $bits {
                if self.is_nan() {
                    <$t>::NAN.to_bits()
                } else {
                    self.to_bits()
                }
            }
            fn of(key: $bits) -> $t {
                <$t>::from_bits(key)
            }
        }
    };
}

float_key!(f32, u32);
float_key!(f64, u64);

/// A whole result in the type of the column.
fn whole<T: TryFrom<i128>>(finish: &Finish, sum: i128, count: i64) -> Result<T> {
    let value = match finish.which {
        Which::Sum => sum,
        Which::Avg | Which::AvgOver => sum / i128::from(count),
    };
    T::try_from(value).or_else(|_| {
        exec_err!(
            "{} overflows {}: the result {value} does not fit; CAST the argument to a wider type",
            finish.which,
            sql_name(&finish.output)
        )
    })
}

/// TINYINT, SMALLINT, INT: a BIGINT sum cannot overflow before 2^31 rows of the largest value are in it twice over.
#[derive(Debug)]
pub(crate) struct Narrow<T>(PhantomData<T>);

impl<T> Kind for Narrow<T>
where
    T: ArrowPrimitiveType<Native: Key + Into<i64> + TryFrom<i128>> + std::fmt::Debug + Send + Sync,
{
    type In = T;
    type State = Int64Type;
    type Out = T;

    fn state_type(_: &DataType) -> DataType {
        DataType::Int64
    }

    #[inline]
    fn add(sum: &mut i64, value: T::Native) -> bool {
        Self::merge(sum, value.into())
    }

    #[inline]
    fn retract(sum: &mut i64, value: T::Native) -> bool {
        let (total, overflows) = sum.overflowing_sub(value.into());
        *sum = total;
        overflows
    }

    #[inline]
    fn merge(sum: &mut i64, other: i64) -> bool {
        let (total, overflows) = sum.overflowing_add(other);
        *sum = total;
        overflows
    }

    fn finish(finish: &Finish, sum: i64, count: i64) -> Result<T::Native> {
        whole(finish, i128::from(sum), count)
    }
}

/// BIGINT, in 128 bits: only the result must fit.
#[derive(Debug)]
pub(crate) struct Wide;

impl Kind for Wide {
    type In = Int64Type;
    type State = Decimal128Type;
    type Out = Int64Type;

    fn state_type(_: &DataType) -> DataType {
        DataType::Decimal128(38, 0)
    }

    #[inline]
    fn add(sum: &mut i128, value: i64) -> bool {
        *sum = sum.wrapping_add(i128::from(value));
        false
    }

    #[inline]
    fn retract(sum: &mut i128, value: i64) -> bool {
        *sum = sum.wrapping_sub(i128::from(value));
        false
    }

    #[inline]
    fn merge(sum: &mut i128, other: i128) -> bool {
        *sum = sum.wrapping_add(other);
        false
    }

    fn finish(finish: &Finish, sum: i128, count: i64) -> Result<i64> {
        whole(finish, sum, count)
    }
}

/// DECIMAL.
#[derive(Debug)]
pub(crate) struct Decimal;

impl Kind for Decimal {
    type In = Decimal128Type;
    type State = Decimal128Type;
    type Out = Decimal128Type;

    fn state_type(input: &DataType) -> DataType {
        match input {
            DataType::Decimal128(_, scale) => DataType::Decimal128(38, *scale),
            other => other.clone(),
        }
    }

    #[inline]
    fn add(sum: &mut i128, value: i128) -> bool {
        let (total, overflows) = sum.overflowing_add(value);
        *sum = total;
        overflows
    }

    #[inline]
    fn retract(sum: &mut i128, value: i128) -> bool {
        let (total, overflows) = sum.overflowing_sub(value);
        *sum = total;
        overflows
    }

    #[inline]
    fn merge(sum: &mut i128, other: i128) -> bool {
        Self::add(sum, other)
    }

    fn finish(finish: &Finish, sum: i128, count: i64) -> Result<i128> {
        let value = match (finish.which, &finish.state, &finish.output) {
            (
                Which::Avg | Which::AvgOver,
                DataType::Decimal128(_, from),
                DataType::Decimal128(_, to),
            ) => decimal::divide(sum, i128::from(count), i32::from(*to) - i32::from(*from)),
            _ => Some(sum),
        };
        match value.filter(|v| v.unsigned_abs() <= MAX_DECIMAL.unsigned_abs()) {
            Some(value) => Ok(value),
            None => exec_err!(
                "{} overflows {}: the result has more digits",
                finish.which,
                sql_name(&finish.output)
            ),
        }
    }
}

macro_rules! floating {
    ($(#[$doc:meta])* $name:ident, $in:ty, $state:ty) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $name;

        impl Kind for $name {
            type In = $in;
            type State = $state;
            type Out = $in;

            fn state_type(_: &DataType) -> DataType {
                <$state>::DATA_TYPE
            }

            #[inline]
            fn add(sum: &mut Native<$state>, value: Native<$in>) -> bool {
                *sum += Native::<$state>::from(value);
                false
            }

            #[inline]
            fn retract(sum: &mut Native<$state>, value: Native<$in>) -> bool {
                *sum -= Native::<$state>::from(value);
                false
            }

            #[inline]
            fn merge(sum: &mut Native<$state>, other: Native<$state>) -> bool {
                *sum += other;
                false
            }

            fn finish(finish: &Finish, sum: Native<$state>, count: i64) -> Result<Native<$in>> {
                Ok(match finish.which {
                    Which::Sum => sum as Native<$in>,
                    Which::Avg | Which::AvgOver => {
                        (sum / count as Native<$state>) as Native<$in>
                    }
                })
            }
        }
    };
}

floating!(
    /// FLOAT added up as such, as SUM does.
    Single, Float32Type, Float32Type
);
floating!(
    /// FLOAT added up in DOUBLE, as AVG does.
    SingleInDouble, Float32Type, Float64Type
);
floating!(
    /// DOUBLE.
    Double, Float64Type, Float64Type
);
