//! Queries that clients ask: over the tables of all jobs and the system tables, each answered once.

use std::collections::btree_map::{BTreeMap, Entry};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use futures::{StreamExt as _, TryStreamExt as _};
use sqlparser::ast::{Ident, ObjectName};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::job::Job;
use super::jobs::Jobs;
use super::subscription::{self, Changes, Subscription};
use super::system;
use super::writes::{NewJob, Target, is_written};
use crate::batch::{self, Rows, SnapshotQuery, Surroundings};
use crate::catalog::{Catalog, Relation, Table};
use crate::error::{Error, Result};
use crate::planner::database_of;
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

impl QueryLimits {
    fn too_long(&self) -> Error {
        Error::limit(format!("the query took longer than {:?}", self.time))
            .with_help("ask for less, or let queries take longer with --query-timeout")
    }
}

/// What a client has set for all its queries.
#[derive(Debug, Clone, Default)]
pub struct ClientOptions {
    /// The database whose names need not be qualified.
    pub database: Option<String>,
    /// SET values, as before the query.
    pub settings: BTreeMap<String, String>,
}

impl ClientOptions {
    /// Those of names in a database.
    pub fn of_database(name: Option<&str>) -> Self {
        Self {
            database: name.map(str::to_string),
            ..Self::default()
        }
    }
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
    /// INSERT: the rows that are written, and where.
    Insert(SnapshotQuery, Target),
    /// Statements that run as a job.
    Submit(NewJob),
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
        let session = self.session(&ClientOptions::default())?;
        let databases = session.catalog.databases();
        Ok(databases
            .map(|(name, database)| (name.clone(), Arc::clone(database)))
            .collect())
    }

    /// The columns of the answer to `sql`.
    ///
    /// # Errors
    /// Mistakes in it.
    pub fn schema(&self, sql: &str, options: &ClientOptions) -> Result<SchemaRef> {
        let mut session = self.session(options)?;
        Ok(match self.ask(&mut session, sql)? {
            Asked::Rows(query) => query.schema(),
            Asked::Changes(subscription) => subscription.schema(),
            Asked::Known(batch) => batch.schema(),
            Asked::Insert(..) => inserted(0)?.schema(),
            Asked::Submit(_) => said(String::new())?.schema(),
        })
    }

    /// The managed table of that name, to insert rows into.
    ///
    /// # Errors
    /// There is none, or it takes no rows from clients.
    pub fn target(&self, name: &str, options: &ClientOptions) -> Result<(Target, Arc<Table>)> {
        let session = self.session(options)?;
        let parts = vec![Ident::new(name)];
        let (catalog, name) = database_of(&session.catalog, &ObjectName::from(parts))
            .map(|(catalog, name)| (catalog, name.to_string()))
            .map_err(|(message, help)| Error::usage(message).with_help(help))?;
        let table = catalog.table(&name).map(Arc::clone);
        let table = table.ok_or_else(|| Error::usage(format!("table '{name}' not found")))?;
        Ok((self.target_of(&table)?, table))
    }

    fn target_of(&self, table: &Arc<Table>) -> Result<Target> {
        let Some((job, name)) = keeper(&self.jobs, table) else {
            return Err(Error::usage(format!(
                "table '{}' has a connector, or is one of the server's own: it takes no rows from clients",
                table.name
            ))
            .with_help("insert into a table without a connector, or submit a job that writes this one"));
        };
        Target::new(job, &name, Arc::clone(table))
    }

    /// Begins to answer `sql`. Whoever drops the rows ends the work.
    ///
    /// # Errors
    /// Mistakes in it; tables that cannot be read; too many queries at once.
    pub async fn answer(&self, sql: &str, options: &ClientOptions) -> Result<Answer> {
        let place = self.place()?;
        let mut session = self.session(options)?;
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
                return Ok(known(batch));
            }
            Asked::Insert(query, target) => {
                let (end, mut rows) = (self.end(), Vec::new());
                self.collect(&session, &query, end, &mut rows).await?;
                return Ok(known(inserted(self.insert(&target, rows, end).await?)?));
            }
            Asked::Submit(job) => return Ok(known(said(job.submit(&self.jobs).await?)?)),
        };
        let end = self.end();
        let (schema, rows) = self.begin(&session, &query, end).await?;
        let limits = self.limits;
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
                let _ = send.send(Err(limits.too_long())).await;
            }
        });
        let rows = futures::stream::unfold(read, |mut read| async move {
            read.recv().await.map(|batch| (batch, read))
        });
        Ok(Answer::Snapshot(schema, rows.boxed()))
    }

    #[allow(clippy::disallowed_methods, reason = "a limit on wall time")]
    fn end(&self) -> Instant {
        Instant::now() + self.limits.time
    }

    /// Reads the tables of a query and begins to answer it, until `end`.
    async fn begin(
        &self,
        session: &Session,
        query: &SnapshotQuery,
        end: Instant,
    ) -> Result<(SchemaRef, Rows)> {
        for table in query.tables() {
            if let Some((job, _)) = keeper(&self.jobs, &table) {
                job.shows_tables(STARTING).await;
            }
        }
        let jobs = Arc::clone(&self.jobs);
        let tables = JobTables::default();
        let kept = move |table: &Table| tables.rows(&jobs, table);
        let surroundings = Surroundings {
            session,
            kept: &kept,
            memory: Some(self.limits.memory),
        };
        let answered = tokio::time::timeout_at(end, query.answer(&surroundings)).await;
        answered.map_err(|_| self.limits.too_long())?
    }

    /// Runs statements that change something. Rows that several insert into one table are durable together. Returns how many rows were
    /// inserted.
    ///
    /// # Errors
    /// One is a query; and as [`Queries::answer`].
    pub async fn update(&self, texts: &[String], options: &ClientOptions) -> Result<u64> {
        let _place = self.place()?;
        let end = self.end();
        let mut session = self.session(options)?;
        let (mut into, mut rows) = (None, Vec::new());
        for sql in texts {
            match self.ask(&mut session, sql)? {
                Asked::Insert(query, target) => {
                    self.collect(&session, &query, end, &mut rows).await?;
                    into.get_or_insert(target);
                }
                Asked::Submit(job) => drop(job.submit(&self.jobs).await?),
                Asked::Rows(_) | Asked::Changes(_) | Asked::Known(_) => {
                    return Err(Error::usage("this is a query, which changes nothing")
                        .with_help("execute it as a query"));
                }
            }
        }
        match into {
            Some(target) => self.insert(&target, rows, end).await,
            None => Ok(0),
        }
    }

    /// Adds the rows that an INSERT writes to those there are. All together may take as much memory as a query.
    async fn collect(
        &self,
        session: &Session,
        query: &SnapshotQuery,
        end: Instant,
        all: &mut Vec<RecordBatch>,
    ) -> Result<()> {
        let (_, mut rows) = self.begin(session, query, end).await?;
        let mut bytes: usize = all.iter().map(RecordBatch::get_array_memory_size).sum();
        loop {
            let next = tokio::time::timeout_at(end, rows.try_next()).await;
            let Some(batch) = next.map_err(|_| self.limits.too_long())?? else {
                return Ok(());
            };
            bytes += batch.get_array_memory_size();
            if bytes > self.limits.memory {
                return Err(Error::limit(format!(
                    "the rows need more than {} MiB of memory; none was inserted",
                    self.limits.memory >> 20
                ))
                .with_help("insert fewer at once, or let queries take more with --query-memory"));
            }
            all.push(batch);
        }
    }

    async fn insert(&self, into: &Target, rows: Vec<RecordBatch>, end: Instant) -> Result<u64> {
        let work = tokio::time::timeout_at(end, into.insert(rows)).await;
        work.map_err(|_| self.limits.too_long())?
    }

    /// Whether there is a table of that name.
    ///
    /// # Errors
    /// There is no such database.
    pub fn has_table(&self, name: &str, options: &ClientOptions) -> Result<bool> {
        let database = options.database.as_ref();
        if database.is_some_and(|job| self.jobs.get(job).is_err()) {
            return Ok(false);
        }
        let catalog = self.session(options)?.catalog;
        Ok(catalog.get(name).is_some() || !catalog.databases_with(name).is_empty())
    }

    /// One of the places for queries.
    fn place(&self) -> Result<OwnedSemaphorePermit> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        place.map_err(|_| {
            Error::limit(format!(
                "{} queries are being answered, and no more are allowed at once",
                self.limits.number
            ))
            .with_help("ask again later, or let the server answer more with --max-queries")
        })
    }

    /// A session that sees all tables; the names of `database` need not be qualified.
    fn session(&self, options: &ClientOptions) -> Result<Session> {
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
        let database = options.database.as_ref();
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
        for (key, value) in &options.settings {
            let set = session.settings.set(key, value);
            set.map_err(|e| Error::usage(e.message).at(format!("session option '{key}'")))?;
        }
        Ok(session)
    }

    /// Whether queries can be asked with these.
    ///
    /// # Errors
    /// There is no such database, or a setting is wrong.
    pub fn check(&self, options: &ClientOptions) -> Result<()> {
        self.session(options).map(drop)
    }

    /// Takes the SETs of a text, and binds the one statement after them.
    fn ask(&self, session: &mut Session, sql: &str) -> Result<Asked> {
        let file = SourceFile::new(QUERY, sql);
        let script = parse_script(&file).map_err(Error::sql)?;
        let is_set = |s: &&Statement| matches!(s.kind, StatementKind::Set(Some(_)));
        let statements: Vec<&Statement> = script.statements.iter().skip_while(is_set).collect();
        let is_script = statements.iter().any(|s| is_written(s));
        let [statement] = statements.as_slice() else {
            if is_script {
                session.set_from(&file)?;
                return Ok(Asked::Submit(NewJob::new(session, &script)?));
            }
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
            StatementKind::Insert(insert) => {
                session.set_from(&file)?;
                let insert = insert.clone();
                let span = statement.span;
                let unheeded = match (&insert.on_conflict, insert.hint_options.first()) {
                    (Some(conflict), _) => Some(("ON CONFLICT", conflict.span)),
                    (None, Some(hint)) => Some(("a hint", hint.key.span)),
                    (None, None) => None,
                };
                if let Some((what, span)) = unheeded {
                    let mistake = format!("{what} means nothing where a client inserts rows");
                    let help = "leave it out; a row replaces the one of its PRIMARY KEY";
                    let mistake = Diagnostic::new(&file, span, mistake).with_help(help);
                    return Err(Error::sql(vec![mistake]));
                }
                let (query, table) = SnapshotQuery::of_insert(session, insert, &file, span)?;
                Ok(Asked::Insert(query, self.target_of(&table)?))
            }
            _ if is_script => {
                session.set_from(&file)?;
                Ok(Asked::Submit(NewJob::new(session, &script)?))
            }
            _ => Err(Error::sql(vec![
                Diagnostic::new(&file, statement.span, "this statement gives no rows")
                    .with_help("ask SELECT, SHOW, DESCRIBE or EXPLAIN"),
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

/// An answer that is there at once.
fn known(batch: RecordBatch) -> Answer {
    let rows = futures::stream::iter([Ok(batch.clone())]);
    Answer::Snapshot(batch.schema(), rows.boxed())
}

/// What an INSERT answers.
fn inserted(rows: u64) -> Result<RecordBatch> {
    let rows = Int64Array::from_iter_values([i64::try_from(rows).unwrap_or(i64::MAX)]);
    Ok(RecordBatch::try_from_iter([(
        "rows",
        Arc::new(rows) as ArrayRef,
    )])?)
}

/// What a statement without rows answers.
fn said(text: String) -> Result<RecordBatch> {
    let text = StringArray::from_iter_values([text]);
    Ok(RecordBatch::try_from_iter([(
        "result",
        Arc::new(text) as ArrayRef,
    )])?)
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
