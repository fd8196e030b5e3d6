//! Expressions: one arm for each thing that the parser knows; what takes more than a few lines is elsewhere.

use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Case, Expr};
use flowline_udfs::casts::Failure;
use sqlparser::ast::{
    self, AccessExpr, CastKind, CeilFloorKind, Spanned, Subscript, UnaryOperator,
};
use sqlparser::tokenizer::Span;

use super::casts::first_float;
use super::kinds::{is_integer, is_text};
use super::scope::Scope;
use super::{Binder, Bound, Typed, nested};
use crate::sql::ast::{SqlType, SqlTypeKind as Kind};
use crate::sql::sql_type_of;

impl Binder<'_> {
    /// Binds an expression over the names of `scope`. Aggregates, OVER and subqueries stay in it as nodes of their own; the
    /// SELECT around them puts them where they belong.
    pub(super) fn expr(&mut self, expr: &ast::Expr, scope: &Scope<'_>) -> Bound<Typed> {
        nested(|| self.bind(expr, scope))
    }

    pub(super) fn exprs(&mut self, exprs: &[ast::Expr], scope: &Scope<'_>) -> Bound<Vec<Typed>> {
        exprs.iter().map(|e| self.expr(e, scope)).collect()
    }

    fn bind(&mut self, expr: &ast::Expr, scope: &Scope<'_>) -> Bound<Typed> {
        use ast::Expr as E;
        let span = || expr.span();
        match expr {
            E::Identifier(name) => self.name(std::slice::from_ref(name), scope),
            E::CompoundIdentifier(parts) => self.name(parts, scope),
            E::CompoundFieldAccess { root, access_chain } => self.access(root, access_chain, scope),
            E::Nested(inner) => self.expr(inner, scope),
            E::Value(value) => self.literal(value),
            E::TypedString(literal) => self.typed_string(literal),
            E::Interval(interval) => self.interval(interval, span()),
            E::Cast {
                kind,
                expr: value,
                data_type,
                ..
            } => {
                let ty = sql_type_of(data_type).map_err(|m| self.mistake(span(), m))?;
                let value = self.expr(value, scope)?;
                let failure = match kind {
                    CastKind::TryCast | CastKind::SafeCast => Failure::Null,
                    _ => Failure::Error,
                };
                self.cast(value, &ty, failure, span())
            }
            E::UnaryOp {
                op: UnaryOperator::Minus,
                expr: value,
            } if is_number_literal(value) => self.number(&format!("-{value}"), span()),
            E::UnaryOp { op, expr: value } => {
                let bound = self.expr(value, scope)?;
                match op {
                    UnaryOperator::Not => self.not(bound, span()),
                    UnaryOperator::Minus => self.negative(bound, span()),
                    UnaryOperator::Plus => Ok(bound),
                    other => Err(self.unsupported(span(), &format!("the operator {other}"), "")),
                }
            }
            E::BinaryOp { left, op, right } => self.binary(expr, left, op, right, scope),
            E::IsTrue(e) => self.is(e, scope, Expr::IsTrue),
            E::IsNotTrue(e) => self.is(e, scope, Expr::IsNotTrue),
            E::IsFalse(e) => self.is(e, scope, Expr::IsFalse),
            E::IsNotFalse(e) => self.is(e, scope, Expr::IsNotFalse),
            E::IsUnknown(e) => self.is(e, scope, Expr::IsUnknown),
            E::IsNotUnknown(e) => self.is(e, scope, Expr::IsNotUnknown),
            E::IsNull(e) => {
                let value = self.expr(e, scope)?;
                Ok(Typed::boolean(Expr::IsNull(Box::new(value.expr)), false))
            }
            E::IsNotNull(e) => {
                let value = self.expr(e, scope)?;
                Ok(Typed::boolean(Expr::IsNotNull(Box::new(value.expr)), false))
            }
            E::IsDistinctFrom(a, b) => self.distinct(a, b, true, scope, span()),
            E::IsNotDistinctFrom(a, b) => self.distinct(a, b, false, scope, span()),
            E::Between {
                expr: value,
                negated,
                low,
                high,
            } => {
                let value = self.expr(value, scope)?;
                let (low, high) = (self.expr(low, scope)?, self.expr(high, scope)?);
                self.between(value, low, high, *negated, span())
            }
            E::InList {
                expr: value,
                list,
                negated,
            } => self.in_list(value, list, *negated, scope, span()),
            E::Like {
                negated,
                any: false,
                expr: value,
                pattern,
                escape_char,
            } => {
                let escape = escape_char.as_ref();
                self.like("LIKE", value, pattern, escape, *negated, scope)
            }
            E::SimilarTo {
                negated,
                expr: value,
                pattern,
                escape_char,
            } => {
                let escape = escape_char.as_ref();
                self.like("SIMILAR TO", value, pattern, escape, *negated, scope)
            }
            E::Case {
                operand,
                conditions,
                else_result,
                ..
            } => self.case(
                operand.as_deref(),
                conditions,
                else_result.as_deref(),
                scope,
                span(),
            ),
            E::Function(function) => self.call(function, scope),
            E::Extract {
                field, expr: value, ..
            } => {
                let unit = self.text(&field.to_string().to_uppercase());
                let value = self.expr(value, scope)?;
                self.scalar("EXTRACT", vec![unit, value], scope, span())
            }
            E::Floor { expr: value, field } => self.rounded("FLOOR", value, field, scope, span()),
            E::Ceil { expr: value, field } => self.rounded("CEIL", value, field, scope, span()),
            E::Position { expr: value, r#in } => {
                let args = vec![self.expr(value, scope)?, self.expr(r#in, scope)?];
                self.scalar("LOCATE", args, scope, span())
            }
            E::Substring {
                expr: value,
                substring_from,
                substring_for,
                ..
            } => {
                let parts = [Some(value), substring_from.as_ref(), substring_for.as_ref()];
                let args = parts.into_iter().flatten().map(|e| self.expr(e, scope));
                let args = args.collect::<Bound<_>>()?;
                self.scalar("SUBSTRING", args, scope, span())
            }
            E::Overlay {
                expr: value,
                overlay_what,
                overlay_from,
                overlay_for,
            } => {
                let parts = [
                    Some(value),
                    Some(overlay_what),
                    Some(overlay_from),
                    overlay_for.as_ref(),
                ];
                let args = parts.into_iter().flatten().map(|e| self.expr(e, scope));
                let args = args.collect::<Bound<_>>()?;
                self.scalar("OVERLAY", args, scope, span())
            }
            E::Trim {
                trim_where,
                trim_what,
                expr: value,
                trim_characters,
            } => {
                let name = match trim_where {
                    Some(ast::TrimWhereField::Leading) => "LTRIM",
                    Some(ast::TrimWhereField::Trailing) => "RTRIM",
                    _ => "TRIM",
                };
                let mut args = vec![self.expr(value, scope)?];
                for what in trim_what.iter().map(AsRef::as_ref) {
                    args.push(self.expr(what, scope)?);
                }
                for what in trim_characters.iter().flatten() {
                    args.push(self.expr(what, scope)?);
                }
                self.scalar(name, args, scope, span())
            }
            E::Array(array) => {
                let values = self.exprs(&array.elem, scope)?;
                self.array(values, span())
            }
            E::Map(map) => {
                let mut keys = Vec::new();
                let mut values = Vec::new();
                for entry in &map.entries {
                    keys.push(self.expr(&entry.key, scope)?);
                    values.push(self.expr(&entry.value, scope)?);
                }
                self.map(keys, values, span())
            }
            E::Tuple(values) => {
                let values = self.exprs(values, scope)?;
                self.row(values, span())
            }
            E::Exists { subquery, negated } => self.exists(subquery, *negated, scope),
            E::InSubquery {
                expr: value,
                subquery,
                negated,
            } => self.in_subquery(value, subquery, *negated, scope, span()),
            E::Subquery(query) => self.scalar_subquery(query, scope, span()),
            E::AnyOp {
                left,
                compare_op,
                right,
                ..
            } => self.quantified(left, compare_op, right, false, scope, span()),
            E::AllOp {
                left,
                compare_op,
                right,
            } => self.quantified(left, compare_op, right, true, scope, span()),
            E::AtTimeZone { .. } => Err(self.unsupported(
                span(),
                "AT TIME ZONE",
                "CONVERT_TZ(text, from, to) converts between zones",
            )),
            E::GroupingSets(_) | E::Cube(_) | E::Rollup(_) => {
                Err(self.mistake(span(), "GROUPING SETS, CUBE and ROLLUP go in GROUP BY"))
            }
            other => Err(self.unsupported(span(), &format!("the expression {other}"), "")),
        }
    }

    pub(super) fn text(&self, text: &str) -> Typed {
        let length = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
        Typed::new(
            Expr::Literal(ScalarValue::from(text), None),
            Kind::Char(length),
            false,
        )
    }

    fn rounded(
        &mut self,
        name: &str,
        value: &ast::Expr,
        field: &CeilFloorKind,
        scope: &Scope<'_>,
        span: Span,
    ) -> Bound<Typed> {
        if !matches!(
            field,
            CeilFloorKind::DateTimeField(ast::DateTimeField::NoDateTime)
        ) {
            return Err(self.mistake(span, format!("write {name}(value TO DAY)")));
        }
        let value = self.expr(value, scope)?;
        self.scalar(name, vec![value], scope, span)
    }

    /// What is taken out of a value by `.field` and `[index]`.
    fn access(
        &mut self,
        root: &ast::Expr,
        chain: &[AccessExpr],
        scope: &Scope<'_>,
    ) -> Bound<Typed> {
        // The parser hands `t.items[1]` over as `t` and what is taken out of it.
        let mut parts: Vec<ast::Ident> = Vec::new();
        let mut rest = chain;
        match root {
            ast::Expr::Identifier(name) => parts.push(name.clone()),
            ast::Expr::CompoundIdentifier(names) => parts.extend(names.iter().cloned()),
            _ => {}
        }
        if !parts.is_empty() {
            while let [AccessExpr::Dot(ast::Expr::Identifier(field)), more @ ..] = rest {
                parts.push(field.clone());
                rest = more;
            }
        }
        let mut value = if parts.is_empty() {
            self.expr(root, scope)?
        } else {
            self.name(&parts, scope)?
        };
        for access in rest {
            value = match access {
                AccessExpr::Dot(ast::Expr::Identifier(field)) => self.field(value, field)?,
                AccessExpr::Dot(other) => {
                    return Err(self.mistake(other.span(), format!("{other} is no field")));
                }
                AccessExpr::Subscript(Subscript::Index { index }) => {
                    let at = self.expr(index, scope)?;
                    self.item(value, at, index)?
                }
                AccessExpr::Subscript(slice) => {
                    return Err(self.unsupported(
                        root.span(),
                        &format!("the slice [{slice}]"),
                        "ARRAY_SLICE(array, from, to) gives a part of an array",
                    ));
                }
            };
        }
        Ok(value)
    }

    /// `array[n]`, `map[key]`, `row[n]`.
    fn item(&mut self, value: Typed, at: Typed, index: &ast::Expr) -> Bound<Typed> {
        let span = index.span();
        let (at, element) = match &value.ty.kind {
            Kind::Array(element) => {
                if !is_integer(&at.ty.kind) {
                    return Err(self.mistake(
                        span,
                        format!(
                            "an element of an ARRAY is taken by a whole number, not {}",
                            at.ty
                        ),
                    ));
                }
                if let Some(n) = super::literals::whole_number(&at.expr)
                    && n < 1
                {
                    return Err(self.mistake_with(
                        span,
                        format!("Array element access needs an index starting at 1 but was {n}."),
                        "the first element is [1]",
                    ));
                }
                (
                    self.as_kind(at, &Kind::Int, span)?,
                    element.as_ref().clone(),
                )
            }
            Kind::Map(key, element) => {
                let (of, by) = (&key.kind, &at.ty.kind);
                let fits = *by == Kind::Null
                    || is_text(of) && is_text(by)
                    || super::kinds::is_number(of) && super::kinds::is_number(by)
                    || std::mem::discriminant(of) == std::mem::discriminant(by);
                if !fits {
                    return Err(self.mistake_with(
                        span,
                        format!("the keys of this MAP are {of}, and {by} is none of them"),
                        format!("CAST(... AS {of})"),
                    ));
                }
                // A key that is looked for keeps its length.
                let is_text = is_text(of) && is_text(by);
                let key = if is_text { &Kind::String } else { &key.kind };
                (self.as_kind(at, key, span)?, element.as_ref().clone())
            }
            other => {
                let help = match other {
                    Kind::Row(_) => "a field of a ROW is taken by its name, as in place.city",
                    _ => "SUBSTRING takes a part of a text",
                };
                return Err(self.mistake_with(
                    span,
                    format!("[...] takes an element of an ARRAY or a MAP, not of {other}"),
                    help,
                ));
            }
        };
        Ok(Typed::new(
            flowline_udfs::item().call(vec![value.expr, at.expr]),
            element.kind,
            true,
        ))
    }

    fn case(
        &mut self,
        operand: Option<&ast::Expr>,
        conditions: &[ast::CaseWhen],
        otherwise: Option<&ast::Expr>,
        scope: &Scope<'_>,
        span: Span,
    ) -> Bound<Typed> {
        let operand = operand.map(|o| self.expr(o, scope)).transpose()?;
        if let Some(value) = &operand {
            self.may_repeat(value, conditions.len(), "CASE", span)?;
        }
        let mut whens = Vec::new();
        let mut results = Vec::new();
        for branch in conditions {
            let condition = self.expr(&branch.condition, scope)?;
            let span = branch.condition.span();
            whens.push(match &operand {
                Some(value) => self.equal(value.clone(), condition, span)?,
                None => self.condition(condition, "WHEN", span)?,
            });
            results.push(self.expr(&branch.result, scope)?);
        }
        results.push(match otherwise {
            Some(e) => self.expr(e, scope)?,
            None => Typed::new(Expr::Literal(ScalarValue::Null, None), Kind::Null, true),
        });
        let kinds: Vec<&Kind> = results.iter().map(|r| &r.ty.kind).collect();
        if let Some(kind) = first_float(&kinds) {
            results = results
                .into_iter()
                .map(|r| self.as_kind(r, &kind, span))
                .collect::<Bound<_>>()?;
        }
        self.choose(whens, results, "CASE", span)
    }

    /// Refuses an expression that would be duplicated at every level of nesting until it is too large to plan.
    pub(super) fn may_repeat(
        &self,
        value: &Typed,
        times: usize,
        what: &str,
        span: Span,
    ) -> Bound<()> {
        /// Nodes of one expression.
        const MOST: usize = 50_000;
        let mut nodes = 0;
        // The visitor itself never fails.
        let _ = value.expr.apply(|_| {
            nodes += 1;
            Ok(match nodes > MOST {
                true => TreeNodeRecursion::Stop,
                false => TreeNodeRecursion::Continue,
            })
        });
        if times <= 1 || nodes.saturating_mul(times) <= MOST {
            return Ok(());
        }
        Err(self.mistake_with(
            span,
            format!("the expression becomes too large: {what} stands for one that has its first part {times} times"),
            "compute that part in a subquery or a view and name it",
        ))
    }

    /// The first of `results` whose condition holds, else the last: evaluated for the rows that come to it only.
    pub(super) fn choose(
        &self,
        conditions: Vec<Typed>,
        results: Vec<Typed>,
        what: &str,
        span: Span,
    ) -> Bound<Typed> {
        let nullable = results.iter().any(|r| r.ty.nullable);
        let (mut results, kind) = self.in_common(results, what, span)?;
        let otherwise = results.pop().map(|r| Box::new(r.expr));
        let branches = conditions
            .into_iter()
            .zip(results)
            .map(|(c, r)| (Box::new(c.expr), Box::new(r.expr)))
            .collect();
        let expr = Expr::Case(Case::new(None, branches, otherwise));
        Ok(Typed::new(expr, kind, nullable))
    }

    pub(super) fn array(&self, values: Vec<Typed>, span: Span) -> Bound<Typed> {
        let (values, kind) = self.in_common(values, "ARRAY", span)?;
        if kind == Kind::Null {
            return Err(self.mistake_with(
                span,
                "ARRAY requires at least one argument with a type",
                "CAST(NULL AS ARRAY<INT>) is no array, ARRAY[CAST(NULL AS INT)] is one",
            ));
        }
        let element = SqlType::nullable(kind);
        let args = values.into_iter().map(|v| v.expr).collect();
        let expr = self.context.functions.internal("make_array", args);
        let expr = self.datafusion(span, expr)?;
        Ok(Typed::new(expr, Kind::Array(Box::new(element)), false))
    }

    pub(super) fn map(&self, keys: Vec<Typed>, values: Vec<Typed>, span: Span) -> Bound<Typed> {
        let (keys, key) = self.in_common(keys, "MAP", span)?;
        if key == Kind::Null {
            return Err(self.mistake(span, "MAP requires keys of one type, and none is NULL"));
        }
        let (values, value) = self.in_common(values, "MAP", span)?;
        let list = |items: Vec<Typed>| {
            let items = items.into_iter().map(|v| v.expr).collect();
            self.datafusion(span, self.context.functions.internal("make_array", items))
        };
        let args = vec![list(keys)?, list(values)?];
        let expr = self.datafusion(span, self.context.functions.internal("map", args))?;
        let kind = Kind::Map(
            Box::new(SqlType::not_null(key)),
            Box::new(SqlType::nullable(value)),
        );
        self.as_declared(expr, kind)
    }

    /// ROW(a, b): its fields are EXPR$0, EXPR$1.
    pub(super) fn row(&self, values: Vec<Typed>, span: Span) -> Bound<Typed> {
        let mut args = Vec::new();
        let mut fields = Vec::new();
        for (i, value) in values.into_iter().enumerate() {
            if value.ty.kind == Kind::Null {
                return Err(self.mistake_with(
                    span,
                    "Illegal use of 'NULL' in ROW: it has no type",
                    "CAST(NULL AS STRING) gives it one",
                ));
            }
            let name = format!("EXPR${i}");
            args.push(Expr::Literal(ScalarValue::from(name.as_str()), None));
            args.push(value.expr);
            fields.push((ast::Ident::new(name), SqlType::nullable(value.ty.kind)));
        }
        let expr = self.context.functions.internal("named_struct", args);
        let expr = self.datafusion(span, expr)?;
        Ok(Typed::new(expr, Kind::Row(fields), false))
    }

    /// A nested value in the Arrow type that its Flink type has: field names are part of it.
    fn as_declared(&self, expr: Expr, kind: Kind) -> Bound<Typed> {
        let wanted = crate::planner::types::arrow_type(&SqlType::not_null(kind.clone()));
        let expr = Expr::Cast(datafusion::logical_expr::Cast::new(Box::new(expr), wanted));
        Ok(Typed::new(expr, kind, false))
    }

    /// The text of an argument that has to be a literal.
    pub(super) fn literal_text(&self, value: &Typed) -> Option<String> {
        match &value.expr {
            Expr::Literal(v, _) if is_text(&value.ty.kind) => {
                v.try_as_str().flatten().map(str::to_string)
            }
            _ => None,
        }
    }
}

fn is_number_literal(expr: &ast::Expr) -> bool {
    matches!(expr, ast::Expr::Value(v) if matches!(v.value, ast::Value::Number(..)))
}

/// Whether a subquery is anywhere in an expression.
pub(super) fn has_subquery(expr: &Expr) -> bool {
    innermost(expr).is_some()
}

/// A subquery with none in its own value.
pub(super) fn innermost(expr: &Expr) -> Option<Expr> {
    let mut found = None;
    let _ = expr.apply(|e| {
        match e {
            Expr::InSubquery(s) if !has_subquery(&s.expr) => found = Some(e.clone()),
            Expr::Exists(_) | Expr::ScalarSubquery(_) => found = Some(e.clone()),
            _ => return Ok(TreeNodeRecursion::Continue),
        }
        Ok(TreeNodeRecursion::Stop)
    });
    found
}
