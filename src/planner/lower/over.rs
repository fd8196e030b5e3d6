//! OVER.

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{
    AggregateFunction, AggregateFunctionParams, Sort as SortExpr, WindowFunction,
    WindowFunctionParams,
};
use datafusion::logical_expr::{
    AggregateUDF, Expr, WindowFrame, WindowFrameBound, WindowFrameUnits, WindowFunctionDefinition,
};

use super::*;
use crate::graph::sql::literal;
use crate::graph::{Frame, Over, OverFunction, OverTime, RankFunction, SortColumn};
use crate::planner::bind::interval_millis;

impl Lowering<'_> {
    /// OVER without a limit on a rank.
    pub(super) fn over(&mut self, window: &datafusion::logical_expr::Window) -> Planned<Lowered> {
        let mut rows = self.lower(&window.input)?;
        let width = rows.roles.len();
        let schema = window.input.schema();
        // Calls over the same rows in the same order share a node.
        let mut places: Vec<usize> = vec![0; window.window_expr.len()];
        let mut pending: Vec<(usize, &WindowFunction)> = Vec::new();
        for (i, expr) in window.window_expr.iter().enumerate() {
            match unaliased(expr) {
                Expr::WindowFunction(call) => pending.push((i, call)),
                other => return Err(self.unsupported(&other.to_string())),
            }
        }
        while let Some((_, first)) = pending.first() {
            let params = &first.params;
            let (input, partition) = self.with_columns(rows, &params.partition_by, schema)?;
            let sorts: Vec<Expr> = params.order_by.iter().map(|s| s.expr.clone()).collect();
            let (input, columns) = self.with_columns(input, &sorts, schema)?;
            let time = self.over_time(&input, sort_columns(&columns, &params.order_by))?;
            let frame = self.frame(first, &time)?;
            let same = |call: &WindowFunction, this: &Self| {
                call.params.partition_by == params.partition_by
                    && call.params.order_by == params.order_by
                    && this.frame(call, &time).is_ok_and(|f| f == frame)
            };
            let (now, later): (Vec<_>, Vec<_>) = pending
                .iter()
                .copied()
                .partition(|(_, call)| same(call, self));
            let from = input.roles.len();
            let mut calls = Vec::new();
            for (n, (i, call)) in now.iter().enumerate() {
                places[*i] = from + n;
                calls.push(self.over_call(call, schema, &self.graph.nodes[input.node].schema)?);
            }
            rows = self.add_over(input, partition, time, frame, calls)?;
            pending = later;
        }
        let keep: Vec<usize> = (0..width).chain(places).collect();
        self.reshape(rows, &keep, &arrow_schema(&window.schema))
    }

    fn add_over(
        &mut self,
        input: Lowered,
        partition: Vec<usize>,
        time: OverTime,
        frame: Frame,
        calls: Vec<OverFunction>,
    ) -> Planned<Lowered> {
        let node = &self.graph.nodes[input.node];
        let mut fields = node.schema.fields().to_vec();
        for (i, call) in calls.iter().enumerate() {
            let data_type = match call {
                OverFunction::Aggregate(a) => a.function.field().data_type().clone(),
                OverFunction::Lag { value, .. } => {
                    self.datafusion(value.data_type(&node.schema))?
                }
                OverFunction::Rank(_) => DataType::Int64,
            };
            fields.push(Arc::new(arrow::datatypes::Field::new(
                format!("w{i}"),
                data_type,
                true,
            )));
        }
        let updating = matches!(time, OverTime::Updating(_));
        let contains = |k: &&Vec<usize>| partition.iter().all(|c| k.contains(c));
        let by_row = matches!(frame, Frame::Rows(_) | Frame::RowsUnbounded);
        let changes = Changes {
            updating,
            upsert_keys: node
                .changes
                .upsert_keys
                .iter()
                .filter(contains)
                .cloned()
                .collect(),
            order_dependent: node.changes.order_dependent
                || by_row
                || calls.iter().any(|c| matches!(c, OverFunction::Lag { .. })),
        };
        let mut roles = input.roles;
        if updating {
            roles.fill(Role::Plain);
        }
        roles.resize(fields.len(), Role::Plain);
        let (exchange, parallelism) = self.spread(&partition);
        let ttl = self.ttl(&[input.node]);
        let node = self.graph.add(Node {
            operation: Operation::Over(Arc::new(Over {
                partition,
                time,
                frame,
                calls,
                ttl,
            })),
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

    fn over_time(&self, input: &Lowered, order: Vec<SortColumn>) -> Planned<OverTime> {
        let updating = self.graph.nodes[input.node].changes.updating;
        Ok(match order.as_slice() {
            [by] if input.roles[by.column].is_time_attribute() => {
                if by.descending {
                    return Err(self.mistake(
                        "The window can only be ordered in ASCENDING mode.".into(),
                        "ORDER BY the time attribute without DESC".into(),
                    ));
                }
                if updating {
                    return Err(self.over_updates(input.node));
                }
                OverTime::Event(by.column)
            }
            [by] if input.roles[by.column] == Role::Proctime && !updating => {
                OverTime::Arrival(Some(by.column))
            }
            _ => OverTime::Updating(order),
        })
    }

    fn over_updates(&self, node: NodeId) -> Diagnostic {
        self.mistake(
            format!(
                "OverAggregate doesn't support consuming update and delete changes which is produced by node {}",
                self.updating_node(node)
            ),
            "ORDER BY a column that is no time attribute (CAST it to TIMESTAMP(3)), or read an append-only table".into(),
        )
    }

    fn frame(&self, call: &WindowFunction, time: &OverTime) -> Planned<Frame> {
        let name = call.fun.name().to_uppercase();
        let is_updating = matches!(time, OverTime::Updating(_));
        if name == "LAG" {
            // Flink's LAG over a time attribute counts all rows of the same time first; in any other order it goes row by row.
            return Ok(if is_updating {
                Frame::RowsUnbounded
            } else {
                Frame::RangeUnbounded
            });
        }
        if rank_function(call).is_some() {
            return Ok(Frame::RowsUnbounded);
        }
        let WindowFrame {
            units,
            start_bound,
            end_bound,
            ..
        } = &call.params.window_frame;
        // Without an order all rows are peers.
        if call.params.order_by.is_empty()
            && matches!(start_bound, WindowFrameBound::Preceding(v) if v.is_null())
            && matches!(end_bound, WindowFrameBound::Following(v) if v.is_null())
        {
            return Ok(Frame::RangeUnbounded);
        }
        if *end_bound != WindowFrameBound::CurrentRow {
            return Err(self.mistake(
                "OVER RANGE FOLLOWING windows are not supported yet.".into(),
                "a frame ends at CURRENT ROW".into(),
            ));
        }
        let refused = || {
            self.mistake(
                "Non-time attribute sort is not supported for bounded OVER window.".into(),
                "ORDER BY a time attribute, or write UNBOUNDED PRECEDING".into(),
            )
        };
        match (units, start_bound) {
            (WindowFrameUnits::Rows, WindowFrameBound::Preceding(v)) if v.is_null() => {
                Ok(Frame::RowsUnbounded)
            }
            (WindowFrameUnits::Range, WindowFrameBound::Preceding(v)) if v.is_null() => {
                Ok(Frame::RangeUnbounded)
            }
            _ if is_updating => Err(refused()),
            (WindowFrameUnits::Rows, WindowFrameBound::CurrentRow) => Ok(Frame::Rows(0)),
            (WindowFrameUnits::Range, WindowFrameBound::CurrentRow) => Ok(Frame::Range(0)),
            (WindowFrameUnits::Rows, WindowFrameBound::Preceding(v)) => {
                let rows = v.cast_to(&DataType::UInt64).ok();
                match rows {
                    Some(ScalarValue::UInt64(Some(n))) => Ok(Frame::Rows(n)),
                    _ => Err(self.unsupported(&format!("a frame of {v} rows"))),
                }
            }
            (WindowFrameUnits::Range, WindowFrameBound::Preceding(v)) => {
                match interval_millis(&Expr::Literal(v.clone(), None)) {
                    Some(millis) => Ok(Frame::Range(millis)),
                    None => Err(self.mistake(
                        format!("a RANGE of {} has no fixed length", literal(v)),
                        "write it in days or less, such as INTERVAL '30' DAY".into(),
                    )),
                }
            }
            _ => Err(self.unsupported("this frame")),
        }
    }

    fn over_call(
        &self,
        call: &WindowFunction,
        logical: &DFSchema,
        physical: &Schema,
    ) -> Planned<OverFunction> {
        let params = &call.params;
        if let Some(function) = rank_function(call) {
            return Ok(OverFunction::Rank(function));
        }
        let name = call.fun.name().to_uppercase();
        match &call.fun {
            WindowFunctionDefinition::WindowUDF(_) if name == "LAG" => {
                if params.order_by.is_empty() {
                    return Err(self.mistake("LAG needs an ORDER BY".into(), "write OVER (... ORDER BY ...)".into()));
                }
                let (Some(value), more) = (params.args.first(), &params.args) else {
                    return Err(self.unsupported("LAG without an argument"));
                };
                let offset = match more.get(1) {
                    None => 1,
                    Some(Expr::Literal(v, _)) => match v.cast_to(&DataType::Int64) {
                        Ok(ScalarValue::Int64(Some(n))) if n >= 0 => usize::try_from(n).unwrap_or(usize::MAX),
                        _ => return Err(self.mistake(format!("the offset {v} of LAG is no count of rows"), "write a whole number".into())),
                    },
                    Some(other) => return Err(self.mistake(format!("the offset {other} of LAG is no literal"), "write a whole number".into())),
                };
                let default = match more.get(2) {
                    Some(default) => Some(self.expression(default, logical)?),
                    None => None,
                };
                Ok(OverFunction::Lag { value: self.expression(value, logical)?, offset, default })
            }
            WindowFunctionDefinition::WindowUDF(_) => {
                Err(self.mistake(
                    format!("OVER: {name} is not supported in a streaming query"),
                    "it would need rows that come later; `flowline query` answers it over the present contents of the tables".into(),
                ))
            }
            WindowFunctionDefinition::AggregateUDF(function) => {
                let function = flowline_udfs::over_variant(function.name())
                    .unwrap_or_else(|| Arc::clone(function));
                self.over_aggregate(function, params, logical, physical)
            }
        }
    }

    fn over_aggregate(
        &self,
        function: Arc<AggregateUDF>,
        params: &WindowFunctionParams,
        logical: &DFSchema,
        physical: &Schema,
    ) -> Planned<OverFunction> {
        let aggregate = Expr::AggregateFunction(AggregateFunction {
            func: function,
            params: AggregateFunctionParams {
                args: params.args.clone(),
                distinct: params.distinct,
                filter: params.filter.clone(),
                order_by: Vec::new(),
                null_treatment: params.null_treatment,
            },
        });
        Ok(OverFunction::Aggregate(
            self.call(&aggregate, logical, physical, true)?,
        ))
    }
}

pub(super) fn sort_columns(columns: &[usize], sorts: &[SortExpr]) -> Vec<SortColumn> {
    columns
        .iter()
        .zip(sorts)
        .map(|(column, sort)| SortColumn {
            column: *column,
            descending: !sort.asc,
            nulls_first: sort.nulls_first,
        })
        .collect()
}

pub(super) fn rank_function(call: &WindowFunction) -> Option<RankFunction> {
    match call.fun.name() {
        "row_number" => Some(RankFunction::RowNumber),
        "rank" => Some(RankFunction::Rank),
        "dense_rank" => Some(RankFunction::DenseRank),
        _ => None,
    }
}
