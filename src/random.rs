//! Random numbers that depend on what they are for, never on who computes them.
//!
//! Every random number is a pure function of (seed, stream, sample, step, element), by the counter-based
//! generator Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011).
//! Kernels use the same words through `kernels/prelude/philox.ptx`, so image 17 is the same image in any
//! batch, on any device and after any resume. The convention:
//!
//! | word      | meaning                                                                                 |
//! |-----------|-----------------------------------------------------------------------------------------|
//! | key 0, 1  | low and high half of the 64-bit seed                                                    |
//! | counter 0 | element quad: element index within the sample, in NHWC order, divided by 4               |
//! | counter 1 | step: of training (low 32 bits), or the timestep of a sampling step                      |
//! | counter 2 | sample: place in the training batch, or number of the image that is sampled              |
//! | counter 3 | [`Stream`]: what the number is for                                                       |
//!
//! Elements `4 quad .. 4 quad + 4` take the four output words in order: a uniform takes one word, normals
//! take words by pairs ([`normal_pair`]).

/// What a random number is for: counter word 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stream(pub u32);

impl Stream {
    /// Draws of one training image: word 0 chooses the timestep ([`below`]), the top bit of word 1 flips.
    pub const IMAGE: Stream = Stream(0);
    /// The noise eps of the forward process in training.
    pub const NOISE: Stream = Stream(1);
    /// The initial latent x_T of a sampled image; its step word is 0.
    pub const LATENT: Stream = Stream(2);
    /// The noise z of a reverse step; its step word is the timestep that the step leaves.
    pub const REVERSE: Stream = Stream(3);
    /// Initial weights; the sample word numbers the tensor.
    pub const WEIGHTS: Stream = Stream(4);
    /// The order of the training images ([`Permutation`]).
    pub const SHUFFLE: Stream = Stream(5);
    /// Data that is made rather than read.
    pub const DATA: Stream = Stream(6);
    /// Which images of a training step are shown without their class.
    pub const LABEL: Stream = Stream(16);

    /// The noise eps of an image that is evaluated; the step word is the timestep, the sample word the image's number.
    pub const EVALUATION: Stream = Stream(0x20);
    /// Which timestep stands for its neighbours in an evaluation; the step word is the first of them.
    pub const STRATUM: Stream = Stream(0x21);
    /// The steps of progressive coding; the step word is the timestep that is sent.
    pub const CODE: Stream = Stream(0x22);

    /// The noise eps of an image that is encoded for an interpolation; the step word is the timestep, the sample word 0 or 1.
    pub const ENCODE: Stream = Stream(0x23);

    /// Dropout masks of one layer; layers are numbered from 0 in the order in which the network applies them.
    pub const fn dropout(layer: u32) -> Stream {
        Stream(0x100 + layer)
    }
}

/// Philox4x32-10 under one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Philox {
    key: [u32; 2],
}

const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
const ROUNDS: usize = 10;

impl Philox {
    pub const fn new(seed: u64) -> Philox {
        Philox { key: [seed as u32, (seed >> 32) as u32] }
    }

    /// The four words for a counter.
    pub fn block(self, counter: [u32; 4]) -> [u32; 4] {
        let [mut k0, mut k1] = self.key;
        let mut c = counter;
        for _ in 0..ROUNDS {
            let p0 = u64::from(MULTIPLIERS[0]) * u64::from(c[0]);
            let p1 = u64::from(MULTIPLIERS[1]) * u64::from(c[2]);
            c = [(p1 >> 32) as u32 ^ c[1] ^ k0, p1 as u32, (p0 >> 32) as u32 ^ c[3] ^ k1, p0 as u32];
            k0 = k0.wrapping_add(WEYL[0]);
            k1 = k1.wrapping_add(WEYL[1]);
        }
        c
    }

    /// The four words for an element quad of a sample at a step, by the convention of this module.
    pub fn words(self, stream: Stream, sample: u32, step: u32, quad: u32) -> [u32; 4] {
        self.block([quad, step, sample, stream.0])
    }

    /// Standard normals for elements 0, 1, … of a sample at a step.
    pub fn normals(self, stream: Stream, sample: u32, step: u32) -> impl Iterator<Item = f32> {
        (0..=u32::MAX).flat_map(move |quad| {
            let [w0, w1, w2, w3] = self.words(stream, sample, step, quad);
            let ([z0, z1], [z2, z3]) = (normal_pair(w0, w1), normal_pair(w2, w3));
            [z0, z1, z2, z3]
        })
    }

    /// Uniforms in [0, 1) for elements 0, 1, … of a sample at a step.
    pub fn uniforms(self, stream: Stream, sample: u32, step: u32) -> impl Iterator<Item = f32> {
        (0..=u32::MAX).flat_map(move |quad| self.words(stream, sample, step, quad).map(uniform))
    }
}

/// A uniform in [0, 1): a multiple of 2^-24, exact in f32.
pub fn uniform(word: u32) -> f32 {
    (word >> 8) as f32 * 2f32.powi(-24)
}

/// A uniform in (0, 1]: `(word + 1/2) / 2^32` rounded to f32; never below 2^-33.
pub fn uniform_above_zero(word: u32) -> f32 {
    (word as f32).mul_add(2f32.powi(-32), 2f32.powi(-33))
}

/// An integer in `0..bound`: the high half of `word * bound`. Its bias is below `bound / 2^32`.
pub fn below(word: u32, bound: u32) -> u32 {
    ((u64::from(word) * u64::from(bound)) >> 32) as u32
}

