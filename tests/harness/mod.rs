//! Runs a script in the simulated runtime, one way or another, and compares rows as multisets.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use flowline::catalog::Table;
use flowline::connectors::capture::{Capture, Change, fold};
use flowline::connectors::{Sink, SinkMode};
use flowline::error::Error;
use flowline::runtime::{Simulation, Snapshot, simulate};
use flowline::session::{Session, SessionConfig};
use flowline::sql::SourceFile;
use serde_json::Value;

/// One way of running a script.
#[derive(Debug, Clone, Copy)]
pub struct Variant {
    pub parallelism: usize,
    pub batch_rows: usize,
    pub seed: u64,
    /// Cut after so many source events and go on at another parallelism.
    pub cut: Option<(usize, usize)>,
}

/// A script, its settings, and the files its tables are read from.
pub struct Script {
    pub text: String,
    pub settings: Vec<(String, String)>,
    pub sources: BTreeMap<String, PathBuf>,
}

impl Script {
    /// A session with the script loaded, captured in memory.
    pub fn session(
        &self,
        variant: Variant,
        parallelism: usize,
    ) -> Result<(Session, Arc<Capture>), Error> {
        let capture = Capture::in_memory();
        let mut session = Session::new(SessionConfig {
            sources: self.sources.clone(),
            capture: Some(Arc::clone(&capture)),
            parallelism: Some(parallelism),
            batch_rows: variant.batch_rows,
            ..SessionConfig::default()
        });
        for (key, value) in &self.settings {
            session
                .settings
                .set(key, value)
                .map_err(|e| Error::usage(e.message))?;
        }
        session.load(&SourceFile::new("case.sql", &self.text))?;
        Ok((session, capture))
    }

    /// The rows left in each sink.
    pub async fn run(&self, variant: Variant) -> Result<BTreeMap<String, Vec<String>>, Error> {
        let (first, snapshot) = self.run_once(variant, variant.parallelism, None).await?;
        let Some((_, parallelism)) = variant.cut else {
            return final_rows(&[first]);
        };
        let (second, _) = self.run_once(variant, parallelism, snapshot).await?;
        final_rows(&[first, second])
    }

    async fn run_once(
        &self,
        variant: Variant,
        parallelism: usize,
        restore: Option<Snapshot>,
    ) -> Result<(Arc<Capture>, Option<Snapshot>), Error> {
        let (session, capture) = self.session(variant, parallelism)?;
        let graph = session.graph()?;
        let shown = Arc::clone(&capture);
        let selects = move |name: &str, table: &Table| -> Arc<dyn Sink> {
            shown.sink(name, SinkMode::Retract, table)
        };
        let simulation = Simulation {
            seed: variant.seed,
            cut_after: variant
                .cut
                .filter(|_| restore.is_none())
                .map(|(after, _)| after),
            restore,
        };
        let (snapshot, _) = simulate(
            &graph,
            &session.connect(&selects),
            &session.job_options()?,
            &simulation,
        )
        .await?;
        Ok((capture, snapshot))
    }
}

fn final_rows(runs: &[Arc<Capture>]) -> Result<BTreeMap<String, Vec<String>>, Error> {
    let mut rows = BTreeMap::new();
    for name in runs[0].names() {
        let changes: Vec<Change> = runs.iter().flat_map(|r| r.changes(&name)).collect();
        rows.insert(name.clone(), fold(&changes, runs[0].key(&name).as_deref())?);
    }
    Ok(rows)
}

/// Compares rows as multisets, numbers within a relative 1e-9 (sums of doubles depend on their order).
pub fn difference(expected: &[String], got: &[String]) -> Option<String> {
    let mut left: Vec<(&String, Value)> = got
        .iter()
        .map(|r| (r, serde_json::from_str(r).unwrap_or(Value::Null)))
        .collect();
    let mut missing = Vec::new();
    for row in expected {
        let value: Value = serde_json::from_str(row).unwrap_or(Value::Null);
        let at = left
            .iter()
            .position(|(text, _)| *text == row)
            .or_else(|| left.iter().position(|(_, v)| same(v, &value)));
        match at {
            Some(i) => {
                left.swap_remove(i);
            }
            None => missing.push(row),
        }
    }
    if missing.is_empty() && left.is_empty() {
        return None;
    }
    let mut text = format!("expected {} rows, got {}\n", expected.len(), got.len());
    missing
        .iter()
        .take(12)
        .for_each(|r| text += &format!("- {r}\n"));
    left.iter()
        .take(12)
        .for_each(|(r, _)| text += &format!("+ {r}\n"));
    Some(text)
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (
                a.as_f64().unwrap_or(f64::NAN),
                b.as_f64().unwrap_or(f64::NAN),
            );
            a == b || (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(k, v)| b.get(k).is_some_and(|w| same(v, w)))
        }
        _ => a == b,
    }
}
