//! Why a job or a table gives no rows, or gives them late: what its counters say, in plain words.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use chrono::DateTime;

use super::job::{Job, State};
use super::jobs::{Jobs, Outcome, Refused};
use super::pipeline::Planned;
use super::seen::{Operator, Partition, Source};
use crate::catalog::closest;
use crate::clock::{Clock as _, SystemClock};
use crate::error::Error;
use crate::graph::{Exchange, Graph, JoinTime, NodeId, Operation, OverTime, RankTime};
use crate::runtime::Spent;
use crate::session::{count, span};
use crate::time::{WindowKind, WindowSpec};

/// How long tasks are watched, to see which of them others wait for.
const WATCHED: Duration = Duration::from_millis(500);

/// A task that waits or works for more than this part of its time is told of.
const MUCH: f64 = 0.5;

/// What is said of a job, or of how it comes to a table.
pub struct Explanation {
    /// The job.
    pub job: String,
    /// Where it stands.
    pub state: State,
    /// What matters most.
    pub summary: String,
    /// All that is known.
    pub facts: Vec<Fact>,
}

/// Something that is known.
pub struct Fact {
    /// What of.
    pub about: String,
    /// What.
    pub text: String,
}

/// Explains a job, or a table: how the jobs that write it come to its rows, or what they read from it where none does.
///
/// # Errors
/// There is no such job or table.
pub async fn why(jobs: &Jobs, what: &str) -> Outcome<Vec<Explanation>> {
    let asked = asked(jobs, what)?;
    let before: Vec<_> = asked.iter().map(|(job, _)| spent(job)).collect();
    if asked.iter().any(|(job, _)| runs(job)) {
        tokio::time::sleep(WATCHED).await;
    }
    let now = SystemClock.now();
    let explained = asked.into_iter().zip(before).map(|((job, nodes), before)| {
        let after = spent(&job);
        let status = job.status();
        let mut facts = Vec::new();
        let mut summary = match (status.state, &status.error) {
            (State::Failed, Some(error)) => Some(format!("it has failed: {}", causes(error))),
            (State::Failed, None) => Some("it has failed".to_string()),
            (State::Stopped, _) => Some(format!(
                "it is stopped: 'flowline restart {}' lets it go on from its last checkpoint",
                job.name
            )),
            (State::Starting, _) => Some(format!(
                "it is being started; 'flowline logs {}' says what it waits for",
                job.name
            )),
            (State::Finished, _) => Some("it has read all its input".to_string()),
            (State::Running, _) => None,
        };
        if status.restarts > 0 {
            let text = format!(
                "started again {} after failures; 'flowline logs {}' says which",
                times(status.restarts.into()),
                job.name
            );
            facts.push(fact("restarts", text));
        }
        if let Some(planned) = job.planned() {
            let view = View::new(&planned, &nodes, now);
            let found = view.explain(&mut facts, status.state == State::Running, &before, &after);
            summary = match (summary, found) {
                (Some(summary), Some(found)) if status.state == State::Finished => {
                    Some(format!("{summary}; {found}"))
                }
                (summary, found) => summary.or(found),
            };
        }
        let nothing = "nothing is in the way of its rows";
        Explanation {
            job: job.name.clone(),
            state: status.state,
            summary: summary.unwrap_or_else(|| nothing.to_string()),
            facts,
        }
    });
    Ok(explained.collect())
}

/// The jobs that are asked for, each with the nodes that matter.
fn asked(jobs: &Jobs, what: &str) -> Outcome<Vec<(Arc<Job>, BTreeSet<NodeId>)>> {
    if let Ok(job) = jobs.get(what) {
        let nodes = job.planned().map_or(0, |planned| planned.graph.nodes.len());
        return Ok(vec![(job, (0..nodes).collect())]);
    }
    // It may be qualified: by the job, and that by the catalog.
    let (before, table) = what.rsplit_once('.').unwrap_or(("", what));
    let of = before
        .rsplit('.')
        .next()
        .filter(|job| jobs.get(job).is_ok());
    let mut known = BTreeSet::new();
    let (mut writers, mut readers) = (Vec::new(), Vec::new());
    for job in jobs.all() {
        let Some(planned) = job.planned() else {
            continue;
        };
        let (mut written, mut read) = (BTreeSet::new(), BTreeSet::new());
        for (id, node) in planned.graph.nodes.iter().enumerate() {
            let (name, of_table) = match &node.operation {
                Operation::Sink(sink) => (&sink.table.name, &mut written),
                Operation::Keep(keep) => (&keep.table.name, &mut written),
                Operation::Source(source) => (&source.table.name, &mut read),
                _ => continue,
            };
            if name == table || name == what {
                of_table.insert(id);
            }
            known.insert(name.clone());
        }
        if of.is_some_and(|of| of != job.name) {
            continue;
        }
        if !written.is_empty() {
            writers.push((job, before_them(&planned.graph, written)));
        } else if !read.is_empty() {
            readers.push((job, read));
        }
    }
    let found = if writers.is_empty() { readers } else { writers };
    if !found.is_empty() {
        return Ok(found);
    }
    let all = jobs.all();
    let names = all.iter().map(|job| job.name.as_str());
    let error = Error::usage(format!(
        "there is no job '{what}', and no job reads or writes a table of that name"
    ));
    let near = closest(what, names.chain(known.iter().map(String::as_str)));
    Err(Refused::Failed(match near {
        Some(near) => error.with_help(format!("did you mean '{near}'?")),
        None => error.with_help("'flowline list' shows the jobs"),
    }))
}

