//! SELECT: from rows to groups, windows and columns, in the order in which SQL evaluates them.

use datafusion::common::Column;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::expr::Sort;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder};
use sqlparser::ast::{self, Select, SetExpr, Spanned};
use sqlparser::tokenizer::Span;

use super::aggregates::{Replaced, has_aggregate, replace};
use super::failures::can_fail;
use super::items::Item;
use super::over::sort_of;
use super::predicates::chain;
use super::scope::{Relation, Scope, ScopeColumn, ScopeName};
use super::{Binder, Bound, Typed};
use crate::sql::Diagnostic;

/// Where a key of ORDER BY is found.
enum OrderKey {
    /// A column of the SELECT list.
    Column(usize),
    /// An expression over the rows beneath it.
    Value(Box<Typed>),
}

impl Binder<'_> {
    /// A SELECT, sorted by `order_by`.
    pub(super) fn select(
        &mut self,
        select: &Select,
        order_by: &[ast::OrderByExpr],
        outer: Option<&Scope<'_>>,
    ) -> Bound<Relation> {
        let span = select.span();
        self.refuse_clauses(select, span)?;
        let named = self.windows.len();
        for definition in &select.named_window {
            match &definition.1 {
                ast::NamedWindowExpr::WindowSpec(spec) => {
                    self.windows
                        .push((definition.0.value.clone(), spec.clone()));
                }
                ast::NamedWindowExpr::NamedWindow(other) => {
                    return Err(
                        self.mistake(other.span, "WINDOW ... AS takes a window in parentheses")
                    );
                }
            }
        }
        let relation = self.select_body(select, order_by, outer, span);
        self.windows.truncate(named);
        relation
    }

    fn refuse_clauses(&self, select: &Select, span: Span) -> Bound<()> {
        let other = [
            (select.top.is_some(), "TOP"),
            (select.into.is_some(), "SELECT INTO"),
            (!select.lateral_views.is_empty(), "LATERAL VIEW"),
            (select.prewhere.is_some(), "PREWHERE"),
            (!select.connect_by.is_empty(), "CONNECT BY"),
            (!select.cluster_by.is_empty(), "CLUSTER BY"),
            (!select.sort_by.is_empty(), "SORT BY"),
            (
                matches!(select.distinct, Some(ast::Distinct::On(_))),
                "DISTINCT ON",
            ),
        ];
        match other.iter().find(|(is_there, _)| *is_there) {
            Some((_, name)) => {
                let message = format!("Flink SQL has no {name}");
                Err(match *name {
                    "TOP" => self.mistake_with(span, message, "write LIMIT at the end of the query"),
                    "DISTINCT ON" => self.mistake_with(
                        span,
                        message,
                        "number the rows of each key in a subquery, with ROW_NUMBER() OVER (PARTITION BY ... ORDER BY ...), and keep \
                         number 1",
                    ),
                    "SELECT INTO" => self.mistake_with(span, message, "write INSERT INTO t SELECT ..."),
                    _ => self.mistake(span, message),
                })
            }
            None => Ok(()),
        }
    }

    fn select_body(
        &mut self,
        select: &Select,
        order_by: &[ast::OrderByExpr],
        outer: Option<&Scope<'_>>,
        span: Span,
    ) -> Bound<Relation> {
        let mut relation = self.from(&select.from, outer, span)?;
        if let Some(condition) = &select.selection {
            let filtered = self.restricted(relation, condition, "WHERE", outer);
            relation = filtered.map_err(|e| named_later(e, select))?;
        }

        // Everything is bound over the rows of FROM; what is an aggregate or a window is taken out of it afterwards.
        let scope = relation.scope(outer);
        let mut items = self.items(&select.projection, &scope)?;
        let groups = self.groups(&select.group_by, &scope);
        let groups = groups.map_err(|e| named_later(e, select))?;
        let having = self.conditions(select.having.as_ref(), "HAVING", &scope);
        let mut having = having.map_err(|e| named_later(e, select))?;
        let qualify = select
            .qualify
            .clone()
            .map(|q| with_names_of(q, &items, &scope));
        let mut qualify = self.conditions(qualify.as_ref(), "QUALIFY", &scope)?;
        let mut keys = self.order_keys(order_by, &items, &scope)?;

        let key_exprs = |keys: &[OrderKey]| -> Vec<Expr> {
            let value = |k: &OrderKey| match k {
                OrderKey::Value(value) => Some(value.expr.clone()),
                OrderKey::Column(_) => None,
            };
            keys.iter().filter_map(value).collect()
        };
        let sorted_by = key_exprs(&keys);
        let all: Vec<Expr> = items
            .iter()
            .map(|i| &i.value.expr)
            .chain(having.iter().map(|(c, _)| &c.expr))
            .chain(qualify.iter().map(|(c, _)| &c.expr))
            .chain(&sorted_by)
            .cloned()
            .collect();
        let is_grouped =
            !groups.keys.is_empty() || groups.sets.is_some() || all.iter().any(has_aggregate);
        if !is_grouped && let Some(condition) = &select.having {
            return Err(self.mistake_with(
                condition.span(),
                "HAVING goes with GROUP BY or an aggregate",
                "use WHERE",
            ));
        }
        if is_grouped {
            let (grouped, replaced) = self.grouped(relation, groups, &all, span)?;
            relation = grouped;
            for (condition, written) in having.iter_mut().chain(&mut qualify) {
                *condition = self.over_groups(condition.clone(), &replaced, &relation, written)?;
            }
            for item in &mut items {
                let star = ast::Expr::Identifier(ast::Ident::new("*"));
                let written = item.written.as_ref().unwrap_or(&star);
                item.value = self.over_groups(item.value.clone(), &replaced, &relation, written)?;
            }
            for (key, written) in keys.iter_mut().zip(order_by) {
                if let OrderKey::Value(value) = key {
                    let over =
                        self.over_groups(*value.clone(), &replaced, &relation, &written.expr)?;
                    *key = OrderKey::Value(Box::new(over));
                }
            }
        }
        let having = having.into_iter().map(|(c, _)| c).collect();
        relation = self.filtered(relation, having)?;

        // Subqueries become joins before the windows, which may be over what they give.
        for item in &mut items {
            (relation, item.value) = self.attached(relation, item.value.clone(), span)?;
        }
        for (condition, _) in &mut qualify {
            (relation, *condition) = self.attached(relation, condition.clone(), span)?;
        }
        for key in &mut keys {
            if let OrderKey::Value(value) = key {
                let (attached, over) = self.attached(relation, *value.clone(), span)?;
                relation = attached;
                *key = OrderKey::Value(Box::new(over));
            }
        }
        let sorted_by = key_exprs(&keys);
        let exprs: Vec<Expr> = items
            .iter()
            .map(|i| &i.value.expr)
            .chain(qualify.iter().map(|(c, _)| &c.expr))
            .chain(&sorted_by)
            .cloned()
            .collect();
        let (windowed, replaced) = self.windowed(relation, &exprs, span)?;
        relation = windowed;
        if !replaced.is_empty() {
            for item in &mut items {
                item.value.expr = replace(item.value.expr.clone(), &replaced);
            }
            for (condition, _) in &mut qualify {
                condition.expr = replace(condition.expr.clone(), &replaced);
            }
            for key in &mut keys {
                if let OrderKey::Value(value) = key {
                    value.expr = replace(value.expr.clone(), &replaced);
                }
            }
        }
        let qualify = qualify.into_iter().map(|(c, _)| c).collect();
        relation = self.filtered(relation, qualify)?;

        let is_distinct = matches!(select.distinct, Some(ast::Distinct::Distinct));
        self.output(relation, items, keys, order_by, is_distinct, span)
    }

    /// The columns of SELECT, each once where DISTINCT says so, in the order of ORDER BY.
    fn output(
        &mut self,
        relation: Relation,
        items: Vec<Item>,
        keys: Vec<OrderKey>,
        order_by: &[ast::OrderByExpr],
        is_distinct: bool,
        span: Span,
    ) -> Bound<Relation> {
        let width = items.len();
        let mut columns: Vec<(Typed, ScopeName)> = items
            .into_iter()
            .map(|i| (i.value, ScopeName::item(i.name)))
            .collect();
        let mut places = Vec::new();
        for (key, written) in keys.into_iter().zip(order_by) {
            match key {
                OrderKey::Column(i) => places.push(i),
                OrderKey::Value(value) => {
                    let same = columns.iter().position(|(c, _)| c.expr == value.expr);
                    match same {
                        Some(i) => places.push(i),
                        None if is_distinct => {
                            return Err(self.mistake_with(
                                written.expr.span(),
                                "ORDER BY of a SELECT DISTINCT takes what is in the SELECT list",
                                "add it to the SELECT list",
                            ));
                        }
                        None => {
                            places.push(columns.len());
                            let name = ScopeName::item(self.fresh_name("sort"));
                            columns.push((*value, name));
                        }
                    }
                }
            }
        }
        let mut relation = self.projected(relation, columns, span)?;
        if is_distinct {
            relation = self.each_once(relation, span)?;
        }
        if !places.is_empty() {
            let sorts: Vec<Sort> = places
                .iter()
                .zip(order_by)
                .map(|(place, item)| sort_of(relation.columns[*place].expr(), item))
                .collect();
            relation = Self::sorted(relation, sorts);
        }
        self.first_columns(relation, width, span)
    }

    pub(super) fn sorted(relation: Relation, sorts: Vec<Sort>) -> Relation {
        let plan = datafusion::logical_expr::LogicalPlan::Sort(datafusion::logical_expr::Sort {
            expr: sorts,
            input: std::sync::Arc::new(relation.plan),
            fetch: None,
        });
        Relation {
            plan,
            columns: relation.columns,
        }
    }

    /// Without the columns that only served to sort.
    fn first_columns(&self, relation: Relation, width: usize, span: Span) -> Bound<Relation> {
        if relation.columns.len() == width {
            return Ok(relation);
        }
        let kept = relation.columns[..width].to_vec();
        let columns = kept
            .iter()
            .map(|c| (c.typed(), ScopeName::same(c)))
            .collect();
        self.projected(relation, columns, span)
    }

    /// DISTINCT: a group for each row.
    pub(super) fn each_once(&self, relation: Relation, span: Span) -> Bound<Relation> {
        let keys: Vec<Expr> = relation.columns.iter().map(ScopeColumn::expr).collect();
        let plan = LogicalPlanBuilder::from(relation.plan).aggregate(keys, Vec::<Expr>::new());
        let plan = self.datafusion(span, plan.and_then(LogicalPlanBuilder::build))?;
        Ok(Relation {
            plan,
            columns: relation.columns,
        })
    }

    /// The conditions of a chain of AND, in order, bound but not yet part of the plan.
    fn conditions(
        &mut self,
        condition: Option<&ast::Expr>,
        what: &str,
        scope: &Scope<'_>,
    ) -> Bound<Vec<(Typed, ast::Expr)>> {
        let Some(condition) = condition else {
            return Ok(Vec::new());
        };
        chain(condition, &ast::BinaryOperator::And)
            .into_iter()
            .map(|part| {
                let bound = self.expr(part, scope)?;
                let bound = self.condition(bound, what, part.span())?;
                Ok((bound, part.clone()))
            })
            .collect()
    }

    /// The rows for which a condition over them holds.
    pub(super) fn restricted(
        &mut self,
        relation: Relation,
        condition: &ast::Expr,
        what: &str,
        outer: Option<&Scope<'_>>,
    ) -> Bound<Relation> {
        let bound = self.conditions(Some(condition), what, &relation.scope(outer))?;
        for (value, written) in &bound {
            let misplaced = if has_aggregate(&value.expr) {
                "an aggregate function"
            } else if has_window(&value.expr) {
                "OVER"
            } else {
                continue;
            };
            return Err(self.mistake_with(
                written.span(),
                format!("{what} takes no condition with {misplaced}"),
                "filter groups with HAVING, and windows in a query around this one",
            ));
        }
        let width = relation.columns.len();
        let conditions = bound.into_iter().map(|(c, _)| c).collect();
        let relation = self.filtered(relation, conditions)?;
        self.first_columns(relation, width, condition.span())
    }

    /// The rows for which all conditions hold, looked at in this order: what can fail only sees the rows that are left.
    fn filtered(&mut self, relation: Relation, conditions: Vec<Typed>) -> Bound<Relation> {
        let mut relation = relation;
        let mut together: Vec<Expr> = Vec::new();
        for condition in conditions {
            let has_subquery = super::expressions::has_subquery(&condition.expr);
            if has_subquery || can_fail(&condition.expr) {
                relation = self.filter_by(relation, std::mem::take(&mut together))?;
            }
            if has_subquery {
                relation = self.filtered_by_subquery(relation, condition)?;
            } else if can_fail(&condition.expr) {
                relation = self.filter_by(relation, vec![condition.expr])?;
            } else {
                together.push(condition.expr);
            }
        }
        self.filter_by(relation, together)
    }

    pub(super) fn filter_by(&self, relation: Relation, all: Vec<Expr>) -> Bound<Relation> {
        let Some(predicate) = datafusion::logical_expr::utils::conjunction(all) else {
            return Ok(relation);
        };
        let filter = datafusion::logical_expr::Filter::try_new(
            predicate,
            std::sync::Arc::new(relation.plan),
        );
        let filter = self.datafusion(Span::empty(), filter)?;
        Ok(Relation {
            plan: datafusion::logical_expr::LogicalPlan::Filter(filter),
            columns: relation.columns,
        })
    }

    /// The relation with a column for each OVER that is in `exprs`; and what these become.
    fn windowed(
        &mut self,
        relation: Relation,
        exprs: &[Expr],
        span: Span,
    ) -> Bound<(Relation, Replaced)> {
        let mut calls: Vec<Expr> = Vec::new();
        let mut seen: std::collections::HashSet<Expr> = std::collections::HashSet::new();
        for expr in exprs {
            let _ = expr.apply(|e| {
                if let Expr::WindowFunction(_) = e {
                    if seen.insert(e.clone()) {
                        calls.push(e.clone());
                    }
                    return Ok(TreeNodeRecursion::Jump);
                }
                Ok(TreeNodeRecursion::Continue)
            });
        }
        if calls.is_empty() {
            return Ok((relation, Replaced::new()));
        }
        let mut replaced = Replaced::new();
        let mut named = Vec::new();
        let mut columns = relation.columns;
        for call in calls {
            let id = call.schema_name().to_string();
            columns.push(ScopeColumn::unnamed(
                &id,
                crate::sql::ast::SqlType::nullable(crate::sql::ast::SqlTypeKind::Null),
            ));
            replaced.insert(call.clone(), Expr::Column(Column::new_unqualified(&id)));
            named.push(call);
        }
        let plan = LogicalPlanBuilder::window_plan(relation.plan, named);
        let plan = self.datafusion(span, plan)?;
        // DataFusion puts windows of one order together: the columns come as the plan has them.
        let columns = plan
            .schema()
            .fields()
            .iter()
            .filter_map(|f| columns.iter().find(|c| c.id == *f.name()).cloned())
            .collect();
        Ok((Relation { plan, columns }, replaced))
    }

    /// The column that a number in ORDER BY stands for, counted from 0; `None` for any other expression.
    pub(super) fn place(&self, expr: &ast::Expr, columns: usize) -> Bound<Option<usize>> {
        let ast::Expr::Value(value) = expr else {
            return Ok(None);
        };
        let ast::Value::Number(number, _) = &value.value else {
            return Ok(None);
        };
        match number.parse::<usize>() {
            Ok(n) if (1..=columns).contains(&n) => Ok(Some(n - 1)),
            _ => Err(self.mistake(
                value.span,
                format!("ORDER BY {number}: the SELECT list has {columns} columns"),
            )),
        }
    }

    /// What ORDER BY sorts by: a place in the SELECT list, a name that it gives, or any expression over the rows.
    fn order_keys(
        &mut self,
        order_by: &[ast::OrderByExpr],
        items: &[Item],
        scope: &Scope<'_>,
    ) -> Bound<Vec<OrderKey>> {
        let mut keys = Vec::new();
        for item in order_by {
            let place = match &item.expr {
                ast::Expr::Identifier(name) => items.iter().position(|i| i.name == name.value),
                other => self.place(other, items.len())?,
            };
            keys.push(match place {
                Some(i) => OrderKey::Column(i),
                None => OrderKey::Value(Box::new(self.expr(&item.expr, scope)?)),
            });
        }
        Ok(keys)
    }

    /// The rows that a body of a query gives, whatever it is.
    pub(super) fn body(
        &mut self,
        body: &SetExpr,
        order_by: &[ast::OrderByExpr],
        outer: Option<&Scope<'_>>,
    ) -> Bound<Relation> {
        match body {
            SetExpr::Select(select) => self.select(select, order_by, outer),
            other => {
                let relation = self.set_expr(other, outer)?;
                self.sorted_by_output(relation, order_by)
            }
        }
    }
}

