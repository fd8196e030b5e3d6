//! Statements and catalog to a checked dataflow graph: bound (`bind`), optimised (`optimize`), lowered (`lower`).

mod bind;
pub mod builtin;
mod functions;
mod lower;
mod optimize;
mod tables;
mod text;
pub mod types;

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{LogicalPlan, TableSource};
use sqlparser::ast::Ident;
use sqlparser::tokenizer::Span;

pub use bind::{Bound, BoundQuery, PlanContext, TableMaker, Typed, WindowTvf};
pub use functions::Functions;
pub use lower::{InsertPlan, Lowering, PlanOptions, SinkCheck};
pub use optimize::{optimize, rules};
pub use tables::{create_table, database_of, object_name};

use crate::catalog::Table;
use crate::error::datafusion_message;
use crate::sql::{Diagnostic, SourceFile};

/// A table as a plan of a stream sees it.
#[derive(Debug)]
pub struct StreamTable {
    /// The table, hints applied.
    pub table: Arc<Table>,
    schema: SchemaRef,
}

impl StreamTable {
    /// For planning only: it cannot be scanned by DataFusion.
    pub fn new(table: Arc<Table>) -> Self {
        Self {
            schema: table.schema(),
            table,
        }
    }
}

impl TableSource for StreamTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

/// The tables that a plan over stream tables reads, each with its options once.
pub fn tables_read(plan: &LogicalPlan) -> Vec<Arc<Table>> {
    let mut found: Vec<Arc<Table>> = Vec::new();
    // The visitor itself never fails.
    let _ = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Some(source) = scan.source.downcast_ref::<StreamTable>()
            && !found
                .iter()
                .any(|t| t.name == source.table.name && t.with == source.table.with)
        {
            found.push(Arc::clone(&source.table));
        }
        Ok(TreeNodeRecursion::Continue)
    });
    found
}

/// Mistakes found so far in one statement.
#[derive(Debug)]
pub struct Mistakes {
    file: Arc<SourceFile>,
    found: Vec<Diagnostic>,
}

impl Mistakes {
    /// None yet.
    pub fn new(file: &Arc<SourceFile>) -> Self {
        Self {
            file: Arc::clone(file),
            found: Vec::new(),
        }
    }

    /// Notes one.
    pub fn add(&mut self, span: Span, message: impl Into<String>, help: Option<String>) {
        self.found.push(Diagnostic {
            file: Arc::clone(&self.file),
            span,
            message: message.into(),
            help,
        });
    }

    /// Notes one that is there already.
    pub fn push(&mut self, mistake: Diagnostic) {
        self.found.push(mistake);
    }

    fn unknown_column(&mut self, name: &Ident, table: &Table) {
        let names = table.columns.iter().map(|c| c.field.name().as_str());
        let help = match crate::catalog::closest(&name.value, names.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the columns are: {}", names.collect::<Vec<_>>().join(", ")),
        };
        self.add(
            name.span,
            format!(
                "column '{}' not found in table '{}'",
                name.value, table.name
            ),
            Some(help),
        );
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All of them.
    pub fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.found
    }

    /// `value`, unless there are mistakes.
    ///
    /// # Errors
    /// The mistakes.
    pub fn or<T>(self, value: T) -> Result<T, Self> {
        if self.found.is_empty() {
            Ok(value)
        } else {
            Err(self)
        }
    }
}

/// An error of DataFusion's at a place in a file.
pub fn diagnose(file: &Arc<SourceFile>, span: Span, error: &DataFusionError) -> Diagnostic {
    Diagnostic::new(file, span, flink_words(&datafusion_message(error)))
}

/// A message of DataFusion's with Arrow's type names in Flink's words.
fn flink_words(message: &str) -> String {
    const NAMES: &[(&str, &str)] = &[
        ("Boolean", "BOOLEAN"),
        ("Int8", "TINYINT"),
        ("Int16", "SMALLINT"),
        ("Int32", "INT"),
        ("Int64", "BIGINT"),
        ("Float32", "FLOAT"),
        ("Float64", "DOUBLE"),
        ("Utf8", "STRING"),
        ("Binary", "BYTES"),
        ("Date32", "DATE"),
        ("Decimal128", "DECIMAL"),
        ("Timestamp(s)", "TIMESTAMP(0)"),
        ("Timestamp(ms)", "TIMESTAMP(3)"),
        ("Timestamp(µs)", "TIMESTAMP(6)"),
        ("Timestamp(ns)", "TIMESTAMP(9)"),
    ];
    NAMES.iter().fold(message.to_string(), |m, (arrow, flink)| {
        m.replace(arrow, flink)
    })
}
