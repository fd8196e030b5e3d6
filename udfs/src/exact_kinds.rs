//! How SUM and AVG add up each type of number.

use std::fmt::{self, Debug, Display};
use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, PrimitiveArray};
use datafusion::arrow::datatypes::{
    ArrowPrimitiveType, DataType, Decimal128Type, Decimal256Type, Float32Type, Float64Type,
    Int64Type, i256,
};
use datafusion::common::{Result, exec_err, internal_datafusion_err};

use crate::casts::sql_name;
use crate::decimal::{self, MAX_DECIMAL};

/// The aggregate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Which {
    Sum,
    /// SUM with an error where the result does not fit.
    CheckedSum,
    Avg,
    /// AVG inside OVER, where the sum has the type of the argument: FLOAT is added up as such, whole numbers wrap around.
    AvgOver,
}

impl Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sum | Self::CheckedSum => "SUM",
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

type Native<T> = <T as ArrowPrimitiveType>::Native;

/// The types around a sum.
#[derive(Debug, Clone)]
pub(crate) struct Finish {
    pub which: Which,
    pub input: DataType,
    pub state: DataType,
    pub output: DataType,
}

/// A sum so far, and how many values are in it: 0 means that the result is NULL.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Slot<S> {
    pub sum: S,
    pub count: i64,
}

pub(crate) type SlotOf<K> = Slot<Native<<K as Kind>::State>>;

pub(crate) fn input_of<K: Kind>(values: &[ArrayRef]) -> Result<&PrimitiveArray<K::In>> {
    column::<K::In>(values, 0)
}

pub(crate) fn column<T: ArrowPrimitiveType>(
    values: &[ArrayRef],
    at: usize,
) -> Result<&PrimitiveArray<T>> {
    let found = values.get(at).and_then(|v| v.as_any().downcast_ref());
    found.ok_or_else(|| {
        internal_datafusion_err!(
            "SUM or AVG got {:?} in column {at}, expected {}",
            values.get(at).map(|v| v.data_type().clone()),
            T::DATA_TYPE
        )
    })
}

pub(crate) fn overflow<T>(which: Which, finish: &Finish) -> Result<T> {
    exec_err!("{which} overflows {}", sql_name(&finish.state))
}

/// The results of slots.
pub(crate) fn results<K: Kind>(finish: &Finish, slots: &[SlotOf<K>]) -> Result<ArrayRef> {
    let mut builder =
        datafusion::arrow::array::PrimitiveBuilder::<K::Out>::with_capacity(slots.len());
    for slot in slots {
        if slot.count == 0 {
            builder.append_null();
        } else {
            builder.append_option(K::finish(finish, slot.sum, slot.count)?);
        }
    }
    Ok(Arc::new(
        builder.finish().with_data_type(finish.output.clone()),
    ))
}

/// How one type of number is added up. The functions that add say whether the sum went out of range.
pub(crate) trait Kind: Debug + Send + Sync + 'static {
    type In: ArrowPrimitiveType<Native: Key>;
    type State: ArrowPrimitiveType<Native: Default>;
    type Out: ArrowPrimitiveType;

    fn state_type(input: &DataType) -> DataType;
    fn add(sum: &mut Native<Self::State>, value: Native<Self::In>) -> bool;
    fn retract(sum: &mut Native<Self::State>, value: Native<Self::In>) -> bool;
    fn merge(sum: &mut Native<Self::State>, other: Native<Self::State>) -> bool;
    /// The result, NULL where it does not fit and that is no error.
    fn finish(
        finish: &Finish,
        sum: Native<Self::State>,
        count: i64,
    ) -> Result<Option<Native<Self::Out>>>;
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

fn too_large<T>(finish: &Finish, value: impl Display) -> Result<T> {
    exec_err!(
        "{} overflows {}: the result {value} does not fit; CAST the argument to a wider type",
        finish.which,
        sql_name(&finish.output)
    )
}

/// A whole number that is cut off to its lowest bits, as Java does.
pub(crate) trait Wraps: Copy {
    fn wrap(value: i64) -> Self;
}

macro_rules! wraps {
    ($($t:ty),*) => {$(
        impl Wraps for $t {
            fn wrap(value: i64) -> Self {
                value as $t
            }
        }
    )*};
}

wraps!(i8, i16, i32, i64);

/// TINYINT, SMALLINT, INT, BIGINT. The sum is a BIGINT that wraps around; its lowest bits are the sum in the argument's type.
#[derive(Debug)]
pub(crate) struct Whole<T>(PhantomData<T>);

