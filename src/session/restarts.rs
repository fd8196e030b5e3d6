//! Whether and when a failed job is started again (Flink: restart strategies).

use std::time::Duration;

use crate::error::{Error, ErrorKind};
use crate::settings::RestartStrategy;

/// How often a job has been restarted.
#[derive(Debug, Clone)]
pub struct Restarts {
    strategy: RestartStrategy,
    failed: u32,
}

impl Restarts {
    /// Not restarted yet.
    pub fn new(strategy: RestartStrategy) -> Self {
        Self {
            strategy,
            failed: 0,
        }
    }

    /// The job has failed with `error`, after it had or had not completed a checkpoint since it was last started. How long to
    /// wait before it is started again; `None`: it is not. A mistake in the SQL or a row that cannot be processed would only
    /// fail again, and another run that has taken over is not to be disturbed.
    pub fn after(&mut self, error: &Error, made_progress: bool) -> Option<Duration> {
        if !matches!(error.kind, ErrorKind::External | ErrorKind::Internal) {
            return None;
        }
        if made_progress {
            self.failed = 0;
        }
        if self.failed >= self.strategy.attempts {
            return None;
        }
        let exponent = i32::try_from(self.failed).unwrap_or(i32::MAX);
        let seconds = self.strategy.delay.as_secs_f64() * self.strategy.factor.powi(exponent);
        self.failed += 1;
        Some(
            Duration::try_from_secs_f64(seconds)
                .unwrap_or(self.strategy.max_delay)
                .min(self.strategy.max_delay),
        )
    }

    /// How often it was started again in a row.
    pub fn count(&self) -> u32 {
        self.failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_are_bounded_and_further_and_further_apart() {
        let broken = Error::external("the broker is gone");
        let second = Duration::from_secs(1);
        let mut restarts = Restarts::new(RestartStrategy {
            attempts: 3,
            delay: second,
            factor: 2.0,
            max_delay: 3 * second,
        });
        assert_eq!(restarts.after(&broken, false), Some(second));
        assert_eq!(restarts.after(&broken, false), Some(2 * second));
        assert_eq!(restarts.after(&broken, false), Some(3 * second));
        assert_eq!(restarts.after(&broken, false), None);
        assert_eq!(
            restarts.after(&broken, true),
            Some(second),
            "a completed checkpoint begins the count anew"
        );
    }

    #[test]
    fn what_would_fail_again_is_not_tried_again() {
        let mut restarts = Restarts::new(RestartStrategy::default());
        assert_eq!(restarts.after(&Error::data("no number"), true), None);
        assert_eq!(restarts.after(&Error::usage("no such table"), true), None);
        let fenced = Error::new(ErrorKind::Fenced, "taken over");
        assert_eq!(restarts.after(&fenced, true), None);
    }
}
