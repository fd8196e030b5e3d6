//! State that is given up once it has not been written for a while (Flink: `table.exec.state.ttl`).

/// When state is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateTtl {
    /// How long after it was last written, in milliseconds.
    pub after: i64,
    /// Counted in event time (by the watermark); else by the clock.
    pub by_event_time: bool,
}

impl StateTtl {
    /// How often the clock must be told, in milliseconds; `None` where it plays no part.
    pub fn clock_period(self) -> Option<u64> {
        (!self.by_event_time).then(|| (self.after.unsigned_abs() / 4).clamp(10, 1000))
    }
}
