//! What hostile calls are made of.

use lookback_attention::{KeyRanges, Mask};
use ndarray::{Array4, ArrayView, Axis, Dimension, IntoDimension};
use proptest::prelude::*;

/// Few, or more than any memory holds: what lies between is only slow.
pub(crate) fn sizes() -> impl Strategy<Value = usize> {
    prop_oneof![8 => 1usize..5, 2 => Just(17), 1 => Just(0), 1 => Just(1 << 42), 1 => Just(usize::MAX / 64)]
}

/// Mostly the dimension itself, sometimes another.
pub(crate) fn like(size: usize) -> impl Strategy<Value = usize> {
    prop_oneof![9 => Just(size), 1 => sizes()]
}

/// Nearly always the dimension itself.
pub(crate) fn near(size: usize) -> impl Strategy<Value = usize> {
    prop_oneof![30 => Just(size), 1 => sizes()]
}

/// Numbers, some of them not finite.
pub(crate) fn values() -> impl Strategy<Value = f32> {
    let odd = prop::sample::select(vec![
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::MAX,
        0.0,
    ]);
    prop_oneof![3 => -2f32..2.0, 1 => odd]
}

pub(crate) fn offsets() -> impl Strategy<Value = isize> {
    prop::sample::select(vec![isize::MIN, -3, 0, 1, 9, isize::MAX])
}

pub(crate) fn masks() -> impl Strategy<Value = Mask> {
    prop_oneof![
        Just(Mask::None),
        offsets().prop_map(|offset| Mask::Causal { offset }),
        offsets().prop_map(|offset| Mask::StrictlyBefore { offset }),
        (prop::sample::select(vec![0, 1, 3, usize::MAX]), offsets())
            .prop_map(|(window, offset)| Mask::Window { window, offset }),
        (prop::sample::select(vec![0, 1, 3, usize::MAX]), offsets())
            .prop_map(|(radius, offset)| Mask::SymmetricWindow { radius, offset }),
        (
            prop::collection::vec((0usize..9, 0usize..9), 0..20),
            offsets()
        )
            .prop_map(|(steps, offset)| Mask::Ranges {
                ranges: ranges(&steps),
                offset
            }),
    ]
}

/// Ranges whose ends move on by these steps.
fn ranges(steps: &[(usize, usize)]) -> KeyRanges {
    let (mut start, mut end) = (0, 0);
    let range = |&(first, last): &(usize, usize)| {
        start += first;
        end = (end + last).max(start);
        start..end
    };
    KeyRanges::new(steps.iter().map(range)).expect("neither end moves back")
}

/// An array repeated to any size; nothing where the size is more than an address can count.
pub(crate) fn repeated<D: Dimension>(
    array: &Array4<f32>,
    dim: impl IntoDimension<Dim = D>,
) -> Option<ArrayView<'_, f32, D>> {
    array.broadcast(dim)
}

/// Where an operand's values lie: those that it is made of, in turn, and for each axis whether it is repeated by a stride of
/// 0 and whether it runs backwards.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    values: Vec<f32>,
    repeated: [bool; 4],
    backwards: [bool; 4],
    /// The order of the axes in memory.
    order: [usize; 4],
}

pub(crate) fn layouts() -> impl Strategy<Value = Layout> {
    let flags = || prop::array::uniform4(prop::bool::weighted(0.2));
    let order = prop::sample::select(vec![[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]]);
    (
        prop::collection::vec(values(), 1..9),
        flags(),
        flags(),
        order,
    )
        .prop_map(|(values, repeated, backwards, order)| Layout {
            values,
            repeated,
            backwards,
            order,
        })
}

impl Layout {
    /// An array that an operand of `dim` is repeated from; long axes are.
    pub(crate) fn array(&self, dim: [usize; 4]) -> Array4<f32> {
        let held = |axis: usize| match dim[axis] > 64 || self.repeated[axis] {
            true => dim[axis].min(1),
            false => dim[axis],
        };
        let mut values = self.values.iter().copied().cycle();
        let shape = self.order.map(held);
        let array = Array4::from_shape_simple_fn(shape, || values.next().unwrap_or(0.0));
        let mut places = [0; 4];
        for (place, &axis) in self.order.iter().enumerate() {
            places[axis] = place;
        }
        let mut array = array.permuted_axes(places);
        for axis in (0..4).filter(|&axis| self.backwards[axis]) {
            array.invert_axis(Axis(axis));
        }
        array
    }
}
