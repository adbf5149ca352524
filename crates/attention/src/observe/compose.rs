//! Several observers in one walk.

use std::ops::Range;

use super::area::{Area, QueryBlock, Walk};
use super::observer::Observer;
use super::ranges::cover;
use super::tile::Tile;
use crate::Error;

impl<O: Observer + ?Sized> Observer for &O {
    type Block = O::Block;
    type Output = O::Output;

    fn start(&self, walk: &Walk) -> Result<O::Output, Error> {
        (**self).start(walk)
    }

    fn block(&self, block: &QueryBlock) -> O::Block {
        (**self).block(block)
    }

    fn tile(&self, state: &mut O::Block, tile: &Tile) {
        (**self).tile(state, tile);
    }

    fn end(&self, block: &QueryBlock, state: &mut O::Block) {
        (**self).end(block, state);
    }

    fn merge(&self, output: &mut O::Output, block: &QueryBlock, state: O::Block) {
        (**self).merge(output, block, state);
    }

    fn finish(&self, output: &mut O::Output) {
        (**self).finish(output);
    }

    fn wanted(&self, area: &Area) -> Range<usize> {
        (**self).wanted(area)
    }

    fn wants_row_statistics(&self) -> bool {
        (**self).wants_row_statistics()
    }
}

/// The observer if there is one.
impl<O: Observer> Observer for Option<O> {
    type Block = Option<O::Block>;
    type Output = Option<O::Output>;

    fn start(&self, walk: &Walk) -> Result<Self::Output, Error> {
        self.as_ref().map(|o| o.start(walk)).transpose()
    }

    fn block(&self, block: &QueryBlock) -> Self::Block {
        self.as_ref().map(|o| o.block(block))
    }

    fn tile(&self, state: &mut Self::Block, tile: &Tile) {
        if let (Some(o), Some(state)) = (self, state) {
            o.tile(state, tile);
        }
    }

    fn end(&self, block: &QueryBlock, state: &mut Self::Block) {
        if let (Some(o), Some(state)) = (self, state) {
            o.end(block, state);
        }
    }

    fn merge(&self, output: &mut Self::Output, block: &QueryBlock, state: Self::Block) {
        if let (Some(o), Some(output), Some(state)) = (self, output, state) {
            o.merge(output, block, state);
        }
    }

    fn finish(&self, output: &mut Self::Output) {
        if let (Some(o), Some(output)) = (self, output) {
            o.finish(output);
        }
    }

    fn wanted(&self, area: &Area) -> Range<usize> {
        self.as_ref().map_or(area.none(), |o| o.wanted(area))
    }

    fn wants_row_statistics(&self) -> bool {
        self.as_ref().is_some_and(Observer::wants_row_statistics)
    }
}

/// Each of them; outputs in the same order.
impl<O: Observer> Observer for Vec<O> {
    type Block = Vec<O::Block>;
    type Output = Vec<O::Output>;

    fn start(&self, walk: &Walk) -> Result<Self::Output, Error> {
        self.iter().map(|o| o.start(walk)).collect()
    }

    fn block(&self, block: &QueryBlock) -> Self::Block {
        self.iter().map(|o| o.block(block)).collect()
    }

    fn tile(&self, state: &mut Self::Block, tile: &Tile) {
        for (o, state) in self.iter().zip(state) {
            o.tile(state, tile);
        }
    }

    fn end(&self, block: &QueryBlock, state: &mut Self::Block) {
        for (o, state) in self.iter().zip(state) {
            o.end(block, state);
        }
    }

    fn merge(&self, output: &mut Self::Output, block: &QueryBlock, state: Self::Block) {
        for ((o, output), state) in self.iter().zip(output).zip(state) {
            o.merge(output, block, state);
        }
    }

    fn finish(&self, output: &mut Self::Output) {
        for (o, output) in self.iter().zip(output) {
            o.finish(output);
        }
    }

    fn wanted(&self, area: &Area) -> Range<usize> {
        self.iter()
            .fold(area.none(), |range, o| cover(range, o.wanted(area)))
    }

    fn wants_row_statistics(&self) -> bool {
        self.iter().any(Observer::wants_row_statistics)
    }
}

/// Tuples: each of them; outputs as a tuple.
macro_rules! tuple {
    ($($name:ident $at:tt),+) => {
        impl<$($name: Observer),+> Observer for ($($name,)+) {
            type Block = ($($name::Block,)+);
            type Output = ($($name::Output,)+);

            fn start(&self, walk: &Walk) -> Result<Self::Output, Error> {
                Ok(($(self.$at.start(walk)?,)+))
            }

            fn block(&self, block: &QueryBlock) -> Self::Block {
                ($(self.$at.block(block),)+)
            }

            fn tile(&self, state: &mut Self::Block, tile: &Tile) {
                $(self.$at.tile(&mut state.$at, tile);)+
            }

            fn end(&self, block: &QueryBlock, state: &mut Self::Block) {
                $(self.$at.end(block, &mut state.$at);)+
            }

            fn merge(&self, output: &mut Self::Output, block: &QueryBlock, state: Self::Block) {
                $(self.$at.merge(&mut output.$at, block, state.$at);)+
            }

            fn finish(&self, output: &mut Self::Output) {
                $(self.$at.finish(&mut output.$at);)+
            }

            fn wanted(&self, area: &Area) -> Range<usize> {
                let range = area.none();
                $(let range = cover(range, self.$at.wanted(area));)+
                range
            }

            fn wants_row_statistics(&self) -> bool {
                $(self.$at.wants_row_statistics())||+
            }
        }
    };
}

tuple!(A 0);
tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11);