/// Nodes and all that their rows come from.
fn before_them(graph: &Graph, nodes: BTreeSet<NodeId>) -> BTreeSet<NodeId> {
    let mut all = nodes.clone();
    let mut left: Vec<NodeId> = nodes.into_iter().collect();
    while let Some(id) = left.pop() {
        let inputs = &graph.nodes[id].inputs;
        let of_rows = inputs
            .iter()
            .filter(|input| !matches!(input.exchange, Exchange::Aside(_)));
        left.extend(
            of_rows
                .map(|input| input.from)
                .filter(|from| all.insert(*from)),
        );
    }
    all
}

fn runs(job: &Job) -> bool {
    job.status().state == State::Running
}

/// What the task of each node has done with its time.
fn spent(job: &Job) -> BTreeMap<NodeId, Spent> {
    let Some(planned) = job.planned() else {
        return BTreeMap::new();
    };
    let nodes = 0..planned.graph.nodes.len();
    nodes.map(|id| (id, planned.spent(id))).collect()
}

/// An error and what caused it, outermost first.
fn causes(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    match &error.help {
        Some(help) => format!("{text}. {help}"),
        None => text,
    }
}

/// What matters of a job.
struct View<'a> {
    planned: &'a Planned,
    operators: Vec<Operator>,
    sources: Vec<Source>,
    now: i64,
}

impl<'a> View<'a> {
    fn new(planned: &'a Planned, nodes: &BTreeSet<NodeId>, now: i64) -> Self {
        let operators = planned.operators().into_iter();
        let sources = planned.sources().into_iter();
        Self {
            planned,
            operators: operators.filter(|o| nodes.contains(&o.id)).collect(),
            sources: sources.filter(|s| nodes.contains(&s.id)).collect(),
            now,
        }
    }

    /// Adds what is known; returns what matters most, if anything is in the way.
    fn explain(
        &self,
        facts: &mut Vec<Fact>,
        runs: bool,
        before: &BTreeMap<NodeId, Spent>,
        after: &BTreeMap<NodeId, Spent>,
    ) -> Option<String> {
        let mut reasons = Vec::new();
        let empty: Vec<&str> = self
            .sources
            .iter()
            .filter(|source| source.metrics.rows.load(Relaxed) == 0)
            .map(|source| source.table.as_str())
            .collect();
        if !empty.is_empty() && runs {
            let bad: u64 = self
                .sources
                .iter()
                .map(|source| source.metrics.bad_rows.load(Relaxed))
                .sum();
            let bad = match bad {
                0 => String::new(),
                bad => format!(", and {bad} records or fields could not be decoded"),
            };
            reasons.push(format!(
                "no row of {} has been read yet{bad}",
                empty.join(", ")
            ));
        }
        for source in &self.sources {
            self.read(source, facts);
        }
        reasons.extend(self.filtered(facts));
        reasons.extend(self.late(facts));
        let mut held = Vec::new();
        if runs {
            for source in self.sources.iter().filter(|source| source.has_time) {
                held.extend(self.time(source, facts));
            }
            let waits = self.windows(facts);
            reasons.extend(held.into_iter().filter(|_| waits.is_some()));
            reasons.extend(self.backpressure(before, after, facts));
            let written = self.written(facts);
            reasons.extend(waits.filter(|_| written == 0));
        }
        reasons.into_iter().next()
    }

