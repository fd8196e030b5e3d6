//! The main path: SQL text -> statements -> catalog and inserts -> logical plans -> graph -> running job.

mod bad_rows;
mod batch_mode;
mod describe;
mod ends;
mod events;
mod load;
mod plans;
mod reach;
mod replay;
mod restarts;
mod supervise;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use datafusion::logical_expr::{LogicalPlan, TableSource};
use sqlparser::ast::{Query, Spanned as _};
use sqlparser::tokenizer::Span;

use crate::catalog::{Catalog, Relation, Table, View};
use crate::checkpoint::{Checkpoints, Location, Origin};
use crate::clock::SystemClock;
use crate::connectors::capture::Capture;
use crate::connectors::{self, Inboxes, Sink, Source};
use crate::error::{Error, Result};
use crate::graph::{self, Conflict, Graph};
use crate::planner::{
    self, BoundQuery, Functions, InsertPlan, Mistakes, PlanContext, StreamTable, database_of,
    diagnose, object_name, optimize,
};
use crate::runtime::{
    self, CheckpointOptions, Connect, Job, JobMetrics, JobOptions, Process, RestoreFrom,
};
use crate::settings::Settings;
use crate::sql::ast::{ConflictAction, DropKind, Insert, Script, Show, Statement, StatementKind};
use crate::sql::{Diagnostic, SourceFile};

pub use bad_rows::{SendBack, send_back};
pub use describe::statement_text;
pub use events::{JobEvent, count, span};
pub use reach::{Reach, real};
pub use replay::{Place, Replay};

use ends::{Ends, check_connector, source_of};

/// Rows in a batch at most, unless something else is set.
pub const BATCH_ROWS: usize = 8192;

/// What is decided outside the SQL files.
#[derive(Debug, Clone, Default)]
pub struct SessionConfig {
    /// Options put over those of a table (`*`: of every table that has the connector `kafka` or `upsert-kafka`).
    pub table_options: BTreeMap<String, BTreeMap<String, String>>,
    /// Tables whose rows are read from a file or folder whatever their connector.
    pub sources: BTreeMap<String, PathBuf>,
    /// Keeps results instead of writing them.
    pub capture: Option<Arc<Capture>>,
    /// Number of instances of each operator, over what SET says.
    pub parallelism: Option<usize>,
    /// Rows a batch at most.
    pub batch_rows: usize,
    /// Sources end at their present end.
    pub bounded: bool,
    /// The job's name, where no SET says another.
    pub name: String,
    /// Where that name comes from.
    pub origin: Origin,
    /// Managed tables are kept for queries to read, and clients insert into those that no statement writes.
    pub inboxes: Option<Arc<Inboxes>>,
    /// Only this range of the topics is read.
    pub replay: Option<Replay>,
    /// The job's own checkpoints are given up: it begins with nothing, or with the savepoint that it is given.
    pub fresh: bool,
    /// What its SQL may reach; `None`: everything.
    pub reach: Option<Arc<Reach>>,
}

impl SessionConfig {
    /// Whether clients insert into a table, where no statement writes it.
    fn takes_inserts(&self, table: &Table) -> bool {
        self.inboxes.is_some()
            && table.connector().is_none()
            && !self.sources.contains_key(&table.name)
    }
}

/// Makes the sink that shows the rows of a bare SELECT: by name and table.
pub type SelectSink = dyn Fn(&str, &Table) -> Arc<dyn Sink> + Send + Sync;

/// Something a statement says to the person.
#[derive(Debug, Clone)]
pub enum Message {
    /// Columns and rows of SHOW and DESCRIBE.
    Rows(Vec<String>, Vec<Vec<String>>),
    /// The text of EXPLAIN and SHOW CREATE.
    Text(String),
    /// A note, such as a setting without effect.
    Note(String),
}

