//! Snapshot queries: a SELECT answered once, by DataFusion's batch engine, over what the tables hold now.

mod float_keys;
mod windows;

use std::collections::btree_map::{BTreeMap, Entry};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{RecordBatch, new_null_array};
use arrow::datatypes::{Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::{LogicalPlan, TableSource};
use datafusion::prelude::SessionContext;
use sqlparser::ast::{Ident, Query};

use crate::catalog::Table;
use crate::changelog::Batch;
use crate::connectors::{Sink, SinkMode, SinkWriter, WriteRequest};
use crate::error::{Error, Result};
use crate::planner::{PlanContext, StreamTable, diagnose, rules, tables_read};
use crate::session::Session;
use crate::sql::ast::StatementKind;
use crate::sql::{Diagnostic, SourceFile, deep, parse_script};

/// One answer: its name (`select_1` ...), columns and rows.
pub type Answer = (String, SchemaRef, Vec<RecordBatch>);

/// Answers every SELECT of a file over the present contents of the session's tables: files whole, topics up to their
/// present end, upsert topics folded by key. What the file declares and sets, the session has taken before
/// ([`Session::declare`]).
///
/// # Errors
/// Mistakes in the file, among them INSERTs; tables that cannot be read.
pub async fn run(session: &Session, file: &Arc<SourceFile>) -> Result<Vec<Answer>> {
    let script = parse_script(file).map_err(Error::sql)?;
    let mut queries = Vec::new();
    let mut mistakes = Vec::new();
    for statement in &script.statements {
        match &statement.kind {
            StatementKind::Query(query) => queries.push((query, statement.span)),
            StatementKind::Insert(_) | StatementKind::StatementSet(_) => mistakes.push(
                Diagnostic::new(file, statement.span, "a snapshot query is a SELECT").with_help(
                    "name the files that declare tables after --with; `flowline run` runs INSERTs",
                ),
            ),
            _ => {}
        }
    }
    let mut answers = Vec::new();
    for (query, span) in queries {
        match plan(session, query, file, &Contents::new()) {
            Ok(plan) => answers.push((query, span, plan)),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    if !mistakes.is_empty() {
        return Err(Error::sql(mistakes));
    }
    let mut contents = Contents::new();
    let mut results = Vec::new();
    for (i, (query, span, streaming)) in answers.into_iter().enumerate() {
        for table in tables_read(&streaming) {
            let key = (table.name.clone(), table.with.clone());
            if let Entry::Vacant(place) = contents.entry(key) {
                place.insert(read(session, &table).await?);
            }
        }
        let plan = plan(session, query, file, &contents).map_err(|e| Error::sql(vec![e]))?;
        let answer = answer(plan).await;
        let (schema, rows) = answer.map_err(|e| Error::sql(vec![diagnose(file, span, &e)]))?;
        results.push((format!("select_{}", i + 1), schema, rows));
    }
    Ok(results)
}

/// What tables hold, by name and options: a hint may make another table of one.
type Contents = BTreeMap<(String, BTreeMap<String, String>), Arc<MemTable>>;

/// The plan of a query; tables that were read stand for their contents.
fn plan(
    session: &Session,
    query: &Query,
    file: &Arc<SourceFile>,
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
    let bound = deep(|| context.query(query, file)).map_err(|e| *e)?;
    Ok(bound.plan)
}

async fn answer(plan: LogicalPlan) -> datafusion::error::Result<(SchemaRef, Vec<RecordBatch>)> {
    let plan = float_keys::by_bits(windows::expanded(plan)?)?;
    // The plan is bound: nothing is left to be coerced, and only rules that change no answer are applied.
    let state = SessionStateBuilder::new()
        .with_default_features()
        .with_analyzer_rules(Vec::new())
        .with_optimizer_rules(rules())
        .build();
    let frame = SessionContext::new_with_state(state)
        .execute_logical_plan(plan)
        .await?;
    let schema = Arc::new(frame.schema().as_arrow().clone());
    Ok((schema, frame.collect().await?))
}

/// Reads a whole table into memory, through the same source, decoder and computed columns as a stream.
async fn read(session: &Session, table: &Arc<Table>) -> Result<Arc<MemTable>> {
    let collected = Arc::new(Collected::default());
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
    // What NOT IN compares by depends on whether NULL is possible.
    let has_null = |i: usize| match read.iter().position(|r| *r == i) {
        Some(at) => batches.iter().any(|b| b.column(at).null_count() > 0),
        None => true,
    };
    let fields = table.schema();
    let fields = fields.fields().iter().enumerate().map(|(i, f)| {
        let nullable = f.is_nullable() || has_null(i);
        f.as_ref().clone().with_nullable(nullable)
    });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<Field>>()));
    let mut rows = Vec::new();
    for batch in &batches {
        let column = |i: usize| match read.iter().position(|r| *r == i) {
            Some(at) => Arc::clone(batch.column(at)),
            None => new_null_array(schema.field(i).data_type(), batch.num_rows()),
        };
        let columns = (0..schema.fields().len()).map(column).collect();
        rows.push(RecordBatch::try_new(Arc::clone(&schema), columns)?);
    }
    let table = MemTable::try_new(schema, vec![rows])
        .map_err(|e| Error::from(e).at(format!("table '{}'", table.name)))?;
    Ok(Arc::new(table))
}

#[derive(Default)]
struct Collected {
    batches: Mutex<Vec<RecordBatch>>,
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
