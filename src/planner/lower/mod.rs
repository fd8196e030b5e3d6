//! Checked logical plans to nodes of the dataflow graph.

mod aggregates;
mod joins;
mod over;
mod sinks;
mod tables;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, DFSchemaRef};
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, LogicalPlan, TableScan};
use datafusion::physical_expr::expressions::Column as PhysicalColumn;
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};
use sqlparser::tokenizer::Span;

use super::bind::WindowTvf;
use crate::catalog::Table;
use crate::connectors::{SinkMode, SourceMode, source_mode};
use crate::graph::{
    CalcStep, Changes, Conflict, Exchange, Graph, Input, MiniBatch, NamedExpr, Node, NodeId,
    Operation, Sink, StateTtl,
};
use crate::planner::{PlanContext, StreamTable, diagnose};
use crate::sql::{Diagnostic, SourceFile};
use crate::time::Millis;

/// A query and where its rows go.
pub struct InsertPlan {
    /// The optimised plan; its columns are those of the sink.
    pub plan: LogicalPlan,
    /// What the query calls them.
    pub names: Vec<String>,
    /// The table written; for a bare SELECT a table made up of its columns.
    pub sink: Arc<Table>,
    /// Under what name results are captured and shown.
    pub name: String,
    /// A bare SELECT: its columns are taken as they come.
    pub is_select: bool,
    /// ON CONFLICT, where it is given.
    pub on_conflict: Option<Conflict>,
    /// As the settings are where it stands.
    pub options: PlanOptions,
    /// The file it stands in.
    pub file: Arc<SourceFile>,
    /// The statement.
    pub span: Span,
}

/// What the planner must know of a sink.
#[derive(Debug, Clone, Copy)]
pub struct SinkCheck {
    /// Which changes it takes.
    pub mode: SinkMode,
    /// All rows must go through one writer.
    pub single: bool,
}

/// What a column means for time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Plain,
    /// A time attribute.
    Rowtime,
    /// The time of arrival (PROCTIME()).
    Proctime,
    /// The start of a window, of this length where all windows have one.
    WindowStart(NodeId, Option<Millis>),
    WindowEnd(NodeId),
    /// The time attribute of a window.
    WindowTime(NodeId),
}

impl Role {
    fn is_time_attribute(self) -> bool {
        matches!(self, Self::Rowtime | Self::WindowTime(_))
    }

    /// A row is complete once the watermark has reached the column's value plus this.
    fn complete_after(self) -> Option<Millis> {
        match self {
            Self::Rowtime | Self::WindowTime(_) => Some(0),
            Self::WindowEnd(_) => Some(-1),
            Self::WindowStart(_, size) => size.map(|s| s - 1),
            Self::Plain | Self::Proctime => None,
        }
    }
}

/// A node and what its columns mean.
#[derive(Debug, Clone)]
struct Lowered {
    node: NodeId,
    roles: Vec<Role>,
}

type Planned<T> = Result<T, Diagnostic>;

/// How a statement is planned.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlanOptions {
    /// When a source partition without rows no longer holds the watermark.
    pub idle_timeout: Option<Duration>,
    /// After how long without any row the watermark moves with the clock.
    pub quiet_advance: Option<Duration>,
    /// When state that is not written is given up.
    pub state_ttl: Option<Duration>,
    /// How long rows are aggregated together before results go on.
    pub mini_batch: Option<MiniBatch>,
    /// A query whose upsert key is not the sink's PRIMARY KEY must say ON CONFLICT.
    pub require_on_conflict: bool,
    /// A changelog that is read may tell a change twice.
    pub cdc_duplicates: bool,
    /// The sink leaves out rows with NULL in a NOT NULL column; else they are an error.
    pub drops_nulls: bool,
}

/// Builds the graph of a job, one INSERT after another.
pub struct Lowering<'a> {
    context: &'a PlanContext<'a>,
    parallelism: usize,
    options: PlanOptions,
    graph: Graph,
    /// Columns that any query of the job reads, by table: a table is read once.
    needed: HashMap<String, BTreeSet<usize>>,
    sources: HashMap<String, Lowered>,
    /// Tables passed on in process: the nodes whose rows were written to them, in sink schema.
    written: HashMap<String, Vec<Lowered>>,
    /// Which tables those are.
    in_process: BTreeSet<String>,
    /// The statement being lowered.
    file: Arc<SourceFile>,
    span: Span,
}

