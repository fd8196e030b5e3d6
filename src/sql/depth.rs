//! A stack that is deep enough for what is nested deeply.

/// Where so much of the stack is left, in bytes, it is deep enough.
const ENOUGH: usize = 64 * 1024 * 1024;
/// The stack that is taken otherwise, in bytes. Only what is used of it is memory.
const STACK: usize = 256 * 1024 * 1024;

/// Runs what walks through syntax trees and plans where deep nesting, which the parser bounds, cannot overflow the stack.
pub fn deep<T>(work: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(ENOUGH, STACK, work)
}
