//! Operands whose values matter: divisors, angles, operands of tf32 products.

use super::checker::Checker;
use super::collect::Found;
use super::finding::Kind;
use super::registers::valid;
use super::transfer::lanes_where;
use super::watched::Watched;
use crate::device::soft::exec::Warp;
use crate::device::soft::exec::access::read_place;
use crate::ptx::typed::{FloatUnary, Int, IntBinary, Op, Scalar};

/// `sin.approx` and `cos.approx` promise an accuracy up to 100 π.
const LARGEST_ANGLE: f32 = 100.0 * std::f32::consts::PI;
/// Bits of an f32 that tf32 does not have.
const BELOW_TF32: u32 = 0x1FFF;

impl Checker {
    /// Looks at what lanes are about to compute with; the result are the lanes that cannot.
    ///
    /// # Safety
    /// `watched` belongs to the warp's code.
    pub unsafe fn values(&mut self, warp: &Warp, watched: &Watched, lanes: u32) -> u32 {
        if watched.values.is_empty() || lanes == 0 {
            return 0;
        }
        // SAFETY: the caller's contract.
        unsafe {
            match &watched.op {
                // What is not valid is another mistake, or none.
                Op::IntBinary(IntBinary::Div | IntBinary::Rem, int) => {
                    self.divisor(warp, watched, *int, lanes & valid(warp, watched.reads[1]))
                }
                Op::FloatUnary(FloatUnary::Sin | FloatUnary::Cos, ..) => {
                    self.angle(warp, watched, lanes & valid(warp, watched.reads[0]))
                }
                Op::Mma(shape) if shape.operand == Scalar::Tf32 => self.factors(warp, watched),
                _ => 0,
            }
        }
    }

    unsafe fn divisor(&mut self, warp: &Warp, watched: &Watched, int: Int, lanes: u32) -> u32 {
        let keep = u64::MAX >> (64 - int.bits);
        // SAFETY: the caller's contract.
        let zero = |lane: usize| unsafe { read_place(warp, watched.values[0], lane) & keep == 0 };
        let wrong = lanes & lanes_where(zero);
        if wrong != 0 {
            let (kind, line) = (Kind::DivisionByZero, watched.line);
            let who = self.who(warp, wrong.trailing_zeros());
            self.findings.add(kind, line, 0, || Found {
                message: "integer division by zero".to_string(),
                ..Found::new(kind, line, who)
            });
        }
        wrong
    }

    unsafe fn angle(&mut self, warp: &Warp, watched: &Watched, lanes: u32) -> u32 {
        let angle = |lane: usize| {
            // SAFETY: the caller's contract.
            f32::from_bits(unsafe { read_place(warp, watched.values[0], lane) } as u32)
        };
        let wrong = lanes & lanes_where(|lane| angle(lane).abs() > LARGEST_ANGLE);
        if wrong != 0 {
            let (kind, line) = (Kind::ApproximationRange, watched.line);
            let lane = wrong.trailing_zeros();
            let who = self.who(warp, lane);
            self.findings.add(kind, line, 0, || Found {
                message: format!(
                    "an approximate sine or cosine of {} has no accuracy to speak of: beyond 100 π",
                    angle(lane as usize)
                ),
                ..Found::new(kind, line, who)
            });
        }
        0
    }

    unsafe fn factors(&mut self, warp: &Warp, watched: &Watched) -> u32 {
        for (place, read) in watched.values.iter().zip(&watched.reads) {
            // SAFETY: the caller's contract.
            let known = unsafe { valid(warp, *read) };
            // SAFETY: as above.
            let word = |lane: usize| unsafe { read_place(warp, *place, lane) as u32 };
            let wrong = known & lanes_where(|lane| word(lane) & BELOW_TF32 != 0);
            if wrong == 0 {
                continue;
            }
            let (kind, line) = (Kind::Tf32Bits, watched.line);
            let lane = wrong.trailing_zeros();
            let who = self.who(warp, lane);
            self.findings.add(kind, line, 0, || Found {
                message: format!(
                    "operand {:#010x} has bits that a tf32 product drops (cvt.rna.tf32.f32 rounds them)",
                    word(lane as usize)
                ),
                ..Found::new(kind, line, who)
            });
        }
        0
    }

    /// What is questionable about an instruction whatever it computes.
    pub fn remark(&mut self, warp: &Warp, watched: &Watched, lanes: u32) {
        let Some(remark) = watched.remark.as_ref().filter(|_| lanes != 0) else { return };
        let (line, who) = (watched.line, self.who(warp, lanes.trailing_zeros()));
        self.findings.add(remark.kind, line, 0, || Found {
            message: remark.message.clone(),
            other: remark.other.clone().map(|(line, what)| super::collect::Elsewhere { line, who, what }),
            ..Found::new(remark.kind, line, who)
        });
    }
}
