//! Queries that clients ask: over the tables of all jobs and the system tables, each answered once.

use std::collections::btree_map::{BTreeMap, Entry};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use futures::StreamExt as _;

use super::job::Job;
use super::jobs::Jobs;
use super::subscription::{self, Changes, Subscription};
use super::system;
use crate::batch::{self, Rows, SnapshotQuery, Surroundings};
use crate::catalog::{Catalog, Relation, Table};
use crate::error::{Error, Result};
use crate::runtime::EpochView;
use crate::session::{BATCH_ROWS, Message, Session, SessionConfig};
use crate::sql::ast::{Statement, StatementKind};
use crate::sql::{Diagnostic, SourceFile, parse_script};

/// What mistakes in a query are said to stand in.
pub const QUERY: &str = "<query>";

/// How long a query waits for a job that is being started to show its tables.
const STARTING: Duration = Duration::from_secs(10);

/// What a query may take.
#[derive(Debug, Clone, Copy)]
pub struct QueryLimits {
    /// Bytes of memory; beyond it sorts, joins and groups go to disk or fail.
    pub memory: usize,
    /// How long it may take until its last row is read.
    pub time: Duration,
    /// How many may be answered at once.
    pub number: usize,
}

/// Answers queries.
pub struct Queries {
    jobs: Arc<Jobs>,
    limits: QueryLimits,
    places: Arc<tokio::sync::Semaphore>,
}

/// How a query is answered.
pub enum Answer {
    /// Once.
    Snapshot(SchemaRef, Rows),
    /// For ever.
    Subscription(SchemaRef, Changes),
}

/// What a statement is answered with.
enum Asked {
    Rows(SnapshotQuery),
    Changes(Box<Subscription>),
    /// SHOW, DESCRIBE, EXPLAIN: known at once.
    Known(RecordBatch),
}

impl Queries {
    /// Over the tables of these jobs.
    pub fn new(jobs: Arc<Jobs>, limits: QueryLimits) -> Self {
        Self {
            jobs,
            places: Arc::new(tokio::sync::Semaphore::new(limits.number)),
            limits,
        }
    }

    /// The databases, each with its tables: one for each job, and `flowline`.
    ///
    /// # Errors
    /// A bug.
    pub fn databases(&self) -> Result<Vec<(String, Arc<Catalog>)>> {
        let session = self.session(None)?;
        let databases = session.catalog.databases();
        Ok(databases
            .map(|(name, database)| (name.clone(), Arc::clone(database)))
            .collect())
    }

    /// The columns of the answer to `sql`.
    ///
    /// # Errors
    /// Mistakes in it.
    pub fn schema(&self, sql: &str, database: Option<&str>) -> Result<SchemaRef> {
        let mut session = self.session(database)?;
        Ok(match self.ask(&mut session, sql)? {
            Asked::Rows(query) => query.schema(),
            Asked::Changes(subscription) => subscription.schema(),
            Asked::Known(batch) => batch.schema(),
        })
    }

