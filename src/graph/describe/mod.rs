//! What a node does, in the words of Flink's plans: its name and its parts.

mod ranks;

use ranks::{is_limit, order, over_parts, rank_parts};

use super::calc::{Steps, conjuncts, named, over, plain};
use super::calls::call_text;
use super::lengths::duration;
use super::names::{self, Names, listed};
use super::sql::{Sql, comma_separated, interval_of};
use super::{
    Aggregate, AggregateInput, Conflict, Graph, Join, JoinKind, JoinTime, Node, NodeId, Operation,
    RankTime, Source, WatermarkRule,
};
use crate::catalog::ColumnKind;
use crate::time::{WindowKind, WindowSpec};

/// Something that is said of a node.
#[derive(Debug)]
pub(super) struct Part {
    /// What it is.
    pub label: &'static str,
    /// Its items; a line may break between two.
    pub items: Vec<String>,
    /// What stands between them.
    pub between: &'static str,
}

impl Part {
    pub fn list(label: &'static str, items: Vec<String>) -> Self {
        Self {
            label,
            items,
            between: ", ",
        }
    }

    pub fn one(label: &'static str, text: impl Into<String>) -> Self {
        Self::list(label, vec![text.into()])
    }

    fn all(label: &'static str, items: Vec<String>) -> Self {
        Self {
            label,
            items,
            between: " AND ",
        }
    }

    fn text(&self) -> String {
        self.items.join(self.between)
    }
}

impl Node {
    /// Its name in Flink's plans.
    pub fn kind(&self) -> &'static str {
        match &self.operation {
            Operation::Source(_) => "TableSourceScan",
            Operation::Values(_) => "Values",
            Operation::Calc(_) => "Calc",
            Operation::Expand(_) => "Expand",
            Operation::WindowAssign { .. } | Operation::SessionAssign { .. } => {
                "WindowTableFunction"
            }
            Operation::LocalAggregate(a) if a.window.is_some() => "LocalWindowAggregate",
            Operation::LocalAggregate(_) => "LocalGroupAggregate",
            Operation::WindowAggregate(a) if a.input == AggregateInput::Partials => {
                "GlobalWindowAggregate"
            }
            Operation::WindowAggregate(_) => "WindowAggregate",
            Operation::GroupAggregate(_) => "GroupAggregate",
            Operation::Union => "Union",
            Operation::EventTimeSort { .. } => "TemporalSort",
            Operation::WatermarkAssign(_) => "WatermarkAssigner",
            Operation::ChangelogNormalize { .. } => "ChangelogNormalize",
            Operation::UpsertMaterialize { .. } => "SinkUpsertMaterializer",
            Operation::Keep(_) => "Keep",
            Operation::Join(join) => match join.time {
                JoinTime::Regular => "Join",
                JoinTime::Window(..) => "WindowJoin",
                JoinTime::Interval { .. } => "IntervalJoin",
            },
            Operation::Rank(rank) => match rank.time {
                RankTime::Window(_) => "WindowRank",
                RankTime::FirstByTime(_) | RankTime::FirstByArrival => "Deduplicate",
                RankTime::Updating if rank.last_first => "Deduplicate",
                RankTime::Updating if is_limit(rank) && rank.order.is_empty() => "Limit",
                RankTime::Updating if is_limit(rank) => "SortLimit",
                RankTime::Updating => "Rank",
            },
            Operation::Over(_) => "OverAggregate",
            Operation::Sink(_) => "Sink",
        }
    }
}

impl Graph {
    /// A node in one line, as Flink's plans have it: what it is and what it depends on, and nothing of its neighbours but the
    /// names of their columns.
    pub fn title(&self, id: NodeId) -> String {
        self.title_with(id, &names::raw(self))
    }

    pub(super) fn title_with(&self, id: NodeId, names: &Names) -> String {
        let parts = parts(self, id, names);
        let parts: Vec<String> = parts
            .iter()
            .map(|p| format!("{}=[{}]", p.label, p.text()))
            .collect();
        format!("{}({})", self.nodes[id].kind(), parts.join(", "))
    }

    /// What [`Graph::title`] says of a node under a label such as `where` or `watermark`, in names that a person reads.
    pub fn said_of(&self, id: NodeId, label: &str) -> Option<String> {
        let parts = parts(self, id, &names::readable(self));
        let part = parts.iter().find(|part| part.label == label);
        part.map(Part::text)
    }

    /// Whether a node has state that a checkpoint keeps.
    pub fn keeps_state(&self, id: NodeId) -> bool {
        super::keeps::state(self, id, &names::raw(self)).is_some()
    }

    /// [`Graph::title`] of every node.
    pub fn titles(&self) -> Vec<String> {
        let names = names::raw(self);
        let nodes = 0..self.nodes.len();
        nodes.map(|id| self.title_with(id, &names)).collect()
    }
}

