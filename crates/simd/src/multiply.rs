//! The microkernel: the one matrix product that all others are made of.

use crate::isa::Isa;
use crate::line::Line;
use crate::tile::RegisterTile;

/// The product of a strip and one or two panels: `tile[r][c] = Σ_t a[r, t] · b[t, c]`, t from 0 to depth − 1.
///
/// * `a`: `[depth/16 rounded up][ROWS][16]`, a strip of `T::ROWS` rows: sixteen consecutive t of a row fill a line,
///   so that packing needs no transposition and every operand's address is a constant away from one pointer.
/// * `b`: two panels of `[depth][16]`: line t holds the panel's sixteen columns. A tile of one panel ignores the
///   second; both must have the same length, which is the depth.
///
/// The operations on each element are one chain in the order of t, so that the result depends on the instruction
/// set's rounding only, and on nothing else.
#[inline(always)]
#[cfg_attr(debug_assertions, track_caller)]
pub fn multiply<I: Isa, T: RegisterTile<I::V>>(isa: I, a: &[Line], b: [&[Line]; 2]) -> T {
    multiply_onto(isa, T::filled(isa.splat(0.0)), (a, T::ROWS), b)
}

/// As [`multiply`], on top of `tile`, of a strip whose lines for the next sixteen t begin `stride` lines further on:
/// some rows of a taller `[depth/16][stride][16]`, or, where `stride` is less than `T::ROWS`, of a shorter one, whose rows from
/// `stride` on are then what lies behind it and mean nothing.
#[inline(always)]
#[cfg_attr(debug_assertions, track_caller)]
pub fn multiply_onto<I: Isa, T: RegisterTile<I::V>>(
    isa: I,
    tile: T,
    a: (&[Line], usize),
    b: [&[Line]; 2],
) -> T {
    multiply_rows::<I, T, 1>(isa, tile, a, b)
}

/// As [`multiply_onto`], of rows that lie `ROW` lines apart: row r begins at line `r · ROW`, and its next sixteen t stand `stride`
/// lines further on. `[ROWS][ROW][16]`, each row by itself, has a stride of 1.
#[inline(always)]
#[cfg_attr(debug_assertions, track_caller)]
pub fn multiply_rows<I: Isa, T: RegisterTile<I::V>, const ROW: usize>(
    isa: I,
    mut tile: T,
    (a, stride): (&[Line], usize),
    b: [&[Line]; 2],
) -> T {
    let depth = b[0].len();
    let span = (T::ROWS - 1) * ROW + 1;
    check_operands(Operands {
        lines: a.len(),
        span,
        stride,
        panels: [depth, b[1].len()],
    });
    assert!(b[1].len() == depth);
    let whole = depth / Line::LEN;
    for c in 0..whole {
        let a = &a[c * stride..][..span];
        let b = [
            &b[0][c * Line::LEN..][..Line::LEN],
            &b[1][c * Line::LEN..][..Line::LEN],
        ];
        for t in 0..Line::LEN {
            step::<I, T, ROW>(isa, &mut tile, a, t, [&b[0][t], &b[1][t]]);
        }
    }
    let rest = whole * Line::LEN..depth;
    if !rest.is_empty() {
        let a = &a[whole * stride..][..span];
        for (t, line) in rest.enumerate() {
            step::<I, T, ROW>(isa, &mut tile, a, t % Line::LEN, [&b[0][line], &b[1][line]]);
        }
    }
    tile
}

/// One t: every row's a times the panels' lines, added to the tile.
#[inline(always)]
fn step<I: Isa, T: RegisterTile<I::V>, const ROW: usize>(
    isa: I,
    tile: &mut T,
    a: &[Line],
    t: usize,
    b: [&Line; 2],
) {
    let per_line = Line::LEN / I::LANES;
    let mut row = T::row_of(isa.splat(0.0));
    for v in 0..T::VECTORS {
        row.as_mut()[v] = isa.load(b[v / per_line].part(v % per_line, I::LANES));
    }
    for r in 0..T::ROWS {
        let x = isa.splat(a[r * ROW].0[t]);
        let sums = tile.row_mut(r).as_mut();
        for v in 0..T::VECTORS {
            sums[v] = isa.mul_add(x, row.as_ref()[v], sums[v]);
        }
    }
}

/// The operands of a [`multiply_rows`]: how many lines the strip has, of which every `stride` lines those
/// of the next `span` are taken that are a row's, and how many each of the two panels.
#[derive(Clone, Copy)]
struct Operands {
    lines: usize,
    span: usize,
    stride: usize,
    panels: [usize; 2],
}

/// Checks that they fit each other.
#[inline(always)]
#[cfg_attr(debug_assertions, track_caller)]
fn check_operands(of: Operands) {
    let last = of.panels[0].div_ceil(Line::LEN).wrapping_sub(1);
    let needed = match of.panels[0] {
        0 => 0,
        _ => last * of.stride + of.span,
    };
    let fits = of.panels[0] == of.panels[1] && of.lines >= needed;
    if cfg!(debug_assertions) && !fits {
        reject(of, needed);
    }
}

#[cold]
#[inline(never)]
#[cfg_attr(debug_assertions, track_caller)]
fn reject(of: Operands, needed: usize) -> ! {
    let Operands {
        lines,
        span,
        stride,
        panels: [depth, other],
    } = of;
    panic!(
        "product: panels of {depth} and {other} lines, which must be as many; a strip of {lines} lines, of which {span} every \
         {stride} need {needed}"
    )
}
