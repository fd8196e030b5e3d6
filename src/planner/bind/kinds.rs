//! What sort of type a type is.

use crate::sql::ast::SqlTypeKind as Kind;

/// The declared length of text or bytes; `None` for any length.
pub(super) fn length(kind: &Kind) -> Option<u32> {
    match kind {
        Kind::Char(n) | Kind::Varchar(n) | Kind::Binary(n) | Kind::Varbinary(n) => Some(*n),
        _ => None,
    }
}

pub(super) fn is_text(kind: &Kind) -> bool {
    matches!(kind, Kind::Char(_) | Kind::Varchar(_) | Kind::String)
}

pub(super) fn is_bytes(kind: &Kind) -> bool {
    matches!(kind, Kind::Binary(_) | Kind::Varbinary(_) | Kind::Bytes)
}

pub(super) fn is_integer(kind: &Kind) -> bool {
    integer_rank(kind).is_some()
}

pub(super) fn is_float(kind: &Kind) -> bool {
    matches!(kind, Kind::Float | Kind::Double)
}

pub(super) fn is_number(kind: &Kind) -> bool {
    is_integer(kind) || is_float(kind) || matches!(kind, Kind::Decimal(..))
}

pub(super) fn is_time(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Date | Kind::Time(_) | Kind::Timestamp(_) | Kind::TimestampLtz(_)
    )
}

pub(super) fn is_interval(kind: &Kind) -> bool {
    matches!(kind, Kind::IntervalYearMonth | Kind::IntervalDaySecond)
}

pub(super) fn integer_rank(kind: &Kind) -> Option<u8> {
    Some(match kind {
        Kind::TinyInt => 0,
        Kind::SmallInt => 1,
        Kind::Int => 2,
        Kind::BigInt => 3,
        _ => return None,
    })
}

/// The precision and scale of an exact number as a DECIMAL.
pub(super) fn as_decimal(kind: &Kind) -> Option<(u8, u8)> {
    Some(match kind {
        Kind::TinyInt => (3, 0),
        Kind::SmallInt => (5, 0),
        Kind::Int => (10, 0),
        Kind::BigInt => (19, 0),
        Kind::Decimal(p, s) => (*p, *s),
        _ => return None,
    })
}

pub(super) fn is_nested(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Array(_) | Kind::Map(..) | Kind::Multiset(_) | Kind::Row(_)
    )
}
