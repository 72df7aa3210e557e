//! How accesses are ordered with those of other threads, and what is said about caches.

use super::reader::{Reader, Result};
use super::{Instruction, Op, Order, Reach};
use crate::ptx::ast::Type;

/// What an instruction does to memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Load,
    Store,
    /// `atom`
    Update,
    /// `red`
    Reduce,
}

fn reach(reader: &mut Reader) -> Result<Option<Reach>> {
    let reach = reader.choice(&[
        ("cta", Reach::Block),
        ("cluster", Reach::Cluster),
        ("gpu", Reach::Device),
        ("sys", Reach::System),
    ]);
    if reach == Some(Reach::Cluster) {
        reader.since(90)?;
    }
    Ok(reach)
}

/// Takes what says how the access is ordered.
pub(super) fn order(reader: &mut Reader, direction: Direction) -> Result<Order> {
    #[derive(Clone, Copy, PartialEq)]
    enum Kind {
        Weak,
        Volatile,
        Relaxed,
        Acquire,
        Release,
        Both,
    }
    let mapped = reader.flag("mmio");
    let kind = reader.choice(&[
        ("weak", Kind::Weak),
        ("volatile", Kind::Volatile),
        ("relaxed", Kind::Relaxed),
        ("acquire", Kind::Acquire),
        ("release", Kind::Release),
        ("acq_rel", Kind::Both),
    ]);
    let reach = reach(reader)?;
    if mapped && (kind, reach) != (Some(Kind::Relaxed), Some(Reach::System)) {
        return reader.fail(".mmio goes with .relaxed.sys");
    }
    let refused = matches!(
        (direction, kind),
        (Direction::Load, Some(Kind::Release | Kind::Both))
            | (Direction::Store, Some(Kind::Acquire | Kind::Both))
            | (Direction::Update, Some(Kind::Weak | Kind::Volatile))
            | (Direction::Reduce, Some(Kind::Weak | Kind::Volatile | Kind::Acquire | Kind::Both))
    );
    if refused {
        return reader.fail("cannot be ordered like this");
    }
    let atomic = matches!(direction, Direction::Update | Direction::Reduce);
    let reach = match (reach, kind) {
        (None, None | Some(Kind::Weak | Kind::Volatile)) if !atomic => None,
        (Some(_), None | Some(Kind::Weak | Kind::Volatile)) if !atomic => {
            return reader.fail("a scope goes with .relaxed, .acquire or .release");
        }
        (None, Some(_)) if !atomic => return reader.fail("needs a scope: .cta, .gpu or .sys"),
        (reach, _) => reach.or(Some(Reach::Device)),
    };
    Ok(match (kind, reach) {
        (Some(Kind::Volatile), _) => Order::Volatile,
        (Some(Kind::Weak), _) | (_, None) => Order::Weak,
        (Some(Kind::Acquire), Some(reach)) => Order::Acquire(reach),
        (Some(Kind::Release), Some(reach)) => Order::Release(reach),
        (Some(Kind::Both), Some(reach)) => Order::AcquireRelease(reach),
        (None | Some(Kind::Relaxed), Some(reach)) => Order::Relaxed(reach),
    })
}

/// What was said about caches. None of it changes a value.
pub(super) struct Hints {
    /// There is a cache policy behind the operands.
    pub policy: bool,
    /// There is a cache operator: `.cg`, `.wt` …
    pub cached: bool,
    /// There is a hint that only global memory has.
    pub placed: bool,
}

/// Whether the access is to mapped input and output, `.mmio`.
pub(super) fn is_mapped(reader: &Reader) -> bool {
    reader.ast.modifiers.iter().any(|modifier| modifier == "mmio")
}

/// Takes the hints for caches.
pub(super) fn hints(reader: &mut Reader, direction: Direction) -> Result<Hints> {
    const EVICTION: [(&str, ()); 5] = [
        ("L1::evict_normal", ()),
        ("L1::evict_unchanged", ()),
        ("L1::evict_first", ()),
        ("L1::evict_last", ()),
        ("L1::no_allocate", ()),
    ];
    let policy = reader.flag("L2::cache_hint");
    let cached = match direction {
        Direction::Load => reader.choice(&[("ca", ()), ("cg", ()), ("cs", ()), ("lu", ()), ("cv", ())]),
        Direction::Store => reader.choice(&[("wb", ()), ("cg", ()), ("cs", ()), ("wt", ())]),
        Direction::Update | Direction::Reduce => None,
    };
    let (mut evicted, mut prefetched) = (None, None);
    if matches!(direction, Direction::Load | Direction::Store) {
        evicted = reader.choice(&EVICTION);
    }
    if direction == Direction::Load {
        prefetched = prefetch_size(reader);
    }
    if cached.is_some() && evicted.is_some() {
        return reader.fail("takes a cache operator or an eviction priority");
    }
    let placed = policy || evicted.is_some() || prefetched.is_some();
    Ok(Hints { policy, cached: cached.is_some(), placed })
}

