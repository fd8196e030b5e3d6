//! Which names are known at a place of a query, and what they stand for.

use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::{Expr, LogicalPlan};
use sqlparser::ast::Ident;
use sqlparser::tokenizer::Span;

use super::{Binder, Bound, Typed};
use crate::sql::ast::{SqlType, SqlTypeKind};

/// A column as a query sees it.
#[derive(Debug, Clone)]
pub(super) struct ScopeColumn {
    /// The table or alias it may be qualified by.
    pub qualifier: Option<String>,
    /// Its name in SQL; empty where it has none.
    pub name: String,
    /// Its name in the plan.
    pub id: String,
    /// Its type.
    pub ty: SqlType,
    /// Found by its qualified name only, and not part of `*`: one side of a column that USING merged.
    pub is_hidden: bool,
}

impl ScopeColumn {
    /// A column of a declared table.
    pub fn of_table(column: &crate::catalog::Column) -> Self {
        let name = column.field.name();
        Self {
            qualifier: None,
            name: name.clone(),
            id: name.clone(),
            ty: column.sql_type.clone(),
            is_hidden: false,
        }
    }

    /// A column without a name in SQL.
    pub fn unnamed(id: &str, ty: SqlType) -> Self {
        Self {
            qualifier: None,
            name: String::new(),
            id: id.to_string(),
            ty,
            is_hidden: true,
        }
    }

    pub fn expr(&self) -> Expr {
        Expr::Column(Column::new_unqualified(&self.id))
    }

    pub fn typed(&self) -> Typed {
        Typed {
            expr: self.expr(),
            ty: self.ty.clone(),
        }
    }
}

/// Rows and what their columns are called. Column `i` of the plan is `columns[i]`.
#[derive(Debug, Clone)]
pub(super) struct Relation {
    pub plan: LogicalPlan,
    pub columns: Vec<ScopeColumn>,
}

impl Relation {
    pub fn scope<'s>(&'s self, outer: Option<&'s Scope<'s>>) -> Scope<'s> {
        Scope::new(self.plan.schema(), &self.columns, outer)
    }

    /// The columns that `*` stands for.
    pub fn visible(&self) -> impl Iterator<Item = &ScopeColumn> {
        self.columns.iter().filter(|c| !c.is_hidden)
    }

    /// Names the table, and its columns where names are given.
    pub fn alias(&mut self, alias: &str) {
        for column in &mut self.columns {
            if !column.is_hidden {
                column.qualifier = Some(alias.to_string());
            }
        }
    }
}

/// The names known at a place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope<'s> {
    pub schema: &'s DFSchema,
    pub columns: &'s [ScopeColumn],
    /// The names of the query around a subquery.
    pub outer: Option<&'s Scope<'s>>,
}

impl<'s> Scope<'s> {
    pub fn new(
        schema: &'s DFSchema,
        columns: &'s [ScopeColumn],
        outer: Option<&'s Scope<'s>>,
    ) -> Self {
        Self {
            schema,
            columns,
            outer,
        }
    }

    fn named(&self, qualifier: Option<&str>, name: &str) -> Vec<&'s ScopeColumn> {
        let fits = |c: &&ScopeColumn| {
            c.name == name
                && match qualifier {
                    Some(q) => c.qualifier.as_deref() == Some(q),
                    None => !c.is_hidden,
                }
        };
        self.columns.iter().filter(fits).collect()
    }

    fn has_qualifier(&self, qualifier: &str) -> bool {
        self.columns
            .iter()
            .any(|c| c.qualifier.as_deref() == Some(qualifier))
    }
}