/// What a node does. A table that is read or written is the first part.
pub(super) fn parts(graph: &Graph, id: NodeId, names: &Names) -> Vec<Part> {
    let node = &graph.nodes[id];
    let none = Vec::new();
    let side = |port: usize| node.inputs.get(port).map_or(&none, |i| &names[i.from]);
    let input = side(0);
    let own = &names[id];
    match &node.operation {
        Operation::Source(source) => source_parts(source, node, own),
        Operation::Values(rows) => vec![
            Part::one("rows", rows.num_rows().to_string()),
            Part::list("columns", own.clone()),
        ],
        Operation::Calc(steps) => {
            let steps = Steps::new(steps, input, own);
            let mut parts = Vec::new();
            if !steps.compute.is_empty() {
                parts.push(Part::list("compute", steps.compute));
            }
            if !steps.filters.is_empty() {
                parts.push(Part::all("where", steps.filters));
            }
            if !steps.select.is_empty() {
                parts.push(Part::list("select", steps.select));
            }
            parts
        }
        Operation::Expand(lists) => {
            let sets = lists.iter().map(|exprs| {
                let computed = exprs.iter().skip(input.len());
                let computed: Vec<Sql> = computed.map(|e| over(e, input)).collect();
                format!("({})", comma_separated(&computed))
            });
            let computed: Vec<usize> = (input.len()..own.len()).collect();
            vec![
                Part::one("gives", format!("({})", listed(own, &computed))),
                Part::list("sets", sets.collect()),
            ]
        }
        Operation::WindowAssign {
            windows,
            time,
            by_slices,
        } => {
            let window = Part::one("window", window(windows, plain(input, *time)));
            let gives = by_slices.then(|| Part::one("gives", "slices"));
            std::iter::once(window).chain(gives).collect()
        }
        Operation::SessionAssign { gap, time, keys } => {
            let time = plain(input, *time);
            let mut parts = vec![Part::one(
                "window",
                format!("SESSION({time}, {})", interval_of(*gap)),
            )];
            if !keys.is_empty() {
                parts.push(Part::one("partitionBy", listed(input, keys)));
            }
            parts
        }
        Operation::LocalAggregate(a)
        | Operation::WindowAggregate(a)
        | Operation::GroupAggregate(a) => {
            let local = node.inputs.first().map(|i| &graph.nodes[i.from]);
            let over = match local {
                Some(local) if matches!(local.operation, Operation::LocalAggregate(_)) => {
                    local.inputs.first().map_or(input, |i| &names[i.from])
                }
                _ => input,
            };
            let merges = a.input == AggregateInput::Partials
                && !matches!(node.operation, Operation::LocalAggregate(_));
            aggregate_parts(a, over, own, !merges)
        }
        Operation::Union => Vec::new(),
        Operation::EventTimeSort { column, then, .. } => {
            let mut by = plain(input, *column).to_string();
            if !then.is_empty() {
                by += &format!(", {}", order(then, input));
            }
            vec![Part::one("orderBy", by)]
        }
        Operation::WatermarkAssign(rule) => watermark_parts(rule, input),
        Operation::ChangelogNormalize { key, .. } => vec![Part::one("key", listed(input, key))],
        Operation::UpsertMaterialize { key, conflict, .. } => vec![
            Part::one("key", listed(input, key)),
            Part::one(
                "onConflict",
                match conflict {
                    Conflict::Deduplicate => "DEDUPLICATE",
                    Conflict::Nothing => "NOTHING",
                    Conflict::Error => "ERROR",
                },
            ),
        ],
        Operation::Join(join) => join_parts(join, input, side(1)),
        Operation::Rank(rank) => rank_parts(rank, input, own),
        Operation::Over(over) => over_parts(over, input, own),
        Operation::Keep(keep) => {
            let mut parts = vec![Part::one("table", &keep.table.name)];
            if let Some(key) = &keep.key {
                parts.push(Part::one("key", listed(input, key)));
            }
            parts
        }
        Operation::Sink(sink) => {
            let insertable = sink.table.insertable();
            let columns = insertable.iter().map(|c| {
                let column = &sink.table.columns[*c];
                format!("{} {}", column.field.name(), column.sql_type)
            });
            let mut parts = vec![
                Part::one("table", &sink.name),
                Part::list("columns", columns.collect()),
            ];
            if let Some(key) = &sink.key {
                parts.push(Part::one("primary key", listed(own, key)));
            }
            parts
        }
    }
}

fn source_parts(source: &Source, node: &Node, own: &[String]) -> Vec<Part> {
    let table = &source.table;
    let names: Vec<String> = source
        .read_schema
        .fields()
        .iter()
        .map(|f| f.name().clone())
        .collect();
    let columns = own.iter().enumerate().map(|(i, name)| {
        let column = table.column(name).map(|c| &table.columns[c]);
        let mut text = name.clone();
        if let Some(column) = column {
            text += &format!(" {}", column.sql_type);
        }
        if source.watermark.as_ref().is_some_and(|w| w.column == i) {
            text += " *ROWTIME*";
        }
        match (column.map(|c| &c.kind), &source.compute) {
            (Some(ColumnKind::Metadata { key, .. }), _) => {
                text += &format!(" METADATA FROM '{key}'");
            }
            (Some(ColumnKind::Computed(_)), Some(compute)) => {
                if let Some((expr, _)) = compute.get(i) {
                    text += &format!(" AS {}", over(expr, &names));
                }
            }
            _ => {}
        }
        text
    });
    debug_assert_eq!(own.len(), node.schema.fields().len());
    let mut parts = vec![
        Part::one("table", &table.name),
        Part::list("columns", columns.collect()),
    ];
    if let Some(rule) = &source.watermark {
        parts.extend(watermark_parts(rule, own));
    }
    parts
}

