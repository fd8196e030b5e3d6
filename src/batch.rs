//! Snapshot queries: a SELECT answered once, by DataFusion's batch engine, over what the tables hold now.

mod float_keys;
mod windows;

use std::collections::btree_map::{BTreeMap, Entry};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::common::DataFusionError;
use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SendableRecordBatchStream, SessionStateBuilder};
use datafusion::logical_expr::{LogicalPlan, TableSource};
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::SessionContext;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use sqlparser::ast::{Ident, Query};
use sqlparser::tokenizer::Span;

use crate::catalog::{ColumnKind, Table};
use crate::changelog::Batch;
use crate::connectors::{Sink, SinkMode, SinkWriter, WriteRequest};
use crate::error::{Error, Result};
use crate::planner::{PlanContext, StreamTable, diagnose, rules, tables_read};
use crate::session::Session;
use crate::sql::ast::{Insert, StatementKind};
use crate::sql::{Diagnostic, SourceFile, deep, parse_script};

/// One answer: its name (`select_1` ...), columns and rows.
pub type Answer = (String, SchemaRef, Vec<RecordBatch>);

/// The rows of an answer, batch by batch.
pub type Rows = BoxStream<'static, Result<RecordBatch>>;

/// Where snapshot queries are answered.
pub struct Surroundings<'a> {
    /// The tables there are, and what is set.
    pub session: &'a Session,
    /// The rows of tables that need not be read from outside; `None`: it is read.
    pub kept: &'a (dyn Fn(&Table) -> Result<Option<Vec<RecordBatch>>> + Send + Sync),
    /// How many bytes a query may hold in memory; beyond it sorts, joins and groups go to disk or fail.
    pub memory: Option<usize>,
}

impl<'a> Surroundings<'a> {
    /// Those of a session whose tables are all outside.
    pub fn of(session: &'a Session) -> Self {
        Self {
            session,
            kept: &|_| Ok(None),
            memory: None,
        }
    }
}

/// Answers every SELECT of a file over the present contents of the session's tables: files whole, topics up to their
/// present end, upsert topics folded by key. What the file declares and sets, the session has taken before
/// ([`Session::declare`]).
///
/// # Errors
/// Mistakes in the file, among them INSERTs; tables that cannot be read.
pub async fn run(session: &Session, file: &Arc<SourceFile>) -> Result<Vec<Answer>> {
    let surroundings = Surroundings::of(session);
    let mut contents = Contents::new();
    let mut results = Vec::new();
    for (i, query) in queries(session, file)?.into_iter().enumerate() {
        let (schema, rows) = query.answer_over(&surroundings, &mut contents).await?;
        let rows = rows.try_collect().await?;
        results.push((format!("select_{}", i + 1), schema, rows));
    }
    Ok(results)
}

/// The SELECTs of a file.
///
/// # Errors
/// Mistakes in the file, among them INSERTs.
pub fn queries(session: &Session, file: &Arc<SourceFile>) -> Result<Vec<SnapshotQuery>> {
    let script = parse_script(file).map_err(Error::sql)?;
    let mut queries = Vec::new();
    let mut mistakes = Vec::new();
    for statement in script.statements {
        let span = statement.span;
        match statement.kind {
            StatementKind::Query(query) => {
                let asked = Asked::Select(query);
                match SnapshotQuery::new(session, asked, file, span) {
                    Ok(query) => queries.push(query),
                    Err(mistake) => mistakes.push(mistake),
                }
            }
            StatementKind::Insert(_) | StatementKind::StatementSet(_) => mistakes.push(
                Diagnostic::new(file, span, "a snapshot query is a SELECT").with_help(
                    "name the files that declare tables after --with; `flowline run` runs INSERTs",
                ),
            ),
            _ => {}
        }
    }
    if mistakes.is_empty() {
        Ok(queries)
    } else {
        Err(Error::sql(mistakes))
    }
}

/// A SELECT that can be answered, or that of an INSERT.
pub struct SnapshotQuery {
    file: Arc<SourceFile>,
    asked: Asked,
    span: Span,
    /// Over tables that are not read yet.
    plan: LogicalPlan,
}

/// What is answered.
enum Asked {
    Select(Box<Query>),
    /// The rows of an INSERT, its table, and the columns that it gives.
    Insert(Box<Insert>, Arc<Table>, Vec<usize>),
}

impl SnapshotQuery {
    fn new(
        session: &Session,
        asked: Asked,
        file: &Arc<SourceFile>,
        span: Span,
    ) -> std::result::Result<Self, Diagnostic> {
        Ok(Self {
            file: Arc::clone(file),
            plan: plan(session, &asked, file, span, &Contents::new())?,
            asked,
            span,
        })
    }

