//! Windowing table functions in FROM: TUMBLE, HOP, CUMULATE, SESSION; and table hints.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, TimeUnit};
use datafusion::common::{
    Column, DFSchema, DFSchemaRef, ScalarValue, plan_datafusion_err, plan_err,
};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::logical_expr::{
    Expr, Extension, LogicalPlan, LogicalPlanBuilder, UserDefinedLogicalNodeCore,
};
use sqlparser::ast::{self, SetExpr, TableFactor};

use crate::sql::{
    TableFunctionCall, descriptor_columns, table_argument, table_function_call, table_options_hint,
};
use crate::time::{Millis, WindowKind, WindowSpec};

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
                super::types::flink_name(&time_type)
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
            if input.schema().fields().iter().any(|f| f.name() == name) {
                return plan_err!(
                    "Column '{name}' is ambiguous: the window adds one of that name to a table that has its own; give the \
                     table's another name in a subquery first"
                );
            }
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

/// Plans what DataFusion does not know in FROM.
#[derive(Debug)]
pub struct FlinkRelations;

impl RelationPlanner for FlinkRelations {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> DfResult<RelationPlanning> {
        if let Some(call) = table_function_call(&relation) {
            let name = call.name.to_string().to_uppercase();
            if WINDOWS.contains(&name.as_str()) {
                let plan = plan_window(&name, &call, context)?;
                let alias = call.alias.cloned();
                return Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(
                    plan, alias,
                ))));
            }
        }
        if let TableFactor::Table {
            version: Some(_),
            name,
            ..
        } = &relation
        {
            return plan_err!("{name} FOR SYSTEM_TIME AS OF (temporal join) is not supported yet");
        }
        let hints = table_options_hint(&relation).map_err(|m| plan_datafusion_err!("{m}"))?;
        if let TableFactor::Table { name, alias, .. } = &relation
            && !hints.is_empty()
        {
            let reference = context.object_name_to_table_reference(name.clone())?;
            let options: BTreeMap<String, String> = hints
                .into_iter()
                .map(|o| (o.key.value, o.value.value))
                .collect();
            // The context provider is ours, but is known here only as a trait object: the hint goes with the name.
            let hinted = HintedName {
                table: super::context::bare_name(&reference)?,
                options,
            }
            .encode();
            let source = context
                .context_provider()
                .get_table_function_source(&hinted, Vec::new())?;
            let plan = LogicalPlanBuilder::scan(reference, source, None)?.build()?;
            return Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(
                plan,
                alias.clone(),
            ))));
        }
        Ok(RelationPlanning::Original(Box::new(relation)))
    }
}

/// The windowing table functions.
const WINDOWS: &[&str] = &["TUMBLE", "HOP", "CUMULATE", "SESSION"];

