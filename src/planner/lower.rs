//! Checked logical plans to nodes of the dataflow graph.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, DFSchemaRef, ScalarValue};
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::planner::ContextProvider;
use datafusion::logical_expr::utils::grouping_set_to_exprlist;
use datafusion::logical_expr::{Cast, Expr, ExprSchemable, GroupingSet, LogicalPlan, TableScan};
use datafusion::physical_expr::aggregate::LoweredAggregateBuilder;
use datafusion::physical_expr::expressions::Column as PhysicalColumn;
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};
use sqlparser::tokenizer::Span;

use super::context::{PlanContext, StreamTable};
use super::diagnose;
use super::rewrite::checked_arithmetic;
use super::tables::plan_expression;
use super::types::flink_name;
use super::windows::{WindowTvf, as_column};
use crate::catalog::{ColumnKind, Table};
use crate::connectors::SinkMode;
use crate::graph::{
    Aggregate, AggregateCall, CalcStep, Changes, Exchange, Graph, Input, NamedExpr, Node, NodeId,
    Operation, Sink, Source, WatermarkRule,
};
use crate::sql::{Diagnostic, SourceFile};
use crate::time::{Millis, WindowKind};

/// A query and where its rows go.
pub struct InsertPlan {
    /// The analysed plan.
    pub plan: LogicalPlan,
    /// The table written; for a bare SELECT a table made up of its columns.
    pub sink: Arc<Table>,
    /// The sink columns (positions in its sink schema) the query's columns go to; the others become NULL.
    pub columns: Vec<usize>,
    /// Under what name results are captured and shown.
    pub name: String,
    /// A bare SELECT: its columns are taken as they come.
    pub is_select: bool,
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
            Self::Plain => None,
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

/// Builds the graph of a job, one INSERT after another.
pub struct Lowering<'a> {
    context: &'a PlanContext<'a>,
    parallelism: usize,
    idle_timeout: Option<Duration>,
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
    /// A graph for these inserts, at this parallelism. `in_process`: tables that are not read from their connector but
    /// from the statements of this job that write them.
    pub fn new(
        context: &'a PlanContext<'a>,
        inserts: &[InsertPlan],
        parallelism: usize,
        idle_timeout: Option<Duration>,
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
                        .entry(source_key(&source.table))
                        .or_default()
                        .extend(scan_columns(scan));
                }
                Ok(TreeNodeRecursion::Continue)
            });
        }
        Self {
            context,
            parallelism,
            idle_timeout,
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
        if let (true, SinkMode::Upsert, Some(sink_key), Some(query_key)) =
            (changes.updating, check.mode, &key, &changes.upsert_key)
            && !same_columns(sink_key, query_key)
        {
            let schema = &self.graph.nodes[rows.node].schema;
            let names = |columns: &[usize]| {
                columns
                    .iter()
                    .map(|c| schema.field(*c).name().clone())
                    .collect::<Vec<_>>()
                    .join(", ")
            };
            return Err(self.mistake(
                format!(
                    "The query has an upsert key that differs from the primary key of the sink table '{}'. Primary key: [{}], upsert key: [{}].",
                    insert.name,
                    names(sink_key),
                    names(query_key)
                ),
                "make them the same; ON CONFLICT over different keys is not supported yet".into(),
            ));
        }
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
            Some(key)
                if !changes
                    .upsert_key
                    .as_ref()
                    .is_some_and(|k| same_columns(key, k)) =>
            {
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
            None => n.title(),
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
                let input = self.lower(&projection.input)?;
                let exprs = self.physical(
                    &projection.expr,
                    projection.input.schema(),
                    &projection.schema,
                )?;
                let roles = projection
                    .expr
                    .iter()
                    .map(|e| column_role(e, projection.input.schema(), &input.roles))
                    .collect();
                let schema = arrow_schema(&projection.schema);
                let key = self.graph.nodes[input.node]
                    .changes
                    .upsert_key
                    .clone()
                    .and_then(|k| {
                        let sources: Vec<Option<usize>> = projection
                            .expr
                            .iter()
                            .map(|e| {
                                as_column(e).and_then(|c| {
                                    projection.input.schema().maybe_index_of_column(c)
                                })
                            })
                            .collect();
                        k.iter()
                            .map(|c| sources.iter().position(|s| *s == Some(*c)))
                            .collect()
                    });
                let node = self.calc(
                    input.node,
                    CalcStep::Project(exprs, Arc::clone(&schema)),
                    schema,
                    key,
                );
                Ok(Lowered { node, roles })
            }
            LogicalPlan::Filter(filter) => {
                let input = self.lower(&filter.input)?;
                let predicate = self.expression(&filter.predicate, filter.input.schema())?;
                let node = &self.graph.nodes[input.node];
                let (schema, key) = (Arc::clone(&node.schema), node.changes.upsert_key.clone());
                let node = self.calc(input.node, CalcStep::Filter(predicate), schema, key);
                Ok(Lowered { node, ..input })
            }
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
                for (i, field) in schema.fields().iter().enumerate() {
                    let mut cells = Vec::new();
                    for row in &values.values {
                        let cell = Expr::Cast(Cast::new(
                            Box::new(row[i].clone()),
                            field.data_type().clone(),
                        ));
                        let one_row = RecordBatch::try_new_with_options(
                            Arc::new(Schema::empty()),
                            Vec::new(),
                            &arrow::array::RecordBatchOptions::new().with_row_count(Some(1)),
                        );
                        let one_row = self.datafusion(one_row.map_err(Into::into))?;
                        let value = self
                            .expression(&cell, &empty)?
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
            LogicalPlan::Join(_) => Err(self.unsupported("a join")),
            LogicalPlan::Window(_) => Err(self.unsupported("OVER (...)")),
            LogicalPlan::Sort(_) => Err(self.unsupported("ORDER BY")),
            LogicalPlan::Limit(_) => Err(self.unsupported("LIMIT")),
            LogicalPlan::Unnest(_) => Err(self.unsupported("UNNEST")),
            LogicalPlan::RecursiveQuery(_) => Err(self.unsupported("WITH RECURSIVE")),
            LogicalPlan::Subquery(_) => Err(self.unsupported("a subquery in an expression")),
            LogicalPlan::Distinct(_) => Err(self.unsupported("DISTINCT ON")),
            other => Err(self.unsupported(&other.display().to_string())),
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
            upsert_key: None,
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
        upsert_key: Option<Vec<usize>>,
    ) -> NodeId {
        let shared = self
            .sources
            .values()
            .chain(self.written.values().flatten())
            .any(|l| l.node == input);
        let mut changes = self.graph.nodes[input].changes.clone();
        changes.upsert_key = upsert_key;
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
        self.datafusion(made.and_then(checked_arithmetic))
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

    // ---- Tables ----

    fn scan(&mut self, scan: &TableScan) -> Planned<Lowered> {
        let Some(source) = scan.source.downcast_ref::<StreamTable>() else {
            return Err(self.unsupported("this kind of table"));
        };
        let table = Arc::clone(&source.table);
        let key = source_key(&table);
        let read = match self.sources.get(&key) {
            Some(read) => read.clone(),
            None => {
                let columns: Vec<usize> = self
                    .needed
                    .get(&key)
                    .into_iter()
                    .flatten()
                    .copied()
                    .collect();
                let read = if self.in_process.contains(&table.name) {
                    self.read_in_process(&table, &columns)?
                } else {
                    self.read_connector(&table, &columns)?
                };
                self.sources.insert(key.clone(), read.clone());
                read
            }
        };
        // The source gives the columns that any query needs; this one takes its own.
        let columns: Vec<usize> = self
            .needed
            .get(&key)
            .into_iter()
            .flatten()
            .copied()
            .collect();
        let wanted = scan_columns(scan);
        let positions: Vec<usize> = wanted
            .iter()
            .filter_map(|w| columns.iter().position(|c| c == w))
            .collect();
        let roles = positions.iter().map(|p| read.roles[*p]).collect();
        let node_schema = Arc::clone(&self.graph.nodes[read.node].schema);
        if positions.len() == node_schema.fields().len() {
            return Ok(Lowered {
                node: read.node,
                roles,
            });
        }
        let schema = arrow_schema(&scan.projected_schema);
        let exprs = positions
            .iter()
            .map(|p| column_expr(&node_schema, *p))
            .collect();
        let node = self.calc(
            read.node,
            CalcStep::Project(exprs, Arc::clone(&schema)),
            schema,
            None,
        );
        Ok(Lowered { node, roles })
    }

    /// Reads `columns` of a table from its connector; what they and the watermark are computed from is read too.
    fn read_connector(&mut self, table: &Arc<Table>, columns: &[usize]) -> Planned<Lowered> {
        if let Some(connector) = table.connector() {
            if connector == "upsert-kafka" {
                return Err(self.unsupported(&format!(
                    "reading '{}', an upsert-kafka table (a changelog)",
                    table.name
                )));
            }
        } else {
            return Err(self.mistake(
                format!(
                    "table '{}' has no connector and nothing in this job writes it",
                    table.name
                ),
                "give it a 'connector' in its WITH list, or an INSERT INTO it".into(),
            ));
        }
        let output = self.with_watermark_columns(table, columns)?;
        let exprs = output
            .iter()
            .map(|c| self.table_column(table, *c))
            .collect::<Planned<Vec<_>>>()?;
        let fields: Vec<Field> = output
            .iter()
            .map(|c| table.columns[*c].field.clone())
            .collect();
        // Stored columns that anything is computed from.
        let mut read = BTreeSet::new();
        for expr in &exprs {
            for column in expr.column_refs() {
                read.extend(table.column(&column.name));
            }
        }
        let read: Vec<usize> = read.into_iter().collect();
        let read_fields: Vec<Field> = read
            .iter()
            .map(|c| table.columns[*c].field.clone())
            .collect();
        let read_schema = Arc::new(Schema::new(read_fields));
        let read_df = self.datafusion(DFSchema::try_from(Arc::clone(&read_schema)))?;
        let schema: SchemaRef = Arc::new(Schema::new(fields));
        let compute = exprs
            .iter()
            .zip(schema.fields())
            .map(|(e, f)| Ok((self.expression(e, &read_df)?, f.name().clone())))
            .collect::<Planned<Vec<_>>>()?;
        let rule = self.watermark_rule(table, &output, &schema, self.idle_timeout)?;
        let is_identity = read == output;
        let roles = output
            .iter()
            .map(|c| {
                if table.watermark.as_ref().is_some_and(|(t, _)| t == c) {
                    Role::Rowtime
                } else {
                    Role::Plain
                }
            })
            .collect();
        let node = self.graph.add(Node {
            operation: Operation::Source(Source {
                table: Arc::clone(table),
                columns: read,
                read_schema,
                compute: (!is_identity).then_some(compute),
                watermark: rule,
            }),
            inputs: Vec::new(),
            schema,
            changes: Changes::default(),
            parallelism: self.parallelism,
        });
        Ok(Lowered { node, roles })
    }

    /// Reads a table from the statements of this job that write it. Rows come in the order of event time where the table
    /// has a watermark, so that nothing depends on which writer was faster.
    fn read_in_process(&mut self, table: &Arc<Table>, columns: &[usize]) -> Planned<Lowered> {
        let writers = self.written.get(&table.name).cloned().unwrap_or_default();
        if writers.is_empty() {
            return Err(self.mistake(
                format!("table '{}' is read in process, but no statement before writes it", table.name),
                "put the INSERT INTO it before its readers; statements cannot read each other in a circle".into(),
            ));
        }
        if writers
            .iter()
            .any(|w| self.graph.nodes[w.node].changes.updating)
            || table.primary_key.is_some()
        {
            return Err(self.unsupported(&format!(
                "reading '{}', a table with updates (a changelog)",
                table.name
            )));
        }
        let sink_schema = table.sink_schema();
        let insertable = table.insertable();
        let mut rows = self.union(writers.clone(), Arc::clone(&sink_schema));
        if let Some((time, _)) = &table.watermark {
            let role = insertable
                .iter()
                .position(|i| i == time)
                .map_or(Role::Plain, |position| writers[0].roles[position]);
            if let Some(position) = insertable.iter().position(|i| i == time) {
                rows.node = self.graph.add(Node {
                    operation: Operation::EventTimeSort {
                        column: position,
                        complete_after: role.complete_after(),
                    },
                    inputs: vec![Input {
                        from: rows.node,
                        exchange: Exchange::Gather,
                    }],
                    schema: Arc::clone(&sink_schema),
                    changes: Changes::default(),
                    parallelism: 1,
                });
            }
        }
        let output = self.with_watermark_columns(table, columns)?;
        let df = self.datafusion(DFSchema::try_from(Arc::clone(&sink_schema)))?;
        let schema: SchemaRef = Arc::new(Schema::new(
            output
                .iter()
                .map(|c| table.columns[*c].field.clone())
                .collect::<Vec<_>>(),
        ));
        let mut exprs = Vec::new();
        for c in &output {
            let expr = match &table.columns[*c].kind {
                ColumnKind::Metadata {
                    is_virtual: true, ..
                } => Expr::Cast(Cast::new(
                    Box::new(Expr::Literal(ScalarValue::Null, None)),
                    table.columns[*c].field.data_type().clone(),
                )),
                _ => self.table_column(table, *c)?,
            };
            exprs.push((
                self.expression(&expr, &df)?,
                table.columns[*c].field.name().clone(),
            ));
        }
        rows.node = self.calc(
            rows.node,
            CalcStep::Project(exprs, Arc::clone(&schema)),
            Arc::clone(&schema),
            None,
        );
        if let Some(rule) = self.watermark_rule(table, &output, &schema, None)? {
            let parallelism = self.graph.nodes[rows.node].parallelism;
            rows.node = self.graph.add(Node {
                operation: Operation::WatermarkAssign(rule),
                inputs: vec![Input {
                    from: rows.node,
                    exchange: Exchange::Forward,
                }],
                schema,
                changes: Changes::default(),
                parallelism,
            });
        }
        let roles = output
            .iter()
            .map(|c| {
                if table.watermark.as_ref().is_some_and(|(t, _)| t == c) {
                    Role::Rowtime
                } else {
                    Role::Plain
                }
            })
            .collect();
        Ok(Lowered {
            node: rows.node,
            roles,
        })
    }

    /// `columns`, then what else of a table its watermark needs.
    fn with_watermark_columns(&self, table: &Table, columns: &[usize]) -> Planned<Vec<usize>> {
        let mut output = columns.to_vec();
        if let Some((time, expr)) = &table.watermark {
            let planned = self.declared_expression(table, expr)?;
            let refs: BTreeSet<usize> = planned
                .column_refs()
                .iter()
                .filter_map(|c| table.column(&c.name))
                .collect();
            for column in std::iter::once(*time).chain(refs) {
                if !output.contains(&column) {
                    output.push(column);
                }
            }
        }
        Ok(output)
    }

    /// The watermark of a table over its columns `output`, whose rows are of `schema`.
    fn watermark_rule(
        &self,
        table: &Table,
        output: &[usize],
        schema: &SchemaRef,
        idle_timeout: Option<Duration>,
    ) -> Planned<Option<WatermarkRule>> {
        let Some((time, expr)) = &table.watermark else {
            return Ok(None);
        };
        let planned = self.declared_expression(table, expr)?;
        let df = self.datafusion(DFSchema::try_from(Arc::clone(schema)))?;
        Ok(Some(WatermarkRule {
            column: output.iter().position(|c| c == time).unwrap_or(0),
            name: table.columns[*time].field.name().clone(),
            expr: self.expression(&planned, &df)?,
            idle_timeout,
        }))
    }

    /// An expression of a table's declaration over its columns, typed.
    fn declared_expression(&self, table: &Table, expr: &sqlparser::ast::Expr) -> Planned<Expr> {
        let fields = table.columns.iter().map(|c| c.field.clone()).collect();
        let planned = plan_expression(expr, fields, self.context);
        planned
            .map(|(e, _)| e)
            .map_err(|e| diagnose(&table.file, table.span, &e))
    }

    /// A table column as an expression over its stored columns.
    fn table_column(&self, table: &Table, column: usize) -> Planned<Expr> {
        let declared = &table.columns[column];
        match &declared.kind {
            ColumnKind::Computed(expr) => self.inline_computed(table, expr),
            _ => Ok(Expr::Column(datafusion::common::Column::new_unqualified(
                declared.field.name(),
            ))),
        }
    }

    /// An expression of a table's declaration over its stored columns, typed.
    fn inline_computed(&self, table: &Table, expr: &sqlparser::ast::Expr) -> Planned<Expr> {
        let planned = self.declared_expression(table, expr)?;
        let inlined = planned.transform_up(|e| {
            use datafusion::common::tree_node::Transformed;
            if let Expr::Column(c) = &e
                && let Some(i) = table.column(&c.name)
                && let ColumnKind::Computed(inner) = &table.columns[i].kind
            {
                let stored = table
                    .columns
                    .iter()
                    .filter(|c| !matches!(c.kind, ColumnKind::Computed(_)))
                    .map(|c| c.field.clone())
                    .collect();
                return Ok(Transformed::yes(
                    plan_expression(inner, stored, self.context)?.0,
                ));
            }
            Ok(Transformed::no(e))
        });
        Ok(self.datafusion(inlined)?.data)
    }

    // ---- Windows and aggregates ----

    fn window(&mut self, window: &WindowTvf) -> Planned<Lowered> {
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
        if node.changes.updating {
            return Err(self.unsupported("a window over a stream with updates"));
        }
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
            changes: Changes::default(),
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

    fn aggregate(&mut self, plan: &datafusion::logical_expr::Aggregate) -> Planned<Lowered> {
        let input_schema = plan.input.schema();
        let mut input = self.lower(&plan.input)?;
        if self.graph.nodes[input.node].changes.updating {
            return Err(self.unsupported("an aggregation over a stream with updates (retractions)"));
        }
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
            [Expr::GroupingSet(sets)] => {
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
        let calls = plan
            .aggr_expr
            .iter()
            .map(|e| self.call(e, input_schema, &physical_input))
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
        let aggregate = Arc::new(Aggregate {
            group,
            key: key.clone(),
            window,
            calls,
            partial_schema: Arc::new(Schema::new(fields)),
            result_schema: Arc::clone(&result_schema),
        });
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
            upsert_key: window.is_none().then_some(all_groups),
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

    /// One call of an aggregate function.
    fn call(&self, expr: &Expr, logical: &DFSchema, physical: &Schema) -> Planned<AggregateCall> {
        let context = PhysicalPlanningContext::default();
        let lowered = self.datafusion(
            LoweredAggregateBuilder::new(expr, logical, physical, &ExecutionProps::new(), &context)
                .with_name(expr.schema_name().to_string())
                .build(),
        )?;
        let args = lowered
            .aggregate
            .expressions()
            .into_iter()
            .map(checked_arithmetic);
        let args = self.datafusion(args.collect::<datafusion::error::Result<Vec<_>>>())?;
        let order_by = lowered
            .aggregate
            .order_bys()
            .iter()
            .map(|s| Arc::clone(&s.expr))
            .collect();
        let function = match lowered.aggregate.with_new_expressions(args, order_by) {
            Some(function) => Arc::new(function),
            None => lowered.aggregate,
        };
        Ok(AggregateCall {
            function,
            filter: lowered.filter,
        })
    }

    /// Grouping sets: puts an Expand behind `input`; its columns are the input's, then the grouping columns (nulled as the
    /// set says), then the grouping id. Returns the position of the first grouping column.
    fn expand(
        &mut self,
        input: &mut Lowered,
        schema: &DFSchema,
        group: &[Expr],
        sets: &GroupingSet,
        result: &Schema,
    ) -> Planned<usize> {
        let sets = &grouping_sets(sets);
        let node = &self.graph.nodes[input.node];
        let (from, parallelism) = (input.node, node.parallelism);
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
            changes: Changes::default(),
            parallelism,
        });
        Ok(width)
    }

    // ---- Sinks ----

    /// Text and numbers in the types that Flink has: DataFusion's functions also give views and unsigned numbers.
    fn plain_types(&mut self, query: Lowered) -> Planned<Lowered> {
        let schema = Arc::clone(&self.graph.nodes[query.node].schema);
        let plain: Vec<DataType> = schema
            .fields()
            .iter()
            .map(|f| plain_type(f.data_type()))
            .collect();
        if schema
            .fields()
            .iter()
            .zip(&plain)
            .all(|(f, p)| f.data_type() == p)
        {
            return Ok(query);
        }
        let df = self.datafusion(DFSchema::try_from(unique_names(&schema)))?;
        let mut exprs = Vec::new();
        for ((column, field), data_type) in
            df.columns().into_iter().zip(schema.fields()).zip(&plain)
        {
            let cast = Expr::Cast(Cast::new(Box::new(Expr::Column(column)), data_type.clone()));
            exprs.push((self.expression(&cast, &df)?, field.name().clone()));
        }
        let fields = schema
            .fields()
            .iter()
            .zip(plain)
            .map(|(f, t)| Field::new(f.name(), t, f.is_nullable()));
        let schema: SchemaRef = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let key = self.graph.nodes[query.node].changes.upsert_key.clone();
        let node = self.calc(
            query.node,
            CalcStep::Project(exprs, Arc::clone(&schema)),
            schema,
            key,
        );
        Ok(Lowered {
            node,
            roles: query.roles,
        })
    }

    /// The query's rows as rows of the sink.
    fn sink_rows(&mut self, query: Lowered, insert: &InsertPlan) -> Planned<Lowered> {
        if insert.is_select {
            return self.plain_types(query);
        }
        let rowtimes: Vec<&str> = query
            .roles
            .iter()
            .zip(insert.plan.schema().fields())
            .filter(|(r, _)| r.is_time_attribute())
            .map(|(_, f)| f.name().as_str())
            .collect();
        if rowtimes.len() > 1 {
            return Err(self.mistake(
                format!(
                    "The query contains more than one rowtime attribute column [{}] for writing into table '{}'",
                    rowtimes.join(", "),
                    insert.name
                ),
                format!("Please select the column that should be used as the event-time timestamp by casting all other columns to TIMESTAMP or TIMESTAMP_LTZ: CAST(`{}` AS TIMESTAMP(3))", rowtimes[1]),
            ));
        }
        let from = insert.plan.schema();
        let sink = insert.sink.sink_schema();
        let shown = |schema: &Schema, columns: Option<&[usize]>| {
            let all: Vec<usize> = (0..schema.fields().len()).collect();
            let fields = columns.unwrap_or(&all).iter().map(|i| schema.field(*i));
            let list: Vec<String> = fields
                .map(|f| format!("{}: {}", f.name(), flink_name(f.data_type())))
                .collect();
            format!("[{}]", list.join(", "))
        };
        let schemas = format!(
            "Query schema: {}\nSink schema:  {}",
            shown(from.as_arrow(), None),
            shown(&sink, Some(&insert.columns))
        );
        if from.fields().len() != insert.columns.len() {
            return Err(self.mistake(
                format!(
                    "Column types of query result and sink for '{}' do not match. Cause: Different number of columns ({} given, {} expected).",
                    insert.name,
                    from.fields().len(),
                    insert.columns.len()
                ),
                schemas,
            ));
        }
        let node_schema = Arc::clone(&self.graph.nodes[query.node].schema);
        let df = self.datafusion(DFSchema::try_from(unique_names(&node_schema)))?;
        let (mut exprs, mut roles, mut fields) = (Vec::new(), Vec::new(), Vec::new());
        let mut sources = Vec::new();
        for (position, field) in sink.fields().iter().enumerate() {
            let given = insert.columns.iter().position(|c| *c == position);
            let (expr, role) = match given {
                None => (Expr::Literal(ScalarValue::Null, None), Role::Plain),
                Some(i) => {
                    let have = &plain_type(from.field(i).data_type());
                    let declared = declared_length(&insert.sink, field.name());
                    let too_short =
                        matches!(declared, Some(("CHAR", _))) && have == &DataType::Utf8;
                    if too_short || !fits(have, field.data_type()) {
                        return Err(self.mistake(
                            format!(
                                "Column types of query result and sink for '{}' do not match. Cause: Incompatible types for sink column '{}' at position {position}: {} given, {} expected.",
                                insert.name,
                                field.name(),
                                flink_name(have),
                                flink_name(field.data_type())
                            ),
                            format!("CAST it to {}\n{schemas}", flink_name(field.data_type())),
                        ));
                    }
                    let value = Expr::Column(df.columns()[i].clone());
                    let value = match declared {
                        // As Flink, an INSERT cuts text to the length of the column.
                        Some(("VARCHAR", n)) => {
                            let length = Expr::Literal(ScalarValue::Int64(Some(n)), None);
                            match self.context.get_function_meta("left") {
                                Some(left) => left.call(vec![value, length]),
                                None => value,
                            }
                        }
                        _ => value,
                    };
                    (value, query.roles[i])
                }
            };
            let typed = match expr.get_type(&df) {
                Ok(t) if &t == field.data_type() => expr,
                _ => Expr::Cast(Cast::new(Box::new(expr), field.data_type().clone())),
            };
            let typed = self.datafusion(super::analyze_expression(typed, &df))?;
            exprs.push((self.expression(&typed, &df)?, field.name().clone()));
            roles.push(role);
            sources.push(given);
            // NULLs in NOT NULL columns are the sink's to refuse or drop.
            fields.push(field.as_ref().clone().with_nullable(true));
        }
        let schema: SchemaRef = Arc::new(Schema::new(fields));
        let key = self.graph.nodes[query.node].changes.upsert_key.clone();
        let key = key.and_then(|k| {
            k.iter()
                .map(|c| sources.iter().position(|s| *s == Some(*c)))
                .collect()
        });
        let node = self.calc(
            query.node,
            CalcStep::Project(exprs, Arc::clone(&schema)),
            schema,
            key,
        );
        Ok(Lowered { node, roles })
    }
}

fn same_columns(a: &[usize], b: &[usize]) -> bool {
    a.len() == b.len() && a.iter().all(|c| b.contains(c))
}

/// The sets that ROLLUP, CUBE or GROUPING SETS stands for.
fn grouping_sets(set: &GroupingSet) -> Vec<Vec<Expr>> {
    match set {
        GroupingSet::GroupingSets(sets) => sets.clone(),
        GroupingSet::Rollup(exprs) => (0..=exprs.len())
            .rev()
            .map(|n| exprs[..n].to_vec())
            .collect(),
        GroupingSet::Cube(exprs) => (0..1usize << exprs.len())
            .rev()
            .map(|bits| {
                exprs
                    .iter()
                    .enumerate()
                    .filter(|(i, _)| bits >> i & 1 == 1)
                    .map(|(_, e)| e.clone())
                    .collect()
            })
            .collect(),
    }
}

/// Flink's implicit casts into a sink column: same type family, no loss of kind.
fn fits(from: &DataType, to: &DataType) -> bool {
    use DataType::{
        Binary, Date32, Decimal128, Float32, Float64, Int8, Int16, Int32, Int64, List, Map, Null,
        Struct, Timestamp, Utf8,
    };
    let rank = |t: &DataType| match t {
        Int8 => Some(0),
        Int16 => Some(1),
        Int32 => Some(2),
        Int64 => Some(3),
        Decimal128(..) => Some(4),
        Float32 => Some(5),
        Float64 => Some(6),
        _ => None,
    };
    match (from, to) {
        (a, b) if a == b => true,
        (Null, _) => true,
        (Decimal128(..), Decimal128(..))
        | (Timestamp(..), Timestamp(..))
        | (Date32, Timestamp(..)) => true,
        (Utf8, Utf8) | (Binary, Binary) => true,
        (List(a), List(b)) => fits(a.data_type(), b.data_type()),
        (Map(a, _), Map(b, _)) => fits(a.data_type(), b.data_type()),
        (Struct(a), Struct(b)) => {
            a.len() == b.len()
                && a.iter()
                    .zip(b)
                    .all(|(a, b)| fits(a.data_type(), b.data_type()))
        }
        (a, b) => matches!((rank(a), rank(b)), (Some(a), Some(b)) if a <= b),
    }
}

/// The type without DataFusion's other representations of text, bytes and numbers.
pub(super) fn plain_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        other => other.clone(),
    }
}

/// CHAR or VARCHAR and its length, where a sink column is declared so.
fn declared_length(table: &Table, column: &str) -> Option<(&'static str, i64)> {
    let declared = &table.columns[table.column(column)?].declared;
    let (name, rest) = declared.split_once('(')?;
    let length = rest.split_once(')')?.0.parse().ok()?;
    match name {
        "CHAR" => Some(("CHAR", length)),
        "VARCHAR" => Some(("VARCHAR", length)),
        _ => None,
    }
}

fn is_order_dependent(function: &str) -> bool {
    matches!(
        function,
        "first_value" | "last_value" | "array_agg" | "listagg" | "string_agg" | "nth_value"
    )
}

fn arrow_schema(schema: &DFSchemaRef) -> SchemaRef {
    Arc::new(schema.as_arrow().clone())
}

/// The same columns under names by position: sink columns are matched by place.
fn unique_names(schema: &Schema) -> Schema {
    Schema::new(
        schema
            .fields()
            .iter()
            .enumerate()
            .map(|(i, f)| f.as_ref().clone().with_name(format!("c{i}")))
            .collect::<Vec<_>>(),
    )
}

fn column_expr(schema: &Schema, i: usize) -> NamedExpr {
    let name = schema.field(i).name();
    (Arc::new(PhysicalColumn::new(name, i)), name.clone())
}

fn column_role(expr: &Expr, schema: &DFSchema, roles: &[Role]) -> Role {
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
fn source_key(table: &Table) -> String {
    format!("{} {:?}", table.name, table.with)
}
