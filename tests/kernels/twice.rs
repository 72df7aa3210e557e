//! A batch twice.

use crate::common::random::Random;
use crate::common::recording::Recording;
use ddpm_ptx::ops::twice::twice;

#[test]
fn one_behind_the_other() {
    for shape in [[1, 1, 1, 1], [3, 5, 7, 3], [2, 16, 16, 3]] {
        let x = Random::new(1).normals(shape.iter().product());
        let mut recording = Recording::inference();
        let input = recording.input(&shape, &x);
        let y = twice(&mut recording.tape, &input);
        assert_eq!(recording.run(&[&y]).remove(0), [x.clone(), x].concat());
    }
}
