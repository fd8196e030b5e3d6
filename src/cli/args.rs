//! Flags that several verbs share, and the session they give.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use twox_hash::XxHash3_64;

use super::folder::{self, Files};
use super::outside::{self, Flags, Outside};
use super::{count, messages, tell};
use crate::catalog::options::parse_duration;
use crate::checkpoint::{Location, Origin};
use crate::connectors::capture::Capture;
use crate::error::{Error, Result};
use crate::session::{BATCH_ROWS, Message, Replay, Session, SessionConfig};
use crate::sql::SourceFile;

const IDLE_TIMEOUT: &str = "table.exec.source.idle-timeout";

/// Where a pipeline connects to, without touching its files.
#[derive(Debug, Default, clap::Args)]
#[command(
    next_help_heading = "Where a pipeline connects to (flags go over the environment, that over the settings file)"
)]
pub struct OutsideArgs {
    /// Brokers of every Kafka table, over its 'properties.bootstrap.servers' [env: FLOWLINE_KAFKA]
    #[arg(long, value_name = "BROKERS")]
    pub kafka: Option<String>,
    /// An option of a table (or of every Kafka table: *.KEY=VALUE), over its WITH list [env: FLOWLINE_SET_TABLE...]
    #[arg(long, value_name = "TABLE.KEY=VALUE")]
    pub set_table: Vec<String>,
    /// A TOML file with the sections [kafka], [tables.NAME] and [set] [env: FLOWLINE_SETTINGS]
    #[arg(long, value_name = "FILE.toml")]
    pub settings: Option<PathBuf>,
    /// Read a table's rows from a file or folder, whatever its connector
    #[arg(long, value_name = "TABLE=PATH")]
    pub source: Vec<String>,
    /// A SET value, over those of the files
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// How a job runs.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "How the job runs")]
pub struct JobArgs {
    /// Instances of each operator, over what SET says
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=128))]
    pub parallelism: Option<u16>,
    /// Rows in a batch at most
    #[arg(long, value_name = "N", default_value_t = BATCH_ROWS)]
    pub batch_rows: usize,
    /// A source partition without rows for so long no longer holds the watermark, such as '10 s'
    #[arg(long, value_name = "DURATION")]
    pub idle_timeout: Option<String>,
    /// End every source at its present end
    #[arg(long)]
    pub bounded: bool,
    /// How long ending may take once it is asked for, whatever hangs (0: as long as it takes)
    #[arg(long, value_name = "DURATION", default_value = "10 s")]
    pub stop_timeout: String,
}

impl Default for JobArgs {
    /// As where no flag is given.
    fn default() -> Self {
        Self {
            parallelism: None,
            batch_rows: BATCH_ROWS,
            idle_timeout: None,
            bounded: false,
            stop_timeout: "10 s".to_string(),
        }
    }
}

impl JobArgs {
    /// How long ending may take.
    ///
    /// # Errors
    /// No duration.
    pub fn stop_timeout(&self) -> Result<std::time::Duration> {
        duration("--stop-timeout", &self.stop_timeout)
    }
}

/// Checkpoints of a job, and what it begins with.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Checkpoints")]
pub struct CheckpointArgs {
    /// The job's name, where no SET 'pipeline.name' says another: two runs with the same name are the same job
    /// [default: the name of the first file or folder, which no other files may use then]
    #[arg(long)]
    pub name: Option<String>,
    /// Take a checkpoint so often, such as '10 s', and begin with the last one (SET 'execution.checkpointing.interval')
    #[arg(long, value_name = "DURATION")]
    pub checkpoint_interval: Option<String>,
    /// Keep them in this folder or s3:// URL (SET 'execution.checkpointing.dir') [default: .flowline/checkpoints]
    #[arg(long, value_name = "DIR")]
    pub checkpoint_dir: Option<String>,
    /// Begin with this savepoint; where the job has gone on from it before, with its own last checkpoint
    #[arg(long, value_name = "DIR")]
    pub restore: Option<String>,
    /// Give up the job's checkpoints: begin with nothing, or with the savepoint of --restore
    #[arg(long)]
    pub fresh: bool,
    /// Give up state that fits no operator of the SQL any more, and positions in topics that are no longer read
    #[arg(long)]
    pub drop_state: bool,
}

/// Where the checkpoints of jobs are.
#[derive(Debug, clap::Args)]
pub struct StoreArgs {
    /// The folder or s3:// URL of the checkpoints (credentials and endpoint: AWS_... in the environment)
    #[arg(long, value_name = "DIR", default_value = crate::settings::CHECKPOINT_DIR)]
    checkpoint_dir: String,
    /// How long a running job may take to answer, once it has seen what is asked (for which it has 10 s)
    #[arg(long, value_name = "DURATION", default_value = "60 s")]
    timeout: String,
}

