//! CPU time, which other processes do not take away.

use std::mem::MaybeUninit;

/// Seconds of CPU time that all threads of this process have used.
pub fn cpu_seconds() -> f64 {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: the call fills `time`; the clock exists on every system that this runs on.
    let time = unsafe {
        assert_eq!(libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, time.as_mut_ptr()), 0);
        time.assume_init()
    };
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}
