//! Subqueries as joins, with SQL's three-valued logic.
//!
//! `x IN (S)` is true where a row of S equals x, unknown where none does but the comparison with one is unknown, else false. So
//! as a condition IN is a semi join, NOT IN an anti join on "equal or unknown", EXISTS a semi join; anywhere else each becomes a
//! column that a mark join adds. A scalar subquery is a left join with the row that it gives.

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, JoinType, NullEquality, ScalarValue, Spans};
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::{
    Aggregate, Case, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator, Subquery,
};
use sqlparser::ast::{self, BinaryOperator, Query, Spanned};
use sqlparser::tokenizer::Span;
use std::sync::Arc;

use super::aggregates::Replaced;
use super::arithmetic::binary;
use super::expressions::{has_subquery, innermost};
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
                    "IN compares {} values with a query of {} columns",
                    values.len(),
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
        let plan = LogicalPlanBuilder::from(relation.plan).project(
            columns
                .into_iter()
                .enumerate()
                .map(|(i, c)| c.alias(format!("$in{i}"))),
        );
        let plan = self.datafusion(span, plan.and_then(LogicalPlanBuilder::build))?;
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
        let (on, open, null_aware) = if matching.on.is_empty() || !matching.rest.is_empty() {
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
        let plan = LogicalPlanBuilder::from(plan).project(exprs.collect::<Vec<_>>());
        let plan = self.datafusion(Span::empty(), plan.and_then(LogicalPlanBuilder::build))?;
        let column = ScopeColumn::unnamed(&id, SqlType::not_null(Kind::Boolean));
        let expr = column.expr();
        columns.push(column);
        Ok((Relation { plan, columns }, expr))
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
        if !is_single && !inner.conditions.is_empty() {
            return Err(self.mistake_with(
                span,
                "a subquery that stands for a value and depends on the row around it must aggregate",
                "take MAX(x), or join its table",
            ));
        }
        if !is_single && let Some(column) = inner.relation.columns.first().cloned() {
            // More than one row is an error when it is there.
            let only = flowline_udfs::single_value().call(vec![column.expr()]);
            let plan = LogicalPlanBuilder::from(inner.relation.plan)
                .aggregate(Vec::<Expr>::new(), vec![only.alias(&column.id)]);
            inner.relation = Relation {
                plan: self.datafusion(span, plan.and_then(LogicalPlanBuilder::build))?,
                columns: vec![column],
            };
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

    /// A subquery without its references to the rows around it: these are conditions now, between the two.
    fn inner(&mut self, query: &Subquery, around: &Relation) -> Bound<Inner> {
        let plan = query.subquery.as_ref().clone();
        let mut pulled = Vec::new();
        let is_correlated = has_outer(&plan);
        let empty = if is_correlated {
            empty_value(&plan)
        } else {
            None
        };
        let mut plan = self.pulled_up(plan, &mut pulled)?;
        if empty.is_some() {
            let marker = self.fresh_name("there");
            let mut exprs: Vec<Expr> = plan
                .schema()
                .columns()
                .into_iter()
                .map(Expr::Column)
                .collect();
            exprs.push(Expr::Literal(true.into(), None).alias(marker));
            let marked = LogicalPlanBuilder::from(plan).project(exprs);
            plan = self.datafusion(Span::empty(), marked.and_then(LogicalPlanBuilder::build))?;
        }
        let columns: Vec<ScopeColumn> = plan
            .schema()
            .fields()
            .iter()
            .map(|f| {
                let ty = SqlType {
                    nullable: f.is_nullable(),
                    ..crate::planner::types::sql_type(f.data_type())
                };
                ScopeColumn::unnamed(f.name(), ty)
            })
            .collect();
        let before = Relation { plan, columns };
        let relation = self.apart(before.clone(), &around.columns)?;
        let conditions = renamed(pulled, &before, &relation);
        let conditions = conditions.into_iter().map(joined_columns).collect();
        Ok(Inner {
            relation,
            conditions,
            empty,
        })
    }

    fn correlated(&self, what: &str) -> Box<crate::sql::Diagnostic> {
        self.unsupported(
            Span::empty(),
            &format!("{what} in a subquery that depends on the row around it"),
            "write it as a join",
        )
    }

    /// Takes the conditions with outer references out of a plan; what they are over stays among its columns.
    fn pulled_up(&mut self, plan: LogicalPlan, pulled: &mut Vec<Expr>) -> Bound<LogicalPlan> {
        if !has_outer(&plan) {
            return Ok(plan);
        }
        let span = Span::empty();
        match plan {
            LogicalPlan::Filter(filter) => {
                let input = Arc::unwrap_or_clone(filter.input);
                let input = self.pulled_up(input, pulled)?;
                let mut own = Vec::new();
                for part in
                    datafusion::logical_expr::utils::split_conjunction_owned(filter.predicate)
                {
                    if part.contains_outer() {
                        pulled.push(part);
                    } else {
                        own.push(part);
                    }
                }
                match datafusion::logical_expr::utils::conjunction(own) {
                    None => Ok(input),
                    Some(own) => {
                        let plan = LogicalPlanBuilder::from(input).filter(own);
                        self.datafusion(span, plan.and_then(LogicalPlanBuilder::build))
                    }
                }
            }
            LogicalPlan::Projection(projection) => {
                if projection.expr.iter().any(Expr::contains_outer) {
                    return Err(self.correlated("a column of the query around it in SELECT"));
                }
                let before = pulled.len();
                let input = Arc::unwrap_or_clone(projection.input);
                let input = self.pulled_up(input, pulled)?;
                let mut exprs = projection.expr;
                let mut kept = Vec::new();
                for condition in &mut pulled[before..] {
                    *condition = self.kept_columns(condition.clone(), &mut exprs, &mut kept);
                }
                let plan = LogicalPlanBuilder::from(input).project(exprs);
                self.datafusion(span, plan.and_then(LogicalPlanBuilder::build))
            }
            LogicalPlan::Aggregate(aggregate) => {
                let before = pulled.len();
                let input = Arc::unwrap_or_clone(aggregate.input);
                let input = self.pulled_up(input, pulled)?;
                let mut keys = aggregate.group_expr;
                if keys.iter().any(|k| matches!(k, Expr::GroupingSet(_))) {
                    return Err(self.correlated("GROUPING SETS"));
                }
                for condition in &mut pulled[before..] {
                    let Some((own, around)) = sides(condition) else {
                        return Err(
                            self.correlated("an aggregation over a comparison other than =")
                        );
                    };
                    // Rows are grouped by what is compared, not by the columns that it is made of.
                    let (key, own) = match own {
                        Expr::Column(_) => (own.clone(), own),
                        value => {
                            let name = self.fresh_name("kept");
                            let column = Expr::Column(Column::new_unqualified(&name));
                            (value.alias(name), column)
                        }
                    };
                    if !keys.contains(&key) {
                        keys.push(key);
                    }
                    *condition = binary(own, Operator::Eq, around);
                }
                let plan = LogicalPlanBuilder::from(input).aggregate(keys, aggregate.aggr_expr);
                self.datafusion(span, plan.and_then(LogicalPlanBuilder::build))
            }
            LogicalPlan::Join(join) if join.join_type == JoinType::Inner => {
                let how = JoinHow::of(&join);
                let left = self.pulled_up(Arc::unwrap_or_clone(join.left), pulled)?;
                let right = self.pulled_up(Arc::unwrap_or_clone(join.right), pulled)?;
                let on_outer = |e: &(Expr, Expr)| e.0.contains_outer() || e.1.contains_outer();
                if join.on.iter().any(on_outer) {
                    return Err(self.correlated("ON"));
                }
                let (outer, own): (Vec<Expr>, Vec<Expr>) = join
                    .filter
                    .map(datafusion::logical_expr::utils::split_conjunction_owned)
                    .unwrap_or_default()
                    .into_iter()
                    .partition(Expr::contains_outer);
                pulled.extend(outer);
                let filter = datafusion::logical_expr::utils::conjunction(own);
                self.join_plan(left, right, join.on, filter, how, span)
            }
            LogicalPlan::Join(join)
                if matches!(
                    join.join_type,
                    JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark | JoinType::Left
                ) && !has_outer(&join.right)
                    && join.filter.as_ref().is_none_or(|f| !f.contains_outer())
                    && !join
                        .on
                        .iter()
                        .any(|(a, b)| a.contains_outer() || b.contains_outer()) =>
            {
                let how = JoinHow::of(&join);
                let left = self.pulled_up(Arc::unwrap_or_clone(join.left), pulled)?;
                let right = Arc::unwrap_or_clone(join.right);
                self.join_plan(left, right, join.on, join.filter, how, span)
            }
            LogicalPlan::Window(_) => Err(self.correlated("OVER")),
            LogicalPlan::Limit(_) => Err(self.correlated("LIMIT")),
            LogicalPlan::Union(_) => Err(self.correlated("UNION")),
            LogicalPlan::Sort(sort) => self.pulled_up(Arc::unwrap_or_clone(sort.input), pulled),
            _ => Err(self.correlated("this")),
        }
    }

    /// A condition over columns that a projection lets through, some of them only for it.
    fn kept_columns(
        &mut self,
        condition: Expr,
        exprs: &mut Vec<Expr>,
        kept: &mut Vec<(Column, String)>,
    ) -> Expr {
        let original = condition.clone();
        let done = condition.transform_up(|e| {
            let Expr::Column(column) = &e else {
                return Ok(Transformed::no(e));
            };
            // A column that is let through under its own name.
            let own = |x: &Expr| matches!(x, Expr::Column(c) if c.name == column.name);
            if exprs.iter().any(own) {
                return Ok(Transformed::no(e));
            }
            let name = match kept.iter().find(|(c, _)| c == column) {
                Some((_, name)) => name.clone(),
                None => {
                    let name = self.fresh_name("kept");
                    exprs.push(e.clone().alias(&name));
                    kept.push((column.clone(), name.clone()));
                    name
                }
            };
            Ok(Transformed::yes(Expr::Column(Column::new_unqualified(
                name,
            ))))
        });
        done.map_or(original, |t| t.data)
    }
}

/// A subquery that no longer depends on the rows around it.
#[derive(Debug, Clone)]
struct Inner {
    relation: Relation,
    /// What ties its rows to those around it.
    conditions: Vec<Expr>,
    /// What it gives where none of its rows is tied, if that is not NULL; then its last column is true in every row.
    empty: Option<Expr>,
}

/// Of `own = around`, either way round: what is over the subquery's rows alone, and what is over the row around it alone.
fn sides(condition: &Expr) -> Option<(Expr, Expr)> {
    let Expr::BinaryExpr(e) = condition else {
        return None;
    };
    let (own, around) = if e.left.contains_outer() {
        (&e.right, &e.left)
    } else {
        (&e.left, &e.right)
    };
    let is_split = e.op == Operator::Eq
        && around.contains_outer()
        && !own.contains_outer()
        && around.column_refs().is_empty();
    is_split.then(|| (own.as_ref().clone(), around.as_ref().clone()))
}

fn held(plan: LogicalPlan) -> Subquery {
    Subquery {
        subquery: Arc::new(plan),
        outer_ref_columns: Vec::new(),
        spans: Spans::new(),
    }
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

fn has_outer(plan: &LogicalPlan) -> bool {
    plan.exists(|node| {
        let mut found = false;
        let _ = node.apply_expressions(|e| {
            found |= e.contains_outer();
            Ok(TreeNodeRecursion::Continue)
        });
        Ok(found)
    })
    .unwrap_or(false)
}

/// Outer references as the columns that they are once both sides are joined.
fn joined_columns(condition: Expr) -> Expr {
    let original = condition.clone();
    let done = condition.transform_up(|e| {
        Ok(match e {
            Expr::OuterReferenceColumn(_, column) => Transformed::yes(Expr::Column(column)),
            other => Transformed::no(other),
        })
    });
    done.map_or(original, |t| t.data)
}

/// Conditions over the columns of `from` as ones over those of `to`, which are the same under other names.
fn renamed(conditions: Vec<Expr>, from: &Relation, to: &Relation) -> Vec<Expr> {
    let rename = |condition: Expr| {
        let original = condition.clone();
        let done = condition.transform_up(|e| {
            Ok(match &e {
                Expr::Column(column) => {
                    match from.columns.iter().position(|c| c.id == column.name) {
                        Some(i) => Transformed::yes(to.columns[i].expr()),
                        None => Transformed::no(e),
                    }
                }
                _ => Transformed::no(e),
            })
        });
        done.map_or(original, |t| t.data)
    };
    conditions.into_iter().map(rename).collect()
}

/// The aggregation without groups whose one row a plan passes on.
fn whole_aggregate(plan: &LogicalPlan) -> Option<&Aggregate> {
    match plan {
        LogicalPlan::Projection(p) => whole_aggregate(&p.input),
        LogicalPlan::Aggregate(a) if a.group_expr.is_empty() => Some(a),
        _ => None,
    }
}

/// Whether a plan gives at most one row, for each row around it.
fn gives_one_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(p) => gives_one_row(&p.input),
        LogicalPlan::Filter(f) => gives_one_row(&f.input),
        LogicalPlan::Aggregate(a) => a.group_expr.is_empty(),
        LogicalPlan::Limit(l) => {
            matches!(l.get_fetch_type(), Ok(datafusion::logical_expr::FetchType::Literal(Some(n))) if n <= 1)
        }
        LogicalPlan::EmptyRelation(_) => true,
        _ => false,
    }
}

