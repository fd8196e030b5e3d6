//! Subqueries as joins, with SQL's three-valued logic.
//!
//! `x IN (S)` is true where a row of S equals x, unknown where none does but the comparison with one is unknown, else false. So
//! as a condition IN is a semi join, NOT IN an anti join on "equal or unknown", EXISTS a semi join; anywhere else each becomes a
//! column that a mark join adds. A scalar subquery is a left join with the row that it gives.

use datafusion::common::{Column, JoinType, NullEquality, ScalarValue, Spans};
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::{
    Case, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator, Subquery,
};
use sqlparser::ast::{self, BinaryOperator, Query, Spanned};
use sqlparser::tokenizer::Span;
use std::sync::Arc;

use super::arithmetic::binary;
use super::correlation::{Inner, gives_one_row, renamed, unnamed_columns, whole_aggregate};
use super::expressions::{has_subquery, innermost};
use super::failures::is_float_equality;
use super::joins::{JoinHow, Matching};
use super::scope::{Relation, Scope, ScopeColumn};
use super::{Binder, Bound, Typed};
use crate::sql::ast::{SqlType, SqlTypeKind as Kind};

impl Binder<'_> {
    fn subquery(&mut self, query: &Query, scope: &Scope<'_>) -> Bound<Relation> {
        self.query(query, Some(scope))
    }

    pub(super) fn exists(
        &mut self,
        query: &Query,
        negated: bool,
        scope: &Scope<'_>,
    ) -> Bound<Typed> {
        let relation = self.subquery(query, scope)?;
        if whole_aggregate(&relation.plan).is_some() {
            // An aggregation without groups gives a row whatever it is over.
            return Ok(Typed::boolean(
                Expr::Literal((!negated).into(), None),
                false,
            ));
        }
        Ok(Typed::boolean(
            Expr::Exists(Exists::new(held(relation.plan), negated)),
            false,
        ))
    }

    pub(super) fn in_subquery(
        &mut self,
        value: &ast::Expr,
        query: &Query,
        negated: bool,
        scope: &Scope<'_>,
        span: Span,
    ) -> Bound<Typed> {
        let values = match value {
            ast::Expr::Tuple(values) => self.exprs(values, scope)?,
            one => vec![self.expr(one, scope)?],
        };
        let relation = self.subquery(query, scope)?;
        if relation.columns.len() != values.len() {
            return Err(self.mistake(
                span,
                format!(
                    "IN compares {} value{} with a query of {} columns",
                    values.len(),
                    if values.len() == 1 { "" } else { "s" },
                    relation.columns.len()
                ),
            ));
        }
        // Both sides as one type; several values travel as a ROW until the join is made.
        let mut left = Vec::new();
        let mut columns = Vec::new();
        let mut nullable = false;
        for (value, column) in values.into_iter().zip(&relation.columns) {
            let (a, b) = self.comparable(value, Operator::Eq, column.typed(), span)?;
            nullable |= a.ty.nullable || b.ty.nullable;
            left.push(a.expr);
            columns.push(b.expr);
        }
        let columns = columns.into_iter().enumerate();
        let columns = columns.map(|(i, c)| c.alias(format!("$in{i}")));
        let plan = self.projection(relation.plan, columns.collect(), span)?;
        let value = match <[Expr; 1]>::try_from(left) {
            Ok([one]) => one,
            Err(many) => {
                let args = many.into_iter().enumerate().flat_map(|(i, e)| {
                    [Expr::Literal(ScalarValue::from(format!("c{i}")), None), e]
                });
                let row = self
                    .context
                    .functions
                    .internal("named_struct", args.collect());
                self.datafusion(span, row)?
            }
        };
        Ok(Typed::boolean(
            Expr::InSubquery(InSubquery::new(Box::new(value), held(plan), negated)),
            nullable,
        ))
    }

    pub(super) fn scalar_subquery(
        &mut self,
        query: &Query,
        scope: &Scope<'_>,
        span: Span,
    ) -> Bound<Typed> {
        let relation = self.subquery(query, scope)?;
        let [column] = relation.columns.as_slice() else {
            return Err(self.mistake(
                span,
                format!(
                    "a query that stands for a value has one column, not {}",
                    relation.columns.len()
                ),
            ));
        };
        let ty = SqlType::nullable(column.ty.kind.clone());
        Ok(Typed {
            expr: Expr::ScalarSubquery(held(relation.plan)),
            ty,
        })
    }

    /// `x = ANY (S)` is IN, `x <> ALL (S)` is NOT IN.
    pub(super) fn quantified(
        &mut self,
        left: &ast::Expr,
        op: &BinaryOperator,
        right: &ast::Expr,
        is_all: bool,
        scope: &Scope<'_>,
        span: Span,
    ) -> Bound<Typed> {
        let query = match right {
            ast::Expr::Subquery(query) => query,
            ast::Expr::Nested(inner) => match inner.as_ref() {
                ast::Expr::Subquery(query) => query,
                _ => return Err(self.mistake(right.span(), "ANY and ALL take a query")),
            },
            _ => return Err(self.mistake(right.span(), "ANY and ALL take a query")),
        };
        match (op, is_all) {
            (BinaryOperator::Eq, false) => self.in_subquery(left, query, false, scope, span),
            (BinaryOperator::NotEq, true) => self.in_subquery(left, query, true, scope, span),
            _ => Err(self.unsupported(
                span,
                &format!("{op} {}", if is_all { "ALL" } else { "ANY" }),
                "compare with (SELECT MAX(x) ...) or (SELECT MIN(x) ...)",
            )),
        }
    }

    /// The rows for which a condition with a subquery holds.
    pub(super) fn filtered_by_subquery(
        &mut self,
        relation: Relation,
        condition: Typed,
    ) -> Bound<Relation> {
        match condition.expr {
            Expr::Not(inner) => {
                let inner = match *inner {
                    Expr::Exists(e) => Expr::Exists(Exists::new(e.subquery, !e.negated)),
                    Expr::InSubquery(e) => {
                        Expr::InSubquery(InSubquery::new(e.expr, e.subquery, !e.negated))
                    }
                    other => {
                        let other = Typed::boolean(Expr::Not(Box::new(other)), true);
                        return self.filtered_by_value(relation, other);
                    }
                };
                self.filtered_by_subquery(relation, Typed::boolean(inner, true))
            }
            Expr::Exists(exists) => {
                let inner = self.inner(&exists.subquery, &relation)?;
                let kind = if exists.negated {
                    JoinType::LeftAnti
                } else {
                    JoinType::LeftSemi
                };
                let conditions = inner.conditions.clone();
                self.matched(relation, inner, conditions, kind)
            }
            Expr::InSubquery(e) if !has_subquery(&e.expr) => {
                let inner = self.inner(&e.subquery, &relation)?;
                let equal = self.equalities(&e.expr, &inner);
                let mut conditions = inner.conditions.clone();
                if !e.negated {
                    conditions.extend(equal);
                    self.matched(relation, inner, conditions, JoinType::LeftSemi)
                } else if !is_ever_unknown(&equal, &relation, &inner) {
                    conditions.extend(equal);
                    self.matched(relation, inner, conditions, JoinType::LeftAnti)
                } else if let ([only], true) = (equal.as_slice(), conditions.is_empty()) {
                    self.none_of(relation, inner, only.clone())
                } else {
                    conditions.extend(equal.into_iter().map(or_unknown));
                    self.matched(relation, inner, conditions, JoinType::LeftAnti)
                }
            }
            other => self.filtered_by_value(relation, Typed::boolean(other, true)),
        }
    }

    fn filtered_by_value(&mut self, relation: Relation, condition: Typed) -> Bound<Relation> {
        let (relation, condition) = self.attached(relation, condition, Span::empty())?;
        self.filter_by(relation, vec![condition.expr])
    }

    /// The relation with a column for each subquery in `value`, and the value over it.
    pub(super) fn attached(
        &mut self,
        relation: Relation,
        value: Typed,
        span: Span,
    ) -> Bound<(Relation, Typed)> {
        let mut relation = relation;
        let mut expr = value.expr;
        while let Some(subquery) = innermost(&expr) {
            let (attached, column) = match &subquery {
                Expr::Exists(e) => {
                    let inner = self.inner(&e.subquery, &relation)?;
                    let conditions = inner.conditions.clone();
                    let (relation, mark) = self.marked(relation, inner, conditions)?;
                    let mark = if e.negated {
                        Expr::Not(Box::new(mark))
                    } else {
                        mark
                    };
                    (relation, mark)
                }
                Expr::InSubquery(e) => {
                    let inner = self.inner(&e.subquery, &relation)?;
                    let equal = self.equalities(&e.expr, &inner);
                    let is_open = is_ever_unknown(&equal, &relation, &inner);
                    let with = |more: Vec<Expr>| [inner.conditions.clone(), more].concat();
                    let (relation, found) =
                        self.marked(relation, inner.clone(), with(equal.clone()))?;
                    if is_open {
                        let open = with(equal.into_iter().map(or_unknown).collect());
                        let again = Inner {
                            relation: self.apart(inner.relation.clone(), &relation.columns)?,
                            ..inner.clone()
                        };
                        let open = renamed(open, &inner.relation, &again.relation);
                        let (relation, open) = self.marked(relation, again, open)?;
                        let null = Expr::Literal(ScalarValue::Boolean(None), None);
                        let literal = |b: bool| Box::new(Expr::Literal(b.into(), None));
                        let branches = vec![
                            (Box::new(found), literal(!e.negated)),
                            (Box::new(open), Box::new(null)),
                        ];
                        let otherwise = Some(literal(e.negated));
                        (relation, Expr::Case(Case::new(None, branches, otherwise)))
                    } else if e.negated {
                        (relation, Expr::Not(Box::new(found)))
                    } else {
                        (relation, found)
                    }
                }
                Expr::ScalarSubquery(query) => self.valued(relation, query, span)?,
                _ => return Err(self.mistake(span, "this subquery cannot be planned")),
            };
            relation = attached;
            expr = super::aggregates::replace(expr, &[(subquery, column)].into());
        }
        Ok((relation, Typed { expr, ty: value.ty }))
    }

    /// `x = column` for each value that IN compares.
    fn equalities(&self, value: &Expr, inner: &Inner) -> Vec<Expr> {
        let values: Vec<Expr> = match value {
            Expr::ScalarFunction(call) if call.name() == "named_struct" => {
                call.args.iter().skip(1).step_by(2).cloned().collect()
            }
            one => vec![one.clone()],
        };
        let columns = inner.relation.columns.iter().take(values.len());
        values
            .into_iter()
            .zip(columns)
            .map(|(v, c)| {
                let field = inner
                    .relation
                    .plan
                    .schema()
                    .field_with_unqualified_name(&c.id);
                let is_float = field.is_ok_and(|f| f.data_type().is_floating());
                if is_float {
                    flowline_udfs::float_comparison(flowline_udfs::Comparison::Eq)
                        .call(vec![v, c.expr()])
                } else {
                    binary(v, Operator::Eq, c.expr())
                }
            })
            .collect()
    }

    /// NOT IN over all rows of a subquery: none is left where one of them is NULL.
    fn none_of(&self, relation: Relation, inner: Inner, equal: Expr) -> Bound<Relation> {
        let (left, right) = (relation.plan, inner.relation.plan);
        let matching = Matching::of(vec![equal.clone()], left.schema(), right.schema());
        let nulls = NullEquality::NullEqualsNothing;
        // Keys are compared by their bits. What may be NULL is no key in Flink, and compared as by `=`.
        let (on, open, null_aware) = if matching.on.is_empty() || is_of_floats(&equal) {
            (Vec::new(), Some(or_unknown(equal)), false)
        } else {
            (matching.on, None, true)
        };
        let how = JoinHow {
            kind: JoinType::LeftAnti,
            nulls,
            null_aware,
        };
        let plan = self.join_plan(left, right, on, open, how, Span::empty())?;
        Ok(Relation {
            plan,
            columns: relation.columns,
        })
    }

    /// A semi or anti join.
    fn matched(
        &self,
        relation: Relation,
        inner: Inner,
        conditions: Vec<Expr>,
        kind: JoinType,
    ) -> Bound<Relation> {
        let (plan, columns) = (relation.plan, relation.columns);
        let right = inner.relation.plan;
        let plan = self.join_on(plan, right, conditions, kind, Span::empty())?;
        Ok(Relation { plan, columns })
    }

    /// The relation with a column that says whether a row of `inner` matches.
    fn marked(
        &mut self,
        relation: Relation,
        inner: Inner,
        conditions: Vec<Expr>,
    ) -> Bound<(Relation, Expr)> {
        let mut columns = relation.columns;
        let right = inner.relation.plan;
        let (left, kind) = (relation.plan, JoinType::LeftMark);
        let plan = self.join_on(left, right, conditions, kind, Span::empty())?;
        // The mark is the last column; it is called the same in every join.
        let id = self.fresh_name("mark");
        let (qualifier, mark) = plan.schema().qualified_field(columns.len());
        let mark = Expr::Column(Column::new(qualifier.cloned(), mark.name()));
        let exprs = columns
            .iter()
            .map(ScopeColumn::expr)
            .chain([mark.alias(&id)]);
        let plan = self.projection(plan, exprs.collect(), Span::empty())?;
        let column = ScopeColumn::unnamed(&id, SqlType::not_null(Kind::Boolean));
        let expr = column.expr();
        columns.push(column);
        Ok((Relation { plan, columns }, expr))
    }

    /// Makes sure that there is one row at most, for each value of what ties it to the rows around it: more than one is an error
    /// when it is there, as with Flink's SINGLE_VALUE.
    fn only_row(&mut self, inner: &mut Inner, span: Span) -> Bound<()> {
        let Some(column) = inner.relation.columns.first().cloned() else {
            return Ok(());
        };
        let is_own = |e: &Expr| {
            let columns = &inner.relation.columns;
            e.column_refs()
                .iter()
                .all(|c| columns.iter().any(|own| own.id == c.name))
        };
        let mut keys = Vec::new();
        let mut conditions = Vec::new();
        for condition in &inner.conditions {
            let (own, around) = match condition {
                Expr::BinaryExpr(e) if e.op == Operator::Eq && is_own(&e.left) => {
                    (&e.left, &e.right)
                }
                Expr::BinaryExpr(e) if e.op == Operator::Eq && is_own(&e.right) => {
                    (&e.right, &e.left)
                }
                _ => {
                    return Err(self.unsupported(
                        span,
                        "a subquery that stands for a value and depends on the row around it other than by =",
                        "take MAX(x) of it, or join its table",
                    ));
                }
            };
            let id = self.fresh_name("key");
            let key = Expr::Column(Column::new_unqualified(&id));
            conditions.push(binary(key, Operator::Eq, around.as_ref().clone()));
            keys.push(own.as_ref().clone().alias(&id));
        }
        let only = flowline_udfs::single_value().call(vec![column.expr()]);
        let mut order = vec![column.expr()];
        order.extend(keys.iter().map(|k| {
            let name = k.schema_name().to_string();
            Expr::Column(Column::new_unqualified(name))
        }));
        let plan = LogicalPlanBuilder::from(inner.relation.plan.clone())
            .aggregate(keys, vec![only.alias(&column.id)]);
        let plan = self.datafusion(span, plan.and_then(LogicalPlanBuilder::build))?;
        let plan = self.projection(plan, order, span)?;
        inner.relation = Relation {
            columns: unnamed_columns(&plan),
            plan,
        };
        inner.conditions = conditions;
        Ok(())
    }

    /// The relation with the value of a scalar subquery.
    fn valued(
        &mut self,
        relation: Relation,
        query: &Subquery,
        span: Span,
    ) -> Bound<(Relation, Expr)> {
        let is_single = gives_one_row(&query.subquery);
        let mut inner = self.inner(query, &relation)?;
        if !is_single {
            self.only_row(&mut inner, span)?;
        }
        let id = inner.relation.columns.first().map(|c| c.id.clone());
        let Some(id) = id else {
            return Err(self.mistake(span, "a query that stands for a value has one column"));
        };
        let value = Expr::Column(Column::new_unqualified(&id));
        let empty = inner.empty.clone();
        let mut columns = relation.columns;
        columns.extend(inner.relation.columns.iter().map(|c| ScopeColumn {
            name: String::new(),
            is_hidden: true,
            ..c.clone()
        }));
        let conditions = inner.conditions.clone();
        let marker = inner.relation.columns.last().map(|c| c.id.clone());
        let right = inner.relation.plan;
        let (left, kind) = (relation.plan, JoinType::Left);
        let plan = self.join_on(left, right, conditions, kind, Span::empty())?;
        // COUNT of no rows is 0, but where no row meets the join gives NULL.
        let value = match (empty, marker) {
            (Some(empty), Some(marker)) => {
                let marker = Expr::Column(Column::new_unqualified(marker));
                let is_missing = Expr::IsNull(Box::new(marker));
                let branch = (Box::new(is_missing), Box::new(empty));
                Expr::Case(Case::new(None, vec![branch], Some(Box::new(value))))
            }
            _ => value,
        };
        Ok((Relation { plan, columns }, value))
    }
}

fn held(plan: LogicalPlan) -> Subquery {
    Subquery {
        subquery: Arc::new(plan),
        outer_ref_columns: Vec::new(),
        spans: Spans::new(),
    }
}

fn is_of_floats(equal: &Expr) -> bool {
    matches!(equal, Expr::ScalarFunction(call) if is_float_equality(&call.func))
}

/// Whether a comparison of these can be NULL.
fn is_ever_unknown(equal: &[Expr], around: &Relation, inner: &Inner) -> bool {
    let schema = around.plan.schema().join(inner.relation.plan.schema());
    match schema {
        Ok(schema) => equal.iter().any(|e| e.nullable(&schema).unwrap_or(true)),
        Err(_) => true,
    }
}

/// `condition` where it is not false.
fn or_unknown(condition: Expr) -> Expr {
    Expr::IsNotFalse(Box::new(condition))
}
