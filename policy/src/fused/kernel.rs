//! The loop that multiplies: rows by panels of sixteen outputs, with all sums in registers.
//!
//! Each output is one chain of multiply-adds over the inputs, from the first to the last, whatever is computed beside
//! it.

use super::simd::mul_add;

/// Outputs of a panel.
pub(super) const LANES: usize = 16;

/// The most rows that any processor takes at once.
pub(super) const MOST_ROWS: usize = 12;

/// One block of a product: `out[r][c] = scale * sum over i of rows[r][i] * panels[c / 16][i][c % 16]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    /// The first number of the first row.
    pub rows: *const f32,
    /// From a row to the next of its group, from an input to the next, and from a group of
    /// [`rows_at_once`] rows to the next.
    pub row_step: usize,
    pub input_step: usize,
    pub group_step: usize,
    /// Panels of `k * LANES` numbers that begin `panel_step` apart.
    pub panels: *const f32,
    pub panel_step: usize,
    pub out: *mut f32,
    /// From a row of outputs to the next.
    pub out_step: usize,
    /// Add to what is there.
    pub add: bool,
    pub scale: f32,
}

/// `k`, rows, row step, input step, panel, outputs, output step, add, scale.
type Tile = unsafe fn(usize, *const f32, usize, usize, *const f32, *mut f32, usize, bool, f32);

/// The tiles that fit a processor's registers.
struct Tiles {
    /// Rows of the largest.
    rows: usize,
    /// Tiles by their rows, from large to small, down to one row.
    tiles: &'static [(usize, Tile)],
}

/// Defines the tiles for some vector units.
macro_rules! tiles {
    ($name:ident, $fma:expr, [$($rows:literal),*] $(, $features:literal)?) => {
        static $name: Tiles = {
            #[allow(unsafe_code, clippy::too_many_arguments)]
            $(#[target_feature(enable = $features)])?
            unsafe fn of<const R: usize>(
                k: usize, rows: *const f32, row_step: usize, input_step: usize, panel: *const f32,
                out: *mut f32, out_step: usize, add: bool, scale: f32,
            ) {
                // SAFETY: as the caller promised.
                unsafe { tile::<{ $fma }, R>(k, rows, row_step, input_step, panel, out, out_step, add, scale) }
            }
            const TILES: &[(usize, Tile)] = &[$(($rows, of::<$rows>)),*];
            Tiles { rows: TILES[0].0, tiles: TILES }
        };
    };
}

#[cfg(target_arch = "x86_64")]
tiles!(AVX512, true, [12, 8, 4, 2, 1], "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma");
#[cfg(target_arch = "x86_64")]
tiles!(AVX2, true, [6, 4, 2, 1], "avx2,fma");
#[cfg(target_arch = "x86_64")]
tiles!(PLAIN, false, [2, 1]);
#[cfg(not(target_arch = "x86_64"))]
tiles!(PLAIN, cfg!(target_arch = "aarch64"), [6, 4, 2, 1]);

fn tiles() -> &'static Tiles {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512bw")
        {
            return &AVX512;
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return &AVX2;
        }
    }
    &PLAIN
}

/// How many rows this processor's registers take at once.
pub(super) fn rows_at_once() -> usize {
    tiles().rows
}

/// Computes a block.
///
/// # Safety
/// The pointers and steps must cover memory that may be read and, for `out`, written by the caller alone. Each panel
/// has all its lanes.
#[allow(unsafe_code)]
pub(super) unsafe fn multiply(block: &Block) {
    let tiles = tiles();
    let &Block { m, n, k, row_step, input_step, out_step, scale, .. } = block;
    for first in (0..n).step_by(LANES) {
        let width = (n - first).min(LANES);
        let panel = block.panels.wrapping_add(first / LANES * block.panel_step);
        let mut row = 0;
        for (rows, tile) in tiles.tiles {
            while m - row >= *rows {
                let group = row / tiles.rows;
                let from = block.rows.wrapping_add(group * block.group_step);
                let from = from.wrapping_add((row - group * tiles.rows) * row_step);
                let out = block.out.wrapping_add(row * out_step + first);
                // SAFETY: rows, panel and outputs lie inside of the block, as the caller promised, and the processor
                // has what the tile needs.
                unsafe {
                    if width == LANES {
                        tile(k, from, row_step, input_step, panel, out, out_step, block.add, scale);
                    } else {
                        // A part of a panel: all lanes go elsewhere first.
                        let mut whole = [[0.0_f32; LANES]; MOST_ROWS];
                        let lanes = whole.as_mut_ptr().cast();
                        tile(k, from, row_step, input_step, panel, lanes, LANES, false, scale);
                        for (r, sums) in whole[..*rows].iter().enumerate() {
                            let out = std::slice::from_raw_parts_mut(out.add(r * out_step), width);
                            for (out, sum) in out.iter_mut().zip(sums) {
                                *out = if block.add { *out + sum } else { *sum };
                            }
                        }
                    }
                }
                row += rows;
            }
        }
    }
}

/// `R` rows by one panel. Every index into the sums is known when it is compiled: that is what keeps them in registers.
#[inline(always)]
#[allow(unsafe_code, clippy::inline_always, clippy::needless_range_loop, clippy::too_many_arguments)]
unsafe fn tile<const FMA: bool, const R: usize>(
    k: usize,
    rows: *const f32,
    row_step: usize,
    input_step: usize,
    panel: *const f32,
    out: *mut f32,
    out_step: usize,
    add: bool,
    scale: f32,
) {
    let mut sums = [[0.0_f32; LANES]; R];
    let (mut input, mut panel) = (rows, panel);
    for _ in 0..k {
        // SAFETY: row, input and lane lie inside of the block, as the caller promised.
        unsafe {
            let weights = *panel.cast::<[f32; LANES]>();
            for r in 0..R {
                let factor = *input.add(r * row_step);
                for lane in 0..LANES {
                    sums[r][lane] = mul_add::<FMA>(factor, weights[lane], sums[r][lane]);
                }
            }
        }
        input = input.wrapping_add(input_step);
        panel = panel.wrapping_add(LANES);
    }
    for r in 0..R {
        // SAFETY: all lanes of the row are the caller's.
        let out = unsafe { &mut *out.add(r * out_step).cast::<[f32; LANES]>() };
        if add {
            for lane in 0..LANES {
                out[lane] += scale * sums[r][lane];
            }
        } else {
            for lane in 0..LANES {
                out[lane] = scale * sums[r][lane];
            }
        }
    }
}
