//! Comparisons of FLOAT and DOUBLE as Java makes them: NaN equals nothing, not even itself, and 0.0 equals -0.0. (Arrow
//! compares in a total order.)

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, BooleanArray, PrimitiveArray};
use datafusion::arrow::buffer::{BooleanBuffer, NullBuffer};
use datafusion::arrow::datatypes::{ArrowPrimitiveType, DataType, Float32Type, Float64Type};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::ScalarUDF;

use crate::function::{self, Call, Column, Function, Nulls, Takes};

/// One of the six comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `=`
    Eq,
    /// `<>`
    NotEq,
    /// `<`
    Lt,
    /// `<=`
    LtEq,
    /// `>`
    Gt,
    /// `>=`
    GtEq,
}

/// The comparison of two FLOATs or two DOUBLEs.
pub(crate) fn comparison(op: Comparison) -> Arc<ScalarUDF> {
    function::udf(match op {
        Comparison::Eq => &EQ,
        Comparison::NotEq => &NOT_EQ,
        Comparison::Lt => &LT,
        Comparison::LtEq => &LT_EQ,
        Comparison::Gt => &GT,
        Comparison::GtEq => &GT_EQ,
    })
}

const fn row(name: &'static str, nulls: Nulls, eval: fn(&Call) -> Result<ArrayRef>) -> Function {
    Function::new(
        name,
        Takes::Own(one_type),
        |_, _| Ok(DataType::Boolean),
        nulls,
        eval,
    )
}

static EQ: Function = row("float_eq", Nulls::Strict, strict::<Eq>);
static NOT_EQ: Function = row("float_not_eq", Nulls::Strict, strict::<NotEq>);
static LT: Function = row("float_lt", Nulls::Strict, strict::<Lt>);
static LT_EQ: Function = row("float_lt_eq", Nulls::Strict, strict::<LtEq>);
static GT: Function = row("float_gt", Nulls::Strict, strict::<Gt>);
static GT_EQ: Function = row("float_gt_eq", Nulls::Strict, strict::<GtEq>);

/// `IS DISTINCT FROM`.
pub(crate) static DISTINCT: Function = row("float_distinct", Nulls::Never, distinct);

/// The functions of this file.
pub(crate) static ALL: &[&Function] = &[&EQ, &NOT_EQ, &LT, &LT_EQ, &GT, &GT_EQ, &DISTINCT];

fn one_type(given: &[DataType]) -> Result<Vec<DataType>> {
    use DataType::{Float32, Float64, Null};
    match given {
        [Float32, Float32 | Null] | [Null, Float32] => Ok(vec![Float32; 2]),
        [Float64, Float64 | Null] | [Null, Float64] => Ok(vec![Float64; 2]),
        _ => plan_err!(
            "a comparison of floating-point numbers takes two FLOATs or two DOUBLEs, not {}",
            crate::casts::sql_names(given)
        ),
    }
}

trait Op {
    fn holds<T: PartialOrd>(left: T, right: T) -> bool;
}

macro_rules! ops {
    ($($name:ident $op:tt),*) => {$(
        struct $name;

        impl Op for $name {
            #[inline]
            fn holds<T: PartialOrd>(left: T, right: T) -> bool {
                left $op right
            }
        }
    )*};
}

ops!(Eq ==, NotEq !=, Lt <, LtEq <=, Gt >, GtEq >=);

fn strict<O: Op>(call: &Call) -> Result<ArrayRef> {
    match call.data_type(0) {
        DataType::Float32 => strict_of::<Float32Type, O>(call),
        DataType::Float64 => strict_of::<Float64Type, O>(call),
        other => exec_err!("a comparison of floating-point numbers got {other}"),
    }
}

fn strict_of<T: ArrowPrimitiveType, O: Op>(call: &Call) -> Result<ArrayRef> {
    let (left, right) = (call.column(0)?, call.column(1)?);
    let nulls = match (valid::<T>(left, call.rows), valid::<T>(right, call.rows)) {
        (Some(left), Some(right)) => NullBuffer::union(left.as_ref(), right.as_ref()),
        // A constant that is NULL.
        _ => Some(NullBuffer::new_null(call.rows)),
    };
    let results = compared::<T, O>(left, right, call.rows);
    Ok(Arc::new(BooleanArray::new(results, nulls)))
}

/// Which values are given: `Some(None)` where all are, `None` where none is.
#[allow(clippy::option_option)]
fn valid<T: ArrowPrimitiveType>(
    column: Column<PrimitiveArray<T>>,
    rows: usize,
) -> Option<Option<NullBuffer>> {
    let (array, constant) = column.parts();
    match (constant && rows != array.len(), array.nulls()) {
        (true, _) if array.is_null(0) => None,
        (true, _) => Some(None),
        (false, nulls) => Some(nulls.cloned()),
    }
}

/// The comparison of whatever lies in the columns, NULL or not.
fn compared<T: ArrowPrimitiveType, O: Op>(
    left: Column<PrimitiveArray<T>>,
    right: Column<PrimitiveArray<T>>,
    rows: usize,
) -> BooleanBuffer {
    let ((left, left_constant), (right, right_constant)) = (left.parts(), right.parts());
    let (l, r) = (left.values(), right.values());
    match (left_constant, right_constant) {
        (false, false) => BooleanBuffer::collect_bool(rows, |i| O::holds(l[i], r[i])),
        (false, true) => {
            let r = r[0];
            BooleanBuffer::collect_bool(rows, |i| O::holds(l[i], r))
        }
        (true, false) => {
            let l = l[0];
            BooleanBuffer::collect_bool(rows, |i| O::holds(l, r[i]))
        }
        (true, true) => {
            let holds = O::holds(l[0], r[0]);
            BooleanBuffer::collect_bool(rows, |_| holds)
        }
    }
}

