//! The system tables: what a server and its jobs are doing, as tables in the database `flowline`.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use arrow::array::{
    ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray,
};
use arrow::compute::concat_batches;

use super::job::Job;
use super::jobs::Jobs;
use super::pipeline::Planned;
use crate::catalog::{Catalog, Relation, Table};
use crate::connectors::SourceMetrics;
use crate::error::{Error, Result};
use crate::graph::late_rows_schema;
use crate::runtime::CheckpointMetrics;
use crate::session::{Session, SessionConfig};
use crate::sql::SourceFile;

/// The database they are in.
pub const DATABASE: &str = "flowline";

/// What they are called and hold. Numbers count from the last start of a job.
const TABLES: &str = "
    CREATE TABLE jobs (
      job STRING NOT NULL, state STRING NOT NULL, submitted TIMESTAMP_LTZ(3), started TIMESTAMP_LTZ(3),
      restarts BIGINT, epoch BIGINT, rows_in BIGINT, rows_out BIGINT, late_rows BIGINT, bad_rows BIGINT, error STRING);
    CREATE TABLE operators (
      job STRING NOT NULL, id BIGINT NOT NULL, statement STRING, kind STRING, title STRING, parallelism BIGINT,
      rows_in BIGINT, rows_out BIGINT, late_rows BIGINT, busy_ms BIGINT, backpressured_ms BIGINT,
      `watermark` TIMESTAMP_LTZ(3));
    CREATE TABLE sources (
      job STRING NOT NULL, id BIGINT NOT NULL, `table` STRING, rows_in BIGINT, bytes_in BIGINT, bad_rows BIGINT,
      ahead_rows BIGINT, last_row TIMESTAMP_LTZ(3), `watermark` TIMESTAMP_LTZ(3));
    CREATE TABLE `watermarks` (
      job STRING NOT NULL, `table` STRING, `partition` STRING, `watermark` TIMESTAMP_LTZ(3),
      last_event_time TIMESTAMP_LTZ(3), last_row TIMESTAMP_LTZ(3), idle BOOLEAN, held_back_since TIMESTAMP_LTZ(3));
    CREATE TABLE kafka_lag (
      job STRING NOT NULL, `table` STRING, topic STRING, `partition` BIGINT, `position` BIGINT, end_offset BIGINT,
      `lag` BIGINT);
    CREATE TABLE sinks (
      job STRING NOT NULL, id BIGINT NOT NULL, `table` STRING, connector STRING, rows_out BIGINT, busy_ms BIGINT);
    CREATE TABLE checkpoints (
      job STRING NOT NULL, epoch BIGINT, completed BIGINT, finished TIMESTAMP_LTZ(3), `bytes` BIGINT, new_bytes BIGINT,
      millis BIGINT, retries BIGINT);
    CREATE TABLE bad_rows (
      job STRING NOT NULL, `table` STRING, place STRING, field STRING, reason STRING);
    CREATE TABLE late_rows (
      job STRING NOT NULL, operator STRING, event_time TIMESTAMP(3), `watermark` TIMESTAMP(3), reason STRING,
      `row` STRING);
";

/// The system tables, declared.
///
/// # Errors
/// Never, unless they are written down wrongly (a bug).
pub fn catalog() -> Result<Catalog> {
    let mut session = Session::new(SessionConfig::default());
    session.load(&SourceFile::new("<system tables>", TABLES))?;
    let mut catalog = Catalog::default();
    for (name, relation) in session.catalog.iter() {
        if let Relation::Table(table) = relation {
            let mut table = Table::clone(table);
            table.name = format!("{DATABASE}.{name}");
            catalog.insert(name, Relation::Table(Arc::new(table)));
        }
    }
    Ok(catalog)
}

/// The present rows of a system table; `None` where it is none.
///
/// # Errors
/// A bug.
pub fn rows(jobs: &Jobs, table: &Table) -> Result<Option<Vec<RecordBatch>>> {
    let Some(name) = table.name.strip_prefix("flowline.") else {
        return Ok(None);
    };
    let all = jobs.all();
    let columns = match name {
        "jobs" => jobs_rows(&all),
        "operators" => operators(&all),
        "sources" => sources(&all),
        "watermarks" => watermarks(&all),
        "kafka_lag" => kafka_lag(&all),
        "sinks" => sinks(&all),
        "checkpoints" => checkpoints(&all),
        "bad_rows" => bad_rows(&all),
        "late_rows" => late_rows(&all)?,
        _ => return Ok(None),
    };
    let batch = RecordBatch::try_new(table.schema(), columns)
        .map_err(|e| Error::internal(format!("{}: {e}", table.name)))?;
    Ok(Some(vec![batch]))
}

