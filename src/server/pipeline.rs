//! What was submitted: SQL files and what is set from outside, and the session that they give.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::JobDefaults;
use crate::checkpoint::Origin;
use crate::error::{Error, Result};
use crate::graph::{Graph, Node, NodeId, Operation};
use crate::runtime::JobMetrics;
use crate::session::{BATCH_ROWS, Message, Session, SessionConfig};
use crate::sql::SourceFile;

/// A SQL file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// The path as the user gave it.
    pub name: String,
    /// The whole text.
    pub text: String,
}

/// SQL files and what is set from outside: all that makes a job what it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pipeline {
    /// In the order in which they are run.
    pub files: Vec<File>,
    /// Instances of each operator, over what the files set.
    pub parallelism: Option<usize>,
    /// SET values over those of the files.
    pub set: BTreeMap<String, String>,
    /// Options put over those of a table.
    pub tables: BTreeMap<String, BTreeMap<String, String>>,
    /// Files and folders that tables are read from, whatever their connector.
    pub sources: BTreeMap<String, PathBuf>,
}

/// A pipeline that was planned.
pub struct Planned {
    /// Its statements.
    pub session: Session,
    /// Its dataflow.
    pub graph: Graph,
    /// Its counters.
    pub metrics: JobMetrics,
    /// Notes and warnings about the SQL.
    pub notes: Vec<String>,
}

impl Planned {
    /// The node that keeps a managed table.
    pub fn keeper(&self, table: &str) -> Option<NodeId> {
        let nodes = &self.graph.nodes;
        let keeps = |node: &Node| matches!(&node.operation, Operation::Keep(keep) if keep.table.name == table);
        nodes.iter().position(keeps)
    }
}

impl Pipeline {
    /// A session with its files loaded, named `job`.
    ///
    /// # Errors
    /// All mistakes in the files and options.
    pub fn session(&self, job: &str, defaults: &JobDefaults) -> Result<(Session, Vec<Message>)> {
        let mut session = Session::new(SessionConfig {
            table_options: self.tables.clone(),
            sources: self.sources.clone(),
            parallelism: self.parallelism,
            batch_rows: BATCH_ROWS,
            name: job.to_string(),
            origin: Origin::Named,
            inboxes: Some(Arc::default()),
            reach: Some(Arc::clone(&defaults.reach)),
            ..SessionConfig::default()
        });
        let mut said = Vec::new();
        for (key, value) in &self.set {
            said.extend(session.fix(key, value)?);
        }
        session.fix("pipeline.name", job)?;
        session.fix("execution.checkpointing.dir", &defaults.checkpoints)?;
        let files: Vec<Arc<SourceFile>> = self
            .files
            .iter()
            .map(|file| SourceFile::new(file.name.clone(), file.text.clone()))
            .collect();
        said.extend(session.load_all(&files, Some(&defaults.checkpoint_interval))?);
        Ok((session, said))
    }

    /// The session with its dataflow. `restore`: a savepoint to begin with.
    ///
    /// # Errors
    /// All mistakes in the files and options; nothing to run.
    pub fn plan(
        &self,
        job: &str,
        restore: Option<&str>,
        drop_state: bool,
        defaults: &JobDefaults,
    ) -> Result<Planned> {
        let (mut session, said) = self.session(job, defaults)?;
        if let Some(path) = restore {
            session.fix("execution.state-recovery.path", path)?;
        }
        if drop_state {
            session.fix("execution.state-recovery.ignore-unclaimed-state", "true")?;
        }
        let graph = session.graph()?;
        if graph.nodes.is_empty() {
            return Err(Error::usage(
                "nothing to run: there is no INSERT, and no table without a connector that clients could insert into",
            ));
        }
        for node in &graph.nodes {
            if let Operation::Sink(sink) = &node.operation
                && sink.is_select
            {
                return Err(Error::usage(
                    "a job on a server has no screen to show the rows of a SELECT on",
                )
                .with_help("write INSERT INTO, or ask the server with 'flowline query'"));
            }
        }
        session.check_ends(&graph)?;
        let mut notes: Vec<String> = said
            .into_iter()
            .filter_map(|message| match message {
                Message::Note(note) => Some(note),
                Message::Text(_) | Message::Rows(..) => None,
            })
            .collect();
        notes.extend(session.warnings(&graph));
        Ok(Planned {
            metrics: JobMetrics::of(&graph),
            session,
            graph,
            notes,
        })
    }
}
