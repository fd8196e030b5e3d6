//! What is true, false or unknown: comparisons, AND and OR, IN, BETWEEN, LIKE.

use datafusion::common::tree_node::TreeNode;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{Case, Expr, Like, Operator};
use flowline_udfs::Comparison;
use flowline_udfs::casts::Failure;
use sqlparser::ast::{self, BinaryOperator, Spanned, ValueWithSpan};
use sqlparser::tokenizer::Span;

use super::arithmetic::binary;
use super::casts::{common_kind, first_float};
use super::failures::can_fail;
use super::kinds::{is_bytes, is_float, is_nested, is_number, is_text, is_time};
use super::scope::Scope;
use super::{Binder, Bound, Typed};
use crate::sql::ast::{SqlType, SqlTypeKind as Kind};

impl Binder<'_> {
    /// A chain of AND or of OR.
    pub(super) fn logic(
        &mut self,
        whole: &ast::Expr,
        op: &BinaryOperator,
        scope: &Scope<'_>,
    ) -> Bound<Typed> {
        let mut parts = Vec::new();
        for part in chain(whole, op) {
            let bound = self.expr(part, scope)?;
            parts.push(self.condition(bound, &op.to_string(), part.span())?);
        }
        Ok(all_or_any(*op == BinaryOperator::And, parts))
    }

    /// A BOOLEAN; NULL is one.
    pub(super) fn condition(&self, value: Typed, what: &str, span: Span) -> Bound<Typed> {
        match value.ty.kind {
            Kind::Boolean => Ok(value),
            Kind::Null => self.null(&Kind::Boolean, span),
            other => Err(self.mistake(
                span,
                format!("{what} takes a condition (BOOLEAN), but this is {other}"),
            )),
        }
    }

    pub(super) fn not(&self, value: Typed, span: Span) -> Bound<Typed> {
        let Typed { expr, ty } = self.condition(value, "NOT", span)?;
        Ok(Typed {
            expr: negated(expr),
            ty,
        })
    }

    pub(super) fn is(
        &mut self,
        value: &ast::Expr,
        scope: &Scope<'_>,
        test: fn(Box<Expr>) -> Expr,
    ) -> Bound<Typed> {
        let bound = self.expr(value, scope)?;
        let bound = self.condition(bound, "IS", value.span())?;
        Ok(Typed::boolean(test(Box::new(bound.expr)), false))
    }

    pub(super) fn equal(&self, a: Typed, b: Typed, span: Span) -> Bound<Typed> {
        self.compare(a, Operator::Eq, b, span)
    }

    /// Both sides of a comparison as one type.
    pub(super) fn comparable(
        &self,
        a: Typed,
        op: Operator,
        b: Typed,
        span: Span,
    ) -> Bound<(Typed, Typed)> {
        let both = |kind: &Kind, a: Typed, b: Typed| {
            Ok((self.as_kind(a, kind, span)?, self.as_kind(b, kind, span)?))
        };
        let (x, y) = (a.ty.kind.clone(), b.ty.kind.clone());
        let is_equality = matches!(op, Operator::Eq | Operator::NotEq);
        match (&x, &y) {
            (Kind::Null, Kind::Null) => both(&Kind::Boolean, a, b),
            (Kind::Null, _) => both(&y, a, b),
            (_, Kind::Null) => both(&x, a, b),
            (x, y) if is_text(x) && is_text(y) => both(&Kind::String, a, b),
            (x, y) if is_bytes(x) && is_bytes(y) => both(&Kind::Bytes, a, b),
            // Text is read as what stands beside it; for an equality, what cannot be read is NULL.
            (x, y) if is_text(y) && (is_time(x) || *x == Kind::Boolean && !is_equality) => {
                let b = self.read_as(b, x, is_equality, span)?;
                Ok((a, b))
            }
            (x, y) if is_text(x) && (is_time(y) || *y == Kind::Boolean && !is_equality) => {
                let a = self.read_as(a, y, is_equality, span)?;
                Ok((a, b))
            }
            (x, y)
                if !is_equality && (is_text(x) && is_number(y) || is_number(x) && is_text(y)) =>
            {
                let kind = match if is_number(x) { x } else { y } {
                    Kind::Decimal(_, scale) => Kind::Decimal(38, *scale),
                    Kind::Float | Kind::Double => Kind::Double,
                    _ => Kind::BigInt,
                };
                both(&kind, a, b)
            }
            // FLOAT equals DOUBLE where it does as a FLOAT.
            (x, y) if is_equality && first_float(&[x, y]).is_some() => {
                let kind = x.clone();
                both(&kind, a, b)
            }
            _ => match common_kind(&[&x, &y]) {
                Some(kind) => both(&kind, a, b),
                None => Err(self.mistake(
                    span,
                    format!(
                        "Cannot apply '{op}' to arguments of type '<{x}> {op} <{y}>': implicit type conversion between {x} and {y} is not supported; CAST one of them"
                    ),
                )),
            },
        }
    }

    /// Text as what stands beside it: a literal is read now.
    fn read_as(&self, text: Typed, kind: &Kind, or_null: bool, span: Span) -> Bound<Typed> {
        let literal = self.literal_text(&text);
        let failure = if or_null && literal.is_none() {
            Failure::Null
        } else {
            Failure::Error
        };
        let read = self.cast(text, &SqlType::nullable(kind.clone()), failure, span)?;
        match literal {
            Some(literal) if !matches!(read.expr, Expr::Literal(..)) => {
                Err(self.mistake(span, format!("the text '{literal}' is no {kind}")))
            }
            _ => Ok(read),
        }
    }

    pub(super) fn compare(&self, a: Typed, op: Operator, b: Typed, span: Span) -> Bound<Typed> {
        // Between DECIMAL and DOUBLE Flink asks Double.compare, for which NaN is a number larger than all others.
        let is_ordered = |k: &Kind| matches!(k, Kind::Decimal(..));
        let by_order = is_ordered(&a.ty.kind) || is_ordered(&b.ty.kind);
        let (a, b) = self.comparable(a, op, b, span)?;
        let nullable = a.ty.nullable || b.ty.nullable;
        if a.expr == b.expr && !a.expr.is_volatile() && is_float(&a.ty.kind) {
            // A value beside itself is not compared: Flink knows the answer, NaN or not.
            let holds = matches!(op, Operator::Eq | Operator::LtEq | Operator::GtEq);
            let there = Typed::boolean(Expr::IsNotNull(Box::new(a.expr)), false);
            let known = Typed::boolean(Expr::Literal(holds.into(), None), false);
            let null = self.null(&Kind::Boolean, span)?;
            return self.choose(vec![there], vec![known, null], "a comparison", span);
        }
        let expr = if is_float(&a.ty.kind) && !by_order {
            let comparison = match op {
                Operator::Eq => Comparison::Eq,
                Operator::NotEq => Comparison::NotEq,
                Operator::Lt => Comparison::Lt,
                Operator::LtEq => Comparison::LtEq,
                Operator::Gt => Comparison::Gt,
                _ => Comparison::GtEq,
            };
            flowline_udfs::float_comparison(comparison).call(vec![a.expr, b.expr])
        } else {
            binary(a.expr, op, b.expr)
        };
        Ok(Typed::boolean(expr, nullable))
    }

    /// `(a, b) = (c, d)`.
    pub(super) fn compare_rows(
        &mut self,
        a: &[ast::Expr],
        op: Operator,
        b: &[ast::Expr],
        scope: &Scope<'_>,
        span: Span,
    ) -> Bound<Typed> {
        if a.len() != b.len() {
            return Err(self.mistake(
                span,
                format!(
                    "rows of {} and {} values cannot be compared",
                    a.len(),
                    b.len()
                ),
            ));
        }
        if !matches!(op, Operator::Eq | Operator::NotEq) {
            return Err(self.unsupported(
                span,
                &format!("{op} between rows"),
                "compare their values one by one",
            ));
        }
        let mut parts = Vec::new();
        for (a, b) in a.iter().zip(b) {
            let (a, b) = (self.expr(a, scope)?, self.expr(b, scope)?);
            parts.push(self.compare(a, op, b, span)?);
        }
        Ok(all_or_any(op == Operator::Eq, parts))
    }

    pub(super) fn distinct(
        &mut self,
        a: &ast::Expr,
        b: &ast::Expr,
        is_distinct: bool,
        scope: &Scope<'_>,
        span: Span,
    ) -> Bound<Typed> {
        let (a, b) = (self.expr(a, scope)?, self.expr(b, scope)?);
        let (a, b) = self.comparable(a, Operator::IsDistinctFrom, b, span)?;
        if is_float(&a.ty.kind) {
            let test = flowline_udfs::float_distinct().call(vec![a.expr, b.expr]);
            let test = if is_distinct {
                test
            } else {
                Expr::Not(Box::new(test))
            };
            return Ok(Typed::boolean(test, false));
        }
        let op = if is_distinct {
            Operator::IsDistinctFrom
        } else {
            Operator::IsNotDistinctFrom
        };
        Ok(Typed::boolean(binary(a.expr, op, b.expr), false))
    }

    pub(super) fn between(
        &self,
        value: Typed,
        low: Typed,
        high: Typed,
        negated: bool,
        span: Span,
    ) -> Bound<Typed> {
        self.may_repeat(&value, 2, "BETWEEN", span)?;
        let above = self.compare(value.clone(), Operator::GtEq, low, span)?;
        let below = self.compare(value, Operator::LtEq, high, span)?;
        let within = all_or_any(true, vec![above, below]);
        if negated {
            self.not(within, span)
        } else {
            Ok(within)
        }
    }

    pub(super) fn in_list(
        &mut self,
        value: &ast::Expr,
        list: &[ast::Expr],
        negated: bool,
        scope: &Scope<'_>,
        span: Span,
    ) -> Bound<Typed> {
        if let ast::Expr::Tuple(values) = value {
            let mut parts = Vec::new();
            for item in list {
                let ast::Expr::Tuple(items) = item else {
                    return Err(self.mistake(item.span(), "expected a row such as (1, 2)"));
                };
                parts.push(self.compare_rows(values, Operator::Eq, items, scope, span)?);
            }
            let any = all_or_any(false, parts);
            return if negated {
                self.not(any, span)
            } else {
                Ok(any)
            };
        }
        let value = self.expr(value, scope)?;
        let items = self.exprs(list, scope)?;
        let nullable = value.ty.nullable || items.iter().any(|i| i.ty.nullable);
        // Each item is taken as what it is compared with.
        let kind = match &value.ty.kind {
            Kind::Null => Kind::Boolean,
            other => other.clone(),
        };
        // Text is compared whole, however long it may be.
        let kind = if is_text(&kind) { Kind::String } else { kind };
        let value = self.as_kind(value, &kind, span)?;
        let is_decimal = |k: &Kind| matches!(k, Kind::Decimal(..));
        let as_they_are = is_decimal(&kind) && items.iter().any(|i| is_decimal(&i.ty.kind));
        let items = items
            .into_iter()
            .map(|i| match &i.ty.kind {
                // DECIMALs meet as they are.
                own if is_decimal(own) && is_decimal(&kind) => Ok(i),
                _ => self.as_kind(i, &kind, span),
            })
            .collect::<Bound<Vec<_>>>()?;
        if is_float(&kind) || is_nested(&kind) || as_they_are {
            self.may_repeat(&value, items.len(), "IN", span)?;
            let parts = items
                .into_iter()
                .map(|item| self.equal(value.clone(), item, span))
                .collect::<Bound<Vec<_>>>()?;
            let any = all_or_any(false, parts);
            return if negated {
                self.not(any, span)
            } else {
                Ok(any)
            };
        }
        let items = items.into_iter().map(|i| i.expr).collect();
        Ok(Typed::boolean(
            Expr::InList(InList::new(Box::new(value.expr), items, negated)),
            nullable,
        ))
    }

    /// LIKE and SIMILAR TO.
    pub(super) fn like(
        &mut self,
        what: &str,
        value: &ast::Expr,
        pattern: &ast::Expr,
        escape: Option<&ValueWithSpan>,
        negated: bool,
        scope: &Scope<'_>,
    ) -> Bound<Typed> {
        let span = value.span().union(&pattern.span());
        let (value, pattern) = (self.expr(value, scope)?, self.expr(pattern, scope)?);
        if !(is_text(&value.ty.kind) || value.ty.kind == Kind::Null)
            || !(is_text(&pattern.ty.kind) || pattern.ty.kind == Kind::Null)
        {
            return Err(self.cannot_apply(what, &value, &pattern, span));
        }
        let nullable = value.ty.nullable || pattern.ty.nullable;
        let value = self.as_kind(value, &Kind::String, span)?;
        let pattern = self.as_kind(pattern, &Kind::String, span)?;
        let escape = escape.map(|e| self.literal(e)).transpose()?;
        let escape_text = escape.as_ref().and_then(|e| self.literal_text(e));
        let constant = match (&pattern.expr, what, &escape) {
            (Expr::Literal(v, _), "LIKE", None) => {
                v.try_as_str().flatten().map(|p| backslashed(p, None))
            }
            (Expr::Literal(v, _), "LIKE", Some(_)) => match escape_text.as_deref() {
                Some(e) if e.chars().count() == 1 => v
                    .try_as_str()
                    .flatten()
                    .map(|p| backslashed(p, e.chars().next())),
                _ => return Err(self.mistake(span, "ESCAPE takes one character")),
            },
            _ => None,
        };
        let expr = match constant {
            // DataFusion's _ matches the end of a line, Flink's does not.
            Some(Some(pattern)) if !pattern.contains('_') => Expr::Like(Like::new(
                negated,
                Box::new(value.expr),
                Box::new(Expr::Literal(pattern.into(), None)),
                None,
                false,
            )),
            Some(None) => {
                return Err(self.mistake(span, "the LIKE pattern ends in its escape character"));
            }
            _ => {
                let function = if what == "LIKE" {
                    flowline_udfs::like()
                } else {
                    flowline_udfs::similar_to()
                };
                let args = [Some(value), Some(pattern), escape];
                let args = args.into_iter().flatten().map(|a| a.expr).collect();
                let test = function.call(args);
                if negated {
                    Expr::Not(Box::new(test))
                } else {
                    test
                }
            }
        };
        Ok(Typed::boolean(expr, nullable))
    }
}

