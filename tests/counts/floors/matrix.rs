//! Every variant of the convolutions on a layer that it is for: the launch that an operation records, with another
//! variant in its place.

use super::case::Bench;
use ddpm_ptx::device::soft::count::KernelCounts;
use ddpm_ptx::device::{Element, Kernel, Launch};
use ddpm_ptx::graph::{Program, Tape};
use ddpm_ptx::kernels::ALL;
use ddpm_ptx::ops::conv::{Epilogue, Geometry, conv};
use half::bf16;

/// 4 images of 16 x 16, a kernel of 3 x 3 with a bias.
const IMAGES: usize = 4;
const SIDE: usize = 16;
const PIXELS: usize = IMAGES * SIDE * SIDE;
const TAPS: usize = 9;

/// Channels in and out.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Layer {
    channels: usize,
    out_channels: usize,
}

const INNER: Layer = Layer { channels: 128, out_channels: 128 };
const FIRST: Layer = Layer { channels: 3, out_channels: 128 };
const LAST: Layer = Layer { channels: 128, out_channels: 3 };

/// The counts of every variant, alone, with the multiply-adds of its layer. The sums of a bias's gradient, which the
/// layers need besides, are counted as they are.
pub fn convolutions(bench: &Bench) -> Vec<(Vec<KernelCounts>, Option<f64>)> {
    let layers = [INNER, FIRST, LAST];
    let programs = layers.map(|layer| program::<f32>(bench, layer));
    let on_tensor_cores = program::<bf16>(bench, INNER);
    bench.soft.take_counts();
    let mut all = vec![];
    for &kernel in ALL {
        let Some(variant) = Variant::of(kernel) else { continue };
        let layer = variant.layer();
        let program = match variant.family.starts_with("bf16") {
            true => &on_tensor_cores,
            false => &programs[layers.iter().position(|other| *other == layer).unwrap()],
        };
        bench.device.launch(&variant.launch(program)).unwrap();
        let multiply_adds = (PIXELS * TAPS * layer.channels * layer.out_channels) as f64;
        all.push((bench.soft.take_counts(), Some(multiply_adds)));
    }
    for layer in [FIRST, LAST] {
        let program = program::<bf16>(bench, layer);
        let multiply_adds = (PIXELS * TAPS * layer.channels * layer.out_channels) as f64;
        for launch in program.launches().iter().filter(|launch| launch.kernel.entry.starts_with("bf16_few")) {
            // Some have a variant for any number of channels besides.
            let family = launch.kernel.entry.trim_end_matches("_3x3x3");
            let variants = ALL.iter().filter(|kernel| {
                kernel.entry == launch.kernel.entry || kernel.entry.strip_suffix("_any") == Some(family)
            });
            for kernel in variants {
                bench.device.launch(&Launch { kernel, ..launch.clone() }).unwrap();
                all.push((bench.soft.take_counts(), Some(multiply_adds)));
            }
        }
    }
    for program in programs.iter().chain([&on_tensor_cores]) {
        let sums = |launch: &&Launch| launch.kernel.entry.contains("sum");
        program.launches().iter().filter(sums).for_each(|launch| bench.device.launch(launch).unwrap());
    }
    // The weights of an upsampled input.
    let program = program_of::<bf16, f32>(bench, INNER, &Geometry::UP_3X3);
    let folds = |launch: &&Launch| launch.kernel.entry.ends_with("fold_phases");
    program.launches().iter().filter(folds).for_each(|launch| bench.device.launch(launch).unwrap());
    // No operation sums bf16 tensors one by one: convolutions have their channels by eights.
    let by_fours = |launch: &&Launch| launch.kernel.entry == "image_sums_bf16_4";
    let by_fours = on_tensor_cores.launches().iter().find(by_fours).expect("the gradient of a bias");
    let one_by_one = Launch { kernel: &ddpm_ptx::kernels::conv::IMAGE_SUMS_BF16_1, ..by_fours.clone() };
    bench.device.launch(&one_by_one).unwrap();
    all.push((bench.soft.take_counts(), None));
    all
}

/// Forward and backward of a layer.
fn program<T: Element>(bench: &Bench, layer: Layer) -> Program {
    program_of::<T, T>(bench, layer, &Geometry::SAME_3X3)
}

/// The same with weights of `W` in any geometry.
fn program_of<T: Element, W: Element>(bench: &Bench, layer: Layer, geometry: &Geometry) -> Program {
    let Layer { channels, out_channels } = layer;
    let mut tape = Tape::training();
    let shape = [IMAGES, SIDE, SIDE, channels];
    // The network's input gets no gradient.
    let first = layer == FIRST;
    let x =
        if first { bench.input::<T>(&mut tape, &shape) } else { bench.parameter::<T, T>(&mut tape, &shape) };
    let weight = bench.parameter::<W, f32>(&mut tape, &[out_channels, 3, 3, channels]);
    let bias = bench.parameter::<f32, f32>(&mut tape, &[out_channels]);
    let epilogue = Epilogue { bias: Some(&bias), ..Epilogue::default() };
    let y = conv(&mut tape, &[&x], &weight, epilogue, geometry);
    let dy = bench.input::<T>(&mut tape, y.shape());
    tape.backward(&y, &dy);
    tape.compile(&bench.device).unwrap()
}

/// A variant of a convolution's kernel, from its name: `bf16_fprop_128x64`, `dgrad_any_32x32`.
struct Variant {
    kernel: &'static Kernel,
    family: &'static str,
    any: bool,
    rows: usize,
    columns: usize,
}

impl Variant {
    fn of(kernel: &'static Kernel) -> Option<Variant> {
        let families = ["bf16_fprop_", "bf16_dgrad_", "bf16_wgrad_", "fprop_", "dgrad_", "wgrad_"];
        let family = families.into_iter().find(|family| kernel.entry.starts_with(family))?;
        let rest = &kernel.entry[family.len()..];
        let tile = rest.strip_prefix("any_").unwrap_or(rest);
        let (rows, columns) = tile.split_once('x')?;
        let (rows, columns) = (rows.parse().ok()?, columns.parse().ok()?);
        Some(Variant { kernel, family, any: rest != tile, rows, columns })
    }

    /// The layer that it is for.
    fn layer(&self) -> Layer {
        match (self.family, self.any) {
            ("dgrad_", true) => LAST,
            (_, true) => FIRST,
            _ if self.rows == 4 || self.columns == 4 => LAST,
            _ => INNER,
        }
    }

    /// The launch of this variant in the place of the one that was recorded.
    fn launch(&self, program: &Program) -> Launch {
        let of_family = |launch: &&Launch| launch.kernel.entry.starts_with(self.family);
        let recorded = program.launches().iter().find(of_family).expect("the layer has all three kernels");
        Launch { kernel: self.kernel, grid: self.grid(recorded.grid[2]), ..recorded.clone() }
    }

    fn grid(&self, parts: u32) -> [u32; 3] {
        let Layer { channels, out_channels } = self.layer();
        let over = |n: usize, tile: usize| n.div_ceil(tile) as u32;
        let (x, y) = match self.family {
            "fprop_" | "bf16_fprop_" => (over(PIXELS, self.rows), over(out_channels, self.columns)),
            "dgrad_" | "bf16_dgrad_" => (over(PIXELS, self.rows), over(channels, self.columns)),
            "wgrad_" => (over(out_channels, self.rows), over(TAPS * channels, self.columns)),
            _ => (over(out_channels, self.rows), TAPS as u32 * over(channels, self.columns)),
        };
        if self.family.starts_with("bf16") { [x * y, 1, parts] } else { [x, y, parts] }
    }
}
