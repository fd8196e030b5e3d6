//! Aggregate functions and GROUP BY.

use std::collections::{HashMap, HashSet};

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{
    AggregateUDF, Cast, EmptyRelation, Expr, ExprSchemable, GroupingSet, LogicalPlan,
    LogicalPlanBuilder, Operator,
};
use sqlparser::ast::{self, Spanned};
use sqlparser::tokenizer::Span;
use std::sync::Arc;

use super::arithmetic::binary;
use super::calls::Extras;
use super::scope::{Relation, Scope, ScopeColumn, ScopeName};
use super::{Binder, Bound, Typed};
use crate::sql::ast::{SqlType, SqlTypeKind as Kind};

/// GROUP BY: the expressions, each once, and which of them each grouping set has; no sets for a plain GROUP BY.
#[derive(Debug, Default)]
pub(super) struct Groups {
    pub keys: Vec<Typed>,
    pub sets: Option<Vec<Vec<usize>>>,
}

/// What expressions become once they are columns.
pub(in crate::planner) type Replaced = HashMap<Expr, Expr>;

impl Binder<'_> {
    pub(super) fn aggregate(
        &mut self,
        function: Arc<AggregateUDF>,
        name: &str,
        args: &[&ast::Expr],
        extras: &Extras<'_>,
        scope: &Scope<'_>,
        span: Span,
    ) -> Bound<Typed> {
        let bound = self.aggregate_arguments(name, args, extras, scope, span)?;
        let bound = self.coerced(function.as_ref(), bound, span)?;
        let filter = self.filter_of(extras, scope)?;
        let args: Vec<Expr> = bound.into_iter().map(|a| a.expr).collect();
        if args
            .iter()
            .chain(filter.as_deref())
            .any(super::expressions::has_subquery)
        {
            return Err(self.unsupported(
                span,
                "a subquery within an aggregate function",
                "select its value in a subquery, and aggregate that",
            ));
        }
        if args.iter().any(has_aggregate) {
            return Err(self.mistake_with(
                span,
                "Aggregate expressions cannot be nested",
                "aggregate in a subquery, and its result around it",
            ));
        }
        let function =
            AggregateFunction::new_udf(function, args, extras.distinct, filter, Vec::new(), None);
        self.typed_by_arrow(Expr::AggregateFunction(function), scope, span)
    }

    /// What an aggregate function is over; COUNT(*) counts a constant.
    pub(super) fn aggregate_arguments(
        &mut self,
        name: &str,
        args: &[&ast::Expr],
        extras: &Extras<'_>,
        scope: &Scope<'_>,
        span: Span,
    ) -> Bound<Vec<Typed>> {
        if name == "COUNT" && args.is_empty() && (extras.distinct || !extras.wildcard) {
            let help = "COUNT(*) counts rows, COUNT(DISTINCT a) the values of a column";
            let shown = if extras.distinct {
                "COUNT(DISTINCT *)"
            } else {
                "COUNT()"
            };
            return Err(self.mistake_with(span, format!("Flink SQL has no {shown}"), help));
        }
        if name == "COUNT" && args.is_empty() {
            let one = Expr::Literal(ScalarValue::Int64(Some(1)), None);
            return Ok(vec![Typed::new(one, Kind::BigInt, false)]);
        }
        if extras.wildcard {
            return Err(self.mistake(span, format!("* goes with COUNT, not with {name}")));
        }
        if name == "COUNT" && args.len() > 1 {
            return Err(self.mistake_with(
                span,
                "COUNT takes one argument",
                "Flink refuses more; COUNT(*) FILTER (WHERE a IS NOT NULL AND b IS NOT NULL) counts rows where both are there",
            ));
        }
        args.iter().map(|a| self.expr(a, scope)).collect()
    }

    pub(super) fn grouping(&self, args: Vec<Typed>, span: Span) -> Bound<Typed> {
        if args.is_empty() {
            return Err(self.mistake(span, "GROUPING takes columns of GROUP BY"));
        }
        let args = args.into_iter().map(|a| a.expr).collect();
        let call = AggregateFunction::new_udf(
            datafusion::functions_aggregate::grouping::grouping_udaf(),
            args,
            false,
            None,
            Vec::new(),
            None,
        );
        Ok(Typed::new(
            Expr::AggregateFunction(call),
            Kind::BigInt,
            false,
        ))
    }

    /// The expressions and sets of GROUP BY.
    pub(super) fn groups(
        &mut self,
        group_by: &ast::GroupByExpr,
        scope: &Scope<'_>,
    ) -> Bound<Groups> {
        let ast::GroupByExpr::Expressions(exprs, modifiers) = group_by else {
            return Err(self.mistake_with(
                Span::empty(),
                "Flink SQL has no GROUP BY ALL",
                "name the columns: GROUP BY a, b",
            ));
        };
        if !modifiers.is_empty() {
            return Err(self.mistake(
                Span::empty(),
                "write GROUP BY ROLLUP (...), CUBE (...) or GROUPING SETS (...)",
            ));
        }
        let mut groups = Groups::default();
        // Each item gives alternatives; all combinations of them are the sets.
        let mut sets: Vec<Vec<usize>> = vec![Vec::new()];
        let mut is_plain = true;
        for item in exprs {
            let alternatives = match item {
                ast::Expr::Rollup(lists) => {
                    is_plain = false;
                    let lists = self.group_lists(lists, &mut groups, scope)?;
                    (0..=lists.len())
                        .rev()
                        .map(|n| lists[..n].concat())
                        .collect()
                }
                ast::Expr::Cube(lists) => {
                    is_plain = false;
                    let lists = self.group_lists(lists, &mut groups, scope)?;
                    if lists.len() > 12 {
                        return Err(self.mistake(item.span(), "CUBE of more than 12 columns"));
                    }
                    (0..1usize << lists.len())
                        .rev()
                        .map(|bits| {
                            let n = lists.len();
                            let taken = |i: &usize| bits >> (n - 1 - i) & 1 == 1;
                            (0..n)
                                .filter(taken)
                                .flat_map(|i| lists[i].clone())
                                .collect()
                        })
                        .collect()
                }
                ast::Expr::GroupingSets(lists) => {
                    is_plain = false;
                    self.group_lists(lists, &mut groups, scope)?
                }
                ast::Expr::Tuple(values) => {
                    let mut list = Vec::new();
                    for value in values {
                        list.push(self.group(value, &mut groups, scope)?);
                    }
                    vec![list]
                }
                expr => vec![vec![self.group(expr, &mut groups, scope)?]],
            };
            sets = sets
                .iter()
                .flat_map(|set| {
                    alternatives
                        .iter()
                        .map(|a: &Vec<usize>| [set.as_slice(), a].concat())
                        .collect::<Vec<_>>()
                })
                .collect();
        }
        if !is_plain {
            // Sets are the same whatever the order they are written in.
            for set in &mut sets {
                set.sort_unstable();
                set.dedup();
            }
            groups.sets = Some(sets);
        }
        Ok(groups)
    }

    fn group_lists(
        &mut self,
        lists: &[Vec<ast::Expr>],
        groups: &mut Groups,
        scope: &Scope<'_>,
    ) -> Bound<Vec<Vec<usize>>> {
        lists
            .iter()
            .map(|list| {
                list.iter()
                    .map(|e| self.group(e, groups, scope))
                    .collect::<Bound<Vec<usize>>>()
            })
            .collect()
    }

    fn group(&mut self, expr: &ast::Expr, groups: &mut Groups, scope: &Scope<'_>) -> Bound<usize> {
        let bound = self.expr(expr, scope).map_err(|mut e| {
            if e.message.starts_with("Column '") && e.help.as_deref().is_some_and(|h| h.starts_with("the columns")) {
                e.help = Some("GROUP BY takes columns and expressions of FROM, not the names that SELECT gives".into());
            }
            e
        })?;
        if has_aggregate(&bound.expr) {
            return Err(self.mistake(expr.span(), "GROUP BY takes no aggregate functions"));
        }
        if super::expressions::has_subquery(&bound.expr) {
            return Err(self.unsupported(
                expr.span(),
                "a subquery in GROUP BY",
                "select its value in a subquery, and group by that",
            ));
        }
        if let Some(i) = groups.keys.iter().position(|k| k.expr == bound.expr) {
            return Ok(i);
        }
        groups.keys.push(bound);
        Ok(groups.keys.len() - 1)
    }

    /// The groups of a relation with the aggregates that are in `exprs`; and what these become over it.
    pub(super) fn grouped(
        &mut self,
        relation: Relation,
        groups: Groups,
        exprs: &[Expr],
        span: Span,
    ) -> Bound<(Relation, Replaced)> {
        // What rows are grouped by are columns.
        let mut replaced = Replaced::new();
        let mut columns: Vec<Typed> = Vec::new();
        let mut relation = relation;
        if groups
            .keys
            .iter()
            .any(|k| !matches!(k.expr, Expr::Column(_)))
        {
            let mut projected: Vec<(Typed, ScopeName)> = relation
                .columns
                .iter()
                .map(|c| (c.typed(), ScopeName::same(c)))
                .collect();
            let width = projected.len();
            for (i, c) in relation.columns.iter().enumerate() {
                // The names in the plan stay as they are.
                projected[i].1.name.clone_from(&c.id);
            }
            for key in &groups.keys {
                if !matches!(key.expr, Expr::Column(_)) {
                    projected.push((key.clone(), ScopeName::item(self.fresh_name("group"))));
                }
            }
            let names: Vec<ScopeColumn> = relation.columns.clone();
            relation = self.projected(relation, projected, span)?;
            for (column, old) in relation.columns.iter_mut().zip(names) {
                *column = old;
            }
            let mut computed = relation.columns[width..].iter();
            for key in &groups.keys {
                columns.push(match &key.expr {
                    Expr::Column(_) => key.clone(),
                    _ => {
                        let column = computed.next().map(ScopeColumn::typed);
                        let column = column.unwrap_or_else(|| key.clone());
                        replaced.insert(key.expr.clone(), column.expr.clone());
                        column
                    }
                });
            }
        } else {
            columns.clone_from(&groups.keys);
        }

        let mut calls: Vec<Expr> = Vec::new();
        let mut groupings: Vec<Expr> = Vec::new();
        let mut seen: HashSet<Expr> = HashSet::new();
        for expr in exprs {
            let _ = expr.apply(|e| {
                if let Expr::AggregateFunction(call) = e {
                    let list = if call.func.name() == "grouping" {
                        &mut groupings
                    } else {
                        &mut calls
                    };
                    if seen.insert(e.clone()) {
                        list.push(e.clone());
                    }
                    return Ok(TreeNodeRecursion::Jump);
                }
                Ok(TreeNodeRecursion::Continue)
            });
        }
        let mut taken: HashSet<String> = relation.columns.iter().map(|c| c.id.clone()).collect();
        let mut out: Vec<ScopeColumn> = Vec::new();
        for key in &columns {
            if let Expr::Column(c) = &key.expr {
                let nullable = key.ty.nullable || groups.sets.is_some();
                let ty = SqlType {
                    nullable,
                    ..key.ty.clone()
                };
                out.push(ScopeColumn::unnamed(&c.name, ty));
            }
        }
        if groups.sets.is_some() {
            let id = datafusion::logical_expr::Aggregate::INTERNAL_GROUPING_ID;
            out.push(ScopeColumn::unnamed(id, SqlType::not_null(Kind::BigInt)));
        }
        let mut aggregates = Vec::new();
        for call in calls {
            let (_, field) = self.datafusion(span, call.to_field(relation.plan.schema()))?;
            let text = super::super::text::sql_text(&call);
            let mut id = text.clone();
            let mut n = 0;
            while !taken.insert(id.clone()) {
                id = format!("{text}#{n}");
                n += 1;
            }
            let ty = SqlType {
                nullable: field.is_nullable(),
                ..crate::planner::types::sql_type(&crate::planner::types::plain_type(
                    field.data_type(),
                ))
            };
            out.push(ScopeColumn::unnamed(&id, ty));
            aggregates.push(call.clone().alias(&id));
            replaced.insert(call, Expr::Column(Column::new_unqualified(id)));
        }
        let mut keys: Vec<Expr> = columns.iter().map(|c| c.expr.clone()).collect();
        let group_exprs = match &groups.sets {
            Some(sets) => {
                let sets = sets
                    .iter()
                    .map(|set| set.iter().map(|i| keys[*i].clone()).collect())
                    .collect();
                let sets = GroupingSet::GroupingSets(sets);
                // The bits of a set stand in the order in which the sets name the expressions.
                keys = sets.distinct_expr().into_iter().cloned().collect();
                vec![Expr::GroupingSet(sets)]
            }
            None => keys.clone(),
        };
        for call in groupings {
            let bits = self.grouping_bits(&call, &groups, &keys, &replaced, span)?;
            replaced.insert(call, bits);
        }
        let is_folded = |call: &Expr| match call.clone().unalias() {
            Expr::AggregateFunction(f) => {
                matches!(f.func.name(), "count" | "sum" | "min" | "max" | "avg")
            }
            _ => false,
        };
        if keys.is_empty()
            && groups.sets.is_none()
            && aggregates.iter().all(is_folded)
            && super::emptiness::is_never(&relation.plan)
        {
            return Ok((self.of_nothing(out, &aggregates, span)?, replaced));
        }
        let plan = LogicalPlanBuilder::from(relation.plan).aggregate(group_exprs, aggregates);
        let plan = self.datafusion(span, plan.and_then(LogicalPlanBuilder::build))?;
        Ok((Relation { plan, columns: out }, replaced))
    }

    /// The one row of an aggregation over rows that there cannot be.
    fn of_nothing(&self, columns: Vec<ScopeColumn>, calls: &[Expr], span: Span) -> Bound<Relation> {
        let row = EmptyRelation {
            produce_one_row: true,
            schema: Arc::new(DFSchema::empty()),
        };
        let mut values = Vec::new();
        for (column, call) in columns.iter().zip(calls) {
            let is_count = matches!(
                call.clone().unalias(),
                Expr::AggregateFunction(f) if f.func.name() == "count"
            );
            let value = if is_count {
                Expr::Literal(ScalarValue::Int64(Some(0)), None)
            } else {
                self.null(&column.ty.kind, span)?.expr
            };
            values.push(value.alias(&column.id));
        }
        let plan = self.projection(LogicalPlan::EmptyRelation(row), values, span)?;
        Ok(Relation { plan, columns })
    }

    /// The condition of a call's FILTER.
    pub(super) fn filter_of(
        &mut self,
        extras: &Extras<'_>,
        scope: &Scope<'_>,
    ) -> Bound<Option<Box<Expr>>> {
        let Some(filter) = extras.filter else {
            return Ok(None);
        };
        let condition = self.expr(filter, scope)?;
        let condition = self.condition(condition, "FILTER", filter.span())?;
        Ok(Some(Box::new(condition.expr)))
    }

    /// GROUPING(a, b): a bit for each argument, set where the grouping set does not have it.
    fn grouping_bits(
        &self,
        call: &Expr,
        groups: &Groups,
        keys: &[Expr],
        replaced: &Replaced,
        span: Span,
    ) -> Bound<Expr> {
        let Expr::AggregateFunction(call) = call else {
            return Ok(call.clone());
        };
        let mut at = Vec::new();
        for arg in &call.params.args {
            let arg = replace(arg.clone(), replaced);
            match keys.iter().position(|k| *k == arg) {
                Some(i) => at.push(i),
                None => {
                    return Err(
                        self.mistake(span, "GROUPING takes expressions that stand in GROUP BY")
                    );
                }
            }
        }
        let number = |n: i64| Expr::Literal(ScalarValue::Int64(Some(n)), None);
        if groups.sets.is_none() {
            return Ok(number(0));
        }
        let id = datafusion::logical_expr::Aggregate::INTERNAL_GROUPING_ID;
        let id = Expr::Cast(Cast::new(
            Box::new(Expr::Column(Column::new_unqualified(id))),
            DataType::Int64,
        ));
        let mut bits: Option<Expr> = None;
        for (n, i) in at.iter().enumerate() {
            let from = i64::try_from(keys.len() - 1 - i).unwrap_or(0);
            let to = i64::try_from(at.len() - 1 - n).unwrap_or(0);
            let bit = binary(id.clone(), Operator::BitwiseShiftRight, number(from));
            let bit = binary(bit, Operator::BitwiseAnd, number(1));
            let bit = binary(bit, Operator::BitwiseShiftLeft, number(to));
            bits = Some(match bits {
                Some(before) => binary(before, Operator::BitwiseOr, bit),
                None => bit,
            });
        }
        Ok(bits.unwrap_or_else(|| number(0)))
    }

    /// An expression over groups: what is in `replaced` are columns now, and nothing else may be left of the rows.
    pub(super) fn over_groups(
        &self,
        value: Typed,
        replaced: &Replaced,
        grouped: &Relation,
        shown: &ast::Expr,
    ) -> Bound<Typed> {
        let expr = replace(value.expr, replaced);
        let missing = expr
            .column_refs()
            .into_iter()
            .find(|c| grouped.plan.schema().maybe_index_of_column(c).is_none())
            .map(|c| c.name.clone());
        if let Some(name) = missing {
            return Err(self.mistake_with(
                place_of(shown, &name),
                format!("Expression '{name}' is not being grouped"),
                "put it into GROUP BY, or into an aggregate function such as MAX",
            ));
        }
        Ok(Typed { expr, ty: value.ty })
    }
}

