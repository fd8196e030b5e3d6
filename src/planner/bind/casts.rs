//! Casts, and the types that values of different types have in common.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;
use flowline_udfs::casts::{self, Cast, Failure, Overflow};
use sqlparser::tokenizer::Span;

use super::kinds::{as_decimal, integer_rank, is_float, is_nested, is_number, length};
use super::{Binder, Bound, Typed};
use crate::planner::types::{arrow_type, cast_type};
use crate::sql::ast::{SqlType, SqlTypeKind as Kind};

impl Binder<'_> {
    /// CAST or TRY_CAST as it was written.
    pub(super) fn cast(
        &self,
        value: Typed,
        to: &SqlType,
        failure: Failure,
        span: Span,
    ) -> Bound<Typed> {
        let nullable = value.ty.nullable;
        let kind = to.kind.clone();
        if value.ty.kind == kind || is_wider(&value.ty.kind, &kind) {
            return Ok(Typed::new(value.expr, kind, nullable));
        }
        if value.is_null_literal() {
            return self.null(&kind, span);
        }
        let cast = Cast {
            from: cast_type(&value.ty.kind),
            to: cast_type(&kind),
            failure,
            overflow: if self.context.checked {
                Overflow::Error
            } else {
                Overflow::Wrap
            },
        };
        if !cast.is_supported() {
            return Err(self.mistake(
                span,
                format!(
                    "Cast function cannot convert value of type {} to type {kind}",
                    value.ty.kind
                ),
            ));
        }
        let nullable = nullable || cast.can_give_null();
        let expr = fold(cast.udf().call(vec![value.expr]), &kind);
        Ok(Typed::new(expr, kind, nullable))
    }

    /// NULL of a type.
    pub(super) fn null(&self, kind: &Kind, span: Span) -> Bound<Typed> {
        let data_type = arrow_type(&SqlType::nullable(kind.clone()));
        let null = self.datafusion(span, ScalarValue::try_from(&data_type))?;
        Ok(Typed::new(Expr::Literal(null, None), kind.clone(), true))
    }

    /// A value as one of a type that it fits without being asked: both are of one family.
    pub(super) fn as_kind(&self, value: Typed, kind: &Kind, span: Span) -> Bound<Typed> {
        self.cast(
            value,
            &SqlType::nullable(kind.clone()),
            Failure::Error,
            span,
        )
    }

    /// All values as one type; `what` names what they are the values of.
    pub(super) fn in_common(
        &self,
        values: Vec<Typed>,
        what: &str,
        span: Span,
    ) -> Bound<(Vec<Typed>, Kind)> {
        let kinds: Vec<&Kind> = values.iter().map(|v| &v.ty.kind).collect();
        let Some(common) = common_kind(&kinds) else {
            let mut names: Vec<String> = Vec::new();
            for kind in kinds {
                let name = kind.to_string();
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            return Err(self.mistake_with(
                span,
                format!(
                    "{what} has values of types that have none in common: {}",
                    names.join(", ")
                ),
                "CAST them to one type",
            ));
        };
        let cast = values
            .into_iter()
            .map(|v| self.as_kind(v, &common, span))
            .collect::<Bound<Vec<_>>>()?;
        Ok((cast, common))
    }
}

/// A call on constants, computed now where that goes well. What fails is left to the rows that reach it.
pub(super) fn fold(expr: Expr, kind: &Kind) -> Expr {
    let Expr::ScalarFunction(call) = &expr else {
        return expr;
    };
    // Nested values are as cheap to keep as calls.
    if is_nested(kind) || !call.args.iter().all(|a| matches!(a, Expr::Literal(..))) {
        return expr;
    }
    match super::literals::evaluate(&expr) {
        Some(value) => Expr::Literal(value, None),
        None => expr,
    }
}

/// Whether a value of `from` is one of `to` as it stands.
fn is_wider(from: &Kind, to: &Kind) -> bool {
    match (from, to) {
        (Kind::Char(_) | Kind::Varchar(_), Kind::String) => true,
        (Kind::Char(n) | Kind::Varchar(n), Kind::Varchar(m)) => n <= m,
        (Kind::Binary(_) | Kind::Varbinary(_), Kind::Bytes) => true,
        (Kind::Binary(n) | Kind::Varbinary(n), Kind::Varbinary(m)) => n <= m,
        (Kind::Timestamp(p), Kind::Timestamp(q))
        | (Kind::TimestampLtz(p), Kind::TimestampLtz(q)) => {
            p <= q && casts::time_unit(*p) == casts::time_unit(*q)
        }
        (Kind::Array(a), Kind::Array(b)) => {
            (a.kind == b.kind || is_wider(&a.kind, &b.kind))
                && arrow_type(&SqlType::nullable(from.clone()))
                    == arrow_type(&SqlType::nullable(to.clone()))
        }
        _ => false,
    }
}

