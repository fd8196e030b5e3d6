//! `flowline checkpoints`: what checkpoints and savepoints there are, what is in them, whether they are whole.

use std::fmt::Write as _;
use std::time::Duration;

use chrono::DateTime;
use clap::Subcommand;
use tokio::time::timeout;

use super::args::StoreArgs;
use super::screen::Output;
use super::{count, messages, print, tell};
use crate::checkpoint::{Answer, Checkpoints, Kind, LOOK, Location, Manifest, Request};
use crate::error::{Error, Result};
use crate::session::Message;

/// How long a running job may take to see a request; as long as ending may take.
const SIGHT: Duration = super::signals::PATIENCE;
/// How long taking a request back may take.
const WITHDRAWAL: Duration = Duration::from_secs(1);

/// What to do with checkpoints.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Lists the jobs, or the checkpoints and savepoints of one
    Ls {
        /// The job
        job: Option<String>,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Shows what a checkpoint is made of
    Show {
        /// The job
        job: String,
        /// The checkpoint's number [default: the newest]
        epoch: Option<u64>,
        /// A savepoint instead
        #[arg(long, value_name = "DIR", conflicts_with = "epoch")]
        savepoint: Option<String>,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Reads every file of the checkpoints of a job and compares checksums
    Verify {
        /// The job
        job: String,
        /// The checkpoint's number [default: all]
        epoch: Option<u64>,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Removes a checkpoint, and files that no other one needs. Not while the job runs
    Rm {
        /// The job
        job: String,
        /// The checkpoint's number
        epoch: u64,
        #[command(flatten)]
        store: StoreArgs,
    },
    /// Asks the running job for a checkpoint now, or for a savepoint
    Take {
        /// The job
        job: String,
        /// A savepoint, which stays and holds all its files; in this folder or URL, or beside the checkpoints
        #[arg(long, value_name = "DIR", num_args = 0..=1)]
        savepoint: Option<Option<String>>,
        #[command(flatten)]
        store: StoreArgs,
    },
}

/// Does it.
///
/// # Errors
/// A store that cannot be reached, a checkpoint that is not there or not whole.
pub async fn run(args: &Args) -> Result<()> {
    match &args.verb {
        Verb::Ls { job: None, store } => {
            let root = store.open()?;
            let jobs = Checkpoints::jobs(&root).await?;
            if jobs.is_empty() {
                tell(&format!("no job has checkpoints in {}", root.url()));
            }
            print(&jobs.iter().map(|j| format!("{j}\n")).collect::<String>())
        }
        Verb::Ls {
            job: Some(job),
            store,
        } => list(&Checkpoints::new(&store.open()?, job), store).await,
        Verb::Show {
            job,
            epoch,
            savepoint,
            store,
        } => {
            let checkpoints = Checkpoints::new(&store.open()?, job);
            let manifest = match (savepoint, epoch) {
                (Some(url), _) => Checkpoints::open_savepoint(&store.at(url)?).await?,
                (None, Some(epoch)) => checkpoints.manifest(*epoch).await?,
                (None, None) => newest(&checkpoints).await?,
            };
            print(&describe(&manifest))
        }
        Verb::Verify { job, epoch, store } => {
            let checkpoints = Checkpoints::new(&store.open()?, job);
            let epochs = match epoch {
                Some(epoch) => vec![*epoch],
                None => checkpoints.epochs().await?,
            };
            verify(&checkpoints, &epochs).await
        }
        Verb::Rm { job, epoch, store } => {
            let checkpoints = Checkpoints::new(&store.open()?, job);
            if !checkpoints.epochs().await?.contains(epoch) {
                return Err(no_checkpoint(
                    &checkpoints,
                    &format!("no checkpoint {epoch}"),
                ));
            }
            checkpoints.remove(*epoch).await
        }
        Verb::Take {
            job,
            savepoint,
            store,
        } => {
            let request = match savepoint {
                None => Request::Checkpoint,
                Some(to) => Request::Savepoint { to: to.clone() },
            };
            ask(
                &Checkpoints::new(&store.open()?, job),
                &request,
                store.patience()?,
            )
            .await
        }
    }
}

/// Sends a request to the running job and reports the answer.
///
/// # Errors
/// The job does not run, or has not seen the request in time; it does not answer within `patience`; what the job says went wrong.
pub async fn ask(checkpoints: &Checkpoints, request: &Request, patience: Duration) -> Result<()> {
    let folder = &checkpoints.location;
    if checkpoints.runs() == Some(false) {
        return Err(Error::external(format!(
            "job '{}' does not run with its checkpoints in {}",
            checkpoints.job(),
            folder.url()
        ))
        .with_help(
            "'flowline checkpoints ls' lists the jobs that have checkpoints there; name the folder with --checkpoint-dir",
        ));
    }
    let name = Request::name();
    let seen = async {
        request.put(folder, &name).await?;
        seen(folder, &name).await
    };
    let answer = match timeout(patience.min(SIGHT), seen).await {
        Ok(seen) => match seen? {
            Some(answer) => Some(answer),
            None => match timeout(patience, Request::wait(folder, &name)).await {
                Ok(answer) => Some(answer?),
                Err(_) => {
                    let what = format!("has not answered within {} s", patience.as_secs_f64());
                    let help = "it may still do what was asked: its own output tells; --timeout waits longer".into();
                    return Err(unheard(checkpoints, &name, &what, help).await);
                }
            },
        },
        Err(_) => None,
    };
    let Some(answer) = answer else {
        let seconds = patience.min(SIGHT).as_secs_f64();
        let help = format!(
            "does it run, with its checkpoints in {}, and can that be reached? 'flowline checkpoints ls' lists the jobs there",
            folder.url()
        );
        let what = format!("has not seen what it is asked within {seconds} s");
        return Err(unheard(checkpoints, &name, &what, help).await);
    };
    if let Some(error) = answer.error {
        return Err(Error::external(format!(
            "job '{}': {error}",
            checkpoints.job()
        )));
    }
    if let Some(epoch) = answer.epoch {
        tell(&format!(
            "checkpoint {epoch} of job '{}'",
            checkpoints.job()
        ));
    }
    match answer.savepoint {
        Some(url) => print(&format!("{url}\n")),
        None => Ok(()),
    }
}

/// What to say where nothing was heard of the job: the request is taken back, as far as that goes.
async fn unheard(checkpoints: &Checkpoints, name: &str, what: &str, help: String) -> Error {
    // The store may be what hangs.
    let back = timeout(WITHDRAWAL, Request::withdraw(&checkpoints.location, name)).await;
    let still = match back {
        Ok(Ok(())) => "",
        _ => ", and the request cannot be taken back",
    };
    Error::external(format!("job '{}' {what}{still}", checkpoints.job())).with_help(help)
}

/// Waits until the job has seen the request, or even answered it.
async fn seen(folder: &Location, name: &str) -> Result<Option<Answer>> {
    loop {
        if let Some(answer) = Request::answered(folder, name).await? {
            return Ok(Some(answer));
        }
        if Request::is_seen(folder, name).await? {
            return Ok(None);
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn newest(checkpoints: &Checkpoints) -> Result<Manifest> {
    let newest = checkpoints.newest().await?;
    newest.ok_or_else(|| no_checkpoint(checkpoints, "no checkpoint"))
}

fn no_checkpoint(checkpoints: &Checkpoints, what: &str) -> Error {
    Error::usage(format!(
        "job '{}' has {what} in {}",
        checkpoints.job(),
        checkpoints.location.url()
    ))
    .with_help(
        "'flowline checkpoints ls' lists the jobs, 'flowline checkpoints ls JOB' its checkpoints",
    )
}

async fn list(checkpoints: &Checkpoints, store: &StoreArgs) -> Result<()> {
    let titles = ["kind", "number", "taken", "state", "new", "where"];
    let mut rows = Vec::new();
    let row = |manifest: &Manifest, place: String| {
        let kind = match manifest.kind {
            Kind::Checkpoint if manifest.finished => "finished",
            Kind::Checkpoint => "checkpoint",
            Kind::Savepoint => "savepoint",
        };
        vec![
            kind.to_string(),
            manifest.epoch.to_string(),
            time(manifest.time),
            count(manifest.bytes(), "byte"),
            count(manifest.new_bytes(), "byte"),
            place,
        ]
    };
    let damaged = |epoch: String, what: &str| {
        let nothing = String::new;
        vec![
            "unreadable".into(),
            epoch,
            nothing(),
            nothing(),
            nothing(),
            what.to_string(),
        ]
    };
    for listed in checkpoints.list().await? {
        rows.push(match &listed.manifest {
            Ok(manifest) => row(manifest, String::new()),
            Err(error) => damaged(listed.epoch.to_string(), &error.message),
        });
    }
    for location in checkpoints.savepoints().await? {
        let place = location.url().to_string();
        rows.push(match Checkpoints::open_savepoint(&location).await {
            Ok(manifest) => row(&manifest, place),
            Err(error) => damaged(String::new(), &error.message),
        });
    }
    for place in checkpoints.savepoints_elsewhere().await? {
        let found = match store.at(&place) {
            Ok(location) => Checkpoints::open_savepoint(&location).await,
            Err(error) => Err(error),
        };
        rows.push(match found {
            Ok(manifest) => row(&manifest, place),
            Err(error) => damaged(String::new(), &error.message),
        });
    }
    if rows.is_empty() {
        return Err(no_checkpoint(checkpoints, "no checkpoints"));
    }
    let titles = titles.map(str::to_string).to_vec();
    messages::say(&[Message::Rows(titles, rows)], Output::choose(None))
}

fn time(millis: i64) -> String {
    DateTime::from_timestamp_millis(millis).map_or_else(
        || millis.to_string(),
        |t| t.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
    )
}

fn describe(manifest: &Manifest) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "job '{}', checkpoint {}, taken {} by flowline {}{}",
        manifest.job,
        manifest.epoch,
        time(manifest.time),
        manifest.flowline,
        if manifest.finished {
            ", all input read"
        } else {
            ""
        }
    );
    for source in &manifest.sources {
        let _ = writeln!(text, "\n{}", source.id);
        for p in &source.partitions {
            let watermark = match p.watermark {
                Some(i64::MAX) => ", ended".to_string(),
                Some(w) => format!(", watermark {}", time(w)),
                None => String::new(),
            };
            let _ = writeln!(text, "  {}: next {}{watermark}", p.partition, p.position);
        }
    }
    for operator in &manifest.operators {
        let _ = writeln!(text, "\n{}\n  {}", operator.id, operator.title);
        for (table, files) in &operator.tables {
            for file in files {
                let what = match file.is_whole() {
                    true => "whole",
                    false => "changes",
                };
                let _ = writeln!(
                    text,
                    "  {table}: {what} of checkpoint {}, {}, {}, {}",
                    file.epoch,
                    count(file.rows, "row"),
                    count(file.bytes, "byte"),
                    file.path
                );
            }
        }
    }
    for sink in &manifest.sinks {
        let _ = writeln!(text, "\nprepared for {}", sink.committer);
        for prepared in &sink.prepared {
            let _ = writeln!(text, "  {prepared}");
        }
    }
    text
}

async fn verify(checkpoints: &Checkpoints, epochs: &[u64]) -> Result<()> {
    let mut wrong = Vec::new();
    for epoch in epochs {
        let found = match checkpoints.manifest(*epoch).await {
            Ok(manifest) => Checkpoints::verify(&checkpoints.location, &manifest).await,
            Err(error) => vec![error],
        };
        let verdict = if found.is_empty() { "whole" } else { "damaged" };
        print(&format!("checkpoint {epoch}: {verdict}\n"))?;
        wrong.extend(
            found
                .into_iter()
                .map(|e| format!("checkpoint {epoch}: {}", e.message)),
        );
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Error::external(wrong.join("\n")).with_help(
        "a job passes over damaged checkpoints and begins with the newest whole one; remove them with 'flowline checkpoints rm'",
    ))
}
