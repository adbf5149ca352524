//! The microkernel.

use crate::on_every;
use lookback_simd::{Isa, Kernel, Line, RegisterTile, lines_for, multiply};

/// A strip times panels, wide and narrow.
#[derive(Clone, Copy)]
struct Product {
    depth: usize,
}

impl Product {
    fn a(r: usize, t: usize) -> f32 {
        ((r * 31 + t * 7) % 13) as f32 - 6.0
    }

    fn b(t: usize, c: usize) -> f32 {
        ((t * 5 + c * 11) % 17) as f32 - 8.0
    }
}

impl Kernel for Product {
    type Output = [Vec<Vec<f32>>; 2];

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> Self::Output {
        let rows = I::WideTile::ROWS;
        let mut a = vec![Line::ZERO; lines_for(self.depth) * rows];
        let mut b = vec![Line::ZERO; 2 * self.depth];
        for t in 0..self.depth {
            for r in 0..rows {
                a[t / 16 * rows + r].0[t % 16] = Product::a(r, t);
            }
            for c in 0..32 {
                b[c / 16 * self.depth + t].0[c % 16] = Product::b(t, c);
            }
        }
        let panels = [&b[..self.depth], &b[self.depth..]];
        [
            unpack(isa, &multiply::<I, I::WideTile>(isa, &a, panels)),
            unpack(isa, &multiply::<I, I::NarrowTile>(isa, &a, panels)),
        ]
    }
}

#[inline(always)]
fn unpack<I: Isa, T: RegisterTile<I::V>>(isa: I, tile: &T) -> Vec<Vec<f32>> {
    let mut rows = Vec::new();
    for r in 0..T::ROWS {
        let mut row = vec![0.0; T::VECTORS * I::LANES];
        for v in 0..T::VECTORS {
            isa.store(tile.row(r).as_ref()[v], &mut row[v * I::LANES..]);
        }
        rows.push(row);
    }
    rows
}

#[test]
fn multiply_at_every_depth() {
    for depth in (1..=49).chain([64, 100, 256]) {
        // Small whole numbers: exact in f32, so that any order of the sums agrees.
        on_every(Product { depth }, |name, tiles| {
            for tile in tiles {
                for (r, row) in tile.iter().enumerate() {
                    for (c, &x) in row.iter().enumerate() {
                        let exact: f32 = (0..depth)
                            .map(|t| Product::a(r, t) * Product::b(t, c))
                            .sum();
                        assert_eq!(x, exact, "{name}: depth {depth}, row {r}, column {c}");
                    }
                }
            }
        });
    }
}
