//! Operators: arithmetic with Flink's result types, ||, and what an operator may stand between.

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, Operator, TryCast};
use sqlparser::ast::{self, BinaryOperator, Spanned};
use sqlparser::tokenizer::Span;

use super::casts::{common_kind, first_float};
use super::kinds::{as_decimal, is_float, is_integer, is_interval, is_number, is_text};
use super::scope::Scope;
use super::{Binder, Bound, Typed};
use crate::sql::ast::SqlTypeKind as Kind;

impl Binder<'_> {
    pub(super) fn binary(
        &mut self,
        whole: &ast::Expr,
        left: &ast::Expr,
        op: &BinaryOperator,
        right: &ast::Expr,
        scope: &Scope<'_>,
    ) -> Bound<Typed> {
        use BinaryOperator as B;
        if matches!(op, B::And | B::Or) {
            return self.logic(whole, op, scope);
        }
        let span = left.span().union(&right.span());
        let compared = comparison(op);
        if let (Some(op), ast::Expr::Tuple(a), ast::Expr::Tuple(b)) = (compared, left, right) {
            return self.compare_rows(a, op, b, scope, span);
        }
        let (a, b) = (self.expr(left, scope)?, self.expr(right, scope)?);
        if let Some(op) = compared {
            return self.compare(a, op, b, span);
        }
        match op {
            B::Plus => self.arithmetic(a, Operator::Plus, b, span),
            B::Minus => self.arithmetic(a, Operator::Minus, b, span),
            B::Multiply => self.arithmetic(a, Operator::Multiply, b, span),
            B::Divide => self.arithmetic(a, Operator::Divide, b, span),
            B::Modulo => self.arithmetic(a, Operator::Modulo, b, span),
            B::StringConcat => self.concat(a, b, span),
            other => Err(self.unsupported(span, &format!("the operator {other}"), "")),
        }
    }

    fn concat(&self, a: Typed, b: Typed, span: Span) -> Bound<Typed> {
        let bytes = super::kinds::is_bytes;
        let nullable = a.ty.nullable || b.ty.nullable;
        let kind = match (&a.ty.kind, &b.ty.kind) {
            (x, y) if (is_text(x) || *x == Kind::Null) && (is_text(y) || *y == Kind::Null) => {
                match (super::kinds::length(x), super::kinds::length(y)) {
                    (Some(n), Some(m)) => Kind::Varchar(n.saturating_add(m)),
                    _ => Kind::String,
                }
            }
            (x, y) if bytes(x) && bytes(y) => Kind::Bytes,
            _ => return Err(self.cannot_apply("||", &a, &b, span)),
        };
        if kind == Kind::Bytes {
            return Err(self.unsupported(span, "|| of BYTES", "concatenate them as text"));
        }
        let (a, b) = (
            self.as_kind(a, &Kind::String, span)?,
            self.as_kind(b, &Kind::String, span)?,
        );
        let expr = binary(a.expr, Operator::StringConcat, b.expr);
        Ok(Typed::new(expr, kind, nullable))
    }

    pub(super) fn cannot_apply(
        &self,
        op: &str,
        a: &Typed,
        b: &Typed,
        span: Span,
    ) -> Box<crate::sql::Diagnostic> {
        let (l, r) = (&a.ty.kind, &b.ty.kind);
        let help = match op {
            "+" if is_text(l) && is_text(r) => "texts are joined by ||",
            "||" if is_text(l) || is_text(r) => "CAST the other one to STRING",
            _ => "CAST one of them to the type of the other",
        };
        self.mistake_with(
            span,
            format!("Cannot apply '{op}' to arguments of type '<{l}> {op} <{r}>'"),
            help,
        )
    }

    pub(super) fn negative(&self, value: Typed, span: Span) -> Bound<Typed> {
        let Typed { expr, ty } = value;
        if !is_number(&ty.kind) && !is_interval(&ty.kind) && ty.kind != Kind::Null {
            return Err(self.mistake(span, format!("Cannot apply '-' to {}", ty.kind)));
        }
        if let Expr::Literal(literal, _) = &expr
            && let Ok(negated) = literal.arithmetic_negate()
        {
            return Ok(Typed {
                expr: Expr::Literal(negated, None),
                ty,
            });
        }
        let expr = if self.context.checked && is_integer(&ty.kind) {
            flowline_udfs::checked(flowline_udfs::Checked::Negate).call(vec![expr])
        } else {
            Expr::Negative(Box::new(expr))
        };
        Ok(Typed { expr, ty })
    }

    /// `+ - * / %` with the result types of Flink's LogicalTypeMerging.
    pub(super) fn arithmetic(&self, a: Typed, op: Operator, b: Typed, span: Span) -> Bound<Typed> {
        // NULL takes the type of what stands beside it.
        if a.ty.kind == Kind::Null && b.ty.kind != Kind::Null {
            let null = self.null(&b.ty.kind, span)?;
            return self.arithmetic(null, op, b, span);
        }
        if b.ty.kind == Kind::Null && a.ty.kind != Kind::Null {
            let null = self.null(&a.ty.kind, span)?;
            return self.arithmetic(a, op, null, span);
        }
        if is_interval(&a.ty.kind) || is_interval(&b.ty.kind) {
            return self.interval_arithmetic(a, op, b, span);
        }
        let (x, y) = (a.ty.kind.clone(), b.ty.kind.clone());
        if !is_number(&x) || !is_number(&y) {
            let is_moment = matches!(x, Kind::Timestamp(_) | Kind::TimestampLtz(_) | Kind::Date);
            let mut refused = self.cannot_apply(&op.to_string(), &a, &b, span);
            let is_shift = matches!(op, Operator::Plus | Operator::Minus) && is_number(&y);
            if is_moment && is_shift {
                let help = format!("a duration is written INTERVAL '5' SECOND: {op} INTERVAL ...");
                refused.help = Some(help);
            } else if is_moment && op == Operator::Minus {
                let help = "TIMESTAMPDIFF(SECOND, from, to) gives the time between two";
                refused.help = Some(help.into());
            }
            return Err(refused);
        }
        let nullable = a.ty.nullable || b.ty.nullable;
        if is_float(&x) || is_float(&y) {
            if op == Operator::Modulo {
                return Err(self.cannot_apply("%", &a, &b, span));
            }
            let kind = first_float(&[&x, &y]).or_else(|| common_kind(&[&x, &y]));
            let kind = kind.unwrap_or(Kind::Double);
            let (a, b) = (self.as_kind(a, &kind, span)?, self.as_kind(b, &kind, span)?);
            return Ok(Typed::new(binary(a.expr, op, b.expr), kind, nullable));
        }
        if is_integer(&x) && is_integer(&y) {
            return self.integers(a, op, b, span);
        }
        self.decimals(a, op, b, span)
    }

    fn integers(&self, a: Typed, op: Operator, b: Typed, span: Span) -> Bound<Typed> {
        use flowline_udfs::Checked;
        let nullable = a.ty.nullable || b.ty.nullable;
        let divisor = b.ty.kind.clone();
        let Some(kind) = common_kind(&[&a.ty.kind, &b.ty.kind]) else {
            return Err(self.cannot_apply(&op.to_string(), &a, &b, span));
        };
        let (a, b) = (self.as_kind(a, &kind, span)?, self.as_kind(b, &kind, span)?);
        let args = vec![a.expr, b.expr];
        let is_checked = self.context.checked;
        let expr = match op {
            Operator::Modulo => {
                let rest = flowline_udfs::integer_modulo().call(args);
                // The rest is of the divisor's type.
                return self.as_kind(Typed::new(rest, kind, nullable), &divisor, span);
            }
            Operator::Divide if is_checked => flowline_udfs::checked(Checked::Divide).call(args),
            Operator::Divide => flowline_udfs::integer_divide().call(args),
            Operator::Plus if is_checked => flowline_udfs::checked(Checked::Add).call(args),
            Operator::Minus if is_checked => flowline_udfs::checked(Checked::Subtract).call(args),
            Operator::Multiply if is_checked => {
                flowline_udfs::checked(Checked::Multiply).call(args)
            }
            op => {
                let [a, b] = <[Expr; 2]>::try_from(args).unwrap_or_else(|_| {
                    [
                        Expr::Literal(ScalarValue::Null, None),
                        Expr::Literal(ScalarValue::Null, None),
                    ]
                });
                binary(a, op, b)
            }
        };
        Ok(Typed::new(expr, kind, nullable))
    }

    fn decimals(&self, a: Typed, op: Operator, b: Typed, span: Span) -> Bound<Typed> {
        let (Some((p, s)), Some((q, t))) = (as_decimal(&a.ty.kind), as_decimal(&b.ty.kind)) else {
            return Err(self.cannot_apply(&op.to_string(), &a, &b, span));
        };
        let exact = |value: Typed, p: u8, s: u8| self.as_kind(value, &Kind::Decimal(p, s), span);
        let nullable = a.ty.nullable || b.ty.nullable;
        if op == Operator::Modulo && s == 0 && t == 0 {
            // The rest of whole numbers is of the divisor's type.
            let divisor = b.ty.kind.clone();
            let (a, b) = (exact(a, p, s)?, exact(b, q, t)?);
            let result = decimal_result(op, (p, s), (q, t));
            let rest = binary(a.expr, op, b.expr);
            let kind = Kind::Decimal(result.0, result.1);
            return self.as_kind(Typed::new(rest, kind, nullable), &divisor, span);
        }
        let result = decimal_result(op, (p, s), (q, t));
        let (left, right) = (exact(a, p, s)?, exact(b, q, t)?);
        if op == Operator::Divide {
            let expr = flowline_udfs::decimal_divide().call(vec![left.expr, right.expr]);
            return Ok(Typed::new(expr, Kind::Decimal(result.0, result.1), true));
        }
        let narrow = DataType::Decimal128(result.0, result.1 as i8);
        let is_wide = u16::from(p.max(q)) + u16::from(s.max(t)) + 1 > 38
            || matches!(op, Operator::Multiply) && p + q + 1 > 38;
        let expr = if is_wide {
            // The result may not fit into 38 digits: computed with 76, and NULL where it does not fit.
            let wide = |e: Expr, p: u8, s: u8| {
                Expr::Cast(Cast::new(Box::new(e), DataType::Decimal256(p, s as i8)))
            };
            let value = binary(wide(left.expr, p, s), op, wide(right.expr, q, t));
            Expr::TryCast(TryCast::new(Box::new(value), narrow))
        } else {
            Expr::Cast(Cast::new(
                Box::new(binary(left.expr, op, right.expr)),
                narrow,
            ))
        };
        let value = Typed::new(expr, Kind::Decimal(result.0, result.1), nullable || is_wide);
        Ok(value)
    }

    fn interval_arithmetic(&self, a: Typed, op: Operator, b: Typed, span: Span) -> Bound<Typed> {
        let nullable = a.ty.nullable || b.ty.nullable;
        let shown = op.to_string();
        let is_moment =
            |k: &Kind| matches!(k, Kind::Date | Kind::Timestamp(_) | Kind::TimestampLtz(_));
        let kind = match (&a.ty.kind, op, &b.ty.kind) {
            (x, Operator::Plus | Operator::Minus, y) if is_moment(x) && is_interval(y) => x.clone(),
            (x, Operator::Plus, y) if is_interval(x) && is_moment(y) => {
                return self.interval_arithmetic(b, op, a, span);
            }
            (x, Operator::Plus | Operator::Minus, y) if x == y => x.clone(),
            (x, Operator::Multiply | Operator::Divide, y) if is_interval(x) && is_number(y) => {
                return self.scaled_interval(a, op, b, span);
            }
            (x, Operator::Multiply, y) if is_number(x) && is_interval(y) => {
                return self.scaled_interval(b, op, a, span);
            }
            (Kind::Time(p), Operator::Plus | Operator::Minus, Kind::IntervalDaySecond) => {
                let kind = Kind::Time(*p);
                let by = match op {
                    Operator::Minus => self.negative(b, span)?,
                    _ => b,
                };
                let moved = flowline_udfs::time_plus().call(vec![a.expr, by.expr]);
                return Ok(Typed::new(moved, kind, nullable));
            }
            (Kind::IntervalDaySecond, Operator::Plus, Kind::Time(_)) => {
                return self.interval_arithmetic(b, op, a, span);
            }
            _ => return Err(self.cannot_apply(&shown, &a, &b, span)),
        };
        Ok(Typed::new(binary(a.expr, op, b.expr), kind, nullable))
    }

    /// An interval times a number, or divided by one.
    fn scaled_interval(&self, a: Typed, op: Operator, b: Typed, span: Span) -> Bound<Typed> {
        if op == Operator::Divide {
            return Err(self.cannot_apply("/", &a, &b, span));
        }
        let nullable = a.ty.nullable || b.ty.nullable;
        let kind = a.ty.kind;
        let times = self.as_kind(b, &Kind::Double, span)?;
        let product = flowline_udfs::interval_times().call(vec![a.expr, times.expr]);
        Ok(Typed::new(
            super::casts::fold(product, &kind),
            kind,
            nullable,
        ))
    }
}