/// An expression with what is in `replaced` put in place of what it was.
pub(in crate::planner) fn replace(expr: Expr, replaced: &Replaced) -> Expr {
    let original = expr.clone();
    let done = expr.transform_down(|e| {
        Ok(match replaced.get(&e) {
            Some(to) => Transformed::new(to.clone(), true, TreeNodeRecursion::Jump),
            None => Transformed::no(e),
        })
    });
    done.map_or(original, |t| t.data)
}

pub(super) fn has_aggregate(expr: &Expr) -> bool {
    expr.exists(|e| Ok(matches!(e, Expr::AggregateFunction(_))))
        .unwrap_or(false)
}

/// Where a column stands in an expression, else the whole of it.
fn place_of(expr: &ast::Expr, column: &str) -> Span {
    struct Finder<'c>(&'c str);
    impl ast::Visitor for Finder<'_> {
        type Break = Span;
        fn pre_visit_expr(&mut self, expr: &ast::Expr) -> std::ops::ControlFlow<Span> {
            let last = match expr {
                ast::Expr::Identifier(name) => Some(name),
                ast::Expr::CompoundIdentifier(names) => names.last(),
                _ => None,
            };
            match last {
                Some(name) if name.value == self.0 => std::ops::ControlFlow::Break(expr.span()),
                _ => std::ops::ControlFlow::Continue(()),
            }
        }
    }
    match ast::Visit::visit(expr, &mut Finder(column)) {
        std::ops::ControlFlow::Break(span) => span,
        std::ops::ControlFlow::Continue(()) => expr.span(),
    }
}
