//! `flowline query`: answers queries once, over what the tables hold now.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::{self, Given, JobArgs, Loaded, OutsideArgs};
use super::client::{OptionalServer, Target};
use super::screen::Output;
use super::{answers, folder, messages, signals};
use crate::error::{Error, Result};
use crate::sql::{SourceFile, parse_script, pieces};

/// What to answer.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files of queries, which may declare tables too; - is standard input
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// A query, after the files
    #[arg(short, value_name = "SQL")]
    execute: Vec<String>,
    /// SQL files and folders that declare the tables; a folder as `run` takes it. Their INSERTs are not run
    #[arg(long, value_name = "PATH", num_args = 1..)]
    with: Vec<PathBuf>,
    /// Rows as a table or as JSON lines [default: table on a terminal, else jsonl]
    #[arg(long, value_enum)]
    output: Option<Output>,
    /// With --server: first the present rows, then every change, until Ctrl-C
    #[arg(long)]
    follow: bool,
    /// With --follow: only the changes after this epoch
    #[arg(long, value_name = "EPOCH", requires = "follow")]
    from: Option<u64>,
    #[command(flatten)]
    server: OptionalServer,
    #[command(flatten)]
    outside: OutsideArgs,
}

/// Answers the queries.
///
/// # Errors
/// Mistakes in the files; tables that cannot be read.
pub async fn run(args: &Args) -> Result<()> {
    if args.files.is_empty() && args.execute.is_empty() {
        return Err(Error::usage("nothing to answer").with_help(
            "flowline query FILE --with sql/, or flowline query -e 'SELECT ...' --with sql/",
        ));
    }
    if let Some(dir) = args.files.iter().find(|p| Path::is_dir(p)) {
        return Err(
            Error::usage(format!("{} is a folder; query takes files", dir.display()))
                .with_help("name the folder that declares the tables after --with"),
        );
    }
    let output = Output::choose(args.output);
    if let Some(server) = args.server.target().filter(|_| args.with.is_empty()) {
        return ask(server, args, output).await;
    }
    if args.follow {
        return Err(Error::usage("only a server's tables can be followed")
            .with_help("name the server with --server URL, and leave out --with"));
    }
    let Loaded { mut session, .. } = args::load(
        &folder::files(&args.with)?.run,
        &args.outside,
        &JobArgs::default(),
        Given {
            declares_more: true,
            ..Given::default()
        },
    )?;
    let queries = texts(args)?;
    for file in &queries {
        messages::say(&session.declare(file)?, output)?;
    }
    args::tables_exist(&session, &args.outside)?;
    let mut stop = signals::stop_asked(signals::PATIENCE);
    let mut answers = Vec::new();
    for file in &queries {
        tokio::select! {
            answer = crate::batch::run(&session, file) => answers.extend(answer?),
            () = signals::asked(&mut stop) => return Ok(()),
        }
    }
    let are_several = answers.len() > 1;
    for (name, schema, batches) in &answers {
        let from = are_several.then_some(name.as_str());
        answers::show(from, schema, batches, output)?;
    }
    Ok(())
}

/// What is to be answered.
fn texts(args: &Args) -> Result<Vec<Arc<SourceFile>>> {
    let mut texts = folder::files(&args.files)?.run;
    texts.extend(
        args.execute
            .iter()
            .map(|text| SourceFile::new(folder::COMMAND_LINE, text.clone())),
    );
    Ok(texts)
}

/// Has a server answer, one statement after another.
async fn ask(server: Target<'_>, args: &Args, output: Output) -> Result<()> {
    let mut client = server.flight().await?;
    let mut stop = signals::stop_asked(signals::PATIENCE);
    let sets = match args.follow {
        true => followed(args.from),
        false => String::new(),
    };
    for file in texts(args)? {
        parse_script(&file).map_err(Error::sql)?;
        let statements = pieces(&file).statements;
        let are_several = statements.len() > 1;
        for (i, statement) in statements.iter().enumerate() {
            let name = format!("select_{}", i + 1);
            let name = are_several.then_some(name.as_str());
            tokio::select! {
                shown = answers::show_asked(&mut client, &sets, statement, name, output) => shown.map(|_| ())?,
                () = signals::asked(&mut stop) => return Ok(()),
            }
        }
    }
    Ok(())
}

/// What makes a subscription of a statement.
fn followed(from: Option<u64>) -> String {
    let from = from.map(|epoch| format!("SET 'flowline.subscribe.from' = '{epoch}';\n"));
    format!(
        "SET 'execution.runtime-mode' = 'streaming';\n{}",
        from.unwrap_or_default()
    )
}