    /// Begins to answer `sql`. Whoever drops the rows ends the work.
    ///
    /// # Errors
    /// Mistakes in it; tables that cannot be read; too many queries at once.
    pub async fn answer(&self, sql: &str) -> Result<Answer> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| {
            Error::limit(format!(
                "{} queries are being answered, and no more are allowed at once",
                self.limits.number
            ))
            .with_help("ask again later, or let the server answer more with --max-queries")
        })?;
        let mut session = self.session(None)?;
        let query = match self.ask(&mut session, sql)? {
            Asked::Rows(query) => query,
            Asked::Changes(subscription) => {
                let schema = subscription.schema();
                let changes = subscription.changes().map(move |changes| {
                    let _ = &place;
                    changes
                });
                return Ok(Answer::Subscription(schema, changes.boxed()));
            }
            Asked::Known(batch) => {
                let rows = futures::stream::iter([Ok(batch.clone())]);
                return Ok(Answer::Snapshot(batch.schema(), rows.boxed()));
            }
        };
        for table in query.tables() {
            if let Some((job, _)) = keeper(&self.jobs, &table) {
                job.shows_tables(STARTING).await;
            }
        }
        let jobs = Arc::clone(&self.jobs);
        let tables = JobTables::default();
        let kept = move |table: &Table| tables.rows(&jobs, table);
        let surroundings = Surroundings {
            session: &session,
            kept: &kept,
            memory: Some(self.limits.memory),
        };
        let time = self.limits.time;
        let too_long = move || {
            Error::limit(format!("the query took longer than {time:?}"))
                .with_help("ask for less, or let queries take longer with --query-timeout")
        };
        #[allow(clippy::disallowed_methods, reason = "a limit on wall time")]
        let end = tokio::time::Instant::now() + time;
        let answered = tokio::time::timeout_at(end, query.answer(&surroundings)).await;
        let (schema, rows) = answered.map_err(|_| too_long())??;
        let (send, read) = tokio::sync::mpsc::channel(1);
        // It is over in time, also where the client has stopped reading.
        tokio::spawn(async move {
            let mut rows = rows;
            let work = async {
                while let Some(batch) = rows.next().await {
                    if send.send(batch).await.is_err() {
                        return;
                    }
                }
            };
            let ended = tokio::select! {
                ended = tokio::time::timeout_at(end, work) => ended.is_ok(),
                () = send.closed() => true,
            };
            drop((rows, place));
            if !ended {
                let _ = send.send(Err(too_long())).await;
            }
        });
        let rows = futures::stream::unfold(read, |mut read| async move {
            read.recv().await.map(|batch| (batch, read))
        });
        Ok(Answer::Snapshot(schema, rows.boxed()))
    }

    /// A session that sees all tables; the names of `database` need not be qualified.
    fn session(&self, database: Option<&str>) -> Result<Session> {
        let mut session = Session::new(SessionConfig {
            parallelism: Some(1),
            reach: Some(self.jobs.reach()),
            ..SessionConfig::default()
        });
        let mut sources = Vec::new();
        let mut catalog = Catalog::default();
        for job in self.jobs.all() {
            let Some(planned) = job.planned() else {
                continue;
            };
            let mut tables = Catalog::default();
            for (name, relation) in planned.session.catalog.iter() {
                let relation = match relation {
                    Relation::Table(table) => {
                        let mut table = Table::clone(table);
                        table.name = format!("{}.{name}", job.name);
                        if let Some(path) = planned.session.source_file(name) {
                            sources.push((table.name.clone(), path.clone()));
                        }
                        Relation::Table(Arc::new(table))
                    }
                    Relation::View(view) => Relation::View(Arc::clone(view)),
                };
                tables.insert(name, relation);
            }
            catalog.insert_database(&job.name, Arc::new(tables));
        }
        catalog.insert_database(system::DATABASE, Arc::new(system::catalog()?));
        if let Some(name) = database.filter(|name| *name != "default_database") {
            let Some(own) = catalog.database(name).map(Arc::clone) else {
                return Err(
                    Error::usage(format!("there is no database '{name}'")).with_help(
                        "the databases are named after the jobs; 'flowline' has the system tables",
                    ),
                );
            };
            for (table, relation) in own.iter() {
                catalog.insert(table, relation.clone());
            }
        }
        session.catalog = catalog;
        session.read_from(sources);
        Ok(session)
    }
    /// Takes the SETs of a text, and binds the one statement after them.
    fn ask(&self, session: &mut Session, sql: &str) -> Result<Asked> {
        let file = SourceFile::new(QUERY, sql);
        let script = parse_script(&file).map_err(Error::sql)?;
        let is_set = |s: &&Statement| matches!(s.kind, StatementKind::Set(Some(_)));
        let statements: Vec<&Statement> = script.statements.iter().skip_while(is_set).collect();
        let [statement] = statements.as_slice() else {
            return Err(Error::usage(format!(
                "a query is one statement, after SETs where it needs any, and this has {}",
                statements.len()
            ))
            .with_help("ask them one after another"));
        };
        match &statement.kind {
            StatementKind::Query(_) => {
                session.set_from(&file)?;
                if session.settings.is_subscription() {
                    return self.subscribe(session, &file);
                }
                let mut queries = batch::queries(session, &file)?;
                let query = queries.pop();
                let query =
                    query.ok_or_else(|| Error::internal("a query was not taken for one"))?;
                for table in query.tables() {
                    same_place(session, &table).map_err(|what| {
                        Error::sql(vec![
                            Diagnostic::new(&file, statement.span, what).with_help(
                                "a hint of a query may say from where to where it is read",
                            ),
                        ])
                    })?;
                }
                Ok(Asked::Rows(query))
            }
            StatementKind::Show(_) | StatementKind::Describe(_) | StatementKind::Explain(_) => {
                Ok(Asked::Known(told(&session.load(&file)?)?))
            }
            _ => Err(Error::sql(vec![
                Diagnostic::new(&file, statement.span, "this statement gives no rows").with_help(
                    "ask SELECT, SHOW, DESCRIBE or EXPLAIN; 'flowline submit' runs INSERT INTO",
                ),
            ])),
        }
    }

    /// Binds a SELECT that follows the tables it reads.
    fn subscribe(&self, session: &mut Session, file: &Arc<SourceFile>) -> Result<Asked> {
        let from = match session.settings.subscribe_from() {
            Some(text) => Some(text.parse::<u64>().map_err(|_| {
                Error::usage(format!(
                    "SET 'flowline.subscribe.from': '{text}' is no epoch"
                ))
                .with_help("write the number that came with the last rows")
            })?),
            None => None,
        };
        let mut catalog = Catalog::default();
        for (name, database) in session.catalog.databases() {
            let mut tables = Catalog::clone(database);
            for (table, relation) in database.iter() {
                if let Relation::Table(declared) = relation {
                    let declared = Arc::new(subscription::followed(declared));
                    tables.insert(table, Relation::Table(declared));
                }
            }
            catalog.insert_database(name, Arc::new(tables));
        }
        session.catalog = catalog;
        session.load(file)?;
        let graph = session.graph()?;
        let subscription = Subscription::new(&self.jobs, &session.catalog, &graph, from)?;
        Ok(Asked::Changes(Box::new(subscription)))
    }
}