impl<'a> Lowering<'a> {
    /// A graph for these inserts. `in_process`: tables that are not read from their connector but
    /// from the statements of this job that write them.
    pub fn new(
        context: &'a PlanContext<'a>,
        inserts: &[InsertPlan],
        parallelism: usize,
        in_process: BTreeSet<String>,
    ) -> Self {
        let mut needed: HashMap<String, BTreeSet<usize>> = HashMap::new();
        for insert in inserts {
            // A plan of ours cannot fail to be visited: the visitor itself never fails.
            let _ = insert.plan.apply(|plan| {
                if let LogicalPlan::TableScan(scan) = plan
                    && let Some(source) = scan.source.downcast_ref::<StreamTable>()
                {
                    needed
                        .entry(source_key(&source.table, &insert.options))
                        .or_default()
                        .extend(scan_columns(scan));
                }
                Ok(TreeNodeRecursion::Continue)
            });
        }
        Self {
            context,
            parallelism,
            options: PlanOptions::default(),
            graph: Graph::default(),
            needed,
            sources: HashMap::new(),
            written: HashMap::new(),
            in_process,
            file: SourceFile::new("", ""),
            span: Span::empty(),
        }
    }

    /// The finished graph.
    pub fn finish(self) -> Graph {
        self.graph
    }

    /// Adds one INSERT or SELECT.
    ///
    /// # Errors
    /// What the query needs and flowline does not do; types that do not fit the sink; changes that the sink cannot take.
    pub fn insert(&mut self, insert: &InsertPlan, check: SinkCheck) -> Planned<()> {
        self.file = Arc::clone(&insert.file);
        self.span = insert.span;
        self.options = insert.options;
        self.graph.scope.clone_from(&insert.name);
        self.graph.place = place_of(&insert.file, insert.span);
        let query = self.lower(&insert.plan)?;
        let rows = self.sink_rows(query, insert)?;
        let changes = self.graph.nodes[rows.node].changes.clone();
        let key = insert.sink.sink_key();
        if changes.updating && check.mode == SinkMode::Append {
            return Err(self.updates_into_append_sink(rows.node, insert));
        }
        if changes.updating && check.mode == SinkMode::Upsert && key.is_none() {
            return Err(self.mistake(
                format!(
                    "Table sink '{}' takes updates by key, but has no PRIMARY KEY",
                    insert.name
                ),
                "declare PRIMARY KEY (...) NOT ENFORCED in the table".into(),
            ));
        }
        if insert.on_conflict.is_some() && (check.mode != SinkMode::Upsert || key.is_none()) {
            return Err(self.mistake(
                format!("ON CONFLICT clause is only allowed for upsert sinks. The sink '{}' is not one", insert.name),
                "leave it out, or write to a table that takes updates by key (connector 'upsert-kafka' with a PRIMARY KEY)".into(),
            ));
        }
        let rows = match (&key, check.mode) {
            (Some(key), SinkMode::Upsert) => self.one_row_a_key(rows, key, insert)?,
            _ => rows,
        };
        let changes = self.graph.nodes[rows.node].changes.clone();
        if self.in_process.contains(&insert.sink.name) && !insert.is_select {
            self.written
                .entry(insert.sink.name.clone())
                .or_default()
                .push(rows.clone());
        }
        let (exchange, parallelism) = match &key {
            _ if check.single || self.graph.nodes[rows.node].parallelism == 1 => {
                (Exchange::Gather, 1)
            }
            // All rows of a key go through one writer, so that they stay in order.
            Some(key) if !changes.upsert_keys.iter().any(|k| same_columns(key, k)) => {
                (Exchange::Hash(key.clone()), self.parallelism)
            }
            _ => (Exchange::Forward, self.parallelism),
        };
        let schema = Arc::clone(&self.graph.nodes[rows.node].schema);
        let sink = Sink {
            table: Arc::clone(&insert.sink),
            name: insert.name.clone(),
            key,
            is_select: insert.is_select,
            drops_nulls: insert.options.drops_nulls,
            takes_upserts: check.mode == SinkMode::Upsert,
        };
        self.graph.add(Node {
            operation: Operation::Sink(sink),
            inputs: vec![Input {
                from: rows.node,
                exchange,
            }],
            schema,
            changes,
            parallelism,
        });
        Ok(())
    }

