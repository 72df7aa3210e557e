//! Classes in training.

use crate::random::{Philox, Stream, uniform};
use serde::{Deserialize, Serialize};

/// The classes that a network is told of. One more row of its class embedding, the last, stands for no class: in part of the
/// images it takes the place of theirs, so that the network learns to do without, which guidance needs (Ho, Salimans
/// 2022, algorithm 1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Labels {
    /// Their names, in the order of their numbers.
    pub classes: Vec<String>,
    /// Probability that an image is shown without its class.
    pub dropout: f64,
}

impl Labels {
    /// Rows of the class embedding.
    pub fn rows(&self) -> usize {
        self.classes.len() + 1
    }

    /// The label that stands for no class.
    pub fn none(&self) -> u32 {
        self.classes.len() as u32
    }

    /// The labels that a training step shows of these: a function of the seed, the step and the place in the batch.
    pub fn shown(&self, labels: &[u32], seed: u64, step: u64) -> Vec<u32> {
        let philox = Philox::new(seed);
        let is_dropped = |place: u32| {
            let [word, ..] = philox.words(Stream::LABEL, place, step as u32, 0);
            f64::from(uniform(word)) < self.dropout
        };
        let shown = |(place, &label)| if is_dropped(place) { self.none() } else { label };
        (0..).zip(labels).map(shown).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of 4000 images 400 are expected without their class, with a deviation of 19.
    #[test]
    fn a_part_of_the_labels_is_dropped_by_seed_and_step() {
        let labels = Labels { classes: vec!["a".into(), "b".into()], dropout: 0.1 };
        let given: Vec<u32> = (0..4000).map(|place| place % 2).collect();
        let shown = labels.shown(&given, 5, 7);
        let dropped = shown.iter().filter(|&&label| label == labels.none()).count();
        assert!((300..500).contains(&dropped), "{dropped}");
        assert!(shown.iter().zip(&given).all(|(shown, given)| shown == given || *shown == 2));
        assert_eq!(shown, labels.shown(&given, 5, 7));
        assert_ne!(shown, labels.shown(&given, 5, 8));
        assert_ne!(shown, labels.shown(&given, 6, 7));
        assert_eq!(Labels { dropout: 0.0, ..labels }.shown(&given, 5, 7), given);
    }
}
