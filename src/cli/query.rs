//! `flowline query`: answers queries once, over what the tables hold now.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::SchemaRef;

use futures::StreamExt as _;

use super::args::{self, Given, JobArgs, Loaded, OutsideArgs};
use super::client::{self, OptionalServer, Target};
use super::screen::{Output, cells};
use super::{folder, messages, print, signals};
use crate::connectors::bad_row_text;
use crate::error::{Error, Result};
use crate::formats::{Encoded, json_row_encoder};
use crate::session::statement_text;
use crate::sql::{SourceFile, parse_script};

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
        match output {
            Output::Table => show_table(from, schema, batches)?,
            Output::Jsonl => show_json(from, schema, batches)?,
        }
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
    for file in texts(args)? {
        let statements = parse_script(&file).map_err(Error::sql)?.statements;
        let are_several = statements.len() > 1;
        for (i, statement) in statements.iter().enumerate() {
            let name = format!("select_{}", i + 1);
            let name = are_several.then_some(name.as_str());
            // A hint at the end is a comment, which is no part of the statement's span.
            let mut sql = match are_several {
                true => statement_text(&file, statement.span),
                false => file.text.clone(),
            };
            if args.follow {
                sql = followed(&sql, args.from);
            }
            tokio::select! {
                shown = show_answer(&mut client, &sql, name, output) => shown?,
                () = signals::asked(&mut stop) => return Ok(()),
            }
        }
    }
    Ok(())
}

/// A statement as a subscription.
fn followed(sql: &str, from: Option<u64>) -> String {
    let from = from.map(|epoch| format!("SET 'flowline.subscribe.from' = '{epoch}'; "));
    format!(
        "SET 'execution.runtime-mode' = 'streaming'; {}{sql}",
        from.unwrap_or_default()
    )
}

async fn show_answer(
    client: &mut client::Flight,
    sql: &str,
    name: Option<&str>,
    output: Output,
) -> Result<()> {
    let (schema, mut rows) = client::ask(client, sql).await?;
    let mut batches = Vec::new();
    while let Some(batch) = rows.next().await {
        let (batch, mark) = batch?;
        if let Some(mark) = mark {
            show_changes(mark.epoch, &batch)?;
            continue;
        }
        match output {
            Output::Table => batches.push(batch),
            // What has come is shown while the rest is on its way.
            Output::Jsonl => show_json(name, &schema, &[batch])?,
        }
    }
    match output {
        Output::Table => show_table(name, &schema, &batches),
        Output::Jsonl => Ok(()),
    }
}

fn show_table(name: Option<&str>, schema: &SchemaRef, batches: &[RecordBatch]) -> Result<()> {
    let columns: Vec<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
    let mut rows = Vec::new();
    for batch in batches {
        rows.extend(cells(batch)?);
    }
    let title = name.map(|n| format!("{n}:\n")).unwrap_or_default();
    let end = if rows.is_empty() { "no rows\n" } else { "" };
    print(&format!("{title}{}{end}", messages::table(&columns, &rows)))
}

/// A change a line: `{"epoch":3,"op":"+I","row":{...}}`.
fn show_changes(epoch: u64, changes: &RecordBatch) -> Result<()> {
    let columns: Vec<usize> = (1..changes.num_columns()).collect();
    let rows = changes.project(&columns)?;
    let ops = changes.column(0).as_string_opt::<i32>();
    let mut encoded = Encoded::default();
    json_row_encoder(rows.schema())
        .encode(&rows, &mut encoded)
        .map_err(|e| Error::data(bad_row_text("a result", &e)))?;
    let mut text = String::new();
    for (i, row) in encoded.payloads().enumerate() {
        let op = ops.map_or("+I", |ops| ops.value(i));
        let row = String::from_utf8_lossy(row);
        text.push_str(&format!(
            "{{\"epoch\":{epoch},\"op\":\"{op}\",\"row\":{row}}}\n"
        ));
    }
    print(&text)
}

/// A row a line; with several answers `{"from":"select_1","row":{...}}`.
fn show_json(name: Option<&str>, schema: &SchemaRef, batches: &[RecordBatch]) -> Result<()> {
    let mut encoder = json_row_encoder(SchemaRef::clone(schema));
    for batch in batches {
        let mut encoded = Encoded::default();
        encoder
            .encode(batch, &mut encoded)
            .map_err(|e| Error::data(bad_row_text("a result", &e)))?;
        let mut text = String::new();
        for row in encoded.payloads() {
            let row = String::from_utf8_lossy(row);
            match name {
                Some(name) => text.push_str(&format!("{{\"from\":\"{name}\",\"row\":{row}}}\n")),
                None => text.push_str(&format!("{row}\n")),
            }
        }
        print(&text)?;
    }
    Ok(())
}
