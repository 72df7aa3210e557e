//! A 3 x 3 convolution with a 1 x 1 shortcut of other inputs.

use super::case::{Case, DTYPES, Data};
use crate::common::compare::{assert_close, assert_same_bits};
use crate::common::random::Random;
use crate::common::recording::{Recording, read};
use ddpm_ptx::device::DType;
use ddpm_ptx::graph::Tensor;
use ddpm_ptx::kernels;
use ddpm_ptx::ops::conv::{Epilogue, Geometry, Shortcut, conv};

/// Images, height, width, channels of the inputs, of those of the shortcut, of the output.
type Extents = (usize, usize, usize, &'static [usize], &'static [usize], usize);

const EXTENTS: [Extents; 6] = [
    (1, 1, 1, &[8], &[8], 8),
    (2, 5, 7, &[24], &[40], 136),
    (2, 6, 6, &[64], &[32], 64),
    (3, 8, 8, &[128], &[72, 24], 128),
    (2, 4, 9, &[16, 8], &[8, 48], 56),
    (1, 7, 5, &[32], &[64, 64], 16),
];

fn pairs(random: &mut Random) -> Vec<(Pair, Data, Data)> {
    let mut pairs = vec![];
    for dtype in DTYPES {
        for (images, height, width, channels, of_shortcut, out_channels) in EXTENTS {
            let case = |channels: &[usize], geometry| Case {
                dtype,
                images,
                height,
                width,
                channels: channels.to_vec(),
                out_channels,
                geometry,
            };
            let pair = Pair {
                main: case(channels, Geometry::SAME_3X3),
                shortcut: case(of_shortcut, Geometry::POINTWISE),
            };
            let main = pair.main.data(random, true);
            let shortcut = Data { dy: main.dy.clone(), ..pair.shortcut.data(random, true) };
            pairs.push((pair, Data { residual: None, ..main }, shortcut));
        }
    }
    pairs
}

/// A convolution and what is added to it.
#[derive(Debug)]
struct Pair {
    main: Case,
    shortcut: Case,
}

/// The tensors on the tape, those of the convolution first.
struct Recorded {
    inputs: [Vec<Tensor>; 2],
    weights: [Tensor; 2],
    biases: [Tensor; 2],
    y: Tensor,
}

impl Pair {
    fn record(&self, recording: &mut Recording, main: &Data, shortcut: &Data) -> Recorded {
        let sides = [(&self.main, main), (&self.shortcut, shortcut)];
        let inputs = sides.map(|(case, data)| -> Vec<Tensor> {
            let numbers = 0..case.channels.len();
            numbers.map(|i| case.activation(recording, &case.input(i), &data.inputs[i])).collect()
        });
        let weights = sides.map(|(case, data)| case.weights(recording, data));
        let biases =
            sides.map(|(case, data)| recording.parameter(&[case.out_channels], data.bias.as_ref().unwrap()));
        let per_image = main
            .per_image
            .as_ref()
            .map(|addend| recording.parameter(&[self.main.images, self.main.out_channels], addend));
        let [of_main, of_shortcut] = inputs.each_ref().map(|inputs| inputs.iter().collect::<Vec<_>>());
        let epilogue = Epilogue {
            bias: Some(&biases[0]),
            per_image: per_image.as_ref(),
            shortcut: Some(Shortcut { inputs: &of_shortcut, weight: &weights[1], bias: &biases[1] }),
            ..Epilogue::default()
        };
        let y = conv(&mut recording.tape, &of_main, &weights[0], epilogue, &self.main.geometry);
        Recorded { inputs, weights, biases, y }
    }
}

#[test]
fn forward_and_backward() {
    let mut random = Random::new(900);
    for (pair, main, shortcut) in pairs(&mut random) {
        let mut recording = Recording::training();
        let Recorded { inputs, weights, biases, y } = pair.record(&mut recording, &main, &shortcut);
        recording.backward(&y, &main.dy);
        let gradients = |tensors: &[Tensor]| -> Vec<Tensor> {
            tensors.iter().map(|tensor| recording.gradient(tensor)).collect()
        };
        let (dw, db) = (gradients(&weights), gradients(&biases));
        let dx = inputs.each_ref().map(|inputs| gradients(inputs));
        let results = [&y].into_iter().chain(&dw).chain(&db).chain(dx.iter().flatten()).collect::<Vec<_>>();
        let mut got = recording.run(&results).into_iter();
        let mut got = || got.next().unwrap();

        let Case { images, height, width, out_channels: k, .. } = pair.main;
        let mut sums = pair.main.sums_of_products(&main);
        for (at, (sum, more)) in sums.iter_mut().zip(pair.shortcut.sums_of_products(&shortcut)).enumerate() {
            sum.append(&more);
            sum.add(f64::from(main.bias.as_ref().unwrap()[at % k]));
            sum.add(f64::from(shortcut.bias.as_ref().unwrap()[at % k]));
            sum.add(f64::from(main.per_image.as_ref().unwrap()[at / (height * width * k) * k + at % k]));
        }
        assert_eq!(sums.len(), images * height * width * k);
        assert_close(&format!("y, {pair:?}"), &pair.main.output(), &got(), &pair.main.rounded(&sums));
        let sides = [(&pair.main, &main), (&pair.shortcut, &shortcut)];
        for (case, data) in sides {
            assert_close(&format!("dw of {case:?}"), &case.weight(), &got(), &case.expected_dw(data));
        }
        for (case, data) in sides {
            assert_close(&format!("db of {case:?}"), &[k], &got(), &case.expected_sums(data).0);
        }
        for (case, data) in sides {
            for number in 0..case.channels.len() {
                let expected = case.expected_dx(data, number, None);
                assert_close(&format!("dx{number} of {case:?}"), &case.input(number), &got(), &expected);
            }
        }
    }
}

/// One kernel computes both in bf16, in the same order in every tile.
#[test]
fn same_for_every_tile() {
    let mut random = Random::new(901);
    for (pair, main, shortcut) in pairs(&mut random) {
        if pair.main.dtype != DType::BF16 {
            continue;
        }
        let mut recording = Recording::inference();
        let y = pair.record(&mut recording, &main, &shortcut).y;
        assert_eq!(recording.tape.len(), 1, "{pair:?}");
        let program = recording.program(&[&y]);
        let results: Vec<Vec<f32>> = kernels::ALL
            .iter()
            .filter(|kernel| kernel.entry.starts_with("bf16_fprop_"))
            .map(|variant| {
                program.poison().unwrap();
                for launch in program.launches() {
                    let launch = super::bits::replaced(launch, "bf16_fprop_", variant);
                    crate::common::device::device().launch(&launch).unwrap();
                }
                read(&program, &y)
            })
            .collect();
        for other in &results[1..] {
            assert_same_bits(&format!("{pair:?}"), &pair.main.output(), other, &results[0]);
        }
    }
}