/// The type that values of these types have in common (Calcite's least restrictive type, with Flink's rules).
pub(super) fn common_kind(kinds: &[&Kind]) -> Option<Kind> {
    let mut given = kinds.iter().filter(|k| ***k != Kind::Null);
    let first = match given.next() {
        Some(first) => (*first).clone(),
        None => return Some(Kind::Null),
    };
    given.try_fold(first, |a, b| pair(a, b))
}

fn pair(a: Kind, b: &Kind) -> Option<Kind> {
    use Kind::{
        Array, Binary, Bytes, Char, Decimal, Double, Float, Map, Multiset, Row, String, Time,
        Timestamp, TimestampLtz, Varbinary, Varchar,
    };
    if a == *b {
        return Some(a);
    }
    Some(match (&a, b) {
        (Char(_) | Varchar(_) | String, Char(_) | Varchar(_) | String) => {
            match (length(&a), length(b)) {
                (Some(n), Some(m)) => Varchar(n.max(m)),
                _ => String,
            }
        }
        (Binary(_) | Varbinary(_) | Bytes, Binary(_) | Varbinary(_) | Bytes) => {
            match (length(&a), length(b)) {
                (Some(n), Some(m)) => Varbinary(n.max(m)),
                _ => Bytes,
            }
        }
        (x, y) if is_number(x) && is_number(y) => match (x, y) {
            (Double, _) | (_, Double) | (Float, Decimal(..)) | (Decimal(..), Float) => Double,
            (Float, _) | (_, Float) => Float,
            (Decimal(..), _) | (_, Decimal(..)) => {
                let ((p, s), (q, t)) = (as_decimal(x)?, as_decimal(y)?);
                // Of what does not fit, digits after the point go first.
                let whole = (p - s).max(q - t);
                let scale = s.max(t).min(38 - whole);
                Decimal(whole + scale, scale)
            }
            _ if integer_rank(x)? >= integer_rank(y)? => x.clone(),
            _ => y.clone(),
        },
        (Timestamp(p), Timestamp(q)) => Timestamp(*p.max(q)),
        (TimestampLtz(p), TimestampLtz(q) | Timestamp(q)) | (Timestamp(p), TimestampLtz(q)) => {
            TimestampLtz(*p.max(q))
        }
        (Time(p), Time(q)) => Time(*p.max(q)),
        (Array(x), Array(y)) => Array(Box::new(element(x, y)?)),
        (Multiset(x), Multiset(y)) => Multiset(Box::new(element(x, y)?)),
        (Map(k, v), Map(l, w)) => Map(Box::new(element(k, l)?), Box::new(element(v, w)?)),
        (Row(x), Row(y)) if x.len() == y.len() => Row(x
            .iter()
            .zip(y)
            .map(|((name, a), (_, b))| Some((name.clone(), element(a, b)?)))
            .collect::<Option<_>>()?),
        _ => return None,
    })
}

fn element(a: &SqlType, b: &SqlType) -> Option<SqlType> {
    Some(SqlType {
        kind: common_kind(&[&a.kind, &b.kind])?,
        nullable: a.nullable || b.nullable,
    })
}

/// The type that FLOAT and DOUBLE have beside each other in CASE, comparisons and arithmetic: that of the first.
pub(super) fn first_float(kinds: &[&Kind]) -> Option<Kind> {
    let mut given = kinds.iter().filter(|k| ***k != Kind::Null);
    let first = given.next()?;
    let all = is_float(first) && given.all(|k| is_float(k));
    all.then(|| (*first).clone())
}

/// Whether a value of one type goes into a column of the other without a CAST.
pub(super) fn goes_into(from: &Kind, to: &Kind) -> bool {
    *from == Kind::Null || casts::is_implicit(&cast_type(from), &cast_type(to))
}
