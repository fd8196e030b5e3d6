//! Expressions as SQL, with Flink's names and types: for EXPLAIN and for the names of what has none.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, Operator, WindowFrameBound, WindowFrameUnits};

/// An expression as a person would write it.
pub fn sql_text(expr: &Expr) -> String {
    let list = |exprs: &[Expr]| {
        let all: Vec<String> = exprs.iter().map(sql_text).collect();
        all.join(", ")
    };
    match expr {
        Expr::Alias(alias) => sql_text(&alias.expr),
        Expr::Column(column) => column.name.clone(),
        Expr::OuterReferenceColumn(_, column) => column.name.clone(),
        Expr::Literal(value, _) => literal(value),
        Expr::BinaryExpr(binary) => {
            let side = |e: &Expr| match e {
                Expr::BinaryExpr(inner) if rank(inner.op) <= rank(binary.op) => {
                    if inner.op == binary.op && matches!(inner.op, Operator::And | Operator::Or) {
                        sql_text(e)
                    } else {
                        format!("({})", sql_text(e))
                    }
                }
                other => sql_text(other),
            };
            let op = match binary.op {
                Operator::NotEq => "<>".to_string(),
                other => other.to_string(),
            };
            format!("{} {op} {}", side(&binary.left), side(&binary.right))
        }
        Expr::Not(e) => format!("NOT ({})", sql_text(e)),
        Expr::Negative(e) => format!("-{}", sql_text(e)),
        Expr::IsNull(e) => format!("{} IS NULL", sql_text(e)),
        Expr::IsNotNull(e) => format!("{} IS NOT NULL", sql_text(e)),
        Expr::IsTrue(e) => format!("({}) IS TRUE", sql_text(e)),
        Expr::IsNotTrue(e) => format!("({}) IS NOT TRUE", sql_text(e)),
        Expr::IsFalse(e) => format!("({}) IS FALSE", sql_text(e)),
        Expr::IsNotFalse(e) => format!("({}) IS NOT FALSE", sql_text(e)),
        Expr::IsUnknown(e) => format!("({}) IS UNKNOWN", sql_text(e)),
        Expr::IsNotUnknown(e) => format!("({}) IS NOT UNKNOWN", sql_text(e)),
        Expr::Like(like) => format!(
            "{} {}LIKE {}",
            sql_text(&like.expr),
            if like.negated { "NOT " } else { "" },
            sql_text(&like.pattern)
        ),
        Expr::InList(within) => format!(
            "{} {}IN ({})",
            sql_text(&within.expr),
            if within.negated { "NOT " } else { "" },
            list(&within.list)
        ),
        Expr::Case(case) => {
            let mut text = "CASE".to_string();
            for (when, then) in &case.when_then_expr {
                text += &format!(" WHEN {} THEN {}", sql_text(when), sql_text(then));
            }
            if let Some(otherwise) = &case.else_expr {
                text += &format!(" ELSE {}", sql_text(otherwise));
            }
            text + " END"
        }
        // Layouts of DataFusion's own: not a cast that anyone wrote.
        Expr::Cast(cast) => sql_text(&cast.expr),
        Expr::TryCast(cast) => sql_text(&cast.expr),
        Expr::ScalarFunction(call) => scalar_call(call.name(), &call.func, &call.args),
        Expr::AggregateFunction(call) => {
            let distinct = if call.params.distinct {
                "DISTINCT "
            } else {
                ""
            };
            let name = call.func.name().to_uppercase();
            let args = match call.params.args.as_slice() {
                [Expr::Literal(ScalarValue::Int64(Some(1)), _)] if name == "COUNT" => "*".into(),
                args => list(args),
            };
            let mut text = format!("{name}({distinct}{args})");
            if let Some(filter) = &call.params.filter {
                text += &format!(" FILTER (WHERE {})", sql_text(filter));
            }
            text
        }
        Expr::WindowFunction(call) => {
            let params = &call.params;
            let mut over = Vec::new();
            if !params.partition_by.is_empty() {
                over.push(format!("PARTITION BY {}", list(&params.partition_by)));
            }
            if !params.order_by.is_empty() {
                let sorts: Vec<String> = params
                    .order_by
                    .iter()
                    .map(|s| format!("{}{}", sql_text(&s.expr), if s.asc { "" } else { " DESC" }))
                    .collect();
                over.push(format!("ORDER BY {}", sorts.join(", ")));
            }
            if let WindowFrameBound::Preceding(start) = &params.window_frame.start_bound
                && !start.is_null()
            {
                let units = match params.window_frame.units {
                    WindowFrameUnits::Rows => "ROWS",
                    _ => "RANGE",
                };
                over.push(format!("{units} {} PRECEDING", literal(start)));
            }
            let name = call.fun.name().to_uppercase();
            format!("{name}({}) OVER ({})", list(&params.args), over.join(" "))
        }
        Expr::Exists(_) => "EXISTS (...)".to_string(),
        Expr::InSubquery(e) => format!("{} IN (...)", sql_text(&e.expr)),
        Expr::ScalarSubquery(_) => "(SELECT ...)".to_string(),
        other => other.schema_name().to_string(),
    }
}

