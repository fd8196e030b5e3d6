//! The verbs for the jobs of a server: `submit`, `upgrade`, `list`, `status`, `logs`, `restart` and `cancel`.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat};
use flowline_proto::v1 as proto;

use super::args::{self, OutsideArgs};
use super::client::{OptionalServer, ServerArgs, Target, failed};
use super::{messages, print, tell, try_print};
use crate::error::{Error, Result};
use crate::sql::SourceFile;

/// SQL and what is set from outside.
#[derive(Debug, clap::Args)]
pub struct PipelineArgs {
    /// SQL files and folders, in this order; a folder as `run` takes it, - is standard input
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Instances of each operator, over what SET says
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=128))]
    parallelism: Option<u16>,
    #[command(flatten)]
    outside: OutsideArgs,
}

impl PipelineArgs {
    fn read(&self) -> Result<(Vec<Arc<SourceFile>>, proto::Pipeline)> {
        let files = args::sql_files(&self.paths, &[])?;
        let outside = self.outside.outside()?;
        let sources = self.outside.sources()?.into_iter().map(|(table, path)| {
            let path = std::path::absolute(&path).unwrap_or(path);
            (table, path.display().to_string())
        });
        let pipeline = proto::Pipeline {
            files: files
                .iter()
                .map(|file| proto::SqlFile {
                    name: file.name.clone(),
                    text: file.text.clone(),
                })
                .collect(),
            parallelism: self.parallelism.map(u32::from).unwrap_or_default(),
            sources: sources.collect(),
            set: outside.set.into_iter().collect(),
            tables: outside
                .tables
                .into_iter()
                .map(|(table, options)| {
                    let options = options.into_iter().collect();
                    (table, proto::TableOptions { options })
                })
                .collect(),
        };
        Ok((files, pipeline))
    }
}

