//! Randomness as a function: SHA-256 over a key and a counter.
//!
//! The same key gives the same numbers on every machine and in every version of this crate. Different keys give
//! unrelated numbers, so that no two splits, seeds or indices share a stream; adding the index to the seed, as
//! generators often do, makes (42, 1) and (43, 0) the same task.

use sha2::{Digest, Sha256};

/// A stream of numbers that its key alone decides.
#[derive(Clone, Debug)]
pub struct Draw {
    key: [u8; 32],
    block: u64,
    /// Numbers of the current block that were not taken yet, the next one last.
    left: Vec<u64>,
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
        Self { key: hasher.finalize().into(), block: 0, left: Vec::new() }
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        loop {
            if let Some(number) = self.left.pop() {
                return number;
            }
            let block: [u8; 32] =
                Sha256::new().chain_update(self.key).chain_update(self.block.to_le_bytes()).finalize().into();
            self.block += 1;
            self.left.extend(
                block.chunks_exact(8).rev().map(|bytes| {
                    bytes.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
                }),
            );
        }
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

    /// One of `items`, which are not empty.
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

    const FIRST: [u64; 5] = [0; 5];
}
