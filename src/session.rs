//! The main path: SQL text -> statements -> catalog and inserts -> logical plans -> graph -> running job.

mod bad_rows;
mod batch_mode;
mod describe;
mod ends;
mod load;
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

use crate::catalog::options::OptionError;
use crate::catalog::{Catalog, Column, ColumnKind, Relation, Table, View};
use crate::checkpoint::{Checkpoints, Location};
use crate::clock::SystemClock;
use crate::connectors::capture::Capture;
use crate::connectors::{self, Sink, SinkMode, Source};
use crate::error::{Error, Result};
use crate::graph::{self, Conflict, Graph, MiniBatch};
use crate::planner::{
    self, BoundQuery, Functions, InsertPlan, Lowering, Mistakes, PlanContext, PlanOptions,
    SinkCheck, StreamTable, diagnose, object_name, optimize, tables_read,
};
use crate::runtime::{
    self, CheckpointOptions, Connect, Job, JobMetrics, JobOptions, Process, RestoreFrom,
};
use crate::settings::Settings;
use crate::sql::ast::{ConflictAction, DropKind, Insert, Script, Show, Statement, StatementKind};
use crate::sql::{Diagnostic, SourceFile};

pub use bad_rows::send_back;
pub use replay::{Place, Replay};
pub use supervise::JobEvent;

