//! FROM: tables, views, queries in parentheses, windows, joins.

use std::sync::Arc;

use datafusion::common::{Column as PlanColumn, DFSchema, JoinType, TableReference};
use datafusion::logical_expr::expr_rewriter::normalize_col;
use datafusion::logical_expr::{EmptyRelation, Expr, LogicalPlan, LogicalPlanBuilder};
use sqlparser::ast::{self, ObjectName, Spanned, TableFactor, TableWithJoins};
use sqlparser::tokenizer::Span;

use super::failures::can_fail;
use super::scope::{Relation, Scope, ScopeColumn};
use super::{Binder, Bound, PlanContext};
use crate::catalog::options::OptionError;
use crate::catalog::{ColumnKind, Relation as Declared, Table, View};
use crate::planner::builtin;
use crate::planner::tables::{database_of, name_parts};
use crate::sql::{is_reserved, table_function_call, table_options_hint};

impl PlanContext<'_> {
    /// A computed column that can fail, over the stored ones: only rows that reach it are to fail, so it is computed in the
    /// query and not by the source. What event time needs is computed by the source.
    ///
    /// # Errors
    /// A mistake in its expression.
    pub fn computed_late(&self, table: &Table, column: usize) -> Bound<Option<Expr>> {
        let ColumnKind::Computed(expr) = &table.columns[column].kind else {
            return Ok(None);
        };
        let name = table.columns[column].field.name();
        if let Some((time, watermark)) = &table.watermark
            && (*time == column || mentions(watermark, name))
        {
            return Ok(None);
        }
        let stored = table.columns.iter();
        let stored = stored.filter(|c| !matches!(c.kind, ColumnKind::Computed(_)));
        let stored: Vec<_> = stored.cloned().collect();
        let typed = self.expression(expr, &stored, &table.file)?;
        Ok(Some(typed.expr).filter(can_fail))
    }
}

impl<'a> Binder<'a> {
    /// The rows of FROM; one row without columns where there is none.
    pub(super) fn from(
        &mut self,
        from: &[TableWithJoins],
        outer: Option<&Scope<'_>>,
        span: Span,
    ) -> Bound<Relation> {
        let mut relation: Option<Relation> = None;
        for item in from {
            let next = self.joined_tables(item, outer)?;
            relation = Some(match relation {
                None => next,
                Some(left) => self.join(left, next, JoinType::Inner, None, outer, span)?,
            });
        }
        Ok(relation.unwrap_or_else(|| Relation {
            plan: LogicalPlan::EmptyRelation(EmptyRelation {
                produce_one_row: true,
                schema: Arc::new(DFSchema::empty()),
            }),
            columns: Vec::new(),
        }))
    }

    fn joined_tables(
        &mut self,
        item: &TableWithJoins,
        outer: Option<&Scope<'_>>,
    ) -> Bound<Relation> {
        use ast::JoinOperator as J;
        let mut relation = self.factor(&item.relation, outer)?;
        for join in &item.joins {
            let span = join.relation.span();
            let (kind, constraint) = match &join.join_operator {
                J::Join(c) | J::Inner(c) => (JoinType::Inner, c),
                J::Left(c) | J::LeftOuter(c) => (JoinType::Left, c),
                J::Right(c) | J::RightOuter(c) => (JoinType::Right, c),
                J::FullOuter(c) => (JoinType::Full, c),
                J::CrossJoin(c) => (JoinType::Inner, c),
                _ => return Err(self.mistake(span, "Flink SQL has no such join")),
            };
            let is_cross = matches!(join.join_operator, J::CrossJoin(_));
            if !is_cross && matches!(constraint, ast::JoinConstraint::None) {
                return Err(self.mistake_with(
                    join.relation.span(),
                    "a JOIN needs a condition",
                    "add ON a.x = b.x or USING (x); CROSS JOIN pairs all rows",
                ));
            }
            let right = self.factor(&join.relation, outer)?;
            relation = self.join(relation, right, kind, Some(constraint), outer, span)?;
        }
        Ok(relation)
    }