fn scalar_call(
    name: &str,
    function: &datafusion::logical_expr::ScalarUDF,
    args: &[Expr],
) -> String {
    let all: Vec<String> = args.iter().map(sql_text).collect();
    if let (Some(cast), [value]) = (flowline_udfs::casts::of(function), all.as_slice()) {
        let name = match cast.failure {
            flowline_udfs::casts::Failure::Error => "CAST",
            flowline_udfs::casts::Failure::Null => "TRY_CAST",
        };
        return format!("{name}({value} AS {})", cast.to);
    }
    let infix = match name {
        "get_field" => {
            if let [Expr::Literal(field, _), ..] = args.get(1..).unwrap_or(&[]) {
                return format!("{}.{}", all[0], field.try_as_str().flatten().unwrap_or(""));
            }
            None
        }
        "item" => {
            if let [value, at] = all.as_slice() {
                return format!("{value}[{at}]");
            }
            None
        }
        name => infix(name),
    };
    match (infix, all.as_slice()) {
        (Some(op), [a, b]) => format!("{a} {op} {b}"),
        _ => format!("{}({})", name.to_uppercase(), all.join(", ")),
    }
}

/// The operator that a function stands for.
fn infix(name: &str) -> Option<&'static str> {
    Some(match name {
        "float_eq" => "=",
        "float_not_eq" => "<>",
        "float_lt" => "<",
        "float_lt_eq" => "<=",
        "float_gt" => ">",
        "float_gt_eq" => ">=",
        "float_distinct" => "IS DISTINCT FROM",
        "integer_divide" | "decimal_divide" | "checked_divide" => "/",
        "integer_modulo" => "%",
        "checked_add" => "+",
        "checked_subtract" => "-",
        "checked_multiply" => "*",
        "like" => "LIKE",
        "similar_to" => "SIMILAR TO",
        _ => return None,
    })
}

fn literal(value: &ScalarValue) -> String {
    if value.is_null() {
        return "NULL".into();
    }
    match value {
        ScalarValue::Utf8(Some(text)) => format!("'{}'", text.replace('\'', "''")),
        ScalarValue::Boolean(Some(b)) => if *b { "TRUE" } else { "FALSE" }.into(),
        ScalarValue::IntervalMonthDayNano(Some(v)) => interval(v.months, v.days, v.nanoseconds),
        ScalarValue::Decimal128(Some(v), _, scale) if *scale > 0 => {
            let scale = usize::from(scale.unsigned_abs());
            let digits = format!("{:0>width$}", v.unsigned_abs(), width = scale + 1);
            let (whole, fraction) = digits.split_at(digits.len() - scale);
            format!("{}{whole}.{fraction}", if *v < 0 { "-" } else { "" })
        }
        ScalarValue::TimestampSecond(..)
        | ScalarValue::TimestampMillisecond(..)
        | ScalarValue::TimestampMicrosecond(..)
        | ScalarValue::TimestampNanosecond(..) => {
            let text = value.cast_to(&arrow::datatypes::DataType::Utf8);
            let text = text.map_or_else(|_| value.to_string(), |t| t.to_string());
            format!(
                "TIMESTAMP '{}'",
                text.replace('T', " ").trim_end_matches('Z')
            )
        }
        ScalarValue::Date32(_) => format!("DATE '{value}'"),
        other => other.to_string(),
    }
}

/// The largest unit that an interval is a whole number of.
fn interval(months: i32, days: i32, nanos: i64) -> String {
    if months != 0 {
        return if months % 12 == 0 {
            format!("INTERVAL '{}' YEAR", months / 12)
        } else {
            format!("INTERVAL '{months}' MONTH")
        };
    }
    let millis = i64::from(days) * 86_400_000 + nanos / 1_000_000;
    for (size, unit) in [
        (86_400_000, "DAY"),
        (3_600_000, "HOUR"),
        (60_000, "MINUTE"),
        (1000, "SECOND"),
    ] {
        if millis % size == 0 {
            return format!("INTERVAL '{}' {unit}", millis / size);
        }
    }
    format!(
        "INTERVAL '{}.{:03}' SECOND",
        millis / 1000,
        (millis % 1000).abs()
    )
}

fn rank(op: Operator) -> u8 {
    match op {
        Operator::Or => 0,
        Operator::And => 1,
        Operator::Plus | Operator::Minus | Operator::StringConcat => 3,
        Operator::Multiply | Operator::Divide | Operator::Modulo => 4,
        _ => 2,
    }
}
