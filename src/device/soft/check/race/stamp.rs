//! What the shadow of a memory cell remembers of an access: when, which thread of the block, which instruction.

/// When something happened: the number of synchronising events before it. Ticks count on from block to block
/// and from launch to launch, so a stamp of an earlier launch is recognised by its tick alone.
pub type Tick = u64;

/// One access, packed so that later accesses compare greater: two flags, then 36 bits of tick, 10 of thread
/// and 16 of instruction. 0 is older than everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[repr(transparent)]
pub struct Stamp(pub u64);

const SITE_BITS: u32 = 16;
const THREAD_BITS: u32 = 10;
const TICK_SHIFT: u32 = SITE_BITS + THREAD_BITS;

impl Stamp {
    /// Nobody.
    pub const NONE: Stamp = Stamp(0);
    /// The access goes on: an asynchronous copy that nobody has waited for.
    pub const PENDING: u64 = 1 << 63;
    /// Not one access but a crowd; thread and instruction are its number.
    pub const CROWD: u64 = 1 << 62;
    const FLAGS: u64 = Stamp::PENDING | Stamp::CROWD;
    /// Crowds that can be told apart.
    pub const CROWDS: usize = 1 << TICK_SHIFT;

    /// `site` is the instruction's number; numbers that do not fit become the largest.
    pub fn new(tick: Tick, warp: u32, lane: u32, site: u32) -> Stamp {
        let thread = u64::from(32 * warp + lane);
        Stamp(tick << TICK_SHIFT | thread << SITE_BITS | u64::from(site.min(u32::from(u16::MAX))))
    }

    /// The first stamp of a tick: every access with a lower stamp was earlier.
    pub fn first(tick: Tick) -> Stamp {
        Stamp(tick << TICK_SHIFT)
    }

    pub fn crowd(tick: Tick, number: usize) -> Stamp {
        Stamp(Stamp::CROWD | tick << TICK_SHIFT | number as u64)
    }

    pub fn of_lane(self, lane: u32) -> Stamp {
        Stamp(self.0 | u64::from(lane) << SITE_BITS)
    }

    /// As lane 0 of the warp would have it.
    pub fn of_no_lane(self) -> Stamp {
        Stamp(self.0 & !(31 << SITE_BITS))
    }

    pub fn pending(self) -> Stamp {
        Stamp(self.0 | Stamp::PENDING)
    }

    pub fn is_pending(self) -> bool {
        self.0 & Stamp::PENDING != 0
    }

    /// The number of the crowd, if it is one.
    pub fn as_crowd(self) -> Option<usize> {
        (self.0 & Stamp::CROWD != 0).then_some((self.0 & ((1 << TICK_SHIFT) - 1)) as usize)
    }

    /// Without the flags, for comparison with [`Stamp::first`].
    pub fn plain(self) -> Stamp {
        Stamp(self.0 & !Stamp::FLAGS)
    }

    pub fn tick(self) -> Tick {
        self.plain().0 >> TICK_SHIFT
    }

    /// Of the thread, in its block.
    pub fn warp(self) -> u32 {
        (self.0 >> (SITE_BITS + 5)) as u32 & 31
    }

    pub fn lane(self) -> u32 {
        (self.0 >> SITE_BITS) as u32 & 31
    }

    /// Whether both are of the same thread of a block, and neither is pending nor a crowd.
    pub fn is_same_thread(self, other: Stamp) -> bool {
        let thread = ((1 << THREAD_BITS) - 1) << SITE_BITS;
        (self.0 ^ other.0) & thread == 0 && (self.0 | other.0) & Stamp::FLAGS == 0
    }

    /// The instruction's number.
    pub fn site(self) -> u32 {
        self.0 as u32 & u32::from(u16::MAX)
    }
}