    /// Rows such that there is never more than one for a key of the sink.
    fn one_row_a_key(
        &mut self,
        rows: Lowered,
        key: &[usize],
        insert: &InsertPlan,
    ) -> Planned<Lowered> {
        let node = &self.graph.nodes[rows.node];
        let keys = &node.changes.upsert_keys;
        if keys.iter().any(|k| k.iter().all(|c| key.contains(c))) {
            return Ok(rows);
        }
        let conflict = match insert.on_conflict {
            // Of rows that are never retracted the last one written is the last one there is.
            Some(Conflict::Deduplicate) if !node.changes.updating => return Ok(rows),
            None if !node.changes.updating && !self.options.require_on_conflict => return Ok(rows),
            Some(conflict) => conflict,
            None if !self.options.require_on_conflict => Conflict::Deduplicate,
            None => return Err(self.other_key(rows.node, key, insert)),
        };
        let (schema, parallelism) = (Arc::clone(&node.schema), self.parallelism);
        let changes = Changes {
            updating: true,
            upsert_keys: vec![key.to_vec()],
            order_dependent: true,
        };
        let ttl = self.ttl(&[rows.node]);
        let node = self.graph.add(Node {
            operation: Operation::UpsertMaterialize {
                key: key.to_vec(),
                conflict,
                ttl,
            },
            inputs: vec![Input {
                from: rows.node,
                exchange: Exchange::Hash(key.to_vec()),
            }],
            schema,
            changes,
            parallelism,
        });
        Ok(Lowered {
            node,
            roles: rows.roles,
        })
    }

    fn other_key(&self, node: NodeId, key: &[usize], insert: &InsertPlan) -> Diagnostic {
        let node = &self.graph.nodes[node];
        let names = |columns: &[usize]| {
            let names: Vec<&str> = columns
                .iter()
                .map(|c| node.schema.field(*c).name().as_str())
                .collect();
            names.join(", ")
        };
        let keys: Vec<String> = node
            .changes
            .upsert_keys
            .iter()
            .map(|k| format!("[{}]", names(k)))
            .collect();
        let have = if keys.is_empty() {
            "none".to_string()
        } else {
            keys.join(", ")
        };
        self.mistake(
            format!(
                "The query has an upsert key that differs from the primary key of the sink table '{}'. Primary key: [{}], upsert key: {have}.",
                insert.name,
                names(key),
            ),
            "make them the same, or say what happens where two rows meet in one key: INSERT INTO ... SELECT ... ON CONFLICT DO \
             { DEDUPLICATE | NOTHING | ERROR }"
                .into(),
        )
    }

    fn updates_into_append_sink(&self, node: NodeId, insert: &InsertPlan) -> Diagnostic {
        let producer = self.updating_node(node);
        self.mistake(
            format!("Table sink '{}' doesn't support consuming update changes which is produced by node {producer}", insert.name),
            "write to a table that takes updates (connector 'upsert-kafka' with a PRIMARY KEY, or 'print'), or make the query append-only \
             by grouping by the window_start and window_end of a window"
                .into(),
        )
    }

    fn updating_node(&self, node: NodeId) -> String {
        let n = &self.graph.nodes[node];
        match n
            .inputs
            .iter()
            .find(|i| self.graph.nodes[i.from].changes.updating)
        {
            Some(input) => self.updating_node(input.from),
            None => self.graph.title(node),
        }
    }

    fn mistake(&self, message: String, help: String) -> Diagnostic {
        Diagnostic {
            file: Arc::clone(&self.file),
            span: self.span,
            message,
            help: Some(help),
        }
    }

    fn unsupported(&self, what: &str) -> Diagnostic {
        self.mistake(
            format!("{what} is not supported in a streaming query yet"),
            "COMPAT.md lists what is; `flowline query` answers it over the present contents of the tables".into(),
        )
    }

    fn datafusion<T>(&self, result: datafusion::error::Result<T>) -> Planned<T> {
        result.map_err(|e| diagnose(&self.file, self.span, &e))
    }

    // ---- Queries ----