    /// What an INSERT writes, as rows of its table's [`Table::sink_schema`], and the table.
    ///
    /// # Errors
    /// Mistakes in it.
    pub fn of_insert(
        session: &Session,
        insert: Box<Insert>,
        file: &Arc<SourceFile>,
        span: Span,
    ) -> Result<(Self, Arc<Table>)> {
        let (table, columns) = session.insert_target(&insert, file).map_err(Error::sql)?;
        let asked = Asked::Insert(insert, Arc::clone(&table), columns);
        let query = Self::new(session, asked, file, span);
        Ok((query.map_err(|mistake| Error::sql(vec![mistake]))?, table))
    }

    /// The tables that it reads, as it reads them.
    pub fn tables(&self) -> Vec<Arc<Table>> {
        tables_read(&self.plan)
    }

    /// The columns of its answer.
    pub fn schema(&self) -> SchemaRef {
        self.schema_of(self.plan.schema().as_arrow())
    }

    fn schema_of(&self, answer: &Schema) -> SchemaRef {
        match &self.asked {
            Asked::Select(_) => plain_schema(answer),
            Asked::Insert(_, table, _) => all_nullable(&table.sink_schema()),
        }
    }

    /// Reads its tables, and begins to answer it.
    ///
    /// # Errors
    /// Tables that cannot be read.
    pub async fn answer(&self, surroundings: &Surroundings<'_>) -> Result<(SchemaRef, Rows)> {
        self.answer_over(surroundings, &mut Contents::new()).await
    }

    async fn answer_over(
        &self,
        surroundings: &Surroundings<'_>,
        contents: &mut Contents,
    ) -> Result<(SchemaRef, Rows)> {
        let session = surroundings.session;
        let budget = Arc::new(Budget::of(surroundings.memory));
        for table in self.tables() {
            let key = (table.name.clone(), table.with.clone());
            if let Entry::Vacant(place) = contents.entry(key) {
                place.insert(match (surroundings.kept)(&table)? {
                    Some(rows) => {
                        rows.iter().try_for_each(|batch| budget.take(batch))?;
                        held(&table, kept(session, &table, rows)?)?
                    }
                    None => read(session, &table, &budget).await?,
                });
            }
        }
        let (file, span) = (Arc::clone(&self.file), self.span);
        let plan = plan(session, &self.asked, &file, span, contents);
        let plan = plan.map_err(|e| Error::sql(vec![e]))?;
        let limit = surroundings.memory;
        let failed = move |e: DataFusionError| match (e.find_root(), limit) {
            (DataFusionError::ResourcesExhausted(_), Some(bytes)) => too_large(bytes),
            _ => Error::sql(vec![diagnose(&file, span, &e)]),
        };
        let answered = answer(plan, budget.left()).await;
        let (schema, rows) = answered.map_err(&failed)?;
        let schema = self.schema_of(&schema);
        let as_plain = SchemaRef::clone(&schema);
        let rows = rows.map(move |batch| plain(&batch.map_err(&failed)?, &as_plain));
        Ok((schema, rows.boxed()))
    }
}

/// How much memory the tables of a query may still take.
struct Budget {
    limit: Option<usize>,
    taken: AtomicUsize,
}

impl Budget {
    fn of(limit: Option<usize>) -> Self {
        let taken = AtomicUsize::new(0);
        Self { limit, taken }
    }

    fn take(&self, rows: &RecordBatch) -> Result<()> {
        let bytes = rows.get_array_memory_size();
        let taken = self.taken.fetch_add(bytes, Ordering::Relaxed) + bytes;
        match self.limit {
            Some(limit) if taken > limit => Err(too_large(limit)),
            _ => Ok(()),
        }
    }

    /// What is left for the query itself.
    fn left(&self) -> Option<usize> {
        let taken = self.taken.load(Ordering::Relaxed);
        self.limit.map(|limit| limit.saturating_sub(taken))
    }
}

fn too_large(bytes: usize) -> Error {
    let mib = bytes as f64 / f64::from(1 << 20);
    Error::limit(format!("the query needs more than {mib:.0} MiB of memory"))
        .with_help("ask for less, or let queries take more with --query-memory")
}

/// What tables hold, by name and options: a hint may make another table of one.
type Contents = BTreeMap<(String, BTreeMap<String, String>), Arc<MemTable>>;

