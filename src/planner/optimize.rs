//! What is done to a bound plan before it becomes a graph or is answered at once.
//!
//! A rule is here only if it can change neither an answer nor whether there is an error:
//!
//! * [`PushFilters`]: conditions that cannot fail are asked as early as they can be, and become keys of joins.
//! * [`OuterJoins`]: an outer join whose missing rows a condition drops is an inner one, so no changes of it are retracted.
//! * `OptimizeUnions`: a union within a union is one.
//! * `CommonSubexprEliminate`: an expression that occurs twice is evaluated once, unless it is evaluated conditionally.
//! * `OptimizeProjections`: sources decode only the columns that are asked for.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, JoinType};
use datafusion::error::Result;
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Expr, Filter, Join, LogicalPlan, Projection};
use datafusion::optimizer::common_subexpr_eliminate::CommonSubexprEliminate;
use datafusion::optimizer::eliminate_outer_join::EliminateOuterJoin;
use datafusion::optimizer::optimize_projections::OptimizeProjections;
use datafusion::optimizer::optimize_unions::OptimizeUnions;
use datafusion::optimizer::{
    ApplyOrder, Optimizer, OptimizerConfig, OptimizerContext, OptimizerRule,
};

use super::bind::{Matching, can_fail};

/// The rules, in order.
pub fn rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    vec![
        Arc::new(OptimizeUnions::new()),
        Arc::new(OuterJoins),
        Arc::new(PushFilters),
        Arc::new(CommonSubexprEliminate::new()),
        Arc::new(OptimizeProjections::new()),
    ]
}

/// Applies the rules.
///
/// # Errors
/// A plan that DataFusion does not take: a bug.
pub fn optimize(plan: LogicalPlan) -> Result<LogicalPlan> {
    let context = OptimizerContext::new().with_skip_failing_rules(false);
    Optimizer::with_rules(rules()).optimize(plan, &context, |_, _| {})
}

/// DataFusion's `EliminateOuterJoin`, where it is worth it. To see whether a condition drops missing rows it writes the condition
/// out over the columns of the join; through views over views that can double it with each of them.
#[derive(Debug)]
struct OuterJoins;

impl OptimizerRule for OuterJoins {
    fn name(&self) -> &str {
        "outer_joins"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        EliminateOuterJoin::new().apply_order()
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        match &plan {
            LogicalPlan::Filter(filter) if is_short_over_join(filter) => {
                EliminateOuterJoin::new().rewrite(plan, config)
            }
            _ => Ok(Transformed::no(plan)),
        }
    }
}

/// Whether there is an outer join under a filter and projections, and the condition written out over it has few columns.
fn is_short_over_join(filter: &Filter) -> bool {
    /// Mentions of columns.
    const MOST: usize = 1000;
    let mentions = |expr: &Expr, times: usize, out: &mut HashMap<Column, usize>| {
        // The visitor itself never fails.
        let _ = expr.apply(|e| {
            if let Expr::Column(column) = e {
                let count = out.entry(column.clone()).or_default();
                *count = count.saturating_add(times);
            }
            Ok(TreeNodeRecursion::Continue)
        });
    };
    let mut mentioned = HashMap::new();
    mentions(&filter.predicate, 1, &mut mentioned);
    let mut at = filter.input.as_ref();
    loop {
        let total = mentioned
            .values()
            .fold(0_usize, |sum, n| sum.saturating_add(*n));
        match at {
            _ if total > MOST => return false,
            LogicalPlan::Projection(projection) => {
                let mut below = HashMap::new();
                for (column, times) in mentioned {
                    let place = projection.schema.maybe_index_of_column(&column);
                    if let Some(expr) = place.and_then(|i| projection.expr.get(i)) {
                        mentions(expr, times, &mut below);
                    }
                }
                mentioned = below;
                at = &projection.input;
            }
            LogicalPlan::Join(join) => return join.join_type.is_outer(),
            _ => return false,
        }
    }
}

/// Moves conditions that cannot fail towards the rows: through columns that are only passed on, and into joins.
#[derive(Debug)]
struct PushFilters;

impl OptimizerRule for PushFilters {
    fn name(&self) -> &str {
        "push_filters"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        match plan {
            LogicalPlan::Filter(filter) => push(filter),
            LogicalPlan::Join(join) => split_filter(join),
            other => Ok(Transformed::no(other)),
        }
    }
}

fn filtered(input: LogicalPlan, conditions: Vec<Expr>) -> Result<LogicalPlan> {
    Ok(match conjunction(conditions) {
        Some(predicate) => LogicalPlan::Filter(Filter::try_new(predicate, Arc::new(input))?),
        None => input,
    })
}

fn is_over(expr: &Expr, plan: &LogicalPlan) -> bool {
    let schema = plan.schema();
    expr.column_refs()
        .iter()
        .all(|c| schema.maybe_index_of_column(c).is_some())
}

/// A condition that may be asked elsewhere: it cannot fail, and asking twice gives the same.
fn is_movable(expr: &Expr) -> bool {
    !can_fail(expr) && !expr.is_volatile()
}

