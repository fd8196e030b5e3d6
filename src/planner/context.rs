//! What DataFusion's SQL planner asks of its surroundings: tables, views, functions, types, options.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use arrow::datatypes::{DataType, FieldRef, SchemaRef};
use datafusion::common::TableReference;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{plan_datafusion_err, plan_err};
use datafusion::error::Result as DfResult;
use datafusion::execution::SessionStateDefaults;
use datafusion::logical_expr::planner::{
    ContextProvider, ExprPlanner, RelationPlanner, TypePlanner,
};
use datafusion::logical_expr::{
    AggregateUDF, HigherOrderUDF, LogicalPlan, LogicalPlanBuilder, ScalarUDF, TableSource,
    WindowUDF,
};
use datafusion::sql::planner::{NullOrdering, ParserOptions, SqlToRel};
use sqlparser::ast::{self, Query, Statement};

use super::builtin;
use super::types::arrow_field;
use super::windows::{FlinkRelations, HintedName};
use crate::catalog::{Catalog, Relation, Table};
use crate::sql::sql_type_of;

/// The functions a query may call, by lower-case name.
#[derive(Debug, Clone)]
pub struct Functions {
    scalar: HashMap<String, Arc<ScalarUDF>>,
    aggregate: HashMap<String, Arc<AggregateUDF>>,
    window: HashMap<String, Arc<WindowUDF>>,
    expr_planners: Vec<Arc<dyn ExprPlanner>>,
}

impl Functions {
    /// DataFusion's functions, with Flink's own under Flink's names in place of those that differ.
    pub fn new() -> Self {
        let mut scalar = HashMap::new();
        let mut aggregate = HashMap::new();
        for f in SessionStateDefaults::default_scalar_functions()
            .into_iter()
            .chain(flowline_udfs::scalar_functions())
        {
            for name in f.aliases().iter().map(String::as_str).chain([f.name()]) {
                scalar.insert(name.to_string(), Arc::clone(&f));
            }
        }
        for f in SessionStateDefaults::default_aggregate_functions()
            .into_iter()
            .chain(flowline_udfs::aggregate_functions())
        {
            for name in f.aliases().iter().map(String::as_str).chain([f.name()]) {
                aggregate.insert(name.to_string(), Arc::clone(&f));
            }
        }
        let window = SessionStateDefaults::default_window_functions()
            .into_iter()
            .chain(flowline_udfs::window_functions())
            .map(|f| (f.name().to_string(), f))
            .collect();
        let planned = |name: &str| scalar.get(name).cloned();
        let flink = super::rewrite::FlinkExpressions {
            substring: planned("substring"),
            extract: planned("extract"),
            overlay: planned("overlay"),
        };
        let mut expr_planners: Vec<Arc<dyn ExprPlanner>> = vec![Arc::new(flink)];
        expr_planners.extend(SessionStateDefaults::default_expr_planners());
        Self {
            scalar,
            aggregate,
            window,
            expr_planners,
        }
    }

    /// All names, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .scalar
            .keys()
            .chain(self.aggregate.keys())
            .chain(self.window.keys())
            .cloned()
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The known name nearest to `name`.
    pub fn closest(&self, name: &str) -> Option<String> {
        let names = self.names();
        crate::catalog::closest(name, names.iter().map(String::as_str)).map(str::to_string)
    }
}

impl Default for Functions {
    fn default() -> Self {
        Self::new()
    }
}

/// A table as DataFusion's planner sees it while a streaming query is planned.
#[derive(Debug)]
pub struct StreamTable {
    /// The table, hints applied.
    pub table: Arc<Table>,
    schema: SchemaRef,
}

impl StreamTable {
    /// For planning only: it cannot be scanned by DataFusion.
    pub fn new(table: Arc<Table>) -> Self {
        Self {
            schema: table.schema(),
            table,
        }
    }
}

impl TableSource for StreamTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

/// The tables that a plan over stream tables reads, each once.
pub fn tables_read(plan: &LogicalPlan) -> Vec<Arc<Table>> {
    let mut found: Vec<Arc<Table>> = Vec::new();
    // The visitor itself never fails.
    let _ = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Some(source) = scan.source.downcast_ref::<StreamTable>()
            && !found.iter().any(|t| t.name == source.table.name)
        {
            found.push(Arc::clone(&source.table));
        }
        Ok(TreeNodeRecursion::Continue)
    });
    found
}

