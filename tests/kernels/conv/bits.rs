//! Results that must not depend on how the work is cut: by tile, or by batch.

use super::case::{Case, Data, GEOMETRIES};
use crate::common::compare::assert_same_bits;
use crate::common::device::device;
use crate::common::random::Random;
use crate::common::recording::{Recording, read};
use ddpm_ptx::device::{Arg, DType, Kernel, Launch};
use ddpm_ptx::kernels;

/// The tile in a variant's name: `fprop_any_128x64` computes 128 x 64.
fn tile(kernel: &Kernel) -> (usize, usize) {
    let (_, tile) = kernel.entry.rsplit_once('_').expect("an entry's name ends with its tile");
    let (rows, columns) = tile.split_once('x').expect("a tile is ROWSxCOLUMNS");
    (rows.parse().unwrap(), columns.parse().unwrap())
}

/// `launch` with `variant` in the place of a kernel of `family`.
pub fn replaced(launch: &Launch, family: &str, variant: &'static Kernel) -> Launch {
    if !launch.kernel.entry.starts_with(family) {
        return launch.clone();
    }
    let [x, y, z] = launch.grid;
    let grid = if family.starts_with("bf16") {
        [blocks(launch, family, tile(variant)) as u32, y, z]
    } else {
        // The new tiles cover what the old ones did; blocks beyond the end have nothing to do.
        let (old, new) = (tile(launch.kernel), tile(variant));
        [(x as usize * old.0).div_ceil(new.0) as u32, (y as usize * old.1).div_ceil(new.1) as u32, z]
    };
    Launch { kernel: variant, grid, ..launch.clone() }
}

/// Blocks of a bf16 kernel, which counts tiles in both directions along grid x.
fn blocks(launch: &Launch, family: &str, (rows, columns): (usize, usize)) -> usize {
    let number = |name: &str| {
        let position = launch.kernel.params.iter().position(|param| *param == name).unwrap();
        match launch.args[position] {
            Arg::U32(number) => number as usize,
            other => panic!("{name} is {other:?}"),
        }
    };
    match family {
        "bf16_fprop_" => number("pixels").div_ceil(rows) * number("out_channels").div_ceil(columns),
        "bf16_dgrad_" => {
            let [height, width] = ["height", "width"].map(|side| number(side).div_ceil(number("stride")));
            (number("images") * height * width).div_ceil(rows) * number("channels").div_ceil(columns)
        }
        _ => {
            let inputs = number("c0").div_ceil(columns) + number("c1").div_ceil(columns);
            let taps = (number("kernel") << number("up")).pow(2);
            number("out_channels").div_ceil(rows) * taps * inputs
        }
    }
}

/// Output, gradients of the inputs, gradient of the weights, with `family`'s kernels replaced.
fn results(case: &Case, data: &Data, family: &str, variant: &'static Kernel) -> Vec<Vec<f32>> {
    let mut recording = Recording::training();
    let recorded = case.record(&mut recording, data);
    recording.backward(&recorded.y, &data.dy);
    let mut tensors = vec![recorded.y.clone()];
    tensors.extend(recorded.inputs.iter().map(|input| recording.gradient(input)));
    tensors.push(recording.gradient(&recorded.weight));
    tensors.iter().for_each(|tensor| recording.tape.keep(tensor));
    let program = recording.tape.compile(&device()).unwrap();
    program.poison().unwrap();
    for launch in program.launches() {
        device().launch(&replaced(launch, family, variant)).unwrap();
    }
    tensors.iter().map(|tensor| read(&program, tensor)).collect()
}

#[test]
fn same_for_every_tile() {
    let mut random = Random::new(600);
    for (_, geometry) in GEOMETRIES {
        for (dtype, channels, out_channels, families) in [
            (DType::F32, vec![20, 12], 44, ["fprop_", "dgrad_", "wgrad_"]),
            (DType::BF16, vec![40, 72], 88, ["bf16_fprop_", "bf16_dgrad_", "bf16_wgrad_"]),
        ] {
            let case = Case { dtype, images: 3, height: 7, width: 9, channels, out_channels, geometry };
            let data = case.data(&mut random, true);
            for family in families {
                let mut variants = kernels::ALL.iter().filter(|kernel| kernel.entry.starts_with(family));
                let first = results(&case, &data, family, variants.next().unwrap());
                for variant in variants {
                    let other = results(&case, &data, family, variant);
                    for (got, want) in other.iter().zip(&first) {
                        assert_same_bits(
                            &format!("{}, {geometry:?}", variant.entry),
                            &[got.len()],
                            got,
                            want,
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn same_in_every_batch() {
    let mut random = Random::new(700);
    for (_, geometry) in GEOMETRIES {
        for (dtype, channels, out_channels) in [
            (DType::F32, vec![16, 8], 40),
            (DType::F32, vec![3], 32),
            (DType::F32, vec![32], 3),
            (DType::BF16, vec![16, 8], 40),
        ] {
            let inputs = channels.len();
            let all = Case { dtype, images: 21, height: 6, width: 8, channels, out_channels, geometry };
            let data = all.data(&mut random, true);
            let together = forward_and_dx(&all, &data);
            let one = Case { images: 1, ..all.clone() };
            for image in [0, 7, 20] {
                let alone = forward_and_dx(&one, &of_image(&data, all.images, image));
                for number in 0..1 + inputs {
                    let part = slice(&together[number], all.images, image);
                    let what = format!("image {image} of {all:?}, tensor {number}");
                    assert_same_bits(&what, &[part.len()], &part, &alone[number]);
                }
            }
        }
    }
}

/// The output, and the gradients of the inputs.
fn forward_and_dx(case: &Case, data: &Data) -> Vec<Vec<f32>> {
    let mut recording = Recording::training();
    let recorded = case.record(&mut recording, data);
    recording.backward(&recorded.y, &data.dy);
    let mut tensors = vec![recorded.y.clone()];
    tensors.extend(recorded.inputs.iter().map(|input| recording.gradient(input)));
    recording.run(&tensors.iter().collect::<Vec<_>>())
}

fn slice(tensor: &[f32], images: usize, image: usize) -> Vec<f32> {
    let len = tensor.len() / images;
    tensor[image * len..][..len].to_vec()
}

fn of_image(data: &Data, images: usize, image: usize) -> Data {
    let part = |tensor: &Option<Vec<f32>>| tensor.as_ref().map(|tensor| slice(tensor, images, image));
    Data {
        inputs: data.inputs.iter().map(|input| slice(input, images, image)).collect(),
        weight: data.weight.clone(),
        bias: data.bias.clone(),
        per_image: part(&data.per_image),
        residual: part(&data.residual),
        dy: slice(&data.dy, images, image),
    }
}