/// An INSERT or SELECT that waits to be run.
struct Pending {
    /// Bound where it stands: what is declared or dropped later does not change it.
    bound: BoundQuery,
    /// The same, optimised.
    plan: LogicalPlan,
    /// The sink; `None` for a bare SELECT.
    into: Option<Arc<Table>>,
    on_conflict: Option<Conflict>,
    name: String,
    /// As they are where it stands.
    settings: Arc<Settings>,
    file: Arc<SourceFile>,
    span: Span,
}

/// SQL files being turned into a job.
pub struct Session {
    /// Tables and views.
    pub catalog: Catalog,
    /// SET values.
    pub settings: Settings,
    functions: Functions,
    config: SessionConfig,
    pending: Vec<Pending>,
    selects: usize,
    /// Tables and views whose CREATE has a mistake: that they are not there is no second one.
    broken: BTreeSet<String>,
    /// A file could not be read as a whole: what is not found may be declared in what was not read.
    is_cut: bool,
}

impl Session {
    /// Nothing declared yet.
    pub fn new(config: SessionConfig) -> Self {
        Self {
            catalog: Catalog::default(),
            settings: Settings::default(),
            functions: Functions::new(),
            config,
            pending: Vec::new(),
            selects: 0,
            broken: BTreeSet::new(),
            is_cut: false,
        }
    }

    /// Whether any INSERT or SELECT waits to be run.
    pub fn has_jobs(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Forgets INSERTs, SELECTs and mistakes: a shell goes on with the tables, views and settings. The job of what comes next has
    /// this name.
    pub fn go_on(&mut self, name: String, origin: Origin) {
        (self.config.name, self.config.origin) = (name, origin);
        self.pending.clear();
        self.selects = 0;
        self.broken.clear();
        self.is_cut = false;
    }

    /// The names of what would be written: sinks and `select_N`.
    pub fn outputs(&self) -> Vec<&str> {
        self.pending.iter().map(|p| p.name.as_str()).collect()
    }

    /// The graph of everything loaded.
    ///
    /// # Errors
    /// All mistakes of the queries.
    pub fn graph(&self) -> Result<Graph> {
        self.plan(&self.pending.iter().collect::<Vec<_>>())
    }

    /// Whether the tables of a graph can be read and written, as far as their options say.
    ///
    /// # Errors
    /// Mistakes in the options; a connector that cannot be read, or not written.
    pub fn check_ends(&self, graph: &Graph) -> Result<()> {
        let nowhere = |_: &str, _: &Table| connectors::discard(connectors::SinkMode::Retract);
        let ends = self.connect(&nowhere);
        for node in &graph.nodes {
            match &node.operation {
                graph::Operation::Source(source) => drop(ends.source(source)?),
                graph::Operation::Sink(sink) => drop(ends.sink(sink)?),
                _ => {}
            }
        }
        Ok(())
    }

    /// Starts everything loaded as one job.
    ///
    /// # Errors
    /// Mistakes of the queries; sources and sinks that cannot be opened.
    pub async fn start(&self, selects: &SelectSink) -> Result<Job> {
        let graph = self.graph()?;
        runtime::start(
            &graph,
            &self.connect(selects),
            &self.job_options()?,
            Arc::new(SystemClock),
            JobMetrics::of(&graph),
            &|_| (),
        )
        .await
    }

    /// What connects the graph's ends to the outside.
    pub fn connect<'a>(&'a self, selects: &'a SelectSink) -> impl Connect + 'a {
        Ends {
            config: &self.config,
            selects,
            is_batch: self.settings.is_batch(),
        }
    }

    /// How jobs run.
    ///
    /// # Errors
    /// A place for checkpoints that cannot be used.
    pub fn job_options(&self) -> Result<JobOptions> {
        let name = self.job_name();
        let interval = self.settings.checkpoint_interval();
        // What is only looked at, or can be replayed again, needs none.
        let is_live = self.config.capture.is_none()
            && self.config.replay.is_none()
            && !self.settings.is_batch();
        let checkpoints = match interval.filter(|_| is_live) {
            Some(interval) => Some(self.checkpoint_options(&name, interval)?),
            None => None,
        };
        Ok(JobOptions {
            batch_rows: self.config.batch_rows.max(1),
            bounded: self.config.bounded,
            name,
            checkpoints,
            stays_open: self
                .config
                .replay
                .as_ref()
                .is_some_and(|r| !r.closes_windows),
        })
    }

    /// The job's name: `pipeline.name`, else what was given from outside.
    pub fn job_name(&self) -> String {
        let given = self.settings.job_name().unwrap_or(&self.config.name);
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let name: String = given
            .chars()
            .map(|c| if plain(c) { c } else { '-' })
            .collect();
        if name.is_empty() {
            "flowline".into()
        } else {
            name
        }
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "a name that no other process has"
    )]
    fn checkpoint_options(&self, name: &str, interval: Duration) -> Result<CheckpointOptions> {
        let settings = &self.settings;
        let reach = self.config.reach.as_deref();
        let store_options = reach::resolved(reach, &settings.store_options())?;
        if let (Some(reach), Some(path)) = (reach, settings.restore_path()) {
            reach.location(path, &store_options, true)?;
        }
        let root = Location::open(settings.checkpoint_dir(), &store_options)?;
        let restore = match settings.restore_path() {
            Some(path) => RestoreFrom::Savepoint {
                from: Location::open(path, &store_options)?,
                again: self.config.fresh,
            },
            None if self.config.fresh => RestoreFrom::Nothing,
            None => RestoreFrom::Newest,
        };
        let origin = match settings.job_name() {
            Some(_) => Origin::Named,
            None => self.config.origin.clone(),
        };
        Ok(CheckpointOptions {
            checkpoints: Checkpoints::new(&root, name).of(origin),
            store_options,
            interval,
            timeout: settings.checkpoint_timeout(),
            retained: settings.checkpoints_retained(),
            restore,
            drop_state: settings.drops_state(),
            process: Process::new(fastrand::u64(..)),
            wanted: match &self.config.inboxes {
                Some(inboxes) => inboxes.wanted(),
                None => Arc::default(),
            },
        })
    }

