//! Exact arithmetic on f64 numbers, with integers of as many bits as it takes.

use crate::rounding::Rounding;
use std::cmp::Ordering;

/// Enough for every product of two finite f64, in units of the smallest: 2^-2148 to 2^2048.
const WORDS: usize = 70;

/// A number in units of 2^-2148.
#[derive(Clone, PartialEq, Eq)]
struct Big([u64; WORDS]);

impl Big {
    const ZERO: Big = Big([0; WORDS]);

    /// Adds `value * 2^shift`.
    fn add_shifted(&mut self, value: u128, shift: usize) {
        let (first, bits) = (shift / 64, shift % 64);
        let low = value << bits;
        let high = if bits == 0 { 0 } else { (value >> (128 - bits)) as u64 };
        let parts = [low as u64, (low >> 64) as u64, high];
        let mut carry = 0u128;
        for (at, word) in self.0[first..].iter_mut().enumerate() {
            let sum = u128::from(*word) + u128::from(parts.get(at).copied().unwrap_or(0)) + carry;
            *word = sum as u64;
            carry = sum >> 64;
        }
    }
}

/// Sign, mantissa and the power of two of a finite number, counted from the smallest.
fn parts(x: f64) -> (bool, u128, usize) {
    assert!(x.is_finite());
    let bits = x.to_bits();
    let (exponent, fraction) = ((bits >> 52 & 0x7FF) as usize, u128::from(bits & ((1 << 52) - 1)));
    match exponent {
        0 => (x.is_sign_negative(), fraction, 0),
        _ => (x.is_sign_negative(), fraction | 1 << 52, exponent - 1),
    }
}

/// The sign of a sum of products, computed without any rounding.
pub fn sign_of_sum(products: &[[f64; 2]]) -> Ordering {
    let (mut positive, mut negative) = (Big::ZERO, Big::ZERO);
    for [x, y] in products {
        let ((x_negative, x, x_power), (y_negative, y, y_power)) = (parts(*x), parts(*y));
        let to = if x_negative == y_negative { &mut positive } else { &mut negative };
        to.add_shifted(x * y, x_power + y_power);
    }
    positive.0.iter().rev().cmp(negative.0.iter().rev())
}

/// Whether `result` is the number that `rounding` makes of an exact value which is not zero; `compare` says how
/// a finite number compares to that value.
pub fn is_rounded(result: f64, rounding: Rounding, compare: impl Fn(f64) -> Ordering) -> bool {
    let compare = |x: f64| match x {
        f64::INFINITY => Ordering::Greater,
        f64::NEG_INFINITY => Ordering::Less,
        x => compare(x),
    };
    let below = compare(result) != Ordering::Greater && compare(result.next_up()) == Ordering::Greater;
    let above = compare(result) != Ordering::Less && compare(result.next_down()) == Ordering::Less;
    match rounding {
        Rounding::Down => below,
        Rounding::Up => above,
        // The exact value has the sign by which it compares to zero.
        Rounding::Zero if compare(0.0) == Ordering::Less => below && result.is_sign_positive(),
        Rounding::Zero => above && result.is_sign_negative(),
        Rounding::Nearest => below || above,
    }
}

#[test]
fn sums_that_cancel_leave_their_sign() {
    let tiny = f64::from_bits(1);
    assert_eq!(sign_of_sum(&[[1.0, 1.0], [-1.0, 1.0]]), Ordering::Equal);
    assert_eq!(sign_of_sum(&[[f64::MAX, f64::MAX], [-f64::MAX, f64::MAX], [tiny, tiny]]), Ordering::Greater);
    assert_eq!(sign_of_sum(&[[1e300, 1e300], [-1e300, 1e300], [-tiny, 1.0]]), Ordering::Less);
    assert!(is_rounded(0.1 + 0.2, Rounding::Up, |x| sign_of_sum(&[[x, 1.0], [-0.1, 1.0], [-0.2, 1.0]])));
}
