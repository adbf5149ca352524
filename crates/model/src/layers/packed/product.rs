//! x·W, its tiles shared out among threads.

use lookback_simd::pack::pack_strip;
use lookback_simd::{Isa, Kernel, Line, RegisterTile, lines_for, multiply_onto};
use ndarray::{ArrayView2, ArrayViewMut2, Axis};
use rayon::prelude::*;

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
    /// \[outputs/16 rounded up, inputs, 16\]
    pub(super) panels: &'a [Line],
    pub(super) inputs: usize,
    pub(super) outputs: usize,
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
    height: usize,
    strip: &'a mut [Line],
}

impl Kernel for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Product {
            x,
            panels,
            inputs,
            outputs,
            out,
        } = self;
        let rows = out.len() / outputs;
        let height = if rows == 1 { 1 } else { I::WideTile::ROWS };
        let x = ArrayView2::from_shape((rows, inputs), x).expect("whole rows");
        let strip = lines_for(inputs) * height;
        let mut strips = vec![Line::ZERO; rows.div_ceil(height) * strip];
        let pack = |(index, strip): (usize, &mut [Line])| {
            let end = ((index + 1) * height).min(rows);
            let rows = x.slice_move(ndarray::s![index * height..end, ..]);
            isa.run(PackRows {
                rows,
                height,
                strip,
            });
        };
        let out = ArrayViewMut2::from_shape((rows, outputs), out).expect("whole rows");
        let task_rows = rows_of_task(rows, inputs, height);
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
            let panels = panels.chunks(columns / Line::LEN * inputs);
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

/// How many of `rows` rows of `inputs` numbers a task takes, in strips of `height`.
fn rows_of_task(rows: usize, inputs: usize, height: usize) -> usize {
    let most = (TASK_BYTES / (inputs * size_of::<f32>())).min(MOST_TASK_ROWS);
    let most = (most / height).max(LEAST_TASK_STRIPS) * height;
    // As even as can be, so that no task is small.
    rows.div_ceil(rows.div_ceil(most)).next_multiple_of(height)
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
        pack_strip(self.strip, self.rows, rows, self.height, 1.0);
    }
}

impl Kernel for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        if self.out.nrows() == 1 && self.strips.len() == lines_for(self.inputs) {
            self.columns_of_tiles::<I, I::RowTile, I::RowTile>(isa);
        } else {
            self.columns_of_tiles::<I, I::WideTile, I::NarrowTile>(isa);
        }
    }
}

impl Task<'_> {
    /// Multiplies all rows by all panels, in wide tiles but for the last panels, which are too few for one.
    #[inline(always)]
    fn columns_of_tiles<I: Isa, Wide: RegisterTile<I::V>, Last: RegisterTile<I::V>>(
        &mut self,
        isa: I,
    ) {
        let per_tile = Wide::VECTORS * I::LANES / Line::LEN;
        let panels = self.panels.len() / self.inputs;
        let strips = self.out.nrows().div_ceil(Wide::ROWS);
        let mut sums = vec![Line::ZERO; strips * Wide::ROWS * per_tile];
        let mut panel = 0;
        while panel < panels {
            if panel + per_tile <= panels {
                self.column_of_tiles::<I, Wide>(isa, panel, &mut sums);
                panel += per_tile;
            } else {
                self.column_of_tiles::<I, Last>(isa, panel, &mut sums);
                panel += Last::VECTORS * I::LANES / Line::LEN;
            }
        }
    }

    /// Multiplies all rows by one or two panels, a block of inputs after the other, on top of each other in `sums`.
    #[inline(always)]
    fn column_of_tiles<I: Isa, T: RegisterTile<I::V>>(
        &mut self,
        isa: I,
        panel: usize,
        sums: &mut [Line],
    ) {
        let per_tile = T::VECTORS * I::LANES / Line::LEN;
        // As even as can be, so that no block of inputs is short.
        let blocks = self.inputs.div_ceil(DEPTH);
        let depth = self.inputs.div_ceil(blocks).next_multiple_of(Line::LEN);
        for start in (0..self.inputs).step_by(depth) {
            let end = (start + depth).min(self.inputs);
            let block = |panel: usize| &self.panels[panel * self.inputs..][start..end];
            // A tile that reaches beyond the last panel computes that one twice.
            let last = (panel + per_tile).min(self.panels.len() / self.inputs) - 1;
            let panels = [block(panel), block(last)];
            // What is multiplied by next: the panel's next inputs, or the next panel.
            let next = (panel * self.inputs + end)
                + if end == self.inputs {
                    (per_tile - 1) * self.inputs
                } else {
                    0
                };
            let next = &self.panels[next.min(self.panels.len())..];
            let next = &next[..depth.min(next.len())];
            self.block_of_inputs::<I, T>(isa, (start, panels), next, sums);
        }
        self.write_sums::<I, T>(isa, panel, sums);
    }

    /// All strips' inputs from `start` on times those of `panels`, on top of `sums`; meanwhile `next` is brought near.
    #[inline(always)]
    fn block_of_inputs<I: Isa, T: RegisterTile<I::V>>(
        &self,
        isa: I,
        (start, panels): (usize, [&[Line]; 2]),
        next: &[Line],
        sums: &mut [Line],
    ) {
        let per_tile = T::VECTORS * I::LANES / Line::LEN;
        let strips = self.strips.chunks_exact(lines_for(self.inputs) * T::ROWS);
        // A little with each strip: all at once would stand in the way of the strips' own lines.
        let mut next = next.chunks(next.len().div_ceil(strips.len()).max(1));
        for (strip, sums) in strips.zip(sums.chunks_exact_mut(T::ROWS * per_tile)) {
            if let Some(next) = next.next() {
                isa.prefetch_to_stay(next);
            }
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

    /// Copies the sums of one or two panels to their places.
    #[inline(always)]
    fn write_sums<I: Isa, T: RegisterTile<I::V>>(&mut self, isa: I, panel: usize, sums: &[Line]) {
        let width = T::VECTORS * I::LANES;
        let first = panel * Line::LEN;
        let columns = (self.out.ncols() - first).min(width);
        let sums = sums.chunks_exact(width / Line::LEN);
        for (mut row, sums) in self.out.rows_mut().into_iter().zip(sums) {
            let row = row.as_slice_mut().expect("columns are adjacent");
            let (row, sums) = (&mut row[first..][..columns], Line::flat(sums));
            if columns == width {
                for v in 0..T::VECTORS {
                    isa.store(isa.load(&sums[v * I::LANES..]), &mut row[v * I::LANES..]);
                }
            } else {
                row.copy_from_slice(&sums[..columns]);
            }
        }
    }
}
