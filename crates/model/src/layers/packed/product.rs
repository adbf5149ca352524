//! x·W, its tiles shared out among threads.

use lookback_simd::pack::pack_strip;
use lookback_simd::{Isa, Kernel, Line, RegisterTile, lines_for, multiply_onto};
use ndarray::{ArrayView2, ArrayViewMut2, Axis};
use rayon::prelude::*;

use super::Packed;

/// Inputs that a tile is multiplied by at a time: that much of a panel (16 KB) and of a strip stays in the first-level cache.
const DEPTH: usize = 256;

/// Memory of a task's rows, which stay in the second-level cache while all panels pass.
const TASK_BYTES: usize = 384 << 10;

/// Rows of a task at most: their sums with one panel (12 KB) stay in the first-level cache.
const MOST_TASK_ROWS: usize = 192;

/// Strips of a task at least, so that a panel is not read for too little.
const LEAST_TASK_STRIPS: usize = 4;

/// How many tasks a thread should find, so that none waits long at the end.
const TASKS_A_THREAD: usize = 4;

/// A task has at least so many panels, so that rows are not packed and read for too little.
const LEAST_PANELS: usize = 4;

pub(super) struct Product<'a> {
    /// \[rows, inputs\]
    pub(super) x: &'a [f32],
    pub(super) matrix: &'a Packed,
    /// \[rows, outputs\]
    pub(super) out: &'a mut [f32],
}

/// Some rows times some panels.
struct Task<'a> {
    /// Of the rows: `[strips][inputs/16 rounded up][ROWS][16]`.
    strips: &'a [Line],
    /// `[panels][inputs][16]`
    panels: &'a [Line],
    inputs: usize,
    /// \[rows, columns\]
    out: ArrayViewMut2<'a, f32>,
}

/// Packs some rows.
struct PackRows<'a> {
    rows: ArrayView2<'a, f32>,
    strip: &'a mut [Line],
}

impl Kernel for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Product { x, matrix, out } = self;
        let (inputs, outputs) = (matrix.inputs, matrix.outputs);
        let (rows, height) = (out.len() / outputs, I::WideTile::ROWS);
        let x = ArrayView2::from_shape((rows, inputs), x).expect("whole rows");
        let strip = lines_for(inputs) * height;
        let mut strips = vec![Line::ZERO; rows.div_ceil(height) * strip];
        let pack = |(index, strip): (usize, &mut [Line])| {
            let end = ((index + 1) * height).min(rows);
            let rows = x.slice_move(ndarray::s![index * height..end, ..]);
            isa.run(PackRows { rows, strip });
        };
        let out = ArrayViewMut2::from_shape((rows, outputs), out).expect("whole rows");
        let task_rows = rows_of_task(inputs, height);
        let columns = Line::LEN * panels_of_task(rows.div_ceil(task_rows), lines_for(outputs));
        let mut tasks = Vec::new();
        if rows <= height {
            strips.chunks_exact_mut(strip).enumerate().for_each(pack);
        } else {
            strips
                .par_chunks_exact_mut(strip)
                .enumerate()
                .for_each(pack);
        }
        for (out, strips) in pieces(out, 0, task_rows)
            .into_iter()
            .zip(strips.chunks(task_rows / height * strip))
        {
            let panels = matrix.panels.chunks(columns / Line::LEN * inputs);
            tasks.extend(
                pieces(out, 1, columns)
                    .into_iter()
                    .zip(panels)
                    .map(|(out, panels)| Task {
                        strips,
                        panels,
                        inputs,
                        out,
                    }),
            );
        }
        match tasks.len() {
            1 => tasks.into_iter().for_each(|task| isa.run(task)),
            _ => tasks
                .into_par_iter()
                .with_max_len(1)
                .for_each(|task| isa.run(task)),
        }
    }
}

/// How many rows of `inputs` numbers a task takes, in strips of `height`.
fn rows_of_task(inputs: usize, height: usize) -> usize {
    let rows = (TASK_BYTES / (inputs * size_of::<f32>())).min(MOST_TASK_ROWS);
    (rows / height).max(LEAST_TASK_STRIPS) * height
}

