//! Random numbers that are a function of a seed and a position, without a state.

/// The number of the Philox-4x32-10 counter generator (Salmon, Moraes, Dror and Shaw 2011, "Parallel random
/// numbers: as easy as 1, 2, 3", section 3.3) for this seed at this position, uniform in `[0, 1)` in steps of 2⁻⁵³.
///
/// A sequence draws the number of its own seed at the position of each of its own tokens, so what it samples does
/// not depend on what is sampled beside it.
pub fn uniform(seed: u64, position: u64) -> f64 {
    let bits = philox([position as u32, (position >> 32) as u32, 0, 0], [seed as u32, (seed >> 32) as u32]);
    let high = (u64::from(bits[0]) << 32 | u64::from(bits[1])) >> 11;
    high as f64 * (1.0 / 9_007_199_254_740_992.0)
}

/// Ten rounds.
fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let left = u64::from(counter[0]) * 0xD251_1F53;
        let right = u64::from(counter[2]) * 0xCD9E_8D57;
        counter = [
            (right >> 32) as u32 ^ counter[1] ^ key[0],
            right as u32,
            (left >> 32) as u32 ^ counter[3] ^ key[1],
            left as u32,
        ];
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    counter
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_answers_of_the_authors() {
        // `kat_vectors` of their Random123 library.
        let rows = [
            ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            ([u32::MAX; 4], [u32::MAX; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ];
        for (counter, key, expected) in rows {
            assert_eq!(philox(counter, key), expected);
        }
    }

    #[test]
    fn the_numbers_fill_the_unit_interval_evenly() {
        let n = 200_000;
        let mut bins = [0_u32; 20];
        for i in 0..n {
            let number = uniform(i % 7, i / 7);
            assert!((0.0..1.0).contains(&number));
            bins[(number * 20.0) as usize] += 1;
        }
        let expected = n as f64 / 20.0;
        let chi: f64 = bins.iter().map(|bin| (f64::from(*bin) - expected).powi(2) / expected).sum();
        assert!(chi < 43.8, "chi-square of 19 degrees is {chi}; one in a thousand is above 43.8");
    }
}
