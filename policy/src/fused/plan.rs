//! How a packed batch is cut into pieces of work. All cuts follow from the shapes alone, never from the number of
//! threads, so that sums are always taken in the same order.

use std::ops::Range;

use crate::packed::{Packed, Segment};

/// The cuts of one call.
#[derive(Debug)]
pub(super) struct Plan {
    /// Segments that see each other, as ranges of segments that lie side by side.
    pub units: Vec<Unit>,
    /// `[N]`: the position of each token in its sequence.
    pub positions: Vec<usize>,
    /// Rows that are scored, each once, from the first to the last.
    pub scored: Vec<usize>,
    /// `[scored + 1]`: where each scored row's entries are in `asked`.
    pub asked_from: Vec<usize>,
    /// `[M]`: the entries of [`Packed::targets`], by row.
    pub asked: Vec<usize>,
}

/// Some sequences, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    pub segments: Range<usize>,
    /// Of [`Packed::tokens`].
    pub rows: Range<usize>,
}

/// A segment as attention sees it, with rows counted from the start of a batch.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub rows: Range<usize>,
    /// The rows of the segment that this one continues.
    pub before: Range<usize>,
}

impl Plan {
    pub(super) fn new(packed: &Packed) -> Self {
        let mut positions = vec![0; packed.n_tokens()];
        for segment in &packed.segments {
            let first = packed.first_position(segment);
            for (i, position) in positions[segment.start..segment.end].iter_mut().enumerate() {
                *position = first + i;
            }
        }
        let mut asked: Vec<usize> = (0..packed.rows.len()).collect();
        asked.sort_by_key(|m| packed.rows[*m]);
        let mut scored = Vec::new();
        let mut asked_from = Vec::new();
        for (i, m) in asked.iter().enumerate() {
            let row = packed.rows[*m] as usize;
            if scored.last() != Some(&row) {
                scored.push(row);
                asked_from.push(i);
            }
        }
        asked_from.push(asked.len());
        Self { units: units(&packed.segments), positions, scored, asked_from, asked }
    }

    /// The entries that ask for a scored row.
    pub(super) fn asked(&self, scored: usize) -> &[usize] {
        &self.asked[self.asked_from[scored]..self.asked_from[scored + 1]]
    }

    /// Runs of whole units with at most `tokens` tokens where one unit has no more.
    pub(super) fn batches(&self, tokens: usize) -> Vec<Range<usize>> {
        self.batches_of(tokens, |_| true)
    }

    /// The same, without the units at both ends of a run that are not wanted.
    pub(super) fn batches_of(&self, tokens: usize, wanted: impl Fn(&Unit) -> bool) -> Vec<Range<usize>> {
        let mut batches: Vec<Range<usize>> = Vec::new();
        for (i, unit) in self.units.iter().enumerate().filter(|(_, unit)| wanted(unit)) {
            match batches.last_mut() {
                Some(batch) if unit.rows.end - self.units[batch.start].rows.start <= tokens => {
                    batch.end = i + 1;
                }
                _ => batches.push(i..i + 1),
            }
        }
        batches
    }

    /// The tokens of a run of units.
    pub(super) fn rows(&self, batch: &Range<usize>) -> Range<usize> {
        self.units[batch.start].rows.start..self.units[batch.end - 1].rows.end
    }

    /// The scored rows among some tokens, as indices into `scored`.
    pub(super) fn scored_in(&self, rows: &Range<usize>) -> Range<usize> {
        let at = |row: usize| self.scored.partition_point(|scored| *scored < row);
        at(rows.start)..at(rows.end)
    }
}

/// The segments of a unit, with rows counted from `first`.
pub(super) fn spans(packed: &Packed, unit: &Unit, first: usize) -> Vec<Span> {
    let rows = |segment: &Segment| segment.start - first..segment.end - first;
    packed.segments[unit.segments.clone()]
        .iter()
        .map(|segment| Span {
            rows: rows(segment),
            before: segment.parent.map_or(0..0, |parent| rows(&packed.segments[parent])),
        })
        .filter(|span| !span.rows.is_empty())
        .collect()
}

fn units(segments: &[Segment]) -> Vec<Unit> {
    // From the back: a cut is possible where no later segment continues one before it.
    let mut units = Vec::new();
    let mut end = segments.len();
    let mut earliest = segments.len();
    for i in (0..segments.len()).rev() {
        earliest = earliest.min(segments[i].parent.unwrap_or(i)).min(i);
        if earliest == i {
            let rows = segments[i].start..segments[end - 1].end;
            units.push(Unit { segments: i..end, rows });
            end = i;
        }
    }
    units.retain(|unit| !unit.rows.is_empty());
    units.reverse();
    units
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_hold_parents_and_children_together() {
        let mut packed = Packed::default();
        packed.push(&[1, 2, 3], 1).expect("a sequence");
        packed.push_group(&[1, 2], [&[4, 5][..], &[6], &[7, 8, 9]]).expect("a group");
        packed.push(&[5, 6], 1).expect("a sequence");
        let plan = Plan::new(&packed);
        let rows: Vec<_> = plan.units.iter().map(|unit| unit.rows.clone()).collect();
        assert_eq!(rows, [0..3, 3..8, 8..10]);
        assert_eq!(plan.positions, [0, 1, 2, 0, 1, 2, 2, 3, 0, 1]);
        assert_eq!(plan.scored, [0, 1, 4, 5, 6, 7, 8]);
        assert_eq!(plan.asked(2), [2, 4, 5], "the prompt's last token is asked for three targets");
        assert_eq!(plan.batches(5), [0..1, 1..2, 2..3]);
        assert_eq!(plan.batches(8), [0..2, 2..3]);
        assert_eq!(plan.batches_of(100, |unit| unit.rows.start == 3), [1..2]);
        assert_eq!(plan.scored_in(&(3..8)), 2..6);
        let spans = spans(&packed, &plan.units[1], 3);
        assert_eq!(spans.len(), 3, "a completion of one token computes nothing of its own");
        assert_eq!((spans[2].rows.clone(), spans[2].before.clone()), (3..5, 0..2));
    }
}
