//! Where Flink's typing differs from DataFusion's: column names, literal types, decimals, casts to text, overflow.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, ExprSchemable, LogicalPlan, Operator};
use datafusion::optimizer::AnalyzerRule;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions as physical;
use sqlparser::ast::{self, Query, SelectItem, SetExpr, VisitMut, VisitorMut};

/// Gives the unnamed expressions of every SELECT list Flink's names, EXPR$0, EXPR$1 ... by position.
pub fn name_columns(query: &mut Query) {
    struct Namer;
    impl VisitorMut for Namer {
        type Break = ();
        fn pre_visit_query(&mut self, query: &mut Query) -> std::ops::ControlFlow<()> {
            name_body(&mut query.body);
            std::ops::ControlFlow::Continue(())
        }
    }
    let _ = query.visit(&mut Namer);
}

fn name_body(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => {
            for (i, item) in select.projection.iter_mut().enumerate() {
                match item {
                    SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => break,
                    SelectItem::UnnamedExpr(
                        ast::Expr::Identifier(_) | ast::Expr::CompoundIdentifier(_) | ast::Expr::CompoundFieldAccess { .. },
                    )
                    | SelectItem::ExprWithAlias { .. }
                    | SelectItem::ExprWithAliases { .. } => {}
                    SelectItem::UnnamedExpr(expr) => {
                        let alias = ast::Ident::with_quote('`', format!("EXPR${i}"));
                        *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
                    }
                }
            }
        }
        SetExpr::SetOperation { left, .. } => name_body(left),
        _ => {}
    }
}

/// Flink's results for syntax that DataFusion plans as a function.
#[derive(Debug)]
pub struct FlinkExpressions;

impl ExprPlanner for FlinkExpressions {
    /// EXTRACT is BIGINT.
    fn plan_extract(&self, args: Vec<Expr>) -> DfResult<PlannerResult<Vec<Expr>>> {
        let part = datafusion::functions::datetime::date_part().call(args);
        Ok(PlannerResult::Planned(Expr::Cast(Cast::new(Box::new(part), DataType::Int64))))
    }
}

/// Types literals, decimals and casts to text as Flink does. Runs before DataFusion's own type coercion.
#[derive(Debug)]
pub struct FlinkTyping;

impl AnalyzerRule for FlinkTyping {
    fn name(&self) -> &str {
        "flink_typing"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> DfResult<LogicalPlan> {
        Ok(plan.transform_up_with_subqueries(type_plan)?.data)
    }
}

fn type_plan(plan: LogicalPlan) -> DfResult<Transformed<LogicalPlan>> {
    if matches!(plan, LogicalPlan::Limit(_) | LogicalPlan::Extension(_)) {
        return Ok(Transformed::no(plan.recompute_schema()?));
    }
    let mut schema = merge_schema(&plan.inputs());
    if let LogicalPlan::TableScan(scan) = &plan {
        schema.merge(&scan.projected_schema);
    }
    let names = NamePreserver::new(&plan);
    plan.map_expressions(|expr| {
        let name = names.save(&expr);
        Ok(expr.transform_up(|e| type_expr(e, &schema))?.update_data(|e| name.restore(e)))
    })?
    .map_data(LogicalPlan::recompute_schema)
}

/// One expression outside a plan (a computed column, a watermark), typed like those inside.
///
/// # Errors
/// Where an operand has no type.
pub fn type_expression(expr: Expr, schema: &DFSchema) -> DfResult<Expr> {
    Ok(expr.transform_up(|e| type_expr(e, schema))?.data)
}

fn type_expr(expr: Expr, schema: &DFSchema) -> DfResult<Transformed<Expr>> {
    match expr {
        // A literal that fits is an INT.
        Expr::Literal(ScalarValue::Int64(Some(v)), meta) if i32::try_from(v).is_ok() => {
            Ok(Transformed::yes(Expr::Literal(ScalarValue::Int32(i32::try_from(v).ok()), meta)))
        }
        Expr::BinaryExpr(binary) if is_arithmetic(binary.op) => decimal_arithmetic(binary, schema),
        Expr::Cast(cast) if is_text(cast.field.data_type()) => {
            let from = cast.expr.get_type(schema)?;
            if prints_differently(&from) {
                return Ok(Transformed::yes(flowline_udfs::cast_to_string().call(vec![*cast.expr])));
            }
            Ok(Transformed::no(Expr::Cast(cast)))
        }
        Expr::TryCast(cast) if is_text(cast.field.data_type()) && prints_differently(&cast.expr.get_type(schema)?) => {
            Ok(Transformed::yes(flowline_udfs::cast_to_string().call(vec![*cast.expr])))
        }
        other => Ok(Transformed::no(other)),
    }
}

fn is_arithmetic(op: Operator) -> bool {
    matches!(op, Operator::Plus | Operator::Minus | Operator::Multiply | Operator::Divide | Operator::Modulo)
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8)
}

