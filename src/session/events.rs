//! What happens to a supervised job, and the words for it.

use std::time::Duration;

use crate::checkpoint::{Checkpoints, Kind, Manifest};
use crate::clock::{Clock as _, SystemClock};
use crate::error::Error;
use crate::runtime::Changes;

/// What happens to a supervised job.
#[derive(Debug)]
pub enum JobEvent<'a> {
    /// It is about to go on from a checkpoint of other SQL.
    Changed(&'a Changes),
    /// It runs.
    Started {
        /// From this checkpoint, where it had one.
        from: Option<&'a Manifest>,
        /// Where its checkpoints are, if it takes any.
        checkpoints: Option<&'a Checkpoints>,
    },
    /// It had read all its input before, and has nothing to do.
    Finished(&'a Manifest),
    /// It failed and will be started again.
    Restarting {
        /// Why.
        error: &'a Error,
        /// After how long.
        after: Duration,
        /// How many restarts in a row this makes.
        attempt: u32,
    },
}

impl JobEvent<'_> {
    /// What happened, line by line, as people read it.
    pub fn lines(&self) -> Vec<String> {
        match self {
            Self::Changed(changes) => changed(changes),
            Self::Started { from, checkpoints } => checkpoints
                .map(|checkpoints| begun(*from, checkpoints))
                .into_iter()
                .collect(),
            Self::Finished(manifest) => vec![format!(
                "job '{}' had read all its input: nothing to do since checkpoint {}",
                manifest.job, manifest.epoch
            )],
            Self::Restarting {
                error,
                after,
                attempt,
            } => vec![
                format!("failed   {error}"),
                format!(
                    "restart  {attempt} in {} ms from the last checkpoint",
                    after.as_millis()
                ),
            ],
        }
    }
}

/// What becomes of the state.
fn changed(changes: &Changes) -> Vec<String> {
    let mut lines = vec![format!(
        "changed  the SQL is not that of checkpoint {}:",
        changes.epoch
    )];
    for (fate, what) in [
        ("keeps", &changes.kept),
        ("new", &changes.new),
        ("gone", &changes.gone),
        ("drops", &changes.lost),
        ("drops", &changes.moved),
    ] {
        lines.extend(what.iter().map(|what| format!("  {fate:<6} {what}")));
    }
    lines
}

/// What the job goes on from.
fn begun(from: Option<&Manifest>, checkpoints: &Checkpoints) -> String {
    let (job, dir) = (checkpoints.job(), checkpoints.location.url());
    let Some(manifest) = from else {
        return format!("begins with nothing: job '{job}' has no checkpoint in {dir}");
    };
    let what = match manifest.kind {
        Kind::Checkpoint => "checkpoint",
        Kind::Savepoint => "savepoint",
    };
    format!(
        "restored {what} {} of job '{}', {} old, {}, in {dir}",
        manifest.epoch,
        manifest.job,
        span(SystemClock.now() - manifest.time),
        count(manifest.bytes(), "byte"),
    )
}

/// A length of time in the largest unit that fits.
pub fn span(millis: i64) -> String {
    match millis.max(0) {
        millis @ ..1_000 => format!("{millis} ms"),
        millis @ 1_000..120_000 => format!("{} s", millis / 1_000),
        millis @ 120_000..7_200_000 => format!("{} min", millis / 60_000),
        millis @ 7_200_000..172_800_000 => format!("{} h", millis / 3_600_000),
        millis => format!("{} days", millis / 86_400_000),
    }
}

/// `12 rows`, `1 row`, digits in groups of three.
pub fn count(number: u64, what: &str) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{grouped} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    #[test]
    fn counts() {
        assert_eq!(super::count(1, "row"), "1 row");
        assert_eq!(super::count(1_234_567, "row"), "1,234,567 rows");
        assert_eq!(super::count(999, "row"), "999 rows");
    }
}
