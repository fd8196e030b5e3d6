//! Joins: both sides under names of their own, conditions split into keys and the rest.

use std::sync::Arc;

use datafusion::common::{DFSchema, JoinConstraint, JoinType, NullEquality};
use datafusion::logical_expr::{BinaryExpr, Expr, Join, LogicalPlan, Operator};
use sqlparser::ast::{self, Spanned};
use sqlparser::tokenizer::Span;

use super::failures::{can_fail, is_float_equality};
use super::predicates::{all_or_any, chain};
use super::scope::{Relation, Scope, ScopeColumn, ScopeName, nearest};
use super::{Binder, Bound, Typed};

/// How rows that match are joined.
#[derive(Debug, Clone, Copy)]
pub(super) struct JoinHow {
    pub kind: JoinType,
    /// Whether NULL equals NULL.
    pub nulls: NullEquality,
    /// NOT IN: no row is left where the other side has a NULL.
    pub null_aware: bool,
}

impl JoinHow {
    /// As a join that there is.
    pub fn of(join: &Join) -> Self {
        Self {
            kind: join.join_type,
            nulls: join.null_equality,
            null_aware: join.null_aware,
        }
    }
}

/// What rows of two sides are matched by.
#[derive(Debug, Default)]
pub(in crate::planner) struct Matching {
    /// Equal expressions: of the left side, of the right side.
    pub on: Vec<(Expr, Expr)>,
    /// What else must hold.
    pub rest: Vec<Expr>,
    /// NULL equals NULL in `on`.
    pub nulls_equal: bool,
}

impl Matching {
    /// Takes equalities between a side and the other out of conditions.
    pub fn of(conditions: Vec<Expr>, left: &DFSchema, right: &DFSchema) -> Self {
        let mut found = Self::default();
        let null_safe = conditions
            .iter()
            .any(|c| pair(c, Operator::IsNotDistinctFrom, left, right).is_some());
        let has_plain = conditions
            .iter()
            .any(|c| pair(c, Operator::Eq, left, right).is_some());
        found.nulls_equal = null_safe && !has_plain;
        let op = if found.nulls_equal {
            Operator::IsNotDistinctFrom
        } else {
            Operator::Eq
        };
        for condition in conditions {
            match pair(&condition, op, left, right) {
                // Keys are compared by their bits, as in Flink: NaN meets NaN, and 0.0 does not meet -0.0.
                Some(keys) => found.on.push(keys),
                None => found.rest.push(condition),
            }
        }
        found
    }
}

/// The two sides of an equality, left side first.
fn pair(expr: &Expr, op: Operator, left: &DFSchema, right: &DFSchema) -> Option<(Expr, Expr)> {
    let (a, b) = match expr {
        Expr::BinaryExpr(BinaryExpr {
            left: a,
            op: own,
            right: b,
        }) if *own == op => (a.as_ref(), b.as_ref()),
        Expr::Not(test) if op == Operator::IsNotDistinctFrom => match test.as_ref() {
            Expr::ScalarFunction(call) => match (call.name(), call.args.as_slice()) {
                ("float_distinct", [a, b]) => (a, b),
                _ => return None,
            },
            _ => return None,
        },
        Expr::ScalarFunction(call) if op == Operator::Eq => {
            match (is_float_equality(&call.func), call.args.as_slice()) {
                (true, [a, b]) => (a, b),
                _ => return None,
            }
        }
        _ => return None,
    };
    let is_of = |e: &Expr, schema: &DFSchema| {
        let columns = e.column_refs();
        !columns.is_empty()
            && columns
                .iter()
                .all(|c| schema.maybe_index_of_column(c).is_some())
    };
    if can_fail(a) || can_fail(b) {
        return None;
    }
    if is_of(a, left) && is_of(b, right) {
        Some((a.clone(), b.clone()))
    } else if is_of(a, right) && is_of(b, left) {
        Some((b.clone(), a.clone()))
    } else {
        None
    }
}