/// A condition of QUALIFY, which also knows the names that SELECT gives.
fn with_names_of(condition: ast::Expr, items: &[Item], scope: &Scope<'_>) -> ast::Expr {
    struct Names<'i>(&'i [Item], &'i [ScopeColumn]);
    impl ast::VisitorMut for Names<'_> {
        type Break = ();
        fn post_visit_expr(&mut self, expr: &mut ast::Expr) -> std::ops::ControlFlow<()> {
            if let ast::Expr::Identifier(name) = expr
                && !self.1.iter().any(|c| c.name == name.value)
                && let Some(item) = self.0.iter().find(|i| i.name == name.value)
                && let Some(written) = &item.written
            {
                *expr = ast::Expr::Nested(Box::new(written.clone()));
            }
            std::ops::ControlFlow::Continue(())
        }
    }
    let mut condition = condition;
    let _ = ast::VisitMut::visit(&mut condition, &mut Names(items, scope.columns));
    condition
}

fn has_window(expr: &Expr) -> bool {
    expr.exists(|e| Ok(matches!(e, Expr::WindowFunction(_))))
        .unwrap_or(false)
}

/// A mistake over a column that is not there, where the SELECT gives that name itself.
fn named_later(mistake: Box<Diagnostic>, select: &Select) -> Box<Diagnostic> {
    let named = select.projection.iter().find_map(|item| match item {
        ast::SelectItem::ExprWithAlias { expr, alias } => {
            let is_it = mistake.message == format!("Column '{}' not found", alias.value);
            is_it.then(|| (alias, expr.to_string()))
        }
        _ => None,
    });
    match named {
        Some((alias, text)) => Box::new(mistake.with_help(format!(
            "{alias} is a name that this SELECT gives, which its WHERE, GROUP BY and HAVING do not know: write {text}"
        ))),
        None => mistake,
    }
}