impl Binder<'_> {
    /// What a name, dotted or not, stands for: a column, or a field within one.
    pub(super) fn name(&self, parts: &[Ident], scope: &Scope<'_>) -> Bound<Typed> {
        // A table that is known at any level goes before a column of its name.
        for by_table in [true, false] {
            let mut at = Some(scope);
            let mut depth = 0;
            while let Some(level) = at {
                if let Some((found, fields)) = self.at_level(parts, level, by_table)? {
                    let column = match depth {
                        0 => found.typed(),
                        1 => self.outer_reference(found, level),
                        _ => {
                            return Err(self.unsupported(
                                span_of(parts),
                                "a column of a query two levels further out",
                                "join the inner query with the one around it instead",
                            ));
                        }
                    };
                    return fields
                        .iter()
                        .try_fold(column, |value, field| self.field(value, field));
                }
                at = level.outer;
                depth += 1;
            }
        }
        Err(self.unknown(parts, scope))
    }

    fn outer_reference(&self, column: &ScopeColumn, level: &Scope<'_>) -> Typed {
        let name = Column::new_unqualified(&column.id);
        let expr = match level.schema.field_with_unqualified_name(&column.id) {
            Ok(field) => Expr::OuterReferenceColumn(field.clone(), name),
            Err(_) => Expr::Column(name),
        };
        Typed {
            expr,
            ty: column.ty.clone(),
        }
    }

    /// The column that a name is at one level, and the parts that are fields within it.
    fn at_level<'p, 's>(
        &self,
        parts: &'p [Ident],
        scope: &Scope<'s>,
        by_table: bool,
    ) -> Bound<Option<(&'s ScopeColumn, &'p [Ident])>> {
        // default_catalog.default_database.t.c and default_database.t.c are t.c, and so in every database.
        let skip = parts
            .iter()
            .take_while(|p| self.is_database(&p.value))
            .count();
        let qualified = parts.get(skip..).unwrap_or(parts);
        if let [table, column, fields @ ..] = qualified
            && by_table
            && scope.has_qualifier(&table.value)
        {
            match scope.named(Some(&table.value), &column.value).as_slice() {
                [one] => return Ok(Some((one, fields))),
                [] => {}
                _ => return Err(self.ambiguous(column)),
            }
        }
        if by_table {
            return Ok(None);
        }
        let Some((column, fields)) = parts.split_first() else {
            return Ok(None);
        };
        match scope.named(None, &column.value).as_slice() {
            [one] => Ok(Some((one, fields))),
            [] => Ok(None),
            _ => Err(self.ambiguous(column)),
        }
    }

    /// Whether a name before that of a table is one of a catalog or database.
    pub(super) fn is_database(&self, name: &str) -> bool {
        ["default_catalog", "default_database"].contains(&name)
            || self.context.catalog.database(name).is_some()
    }

    fn ambiguous(&self, column: &Ident) -> Box<crate::sql::Diagnostic> {
        self.mistake_with(
            column.span,
            format!("Column '{}' is ambiguous", column.value),
            format!(
                "say of which table, as in t.{0}, or give one of them another name in a subquery first",
                column.value
            ),
        )
    }

    fn unknown(&self, parts: &[Ident], scope: &Scope<'_>) -> Box<crate::sql::Diagnostic> {
        let span = span_of(parts);
        if let [table, column, ..] = parts {
            if scope.has_qualifier(&table.value) {
                let own = scope
                    .columns
                    .iter()
                    .filter(|c| c.qualifier.as_deref() == Some(table.value.as_str()));
                let names: Vec<&str> = own.map(|c| c.name.as_str()).collect();
                let message = format!(
                    "Column '{}' not found in table '{}'",
                    column.value, table.value
                );
                return self.mistake_with(column.span, message, nearest(&column.value, &names));
            }
            return self.no_table(&table.value, span, scope);
        }
        let name = parts.first().map_or("", |p| p.value.as_str());
        let names: Vec<&str> = scope
            .columns
            .iter()
            .filter(|c| !c.is_hidden)
            .map(|c| c.name.as_str())
            .collect();
        let message = format!("Column '{name}' not found");
        if names.is_empty() {
            return self.mistake(span, message);
        }
        self.mistake_with(span, message, nearest(name, &names))
    }

    /// A field of a ROW.
    pub(super) fn field(&self, value: Typed, field: &Ident) -> Bound<Typed> {
        let SqlTypeKind::Row(fields) = &value.ty.kind else {
            return Err(self.mistake(
                field.span,
                format!(
                    "'{}' cannot be taken of {}: it is no ROW",
                    field.value, value.ty
                ),
            ));
        };
        let Some((_, ty)) = fields.iter().find(|(name, _)| name.value == field.value) else {
            let names: Vec<&str> = fields.iter().map(|(n, _)| n.value.as_str()).collect();
            return Err(self.mistake_with(
                field.span,
                format!("Field '{}' not found in the ROW", field.value),
                nearest(&field.value, &names),
            ));
        };
        let mut ty = ty.clone();
        ty.nullable |= value.ty.nullable;
        Ok(Typed {
            expr: datafusion::functions::core::expr_fn::get_field(value.expr, field.value.as_str()),
            ty,
        })
    }

    /// The relation with other columns: each an expression over it and a name. Names that come twice get a number.
    pub(super) fn projected(
        &self,
        relation: Relation,
        exprs: Vec<(Typed, ScopeName)>,
        span: Span,
    ) -> Bound<Relation> {
        let mut taken: std::collections::HashSet<String> = std::collections::HashSet::new();
        let mut columns = Vec::with_capacity(exprs.len());
        let mut projection = Vec::with_capacity(exprs.len());
        for (typed, name) in exprs {
            let id = unique(&name.name, &mut taken);
            projection.push(match &typed.expr {
                Expr::Column(c) if c.name == id => typed.expr,
                _ => typed.expr.alias(&id),
            });
            columns.push(ScopeColumn {
                qualifier: name.qualifier,
                name: name.name,
                id,
                ty: typed.ty,
                is_hidden: name.is_hidden,
            });
        }
        let plan = self.projection(relation.plan, projection, span)?;
        Ok(Relation { plan, columns })
    }

    /// The relation with plan names that `taken` does not have, so that it can stand beside columns of these names.
    pub(super) fn apart(&self, relation: Relation, taken: &[ScopeColumn]) -> Bound<Relation> {
        let mut ids: std::collections::HashSet<String> =
            taken.iter().map(|c| c.id.clone()).collect();
        if !relation.columns.iter().any(|c| ids.contains(&c.id)) {
            return Ok(relation);
        }
        let mut columns = relation.columns;
        let mut projection = Vec::with_capacity(columns.len());
        for column in &mut columns {
            let expr = column.expr();
            let id = unique(&column.id, &mut ids);
            projection.push(if id == column.id {
                expr
            } else {
                expr.alias(&id)
            });
            column.id = id;
        }
        let plan = self.projection(relation.plan, projection, Span::empty())?;
        Ok(Relation { plan, columns })
    }
}

