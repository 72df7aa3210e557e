//! The memory plan, checked by playing launches against an arena whose bytes remember their owner.

use ddpm_ptx::device::{Access, Arg, Kernel, Launch, ModuleSource, Place};
use ddpm_ptx::graph::Plan;

static MODULE: ModuleSource = ModuleSource { name: "none", ptx: "", cubins: &[], origins: &[], files: &[] };
static KERNEL: Kernel = Kernel {
    module: &MODULE,
    entry: "none",
    block: [1, 1, 1],
    params: &["a", "b", "c", "d", "e", "f"],
    doc: "",
};

fn launch(args: &[(u32, Access)]) -> Launch {
    let args =
        args.iter().map(|&(id, access)| Arg::Pointer(Place::Symbol { id, offset: 0 }, access)).collect();
    Launch { kernel: &KERNEL, grid: [1, 1, 1], shared_bytes: 0, args }
}

/// A small generator, so that the test says what it runs: xorshift64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

/// Runs the launches over the plan: every read must find what the value's own writer left.
fn play(plan: &Plan, sizes: &[Option<usize>], launches: &[Launch], kept: &[u32]) {
    let mut owner = vec![u32::MAX; plan.bytes];
    let range = |id: u32| plan.offsets[id as usize].map(|at| at..at + sizes[id as usize].unwrap());
    for launch in launches {
        // All reads of a launch happen with its writes: an output must not lie on an input.
        for write in [true, false] {
            for arg in &launch.args {
                let Arg::Pointer(Place::Symbol { id, .. }, access) = *arg else { continue };
                let Some(range) = range(id) else { continue };
                if write && access != Access::Read {
                    owner[range].fill(id);
                } else if !write {
                    assert!(owner[range].iter().all(|&o| o == id), "value {id} was overwritten while alive");
                }
            }
        }
    }
    for &id in kept {
        assert!(owner[range(id).unwrap()].iter().all(|&o| o == id), "kept value {id} was overwritten");
    }
}

#[test]
fn values_alive_together_never_overlap() {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    for case in 0..200 {
        let count = 2 + random.below(40);
        let sizes: Vec<Option<usize>> =
            (0..count).map(|id| (id == 0 || random.below(8) > 0).then(|| 1 + random.below(5000))).collect();
        let mut launches = vec![launch(&[(0, Access::Write)])];
        for id in 1..count as u32 {
            let mut args = vec![(id, Access::Write)];
            for _ in 0..random.below(5) {
                args.push((random.below(id as usize) as u32, Access::Read));
            }
            launches.push(launch(&args));
        }
        let kept = [random.below(count) as u32].into_iter().filter(|&k| sizes[k as usize].is_some());
        let kept: Vec<u32> = kept.collect();
        let plan = Plan::new(&sizes, &launches, &kept);
        play(&plan, &sizes, &launches, &kept);
        assert!(plan.bytes <= plan.bytes_unshared, "case {case}");
        assert!(plan.offsets.iter().flatten().all(|at| at % 256 == 0), "case {case}: unaligned");
    }
}

#[test]
fn a_chain_needs_two_places() {
    // x0 -> x1 -> x2 -> …: at any launch one value is read and one written.
    let sizes = vec![Some(1024); 20];
    let mut launches = vec![launch(&[(0, Access::Write)])];
    for id in 1..20 {
        launches.push(launch(&[(id - 1, Access::Read), (id, Access::Write)]));
    }
    let plan = Plan::new(&sizes, &launches, &[]);
    assert_eq!(plan.bytes, 2 * 1024);
    assert_eq!(plan.bytes_unshared, 20 * 1024);
}

#[test]
#[should_panic(expected = "reads a temporary that nothing wrote")]
fn reading_what_nothing_wrote_is_a_bug() {
    Plan::new(&[Some(4), Some(4)], &[launch(&[(1, Access::Write), (0, Access::Read)])], &[]);
}

#[test]
#[should_panic(expected = "writes a temporary a second time")]
fn writing_twice_is_a_bug() {
    Plan::new(&[Some(4)], &[launch(&[(0, Access::Write)]), launch(&[(0, Access::Write)])], &[]);
}
