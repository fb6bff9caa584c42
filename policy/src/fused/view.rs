//! Rectangles of numbers inside of larger buffers.
//!
//! Several threads write different columns of the same rows (the heads of one attention), which slices cannot say.
//! A [`ViewMut`] is made from a whole slice and can only be cut into parts that do not overlap, so what is safe
//! outside of this file stays so.

use std::marker::PhantomData;
use std::ops::Range;

/// A matrix that is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    data: *const f32,
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
    lifetime: PhantomData<&'a [f32]>,
}

/// A matrix that is written; its rows are contiguous.
#[derive(Debug)]
pub(super) struct ViewMut<'a> {
    data: *mut f32,
    rows: usize,
    cols: usize,
    stride: usize,
    lifetime: PhantomData<&'a mut [f32]>,
}

// SAFETY: it is a shared borrow of floats.
#[allow(unsafe_code)]
unsafe impl Send for View<'_> {}
// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl Sync for View<'_> {}
// SAFETY: it is the only borrow of the floats inside of its rectangle.
#[allow(unsafe_code)]
unsafe impl Send for ViewMut<'_> {}

impl<'a> View<'a> {
    /// The first `rows * cols` numbers of a slice, row after row.
    pub(super) fn new(data: &'a [f32], rows: usize, cols: usize) -> Self {
        assert!(data.len() >= rows * cols, "a view of more numbers than there are");
        Self { data: data.as_ptr(), rows, cols, row_stride: cols, col_stride: 1, lifetime: PhantomData }
    }

    /// Rows become columns.
    pub(super) const fn t(self) -> Self {
        Self {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            ..self
        }
    }

    /// A part of it.
    #[allow(unsafe_code)]
    pub(super) fn part(self, rows: Range<usize>, cols: Range<usize>) -> Self {
        assert!(rows.start <= rows.end && rows.end <= self.rows, "rows outside of a view");
        assert!(cols.start <= cols.end && cols.end <= self.cols, "columns outside of a view");
        let offset = rows.start * self.row_stride + cols.start * self.col_stride;
        // SAFETY: the first element of the part is inside of the view or, for an empty part, it is never read; the
        // pointer is moved without the promise of staying inside.
        let data = self.data.wrapping_add(offset);
        Self { data, rows: rows.len(), cols: cols.len(), ..self }
    }

    /// Some of its rows.
    pub(super) fn rows(self, rows: Range<usize>) -> Self {
        self.part(rows, 0..self.cols)
    }

    /// Some of its columns.
    pub(super) fn cols(self, cols: Range<usize>) -> Self {
        self.part(0..self.rows, cols)
    }

    /// One row.
    #[allow(unsafe_code)]
    pub(super) fn row(&self, row: usize) -> &'a [f32] {
        assert!(row < self.rows && self.col_stride == 1, "a row outside of a view, or of a transposed one");
        // SAFETY: the row is inside of what was borrowed for 'a, and nothing writes there meanwhile.
        unsafe { std::slice::from_raw_parts(self.data.add(row * self.row_stride), self.cols) }
    }

    pub(super) const fn n_rows(&self) -> usize {
        self.rows
    }

    pub(super) const fn n_cols(&self) -> usize {
        self.cols
    }

    /// Whether its rows, rather than its columns, are contiguous.
    pub(super) const fn is_by_rows(&self) -> bool {
        self.col_stride == 1
    }

    /// Address, and how far rows and columns are apart.
    pub(super) const fn raw(&self) -> (*const f32, usize, usize) {
        (self.data, self.row_stride, self.col_stride)
    }
}

impl<'a> ViewMut<'a> {
    /// The first `rows * cols` numbers of a slice, row after row.
    pub(super) fn new(data: &'a mut [f32], rows: usize, cols: usize) -> Self {
        assert!(data.len() >= rows * cols, "a view of more numbers than there are");
        Self { data: data.as_mut_ptr(), rows, cols, stride: cols, lifetime: PhantomData }
    }

    /// The rows before one, and those from it on.
    pub(super) fn split_rows(self, at: usize) -> (Self, Self) {
        assert!(at <= self.rows, "rows outside of a view");
        let below = self.data.wrapping_add(at * self.stride);
        (Self { rows: at, ..self }, Self { data: below, rows: self.rows - at, ..self })
    }

    /// The columns before one, and those from it on.
    pub(super) fn split_cols(self, at: usize) -> (Self, Self) {
        assert!(at <= self.cols, "columns outside of a view");
        let right = self.data.wrapping_add(at);
        (Self { cols: at, ..self }, Self { data: right, cols: self.cols - at, ..self })
    }