fn distinct(call: &Call) -> Result<ArrayRef> {
    match call.data_type(0) {
        DataType::Float32 => distinct_of::<Float32Type>(call),
        DataType::Float64 => distinct_of::<Float64Type>(call),
        other => exec_err!("a comparison of floating-point numbers got {other}"),
    }
}

fn distinct_of<T: ArrowPrimitiveType>(call: &Call) -> Result<ArrayRef> {
    let (left, right) = (
        call.column::<PrimitiveArray<T>>(0)?,
        call.column::<PrimitiveArray<T>>(1)?,
    );
    call.booleans(|row| {
        Ok(Some(match (left.get(row), right.get(row)) {
            (Some(left), Some(right)) => left != right,
            (left, right) => left.is_some() != right.is_some(),
        }))
    })
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{AsArray, Float64Array};
    use datafusion::arrow::datatypes::Field;
    use datafusion::common::ScalarValue;
    use datafusion::common::config::ConfigOptions;
    use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs};

    use super::*;
    use crate::testing::evaluate_udf;

    const ALL: [Comparison; 6] = [
        Comparison::Eq,
        Comparison::NotEq,
        Comparison::Lt,
        Comparison::LtEq,
        Comparison::Gt,
        Comparison::GtEq,
    ];

    /// What Flink says of `=`, `<>`, `<`, `<=`, `>`, `>=`, IS DISTINCT FROM: t, f or NULL (n).
    const TABLE: &[(Option<f64>, Option<f64>, &str)] = &[
        (Some(f64::NAN), Some(f64::NAN), "ftfffft"),
        (Some(f64::NAN), Some(1.5), "ftfffft"),
        (Some(1.5), Some(f64::NAN), "ftfffft"),
        (Some(f64::NAN), Some(f64::INFINITY), "ftfffft"),
        (Some(f64::NEG_INFINITY), Some(f64::NAN), "ftfffft"),
        (Some(f64::NAN), None, "nnnnnnt"),
        (None, Some(0.0), "nnnnnnt"),
        (None, None, "nnnnnnf"),
        (Some(0.0), Some(-0.0), "tfftftf"),
        (Some(-0.0), Some(0.0), "tfftftf"),
        (Some(f64::INFINITY), Some(f64::INFINITY), "tfftftf"),
        (Some(f64::NEG_INFINITY), Some(f64::INFINITY), "ftttfft"),
        (Some(1.5), Some(-0.0), "ftffttt"),
    ];

    fn letter(value: &ScalarValue) -> char {
        match value {
            ScalarValue::Boolean(Some(true)) => 't',
            ScalarValue::Boolean(Some(false)) => 'f',
            _ => 'n',
        }
    }

    fn functions() -> Vec<Arc<ScalarUDF>> {
        let distinct = function::udf(&DISTINCT);
        ALL.into_iter().map(comparison).chain([distinct]).collect()
    }

    #[test]
    fn as_flink() {
        for (left, right, expected) in TABLE {
            let doubles = vec![ScalarValue::Float64(*left), ScalarValue::Float64(*right)];
            let floats = vec![
                ScalarValue::Float32(left.map(|v| v as f32)),
                ScalarValue::Float32(right.map(|v| v as f32)),
            ];
            for args in [doubles, floats] {
                let given: String = functions()
                    .iter()
                    .map(|udf| letter(&evaluate_udf(udf, args.clone()).unwrap()))
                    .collect();
                assert_eq!(given, *expected, "{args:?}");
            }
        }
    }

    #[test]
    fn columns_beside_constants() {
        let lefts: Float64Array = TABLE.iter().map(|(left, ..)| *left).collect();
        let rights: Float64Array = TABLE.iter().map(|(_, right, _)| *right).collect();
        let (lefts, rights): (ArrayRef, ArrayRef) = (Arc::new(lefts), Arc::new(rights));
        let rows = TABLE.len();
        let field = Arc::new(Field::new("a", DataType::Float64, true));
        for (at, udf) in functions().iter().enumerate() {
            let call = |left, right| {
                let result = udf.invoke_with_args(ScalarFunctionArgs {
                    args: vec![left, right],
                    arg_fields: vec![Arc::clone(&field); 2],
                    number_rows: rows,
                    return_field: Arc::new(Field::new("r", DataType::Boolean, true)),
                    config_options: Arc::new(ConfigOptions::new()),
                });
                result.unwrap().into_array(rows).unwrap()
            };
            let array = ColumnarValue::Array;
            let both = call(array(Arc::clone(&lefts)), array(Arc::clone(&rights)));
            for (row, (left, right, expected)) in TABLE.iter().enumerate() {
                let expected = expected.chars().nth(at).unwrap();
                let constant = |v: &Option<f64>| ColumnarValue::Scalar(ScalarValue::Float64(*v));
                for result in [
                    Arc::clone(&both),
                    call(array(Arc::clone(&lefts)), constant(right)),
                    call(constant(left), array(Arc::clone(&rights))),
                ] {
                    assert_eq!(result.as_boolean().len(), rows);
                    let value = ScalarValue::try_from_array(&result, row).unwrap();
                    assert_eq!(letter(&value), expected, "{udf:?} {left:?} {right:?}");
                }
            }
        }
    }
}
