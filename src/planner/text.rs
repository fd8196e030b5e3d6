//! Logical expressions as SQL, for the names of what has none; `graph::sql` has the parts.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, WindowFrameBound, WindowFrameUnits};

use crate::graph::sql::{Sql, comma_separated};

/// An expression as a person would write it.
pub fn sql_text(expr: &Expr) -> String {
    sql(expr).text().to_string()
}

fn all(exprs: &[Expr]) -> Vec<Sql> {
    exprs.iter().map(sql).collect()
}

fn sql(expr: &Expr) -> Sql {
    match expr {
        Expr::Alias(alias) => sql(&alias.expr),
        Expr::Column(column) => Sql::atom(&column.name),
        Expr::OuterReferenceColumn(_, column) => Sql::atom(&column.name),
        Expr::Literal(value, _) => Sql::literal(value),
        Expr::BinaryExpr(b) => Sql::operator(b.op, &sql(&b.left), &sql(&b.right)),
        Expr::Not(e) => sql(e).negated(),
        Expr::Negative(e) => sql(e).negative(),
        Expr::IsNull(e) => sql(e).followed_by("IS NULL"),
        Expr::IsNotNull(e) => sql(e).followed_by("IS NOT NULL"),
        Expr::IsTrue(e) => sql(e).followed_by("IS TRUE"),
        Expr::IsNotTrue(e) => sql(e).followed_by("IS NOT TRUE"),
        Expr::IsFalse(e) => sql(e).followed_by("IS FALSE"),
        Expr::IsNotFalse(e) => sql(e).followed_by("IS NOT FALSE"),
        Expr::IsUnknown(e) => sql(e).followed_by("IS UNKNOWN"),
        Expr::IsNotUnknown(e) => sql(e).followed_by("IS NOT UNKNOWN"),
        Expr::Like(like) => sql(&like.expr).like(like.negated, &sql(&like.pattern)),
        Expr::InList(within) => sql(&within.expr).within_list(within.negated, &all(&within.list)),
        Expr::Case(case) => {
            let branches = case.when_then_expr.iter();
            let branches: Vec<(Sql, Sql)> = branches.map(|(w, t)| (sql(w), sql(t))).collect();
            let base = case.expr.as_ref().map(|e| sql(e));
            let otherwise = case.else_expr.as_ref().map(|e| sql(e));
            Sql::case(base.as_ref(), &branches, otherwise.as_ref())
        }
        // Layouts of DataFusion's own: not a cast that anyone wrote.
        Expr::Cast(cast) => sql(&cast.expr),
        Expr::TryCast(cast) => sql(&cast.expr),
        Expr::ScalarFunction(call) => Sql::call(&call.func, &all(&call.args)),
        Expr::AggregateFunction(call) => Sql::aggregate(
            call.func.name(),
            call.params.distinct,
            &all(&call.params.args),
            call.params.filter.as_ref().map(|f| sql(f)).as_ref(),
        ),
        Expr::WindowFunction(call) => {
            let params = &call.params;
            let mut over = Vec::new();
            if !params.partition_by.is_empty() {
                let by = comma_separated(&all(&params.partition_by));
                over.push(format!("PARTITION BY {by}"));
            }
            if !params.order_by.is_empty() {
                let sorts = params.order_by.iter();
                let sorts: Vec<String> = sorts
                    .map(|s| format!("{}{}", sql(&s.expr), if s.asc { "" } else { " DESC" }))
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
                over.push(format!("{units} {} PRECEDING", Sql::literal(start)));
            }
            let name = call.fun.name().to_uppercase();
            let args = match params.args.as_slice() {
                [Expr::Literal(ScalarValue::Int64(Some(1)), _)] if name == "COUNT" => "*".into(),
                args => comma_separated(&all(args)),
            };
            Sql::atom(format!("{name}({args}) OVER ({})", over.join(" ")))
        }
        Expr::Exists(_) => Sql::atom("EXISTS (...)"),
        Expr::InSubquery(e) => sql(&e.expr).followed_by("IN (...)"),
        Expr::ScalarSubquery(_) => Sql::atom("(SELECT ...)"),
        other => Sql::atom(other.schema_name().to_string()),
    }
}
