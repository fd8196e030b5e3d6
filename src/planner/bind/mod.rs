//! Syntax trees and the catalog to plans whose every expression has Flink's name, type and evaluation.
//!
//! What comes out is a DataFusion plan with nothing left to decide: every cast is written out, what can fail is reached only by
//! the rows that Flink would evaluate it for, subqueries are joins. Streams, snapshot queries, computed columns, watermarks and
//! sinks all come through here.
//!
//! The columns of a bound plan have no qualifiers and each a name of its own; which SQL names they go by is known to the
//! [`Relation`] alone.

mod aggregates;
mod arithmetic;
mod calls;
mod casts;
mod correlation;
mod emptiness;
mod expressions;
mod failures;
mod from;
mod items;
mod joins;
mod kinds;
mod literals;
mod over;
mod predicates;
mod queries;
mod scope;
mod select;
mod sinks;
mod subqueries;
mod windows;

use std::sync::Arc;

use datafusion::common::DFSchema;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, LogicalPlan, Projection, TableSource};
use sqlparser::ast::{self, Query};
use sqlparser::tokenizer::Span;

use super::functions::Functions;
use crate::catalog::{Catalog, Column, Table};
use crate::error::datafusion_message;
use crate::sql::ast::{SqlType, SqlTypeKind};
use crate::sql::{Diagnostic, SourceFile};

pub(super) use aggregates::replace;
pub(super) use failures::can_fail;
pub(super) use joins::Matching;
use scope::{Relation, Scope, ScopeColumn};
pub use windows::{WindowTvf, interval_millis};

/// Makes the DataFusion table of a table: for planning a stream, or for reading it in a batch query.
pub type TableMaker<'a> =
    dyn Fn(&Arc<Table>) -> datafusion::error::Result<Arc<dyn TableSource>> + Send + Sync + 'a;

/// What a mistake of the person makes of a result.
pub type Bound<T> = Result<T, Box<Diagnostic>>;

/// What names stand for while a statement is bound.
#[derive(Clone, Copy)]
pub struct PlanContext<'a> {
    /// Tables and views.
    pub catalog: &'a Catalog,
    /// The functions a query may call.
    pub functions: &'a Functions,
    /// What a table name stands for in a plan.
    pub tables: &'a TableMaker<'a>,
    /// Integer arithmetic fails on overflow (`flowline.arithmetic.overflow` = `error`) instead of wrapping around.
    pub checked: bool,
}

/// A query with every name and type decided.
#[derive(Debug, Clone)]
pub struct BoundQuery {
    /// Its rows.
    pub plan: LogicalPlan,
    /// The names and types of its columns, in order.
    pub columns: Vec<(String, SqlType)>,
}

/// An expression and its Flink type. The Arrow type of `expr` is that of `ty`.
#[derive(Debug, Clone)]
pub struct Typed {
    /// What is evaluated.
    pub expr: Expr,
    /// What comes out.
    pub ty: SqlType,
}

impl Typed {
    fn new(expr: Expr, kind: SqlTypeKind, nullable: bool) -> Self {
        Self {
            expr,
            ty: SqlType { kind, nullable },
        }
    }

    fn boolean(expr: Expr, nullable: bool) -> Self {
        Self::new(expr, SqlTypeKind::Boolean, nullable)
    }

    fn is_null_literal(&self) -> bool {
        matches!(&self.expr, Expr::Literal(value, _) if value.is_null())
            && self.ty.kind == SqlTypeKind::Null
    }
}

impl<'a> PlanContext<'a> {
    /// Binds a query that stands in `file`.
    ///
    /// # Errors
    /// The first mistake: unknown names, types that do not fit, features that flowline does not have.
    pub fn query(&self, query: &Query, file: &Arc<SourceFile>) -> Bound<BoundQuery> {
        let mut binder = Binder::new(*self, file);
        let relation = binder.query(query, None)?;
        if let Some(column) = relation
            .columns
            .iter()
            .find(|c| c.ty.kind == SqlTypeKind::Null)
        {
            return Err(binder.mistake_with(
                sqlparser::ast::Spanned::span(query),
                format!(
                    "Illegal use of 'NULL': the column '{}' has no type",
                    column.id
                ),
                "CAST(NULL AS STRING) gives it one",
            ));
        }
        if let Some(column) = relation
            .columns
            .iter()
            .find(|c| kinds::is_interval(&c.ty.kind))
        {
            return Err(binder.unsupported(
                sqlparser::ast::Spanned::span(query),
                &format!("the column '{}' of type {}", column.id, column.ty.kind),
                "add it to a time, or take a number: TIMESTAMPDIFF(SECOND, a, b)",
            ));
        }
        Ok(BoundQuery {
            columns: relation
                .columns
                .iter()
                // Of columns of one name the later ones are numbered, as the plan has them: k, k0.
                .map(|c| (c.id.clone(), c.ty.clone()))
                .collect(),
            plan: relation.plan,
        })
    }

