//! Tables that are there without being declared: `flowline.bad_rows` and `flowline.late_rows`.

use std::collections::BTreeMap;
use std::sync::Arc;

use sqlparser::tokenizer::Span;

use super::types::sql_type;
use crate::catalog::{Column, ColumnKind, Table};
use crate::connectors::bad_rows_schema;
use crate::graph::{Aside, late_rows_schema};
use crate::sql::SourceFile;
use crate::sql::ast::SqlType;

/// The database they are in.
pub const DATABASE: &str = "flowline";

/// All of them.
const ALL: [Aside; 2] = [Aside::BadRows, Aside::LateRows];

/// Which of them a table is.
pub fn aside(table: &Table) -> Option<Aside> {
    ALL.into_iter().find(|aside| aside.table() == table.name)
}

/// The table `flowline.NAME`.
pub fn table(name: &str) -> Option<Arc<Table>> {
    let aside = ALL
        .into_iter()
        .find(|aside| aside.table() == format!("{DATABASE}.{name}"))?;
    let schema = match aside {
        Aside::BadRows => bad_rows_schema(),
        Aside::LateRows => late_rows_schema(),
    };
    let columns = schema.fields().iter().map(|field| Column {
        field: field.as_ref().clone(),
        kind: ColumnKind::Physical,
        comment: None,
        sql_type: SqlType {
            nullable: field.is_nullable(),
            ..sql_type(field.data_type())
        },
    });
    Some(Arc::new(Table {
        name: aside.table().to_string(),
        columns: columns.collect(),
        watermark: None,
        primary_key: None,
        partitioned_by: Vec::new(),
        comment: None,
        with: BTreeMap::new(),
        option_spans: BTreeMap::new(),
        file: SourceFile::new("<built in>", ""),
        span: Span::empty(),
    }))
}

/// Their names, without the database.
pub fn names() -> Vec<&'static str> {
    ALL.iter()
        .filter_map(|aside| Some(aside.table().split_once('.')?.1))
        .collect()
}
