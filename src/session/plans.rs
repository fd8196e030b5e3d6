//! From the statements loaded to one graph, and its text for EXPLAIN.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::ends::option_mistakes;
use super::{Pending, Session};
use crate::catalog::options::OptionError;
use crate::catalog::{Column, ColumnKind, Relation, Table};
use crate::connectors::{self, Sink, SinkMode};
use crate::error::{Error, Result};
use crate::graph::{self, Graph, MiniBatch};
use crate::planner::{self, InsertPlan, Lowering, PlanOptions, SinkCheck, tables_read};
use crate::settings::Settings;
use crate::sql::ast::{Script, Statement};
use crate::sql::{Diagnostic, SourceFile};

impl Session {
    pub(super) fn explain(
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
        self.explain_pending(&explained).map_err(|e| {
            if e.diagnostics.is_empty() {
                vec![Diagnostic::new(file, statement.span, e.message)]
            } else {
                e.diagnostics
            }
        })
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
                    Ok(s) if self.settings.is_batch() => connectors::folded(s).guarantee(),
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
        let warnings = self.warnings(&graph);
        let warnings = warnings.iter().map(|w| format!("\nwarning: {w}\n"));
        Ok(format!(
            "{graph}== Sinks ==\n\n{}{}",
            lines.collect::<String>(),
            warnings.collect::<String>()
        ))
    }

    /// What of a job is allowed and seldom meant: topics that it writes at least once and reads.
    pub fn warnings(&self, graph: &Graph) -> Vec<String> {
        let mut written = Vec::new();
        let mut read = Vec::new();
        for node in &graph.nodes {
            match &node.operation {
                graph::Operation::Sink(sink) if self.config.capture.is_none() => {
                    written.push(&sink.table);
                }
                graph::Operation::Source(source)
                    if !self.config.sources.contains_key(&source.table.name) =>
                {
                    read.push(&source.table);
                }
                _ => {}
            }
        }
        let doubled = |sink: &&Arc<Table>| read.iter().any(|t| connectors::kafka::doubles(sink, t));
        let names: BTreeSet<&String> = written
            .into_iter()
            .filter(doubled)
            .map(|t| &t.name)
            .collect();
        let warning = |name: &String| {
            format!(
                "'{name}' is written at least once and read by this job: after a failure its rows come twice,\n  \
                 and what is computed from them counts them twice. Set 'sink.delivery-guarantee' = 'exactly-once'\n  \
                 and 'sink.transactional-id-prefix', and SET 'execution.checkpointing.interval' = '10 s'"
            )
        };
        names.into_iter().map(warning).collect()
    }

    pub(super) fn plan(&self, pending: &[&Pending]) -> Result<Graph> {
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
        let mut in_process = self.in_process(&inserts);
        // Those of the catalog that nothing writes. Statements that stand before their DROP do not see them.
        let fed = self.fed_tables(&in_process);
        in_process.extend(fed.iter().map(|table| table.name.clone()));
        let inserts = writers_first(inserts, &in_process)?;
        let context = self.context();
        let parallelism = self
            .config
            .parallelism
            .or_else(|| self.settings.parallelism())
            .unwrap_or(1);
        let keeps = self.config.inboxes.is_some() && !self.settings.is_batch();
        let mut lowering =
            Lowering::new(&context, &inserts, parallelism, in_process).keeping(keeps, &fed);
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

    /// The managed tables that clients insert into: those that no statement writes.
    fn fed_tables(&self, written: &BTreeSet<String>) -> Vec<Arc<Table>> {
        let tables = self
            .catalog
            .iter()
            .filter_map(|(name, relation)| match relation {
                Relation::Table(table) if !written.contains(name) => Some(table),
                _ => None,
            });
        tables
            .filter(|table| !self.settings.is_batch() && self.config.takes_inserts(table))
            .cloned()
            .collect()
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

/// What of the settings a statement is planned by.
fn plan_options(settings: &Settings) -> PlanOptions {
    PlanOptions {
        idle_timeout: settings.idle_timeout(),
        quiet_advance: settings.quiet_advance(),
        max_ahead: settings.max_ahead(),
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

/// What a statement comes to: its plan, where its rows go and how.
pub(super) fn insert_plan(pending: &Pending) -> InsertPlan {
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
