//! Subqueries made independent of the rows around them: what ties the two becomes the condition of a join.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, JoinType, ScalarValue};
use datafusion::logical_expr::{
    Aggregate, Expr, LogicalPlan, LogicalPlanBuilder, Operator, Subquery,
};
use sqlparser::tokenizer::Span;

use super::aggregates::Replaced;
use super::arithmetic::binary;
use super::joins::JoinHow;
use super::scope::{Relation, ScopeColumn};
use super::{Binder, Bound};
use crate::sql::ast::SqlType;

/// A subquery that no longer depends on the rows around it.
#[derive(Debug, Clone)]
pub(super) struct Inner {
    pub relation: Relation,
    /// What ties its rows to those around it.
    pub conditions: Vec<Expr>,
    /// What it gives where none of its rows is tied, if that is not NULL; then its last column is true in every row.
    pub empty: Option<Expr>,
}

impl Binder<'_> {
    /// A subquery without its references to the rows around it: these are conditions now, between the two.
    pub(super) fn inner(&mut self, query: &Subquery, around: &Relation) -> Bound<Inner> {
        let plan = query.subquery.as_ref().clone();
        let mut pulled = Vec::new();
        let is_correlated = has_outer(&plan);
        let empty = if is_correlated {
            empty_value(&plan)
        } else {
            None
        };
        let mut plan = self.pulled_up(plan, &mut pulled, around)?;
        if empty.is_some() {
            let marker = self.fresh_name("there");
            let mut exprs: Vec<Expr> = plan
                .schema()
                .columns()
                .into_iter()
                .map(Expr::Column)
                .collect();
            exprs.push(Expr::Literal(true.into(), None).alias(marker));
            plan = self.projection(plan, exprs, Span::empty())?;
        }
        let columns = unnamed_columns(&plan);
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

    pub(super) fn correlated(&self, what: &str) -> Box<crate::sql::Diagnostic> {
        self.unsupported(
            Span::empty(),
            &format!("{what} in a subquery that depends on the row around it"),
            "write it as a join",
        )
    }

    /// Takes the conditions with outer references out of a plan; what they are over stays among its columns.
    pub(super) fn pulled_up(
        &mut self,
        plan: LogicalPlan,
        pulled: &mut Vec<Expr>,
        around: &Relation,
    ) -> Bound<LogicalPlan> {
        if !has_outer(&plan) {
            return Ok(plan);
        }
        let span = Span::empty();
        match plan {
            LogicalPlan::Filter(filter) => {
                let input = Arc::unwrap_or_clone(filter.input);
                let input = self.pulled_up(input, pulled, around)?;
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
                let input = self.pulled_up(input, pulled, around)?;
                let mut exprs = projection.expr;
                let mut kept = Vec::new();
                for condition in &mut pulled[before..] {
                    *condition = self.kept_columns(condition.clone(), &mut exprs, &mut kept);
                }
                self.projection(input, exprs, span)
            }
            LogicalPlan::Aggregate(aggregate) => {
                let before = pulled.len();
                let input = Arc::unwrap_or_clone(aggregate.input);
                let input = self.pulled_up(input, pulled, around)?;
                let mut keys = aggregate.group_expr;
                if keys.iter().any(|k| matches!(k, Expr::GroupingSet(_))) {
                    return Err(self.correlated("GROUPING SETS"));
                }
                let conditions = pulled.split_off(before);
                let split: Option<Vec<(Expr, Expr)>> = conditions.iter().map(sides).collect();
                let Some(split) = split else {
                    let (input, each) = self.for_each_of(around, input, conditions)?;
                    for (own, outer) in each {
                        keys.push(own.clone());
                        pulled.push(binary(own, Operator::IsNotDistinctFrom, outer));
                    }
                    let plan = LogicalPlanBuilder::from(input).aggregate(keys, aggregate.aggr_expr);
                    return self.datafusion(span, plan.and_then(LogicalPlanBuilder::build));
                };
                for (own, around) in split {
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
                    pulled.push(binary(own, Operator::Eq, around));
                }
                let plan = LogicalPlanBuilder::from(input).aggregate(keys, aggregate.aggr_expr);
                self.datafusion(span, plan.and_then(LogicalPlanBuilder::build))
            }
            LogicalPlan::Join(join) if join.join_type == JoinType::Inner => {
                let how = JoinHow::of(&join);
                let left = self.pulled_up(Arc::unwrap_or_clone(join.left), pulled, around)?;
                let right = self.pulled_up(Arc::unwrap_or_clone(join.right), pulled, around)?;
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
                let left = self.pulled_up(Arc::unwrap_or_clone(join.left), pulled, around)?;
                let right = Arc::unwrap_or_clone(join.right);
                self.join_plan(left, right, join.on, join.filter, how, span)
            }
            LogicalPlan::Window(_) => Err(self.correlated("OVER")),
            LogicalPlan::Limit(_) => Err(self.correlated("LIMIT")),
            LogicalPlan::Union(_) => Err(self.correlated("UNION")),
            LogicalPlan::Sort(sort) => {
                self.pulled_up(Arc::unwrap_or_clone(sort.input), pulled, around)
            }
            _ => Err(self.correlated("this")),
        }
    }

    /// The rows of a subquery beside the different values that its conditions ask of the rows around it: each pair that meets the
    /// conditions. Gives the columns of these values, each with what it is of the row around it.
    fn for_each_of(
        &mut self,
        around: &Relation,
        input: LogicalPlan,
        conditions: Vec<Expr>,
    ) -> Bound<(LogicalPlan, Vec<(Expr, Expr)>)> {
        let mut asked: Vec<(Expr, String)> = Vec::new();
        let mut over_both = Vec::new();
        for condition in conditions {
            let original = condition.clone();
            let done = condition.transform_up(|e| {
                if !matches!(e, Expr::OuterReferenceColumn(..)) {
                    return Ok(Transformed::no(e));
                }
                let name = match asked.iter().find(|(outer, _)| *outer == e) {
                    Some((_, name)) => name.clone(),
                    None => {
                        let name = self.fresh_name("each");
                        asked.push((e, name.clone()));
                        name
                    }
                };
                let column = Column::new_unqualified(name);
                Ok(Transformed::yes(Expr::Column(column)))
            });
            over_both.push(done.map_or(original, |t| t.data));
        }
        let is_known = |outer: &Expr| {
            let Expr::OuterReferenceColumn(_, column) = outer else {
                return false;
            };
            around.columns.iter().any(|c| c.id == column.name)
        };
        if has_outer(&around.plan) || !asked.iter().all(|(outer, _)| is_known(outer)) {
            return Err(self.correlated("an aggregation over a comparison other than ="));
        }
        let span = Span::empty();
        let values = asked
            .iter()
            .map(|(outer, name)| joined_columns(outer.clone()).alias(name));
        let each = self.projection(around.plan.clone(), values.collect(), span)?;
        let columns = || {
            asked
                .iter()
                .map(|(_, name)| Expr::Column(Column::new_unqualified(name)))
        };
        let each = LogicalPlanBuilder::from(each).aggregate(columns(), Vec::<Expr>::new());
        let each = self.datafusion(span, each.and_then(LogicalPlanBuilder::build))?;
        let plan = self.join_on(input, each, over_both, JoinType::Inner, span)?;
        let outer = asked.iter().map(|(outer, _)| outer.clone());
        Ok((plan, columns().zip(outer).collect()))
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

/// The columns of a plan, without names.
pub(super) fn unnamed_columns(plan: &LogicalPlan) -> Vec<ScopeColumn> {
    let of_field = |f: &FieldRef| {
        let ty = SqlType {
            nullable: f.is_nullable(),
            ..crate::planner::types::sql_type(f.data_type())
        };
        ScopeColumn::unnamed(f.name(), ty)
    };
    plan.schema().fields().iter().map(of_field).collect()
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
pub(super) fn renamed(conditions: Vec<Expr>, from: &Relation, to: &Relation) -> Vec<Expr> {
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
pub(super) fn whole_aggregate(plan: &LogicalPlan) -> Option<&Aggregate> {
    match plan {
        LogicalPlan::Projection(p) => whole_aggregate(&p.input),
        LogicalPlan::Aggregate(a) if a.group_expr.is_empty() => Some(a),
        _ => None,
    }
}

/// Whether a plan gives at most one row, for each row around it.
pub(super) fn gives_one_row(plan: &LogicalPlan) -> bool {
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