fn push(filter: Filter) -> Result<Transformed<LogicalPlan>> {
    let conditions = split_conjunction_owned(filter.predicate.clone());
    match filter.input.as_ref() {
        LogicalPlan::Projection(projection) => {
            // Through columns that are passed on as they are.
            let through = |condition: &Expr| -> Option<Expr> {
                let mut renamed = HashMap::new();
                for column in condition.column_refs() {
                    let at = projection.schema.maybe_index_of_column(column)?;
                    let source = projection.expr.get(at)?.clone().unalias();
                    if !matches!(source, Expr::Column(_)) {
                        return None;
                    }
                    renamed.insert(Expr::Column(column.clone()), source);
                }
                Some(super::bind::replace(condition.clone(), &renamed))
            };
            let (mut below, mut here) = (Vec::new(), Vec::new());
            for condition in conditions {
                match Some(&condition).filter(|c| is_movable(c)).and_then(through) {
                    Some(moved) => below.push(moved),
                    None => here.push(condition),
                }
            }
            // A condition on a rank has to stay above the window's columns: it is found there.
            if below.is_empty() || is_window(&projection.input) {
                return Ok(Transformed::no(LogicalPlan::Filter(filter)));
            }
            let input = filtered(projection.input.as_ref().clone(), below)?;
            let input = Projection::try_new_with_schema(
                projection.expr.clone(),
                Arc::new(input),
                Arc::clone(&projection.schema),
            )?;
            Ok(Transformed::yes(filtered(
                LogicalPlan::Projection(input),
                here,
            )?))
        }
        LogicalPlan::Filter(inner) => {
            // The inner condition comes first, unless neither can fail.
            let own = split_conjunction_owned(inner.predicate.clone());
            if !own.iter().chain(&conditions).all(is_movable) {
                return Ok(Transformed::no(LogicalPlan::Filter(filter)));
            }
            let input = inner.input.as_ref().clone();
            Ok(Transformed::yes(filtered(
                input,
                [own, conditions].concat(),
            )?))
        }
        LogicalPlan::Join(join) => push_into_join(&filter, join, conditions),
        _ => Ok(Transformed::no(LogicalPlan::Filter(filter))),
    }
}

fn is_window(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Window(_) => true,
        LogicalPlan::Projection(p) => is_window(&p.input),
        _ => false,
    }
}

fn push_into_join(
    filter: &Filter,
    join: &Join,
    conditions: Vec<Expr>,
) -> Result<Transformed<LogicalPlan>> {
    use JoinType::{Inner, Left, LeftAnti, LeftMark, LeftSemi, Right};
    let keeps_left = matches!(
        join.join_type,
        Inner | Left | LeftSemi | LeftAnti | LeftMark
    );
    let keeps_right = matches!(join.join_type, Inner | Right);
    let (mut left, mut right, mut both, mut here) = (vec![], vec![], vec![], vec![]);
    for condition in conditions {
        if !is_movable(&condition) || condition.column_refs().is_empty() {
            here.push(condition);
        } else if keeps_left && is_over(&condition, &join.left) {
            left.push(condition);
        } else if keeps_right && is_over(&condition, &join.right) {
            right.push(condition);
        } else if join.join_type == Inner {
            both.push(condition);
        } else {
            here.push(condition);
        }
    }
    if left.is_empty() && right.is_empty() && both.is_empty() {
        return Ok(Transformed::no(LogicalPlan::Filter(filter.clone())));
    }
    let mut on = join.on.clone();
    let mut rest: Vec<Expr> = join.filter.clone().into_iter().collect();
    let matching = Matching::of(both, join.left.schema(), join.right.schema());
    if matching.nulls_equal {
        // Keys of another kind than those there are stay conditions.
        let as_condition = |(a, b): (Expr, Expr)| {
            datafusion::logical_expr::binary_expr(
                a,
                datafusion::logical_expr::Operator::IsNotDistinctFrom,
                b,
            )
        };
        rest.extend(matching.on.into_iter().map(as_condition));
    } else {
        on.extend(matching.on);
    }
    rest.extend(matching.rest);
    let joined = Join::try_new(
        Arc::new(filtered(join.left.as_ref().clone(), left)?),
        Arc::new(filtered(join.right.as_ref().clone(), right)?),
        on,
        conjunction(rest),
        join.join_type,
        join.join_constraint,
        join.null_equality,
        join.null_aware,
    )?;
    Ok(Transformed::yes(filtered(LogicalPlan::Join(joined), here)?))
}

/// Conditions of ON that are about one side filter that side before the join, where the join drops what they drop.
fn split_filter(join: Join) -> Result<Transformed<LogicalPlan>> {
    use JoinType::{Inner, Left, LeftAnti, LeftMark, LeftSemi, Right};
    let Some(filter) = &join.filter else {
        return Ok(Transformed::no(LogicalPlan::Join(join)));
    };
    let drops_left = matches!(join.join_type, Inner | Right | LeftSemi);
    let drops_right = matches!(
        join.join_type,
        Inner | Left | LeftSemi | LeftAnti | LeftMark
    );
    let (mut left, mut right, mut here) = (vec![], vec![], vec![]);
    for condition in split_conjunction_owned(filter.clone()) {
        if !is_movable(&condition) || condition.column_refs().is_empty() {
            here.push(condition);
        } else if drops_left && is_over(&condition, &join.left) {
            left.push(condition);
        } else if drops_right && is_over(&condition, &join.right) {
            right.push(condition);
        } else {
            here.push(condition);
        }
    }
    if left.is_empty() && right.is_empty() {
        return Ok(Transformed::no(LogicalPlan::Join(join)));
    }
    let joined = Join::try_new(
        Arc::new(filtered(join.left.as_ref().clone(), left)?),
        Arc::new(filtered(join.right.as_ref().clone(), right)?),
        join.on.clone(),
        conjunction(here),
        join.join_type,
        join.join_constraint,
        join.null_equality,
        join.null_aware,
    )?;
    Ok(Transformed::yes(LogicalPlan::Join(joined)))
}
