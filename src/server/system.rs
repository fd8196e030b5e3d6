//! The system tables: what a server and its jobs are doing, as tables in the database `flowline`.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};

use super::job::Job;
use super::jobs::Jobs;
use crate::catalog::{Catalog, Relation, Table};
use crate::error::{Error, Result};
use crate::graph::Operation;
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
      job STRING NOT NULL, id BIGINT NOT NULL, statement STRING, kind STRING, title STRING, parallelism BIGINT, late_rows BIGINT);
    CREATE TABLE sources (
      job STRING NOT NULL, id BIGINT NOT NULL, `table` STRING, rows_in BIGINT, bytes_in BIGINT, bad_rows BIGINT,
      `watermark` TIMESTAMP_LTZ(3));
    CREATE TABLE sinks (
      job STRING NOT NULL, id BIGINT NOT NULL, `table` STRING, rows_out BIGINT);
    CREATE TABLE checkpoints (
      job STRING NOT NULL, epoch BIGINT, completed BIGINT, `bytes` BIGINT, new_bytes BIGINT, millis BIGINT, retries BIGINT);
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
        "sinks" => sinks(&all),
        "checkpoints" => checkpoints(&all),
        _ => return Ok(None),
    };
    let batch = RecordBatch::try_new(table.schema(), columns)
        .map_err(|e| Error::internal(format!("{}: {e}", table.name)))?;
    Ok(Some(vec![batch]))
}

fn jobs_rows(jobs: &[Arc<Job>]) -> Vec<ArrayRef> {
    let told: Vec<_> = jobs.iter().map(|job| job.told()).collect();
    let status = || told.iter().map(|job| &job.status);
    let time = |millis: i64| Some(millis).filter(|millis| *millis > 0);
    vec![
        text(jobs.iter().map(|job| Some(job.name.clone()))),
        text(status().map(|s| Some(s.state.name().to_string()))),
        times(told.iter().map(|job| time(job.submitted))),
        times(status().map(|s| time(s.started))),
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
    let mut rows: Vec<(String, u64, [String; 3], u64, u64)> = Vec::new();
    for job in jobs {
        let Some(planned) = job.planned() else {
            continue;
        };
        let graph = &planned.graph;
        let titles = graph.titles();
        for (id, metrics) in &planned.metrics.operators {
            rows.push((
                job.name.clone(),
                *id as u64,
                [
                    graph.scopes.get(*id).cloned().unwrap_or_default(),
                    graph.nodes[*id].kind().to_string(),
                    titles.get(*id).cloned().unwrap_or_default(),
                ],
                graph.nodes[*id].parallelism as u64,
                metrics.late_rows.load(Relaxed),
            ));
        }
    }
    vec![
        text(rows.iter().map(|row| Some(row.0.clone()))),
        numbers(rows.iter().map(|row| row.1)),
        text(rows.iter().map(|row| Some(row.2[0].clone()))),
        text(rows.iter().map(|row| Some(row.2[1].clone()))),
        text(rows.iter().map(|row| Some(row.2[2].clone()))),
        numbers(rows.iter().map(|row| row.3)),
        numbers(rows.iter().map(|row| row.4)),
    ]
}

fn sources(jobs: &[Arc<Job>]) -> Vec<ArrayRef> {
    let mut rows = Vec::new();
    for job in jobs {
        let Some(planned) = job.planned() else {
            continue;
        };
        for (id, metrics) in &planned.metrics.sources {
            if let Operation::Source(source) = &planned.graph.nodes[*id].operation {
                let watermark = metrics.watermark.load(Relaxed);
                rows.push((
                    job.name.clone(),
                    *id as u64,
                    source.table.name.clone(),
                    [&metrics.rows, &metrics.bytes, &metrics.bad_rows].map(|n| n.load(Relaxed)),
                    Some(watermark).filter(|watermark| *watermark != 0),
                ));
            }
        }
    }
    let number = |i: usize| numbers(rows.iter().map(move |row| row.3[i]));
    vec![
        text(rows.iter().map(|row| Some(row.0.clone()))),
        numbers(rows.iter().map(|row| row.1)),
        text(rows.iter().map(|row| Some(row.2.clone()))),
        number(0),
        number(1),
        number(2),
        times(rows.iter().map(|row| row.4)),
    ]
}

fn sinks(jobs: &[Arc<Job>]) -> Vec<ArrayRef> {
    let mut rows = Vec::new();
    for job in jobs {
        let Some(planned) = job.planned() else {
            continue;
        };
        for (id, written) in &planned.metrics.sinks {
            if let Operation::Sink(sink) = &planned.graph.nodes[*id].operation {
                rows.push((
                    job.name.clone(),
                    *id as u64,
                    sink.name.clone(),
                    written.load(Relaxed),
                ));
            }
        }
    }
    vec![
        text(rows.iter().map(|row| Some(row.0.clone()))),
        numbers(rows.iter().map(|row| row.1)),
        text(rows.iter().map(|row| Some(row.2.clone()))),
        numbers(rows.iter().map(|row| row.3)),
    ]
}

fn checkpoints(jobs: &[Arc<Job>]) -> Vec<ArrayRef> {
    let mut names = Vec::new();
    let mut rows: Vec<[u64; 6]> = Vec::new();
    for job in jobs {
        let Some(planned) = job.planned() else {
            continue;
        };
        let metrics = &planned.metrics.checkpoints;
        names.push(Some(job.name.clone()));
        rows.push(
            [
                &metrics.epoch,
                &metrics.completed,
                &metrics.bytes,
                &metrics.new_bytes,
                &metrics.millis,
                &metrics.retries,
            ]
            .map(|number| number.load(Relaxed)),
        );
    }
    let mut columns = vec![text(names.into_iter())];
    columns.extend((0..6).map(|i| numbers(rows.iter().map(move |row| row[i]))));
    columns
}

fn text(values: impl Iterator<Item = Option<String>>) -> ArrayRef {
    Arc::new(StringArray::from_iter(values))
}

fn numbers(values: impl Iterator<Item = u64>) -> ArrayRef {
    let values = values.map(|n| i64::try_from(n).unwrap_or(i64::MAX));
    Arc::new(Int64Array::from_iter_values(values))
}

fn times(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(TimestampMillisecondArray::from_iter(values).with_timezone("UTC"))
}
