//! What can fail, and so must be evaluated only for the rows that Flink evaluates it for.

use datafusion::common::ScalarValue;
use datafusion::common::tree_node::TreeNode;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, ScalarUDF};
use flowline_udfs::casts;

/// Whether the values of a row can make an expression fail.
pub(in crate::planner) fn can_fail(expr: &Expr) -> bool {
    let fails = expr.exists(|e| {
        Ok(match e {
            Expr::ScalarFunction(call) => call_can_fail(call),
            _ => false,
        })
    });
    fails.unwrap_or(true)
}

fn call_can_fail(call: &ScalarFunction) -> bool {
    if let Some(cast) = casts::of(&call.func) {
        return cast.can_fail();
    }
    let by_what = call.args.get(1);
    match (call.name(), by_what) {
        // Division by a constant.
        (
            "integer_divide" | "integer_modulo" | "decimal_divide" | "mod",
            Some(Expr::Literal(v, _)),
        ) => is_zero(v),
        (name, _) => flowline_udfs::can_fail(name),
    }
}

fn is_zero(value: &ScalarValue) -> bool {
    match ScalarValue::new_zero(&value.data_type()) {
        Ok(zero) => zero == *value,
        Err(_) => true,
    }
}

/// Whether a function is `=` between FLOATs or DOUBLEs.
pub(super) fn is_float_equality(function: &ScalarUDF) -> bool {
    function.name() == "float_eq"
}
