//! Windows and aggregations.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::utils::grouping_set_to_exprlist;
use datafusion::logical_expr::{Expr, ExprSchemable, GroupingSet};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::aggregate::LoweredAggregateBuilder;
use datafusion::physical_expr::expressions::Column as PhysicalColumn;

use crate::graph::{
    Aggregate, AggregateCall, AggregateInput, Changes, Exchange, Input, NamedExpr, Node, Operation,
};
use crate::planner::bind::WindowTvf;
use crate::planner::types::flink_name;
use crate::time::WindowKind;

use super::*;

impl Lowering<'_> {
    pub(super) fn window(&mut self, window: &WindowTvf) -> Planned<Lowered> {
        let mut input = self.lower(&window.input)?;
        let index = |expr: &Expr| {
            as_column(expr).and_then(|c| window.input.schema().maybe_index_of_column(c))
        };
        let time = index(&window.time);
        let Some(time) = time.filter(|t| input.roles[*t].is_time_attribute()) else {
            let type_name = window
                .time
                .get_type(window.input.schema())
                .map_or_else(|_| "unknown".to_string(), |t| flink_name(&t));
            return Err(self.mistake(
                format!("The window function requires the timecol is a time attribute type, but is {type_name}."),
                format!("declare WATERMARK FOR {} in its table and pass it on unchanged", window.time),
            ));
        };
        let node = &self.graph.nodes[input.node];
        if node.changes.updating && matches!(window.windows.kind, WindowKind::Session { .. }) {
            return Err(self.unsupported("a SESSION window over a stream with updates"));
        }
        let changes = Changes {
            upsert_keys: Vec::new(),
            ..node.changes.clone()
        };
        let schema =
            arrow_schema(datafusion::logical_expr::UserDefinedLogicalNodeCore::schema(window));
        let (operation, exchange, parallelism) = match window.windows.kind {
            WindowKind::Session { gap } => {
                let keys: Option<Vec<usize>> = window.keys.iter().map(index).collect();
                let Some(keys) = keys else {
                    return Err(self.unsupported("PARTITION BY an expression"));
                };
                let (exchange, parallelism) = if keys.is_empty() {
                    (Exchange::Gather, 1)
                } else {
                    (Exchange::Hash(keys.clone()), self.parallelism)
                };
                (
                    Operation::SessionAssign { gap, time, keys },
                    exchange,
                    parallelism,
                )
            }
            _ => (
                Operation::WindowAssign {
                    windows: window.windows.clone(),
                    time,
                    by_slices: false,
                },
                Exchange::Forward,
                node.parallelism,
            ),
        };
        let size = match window.windows.kind {
            WindowKind::Tumble { size } | WindowKind::Hop { size, .. } => Some(size),
            _ => None,
        };
        let id = self.graph.add(Node {
            operation,
            inputs: vec![Input {
                from: input.node,
                exchange,
            }],
            schema,
            changes,
            parallelism,
        });
        input.roles.extend([
            Role::WindowStart(id, size),
            Role::WindowEnd(id),
            Role::WindowTime(id),
        ]);
        Ok(Lowered {
            node: id,
            roles: input.roles,
        })
    }

    pub(super) fn aggregate(
        &mut self,
        plan: &datafusion::logical_expr::Aggregate,
    ) -> Planned<Lowered> {
        let input_schema = plan.input.schema();
        let mut input = self.lower(&plan.input)?;
        let updating = self.graph.nodes[input.node].changes.updating;
        let result_schema = arrow_schema(&plan.schema);
        let group_exprs: Vec<Expr> = self
            .datafusion(grouping_set_to_exprlist(&plan.group_expr))?
            .into_iter()
            .cloned()
            .collect();
        let mut group_roles: Vec<Role> = group_exprs
            .iter()
            .map(|e| column_role(e, input_schema, &input.roles))
            .collect();
        let names = |i: usize| result_schema.field(i).name().clone();
        let group: Vec<NamedExpr> = match plan.group_expr.as_slice() {
            [Expr::GroupingSet(GroupingSet::GroupingSets(sets))] => {
                let id =
                    self.expand(&mut input, input_schema, &group_exprs, sets, &result_schema)?;
                group_roles.push(Role::Plain);
                (0..=group_exprs.len())
                    .map(|i| {
                        (
                            Arc::new(PhysicalColumn::new(&names(i), id + i))
                                as Arc<dyn PhysicalExpr>,
                            names(i),
                        )
                    })
                    .collect()
            }
            exprs => exprs
                .iter()
                .enumerate()
                .map(|(i, e)| Ok((self.expression(e, input_schema)?, names(i))))
                .collect::<Planned<Vec<_>>>()?,
        };
        let physical_input = Arc::clone(&self.graph.nodes[input.node].schema);
        let has_distinct = plan.aggr_expr.iter().any(is_distinct);
        let calls = plan
            .aggr_expr
            .iter()
            .map(|e| self.call(e, input_schema, &physical_input, updating || has_distinct))
            .collect::<Planned<Vec<_>>>()?;
        let mut fields: Vec<Arc<Field>> = result_schema
            .fields()
            .iter()
            .take(group.len())
            .cloned()
            .collect();
        for call in &calls {
            // State columns of two calls of one function may share a name: positions tell them apart.
            fields.extend(
                self.datafusion(call.function.state_fields())?
                    .into_iter()
                    .map(|f| Arc::new(f.as_ref().clone().with_nullable(true))),
            );
        }
        let start = group_roles
            .iter()
            .position(|r| matches!(r, Role::WindowStart(..)));
        let end = group_roles
            .iter()
            .position(|r| matches!(r, Role::WindowEnd(_)));
        let window = match (start, end) {
            (Some(s), Some(e)) => match (group_roles[s], group_roles[e]) {
                (Role::WindowStart(a, _), Role::WindowEnd(b)) if a == b => Some((s, e)),
                _ => None,
            },
            _ => None,
        };
        let is_window_column = |r: &Role| {
            matches!(
                r,
                Role::WindowStart(..) | Role::WindowEnd(_) | Role::WindowTime(_)
            )
        };
        let key: Vec<usize> = (0..group.len())
            .filter(|i| window.is_none() || !group_roles.get(*i).is_some_and(is_window_column))
            .collect();
        let all_groups: Vec<usize> = (0..group.len()).collect();
        let order_dependent = calls
            .iter()
            .any(|c| is_order_dependent(c.function.fun().name()));
        let mut aggregate = Aggregate {
            group,
            key: key.clone(),
            window,
            slices: None,
            calls,
            partial_schema: Arc::new(Schema::new(fields)),
            result_schema: Arc::clone(&result_schema),
            ttl: self.ttl(&[input.node]).filter(|_| window.is_none()),
            mini_batch: self.options.mini_batch.filter(|_| window.is_none()),
            input: match (updating, has_distinct) {
                (true, _) => AggregateInput::Changes,
                // Which values are new is known to those who keep them.
                (_, true) => AggregateInput::Rows,
                _ => AggregateInput::Partials,
            },
        };
        if aggregate.input != AggregateInput::Partials {
            return self.one_phase(input, aggregate.into(), group_roles, order_dependent);
        }
        if !order_dependent {
            aggregate.slices = self.slices(input.node, &aggregate, &group_roles);
        }
        let aggregate = Arc::new(aggregate);
        let (exchange, parallelism) = if key.is_empty() {
            (Exchange::Gather, 1)
        } else {
            (Exchange::Hash(key), self.parallelism)
        };
        let local = self.graph.add(Node {
            operation: Operation::LocalAggregate(Arc::clone(&aggregate)),
            inputs: vec![Input {
                from: input.node,
                exchange: Exchange::Forward,
            }],
            schema: Arc::clone(&aggregate.partial_schema),
            changes: Changes::default(),
            parallelism: self.graph.nodes[input.node].parallelism,
        });
        let changes = Changes {
            updating: window.is_none(),
            upsert_keys: keys_of_groups(&group_roles, all_groups),
            order_dependent: order_dependent
                || self.graph.nodes[input.node].changes.order_dependent,
        };
        let operation = match window {
            Some(_) => Operation::WindowAggregate(aggregate),
            None => Operation::GroupAggregate(aggregate),
        };
        let node = self.graph.add(Node {
            operation,
            inputs: vec![Input {
                from: local,
                exchange,
            }],
            schema: result_schema,
            changes,
            parallelism,
        });
        if window.is_none() {
            group_roles.fill(Role::Plain);
        }
        group_roles.resize(self.graph.nodes[node].schema.fields().len(), Role::Plain);
        Ok(Lowered {
            node,
            roles: group_roles,
        })
    }

    /// An aggregation whose rows meet by key at once.
    fn one_phase(
        &mut self,
        input: Lowered,
        aggregate: Arc<Aggregate>,
        mut group_roles: Vec<Role>,
        order_dependent: bool,
    ) -> Planned<Lowered> {
        // What rows are spread by must be columns: those that are none yet are put after the others.
        let mut schema = Arc::clone(&self.graph.nodes[input.node].schema);
        let mut fields = schema.fields().to_vec();
        let mut columns: Vec<NamedExpr> =
            (0..fields.len()).map(|i| column_expr(&schema, i)).collect();
        let mut places = Vec::with_capacity(aggregate.group.len());
        for (i, group) in aggregate.group.iter().enumerate() {
            places.push(match group.0.downcast_ref::<PhysicalColumn>() {
                Some(column) => column.index(),
                None => {
                    fields.push(Arc::new(aggregate.result_schema.field(i).clone()));
                    columns.push(group.clone());
                    fields.len() - 1
                }
            });
        }
        let mut rows = input.node;
        if fields.len() > schema.fields().len() {
            schema = Arc::new(Schema::new(fields));
            let step = CalcStep::Project(columns, Arc::clone(&schema));
            rows = self.calc(rows, step, Arc::clone(&schema), Vec::new());
        }
        let group = places.iter().map(|place| column_expr(&schema, *place));
        let key: Vec<usize> = aggregate.key.iter().map(|k| places[*k]).collect();
        let aggregate = Aggregate {
            group: group.collect(),
            ..aggregate.as_ref().clone()
        };
        let (exchange, parallelism) = self.spread(&key);
        let is_window = aggregate.window.is_some();
        let changes = Changes {
            updating: !is_window,
            upsert_keys: keys_of_groups(&group_roles, (0..aggregate.group.len()).collect()),
            order_dependent,
        };
        if !is_window {
            group_roles.fill(Role::Plain);
        }
        let schema = Arc::clone(&aggregate.result_schema);
        group_roles.resize(schema.fields().len(), Role::Plain);
        let node = self.graph.add(Node {
            operation: match aggregate.window {
                Some(_) => Operation::WindowAggregate(Arc::new(aggregate)),
                None => Operation::GroupAggregate(Arc::new(aggregate)),
            },
            inputs: vec![Input {
                from: rows,
                exchange,
            }],
            schema,
            changes,
            parallelism,
        });
        Ok(Lowered {
            node,
            roles: group_roles,
        })
    }

    /// One call of an aggregate function. `takes_distinct`: who calls it sees to DISTINCT.
    pub(super) fn call(
        &self,
        expr: &Expr,
        logical: &DFSchema,
        physical: &Schema,
        takes_distinct: bool,
    ) -> Planned<AggregateCall> {
        let mut expr = expr.clone();
        let mut distinct = false;
        if takes_distinct {
            let plain = expr.transform(|e| {
                Ok(match e {
                    Expr::AggregateFunction(mut function) if function.params.distinct => {
                        distinct = true;
                        function.params.distinct = false;
                        Transformed::yes(Expr::AggregateFunction(function))
                    }
                    other => Transformed::no(other),
                })
            });
            expr = self.datafusion(plain)?.data;
        }
        let expr = &expr;
        let context = PhysicalPlanningContext::default();
        let lowered = self.datafusion(
            LoweredAggregateBuilder::new(expr, logical, physical, &ExecutionProps::new(), &context)
                .with_name(expr.schema_name().to_string())
                .build(),
        )?;
        if !lowered.aggregate.order_bys().is_empty() {
            return Err(self.unsupported("ORDER BY inside an aggregate"));
        }
        Ok(AggregateCall {
            function: lowered.aggregate,
            filter: lowered.filter,
            distinct,
        })
    }

    /// Grouping sets: puts an Expand after `input`; its columns are the input's, then the grouping columns (nulled as the
    /// set says), then the grouping id. Returns the position of the first grouping column.
    pub(super) fn expand(
        &mut self,
        input: &mut Lowered,
        schema: &DFSchema,
        group: &[Expr],
        sets: &[Vec<Expr>],
        result: &Schema,
    ) -> Planned<usize> {
        let node = &self.graph.nodes[input.node];
        let (from, parallelism) = (input.node, node.parallelism);
        let changes = Changes {
            upsert_keys: Vec::new(),
            ..node.changes.clone()
        };
        let width = node.schema.fields().len();
        let input_schema = Arc::clone(&node.schema);
        let pass: Vec<Arc<dyn PhysicalExpr>> = (0..width)
            .map(|i| column_expr(&input_schema, i).0)
            .collect();
        let id_field = result.field(group.len());
        let mut lists = Vec::new();
        for (ordinal, set) in sets.iter().enumerate() {
            let duplicates = sets[..ordinal].iter().filter(|s| *s == set).count() as u64;
            let mut list = pass.clone();
            let mut id = 0u64;
            for (i, expr) in group.iter().enumerate() {
                id <<= 1;
                if set.contains(expr) {
                    list.push(self.expression(expr, schema)?);
                } else {
                    id |= 1;
                    let null =
                        self.datafusion(ScalarValue::try_from(result.field(i).data_type()))?;
                    list.push(Arc::new(
                        datafusion::physical_expr::expressions::Literal::new(null),
                    ));
                }
            }
            // Sets written twice give their rows twice: a number above the bits keeps them apart.
            id |= duplicates << group.len();
            let id =
                self.datafusion(ScalarValue::UInt64(Some(id)).cast_to(id_field.data_type()))?;
            list.push(Arc::new(
                datafusion::physical_expr::expressions::Literal::new(id),
            ));
            lists.push(list);
        }
        let mut fields: Vec<Arc<Field>> = input_schema.fields().iter().cloned().collect();
        fields.extend(
            (0..=group.len()).map(|i| Arc::new(result.field(i).clone().with_nullable(true))),
        );
        input.node = self.graph.add(Node {
            operation: Operation::Expand(lists),
            inputs: vec![Input {
                from,
                exchange: Exchange::Forward,
            }],
            schema: Arc::new(Schema::new(fields)),
            changes,
            parallelism,
        });
        Ok(width)
    }
}

/// What identifies the rows of an aggregation: its grouping columns; of the two ends of a window of fixed size one is enough.
fn keys_of_groups(roles: &[Role], groups: Vec<usize>) -> Vec<Vec<usize>> {
    let fixed = |c: &usize| matches!(roles.get(*c), Some(Role::WindowStart(_, Some(_))));
    let is_end = |c: &usize| {
        matches!(
            roles.get(*c),
            Some(Role::WindowEnd(_) | Role::WindowTime(_))
        )
    };
    let mut keys = vec![groups.clone()];
    if groups.iter().any(fixed) {
        keys.push(groups.into_iter().filter(|c| !is_end(c)).collect());
    }
    keys
}

/// Whether a call says DISTINCT.
fn is_distinct(call: &Expr) -> bool {
    match call {
        Expr::Alias(alias) => is_distinct(&alias.expr),
        Expr::AggregateFunction(function) => function.params.distinct,
        _ => false,
    }
}

fn is_order_dependent(function: &str) -> bool {
    matches!(
        function,
        "first_value" | "last_value" | "array_agg" | "listagg" | "string_agg" | "nth_value"
    )
}
