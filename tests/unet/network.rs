//! A network on the device, and its runs.

use crate::common::device::device;
use crate::common::goldens::{Array, Goldens};
use ddpm_ptx::checkpoint::pipeline;
use ddpm_ptx::device::{Buffer, DType};
use ddpm_ptx::graph::{Program, Tape, Tensor};
use ddpm_ptx::nn::{DropoutKey, Entry, Parameters, Precision, UNet, UNetConfig};
use ddpm_ptx::ops::cast::cast;
use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

pub struct Network {
    pub unet: UNet,
    pub parameters: Parameters,
}

/// A recorded forward pass.
pub struct ForwardPass {
    program: Program,
    prediction: Tensor,
}

/// A recorded training pass, which goes backward from a given gradient of the prediction.
pub struct TrainingPass {
    program: Program,
    prediction: Tensor,
    pub gradients: Arc<Buffer>,
}

impl Network {
    pub fn new(unet: UNet, weights: &[f32]) -> Network {
        let parameters = Parameters::upload(unet.layout().clone(), &device(), weights).unwrap();
        Network { unet, parameters }
    }

    /// The same network, computing in bf16.
    pub fn in_bf16(self) -> Network {
        let parameters = self.parameters.with_precision(&device(), Precision::Bf16).unwrap();
        let mut tape = Tape::inference();
        parameters.record_rounding(&mut tape);
        tape.compile(&device()).unwrap().run().unwrap();
        Network { parameters, ..self }
    }

    /// The network of a pipeline folder.
    pub fn open(folder: &Path) -> Network {
        let pipeline = pipeline::read(folder).unwrap();
        Network::new(pipeline.unet, &pipeline.weights)
    }

    /// The golden network with another config; the weights that it lacks are left out.
    pub fn golden_with(name: &str, config: UNetConfig) -> Network {
        let file = Goldens::open(&format!("{name}/unet/diffusion_pytorch_model"));
        let unet = UNet::new(config).unwrap();
        let weights = unet.layout().pack(|entry| Ok::<_, Infallible>(file.array(&entry.name).f32()));
        Network::new(unet, &weights.unwrap())
    }

    /// The prediction for `x [N, H, W, C]` at timesteps `t`, and the outputs of the blocks by name.
    pub fn predict_traced(&self, x: &Array, t: &[u32]) -> (Vec<f32>, Vec<(String, Vec<f32>)>) {
        let mut tape = Tape::inference();
        let (x, t) = inputs(&mut tape, x, t);
        let (y, trace) = self.unet.forward_traced(&mut tape, &self.parameters.bind(), &x, &t, None);
        for (_, tensor) in &trace {
            tape.keep(tensor);
        }
        tape.keep(&y);
        let program = tape.compile(&device()).unwrap();
        program.poison().unwrap();
        program.run().unwrap();
        let read = |(name, tensor): &(String, Tensor)| (name.clone(), program.read(tensor).unwrap());
        (program.read(&y).unwrap(), trace.iter().map(read).collect())
    }

    pub fn predict(&self, x: &Array, t: &[u32]) -> Vec<f32> {
        self.forward_pass(x, t, None).run()
    }

    /// Records forward, with dropout if there is a seed.
    pub fn forward_pass(&self, x: &Array, t: &[u32], dropout: Option<u64>) -> ForwardPass {
        let mut tape = Tape::inference();
        let (x, t) = inputs(&mut tape, x, t);
        let dropout = dropout.map(|seed| dropout_key(&mut tape, seed));
        let prediction = self.unet.forward(&mut tape, &self.parameters.bind(), &x, &t, dropout);
        tape.keep(&prediction);
        let program = tape.compile(&device()).unwrap();
        program.poison().unwrap();
        ForwardPass { program, prediction }
    }

    /// Records forward and backward, with dropout if there is a seed. All gradients begin as NaN.
    pub fn training_pass(&self, x: &Array, t: &[u32], dy: &[f32], dropout: Option<u64>) -> TrainingPass {
        let mut tape = Tape::training();
        let (x, t) = inputs(&mut tape, x, t);
        let gradients = Arc::new(device().upload(&self.nothing_written()).unwrap());
        let dropout = dropout.map(|seed| dropout_key(&mut tape, seed));
        let weights = self.parameters.bind_training(&gradients);
        let prediction = self.unet.forward(&mut tape, &weights, &x, &t, dropout);
        tape.keep(&prediction);
        let dy = Arc::new(device().upload(dy).unwrap());
        let dy = tape.resident(&dy, 0, prediction.shape(), DType::F32);
        let dy = match weights.precision() {
            Precision::F32 => dy,
            Precision::Bf16 => cast(&mut tape, &dy, DType::BF16),
        };
        tape.backward(&prediction, &dy);
        let program = tape.compile(&device()).unwrap();
        program.poison().unwrap();
        TrainingPass { program, prediction, gradients }
    }

    /// An arena of NaN, but for the padding, which is zero.
    fn nothing_written(&self) -> Vec<f32> {
        let nan = |entry: &Entry| Ok::<_, Infallible>(vec![f32::NAN; entry.slot.len()]);
        self.unet.layout().pack(nan).unwrap()
    }
}

impl ForwardPass {
    pub fn run(&self) -> Vec<f32> {
        self.program.run().unwrap();
        self.program.read(&self.prediction).unwrap()
    }
}

impl TrainingPass {
    /// The prediction, and the arena of gradients.
    pub fn run(&self) -> (Vec<f32>, Vec<f32>) {
        self.program.run().unwrap();
        (self.program.read(&self.prediction).unwrap(), self.gradients.to_vec().unwrap())
    }
}

fn inputs(tape: &mut Tape, x: &Array, t: &[u32]) -> (Tensor, Tensor) {
    let data = Arc::new(device().upload(&x.f32()).unwrap());
    let times = Arc::new(device().upload(t).unwrap());
    (tape.resident(&data, 0, &x.shape, DType::F32), tape.resident(&times, 0, &[t.len()], DType::U32))
}

/// The key of a training step.
fn dropout_key(tape: &mut Tape, seed: u64) -> DropoutKey {
    let step = Arc::new(device().upload(&[3u64]).unwrap());
    DropoutKey { seed, step: tape.resident(&step, 0, &[1], DType::U64) }
}