/// Takes how much is fetched beyond what is asked for.
pub(super) fn prefetch_size(reader: &mut Reader) -> Option<()> {
    reader.choice(&[("L2::64B", ()), ("L2::128B", ()), ("L2::256B", ())])
}

/// `fence` and `membar`.
pub(super) fn fence(mut reader: Reader) -> Result<Instruction> {
    reader.count(0)?;
    if reader.flag("proxy") {
        return proxy_fence(reader);
    }
    if reader.flag("mbarrier_init") {
        reader.since(90)?;
        for part in ["release", "cluster"] {
            reader.require(&[(part, ())])?;
        }
        return reader.done(Op::Fence(Order::Release(Reach::Cluster)), Vec::new(), Vec::new());
    }
    if reader.ast.opcode == "membar" {
        let reach =
            reader.require(&[("cta", Reach::Block), ("gl", Reach::Device), ("sys", Reach::System)])?;
        return reader.done(Op::Fence(Order::AcquireRelease(reach)), Vec::new(), Vec::new());
    }
    let one_way =
        reader.choice(&[("acquire", Order::Acquire as fn(Reach) -> Order), ("release", Order::Release)]);
    let _ = reader.choice(&[("sc", ()), ("acq_rel", ())]);
    if one_way.is_some() {
        reader.since(90)?;
    }
    let Some(reach) = reach(&mut reader)? else {
        return reader.fail("needs a scope: .cta, .gpu or .sys");
    };
    let order = one_way.unwrap_or(Order::AcquireRelease);
    reader.done(Op::Fence(order(reach)), Vec::new(), Vec::new())
}

/// Fences between views of one memory: there is one view here.
fn proxy_fence(mut reader: Reader) -> Result<Instruction> {
    if !reader.flag("alias") {
        reader.require(&[("async", ()), ("async::generic", ())])?;
        reader.since(90)?;
        let _ = reader.choice(&[("global", ()), ("shared::cta", ()), ("shared::cluster", ())]);
        let _ = reader.choice(&[("acquire", ()), ("release", ())]);
        let _ = reader.choice(&[("sync_restrict::shared::cta", ()), ("sync_restrict::shared::cluster", ())]);
        let _ = reach(&mut reader)?;
    }
    reader.done(Op::Nop, Vec::new(), Vec::new())
}

/// `prefetch`, `prefetchu`, `discard` and `applypriority`, which only warm caches or cool them.
pub(super) fn prefetch(mut reader: Reader) -> Result<Instruction> {
    let opcode = reader.ast.opcode.as_str();
    let local = reader.flag("local");
    let global = !local && reader.flag("global");
    let bytes = match opcode {
        "prefetchu" => {
            reader.require(&[("L1", ())])?;
            None
        }
        "prefetch" => {
            let evicted = reader.require(&[
                ("L2::evict_last", true),
                ("L2::evict_normal", true),
                ("L1", false),
                ("L2", false),
            ])?;
            if evicted && local {
                return reader.fail("this hint is for .global memory");
            }
            None
        }
        "discard" => {
            reader.require(&[("L2", ())])?;
            Some(128)
        }
        _ => {
            reader.require(&[("L2::evict_normal", ())])?;
            Some(128)
        }
    };
    if (local || global) && opcode == "prefetchu" || local && bytes.is_some() {
        return reader.fail("is not for this state space");
    }
    reader.count(if bytes.is_some() { 2 } else { 1 })?;
    reader.address(0)?;
    if let Some(bytes) = bytes
        && reader.immediate(1)? != bytes
    {
        return reader.fail("the size is 128");
    }
    reader.done(Op::Nop, Vec::new(), Vec::new())
}

/// `createpolicy`: a policy is a number that only cache hints take, and those change nothing.
pub(super) fn create_policy(mut reader: Reader) -> Result<Instruction> {
    const PRIMARY: [(&str, u64); 4] =
        [("L2::evict_last", 1), ("L2::evict_normal", 2), ("L2::evict_first", 3), ("L2::evict_unchanged", 4)];
    let form = reader.require(&[("fractional", 0), ("range", 1), ("cvt", 2)])?;
    let mut priority = 0;
    if form == 2 {
        reader.require(&[("L2", ())])?;
    } else {
        let _ = form == 1 && reader.flag("global");
        priority = reader.require(&PRIMARY)?;
        let _ = reader.choice(&PRIMARY[2..]);
    }
    reader.only(Type::B64)?;
    match form {
        0 => {
            reader.count_in(1, 2)?;
            if reader.ast.operands.len() == 2 {
                reader.src(1, Type::F32)?;
            }
        }
        1 => {
            reader.count(4)?;
            reader.address(1)?;
            reader.src(2, Type::U32)?;
            reader.src(3, Type::U32)?;
        }
        _ => {
            reader.count(2)?;
            let (dst, src) = (vec![reader.dst(0, 8)?], vec![reader.src(1, Type::B64)?]);
            return reader.done(Op::Mov, dst, src);
        }
    }
    let dst = vec![reader.dst(0, 8)?];
    reader.done(Op::Mov, dst, vec![super::Operand::Bits(priority << 56)])
}