    /// One item of FROM.
    fn factor(&mut self, factor: &TableFactor, outer: Option<&Scope<'_>>) -> Bound<Relation> {
        let span = factor.span();
        if let Some(call) = table_function_call(factor) {
            let name = super::calls::function_name(call.name);
            return self.table_function(&name, &call, outer, span);
        }
        match factor {
            TableFactor::Table {
                name,
                alias,
                version,
                sample,
                ..
            } => {
                if version.is_some() {
                    return Err(self.unsupported(
                        span,
                        &format!("{name} FOR SYSTEM_TIME AS OF (temporal join)"),
                        "join the table as it is now: JOIN t ON ...",
                    ));
                }
                if sample.is_some() {
                    return Err(self.unsupported(
                        span,
                        "TABLESAMPLE",
                        "filter rows instead, for example WHERE MOD(id, 100) = 0",
                    ));
                }
                let hints = table_options_hint(factor).map_err(|m| self.mistake(span, m))?;
                let options: Vec<(String, String)> = hints
                    .into_iter()
                    .map(|o| (o.key.value, o.value.value))
                    .collect();
                let mut relation = self.named_table(name, &options, name.span())?;
                if let Some(alias) = alias {
                    self.rename(&mut relation, alias)?;
                }
                Ok(relation)
            }
            TableFactor::Derived {
                lateral,
                subquery,
                alias,
                sample,
            } => {
                if sample.is_some() {
                    return Err(self.unsupported(span, "TABLESAMPLE", "filter rows instead"));
                }
                if *lateral {
                    return Err(self.unsupported(
                        span,
                        "LATERAL",
                        "join the table of the subquery, with its condition in ON",
                    ));
                }
                let mut relation = self.query(subquery, None)?;
                for column in &mut relation.columns {
                    column.qualifier = None;
                }
                if let Some(alias) = alias {
                    self.rename(&mut relation, alias)?;
                }
                Ok(relation)
            }
            TableFactor::NestedJoin {
                table_with_joins,
                alias,
            } => {
                let mut relation = self.joined_tables(table_with_joins, outer)?;
                if let Some(alias) = alias {
                    self.rename(&mut relation, alias)?;
                }
                Ok(relation)
            }
            TableFactor::UNNEST { .. } => Err(self.unnest(span)),
            TableFactor::MatchRecognize { .. } => Err(self.unsupported(
                span,
                "MATCH_RECOGNIZE",
                "LAG and window aggregates find simple sequences",
            )),
            TableFactor::Pivot { .. } | TableFactor::Unpivot { .. } => Err(self.mistake_with(
                span,
                "Flink SQL has no PIVOT",
                "aggregate with FILTER: SUM(x) FILTER (WHERE kind = 'a')",
            )),
            other => Err(self.mistake(span, format!("Flink SQL has no {other} in FROM"))),
        }
    }

    pub(super) fn unnest(&self, span: Span) -> Box<crate::sql::Diagnostic> {
        self.unsupported(
            span,
            "UNNEST",
            "take elements by their place, as in items[1]",
        )
    }

    /// A table, a view or a query of WITH, by name.
    pub(super) fn named_table(
        &mut self,
        name: &ObjectName,
        options: &[(String, String)],
        span: Span,
    ) -> Bound<Relation> {
        let parts = name_parts(name);
        if let [only] = parts.as_slice()
            && let Some((_, relation)) = self.ctes.iter().rev().find(|(n, _)| n == only)
        {
            let mut relation = relation.clone();
            relation.alias(only);
            return Ok(relation);
        }
        let found = database_of(self.context.catalog, name);
        let (catalog, bare) =
            found.map_err(|(message, help)| self.mistake_with(span, message, help))?;
        let declared = catalog.get(bare).cloned();
        if declared.is_none()
            && let [database, table] = parts.as_slice()
            && *database == builtin::DATABASE
        {
            let Some(found) = builtin::table(table) else {
                let mut names = builtin::names();
                names.extend(catalog.iter().map(|(name, _)| name.as_str()));
                return Err(self.mistake_with(
                    span,
                    format!("table '{name}' not found"),
                    format!("the built-in tables are {}", names.join(", ")),
                ));
            };
            return self.scan(&found, table, span);
        }
        match declared {
            None if is_unquoted(name) && is_reserved(bare) => Err(self.mistake_with(
                span,
                format!("expected the name of a table, found the reserved word {bare}"),
                format!("a table that is called so is written `{bare}`"),
            )),
            None => {
                let message = format!("table '{bare}' not found");
                Err(match catalog.closest(bare) {
                    Some(near) => {
                        self.mistake_with(span, message, format!("did you mean '{near}'?"))
                    }
                    None => self.mistake(span, message),
                })
            }
            Some(Declared::View(_)) if !options.is_empty() => Err(self.mistake(
                span,
                format!("'{bare}' is a view: an OPTIONS hint goes after a table"),
            )),
            Some(Declared::View(view)) => {
                // Its names are those of its own database.
                let own = std::mem::replace(&mut self.context.catalog, catalog);
                let relation = self.view(&view, span);
                self.context.catalog = own;
                relation
            }
            Some(Declared::Table(mut table)) => {
                if !options.is_empty() {
                    let with = &mut Arc::make_mut(&mut table).with;
                    with.extend(options.iter().cloned());
                    self.check_hint(&table, options, span)?;
                }
                self.scan(&table, bare, span)
            }
        }
    }

