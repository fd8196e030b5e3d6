//! The SELECT list: columns, `*`, `t.*`, the fields of a row, and what each is called.

use sqlparser::ast::{self, SelectItem, Spanned};

use super::scope::{Scope, ScopeColumn};
use super::{Binder, Bound, Typed};

/// One column of a SELECT list.
pub(super) struct Item {
    pub value: Typed,
    pub name: String,
    /// What was written, for messages; `None` for what `*` stands for.
    pub written: Option<ast::Expr>,
}

impl Item {
    fn of_column(column: &ScopeColumn) -> Self {
        Self {
            value: column.typed(),
            name: column.name.clone(),
            written: None,
        }
    }
}

impl Binder<'_> {
    /// The SELECT list; what has no name is called EXPR$0, EXPR$1 ... by its place.
    pub(super) fn items(
        &mut self,
        projection: &[SelectItem],
        scope: &Scope<'_>,
    ) -> Bound<Vec<Item>> {
        let mut items: Vec<Item> = Vec::new();
        for item in projection {
            match item {
                SelectItem::Wildcard(_) => {
                    if scope.columns.is_empty() {
                        return Err(self.mistake(item.span(), "SELECT * needs a FROM"));
                    }
                    let visible = scope.columns.iter().filter(|c| !c.is_hidden);
                    items.extend(visible.map(Item::of_column));
                }
                SelectItem::QualifiedWildcard(
                    ast::SelectItemQualifiedWildcardKind::ObjectName(name),
                    _,
                ) => items.extend(self.all_of(name, scope)?),
                SelectItem::QualifiedWildcard(other, _) => {
                    return Err(self.unsupported(
                        item.span(),
                        &format!("{other}"),
                        "name the fields one by one",
                    ));
                }
                SelectItem::UnnamedExpr(expr) => {
                    let value = self.expr(expr, scope)?;
                    let name = column_name(expr).unwrap_or_else(|| format!("EXPR${}", items.len()));
                    items.push(Item {
                        value,
                        name,
                        written: Some(expr.clone()),
                    });
                }
                SelectItem::ExprWithAlias { expr, alias } => items.push(Item {
                    value: self.expr(expr, scope)?,
                    name: alias.value.clone(),
                    written: Some(expr.clone()),
                }),
                SelectItem::ExprWithAliases { .. } => {
                    return Err(self.mistake(item.span(), "an expression has one name"));
                }
            }
        }
        Ok(items)
    }

    /// `t.*`, or the fields of a ROW column.
    fn all_of(&self, name: &ast::ObjectName, scope: &Scope<'_>) -> Bound<Vec<Item>> {
        let parts: Vec<ast::Ident> = name
            .0
            .iter()
            .filter_map(|p| p.as_ident().cloned())
            .collect();
        let is_table = |p: &&ast::Ident| !self.is_database(&p.value);
        if let [table] = parts.iter().filter(is_table).collect::<Vec<_>>().as_slice() {
            let of_table = |c: &&ScopeColumn| c.qualifier.as_deref() == Some(table.value.as_str());
            let columns: Vec<Item> = scope
                .columns
                .iter()
                .filter(|c| !c.name.is_empty())
                .filter(of_table)
                .map(Item::of_column)
                .collect();
            if !columns.is_empty() {
                return Ok(columns);
            }
        }
        if let Ok(row) = self.name(&parts, scope)
            && let crate::sql::ast::SqlTypeKind::Row(fields) = row.ty.kind.clone()
        {
            return fields
                .iter()
                .map(|(field, _)| {
                    Ok(Item {
                        value: self.field(row.clone(), field)?,
                        name: field.value.clone(),
                        written: None,
                    })
                })
                .collect();
        }
        let shown = parts.last().map_or("", |p| p.value.as_str());
        Err(self.no_table(shown, name.span(), scope))
    }
}

/// The name of a column or field that stands in a SELECT list without an alias.
fn column_name(expr: &ast::Expr) -> Option<String> {
    match expr {
        ast::Expr::Identifier(name) => Some(name.value.clone()),
        ast::Expr::CompoundIdentifier(names) => names.last().map(|n| n.value.clone()),
        // A field of an element has no name of its own.
        ast::Expr::CompoundFieldAccess { access_chain, .. }
            if access_chain
                .iter()
                .all(|a| matches!(a, ast::AccessExpr::Dot(_))) =>
        {
            match access_chain.last() {
                Some(ast::AccessExpr::Dot(ast::Expr::Identifier(field))) => {
                    Some(field.value.clone())
                }
                _ => None,
            }
        }
        ast::Expr::Nested(inner) => column_name(inner),
        _ => None,
    }
}
