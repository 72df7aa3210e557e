//! The state of an `mbarrier` object, eight bytes in shared memory.
//!
//! The object counts down the arrivals that its phase still waits for. At 0, and when all announced bytes
//! have come, the phase completes: the count starts again and the parity of the phase flips.

/// The largest count of arrivals or of bytes.
pub const LARGEST: u32 = (1 << 20) - 1;

/// Marks an object, so that memory which is none (fresh, zero or overwritten) is told apart.
const TAG: u64 = 0b10;

/// The state of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// Parity of the phase that is not complete yet.
    pub phase: bool,
    /// Arrivals of each phase.
    pub expected: u32,
    /// Arrivals that this phase still waits for.
    pub pending: u32,
    /// Bytes that were announced, less those that have come.
    pub bytes: i32,
}

/// What must not be done with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misuse {
    /// A count that is 0 or too large.
    Count(u32),
    /// More arrivals than the phase waits for.
    Surplus { arrivals: u32, pending: u32 },
    /// An arrival that must not complete the phase would do so.
    Completes,
    /// More bytes than can be counted.
    Bytes(i64),
}

impl std::fmt::Display for Misuse {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Misuse::Count(count) => write!(f, "a count of {count} at an mbarrier (1 to {LARGEST})"),
            Misuse::Surplus { arrivals, pending } => {
                write!(f, "{arrivals} arrivals at an mbarrier that waits for {pending} more in this phase")
            }
            Misuse::Completes => write!(f, "an arrival with .noComplete completes the mbarrier's phase"),
            Misuse::Bytes(bytes) => write!(f, "{bytes} bytes pending at an mbarrier (at most {LARGEST})"),
        }
    }
}

impl State {
    /// A fresh object for `count` arrivals.
    pub fn new(count: u32) -> Result<State, Misuse> {
        check_count(count)?;
        Ok(State { phase: false, expected: count, pending: count, bytes: 0 })
    }

    /// The object's bits in memory: tag, phase, expected, pending and bytes, from the lowest bit on.
    pub fn pack(self) -> u64 {
        let bytes = self.bytes as u64 & 0x1F_FFFF;
        TAG | u64::from(self.phase) << 2
            | u64::from(self.expected) << 3
            | u64::from(self.pending) << 23
            | bytes << 43
    }

    /// `None` if the bits are no object.
    pub fn unpack(bits: u64) -> Option<State> {
        let count = |from: u32| (bits >> from) as u32 & LARGEST;
        let state = State {
            phase: bits >> 2 & 1 == 1,
            expected: count(3),
            pending: count(23),
            bytes: ((bits >> 43) as i32) << 11 >> 11,
        };
        (bits & 3 == TAG).then_some(state)
    }

    /// `count` arrivals.
    pub fn arrive(&mut self, count: u32) -> Result<(), Misuse> {
        check_count(count)?;
        if count > self.pending {
            return Err(Misuse::Surplus { arrivals: count, pending: self.pending });
        }
        self.pending -= count;
        self.advance();
        Ok(())
    }

    /// `count` arrivals which are not the last ones of the phase.
    pub fn arrive_early(&mut self, count: u32) -> Result<(), Misuse> {
        let before = self.phase;
        self.arrive(count)?;
        if self.phase == before { Ok(()) } else { Err(Misuse::Completes) }
    }

    /// Later phases expect `count` arrivals less.
    pub fn drop(&mut self, count: u32) -> Result<(), Misuse> {
        check_count(count)?;
        match self.expected.checked_sub(count) {
            Some(left) => {
                self.expected = left;
                Ok(())
            }
            None => Err(Misuse::Surplus { arrivals: count, pending: self.expected }),
        }
    }

    /// One arrival more than the object was made for.
    pub fn expect_one_more(&mut self) -> Result<(), Misuse> {
        if self.pending == LARGEST {
            return Err(Misuse::Count(LARGEST + 1));
        }
        self.pending += 1;
        Ok(())
    }

    /// The phase also waits for `bytes` bytes.
    pub fn expect_bytes(&mut self, bytes: u32) -> Result<(), Misuse> {
        self.set_bytes(i64::from(self.bytes) + i64::from(bytes))
    }

    /// `bytes` bytes have come.
    pub fn complete_bytes(&mut self, bytes: u32) -> Result<(), Misuse> {
        self.set_bytes(i64::from(self.bytes) - i64::from(bytes))?;
        self.advance();
        Ok(())
    }