    /// The options of a hint are those of a table that is read.
    fn check_hint(&self, table: &Table, options: &[(String, String)], span: Span) -> Bound<()> {
        let Err(wrong) = crate::connectors::source(table) else {
            return Ok(());
        };
        let of_hint = |e: &&OptionError| {
            let key = e.key.as_deref();
            options.iter().any(|(hint, _)| Some(hint.as_str()) == key)
        };
        match wrong.iter().find(of_hint) {
            None => Ok(()),
            Some(e) => {
                let message = format!("table '{}': {}", table.name, e.message);
                Err(match &e.help {
                    Some(help) => self.mistake_with(span, message, help),
                    None => self.mistake(span, message),
                })
            }
        }
    }

    fn scan(&mut self, table: &Arc<Table>, name: &str, span: Span) -> Bound<Relation> {
        let source = self.datafusion(span, (self.context.tables)(table))?;
        let plan = LogicalPlanBuilder::scan(TableReference::bare(name), source, None);
        let plan = self.datafusion(span, plan.and_then(LogicalPlanBuilder::build))?;
        let qualifier = TableReference::bare(name);
        let mut columns: Vec<ScopeColumn> =
            table.columns.iter().map(ScopeColumn::of_table).collect();
        let mut exprs = Vec::new();
        for (i, column) in columns.iter().enumerate() {
            let expr = match self.context.computed_late(table, i)? {
                Some(computed) => self.datafusion(span, normalize_col(computed, &plan))?,
                None => Expr::Column(PlanColumn::new(Some(qualifier.clone()), &column.id)),
            };
            exprs.push(expr.alias(&column.id));
        }
        let plan = self.projection(plan, exprs, span)?;
        for column in &mut columns {
            column.qualifier = Some(name.to_string());
        }
        Ok(Relation { plan, columns })
    }

    /// A view's query in its place, bound with the names that its own text sees.
    fn view(&mut self, view: &View, span: Span) -> Bound<Relation> {
        if self.views.contains(&view.name) {
            return Err(self.mistake(
                span,
                format!(
                    "view '{0}' reads itself: {1} -> {0}",
                    view.name,
                    self.views.join(" -> ")
                ),
            ));
        }
        self.views.push(view.name.clone());
        let file = std::mem::replace(&mut self.file, Arc::clone(&view.file));
        let ctes = std::mem::take(&mut self.ctes);
        let relation = self.query(&view.query, None);
        self.ctes = ctes;
        self.file = file;
        self.views.pop();
        let mut relation = relation.map_err(|mut mistake| {
            mistake.message = format!("in view '{}': {}", view.name, mistake.message);
            mistake
        })?;
        let width = relation.columns.len();
        if !view.columns.is_empty() && view.columns.len() != width {
            return Err(self.mistake(
                span,
                format!(
                    "view '{}' names {} columns, its query has {width}",
                    view.name,
                    view.columns.len()
                ),
            ));
        }
        for column in &mut relation.columns {
            column.name.clone_from(&column.id);
        }
        for (column, name) in relation.columns.iter_mut().zip(&view.columns) {
            column.name.clone_from(name);
        }
        for column in &mut relation.columns {
            column.qualifier = Some(view.name.clone());
        }
        Ok(relation)
    }
}

fn is_unquoted(name: &ObjectName) -> bool {
    let last = name.0.last().and_then(|p| p.as_ident());
    last.is_some_and(|i| i.quote_style.is_none())
}

/// Whether an expression names a column.
fn mentions(expr: &ast::Expr, column: &str) -> bool {
    struct Finder<'c>(&'c str);
    impl ast::Visitor for Finder<'_> {
        type Break = ();
        fn pre_visit_expr(&mut self, expr: &ast::Expr) -> std::ops::ControlFlow<()> {
            match expr {
                ast::Expr::Identifier(name) if name.value == self.0 => {
                    std::ops::ControlFlow::Break(())
                }
                _ => std::ops::ControlFlow::Continue(()),
            }
        }
    }
    ast::Visit::visit(expr, &mut Finder(column)).is_break()
}