    /// What a source has read.
    fn read(&self, source: &Source, facts: &mut Vec<Fact>) {
        let metrics = &source.metrics;
        let rows = metrics.rows.load(Relaxed);
        let mut text = match rows {
            0 => "no row read yet".to_string(),
            rows => format!(
                "{} read, the last one {} ago",
                count(rows, "row"),
                self.ago(metrics.last_row.load(Relaxed))
            ),
        };
        if !source.offsets.is_empty() {
            let lags: Vec<i64> = source.offsets.iter().filter_map(|o| o.lag()).collect();
            let left: i64 = lags.iter().sum();
            let partitions = count(source.offsets.len() as u64, "partition");
            text += &match (lags.len() == source.offsets.len(), left) {
                (true, 0) => format!("; {partitions}, read to their ends"),
                (true, left) => format!(
                    "; {partitions}, {} left to read",
                    count(left.unsigned_abs(), "record")
                ),
                (false, _) => format!("; {partitions}, whose ends are not known yet"),
            };
        }
        facts.push(fact(format!("source {}", source.table), text));
        let bad = metrics.bad_rows.load(Relaxed);
        if bad > 0 {
            let first = metrics.first_bad_rows.lock();
            let first = first.ok().and_then(|rows| rows.first().cloned());
            let first = first.map(|first| format!("; the first: {first}"));
            let text = format!(
                "{bad} records or fields could not be decoded{}",
                first.unwrap_or_default()
            );
            facts.push(fact(format!("bad rows of {}", source.table), text));
        }
        let ahead = metrics.ahead_rows.load(Relaxed);
        if ahead > 0 {
            let text = format!(
                "{} dated too far ahead of the clock to move the watermark",
                count(ahead, "row")
            );
            facts.push(fact(format!("rows ahead of {}", source.table), text));
        }
    }

    /// How far the event time of a source has come. Returns who holds it back.
    fn time(&self, source: &Source, facts: &mut Vec<Fact>) -> Option<String> {
        let about = format!("watermark of {}", source.table);
        let stands = match source.watermark {
            Some(time) => format!("{}, {} behind the clock", at(time), self.ago(time)),
            None => "there is none yet".to_string(),
        };
        facts.push(fact(about.clone(), stands));
        let idle = source.partitions.iter().filter(|p| p.time.is_idle).count();
        if idle > 0 {
            let text = format!(
                "{} of {} quiet for so long that it does not wait for them",
                idle,
                count(source.partitions.len() as u64, "partition")
            );
            facts.push(fact(about.clone(), text));
        }
        let held: Vec<&Partition> = source
            .partitions
            .iter()
            .filter(|partition| partition.held_since.is_some())
            .collect();
        let first = held.first()?;
        let since = first.held_since.unwrap_or(self.now);
        let others = match held.len() - 1 {
            0 => String::new(),
            others => format!(" and {others} more"),
        };
        let verb = if held.len() == 1 { "holds" } else { "hold" };
        let stands = match (first.time.watermark, first.time.last_event) {
            (Some(time), _) => format!("it stands at {}", at(time)),
            (None, Some(_)) => "its rows give no watermark".to_string(),
            (None, None) => "it has had no row yet".to_string(),
        };
        let furthest = source
            .partitions
            .iter()
            .filter_map(|p| p.time.watermark)
            .max();
        let furthest = furthest.map(|time| format!(", the furthest one at {}", at(time)));
        let reason = format!(
            "partition '{}'{others} {verb} back the watermark of {} since {} ({}): {stands}{}",
            first.name,
            source.table,
            at(since),
            self.ago(since),
            furthest.unwrap_or_default()
        );
        facts.push(fact(about.clone(), reason.clone()));
        let help = "a row in it moves it on; SET 'table.exec.source.idle-timeout' lets time go on without partitions that are quiet";
        facts.push(fact(about, help));
        Some(reason)
    }

    /// Filters and what they let through. Returns one that lets nothing through.
    fn filtered(&self, facts: &mut Vec<Fact>) -> Option<String> {
        let mut closed = None;
        for operator in &self.operators {
            let Some((taken, out)) = operator.rows_in.zip(operator.rows_out) else {
                continue;
            };
            let condition = match self.planned.graph.nodes[operator.id].operation {
                Operation::Calc(_) => self.planned.graph.said_of(operator.id, "where"),
                _ => None,
            };
            if let Some(condition) = condition.filter(|_| out < taken) {
                let text = format!(
                    "{} of {} left out by the condition {condition}",
                    taken - out,
                    count(taken, "row")
                );
                facts.push(fact(self.place(operator.id), text));
                if out == 0 {
                    closed.get_or_insert(format!(
                        "the condition {condition} has left out all {}",
                        count(taken, "row")
                    ));
                }
            } else if taken > 0 && out == 0 {
                let text = format!("{} taken, none emitted yet", count(taken, "row"));
                facts.push(fact(self.place(operator.id), text));
            }
        }
        closed
    }