/// The operands of a chain of one operator, in order, without recursion down its left side.
pub(super) fn chain<'e>(whole: &'e ast::Expr, op: &BinaryOperator) -> Vec<&'e ast::Expr> {
    let mut parts = Vec::new();
    let mut waiting = vec![whole];
    while let Some(expr) = waiting.pop() {
        match expr {
            ast::Expr::BinaryOp {
                left,
                op: own,
                right,
            } if own == op => {
                waiting.push(right);
                waiting.push(left);
            }
            ast::Expr::Nested(inner) => waiting.push(inner),
            other => parts.push(other),
        }
    }
    parts
}

/// AND or OR of conditions, decided from left to right, row by row: what can fail is evaluated only where what is before it
/// has not decided.
pub(super) fn all_or_any(is_and: bool, parts: Vec<Typed>) -> Typed {
    let nullable = parts.iter().any(|p| p.ty.nullable);
    let op = if is_and { Operator::And } else { Operator::Or };
    let mut parts = parts.into_iter().rev().map(|p| p.expr);
    let Some(mut rest) = parts.next() else {
        return Typed::boolean(Expr::Literal(is_and.into(), None), false);
    };
    let mut fails = can_fail(&rest);
    for part in parts {
        let part_fails = can_fail(&part);
        rest = if fails {
            let decided = if is_and {
                Expr::IsFalse(Box::new(part.clone()))
            } else {
                Expr::IsTrue(Box::new(part.clone()))
            };
            let otherwise = binary(part, op, rest);
            let branch = (
                Box::new(decided),
                Box::new(Expr::Literal((!is_and).into(), None)),
            );
            Expr::Case(Case::new(None, vec![branch], Some(Box::new(otherwise))))
        } else {
            binary(part, op, rest)
        };
        fails |= part_fails;
    }
    Typed::boolean(rest, nullable)
}

