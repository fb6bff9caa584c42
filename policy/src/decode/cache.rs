//! Keys and values of what was decoded, in pages of sixteen tokens.
//!
//! A page holds all layers and heads of its tokens. A sequence owns the pages of what it sampled; the pages of a
//! prompt are owned by the prompt and read by all sequences that continue it. Pages that are given back are used
//! again. Keys stand turned (dimension by token) and values in panels of sixteen dimensions, so that both products
//! of attention are products with panels.

use super::kernel::LANES;
use crate::config::ModelConfig;

/// Tokens of a page.
pub(crate) const PAGE: usize = LANES;

/// The numbers of one page.
pub(crate) struct Page(Box<[f32]>);

/// Where things are in a page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Geometry {
    layers: usize,
    pub(crate) kv_heads: usize,
    /// Queries that share a key.
    pub(crate) group: usize,
    /// D.
    pub(crate) head_dim: usize,
    /// D, filled up to whole panels.
    padded: usize,
}

impl Geometry {
    pub(crate) fn new(config: &ModelConfig) -> Self {
        Self {
            layers: config.n_layers,
            kv_heads: config.n_kv_heads,
            group: config.n_heads / config.n_kv_heads,
            head_dim: config.head_dim,
            padded: config.head_dim.next_multiple_of(LANES),
        }
    }

    /// Numbers in a page.
    pub(crate) fn size(&self) -> usize {
        self.layers * self.kv_heads * (self.head_dim + self.padded) * PAGE
    }

    fn start(&self, layer: usize, head: usize) -> usize {
        (layer * self.kv_heads + head) * (self.head_dim + self.padded) * PAGE
    }
}

impl Page {
    /// `[D][16 tokens]`.
    pub(crate) fn keys(&self, geometry: &Geometry, layer: usize, head: usize) -> &[f32] {
        &self.0[geometry.start(layer, head)..][..geometry.head_dim * PAGE]
    }

    /// `[D / 16][16 tokens][16 dimensions]`.
    pub(crate) fn values(&self, geometry: &Geometry, layer: usize, head: usize) -> &[f32] {
        &self.0[geometry.start(layer, head) + geometry.head_dim * PAGE..][..geometry.padded * PAGE]
    }

    /// Writes a token's keys and values, each `[heads, D]`, to its place in the page.
    pub(crate) fn put(
        &mut self,
        geometry: &Geometry,
        layer: usize,
        place: usize,
        keys: &[f32],
        values: &[f32],
    ) {
        let d = geometry.head_dim;
        for (head, (keys, values)) in keys.chunks_exact(d).zip(values.chunks_exact(d)).enumerate() {
            let (to_keys, to_values) = self.0[geometry.start(layer, head)..].split_at_mut(d * PAGE);
            for (to, key) in to_keys.as_chunks_mut::<PAGE>().0.iter_mut().zip(keys) {
                to[place] = *key;
            }
            for (panel, values) in values.chunks(LANES).enumerate() {
                let start = (panel * PAGE + place) * LANES;
                to_values[start..start + values.len()].copy_from_slice(values);
            }
        }
    }
}

/// The pages that are there.
pub(crate) struct Pool {
    size: usize,
    free: Vec<Page>,
    /// Pages ever made; none is thrown away before the pool.
    pub(crate) made: usize,
    /// Pages promised to what is being decoded.
    reserved: usize,
    limit: usize,
}

impl Pool {
    /// An empty pool of at most `limit` pages.
    pub(crate) fn new(geometry: &Geometry, limit: usize) -> Self {
        Self { size: geometry.size(), free: Vec::new(), made: 0, reserved: 0, limit }
    }

    /// Promises pages; false when there are not as many.
    pub(crate) fn reserve(&mut self, pages: usize) -> bool {
        let fits = pages <= self.limit - self.reserved;
        if fits {
            self.reserved += pages;
        }
        fits
    }

    /// Takes a promised page.
    pub(crate) fn take(&mut self) -> Page {
        self.free.pop().unwrap_or_else(|| {
            self.made += 1;
            Page(vec![0.0; self.size].into_boxed_slice())
        })
    }

    /// Gives pages back, and the promise of `reserved` pages.
    pub(crate) fn release(&mut self, pages: impl IntoIterator<Item = Page>, reserved: usize) {
        self.free.extend(pages);
        self.reserved -= reserved;
    }
}