fn jobs_rows(jobs: &[Arc<Job>]) -> Vec<ArrayRef> {
    let told: Vec<_> = jobs.iter().map(|job| job.told()).collect();
    let status = || told.iter().map(|job| &job.status);
    vec![
        text(jobs.iter().map(|job| Some(job.name.clone()))),
        text(status().map(|s| Some(s.state.name().to_string()))),
        times(told.iter().map(|job| known(job.submitted))),
        times(status().map(|s| known(s.started))),
        numbers(status().map(|s| u64::from(s.restarts))),
        numbers(told.iter().map(|job| job.epoch)),
        numbers(told.iter().map(|job| job.rows_in)),
        numbers(told.iter().map(|job| job.rows_out)),
        numbers(told.iter().map(|job| job.late_rows)),
        numbers(told.iter().map(|job| job.bad_rows)),
        text(status().map(|s| s.error.as_ref().map(ToString::to_string))),
    ]
}

fn operators(jobs: &[Arc<Job>]) -> Vec<ArrayRef> {
    let mut rows = Vec::new();
    for (job, planned) in planned(jobs) {
        let titles = planned.graph.titles();
        for (operator, title) in planned.operators().into_iter().zip(titles) {
            rows.push((job.clone(), operator, title));
        }
    }
    let all = || rows.iter().map(|(_, operator, _)| operator);
    vec![
        text(rows.iter().map(|row| Some(row.0.clone()))),
        numbers(all().map(|o| o.id as u64)),
        text(all().map(|o| Some(o.statement.clone()))),
        text(all().map(|o| Some(o.kind.to_string()))),
        text(rows.iter().map(|row| Some(row.2.clone()))),
        numbers(all().map(|o| o.parallelism as u64)),
        numbers(all().map(|o| o.rows_in)),
        numbers(all().map(|o| o.rows_out)),
        numbers(all().map(|o| o.late_rows)),
        numbers(all().map(|o| millis(o.spent.busy))),
        numbers(all().map(|o| millis(o.spent.backpressured))),
        times(all().map(|o| o.watermark)),
    ]
}

fn sources(jobs: &[Arc<Job>]) -> Vec<ArrayRef> {
    let rows = of_each(jobs, Planned::sources);
    let all = || rows.iter().map(|(_, source)| source);
    let counted = |counter: fn(&SourceMetrics) -> &AtomicU64| {
        numbers(all().map(|source| counter(&source.metrics).load(Relaxed)))
    };
    vec![
        text(rows.iter().map(|row| Some(row.0.clone()))),
        numbers(all().map(|source| source.id as u64)),
        text(all().map(|source| Some(source.table.clone()))),
        counted(|metrics| &metrics.rows),
        counted(|metrics| &metrics.bytes),
        counted(|metrics| &metrics.bad_rows),
        counted(|metrics| &metrics.ahead_rows),
        times(all().map(|source| known(source.metrics.last_row.load(Relaxed)))),
        times(all().map(|source| source.watermark)),
    ]
}

fn watermarks(jobs: &[Arc<Job>]) -> Vec<ArrayRef> {
    let mut rows = Vec::new();
    for (job, source) in of_each(jobs, Planned::sources) {
        let partitions = source.partitions.into_iter();
        rows.extend(partitions.map(|partition| (job.clone(), source.table.clone(), partition)));
    }
    let all = || rows.iter().map(|(_, _, partition)| partition);
    vec![
        text(rows.iter().map(|row| Some(row.0.clone()))),
        text(rows.iter().map(|row| Some(row.1.clone()))),
        text(all().map(|p| Some(p.name.to_string()))),
        times(all().map(|p| p.time.watermark)),
        times(all().map(|p| p.time.last_event)),
        // Before the first row it is when the partition was found.
        times(all().map(|p| p.time.last_event.map(|_| p.time.seen))),
        Arc::new(
            all()
                .map(|p| Some(p.time.is_idle))
                .collect::<BooleanArray>(),
        ),
        times(all().map(|p| p.held_since)),
    ]
}

fn kafka_lag(jobs: &[Arc<Job>]) -> Vec<ArrayRef> {
    let mut rows = Vec::new();
    for (job, source) in of_each(jobs, Planned::sources) {
        let offsets = source.offsets.into_iter();
        rows.extend(offsets.map(|offsets| (job.clone(), source.table.clone(), offsets)));
    }
    let all = || rows.iter().map(|(_, _, offsets)| offsets);
    let offset = |offset: i64| u64::try_from(offset).ok();
    vec![
        text(rows.iter().map(|row| Some(row.0.clone()))),
        text(rows.iter().map(|row| Some(row.1.clone()))),
        text(all().map(|o| Some(o.topic.to_string()))),
        numbers(all().map(|o| offset(o.partition.into()))),
        numbers(all().map(|o| offset(o.position))),
        numbers(all().map(|o| o.end.and_then(offset))),
        numbers(all().map(|o| o.lag().and_then(offset))),
    ]
}

