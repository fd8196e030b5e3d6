//! flowline runs Flink SQL files as continuous queries in one native process built on DataFusion and Arrow, over Kafka.
//!
//! The modules, in the order in which a SQL file passes through them:

pub mod batch; // SELECTs answered once
pub mod catalog; // tables, views and their options
pub mod changelog; // rows with weights, row kinds
pub mod checkpoint; // what a job was like at an instant, kept in an object store
pub mod cli; // flags to settings, one file per verb
pub mod connectors; // where rows come from and go to
pub mod formats; // bytes <-> rows
pub mod graph; // the dataflow as data; EXPLAIN
pub mod operators; // the steps of the dataflow, synchronous
pub mod planner; // AST + catalog -> checked streaming plan -> graph
pub mod runtime; // tasks, channels, barriers, shutdown
pub mod server; // jobs and tables over the network
pub mod session; // the main path: SQL files -> running job
pub mod sql; // text -> spanned AST
pub mod state; // keyed state, key groups, snapshots
pub mod time; // watermarks and windows

pub mod clock; // the clock, injected
pub mod error; // what went wrong, where, and what to do
pub mod secrets; // references to what is kept outside
pub mod settings; // SET keys
