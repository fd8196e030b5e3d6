//! Snapshot queries: a SELECT answered once, by DataFusion's batch engine, over what the tables hold now.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{AsArray, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{DataType, Field, SchemaRef};
use arrow::row::OwnedRow;
use async_trait::async_trait;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{LogicalPlan, TableSource};
use datafusion::prelude::SessionContext;
use sqlparser::ast::{Ident, Query};

use crate::catalog::{Column, ColumnKind, Table};
use crate::changelog::{Batch, rows_of};
use crate::connectors::{Sink, SinkMode, SinkWriter};
use crate::error::{Error, Result};
use crate::planner::{PlanContext, StreamTable, analyze_types, diagnose, tables_read};
use crate::session::Session;
use crate::sql::ast::StatementKind;
use crate::sql::{Diagnostic, SourceFile, parse_script};

/// One answer: its name (`select_1` ...), columns and rows.
pub type Answer = (String, SchemaRef, Vec<RecordBatch>);

/// Answers every SELECT of a file over the present contents of the session's tables: files whole, topics up to their
/// present end, upsert topics folded by key.
///
/// # Errors
/// Mistakes in the file, among them statements that are no queries; tables that cannot be read.
pub async fn run(session: &Session, file: &Arc<SourceFile>) -> Result<Vec<Answer>> {
    let script = parse_script(file).map_err(Error::sql)?;
    let mut queries = Vec::new();
    let mut mistakes = Vec::new();
    for statement in &script.statements {
        match &statement.kind {
            StatementKind::Query(query) => queries.push((query, statement.span)),
            _ => mistakes.push(
                Diagnostic::new(file, statement.span, "a snapshot query is a SELECT").with_help(
                    "name the files that declare tables behind --with; `flowline run` runs INSERTs",
                ),
            ),
        }
    }
    let mut answers = Vec::new();
    for (query, span) in queries {
        match plan(session, query, &BTreeMap::new()) {
            Ok(plan) => answers.push((query, span, plan)),
            Err(e) => mistakes.push(diagnose(file, span, &e)),
        }
    }
    if !mistakes.is_empty() {
        return Err(Error::sql(mistakes));
    }
    let mut contents: BTreeMap<String, Arc<MemTable>> = BTreeMap::new();
    let mut results = Vec::new();
    for (i, (query, span, streaming)) in answers.into_iter().enumerate() {
        for table in tables_read(&streaming) {
            if !contents.contains_key(&table.name) {
                contents.insert(table.name.clone(), read(session, &table).await?);
            }
        }
        let answer = answer(session, query, &contents).await;
        let (schema, rows) = answer.map_err(|e| Error::sql(vec![diagnose(file, span, &e)]))?;
        results.push((format!("select_{}", i + 1), schema, rows));
    }
    Ok(results)
}

/// The typed plan of a query; tables that were read stand for their contents.
fn plan(
    session: &Session,
    query: &Query,
    contents: &BTreeMap<String, Arc<MemTable>>,
) -> datafusion::error::Result<LogicalPlan> {
    let make = |table: &Arc<Table>| -> datafusion::error::Result<Arc<dyn TableSource>> {
        Ok(match contents.get(&table.name) {
            Some(rows) => provider_as_source(Arc::clone(rows) as _),
            None => Arc::new(StreamTable::new(Arc::clone(table))),
        })
    };
    let context = PlanContext::new(&session.catalog, session.functions(), &make);
    analyze_types(context.plan(query)?)
}

async fn answer(
    session: &Session,
    query: &Query,
    contents: &BTreeMap<String, Arc<MemTable>>,
) -> datafusion::error::Result<(SchemaRef, Vec<RecordBatch>)> {
    let plan = plan(session, query, contents)?;
    plan.apply(|node| match node {
        LogicalPlan::Extension(node) => Err(DataFusionError::NotImplemented(format!(
            "{} is not supported in a snapshot query yet: run it as a stream with `flowline run --bounded`",
            node.node.name()
        ))),
        _ => Ok(TreeNodeRecursion::Continue),
    })?;
    let frame = SessionContext::new().execute_logical_plan(plan).await?;
    let schema = Arc::new(frame.schema().as_arrow().clone());
    Ok((schema, frame.collect().await?))
}