    /// Blocks of at most `size` rows.
    pub(super) fn row_blocks(self, size: usize) -> impl Iterator<Item = Self> {
        let mut rest = Some(self);
        std::iter::from_fn(move || {
            let view = rest.take().filter(|view| view.rows > 0)?;
            let at = size.min(view.rows);
            let (block, below) = view.split_rows(at);
            rest = Some(below);
            Some(block)
        })
    }

    /// Blocks of at most `size` columns.
    pub(super) fn col_blocks(self, size: usize) -> impl Iterator<Item = Self> {
        let mut rest = Some(self);
        std::iter::from_fn(move || {
            let view = rest.take().filter(|view| view.cols > 0)?;
            let at = size.min(view.cols);
            let (block, right) = view.split_cols(at);
            rest = Some(right);
            Some(block)
        })
    }

    /// A part of it, lent.
    pub(super) fn part(&mut self, rows: Range<usize>, cols: Range<usize>) -> ViewMut<'_> {
        assert!(rows.start <= rows.end && rows.end <= self.rows, "rows outside of a view");
        assert!(cols.start <= cols.end && cols.end <= self.cols, "columns outside of a view");
        let data = self.data.wrapping_add(rows.start * self.stride + cols.start);
        ViewMut { data, rows: rows.len(), cols: cols.len(), stride: self.stride, lifetime: PhantomData }
    }

    /// Some of its rows, lent.
    pub(super) fn rows(&mut self, rows: Range<usize>) -> ViewMut<'_> {
        let cols = self.cols;
        self.part(rows, 0..cols)
    }

    /// Some of its columns, lent.
    pub(super) fn cols(&mut self, cols: Range<usize>) -> ViewMut<'_> {
        let rows = self.rows;
        self.part(0..rows, cols)
    }

    /// One row, lent.
    #[allow(unsafe_code)]
    pub(super) fn row(&mut self, row: usize) -> &mut [f32] {
        assert!(row < self.rows, "a row outside of a view");
        // SAFETY: the row is inside of what this view alone may touch.
        unsafe { std::slice::from_raw_parts_mut(self.data.add(row * self.stride), self.cols) }
    }

    /// The same to be read.
    pub(super) fn read(&self) -> View<'_> {
        View {
            data: self.data,
            rows: self.rows,
            cols: self.cols,
            row_stride: self.stride,
            col_stride: 1,
            lifetime: PhantomData,
        }
    }

    /// Sets all numbers.
    pub(super) fn fill(&mut self, value: f32) {
        for row in 0..self.rows {
            self.row(row).fill(value);
        }
    }

    pub(super) const fn n_rows(&self) -> usize {
        self.rows
    }

    pub(super) const fn n_cols(&self) -> usize {
        self.cols
    }

    /// Address, and how far rows are apart.
    pub(super) const fn into_raw(self) -> (*mut f32, usize) {
        (self.data, self.stride)
    }
}

/// Cuts several matrices of equally many rows into blocks of at most `size` rows, with the first row of each.
pub(super) fn row_blocks<const K: usize>(
    views: [ViewMut<'_>; K],
    size: usize,
) -> Vec<(usize, [ViewMut<'_>; K])> {
    let mut blocks = Vec::new();
    let mut rest = views;
    let mut start = 0;
    while rest[0].rows > 0 {
        let at = size.min(rest[0].rows);
        let mut below = Vec::with_capacity(K);
        let head = rest.map(|view| {
            let (head, tail) = view.split_rows(at);
            below.push(tail);
            head
        });
        blocks.push((start, head));
        start += at;
        let mut below = below.into_iter();
        rest = std::array::from_fn(|_| below.next().expect("one rest for each view"));
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_is_cut_into_parts_that_do_not_overlap() {
        let mut data: Vec<f32> = (0_u8..12).map(f32::from).collect();
        let view = ViewMut::new(&mut data, 3, 4);
        let (left, right) = view.split_cols(1);
        let (mut top, mut below) = right.split_rows(1);
        top.fill(-1.0);
        below.row(1)[2] = -2.0;
        assert_eq!(left.read().row(2), [8.0]);
        assert_eq!(below.part(1..2, 1..3).read().row(0), [10.0, -2.0]);
        assert_eq!(data, [0.0, -1.0, -1.0, -1.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, -2.0]);
        let view = View::new(&data, 3, 4).t().part(2..4, 1..3);
        assert_eq!((view.n_rows(), view.n_cols()), (2, 2));
        let (mut one, mut two) = ([0.0; 5], [0.0; 10]);
        let blocks = row_blocks([ViewMut::new(&mut one, 5, 1), ViewMut::new(&mut two, 5, 2)], 2);
        assert_eq!(blocks.iter().map(|(start, _)| *start).collect::<Vec<_>>(), [0, 2, 4]);
        assert_eq!(blocks[2].1[1].n_rows(), 1);
    }
}
