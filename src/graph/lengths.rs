//! Lengths of time in words.

pub(super) fn duration(length: std::time::Duration) -> String {
    span(i64::try_from(length.as_millis()).unwrap_or(i64::MAX))
}

/// A length of time in words, such as `5 min`.
pub(super) fn span(millis: i64) -> String {
    for (size, unit) in [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "min"),
        (1000, "s"),
    ] {
        if millis != 0 && millis % size == 0 {
            return format!("{} {unit}", millis / size);
        }
    }
    format!("{millis} ms")
}
