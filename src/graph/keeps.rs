//! What state a node keeps, in words: what, for each of what, and until when.

use super::calc::plain;
use super::calls::call_text;
use super::lengths::span;
use super::names::{Names, listed};
use super::{
    Aggregate, AggregateInput, Frame, Graph, JoinTime, NodeId, Operation, Over, OverTime, Rank,
    RankTime, StateTtl,
};

/// The state of a node, if it keeps any.
pub(super) fn state(graph: &Graph, id: NodeId, names: &Names) -> Option<String> {
    let node = &graph.nodes[id];
    let none = Vec::new();
    let input = node.inputs.first().map_or(&none, |i| &names[i.from]);
    let own = &names[id];
    Some(match &node.operation {
        Operation::Source(_) => "how far it has read".into(),
        Operation::SessionAssign { keys, .. } => format!(
            "the rows of open sessions{}, until the watermark passes their end",
            per(input, keys)
        ),
        Operation::WindowAggregate(a) | Operation::GroupAggregate(a) => {
            aggregate(a, own, accumulators(a, input))
        }
        Operation::EventTimeSort { column, .. } => format!(
            "rows, until the watermark passes their {}",
            plain(input, *column)
        ),
        Operation::ChangelogNormalize { key, ttl } => {
            format!("the last row{}, {}", per(input, key), until(*ttl))
        }
        Operation::UpsertMaterialize { key, ttl, .. } => {
            format!("the rows{}, {}", per(input, key), until(*ttl))
        }
        Operation::Keep(keep) => match &keep.key {
            Some(key) => format!("the last row{}", per(input, key)),
            None => format!("the last {} rows", keep.retained),
        },
        Operation::Join(join) => {
            let keys: Vec<usize> = join.keys.iter().map(|(left, _)| *left).collect();
            match join.time {
                JoinTime::Regular => format!(
                    "the rows of both sides{}, {}",
                    per(input, &keys),
                    until(join.ttl)
                ),
                JoinTime::Window(end, _) => format!(
                    "the rows of both sides per window, until the watermark passes {}",
                    plain(input, end)
                ),
                JoinTime::Interval { lower, upper, .. } => format!(
                    "left rows until the watermark is {} their time, right rows until it is {} theirs",
                    past(lower.saturating_neg()),
                    past(upper)
                ),
            }
        }
        Operation::Rank(r) => rank(r, input),
        Operation::Over(o) => over(o, input),
        _ => return None,
    })
}

/// How far the watermark must be.
fn past(millis: i64) -> String {
    match millis {
        0 => "past".into(),
        m if m < 0 => format!("{} before", span(m.saturating_neg())),
        m => format!("{} past", span(m)),
    }
}

fn per(names: &[String], columns: &[usize]) -> String {
    match columns {
        [] => String::new(),
        columns => format!(" per ({})", listed(names, columns)),
    }
}

/// When state is given up.
fn until(ttl: Option<StateTtl>) -> String {
    match ttl {
        None => "for ever".into(),
        Some(ttl) => format!(
            "until not written for {}{}",
            span(ttl.after),
            if ttl.by_event_time {
                " of event time"
            } else {
                ""
            }
        ),
    }
}

fn aggregate(aggregate: &Aggregate, own: &[String], what: String) -> String {
    match aggregate.window {
        None => format!(
            "{what}{}, {}",
            per(own, &aggregate.key),
            until(aggregate.ttl)
        ),
        Some((_, end)) => {
            let what_of = match aggregate.slices {
                Some(_) => "slice",
                None => "window",
            };
            let per = match aggregate.key.as_slice() {
                [] => format!(" per {what_of}"),
                key => format!("{} and {what_of}", per(own, key)),
            };
            if aggregate.slices.is_some() {
                return format!(
                    "{what}{per}, until the watermark passes the last window that it is part of"
                );
            }
            format!(
                "{what}{per}, until the watermark passes {}",
                plain(own, end)
            )
        }
    }
}

/// What an aggregation keeps: of rows that may be taken back the values too, because not every function can take one back.
fn accumulators(aggregate: &Aggregate, input: &[String]) -> String {
    let takes_back = |name: &str| {
        matches!(name, "count" | "sum" | "avg")
            || name.starts_with("stddev")
            || name.starts_with("var")
    };
    let changes = aggregate.input == AggregateInput::Changes;
    let calls = aggregate.calls.iter();
    let keeps = calls
        .filter(|c| c.distinct || (changes && !takes_back(c.function.fun().name())))
        .map(|c| call_text(c, input).text().to_string());
    let keeps: Vec<String> = keeps.collect();
    match (aggregate.calls.as_slice(), keeps.as_slice()) {
        ([], _) => "whether there are rows".into(),
        (_, []) => "accumulators".into(),
        (_, keeps) => format!("accumulators, and every value of {},", keeps.join(", ")),
    }
}

fn rank(rank: &Rank, input: &[String]) -> String {
    let per = per(input, &rank.partition);
    let limit = match rank.to {
        1 => "the first row".to_string(),
        u64::MAX => "all rows".to_string(),
        n => format!("the first {n} rows"),
    };
    match rank.time {
        RankTime::Window(end) => format!(
            "{limit}{per}, until the watermark passes {}",
            plain(input, end)
        ),
        RankTime::FirstByTime(time) => format!(
            "the first row{per}, until the watermark passes its {}; the key, {}",
            plain(input, time),
            until(rank.ttl)
        ),
        RankTime::FirstByArrival => {
            let key = if rank.partition.is_empty() {
                "whether there was one".to_string()
            } else {
                format!("the keys ({})", listed(input, &rank.partition))
            };
            format!("{key}, {}", until(rank.ttl))
        }
        RankTime::Updating if rank.retracts => format!("all rows{per}, {}", until(rank.ttl)),
        RankTime::Updating if rank.last_first => {
            format!("the last row{per}, {}", until(rank.ttl))
        }
        RankTime::Updating => format!("{limit}{per}, {}", until(rank.ttl)),
    }
}

fn over(over: &Over, input: &[String]) -> String {
    let per = per(input, &over.partition);
    let waits = match &over.time {
        OverTime::Updating(_) => return format!("all rows{per}, {}", until(over.ttl)),
        OverTime::Event(time) => format!(
            "rows until the watermark passes their {}; ",
            plain(input, *time)
        ),
        OverTime::Arrival(_) => String::new(),
    };
    let frame = match over.frame {
        Frame::RowsUnbounded | Frame::RangeUnbounded => "what the calls need".to_string(),
        Frame::Rows(1) => "the last row".to_string(),
        Frame::Rows(n) => format!("the last {n} rows"),
        Frame::Range(millis) => {
            return format!("{waits}the rows of the last {}{per}", span(millis));
        }
    };
    format!("{waits}{frame}{per}, {}", until(over.ttl))
}
