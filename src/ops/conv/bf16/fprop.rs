//! Launching the forward kernel.

use super::super::Epilogue;
use super::super::shape::{Shape, count};
use super::super::tiles::{Tile, choose};
use super::phases::Phases;
use crate::device::DType;
use crate::graph::{Tape, Tensor};
use crate::kernels::conv as kernels;
use crate::ops::moments;

const VARIANTS: [(Tile, kernels::Bf16Fprop); 5] = [
    (Tile::new(128, 128, 100), kernels::bf16_fprop_128x128),
    (Tile::new(128, 64, 110), kernels::bf16_fprop_128x64),
    (Tile::new(128, 32, 130), kernels::bf16_fprop_128x32),
    (Tile::new(64, 64, 140), kernels::bf16_fprop_64x64),
    (Tile::new(32, 32, 200), kernels::bf16_fprop_32x32),
];

/// y = x * w + epilogue.
pub fn launch(
    tape: &mut Tape,
    shape: &Shape,
    inputs: &[&Tensor],
    weight: &Tensor,
    epilogue: &Epilogue,
    y: &Tensor,
) {
    let phases = Phases::of(&shape.geometry);
    let up = shape.geometry.up();
    let pixels = shape.out_pixels() / phases.count;
    let (tile, launcher) = choose(&VARIANTS, pixels, shape.out_channels, phases.count);
    let in_bf16 = y.dtype() == DType::BF16;
    // No part lies in two images, nor in two phases of one.
    let whole = phases.count == 1
        || (shape.out_height * shape.out_width / phases.count).is_multiple_of(moments::PIXELS);
    let moments = if epilogue.normalised && in_bf16 && whole { moments::attach(tape, y) } else { None };
    let shortcut =
        |number: usize| epilogue.shortcut.and_then(|shortcut| shortcut.inputs.get(number).copied());
    let shortcut_channels = |number| shortcut(number).map_or(0, |z| z.shape()[3]);
    let call = launcher(
        inputs[0].input(),
        inputs.get(1).map(|second| second.input()),
        weight.input(),
        shortcut(0).map(Tensor::input),
        shortcut(1).map(Tensor::input),
        epilogue.shortcut.map(|shortcut| shortcut.weight.input()),
        epilogue.bias.map(Tensor::input),
        epilogue.shortcut.map(|shortcut| shortcut.bias.input()),
        epilogue.per_image.map(Tensor::input),
        epilogue.residual.map(Tensor::input),
        in_bf16.then(|| y.output()),
        (!in_bf16).then(|| y.output()),
        moments.as_ref().map(Tensor::output),
        count(pixels),
        count(shape.height),
        count(shape.width),
        count(shape.channels[0]),
        count(shape.channels[1]),
        count(shortcut_channels(0)),
        count(shortcut_channels(1)),
        count(shape.out_height >> up),
        count(shape.out_width >> up),
        count(shape.out_channels),
        count(phases.kernel),
        count(shape.geometry.stride),
        count(phases.pad),
        up,
    );
    let (x, y) = tile.grid(pixels, shape.out_channels);
    tape.launch(call.grid(x * y, 1, phases.count));
}
