//! Windowing table functions in FROM: TUMBLE, HOP, CUMULATE, SESSION.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion::common::{DFSchema, DFSchemaRef, ScalarValue, plan_err};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNodeCore};
use sqlparser::ast::{self, SetExpr, Spanned, TableFactor};
use sqlparser::tokenizer::Span;

use super::scope::{Relation, Scope, ScopeColumn};
use super::{Binder, Bound};
use crate::sql::ast::{SqlType, SqlTypeKind as Kind};
use crate::sql::{TableFunctionCall, descriptor_columns, table_argument};
use crate::time::{Millis, WindowKind, WindowSpec};

/// A row may be in so many windows. Each of them may be a row of the result: a job could not be stopped while it makes more.
const MOST_WINDOWS: Millis = 1_000_000;

/// A windowing table function over its input: the input's columns, then window_start, window_end and window_time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowTvf {
    /// The rows.
    pub input: LogicalPlan,
    /// The windows.
    pub windows: WindowSpec,
    /// DESCRIPTOR(column).
    pub time: Expr,
    /// PARTITION BY of a session.
    pub keys: Vec<Expr>,
    schema: DFSchemaRef,
}

impl WindowTvf {
    fn new(input: LogicalPlan, windows: WindowSpec, time: Expr, keys: Vec<Expr>) -> DfResult<Self> {
        use datafusion::logical_expr::ExprSchemable;
        let time_type = time.get_type(input.schema())?;
        let DataType::Timestamp(_, zone) = &time_type else {
            return plan_err!(
                "The window function requires the timecol is a time attribute type, but is {}.",
                crate::planner::types::flink_name(&time_type)
            );
        };
        let plain = DataType::Timestamp(TimeUnit::Millisecond, None);
        let rowtime = DataType::Timestamp(TimeUnit::Millisecond, zone.clone());
        let mut fields: Vec<_> = input
            .schema()
            .iter()
            .map(|(q, f)| (q.cloned(), Arc::clone(f)))
            .collect();
        for (name, data_type) in [
            ("window_start", plain.clone()),
            ("window_end", plain),
            ("window_time", rowtime),
        ] {
            fields.push((None, Arc::new(Field::new(name, data_type, false))));
        }
        let schema = Arc::new(DFSchema::new_with_metadata(fields, Default::default())?);
        Ok(Self {
            input,
            windows,
            time,
            keys,
            schema,
        })
    }
}

impl Hash for WindowTvf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.input.hash(state);
        self.time.hash(state);
        self.keys.hash(state);
        self.windows.offset.hash(state);
    }
}

impl PartialOrd for WindowTvf {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.input.partial_cmp(&other.input)
    }
}

impl UserDefinedLogicalNodeCore for WindowTvf {
    fn name(&self) -> &str {
        "WindowTableFunction"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        std::iter::once(self.time.clone())
            .chain(self.keys.iter().cloned())
            .collect()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WindowTableFunction: {} on {}", self.windows, self.time)?;
        if !self.keys.is_empty() {
            let keys: Vec<String> = self.keys.iter().map(ToString::to_string).collect();
            write!(f, " partition by [{}]", keys.join(", "))?;
        }
        Ok(())
    }

    fn with_exprs_and_inputs(
        &self,
        mut exprs: Vec<Expr>,
        inputs: Vec<LogicalPlan>,
    ) -> DfResult<Self> {
        let Some(input) = inputs.into_iter().next() else {
            return plan_err!("a window needs an input");
        };
        if exprs.is_empty() {
            return plan_err!("a window needs a time column");
        }
        let time = exprs.remove(0);
        Self::new(input, self.windows.clone(), time, exprs)
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let input = self.input.schema();
        let mut needed: Vec<usize> = output_columns
            .iter()
            .copied()
            .filter(|c| *c < input.fields().len())
            .collect();
        for expr in std::iter::once(&self.time).chain(&self.keys) {
            let Expr::Column(column) = expr else {
                return None;
            };
            needed.push(input.maybe_index_of_column(column)?);
        }
        needed.sort_unstable();
        needed.dedup();
        Some(vec![needed])
    }
}

impl fmt::Display for WindowSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            WindowKind::Tumble { size } => write!(f, "TUMBLE(size {size} ms")?,
            WindowKind::Hop { slide, size } => write!(f, "HOP(slide {slide} ms, size {size} ms")?,
            WindowKind::Cumulate { step, size } => {
                write!(f, "CUMULATE(step {step} ms, size {size} ms")?
            }
            WindowKind::Session { gap } => write!(f, "SESSION(gap {gap} ms")?,
        }
        if self.offset != 0 {
            write!(f, ", offset {} ms", self.offset)?;
        }
        f.write_str(")")
    }
}

