//! Types and modes of what touches memory.

use crate::ptx::ast::Type;

/// A state space of an access; `Generic` is decided by the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AddressSpace {
    Generic,
    Global,
    Shared,
    /// Shared memory of the blocks of the cluster, the own one included.
    Cluster,
    Local,
    Const,
    Param,
}

/// How many threads an ordered access reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reach {
    Block,
    Cluster,
    Device,
    System,
}

/// How an access is ordered with those of other threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    Weak,
    /// `.nc`: of memory that nobody writes while the kernel runs.
    ReadOnly,
    Volatile,
    Relaxed(Reach),
    Acquire(Reach),
    Release(Reach),
    AcquireRelease(Reach),
}

/// One load or store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Access {
    pub space: AddressSpace,
    /// Type of one element in memory.
    pub ty: Type,
    /// Elements of a vector access; 1 otherwise.
    pub count: u32,
    /// Bytes added to the address operand.
    pub offset: i64,
    pub order: Order,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AtomicOp {
    Add,
    And,
    Or,
    Xor,
    Min,
    Max,
    Inc,
    Dec,
    Exch,
    Cas,
}

/// What is done with a barrier object in shared memory (`mbarrier`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MbarrierOp {
    /// Sources: address, count.
    Init,
    Invalidate,
    /// Sources: address, and the count if given. Destination: the state before.
    Arrive {
        /// Later phases expect so many fewer.
        drop: bool,
        /// The phase must not complete.
        no_complete: bool,
    },
    /// An arrival after so many bytes were announced. Sources: address, bytes. Destination: the state before.
    ArriveExpecting,
    /// Sources: address, bytes.
    ExpectBytes,
    CompleteBytes,
    /// Sources: address, state. Destination: a predicate.
    TestState,
    /// Sources: address, parity of the phase. Destination: a predicate.
    TestParity,
    /// `cp.async.mbarrier.arrive`: arrives when the thread's copies have landed. Source: address.
    ArriveOnCopies {
        /// The arrival is one of those that the barrier was made for.
        counted: bool,
    },
}

/// What a `cp.async` has behind its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CopyTail {
    None,
    SourceBytes,
    Ignore,
}