/// The plan of a query; tables that were read stand for their contents.
fn plan(
    session: &Session,
    asked: &Asked,
    file: &Arc<SourceFile>,
    span: Span,
    contents: &Contents,
) -> std::result::Result<LogicalPlan, Diagnostic> {
    let make = |table: &Arc<Table>| -> datafusion::error::Result<Arc<dyn TableSource>> {
        let key = (table.name.clone(), table.with.clone());
        Ok(match contents.get(&key) {
            Some(rows) => provider_as_source(Arc::clone(rows) as _),
            None => Arc::new(StreamTable::new(Arc::clone(table))),
        })
    };
    let context = PlanContext {
        catalog: &session.catalog,
        functions: session.functions(),
        tables: &make,
        checked: session.settings.overflow_is_error(),
    };
    let bound = deep(|| match asked {
        Asked::Select(query) => context.query(query, file),
        Asked::Insert(insert, table, columns) => {
            context.insert(&insert.query, table, columns, file, span)
        }
    });
    Ok(bound.map_err(|e| *e)?.plan)
}

async fn answer(
    plan: LogicalPlan,
    memory: Option<usize>,
) -> datafusion::error::Result<(SchemaRef, SendableRecordBatchStream)> {
    let plan = float_keys::by_bits(windows::expanded(plan)?)?;
    let runtime = RuntimeEnvBuilder::new();
    let runtime = match memory {
        Some(bytes) => runtime.with_memory_pool(Arc::new(FairSpillPool::new(bytes))),
        None => runtime,
    };
    // The plan is bound: nothing is left to be coerced, and only rules that change no answer are applied.
    let state = SessionStateBuilder::new()
        .with_default_features()
        .with_runtime_env(runtime.build_arc()?)
        .with_analyzer_rules(Vec::new())
        .with_optimizer_rules(rules())
        .build();
    let frame = SessionContext::new_with_state(state)
        .execute_logical_plan(plan)
        .await?;
    let schema = Arc::new(frame.schema().as_arrow().clone());
    let context = Arc::new(frame.task_ctx());
    let plan = yielding(frame.create_physical_plan().await?)?;
    Ok((schema, execute_stream(plan, context)?))
}

/// The plan, which now and then lets others go on: a join may give rows for hours without waiting for anything.
fn yielding(plan: Arc<dyn ExecutionPlan>) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
    let plan = plan.transform_up(|node| {
        Ok(if node.children().len() > 1 {
            Transformed::yes(Arc::new(CooperativeExec::new(node)) as _)
        } else {
            Transformed::no(node)
        })
    });
    Ok(plan?.data)
}

/// The schema in which a table's rows are queried: event time plays no part, so a row without one is still a row of it.
fn nullable(table: &Table) -> SchemaRef {
    all_nullable(&table.schema())
}

/// The same columns, each of which may hold NULL.
pub fn all_nullable(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter();
    let fields = fields.map(|field| field.as_ref().clone().with_nullable(true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Rows of stored columns as rows of the table. What a query computes itself is left to it.
fn kept(session: &Session, table: &Table, rows: Vec<RecordBatch>) -> Result<Vec<RecordBatch>> {
    let schema = nullable(table);
    let context = session.context();
    let mut stored = 0;
    let mut places = Vec::new();
    for (i, column) in table.columns.iter().enumerate() {
        places.push(match column.kind {
            ColumnKind::Computed(_) => {
                let is_late = matches!(context.computed_late(table, i), Ok(Some(_)));
                if !is_late {
                    return Err(Error::usage(format!(
                        "table '{}' has the computed column '{}', which a table without a connector cannot be asked for yet",
                        table.name,
                        column.field.name()
                    ))
                    .with_help("compute it in the query instead"));
                }
                None
            }
            _ => {
                stored += 1;
                Some(stored - 1)
            }
        });
    }
    let fit = |batch: RecordBatch| {
        let columns = places.iter().zip(schema.fields()).map(|(place, field)| {
            let stored = place.and_then(|place| batch.columns().get(place));
            stored
                .cloned()
                .unwrap_or_else(|| new_null_array(field.data_type(), batch.num_rows()))
        });
        Ok(RecordBatch::try_new(
            SchemaRef::clone(&schema),
            columns.collect(),
        )?)
    };
    rows.into_iter().map(fit).collect()
}

/// Rows, with the columns that hold no NULL said to hold none: what NOT IN compares by depends on whether NULL is possible.
fn held(table: &Table, rows: Vec<RecordBatch>) -> Result<Arc<MemTable>> {
    let has_null = |i: usize| rows.iter().any(|rows| rows.column(i).null_count() > 0);
    let schema = table.schema();
    let fields = schema.fields().iter().enumerate().map(|(i, field)| {
        let nullable = field.is_nullable() || has_null(i);
        field.as_ref().clone().with_nullable(nullable)
    });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<Field>>()));
    let rows = rows.into_iter().map(|batch| {
        let columns = batch.columns().to_vec();
        RecordBatch::try_new(SchemaRef::clone(&schema), columns)
    });
    let rows = rows.collect::<std::result::Result<Vec<_>, _>>()?;
    let held = MemTable::try_new(schema, vec![rows]);
    Ok(Arc::new(held.map_err(|e| {
        Error::from(e).at(format!("table '{}'", table.name))
    })?))
}

/// The columns of an answer in types that Flink has and every client knows.
fn plain_schema(schema: &Schema) -> SchemaRef {
    let field = |f: &Arc<Field>| Field::new(f.name(), plain_type(f.data_type()), true);
    Arc::new(Schema::new(
        schema.fields().iter().map(field).collect::<Vec<_>>(),
    ))
}

fn plain(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| cast(column, field.data_type()));
    let columns = columns.collect::<std::result::Result<_, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(
        SchemaRef::clone(schema),
        columns,
        &options,
    )?)
}

