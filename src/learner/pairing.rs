//! Pairs out of graded groups: which completion is preferred to which.

/// A completion of a group, as its judge saw it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Graded {
    /// How long it is, in tokens.
    pub n_tokens: usize,
    /// Its reward; `None` where it could not be judged, which is no verdict and makes no pair.
    pub reward: Option<f64>,
    /// Whether it is right.
    pub is_right: Option<bool>,
}

/// Indices of a group's completions: which is preferred, and to which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preferred {
    /// The better one.
    pub chosen: usize,
    /// The worse one.
    pub rejected: usize,
}

/// A right answer this many times as long as the shortest right one is rejected too.
const MUCH_LONGER: f64 = 1.5;

/// Index, reward and tokens of a completion that was judged.
type Judged = (usize, f64, usize);

/// The best against the worst by reward (iterated DPO); of equals the shorter best and the longer worst, then the
/// earlier. `None` where no two rewards differ.
pub fn best_against_worst(group: &[Graded]) -> Option<Preferred> {
    let judged: Vec<Judged> = group
        .iter()
        .enumerate()
        .filter_map(|(i, graded)| Some((i, graded.reward.filter(|r| r.is_finite())?, graded.n_tokens)))
        .collect();
    let better = |a: &&Judged, b: &&Judged| {
        // `min_by` and `max_by` differ in which of equals they take, so nothing may be left equal.
        b.1.total_cmp(&a.1).then(a.2.cmp(&b.2))
    };
    let chosen = judged.iter().min_by(|a, b| better(a, b).then(a.0.cmp(&b.0)))?;
    let rejected = judged.iter().max_by(|a, b| better(a, b).then(b.0.cmp(&a.0)))?;
    (chosen.1 > rejected.1).then_some(Preferred { chosen: chosen.0, rejected: rejected.0 })
}

/// Long to short (Kimi k1.5, arXiv:2501.12599, section 2.4): the shortest right answer against every longer wrong one
/// and every right one of more than 1.5 times its length.
pub fn long_to_short(group: &[Graded]) -> Vec<Preferred> {
    let right = group.iter().enumerate().filter(|(_, graded)| graded.is_right == Some(true));
    let Some((chosen, shortest)) = right.min_by_key(|(i, graded)| (graded.n_tokens, *i)) else {
        return Vec::new();
    };
    let rejected = group.iter().enumerate().filter(|(_, graded)| match graded.is_right {
        Some(true) => graded.n_tokens as f64 > MUCH_LONGER * shortest.n_tokens as f64,
        Some(false) => graded.n_tokens > shortest.n_tokens,
        None => false,
    });
    rejected.map(|(rejected, _)| Preferred { chosen, rejected }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graded(n_tokens: usize, reward: Option<f64>) -> Graded {
        Graded { n_tokens, reward, is_right: reward.map(|reward| reward > 0.5) }
    }

    #[test]
    fn the_best_stands_against_the_worst() {
        let group = |rewards: &[Option<f64>]| rewards.iter().map(|r| graded(5, *r)).collect::<Vec<_>>();
        type Row = (&'static [Option<f64>], Option<(usize, usize)>);
        let rows: [Row; 6] = [
            (&[Some(0.0), Some(1.0), Some(0.5)], Some((1, 0))),
            (&[Some(1.0), Some(1.0), None], None),
            (&[None, None], None),
            (&[Some(f64::NAN), Some(1.0), Some(0.0)], Some((1, 2))),
            (&[], None),
            (&[Some(1.0), Some(0.0), Some(1.0), Some(0.0)], Some((0, 1))),
        ];
        for (rewards, expected) in rows {
            let found = best_against_worst(&group(rewards)).map(|p| (p.chosen, p.rejected));
            assert_eq!(found, expected, "{rewards:?}");
        }
        let lengths =
            [graded(9, Some(1.0)), graded(3, Some(1.0)), graded(4, Some(0.0)), graded(8, Some(0.0))];
        assert_eq!(best_against_worst(&lengths), Some(Preferred { chosen: 1, rejected: 3 }));
    }

    #[test]
    fn the_shortest_right_one_stands_against_what_is_longer() {
        let group = [
            graded(10, Some(1.0)),
            graded(15, Some(1.0)),
            graded(16, Some(1.0)),
            graded(9, Some(0.0)),
            graded(11, Some(0.0)),
            graded(99, None),
        ];
        let rejected: Vec<usize> = long_to_short(&group).iter().map(|pair| pair.rejected).collect();
        assert_eq!(rejected, [2, 4]);
        assert!(long_to_short(&group).iter().all(|pair| pair.chosen == 0));
        assert!(long_to_short(&group[3..]).is_empty(), "none is right");
    }
}
