//! The dataflow of a job as data: nodes, exchanges, what each node emits; printed by EXPLAIN.

mod calc;
mod calls;
mod describe;
mod explain;
mod identity;
mod keeps;
mod lengths;
mod names;
mod ranks;
pub mod sql;

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;

use crate::catalog::Table;
pub use crate::state::StateTtl;
use crate::time::{Millis, WindowSpec};
pub use ranks::{Frame, Over, OverFunction, OverTime, Rank, RankFunction, RankTime, SortColumn};

/// The columns of `flowline.late_rows`: the operator that left the row out, the row's time and the watermark by which it was
/// late, where they are known, why, and the row as JSON.
pub fn late_rows_schema() -> SchemaRef {
    let time = || DataType::Timestamp(TimeUnit::Millisecond, None);
    Arc::new(Schema::new(vec![
        Field::new("operator", DataType::Utf8, true),
        Field::new("event_time", time(), true),
        Field::new("watermark", time(), true),
        Field::new("reason", DataType::Utf8, true),
        Field::new("row", DataType::Utf8, false),
    ]))
}

/// Index of a node in its graph.
pub type NodeId = usize;

/// A job's dataflow; nodes come after their inputs.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    /// The nodes.
    pub nodes: Vec<Node>,
    /// What each belongs to: the sink of its statement, or the table it reads.
    pub scopes: Vec<String>,
    /// What nodes added next belong to.
    pub scope: String,
    /// Where the statement of each node stands: file:line:column.
    pub places: Vec<String>,
    /// Where the statement of nodes added next stands.
    pub place: String,
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
    /// What the node puts beside its rows, all to the one instance.
    Aside(Aside),
}

/// A built-in table that nodes fill beside their rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aside {
    /// What sources could not decode: `flowline.bad_rows`.
    BadRows,
    /// What operators left out because it was late: `flowline.late_rows`.
    LateRows,
}

impl Aside {
    /// The name of the table.
    pub fn table(self) -> &'static str {
        match self {
            Self::BadRows => "flowline.bad_rows",
            Self::LateRows => "flowline.late_rows",
        }
    }
}

/// How the rows of a node change (Flink: changelog mode and upsert key).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Rows are also retracted.
    pub updating: bool,
    /// Sets of columns each of which identifies a row: at most one row per value is there at any time.
    pub upsert_keys: Vec<Vec<usize>>,
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
    /// Gives every row the windows it falls into: columns window_start, window_end, window_time after its own.
    WindowAssign {
        /// The windows.
        windows: WindowSpec,
        /// The time attribute.
        time: usize,
        /// A row gets its slice instead of its windows: the aggregation that follows puts slices together.
        by_slices: bool,
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
    /// Aggregates per key and window and emits a window when the watermark passes it.
    WindowAggregate(Arc<Aggregate>),
    /// Aggregates per key for ever and emits what changes.
    GroupAggregate(Arc<Aggregate>),
    /// All rows of all inputs.
    Union,
    /// Puts rows in the order of a column as the watermark passes them.
    EventTimeSort {
        /// The column.
        column: usize,
        /// A row is complete once the watermark has reached its value plus this; `None`: with every watermark.
        complete_after: Option<Millis>,
        /// The order of rows of the same time; then by arrival.
        then: Vec<SortColumn>,
        /// Rows at or behind their watermark are left out.
        drops_late: bool,
    },
    /// Starts event time anew from a column.
    WatermarkAssign(WatermarkRule),
    /// Turns upserts and deletes by key into rows that are retracted and inserted.
    ChangelogNormalize {
        /// The key.
        key: Vec<usize>,
        /// When a key is given up.
        ttl: Option<StateTtl>,
    },
    /// Joins two inputs.
    Join(Arc<Join>),
    /// Keeps the rows of each partition that rank within limits (Top-N, deduplication, LIMIT).
    Rank(Arc<Rank>),
    /// Computes functions over the rows before each row.
    Over(Arc<Over>),
    /// Of several rows of a sink key lets one through (Flink: SinkUpsertMaterializer).
    UpsertMaterialize {
        /// The key.
        key: Vec<usize>,
        /// Which of several rows counts.
        conflict: Conflict,
        /// When a key is given up.
        ttl: Option<StateTtl>,
    },
    /// Keeps the rows of a managed table, for queries to read.
    Keep(Keep),
    /// Writes a table.
    Sink(Sink),
}

impl Operation {
    /// When its state is given up.
    pub fn ttl(&self) -> Option<StateTtl> {
        match self {
            Self::GroupAggregate(aggregate) => aggregate.ttl,
            Self::Join(join) => join.ttl,
            Self::Rank(rank) => rank.ttl,
            Self::Over(over) => over.ttl,
            Self::ChangelogNormalize { ttl, .. } | Self::UpsertMaterialize { ttl, .. } => *ttl,
            _ => None,
        }
    }
}

/// Keeping a managed table.
#[derive(Debug, Clone)]
pub struct Keep {
    /// The table.
    pub table: Arc<Table>,
    /// The columns of its key: a row replaces the one of the same key. `None`: rows are added.
    pub key: Option<Vec<usize>>,
    /// How many rows are kept where they are added; the oldest go first.
    pub retained: usize,
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
    /// After so long without a row in any partition of a reader its watermark moves with the clock.
    pub quiet_advance: Option<Duration>,
    /// A row that is further ahead of the clock does not move the watermark.
    pub max_ahead: Option<Duration>,
    /// The steps in which state counts event time ([`StateTtl::step`]): where the watermark enters another one, a batch ends.
    pub steps: Vec<Millis>,
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
    /// Where rows come by slices: the windows to make of them.
    pub slices: Option<Slicing>,
    /// The calls.
    pub calls: Vec<AggregateCall>,
    /// Rows of partial results: the grouping columns, then the state columns of every call.
    pub partial_schema: SchemaRef,
    /// Rows of results: the grouping columns, then a column a call.
    pub result_schema: SchemaRef,
    /// When a key without a window is given up.
    pub ttl: Option<StateTtl>,
    /// How long partial results without a window are held back; `None`: until the batch is over.
    pub mini_batch: Option<MiniBatch>,
    /// What the node that keeps the groups is given.
    pub input: AggregateInput,
}