/// Two independent standard normals from two words, by Box and Muller:
/// `r = sqrt(-2 ln u)`, `(r cos a, r sin a)` with `u` in (0, 1] and the angle `a` in [-pi, pi].
///
/// `u` and `a` have the very bits that kernels use; from there kernels compute in f32 with approximate lg2,
/// sqrt, sin and cos, which moves a normal by at most about 5e-6 (6e-4 where r is almost 0), and this
/// function in f64.
pub fn normal_pair(word0: u32, word1: u32) -> [f32; 2] {
    let u = f64::from(uniform_above_zero(word0));
    let angle = f64::from(word1 as i32 as f32 * (std::f32::consts::PI * 2f32.powi(-31)));
    let radius = (-2.0 * u.ln()).sqrt();
    [(radius * angle.cos()) as f32, (radius * angle.sin()) as f32]
}

/// A pseudo-random order of `0..len`, computed place by place: no table to build, shuffle or save.
///
/// A Feistel network permutes the smallest set of 2^(2h) numbers that holds `0..len`; numbers that fall
/// outside are sent through again until they fall inside (cycle walking), on average fewer than four times.
/// The round function is Philox of (half, epoch, round, [`Stream::SHUFFLE`]).
#[derive(Debug, Clone, Copy)]
pub struct Permutation {
    len: u64,
    /// Bits of one half.
    half: u32,
    philox: Philox,
    epoch: u32,
}

const FEISTEL_ROUNDS: u32 = 8;

impl Permutation {
    /// The order of epoch `epoch` (its low 32 bits count) under `seed`.
    ///
    /// # Panics
    /// If `len` is 0 or above 2^62.
    pub fn new(len: u64, seed: u64, epoch: u64) -> Permutation {
        assert!((1..=1 << 62).contains(&len), "a permutation of {len} elements");
        let bits = u64::BITS - (len - 1).leading_zeros();
        Permutation { len, half: bits.div_ceil(2).max(1), philox: Philox::new(seed), epoch: epoch as u32 }
    }

    /// The number at place `place` of the order.
    ///
    /// # Panics
    /// If `place` is not below the length.
    pub fn index(&self, place: u64) -> u64 {
        assert!(place < self.len, "place {place} of a permutation of {} elements", self.len);
        let mut number = self.encipher(place);
        while number >= self.len {
            number = self.encipher(number);
        }
        number
    }

    fn encipher(&self, number: u64) -> u64 {
        let mask = (1u64 << self.half) - 1;
        let (mut left, mut right) = (number >> self.half, number & mask);
        for round in 0..FEISTEL_ROUNDS {
            let [word, ..] = self.philox.words(Stream::SHUFFLE, round, self.epoch, right as u32);
            (left, right) = (right, left ^ (u64::from(word) & mask));
        }
        (left << self.half) | right
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers of Random123.
    #[test]
    fn philox_known_answers() {
        let zero = Philox::new(0).block([0; 4]);
        assert_eq!(zero, [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        let ones = Philox::new(u64::MAX).block([u32::MAX; 4]);
        assert_eq!(ones, [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        let pi =
            Philox::new(0x299f_31d0_a409_3822).block([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344]);
        assert_eq!(pi, [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]);
    }

    #[test]
    fn uniforms_stay_in_their_intervals() {
        assert_eq!((uniform(0), uniform(u32::MAX)), (0.0, 1.0 - 2f32.powi(-24)));
        assert_eq!((uniform_above_zero(0), uniform_above_zero(u32::MAX)), (2f32.powi(-33), 1.0));
        assert_eq!((below(0, 1000), below(u32::MAX, 1000)), (0, 999));
    }

    #[test]
    fn extreme_words_give_finite_normals() {
        for word0 in [0, 1, u32::MAX] {
            for word1 in [0, 1, 1 << 31, u32::MAX] {
                let pair = normal_pair(word0, word1);
                assert!(pair.iter().all(|z| z.abs() < 6.8), "{word0:#x} {word1:#x} {pair:?}");
            }
        }
    }

    /// Every order is a permutation, and orders differ by epoch and seed.
    #[test]
    fn permutations_are_bijective() {
        for len in [1, 2, 3, 4, 5, 7, 16, 17, 255, 1000, 4097] {
            let order = |seed, epoch| -> Vec<u64> {
                let permutation = Permutation::new(len, seed, epoch);
                (0..len).map(|place| permutation.index(place)).collect()
            };
            let first = order(7, 0);
            let mut sorted = first.clone();
            sorted.sort_unstable();
            assert!(sorted.iter().copied().eq(0..len), "length {len}");
            assert_eq!(first, order(7, 0));
            if len > 16 {
                assert_ne!(first, order(7, 1));
                assert_ne!(first, order(8, 0));
            }
        }
    }

    /// Over many epochs each image comes first equally often (chi-square of 15 degrees: 99.99% below 44.3).
    #[test]
    fn permutations_are_fair() {
        let (len, epochs) = (16u64, 4000u64);
        let mut counts = [0f64; 16];
        for epoch in 0..epochs {
            counts[Permutation::new(len, 3, epoch).index(0) as usize] += 1.0;
        }
        let expected = epochs as f64 / len as f64;
        let chi_square: f64 = counts.iter().map(|count| (count - expected).powi(2) / expected).sum();
        assert!(chi_square < 44.3, "chi-square {chi_square}");
    }
}