fn sinks(jobs: &[Arc<Job>]) -> Vec<ArrayRef> {
    let rows = of_each(jobs, Planned::sinks);
    let all = || rows.iter().map(|(_, sink)| sink);
    vec![
        text(rows.iter().map(|row| Some(row.0.clone()))),
        numbers(all().map(|sink| sink.id as u64)),
        text(all().map(|sink| Some(sink.table.clone()))),
        text(all().map(|sink| sink.connector.clone())),
        numbers(all().map(|sink| sink.rows)),
        numbers(all().map(|sink| millis(sink.spent.busy))),
    ]
}

fn checkpoints(jobs: &[Arc<Job>]) -> Vec<ArrayRef> {
    let rows: Vec<_> = planned(jobs).collect();
    let all = || rows.iter().map(|(_, planned)| &planned.metrics.checkpoints);
    let counted = |counter: fn(&CheckpointMetrics) -> &AtomicU64| {
        numbers(all().map(|metrics| counter(metrics).load(Relaxed)))
    };
    vec![
        text(rows.iter().map(|row| Some(row.0.clone()))),
        counted(|metrics| &metrics.epoch),
        counted(|metrics| &metrics.completed),
        times(all().map(|metrics| known(metrics.finished.load(Relaxed)))),
        counted(|metrics| &metrics.bytes),
        counted(|metrics| &metrics.new_bytes),
        counted(|metrics| &metrics.millis),
        counted(|metrics| &metrics.retries),
    ]
}

/// The last 1,000 of each source.
fn bad_rows(jobs: &[Arc<Job>]) -> Vec<ArrayRef> {
    let mut rows = Vec::new();
    for (job, source) in of_each(jobs, Planned::sources) {
        let left_out = source.metrics.last_bad_rows().into_iter();
        rows.extend(left_out.map(|row| (job.clone(), source.table.clone(), row)));
    }
    let all = || rows.iter().map(|(_, _, row)| row);
    vec![
        text(rows.iter().map(|row| Some(row.0.clone()))),
        text(rows.iter().map(|row| Some(row.1.clone()))),
        text(all().map(|row| Some(row.place.clone()))),
        text(all().map(|row| row.field.clone())),
        text(all().map(|row| Some(row.reason.clone()))),
    ]
}

/// The last ones of each operator.
fn late_rows(jobs: &[Arc<Job>]) -> Result<Vec<ArrayRef>> {
    let (mut names, mut rows) = (Vec::new(), Vec::new());
    for (job, planned) in planned(jobs) {
        for metrics in planned.metrics.operators.values() {
            for batch in metrics.last_late() {
                names.extend(std::iter::repeat_n(Some(job.clone()), batch.num_rows()));
                rows.push(batch);
            }
        }
    }
    let rows = concat_batches(&late_rows_schema(), &rows)?;
    let mut columns = vec![text(names.into_iter())];
    columns.extend(rows.columns().iter().cloned());
    Ok(columns)
}

/// The jobs that could be planned, by name.
fn planned(jobs: &[Arc<Job>]) -> impl Iterator<Item = (String, Arc<Planned>)> {
    jobs.iter()
        .filter_map(|job| Some((job.name.clone(), job.planned()?)))
}

/// What there is of something in all jobs, each with the job's name.
fn of_each<T>(jobs: &[Arc<Job>], what: impl Fn(&Planned) -> Vec<T>) -> Vec<(String, T)> {
    let mut all = Vec::new();
    for (job, planned) in planned(jobs) {
        all.extend(what(&planned).into_iter().map(|one| (job.clone(), one)));
    }
    all
}

/// A time that is 0 where it is not known.
fn known(time: i64) -> Option<i64> {
    Some(time).filter(|time| *time > 0)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn text(values: impl Iterator<Item = Option<String>>) -> ArrayRef {
    Arc::new(StringArray::from_iter(values))
}

fn numbers<T: Into<Option<u64>>>(values: impl Iterator<Item = T>) -> ArrayRef {
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let values = values.map(|value| value.into().map(number));
    Arc::new(values.collect::<Int64Array>())
}

fn times(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(TimestampMillisecondArray::from_iter(values).with_timezone("UTC"))
}