use describe::{describe, statement_text};
use ends::{Ends, check_connector, option_mistakes, source_of};

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
    /// Only this range of the topics is read.
    pub replay: Option<Replay>,
    /// The job begins with nothing, whatever checkpoints it has.
    pub fresh: bool,
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
        let store_options = settings.store_options();
        let root = Location::open(settings.checkpoint_dir(), &store_options)?;
        let restore = match settings.restore_path() {
            _ if self.config.fresh => RestoreFrom::Nothing,
            Some(path) => RestoreFrom::Savepoint(Location::open(path, &store_options)?),
            None => RestoreFrom::Newest,
        };
        Ok(CheckpointOptions {
            checkpoints: Checkpoints::new(&root, name),
            store_options,
            interval,
            timeout: settings.checkpoint_timeout(),
            retained: settings.checkpoints_retained(),
            restore,
            drop_state: settings.drops_state(),
            process: Process::new(fastrand::u64(..)),
        })
    }

    /// The functions a query may call.
    pub fn functions(&self) -> &Functions {
        &self.functions
    }

    /// The source of a table: the file given for it, else its connector.
    ///
    /// # Errors
    /// Where its options do not allow it.
    pub fn source(&self, table: &Table) -> Result<Arc<dyn Source>> {
        source_of(&self.config, table)
    }

    /// Runs one SELECT over `table`, declared beside the session's, to the present end of its input, at parallelism 1;
    /// `sink` takes the rows.
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
                if fits {
                    self.catalog.remove(&name);
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
        let mut mistakes = Mistakes::new(file);
        let name = object_name(&insert.table);
        let Some(table) = self.catalog.table(&name) else {
            let help = match self.catalog.get(&name) {
                Some(_) => Some(format!("'{name}' is a view; INSERT INTO takes a table")),
                None => self
                    .catalog
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
        mistakes.or(()).map_err(Mistakes::into_diagnostics)?;
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
            name,
            settings: Arc::new(self.settings.clone()),
            file: Arc::clone(file),
            span,
        });
        Ok(())
    }

    fn show(&self, show: &Show) -> std::result::Result<Vec<Message>, (String, Option<String>)> {
        let list = |title: &str, names: Vec<String>| {
            Ok(vec![Message::Rows(
                vec![title.to_string()],
                names.into_iter().map(|n| vec![n]).collect(),
            )])
        };
        let missing = |name: &str| {
            (
                format!("'{name}' not found"),
                self.catalog
                    .closest(name)
                    .map(|n| format!("did you mean '{n}'?")),
            )
        };
        match show {
            Show::Tables => list(
                "table name",
                self.catalog.iter().map(|(n, _)| n.clone()).collect(),
            ),
            Show::Views => {
                let views = self
                    .catalog
                    .iter()
                    .filter(|(_, r)| matches!(r, Relation::View(_)));
                list("view name", views.map(|(n, _)| n.clone()).collect())
            }
            Show::Functions => list("function name", self.functions.names()),
            Show::Databases => list("database name", vec!["default_database".into()]),
            Show::Catalogs => list("catalog name", vec!["default_catalog".into()]),
            Show::Create(_, name) => {
                let name = object_name(name);
                match self.catalog.get(&name) {
                    Some(Relation::Table(t)) => {
                        Ok(vec![Message::Text(statement_text(&t.file, t.span))])
                    }
                    Some(Relation::View(v)) => Ok(vec![Message::Text(format!(
                        "CREATE VIEW `{name}` AS {}",
                        v.query
                    ))]),
                    None => Err(missing(&name)),
                }
            }
            Show::Columns(name) => {
                let name = object_name(name);
                let titles = ["name", "type", "null", "key", "extras", "watermark"]
                    .map(str::to_string)
                    .to_vec();
                let rows = match self.catalog.get(&name) {
                    Some(Relation::Table(table)) => describe(table),
                    Some(Relation::View(view)) => {
                        let bound = self.bound(&view.query, &view.file);
                        let bound = bound.map_err(|d| {
                            (
                                d.first().map(|d| d.message.clone()).unwrap_or_default(),
                                None,
                            )
                        })?;
                        let names = bound.columns.iter().map(|(name, _)| name);
                        let names: Vec<&String> = if view.columns.is_empty() {
                            names.collect()
                        } else {
                            view.columns.iter().collect()
                        };
                        let rows = names.into_iter().zip(&bound.columns);
                        rows.map(|(name, (_, ty))| {
                            vec![
                                name.clone(),
                                ty.kind.to_string(),
                                if ty.nullable { "TRUE" } else { "FALSE" }.to_string(),
                                String::new(),
                                String::new(),
                                String::new(),
                            ]
                        })
                        .collect()
                    }
                    None => return Err(missing(&name)),
                };
                Ok(vec![Message::Rows(titles, rows)])
            }
        }
    }

    fn explain(
        &mut self,
        statement: &Statement,
        file: &Arc<SourceFile>,
    ) -> std::result::Result<String, Vec<Diagnostic>> {
        let before = self.pending.len();
        let script = Script {
            file: Arc::clone(file),
            statements: Vec::new(),
        };
        self.statement(&script, statement)?;
        let explained = self.pending.split_off(before);
        if explained.iter().any(|p| p.into.is_none()) {
            self.selects = self.selects.saturating_sub(1);
        }
        let explained: Vec<&Pending> = explained.iter().collect();
        self.explain_pending(&explained).map_err(|e| e.diagnostics)
    }

    /// EXPLAIN of everything loaded: the dataflow, statement by statement, and what each sink promises. `verbose`: before it
    /// DataFusion's plans, as bound and as optimised.
    ///
    /// # Errors
    /// All mistakes of the queries.
    pub fn explain_all(&self, verbose: bool) -> Result<String> {
        let pending: Vec<&Pending> = self.pending.iter().collect();
        let explained = self.explain_pending(&pending)?;
        let mut text = String::new();
        for p in pending.iter().filter(|_| verbose) {
            let plans = [("Logical", &p.bound.plan), ("Optimized", &p.plan)];
            for (stage, plan) in plans {
                let plan = plan.display_indent_schema();
                text += &format!("== {stage} plan of {} ==\n\n{plan}\n\n", p.name);
            }
        }
        Ok(text + &explained)
    }

    fn explain_pending(&self, pending: &[&Pending]) -> Result<String> {
        let graph = self.plan(pending)?;
        let mut promises = Vec::new();
        for node in &graph.nodes {
            if let graph::Operation::Sink(sink) = &node.operation {
                let guarantee = match self.sink_for(&sink.table, true) {
                    Ok(s) => s.guarantee(),
                    Err(_) => "shown, not kept",
                };
                if !promises.contains(&(&sink.name, guarantee)) {
                    promises.push((&sink.name, guarantee));
                }
            }
        }
        let width = promises.iter().map(|(name, _)| name.len()).max();
        let width = width.unwrap_or_default();
        let lines = promises
            .iter()
            .map(|(name, promise)| format!("{name:<width$}  {promise}\n"));
        Ok(format!(
            "{graph}== Sinks ==\n\n{}",
            lines.collect::<String>()
        ))
    }

    // ---- Plans ----

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

    fn plan(&self, pending: &[&Pending]) -> Result<Graph> {
        crate::sql::deep(|| self.lowered(pending))
    }

    fn lowered(&self, pending: &[&Pending]) -> Result<Graph> {
        let mut mistakes: Vec<Diagnostic> = Vec::new();
        let mut inserts: Vec<InsertPlan> = pending.iter().map(|p| insert_plan(p)).collect();
        if self.settings.is_batch() {
            for insert in &mut inserts {
                (insert.options.state_ttl, insert.options.mini_batch) = (None, None);
            }
        }
        match self.bad_rows_inserts(&inserts) {
            Ok(more) => inserts.extend(more),
            Err(found) => mistakes.extend(found),
        }
        if let Some(replay) = &self.config.replay {
            for name in replay.into.keys() {
                if !inserts.iter().any(|i| i.sink.name == *name) {
                    return Err(Error::usage(format!(
                        "--into {name}: nothing is written to a table '{name}'"
                    )));
                }
            }
            for insert in inserts.iter_mut().filter(|i| !i.is_select) {
                let other = replay.into.get(&insert.sink.name);
                let declared = other.and_then(|name| self.catalog.table(name));
                insert.sink = replay.target(&insert.sink, declared)?;
            }
        }
        let in_process = self.in_process(&inserts);
        let inserts = writers_first(inserts, &in_process)?;
        let context = self.context();
        let parallelism = self
            .config
            .parallelism
            .or_else(|| self.settings.parallelism())
            .unwrap_or(1);
        let mut lowering = Lowering::new(&context, &inserts, parallelism, in_process);
        for insert in &inserts {
            let is_batch = self.settings.is_batch() && insert.on_conflict.is_none();
            let check = if insert.is_select {
                Ok(SinkCheck {
                    mode: SinkMode::Retract,
                    single: true,
                })
            } else {
                let captured = self.config.capture.is_some();
                match self.sink_for(&insert.sink, false) {
                    Ok(sink) => Ok(SinkCheck {
                        // The final rows can be written to anything.
                        mode: if is_batch {
                            SinkMode::Retract
                        } else {
                            sink.mode()
                        },
                        single: sink.is_single() || captured,
                    }),
                    Err(errors) => Err(option_mistakes(&insert.sink, &errors)),
                }
            };
            match check {
                Ok(check) => mistakes.extend(lowering.insert(insert, check).err()),
                Err(found) => mistakes.extend(found),
            }
        }
        if mistakes.is_empty() {
            let mut graph = lowering.finish();
            if let Some(replay) = &self.config.replay {
                replay.bound_sources(&mut graph);
            }
            if self.settings.is_batch() {
                self.read_whole(&mut graph)?;
            }
            Ok(graph)
        } else {
            Err(Error::sql(mistakes))
        }
    }

    /// The declared sink of a table; for a table without a connector one that keeps nothing.
    fn sink_for(
        &self,
        table: &Table,
        explained: bool,
    ) -> std::result::Result<Arc<dyn Sink>, Vec<OptionError>> {
        if table.connector().is_none() && !explained {
            let mode = if table.primary_key.is_some() {
                SinkMode::Upsert
            } else {
                SinkMode::Append
            };
            return Ok(connectors::discard(mode));
        }
        connectors::sink(table)
    }

    /// Tables passed on in process: those without a connector, and while results are captured all that are also written.
    fn in_process(&self, inserts: &[InsertPlan]) -> BTreeSet<String> {
        inserts
            .iter()
            .filter(|i| !i.is_select && !self.config.sources.contains_key(&i.sink.name))
            .filter(|i| {
                let is_whole = self.config.capture.is_some() || self.config.replay.is_some();
                is_whole || i.sink.connector().is_none()
            })
            .map(|i| i.sink.name.clone())
            .collect()
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

/// What of the settings a statement is planned by.
fn plan_options(settings: &Settings) -> PlanOptions {
    PlanOptions {
        idle_timeout: settings.idle_timeout(),
        quiet_advance: settings.quiet_advance(),
        state_ttl: settings.state_ttl(),
        mini_batch: settings.mini_batch().map(|(size, latency)| MiniBatch {
            size,
            latency: i64::try_from(latency.as_millis()).unwrap_or(i64::MAX),
        }),
        require_on_conflict: settings.require_on_conflict(),
        cdc_duplicates: settings.cdc_duplicates(),
        drops_nulls: settings.drops_nulls(),
    }
}

fn insert_plan(pending: &Pending) -> InsertPlan {
    let sink = match &pending.into {
        Some(table) => Arc::clone(table),
        None => {
            let fields = pending.plan.schema().fields().iter();
            let columns = fields
                .zip(&pending.bound.columns)
                .map(|(f, (_, ty))| Column {
                    field: f.as_ref().clone().with_nullable(true),
                    kind: ColumnKind::Physical,
                    comment: None,
                    sql_type: ty.clone(),
                });
            let table = Table {
                name: pending.name.clone(),
                columns: columns.collect(),
                watermark: None,
                primary_key: None,
                partitioned_by: Vec::new(),
                comment: None,
                with: BTreeMap::new(),
                option_spans: BTreeMap::new(),
                file: Arc::clone(&pending.file),
                span: pending.span,
            };
            Arc::new(table)
        }
    };
    InsertPlan {
        plan: pending.plan.clone(),
        names: pending
            .bound
            .columns
            .iter()
            .map(|(n, _)| n.clone())
            .collect(),
        sink,
        name: pending.name.clone(),
        is_select: pending.into.is_none(),
        on_conflict: pending.on_conflict,
        options: plan_options(&pending.settings),
        file: Arc::clone(&pending.file),
        span: pending.span,
    }
}

/// Statements in an order in which every table passed on in process is written before it is read.
fn writers_first(
    inserts: Vec<InsertPlan>,
    in_process: &BTreeSet<String>,
) -> Result<Vec<InsertPlan>> {
    // What nodes put beside their rows is read last, when all of them are there.
    let (last, mut waiting): (Vec<_>, Vec<_>) = inserts.into_iter().partition(|i| {
        let read = tables_read(&i.plan);
        read.iter().any(|t| planner::builtin::aside(t).is_some())
    });
    let mut ordered = Vec::new();
    while !waiting.is_empty() {
        let unwritten: BTreeSet<&String> = waiting
            .iter()
            .filter(|i| !i.is_select)
            .map(|i| &i.sink.name)
            .collect();
        let ready = waiting.iter().position(|i| {
            !tables_read(&i.plan)
                .iter()
                .any(|t| in_process.contains(&t.name) && unwritten.contains(&t.name))
        });
        let Some(ready) = ready else {
            let circle = waiting
                .iter()
                .map(|i| Diagnostic::new(&i.file, i.span, format!("INSERT INTO {} reads what it leads to: statements read each other in a circle", i.name)));
            return Err(Error::sql(circle.collect()));
        };
        ordered.push(waiting.remove(ready));
    }
    ordered.extend(last);
    Ok(ordered)
}
