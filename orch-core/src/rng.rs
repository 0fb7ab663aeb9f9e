//! Random numbers from a seed: written out, so that a seed means the same numbers on every platform
//! and with every release of any dependency.

/// Random numbers from a seed, the same on every platform and in every release.
///
/// # Source
/// xoshiro256++ by Blackman and Vigna (2019), seeded through SplitMix64 as they advise. Not for
/// secrets.
#[derive(Debug, Clone)]
pub struct Rng {
    state: [u64; 4],
}

impl Rng {
    /// The generator of a seed; `stream` tells independent uses of one seed apart.
    pub fn new(seed: u64, stream: u64) -> Self {
        // The stream goes through the mixer before it meets the seed: (1, 0) and (0, 1) must not
        // give the same numbers.
        let mut mixer = split_mix(&mut { stream ^ 0x6f72_6368 }) ^ seed;
        Self {
            state: std::array::from_fn(|_| split_mix(&mut mixer)),
        }
    }

    /// The next 64 random bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        let s = &mut self.state;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// A number in `0..bound`, each equally likely (Lemire 2019); `bound` must not be 0.
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        let mut product = u128::from(self.next_u64()) * u128::from(bound);
        if (product as u64) < bound {
            let threshold = bound.wrapping_neg() % bound;
            while (product as u64) < threshold {
                product = u128::from(self.next_u64()) * u128::from(bound);
            }
        }
        (product >> 64) as u64
    }

    /// A number from 0 up to 1, one of 2^53 that are equally far apart.
    pub fn next_f64(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Orders the items at random (Fisher and Yates, from the end).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i as u64 + 1) as usize);
        }
    }
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Vigna's own `xoshiro256plusplus.c`, from the state 1, 2, 3, 4.
    #[test]
    fn the_generator_gives_the_numbers_of_the_reference_implementation() {
        let mut rng = Rng {
            state: [1, 2, 3, 4],
        };
        let first: Vec<u64> = (0..4).map(|_| rng.next_u64()).collect();
        assert_eq!(
            first,
            [41943041, 58720359, 3588806011781223, 3591011842654386]
        );
    }

    #[test]
    fn streams_of_one_seed_differ() {
        assert_ne!(Rng::new(0, 1).next_u64(), Rng::new(1, 0).next_u64());
        assert_ne!(Rng::new(7, 0).next_u64(), Rng::new(7, 1).next_u64());
    }

    #[test]
    fn every_number_below_the_bound_comes_up_equally_often() {
        let mut rng = Rng::new(1, 0);
        let mut counts = [0u32; 6];
        for _ in 0..60_000 {
            counts[rng.below(6) as usize] += 1;
        }
        // Six standard deviations of a binomial count are 548.
        assert!(
            counts.iter().all(|count| count.abs_diff(10_000) < 548),
            "{counts:?}"
        );
    }
}