impl Binder<'_> {
    pub(super) fn join(
        &mut self,
        left: Relation,
        right: Relation,
        kind: JoinType,
        constraint: Option<&ast::JoinConstraint>,
        outer: Option<&Scope<'_>>,
        span: Span,
    ) -> Bound<Relation> {
        let names = |r: &Relation| -> std::collections::HashSet<String> {
            r.columns
                .iter()
                .filter_map(|c| c.qualifier.clone())
                .collect()
        };
        if let Some(twice) = names(&left).intersection(&names(&right)).next() {
            return Err(self.mistake_with(
                span,
                format!("Duplicate relation name '{twice}' in FROM clause"),
                "give one of them another name: FROM t AS a, t AS b",
            ));
        }
        let right = self.apart(right, &left.columns)?;
        let mut columns: Vec<ScopeColumn> = left.columns.clone();
        columns.extend(right.columns.iter().cloned());
        let schema = self.datafusion(span, left.plan.schema().join(right.plan.schema()))?;
        let scope = Scope::new(&schema, &columns, outer);

        let mut merged: Vec<(String, Span)> = Vec::new();
        let mut conditions: Vec<Typed> = Vec::new();
        match constraint {
            None | Some(ast::JoinConstraint::None) => {}
            Some(ast::JoinConstraint::On(condition)) => {
                for part in chain(condition, &ast::BinaryOperator::And) {
                    let bound = self.expr(part, &scope)?;
                    if super::expressions::has_subquery(&bound.expr) {
                        return Err(self.unsupported(
                            part.span(),
                            "a subquery in ON",
                            "put it into WHERE, or join its table",
                        ));
                    }
                    conditions.push(self.condition(bound, "ON", part.span())?);
                }
            }
            Some(ast::JoinConstraint::Using(names)) => {
                let named = |n: &ast::ObjectName| (crate::planner::object_name(n), n.span());
                merged = names.iter().map(named).collect();
            }
            Some(ast::JoinConstraint::Natural) => {
                let is_common = |c: &&ScopeColumn| right.visible().any(|r| r.name == c.name);
                merged = left
                    .visible()
                    .filter(is_common)
                    .map(|c| (c.name.clone(), span))
                    .collect();
            }
        }
        let mut pairs: Vec<(usize, usize)> = Vec::new();
        for (name, span) in merged {
            let find = |side: &Relation, which: &str| {
                let named: Vec<usize> = side
                    .columns
                    .iter()
                    .enumerate()
                    .filter(|(_, c)| !c.is_hidden && c.name == name)
                    .map(|(i, _)| i)
                    .collect();
                match named.as_slice() {
                    [one] => Ok(*one),
                    [] => {
                        let names: Vec<&str> = side.visible().map(|c| c.name.as_str()).collect();
                        Err(self.mistake_with(
                            span,
                            format!("Column '{name}' of USING not found on the {which} side"),
                            nearest(&name, &names),
                        ))
                    }
                    _ => Err(self.mistake(
                        span,
                        format!("Column '{name}' of USING is ambiguous on the {which} side"),
                    )),
                }
            };
            let (l, r) = (find(&left, "left")?, find(&right, "right")?);
            pairs.push((l, r));
            let (a, b) = (left.columns[l].typed(), right.columns[r].typed());
            conditions.push(self.equal(a, b, span)?);
        }

        let conditions = conditions.into_iter().map(|c| c.expr).collect();
        let width = left.columns.len();
        let plan = self.join_on(left.plan, right.plan, conditions, kind, span)?;
        for (i, column) in columns.iter_mut().enumerate() {
            let is_optional = match kind {
                JoinType::Left => i >= width,
                JoinType::Right => i < width,
                JoinType::Full => true,
                _ => false,
            };
            column.ty.nullable |= is_optional;
        }
        let relation = Relation { plan, columns };
        if pairs.is_empty() {
            Ok(relation)
        } else {
            self.merged(relation, &pairs, width, kind, span)
        }
    }

    /// USING: each pair of columns is one under its bare name, before all others.
    fn merged(
        &self,
        relation: Relation,
        pairs: &[(usize, usize)],
        width: usize,
        kind: JoinType,
        span: Span,
    ) -> Bound<Relation> {
        let mut projected = Vec::new();
        for (l, r) in pairs {
            let (a, b) = (&relation.columns[*l], &relation.columns[width + r]);
            let value = match kind {
                JoinType::Right => b.typed(),
                JoinType::Full => {
                    let there = Typed::boolean(Expr::IsNotNull(Box::new(a.expr())), false);
                    self.choose(vec![there], vec![a.typed(), b.typed()], "USING", span)?
                }
                _ => a.typed(),
            };
            projected.push((
                value,
                ScopeName {
                    name: a.name.clone(),
                    ..ScopeName::default()
                },
            ));
        }
        for (i, column) in relation.columns.iter().enumerate() {
            let is_merged = pairs.iter().any(|(l, r)| *l == i || width + r == i);
            let name = ScopeName {
                is_hidden: column.is_hidden || is_merged,
                ..ScopeName::same(column)
            };
            projected.push((column.typed(), name));
        }
        self.projected(relation, projected, span)
    }

    /// A join on conditions: equalities between the sides become its keys.
    pub(super) fn join_on(
        &self,
        left: LogicalPlan,
        right: LogicalPlan,
        conditions: Vec<Expr>,
        kind: JoinType,
        span: Span,
    ) -> Bound<LogicalPlan> {
        let matching = Matching::of(conditions, left.schema(), right.schema());
        let rest = matching.rest.into_iter();
        let rest: Vec<Typed> = rest.map(|e| Typed::boolean(e, true)).collect();
        let filter = (!rest.is_empty()).then(|| all_or_any(true, rest).expr);
        let nulls = if matching.nulls_equal {
            NullEquality::NullEqualsNull
        } else {
            NullEquality::NullEqualsNothing
        };
        let how = JoinHow {
            kind,
            nulls,
            null_aware: false,
        };
        self.join_plan(left, right, matching.on, filter, how, span)
    }

    pub(super) fn join_plan(
        &self,
        left: LogicalPlan,
        right: LogicalPlan,
        on: Vec<(Expr, Expr)>,
        filter: Option<Expr>,
        how: JoinHow,
        span: Span,
    ) -> Bound<LogicalPlan> {
        let join = Join::try_new(
            Arc::new(left),
            Arc::new(right),
            on,
            filter,
            how.kind,
            JoinConstraint::On,
            how.nulls,
            how.null_aware,
        );
        Ok(LogicalPlan::Join(self.datafusion(span, join)?))
    }
}