impl StoreArgs {
    /// The folder.
    ///
    /// # Errors
    /// One that cannot be used.
    pub fn open(&self) -> Result<Location> {
        self.at(&self.checkpoint_dir)
    }

    /// Another folder.
    ///
    /// # Errors
    /// One that cannot be used.
    pub fn at(&self, url: &str) -> Result<Location> {
        let is_local = !url.contains("://");
        if is_local && !std::path::Path::new(url).is_dir() {
            return Err(Error::usage(format!("{url}: there is no such folder"))
                .with_help("name the folder of the checkpoints with --checkpoint-dir"));
        }
        Location::open(url, &BTreeMap::new())
    }

    /// How long a running job may take to answer.
    ///
    /// # Errors
    /// No duration.
    pub fn patience(&self) -> Result<std::time::Duration> {
        duration("--timeout", &self.timeout)
    }
}

/// How often a checkpoint is taken where only their folder is said.
const CHECKPOINT_INTERVAL: &str = "10 s";

impl CheckpointArgs {
    /// What they SET.
    ///
    /// # Errors
    /// No duration.
    fn settings(&self) -> Result<Vec<(&'static str, String)>> {
        let mut set = Vec::new();
        if let Some(text) = &self.checkpoint_interval {
            duration("--checkpoint-interval", text)?;
        }
        let interval = self.checkpoint_interval.as_deref();
        for (key, value) in [
            ("execution.checkpointing.interval", interval),
            (
                "execution.checkpointing.dir",
                self.checkpoint_dir.as_deref(),
            ),
            ("execution.state-recovery.path", self.restore.as_deref()),
            (
                "execution.state-recovery.ignore-unclaimed-state",
                self.drop_state.then_some("true"),
            ),
        ] {
            set.extend(value.map(|v| (key, v.to_string())));
        }
        Ok(set)
    }
}

/// The name of a job that has none, and where it comes from: it is that of the first file or folder, with a mark of the SQL that
/// stands in no file.
pub fn default_name(files: &[Arc<SourceFile>], paths: &[PathBuf]) -> (String, Origin) {
    // As they are spelled: a link to the newest release is one place, wherever it leads.
    let absolute = |path: &PathBuf| {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
        path.components().fold(PathBuf::new(), |mut path, part| {
            if part == std::path::Component::ParentDir {
                path.pop();
            } else {
                path.push(part);
            }
            path
        })
    };
    let named = paths.iter().filter(|path| !folder::is_stdin(path));
    let named: Vec<PathBuf> = named.map(absolute).collect();
    let name = named.first().and_then(|path| path.file_stem());
    let mut name = name.map_or("flowline".into(), |stem| {
        stem.to_string_lossy().into_owned()
    });
    let inline: Vec<&str> = files
        .iter()
        .filter(|file| folder::is_inline(&file.name))
        .map(|file| &*file.text)
        .collect();
    if !inline.is_empty() {
        let mark = XxHash3_64::oneshot(inline.join(";").as_bytes());
        name = format!("{name}-{:08x}", mark as u32);
    }
    let shown = named.iter().map(|path| path.display().to_string());
    (name, Origin::Files(shown.collect()))
}

/// What a job is given besides its files.
#[derive(Default)]
pub struct Given<'a> {
    /// Keeps results instead of writing them.
    pub capture: Option<Arc<Capture>>,
    /// The paths the files come from.
    pub paths: &'a [PathBuf],
    /// Its checkpoints.
    pub checkpoints: Option<&'a CheckpointArgs>,
    /// The range that is replayed.
    pub replay: Option<Replay>,
    /// Tables that flags name may be declared by files that come later.
    pub declares_more: bool,
}

/// A session with files loaded.
pub struct Loaded {
    /// The session.
    pub session: Session,
    /// What the statements said.
    pub said: Vec<Message>,
}

/// The files of `paths` and the texts of `-e`, in that order; what is left out is told on stderr.
///
/// # Errors
/// Paths that cannot be read.
pub fn sql_files(paths: &[PathBuf], texts: &[String]) -> Result<Vec<Arc<SourceFile>>> {
    let Files { mut run, skipped } = folder::files(paths)?;
    if paths.iter().any(|p| p.is_dir()) {
        for file in &run {
            tell(&format!("runs     {}", file.name));
        }
        for (name, reason) in skipped {
            tell(&format!("skipped  {name}: {reason}"));
        }
    }
    run.extend(
        texts
            .iter()
            .map(|text| SourceFile::new(folder::COMMAND_LINE, text.clone())),
    );
    Ok(run)
}

/// The duration of a flag.
///
/// # Errors
/// It is none.
pub fn duration(flag: &str, text: &str) -> Result<std::time::Duration> {
    parse_duration(text).ok_or_else(|| {
        Error::usage(format!("{flag}: '{text}' is no duration"))
            .with_help("write '10 s', '500 ms', '5 min' or '1 h'")
    })
}

