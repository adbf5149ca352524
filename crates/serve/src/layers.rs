//! What was found of a trace's layers, so that it is computed once: a few kilobytes a head.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use lookback_heads::profile::{self, HeadProfile};
use lookback_trace::Trace;
use lookback_view::grid::{self, HeadPicture};

use crate::failure::Failure;

/// Pictures and profiles of the heads, layer by layer as they are asked for.
pub(crate) struct Layers {
    /// Which tokens are special: \[N\].
    special: Vec<bool>,
    pictures: Kept<HeadPicture>,
    profiles: Kept<HeadProfile>,
}

impl Layers {
    /// Of layers whose numbers are below `layers`.
    pub(crate) fn new(layers: usize, special: Vec<bool>) -> Self {
        Self {
            special,
            pictures: Kept::new(layers),
            profiles: Kept::new(layers),
        }
    }

    /// The small pictures of a layer's heads.
    pub(crate) fn pictures(
        &self,
        trace: &Trace,
        layer: usize,
        cancel: &AtomicBool,
    ) -> Result<Arc<[HeadPicture]>, Failure> {
        self.pictures
            .get(layer, || Ok(grid::pictures(trace, layer, cancel)?))
    }

    /// The statistics of a layer's heads.
    pub(crate) fn profiles(
        &self,
        trace: &Trace,
        layer: usize,
        cancel: &AtomicBool,
    ) -> Result<Arc<[HeadProfile]>, Failure> {
        self.profiles.get(layer, || {
            Ok(profile::of_layer(trace, &self.special, layer, cancel)?)
        })
    }
}

/// What each layer's heads were found to be.
struct Kept<T>(Vec<Mutex<Option<Arc<[T]>>>>);

impl<T> Kept<T> {
    fn new(layers: usize) -> Self {
        Self((0..layers).map(|_| Mutex::default()).collect())
    }

    /// What is known, else what `compute` finds; whoever asks at the same time waits for it. What failed is asked again.
    fn get(
        &self,
        layer: usize,
        compute: impl FnOnce() -> Result<Vec<T>, Failure>,
    ) -> Result<Arc<[T]>, Failure> {
        let mut kept = self.0[layer].lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*kept {
            return Ok(known.clone());
        }
        let found: Arc<[T]> = compute()?.into();
        *kept = Some(found.clone());
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lookback_heads::example::Example;

    #[test]
    fn what_was_found_is_not_computed_again_and_what_was_cancelled_is() {
        let trace = Example::default().trace();
        let layers = Layers::new(trace.layer_count(), vec![false; trace.n()]);
        let [yes, no] = [true, false].map(AtomicBool::new);
        assert!(layers.pictures(&trace, 1, &yes).is_err());
        assert!(layers.profiles(&trace, 1, &yes).is_err());
        let pictures = layers.pictures(&trace, 1, &no).unwrap();
        let profiles = layers.profiles(&trace, 1, &no).unwrap();
        // A flag that is set stops only what is still to be computed.
        assert!(Arc::ptr_eq(
            &pictures,
            &layers.pictures(&trace, 1, &yes).unwrap()
        ));
        assert!(Arc::ptr_eq(
            &profiles,
            &layers.profiles(&trace, 1, &yes).unwrap()
        ));
        assert_eq!((pictures.len(), profiles.len()), (2, 2));
    }
}
