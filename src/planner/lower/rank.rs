//! Ranks (Top-N, deduplication), ORDER BY and LIMIT.

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::WindowFunctionParams;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use super::over::{rank_function, sort_columns};
use super::*;
use crate::graph::{Rank, RankFunction, RankTime, SortColumn};

/// Which ranks a condition lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Limits {
    from: u64,
    to: u64,
}

impl Lowering<'_> {
    /// A filter over a rank: Top-N or deduplication. `None` where it is another filter. `needs_rank`: whether anyone reads the
    /// rank column.
    pub(super) fn ranked(
        &mut self,
        filter: &datafusion::logical_expr::Filter,
        needs_rank: impl Fn(usize) -> bool,
    ) -> Planned<Option<Lowered>> {
        let Some((places, window)) = beneath(&filter.input) else {
            return Ok(None);
        };
        let [Expr::WindowFunction(call)] = window.window_expr.as_slice() else {
            return Ok(None);
        };
        let Some(function) = rank_function(call) else {
            return Ok(None);
        };
        let input_width = window.input.schema().fields().len();
        let Some(rank_at) = places.iter().position(|p| *p == input_width) else {
            return Ok(None);
        };
        let rank_column = filter.input.schema().columns()[rank_at].clone();
        let mut limits = Limits {
            from: 1,
            to: u64::MAX,
        };
        let mut rest: Vec<Expr> = Vec::new();
        for part in split_conjunction(&filter.predicate) {
            if !limits.take(part, &rank_column) {
                rest.push(part.clone());
            }
        }
        if limits.to == u64::MAX {
            return Ok(None);
        }
        let with_rank =
            needs_rank(rank_at) || rest.iter().any(|e| e.column_refs().contains(&rank_column));
        let ranked = self.rank(window, &call.params, function, limits, with_rank)?;
        let mut rows = self.reshape(ranked, &places, &arrow_schema(filter.input.schema()))?;
        if let Some(predicate) = datafusion::logical_expr::utils::conjunction(rest) {
            let predicate = self.expression(&predicate, filter.input.schema())?;
            rows = self.filtered(rows, predicate);
        }
        Ok(Some(rows))
    }

    /// The rows of `window.input` that rank within limits, and the rank (NULL where it is not asked for).
    fn rank(
        &mut self,
        window: &datafusion::logical_expr::Window,
        params: &WindowFunctionParams,
        function: RankFunction,
        limits: Limits,
        with_rank: bool,
    ) -> Planned<Lowered> {
        let input = self.lower(&window.input)?;
        let width = input.roles.len();
        let (input, partition) =
            self.with_columns(input, &params.partition_by, window.input.schema())?;
        let sorts: Vec<Expr> = params.order_by.iter().map(|s| s.expr.clone()).collect();
        let (input, columns) = self.with_columns(input, &sorts, window.input.schema())?;
        let order = sort_columns(&columns, &params.order_by);
        let changes = self.graph.nodes[input.node].changes.clone();
        let only_first = function == RankFunction::RowNumber && limits == Limits { from: 1, to: 1 };
        let mut rank = Rank {
            function,
            partition: partition.clone(),
            order,
            from: limits.from,
            to: limits.to,
            with_rank,
            time: RankTime::Updating,
            retracts: changes.updating,
            last_first: false,
            ttl: None,
        };
        let first = rank.order.first().copied();
        if let (false, Some((_, end))) = (
            changes.updating,
            self.whole_window(&input.roles, &partition),
        ) {
            rank.time = RankTime::Window(end);
            // Of rows of the same time the last one comes first, as in deduplication without windows.
            let by_time = |c: SortColumn| {
                matches!(input.roles[c.column], Role::Rowtime | Role::WindowTime(_)) && c.descending
            };
            rank.last_first = only_first && rank.order.len() == 1 && first.is_some_and(by_time);
        } else if let (true, false, Some(by), 1) =
            (only_first, changes.updating, first, rank.order.len())
        {
            // Deduplication: the first or the last row by time.
            match (input.roles[by.column], by.descending) {
                (Role::Rowtime | Role::WindowTime(_), false) => {
                    rank.time = RankTime::FirstByTime(by.column)
                }
                (Role::Rowtime | Role::WindowTime(_), true) => rank.last_first = true,
                (Role::Proctime, false) => {
                    rank.time = RankTime::FirstByArrival;
                    rank.order.clear();
                }
                (Role::Proctime, true) => {
                    rank.last_first = true;
                    rank.order.clear();
                }
                _ => {}
            }
        }
        let rows = self.add_rank(input, rank)?;
        // The columns computed for the partition and the order go again; the rank, or a NULL for it, comes last.
        let rank_at = self.graph.nodes[rows.node].schema.fields().len() - 1;
        let rows = if with_rank {
            let keep: Vec<usize> = (0..width).chain([rank_at]).collect();
            self.reshape(rows, &keep, &arrow_schema(&window.schema))?
        } else {
            let keep: Vec<usize> = (0..width).collect();
            let own = arrow_schema(window.input.schema());
            let rows = self.reshape(rows, &keep, &own)?;
            self.with_null_column(rows, &arrow_schema(&window.schema))?
        };
        Ok(rows)
    }

    /// Adds a Rank node; sets its expiry and works out what identifies its rows.
    pub(super) fn add_rank(&mut self, input: Lowered, mut rank: Rank) -> Planned<Lowered> {
        let node = &self.graph.nodes[input.node];
        let mut fields = node.schema.fields().to_vec();
        let width = fields.len();
        if rank.with_rank {
            fields.push(Arc::new(arrow::datatypes::Field::new(
                "rank",
                DataType::Int64,
                true,
            )));
        }
        let updating = rank.time == RankTime::Updating;
        let mut upsert_keys: Vec<Vec<usize>> = Vec::new();
        if updating {
            let contains = |k: &&Vec<usize>| rank.partition.iter().all(|c| k.contains(c));
            upsert_keys.extend(node.changes.upsert_keys.iter().filter(contains).cloned());
            if rank.with_rank && rank.function == RankFunction::RowNumber {
                upsert_keys.push(rank.partition.iter().copied().chain([width]).collect());
            }
            if rank.from == rank.to && rank.function == RankFunction::RowNumber {
                upsert_keys.push(rank.partition.clone());
            }
        }
        let by_arrival = rank.order.is_empty() || rank.function == RankFunction::RowNumber;
        let changes = Changes {
            updating,
            upsert_keys,
            order_dependent: node.changes.order_dependent || by_arrival,
        };
        let (exchange, parallelism) = self.spread(&rank.partition);
        rank.ttl = self
            .ttl(&[input.node])
            .filter(|_| !matches!(rank.time, RankTime::Window(_)));
        let mut roles = input.roles;
        if updating {
            roles.fill(Role::Plain);
        }
        roles.resize(fields.len(), Role::Plain);
        let node = self.graph.add(Node {
            operation: Operation::Rank(Arc::new(rank)),
            inputs: vec![Input {
                from: input.node,
                exchange,
            }],
            schema: Arc::new(Schema::new(fields)),
            changes,
            parallelism,
        });
        Ok(Lowered { node, roles })
    }

    /// The positions of window_start and window_end of one window among columns.
    pub(super) fn whole_window(&self, roles: &[Role], columns: &[usize]) -> Option<(usize, usize)> {
        let start = columns
            .iter()
            .find(|c| matches!(roles[**c], Role::WindowStart(..)))?;
        let end = columns
            .iter()
            .find(|c| matches!(roles[**c], Role::WindowEnd(_)))?;
        match (roles[*start], roles[*end]) {
            (Role::WindowStart(a, _), Role::WindowEnd(b)) if a == b => Some((*start, *end)),
            _ => None,
        }
    }

    /// ORDER BY, with LIMIT or without.
    pub(super) fn sorted(
        &mut self,
        sort: &datafusion::logical_expr::Sort,
        limits: Option<(u64, u64)>,
    ) -> Planned<Lowered> {
        let input = self.lower(&sort.input)?;
        let width = input.roles.len();
        let exprs: Vec<Expr> = sort.expr.iter().map(|s| s.expr.clone()).collect();
        let (input, columns) = self.with_columns(input, &exprs, sort.input.schema())?;
        let order = sort_columns(&columns, &sort.expr);
        let own = arrow_schema(sort.input.schema());
        let keep: Vec<usize> = (0..width).collect();
        if let Some((skip, fetch)) = limits {
            let rows = self.limited(input, order, skip, fetch)?;
            return self.reshape(rows, &keep, &own);
        }
        let updating = self.graph.nodes[input.node].changes.updating;
        let by_time = order
            .first()
            .filter(|c| input.roles[c.column].is_time_attribute() && !c.descending);
        let Some(by) = by_time.filter(|_| !updating) else {
            return Err(self.mistake(
                "Sort on a non-time-attribute field is not supported: ORDER BY".into(),
                "ORDER BY the time attribute, ascending, first; or add a LIMIT; `flowline query` sorts the present contents of tables".into(),
            ));
        };
        let node = &self.graph.nodes[input.node];
        let (schema, roles, column) = (Arc::clone(&node.schema), input.roles.clone(), by.column);
        let changes = Changes {
            order_dependent: node.changes.order_dependent,
            ..Changes::default()
        };
        let node = self.graph.add(Node {
            operation: Operation::EventTimeSort {
                column,
                complete_after: Some(0),
                then: order[1..].to_vec(),
                drops_late: true,
            },
            inputs: vec![Input {
                from: input.node,
                exchange: Exchange::Gather,
            }],
            schema,
            changes,
            parallelism: 1,
        });
        self.reshape(Lowered { node, roles }, &keep, &own)
    }

    /// LIMIT and OFFSET, over the rows in order where there is an ORDER BY beneath.
    pub(super) fn limit(&mut self, limit: &datafusion::logical_expr::Limit) -> Planned<Lowered> {
        use datafusion::logical_expr::{FetchType, SkipType};
        let skip = match self.datafusion(limit.get_skip_type())? {
            SkipType::Literal(n) => n as u64,
            SkipType::UnsupportedExpr => {
                return Err(self.unsupported("an OFFSET that is no number"));
            }
        };
        let fetch = match self.datafusion(limit.get_fetch_type())? {
            FetchType::Literal(Some(n)) => n as u64,
            FetchType::Literal(None) => {
                return Err(self.mistake(
                    "OFFSET without FETCH or LIMIT is not supported in a stream".into(),
                    "add a LIMIT".into(),
                ));
            }
            FetchType::UnsupportedExpr => return Err(self.unsupported("a LIMIT that is no number")),
        };
        self.limit_over(&limit.input, skip, fetch)
    }

    fn limit_over(&mut self, plan: &LogicalPlan, skip: u64, fetch: u64) -> Planned<Lowered> {
        match plan {
            LogicalPlan::Sort(sort) => self.sorted(sort, Some((skip, fetch))),
            // A projection changes neither the number nor the order of rows.
            LogicalPlan::Projection(projection) if has_sort(&projection.input) => {
                let input = self.limit_over(&projection.input, skip, fetch)?;
                self.project(projection, input)
            }
            LogicalPlan::SubqueryAlias(alias) if has_sort(&alias.input) => {
                self.limit_over(&alias.input, skip, fetch)
            }
            other => {
                let input = self.lower(other)?;
                self.limited(input, Vec::new(), skip, fetch)
            }
        }
    }

    fn limited(
        &mut self,
        input: Lowered,
        order: Vec<SortColumn>,
        skip: u64,
        fetch: u64,
    ) -> Planned<Lowered> {
        let retracts = self.graph.nodes[input.node].changes.updating;
        let rank = Rank {
            function: RankFunction::RowNumber,
            partition: Vec::new(),
            order,
            from: skip.saturating_add(1),
            to: skip.saturating_add(fetch),
            with_rank: false,
            time: RankTime::Updating,
            retracts,
            last_first: false,
            ttl: None,
        };
        self.add_rank(input, rank)
    }
}