/// What a correlated aggregation gives for no rows, where that is not NULL: its SELECT with 0 for every COUNT.
fn empty_value(plan: &LogicalPlan) -> Option<Expr> {
    whole_aggregate(plan)?;
    let mut value = plan.schema().columns().first().cloned().map(Expr::Column)?;
    let mut at = plan;
    loop {
        match at {
            LogicalPlan::Projection(p) => {
                let columns = p.schema.columns();
                let exprs: Replaced = columns
                    .into_iter()
                    .map(Expr::Column)
                    .zip(p.expr.iter().map(|e| e.clone().unalias()))
                    .collect();
                value = super::aggregates::replace(value, &exprs);
                at = &p.input;
            }
            LogicalPlan::Aggregate(a) => {
                let columns = a.schema.columns().into_iter().map(Expr::Column);
                let calls = a.aggr_expr.iter().zip(a.schema.fields());
                let nothing: Replaced = columns
                    .zip(calls.map(|(call, field)| of_no_rows(call, field.data_type())))
                    .collect();
                value = super::aggregates::replace(value, &nothing);
                return Some(value).filter(|v| !is_null(v));
            }
            _ => return None,
        }
    }
}

fn is_null(expr: &Expr) -> bool {
    super::literals::evaluate(expr).is_some_and(|v| v.is_null())
}

fn of_no_rows(aggregate: &Expr, data_type: &DataType) -> Expr {
    match aggregate.clone().unalias() {
        Expr::AggregateFunction(f) if f.func.name() == "count" => {
            Expr::Literal(ScalarValue::Int64(Some(0)), None)
        }
        _ => {
            let null = ScalarValue::try_from(data_type).unwrap_or(ScalarValue::Null);
            Expr::Literal(null, None)
        }
    }
}
