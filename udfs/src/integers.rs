//! Arithmetic of whole numbers as Java does it, and, on request, with an error where Java's wraps around.

use std::fmt::Display;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, ArrowNativeTypeOp, PrimitiveArray};
use datafusion::arrow::datatypes::{
    ArrowPrimitiveType, DataType, Int8Type, Int16Type, Int32Type, Int64Type,
};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::ScalarUDF;

use crate::casts::sql_name;
use crate::function::{self, Call, Function, Nulls, Takes};

/// Arithmetic that fails where the result does not fit its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Checked {
    /// `+`
    Add,
    /// `-` between two numbers
    Subtract,
    /// `*`
    Multiply,
    /// `-` before a number
    Negate,
    /// `/`
    Divide,
}

/// The function of two whole numbers of one type (one for [`Checked::Negate`]).
pub(crate) fn checked(op: Checked) -> Arc<ScalarUDF> {
    function::udf(match op {
        Checked::Add => &ADD,
        Checked::Subtract => &SUBTRACT,
        Checked::Multiply => &MULTIPLY,
        Checked::Negate => &NEGATE,
        Checked::Divide => &CHECKED_DIVIDE,
    })
}

/// `/`: towards zero; the smallest number by -1 is itself.
pub(crate) static DIVIDE: Function = row("integer_divide", arithmetic::<Divide>);
/// `%`: with the sign of the left.
pub(crate) static MODULO: Function = row("integer_modulo", arithmetic::<Modulo>);
static ADD: Function = row("checked_add", arithmetic::<Add>);
static SUBTRACT: Function = row("checked_subtract", arithmetic::<Subtract>);
static MULTIPLY: Function = row("checked_multiply", arithmetic::<Multiply>);
static CHECKED_DIVIDE: Function = row("checked_divide", arithmetic::<CheckedDivide>);
static NEGATE: Function = Function::new(
    "checked_negate",
    Takes::Own(|given| match given {
        [one] if is_whole(one) => Ok(given.to_vec()),
        _ => plan_err!(
            "- takes a whole number here, not {}",
            crate::casts::sql_names(given)
        ),
    }),
    |types, _| Ok(types[0].clone()),
    Nulls::Strict,
    |call| {
        with_integers!(call.data_type(0), T => {
            let column = call.column::<PrimitiveArray<T>>(0)?;
            call.values::<T>(|row| column.get(row).map(negated::<T>).transpose())
        }, exec_err!("- got {}", call.data_type(0)))
    },
)
.fails();

const fn row(name: &'static str, eval: fn(&Call) -> Result<ArrayRef>) -> Function {
    Function::new(
        name,
        Takes::Own(one_type),
        |types, _| Ok(types[0].clone()),
        Nulls::Strict,
        eval,
    )
    .fails()
}

/// The functions of this file.
pub(crate) static ALL: &[&Function] = &[
    &DIVIDE,
    &MODULO,
    &ADD,
    &SUBTRACT,
    &MULTIPLY,
    &CHECKED_DIVIDE,
    &NEGATE,
];

fn is_whole(data_type: &DataType) -> bool {
    use DataType::{Int8, Int16, Int32, Int64};
    matches!(data_type, Int8 | Int16 | Int32 | Int64)
}

fn one_type(given: &[DataType]) -> Result<Vec<DataType>> {
    match given {
        [left, right] if left == right && is_whole(left) => Ok(given.to_vec()),
        [left, DataType::Null] if is_whole(left) => Ok(vec![left.clone(); 2]),
        [DataType::Null, right] if is_whole(right) => Ok(vec![right.clone(); 2]),
        _ => plan_err!(
            "arithmetic takes two whole numbers of one type here, not {}",
            crate::casts::sql_names(given)
        ),
    }
}

/// Runs `$run` with `$t` bound to the Arrow type of a whole number; `$other` for other types.
macro_rules! with_integers {
    ($data_type:expr, $t:ident => $run:expr, $other:expr) => {
        match $data_type {
            DataType::Int8 => {
                type $t = Int8Type;
                $run
            }
            DataType::Int16 => {
                type $t = Int16Type;
                $run
            }
            DataType::Int32 => {
                type $t = Int32Type;
                $run
            }
            DataType::Int64 => {
                type $t = Int64Type;
                $run
            }
            _ => $other,
        }
    };
}
pub(crate) use with_integers;

/// An operator between two numbers; `None` where it has no result.
trait Op {
    const SIGN: &str;
    fn apply<N: ArrowNativeTypeOp>(left: N, right: N) -> Option<N>;
}

macro_rules! ops {
    ($($name:ident $sign:literal $apply:expr;)*) => {$(
        struct $name;

        impl Op for $name {
            const SIGN: &str = $sign;

            #[inline]
            fn apply<N: ArrowNativeTypeOp>(left: N, right: N) -> Option<N> {
                let apply: fn(N, N) -> Option<N> = $apply;
                apply(left, right)
            }
        }
    )*};
}

ops! {
    Divide "/" |a, b| (b != N::ZERO).then(|| a.div_wrapping(b));
    Modulo "%" |a, b| (b != N::ZERO).then(|| a.mod_wrapping(b));
    Add "+" |a, b| a.add_checked(b).ok();
    Subtract "-" |a, b| a.sub_checked(b).ok();
    Multiply "*" |a, b| a.mul_checked(b).ok();
    CheckedDivide "/" |a, b| a.div_checked(b).ok();
}

fn arithmetic<O: Op>(call: &Call) -> Result<ArrayRef> {
    with_integers!(
        call.data_type(0),
        T => arithmetic_of::<T, O>(call),
        exec_err!("{} got {}", O::SIGN, call.data_type(0))
    )
}

