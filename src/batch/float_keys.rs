//! Keys of floating-point numbers. Streams and Flink compare them by their bits; DataFusion's batch engine takes 0.0 and -0.0 for
//! one key. So their bits are what it is given.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::unary;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Float32Type, Float64Type, UInt32Type, UInt64Type,
};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    Aggregate, ColumnarValue, Expr, ExprSchemable, GroupingSet, Join, LogicalPlan, Projection,
    ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use std::sync::Arc;

/// The plan with bits as keys of groups and joins.
///
/// # Errors
/// Where DataFusion refuses the plan (a bug).
pub fn by_bits(plan: LogicalPlan) -> Result<LogicalPlan> {
    let changed = plan.transform_up(|node| match node {
        LogicalPlan::Aggregate(aggregate) => grouped(aggregate),
        LogicalPlan::Join(join) => joined(join),
        other => Ok(Transformed::no(other)),
    })?;
    changed.data.recompute_schema()
}

fn grouped(aggregate: Aggregate) -> Result<Transformed<LogicalPlan>> {
    let input = aggregate.input.schema();
    let groups = aggregate.group_expr.iter();
    let groups: Vec<Expr> = groups
        .map(|e| bits(e.clone(), input))
        .collect::<Result<_>>()?;
    if groups == aggregate.group_expr {
        return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
    }
    let input = Arc::clone(&aggregate.input);
    let changed = Aggregate::try_new(input, groups, aggregate.aggr_expr.clone())?;
    let columns = aggregate.schema.iter().zip(changed.schema.columns());
    let columns = columns.map(|((qualifier, field), column)| {
        let column = Expr::Column(column);
        let value = match field.data_type().is_floating() && is_bits(&column, &changed.schema) {
            true => function(Way::Back).call(vec![column]),
            false => column,
        };
        value.alias_qualified(qualifier.cloned(), field.name())
    });
    let columns = columns.collect();
    let changed = Arc::new(LogicalPlan::Aggregate(changed));
    let schema = Arc::clone(&aggregate.schema);
    let plan = Projection::try_new_with_schema(columns, changed, schema)?;
    Ok(Transformed::yes(LogicalPlan::Projection(plan)))
}

fn is_bits(column: &Expr, schema: &DFSchema) -> bool {
    matches!(
        column.get_type(schema),
        Ok(DataType::UInt32 | DataType::UInt64)
    )
}

fn joined(mut join: Join) -> Result<Transformed<LogicalPlan>> {
    let (left, right) = (join.left.schema(), join.right.schema());
    let pairs = std::mem::take(&mut join.on).into_iter();
    let pairs = pairs.map(|(l, r)| Ok((bits(l, left)?, bits(r, right)?)));
    join.on = pairs.collect::<Result<_>>()?;
    Ok(Transformed::yes(LogicalPlan::Join(join)))
}

/// The key with bits in place of floating-point numbers.
fn bits(key: Expr, schema: &DFSchema) -> Result<Expr> {
    let all = |keys: Vec<Expr>| keys.into_iter().map(|k| bits(k, schema)).collect();
    Ok(match key {
        Expr::GroupingSet(set) => Expr::GroupingSet(match set {
            GroupingSet::Rollup(keys) => GroupingSet::Rollup(all(keys)?),
            GroupingSet::Cube(keys) => GroupingSet::Cube(all(keys)?),
            GroupingSet::GroupingSets(sets) => {
                GroupingSet::GroupingSets(sets.into_iter().map(all).collect::<Result<_>>()?)
            }
        }),
        key if key.get_type(schema)?.is_floating() => function(Way::There).call(vec![key]),
        key => key,
    })
}

/// From numbers to bits, or back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Way {
    There,
    Back,
}

fn function(way: Way) -> ScalarUDF {
    ScalarUDF::new_from_impl(Bits {
        way,
        signature: Signature::any(1, Volatility::Immutable),
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Bits {
    way: Way,
    signature: Signature,
}

impl ScalarUDFImpl for Bits {
    fn name(&self) -> &str {
        match self.way {
            Way::There => "float_bits",
            Way::Back => "float_of_bits",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, given: &[DataType]) -> Result<DataType> {
        Ok(match given {
            [DataType::Float32] => DataType::UInt32,
            [DataType::Float64] => DataType::UInt64,
            [DataType::UInt32] => DataType::Float32,
            [DataType::UInt64] => DataType::Float64,
            other => return plan_err!("bits of {other:?}"),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [given] = arrays.as_slice() else {
            return plan_err!("bits of {} values", arrays.len());
        };
        let array: ArrayRef = match given.data_type() {
            DataType::Float32 => each::<Float32Type, UInt32Type>(given, f32::to_bits),
            DataType::Float64 => each::<Float64Type, UInt64Type>(given, f64::to_bits),
            DataType::UInt32 => each::<UInt32Type, Float32Type>(given, f32::from_bits),
            DataType::UInt64 => each::<UInt64Type, Float64Type>(given, f64::from_bits),
            other => return plan_err!("bits of {other}"),
        };
        Ok(ColumnarValue::Array(array))
    }
}

fn each<A: ArrowPrimitiveType, B: ArrowPrimitiveType>(
    values: &ArrayRef,
    of: impl Fn(A::Native) -> B::Native,
) -> ArrayRef {
    Arc::new(unary::<A, _, B>(values.as_primitive(), of))
}
