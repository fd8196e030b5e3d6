//! The control API: what clients ask of jobs, and what is wrong with their SQL.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use flowline_proto::v1 as proto;
use flowline_proto::v1::control_server::Control;
use futures::{Stream, StreamExt as _};
use tonic::{Request, Response, Status};

use super::job::{Job, State};
use super::jobs::{Jobs, Submitted};
use super::pipeline::{File, Pipeline};
use super::status::refused;
use super::why::{Explanation, why};

/// How many lines of a log wait for a client that reads slowly.
const LINES: usize = 64;

/// The service.
pub struct ControlService {
    jobs: Arc<Jobs>,
}

impl ControlService {
    /// Of these jobs.
    pub fn new(jobs: Arc<Jobs>) -> Self {
        Self { jobs }
    }
}

#[tonic::async_trait]
impl Control for ControlService {
    async fn submit_job(
        &self,
        request: Request<proto::SubmitJobRequest>,
    ) -> Result<Response<proto::SubmitJobResponse>, Status> {
        let asked = request.into_inner();
        let restore = Some(asked.restore).filter(|restore| !restore.is_empty());
        let submitted = self.jobs.submit(
            &asked.name,
            pipeline(asked.pipeline),
            restore,
            asked.drop_state,
        );
        let Submitted {
            job,
            existed,
            notes,
        } = submitted.await.map_err(refused)?;
        Ok(Response::new(proto::SubmitJobResponse {
            job: Some(described(&job)),
            existed,
            notes,
        }))
    }

    async fn upgrade_job(
        &self,
        request: Request<proto::UpgradeJobRequest>,
    ) -> Result<Response<proto::UpgradeJobResponse>, Status> {
        let asked = request.into_inner();
        let pipeline = pipeline(asked.pipeline);
        let (job, changes, notes) = if asked.dry_run {
            let job = self.jobs.get(&asked.name).map_err(refused)?;
            let compared = self.jobs.compare(&asked.name, &pipeline).await;
            let (changes, notes) = compared.map_err(refused)?;
            (job, changes, notes)
        } else {
            let upgraded = self.jobs.upgrade(&asked.name, pipeline, asked.drop_state);
            upgraded.await.map_err(refused)?
        };
        let lost = [changes.gone, changes.lost, changes.moved];
        Ok(Response::new(proto::UpgradeJobResponse {
            job: Some(described(&job)),
            notes,
            kept: changes.kept,
            new: changes.new,
            lost: lost.concat(),
        }))
    }

    async fn list_jobs(
        &self,
        _: Request<proto::ListJobsRequest>,
    ) -> Result<Response<proto::ListJobsResponse>, Status> {
        let jobs = self.jobs.all();
        let jobs = jobs.iter().map(|job| described(job)).collect();
        Ok(Response::new(proto::ListJobsResponse { jobs }))
    }

    async fn get_job(
        &self,
        request: Request<proto::GetJobRequest>,
    ) -> Result<Response<proto::Job>, Status> {
        let job = self.jobs.get(&request.into_inner().name);
        let job = job.map_err(refused)?;
        Ok(Response::new(described(&job)))
    }

    async fn stop_job(
        &self,
        request: Request<proto::StopJobRequest>,
    ) -> Result<Response<proto::StopJobResponse>, Status> {
        let asked = request.into_inner();
        let savepoint = asked.savepoint.then_some(asked.to.as_str());
        let stopped = self.jobs.stop(&asked.name, savepoint).await;
        let savepoint = stopped.map_err(refused)?.unwrap_or_default();
        let job = self.jobs.get(&asked.name).map_err(refused)?;
        Ok(Response::new(proto::StopJobResponse {
            job: Some(described(&job)),
            savepoint,
        }))
    }

    async fn restart_job(
        &self,
        request: Request<proto::RestartJobRequest>,
    ) -> Result<Response<proto::Job>, Status> {
        let restarted = self.jobs.restart(&request.into_inner().name).await;
        let job = restarted.map_err(refused)?;
        Ok(Response::new(described(&job)))
    }

    async fn cancel_job(
        &self,
        request: Request<proto::CancelJobRequest>,
    ) -> Result<Response<proto::CancelJobResponse>, Status> {
        let cancelled = self.jobs.cancel(&request.into_inner().name).await;
        cancelled.map_err(refused)?;
        Ok(Response::new(proto::CancelJobResponse {}))
    }

