//! The functions a query may call, under Flink's names.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::execution::SessionStateDefaults;
use datafusion::logical_expr::{AggregateUDF, Expr, ScalarUDF, WindowUDF};

/// Scalar functions of DataFusion's that Flink has with the same meaning; all others are flowline's own.
const SHARED: &[&str] = &["uuid"];

/// Aggregate functions of DataFusion's that Flink has with the same meaning.
const SHARED_AGGREGATES: &[&str] = &["count"];

/// Window functions of DataFusion's that Flink has; which of them a stream can do, lowering knows.
const SHARED_WINDOWS: &[&str] = &[
    "row_number",
    "rank",
    "dense_rank",
    "percent_rank",
    "cume_dist",
    "ntile",
    "lag",
    "lead",
    "nth_value",
];

/// Functions that syntax stands for and no name calls.
const INTERNAL: &[&str] = &["make_array", "map", "named_struct"];

/// The functions a query may call, by upper-case name.
#[derive(Debug, Clone)]
pub struct Functions {
    scalar: BTreeMap<String, Arc<ScalarUDF>>,
    aggregate: BTreeMap<String, Arc<AggregateUDF>>,
    window: BTreeMap<String, Arc<WindowUDF>>,
    internal: BTreeMap<String, Arc<ScalarUDF>>,
}

/// What the binder makes without a function of this name: syntax, or a choice that is evaluated only where it is needed.
const SYNTAX: &[&str] = &[
    "COALESCE",
    "GROUPING",
    "GROUPING_ID",
    "IF",
    "IFNULL",
    "NULLIF",
    "ROW",
    "TYPEOF",
];

impl Functions {
    /// flowline's functions and those of DataFusion's that mean the same in Flink.
    pub fn new() -> Self {
        let shared = SessionStateDefaults::default_scalar_functions();
        let (mut scalar, mut internal) = (BTreeMap::new(), BTreeMap::new());
        for f in &shared {
            if INTERNAL.contains(&f.name()) {
                internal.insert(f.name().to_string(), Arc::clone(f));
            }
        }
        let is_shared = |f: &Arc<ScalarUDF>| SHARED.contains(&f.name());
        let own = flowline_udfs::scalar_functions();
        for f in shared.into_iter().filter(is_shared).chain(own) {
            for name in f.aliases().iter().map(String::as_str).chain([f.name()]) {
                scalar.insert(name.to_uppercase(), Arc::clone(&f));
            }
        }
        let mut aggregate = BTreeMap::new();
        let shared = SessionStateDefaults::default_aggregate_functions();
        let is_shared = |f: &Arc<AggregateUDF>| SHARED_AGGREGATES.contains(&f.name());
        let own = flowline_udfs::aggregate_functions();
        for f in shared.into_iter().filter(is_shared).chain(own) {
            for name in f.aliases().iter().map(String::as_str).chain([f.name()]) {
                aggregate.insert(name.to_uppercase(), Arc::clone(&f));
            }
        }
        let window = SessionStateDefaults::default_window_functions()
            .into_iter()
            .filter(|f| SHARED_WINDOWS.contains(&f.name()))
            .map(|f| (f.name().to_uppercase(), f))
            .collect();
        Self {
            scalar,
            aggregate,
            window,
            internal,
        }
    }

    /// A scalar function.
    pub fn scalar(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.scalar.get(name).cloned()
    }

    /// Whether a query may call something by this name, which is neither an aggregate nor only for OVER.
    pub fn is_callable(&self, name: &str) -> bool {
        self.scalar.contains_key(name) || SYNTAX.contains(&name)
    }

    /// An aggregate function; `checked`: one that fails where a whole number overflows.
    pub fn aggregate(&self, name: &str, checked: bool) -> Option<Arc<AggregateUDF>> {
        if checked && name == "SUM" {
            return Some(flowline_udfs::checked_sum());
        }
        self.aggregate.get(name).cloned()
    }

    /// A function that only OVER calls.
    pub fn window(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.window.get(name).cloned()
    }

    /// A call of a function that stands for syntax, such as `make_array`.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn internal(&self, name: &str, args: Vec<Expr>) -> datafusion::error::Result<Expr> {
        match self.internal.get(name) {
            Some(function) => Ok(function.call(args)),
            None => datafusion::common::internal_err!("there is no function {name}"),
        }
    }

    /// All names in lower case, sorted.
    pub fn names(&self) -> Vec<String> {
        let known = self
            .scalar
            .keys()
            .chain(self.aggregate.keys())
            .chain(self.window.keys())
            .map(String::as_str)
            .chain(SYNTAX.iter().copied());
        let mut names: Vec<String> = known.map(str::to_lowercase).collect();
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
