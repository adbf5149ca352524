//! Operands between pages that cannot be touched.

use ndarray::{ArrayView, ArrayViewMut, Dimension};

/// H, H_kv, N, M, d_k, d_v.
pub(crate) const SHAPES: &[[usize; 6]] = &[
    [1, 1, 1, 1, 1, 1],
    [3, 1, 5, 17, 7, 3],
    [2, 2, 6, 31, 16, 16],
    [4, 2, 14, 33, 33, 20],
    [2, 1, 97, 97, 64, 80],
    [5, 1, 8, 257, 80, 64],
    [1, 1, 3, 290, 96, 7],
];

/// Whether operands begin where pages do, or end there.
pub(crate) const ENDS: &[bool] = &[false, true];

/// Values in pages of their own, between two pages that cannot be touched.
pub(crate) struct Guarded<T> {
    map: *mut u8,
    bytes: usize,
    values: *mut T,
    len: usize,
}

impl<T: Copy> Guarded<T> {
    /// `len` values that end (or, with `low`, begin) where the pages do.
    pub(crate) fn new(len: usize, low: bool, mut value: impl FnMut() -> T) -> Guarded<T> {
        // SAFETY: asks for a number, and has no requirement.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
        let inner = (len * size_of::<T>()).next_multiple_of(page);
        let bytes = inner + 2 * page;
        let (none, private) = (libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new anonymous mapping, placed by the system; it overlaps nothing.
        let map = unsafe { libc::mmap(std::ptr::null_mut(), bytes, none, private, -1, 0) };
        assert!(map != libc::MAP_FAILED, "no memory for the test");
        let map = map.cast::<u8>();
        // SAFETY: the pages between the first and the last of the mapping that was just made.
        let opened = unsafe {
            let start = map.add(page).cast();
            libc::mprotect(start, inner, libc::PROT_READ | libc::PROT_WRITE)
        };
        assert_eq!(opened, 0);
        let skip = if low { 0 } else { inner - len * size_of::<T>() };
        // SAFETY: within the mapping, and aligned: pages are, and `skip` is a multiple of the size where it is not 0.
        let values = unsafe { map.add(page + skip) }.cast::<T>();
        for at in 0..len {
            // SAFETY: `len` values fit from `values` to the end of the pages that may be written.
            unsafe { values.add(at).write(value()) };
        }
        Guarded {
            map,
            bytes,
            values,
            len,
        }
    }

    pub(crate) fn view<D: Dimension>(&self, dim: D) -> ArrayView<'_, T, D> {
        // SAFETY: all `len` values were written, and live as long as the mapping that `self` owns.
        let values = unsafe { std::slice::from_raw_parts(self.values, self.len) };
        ArrayView::from_shape(dim, values).expect("as many as the shape says")
    }

    pub(crate) fn view_mut<D: Dimension>(&mut self, dim: D) -> ArrayViewMut<'_, T, D> {
        // SAFETY: as in `view`, and `self` is borrowed mutably.
        let values = unsafe { std::slice::from_raw_parts_mut(self.values, self.len) };
        ArrayViewMut::from_shape(dim, values).expect("as many as the shape says")
    }
}

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping that `new` made, of that size; nothing borrows it any more.
        unsafe { libc::munmap(self.map.cast(), self.bytes) };
    }
}
