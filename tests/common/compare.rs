//! Comparison of f32 results with an f64 reference, under a tolerance that comes with the reference.

/// Half the distance from 1 to the next f32: the largest relative error of one rounding.
pub const ROUNDING: f64 = 1.0 / (1 << 24) as f64;

/// The same for bf16, which has 8 bits.
const BF16_ROUNDING: f64 = 1.0 / 256.0;

/// What one element should be, and how far from it a correct f32 result can be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    pub value: f64,
    pub allowed: f64,
}

impl Expected {
    /// A result that a kernel must give exactly.
    pub fn exact(value: f64) -> Expected {
        Expected { value, allowed: 0.0 }
    }

    /// A result with a relative error of at most `roundings` roundings.
    pub fn rounded(value: f64, roundings: f64) -> Expected {
        Expected { value, allowed: value.abs() * roundings * ROUNDING }
    }

    /// The same after a rounding to bf16.
    pub fn in_bf16(self) -> Expected {
        let Expected { value, allowed } = self;
        Expected { value, allowed: allowed + (value.abs() + allowed) * BF16_ROUNDING }
    }
}

/// A sum of products in f64 that keeps the error bound of the same sum in f32.
///
/// n additions in any order, each product rounded at most once on its own, err by at most
/// (n + 1) · 2⁻²⁴ · Σ|aᵢ bᵢ| to first order (Higham, *Accuracy and Stability of Numerical Algorithms*, 3.1).
#[derive(Debug, Clone, Copy, Default)]
pub struct Sum {
    value: f64,
    magnitude: f64,
    terms: usize,
}

impl Sum {
    /// Adds one term.
    pub fn add(&mut self, term: f64) {
        self.value += term;
        self.magnitude += term.abs();
        self.terms += 1;
    }

    /// Adds a · b.
    pub fn add_product(&mut self, a: f32, b: f32) {
        self.add(f64::from(a) * f64::from(b));
    }

    /// Adds the terms of another sum.
    pub fn append(&mut self, other: &Sum) {
        self.value += other.value;
        self.magnitude += other.magnitude;
        self.terms += other.terms;
    }

    pub fn value(&self) -> f64 {
        self.value
    }

    pub fn expected(&self) -> Expected {
        Expected { value: self.value, allowed: (self.terms + 1) as f64 * ROUNDING * self.magnitude }
    }

    /// The same where an addition may cut off instead of rounding, and so err twice as much: on tensor cores.
    pub fn truncated(&self) -> Expected {
        let Expected { value, allowed } = self.expected();
        Expected { value, allowed: 2.0 * allowed }
    }
}

/// Checks every element; the message shows the worst one, by its error against what is allowed.
#[track_caller]
pub fn assert_close(what: &str, shape: &[usize], got: &[f32], expected: &[Expected]) {
    assert_eq!(got.len(), expected.len(), "{what}: number of elements");
    assert_eq!(got.len(), shape.iter().product::<usize>(), "{what}: shape {shape:?}");
    let excess = |i: usize| {
        let error = (f64::from(got[i]) - expected[i].value).abs();
        // A NaN is worse than any number.
        if error.is_nan() { f64::INFINITY } else { error - expected[i].allowed }
    };
    let wrong = (0..got.len()).filter(|&i| excess(i) > 0.0).count();
    if wrong == 0 {
        return;
    }
    let worst = (0..got.len()).max_by(|&a, &b| excess(a).total_cmp(&excess(b))).expect("an element is wrong");
    let Expected { value, allowed } = expected[worst];
    panic!(
        "{what}: {wrong} of {} elements are wrong; the worst is at {:?} of {shape:?}: {} instead of {value:.9}, \
         off by {:.3e} where {allowed:.3e} is allowed",
        got.len(),
        index(shape, worst),
        got[worst],
        (f64::from(got[worst]) - value).abs(),
    );
}

/// Checks that two results have the same bits.
#[track_caller]
pub fn assert_same_bits(what: &str, shape: &[usize], got: &[f32], want: &[f32]) {
    assert_eq!(got.len(), want.len(), "{what}: number of elements");
    if let Some(i) = (0..got.len()).find(|&i| got[i].to_bits() != want[i].to_bits()) {
        panic!("{what}: {:?} of {shape:?} is {} here and {} there", index(shape, i), got[i], want[i]);
    }
}

/// The index of element `flat` in each dimension.
fn index(shape: &[usize], flat: usize) -> Vec<usize> {
    let mut rest = flat;
    let mut index = vec![0; shape.len()];
    for (at, &extent) in index.iter_mut().zip(shape).rev() {
        *at = rest % extent;
        rest /= extent;
    }
    index
}