    /// The functions a query may call.
    pub fn functions(&self) -> &Functions {
        &self.functions
    }

    /// Where clients insert rows.
    pub fn inboxes(&self) -> Option<&Arc<Inboxes>> {
        self.config.inboxes.as_ref()
    }

    /// The source of a table: the file given for it, else its connector.
    ///
    /// # Errors
    /// Where its options do not allow it.
    pub fn source(&self, table: &Table) -> Result<Arc<dyn Source>> {
        source_of(&self.config, table)
    }

    /// The file or folder that a table is read from, where one was given for it.
    pub fn source_file(&self, table: &str) -> Option<&PathBuf> {
        self.config.sources.get(table)
    }

    /// Reads tables from these files and folders, whatever their connector.
    pub fn read_from(&mut self, sources: impl IntoIterator<Item = (String, PathBuf)>) {
        self.config.sources.extend(sources);
    }

    /// Runs one SELECT over `table`, declared beside the session's, to the present end of its input, at parallelism 1 and with the
    /// session's settings; `sink` is given the rows left at the end.
    ///
    /// # Errors
    /// Mistakes of the query; a table that cannot be read.
    pub async fn run_once(
        &self,
        table: Table,
        query: &str,
        sink: impl Fn() -> Arc<dyn Sink> + Send + Sync + 'static,
    ) -> Result<()> {
        let config = SessionConfig {
            capture: None,
            parallelism: Some(1),
            bounded: true,
            table_options: BTreeMap::new(),
            ..self.config.clone()
        };
        let mut session = Session::new(config);
        session.functions = self.functions.clone();
        session
            .catalog
            .insert(&table.name.clone(), Relation::Table(Arc::new(table)));
        session.settings = self.settings.clone();
        session
            .settings
            .fix("execution.runtime-mode", "batch")
            .map_err(|e| Error::internal(e.message))?;
        session.load(&SourceFile::new("<snapshot>", query))?;
        session
            .start(&move |_: &str, _: &Table| sink())
            .await?
            .wait()
            .await
    }

