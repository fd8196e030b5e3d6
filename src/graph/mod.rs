//! The dataflow of a job as data: nodes, exchanges, what each node emits; printed by EXPLAIN.

mod explain;

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;

use crate::catalog::Table;
use crate::time::{Millis, WindowSpec};

/// Index of a node in its graph.
pub type NodeId = usize;

/// A job's dataflow; nodes come after their inputs.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    /// The nodes.
    pub nodes: Vec<Node>,
}

/// One step of the dataflow.
#[derive(Debug, Clone)]
pub struct Node {
    /// What it does.
    pub operation: Operation,
    /// Where its rows come from.
    pub inputs: Vec<Input>,
    /// The rows it emits.
    pub schema: SchemaRef,
    /// How its rows change.
    pub changes: Changes,
    /// 1 where everything must meet in one place, else the job's parallelism.
    pub parallelism: usize,
}

/// An edge into a node.
#[derive(Debug, Clone)]
pub struct Input {
    /// The node the rows come from.
    pub from: NodeId,
    /// How they are spread over instances.
    pub exchange: Exchange,
}

/// How rows travel between the instances of two nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exchange {
    /// Instance to the same instance.
    Forward,
    /// By hash of these columns.
    Hash(Vec<usize>),
    /// All to the one instance.
    Gather,
}

/// How the rows of a node change (Flink: changelog mode and upsert key).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Rows are also retracted.
    pub updating: bool,
    /// Columns that identify a row: at most one row per value is there at any time.
    pub upsert_key: Option<Vec<usize>>,
    /// The result depends on the order in which rows arrive.
    pub order_dependent: bool,
}

/// An expression and the name of what it gives.
pub type NamedExpr = (Arc<dyn PhysicalExpr>, String);

/// A step of a [`Operation::Calc`].
#[derive(Debug, Clone)]
pub enum CalcStep {
    /// Keeps the rows for which it is true.
    Filter(Arc<dyn PhysicalExpr>),
    /// Computes new columns.
    Project(Vec<NamedExpr>, SchemaRef),
}

/// What a node does.
#[derive(Debug, Clone)]
pub enum Operation {
    /// Reads a table.
    Source(Source),
    /// Gives these rows once.
    Values(arrow::array::RecordBatch),
    /// Filters and projections, fused.
    Calc(Vec<CalcStep>),
    /// Emits each row once per list of expressions (grouping sets).
    Expand(Vec<Vec<Arc<dyn PhysicalExpr>>>),
    /// Gives every row the windows it falls into: columns window_start, window_end, window_time behind its own.
    WindowAssign {
        /// The windows.
        windows: WindowSpec,
        /// The time attribute.
        time: usize,
    },
    /// Collects rows into sessions per key and emits them with their window once it is over.
    SessionAssign {
        /// Quiet time that ends a session, in milliseconds.
        gap: Millis,
        /// The time attribute.
        time: usize,
        /// The key.
        keys: Vec<usize>,
    },
    /// Aggregates rows into partial results before they are shuffled.
    LocalAggregate(Arc<Aggregate>),
    /// Merges partial results per key and window and emits a window when the watermark passes it.
    WindowAggregate(Arc<Aggregate>),
    /// Merges partial results per key for ever and emits what changes.
    GroupAggregate(Arc<Aggregate>),
    /// All rows of all inputs.
    Union,
    /// Puts rows in the order of a column as the watermark passes them.
    EventTimeSort {
        /// The column.
        column: usize,
        /// A row is complete once the watermark has reached its value plus this; `None`: with every watermark.
        complete_after: Option<Millis>,
    },
    /// Starts event time anew from a column.
    WatermarkAssign(WatermarkRule),
    /// Writes a table.
    Sink(Sink),
}

/// Reading a table.
#[derive(Debug, Clone)]
pub struct Source {
    /// The table.
    pub table: Arc<Table>,
    /// Stored and metadata columns to read, as indexes into the table's columns.
    pub columns: Vec<usize>,
    /// Their rows.
    pub read_schema: SchemaRef,
    /// Computes the table's columns from them, where they are not the same.
    pub compute: Option<Vec<NamedExpr>>,
    /// Its watermark, over the node's schema.
    pub watermark: Option<WatermarkRule>,
}

/// WATERMARK FOR a column AS an expression.
#[derive(Debug, Clone)]
pub struct WatermarkRule {
    /// The event-time column.
    pub column: usize,
    /// Its name, for messages.
    pub name: String,
    /// The watermark of a row: a timestamp.
    pub expr: Arc<dyn PhysicalExpr>,
    /// A partition without rows for so long no longer holds the watermark.
    pub idle_timeout: Option<Duration>,
}

/// Keys and aggregate calls.
#[derive(Debug, Clone)]
pub struct Aggregate {
    /// Grouping expressions over the input.
    pub group: Vec<NamedExpr>,
    /// Positions of the grouping columns that rows are spread by: all but those of the window.
    pub key: Vec<usize>,
    /// Positions of window_start and window_end among them, for a window aggregate.
    pub window: Option<(usize, usize)>,
    /// The calls.
    pub calls: Vec<AggregateCall>,
    /// Rows of partial results: the grouping columns, then the state columns of every call.
    pub partial_schema: SchemaRef,
    /// Rows of results: the grouping columns, then a column a call.
    pub result_schema: SchemaRef,
}

/// One call of an aggregate function.
#[derive(Debug, Clone)]
pub struct AggregateCall {
    /// Function and arguments.
    pub function: Arc<AggregateFunctionExpr>,
    /// FILTER (WHERE ...).
    pub filter: Option<Arc<dyn PhysicalExpr>>,
}

/// Writing a table.
#[derive(Debug, Clone)]
pub struct Sink {
    /// The table, or the result of a bare SELECT.
    pub table: Arc<Table>,
    /// Under what name results are captured and shown.
    pub name: String,
    /// Columns that identify a row of the table.
    pub key: Option<Vec<usize>>,
    /// It stands for a bare SELECT: the table is made up of its columns.
    pub is_select: bool,
}

impl Graph {
    /// Adds a node and returns its id.
    pub fn add(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// The nodes that read `id`, each with the index of the input.
    pub fn consumers(&self, id: NodeId) -> impl Iterator<Item = (NodeId, usize)> {
        self.nodes.iter().enumerate().flat_map(move |(n, node)| {
            node.inputs
                .iter()
                .enumerate()
                .filter(move |(_, i)| i.from == id)
                .map(move |(i, _)| (n, i))
        })
    }
}
