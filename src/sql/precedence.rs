//! How tightly operators bind.

use sqlparser::dialect::Precedence;

/// The higher, the tighter.
pub(super) fn of(prec: Precedence) -> u8 {
    // As Calcite: BETWEEN, IN and LIKE bind tighter than comparisons, these tighter than IS, NOT, AND, OR.
    match prec {
        Precedence::Period => 100,
        Precedence::DoubleColon => 50,
        Precedence::AtTz => 41,
        Precedence::MulDivModOp => 40,
        Precedence::PlusMinus => 30,
        Precedence::Xor => 27,
        Precedence::Ampersand => 26,
        Precedence::Caret => 25,
        Precedence::Pipe | Precedence::Colon => 24,
        Precedence::Between | Precedence::Like => 22,
        Precedence::Eq => 20,
        Precedence::Is => 17,
        Precedence::PgOther => 16,
        Precedence::UnaryNot => 15,
        Precedence::And => 10,
        Precedence::Or => 5,
    }
}
