//! Which casts Flink has, and what may become of their values.

use super::types::{Type, time_unit};
use super::{Cast, Failure, Overflow};
use datafusion::arrow::datatypes::TimeUnit;

/// Whether CAST is there between two types.
pub(super) fn is_explicit(from: &Type, to: &Type) -> bool {
    use Type::*;
    match (from, to) {
        (Null, _) => true,
        (from, to) if from == to => true,
        (from, Boolean) => from.is_text() || from.is_number(),
        (_, to) if to.is_text() => true,
        (from, to) if to.is_bytes() => from.is_text() || from.is_bytes(),
        (Boolean, to) => to.is_number(),
        (from, to) if to.is_number() => from.is_text() || from.is_number(),
        (from, Date) => from.is_text() || from.is_timestamp(),
        (from, Time(_)) => from.is_text() || matches!(from, Time(_)) || from.is_timestamp(),
        (from, Timestamp(_) | TimestampLtz(_)) => {
            from.is_text() || matches!(from, Date | Time(_)) || from.is_timestamp()
        }
        (from, to) => are_alike(from, to, is_explicit),
    }
}

/// Flink's implicit casts, which go without being asked for: into sinks, and on the way to a common type.
pub fn is_implicit(from: &Type, to: &Type) -> bool {
    use Type::*;
    match (from, to) {
        (Null, _) => true,
        (from, to) if from == to => true,
        (Char(_), Char(_)) | (Binary(_), Binary(_)) | (Time(_), Time(_)) => true,
        (from, Varchar(_) | String) => from.is_text(),
        (from, Varbinary(_) | Bytes) => from.is_bytes(),
        (from, Decimal(..) | Double) => from.is_number(),
        (from, Float) => from.is_number() && !matches!(from, Double),
        (from, to) if to.whole_digits().is_some() => {
            from.whole_digits().is_some() && from.whole_digits() <= to.whole_digits()
        }
        (Timestamp(_), Date | Time(_)) => true,
        (from, Timestamp(_) | TimestampLtz(_)) => from.is_timestamp(),
        (from, to) => are_alike(from, to, is_implicit),
    }
}

/// Whether both are arrays, maps or rows whose parts go from one to the other, by position.
fn are_alike(from: &Type, to: &Type, part: impl Fn(&Type, &Type) -> bool) -> bool {
    match (from, to) {
        (Type::Array(from), Type::Array(to)) | (Type::Multiset(from), Type::Multiset(to)) => {
            part(from, to)
        }
        (Type::Map(key, value), Type::Map(to_key, to_value)) => {
            part(key, to_key) && part(value, to_value)
        }
        (Type::Row(from), Type::Row(to)) => {
            let mut pairs = from.iter().zip(to);
            from.len() == to.len() && pairs.all(|((_, from), (_, to))| part(from, to))
        }
        _ => false,
    }
}

impl Cast {
    /// Whether Flink knows this cast at all. Numbers to INTERVAL are left out: a [`Type`] does not say the unit.
    pub fn is_supported(&self) -> bool {
        is_explicit(&self.from, &self.to)
    }

    /// Whether a value may make it fail, so that it must not be evaluated for rows that do not ask for it.
    pub fn can_fail(&self) -> bool {
        self.failure == Failure::Error && may_fail(&self.from, &self.to, self.overflow)
    }

    /// Whether it may give NULL for a value that is not NULL.
    pub fn can_give_null(&self) -> bool {
        let fails = || may_fail(&self.from, &self.to, self.overflow);
        is_lossy(&self.from, &self.to) || (self.failure == Failure::Null && fails())
    }
}

/// Whether some value has no cast.
fn may_fail(from: &Type, to: &Type, overflow: Overflow) -> bool {
    use Type::*;
    match (from, to) {
        (Null, _) => false,
        (from, to) if from == to => false,
        (from, to) if from.is_text() => !to.is_text() && !to.is_bytes(),
        (from, Decimal(..)) => from.is_float(),
        (Boolean, _) => false,
        (from, to) if to.whole_digits().is_some() => {
            let fits = match from {
                Decimal(p, s) => Some(p - s.min(p)) < to.whole_digits(),
                from => from.whole_digits().is_some() && from.whole_digits() <= to.whole_digits(),
            };
            overflow == Overflow::Error && !fits
        }
        // Nanoseconds reach from 1677 to 2262.
        (from, Timestamp(p) | TimestampLtz(p)) => {
            let reach = match from {
                Timestamp(from) | TimestampLtz(from) => time_unit(*from) == TimeUnit::Nanosecond,
                from => matches!(from, Time(_)),
            };
            time_unit(*p) == TimeUnit::Nanosecond && !reach
        }
        (Array(from), Array(to)) => may_fail(from, to, overflow),
        (Multiset(from), Multiset(to)) => may_fail(from, to, overflow) || is_lossy(from, to),
        (Map(key, value), Map(to_key, to_value)) => {
            // A key must not become NULL.
            may_fail(key, to_key, overflow)
                || is_lossy(key, to_key)
                || may_fail(value, to_value, overflow)
        }
        (Row(from), Row(to)) => {
            let mut pairs = from.iter().zip(to);
            pairs.any(|((_, from), (_, to))| may_fail(from, to, overflow))
        }
        _ => false,
    }
}

/// Whether a value that is not NULL may give NULL, in CAST too: a DECIMAL that does not fit.
pub(super) fn is_lossy(from: &Type, to: &Type) -> bool {
    let Type::Decimal(precision, scale) = to else {
        return false;
    };
    let room = i32::from(*precision) - i32::from(*scale);
    let whole = match from {
        // Text that does not fit is a failure.
        from if *from == Type::Null || from.is_text() => return false,
        Type::Boolean => 1,
        // Rounding may carry into one more digit.
        Type::Decimal(p, s) => i32::from(*p) - i32::from(*s) + i32::from(s > scale),
        from => match from.whole_digits() {
            Some(digits) => i32::from(digits),
            None => return true,
        },
    };
    whole > room
}