    async fn explain(
        &self,
        request: Request<proto::ExplainRequest>,
    ) -> Result<Response<proto::ExplainResponse>, Status> {
        use proto::explain_request::What;
        let text = match request.into_inner().what {
            Some(What::Name(name)) => {
                let job = self.jobs.get(&name).map_err(refused)?;
                let pipeline = job.submission.lock().await.pipeline.clone();
                self.jobs.explain(&name, &pipeline)
            }
            Some(What::Pipeline(asked)) => self.jobs.explain("flowline", &pipeline(Some(asked))),
            None => return Err(Status::invalid_argument("name a job, or give SQL")),
        };
        let text = text.map_err(|e| refused(e.into()))?;
        Ok(Response::new(proto::ExplainResponse { text }))
    }

    async fn why(
        &self,
        request: Request<proto::WhyRequest>,
    ) -> Result<Response<proto::WhyResponse>, Status> {
        let explained = why(&self.jobs, &request.into_inner().what).await;
        let explanations = explained.map_err(refused)?.into_iter().map(explained_job);
        Ok(Response::new(proto::WhyResponse {
            explanations: explanations.collect(),
        }))
    }

    type ReadLogStream = Pin<Box<dyn Stream<Item = Result<proto::LogLine, Status>> + Send>>;

    async fn read_log(
        &self,
        request: Request<proto::ReadLogRequest>,
    ) -> Result<Response<Self::ReadLogStream>, Status> {
        let asked = request.into_inner();
        let job = self.jobs.get(&asked.name).map_err(refused)?;
        let jobs = Arc::clone(&self.jobs);
        let (lines, read) = tokio::sync::mpsc::channel(LINES);
        // It ends when the client goes away, or the job is removed.
        tokio::spawn(async move {
            let mut new = job.new_lines();
            drop(job);
            let mut place = 0;
            loop {
                new.mark_unchanged();
                let Ok((log, end)) = jobs.log(&asked.name, place) else {
                    return;
                };
                for line in log {
                    let line = proto::LogLine {
                        time_millis: line.time,
                        text: line.text,
                    };
                    if lines.send(Ok(line)).await.is_err() {
                        return;
                    }
                }
                place = end;
                if !asked.follow {
                    return;
                }
                tokio::select! {
                    changed = new.changed() => if changed.is_err() { return },
                    () = lines.closed() => return,
                }
            }
        });
        let lines = futures::stream::unfold(read, |mut read| async move {
            read.recv().await.map(|line| (line, read))
        });
        Ok(Response::new(lines.boxed()))
    }
}

fn pipeline(asked: Option<proto::Pipeline>) -> Pipeline {
    let asked = asked.unwrap_or_default();
    let ordered = |options: proto::TableOptions| options.options.into_iter().collect();
    Pipeline {
        files: asked
            .files
            .into_iter()
            .map(|file| File {
                name: file.name,
                text: file.text,
            })
            .collect(),
        parallelism: usize::try_from(asked.parallelism)
            .ok()
            .filter(|parallelism| *parallelism > 0),
        set: asked.set.into_iter().collect(),
        tables: asked
            .tables
            .into_iter()
            .map(|(table, options)| (table, ordered(options)))
            .collect::<BTreeMap<_, _>>(),
        sources: asked
            .sources
            .into_iter()
            .map(|(table, path)| (table, path.into()))
            .collect(),
    }
}

/// An explanation as clients are told it.
fn explained_job(explained: Explanation) -> proto::Explanation {
    let facts = explained.facts.into_iter().map(|fact| proto::Fact {
        about: fact.about,
        text: fact.text,
    });
    proto::Explanation {
        job: explained.job,
        state: state(explained.state).into(),
        summary: explained.summary,
        facts: facts.collect(),
    }
}

fn state(state: State) -> proto::JobState {
    match state {
        State::Starting => proto::JobState::Starting,
        State::Running => proto::JobState::Running,
        State::Finished => proto::JobState::Finished,
        State::Failed => proto::JobState::Failed,
        State::Stopped => proto::JobState::Stopped,
    }
}

/// A job as clients are told it.
fn described(job: &Job) -> proto::Job {
    let told = job.told();
    let status = told.status;
    proto::Job {
        name: job.name.clone(),
        state: state(status.state).into(),
        errors: status.error.as_deref().map(causes).unwrap_or_default(),
        rows_in: told.rows_in,
        rows_out: told.rows_out,
        late_rows: told.late_rows,
        bad_rows: told.bad_rows,
        submitted_millis: told.submitted,
        started_millis: status.started,
        epoch: told.epoch,
        restarts: status.restarts,
        outputs: told.outputs,
    }
}

/// An error and what caused it, outermost first.
fn causes(error: &crate::error::Error) -> Vec<String> {
    let mut all = vec![error.to_string()];
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        all.push(inner.to_string());
        cause = inner.source();
    }
    all.extend(error.help.clone());
    all
}