    /// Late rows. Returns where most of the rows were.
    fn late(&self, facts: &mut Vec<Fact>) -> Option<String> {
        let mut most = None;
        for operator in self.operators.iter().filter(|o| o.late_rows > 0) {
            let (late, taken) = (operator.late_rows, operator.rows_in.unwrap_or(0));
            let text = format!(
                "{late} of {} left out because they were late: at or behind the watermark when they came \
                 (an INSERT that reads flowline.late_rows keeps them)",
                count(taken, "row")
            );
            if late * 2 >= taken {
                most.get_or_insert(format!("{}: {text}", self.place(operator.id)));
            }
            facts.push(fact(self.place(operator.id), text));
        }
        most
    }

    /// Which windows close next. Returns what the first of them waits for.
    fn windows(&self, facts: &mut Vec<Fact>) -> Option<String> {
        let mut waits = None;
        for operator in &self.operators {
            let Some(until) = self.until(operator) else {
                continue;
            };
            let arrives = self.arrives(operator.id);
            let text = match operator.watermark {
                None => format!("it waits for a first watermark{arrives}"),
                Some(time) => format!("the watermark is at {}: {until}{arrives}", at(time)),
            };
            waits.get_or_insert(format!("{}: {text}", self.place(operator.id)));
            facts.push(fact(self.place(operator.id), text));
        }
        waits
    }

    /// Until when an operator keeps rows, where it waits for the watermark.
    fn until(&self, operator: &Operator) -> Option<String> {
        let graph = &self.planned.graph;
        let windows = match &graph.nodes[operator.id].operation {
            Operation::WindowAggregate(aggregate) => match &aggregate.slices {
                Some(slices) => Some(slices.windows.clone()),
                None => windows_before(graph, operator.id),
            },
            Operation::Join(join) if matches!(join.time, JoinTime::Window(..)) => {
                windows_before(graph, operator.id)
            }
            Operation::Rank(rank) if matches!(rank.time, RankTime::Window(_)) => {
                windows_before(graph, operator.id)
            }
            Operation::SessionAssign { gap, .. } => {
                let text = format!("a session ends once it is {} past its last row", span(*gap));
                return Some(text);
            }
            Operation::EventTimeSort { .. } => None,
            Operation::Over(over) if matches!(over.time, OverTime::Event(_)) => None,
            Operation::Rank(rank) if matches!(rank.time, RankTime::FirstByTime(_)) => None,
            _ => return None,
        };
        let Some(windows) = windows else {
            return Some("a row goes on once it has passed the row's time".to_string());
        };
        if matches!(windows.kind, WindowKind::Session { .. }) {
            return None;
        }
        let watermark = operator.watermark.unwrap_or(0);
        let mut next = None;
        windows.windows_of(watermark.saturating_add(1), |start, end| {
            next.get_or_insert((start, end));
        });
        let (start, end) = next?;
        Some(format!(
            "the window from {} to {} is the next to close, once it comes to {} ({} to go)",
            at(start),
            at(end),
            at(end - 1),
            span(end - 1 - watermark)
        ))
    }

    /// Which rows move the watermark of an operator on.
    fn arrives(&self, id: NodeId) -> String {
        let graph = &self.planned.graph;
        let before = before_them(graph, BTreeSet::from([id]));
        let timed = self
            .sources
            .iter()
            .filter(|source| before.contains(&source.id) && source.has_time);
        let rules: Vec<String> = timed
            .map(|source| {
                let rule = graph.said_of(source.id, "watermark").unwrap_or_default();
                let rule = rule.split_once(" AS ").map_or(&*rule, |(_, rule)| rule);
                let rule = rule.split(", idle after").next().unwrap_or(rule);
                format!("{} ({rule})", source.table)
            })
            .collect();
        if rules.is_empty() {
            return String::new();
        }
        format!(
            "; it comes there with rows of that time in every partition of {} that is not idle",
            rules.join(" and ")
        )
    }