    fn set_bytes(&mut self, bytes: i64) -> Result<(), Misuse> {
        if bytes.unsigned_abs() > u64::from(LARGEST) {
            return Err(Misuse::Bytes(bytes));
        }
        self.bytes = bytes as i32;
        Ok(())
    }

    fn advance(&mut self) {
        if self.pending == 0 && self.bytes == 0 {
            self.phase = !self.phase;
            self.pending = self.expected;
        }
    }

    /// Whether the phase of that parity is complete.
    pub fn is_complete(self, parity: bool) -> bool {
        self.phase != parity
    }
}

fn check_count(count: u32) -> Result<(), Misuse> {
    if (1..=LARGEST).contains(&count) { Ok(()) } else { Err(Misuse::Count(count)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A plain model with every count as a number, phases counted from 0.
    struct Model {
        phase: u64,
        expected: i64,
        pending: i64,
        bytes: i64,
    }

    impl Model {
        fn check(&mut self) {
            if self.pending == 0 && self.bytes == 0 {
                self.phase += 1;
                self.pending = self.expected;
            }
        }
    }

    /// A small generator of numbers without a pattern.
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, limit: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % limit
        }
    }

    #[test]
    fn random_orders_follow_the_model() {
        let mut numbers = Numbers(1);
        for _ in 0..600 {
            let count = 1 + numbers.below(12);
            let mut bits_in_memory = State::new(count as u32).expect("a count").pack();
            let mut model = Model { phase: 0, expected: count as i64, pending: count as i64, bytes: 0 };
            for _ in 0..200 {
                let mut state = State::unpack(bits_in_memory).expect("an object");
                let n = 1 + numbers.below(3) as u32;
                let fits = i64::from(n) <= model.pending;
                match numbers.below(6) {
                    0 | 1 => {
                        assert_eq!(state.arrive(n).is_ok(), fits);
                        if fits {
                            model.pending -= i64::from(n);
                            model.check();
                        }
                    }
                    2 if i64::from(n) < model.expected && fits => {
                        state.drop(n).expect("fewer than all");
                        state.arrive(n).expect("fits");
                        model.expected -= i64::from(n);
                        model.pending -= i64::from(n);
                        model.check();
                    }
                    3 => {
                        state.expect_bytes(n).expect("few");
                        model.bytes += i64::from(n);
                    }
                    4 if model.pending > 0 => {
                        // Bytes may come before they are announced.
                        state.complete_bytes(n).expect("few");
                        model.bytes -= i64::from(n);
                        model.check();
                    }
                    5 if model.pending > 1 => {
                        state.arrive_early(1).expect("not the last");
                        model.pending -= 1;
                    }
                    _ => {}
                }
                let Model { phase, expected, pending, bytes } = model;
                let odd = phase % 2 == 1;
                let found = (state.phase, state.expected.into(), state.pending.into(), state.bytes.into());
                assert_eq!(found, (odd, expected, pending, bytes));
                assert!(state.is_complete(!odd) && !state.is_complete(odd));
                bits_in_memory = state.pack();
            }
        }
    }

    #[test]
    fn limits() {
        assert_eq!(State::new(0), Err(Misuse::Count(0)));
        assert!(State::new(LARGEST).is_ok());
        assert_eq!(State::new(LARGEST + 1), Err(Misuse::Count(LARGEST + 1)));
        let mut state = State::new(2).expect("a count");
        assert_eq!(state.arrive(3), Err(Misuse::Surplus { arrivals: 3, pending: 2 }));
        assert_eq!(state.arrive_early(2), Err(Misuse::Completes));
        let mut state = State::new(1).expect("a count");
        assert!(state.expect_bytes(LARGEST).is_ok());
        assert_eq!(state.expect_bytes(1), Err(Misuse::Bytes(1 << 20)));
        for bytes in [-(LARGEST as i32), -1, 0, LARGEST as i32] {
            let state = State { phase: true, expected: LARGEST, pending: 1, bytes };
            assert_eq!(State::unpack(state.pack()), Some(state));
        }
    }

    #[test]
    fn other_memory_is_no_object() {
        for bits in [0, u64::MAX, 0x7FF8_0000_0000_0001, 0xFFFF_FFFF] {
            assert_eq!(State::unpack(bits), None, "{bits:#x}");
        }
    }
}
