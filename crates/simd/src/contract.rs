//! What the tables ask of their callers, checked where debug assertions are on.
//!
//! No access is unsound without these checks: each takes its bounds from a slice, in release builds too. They say which access
//! it was, with which values and from which line of a kernel, and they hold callers to what the functions promise only of
//! arguments within their domain. In release builds nothing is left of them.

use half::{bf16, f16};

use crate::isa::Isa;
use crate::line::Line;

/// An element that vectors are loaded from, and what loading it is called.
pub(crate) trait Access {
    /// The access's name.
    const LOAD: &'static str;
}

impl Access for f32 {
    const LOAD: &'static str = "load of f32";
}

impl Access for f16 {
    const LOAD: &'static str = "load of f16";
}

impl Access for bf16 {
    const LOAD: &'static str = "load of bf16";
}

/// The `lanes` values that a load reads.
#[inline(always)]
#[cfg_attr(debug_assertions, track_caller)]
pub(crate) fn read<T: Access>(src: &[T], lanes: usize) -> &[T] {
    if cfg!(debug_assertions) && src.len() < lanes {
        too_short(T::LOAD, lanes, src.len());
    }
    &src[..lanes]
}

/// The `lanes` values that a store writes.
#[inline(always)]
#[cfg_attr(debug_assertions, track_caller)]
pub(crate) fn written(dst: &mut [f32], lanes: usize) -> &mut [f32] {
    if cfg!(debug_assertions) && dst.len() < lanes {
        too_short("store of f32", lanes, dst.len());
    }
    &mut dst[..lanes]
}

#[cold]
#[inline(never)]
#[cfg_attr(debug_assertions, track_caller)]
fn too_short(access: &str, lanes: usize, found: usize) -> ! {
    panic!("{access}: {lanes} lanes, but the slice holds {found}")
}

/// Checks the arguments of [`Isa::ldexp`].
///
/// By way of memory and in a function of its own: it stands wherever there is an exponential, and builds with debug assertions
/// are to be compiled in little time.
#[inline(always)]
#[cfg_attr(debug_assertions, track_caller)]
pub(crate) fn ldexp<I: Isa>(isa: I, p: I::V, n: I::V) {
    if cfg!(debug_assertions) {
        let (mut of_p, mut of_n) = (Line::ZERO, Line::ZERO);
        isa.store(p, &mut of_p.0);
        isa.store(n, &mut of_n.0);
        exponents(&of_p.0[..I::LANES], &of_n.0[..I::LANES], I::EXPONENT_FLOOR);
    }
}

/// Checks each p and n. Above 128 nothing is promised, and so nothing asked: scores that a mask is about to hide may be as large
/// as they like.
#[inline(never)]
#[cfg_attr(debug_assertions, track_caller)]
fn exponents(p: &[f32], n: &[f32], floor: f32) {
    let within = |p: f32, n: f32| {
        let unspecified = n > 128.0 || (n.is_nan() && !p.is_nan());
        let in_domain = (0.5..2.0).contains(&p.abs()) && n >= floor && n == n.round_ties_even();
        unspecified || in_domain || (p.is_nan() && n.is_nan())
    };
    for (&p, &n) in p.iter().zip(n) {
        assert!(
            within(p, n),
            "ldexp: {p:e} · 2^{n}, but |p| must be in [0.5, 2) and n whole and at least {floor}, or p and n both NaN"
        );
    }
}
