//! Costs of address patterns that were seen before.

use crate::device::soft::exec::lanes::Lane;

const LANES: usize = 32;
/// Patterns that are remembered for one instruction.
const WAYS: usize = 4;

/// An address register.
pub trait Address: Lane + PartialEq {
    fn minus(self, other: Self) -> Self;
    fn xor(self, other: Self) -> Self;
    fn or(self, other: Self) -> Self;
    fn low(self, bits: u32) -> u32;
}

macro_rules! addresses {
    ($($ty:ty),*) => { $(
        impl Address for $ty {
            #[inline(always)]
            fn minus(self, other: $ty) -> $ty {
                self.wrapping_sub(other)
            }
            #[inline(always)]
            fn xor(self, other: $ty) -> $ty {
                self ^ other
            }
            #[inline(always)]
            fn or(self, other: $ty) -> $ty {
                self | other
            }
            #[inline(always)]
            fn low(self, bits: u32) -> u32 {
                self as u32 & bits
            }
        }
    )* };
}
addresses!(u32, u64);

/// Offsets of all lanes, in whole cache lines.
#[repr(align(64))]
struct Offsets<A>([A; LANES]);

/// One pattern: how the lanes lie relative to the first one of the mask, and how that one is aligned.
pub struct Memo<A, C> {
    mask: u32,
    low: u32,
    offsets: Offsets<A>,
    pub hits: u64,
    pub cost: C,
}

impl<A: Address, C> Memo<A, C> {
    /// # Safety
    /// `addresses` points to 32 lanes.
    #[inline(always)]
    unsafe fn is(&self, addresses: *const A, first: A, low: u32, mask: u32) -> bool {
        if self.mask != mask || self.low != low {
            return false;
        }
        // SAFETY: the caller's contract.
        let addresses = unsafe { addresses.cast::<[A; LANES]>().read() };
        let mut wrong = A::default();
        if mask == !0 {
            for (address, offset) in addresses.into_iter().zip(self.offsets.0) {
                wrong = wrong.or(address.minus(first).xor(offset));
            }
        } else {
            for (lane, (address, offset)) in addresses.into_iter().zip(self.offsets.0).enumerate() {
                let difference = address.minus(first).xor(offset);
                wrong = wrong.or(A::select(mask, lane, difference, A::default()));
            }
        }
        wrong == A::default()
    }

    pub fn lanes(&self) -> u64 {
        u64::from(self.mask.count_ones())
    }
}

/// The patterns of one instruction.
pub struct Patterns<A, C> {
    memos: Vec<Memo<A, C>>,
    /// The pattern that was seen last.
    last: usize,
    /// The next one to be replaced.
    next: usize,
}

impl<A, C> Default for Patterns<A, C> {
    fn default() -> Self {
        Patterns { memos: Vec::new(), last: 0, next: 0 }
    }
}

impl<A: Address, C> Patterns<A, C> {
    /// Whether the lanes of `mask`, which is not empty, lie as they did the last time. `alignment` is a mask of
    /// the low bits of the first address that matter.
    ///
    /// # Safety
    /// `addresses` points to 32 lanes.
    #[inline(always)]
    pub unsafe fn is_last(&self, addresses: *const A, mask: u32, alignment: u32) -> bool {
        // No closures: they would not be compiled for the level of the caller.
        match self.memos.get(self.last) {
            // SAFETY: the caller's contract; a lane of a mask is below 32.
            Some(memo) => unsafe {
                let first = *addresses.add(mask.trailing_zeros() as usize);
                memo.is(addresses, first, first.low(alignment), mask)
            },
            None => false,
        }
    }

    /// Counts one more request of the pattern that was seen last.
    ///
    /// # Safety
    /// There is one.
    #[inline(always)]
    pub unsafe fn hit(&mut self) -> &C {
        // SAFETY: the caller's contract.
        let memo = unsafe { self.memos.get_unchecked_mut(self.last) };
        memo.hits += 1;
        &memo.cost
    }

    /// Makes the pattern of the lanes of `mask` the one that was seen last. One that is not known takes the place
    /// of another, which is handed to `evict`; `cost` works out what it costs.
    ///
    /// # Safety
    /// As for [`Patterns::is_last`].
    pub unsafe fn turn_to(
        &mut self,
        addresses: *const A,
        mask: u32,
        alignment: u32,
        evict: impl FnOnce(&Memo<A, C>),
        cost: impl FnOnce(&[A; LANES]) -> C,
    ) {
        // SAFETY: the caller's contract; a lane of a mask is below 32.
        let (all, first) = unsafe {
            (addresses.cast::<[A; LANES]>().read(), *addresses.add(mask.trailing_zeros() as usize))
        };
        let low = first.low(alignment);
        // SAFETY: the caller's contract.
        let known = |memo: &Memo<A, C>| unsafe { memo.is(addresses, first, low, mask) };
        if let Some(found) = self.memos.iter().position(known) {
            self.last = found;
            return;
        }
        let offsets = Offsets(all.map(|address| address.minus(first)));
        let memo = Memo { mask, low, offsets, hits: 0, cost: cost(&all) };
        if self.memos.len() < WAYS {
            self.last = self.memos.len();
            self.memos.push(memo);
        } else {
            self.last = self.next;
            self.next = (self.next + 1) % WAYS;
            evict(&self.memos[self.last]);
            self.memos[self.last] = memo;
        }
    }

    /// Hands over every pattern with its hits, and forgets the hits.
    pub fn drain(&mut self, mut take: impl FnMut(&Memo<A, C>)) {
        for memo in &mut self.memos {
            take(memo);
            memo.hits = 0;
        }
    }
}
