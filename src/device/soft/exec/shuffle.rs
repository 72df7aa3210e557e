//! `shfl.sync`

use super::super::fault::Cause;
use super::{Body, Handler, Inst, Warp, handler};
use crate::device::soft::level::Level;
use crate::ptx::typed::ShuffleMode;

const UP: u8 = 0;
const DOWN: u8 = 1;
const BUTTERFLY: u8 = 2;
const INDEX: u8 = 3;

struct Shuffle<const MODE: u8>;

/// The lane that `lane` reads, and whether it is inside its segment.
#[inline(always)]
fn source<const MODE: u8>(lane: u32, b: u32, c: u32) -> (u32, bool) {
    let (b, clamp, segment) = (b & 31, c & 31, (c >> 8) & 31);
    let highest = (lane & segment) | (clamp & !segment);
    let lowest = lane & segment;
    match MODE {
        UP => (lane.wrapping_sub(b), lane as i32 - b as i32 >= highest as i32),
        DOWN => (lane + b, lane + b <= highest),
        BUTTERFLY => (lane ^ b, lane ^ b <= highest),
        _ => (lowest | (b & !segment), lowest | (b & !segment) <= highest),
    }
}

/// The lane that each lane reads; its own if the other is outside of its segment.
pub fn sources(mode: ShuffleMode, b: &[u32; 32], c: &[u32; 32]) -> [u32; 32] {
    match mode {
        ShuffleMode::Up => all_sources::<UP>(b, c),
        ShuffleMode::Down => all_sources::<DOWN>(b, c),
        ShuffleMode::Butterfly => all_sources::<BUTTERFLY>(b, c),
        ShuffleMode::Index => all_sources::<INDEX>(b, c),
    }
}

fn all_sources<const MODE: u8>(b: &[u32; 32], c: &[u32; 32]) -> [u32; 32] {
    std::array::from_fn(|lane| match source::<MODE>(lane as u32, b[lane], c[lane]) {
        (from, true) => from & 31,
        (_, false) => lane as u32,
    })
}

impl<const MODE: u8> Body for Shuffle<MODE> {
    /// `site` is the slot of the member mask, `imm` the predicate that takes "inside its segment".
    #[inline(always)]
    unsafe fn run<const L: u8>(ip: *const Inst, warp: &mut Warp) -> *const Inst {
        // SAFETY: operands of a decoded instruction lie in the warp's files.
        unsafe {
            let i = &*ip;
            if !warp.converged() {
                let members = *warp.slot::<u32>(i.site).add(warp.active.trailing_zeros() as usize);
                if let Some(next) = warp.gather(ip, members) {
                    return next;
                }
            }
            let mask = warp.mask(i);
            let a = warp.slot::<u32>(i.a).cast::<[u32; 32]>().read();
            let b = warp.slot::<u32>(i.b).cast::<[u32; 32]>().read();
            let c = warp.slot::<u32>(i.c).cast::<[u32; 32]>().read();
            let mut from = [0u32; 32];
            let mut inside = [0u32; 32];
            for lane in 0..32 {
                let (j, ok) = source::<MODE>(lane as u32, b[lane], c[lane]);
                from[lane] = if ok { j & 31 } else { lane as u32 };
                inside[lane] = u32::from(ok);
            }
            if mask != !0 {
                for lane in (0..32).filter(|lane| mask >> lane & 1 != 0) {
                    if mask >> from[lane] & 1 == 0 {
                        let cause = Cause::AbsentLane { source: from[lane] };
                        return warp.fail(warp.pc_of(ip), cause, Some(lane as u32));
                    }
                }
            }
            let out = permute::<L>(&a, &from);
            let d = warp.slot::<u32>(i.d);
            if mask == !0 {
                d.cast::<[u32; 32]>().write(out);
            } else {
                for lane in (0..32).filter(|lane| mask >> lane & 1 != 0) {
                    *d.add(lane) = out[lane];
                }
            }
            let predicate = i.imm as u16;
            if predicate != super::SINK_PREDICATE {
                let bits = inside.iter().enumerate().fold(0, |bits, (lane, ok)| bits | ok << lane);
                warp.set_pred(predicate, mask, bits);
            }
            ip.add(1)
        }
    }
}

/// `a[from[lane]]` for each lane; `from` is below 32.
///
/// # Safety
/// The CPU has level `L`.
#[inline(always)]
unsafe fn permute<const L: u8>(a: &[u32; 32], from: &[u32; 32]) -> [u32; 32] {
    #[cfg(target_arch = "x86_64")]
    if L == super::super::level::AVX512 {
        use std::arch::x86_64::*;
        let mut out = [0u32; 32];
        // SAFETY: the level has AVX-512 F; each array has 32 words.
        unsafe {
            let (low, high) =
                (_mm512_loadu_si512(a.as_ptr().cast()), _mm512_loadu_si512(a.as_ptr().add(16).cast()));
            for half in 0..2 {
                let index = _mm512_loadu_si512(from.as_ptr().add(16 * half).cast());
                let picked = _mm512_permutex2var_epi32(low, index, high);
                _mm512_storeu_si512(out.as_mut_ptr().add(16 * half).cast(), picked);
            }
        }
        return out;
    }
    std::array::from_fn(|lane| a[(from[lane] & 31) as usize])
}

pub fn shuffle(mode: ShuffleMode, level: Level) -> Handler {
    match mode {
        ShuffleMode::Up => handler::<Shuffle<UP>>(level),
        ShuffleMode::Down => handler::<Shuffle<DOWN>>(level),
        ShuffleMode::Butterfly => handler::<Shuffle<BUTTERFLY>>(level),
        ShuffleMode::Index => handler::<Shuffle<INDEX>>(level),
    }
}
