//! Memory that is kept from call to call, so that pages are touched once.

use std::cell::RefCell;

use super::panels::PanelBuffer;
use super::rotary::Rotary;
use super::view::ViewMut;

/// Numbers that are only ever added to; what they held before is still there.
#[derive(Debug, Default)]
pub(super) struct Buffer(Vec<f32>);

impl Buffer {
    /// A matrix of it, with whatever numbers it holds.
    pub(super) fn matrix(&mut self, rows: usize, cols: usize) -> ViewMut<'_> {
        ViewMut::new(self.slice(rows * cols), rows, cols)
    }

    /// The same as a row.
    pub(super) fn slice(&mut self, n: usize) -> &mut [f32] {
        if self.0.len() < n {
            // Exactly: doubling would waste up to half of it.
            self.0.reserve_exact(n - self.0.len());
            self.0.resize(n, 0.0);
        }
        &mut self.0[..n]
    }

    /// The same to be read.
    pub(super) fn read_slice(&self, n: usize) -> &[f32] {
        &self.0[..n]
    }

    /// What was written.
    pub(super) fn read(&self, rows: usize, cols: usize) -> super::view::View<'_> {
        super::view::View::new(&self.0, rows, cols)
    }
}

/// What the backward pass needs of one layer's forward pass.
#[derive(Debug, Default)]
pub(super) struct Activations {
    /// `[N, q + k + v]`: rotated queries and keys, and values.
    pub qkv: Buffer,
    /// `[N, q + k]`: queries and keys before their norms, where they have some.
    pub raw: Buffer,
    /// `[N, q]`: what the attention read.
    pub o: Buffer,
    /// `[N, heads]`: logarithms of the attention's denominators.
    pub lse: Buffer,
    /// `[N, H]`: the residual stream between attention and feed-forward part.
    pub middle: Buffer,
    /// `[N, 2 F]`.
    pub gate_up: Buffer,
}

/// One layer's weights in panels, for the forward or for the backward pass.
#[derive(Debug, Default)]
pub(super) struct LayerPanels {
    pub qkv: PanelBuffer,
    pub o: PanelBuffer,
    pub gate_up: PanelBuffer,
    pub down: PanelBuffer,
}

/// All buffers of a call.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    pub rotary: Rotary,
    pub panels: LayerPanels,
    /// `[N, H]` each: what goes into each layer, and what comes out of the last.
    pub streams: Vec<Buffer>,
    /// One for each layer, or one for all of them.
    pub layers: Vec<Activations>,
    /// `[scored rows, H]`: the last stream where it is scored, and the gradient there.
    pub last: Buffer,
    pub d_last: Buffer,
    pub head: HeadBuffers,
    pub backward: BackwardBuffers,
}

/// Of the output matrix.
#[derive(Debug, Default)]
pub(super) struct HeadBuffers {
    pub normed: Buffer,
    pub statistics: Buffer,
    pub partial: Buffer,
}

/// Of one batch in the backward pass; names as in `backward.rs`.
#[derive(Debug, Default)]
pub(super) struct BackwardBuffers {
    pub d_out: Buffer,
    pub d_middle: Buffer,
    pub normed: Buffer,
    pub normed_in: Buffer,
    pub activated: Buffer,
    pub d_gate_up: Buffer,
    pub d_o: Buffer,
    pub d_qkv: Buffer,
    pub partial: Buffer,
}

thread_local! {
    static WORKSPACE: RefCell<Workspace> = RefCell::default();
    static SCRATCH: RefCell<Vec<Buffer>> = const { RefCell::new(Vec::new()) };
}

/// Lends the calling thread's workspace.
pub(super) fn with_workspace<R>(f: impl FnOnce(&mut Workspace) -> R) -> R {
    // Taken out, so that a call from inside of a call gets one of its own.
    let mut workspace = WORKSPACE.take();
    let result = f(&mut workspace);
    WORKSPACE.set(workspace);
    result
}

/// Lends scratch memory of the thread that works, with whatever numbers it holds.
pub(super) fn with_scratch<R>(n: usize, f: impl FnOnce(&mut [f32]) -> R) -> R {
    let mut buffer = SCRATCH.with_borrow_mut(Vec::pop).unwrap_or_default();
    let result = f(buffer.slice(n));
    SCRATCH.with_borrow_mut(|free| free.push(buffer));
    result
}

/// Frees what the calling thread keeps for its next call.
pub fn release() {
    WORKSPACE.take();
}