/// How many of `panels` panels a task takes where there are `blocks` blocks of rows.
fn panels_of_task(blocks: usize, panels: usize) -> usize {
    let wanted = match rayon::current_num_threads() {
        1 => 1,
        threads => (threads * TASKS_A_THREAD).div_ceil(blocks),
    };
    // Even, for tiles of two panels.
    let least = panels.div_ceil(wanted).next_multiple_of(2);
    least.max(LEAST_PANELS)
}

/// `view` cut into pieces of `len` along `axis`, the last shorter.
fn pieces(view: ArrayViewMut2<'_, f32>, axis: usize, len: usize) -> Vec<ArrayViewMut2<'_, f32>> {
    let mut pieces = Vec::with_capacity(view.len_of(Axis(axis)).div_ceil(len));
    let mut rest = view;
    while rest.len_of(Axis(axis)) > len {
        let (piece, after) = rest.split_at(Axis(axis), len);
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    pieces
}

impl Kernel for PackRows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, _: I) {
        let rows = 0..self.rows.nrows();
        pack_strip(self.strip, self.rows, rows, I::WideTile::ROWS, 1.0);
    }
}

impl Kernel for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        let per_tile = I::WideTile::VECTORS * I::LANES / Line::LEN;
        let panels = self.panels.len() / self.inputs;
        let strips = self.out.nrows().div_ceil(I::WideTile::ROWS);
        let mut sums = vec![Line::ZERO; strips * I::WideTile::ROWS * per_tile];
        let mut panel = 0;
        while panel < panels {
            if panel + per_tile <= panels {
                self.column_of_tiles::<I, I::WideTile>(isa, panel, &mut sums);
                panel += per_tile;
            } else {
                self.column_of_tiles::<I, I::NarrowTile>(isa, panel, &mut sums);
                panel += 1;
            }
        }
    }
}

impl Task<'_> {
    /// Multiplies all rows by one or two panels, a block of inputs after the other, on top of each other in `sums`.
    #[inline(always)]
    fn column_of_tiles<I: Isa, T: RegisterTile<I::V>>(
        &mut self,
        isa: I,
        panel: usize,
        sums: &mut [Line],
    ) {
        let per_tile = T::VECTORS * I::LANES / Line::LEN;
        let tile_lines = T::ROWS * per_tile;
        let strip = lines_for(self.inputs) * T::ROWS;
        // As even as can be, so that no block of inputs is short.
        let blocks = self.inputs.div_ceil(DEPTH);
        let depth = self.inputs.div_ceil(blocks).next_multiple_of(Line::LEN);
        for start in (0..self.inputs).step_by(depth) {
            let end = (start + depth).min(self.inputs);
            let block = |panel: usize| &self.panels[panel * self.inputs..][start..end];
            let panels = [block(panel), block(panel + per_tile - 1)];
            let strips = self.strips.chunks_exact(strip);
            for (strip, sums) in strips.zip(sums.chunks_exact_mut(tile_lines)) {
                let mut tile = T::filled(isa.splat(0.0));
                if start > 0 {
                    for r in 0..T::ROWS {
                        let row = Line::flat(&sums[r * per_tile..][..per_tile]);
                        for v in 0..T::VECTORS {
                            tile.row_mut(r).as_mut()[v] = isa.load(&row[v * I::LANES..]);
                        }
                    }
                }
                let strip = &strip[start / Line::LEN * T::ROWS..];
                tile = multiply_onto(isa, tile, (strip, T::ROWS), panels);
                for r in 0..T::ROWS {
                    let row = Line::flat_mut(&mut sums[r * per_tile..][..per_tile]);
                    for v in 0..T::VECTORS {
                        isa.store(tile.row(r).as_ref()[v], &mut row[v * I::LANES..]);
                    }
                }
            }
        }
        let first = panel * Line::LEN;
        let columns = (self.out.ncols() - first).min(per_tile * Line::LEN);
        let sums = sums.chunks_exact(per_tile);
        for (mut row, sums) in self.out.rows_mut().into_iter().zip(sums) {
            let row = row.as_slice_mut().expect("columns are adjacent");
            row[first..][..columns].copy_from_slice(&Line::flat(sums)[..columns]);
        }
    }
}
