//! What ranks, limits and OVER do.

use super::Part;
use crate::graph::calc::{named, plain};
use crate::graph::calls::{over_call, rank_name};
use crate::graph::names::listed;
use crate::graph::sql::{Sql, interval_of};
use crate::graph::{Frame, Over, OverTime, Rank, RankFunction, RankTime, SortColumn};

/// LIMIT, or what comes to the same.
pub(super) fn is_limit(rank: &Rank) -> bool {
    rank.partition.is_empty()
        && !rank.with_rank
        && rank.function == RankFunction::RowNumber
        && rank.time == RankTime::Updating
}

pub(super) fn rank_parts(rank: &Rank, input: &[String], own: &[String]) -> Vec<Part> {
    let first = matches!(
        rank.time,
        RankTime::FirstByTime(_) | RankTime::FirstByArrival
    );
    let partition = listed(input, &rank.partition);
    let order = order(&rank.order, input);
    if first || rank.last_first {
        let keep = if first { "FirstRow" } else { "LastRow" };
        let by = if order.is_empty() {
            "arrival"
        } else {
            order.as_str()
        };
        return vec![
            Part::one("keep", keep),
            Part::one("key", partition),
            Part::one("orderBy", by),
        ];
    }
    if is_limit(rank) {
        let mut parts = Vec::new();
        if !order.is_empty() {
            parts.push(Part::one("orderBy", order));
        }
        if rank.from > 1 {
            parts.push(Part::one("offset", (rank.from - 1).to_string()));
        }
        if rank.to < u64::MAX {
            let fetch = rank.to.saturating_sub(rank.from - 1);
            parts.push(Part::one("fetch", fetch.to_string()));
        }
        return parts;
    }
    let function = format!("{}()", rank_name(rank.function));
    let mut parts = Vec::new();
    let place = match own.last().filter(|_| rank.with_rank) {
        Some(name) => {
            parts.push(Part::one("select", format!("{function} AS {name}")));
            name
        }
        None => &function,
    };
    let range = match (rank.from, rank.to) {
        (from, to) if from == to => format!("{place} = {to}"),
        (0 | 1, to) => format!("{place} <= {to}"),
        (from, u64::MAX) => format!("{place} >= {from}"),
        (from, to) => format!("{place} BETWEEN {from} AND {to}"),
    };
    parts.push(Part::one("keep", range));
    if !rank.partition.is_empty() {
        parts.push(Part::one("partitionBy", partition));
    }
    if !rank.order.is_empty() {
        parts.push(Part::one("orderBy", order));
    }
    parts
}

/// Flink puts NULLs first where it goes upwards, and last where it goes downwards.
pub(super) fn order(columns: &[SortColumn], names: &[String]) -> String {
    let shown: Vec<String> = columns
        .iter()
        .map(|c| {
            let direction = if c.descending { "DESC" } else { "ASC" };
            let nulls = match (c.nulls_first, c.descending) {
                (true, true) => " NULLS FIRST",
                (false, false) => " NULLS LAST",
                _ => "",
            };
            format!("{} {direction}{nulls}", plain(names, c.column))
        })
        .collect();
    shown.join(", ")
}

pub(super) fn over_parts(over: &Over, input: &[String], own: &[String]) -> Vec<Part> {
    let by = match &over.time {
        OverTime::Event(column) => format!("{} ASC", plain(input, *column)),
        OverTime::Arrival(Some(column)) => format!("{} ASC", plain(input, *column)),
        OverTime::Arrival(None) => "arrival".to_string(),
        OverTime::Updating(columns) => order(columns, input),
    };
    let frame = match over.frame {
        Frame::RowsUnbounded => "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW".to_string(),
        Frame::Rows(n) => format!("ROWS BETWEEN {n} PRECEDING AND CURRENT ROW"),
        Frame::RangeUnbounded => "RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW".to_string(),
        Frame::Range(millis) => format!(
            "RANGE BETWEEN {} PRECEDING AND CURRENT ROW",
            interval_of(millis)
        ),
    };
    let calls = over.calls.iter().enumerate().map(|(i, call)| {
        let text = over_call(call, input);
        named(
            &Sql::atom(text.as_str()),
            own.get(input.len() + i).unwrap_or(&text),
        )
    });
    let mut parts = vec![Part::list("select", calls.collect())];
    if !over.partition.is_empty() {
        parts.push(Part::one("partitionBy", listed(input, &over.partition)));
    }
    parts.push(Part::one("orderBy", by));
    parts.push(Part::one("frame", frame));
    parts
}
