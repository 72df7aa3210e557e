//! What the checks must know of a kernel's instructions before it runs.

use crate::device::soft::lower::Code;
use crate::ptx::typed::{AddressSpace, MbarrierOp, Op, Order, Reach};

/// How far an instruction's accesses are atomic for other threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Strength {
    #[default]
    Weak,
    /// For the threads of the block.
    Block,
    /// For all.
    Device,
}

/// The instructions of a launch, as far as it matters for their accesses.
#[derive(Debug, Default)]
pub struct Sites {
    /// By number; empty if all are weak.
    pub strengths: Vec<Strength>,
    /// By number, whether it reads what nobody may write; empty if none does.
    pub read_only: Vec<bool>,
    /// Some instruction can put accesses of different threads in order, other than a barrier.
    pub orders: bool,
    /// Some instruction can put accesses of different blocks in order.
    pub orders_blocks: bool,
}

impl Sites {
    pub fn strength(&self, site: u32) -> Strength {
        self.strengths.get(site as usize).copied().unwrap_or_default()
    }

    pub fn is_read_only(&self, site: u32) -> bool {
        self.read_only.get(site as usize).copied().unwrap_or(false)
    }
}

/// The instructions of a launch.
pub fn sites(code: &Code) -> Sites {
    let ops = || code.watched.list.iter().map(|watched| &watched.op);
    let mut sites = Sites {
        strengths: ops().map(|op| strength(order(op))).collect(),
        read_only: ops().map(|op| order(op) == Order::ReadOnly).collect(),
        orders: ops().any(|op| hands_on(op).is_some()),
        orders_blocks: ops().any(|op| hands_on(op).is_some_and(|reach| reach != Reach::Block)),
    };
    if sites.strengths.iter().all(|strength| *strength == Strength::Weak) {
        sites.strengths.clear();
    }
    if !sites.read_only.contains(&true) {
        sites.read_only.clear();
    }
    sites
}

/// How an instruction's access is ordered.
pub fn order(op: &Op) -> Order {
    match op {
        Op::Load(access) | Op::Store(access) => access.order,
        Op::Atomic { order, .. } => *order,
        // To begin with an object is like any memory; later it is used by all at once.
        Op::Mbarrier { op: MbarrierOp::Init | MbarrierOp::Invalidate, .. } => Order::Weak,
        Op::Mbarrier { .. } => Order::Relaxed(Reach::Cluster),
        _ => Order::Weak,
    }
}

fn strength(order: Order) -> Strength {
    match order {
        Order::Weak | Order::ReadOnly => Strength::Weak,
        Order::Volatile => Strength::Device,
        Order::Relaxed(reach)
        | Order::Acquire(reach)
        | Order::Release(reach)
        | Order::AcquireRelease(reach) => match reach {
            Reach::Block => Strength::Block,
            _ => Strength::Device,
        },
    }
}

/// How far an instruction can put accesses in order, other than by a barrier.
fn hands_on(op: &Op) -> Option<Reach> {
    let order = if let Op::Fence(order) = op { *order } else { order(op) };
    match order {
        Order::Acquire(reach) | Order::Release(reach) | Order::AcquireRelease(reach) => Some(reach),
        Order::Weak | Order::ReadOnly | Order::Volatile | Order::Relaxed(_) => None,
    }
}

/// Bytes of the narrowest access, 4 at most, as a power of two.
pub fn narrowest(code: &Code) -> u32 {
    let shared_or_global = |space| !matches!(space, AddressSpace::Local | AddressSpace::Param);
    let references = code.watched.list.iter().flat_map(|watched| &watched.references);
    let bytes =
        references.filter(|reference| shared_or_global(reference.space)).map(|reference| reference.bytes);
    bytes.min().unwrap_or(4).min(4).trailing_zeros()
}