    // ---- Statements ----

    fn statement(
        &mut self,
        script: &Script,
        statement: &Statement,
    ) -> std::result::Result<Vec<Message>, Vec<Diagnostic>> {
        let file = &script.file;
        let span = statement.span;
        let mistake = |span: Span, message: String, help: Option<String>| {
            Err(vec![Diagnostic {
                file: Arc::clone(file),
                span,
                message,
                help,
            }])
        };
        match &statement.kind {
            StatementKind::CreateTable(create) => {
                let name = object_name(&create.name);
                if self.catalog.get(&name).is_some() {
                    if create.if_not_exists {
                        return Ok(Vec::new());
                    }
                    let help = "use CREATE TABLE IF NOT EXISTS, or DROP it first".to_string();
                    return mistake(
                        create.name.span(),
                        format!("table '{name}' already exists"),
                        Some(help),
                    );
                }
                let overrides = self.overrides(&name, create);
                let table = planner::create_table(create, span, file, &self.context(), &overrides);
                let mut table = table.map_err(Mistakes::into_diagnostics)?;
                if let Some(replay) = &self.config.replay {
                    replay.bound(&mut table);
                }
                check_connector(&table, self.config.sources.contains_key(&name))?;
                let notes = connectors::notes(&table);
                self.catalog.insert(&name, Relation::Table(Arc::new(table)));
                return Ok(notes.into_iter().map(Message::Note).collect());
            }
            StatementKind::CreateView(create) => {
                let name = object_name(&create.name);
                if self.catalog.get(&name).is_some() {
                    if create.if_not_exists {
                        return Ok(Vec::new());
                    }
                    return mistake(create.name.span(), format!("'{name}' already exists"), None);
                }
                self.bound(&create.query, file)?;
                let view = View {
                    name: name.clone(),
                    columns: create.columns.iter().map(|c| c.value.clone()).collect(),
                    query: create.query.clone(),
                    comment: create.comment.clone(),
                    file: Arc::clone(file),
                };
                self.catalog.insert(&name, Relation::View(Arc::new(view)));
            }
            StatementKind::Drop(drop) => {
                let name = object_name(&drop.name);
                let fits = match self.catalog.get(&name) {
                    Some(Relation::Table(_)) => drop.kind == DropKind::Table,
                    Some(Relation::View(_)) => drop.kind == DropKind::View,
                    None => false,
                };
                let other = self.catalog.get(&name).map(|relation| match relation {
                    Relation::Table(_) => "table",
                    Relation::View(_) => "view",
                });
                if fits {
                    self.catalog.remove(&name);
                } else if let Some(other) = other.filter(|_| !drop.if_exists) {
                    let help = format!("DROP {} {name}", other.to_uppercase());
                    return mistake(
                        drop.name.span(),
                        format!("'{name}' is a {other}"),
                        Some(help),
                    );
                } else if !drop.if_exists {
                    let kind = if drop.kind == DropKind::Table {
                        "table"
                    } else {
                        "view"
                    };
                    let help = self
                        .catalog
                        .closest(&name)
                        .map(|n| format!("did you mean '{n}'?"));
                    return mistake(drop.name.span(), format!("{kind} '{name}' not found"), help);
                }
            }
            StatementKind::AlterTable(alter) => {
                let name = object_name(&alter.name);
                let Some(table) = self.catalog.table(&name) else {
                    if alter.if_exists {
                        return Ok(Vec::new());
                    }
                    let help = self
                        .catalog
                        .closest(&name)
                        .map(|n| format!("did you mean '{n}'?"));
                    return mistake(alter.name.span(), format!("table '{name}' not found"), help);
                };
                let mut table = table.as_ref().clone();
                for option in &alter.set {
                    table
                        .with
                        .insert(option.key.value.clone(), option.value.value.clone());
                }
                for key in &alter.reset {
                    table.with.remove(&key.value);
                }
                if let Some(replay) = &self.config.replay {
                    replay.bound(&mut table);
                }
                check_connector(&table, self.config.sources.contains_key(&name))?;
                self.catalog.insert(&name, Relation::Table(Arc::new(table)));
            }
            StatementKind::Insert(insert) => self.insert(insert, file, span)?,
            StatementKind::StatementSet(inserts) => {
                let mut mistakes = Vec::new();
                for (span, insert) in inserts {
                    mistakes.extend(self.insert(insert, file, *span).err().into_iter().flatten());
                }
                if !mistakes.is_empty() {
                    return Err(mistakes);
                }
            }
            StatementKind::Query(query) => {
                let bound = self.bound(query, file)?;
                self.selects += 1;
                self.pending.push(Pending {
                    plan: optimized(&bound, file, span)?,
                    bound,
                    into: None,
                    on_conflict: None,
                    name: format!("select_{}", self.selects),
                    settings: Arc::new(self.settings.clone()),
                    file: Arc::clone(file),
                    span,
                });
            }
            StatementKind::Set(Some(setting)) => {
                match self.settings.set(&setting.key.value, &setting.value.value) {
                    Ok(note) => return Ok(note.map(Message::Note).into_iter().collect()),
                    Err(e) => return mistake(setting.key.span, e.message, e.help),
                }
            }
            StatementKind::Set(None) => {
                let rows = self
                    .settings
                    .iter()
                    .map(|(k, v)| vec![k.clone(), v.clone()])
                    .collect();
                return Ok(vec![Message::Rows(
                    vec!["key".into(), "value".into()],
                    rows,
                )]);
            }
            StatementKind::Reset(Some(key)) => {
                if let Err(e) = self.settings.reset(&key.value) {
                    return mistake(key.span, e.message, e.help);
                }
            }
            StatementKind::Reset(None) => self.settings.reset_all(),
            StatementKind::Show(show) => {
                return self.show(show).or_else(|(m, h)| mistake(span, m, h));
            }
            StatementKind::Describe(name) => {
                let columns = Show::Columns(name.clone());
                return self.show(&columns).or_else(|(m, h)| mistake(span, m, h));
            }
            StatementKind::Explain(inner) => {
                return self.explain(inner, file).map(|t| vec![Message::Text(t)]);
            }
        }
        Ok(Vec::new())
    }

