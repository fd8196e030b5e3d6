//! What clients change with SQL: rows that they insert into managed tables, and jobs that they submit as statements.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::{concat_batches, is_null};

use super::job::{Job, State};
use super::jobs::{Jobs, Refused};
use super::pipeline::{File, Pipeline, Planned};
use crate::batch::all_nullable;
use crate::catalog::Table;
use crate::connectors::Inbox;
use crate::error::{Error, Result};
use crate::graph::Operation;
use crate::planner::object_name;
use crate::session::Session;
use crate::sql::ast::{Script, Statement, StatementKind};
use crate::sql::{Diagnostic, SourceFile, parse_script};

/// A managed table that takes rows from clients.
pub struct Target {
    job: Arc<Job>,
    table: Arc<Table>,
    inbox: Inbox,
}

/// Statements that are to run as a job.
pub struct NewJob {
    name: String,
    pipeline: Pipeline,
    /// It is one CREATE TABLE IF NOT EXISTS.
    if_not_exists: bool,
}

/// Whether a text changes something. One with mistakes does not.
pub fn is_change(sql: &str) -> bool {
    let script = parse_script(&SourceFile::new("", sql));
    script.is_ok_and(|script| script.statements.iter().any(is_written))
}

/// Whether a statement changes tables or jobs.
pub fn is_written(statement: &Statement) -> bool {
    matches!(
        statement.kind,
        StatementKind::CreateTable(_)
            | StatementKind::CreateView(_)
            | StatementKind::Insert(_)
            | StatementKind::StatementSet(_)
            | StatementKind::Drop(_)
    )
}

impl Target {
    /// The managed table `name` of `job`.
    ///
    /// # Errors
    /// It takes no rows from clients.
    pub fn new(job: Arc<Job>, name: &str, table: Arc<Table>) -> Result<Self> {
        let planned = job.planned();
        let inbox = planned.as_deref().and_then(|planned| inbox(planned, name));
        match inbox {
            Some(inbox) => Ok(Self { job, table, inbox }),
            None => Err(Error::usage(format!(
                "table '{name}' is written by the statements of job '{}' and takes no rows from clients",
                job.name
            ))
            .with_help(
                "declare another table that no statement writes, and let a statement read it",
            )),
        }
    }

    /// Inserts rows of [`Table::sink_schema`], and waits until they are durable and can be queried. Returns how many.
    ///
    /// # Errors
    /// NULL in a NOT NULL column; a job that does not run.
    pub async fn insert(&self, rows: Vec<RecordBatch>) -> Result<u64> {
        let state = self.job.status().state;
        if !matches!(state, State::Starting | State::Running) {
            let state = state.name().to_lowercase();
            let job = &self.job.name;
            return Err(Error::external(format!(
                "job '{job}' is {state}: table '{}' takes no rows",
                self.table.name
            ))
            .with_help(format!("start it with: flowline restart {job}")));
        }
        let schema = self.table.sink_schema();
        let rows = concat_batches(&all_nullable(&schema), &rows)?;
        for (field, column) in schema.fields().iter().zip(rows.columns()) {
            if !field.is_nullable() && column.null_count() > 0 {
                let row = is_null(column)?.values().set_indices().next();
                return Err(Error::usage(format!(
                    "column '{}' of table '{}' is NOT NULL, and row {} has NULL in it; no row was inserted",
                    field.name(),
                    self.table.name,
                    row.unwrap_or_default() + 1
                )));
            }
        }
        let rows = RecordBatch::try_new(schema, rows.columns().to_vec())?;
        let number = rows.num_rows() as u64;
        if number > 0 {
            self.inbox.insert(rows).await?;
        }
        Ok(number)
    }
}

/// Where clients insert rows into a table of a job; `None`: its statements write it, or it is not kept.
fn inbox(planned: &Planned, name: &str) -> Option<Inbox> {
    let is_fed = |operation: &Operation| match operation {
        Operation::Source(source) => {
            source.table.name == name && source.table.connector().is_none()
        }
        _ => false,
    };
    let mut nodes = planned.graph.nodes.iter();
    nodes.find(|node| is_fed(&node.operation))?;
    Some(planned.session.inboxes()?.of(name))
}

impl NewJob {
    /// Statements as a job. Its name is what 'pipeline.name' is set to, or that of the only table that is created.
    ///
    /// # Errors
    /// Its name is not known, or it drops something.
    pub fn new(session: &Session, script: &Script) -> Result<Self> {
        let drop = script
            .statements
            .iter()
            .find(|s| matches!(s.kind, StatementKind::Drop(_)));
        if let Some(drop) = drop {
            let what = "a table goes with its job";
            let mistake = Diagnostic::new(&script.file, drop.span, what)
                .with_help("end the job: flowline cancel JOB; or go on without the table: flowline upgrade JOB");
            return Err(Error::sql(vec![mistake]));
        }
        let mut written = script.statements.iter().filter(|s| is_written(s));
        let if_not_exists = match script.statements.as_slice() {
            [only] => matches!(&only.kind, StatementKind::CreateTable(c) if c.if_not_exists),
            _ => false,
        };
        let name = match (session.settings.job_name(), written.next(), written.next()) {
            (Some(name), ..) => name.to_string(),
            (None, Some(only), None) => match &only.kind {
                StatementKind::CreateTable(create) => object_name(&create.name),
                _ => return Err(nameless()),
            },
            _ => return Err(nameless()),
        };
        let file = File {
            name: script.file.name.clone(),
            text: script.file.text.clone(),
        };
        let pipeline = Pipeline {
            files: vec![file],
            ..Pipeline::default()
        };
        Ok(Self {
            name,
            pipeline,
            if_not_exists,
        })
    }

    /// Submits it. Returns what to say.
    ///
    /// # Errors
    /// As [`Jobs::submit`].
    pub async fn submit(self, jobs: &Jobs) -> Result<String> {
        let Self {
            name,
            pipeline,
            if_not_exists,
        } = self;
        match jobs.submit(&name, pipeline, None, false).await {
            Ok(submitted) if submitted.existed => Ok(format!("job '{name}' was there already")),
            Ok(_) => Ok(format!("job '{name}' was submitted")),
            Err(Refused::Exists(name)) if if_not_exists => {
                Ok(format!("job '{name}' was there already"))
            }
            Err(Refused::Exists(name)) => Err(Error::usage(format!(
                "there is a job '{name}' with other statements"
            ))
            .with_help(format!(
                "give this one another name with SET 'pipeline.name', or change that one with: flowline upgrade {name}"
            ))),
            Err(Refused::Failed(error)) => Err(error),
            Err(Refused::NotFound(text) | Refused::Wrong(text)) => Err(Error::usage(text)),
        }
    }
}

fn nameless() -> Error {
    Error::usage("these statements would run as a job, which needs a name")
        .with_help("write SET 'pipeline.name' = '...'; before them")
}
