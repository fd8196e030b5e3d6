//! Tables of files as sinks: what the options said, and who writes and publishes.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;

use super::committer::{Board, FileCommitter, blocking};
use super::marks;
use super::staging::Stage;
use super::writer::{self, Content};
use crate::connectors::{Committer, JobContext, Sink, SinkMode, SinkWriter, WriteRequest};
use crate::error::Result;
use crate::formats::FileFormat;

/// A folder to write to.
pub(super) struct FileSink {
    pub(super) table: String,
    pub(super) path: PathBuf,
    pub(super) single: bool,
    pub(super) content: Arc<Content>,
}

impl FileSink {
    fn identity(&self) -> String {
        let path = std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone());
        format!("filesystem {} {}", self.table, path.display())
    }

    fn stage(&self, job: &JobContext) -> Stage {
        let owner = format!("{} {}", job.name, self.identity());
        Stage::new(
            self.path.clone(),
            &owner,
            job.run(),
            self.content.partitions.depth(),
        )
    }

    fn board(&self, job: &JobContext) -> Result<Arc<Board>> {
        job.shared(&self.identity(), Board::default)
    }
}

#[async_trait]
impl Sink for FileSink {
    fn mode(&self) -> SinkMode {
        match &self.content.format {
            FileFormat::Records(format) if format.is_changelog() => SinkMode::Retract,
            _ => SinkMode::Append,
        }
    }

    fn guarantee(&self) -> &'static str {
        "exactly once with checkpoints: files are published when their checkpoint is complete"
    }

    fn is_single(&self) -> bool {
        self.single
    }

    fn committer(&self, job: &Arc<JobContext>) -> Result<Option<Arc<dyn Committer>>> {
        if job.checkpoints.is_none() {
            return Ok(None);
        }
        Ok(Some(Arc::new(FileCommitter {
            identity: self.identity(),
            table: self.table.clone(),
            stage: self.stage(job),
            job: Arc::clone(job),
            board: self.board(job)?,
            marks: self.content.marks.clone(),
        })))
    }

    async fn writer(&self, request: WriteRequest) -> Result<Box<dyn SinkWriter>> {
        let (stage, board) = (self.stage(&request.job), self.board(&request.job)?);
        let folder = stage.clone();
        blocking(move || folder.prepare()).await?;
        // Of no other run, and in the order of the runs.
        let unique = format!("{:011x}{:08x}", marks::now(), fastrand::u32(..));
        let content = Arc::clone(&self.content);
        let is_staged = request.job.checkpoints.is_some();
        let names = (unique, request.instance);
        Ok(writer::open(content, stage, board, names, is_staged))
    }
}