/// The type Flink has for what DataFusion answers with.
pub fn plain_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::UInt64 => DataType::Decimal128(20, 0),
        DataType::Utf8View
        | DataType::LargeUtf8
        | DataType::Interval(_)
        | DataType::Duration(_) => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary | DataType::FixedSizeBinary(_) => {
            DataType::Binary
        }
        DataType::Dictionary(_, value) => plain_type(value),
        other => other.clone(),
    }
}

/// Reads a whole table into memory, through the same source, decoder and computed columns as a stream.
async fn read(
    session: &Session,
    table: &Arc<Table>,
    budget: &Arc<Budget>,
) -> Result<Arc<MemTable>> {
    let collected = Arc::new(Collected {
        batches: Mutex::default(),
        budget: Arc::clone(budget),
    });
    // Event time plays no part: a row without one is still a row of the table.
    let mut plain = table.as_ref().clone();
    plain.watermark = None;
    // What a query computes itself is not computed here, where it would fail on rows that the query does not ask for.
    let context = session.context();
    let is_read = |i: &usize| !matches!(context.computed_late(table, *i), Ok(Some(_)));
    let read: Vec<usize> = (0..plain.columns.len()).filter(is_read).collect();
    let quoted =
        |i: &usize| Ident::with_quote('`', plain.columns[*i].field.name().as_str()).to_string();
    let columns: Vec<String> = read.iter().map(quoted).collect();
    let text = format!(
        "SELECT {} FROM {}",
        columns.join(", "),
        Ident::with_quote('`', table.name.as_str())
    );
    let sink = Arc::clone(&collected);
    session
        .run_once(plain, &text, move || {
            Arc::new(Collector(Arc::clone(&sink))) as Arc<dyn Sink>
        })
        .await?;
    let batches = std::mem::take(
        &mut *collected
            .batches
            .lock()
            .unwrap_or_else(PoisonError::into_inner),
    );
    let schema = nullable(table);
    let mut rows = Vec::new();
    for batch in &batches {
        let column = |i: usize| match read.iter().position(|r| *r == i) {
            Some(at) => Arc::clone(batch.column(at)),
            None => new_null_array(schema.field(i).data_type(), batch.num_rows()),
        };
        let columns = (0..schema.fields().len()).map(column).collect();
        rows.push(RecordBatch::try_new(Arc::clone(&schema), columns)?);
    }
    held(table, rows)
}

struct Collected {
    batches: Mutex<Vec<RecordBatch>>,
    budget: Arc<Budget>,
}

/// Keeps the rows it is given.
struct Collector(Arc<Collected>);

#[async_trait]
impl Sink for Collector {
    fn mode(&self) -> SinkMode {
        SinkMode::Retract
    }

    fn guarantee(&self) -> &'static str {
        "kept in memory"
    }

    fn is_single(&self) -> bool {
        true
    }

    async fn writer(&self, _request: WriteRequest) -> Result<Box<dyn SinkWriter>> {
        Ok(Box::new(Collector(Arc::clone(&self.0))))
    }
}

#[async_trait]
impl SinkWriter for Collector {
    async fn write(&mut self, batch: &Batch) -> Result<()> {
        self.0.budget.take(&batch.rows)?;
        self.0
            .batches
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(batch.rows.clone());
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}
