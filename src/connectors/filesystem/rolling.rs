//! When a file is full: `sink.rolling-policy.*`.

use std::time::Duration;

use crate::catalog::options::{OptionError, Options, parse_size};

/// Options of Flink for what is not done here.
const REFUSED: &[&str] = &["compaction.file-size", "compaction.parallelism"];

/// Options that may only say what is done anyway.
const OFF: &[(&str, &str)] = &[
    ("auto-compaction", "files are published as they are rolled"),
    (
        "sink.shuffle-by-partition.enable",
        "each writer writes the rows it gets",
    ),
];

/// When a file that is written to is closed and another one begun.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rolling {
    /// A file larger than this takes no more rows.
    pub(super) file_size: u64,
    /// A file is open no longer than this,
    pub(super) rollover: Duration,
    /// and no longer than this without a new row.
    pub(super) inactivity: Duration,
    /// How often the two times are looked at where there are no checkpoints.
    pub(super) check: Duration,
}

impl Rolling {
    /// Reads the options.
    ///
    /// # Errors
    /// Options that are wrong or not supported.
    pub(super) fn read(options: &Options) -> Result<Self, OptionError> {
        for key in REFUSED {
            if options.get(key).is_some() {
                return Err(OptionError::new(key, format!("'{key}' is not supported"))
                    .with_help("remove it: files are not compacted"));
            }
        }
        for (key, what) in OFF {
            if options.bool(key, false)? {
                return Err(OptionError::new(key, format!("'{key}' is not supported"))
                    .with_help(format!("remove it: {what}")));
            }
        }
        let minutes = |name: &str, minutes: u64| {
            let key = format!("sink.rolling-policy.{name}");
            let default = Duration::from_secs(minutes * 60);
            Ok(options.duration(&key, None)?.unwrap_or(default))
        };
        let key = "sink.rolling-policy.file-size";
        let file_size = options.parse(key, 128 << 20, "a size such as '128MB'", parse_size)?;
        let check = minutes("check-interval", 1)?;
        if check.is_zero() {
            let key = "sink.rolling-policy.check-interval";
            return Err(OptionError::new(key, format!("'{key}' must be above zero")));
        }
        Ok(Self {
            file_size,
            rollover: minutes("rollover-interval", 30)?,
            inactivity: minutes("inactivity-interval", 30)?,
            check,
        })
    }

    /// Marks the options as known where they do not matter.
    pub(super) fn pass_over(options: &Options) {
        for key in REFUSED.iter().chain(OFF.iter().map(|(key, _)| key)) {
            options.get(key);
        }
        for name in [
            "file-size",
            "rollover-interval",
            "inactivity-interval",
            "check-interval",
        ] {
            options.get(&format!("sink.rolling-policy.{name}"));
        }
    }
}
