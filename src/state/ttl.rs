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

    /// How many milliseconds count as one moment. Within a batch only the watermark before it is known, so sources end a batch
    /// where the watermark enters another step: then state expires between the same rows whatever the size of batches.
    pub fn step(self) -> i64 {
        match self.by_event_time {
            true => (self.after / 8).max(1),
            false => 1,
        }
    }

    /// The beginning of the step that a time is in.
    pub fn step_of(self, time: i64) -> i64 {
        time.saturating_sub(time.rem_euclid(self.step()))
    }

    /// When that expires which was written in the step that begins at `written`: it may have been written at its end.
    pub fn expires(self, written: i64) -> i64 {
        let last = written.saturating_add(self.step() - 1);
        last.saturating_add(self.after)
    }
}
