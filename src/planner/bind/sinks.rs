//! What INSERT INTO writes: a query's columns as those of the sink.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;
use sqlparser::ast::Query;
use sqlparser::tokenizer::Span;
use std::sync::Arc;

use super::casts::goes_into;
use super::scope::{Relation, ScopeName};
use super::{Binder, Bound, BoundQuery, PlanContext, Typed};
use crate::catalog::{Column, ColumnKind, Table};
use crate::sql::SourceFile;
use crate::sql::ast::{SqlType, SqlTypeKind as Kind};

impl PlanContext<'_> {
    /// Binds a query whose columns go into the columns `into` (positions in the sink schema) of `sink`; the others become NULL.
    ///
    /// # Errors
    /// The first mistake: also a column that does not fit, or another number of them.
    pub fn insert(
        &self,
        query: &Query,
        sink: &Table,
        into: &[usize],
        file: &Arc<SourceFile>,
        span: Span,
    ) -> Bound<BoundQuery> {
        let mut binder = Binder::new(*self, file);
        let relation = binder.query(query, None)?;
        let given: Vec<String> = relation.visible().map(|c| c.name.clone()).collect();
        let relation = binder.rows_of_sink(relation, sink, into, span)?;
        // What goes in is called as the query calls it: that is what a person looks for.
        let columns = relation.columns.into_iter().enumerate();
        let columns = columns.map(|(at, column)| {
            let from = into.iter().position(|c| *c == at);
            let name = from.and_then(|i| given.get(i)).cloned();
            (name.unwrap_or(column.name), column.ty)
        });
        Ok(BoundQuery {
            columns: columns.collect(),
            plan: relation.plan,
        })
    }
}

impl Binder<'_> {
    fn rows_of_sink(
        &self,
        relation: Relation,
        sink: &Table,
        into: &[usize],
        span: Span,
    ) -> Bound<Relation> {
        let all: Vec<&Column> = sink
            .insertable()
            .into_iter()
            .map(|i| &sink.columns[i])
            .collect();
        let given: Vec<(String, SqlType)> = relation
            .visible()
            .map(|c| (c.name.clone(), c.ty.clone()))
            .collect();
        let shown = |columns: &mut dyn Iterator<Item = (&str, &SqlType)>| {
            let list: Vec<String> = columns.map(|(n, t)| format!("{n}: {t}")).collect();
            format!("[{}]", list.join(", "))
        };
        let schemas = || {
            format!(
                "Query schema: {}\nSink schema:  {}",
                shown(&mut given.iter().map(|(n, t)| (n.as_str(), t))),
                shown(
                    &mut into
                        .iter()
                        .map(|i| (all[*i].field.name().as_str(), &all[*i].sql_type))
                )
            )
        };
        let unfit = |cause: String, help: String| {
            self.mistake_with(
                span,
                format!(
                    "Column types of query result and sink for '{}' do not match. Cause: {cause}",
                    sink.name
                ),
                help,
            )
        };
        if given.len() != into.len() {
            let cause = format!(
                "Different number of columns ({} given, {} expected).",
                given.len(),
                into.len()
            );
            return Err(unfit(cause, schemas()));
        }
        let values: Vec<Typed> = relation.visible().map(super::ScopeColumn::typed).collect();
        let mut projected = Vec::new();
        for (position, column) in all.iter().enumerate() {
            let name = column.field.name().clone();
            let to = &column.sql_type;
            let value = match into.iter().position(|c| *c == position) {
                None => {
                    let null = Expr::Literal(ScalarValue::Null, None);
                    Typed::new(null, Kind::Null, true)
                }
                Some(i) => {
                    let value = values[i].clone();
                    if !goes_into(&value.ty.kind, &to.kind) {
                        let cause = format!(
                            "Incompatible types for sink column '{name}' at position {position}: {} given, {} expected.",
                            value.ty, to
                        );
                        let help = format!("CAST it to {}\n{}", to.kind, schemas());
                        return Err(unfit(cause, help));
                    }
                    value
                }
            };
            let value = self.as_kind(value, &to.kind, span)?;
            projected.push((value, ScopeName::item(name)));
        }
        debug_assert!(
            all.iter()
                .all(|c| !matches!(c.kind, ColumnKind::Computed(_)))
        );
        self.projected(relation, projected, span)
    }
}
