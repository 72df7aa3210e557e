//! Launching the forward kernel.

use super::Epilogue;
use super::shape::{Shape, count};
use super::tiles::{Tile, choose, fitting};
use crate::graph::{Tape, Tensor};
use crate::kernels::conv as kernels;

/// Input and output channels by fours.
const BY_FOURS: [(Tile, kernels::Fprop); 7] = [
    (Tile::new(128, 128, 100), kernels::fprop_128x128),
    (Tile::new(128, 64, 100), kernels::fprop_128x64),
    (Tile::new(128, 32, 110), kernels::fprop_128x32),
    (Tile::new(128, 16, 130), kernels::fprop_128x16),
    (Tile::new(64, 64, 135), kernels::fprop_64x64),
    (Tile::new(64, 32, 140), kernels::fprop_64x32),
    (Tile::new(32, 32, 145), kernels::fprop_32x32),
];

/// Input channels by fours: the last layer, with few output channels.
const NARROW: (Tile, kernels::Fprop) = (Tile::new(128, 4, 240), kernels::fprop_128x4);

/// Any numbers of channels: the first layer.
const ANY: [(Tile, kernels::Fprop); 4] = [
    (Tile::new(128, 64, 115), kernels::fprop_any_128x64),
    (Tile::new(128, 32, 125), kernels::fprop_any_128x32),
    (Tile::new(32, 32, 160), kernels::fprop_any_32x32),
    (Tile::new(128, 4, 300), kernels::fprop_any_128x4),
];

/// y = x * w + epilogue.
pub(super) fn launch(
    tape: &mut Tape,
    shape: &Shape,
    inputs: &[&Tensor],
    weight: &Tensor,
    epilogue: &Epilogue,
    y: &Tensor,
) {
    let pixels = shape.out_pixels();
    let (tile, launcher) = choose(&fitting(shape, &ANY, NARROW, &BY_FOURS), pixels, shape.out_channels, 1);
    let call = launcher(
        inputs[0].input(),
        inputs.get(1).map(|second| second.input()),
        weight.input(),
        epilogue.bias.map(Tensor::input),
        epilogue.per_image.map(Tensor::input),
        epilogue.residual.map(Tensor::input),
        y.output(),
        count(pixels),
        count(shape.height),
        count(shape.width),
        count(shape.channels[0]),
        count(shape.channels[1]),
        count(shape.out_height),
        count(shape.out_width),
        count(shape.out_channels),
        count(shape.geometry.kernel),
        count(shape.geometry.stride),
        count(shape.geometry.pad.before()),
        shape.geometry.up(),
    );
    let (x, y) = tile.grid(pixels, shape.out_channels);
    tape.launch(call.grid(x, y, 1));
}