impl Limits {
    /// Takes a condition on the rank; false where it is none.
    fn take(&mut self, condition: &Expr, rank: &datafusion::common::Column) -> bool {
        let is_rank = |e: &Expr| as_column(strip_cast(e)) == Some(rank);
        let (op, bound) = match condition {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_rank(left) => {
                (*op, number(right))
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_rank(right) => {
                (op.swap().unwrap_or(*op), number(left))
            }
            Expr::Between(between) if !between.negated && is_rank(&between.expr) => {
                let (Some(low), Some(high)) = (number(&between.low), number(&between.high)) else {
                    return false;
                };
                self.between(low, high);
                return true;
            }
            _ => return false,
        };
        let Some(bound) = bound else { return false };
        match op {
            Operator::Eq => self.between(bound, bound),
            Operator::LtEq => self.between(1, bound),
            Operator::Lt => self.between(1, bound.saturating_sub(1)),
            Operator::GtEq => self.from = self.from.max(clamp(bound)),
            Operator::Gt => self.from = self.from.max(clamp(bound.saturating_add(1))),
            _ => return false,
        }
        true
    }

    fn between(&mut self, low: i64, high: i64) {
        self.from = self.from.max(clamp(low));
        self.to = self.to.min(u64::try_from(high).unwrap_or(0));
    }
}

fn clamp(rank: i64) -> u64 {
    u64::try_from(rank).unwrap_or(0).max(1)
}

fn number(expr: &Expr) -> Option<i64> {
    match strip_cast(expr) {
        Expr::Literal(value, _) => match value.cast_to(&DataType::Int64).ok()? {
            ScalarValue::Int64(n) => n,
            _ => None,
        },
        _ => None,
    }
}

fn strip_cast(expr: &Expr) -> &Expr {
    match expr {
        Expr::Cast(cast) => strip_cast(&cast.expr),
        other => other,
    }
}

fn has_sort(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Sort(_) => true,
        LogicalPlan::Projection(p) => has_sort(&p.input),
        LogicalPlan::SubqueryAlias(a) => has_sort(&a.input),
        _ => false,
    }
}

/// The window beneath projections that only pass columns on, and the window's column that each column is.
fn beneath(plan: &LogicalPlan) -> Option<(Vec<usize>, &datafusion::logical_expr::Window)> {
    match plan {
        LogicalPlan::Window(window) => Some(((0..window.schema.fields().len()).collect(), window)),
        LogicalPlan::SubqueryAlias(alias) => beneath(&alias.input),
        LogicalPlan::Projection(projection) => {
            let (places, window) = beneath(&projection.input)?;
            let schema = projection.input.schema();
            let own = projection.expr.iter().map(|e| {
                // A rank is cast to BIGINT.
                let column = schema.maybe_index_of_column(as_column(strip_cast(unaliased(e)))?)?;
                places.get(column).copied()
            });
            Some((own.collect::<Option<Vec<_>>>()?, window))
        }
        _ => None,
    }
}
