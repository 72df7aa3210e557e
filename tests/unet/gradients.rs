//! Gradients of the loss, and one step of Adam, against PyTorch.

use crate::common::goldens::{Goldens, path, text};
use crate::forward::golden_inputs;
use crate::network::Network;
use serde_json::Value;

/// PyTorch's own f32 gradients are up to 1.1e-5 of a tensor's largest off its f64 ones.
const GRADIENT: f64 = 2e-5;

/// The network's gradients of the mean square of prediction minus noise.
fn gradients(name: &str) -> (Network, Vec<f32>) {
    let network = Network::open(&path(name));
    let io = Goldens::open(&format!("{name}/golden_io"));
    let (x, t) = golden_inputs(&io);
    let noise = io.array("noise").nhwc();
    let prediction = network.predict(&x, &t);
    let count = prediction.len() as f64;
    let error = |(&y, noise): (&f32, &f64)| f64::from(y) - noise;
    let errors: Vec<f64> = prediction.iter().zip(&noise.data).map(error).collect();

    let loss = errors.iter().map(|error| error * error).sum::<f64>() / count;
    let expected = io.array("loss_f64").data[0];
    assert!((loss / expected - 1.0).abs() < 1e-5, "{name}: loss {loss} instead of {expected}");

    let dy: Vec<f32> = errors.iter().map(|error| (2.0 * error / count) as f32).collect();
    let (_, gradients) = network.training_pass(&x, &t, &dy, None).run();
    (network, gradients)
}

fn stats(name: &str) -> Value {
    serde_json::from_str(&text(&format!("{name}/grad_stats.json"))).unwrap()
}

/// Compares every tensor, or its first elements where the golden has no more, by its largest element.
fn check(name: &str, file: &str) {
    let expected = Goldens::open(file);
    let stats = stats(name);
    let zero: Vec<&str> =
        stats["zero_grad_params"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let (network, gradients) = gradients(name);
    let layout = network.unet.layout();
    assert_eq!(expected.names().len(), layout.entries().len());
    let mut worst = (0.0, String::new());
    let mut wrong = vec![];
    for entry in layout.entries() {
        let got = layout.unpack(&gradients, entry);
        assert!(got.iter().all(|value| value.is_finite()), "{}: not every gradient was written", entry.name);
        let largest = stats["per_param"][&entry.name]["max_abs_f64"].as_f64().unwrap();
        let own_error = stats["per_param"][&entry.name]["max_abs_err_f32"].as_f64().unwrap();
        let want = expected.array(&entry.name).data;
        let error =
            want.iter().zip(&got).map(|(want, &got)| (f64::from(got) - want).abs()).fold(0.0, f64::max);
        if zero.contains(&entry.name.as_str()) {
            // Mathematically zero: both are the rounding noise of the sums that cancel.
            assert!(error < 1e-6, "{}: {error:.1e} instead of nothing", entry.name);
            continue;
        }
        if error / largest > worst.0 {
            worst = (error / largest, entry.name.clone());
        }
        if error > GRADIENT * largest + own_error {
            wrong.push(format!("{}: off by {:.1e} of its largest", entry.name, error / largest));
        }
    }
    println!("{name}: worst gradient {:.2e} of its tensor's largest, {}", worst.0, worst.1);
    assert!(wrong.is_empty(), "{name}: {} tensors are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn tiny() {
    check("tiny", "tiny/grads");
}

#[test]
fn tiny2() {
    check("tiny2", "tiny2/grads_subset");
}