impl Binder<'_> {
    /// A table function in FROM.
    pub(super) fn table_function(
        &mut self,
        name: &str,
        call: &TableFunctionCall<'_>,
        outer: Option<&Scope<'_>>,
        span: Span,
    ) -> Bound<Relation> {
        let names: &[&str] = match name {
            "TUMBLE" => &["DATA", "TIMECOL", "SIZE", "OFFSET"],
            "HOP" => &["DATA", "TIMECOL", "SLIDE", "SIZE", "OFFSET"],
            "CUMULATE" => &["DATA", "TIMECOL", "STEP", "SIZE", "OFFSET"],
            "SESSION" => &["DATA", "TIMECOL", "GAP"],
            "UNNEST" => return Err(self.unnest(span)),
            _ => {
                return Err(self.unsupported(
                    span,
                    &format!("the table function {name}"),
                    "TUMBLE, HOP, CUMULATE and SESSION are there",
                ));
            }
        };
        let args = self.window_arguments_by_place(name, names, call, span)?;
        let required = |i: usize| match args.get(i).copied().flatten() {
            Some(arg) => Ok(arg),
            None => Err(self.mistake(span, format!("{name} needs the argument {}", names[i]))),
        };
        let data = required(0)?;
        let Some(table) = table_argument(data) else {
            return Err(self.mistake(
                data.span(),
                format!("the first argument of {name} is a table: write TABLE my_table or (SELECT ...), not {data}"),
            ));
        };
        let descriptor = required(1)?;
        let column =
            descriptor_columns(descriptor).and_then(|c| <[_; 1]>::try_from(c.to_vec()).ok());
        let Some([column]) = column else {
            return Err(self.mistake(
                descriptor.span(),
                format!(
                    "the time column of {name} is given as DESCRIPTOR(column), not {descriptor}"
                ),
            ));
        };
        let first = required(2)?;
        let second = args.get(3).copied().flatten();
        if matches!(name, "HOP" | "CUMULATE") {
            required(3)?;
        }

        let input = self.table_rows(table.query, outer)?;
        let keys = self.exprs(table.partition_by, &input.scope(None))?;
        if name != "SESSION" && !keys.is_empty() {
            return Err(self.mistake(
                span,
                format!(
                    "PARTITION BY goes with SESSION only; {name} windows are the same for all rows"
                ),
            ));
        }
        if keys.iter().any(|k| !matches!(k.expr, Expr::Column(_))) {
            return Err(self.mistake(span, "PARTITION BY of a session takes columns"));
        }
        let time = self.name(std::slice::from_ref(column), &input.scope(None))?;
        let size_of = |binder: &mut Self, at: usize, arg: &ast::Expr| {
            let millis = binder.window_length(name, names[at], arg)?;
            if millis > 0 {
                Ok(millis)
            } else {
                Err(binder.mistake(
                    arg.span(),
                    format!("{} of {name} must be positive", names[at]),
                ))
            }
        };
        let first = size_of(self, 2, first)?;
        let kind = match (name, second) {
            ("HOP" | "CUMULATE", Some(second)) => {
                let size = size_of(self, 3, second)?;
                if size % first != 0 {
                    let step = names[2].to_lowercase();
                    return Err(self.mistake(
                        span,
                        format!(
                            "{name} table function based aggregate requires size must be an integral multiple of {step}, but got size {size} ms and {step} {first} ms"
                        ),
                    ));
                }
                if size / first > MOST_WINDOWS {
                    return Err(self.mistake_with(
                        span,
                        format!(
                            "{name} puts a row into up to {} windows, and {MOST_WINDOWS} are the most",
                            size / first
                        ),
                        format!("a longer {} or a shorter size makes fewer", names[2].to_lowercase()),
                    ));
                }
                if name == "HOP" {
                    WindowKind::Hop { slide: first, size }
                } else {
                    WindowKind::Cumulate { step: first, size }
                }
            }
            ("SESSION", _) => WindowKind::Session { gap: first },
            _ => WindowKind::Tumble { size: first },
        };
        let offset = names.iter().position(|n| *n == "OFFSET");
        let offset = match offset.and_then(|at| args.get(at).copied().flatten()) {
            Some(arg) => self.window_length(name, "OFFSET", arg)?,
            None => 0,
        };
        for added in ["window_start", "window_end", "window_time"] {
            if input
                .columns
                .iter()
                .any(|c| c.name == added || c.id == added)
            {
                return Err(self.mistake_with(
                    span,
                    format!("Column '{added}' is ambiguous: the window adds one of that name to a table that has its own"),
                    "give the table's another name in a subquery first",
                ));
            }
        }
        let (Kind::Timestamp(_) | Kind::TimestampLtz(_)) = &time.ty.kind else {
            return Err(self.mistake_with(
                column.span,
                format!(
                    "The window function requires the timecol is a time attribute type, but is {}.",
                    time.ty.kind
                ),
                format!(
                    "declare WATERMARK FOR {} in its table and pass it on unchanged",
                    column.value
                ),
            ));
        };
        let rowtime = match &time.ty.kind {
            Kind::TimestampLtz(_) => Kind::TimestampLtz(3),
            _ => Kind::Timestamp(3),
        };
        let keys = keys.into_iter().map(|k| k.expr).collect();
        let node = WindowTvf::new(input.plan, WindowSpec { kind, offset }, time.expr, keys);
        let plan = LogicalPlan::Extension(Extension {
            node: Arc::new(self.datafusion(span, node)?),
        });
        let mut columns = input.columns;
        for (added, kind) in [
            ("window_start", Kind::Timestamp(3)),
            ("window_end", Kind::Timestamp(3)),
            ("window_time", rowtime),
        ] {
            columns.push(ScopeColumn {
                qualifier: None,
                name: added.into(),
                id: added.into(),
                ty: SqlType::not_null(kind),
                is_hidden: false,
            });
        }
        let mut relation = Relation { plan, columns };
        if let Some(alias) = call.alias {
            self.rename(&mut relation, alias)?;
        }
        Ok(relation)
    }

    /// The length of an argument that is an interval.
    fn window_length(&mut self, name: &str, argument: &str, arg: &ast::Expr) -> Bound<Millis> {
        let schema = DFSchema::empty();
        let bound = self.expr(arg, &Scope::new(&schema, &[], None))?;
        match interval_millis(&bound.expr) {
            Some(millis) => Ok(millis),
            None => Err(self.mistake(
                arg.span(),
                format!("{argument} of {name} is an interval of days to seconds, not {arg}"),
            )),
        }
    }

    /// The arguments by position in `names`, whether they were given by name or by place.
    fn window_arguments_by_place<'c>(
        &self,
        function: &str,
        names: &[&str],
        call: &TableFunctionCall<'c>,
        span: Span,
    ) -> Bound<Vec<Option<&'c ast::Expr>>> {
        let mut args: Vec<Option<&ast::Expr>> = vec![None; names.len()];
        for (i, (name, value)) in call.args.iter().enumerate() {
            let at = match name {
                Some(name) => names.iter().position(|n| n.eq_ignore_ascii_case(name)),
                None => Some(i).filter(|i| *i < names.len()),
            };
            match (at, name) {
                (Some(at), _) => args[at] = Some(value),
                (None, Some(name)) => {
                    return Err(self.mistake_with(
                        span,
                        format!("{function} has no argument '{name}'"),
                        format!("it takes {}", names.join(", ")),
                    ));
                }
                (None, None) => {
                    return Err(self.mistake(
                        span,
                        format!(
                            "{function} takes at most {} arguments: {}",
                            names.len(),
                            names.join(", ")
                        ),
                    ));
                }
            }
        }
        Ok(args)
    }

    /// The rows of a table argument.
    fn table_rows(&mut self, query: &ast::Query, outer: Option<&Scope<'_>>) -> Bound<Relation> {
        // `TABLE x` is `SELECT * FROM x`: the table itself keeps its column names qualified.
        if let SetExpr::Select(select) = query.body.as_ref()
            && let [item] = select.from.as_slice()
            && item.joins.is_empty()
            && matches!(select.projection.as_slice(), [ast::SelectItem::Wildcard(_)])
            && is_plain(query, select)
            && matches!(&item.relation, TableFactor::Table { .. })
        {
            return self.from(&select.from, outer, item.span());
        }
        let mut relation = self.query(query, outer)?;
        for column in &mut relation.columns {
            column.qualifier = None;
        }
        Ok(relation)
    }
}

/// Whether a query has no clause but SELECT and FROM.
fn is_plain(query: &ast::Query, select: &ast::Select) -> bool {
    let is_grouped = !matches!(
        &select.group_by,
        ast::GroupByExpr::Expressions(exprs, modifiers) if exprs.is_empty() && modifiers.is_empty()
    );
    let cuts = query.limit_clause.is_some() || query.fetch.is_some() || query.order_by.is_some();
    let filters = select.selection.is_some() || select.having.is_some() || select.qualify.is_some();
    query.with.is_none() && !cuts && !filters && !is_grouped && select.distinct.is_none()
}

/// The length of an interval literal in milliseconds; `None` for months, nulls and anything else.
pub fn interval_millis(expr: &Expr) -> Option<Millis> {
    match expr {
        Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(v)), _) if v.months == 0 => {
            i64::from(v.days)
                .checked_mul(86_400_000)?
                .checked_add(v.nanoseconds / 1_000_000)
        }
        Expr::Literal(ScalarValue::IntervalDayTime(Some(v)), _) => i64::from(v.days)
            .checked_mul(86_400_000)?
            .checked_add(i64::from(v.milliseconds)),
        Expr::Negative(inner) => interval_millis(inner)?.checked_neg(),
        _ => None,
    }
}
