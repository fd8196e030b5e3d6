//! Statements and catalog to a checked dataflow graph.

pub mod builtin;
mod context;
mod lower;
mod rewrite;
mod tables;
pub mod types;
mod windows;

use std::sync::Arc;

use datafusion::common::DFSchema;
use datafusion::common::config::ConfigOptions;
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::analyzer::resolve_grouping_function::ResolveGroupingFunction;
use datafusion::optimizer::analyzer::type_coercion::{TypeCoercion, TypeCoercionRewriter};
use datafusion::optimizer::common_subexpr_eliminate::CommonSubexprEliminate;
use datafusion::optimizer::decorrelate_predicate_subquery::DecorrelatePredicateSubquery;
use datafusion::optimizer::eliminate_cross_join::EliminateCrossJoin;
use datafusion::optimizer::eliminate_filter::EliminateFilter;
use datafusion::optimizer::eliminate_outer_join::EliminateOuterJoin;
use datafusion::optimizer::extract_equijoin_predicate::ExtractEquijoinPredicate;
use datafusion::optimizer::optimize_projections::OptimizeProjections;
use datafusion::optimizer::optimize_unions::OptimizeUnions;
use datafusion::optimizer::push_down_filter::PushDownFilter;
use datafusion::optimizer::replace_distinct_aggregate::ReplaceDistinctWithAggregate;
use datafusion::optimizer::scalar_subquery_to_join::ScalarSubqueryToJoin;
use datafusion::optimizer::simplify_expressions::SimplifyExpressions;
use datafusion::optimizer::{Analyzer, Optimizer, OptimizerContext};
use sqlparser::ast::Ident;
use sqlparser::tokenizer::Span;

pub use context::{Functions, PlanContext, StreamTable, TableMaker, bare_name, tables_read};
pub use lower::{InsertPlan, Lowering, PlanOptions, SinkCheck};
pub use tables::{create_table, object_name};

use crate::catalog::Table;
use crate::error::datafusion_message;
use crate::sql::{Diagnostic, SourceFile};

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

    /// Notes what DataFusion's planner says, at the place it names, else at `span`.
    pub fn datafusion(&mut self, span: Span, error: &DataFusionError) {
        self.found.push(diagnose(&self.file, span, error));
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

/// DataFusion's planning error as a mistake in a file.
pub fn diagnose(file: &Arc<SourceFile>, span: Span, error: &DataFusionError) -> Diagnostic {
    let mut place = span;
    if let Some(diagnostic) = error.diagnostic()
        && let Some(s) = &diagnostic.span
    {
        use sqlparser::tokenizer::Location;
        place = Span::new(
            Location::new(s.start.line, s.start.column),
            Location::new(s.end.line, s.end.column),
        );
    }
    let mut message = datafusion_message(error);
    let mut help = None;
    if let DataFusionError::SchemaError(e, _) = error.find_root()
        && let datafusion::common::SchemaError::FieldNotFound {
            field,
            valid_fields,
        } = e.as_ref()
    {
        message = format!("Column '{}' not found", field.name);
        let names: Vec<&str> = valid_fields.iter().map(|c| c.name.as_str()).collect();
        help = match crate::catalog::closest(&field.name, names.iter().copied()) {
            Some(near) => Some(format!("did you mean `{near}`?")),
            None if names.is_empty() => None,
            None => Some(format!("the columns are: {}", names.join(", "))),
        };
    } else if let Some((head, near)) = message.split_once("; did you mean ") {
        help = Some(format!("did you mean {near}"));
        message = head.to_string();
    }
    if let Some(name) = group_window(&message) {
        message = format!("GROUP BY {name}(...), a group window, is not supported");
        help = Some(
            "use the table function: FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '5' MINUTE)) ... GROUP BY window_start, window_end"
                .to_string(),
        );
    }
    Diagnostic {
        file: Arc::clone(file),
        span: place,
        message: flink_words(&message),
        help,
    }
}

/// The window of an unknown function that belongs to Flink's old GROUP BY windows.
fn group_window(message: &str) -> Option<&'static str> {
    let (_, name) = message.split_once("Invalid function '")?;
    ["TUMBLE", "HOP", "SESSION"]
        .into_iter()
        .find(|w| name.to_uppercase().starts_with(w))
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

/// Types a plan as Flink does and brings it into the form the graph is made from.
///
/// # Errors
/// Types that do not fit.
pub fn analyze(plan: LogicalPlan) -> DfResult<LogicalPlan> {
    let plan = analyze_types(plan)?;
    let optimizer = Optimizer::with_rules(vec![
        Arc::new(OptimizeUnions::new()),
        Arc::new(SimplifyExpressions::new()),
        Arc::new(ReplaceDistinctWithAggregate::new()),
        Arc::new(DecorrelatePredicateSubquery::new()),
        Arc::new(ScalarSubqueryToJoin::new()),
        Arc::new(ExtractEquijoinPredicate::new()),
        Arc::new(EliminateFilter::new()),
        Arc::new(EliminateCrossJoin::new()),
        Arc::new(EliminateOuterJoin::new()),
        Arc::new(PushDownFilter::new()),
        Arc::new(CommonSubexprEliminate::new()),
        Arc::new(OptimizeProjections::new()),
    ]);
    let mut options = ConfigOptions::new();
    // Every scalar subquery becomes a join: it changes as its table does.
    options
        .optimizer
        .enable_physical_uncorrelated_scalar_subquery = false;
    let context =
        OptimizerContext::new_with_config_options(Arc::new(options)).with_skip_failing_rules(false);
    optimizer.optimize(plan, &context, |_, _| {})
}

/// Types a plan as Flink does.
///
/// # Errors
/// Types that do not fit.
pub fn analyze_types(plan: LogicalPlan) -> DfResult<LogicalPlan> {
    let config = ConfigOptions::new();
    let analyzer = Analyzer::with_rules(vec![
        Arc::new(rewrite::FlinkTyping),
        Arc::new(ResolveGroupingFunction::new()),
        Arc::new(TypeCoercion::new()),
    ]);
    analyzer.execute_and_check(plan, &config, |_, _| {})
}

/// Types an expression outside a plan, as [`analyze`] does inside.
///
/// # Errors
/// Types that do not fit.
pub fn analyze_expression(expr: Expr, schema: &DFSchema) -> DfResult<Expr> {
    use datafusion::common::tree_node::TreeNode;
    let typed = rewrite::type_expression(expr, schema)?;
    Ok(typed.rewrite(&mut TypeCoercionRewriter::new(schema))?.data)
}
