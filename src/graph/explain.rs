//! The graph as text that a person can read: each statement from its sink to its sources.

use std::fmt;

use super::describe::{Part, parts};
use super::lengths::span;
use super::names::{Names, exchange, listed, readable};
use super::{Exchange, Graph, NodeId, Operation};

/// Lines break before they are longer, where an item ends.
const WIDTH: usize = 100;
/// How far the parts of a node are from its left.
const INDENT: usize = 6;
/// How wide their labels are.
const LABEL: usize = 13;
/// How much further in an item goes on that is longer than a line.
const DEEPER: usize = 2;

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = self.nodes.iter().map(|n| n.parallelism).max().unwrap_or(1);
        let mut tree = Tree {
            graph: self,
            names: readable(self),
            most,
            shown: vec![false; self.nodes.len()],
            text: legend(most),
        };
        for (id, node) in self.nodes.iter().enumerate() {
            if let Operation::Sink(sink) = &node.operation {
                let what = if sink.is_select {
                    "SELECT, shown as"
                } else {
                    "INSERT INTO"
                };
                tree.text += &format!("== {what} {} ==\n\n", sink.name);
                tree.node(id, "", "");
                tree.text.push('\n');
            }
        }
        f.write_str(&tree.text)
    }
}

/// How the text is to be read.
fn legend(parallelism: usize) -> String {
    let instances = match parallelism {
        1 => "one instance".to_string(),
        n => format!("{n} instances"),
    };
    format!(
        "A node reads the node below it, or those after :- and +-. It has {instances}, and rows go forward\n\
         from instance to instance, unless it says otherwise.\n\n"
    )
}

struct Tree<'a> {
    graph: &'a Graph,
    names: Names,
    /// The parallelism of nearly all nodes: it is not told of each.
    most: usize,
    shown: Vec<bool>,
    text: String,
}

