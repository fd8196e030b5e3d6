//! Conditions that no row can meet, seen from the text alone.
//!
//! Flink answers an aggregation without groups over such rows at once, with its one row (COUNT 0, the others NULL), where over
//! a stream that merely brings nothing it has none.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator};

/// Whether a plan has a condition that is never true between it and its tables.
pub(super) fn is_never(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Filter(filter) => {
            let conditions = datafusion::logical_expr::utils::split_conjunction(&filter.predicate);
            never_together(&conditions) || is_never(&filter.input)
        }
        LogicalPlan::Projection(projection) => is_never(&projection.input),
        _ => false,
    }
}

fn never_together(conditions: &[&Expr]) -> bool {
    if conditions.iter().any(|c| is_never_true(c)) {
        return true;
    }
    // Comparisons of one value with constants: is there any between them?
    conditions.iter().enumerate().any(|(i, a)| {
        let bound = bound(a);
        conditions[i + 1..]
            .iter()
            .any(|b| match (&bound, self::bound(b)) {
                (Some((x, op, low)), Some((y, other, high))) if *x == y => {
                    excludes(*op, low, other, high)
                }
                _ => false,
            })
    })
}

fn is_never_true(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(value, _) => value.is_null() || *value == ScalarValue::Boolean(Some(false)),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let (l, r) = (constant(left), constant(right));
            let has_null = [l, r].iter().flatten().any(|v| v.is_null());
            match (l, r) {
                _ if has_null && op.supports_propagation() => true,
                (Some(l), Some(r)) => match l.partial_cmp(r) {
                    Some(order) => match op {
                        Operator::Eq => order.is_ne(),
                        Operator::NotEq => order.is_eq(),
                        Operator::Lt => order.is_ge(),
                        Operator::LtEq => order.is_gt(),
                        Operator::Gt => order.is_le(),
                        Operator::GtEq => order.is_lt(),
                        _ => false,
                    },
                    None => false,
                },
                _ => false,
            }
        }
        // NOT IN with a NULL among the values is never true.
        Expr::InList(list) if list.negated => list
            .list
            .iter()
            .any(|v| constant(v).is_some_and(ScalarValue::is_null)),
        _ => false,
    }
}

fn constant(expr: &Expr) -> Option<&ScalarValue> {
    match expr {
        Expr::Literal(value, _) => Some(value),
        _ => None,
    }
}

/// A value compared with a constant.
fn bound(expr: &Expr) -> Option<(&Expr, Operator, &ScalarValue)> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = expr else {
        return None;
    };
    match (constant(left), constant(right)) {
        (None, Some(value)) => Some((left, *op, value)),
        (Some(value), None) => Some((right, op.swap()?, value)),
        _ => None,
    }
}

/// Whether no value meets both comparisons.
fn excludes(a: Operator, x: &ScalarValue, b: Operator, y: &ScalarValue) -> bool {
    use Operator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    let Some(order) = x.partial_cmp(y) else {
        return false;
    };
    match (a, b) {
        (Eq, Eq) => order.is_ne(),
        (Eq, NotEq) | (NotEq, Eq) => order.is_eq(),
        (Eq, Lt) | (GtEq, Lt) | (Gt, LtEq) | (Gt, Lt) => order.is_ge(),
        (Eq, LtEq) | (GtEq, LtEq) => order.is_gt(),
        (Eq, Gt) | (LtEq, Gt) | (Lt, GtEq) | (Lt, Gt) => order.is_le(),
        (Eq, GtEq) | (LtEq, GtEq) => order.is_lt(),
        (Lt | LtEq | Gt | GtEq, Eq) => excludes(b, y, a, x),
        _ => false,
    }
}
