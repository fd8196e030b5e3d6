//! Flink SQL functions as DataFusion UDFs.
use std::sync::Arc;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
/// Scalar functions under Flink's names.
pub fn scalar_functions() -> Vec<Arc<ScalarUDF>> { vec![] }
/// Aggregate functions under Flink's names.
pub fn aggregate_functions() -> Vec<Arc<AggregateUDF>> { vec![] }
/// CAST to STRING.
pub fn cast_to_string() -> Arc<ScalarUDF> { datafusion::functions::string::to_hex() }
/// Decimal division.
pub fn decimal_divide() -> Arc<ScalarUDF> { datafusion::functions::string::to_hex() }