/// The tables of jobs as one query sees them: all of a job at the end of the same epoch.
#[derive(Default)]
struct JobTables {
    epochs: Mutex<BTreeMap<String, Arc<EpochView>>>,
}

impl JobTables {
    /// The rows of a table that the server itself has; `None` where it has to be read from outside.
    fn rows(&self, jobs: &Jobs, table: &Table) -> Result<Option<Vec<RecordBatch>>> {
        if let Some(rows) = system::rows(jobs, table)? {
            return Ok(Some(rows));
        }
        let Some((job, name)) = keeper(jobs, table) else {
            return Ok(None);
        };
        let Some(node) = job.planned().and_then(|planned| planned.keeper(&name)) else {
            // Nobody writes it: it is empty.
            return Ok(Some(Vec::new()));
        };
        let view = {
            let mut epochs = self.epochs.lock().unwrap_or_else(PoisonError::into_inner);
            match epochs.entry(job.name.clone()) {
                Entry::Occupied(seen) => Arc::clone(seen.get()),
                Entry::Vacant(place) => Arc::clone(place.insert(job.view()?)),
            }
        };
        let parts = view.tables.get(&node).into_iter().flatten();
        let rows = parts.flat_map(|part| part.rows.batches(0, BATCH_ROWS));
        Ok(Some(rows.collect::<Result<_>>()?))
    }
}

/// The job that keeps a table, and the table's name there; the name of a job may have a dot in it.
fn keeper(jobs: &Jobs, table: &Table) -> Option<(Arc<Job>, String)> {
    if table.connector().is_some() {
        return None;
    }
    jobs.all().into_iter().find_map(|job| {
        let name = table.name.strip_prefix(&job.name)?.strip_prefix('.')?;
        Some((Arc::clone(&job), name.to_string()))
    })
}

/// Whether a table is read where it was declared to be: who may only ask does not choose files and hosts.
fn same_place(session: &Session, table: &Table) -> std::result::Result<(), String> {
    let databases = session.catalog.databases();
    let declared = databases
        .flat_map(|(_, database)| database.iter())
        .find_map(|(_, relation)| match relation {
            Relation::Table(declared) if declared.name == table.name => Some(declared),
            _ => None,
        });
    let Some(declared) = declared else {
        return Ok(());
    };
    let is_place = |key: &str| {
        matches!(
            key,
            "connector" | "path" | "topic" | "topic-pattern" | "archive.path"
        ) || key.starts_with("properties.")
    };
    let mut changed = table
        .with
        .iter()
        .filter(|(key, value)| is_place(key) && declared.with.get(*key) != Some(*value));
    match changed.next() {
        Some((key, _)) => Err(format!(
            "table '{}': a query may not set '{key}'",
            table.name
        )),
        None => Ok(()),
    }
}

/// What a statement says, as rows; what the SETs before it say is no part of that.
fn told(messages: &[Message]) -> Result<RecordBatch> {
    let mut titles = vec!["result".to_string()];
    let mut rows = Vec::new();
    for message in messages {
        match message {
            Message::Rows(columns, values) => (titles, rows) = (columns.clone(), values.clone()),
            Message::Text(text) => rows.push(vec![text.clone()]),
            Message::Note(_) => {}
        }
    }
    let fields = titles
        .iter()
        .map(|title| Field::new(title, DataType::Utf8, false));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let column = |i: usize| -> ArrayRef {
        let values = rows.iter().map(|row| row.get(i).map_or("", String::as_str));
        Arc::new(StringArray::from_iter_values(values))
    };
    let columns = (0..titles.len()).map(column).collect();
    Ok(RecordBatch::try_new(schema, columns)?)
}
