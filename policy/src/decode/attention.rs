//! Attention of one new token to the cells before it.

use super::cache::{Geometry, PAGE, Page};
use super::exponential::{exponentials, largest, scale};
use super::kernel::{self, Rows, Write};

/// The cells that a token sees: those of its prompt, then its own.
#[derive(Clone, Copy)]
pub(crate) struct Cells<'a> {
    /// The prompt's pages.
    pub(crate) prompt: &'a [Page],
    /// Tokens in them that are seen.
    pub(crate) prompt_len: usize,
    /// The sequence's own pages.
    pub(crate) own: &'a [Page],
    /// Tokens in them.
    pub(crate) own_len: usize,
}

impl<'a> Cells<'a> {
    /// The pages with something in them, and how many tokens each has.
    fn pages(self) -> impl Iterator<Item = (&'a Page, usize)> {
        let of = |pages: &'a [Page], len: usize| {
            pages
                .iter()
                .take(len.div_ceil(PAGE))
                .enumerate()
                .map(move |(i, page)| (page, (len - i * PAGE).min(PAGE)))
        };
        of(self.prompt, self.prompt_len).chain(of(self.own, self.own_len))
    }

    /// How many cells the pages span, gaps included.
    pub(crate) fn span(self) -> usize {
        (self.prompt_len.div_ceil(PAGE) + self.own_len.div_ceil(PAGE)) * PAGE
    }
}

/// softmax(q K' / sqrt(D)) V for all heads of one token: `queries` and `out` are `[heads, D]`; `scores` is room for
/// `group * span` numbers.
pub(crate) fn attend(
    geometry: &Geometry,
    layer: usize,
    cells: Cells<'_>,
    queries: &[f32],
    scores: &mut [f32],
    out: &mut [f32],
) {
    let (d, group) = (geometry.head_dim, geometry.group);
    let span = cells.span();
    let factor = 1.0 / (d as f32).sqrt();
    for head in 0..geometry.kv_heads {
        let queries = &queries[head * group * d..][..group * d];
        let out = &mut out[head * group * d..][..group * d];
        let scores = &mut scores[..group * span];
        let rows = Rows { count: group, stride: d };
        for (i, (page, used)) in cells.pages().enumerate() {
            let keys = page.keys(geometry, layer, head);
            kernel::multiply(queries, rows, d, keys, d, &mut scores[i * PAGE..], span, PAGE, Write::Set);
            if used < PAGE {
                for row in scores.chunks_exact_mut(span) {
                    row[i * PAGE + used..(i + 1) * PAGE].fill(f32::NEG_INFINITY);
                }
            }
        }
        let rows = Rows { count: group, stride: span };
        for row in scores.chunks_exact_mut(span) {
            let top = largest(row);
            let sum = exponentials(row, top, factor);
            scale(row, 1.0 / sum);
        }
        for (i, (page, used)) in cells.pages().enumerate() {
            let values = page.values(geometry, layer, head);
            let write = if i == 0 { Write::Set } else { Write::Add };
            kernel::multiply(&scores[i * PAGE..], rows, used, values, PAGE, out, d, d, write);
        }
    }
}