fn watermark_parts(rule: &WatermarkRule, names: &[String]) -> Vec<Part> {
    let mut items = vec![format!("{} AS {}", rule.name, over(&rule.expr, names))];
    if let Some(timeout) = rule.idle_timeout {
        items.push(format!("idle after {}", duration(timeout)));
    }
    if let Some(timeout) = rule.quiet_advance {
        items.push(format!(
            "moves with the clock after {} without a row",
            duration(timeout)
        ));
    }
    if let Some(limit) = rule.max_ahead {
        items.push(format!(
            "not moved by rows over {} ahead of the clock",
            duration(limit)
        ));
    }
    vec![Part::list("watermark", items)]
}

fn window(windows: &WindowSpec, time: &str) -> String {
    let (name, lengths) = match windows.kind {
        WindowKind::Tumble { size } => ("TUMBLE", vec![size]),
        WindowKind::Hop { slide, size } => ("HOP", vec![slide, size]),
        WindowKind::Cumulate { step, size } => ("CUMULATE", vec![step, size]),
        WindowKind::Session { gap } => ("SESSION", vec![gap]),
    };
    let offset = Some(windows.offset).filter(|o| *o != 0);
    let lengths: Vec<String> = lengths.into_iter().chain(offset).map(interval_of).collect();
    format!("{name}({time}, {})", lengths.join(", "))
}

fn aggregate_parts(
    aggregate: &Aggregate,
    input: &[String],
    own: &[String],
    reads_rows: bool,
) -> Vec<Part> {
    let groups = aggregate.group.iter().enumerate().map(|(i, (expr, name))| {
        let name = own.get(i).unwrap_or(name);
        // What merges partial results finds the columns computed.
        if reads_rows {
            named(&over(expr, input), name)
        } else {
            name.clone()
        }
    });
    let first = aggregate.group.len();
    // The columns of partial results are the functions' own.
    let calls = aggregate.calls.iter().enumerate().map(|(i, call)| {
        let sql = call_text(call, input);
        match own.get(first + i) {
            Some(name) if own.len() == first + aggregate.calls.len() => named(&sql, name),
            _ => sql.text().to_string(),
        }
    });
    let mut parts = Vec::new();
    if !aggregate.group.is_empty() {
        parts.push(Part::list("groupBy", groups.collect()));
    }
    if !aggregate.calls.is_empty() {
        parts.push(Part::list("select", calls.collect()));
    }
    parts
}

fn join_parts(join: &Join, left: &[String], right: &[String]) -> Vec<Part> {
    let kind = match join.kind {
        JoinKind::Inner => "InnerJoin",
        JoinKind::Left => "LeftOuterJoin",
        JoinKind::Right => "RightOuterJoin",
        JoinKind::Full => "FullOuterJoin",
        JoinKind::LeftSemi => "LeftSemiJoin",
        JoinKind::LeftAnti => "LeftAntiJoin",
        JoinKind::LeftMark => "LeftMarkJoin",
    };
    let both: Vec<String> = left.iter().chain(right).cloned().collect();
    let mut parts = vec![Part::one("joinType", kind)];
    let equal = if join.nulls_equal {
        "IS NOT DISTINCT FROM"
    } else {
        "="
    };
    let mut on: Vec<String> = join
        .keys
        .iter()
        .map(|(l, r)| format!("{} {equal} {}", plain(left, *l), plain(right, *r)))
        .collect();
    if let JoinTime::Interval {
        left: l,
        right: r,
        lower,
        upper,
    } = join.time
    {
        let bound = |millis: i64| {
            let time = plain(right, r);
            match millis {
                0 => time.to_string(),
                m if m < 0 => format!("{time} - {}", interval_of(m.saturating_neg())),
                m => format!("{time} + {}", interval_of(m)),
            }
        };
        let (from, to) = (bound(lower), bound(upper));
        on.push(format!("{} BETWEEN {from} AND {to}", plain(left, l)));
    }
    if !on.is_empty() {
        parts.push(Part::all("on", on));
    }
    if let Some(filter) = &join.filter {
        let filters = datafusion::physical_expr::split_conjunction(filter);
        let filters: Vec<Sql> = filters.into_iter().map(|e| over(e, &both)).collect();
        parts.push(Part::all("where", conjuncts(&filters)));
    }
    if join.null_aware {
        parts.push(Part::one("nulls", "as NOT IN has them"));
    }
    parts
}
