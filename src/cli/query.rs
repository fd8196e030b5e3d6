//! `flowline query`: answers queries once, over what the tables hold now.

use std::path::{Path, PathBuf};

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::args::{self, Given, JobArgs, Loaded, OutsideArgs};
use super::screen::{Output, cells};
use super::{folder, messages, print, signals};
use crate::connectors::bad_row_text;
use crate::error::{Error, Result};
use crate::formats::{Encoded, json_row_encoder};
use crate::sql::SourceFile;

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
    let Loaded { mut session, .. } = args::load(
        &folder::files(&args.with)?.run,
        &args.outside,
        &JobArgs::default(),
        Given {
            declares_more: true,
            ..Given::default()
        },
    )?;
    let mut queries = folder::files(&args.files)?.run;
    queries.extend(
        args.execute
            .iter()
            .map(|text| SourceFile::new(super::folder::COMMAND_LINE, text.clone())),
    );
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

/// A row a line; with several answers `{"from":"select_1","row":{...}}`.
fn show_json(name: Option<&str>, schema: &SchemaRef, batches: &[RecordBatch]) -> Result<()> {
    let types: Vec<DataType> = schema
        .fields()
        .iter()
        .map(|f| writable(f.data_type()))
        .collect();
    let fields = schema.fields().iter().zip(&types);
    let schema = Schema::new(
        fields
            .map(|(f, t)| Field::new(f.name(), t.clone(), true))
            .collect::<Vec<_>>(),
    );
    let schema = SchemaRef::new(schema);
    let mut encoder = json_row_encoder(SchemaRef::clone(&schema));
    for batch in batches {
        let columns = batch
            .columns()
            .iter()
            .zip(&types)
            .map(|(column, to)| cast(column, to));
        let columns: Vec<ArrayRef> = columns.collect::<std::result::Result<_, _>>()?;
        let options =
            arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let batch =
            RecordBatch::try_new_with_options(SchemaRef::clone(&schema), columns, &options)?;
        let mut encoded = Encoded::default();
        encoder
            .encode(&batch, &mut encoded)
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

/// The type Flink has for what DataFusion answers with.
fn writable(data_type: &DataType) -> DataType {
    match data_type {
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 => DataType::Int64,
        DataType::UInt64 => DataType::Decimal128(20, 0),
        DataType::Utf8View
        | DataType::LargeUtf8
        | DataType::Interval(_)
        | DataType::Duration(_) => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary | DataType::FixedSizeBinary(_) => {
            DataType::Binary
        }
        DataType::Dictionary(_, value) => writable(value),
        other => other.clone(),
    }
}
