//! Event time: watermarks of one input and of several, and which windows a time falls into. Pure.

mod standing;
mod watermark;
mod window;

pub use standing::{PartitionTime, TableTime};
pub use watermark::{PartitionWatermarks, Watermark, WatermarkMerge};
pub use window::{WindowKind, WindowSpec, Windows};

/// Milliseconds since the epoch.
pub type Millis = i64;
