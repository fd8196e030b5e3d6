//! What can fail, and so must be evaluated only for the rows that Flink evaluates it for.

use datafusion::common::ScalarValue;
use datafusion::common::tree_node::TreeNode;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, ScalarUDF};
use flowline_udfs::casts;
use std::sync::Arc;

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
        // Whole numbers by a constant: decimals can overflow all the same.
        ("integer_divide" | "integer_modulo", Some(Expr::Literal(v, _))) => is_zero(v),
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

/// The comparison of FLOATs or DOUBLEs that is true where this one is false, were there no NaN.
pub(super) fn opposite(function: &ScalarUDF) -> Option<Arc<ScalarUDF>> {
    use flowline_udfs::Comparison as C;
    let opposite = match function.name() {
        "float_eq" => C::NotEq,
        "float_not_eq" => C::Eq,
        "float_lt" => C::GtEq,
        "float_lt_eq" => C::Gt,
        "float_gt" => C::LtEq,
        "float_gt_eq" => C::Lt,
        _ => return None,
    };
    Some(flowline_udfs::float_comparison(opposite))
}
