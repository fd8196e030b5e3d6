//! Values of a fixed width, made of other ones.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, PrimitiveBuilder,
};

use super::types::Type;

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