/// The precision and scale of an exact result (Flink: LogicalTypeMerging).
fn decimal_result(op: Operator, (p, s): (u8, u8), (q, t): (u8, u8)) -> (u8, u8) {
    let (p, s, q, t) = (i16::from(p), i16::from(s), i16::from(q), i16::from(t));
    let (precision, scale) = match op {
        Operator::Multiply => (p + q + 1, s + t),
        Operator::Divide => {
            let scale = 6.max(s + q + 1);
            (p - s + t + scale, scale)
        }
        Operator::Modulo => {
            let scale = s.max(t);
            ((p - s).min(q - t) + scale, scale)
        }
        _ => {
            let scale = s.max(t);
            ((p - s).max(q - t) + scale + 1, scale)
        }
    };
    let (precision, scale) = if precision <= 38 {
        (precision, scale)
    } else {
        let whole = precision - scale;
        (38, (38 - whole).max(scale.min(6)))
    };
    (
        u8::try_from(precision.max(1)).unwrap_or(38),
        u8::try_from(scale).unwrap_or(0),
    )
}

pub(super) fn binary(left: Expr, op: Operator, right: Expr) -> Expr {
    Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right)))
}

/// The comparison that an operator is.
pub(super) fn comparison(op: &BinaryOperator) -> Option<Operator> {
    Some(match op {
        BinaryOperator::Eq => Operator::Eq,
        BinaryOperator::NotEq => Operator::NotEq,
        BinaryOperator::Lt => Operator::Lt,
        BinaryOperator::LtEq => Operator::LtEq,
        BinaryOperator::Gt => Operator::Gt,
        BinaryOperator::GtEq => Operator::GtEq,
        _ => return None,
    })
}