    fn overrides(
        &self,
        name: &str,
        create: &crate::sql::ast::CreateTable,
    ) -> BTreeMap<String, String> {
        let connector = create
            .options
            .iter()
            .find(|o| o.key.value == "connector")
            .map(|o| o.value.value.as_str());
        let mut options = BTreeMap::new();
        if matches!(connector, Some("kafka" | "upsert-kafka")) {
            options.extend(
                self.config
                    .table_options
                    .get("*")
                    .cloned()
                    .unwrap_or_default(),
            );
        }
        options.extend(
            self.config
                .table_options
                .get(name)
                .cloned()
                .unwrap_or_default(),
        );
        options
    }

    fn insert(
        &mut self,
        insert: &Insert,
        file: &Arc<SourceFile>,
        span: Span,
    ) -> std::result::Result<(), Vec<Diagnostic>> {
        let (table, columns) = self.insert_target(insert, file)?;
        let bound = self
            .context()
            .insert(&insert.query, &table, &columns, file, span)
            .map_err(|e| vec![*e])?;
        self.pending.push(Pending {
            plan: optimized(&bound, file, span)?,
            bound,
            into: Some(table),
            on_conflict: insert.on_conflict.as_ref().map(|a| match a.value {
                ConflictAction::Deduplicate => Conflict::Deduplicate,
                ConflictAction::Nothing => Conflict::Nothing,
                ConflictAction::Error => Conflict::Error,
            }),
            name: object_name(&insert.table),
            settings: Arc::new(self.settings.clone()),
            file: Arc::clone(file),
            span,
        });
        Ok(())
    }

