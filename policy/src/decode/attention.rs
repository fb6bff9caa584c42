//! Attention of new tokens to the cells before them.
//!
//! Tokens that see the same prompt are taken together, so that each page of the prompt is read once for all of them.
//! Each row's sums run over the pages in order, whoever is beside it.

use super::cache::{Geometry, PAGE, Page};
use super::elementwise::{exponentials, largest, scale};
use super::kernel::{self, Rows, Write};

/// Scores that are held at once; what one sequence needs is always held.
const SCORES: usize = 1 << 15;

/// The cells that a token sees: the first of its prompt, then its own.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'a> {
    /// Tokens of the prompt.
    pub(crate) prompt: usize,
    /// The sequence's own pages.
    pub(crate) pages: &'a [Page],
    /// Tokens in them.
    pub(crate) own: usize,
}

/// Buffers, used again and again.
#[derive(Default)]
pub(crate) struct Room {
    queries: Vec<f32>,
    scores: Vec<f32>,
    out: Vec<f32>,
}

/// Queries, keys and values of the rows of one layer, and where attention puts what it makes.
pub(crate) struct Attention<'a> {
    pub(crate) layer: usize,
    /// The rows' queries `[heads, D]`, keys and values `[kv heads, D]`.
    pub(crate) qkv: &'a [f32],
    /// Numbers from one row to the next.
    pub(crate) stride: usize,
    /// Where queries, keys and values begin in a row.
    pub(crate) offsets: [usize; 3],
    /// `[rows, heads * D]`.
    pub(crate) out: &'a mut [f32],
    pub(crate) room: &'a mut Room,
}

/// How many tokens each page has when `len` are in all.
fn filled(pages: &[Page], len: usize) -> impl Iterator<Item = (&Page, usize)> {
    pages.iter().take(len.div_ceil(PAGE)).enumerate().map(move |(i, page)| (page, (len - i * PAGE).min(PAGE)))
}

impl Attention<'_> {
    /// A row's keys and values, each `[kv heads, D]`.
    pub(crate) fn keys_and_values(&self, geometry: &Geometry, row: usize) -> (&[f32], &[f32]) {
        let size = geometry.kv_heads * geometry.head_dim;
        let row = &self.qkv[row * self.stride..];
        (&row[self.offsets[1]..][..size], &row[self.offsets[2]..][..size])
    }

    /// softmax(q K' / sqrt(D)) V for `count` rows from `first` on that see the same prompt.
    pub(crate) fn attend<'p>(
        &mut self,
        geometry: &Geometry,
        prompt: &[Page],
        (first, count): (usize, usize),
        seen: impl Fn(usize) -> Seen<'p>,
    ) {
        let (mut start, end) = (first, first + count);
        while start < end {
            let mut span = 0;
            let mut stop = start;
            while stop < end {
                let next = span.max(cells(seen(stop)));
                if stop > start && (stop + 1 - start) * geometry.group * next > SCORES {
                    break;
                }
                (span, stop) = (next, stop + 1);
            }
            // A prompt that is being computed is seen further by each row: all share the longest.
            let longest = (start..stop).map(|row| seen(row).prompt).max().unwrap_or(0);
            let span = longest.next_multiple_of(PAGE)
                + (start..stop).map(|row| seen(row).own.next_multiple_of(PAGE)).max().unwrap_or(0);
            for head in 0..geometry.kv_heads {
                self.head(geometry, head, prompt, (start, stop), (longest, span), &seen);
            }
            start = stop;
        }
    }

    /// One head of keys for rows that fit the room.
    fn head<'p>(
        &mut self,
        geometry: &Geometry,
        head: usize,
        prompt: &[Page],
        (start, stop): (usize, usize),
        (longest, span): (usize, usize),
        seen: &impl Fn(usize) -> Seen<'p>,
    ) {
        let (d, group, layer) = (geometry.head_dim, geometry.group, self.layer);
        let count = (stop - start) * group;
        let all_heads = geometry.kv_heads * group * d;
        let Room { queries, scores, out } = &mut *self.room;
        for (buffer, size) in [(&mut *queries, count * d), (scores, count * span), (out, count * d)] {
            if buffer.len() < size {
                buffer.resize(size, 0.0);
            }
        }
        for (row, queries) in (start..stop).zip(queries.chunks_exact_mut(group * d)) {
            let from = row * self.stride + self.offsets[0] + head * group * d;
            queries.copy_from_slice(&self.qkv[from..from + group * d]);
        }
        let rows = Rows { count, stride: d };
        for (i, (page, _)) in filled(prompt, longest).enumerate() {
            let keys = page.keys(geometry, layer, head);
            kernel::multiply(queries, rows, d, keys, d, &mut scores[i * PAGE..], span, PAGE, Write::Set);
        }
        let own_at = longest.next_multiple_of(PAGE);
        let factor = 1.0 / (d as f32).sqrt();
        for (i, row) in (start..stop).enumerate() {
            let seen = seen(row);
            let queries = &queries[i * group * d..];
            let scores = &mut scores[i * group * span..][..group * span];
            let rows = Rows { count: group, stride: d };
            for (p, (page, _)) in filled(seen.pages, seen.own).enumerate() {
                let keys = page.keys(geometry, layer, head);
                let place = &mut scores[own_at + p * PAGE..];
                kernel::multiply(queries, rows, d, keys, d, place, span, PAGE, Write::Set);
            }
            for scores in scores.chunks_exact_mut(span) {
                scores[seen.prompt..own_at].fill(f32::NEG_INFINITY);
                let end = own_at + seen.own.next_multiple_of(PAGE);
                scores[own_at + seen.own..end].fill(f32::NEG_INFINITY);
                let scores = &mut scores[..end];
                let top = largest(scores);
                let sum = exponentials(scores, top, factor);
                scale(scores, 1.0 / sum);
            }
        }
        let rows = Rows { count, stride: span };
        for (i, (page, used)) in filled(prompt, longest).enumerate() {
            let values = page.values(geometry, layer, head);
            let write = if i == 0 { Write::Set } else { Write::Add };
            kernel::multiply(&scores[i * PAGE..], rows, used, values, PAGE, out, d, d, write);
        }
        for (i, row) in (start..stop).enumerate() {
            let seen = seen(row);
            let scores = &scores[i * group * span..];
            let out = &mut out[i * group * d..][..group * d];
            let rows = Rows { count: group, stride: span };
            for (p, (page, used)) in filled(seen.pages, seen.own).enumerate() {
                let values = page.values(geometry, layer, head);
                let scores = &scores[own_at + p * PAGE..];
                kernel::multiply(scores, rows, used, values, PAGE, out, d, d, Write::Add);
            }
            self.out[row * all_heads + head * group * d..][..group * d].copy_from_slice(out);
        }
    }
}

/// The cells of all pages that are seen.
const fn cells(seen: Seen<'_>) -> usize {
    seen.prompt.next_multiple_of(PAGE) + seen.own.next_multiple_of(PAGE)
}
