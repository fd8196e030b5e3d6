//! A table as declared: columns, time, key and options.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{Field, Schema, SchemaRef};
use sqlparser::ast::Expr;
use sqlparser::tokenizer::Span;

use super::options::{Options, parse_duration};
use crate::sql::SourceFile;
use crate::sql::ast::SqlType;

/// A declared table.
#[derive(Debug, Clone)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns in order.
    pub columns: Vec<Column>,
    /// WATERMARK FOR: column and expression.
    pub watermark: Option<(usize, Expr)>,
    /// PRIMARY KEY columns.
    pub primary_key: Option<Vec<usize>>,
    /// PARTITIONED BY columns.
    pub partitioned_by: Vec<usize>,
    /// COMMENT.
    pub comment: Option<String>,
    /// WITH options, overrides from outside applied.
    pub with: BTreeMap<String, String>,
    /// Where the options stand, for messages.
    pub option_spans: BTreeMap<String, Span>,
    /// The file it was declared in.
    pub file: Arc<SourceFile>,
    /// The CREATE TABLE statement.
    pub span: Span,
}

/// A column of a table.
#[derive(Debug, Clone)]
pub struct Column {
    /// Name, type and nullability.
    pub field: Field,
    /// Where its values come from.
    pub kind: ColumnKind,
    /// COMMENT.
    pub comment: Option<String>,
    /// Its Flink type.
    pub sql_type: SqlType,
}

/// Where a column's values come from.
#[derive(Debug, Clone)]
#[allow(
    clippy::large_enum_variant,
    reason = "there are a few of them per table"
)]
pub enum ColumnKind {
    /// Stored by the connector.
    Physical,
    /// Computed from other columns.
    Computed(Expr),
    /// From the connector, beside the row.
    Metadata {
        /// The connector's key.
        key: String,
        /// Left out when writing.
        is_virtual: bool,
    },
}

impl Table {
    /// The options, none read yet.
    pub fn options(&self) -> Options {
        Options::new(self.with.clone())
    }

    /// When a partition without rows no longer holds the watermark: the table's own rule, else that of the statement.
    pub fn idle_timeout(&self, of_statement: Option<Duration>) -> Option<Duration> {
        let own = self.with.get("scan.watermark.idle-timeout");
        match own.and_then(|text| parse_duration(text)) {
            Some(own) => Some(own).filter(|timeout| !timeout.is_zero()),
            None => of_statement,
        }
    }

    /// The connector's name; `None` for a managed table.
    pub fn connector(&self) -> Option<&str> {
        self.with.get("connector").map(String::as_str)
    }

    /// The index of a column.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.field.name() == name)
    }

    /// All columns, as a query sees them.
    pub fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(
            self.columns
                .iter()
                .map(|c| c.field.clone())
                .collect::<Vec<_>>(),
        ))
    }

    /// Indexes of the columns stored by the connector.
    pub fn physical(&self) -> Vec<usize> {
        (0..self.columns.len())
            .filter(|i| matches!(self.columns[*i].kind, ColumnKind::Physical))
            .collect()
    }

    /// The columns stored by the connector.
    pub fn physical_schema(&self) -> SchemaRef {
        Arc::new(Schema::new(
            self.physical()
                .iter()
                .map(|i| self.columns[*i].field.clone())
                .collect::<Vec<_>>(),
        ))
    }

    /// Indexes of the columns an INSERT writes: physical ones and metadata that is not virtual.
    pub fn insertable(&self) -> Vec<usize> {
        (0..self.columns.len())
            .filter(|i| match &self.columns[*i].kind {
                ColumnKind::Physical => true,
                ColumnKind::Metadata { is_virtual, .. } => !is_virtual,
                ColumnKind::Computed(_) => false,
            })
            .collect()
    }

    /// The rows an INSERT writes.
    pub fn sink_schema(&self) -> SchemaRef {
        Arc::new(Schema::new(
            self.insertable()
                .iter()
                .map(|i| self.columns[*i].field.clone())
                .collect::<Vec<_>>(),
        ))
    }

    /// The primary key as positions in [`Table::sink_schema`].
    pub fn sink_key(&self) -> Option<Vec<usize>> {
        let insertable = self.insertable();
        self.primary_key
            .as_ref()?
            .iter()
            .map(|k| insertable.iter().position(|i| i == k))
            .collect()
    }
}