/// A view's query, put in its place.
struct PlannedView {
    plan: LogicalPlan,
    schema: SchemaRef,
}

impl TableSource for PlannedView {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn get_logical_plan(&self) -> Option<Cow<'_, LogicalPlan>> {
        Some(Cow::Borrowed(&self.plan))
    }
}

/// Makes the DataFusion table of a table: for planning a stream, or for reading it in a batch query.
pub type TableMaker<'a> = dyn Fn(&Arc<Table>) -> DfResult<Arc<dyn TableSource>> + Send + Sync + 'a;

/// The surroundings of one query.
pub struct PlanContext<'a> {
    catalog: &'a Catalog,
    functions: &'a Functions,
    tables: &'a TableMaker<'a>,
    config: ConfigOptions,
    relation_planners: Vec<Arc<dyn RelationPlanner>>,
    type_planner: Arc<dyn TypePlanner>,
    /// Views being planned, to find views that read themselves.
    views: Mutex<Vec<String>>,
}

impl<'a> PlanContext<'a> {
    /// Names resolve in `catalog`; `tables` makes what a table name stands for.
    pub fn new(catalog: &'a Catalog, functions: &'a Functions, tables: &'a TableMaker<'a>) -> Self {
        let mut config = ConfigOptions::new();
        config.sql_parser.enable_ident_normalization = false;
        Self {
            catalog,
            functions,
            tables,
            config,
            relation_planners: vec![Arc::new(FlinkRelations)],
            type_planner: Arc::new(FlinkTypeNames),
            views: Mutex::new(Vec::new()),
        }
    }

    /// DataFusion's SQL planner, set to Flink's rules.
    pub fn planner(&self) -> SqlToRel<'_, Self> {
        let options = ParserOptions::new()
            .with_enable_ident_normalization(false)
            .with_parse_float_as_decimal(true)
            .with_map_string_types_to_utf8view(false)
            .with_collect_spans(true)
            .with_default_null_ordering(NullOrdering::NullsMin);
        SqlToRel::new_with_options(self, options)
    }

    /// The logical plan of a query, as DataFusion's SQL planner gives it.
    ///
    /// # Errors
    /// Unknown names, types that do not fit, features that are not supported.
    pub fn plan(&self, query: &Query) -> DfResult<LogicalPlan> {
        let mut query = query.clone();
        if let Some(operation) = super::rewrite::multiset_operation(&query) {
            return plan_err!("{operation} ALL is not supported: without ALL it is");
        }
        super::rewrite::name_columns(&mut query);
        let plan = self
            .planner()
            .sql_statement_to_plan(Statement::Query(Box::new(query)))?;
        unique_columns(plan)
    }

    /// The table source of a table with options of a hint put over its own.
    ///
    /// # Errors
    /// Where the name is no table.
    pub fn hinted(
        &self,
        name: &str,
        options: BTreeMap<String, String>,
    ) -> DfResult<Arc<dyn TableSource>> {
        match self.catalog.get(name) {
            Some(Relation::Table(table)) => {
                let mut table = table.as_ref().clone();
                table.with.extend(options);
                (self.tables)(&Arc::new(table))
            }
            Some(Relation::View(_)) => {
                plan_err!("'{name}' is a view: an OPTIONS hint goes behind a table")
            }
            None => self.unknown(name),
        }
    }

    fn unknown<T>(&self, name: &str) -> DfResult<T> {
        match self.catalog.closest(name) {
            Some(near) => plan_err!("table '{name}' not found; did you mean '{near}'?"),
            None => plan_err!("table '{name}' not found"),
        }
    }
}

/// The plan with a number behind names that come twice, as Calcite names the columns of `SELECT *` over a join: k, k0.
fn unique_columns(plan: LogicalPlan) -> DfResult<LogicalPlan> {
    let mut taken: Vec<String> = Vec::new();
    let mut exprs = Vec::new();
    let mut any = false;
    for (column, field) in plan
        .schema()
        .columns()
        .into_iter()
        .zip(plan.schema().fields())
    {
        let name = field.name();
        let is_taken = taken.contains(name);
        let expr = datafusion::logical_expr::Expr::Column(column);
        if is_taken {
            let numbered = (0..).map(|n| format!("{name}{n}"));
            let unique = numbered
                .into_iter()
                .find(|n| !taken.contains(n))
                .unwrap_or_default();
            exprs.push(expr.alias(&unique));
            taken.push(unique);
            any = true;
        } else {
            taken.push(name.clone());
            exprs.push(expr);
        }
    }
    if !any {
        return Ok(plan);
    }
    LogicalPlanBuilder::from(plan).project(exprs)?.build()
}