impl Tree<'_> {
    /// A node and its inputs. `head` stands before its first line, `rest` before those that follow.
    fn node(&mut self, id: NodeId, head: &str, rest: &str) {
        let node = &self.graph.nodes[id];
        let parts = parts(self.graph, id, &self.names);
        let (subject, parts) = match parts.split_first() {
            Some((table, parts)) if table.label == "table" => (self.table(id, table), parts),
            _ => (String::new(), parts.as_slice()),
        };
        let line = format!("{head}[{id}] {}{subject}", node.kind());
        if std::mem::replace(&mut self.shown[id], true) {
            self.text += &format!("{line}: see above\n");
            return;
        }
        let mut line = format!("{line}  {}", self.changelog_mode(id));
        if node.parallelism != self.most {
            line += &format!("  parallelism {}", node.parallelism);
        }
        self.text += &line;
        self.text.push('\n');
        let inputs: Vec<NodeId> = node
            .inputs
            .iter()
            .filter(|i| !matches!(i.exchange, Exchange::Aside(_)))
            .map(|i| i.from)
            .collect();
        // Between the parts of a node the line to the second of its inputs goes on.
        let margin = if inputs.len() > 1 {
            format!("{rest}:{}", " ".repeat(INDENT - 1))
        } else {
            format!("{rest}{}", " ".repeat(INDENT))
        };
        if matches!(node.operation, Operation::LocalAggregate(_)) {
            self.local(id, parts, &margin);
        } else {
            for part in parts {
                self.part(part, &margin);
            }
        }
        self.facts(id, &margin);
        match inputs.as_slice() {
            [] => {}
            [only] => self.node(*only, rest, rest),
            [first @ .., last] => {
                for input in first {
                    self.node(*input, &format!("{rest}:- "), &format!("{rest}:  "));
                }
                self.node(*last, &format!("{rest}+- "), &format!("{rest}   "));
            }
        }
    }

    fn table(&self, id: NodeId, table: &Part) -> String {
        let connector = match &self.graph.nodes[id].operation {
            Operation::Source(source) => source.table.connector(),
            Operation::Sink(sink) if sink.is_select => None,
            Operation::Sink(sink) => sink.table.connector(),
            _ => None,
        };
        let connector = connector.map_or(String::new(), |c| format!(" ({c})"));
        format!(" {}{connector}", table.items.join(""))
    }

    /// What is merged later is told there.
    fn local(&mut self, id: NodeId, parts: &[Part], margin: &str) {
        for part in parts.iter().filter(|p| p.label == "groupBy") {
            self.part(part, margin);
        }
        if let Some((merges, _)) = self.graph.consumers(id).next() {
            self.part(
                &Part::one("select", format!("partial results for [{merges}]")),
                margin,
            );
        }
        if let Operation::LocalAggregate(a) = &self.graph.nodes[id].operation
            && let Some(batch) = a.mini_batch
        {
            let text = format!("{} rows or {}", batch.size, span(batch.latency));
            self.part(&Part::one("mini-batch", text), margin);
        }
    }

    /// What every kind of node has: state, key and where its rows come from.
    fn facts(&mut self, id: NodeId, margin: &str) {
        let node = &self.graph.nodes[id];
        if let Some(state) = super::keeps::state(self.graph, id, &self.names) {
            self.part(&Part::one("state", state), margin);
        }
        let keys = self.upsert_keys(id);
        if !keys.is_empty() && !self.is_told_before(id, &keys) {
            let key = Part {
                label: "upsert key",
                items: keys,
                between: " or ",
            };
            self.part(&key, margin);
        }
        let before = node.inputs.iter().map(|i| &self.graph.nodes[i.from]);
        if node.changes.order_dependent && !before.clone().any(|n| n.changes.order_dependent) {
            self.part(
                &Part::one("depends on", "the order in which rows arrive"),
                margin,
            );
        }
        let mut exchanges = node.inputs.iter().map(|i| &i.exchange);
        if exchanges.all(|e| *e == Exchange::Forward) {
            return;
        }
        let inputs = node.inputs.iter().map(|input| {
            let names = &self.names[input.from];
            format!("[{}] {}", input.from, exchange(&input.exchange, names))
        });
        let inputs: Vec<String> = inputs.collect();
        if !inputs.is_empty() {
            self.part(&Part::list("input", inputs), margin);
        }
    }

    /// What identifies the rows of a node, without what holds another key.
    fn upsert_keys(&self, id: NodeId) -> Vec<String> {
        let keys = &self.graph.nodes[id].changes.upsert_keys;
        let is_least = |k: &&Vec<usize>| {
            let is_within =
                |other: &Vec<usize>| other.len() < k.len() && other.iter().all(|c| k.contains(c));
            !keys.iter().any(is_within)
        };
        let least = keys.iter().filter(is_least);
        least
            .map(|key| format!("({})", listed(&self.names[id], key)))
            .collect()
    }

    /// Whether the key is that of the table written, or that of the rows a Calc takes.
    fn is_told_before(&self, id: NodeId, keys: &[String]) -> bool {
        let node = &self.graph.nodes[id];
        match (&node.operation, node.inputs.first()) {
            (Operation::Sink(sink), _) => {
                let primary = sink.key.as_ref().map(|k| listed(&self.names[id], k));
                primary.is_some_and(|k| keys.contains(&format!("({k})")))
            }
            (Operation::Calc(_), Some(input)) => self.upsert_keys(input.from) == keys,
            _ => false,
        }
    }

    fn changelog_mode(&self, id: NodeId) -> &'static str {
        let node = &self.graph.nodes[id];
        let upserts = match &node.operation {
            Operation::Source(_) => self.graph.consumers(id).any(|(to, _)| {
                matches!(
                    self.graph.nodes[to].operation,
                    Operation::ChangelogNormalize { .. }
                )
            }),
            Operation::Sink(sink) => sink.takes_upserts,
            _ => false,
        };
        match node.changes.updating {
            true if upserts => "[I,UA,D]",
            true => "[I,UB,UA,D]",
            false => "[I]",
        }
    }

    /// A label and items, broken into lines between items, and within those that are longer than a line.
    fn part(&mut self, part: &Part, margin: &str) {
        let mut line = format!("{margin}{:<LABEL$}", part.label);
        let start = line.chars().count();
        let mut width = start;
        for (i, item) in part.items.iter().enumerate() {
            let is_last = i + 1 == part.items.len();
            let between = if is_last { "" } else { part.between };
            let pieces = pieces(&format!("{item}{between}"), WIDTH.saturating_sub(start));
            for (n, piece) in pieces.iter().enumerate() {
                let length = piece.trim_end().chars().count();
                let breaks = match n {
                    0 => pieces.len() > 1,
                    _ => piece.starts_with("WHEN ") || piece.starts_with("ELSE "),
                };
                if width > start && (breaks || width + length > WIDTH) {
                    self.text += line.trim_end();
                    self.text.push('\n');
                    let deeper = if n == 0 { 0 } else { DEEPER };
                    line = format!("{margin}{}", " ".repeat(LABEL + deeper));
                    width = start + deeper;
                }
                line += piece;
                width += piece.chars().count();
            }
        }
        self.text += line.trim_end();
        self.text.push('\n');
    }
}

/// An item in pieces that a line may break between: one, if it fits into a line. It breaks where its outermost words join it, and
/// between any words what is still too long.
fn pieces(item: &str, fits: usize) -> Vec<String> {
    let is_long = |text: &str, fits: usize| text.trim_end().chars().count() > fits;
    if !is_long(item, fits) {
        return vec![item.to_string()];
    }
    let joins = |before: &str, word: &str| match word.trim_end() {
        "WHEN" => before != "CASE ",
        "THEN" | "ELSE" | "AND" | "OR" | "AS" => true,
        _ => before.ends_with(", ") || before.ends_with("; "),
    };
    let pieces = split(item, |before, word, depth| {
        depth == 0 && joins(before, word)
    });
    let words = |piece: String| {
        if is_long(&piece, fits.saturating_sub(DEEPER)) {
            split(&piece, |_, _, _| true)
        } else {
            vec![piece]
        }
    };
    pieces.into_iter().flat_map(words).collect()
}

/// Splits a text at spaces outside quotes. `here`: whether to, by what has come since the last split, the word that follows, and
/// how many parentheses are open.
fn split(text: &str, here: impl Fn(&str, &str, usize) -> bool) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut piece = String::new();
    let (mut quoted, mut depth) = (false, 0usize);
    for word in text.split_inclusive(' ') {
        if !quoted && !piece.is_empty() && here(&piece, word, depth) {
            pieces.push(std::mem::take(&mut piece));
        }
        for c in word.chars() {
            match c {
                '\'' => quoted = !quoted,
                '(' | '[' if !quoted => depth += 1,
                ')' | ']' if !quoted => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        piece += word;
    }
    pieces.push(piece);
    pieces
}
