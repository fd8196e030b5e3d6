//! A job run to its end: started, and after a failure started again from its last checkpoint.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;

use super::events::JobEvent;
use super::restarts::Restarts;
use super::{SelectSink, Session};
use crate::clock::SystemClock;
use crate::error::{ErrorKind, Result};
use crate::graph::Graph;
use crate::runtime::{self, Changes, JobMetrics, JobOptions, RestoreFrom};

impl Session {
    /// Runs everything loaded as one job until its inputs end, `stop` becomes true, or it fails for good. With checkpoints a job
    /// that fails is started again from the last one, as the settings say. `tell` hears what happens.
    ///
    /// # Errors
    /// What made it fail in the end.
    pub async fn run(
        &self,
        graph: &Graph,
        selects: &SelectSink,
        metrics: &JobMetrics,
        mut stop: watch::Receiver<bool>,
        tell: &(dyn Fn(JobEvent<'_>) + Send + Sync),
    ) -> Result<()> {
        let mut options = self.job_options()?;
        let mut restarts = Restarts::new(self.settings.restarts());
        let has_started = AtomicBool::new(false);
        loop {
            let before = metrics.checkpoints.completed.load(Ordering::Relaxed);
            let result = self
                .attempt(graph, selects, metrics, &options, &mut stop, &|event| {
                    let starts = !matches!(event, JobEvent::Changed(_));
                    has_started.fetch_or(starts, Ordering::Relaxed);
                    tell(event);
                })
                .await;
            let Err(mut error) = result else {
                return Ok(());
            };
            // Being shut out shows in many ways. The store of the checkpoints decides whose the job is.
            if let Some(checkpoints) = &options.checkpoints {
                match checkpoints.check_owner().await {
                    Err(taken) if taken.kind == ErrorKind::Fenced => {
                        tracing::debug!("it was noticed by this: {error}");
                        error = taken;
                    }
                    // An earlier run set its sinks up late, and will find that the job is not its own any more; or the brokers
                    // ended a transaction that was open for too long.
                    Ok(()) if error.kind == ErrorKind::Fenced => {
                        error.kind = ErrorKind::External;
                        has_started.store(true, Ordering::Relaxed);
                    }
                    _ => {}
                }
            }
            let completed = metrics.checkpoints.completed.load(Ordering::Relaxed);
            let earlier = restarts.count();
            // What could never be started is told at once.
            let may_restart = options.checkpoints.is_some() && has_started.load(Ordering::Relaxed);
            let after = restarts
                .after(&error, completed > before)
                .filter(|_| may_restart && !*stop.borrow());
            let Some(after) = after else {
                return Err(match earlier {
                    0 => error,
                    n => error.at(format!("after {n} restarts")),
                });
            };
            let attempt = restarts.count();
            tell(JobEvent::Restarting {
                error: &error,
                after,
                attempt,
            });
            tokio::select! {
                () = tokio::time::sleep(after) => {}
                _ = stop.wait_for(|s| *s) => return Err(error),
            }
            if let Some(checkpoints) = &mut options.checkpoints {
                checkpoints.restore = RestoreFrom::Newest;
            }
        }
    }

    async fn attempt(
        &self,
        graph: &Graph,
        selects: &SelectSink,
        metrics: &JobMetrics,
        options: &JobOptions,
        stop: &mut watch::Receiver<bool>,
        tell: &(dyn Fn(JobEvent<'_>) + Send + Sync),
    ) -> Result<()> {
        let connect = self.connect(selects);
        let clock = Arc::new(SystemClock);
        let changed = |changes: &Changes| tell(JobEvent::Changed(changes));
        let job = tokio::select! {
            job = runtime::start(graph, &connect, options, clock, metrics.clone(), &changed) => job?,
            _ = stop.wait_for(|s| *s) => return Ok(()),
        };
        match &job.restored {
            Some(manifest) if manifest.finished => tell(JobEvent::Finished(manifest)),
            restored => tell(JobEvent::Started {
                from: restored.as_ref(),
                checkpoints: options.checkpoints.as_ref().map(|c| &c.checkpoints),
            }),
        }
        let asked = job.stop_handle();
        let ended = job.wait();
        tokio::pin!(ended);
        tokio::select! {
            result = &mut ended => return result,
            _ = stop.wait_for(|s| *s) => asked.send_replace(true),
        };
        ended.await
    }
}
