//! OVER: functions over a frame of rows.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{Sort, WindowFunction, WindowFunctionParams};
use datafusion::logical_expr::{
    Expr, WindowFrame, WindowFrameBound, WindowFrameUnits, WindowFunctionDefinition,
};
use sqlparser::ast::{self, Spanned, WindowType};
use sqlparser::tokenizer::Span;

use super::calls::Extras;
use super::kinds::{is_interval, is_text};
use super::scope::Scope;
use super::{Binder, Bound, Typed};
use crate::sql::ast::SqlTypeKind as Kind;

impl Binder<'_> {
    pub(super) fn over(
        &mut self,
        call: &ast::Function,
        name: &str,
        args: &[&ast::Expr],
        extras: &Extras<'_>,
        scope: &Scope<'_>,
    ) -> Bound<Typed> {
        let span = call.span();
        let spec = match &call.over {
            Some(WindowType::WindowSpec(spec)) => spec.clone(),
            Some(WindowType::NamedWindow(window)) => self.named_window(window)?,
            None => return Err(self.mistake(span, "OVER is missing")),
        };
        let spec = match &spec.window_name {
            Some(window) => {
                let base = self.named_window(window)?;
                ast::WindowSpec {
                    window_name: None,
                    partition_by: if spec.partition_by.is_empty() {
                        base.partition_by
                    } else {
                        spec.partition_by
                    },
                    order_by: if spec.order_by.is_empty() {
                        base.order_by
                    } else {
                        spec.order_by
                    },
                    window_frame: spec.window_frame.or(base.window_frame),
                }
            }
            None => spec,
        };
        let bound = self.aggregate_arguments(name, args, extras, scope, span)?;
        let functions = self.context.functions;
        let (fun, bound) = match (
            functions.window(name),
            functions.aggregate(name, self.context.checked),
        ) {
            (Some(function), _) => {
                let bound = self.window_arguments(name, bound, span)?;
                let bound = self.coerced(function.as_ref(), bound, span)?;
                (WindowFunctionDefinition::WindowUDF(function), bound)
            }
            (None, Some(function)) => {
                let bound = self.coerced(function.as_ref(), bound, span)?;
                (WindowFunctionDefinition::AggregateUDF(function), bound)
            }
            (None, None) => {
                return Err(self.mistake(
                    span,
                    format!("OVER must be used with an aggregate or a ranking function, which {name} is not"),
                ));
            }
        };
        let partition_by = self.exprs(&spec.partition_by, scope)?;
        let order_by = self.sorts(&spec.order_by, scope)?;
        let window_frame = self.frame(spec.window_frame.as_ref(), !order_by.is_empty(), span)?;
        let filter = self.filter_of(extras, scope)?;
        let is_lag = matches!(name, "LAG" | "LEAD");
        let value_kind = bound.first().map(|b| b.ty.kind.clone()).filter(|_| is_lag);
        let params = WindowFunctionParams {
            args: bound.into_iter().map(|b| b.expr).collect(),
            partition_by: partition_by.into_iter().map(|p| p.expr).collect(),
            order_by,
            window_frame,
            filter,
            null_treatment: None,
            distinct: extras.distinct,
        };
        let expr = Expr::WindowFunction(Box::new(WindowFunction { fun, params }));
        let mut typed = self.typed_by_arrow(expr, scope, span)?;
        if let Some(kind) = value_kind {
            typed.ty.kind = kind;
        }
        Ok(typed)
    }

    /// LAG(value, offset, default): offset a literal, default of the value's type.
    fn window_arguments(&self, name: &str, args: Vec<Typed>, span: Span) -> Bound<Vec<Typed>> {
        if !matches!(name, "LAG" | "LEAD") {
            return Ok(args);
        }
        let mut args = args;
        if let [value, _, default] = args.as_mut_slice() {
            let kind = value.ty.kind.clone();
            let given = &default.ty.kind;
            if *given != Kind::Null && is_text(given) != is_text(&kind) {
                return Err(self.mistake_with(
                    span,
                    format!("the default of {name} is {given}, and its value {kind}"),
                    format!("CAST(... AS {kind})"),
                ));
            }
            *default = self.as_kind(default.clone(), &kind, span)?;
        }
        Ok(args)
    }

    fn named_window(&self, name: &ast::Ident) -> Bound<ast::WindowSpec> {
        match self.windows.iter().rev().find(|(n, _)| *n == name.value) {
            Some((_, spec)) => Ok(spec.clone()),
            None => Err(self.mistake(
                name.span,
                format!(
                    "Window '{}' not found: WINDOW {} AS (...) declares it",
                    name.value, name.value
                ),
            )),
        }
    }

    /// ORDER BY: NULL is the smallest value.
    pub(super) fn sorts(
        &mut self,
        order_by: &[ast::OrderByExpr],
        scope: &Scope<'_>,
    ) -> Bound<Vec<Sort>> {
        order_by
            .iter()
            .map(|item| {
                let bound = self.expr(&item.expr, scope)?;
                Ok(sort_of(bound.expr, item))
            })
            .collect()
    }

    fn frame(
        &mut self,
        frame: Option<&ast::WindowFrame>,
        has_order: bool,
        span: Span,
    ) -> Bound<WindowFrame> {
        let Some(frame) = frame else {
            // Without an order all rows are peers; with one the frame is RANGE up to the current row.
            return Ok(WindowFrame::new(has_order.then_some(false)));
        };
        let units = match frame.units {
            ast::WindowFrameUnits::Rows => WindowFrameUnits::Rows,
            ast::WindowFrameUnits::Range => WindowFrameUnits::Range,
            ast::WindowFrameUnits::Groups => {
                return Err(self.unsupported(span, "a frame of GROUPS", "use ROWS or RANGE"));
            }
        };
        let start = self.frame_bound(&frame.start_bound, units)?;
        let end = match &frame.end_bound {
            Some(bound) => self.frame_bound(bound, units)?,
            None => WindowFrameBound::CurrentRow,
        };
        Ok(WindowFrame::new_bounds(units, start, end))
    }

    fn frame_bound(
        &mut self,
        bound: &ast::WindowFrameBound,
        units: WindowFrameUnits,
    ) -> Bound<WindowFrameBound> {
        let mut value = |expr: &Option<Box<ast::Expr>>| -> Bound<ScalarValue> {
            let Some(expr) = expr else {
                return Ok(ScalarValue::UInt64(None));
            };
            let schema = datafusion::common::DFSchema::empty();
            let bound = self.expr(expr, &Scope::new(&schema, &[], None))?;
            let value = match (&bound.expr, units) {
                (Expr::Literal(v, _), WindowFrameUnits::Rows) => {
                    v.cast_to(&arrow::datatypes::DataType::UInt64).ok()
                }
                (Expr::Literal(v, _), _) => Some(v.clone()),
                _ => None,
            };
            let is_time = is_interval(&bound.ty.kind);
            match (value, units) {
                (_, WindowFrameUnits::Rows) if is_time => Err(self.mistake(
                    expr.span(),
                    "ROWS counts rows: 10 PRECEDING; RANGE takes an INTERVAL",
                )),
                (Some(_), WindowFrameUnits::Range) if !is_time => Err(self.mistake(
                    expr.span(),
                    "RANGE takes a time: INTERVAL '1' HOUR PRECEDING; ROWS counts rows",
                )),
                (Some(value), _) => Ok(value),
                (None, _) => Err(self.mistake(
                    expr.span(),
                    "the bound of a frame is a constant: 10 PRECEDING, INTERVAL '1' HOUR PRECEDING",
                )),
            }
        };
        Ok(match bound {
            ast::WindowFrameBound::CurrentRow => WindowFrameBound::CurrentRow,
            ast::WindowFrameBound::Preceding(n) => WindowFrameBound::Preceding(value(n)?),
            ast::WindowFrameBound::Following(n) => WindowFrameBound::Following(value(n)?),
        })
    }
}

/// An item of ORDER BY, where NULL is the smallest value unless it says otherwise.
pub(super) fn sort_of(expr: Expr, item: &ast::OrderByExpr) -> Sort {
    let asc = item.options.asc.unwrap_or(true);
    Sort {
        expr,
        asc,
        nulls_first: item.options.nulls_first.unwrap_or(asc),
    }
}