fn prints_differently(from: &DataType) -> bool {
    matches!(
        from,
        DataType::Timestamp(..) | DataType::Float32 | DataType::Float64 | DataType::Boolean | DataType::Decimal128(..)
            | DataType::Time32(_) | DataType::Binary | DataType::List(_) | DataType::Map(..) | DataType::Struct(_)
    )
}

/// Decimal with integer: the integer counts as a decimal of its width. Division has Flink's precision and scale.
fn decimal_arithmetic(binary: BinaryExpr, schema: &DFSchema) -> DfResult<Transformed<Expr>> {
    let (left, right) = (binary.left.get_type(schema)?, binary.right.get_type(schema)?);
    let is_decimal = |t: &DataType| matches!(t, DataType::Decimal128(..));
    if !is_decimal(&left) && !is_decimal(&right) {
        return Ok(Transformed::no(Expr::BinaryExpr(binary)));
    }
    let as_decimal = |expr: Box<Expr>, from: &DataType| match from {
        DataType::Decimal128(..) => Some(*expr),
        _ => integer_width(from).map(|p| Expr::Cast(Cast::new(expr, DataType::Decimal128(p, 0)))),
    };
    if integer_width(&left).is_none() && !is_decimal(&left) || integer_width(&right).is_none() && !is_decimal(&right) {
        return Ok(Transformed::no(Expr::BinaryExpr(binary)));
    }
    let (Some(left), Some(right)) = (as_decimal(binary.left, &left), as_decimal(binary.right, &right)) else {
        return datafusion::common::internal_err!("decimal arithmetic on other types");
    };
    Ok(Transformed::yes(match binary.op {
        Operator::Divide => flowline_udfs::decimal_divide().call(vec![left, right]),
        op => Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right))),
    }))
}

fn integer_width(data_type: &DataType) -> Option<u8> {
    match data_type {
        DataType::Int8 => Some(3),
        DataType::Int16 => Some(5),
        DataType::Int32 => Some(10),
        DataType::Int64 => Some(19),
        _ => None,
    }
}

/// The physical expression with arithmetic that fails on overflow instead of wrapping around.
///
/// # Errors
/// Where an expression cannot take its new children.
pub fn checked_arithmetic(expr: Arc<dyn PhysicalExpr>) -> DfResult<Arc<dyn PhysicalExpr>> {
    let transformed = expr.transform_up(|e| {
        Ok(match e.downcast_ref::<physical::BinaryExpr>() {
            Some(binary) if is_arithmetic(*binary.op()) => {
                let checked = physical::BinaryExpr::new(Arc::clone(binary.left()), *binary.op(), Arc::clone(binary.right()))
                    .with_fail_on_overflow(true);
                Transformed::yes(Arc::new(checked) as Arc<dyn PhysicalExpr>)
            }
            _ => Transformed::no(e),
        })
    })?;
    Ok(transformed.data)
}
