//! Deliberately faulty kernels: the checks find each one's mistake, at its line, and nothing in its mended twin.
//!
//! Every file in `tests/faulty/kernels/` is a PTX module with two entries of the same parameters, `faulty` and
//! `mended`. The line of the mistake ends with `// <- here`; if the finding names another access, the line of
//! that one may be marked `// <- other`. The file says what to expect and how to launch it:
//!
//! ```text
//! //@ expect out-of-bounds      the name of the kind, exactly one (see `Kind::name`)
//! //@ grid 2 1 1                blocks; 1 1 1 if it is not there
//! //@ block 64 1 1              threads of a block; 32 1 1 if it is not there
//! //@ shared 1024               bytes of dynamic shared memory; 0 if it is not there
//! //@ orders 8                  orders in which the launch is run and compared; 1 if it is not there
//! //@ arg words 64              one line for each parameter, in order:
//! //@ arg unwritten 256           words N: memory of N words of 32 bits, word i holds i
//! //@ arg freed 256               unwritten BYTES: memory that nothing wrote; freed BYTES: and that is gone
//! //@ arg u32 5                   u32, u64 or f32 and a value
//! //@ mended shared 2048        a different grid, block or shared for `mended`
//! ```
//!
//! The faulty entry must be found at every seed, the mended one must be clean at every seed.

mod case;
mod folder;
mod print;