/// A name without the default catalog and database before it.
pub fn bare_name(reference: &TableReference) -> DfResult<String> {
    match (reference.catalog(), reference.schema()) {
        (None, None) | (None | Some("default_catalog"), Some("default_database")) => {
            Ok(reference.table().to_string())
        }
        _ => plan_err!(
            "table '{reference}' not found: flowline has the one database default_catalog.default_database"
        ),
    }
}

impl ContextProvider for PlanContext<'_> {
    fn get_table_source(&self, name: TableReference) -> DfResult<Arc<dyn TableSource>> {
        if name.schema() == Some(builtin::DATABASE) {
            return match builtin::table(name.table()) {
                Some(table) => (self.tables)(&table),
                None => plan_err!(
                    "table '{name}' not found: the built-in tables are {}",
                    builtin::names().join(", ")
                ),
            };
        }
        let name = bare_name(&name)?;
        match self.catalog.get(&name) {
            None => self.unknown(&name),
            Some(Relation::Table(table)) => (self.tables)(table),
            Some(Relation::View(view)) => {
                let locked =
                    || plan_datafusion_err!("view '{name}' cannot be planned twice at once");
                {
                    let mut views = self.views.lock().map_err(|_| locked())?;
                    if views.contains(&name) {
                        return plan_err!(
                            "view '{name}' reads itself: {} -> {name}",
                            views.join(" -> ")
                        );
                    }
                    views.push(name.clone());
                }
                let plan = self.plan(&view.query);
                self.views.lock().map_err(|_| locked())?.pop();
                let mut plan = plan.map_err(|e| e.context(format!("in view '{name}'")))?;
                if !view.columns.is_empty() {
                    if view.columns.len() != plan.schema().fields().len() {
                        return plan_err!(
                            "view '{name}' names {} columns, its query has {}",
                            view.columns.len(),
                            plan.schema().fields().len()
                        );
                    }
                    let names: Vec<_> = plan
                        .schema()
                        .columns()
                        .into_iter()
                        .zip(&view.columns)
                        .map(|(c, n)| datafusion::logical_expr::Expr::Column(c).alias(n))
                        .collect();
                    plan = LogicalPlanBuilder::from(plan).project(names)?.build()?;
                }
                let schema = Arc::new(plan.schema().as_arrow().clone());
                Ok(Arc::new(PlannedView { plan, schema }))
            }
        }
    }

    /// Only the relation planner of this module calls it, for a table with a hint.
    fn get_table_function_source(
        &self,
        name: &str,
        _args: Vec<datafusion::logical_expr::Expr>,
    ) -> DfResult<Arc<dyn TableSource>> {
        match HintedName::decode(name) {
            Some(hinted) => self.hinted(&hinted.table, hinted.options),
            None => plan_err!(
                "table function '{name}' is not supported; TUMBLE, HOP, CUMULATE and SESSION are"
            ),
        }
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.functions.expr_planners
    }

    fn get_relation_planners(&self) -> &[Arc<dyn RelationPlanner>] {
        &self.relation_planners
    }

    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        Some(Arc::clone(&self.type_planner))
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.functions.scalar.get(&name.to_lowercase()).cloned()
    }

    fn get_higher_order_meta(&self, _name: &str) -> Option<Arc<HigherOrderUDF>> {
        None
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.functions.aggregate.get(&name.to_lowercase()).cloned()
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.functions.window.get(&name.to_lowercase()).cloned()
    }

    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        &self.config
    }

    fn udf_names(&self) -> Vec<String> {
        self.functions.scalar.keys().cloned().collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udaf_names(&self) -> Vec<String> {
        self.functions.aggregate.keys().cloned().collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        self.functions.window.keys().cloned().collect()
    }
}

/// Flink's type names in CAST.
#[derive(Debug)]
struct FlinkTypeNames;

impl TypePlanner for FlinkTypeNames {
    fn plan_type_field(&self, sql_type: &ast::DataType) -> DfResult<Option<FieldRef>> {
        let sql = sql_type_of(sql_type).map_err(|m| plan_datafusion_err!("{m}"))?;
        Ok(Some(Arc::new(arrow_field("", &sql).with_nullable(true))))
    }
}
