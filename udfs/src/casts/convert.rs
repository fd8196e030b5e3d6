//! An array of one type to an array of another: which cast is made where.

use std::fmt::Display;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, PrimitiveBuilder, new_null_array,
};
use datafusion::common::{Result, exec_err};

use super::types::Type;
use super::{Overflow, bytes, decimals, nested, numbers, parse, print, texts, times};

/// The rows of a batch whose values have no cast, and why.
#[derive(Debug)]
pub(super) struct Failures {
    told: bool,
    all: Vec<(usize, String)>,
}

impl Failures {
    /// With reasons, or without, if nobody is told of them.
    pub(super) fn new(told: bool) -> Self {
        let all = Vec::new();
        Self { told, all }
    }

    /// Empty ones for the parts of arrays, maps and rows.
    pub(super) fn within(&self) -> Self {
        Self::new(self.told)
    }

    /// A row has no cast. Its value in the result does not matter then.
    pub(super) fn add(&mut self, row: usize, value: impl Display, to: &Type) {
        let reason = if self.told {
            format!("{value} cannot be cast to {to}")
        } else {
            String::new()
        };
        self.all.push((row, reason));
    }

    /// The same for a row that holds the part which has no cast.
    pub(super) fn pass_on(&mut self, row: usize, reason: String) {
        self.all.push((row, reason));
    }

    pub(super) fn first(&self) -> Option<&(usize, String)> {
        self.all.iter().min_by_key(|(row, _)| row)
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = usize> {
        self.all.iter().map(|(row, _)| *row)
    }

    pub(super) fn into_all(self) -> Vec<(usize, String)> {
        self.all
    }
}

/// Casts the values of an array; NULL stays NULL.
pub(super) fn convert(
    from: &Type,
    to: &Type,
    array: &ArrayRef,
    overflow: Overflow,
    failures: &mut Failures,
) -> Result<ArrayRef> {
    use Type::*;
    match (from, to) {
        (Null, to) => Ok(new_null_array(&to.arrow(), array.len())),
        (from, to) if from == to && *array.data_type() == to.arrow() => Ok(Arc::clone(array)),
        (from, to) if from.is_text() && to.is_text() => texts::to_length(array, from, to),
        (from, to) if from.is_text() && to.is_bytes() => bytes::of_text(array, to),
        (from, Boolean) if from.is_text() => parse::booleans(array, to, failures),
        (from, Float | Double) if from.is_text() => parse::floats(array, to, failures),
        (from, Decimal(..)) if from.is_text() => parse::decimals(array, to, failures),
        (from, to) if from.is_text() && to.is_number() => parse::wholes(array, to, failures),
        (from, to) if from.is_text() => parse::times(array, to, failures),
        (from, to) if from.is_bytes() && to.is_bytes() => bytes::to_length(array, from, to),
        (from, to) if to.is_text() => print::texts(array, from, to),
        (Boolean, to) => numbers::of_boolean(array, to),
        (from, Boolean) => numbers::to_boolean(array, from),
        (from, Decimal(..)) => decimals::of_number(array, from, to, failures),
        (Decimal(..), to) => decimals::to_number(array, from, to, overflow, failures),
        (from, to) if from.is_number() && to.is_number() => {
            numbers::between(array, from, to, overflow, failures)
        }
        (from, to) if times::is_time(from) && times::is_time(to) => {
            times::between(array, from, to, failures)
        }
        (Array(..) | Map(..) | Multiset(..) | Row(..), to) => {
            nested::parts(array, from, to, overflow, failures)
        }
        (from, to) => exec_err!("CAST: {from} cannot be cast to {to}"),
    }
}

/// The values of a fixed width that a function makes of each value, which may have no cast.
pub(super) fn each<S: ArrowPrimitiveType, T: ArrowPrimitiveType>(
    array: &ArrayRef,
    to: &Type,
    mut one: impl FnMut(usize, S::Native) -> Option<T::Native>,
) -> ArrayRef {
    let array = array.as_primitive::<S>();
    let mut builder = PrimitiveBuilder::<T>::with_capacity(array.len());
    for (row, value) in array.iter().enumerate() {
        builder.append_option(value.and_then(|value| one(row, value)));
    }
    typed(builder.finish(), to)
}

/// The values of a fixed width that a function makes of each value without fail, in a loop without branches.
pub(super) fn all<S: ArrowPrimitiveType, T: ArrowPrimitiveType>(
    array: &ArrayRef,
    to: &Type,
    one: impl Fn(S::Native) -> T::Native,
) -> ArrayRef {
    typed(array.as_primitive::<S>().unary::<_, T>(one), to)
}

/// The array with the zone or scale of its type.
pub(super) fn typed<T: ArrowPrimitiveType>(array: PrimitiveArray<T>, to: &Type) -> ArrayRef {
    Arc::new(array.with_data_type(to.arrow()))
}
