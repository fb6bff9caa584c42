//! Which groups make a batch: atroposlib's rules, on the groups' sizes alone.
//!
//! A batch has exactly so many sequences. Groups smaller than the largest in the queue are taken in packs that are
//! as large as it. The rules are those of `atroposlib/api/utils.py`, also where another choice would fit better: a
//! trainer must see the same batches.

use std::collections::{BTreeMap, BTreeSet};

/// A group in a queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    /// Its sequences.
    pub(super) n: usize,
    /// The environment that sent it.
    pub(super) environment: Option<i64>,
}

/// The places of the groups of a batch of `size` sequences, in its order.
pub(super) fn exact(queue: &[Item], size: usize) -> Option<Vec<usize>> {
    let largest = queue.iter().map(|item| item.n).max()?;
    let mut open: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut packed = Vec::new();
    for (place, item) in queue.iter().enumerate() {
        let pack = open.entry(item.n).or_default();
        pack.push(place);
        if pack.len() * item.n == largest {
            packed.append(pack);
        }
    }
    let mut batch = Vec::new();
    let mut n = 0;
    for place in packed {
        batch.push(place);
        n += queue[place].n;
        if n >= size {
            break;
        }
    }
    (n == size).then_some(batch)
}

/// The same where environments are promised a share: `shares` are their ids with the part of a batch, in the order in
/// which they registered.
pub(super) fn with_shares(queue: &[Item], size: usize, shares: &[(i64, f64)]) -> Option<Vec<usize>> {
    if shares.is_empty() {
        return exact(queue, size);
    }
    let packed = packed_by_environment(queue)?;
    let mut promised = promised(queue, size, shares, &packed)?;
    let total: usize = promised.iter().map(|(_, n)| n).sum();
    if total > size {
        let scale = size as f64 / total as f64;
        for (environment, n) in &mut promised {
            let smallest = packed[environment].iter().map(|place| queue[*place].n).min().unwrap_or(0);
            *n = smallest.max((*n as f64 * scale) as usize);
        }
    }
    let mut batch = Vec::new();
    let mut n = 0;
    for (environment, share) in promised {
        let mut taken = 0;
        for place in &packed[&environment] {
            if taken >= share {
                break;
            }
            if n + queue[*place].n <= size {
                batch.push(*place);
                taken += queue[*place].n;
                n += queue[*place].n;
            }
        }
    }
    if n < size {
        let in_batch: BTreeSet<usize> = batch.iter().copied().collect();
        let rest: BTreeSet<usize> = packed.values().flatten().copied().collect();
        for place in rest.difference(&in_batch) {
            if n + queue[*place].n <= size {
                batch.push(*place);
                n += queue[*place].n;
            }
            if n == size {
                break;
            }
        }
    }
    (n == size).then_some(batch)
}

/// The places of each environment's groups that are in a full pack; none in an empty queue.
fn packed_by_environment(queue: &[Item]) -> Option<BTreeMap<i64, Vec<usize>>> {
    let largest = queue.iter().map(|item| item.n).max()?;
    let mut open: BTreeMap<(i64, usize), Vec<usize>> = BTreeMap::new();
    let mut packed: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    for (place, item) in queue.iter().enumerate() {
        let Some(environment) = item.environment else { continue };
        let all = packed.entry(environment).or_default();
        let pack = open.entry((environment, item.n)).or_default();
        pack.push(place);
        if pack.len() * item.n == largest {
            all.append(pack);
        }
    }
    Some(packed)
}

/// How many sequences each environment is promised; none where one of them has no pack to give.
fn promised(
    queue: &[Item],
    size: usize,
    shares: &[(i64, f64)],
    packed: &BTreeMap<i64, Vec<usize>>,
) -> Option<Vec<(i64, usize)>> {
    debug_assert!(!queue.is_empty(), "there are packs only where there are groups");
    let mut promised = Vec::new();
    for (environment, share) in shares {
        let n = (size as f64 * share) as usize;
        if n == 0 {
            continue;
        }
        packed.get(environment).filter(|packed| !packed.is_empty())?;
        promised.push((*environment, n));
    }
    Some(promised)
}

/// The places of groups whose sizes add up to `target`, the first ones first; none where there are no such.
pub(super) fn summing_to(sizes: &[usize], target: usize) -> Vec<usize> {
    let mut places = Vec::new();
    let mut sum = 0;
    for (place, size) in sizes.iter().enumerate() {
        if sum + size <= target {
            places.push(place);
            sum += size;
            if sum == target {
                return places;
            }
        }
    }
    if sum < target && sizes.iter().sum::<usize>() < target {
        return Vec::new();
    }
    // reach[i][j] says whether some of the first i groups have j sequences.
    let mut reach = vec![vec![false; target + 1]];
    reach[0][0] = true;
    for (i, size) in sizes.iter().enumerate() {
        let before = &reach[i];
        let row = (0..=target).map(|j| before[j] || (j >= *size && before[j - size])).collect();
        reach.push(row);
    }
    if !reach[sizes.len()][target] {
        return Vec::new();
    }
    places.clear();
    let mut left = target;
    for i in (1..=sizes.len()).rev() {
        let size = sizes[i - 1];
        if left >= size && reach[i - 1][left - size] {
            places.push(i - 1);
            left -= size;
        }
    }
    places.reverse();
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(items: &[(usize, i64)]) -> Vec<Item> {
        items.iter().map(|(n, environment)| Item { n: *n, environment: Some(*environment) }).collect()
    }

    #[test]
    fn batches_have_exactly_their_size() {
        for (sizes, size, batch) in [
            (&[4, 4, 4][..], 8, Some(vec![0, 1])),
            (&[4, 2, 4, 2], 8, Some(vec![0, 2])),
            (&[2, 4, 2, 4], 8, Some(vec![1, 0, 2])),
            (&[2, 4], 4, Some(vec![1])),
            (&[2, 4], 6, None),
            (&[4], 8, None),
            (&[8], 4, None),
            (&[], 4, None),
        ] {
            let items: Vec<(usize, i64)> = sizes.iter().map(|n| (*n, 0)).collect();
            assert_eq!(exact(&queue(&items), size), batch, "{sizes:?} {size}");
        }
    }

    #[test]
    fn promised_shares_come_first() {
        let waiting = queue(&[(2, 0), (2, 0), (2, 0), (2, 1), (2, 1)]);
        assert_eq!(with_shares(&waiting, 6, &[(1, 0.5)]), Some(vec![3, 4, 0]));
        assert_eq!(with_shares(&waiting, 6, &[(0, 0.5), (1, 0.9)]), Some(vec![0, 3, 4]));
        assert_eq!(with_shares(&waiting, 6, &[(2, 0.5)]), None);
        assert_eq!(with_shares(&waiting, 6, &[(2, 0.1)]), Some(vec![0, 1, 2]));
        assert_eq!(with_shares(&waiting, 6, &[]), Some(vec![0, 1, 2]));
    }

    #[test]
    fn odd_groups_are_put_together() {
        for (sizes, target, places) in [
            (&[1, 1, 2][..], 4, &[0, 1, 2][..]),
            (&[3, 2, 2], 4, &[1, 2]),
            (&[3, 3], 4, &[]),
            (&[1, 1], 4, &[]),
            (&[5], 4, &[]),
        ] {
            assert_eq!(summing_to(sizes, target), places, "{sizes:?}");
        }
    }
}