impl<T> Kind for Whole<T>
where
    T: ArrowPrimitiveType<Native: Key + Into<i64> + Wraps> + std::fmt::Debug + Send + Sync,
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
        *sum = sum.wrapping_sub(value.into());
        false
    }

    #[inline]
    fn merge(sum: &mut i64, other: i64) -> bool {
        *sum = sum.wrapping_add(other);
        false
    }

    fn finish(finish: &Finish, sum: i64, count: i64) -> Result<Option<T::Native>> {
        Ok(Some(match finish.which {
            Which::Sum | Which::CheckedSum => T::Native::wrap(sum),
            Which::Avg => T::Native::wrap(sum / count),
            Which::AvgOver => T::Native::wrap(T::Native::wrap(sum).into() / count),
        }))
    }
}

/// A whole number in 128 bits: only the result must fit.
#[derive(Debug)]
pub(crate) struct CheckedWhole<T>(PhantomData<T>);

impl<T> Kind for CheckedWhole<T>
where
    T: ArrowPrimitiveType<Native: Key + Into<i64> + TryFrom<i128>> + std::fmt::Debug + Send + Sync,
{
    type In = T;
    type State = Decimal128Type;
    type Out = T;

    fn state_type(_: &DataType) -> DataType {
        DataType::Decimal128(38, 0)
    }

    #[inline]
    fn add(sum: &mut i128, value: T::Native) -> bool {
        *sum = sum.wrapping_add(i128::from(value.into()));
        false
    }

    #[inline]
    fn retract(sum: &mut i128, value: T::Native) -> bool {
        *sum = sum.wrapping_sub(i128::from(value.into()));
        false
    }

    #[inline]
    fn merge(sum: &mut i128, other: i128) -> bool {
        *sum = sum.wrapping_add(other);
        false
    }

    fn finish(finish: &Finish, sum: i128, _: i64) -> Result<Option<T::Native>> {
        match T::Native::try_from(sum) {
            Ok(value) => Ok(Some(value)),
            Err(_) => too_large(finish, sum),
        }
    }
}

/// The result of adding up decimals: NULL where the sum has more than 38 digits, or the quotient does not fit.
fn decimal_result(finish: &Finish, sum: Option<i128>, count: i64) -> Result<Option<i128>> {
    let fits = |value: &i128| value.unsigned_abs() <= MAX_DECIMAL.unsigned_abs();
    let sum = sum.filter(fits);
    match (finish.which, &finish.state, &finish.output) {
        (Which::CheckedSum, ..) if sum.is_none() => {
            exec_err!(
                "{} overflows {}: the result has more digits",
                finish.which,
                sql_name(&finish.output)
            )
        }
        (
            Which::Avg | Which::AvgOver,
            DataType::Decimal128(_, from) | DataType::Decimal256(_, from),
            DataType::Decimal128(_, to),
        ) => {
            let shift = i32::from(*to) - i32::from(*from);
            let quotient = sum.and_then(|sum| decimal::divide(sum, i128::from(count), shift));
            Ok(quotient.filter(fits))
        }
        _ => Ok(sum),
    }
}

/// DECIMAL of so many digits that no number of rows makes the sum overflow 128 bits.
#[derive(Debug)]
pub(crate) struct Decimal;

/// The most digits of a [`Decimal`]: ten thousand million of the largest fit 38.
pub(crate) const NARROW_DECIMAL: u8 = 28;

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

    fn finish(finish: &Finish, sum: i128, count: i64) -> Result<Option<i128>> {
        decimal_result(finish, Some(sum), count)
    }
}

/// DECIMAL of more digits, in 256 bits: sums may leave the range of the result and come back.
#[derive(Debug)]
pub(crate) struct WideDecimal;

impl Kind for WideDecimal {
    type In = Decimal128Type;
    type State = Decimal256Type;
    type Out = Decimal128Type;

    fn state_type(input: &DataType) -> DataType {
        match input {
            DataType::Decimal128(_, scale) => DataType::Decimal256(76, *scale),
            other => other.clone(),
        }
    }

    #[inline]
    fn add(sum: &mut i256, value: i128) -> bool {
        Self::merge(sum, i256::from_i128(value))
    }

    #[inline]
    fn retract(sum: &mut i256, value: i128) -> bool {
        *sum = sum.wrapping_sub(i256::from_i128(value));
        false
    }

    #[inline]
    fn merge(sum: &mut i256, other: i256) -> bool {
        *sum = sum.wrapping_add(other);
        false
    }

    fn finish(finish: &Finish, sum: i256, count: i64) -> Result<Option<i128>> {
        decimal_result(finish, sum.to_i128(), count)
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

            fn finish(
                finish: &Finish,
                sum: Native<$state>,
                count: i64,
            ) -> Result<Option<Native<$in>>> {
                Ok(Some(match finish.which {
                    Which::Sum | Which::CheckedSum => sum as Native<$in>,
                    Which::Avg | Which::AvgOver => {
                        (sum / count as Native<$state>) as Native<$in>
                    }
                }))
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