impl OutsideArgs {
    /// What is set from outside, merged.
    ///
    /// # Errors
    /// Flags, variables or a settings file that cannot be understood.
    pub fn outside(&self) -> Result<Outside> {
        let flags = Flags {
            kafka: self.kafka.as_deref(),
            set_table: &self.set_table,
            set: &self.set,
            settings: self.settings.as_deref(),
        };
        let is_ours = |name: &str| name.starts_with("FLOWLINE_");
        let environment: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| is_ours(name))
            .collect();
        outside::merge(flags, &environment)
    }

    /// Files that tables are read from.
    ///
    /// # Errors
    /// No TABLE=PATH; a path that cannot be read.
    pub fn sources(&self) -> Result<BTreeMap<String, PathBuf>> {
        let source = |text: &String| match text.split_once('=') {
            Some((table, path)) if !table.is_empty() && !path.is_empty() => {
                let path = PathBuf::from(path);
                std::fs::metadata(&path).map_err(|e| {
                    Error::usage(format!(
                        "--source {table}: cannot read {}: {e}",
                        path.display()
                    ))
                })?;
                Ok((table.to_string(), path))
            }
            _ => Err(Error::usage(format!(
                "--source: expected TABLE=PATH, not '{text}'"
            ))),
        };
        self.source.iter().map(source).collect()
    }
}

/// Loads files into a session and tells all mistakes of all of them at once.
///
/// # Errors
/// The mistakes; flags that name what is not there.
pub fn load(
    files: &[Arc<SourceFile>],
    outside_args: &OutsideArgs,
    job: &JobArgs,
    given: Given<'_>,
) -> Result<Loaded> {
    let mut outside = outside_args.outside()?;
    if let Some(text) = &job.idle_timeout {
        duration("--idle-timeout", text)?;
        outside.set.insert(IDLE_TIMEOUT.into(), text.clone());
    }
    if let Some(checkpoints) = given.checkpoints {
        let set = checkpoints.settings()?;
        outside
            .set
            .extend(set.into_iter().map(|(k, v)| (k.to_string(), v)));
    }
    let sources = outside_args.sources()?;
    let (name, origin) = match given.checkpoints.and_then(|c| c.name.clone()) {
        Some(name) => (name, Origin::Named),
        None => default_name(files, given.paths),
    };
    let mut session = Session::new(SessionConfig {
        table_options: outside.tables.clone(),
        sources: sources.clone(),
        capture: given.capture,
        replay: given.replay,
        parallelism: job.parallelism.map(usize::from),
        batch_rows: job.batch_rows,
        bounded: job.bounded,
        name,
        origin,
        inboxes: None,
        fresh: given.checkpoints.is_some_and(|c| c.fresh),
        reach: None,
    });
    let mut said = Vec::new();
    for (key, value) in &outside.set {
        said.extend(session.fix(key, value)?);
    }
    let keeps = |c: &CheckpointArgs| c.checkpoint_dir.is_some() || c.restore.is_some();
    let interval = given.checkpoints.filter(|c| keeps(c));
    said.extend(session.load_all(files, interval.map(|_| CHECKPOINT_INTERVAL))?);
    if !given.declares_more {
        tables_exist(&session, outside_args)?;
    }
    Ok(Loaded { session, said })
}

/// A flag that names a table that is not there is a mistake; a settings file may serve several pipelines.
///
/// # Errors
/// Names the first such table.
pub fn tables_exist(session: &Session, outside_args: &OutsideArgs) -> Result<()> {
    let (outside, sources) = (outside_args.outside()?, outside_args.sources()?);
    let flags = outside
        .by_flag
        .iter()
        .map(|t| ("--set-table", t))
        .chain(sources.keys().map(|t| ("--source", t)));
    for (flag, table) in flags {
        if session.catalog.table(table).is_none() {
            let error = Error::usage(format!("{flag}: there is no table '{table}'"));
            return Err(match session.catalog.closest(table) {
                Some(near) => error.with_help(format!("did you mean '{near}'?")),
                None => error,
            });
        }
    }
    for table in outside
        .by_others
        .iter()
        .filter(|t| session.catalog.table(t).is_none())
    {
        messages::note(&format!(
            "options are set from outside for '{table}', a table that is not declared here"
        ));
    }
    Ok(())
}

/// What there is in a session, in words.
pub fn inventory(files: usize, session: &Session) -> String {
    let of = |is_view: bool| {
        let relations = session.catalog.iter();
        let matching = relations
            .filter(|(_, r)| matches!(r, crate::catalog::Relation::View(_)) == is_view)
            .count();
        count(matching as u64, if is_view { "view" } else { "table" })
    };
    let statements = count(session.outputs().len() as u64, "statement");
    format!(
        "{}, {}, {}, {statements} to run",
        count(files as u64, "file"),
        of(false),
        of(true)
    )
}