    fn lower(&mut self, plan: &LogicalPlan) -> Planned<Lowered> {
        match plan {
            LogicalPlan::TableScan(scan) => self.scan(scan),
            LogicalPlan::SubqueryAlias(alias) => self.lower(&alias.input),
            LogicalPlan::Projection(projection) => {
                let input = match projection.input.as_ref() {
                    LogicalPlan::Filter(filter) => {
                        let used = |column: usize| {
                            let column = &projection.input.schema().columns()[column];
                            projection
                                .expr
                                .iter()
                                .any(|e| e.column_refs().contains(column))
                        };
                        self.filter(filter, used)?
                    }
                    other => self.lower(other)?,
                };
                self.project(projection, input)
            }
            LogicalPlan::Filter(filter) => self.filter(filter, |_| true),
            LogicalPlan::Extension(extension) => {
                match extension.node.as_any().downcast_ref::<WindowTvf>() {
                    Some(window) => self.window(window),
                    None => Err(self.unsupported(extension.node.name())),
                }
            }
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate),
            LogicalPlan::Union(union) => {
                let inputs = union
                    .inputs
                    .iter()
                    .map(|i| self.lower(i))
                    .collect::<Planned<Vec<_>>>()?;
                Ok(self.union(inputs, arrow_schema(&union.schema)))
            }
            LogicalPlan::EmptyRelation(empty) => {
                let rows = RecordBatch::try_new_with_options(
                    arrow_schema(&empty.schema),
                    Vec::new(),
                    &arrow::array::RecordBatchOptions::new()
                        .with_row_count(Some(usize::from(empty.produce_one_row))),
                );
                let rows = self.datafusion(rows.map_err(Into::into))?;
                Ok(self.values(rows))
            }
            LogicalPlan::Values(values) => {
                let schema = arrow_schema(&values.schema);
                let empty = DFSchema::empty();
                let mut columns = Vec::new();
                for i in 0..schema.fields().len() {
                    let mut cells = Vec::new();
                    for row in &values.values {
                        let one_row = RecordBatch::try_new_with_options(
                            Arc::new(Schema::empty()),
                            Vec::new(),
                            &arrow::array::RecordBatchOptions::new().with_row_count(Some(1)),
                        );
                        let one_row = self.datafusion(one_row.map_err(Into::into))?;
                        let value = self
                            .expression(&row[i], &empty)?
                            .evaluate(&one_row)
                            .and_then(|v| v.into_array(1));
                        cells.push(self.datafusion(value)?);
                    }
                    let cells: Vec<&dyn arrow::array::Array> =
                        cells.iter().map(AsRef::as_ref).collect();
                    columns
                        .push(self.datafusion(arrow::compute::concat(&cells).map_err(Into::into))?);
                }
                let rows =
                    self.datafusion(RecordBatch::try_new(schema, columns).map_err(Into::into))?;
                Ok(self.values(rows))
            }
            LogicalPlan::Join(join) => self.join(join),
            LogicalPlan::Window(window) => self.over(window),
            LogicalPlan::Sort(sort) => match sort.fetch {
                Some(fetch) => self.sorted(sort, Some((0, fetch as u64))),
                None => self.sorted(sort, None),
            },
            LogicalPlan::Limit(limit) => self.limit(limit),
            LogicalPlan::Unnest(_) => Err(self.unsupported("UNNEST")),
            LogicalPlan::RecursiveQuery(_) => Err(self.unsupported("WITH RECURSIVE")),
            LogicalPlan::Subquery(_) => Err(self.unsupported("a subquery in an expression")),
            LogicalPlan::Distinct(_) => Err(self.unsupported("DISTINCT ON")),
            other => Err(self.unsupported(&other.display().to_string())),
        }
    }

    fn project(
        &mut self,
        projection: &datafusion::logical_expr::Projection,
        input: Lowered,
    ) -> Planned<Lowered> {
        let from = projection.input.schema();
        let exprs = self.physical(&projection.expr, from, &projection.schema)?;
        let roles = projection
            .expr
            .iter()
            .map(|e| column_role(e, from, &input.roles))
            .collect();
        let sources: Vec<Option<usize>> = projection
            .expr
            .iter()
            .map(|e| as_column(e).and_then(|c| from.maybe_index_of_column(c)))
            .collect();
        let keys = moved_keys(&self.graph.nodes[input.node].changes.upsert_keys, |c| {
            sources.iter().position(|s| *s == Some(c))
        });
        let schema = arrow_schema(&projection.schema);
        let step = CalcStep::Project(exprs, Arc::clone(&schema));
        let node = self.calc(input.node, step, schema, keys);
        Ok(Lowered { node, roles })
    }

    fn filter(
        &mut self,
        filter: &datafusion::logical_expr::Filter,
        is_used: impl Fn(usize) -> bool,
    ) -> Planned<Lowered> {
        if let Some(ranked) = self.ranked(filter, is_used)? {
            return Ok(ranked);
        }
        let input = self.lower(&filter.input)?;
        let predicate = self.expression(&filter.predicate, filter.input.schema())?;
        Ok(self.filtered(input, predicate))
    }

    fn filtered(&mut self, input: Lowered, predicate: Arc<dyn PhysicalExpr>) -> Lowered {
        let node = &self.graph.nodes[input.node];
        let (schema, keys) = (Arc::clone(&node.schema), node.changes.upsert_keys.clone());
        let node = self.calc(input.node, CalcStep::Filter(predicate), schema, keys);
        Lowered { node, ..input }
    }

    /// The rows with `exprs` as columns: where they are, or computed behind the others. Returns their places.
    fn with_columns(
        &mut self,
        input: Lowered,
        exprs: &[Expr],
        schema: &DFSchema,
    ) -> Planned<(Lowered, Vec<usize>)> {
        let node_schema = Arc::clone(&self.graph.nodes[input.node].schema);
        let width = node_schema.fields().len();
        let (mut places, mut computed, mut fields) = (Vec::new(), Vec::new(), Vec::new());
        let mut roles = input.roles.clone();
        for expr in exprs {
            match as_column(expr).and_then(|c| schema.maybe_index_of_column(c)) {
                Some(column) => places.push(column),
                None => {
                    let physical = self.expression(expr, schema)?;
                    let data_type = self.datafusion(physical.data_type(&node_schema))?;
                    let name = format!("__{}", width + computed.len());
                    places.push(width + computed.len());
                    roles.push(column_role(expr, schema, &[]));
                    fields.push(Arc::new(arrow::datatypes::Field::new(
                        &name, data_type, true,
                    )));
                    computed.push((physical, name));
                }
            }
        }
        if computed.is_empty() {
            return Ok((input, places));
        }
        let own = (0..width).map(|i| column_expr(&node_schema, i));
        let all_fields: Vec<_> = node_schema.fields().iter().cloned().chain(fields).collect();
        let schema = Arc::new(Schema::new(all_fields));
        let step = CalcStep::Project(own.chain(computed).collect(), Arc::clone(&schema));
        let keys = self.graph.nodes[input.node].changes.upsert_keys.clone();
        let node = self.calc(input.node, step, schema, keys);
        Ok((Lowered { node, roles }, places))
    }

    /// The columns `keep` of rows, as columns of `schema`: its names, and its types where they differ.
    fn reshape(&mut self, input: Lowered, keep: &[usize], schema: &SchemaRef) -> Planned<Lowered> {
        let node_schema = Arc::clone(&self.graph.nodes[input.node].schema);
        let is_same = keep.iter().copied().eq(0..node_schema.fields().len())
            && node_schema
                .fields()
                .iter()
                .zip(schema.fields())
                .all(|(a, b)| a.data_type() == b.data_type());
        if is_same {
            return Ok(input);
        }
        let mut exprs: Vec<NamedExpr> = Vec::new();
        for (place, field) in keep.iter().zip(schema.fields()) {
            let (column, _) = column_expr(&node_schema, *place);
            let expr = if node_schema.field(*place).data_type() == field.data_type() {
                column
            } else {
                let cast = datafusion::physical_expr::expressions::cast(
                    column,
                    &node_schema,
                    field.data_type().clone(),
                );
                self.datafusion(cast)?
            };
            exprs.push((expr, field.name().clone()));
        }
        let fields: Vec<_> = schema
            .fields()
            .iter()
            .zip(keep)
            .map(|(f, place)| {
                let nullable = f.is_nullable() || node_schema.field(*place).is_nullable();
                Arc::new(f.as_ref().clone().with_nullable(nullable))
            })
            .collect();
        let schema = Arc::new(Schema::new(fields));
        let roles = keep.iter().map(|k| input.roles[*k]).collect();
        let keys = moved_keys(&self.graph.nodes[input.node].changes.upsert_keys, |c| {
            keep.iter().position(|k| *k == c)
        });
        let step = CalcStep::Project(exprs, Arc::clone(&schema));
        let node = self.calc(input.node, step, schema, keys);
        Ok(Lowered { node, roles })
    }

    /// The rows with a last column of NULLs, which nobody reads, so that they are of `schema`.
    fn with_null_column(&mut self, input: Lowered, schema: &SchemaRef) -> Planned<Lowered> {
        let node_schema = Arc::clone(&self.graph.nodes[input.node].schema);
        let width = node_schema.fields().len();
        let mut exprs: Vec<NamedExpr> = (0..width).map(|i| column_expr(&node_schema, i)).collect();
        let field = schema.field(width);
        let null = self.datafusion(datafusion::common::ScalarValue::try_from(field.data_type()))?;
        exprs.push((
            Arc::new(datafusion::physical_expr::expressions::Literal::new(null)),
            field.name().clone(),
        ));
        let mut fields = node_schema.fields().to_vec();
        fields.push(Arc::new(field.clone().with_nullable(true)));
        let schema = Arc::new(Schema::new(fields));
        let mut roles = input.roles;
        roles.push(Role::Plain);
        let keys = self.graph.nodes[input.node].changes.upsert_keys.clone();
        let node = self.calc(
            input.node,
            CalcStep::Project(exprs, Arc::clone(&schema)),
            schema,
            keys,
        );
        Ok(Lowered { node, roles })
    }

    /// Where rows of keys meet.
    fn spread(&self, key: &[usize]) -> (Exchange, usize) {
        if key.is_empty() {
            (Exchange::Gather, 1)
        } else {
            (Exchange::Hash(key.to_vec()), self.parallelism)
        }
    }

    /// When the state of an operator behind these nodes is given up: in event time where they have it.
    fn ttl(&self, inputs: &[NodeId]) -> Option<StateTtl> {
        let after = i64::try_from(self.options.state_ttl?.as_millis()).unwrap_or(i64::MAX);
        let by_event_time = inputs.iter().all(|id| self.has_event_time(*id));
        Some(StateTtl {
            after,
            by_event_time,
        })
    }

    fn has_event_time(&self, id: NodeId) -> bool {
        let node = &self.graph.nodes[id];
        match &node.operation {
            Operation::Source(source) => source.watermark.is_some(),
            Operation::WatermarkAssign(_) => true,
            Operation::Values(_) => false,
            _ => node.inputs.iter().all(|i| self.has_event_time(i.from)),
        }
    }

    fn values(&mut self, rows: RecordBatch) -> Lowered {
        let roles = vec![Role::Plain; rows.num_columns()];
        let schema = rows.schema();
        let node = self.graph.add(Node {
            operation: Operation::Values(rows),
            inputs: Vec::new(),
            schema,
            changes: Changes::default(),
            parallelism: 1,
        });
        Lowered { node, roles }
    }

    fn union(&mut self, inputs: Vec<Lowered>, schema: SchemaRef) -> Lowered {
        let nodes: Vec<&Node> = inputs.iter().map(|i| &self.graph.nodes[i.node]).collect();
        let parallelism = nodes.iter().map(|n| n.parallelism).max().unwrap_or(1);
        let changes = Changes {
            updating: nodes.iter().any(|n| n.changes.updating),
            upsert_keys: Vec::new(),
            order_dependent: nodes.iter().any(|n| n.changes.order_dependent),
        };
        let edges = inputs
            .iter()
            .map(|i| {
                let exchange = if self.graph.nodes[i.node].parallelism == parallelism {
                    Exchange::Forward
                } else {
                    Exchange::Gather
                };
                Input {
                    from: i.node,
                    exchange,
                }
            })
            .collect();
        let roles = (0..schema.fields().len())
            .map(|c| {
                let first = inputs.first().map_or(Role::Plain, |i| i.roles[c]);
                let same = inputs.iter().all(|i| i.roles[c].is_time_attribute());
                if same && first.is_time_attribute() {
                    Role::Rowtime
                } else {
                    Role::Plain
                }
            })
            .collect();
        let node = self.graph.add(Node {
            operation: Operation::Union,
            inputs: edges,
            schema,
            changes,
            parallelism,
        });
        Lowered { node, roles }
    }

    /// Adds a step to the Calc that `input` is, or a Calc behind it.
    fn calc(
        &mut self,
        input: NodeId,
        step: CalcStep,
        schema: SchemaRef,
        upsert_keys: Vec<Vec<usize>>,
    ) -> NodeId {
        let shared = self
            .sources
            .values()
            .chain(self.written.values().flatten())
            .any(|l| l.node == input);
        let mut changes = self.graph.nodes[input].changes.clone();
        changes.upsert_keys = upsert_keys;
        let node = &mut self.graph.nodes[input];
        if let Operation::Calc(steps) = &mut node.operation
            && !shared
        {
            steps.push(step);
            node.schema = schema;
            node.changes = changes;
            return input;
        }
        let parallelism = node.parallelism;
        self.graph.add(Node {
            operation: Operation::Calc(vec![step]),
            inputs: vec![Input {
                from: input,
                exchange: Exchange::Forward,
            }],
            schema,
            changes,
            parallelism,
        })
    }

    fn expression(&self, expr: &Expr, schema: &DFSchema) -> Planned<Arc<dyn PhysicalExpr>> {
        let made = create_physical_expr(
            expr,
            schema,
            &ExecutionProps::new(),
            &PhysicalPlanningContext::default(),
        );
        self.datafusion(made)
    }

    fn physical(
        &self,
        exprs: &[Expr],
        input: &DFSchema,
        output: &DFSchema,
    ) -> Planned<Vec<NamedExpr>> {
        let names = output.fields().iter().map(|f| f.name().clone());
        exprs
            .iter()
            .zip(names)
            .map(|(e, name)| Ok((self.expression(e, input)?, name)))
            .collect()
    }
}

