//! Checked logical plans to nodes of the dataflow graph.

mod aggregates;
mod calc;
mod joins;
mod over;
mod rank;
mod sinks;
mod slices;
mod tables;

use std::collections::{BTreeMap, BTreeSet, HashMap};
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

use self::calc::{as_column, column_expr, column_role, moved_keys, unaliased};
use super::bind::WindowTvf;
use crate::catalog::Table;
use crate::connectors::{MANAGED, SinkMode, SourceMode, source_mode};
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

    /// What it is after a join. A window that is NULL where no row of its side matches is none: nothing says when it is over.
    fn matched(self, always: bool) -> Self {
        match self {
            Self::WindowStart(..) | Self::WindowEnd(_) | Self::WindowTime(_) if !always => {
                Self::Plain
            }
            role => role,
        }
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
    /// A row that is further ahead of the clock does not move the watermark.
    pub max_ahead: Option<Duration>,
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
    /// Managed tables that are kept for queries, and the nodes whose rows are written to them.
    kept: BTreeMap<String, (Arc<Table>, Vec<Lowered>)>,
    keeps: bool,
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
            kept: BTreeMap::new(),
            keeps: false,
            file: SourceFile::new("", ""),
            span: Span::empty(),
        }
    }

    /// The rows of managed tables are kept for queries to read; those of `fed` come from clients.
    #[must_use]
    pub fn keeping(mut self, keeps: bool, fed: &[Arc<Table>]) -> Self {
        self.keeps = keeps;
        for table in fed {
            self.graph.scope = format!("table {}", table.name);
            self.graph.place = place_of(&table.file, table.span);
            let rows = self.rows_of_clients(table);
            self.written.insert(table.name.clone(), vec![rows.clone()]);
            self.kept
                .insert(table.name.clone(), (Arc::clone(table), vec![rows]));
        }
        self
    }

    /// The finished graph.
    pub fn finish(mut self) -> Graph {
        for (name, (table, writers)) in std::mem::take(&mut self.kept) {
            self.graph.scope.clone_from(&name);
            self.graph.place = place_of(&table.file, table.span);
            self.keep(table, writers);
        }
        self.graph.cut_by_steps();
        self.graph
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

    /// Where rows of keys meet.
    fn spread(&self, key: &[usize]) -> (Exchange, usize) {
        if key.is_empty() {
            (Exchange::Gather, 1)
        } else {
            (Exchange::Hash(key.to_vec()), self.parallelism)
        }
    }

    /// When the state of an operator after these nodes is given up: in event time where they have it.
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
}

/// Where a statement stands, as compilers write it.
fn place_of(file: &SourceFile, span: Span) -> String {
    format!("{}:{}:{}", file.name, span.start.line, span.start.column)
}

fn same_columns(a: &[usize], b: &[usize]) -> bool {
    a.len() == b.len() && a.iter().all(|c| b.contains(c))
}

fn arrow_schema(schema: &DFSchemaRef) -> SchemaRef {
    Arc::new(schema.as_arrow().clone())
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
        options.max_ahead,
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
