//! Peak memory of a pass. It has a program of its own because it counts every allocation.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use candle_core::Device;
use policy::{ModelConfig, Packed, Policy, Sizes, TokenGradients};

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: it hands everything on to the system's allocator.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(now, Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What a pass with its backward pass allocates beyond weights and gradients.
fn peak(vocabulary: usize, sequences: usize) -> usize {
    policy::fused::release();
    let sizes = Sizes {
        hidden_size: 16,
        intermediate_size: 32,
        n_layers: 1,
        n_heads: 2,
        n_kv_heads: 1,
        ..Sizes::default()
    };
    let config = ModelConfig::from_sizes(&sizes, vocabulary).expect("they fit");
    let policy = Policy::random(config, 1, &Device::Cpu).expect("room");
    let mut gradients = policy.zero_gradients().expect("room");
    let mut packed = Packed::default();
    let sequence: Vec<u32> = (0..65).collect();
    for _ in 0..sequences {
        packed.push(&sequence, 1).expect("a sequence");
    }
    let before = NOW.load(Relaxed);
    PEAK.store(before, Relaxed);
    policy
        .accumulate(&packed, 1.0, &mut gradients, |scores| {
            Ok(TokenGradients { logprobs: vec![1.0; scores.logprobs.len()], entropies: Vec::new() })
        })
        .expect("it fits");
    PEAK.load(Relaxed) - before
}

#[test]
fn logits_of_more_than_a_tile_are_never_there() {
    // Scratch memory of the threads and of the matrix library is there after the first.
    peak(16_384, 8);
    let (tokens, small) = (40 * 64, peak(256, 40));
    let large = peak(16_384, 40);
    let logits = 16_384 * tokens * 4;
    assert!(large < small + logits / 8, "{small} and {large} bytes where all logits take {logits}");
}