fn plan_window(
    name: &str,
    call: &TableFunctionCall<'_>,
    context: &mut dyn RelationPlannerContext,
) -> DfResult<LogicalPlan> {
    let names: &[&str] = match name {
        "TUMBLE" => &["DATA", "TIMECOL", "SIZE", "OFFSET"],
        "HOP" => &["DATA", "TIMECOL", "SLIDE", "SIZE", "OFFSET"],
        "CUMULATE" => &["DATA", "TIMECOL", "STEP", "SIZE", "OFFSET"],
        _ => &["DATA", "TIMECOL", "GAP"],
    };
    let args = arguments(name, names, call)?;
    let required = |i: usize| {
        args[i].ok_or_else(|| plan_datafusion_err!("{name} needs the argument {}", names[i]))
    };

    let data = required(0)?;
    let Some(table) = table_argument(data) else {
        return plan_err!(
            "the first argument of {name} is a table: write TABLE my_table or (SELECT ...), not {data}"
        );
    };
    let input = plan_table(table.query, context)?;
    let keys = table
        .partition_by
        .iter()
        .map(|e| context.sql_to_expr(e.clone(), input.schema()))
        .collect::<DfResult<Vec<_>>>()?;
    if name != "SESSION" && !keys.is_empty() {
        return plan_err!(
            "PARTITION BY goes with SESSION only; {name} windows are the same for all rows"
        );
    }
    if let Some(key) = keys.iter().find(|k| !matches!(k, Expr::Column(_))) {
        return plan_err!("PARTITION BY of a session takes columns, not {key}");
    }

    let time = required(1)?;
    let Some([column]) = descriptor_columns(time)
        .as_deref()
        .map(|c| <[_; 1]>::try_from(c.to_vec()))
        .and_then(Result::ok)
    else {
        return plan_err!("the time column of {name} is given as DESCRIPTOR(column), not {time}");
    };
    let time = context.sql_to_expr(ast::Expr::Identifier(column.clone()), input.schema())?;

    let interval = |i: usize, context: &mut dyn RelationPlannerContext| -> DfResult<Millis> {
        let expr = required(i)?.clone();
        let shown = expr.to_string();
        let value = context.sql_to_expr(expr, input.schema())?;
        let millis = interval_millis(&value).ok_or_else(|| {
            plan_datafusion_err!(
                "{} of {name} is an interval of days to seconds, not {shown}",
                names[i]
            )
        })?;
        Ok(millis)
    };
    let positive = |i: usize, millis: Millis| -> DfResult<Millis> {
        if millis > 0 {
            Ok(millis)
        } else {
            plan_err!("{} of {name} must be positive", names[i])
        }
    };
    let first = positive(2, interval(2, context)?)?;
    let kind = match name {
        "TUMBLE" => WindowKind::Tumble { size: first },
        "SESSION" => WindowKind::Session { gap: first },
        _ => {
            let size = positive(3, interval(3, context)?)?;
            if size % first != 0 {
                return plan_err!(
                    "{name} table function based aggregate requires size must be an integral multiple of {}, but got size {size} ms and {} {first} ms",
                    names[2].to_lowercase(),
                    names[2].to_lowercase()
                );
            }
            if name == "HOP" {
                WindowKind::Hop { slide: first, size }
            } else {
                WindowKind::Cumulate { step: first, size }
            }
        }
    };
    let offset_at = names
        .iter()
        .position(|n| *n == "OFFSET")
        .filter(|i| args[*i].is_some());
    let offset = offset_at
        .map(|i| interval(i, context))
        .transpose()?
        .unwrap_or(0);
    let node = WindowTvf::new(input, WindowSpec { kind, offset }, time, keys)?;
    Ok(LogicalPlan::Extension(Extension {
        node: Arc::new(node),
    }))
}

/// The arguments by position in `names`, whether they were given by name or by place.
fn arguments<'a>(
    function: &str,
    names: &[&str],
    call: &TableFunctionCall<'a>,
) -> DfResult<Vec<Option<&'a ast::Expr>>> {
    let mut args: Vec<Option<&ast::Expr>> = vec![None; names.len()];
    for (i, (name, value)) in call.args.iter().enumerate() {
        let at = match name {
            Some(name) => names.iter().position(|n| n.eq_ignore_ascii_case(name)),
            None => Some(i).filter(|i| *i < names.len()),
        };
        match (at, name) {
            (Some(at), _) => args[at] = Some(value),
            (None, Some(name)) => {
                return plan_err!(
                    "{function} has no argument '{name}'; it takes {}",
                    names.join(", ")
                );
            }
            (None, None) => {
                return plan_err!(
                    "{function} takes at most {} arguments: {}",
                    names.len(),
                    names.join(", ")
                );
            }
        }
    }
    Ok(args)
}

/// The rows of a table argument.
fn plan_table(
    query: &ast::Query,
    context: &mut dyn RelationPlannerContext,
) -> DfResult<LogicalPlan> {
    // `TABLE x` is `SELECT * FROM x`: planning x itself keeps its column names qualified.
    if let SetExpr::Select(select) = query.body.as_ref()
        && let [item] = select.from.as_slice()
        && item.joins.is_empty()
        && matches!(select.projection.as_slice(), [ast::SelectItem::Wildcard(_)])
        && select.selection.is_none()
        && matches!(&item.relation, TableFactor::Table { .. })
    {
        return context.plan(item.relation.clone());
    }
    context.plan(TableFactor::Derived {
        lateral: false,
        subquery: Box::new(query.clone()),
        alias: None,
        sample: None,
    })
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

/// A table's name and the options of a hint, as one text: how they pass through DataFusion's context trait.
#[derive(Debug, PartialEq, Eq)]
pub struct HintedName {
    /// The table.
    pub table: String,
    /// The hint's options.
    pub options: BTreeMap<String, String>,
}

impl HintedName {
    fn encode(&self) -> String {
        serde_json::json!([self.table, self.options]).to_string()
    }

    /// The inverse of what the relation planner sends.
    pub fn decode(text: &str) -> Option<Self> {
        let (table, options) = serde_json::from_str(text).ok()?;
        Some(Self { table, options })
    }
}

/// The column an expression is, under any aliases.
pub fn as_column(expr: &Expr) -> Option<&Column> {
    match expr {
        Expr::Column(column) => Some(column),
        Expr::Alias(alias) => as_column(&alias.expr),
        _ => None,
    }
}
