//! Queries: WITH, set operations, VALUES, ORDER BY and LIMIT around SELECTs.

use datafusion::common::{JoinType, NullEquality};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use sqlparser::ast::{self, LimitClause, Query, SetExpr, SetOperator, SetQuantifier, Spanned};
use sqlparser::tokenizer::Span;
use std::sync::Arc;

use super::casts::common_kind;
use super::joins::JoinHow;
use super::kinds::is_integer;
use super::over::sort_of;
use super::scope::{Relation, Scope, ScopeColumn, ScopeName};
use super::{Binder, Bound, Typed, nested};
use crate::planner::types::arrow_type;
use crate::sql::ast::SqlType;

impl Binder<'_> {
    pub(super) fn query(&mut self, query: &Query, outer: Option<&Scope<'_>>) -> Bound<Relation> {
        nested(|| self.whole_query(query, outer))
    }

    fn whole_query(&mut self, query: &Query, outer: Option<&Scope<'_>>) -> Bound<Relation> {
        let known = self.ctes.len();
        if let Some(with) = &query.with {
            if with.recursive {
                return Err(self.unsupported(
                    query.span(),
                    "WITH RECURSIVE",
                    "Flink has it in batch mode only",
                ));
            }
            for cte in &with.cte_tables {
                let mut relation = self.query(&cte.query, outer)?;
                let name = cte.alias.name.value.clone();
                self.rename(&mut relation, &cte.alias)?;
                self.ctes.push((name, relation));
            }
        }
        let relation = self.ordered(query, outer);
        self.ctes.truncate(known);
        relation
    }

    fn ordered(&mut self, query: &Query, outer: Option<&Scope<'_>>) -> Bound<Relation> {
        let order_by = match &query.order_by {
            None => &[],
            Some(order) => match &order.kind {
                ast::OrderByKind::Expressions(items) => items.as_slice(),
                ast::OrderByKind::All(_) => {
                    return Err(self.mistake(order.span(), "ORDER BY takes expressions, not ALL"));
                }
            },
        };
        let relation = self.body(&query.body, order_by, outer)?;
        let (skip, fetch) = self.limits(query)?;
        if skip.is_none() && fetch.is_none() {
            return Ok(relation);
        }
        let plan = LogicalPlanBuilder::from(relation.plan).limit(skip.unwrap_or(0), fetch);
        let plan = self.datafusion(query.span(), plan.and_then(LogicalPlanBuilder::build))?;
        Ok(Relation {
            plan,
            columns: relation.columns,
        })
    }

    /// OFFSET and LIMIT (or FETCH FIRST).
    fn limits(&mut self, query: &Query) -> Bound<(Option<usize>, Option<usize>)> {
        let (mut skip, mut fetch) = (None, None);
        match &query.limit_clause {
            None => {}
            Some(LimitClause::LimitOffset { limit, offset, .. }) => {
                skip = offset.as_ref().map(|o| &o.value);
                fetch = limit.as_ref();
            }
            Some(LimitClause::OffsetCommaLimit { offset, limit }) => {
                skip = Some(offset);
                fetch = Some(limit);
            }
        }
        let skip = skip.map(|e| self.count(e, "OFFSET")).transpose()?;
        let limit = fetch.map(|e| self.count(e, "LIMIT")).transpose()?;
        let Some(clause) = &query.fetch else {
            return Ok((skip, limit));
        };
        if clause.with_ties || clause.percent {
            return Err(self.mistake(
                query.span(),
                "FETCH FIRST takes a number of rows, without TIES and PERCENT",
            ));
        }
        if limit.is_some() {
            return Err(self.mistake(
                query.span(),
                "LIMIT and FETCH say the same: write one of them",
            ));
        }
        let rows = match &clause.quantity {
            Some(e) => self.count(e, "FETCH")?,
            None => 1,
        };
        Ok((skip, Some(rows)))
    }

    fn count(&mut self, expr: &ast::Expr, what: &str) -> Bound<usize> {
        let is_large = matches!(expr, ast::Expr::Value(value) if match &value.value {
            ast::Value::Number(digits, _) => {
                digits.bytes().all(|b| b.is_ascii_digit()) && digits.parse::<i64>().is_err()
            }
            _ => false,
        });
        if is_large {
            return Err(self.mistake(
                expr.span(),
                format!(
                    "{what} takes a number of rows up to {}, not {expr}",
                    i64::MAX
                ),
            ));
        }
        let schema = datafusion::common::DFSchema::empty();
        let bound = self.expr(expr, &Scope::new(&schema, &[], None)).ok();
        let whole = bound.filter(|b| is_integer(&b.ty.kind));
        let value = whole.and_then(|b| super::literals::whole_number(&b.expr));
        match value.and_then(|n| usize::try_from(n).ok()) {
            Some(n) => Ok(n),
            None => Err(self.mistake(
                expr.span(),
                format!("{what} takes a number of rows, not {expr}"),
            )),
        }
    }

    /// ORDER BY over a query whose columns are all that there is.
    pub(super) fn sorted_by_output(
        &mut self,
        relation: Relation,
        order_by: &[ast::OrderByExpr],
    ) -> Bound<Relation> {
        let mut sorts = Vec::new();
        for item in order_by {
            let place = self.place(&item.expr, relation.columns.len())?;
            let value = match place.and_then(|at| relation.columns.get(at)) {
                Some(column) => column.typed(),
                None => self.expr(&item.expr, &relation.scope(None))?,
            };
            sorts.push(sort_of(value.expr, item));
        }
        if sorts.is_empty() {
            return Ok(relation);
        }
        Ok(Self::sorted(relation, sorts))
    }

    pub(super) fn set_expr(
        &mut self,
        body: &SetExpr,
        outer: Option<&Scope<'_>>,
    ) -> Bound<Relation> {
        nested(|| match body {
            SetExpr::Select(select) => self.select(select, &[], outer),
            SetExpr::Query(query) => self.query(query, outer),
            SetExpr::SetOperation {
                op,
                set_quantifier,
                left,
                right,
            } => self.set_operation(*op, *set_quantifier, left, right, outer),
            SetExpr::Values(values) => self.values(values, outer),
            SetExpr::Table(table) => {
                let name = ast::Ident::new(table.table_name.clone().unwrap_or_default());
                self.named_table(&ast::ObjectName::from(vec![name]), &[], Span::empty())
            }
            other => Err(self.mistake(body.span(), format!("{other} is no query"))),
        })
    }

    fn set_operation(
        &mut self,
        op: SetOperator,
        quantifier: SetQuantifier,
        left: &SetExpr,
        right: &SetExpr,
        outer: Option<&Scope<'_>>,
    ) -> Bound<Relation> {
        let span = left.span().union(&right.span());
        let is_all = match quantifier {
            SetQuantifier::All => true,
            SetQuantifier::None | SetQuantifier::Distinct => false,
            _ => return Err(self.mistake(span, format!("Flink SQL has no {op} {quantifier}"))),
        };
        if is_all && op != SetOperator::Union {
            return Err(self.unsupported(
                span,
                &format!("{op} ALL"),
                &format!("{op} without ALL gives each row once"),
            ));
        }
        if op == SetOperator::Union {
            let mut arms = vec![right];
            let mut first = left;
            // A long chain of UNION ALL is one union.
            while let SetExpr::SetOperation {
                op: SetOperator::Union,
                set_quantifier: SetQuantifier::All,
                left,
                right,
            } = first
                && is_all
            {
                arms.push(right);
                first = left;
            }
            arms.push(first);
            arms.reverse();
            let arms = arms
                .into_iter()
                .map(|arm| self.set_expr(arm, outer))
                .collect::<Bound<Vec<_>>>()?;
            let (arms, types) = self.alike(arms, op, span)?;
            let union = self.union(arms, types, span)?;
            return if is_all {
                Ok(union)
            } else {
                self.each_once(union, span)
            };
        }
        let sides = vec![self.set_expr(left, outer)?, self.set_expr(right, outer)?];
        let (sides, _) = self.alike(sides, op, span)?;
        let Ok([a, b]) = <[Relation; 2]>::try_from(sides) else {
            return Err(self.mistake(span, format!("{op} is between two queries")));
        };
        let b = self.apart(b, &a.columns)?;
        let a = self.each_once(a, span)?;
        let on = a.columns.iter().zip(&b.columns);
        let on = on.map(|(x, y)| (x.expr(), y.expr())).collect();
        let kind = if op == SetOperator::Intersect {
            JoinType::LeftSemi
        } else {
            JoinType::LeftAnti
        };
        let how = JoinHow {
            kind,
            nulls: NullEquality::NullEqualsNull,
            null_aware: false,
        };
        let plan = self.join_plan(a.plan, b.plan, on, None, how, span)?;
        Ok(Relation {
            plan,
            columns: a.columns,
        })
    }

    fn union(&self, arms: Vec<Relation>, types: Vec<SqlType>, span: Span) -> Bound<Relation> {
        let mut columns = arms.first().map(|a| a.columns.clone()).unwrap_or_default();
        for (column, ty) in columns.iter_mut().zip(types) {
            column.ty = ty;
        }
        let plans = arms.into_iter().map(|a| Arc::new(a.plan)).collect();
        let union = datafusion::logical_expr::Union::try_new_with_loose_types(plans);
        Ok(Relation {
            plan: LogicalPlan::Union(self.datafusion(span, union)?),
            columns,
        })
    }

    /// Queries under the names of the first, each column of one type.
    fn alike(
        &self,
        arms: Vec<Relation>,
        op: SetOperator,
        span: Span,
    ) -> Bound<(Vec<Relation>, Vec<SqlType>)> {
        let Some(first) = arms.first() else {
            return Ok((arms, Vec::new()));
        };
        let width = first.columns.len();
        if let Some(other) = arms.iter().find(|a| a.columns.len() != width) {
            return Err(self.mistake(
                span,
                format!(
                    "Column count mismatch in {op}: {width} and {}",
                    other.columns.len()
                ),
            ));
        }
        let mut types = Vec::new();
        for i in 0..width {
            let kinds: Vec<_> = arms.iter().map(|a| &a.columns[i].ty.kind).collect();
            let Some(kind) = common_kind(&kinds) else {
                let mut names: Vec<String> = kinds.iter().map(ToString::to_string).collect();
                names.dedup();
                return Err(self.mistake(
                    span,
                    format!(
                        "Type mismatch in column {} of {op}: {}",
                        i + 1,
                        names.join(" and ")
                    ),
                ));
            };
            types.push(SqlType {
                kind,
                nullable: arms.iter().any(|a| a.columns[i].ty.nullable),
            });
        }
        let names: Vec<String> = first.columns.iter().map(|c| c.name.clone()).collect();
        let arms = arms
            .into_iter()
            .map(|arm| self.as_types(arm, &types, &names, span))
            .collect::<Bound<Vec<_>>>()?;
        Ok((arms, types))
    }

    /// The columns of a relation as these types, under these names.
    fn as_types(
        &self,
        relation: Relation,
        types: &[SqlType],
        names: &[String],
        span: Span,
    ) -> Bound<Relation> {
        let columns = relation.columns.iter().zip(types).zip(names);
        let columns = columns
            .map(|((column, ty), name)| {
                let value = self.as_kind(column.typed(), &ty.kind, span)?;
                Ok((value, ScopeName::item(name.clone())))
            })
            .collect::<Bound<Vec<_>>>()?;
        self.projected(relation, columns, span)
    }

    /// VALUES (1, 'a'), (2, 'b'): the columns are EXPR$0, EXPR$1.
    fn values(&mut self, values: &ast::Values, outer: Option<&Scope<'_>>) -> Bound<Relation> {
        let schema = datafusion::common::DFSchema::empty();
        let scope = Scope::new(&schema, &[], outer);
        let mut rows: Vec<Vec<Typed>> = Vec::new();
        for row in &values.rows {
            let mut bound = self.exprs(&row.content, &scope)?;
            // ROW(1, 2) in VALUES is a row, not a value.
            if let [ast::Expr::Function(call)] = row.content.as_slice()
                && super::calls::function_name(&call.name) == "ROW"
                && let ast::FunctionArguments::List(list) = &call.args
            {
                bound.clear();
                for arg in &list.args {
                    if let ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(e)) = arg {
                        bound.push(self.expr(e, &scope)?);
                    }
                }
            }
            rows.push(bound);
        }
        let span = values
            .rows
            .first()
            .and_then(|r| r.content.first())
            .map_or(Span::empty(), |e| e.span());
        let width = rows.first().map_or(0, Vec::len);
        if let Some(other) = rows.iter().find(|r| r.len() != width) {
            return Err(self.mistake(
                span,
                format!(
                    "the rows of VALUES have {width} and {} columns",
                    other.len()
                ),
            ));
        }
        let mut columns = Vec::new();
        let mut cells: Vec<Vec<Expr>> = vec![Vec::new(); rows.len()];
        for i in 0..width {
            let column: Vec<Typed> = rows.iter().map(|r| r[i].clone()).collect();
            let nullable = column.iter().any(|c| c.ty.nullable);
            let (column, kind) = self.in_common(column, "a column of VALUES", span)?;
            for (row, cell) in cells.iter_mut().zip(column) {
                row.push(cell.expr);
            }
            columns.push(ScopeColumn {
                qualifier: None,
                name: format!("EXPR${i}"),
                id: format!("EXPR${i}"),
                ty: SqlType { kind, nullable },
                is_hidden: false,
            });
        }
        let fields = columns.iter().map(|c| {
            (
                None,
                Arc::new(arrow::datatypes::Field::new(
                    &c.id,
                    arrow_type(&c.ty),
                    c.ty.nullable,
                )),
            )
        });
        let schema = datafusion::common::DFSchema::new_with_metadata(
            fields.collect(),
            std::collections::HashMap::default(),
        );
        let schema = Arc::new(self.datafusion(span, schema)?);
        let plan = LogicalPlan::Values(datafusion::logical_expr::Values {
            schema,
            values: cells,
        });
        Ok(Relation { plan, columns })
    }

    /// Gives a relation the name of an alias, and its columns those that the alias lists.
    pub(super) fn rename(&self, relation: &mut Relation, alias: &ast::TableAlias) -> Bound<()> {
        let names = &alias.columns;
        let visible = relation.visible().count();
        if !names.is_empty() && names.len() != visible {
            return Err(self.mistake(
                alias.name.span,
                format!(
                    "'{}' names {} columns, its query has {visible}",
                    alias.name.value,
                    names.len()
                ),
            ));
        }
        let mut named = names.iter();
        for column in relation.columns.iter_mut().filter(|c| !c.is_hidden) {
            if let Some(name) = named.next() {
                column.name.clone_from(&name.name.value);
            }
        }
        relation.alias(&alias.name.value);
        Ok(())
    }
}
