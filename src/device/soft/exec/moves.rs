//! Copies of registers, whole and in parts, predicates, selections and clocks.

use super::lanes::{map1, map2, map3};
use super::{Body, Handler, Inst, Warp, handler};
use crate::device::soft::level::Level;
use crate::ptx::typed::Logic;

/// A copy of 2, 4 or 8 bytes.
pub fn copy(bytes: u32, level: Level) -> Handler {
    match bytes {
        8 => map1(level, |a: u64| a),
        _ => map1(level, |a: u32| a),
    }
}

/// One 32-bit part of a 64-bit register: 0 is the low one.
pub fn part64(part: usize, level: Level) -> Handler {
    match part {
        0 => map1(level, |a: u64| a as u32),
        _ => map1(level, |a: u64| (a >> 32) as u32),
    }
}

/// One 16-bit part of a 32-bit register.
pub fn part32(part: usize, level: Level) -> Handler {
    match part {
        0 => map1(level, |a: u32| a & 0xFFFF),
        _ => map1(level, |a: u32| a >> 16),
    }
}

/// One 16-bit part of a 64-bit register.
pub fn part16_of_64(part: usize, level: Level) -> Handler {
    match part {
        0 => map1(level, |a: u64| a as u32 & 0xFFFF),
        1 => map1(level, |a: u64| (a >> 16) as u32 & 0xFFFF),
        2 => map1(level, |a: u64| (a >> 32) as u32 & 0xFFFF),
        _ => map1(level, |a: u64| (a >> 48) as u32),
    }
}

/// Two 32-bit halves to 64 bits.
pub fn join64(level: Level) -> Handler {
    map2(level, |low: u32, high: u32| u64::from(low) | u64::from(high) << 32)
}

/// Two 16-bit halves to 32 bits.
pub fn join32(level: Level) -> Handler {
    map2(level, |low: u32, high: u32| (low & 0xFFFF) | high << 16)
}

/// `slct`
pub fn select_sign(bytes: u32, float: bool, level: Level) -> Handler {
    match (bytes, float) {
        (8, false) => map3(level, |a: u64, b: u64, c: i32| if c >= 0 { a } else { b }),
        (8, true) => map3(level, |a: u64, b: u64, c: f32| if c >= 0.0 { a } else { b }),
        (_, false) => map3(level, |a: u32, b: u32, c: i32| if c >= 0 { a } else { b }),
        (_, true) => map3(level, |a: u32, b: u32, c: f32| if c >= 0.0 { a } else { b }),
    }
}

struct Select<T>(std::marker::PhantomData<T>);

impl<T: super::lanes::Lane> Body for Select<T> {
    /// `c` is the predicate.
    #[inline(always)]
    unsafe fn run<const L: u8>(ip: *const Inst, warp: &mut Warp) -> *const Inst {
        // SAFETY: operands of a decoded instruction lie in the warp's files.
        unsafe {
            let i = &*ip;
            let (mask, chosen) = (warp.mask(i), warp.pred(i.c));
            let (d, a, b) = (warp.slot::<T>(i.d), warp.slot::<T>(i.a), warp.slot::<T>(i.b));
            for half in 0..2 {
                let x = a.add(16 * half).cast::<[T; 16]>().read();
                let y = b.add(16 * half).cast::<[T; 16]>().read();
                let out = super::lanes::blend::<_, L>(chosen >> (16 * half), &x, &y);
                super::lanes::write_half::<_, L>(d.add(16 * half), mask >> (16 * half), mask == !0, out);
            }
            ip.add(1)
        }
    }
}

/// `selp`
pub fn select(bytes: u32, level: Level) -> Handler {
    match bytes {
        8 => handler::<Select<u64>>(level),
        _ => handler::<Select<u32>>(level),
    }
}

/// `d = a` for predicates; either source may be negated.
pub unsafe fn copy_pred(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: operands of a decoded instruction lie in the warp's files.
    unsafe {
        let i = &*ip;
        warp.set_pred(i.d, warp.mask(i), warp.pred(i.a));
        ip.add(1)
    }
}

unsafe fn and_pred(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: operands of a decoded instruction lie in the warp's files.
    unsafe {
        let i = &*ip;
        warp.set_pred(i.d, warp.mask(i), warp.pred(i.a) & warp.pred(i.b));
        ip.add(1)
    }
}

unsafe fn or_pred(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: operands of a decoded instruction lie in the warp's files.
    unsafe {
        let i = &*ip;
        warp.set_pred(i.d, warp.mask(i), warp.pred(i.a) | warp.pred(i.b));
        ip.add(1)
    }
}

unsafe fn xor_pred(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    // SAFETY: operands of a decoded instruction lie in the warp's files.
    unsafe {
        let i = &*ip;
        warp.set_pred(i.d, warp.mask(i), warp.pred(i.a) ^ warp.pred(i.b));
        ip.add(1)
    }
}

pub fn pred_logic(logic: Logic) -> Handler {
    match logic {
        Logic::And => and_pred,
        Logic::Or => or_pred,
        Logic::Xor => xor_pred,
    }
}

/// A clock register, in nanoseconds since the launch began: `imm` 0 the low 32 bits, 1 the high ones, 2 all.
pub unsafe fn clock(ip: *const Inst, warp: &mut Warp) -> *const Inst {
    let now = warp.block.started.elapsed().as_nanos() as u64;
    // SAFETY: operands of a decoded instruction lie in the warp's files.
    unsafe {
        let i = &*ip;
        let mask = warp.mask(i);
        for lane in (0..32).filter(|lane| mask >> lane & 1 != 0) {
            match i.imm {
                0 => *warp.slot::<u32>(i.d).add(lane) = now as u32,
                1 => *warp.slot::<u32>(i.d).add(lane) = (now >> 32) as u32,
                _ => *warp.slot::<u64>(i.d).add(lane) = now,
            }
        }
        ip.add(1)
    }
}
