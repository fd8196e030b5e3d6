//! Windowing table functions over what a table holds: each row beside the windows it falls into.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, StructArray, TimestampMillisecondArray};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields, TimeUnit, TimestampMillisecondType};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, UnnestOptions, not_impl_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, LogicalPlanBuilder, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};

use crate::planner::WindowTvf;
use crate::time::{WindowKind, WindowSpec};

/// The name of the list of a row's windows while it is made.
const LIST: &str = "$windows";

/// The plan with its windows as projections and unnested lists, which DataFusion's batch engine knows.
///
/// # Errors
/// SESSION windows, which depend on the rows around a row.
pub fn expanded(plan: LogicalPlan) -> Result<LogicalPlan> {
    let expanded = plan.transform_up(|node| {
        let LogicalPlan::Extension(extension) = &node else {
            return Ok(Transformed::no(node));
        };
        match extension.node.as_any().downcast_ref::<WindowTvf>() {
            Some(window) => Ok(Transformed::yes(expand(window)?)),
            None => Ok(Transformed::no(node)),
        }
    })?;
    expanded.data.recompute_schema()
}

fn expand(window: &WindowTvf) -> Result<LogicalPlan> {
    if matches!(window.windows.kind, WindowKind::Session { .. }) {
        return not_impl_err!(
            "a SESSION window is not supported in a snapshot query yet: run it as a stream with `flowline run --bounded`"
        );
    }
    let schema = datafusion::logical_expr::UserDefinedLogicalNodeCore::schema(window);
    let rows = window.input.schema().fields().len();
    let fields: Fields = schema.fields().iter().skip(rows).cloned().collect();
    let list = ScalarUDF::new_from_impl(WindowList {
        windows: window.windows.clone(),
        fields: fields.clone(),
        signature: Signature::any(1, Volatility::Immutable),
    });
    let columns: Vec<Expr> = window
        .input
        .schema()
        .columns()
        .into_iter()
        .map(Expr::Column)
        .collect();
    let listed = columns
        .iter()
        .cloned()
        .chain([list.call(vec![window.time.clone()]).alias(LIST)]);
    let options = UnnestOptions::new().with_preserve_nulls(false);
    let parts = fields.iter().map(|field| {
        let list = Expr::Column(Column::new_unqualified(LIST));
        let part = datafusion::functions::core::expr_fn::get_field(list, field.name().as_str());
        part.alias(field.name())
    });
    LogicalPlanBuilder::from(window.input.clone())
        .project(listed)?
        .unnest_column_with_options(LIST, options)?
        .project(columns.into_iter().chain(parts))?
        .build()
}

/// The windows that a time falls into, as a list.
#[derive(Debug)]
struct WindowList {
    windows: WindowSpec,
    fields: Fields,
    signature: Signature,
}

impl PartialEq for WindowList {
    fn eq(&self, other: &Self) -> bool {
        self.windows == other.windows && self.fields == other.fields
    }
}

impl Eq for WindowList {}

impl Hash for WindowList {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.windows.offset.hash(state);
        self.fields.hash(state);
    }
}

impl ScalarUDFImpl for WindowList {
    fn name(&self) -> &str {
        "window_list"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        let window = DataType::Struct(self.fields.clone());
        Ok(DataType::List(Arc::new(Field::new("item", window, true))))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(times) = args.args.first() else {
            return plan_err!("a window needs a time column");
        };
        let times = times.to_array(args.number_rows)?;
        let millis = cast(&times, &DataType::Timestamp(TimeUnit::Millisecond, None))?;
        let millis = millis.as_primitive::<TimestampMillisecondType>();
        let (mut starts, mut ends, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
        for i in 0..millis.len() {
            let before = starts.len();
            if millis.is_valid(i) {
                self.windows.windows_of(millis.value(i), |start, end| {
                    starts.push(start);
                    ends.push(end);
                });
            }
            lengths.push(starts.len() - before);
        }
        let last: Vec<i64> = ends.iter().map(|end| end - 1).collect();
        let columns = [starts, ends, last].into_iter().zip(&self.fields);
        let columns = columns.map(|(values, field)| {
            let array: ArrayRef = Arc::new(TimestampMillisecondArray::from(values));
            cast(&array, field.data_type())
        });
        let columns = columns.collect::<std::result::Result<Vec<_>, _>>()?;
        let windows = StructArray::try_new(self.fields.clone(), columns, None)?;
        let item = Field::new("item", DataType::Struct(self.fields.clone()), true);
        let offsets = OffsetBuffer::from_lengths(lengths);
        let lists = ListArray::try_new(Arc::new(item), offsets, Arc::new(windows), None)?;
        Ok(ColumnarValue::Array(Arc::new(lists)))
    }
}
