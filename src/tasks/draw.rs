//! Randomness as a function of its key: SHA-256 makes the seed, xoshiro256** the numbers.
//!
//! The same key gives the same numbers on every machine and in every version of this crate. Different keys give
//! unrelated numbers, so that no two splits, seeds or indices share a stream; adding the index to the seed, as
//! generators often do, makes (42, 1) and (43, 0) the same task.

use sha2::{Digest, Sha256};

/// A stream of numbers that its key alone decides.
#[derive(Clone, Debug)]
pub struct Draw {
    state: [u64; 4],
}

impl Draw {
    /// The stream for these parts. Each part is hashed with its length, so that no two lists of parts collide.
    pub fn new(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(b"gavel draw 1\0");
        for part in parts {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let hash: [u8; 32] = hasher.finalize().into();
        let mut state = [0; 4];
        for (word, bytes) in state.iter_mut().zip(hash.chunks_exact(8)) {
            *word = bytes.iter().rev().fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
        }
        Self { state }
    }

    /// The next 64 bits (xoshiro256**, Blackman and Vigna, arXiv:1805.01407, figure 1).
    pub fn bits(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let bits = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        bits
    }

    /// A number from 0 up to but not including `n`, each equally likely; 0 when `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        if n == 0 {
            return 0;
        }
        // Numbers above the last full multiple of `n` would favour small remainders. Each try succeeds with a
        // probability above one half.
        let end = u64::MAX - u64::MAX % n;
        loop {
            let bits = self.bits();
            if bits < end {
                return bits % n;
            }
        }
    }

    /// A number from `low` to `high`, both included; `low` when they are in the wrong order.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        if high <= low {
            return low;
        }
        low.saturating_add_unsigned(self.below(high.abs_diff(low).saturating_add(1)))
    }

    /// True in `numerator` of `denominator` cases.
    pub fn chance(&mut self, numerator: u64, denominator: u64) -> bool {
        self.below(denominator) < numerator
    }

    /// An index into a list of `len` items.
    pub fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    /// One of `items`.
    ///
    /// # Panics
    /// When there are none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.index(items.len())]
    }

    /// Puts `items` in random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            let other = self.index(end + 1);
            items.swap(end, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Draw;

    #[test]
    fn the_first_numbers_are_fixed_for_ever() {
        let mut draw = Draw::new(&[b"a", b"bc"]);
        let first: Vec<u64> = (0..5).map(|_| draw.bits()).collect();
        assert_eq!(first, FIRST);
    }

    /// The numbers that the authors' own code gives for this state.
    #[test]
    fn the_generator_is_xoshiro() {
        let mut draw = Draw { state: [1, 2, 3, 4] };
        let first: Vec<u64> = (0..4).map(|_| draw.bits()).collect();
        assert_eq!(first, [11_520, 0, 1_509_978_240, 1_215_971_899_390_074_240]);
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(Draw::new(&[b"ab", b"c"]).bits(), Draw::new(&[b"a", b"bc"]).bits());
    }

    #[test]
    fn every_value_of_a_small_range_comes_about_equally_often() {
        let mut draw = Draw::new(&[b"range"]);
        let mut counts = [0_u32; 7];
        for _ in 0..7_000 {
            counts[(draw.between(-3, 3) + 3) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
    }

    #[test]
    fn the_whole_range_of_i64_can_be_drawn() {
        let mut draw = Draw::new(&[b"wide"]);
        let drawn: Vec<i64> = (0..100).map(|_| draw.between(i64::MIN, i64::MAX)).collect();
        assert!(drawn.iter().any(|n| *n < 0) && drawn.iter().any(|n| *n > 0));
    }

    #[test]
    fn a_shuffle_keeps_the_items() {
        let mut items: Vec<u32> = (0..20).collect();
        Draw::new(&[b"shuffle"]).shuffle(&mut items);
        assert!(!items.is_sorted());
        items.sort_unstable();
        assert_eq!(items, (0..20).collect::<Vec<_>>());
    }

    /// Computed by a script of five lines in another language.
    const FIRST: [u64; 5] = [
        7_472_515_284_831_765_653,
        7_042_140_762_891_919_692,
        110_274_655_635_487_370,
        2_412_154_049_446_205_819,
        16_672_727_594_434_532_287,
    ];
}
