//! What a network that knows classes is asked for.

use crate::graph::{Tape, Tensor};
use crate::ops::twice::twice;
use std::borrow::Cow;

/// Classes of the images, and how far predictions for them are moved away from those for no class.
#[derive(Debug, Clone, PartialEq)]
pub struct Guidance {
    /// Image number i is to be of class `classes[i % classes.len()]`.
    pub classes: Vec<u32>,
    /// The label for no class.
    pub none: u32,
    /// w of `(1 + w) eps(class) - w eps(none)`; diffusers' `guidance_scale` is 1 + w. 0 does without the second half.
    pub weight: f32,
}

impl Guidance {
    /// How often the network sees each image in a step.
    pub fn passes(&self) -> usize {
        if self.weight == 0.0 { 1 } else { 2 }
    }

    /// Labels of the images of these numbers, as the network sees them.
    pub(super) fn labels(&self, numbers: &[u32]) -> Vec<u32> {
        let class = |&number: &u32| self.classes[number as usize % self.classes.len()];
        let mut labels: Vec<u32> = numbers.iter().map(class).collect();
        labels.resize(self.passes() * numbers.len(), self.none);
        labels
    }

    /// Records what the network is to see of `x [N,H,W,C]`, in all passes.
    pub(super) fn seen<'a>(&self, tape: &mut Tape, x: &'a Tensor) -> Cow<'a, Tensor> {
        if self.passes() == 1 { Cow::Borrowed(x) } else { Cow::Owned(twice(tape, x)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_the_class_of_its_number() {
        let plain = Guidance { classes: vec![4, 1], none: 9, weight: 0.0 };
        assert_eq!(plain.labels(&[0, 1, 2, 7]), [4, 1, 4, 1]);
        let guided = Guidance { weight: 2.0, ..plain };
        assert_eq!(guided.labels(&[5, 6]), [1, 4, 9, 9]);
    }
}