/// Reads a whole table into memory, through the same source, decoder and computed columns as a stream.
async fn read(session: &Session, table: &Arc<Table>) -> Result<Arc<MemTable>> {
    let collected = Arc::new(Collected::default());
    // Event time plays no part: a row without one is still a row of the table.
    let mut plain = table.as_ref().clone();
    plain.watermark = None;
    let is_upsert = table.connector() == Some("upsert-kafka");
    if is_upsert {
        plain = as_log(&plain);
    }
    let columns: Vec<String> = plain
        .columns
        .iter()
        .map(|c| Ident::with_quote('`', c.field.name().as_str()).to_string())
        .collect();
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
    let schema = table.schema();
    let mut rows = Vec::new();
    for batch in if is_upsert {
        fold(table, &batches)?
    } else {
        batches.into_iter().map(|b| b.rows).collect()
    } {
        rows.push(RecordBatch::try_new(
            Arc::clone(&schema),
            batch.columns()[..schema.fields().len()].to_vec(),
        )?);
    }
    let table = MemTable::try_new(schema, vec![rows])
        .map_err(|e| Error::from(e).at(format!("table '{}'", table.name)))?;
    Ok(Arc::new(table))
}

/// The name under which a folded topic is read with its tombstones; no column of a table can have a blank before it.
const TOMBSTONE: &str = " tombstone";

/// An upsert table as the log it is kept in: every record a row, with a column that says which are tombstones.
fn as_log(table: &Table) -> Table {
    let mut log = table.clone();
    log.with.retain(|key, _| !key.starts_with("sink."));
    log.with.insert("connector".into(), "kafka".into());
    log.with
        .insert("scan.startup.mode".into(), "earliest-offset".into());
    let key = table
        .primary_key
        .iter()
        .flatten()
        .map(|k| table.columns[*k].field.name().as_str());
    log.with
        .insert("key.fields".into(), key.collect::<Vec<_>>().join(";"));
    for column in &mut log.columns {
        column.field = column.field.clone().with_nullable(true);
    }
    log.columns.push(Column {
        field: Field::new(TOMBSTONE, DataType::Boolean, true),
        kind: ColumnKind::Metadata {
            key: "flowline.tombstone".into(),
            is_virtual: true,
        },
        comment: None,
        declared: String::new(),
    });
    log
}

/// The last row of every key, unless it was deleted. Records of a key are in one partition, so they come in order.
fn fold(table: &Table, batches: &[Batch]) -> Result<Vec<RecordBatch>> {
    let Some(first) = batches.first() else {
        return Ok(Vec::new());
    };
    let log = concat_batches(&first.rows.schema(), batches.iter().map(|b| &b.rows))?;
    let keys = rows_of(&log, table.primary_key.as_deref().unwrap_or_default())?;
    let deleted = log.column(log.num_columns() - 1).as_boolean();
    let mut last: BTreeMap<OwnedRow, u32> = BTreeMap::new();
    for (row, key) in (0u32..).zip(keys) {
        if deleted.value(row as usize) {
            last.remove(&key);
        } else {
            last.insert(key, row);
        }
    }
    Ok(vec![take_record_batch(
        &log,
        &UInt32Array::from_iter_values(last.into_values()),
    )?])
}

#[derive(Default)]
struct Collected {
    batches: Mutex<Vec<Batch>>,
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

    async fn writer(
        &self,
        _: usize,
        _: SchemaRef,
        _: Option<Vec<usize>>,
    ) -> Result<Box<dyn SinkWriter>> {
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
            .push(batch.clone());
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}