    /// The table that an INSERT writes, with the options of its hint, and the columns that it gives: places in the table's
    /// [`Table::sink_schema`].
    ///
    /// # Errors
    /// There is no such table or column.
    pub fn insert_target(
        &self,
        insert: &Insert,
        file: &Arc<SourceFile>,
    ) -> std::result::Result<(Arc<Table>, Vec<usize>), Vec<Diagnostic>> {
        let mut mistakes = Mistakes::new(file);
        let name = object_name(&insert.table);
        let (catalog, bare) = match database_of(&self.catalog, &insert.table) {
            Ok(found) => found,
            Err((message, help)) => {
                mistakes.add(insert.table.span(), message, Some(help));
                return Err(mistakes.into_diagnostics());
            }
        };
        let Some(table) = catalog.table(bare) else {
            let help = match catalog.get(bare) {
                Some(_) => Some(format!("'{name}' is a view; INSERT INTO takes a table")),
                None => catalog
                    .closest(&name)
                    .map(|n| format!("did you mean '{n}'?")),
            };
            mistakes.add(
                insert.table.span(),
                format!("table '{name}' not found"),
                help,
            );
            return Err(mistakes.into_diagnostics());
        };
        let mut table = Arc::clone(table);
        if !insert.hint_options.is_empty() {
            let options = insert
                .hint_options
                .iter()
                .map(|o| (o.key.value.clone(), o.value.value.clone()));
            let table = Arc::make_mut(&mut table);
            table.with.extend(options);
            if let Some(replay) = &self.config.replay {
                replay.bound(table);
            }
        }
        let sink = table.sink_schema();
        let mut columns = Vec::new();
        for column in &insert.columns {
            match sink.fields().iter().position(|f| f.name() == &column.value) {
                Some(i) => columns.push(i),
                None if table.column(&column.value).is_some() => {
                    let message = format!(
                        "column '{}' of '{name}' is computed or read-only",
                        column.value
                    );
                    mistakes.add(
                        column.span,
                        message,
                        Some("leave it out of the list".into()),
                    );
                }
                None => {
                    let names = sink.fields().iter().map(|f| f.name().as_str());
                    let help = crate::catalog::closest(&column.value, names)
                        .map(|n| format!("did you mean `{n}`?"));
                    mistakes.add(
                        column.span,
                        format!("column '{}' not found in table '{name}'", column.value),
                        help,
                    );
                }
            }
        }
        if columns.is_empty() {
            columns = (0..sink.fields().len()).collect();
        }
        mistakes
            .or((table, columns))
            .map_err(Mistakes::into_diagnostics)
    }

    /// What names stand for now.
    pub fn context(&self) -> PlanContext<'_> {
        PlanContext {
            catalog: &self.catalog,
            functions: &self.functions,
            tables: &stream_tables,
            checked: self.settings.overflow_is_error(),
        }
    }

    fn bound(
        &self,
        query: &Query,
        file: &Arc<SourceFile>,
    ) -> std::result::Result<BoundQuery, Vec<Diagnostic>> {
        self.context().query(query, file).map_err(|e| vec![*e])
    }
}

fn stream_tables(table: &Arc<Table>) -> datafusion::error::Result<Arc<dyn TableSource>> {
    Ok(Arc::new(StreamTable::new(Arc::clone(table))))
}

/// The plan that a graph is made from.
fn optimized(
    bound: &BoundQuery,
    file: &Arc<SourceFile>,
    span: Span,
) -> std::result::Result<LogicalPlan, Vec<Diagnostic>> {
    optimize(bound.plan.clone()).map_err(|e| vec![diagnose(file, span, &e)])
}