    /// Rows that were written and when they can be seen. Returns how many there are.
    fn written(&self, facts: &mut Vec<Fact>) -> u64 {
        let mut all = 0;
        for sink in self.planned.sinks() {
            if self.operators.iter().any(|operator| operator.id == sink.id) {
                all += sink.rows;
                let text = format!("{} written", count(sink.rows, "row"));
                facts.push(fact(format!("sink {}", sink.table), text));
            }
        }
        let checkpoints = &self.planned.metrics.checkpoints;
        let text = match checkpoints.finished.load(Relaxed) {
            0 => "none yet; what is written can be seen once there is one".to_string(),
            finished => format!(
                "the last one, {}, was completed {} ago and took {}",
                checkpoints.epoch.load(Relaxed),
                self.ago(finished),
                span(i64::try_from(checkpoints.millis.load(Relaxed)).unwrap_or(i64::MAX))
            ),
        };
        facts.push(fact("checkpoints", text));
        all
    }

    /// Which task others wait for.
    fn backpressure(
        &self,
        before: &BTreeMap<NodeId, Spent>,
        after: &BTreeMap<NodeId, Spent>,
        facts: &mut Vec<Fact>,
    ) -> Option<String> {
        let share = |id: NodeId, of: fn(&Spent) -> Duration| {
            let graph = &self.planned.graph;
            let (from, to) = (before.get(&id), after.get(&id));
            let spent = to.map(of).unwrap_or_default();
            let spent = spent.saturating_sub(from.map(of).unwrap_or_default());
            let whole = WATCHED.as_secs_f64() * graph.nodes[id].parallelism.max(1) as f64;
            (spent.as_secs_f64() / whole).min(1.0)
        };
        let waiting = |id: NodeId| share(id, |spent| spent.backpressured);
        let busy = |id: NodeId| share(id, |spent| spent.busy);
        let ids = || self.operators.iter().map(|operator| operator.id);
        let first = ids().find(|id| waiting(*id) > MUCH)?;
        // What is after them and does not wait itself.
        let after = after_it(&self.planned.graph, first);
        let culprit = after
            .into_iter()
            .filter(|id| waiting(*id) <= MUCH)
            .max_by(|a, b| busy(*a).total_cmp(&busy(*b)));
        let percent = |share: f64| format!("{:.0} %", share * 100.0);
        let waits = format!(
            "{} waits for those after it {} of the time",
            self.place(first),
            percent(waiting(first))
        );
        let text = match culprit {
            Some(id) if busy(id) > MUCH / 2.0 => format!(
                "{waits}: {} is busy {} of the time and takes no more",
                self.place(id),
                percent(busy(id))
            ),
            _ => format!(
                "{waits}, and none of them is busy: they wait for a checkpoint, or for the machine"
            ),
        };
        facts.push(fact("backpressure", text.clone()));
        Some(text)
    }

    /// What a node is called.
    fn place(&self, id: NodeId) -> String {
        let graph = &self.planned.graph;
        match &graph.nodes[id].operation {
            Operation::Source(source) => format!("source {}", source.table.name),
            Operation::Sink(sink) => format!("sink {}", sink.name),
            Operation::Keep(keep) => format!("table {}", keep.table.name),
            _ => {
                let statement = graph.scopes.get(id).map_or("", String::as_str);
                format!("{} {id} of {statement}", graph.nodes[id].kind())
            }
        }
    }

    fn ago(&self, time: i64) -> String {
        span(self.now.saturating_sub(time))
    }
}

/// The windows that rows of a node were put into.
fn windows_before(graph: &Graph, id: NodeId) -> Option<WindowSpec> {
    let before = before_them(graph, BTreeSet::from([id]));
    let last = before.into_iter().rev();
    let mut assigned = last.filter_map(|id| match &graph.nodes[id].operation {
        Operation::WindowAssign { windows, .. } => Some(windows.clone()),
        Operation::SessionAssign { gap, .. } => Some(WindowSpec {
            kind: WindowKind::Session { gap: *gap },
            offset: 0,
        }),
        _ => None,
    });
    assigned.next()
}

/// All nodes that the rows of a node go to.
fn after_it(graph: &Graph, id: NodeId) -> BTreeSet<NodeId> {
    let mut all = BTreeSet::new();
    let mut left = vec![id];
    while let Some(id) = left.pop() {
        let next = graph.consumers(id).map(|(next, _)| next);
        left.extend(next.filter(|next| all.insert(*next)));
    }
    all
}

fn fact(about: impl Into<String>, text: impl Into<String>) -> Fact {
    Fact {
        about: about.into(),
        text: text.into(),
    }
}

/// A time as it is written in SQL.
fn at(millis: i64) -> String {
    match DateTime::from_timestamp_millis(millis) {
        Some(time) => time.format("%Y-%m-%d %H:%M:%S%.3f").to_string(),
        None => format!("{millis} ms"),
    }
}

fn times(n: u64) -> String {
    match n {
        1 => "once".to_string(),
        n => format!("{n} times"),
    }
}
