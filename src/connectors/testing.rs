//! Tables and readers for the tests of the connectors.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::util::display::array_value_to_string;
use sqlparser::tokenizer::Span;

use super::{ReadRequest, SourceEvent, SourceMetrics, SourceReader};
use crate::catalog::{Column, ColumnKind, Table};
use crate::sql::SourceFile;

/// A table; a column whose name begins with `@` is the metadata of that key, writable where there is a second `@`.
pub fn table(columns: &[(&str, DataType)], options: &[(&str, &str)]) -> Table {
    let column = |(name, data_type): &(&str, DataType)| {
        let kind = match name.strip_prefix('@') {
            None => ColumnKind::Physical,
            Some(key) => ColumnKind::Metadata {
                key: key.trim_start_matches('@').to_string(),
                is_virtual: !key.starts_with('@'),
            },
        };
        Column {
            field: Field::new(*name, data_type.clone(), true),
            kind,
            comment: None,
            sql_type: crate::planner::types::sql_type(data_type),
        }
    };
    Table {
        name: "t".to_string(),
        columns: columns.iter().map(column).collect(),
        watermark: None,
        primary_key: None,
        partitioned_by: Vec::new(),
        comment: None,
        with: options
            .iter()
            .map(|(k, v)| (k.to_string(), v.to_string()))
            .collect(),
        option_spans: BTreeMap::new(),
        file: SourceFile::new("test.sql", ""),
        span: Span::empty(),
    }
}

/// A request for some columns of a table, for the only reader.
pub fn request(table: &Table, columns: &[usize]) -> ReadRequest {
    let fields: Vec<Field> = columns
        .iter()
        .map(|c| table.columns[*c].field.clone())
        .collect();
    ReadRequest {
        columns: columns.to_vec(),
        schema: Arc::new(Schema::new(fields)),
        instance: 0,
        parallelism: 1,
        restored: HashMap::new(),
        batch_rows: 1000,
        bounded: false,
        keep_bad_rows: None,
        metrics: Arc::new(SourceMetrics::default()),
    }
}

/// The rows of a batch as text, `|` between columns.
pub fn texts(batch: &RecordBatch) -> Vec<String> {
    let cell =
        |column: usize, row: usize| array_value_to_string(batch.column(column), row).unwrap();
    (0..batch.num_rows())
        .map(|row| {
            (0..batch.num_columns())
                .map(|c| cell(c, row))
                .collect::<Vec<_>>()
                .join("|")
        })
        .collect()
}

/// All rows up to the end as text, and all other events by name.
pub async fn read_all(reader: &mut dyn SourceReader) -> (Vec<String>, Vec<String>) {
    let (mut rows, mut events) = (Vec::new(), Vec::new());
    loop {
        match next(reader).await {
            SourceEvent::Rows { rows: batch, .. } => rows.extend(texts(&batch)),
            SourceEvent::Assigned(partitions) => events.push(format!("+{}", partitions.join(","))),
            SourceEvent::PartitionEnd(partition) => events.push(format!("-{partition}")),
            SourceEvent::Quiet => events.push("quiet".to_string()),
            SourceEvent::End => return (rows, events),
        }
    }
}

/// The next event, which must come soon.
pub async fn next(reader: &mut dyn SourceReader) -> SourceEvent {
    tokio::time::timeout(Duration::from_secs(30), reader.next())
        .await
        .unwrap()
        .unwrap()
}