/// Where a statement stands, as compilers write it.
fn place_of(file: &SourceFile, span: Span) -> String {
    format!("{}:{}:{}", file.name, span.start.line, span.start.column)
}

/// Upsert keys after a projection: those whose columns all have a place in it.
fn moved_keys(keys: &[Vec<usize>], place: impl Fn(usize) -> Option<usize>) -> Vec<Vec<usize>> {
    keys.iter()
        .filter_map(|key| key.iter().map(|c| place(*c)).collect())
        .collect()
}

fn same_columns(a: &[usize], b: &[usize]) -> bool {
    a.len() == b.len() && a.iter().all(|c| b.contains(c))
}

fn unaliased(expr: &Expr) -> &Expr {
    match expr {
        Expr::Alias(alias) => unaliased(&alias.expr),
        other => other,
    }
}

/// The column an expression is, under any aliases.
fn as_column(expr: &Expr) -> Option<&Column> {
    match expr {
        Expr::Column(column) => Some(column),
        Expr::Alias(alias) => as_column(&alias.expr),
        _ => None,
    }
}

fn arrow_schema(schema: &DFSchemaRef) -> SchemaRef {
    Arc::new(schema.as_arrow().clone())
}

fn column_expr(schema: &Schema, i: usize) -> NamedExpr {
    let name = schema.field(i).name();
    (Arc::new(PhysicalColumn::new(name, i)), name.clone())
}

/// What an expression over columns means for time: what the column does that it is, or PROCTIME().
fn column_role(expr: &Expr, schema: &DFSchema, roles: &[Role]) -> Role {
    if let Expr::ScalarFunction(call) = unaliased(expr)
        && call.name() == "proctime"
    {
        return Role::Proctime;
    }
    as_column(expr)
        .and_then(|c| schema.maybe_index_of_column(c))
        .and_then(|i| roles.get(i).copied())
        .unwrap_or(Role::Plain)
}

fn scan_columns(scan: &TableScan) -> Vec<usize> {
    match &scan.projection {
        Some(projection) => projection.clone(),
        None => (0..scan.source.schema().fields().len()).collect(),
    }
}

/// Scans of one table with the same options share a source.
fn source_key(table: &Table, options: &PlanOptions) -> String {
    let read = (
        options.idle_timeout,
        options.quiet_advance,
        options.cdc_duplicates,
        // Only what is kept of a changelog expires.
        options
            .state_ttl
            .filter(|_| source_mode(table) != SourceMode::Append),
    );
    // A table that was dropped and declared anew is another one.
    let declared = place_of(&table.file, table.span);
    format!("{} {:?} {read:?} {declared}", table.name, table.with)
}