fn arithmetic_of<T: ArrowPrimitiveType, O: Op>(call: &Call) -> Result<ArrayRef>
where
    T::Native: ArrowNativeTypeOp + Display,
{
    let (left, right) = (
        call.column::<PrimitiveArray<T>>(0)?,
        call.column::<PrimitiveArray<T>>(1)?,
    );
    let apply = |a: T::Native, b: T::Native| match O::apply(a, b) {
        Some(result) => Ok(result),
        None => no_result::<T, O>(a, b),
    };
    // A constant divisor is a plain loop.
    if let (false, true, Some(by)) = (call.is_constant(0), call.is_constant(1), right.get(0)) {
        let (array, _) = left.parts();
        return Ok(Arc::new(array.try_unary::<_, T, _>(|a| apply(a, by))?));
    }
    call.values::<T>(|row| match (left.get(row), right.get(row)) {
        (Some(a), Some(b)) => apply(a, b).map(Some),
        _ => Ok(None),
    })
}

#[cold]
fn no_result<T: ArrowPrimitiveType, O: Op>(a: T::Native, b: T::Native) -> Result<T::Native>
where
    T::Native: ArrowNativeTypeOp + Display,
{
    let sign = O::SIGN;
    if matches!(sign, "/" | "%") && b == T::Native::ZERO {
        return exec_err!("division by zero: {a} {sign} {b}");
    }
    exec_err!(
        "{} overflow: {a} {sign} {b} does not fit; CAST the operands to a wider type",
        sql_name(&T::DATA_TYPE)
    )
}

fn negated<T: ArrowPrimitiveType>(value: T::Native) -> Result<T::Native>
where
    T::Native: ArrowNativeTypeOp + Display,
{
    match value.neg_checked() {
        Ok(result) => Ok(result),
        Err(_) => exec_err!(
            "{} overflow: -({value}) does not fit; CAST the operand to a wider type",
            sql_name(&T::DATA_TYPE)
        ),
    }
}

#[cfg(test)]
mod tests {
    use datafusion::common::ScalarValue;

    use super::*;
    use crate::testing::{bigint, evaluate_udf, int};

    fn shown(udf: &Arc<ScalarUDF>, args: Vec<ScalarValue>) -> String {
        match evaluate_udf(udf, args) {
            Ok(value) => value.to_string(),
            Err(error) => error.strip_backtrace(),
        }
    }

    #[test]
    fn as_java() {
        let (divide, modulo) = (function::udf(&DIVIDE), function::udf(&MODULO));
        let tiny = |v: i8| ScalarValue::Int8(Some(v));
        let small = |v: i16| ScalarValue::Int16(Some(v));
        let table = [
            (int(7), int(2), "3", "1"),
            (int(-7), int(2), "-3", "-1"),
            (int(7), int(-2), "-3", "1"),
            (int(i32::MIN), int(-1), "-2147483648", "0"),
            (int(i32::MAX), int(-1), "-2147483647", "0"),
            (bigint(i64::MIN), bigint(-1), "-9223372036854775808", "0"),
            (bigint(i64::MIN), bigint(2), "-4611686018427387904", "0"),
            (tiny(i8::MIN), tiny(-1), "-128", "0"),
            (tiny(127), tiny(-2), "-63", "1"),
            (small(i16::MIN), small(-1), "-32768", "0"),
            (int(5), ScalarValue::Int32(None), "NULL", "NULL"),
            (ScalarValue::Int32(None), int(0), "NULL", "NULL"),
            (ScalarValue::Null, int(1), "NULL", "NULL"),
        ];
        for (left, right, quotient, rest) in table {
            let args = vec![left, right];
            assert_eq!(shown(&divide, args.clone()), quotient, "{args:?}");
            assert_eq!(shown(&modulo, args.clone()), rest, "{args:?}");
        }
        for udf in [&divide, &modulo] {
            let message = shown(udf, vec![int(5), int(0)]);
            assert!(message.contains("division by zero: 5"), "{message}");
            assert!(evaluate_udf(udf, vec![int(5), bigint(1)]).is_err());
        }
    }

    #[test]
    fn with_checks() {
        let table = [
            (Checked::Add, vec![int(2), int(3)], "5"),
            (Checked::Subtract, vec![int(2), int(3)], "-1"),
            (Checked::Multiply, vec![bigint(2), bigint(3)], "6"),
            (Checked::Divide, vec![int(-7), int(2)], "-3"),
            (Checked::Negate, vec![int(7)], "-7"),
            (Checked::Add, vec![int(2), ScalarValue::Int32(None)], "NULL"),
            (
                Checked::Add,
                vec![int(i32::MAX), int(1)],
                "INT overflow: 2147483647 + 1 does not fit",
            ),
            (
                Checked::Subtract,
                vec![bigint(i64::MIN), bigint(1)],
                "BIGINT overflow: -9223372036854775808 - 1 does not fit",
            ),
            (
                Checked::Multiply,
                vec![ScalarValue::Int8(Some(100)), ScalarValue::Int8(Some(2))],
                "TINYINT overflow: 100 * 2 does not fit",
            ),
            (
                Checked::Divide,
                vec![int(i32::MIN), int(-1)],
                "INT overflow: -2147483648 / -1 does not fit",
            ),
            (
                Checked::Divide,
                vec![int(1), int(0)],
                "division by zero: 1 / 0",
            ),
            (
                Checked::Negate,
                vec![ScalarValue::Int16(Some(i16::MIN))],
                "SMALLINT overflow: -(-32768) does not fit",
            ),
        ];
        for (op, args, expected) in table {
            let given = shown(&checked(op), args);
            assert!(given.contains(expected), "{op:?}: {given}");
        }
    }
}