    /// Binds an expression over the columns of a table, whose own names are those of the plan.
    ///
    /// # Errors
    /// The first mistake.
    pub fn expression(
        &self,
        expr: &ast::Expr,
        columns: &[Column],
        file: &Arc<SourceFile>,
    ) -> Bound<Typed> {
        let schema = columns.iter().map(|c| c.field.clone()).collect::<Vec<_>>();
        let schema = DFSchema::try_from(arrow::datatypes::Schema::new(schema));
        let binder = Binder::new(*self, file);
        let schema = schema.map_err(|e| binder.internal(Span::empty(), &e))?;
        let columns: Vec<ScopeColumn> = columns.iter().map(ScopeColumn::of_table).collect();
        let scope = Scope::new(&schema, &columns, None);
        let mut binder = binder;
        let bound = binder.expr(expr, &scope)?;
        if aggregates::has_aggregate(&bound.expr) || expressions::has_subquery(&bound.expr) {
            return Err(binder.mistake_with(
                sqlparser::ast::Spanned::span(expr),
                "a computed column is an expression over one row",
                "aggregates and subqueries go in a view",
            ));
        }
        Ok(bound)
    }
}

/// Binds one statement.
struct Binder<'a> {
    context: PlanContext<'a>,
    /// Where the text that is being bound stands; a view's own while it is bound.
    file: Arc<SourceFile>,
    /// The queries of WITH, innermost last.
    ctes: Vec<(String, Relation)>,
    /// The views being bound, outermost first: one that is in it reads itself.
    views: Vec<String>,
    /// The windows that WINDOW names, innermost last.
    windows: Vec<(String, ast::WindowSpec)>,
    /// Names given to columns that have none of their own.
    fresh: usize,
}

impl<'a> Binder<'a> {
    fn new(context: PlanContext<'a>, file: &Arc<SourceFile>) -> Self {
        Self {
            context,
            file: Arc::clone(file),
            ctes: Vec::new(),
            views: Vec::new(),
            windows: Vec::new(),
            fresh: 0,
        }
    }

    /// A mistake at a place.
    fn mistake(&self, span: Span, message: impl Into<String>) -> Box<Diagnostic> {
        Box::new(Diagnostic::new(&self.file, span, message))
    }

    /// A mistake at a place, and what to write instead.
    fn mistake_with(
        &self,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Box<Diagnostic> {
        Box::new(Diagnostic::new(&self.file, span, message).with_help(help))
    }

    /// What Flink has and flowline does not.
    fn unsupported(&self, span: Span, what: &str, help: &str) -> Box<Diagnostic> {
        self.mistake_with(span, format!("{what} is not supported yet"), help)
    }

    /// An error of DataFusion's where the binder should have left nothing to decide.
    fn internal(&self, span: Span, error: &DataFusionError) -> Box<Diagnostic> {
        let message = datafusion_message(error);
        // What the function itself says comes last.
        let own = message.rsplit("Error during planning: ").next();
        self.mistake(span, super::flink_words(own.unwrap_or(&message)))
    }

    fn datafusion<T>(&self, span: Span, result: datafusion::error::Result<T>) -> Bound<T> {
        result.map_err(|e| self.internal(span, &e))
    }

    /// Other columns over a plan. The expressions are bound: no name in them is looked up again, which takes long where there
    /// are many.
    fn projection(&self, input: LogicalPlan, exprs: Vec<Expr>, span: Span) -> Bound<LogicalPlan> {
        let made = Projection::try_new(exprs, Arc::new(input));
        self.datafusion(span, made.map(LogicalPlan::Projection))
    }

    /// A column name that no statement can contain.
    fn fresh_name(&mut self, what: &str) -> String {
        self.fresh += 1;
        format!("${what}{}", self.fresh)
    }
}

/// Runs a step of the recursion over a syntax tree on a stack that grows, so that deep nesting cannot overflow it.
fn nested<T>(step: impl FnOnce() -> T) -> T {
    const RED_ZONE: usize = 256 * 1024;
    const SEGMENT: usize = 4 * 1024 * 1024;
    stacker::maybe_grow(RED_ZONE, SEGMENT, step)
}
