//! Asking for memory ahead of its use, as both x86 tables do.

use std::arch::x86_64::{_MM_HINT_NTA, _MM_HINT_T0, _mm_prefetch};

use crate::line::Line;

/// Asks for the memory of `row`, every 64 bytes of it, without a place in the caches that other data is to stay in.
#[inline(always)]
pub(super) fn prefetch_lines<T>(row: &[T]) {
    prefetch::<T, _MM_HINT_NTA>(row);
}

/// As [`prefetch_lines`], with a place in all caches.
#[inline(always)]
pub(super) fn prefetch_lines_to_stay<T>(row: &[T]) {
    prefetch::<T, _MM_HINT_T0>(row);
}

#[inline(always)]
fn prefetch<T, const HINT: i32>(row: &[T]) {
    for offset in (0..size_of_val(row)).step_by(size_of::<Line>()) {
        // SAFETY: every x86-64 processor has SSE; a prefetch reads nothing that the program could see, and an address that
        // cannot be read is ignored. (This one is within `row`, whose size the offset stays below.)
        unsafe { _mm_prefetch::<HINT>(row.as_ptr().cast::<i8>().wrapping_add(offset)) }
    }
}
