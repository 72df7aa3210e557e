//! Runs PTX snippets on a device that counts.

use ddpm_ptx::device::soft::count::{Counters, KernelCounts};
use ddpm_ptx::device::soft::{Level, Options, Soft};
use ddpm_ptx::device::{Buffer, Device};

/// A device that counts, with so many workers.
pub fn counting(level: Level, threads: usize) -> Soft {
    Soft::with(Options { level, threads, count: true, ..Options::default() })
}

/// The registers that snippets may use, each family with 40 members: `%p`, `%h` (16 bits), `%r`, `%f`, `%rd`,
/// `%fd`.
const REGISTERS: &str = ".reg .pred %p<40>;\n.reg .b16 %h<40>;\n.reg .b32 %r<40>;\n.reg .f32 %f<40>;\n\
                         .reg .b64 %rd<40>;\n.reg .f64 %fd<40>;";

/// A snippet and its geometry. `%rd0` holds the address of 64 KiB, `%r0` the thread's number in the block, `cell` is
/// 16 KiB of shared memory.
#[derive(Clone)]
pub struct Snippet {
    pub body: String,
    pub grid: [u32; 3],
    pub block: [u32; 3],
}

/// Instructions of every snippet besides its body: the parameter, the thread's number, and `ret`.
pub const FRAME: u64 = 3;

impl Snippet {
    /// A warp.
    pub fn new(body: &str) -> Snippet {
        Snippet { body: body.into(), grid: [1; 3], block: [32, 1, 1] }
    }

    fn text(&self) -> String {
        format!(
            ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry test(.param .u64 x)\n{{\n{REGISTERS}\n\
             .shared .align 128 .b8 cell[16384];\nld.param.u64 %rd0, [x];\nmov.u32 %r0, %tid.x;\n{}\nret;\n}}\n",
            self.body
        )
    }

    /// What the snippet did, run once on `soft`.
    pub fn on(&self, soft: &Soft) -> KernelCounts {
        let memory = memory(&Device::from(soft.clone()));
        let program = soft.load("snippet", &self.text()).unwrap();
        program.launch("test", self.grid, self.block, 0, &memory.address().to_le_bytes()).unwrap();
        let mut counts = soft.take_counts();
        assert_eq!(counts.len(), 1, "kernels that ran");
        counts.remove(0)
    }

    /// What the snippet did on the best level with one worker.
    pub fn counts(&self) -> KernelCounts {
        self.on(&counting(Level::detect(), 1))
    }

    pub fn counters(&self) -> Counters {
        self.counts().total()
    }
}

fn memory(device: &Device) -> Buffer {
    device.upload(&vec![0u8; 1 << 16]).unwrap()
}
