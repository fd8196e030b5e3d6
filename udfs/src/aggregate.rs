//! What the aggregate functions share: their arguments, the fields of their states.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, plan_datafusion_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;

/// The type of the first argument.
pub(crate) fn argument<'a>(args: &AccumulatorArgs<'a>) -> Result<&'a DataType> {
    match args.expr_fields.first() {
        Some(field) => Ok(field.data_type()),
        None => plan_err!("an aggregate function without an argument"),
    }
}

/// The type of the first argument.
pub(crate) fn state_argument<'a>(args: &'a StateFieldsArgs) -> Result<&'a DataType> {
    let first = args.input_fields.first().map(|f| f.data_type());
    first.ok_or_else(|| plan_datafusion_err!("an aggregate function without an argument"))
}

/// ARRAY of the type.
pub(crate) fn list_of(element: &DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(element.clone(), true)))
}

/// A column of the state.
pub(crate) fn state_field(args: &StateFieldsArgs, what: &str, data_type: DataType) -> FieldRef {
    Arc::new(Field::new(
        format_state_name(args.name, what),
        data_type,
        true,
    ))
}
