//! The memory plan: a place in one arena for every temporary, by its lifetime.

use crate::device::{Access, Arg, Launch, Place};

/// Places begin at multiples of this many bytes: the widest access, a cache line, and then some.
const ALIGNMENT: usize = 256;

/// Offsets of the temporaries in the arena.
#[derive(Debug, Clone)]
pub struct Plan {
    /// By value number; `None` for a value that is not a temporary, or that no launch touches.
    pub offsets: Vec<Option<usize>>,
    /// Bytes of each of them.
    pub sizes: Vec<Option<usize>>,
    /// Size of the arena in bytes.
    pub bytes: usize,
    /// What the temporaries would take if each had memory of its own.
    pub bytes_unshared: usize,
}

/// The launches between which a temporary is alive, both included.
#[derive(Debug, Clone, Copy)]
struct Lifetime {
    first: usize,
    last: usize,
}

impl Lifetime {
    fn overlaps(self, other: Lifetime) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

impl Plan {
    /// Plans for `temporaries` (bytes by value number; `None` where the value is resident), which live from the
    /// launch that writes them to the last that touches them, or to the end if they are `kept`.
    ///
    /// Big ones are placed first, each at the lowest offset where it overlaps no placed one that is alive at
    /// the same time.
    ///
    /// # Panics
    /// If a launch reads a temporary that nothing wrote, or writes one a second time: the operation that
    /// recorded it is wrong.
    pub fn new(temporaries: &[Option<usize>], launches: &[Launch], kept: &[u32]) -> Plan {
        let lifetimes = lifetimes(temporaries, launches, kept);
        let mut order: Vec<usize> = (0..temporaries.len()).filter(|&id| lifetimes[id].is_some()).collect();
        order.sort_by_key(|&id| (std::cmp::Reverse(temporaries[id]), id));

        let mut plan = Plan {
            offsets: vec![None; temporaries.len()],
            sizes: vec![None; temporaries.len()],
            bytes: 0,
            bytes_unshared: 0,
        };
        // Placed so far: (offset, end, lifetime), sorted by offset.
        let mut placed: Vec<(usize, usize, Lifetime)> = vec![];
        for id in order {
            let (Some(bytes), Some(lifetime)) = (temporaries[id], lifetimes[id]) else { continue };
            plan.sizes[id] = Some(bytes);
            let bytes = bytes.next_multiple_of(ALIGNMENT);
            let mut offset = 0;
            for &(start, end, other) in &placed {
                if other.overlaps(lifetime) && start < offset + bytes && offset < end {
                    offset = end;
                }
            }
            let at = placed.partition_point(|&(start, ..)| start < offset);
            placed.insert(at, (offset, offset + bytes, lifetime));
            plan.offsets[id] = Some(offset);
            plan.bytes = plan.bytes.max(offset + bytes);
            plan.bytes_unshared += bytes;
        }
        plan
    }
}

fn lifetimes(temporaries: &[Option<usize>], launches: &[Launch], kept: &[u32]) -> Vec<Option<Lifetime>> {
    let mut lifetimes: Vec<Option<Lifetime>> = vec![None; temporaries.len()];
    for (at, launch) in launches.iter().enumerate() {
        for (position, arg) in launch.args.iter().enumerate() {
            let Arg::Pointer(Place::Symbol { id, .. }, access) = *arg else { continue };
            if temporaries[id as usize].is_none() {
                continue;
            }
            let name = || format!("{} (argument {})", launch.kernel.entry, launch.kernel.params[position]);
            match (&mut lifetimes[id as usize], access) {
                (None, Access::Read) => panic!("{} reads a temporary that nothing wrote", name()),
                (Some(_), Access::Write) => panic!("{} writes a temporary a second time", name()),
                (Some(lifetime), _) => lifetime.last = at,
                (slot @ None, _) => *slot = Some(Lifetime { first: at, last: at }),
            }
        }
    }
    for &id in kept {
        if let Some(lifetime) = &mut lifetimes[id as usize] {
            lifetime.last = launches.len();
        }
    }
    lifetimes
}
