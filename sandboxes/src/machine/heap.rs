//! The heap of an instance that is about to become the image of others, laid out so that runs write to few pages.
//!
//! A page that is written to for the first time is copied, and every other core has to hear of it; that costs more
//! than all that the smallest program does. The pool keeps the copies for the next instance as long as they form few
//! runs of pages (32 in wasmtime 48); of what lies behind them every page is given back and copied again.
//!
//! An allocator gives out the holes that its heap has before it takes fresh memory, and the holes of an interpreter
//! that has just imported its library lie everywhere. In a heap without holes what a run allocates lies side by side.
//! The few pages that every run writes to besides are known from trials; small gaps between them are written to as
//! well, so that they form fewer runs and leave some to the program.

use std::collections::BTreeSet;

use super::{Running, Stopped};

/// The unit in which memory is copied, in bytes.
const PAGE: usize = 4096;
/// More runs of pages than this are joined, as long as there are gaps that are small enough: a program has some runs
/// of its own, and the pool keeps 32.
const MAX_RUNS: usize = 24;
/// The largest gap that is worth being filled, in pages: copying so many takes some ten microseconds.
const MAX_GAP: u32 = 48;

/// Allocates what is free below the present end of memory, in pieces of `sizes` in turn, and never gives it back.
/// `allocate` and `release` are the names of the exported functions. The last size decides how small a hole may stay.
///
/// # Errors
/// When the instance runs out of what it may use.
pub(crate) fn fill_holes(
    running: &mut Running,
    allocate: &str,
    release: &str,
    sizes: impl IntoIterator<Item = u32>,
) -> Result<(), Stopped> {
    let edge = u32::try_from(running.memory().len()).unwrap_or(u32::MAX);
    for size in sizes {
        loop {
            let address = running.call::<u32, u32>(allocate, size)?;
            if address == 0 {
                return Err(Stopped::Failed(format!("{allocate} has no more memory")));
            }
            // Nothing of this size is free any more: what comes now is fresh.
            if address >= edge {
                running.call::<u32, ()>(release, address)?;
                break;
            }
        }
    }
    Ok(())
}

/// Sizes for `malloc` that leave no hole: fewer and fewer bytes, down to the smallest piece there is.
pub(crate) fn falling_sizes() -> impl Iterator<Item = u32> {
    let large = (9..=16).rev().flat_map(|power| [3 << (power - 1), 1 << power]);
    let small = (1..32).rev().map(|units| units * 16 - 4);
    large.chain(small)
}

/// Adds the pages in which two states of a memory differ, as far as both have them.
pub(crate) fn note_written(before: &[u8], after: &[u8], pages: &mut BTreeSet<u32>) {
    let both = before.chunks_exact(PAGE).zip(after.chunks_exact(PAGE));
    pages.extend((0..).zip(both).filter(|(_, (before, after))| before != after).map(|(page, _)| page));
}

/// These pages as runs, each with its first page and the one after its last; small gaps are closed, the smallest
/// first.
pub(crate) fn joined(pages: &BTreeSet<u32>) -> Vec<(u32, u32)> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for &page in pages {
        match runs.last_mut() {
            Some((_, end)) if *end == page => *end = page + 1,
            _ => runs.push((page, page + 1)),
        }
    }
    while runs.len() > MAX_RUNS {
        let gaps = runs.windows(2).map(|pair| pair[1].0 - pair[0].1);
        let Some((at, _)) = gaps.enumerate().filter(|(_, gap)| *gap <= MAX_GAP).min_by_key(|(_, gap)| *gap)
        else {
            break;
        };
        let (_, end) = runs.remove(at + 1);
        runs[at].1 = end;
    }
    runs
}

/// A page and the byte that it begins with in the image.
pub(crate) type Page = (u32, u8);

/// All pages of these runs.
pub(crate) fn pages_of(runs: &[(u32, u32)], image: &[u8]) -> Vec<Page> {
    let pages = runs.iter().flat_map(|(first, end)| *first..*end);
    pages.filter_map(|page| image.get(page as usize * PAGE).map(|byte| (page, *byte))).collect()
}

impl Running {
    /// Writes to each of these pages what stands there.
    ///
    /// It is known and not read: a page that was looked at before it is written to is in the other cores' tables, from
    /// which it then has to be taken.
    pub(crate) fn touch(&mut self, pages: &[Page]) {
        let memory = self.memory_mut();
        for (page, byte) in pages {
            if let Some(place) = memory.get_mut(*page as usize * PAGE) {
                *place = *byte;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_that_differ_are_noted() {
        let before = vec![0; 5 * PAGE];
        let mut after = vec![0; 7 * PAGE];
        for at in [0, PAGE + 1, 4 * PAGE - 1, 6 * PAGE] {
            after[at] = 1;
        }
        let mut pages = BTreeSet::from([9]);
        note_written(&before, &after, &mut pages);
        assert_eq!(pages, BTreeSet::from([0, 1, 3, 9]));
    }

    #[test]
    fn pages_are_told_with_their_first_byte() {
        let mut image = vec![0; 3 * PAGE];
        image[2 * PAGE] = 7;
        assert_eq!(pages_of(&[(0, 1), (2, 4)], &image), [(0, 0), (2, 7)]);
    }

    #[test]
    fn few_runs_stay_as_they_are() {
        assert_eq!(joined(&BTreeSet::from([1, 2, 4, 9])), [(1, 3), (4, 5), (9, 10)]);
        assert_eq!(joined(&BTreeSet::new()), []);
    }

    #[test]
    fn many_runs_are_joined_over_their_smallest_gaps() {
        // As many pages as there may be runs, far from each other, and one more beside the first and the last.
        let last = MAX_RUNS - 1;
        let mut pages: BTreeSet<u32> = (0..MAX_RUNS as u32).map(|n| n * 1000).collect();
        pages.extend([2, last as u32 * 1000 + 10]);
        let runs = joined(&pages);
        assert_eq!(runs.len(), MAX_RUNS);
        assert_eq!(runs[0], (0, 3));
        assert_eq!(runs[last], (last as u32 * 1000, last as u32 * 1000 + 11));
        // Where no gap is small there are more.
        let far: BTreeSet<u32> = (0..40).map(|n| n * 1000).collect();
        assert_eq!(joined(&far).len(), 40);
    }
}