/// How a projected column is called.
#[derive(Debug, Clone, Default)]
pub(super) struct ScopeName {
    pub qualifier: Option<String>,
    pub name: String,
    pub is_hidden: bool,
}

impl ScopeName {
    /// Of an item of a SELECT list.
    pub fn item(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// As the column was called before.
    pub fn same(column: &ScopeColumn) -> Self {
        Self {
            qualifier: column.qualifier.clone(),
            name: column.name.clone(),
            is_hidden: column.is_hidden,
        }
    }
}

/// `name`, with a number after it where it is taken.
fn unique(name: &str, taken: &mut std::collections::HashSet<String>) -> String {
    let mut id = name.to_string();
    let mut n = 0usize;
    while !taken.insert(id.clone()) {
        id = format!("{name}{n}");
        n += 1;
    }
    id
}

impl Binder<'_> {
    /// A table that is not in FROM.
    pub(super) fn no_table(
        &self,
        name: &str,
        span: Span,
        scope: &Scope<'_>,
    ) -> Box<crate::sql::Diagnostic> {
        let mut tables: Vec<&str> = scope
            .columns
            .iter()
            .filter_map(|c| c.qualifier.as_deref())
            .collect();
        tables.dedup();
        let message = format!("Table '{name}' not found");
        let help = nearest(name, &tables).replace("the columns are", "the tables are");
        self.mistake_with(span, message, help)
    }
}

/// What to write instead of a name that is not there.
pub(super) fn nearest(name: &str, names: &[&str]) -> String {
    match crate::catalog::closest(name, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the columns are: {}", names.join(", ")),
    }
}

pub(super) fn span_of(parts: &[Ident]) -> Span {
    let spans = parts.iter().map(|p| p.span);
    spans.reduce(|a, b| a.union(&b)).unwrap_or(Span::empty())
}
