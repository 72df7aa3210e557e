//! Variables of the module with initial values.

use crate::fixtures;
use crate::program::{Params, load_all};

#[test]
fn tables() {
    let stencil = [[0.5f32, -1.0, 0.5], [-1.0, 4.0, 0.0], [0.5, -1.0, 0.5]];
    let powers = [[[1.0f32, 10.0], [100.0, 1e3]], [[1e4, 1e5], [1e6, 1e-7]]];
    for module in load_all(fixtures!["constants.nvrtc", "constants.clang"]) {
        for (launch, which) in [0i32, 1].into_iter().enumerate() {
            let (y, count) = (module.output::<f32>(32), module.output::<i32>(1));
            let params = Params::new().pointer(&y).value(which).pointer(&count);
            module.run("tables", [1; 3], [32, 1, 1], params);
            let (key, value, list) =
                [(7.0f32, 0.25f32, [1.0f32, 3.0, 5.0]), (-9.0, -1.5, [4.0, 6.0, 8.0])][which as usize];
            let wanted = |i: usize| {
                let start = key + value * list[i % 3];
                let sum = (0..3).fold(start, |sum, k| sum + stencil[i % 3][k] * (k + 1) as f32);
                let character = f32::from(b"a\"b\\\n\0"[i % 6]);
                sum + powers[which as usize][i / 2 % 2][i % 2] + character
            };
            let wanted: Vec<f32> = (0..32).map(wanted).collect();
            assert_eq!(y.to_vec::<f32>().expect("readable"), wanted, "{}, {which}", module.name);
            // The counter lives as long as the module.
            assert_eq!(
                count.to_vec::<i32>().expect("readable"),
                [496 * (launch as i32 + 1)],
                "{}",
                module.name
            );
        }
    }
}