/// How windows are made of slices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slicing {
    /// The windows.
    pub windows: WindowSpec,
    /// The position of window_time among the grouping columns.
    pub time: Option<usize>,
}

/// What comes to an aggregation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AggregateInput {
    /// Partial results of a first phase.
    Partials,
    /// Rows that only come.
    Rows,
    /// Rows that come and go.
    Changes,
}

/// Rows aggregated together before their result goes on (Flink: `table.exec.mini-batch`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MiniBatch {
    /// At most so many rows.
    pub size: u64,
    /// At most so long, in milliseconds.
    pub latency: Millis,
}

/// One call of an aggregate function.
#[derive(Debug, Clone)]
pub struct AggregateCall {
    /// Function and arguments.
    pub function: Arc<AggregateFunctionExpr>,
    /// FILTER (WHERE ...).
    pub filter: Option<Arc<dyn PhysicalExpr>>,
    /// The function is to be given each value once, and is not itself told that it is DISTINCT.
    pub distinct: bool,
}

/// Which rows a join gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinKind {
    /// Pairs that match.
    Inner,
    /// Also left rows without a match, with NULLs.
    Left,
    /// Also right rows without a match, with NULLs.
    Right,
    /// Also rows of both sides without a match.
    Full,
    /// Left rows that have a match, once.
    LeftSemi,
    /// Left rows that have no match.
    LeftAnti,
    /// Left rows, with a last column BOOLEAN: whether they have a match.
    LeftMark,
}

/// How long rows of a join wait for their match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinTime {
    /// For ever, or until the state expires. Both inputs may be updating; the result is updating.
    Regular,
    /// Until the watermark passes the window both belong to; the columns (left, right) hold its end. The keys say that the
    /// windows are the same. Inputs and result are append-only.
    Window(usize, usize),
    /// As long as a match can come: `right.time + lower <= left.time <= right.time + upper`, in milliseconds. Inputs and result
    /// are append-only.
    Interval {
        /// Time column of the left rows.
        left: usize,
        /// Time column of the right rows.
        right: usize,
        /// May be negative.
        lower: Millis,
        /// May be negative.
        upper: Millis,
    },
}

/// A join of input 0 (left) and input 1 (right). Its rows: the columns of the left, then those of the right (semi and anti:
/// the left alone).
#[derive(Debug, Clone)]
pub struct Join {
    /// Which rows it gives.
    pub kind: JoinKind,
    /// How long rows wait.
    pub time: JoinTime,
    /// Columns (left, right) that must be equal.
    pub keys: Vec<(usize, usize)>,
    /// NULL keys equal each other (IS NOT DISTINCT FROM); else they match nothing.
    pub nulls_equal: bool,
    /// What must be true besides, over the left columns followed by the right columns.
    pub filter: Option<Arc<dyn PhysicalExpr>>,
    /// NOT IN (anti only, one key, one instance): a NULL on the right side matches every left row, and a NULL on the left matches if there is
    /// any right row.
    pub null_aware: bool,
    /// When rows of a regular join are given up.
    pub ttl: Option<StateTtl>,
    /// Whether rows of the left and of the right input may go again.
    pub updating: (bool, bool),
}

/// What happens where two rows of a query meet in one key of its sink (Flink: ON CONFLICT).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflict {
    /// The last one counts.
    Deduplicate,
    /// The first one counts.
    Nothing,
    /// The job fails.
    Error,
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
    /// A row with NULL in a NOT NULL column is left out; else it is an error.
    pub drops_nulls: bool,
    /// It takes rows by key: what a row replaces need not be told.
    pub takes_upserts: bool,
}

impl Graph {
    /// Adds a node and returns its id.
    pub fn add(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        self.scopes.push(self.scope.clone());
        self.places.push(self.place.clone());
        self.nodes.len() - 1
    }

    /// Has batches end wherever the watermark enters another step of a TTL.
    pub fn cut_by_steps(&mut self) {
        let ttls = self.nodes.iter().filter_map(|n| n.operation.ttl());
        let mut steps: Vec<Millis> = ttls
            .filter(|t| t.by_event_time)
            .map(StateTtl::step)
            .collect();
        steps.sort_unstable();
        steps.dedup();
        for node in &mut self.nodes {
            let rule = match &mut node.operation {
                Operation::Source(source) => source.watermark.as_mut(),
                Operation::WatermarkAssign(rule) => Some(rule),
                _ => None,
            };
            if let Some(rule) = rule {
                rule.steps.clone_from(&steps);
            }
        }
    }

    /// How many inputs the rows of `id` go to.
    pub fn readers(&self, id: NodeId) -> usize {
        let inputs = self.nodes.iter().flat_map(|n| &n.inputs);
        inputs
            .filter(|i| i.from == id && !matches!(i.exchange, Exchange::Aside(_)))
            .count()
    }

    /// Whether somebody reads what `id` puts beside its rows into `table`.
    pub fn fills(&self, id: NodeId, table: Aside) -> bool {
        let inputs = self.nodes.iter().flat_map(|n| &n.inputs);
        let mut of = inputs.filter(|i| i.from == id);
        of.any(|i| i.exchange == Exchange::Aside(table))
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
