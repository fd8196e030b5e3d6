//! The command line: flags to settings, one file a verb.

mod answers;
mod args;
mod bug;
mod check;
mod checkpoints;
mod client;
mod completions;
mod demo;
mod explain;
mod folder;
mod generate;
mod jobs;
mod messages;
mod outside;
mod progress;
mod query;
mod ranges;
mod replay;
mod report;
mod run;
mod screen;
mod serve;
mod signals;
mod sql;
mod stop;
mod summary;
mod version;
mod watch;
mod why;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::{Error, Result};
use crate::session::count;

/// Runs Flink SQL files as continuous queries in one native process.
#[derive(Debug, Parser)]
#[command(name = "flowline", version, max_term_width = 110, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    done, or stopped by Ctrl-C or SIGTERM with everything read written out
  1    a row could not be processed
  2    a mistake in SQL, an option or a flag; nothing was started
  3    a broker, file or other outside system failed
  4    another run of the same job has taken over
  70   a bug in flowline
  130  ended at once by a second Ctrl-C

Logs go to stderr; FLOWLINE_LOG sets how much (error, warn, info, debug).";

#[derive(Debug, Subcommand)]
enum Verb {
    /// Runs SQL files as one job until their inputs end or Ctrl-C
    Run(run::Args),
    /// Runs a bounded range of topics through SQL files again, to backfill
    Replay(replay::Args),
    /// Answers queries once, over what the tables hold now
    Query(query::Args),
    /// Answers statements as they are typed, here or by a server
    Sql(sql::Args),
    /// Parses and plans SQL files and tells every mistake
    Check(check::Args),
    /// Shows the plans and the dataflow of SQL files
    Explain(explain::Args),
    /// Runs the pipeline of sql/ over generated events and a Kafka broker in this process
    Demo(demo::Args),
    /// Lists, shows, verifies, removes and takes checkpoints
    Checkpoints(checkpoints::Args),
    /// Runs jobs and answers queries over the network, until Ctrl-C
    Serve(serve::Args),
    /// Starts SQL files as a job of a server
    Submit(jobs::SubmitArgs),
    /// Goes on with other SQL, keeping the state that fits
    Upgrade(jobs::UpgradeArgs),
    /// Lists the jobs of a server
    List(jobs::ListArgs),
    /// Shows where a job of a server stands
    Status(jobs::JobArgs),
    /// Shows what happened to a job of a server
    Logs(jobs::LogsArgs),
    /// Explains why a job or a table of a server gives no rows, or gives them late
    Why(why::Args),
    /// Starts a job of a server again from its last checkpoint
    Restart(jobs::JobArgs),
    /// Ends a job of a server, and removes it with its checkpoints
    Cancel(jobs::JobArgs),
    /// Ends a running job with a last checkpoint or a savepoint
    Stop(stop::Args),
    /// Makes CloudEvents to try pipelines with
    Generate(generate::Args),
    /// Shows the versions of flowline and of what it is built on
    Version,
    /// Writes completions for a shell
    Completions(completions::Args),
}

/// Runs the verb of the process's arguments and tells what went wrong.
pub fn main() -> ExitCode {
    bug::end_on_panic();
    let cli = Cli::parse();
    log_to_stderr();
    let work = std::thread::Builder::new().stack_size(STACK);
    let result = match work
        .spawn(|| dispatch(cli.verb))
        .map(std::thread::JoinHandle::join)
    {
        Ok(Ok(result)) => result,
        // The hook of `bug` has ended the process by then.
        Ok(Err(_)) => Err(Error::internal("a thread ended unexpectedly")),
        Err(e) => Err(Error::external("no thread can be started").caused_by(e)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(report::render(&error).trim_end());
            ExitCode::from(error.exit_code())
        }
    }
}

/// The stack of each thread, in bytes: a long expression or a query nested deeply goes deep. Only what is used is memory.
const STACK: usize = 256 * 1024 * 1024;

fn dispatch(verb: Verb) -> Result<()> {
    match verb {
        Verb::Run(args) => block_on(run::run(&args)),
        Verb::Replay(args) => block_on(replay::run(&args)),
        Verb::Query(args) => block_on(query::run(&args)),
        Verb::Sql(args) => block_on(sql::run(&args)),
        Verb::Check(args) => check::run(&args),
        Verb::Explain(args) => block_on(explain::run(&args)),
        Verb::Demo(args) => block_on(demo::run(&args)),
        Verb::Checkpoints(args) => block_on(checkpoints::run(&args)),
        Verb::Serve(args) => block_on(serve::run(&args)),
        Verb::Submit(args) => block_on(jobs::submit(&args)),
        Verb::Upgrade(args) => block_on(jobs::upgrade(&args)),
        Verb::List(args) => block_on(jobs::list(&args)),
        Verb::Status(args) => block_on(jobs::status(&args)),
        Verb::Logs(args) => block_on(jobs::logs(&args)),
        Verb::Why(args) => block_on(why::run(&args)),
        Verb::Restart(args) => block_on(jobs::restart(&args)),
        Verb::Cancel(args) => block_on(jobs::cancel(&args)),
        Verb::Stop(args) => block_on(stop::run(&args)),
        Verb::Generate(args) => block_on(generate::run(&args)),
        Verb::Version => version::run(),
        Verb::Completions(args) => completions::run(&args),
    }
}

fn block_on(verb: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK)
        .build()
        .map_err(|e| {
            Error::external("the threads of the runtime cannot be started").caused_by(e)
        })?;
    let result = runtime.block_on(verb);
    // What is left may wait for ever, such as a write to a pipe that nobody reads.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    result
}

fn log_to_stderr() {
    use std::io::IsTerminal as _;
    let filter = tracing_subscriber::EnvFilter::try_from_env("FLOWLINE_LOG").unwrap_or_else(|_| {
        tracing_subscriber::EnvFilter::new("warn,flowline::connectors::kafka::admin=info")
    });
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        // It would print these to stderr, which is what failed, and panic.
        .log_internal_errors(false)
        .init();
}

/// Writes to stdout; a reader that has gone away is no mistake.
fn print(text: &str) -> Result<()> {
    try_print(text).map(|_| ())
}

/// Writes to stdout; false where nobody reads it any more.
fn try_print(text: &str) -> Result<bool> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(e) => Err(Error::external("cannot write to stdout").caused_by(e)),
    }
}

/// Writes a line to stderr. Where that cannot be written there is nobody to be told.
fn tell(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        super::Cli::command().debug_assert();
    }
}