/// NOT of a condition. Flink turns comparisons round, so that NOT of one with NaN is false as well.
fn negated(condition: Expr) -> Expr {
    match &condition {
        Expr::ScalarFunction(call) => match (super::failures::opposite(&call.func), &call.args) {
            (Some(opposite), args) => opposite.call(args.clone()),
            (None, _) => Expr::Not(Box::new(condition)),
        },
        Expr::BinaryExpr(e)
            if matches!(e.op, Operator::And | Operator::Or)
                && condition.exists(is_float_test).unwrap_or(false) =>
        {
            let op = if e.op == Operator::And {
                Operator::Or
            } else {
                Operator::And
            };
            binary(negated((*e.left).clone()), op, negated((*e.right).clone()))
        }
        _ => Expr::Not(Box::new(condition)),
    }
}

fn is_float_test(expr: &Expr) -> datafusion::error::Result<bool> {
    Ok(
        matches!(expr, Expr::ScalarFunction(call) if super::failures::opposite(&call.func).is_some()),
    )
}

/// Flink's LIKE escapes by what ESCAPE says and by nothing without it; DataFusion's by a backslash. `None` where the pattern
/// ends in its escape character.
fn backslashed(pattern: &str, escape: Option<char>) -> Option<String> {
    let mut escaped = String::new();
    let mut characters = pattern.chars();
    while let Some(c) = characters.next() {
        if Some(c) == escape {
            escaped.extend(['\\', characters.next()?]);
        } else {
            if c == '\\' {
                escaped.push('\\');
            }
            escaped.push(c);
        }
    }
    Some(escaped)
}