/// What to submit.
#[derive(Debug, clap::Args)]
pub struct SubmitArgs {
    #[command(flatten)]
    pipeline: PipelineArgs,
    /// The job's name [default: that of the first file or folder]
    #[arg(long)]
    name: Option<String>,
    /// Begin with this savepoint
    #[arg(long, value_name = "DIR")]
    restore: Option<String>,
    /// Give up state of the savepoint that fits no operator
    #[arg(long)]
    drop_state: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// Starts SQL files as a job of a server.
///
/// # Errors
/// Mistakes in them; another job has the name; no server.
pub async fn submit(args: &SubmitArgs) -> Result<()> {
    let (files, pipeline) = args.pipeline.read()?;
    let name = match &args.name {
        Some(name) => name.clone(),
        None => args::default_name(&files, &args.pipeline.paths).0,
    };
    let request = proto::SubmitJobRequest {
        name: name.clone(),
        pipeline: Some(pipeline),
        restore: args.restore.clone().unwrap_or_default(),
        drop_state: args.drop_state,
    };
    let mut client = args.server.control().await?;
    let answer = client.submit_job(request).await;
    let answer = answer.map_err(|e| failed(&e, &files))?.into_inner();
    answer.notes.iter().for_each(|note| messages::note(note));
    let job = answer.job.unwrap_or_default();
    tell(&if answer.existed {
        format!("job '{name}' is there already, with the same SQL")
    } else {
        format!("job '{name}' runs: {}", job.outputs.join(", "))
    });
    Ok(())
}

/// What to go on with.
#[derive(Debug, clap::Args)]
pub struct UpgradeArgs {
    /// The job
    job: String,
    #[command(flatten)]
    pipeline: PipelineArgs,
    /// Only say what would become of the state
    #[arg(long)]
    dry_run: bool,
    /// Give up state that fits no operator of the new SQL
    #[arg(long)]
    drop_state: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// Goes on with other SQL.
///
/// # Errors
/// Mistakes in it; state that does not fit; no such job; no server.
pub async fn upgrade(args: &UpgradeArgs) -> Result<()> {
    let (files, pipeline) = args.pipeline.read()?;
    let request = |dry_run| proto::UpgradeJobRequest {
        name: args.job.clone(),
        pipeline: Some(pipeline.clone()),
        drop_state: args.drop_state,
        dry_run,
    };
    let mut client = args.server.control().await?;
    let compared = client.upgrade_job(request(true)).await;
    let compared = compared.map_err(|e| failed(&e, &files))?.into_inner();
    compared.notes.iter().for_each(|note| messages::note(note));
    for (fate, what) in [
        ("keeps", &compared.kept),
        ("new", &compared.new),
        ("drops", &compared.lost),
    ] {
        what.iter()
            .for_each(|what| tell(&format!("{fate:<6} {what}")));
    }
    if args.dry_run {
        return Ok(());
    }
    let upgraded = client.upgrade_job(request(false)).await;
    upgraded.map_err(|e| failed(&e, &files))?;
    tell(&format!("job '{}' goes on with the new SQL", args.job));
    Ok(())
}

/// Which server.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    #[command(flatten)]
    server: ServerArgs,
}

/// Lists the jobs of a server.
///
/// # Errors
/// No server.
pub async fn list(args: &ListArgs) -> Result<()> {
    let mut client = args.server.control().await?;
    let listed = client.list_jobs(proto::ListJobsRequest {}).await;
    let jobs = listed.map_err(|e| failed(&e, &[]))?.into_inner().jobs;
    if jobs.is_empty() {
        return print("no jobs\n");
    }
    let titles = [
        "job", "state", "since", "rows in", "rows out", "late", "bad", "epoch", "restarts",
    ];
    let rows: Vec<Vec<String>> = jobs
        .iter()
        .map(|job| {
            vec![
                job.name.clone(),
                state(job),
                time(job.started_millis),
                job.rows_in.to_string(),
                job.rows_out.to_string(),
                job.late_rows.to_string(),
                job.bad_rows.to_string(),
                job.epoch.to_string(),
                job.restarts.to_string(),
            ]
        })
        .collect();
    print(&messages::table(&titles.map(str::to_string), &rows))
}

/// Which job.
#[derive(Debug, clap::Args)]
pub struct JobArgs {
    /// The job
    job: String,
    #[command(flatten)]
    server: ServerArgs,
}

/// Shows where a job stands.
///
/// # Errors
/// No such job; no server.
pub async fn status(args: &JobArgs) -> Result<()> {
    let mut client = args.server.control().await?;
    let name = args.job.clone();
    let job = client.get_job(proto::GetJobRequest { name }).await;
    let job = job.map_err(|e| failed(&e, &[]))?.into_inner();
    let mut lines = vec![
        ("job", job.name.clone()),
        ("state", state(&job)),
        ("submitted", time(job.submitted_millis)),
        ("started", time(job.started_millis)),
        ("restarts", job.restarts.to_string()),
        ("epoch", job.epoch.to_string()),
        ("rows in", job.rows_in.to_string()),
        ("rows out", job.rows_out.to_string()),
        ("late rows", job.late_rows.to_string()),
        ("bad rows", job.bad_rows.to_string()),
        ("writes", job.outputs.join(", ")),
    ];
    lines.extend(job.errors.into_iter().map(|error| ("error", error)));
    let text = lines
        .iter()
        .map(|(what, value)| format!("{what:<10} {value}\n"));
    print(&text.collect::<String>())
}

/// Whose log.
#[derive(Debug, clap::Args)]
pub struct LogsArgs {
    /// The job
    job: String,
    /// Go on until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// Shows what happened to a job.
///
/// # Errors
/// No such job; no server.
pub async fn logs(args: &LogsArgs) -> Result<()> {
    let mut client = args.server.control().await?;
    let request = proto::ReadLogRequest {
        name: args.job.clone(),
        follow: args.follow,
    };
    let lines = client.read_log(request).await;
    let mut lines = lines.map_err(|e| failed(&e, &[]))?.into_inner();
    while let Some(line) = lines.message().await.map_err(|e| failed(&e, &[]))? {
        if !try_print(&format!("{} {}\n", time(line.time_millis), line.text))? {
            return Ok(());
        }
    }
    Ok(())
}

/// Starts a job again from its last checkpoint.
///
/// # Errors
/// No such job; it cannot be started; no server.
pub async fn restart(args: &JobArgs) -> Result<()> {
    let mut client = args.server.control().await?;
    let name = args.job.clone();
    let job = client.restart_job(proto::RestartJobRequest { name }).await;
    let job = job.map_err(|e| failed(&e, &[]))?.into_inner();
    tell(&format!("job '{}' is {}", job.name, state(&job)));
    Ok(())
}

/// Ends a job, and removes it with its checkpoints.
///
/// # Errors
/// No such job; no server.
pub async fn cancel(args: &JobArgs) -> Result<()> {
    let mut client = args.server.control().await?;
    let name = args.job.clone();
    let cancelled = client.cancel_job(proto::CancelJobRequest { name }).await;
    cancelled.map_err(|e| failed(&e, &[]))?;
    tell(&format!("job '{}' is removed", args.job));
    Ok(())
}

/// Stops a job of a server. `savepoint`: end with one, there or beside the checkpoints.
///
/// # Errors
/// No such job; no server; the savepoint cannot be written.
pub async fn stop(server: Target<'_>, job: &str, savepoint: Option<Option<String>>) -> Result<()> {
    let mut client = server.control().await?;
    let request = proto::StopJobRequest {
        name: job.to_string(),
        savepoint: savepoint.is_some(),
        to: savepoint.flatten().unwrap_or_default(),
    };
    let stopped = client.stop_job(request).await;
    let stopped = stopped.map_err(|e| failed(&e, &[]))?.into_inner();
    tell(&format!("job '{job}' is stopped"));
    match stopped.savepoint.as_str() {
        "" => Ok(()),
        url => print(&format!("{url}\n")),
    }
}

/// The dataflow of a server's job.
///
/// # Errors
/// No such job; no server.
pub async fn explain(server: Target<'_>, job: &str) -> Result<()> {
    let mut client = server.control().await?;
    let what = proto::explain_request::What::Name(job.to_string());
    let explained = client.explain(proto::ExplainRequest { what: Some(what) });
    let explained = explained.await.map_err(|e| failed(&e, &[]))?;
    print(&explained.into_inner().text)
}

fn state(job: &proto::Job) -> String {
    state_name(job.state())
}

/// Where a job stands, as a person reads it.
pub fn state_name(state: proto::JobState) -> String {
    let name = state.as_str_name();
    name.strip_prefix("JOB_STATE_")
        .unwrap_or(name)
        .to_lowercase()
}

fn time(millis: i64) -> String {
    match DateTime::from_timestamp_millis(millis) {
        Some(time) if millis > 0 => time.to_rfc3339_opts(SecondsFormat::Millis, true),
        _ => "-".to_string(),
    }
}

/// Where jobs of servers and jobs of this machine share a verb: a server must be named.
///
/// # Errors
/// It is not.
pub fn needs_server(server: &OptionalServer) -> Result<Target<'_>> {
    server.target().ok_or_else(|| {
        Error::usage("which server?").with_help("name it with --server URL or FLOWLINE_SERVER")
    })
}
