use ddpm_ptx::data::{DataError, Dataset, Loader, Order};
use std::collections::HashSet;
use std::sync::Arc;

#[test]
fn every_epoch_shows_every_image_once_in_a_new_order() {
    // 10 steps of 7 images are 2 epochs of 35; batches 0..5 are the first.
    let order = Order::new(35, 7, 5);
    let epoch = |steps: std::ops::Range<u64>| -> Vec<usize> { steps.flat_map(|s| order.batch(s)).collect() };
    let (first, second) = (epoch(0..5), epoch(5..10));
    for epoch in [&first, &second] {
        assert_eq!(epoch.iter().collect::<HashSet<_>>().len(), 35);
        assert!(epoch.iter().all(|&index| index < 35));
    }
    assert_ne!(first, second);
    assert_ne!(first, Order::new(35, 7, 6).batch(0));
}

#[test]
fn batches_run_across_the_end_of_an_epoch() {
    let small = Order::new(3, 1, 9);
    let across = Order::new(3, 8, 9);
    let expected: Vec<usize> = (16..24).flat_map(|step| small.batch(step)).collect();
    assert_eq!(across.batch(2), expected);
}

#[test]
fn batches_read_ahead_are_those_of_their_steps() {
    let order = Order::new(Numbers::LEN, 4, 1);
    let loader = Loader::new(Arc::new(Numbers { broken: None }), order, 3, 20);
    let batches: Vec<_> = loader.map(Result::unwrap).collect();
    assert_eq!(batches.len(), 17);
    for (batch, step) in batches.iter().zip(3..) {
        assert_eq!(batch.step, step);
        let shown: Vec<usize> = batch.pixels.iter().map(|&pixel| usize::from(pixel)).collect();
        assert_eq!(shown, order.batch(step));
    }
}

#[test]
fn an_image_that_cannot_be_read_ends_the_batches_with_its_error() {
    let order = Order::new(Numbers::LEN, 4, 1);
    let broken = order.batch(2)[1];
    let mut loader = Loader::new(Arc::new(Numbers { broken: Some(broken) }), order, 0, 20);
    assert!(loader.next().unwrap().is_ok());
    assert!(loader.next().unwrap().is_ok());
    assert!(matches!(loader.next(), Some(Err(DataError::Shapes(_)))));
    assert!(loader.next().is_none());
}

#[test]
fn a_loader_that_is_dropped_lets_go_of_the_images() {
    let images: Arc<Numbers> = Arc::new(Numbers { broken: None });
    let mut loader = Loader::new(images.clone(), Order::new(Numbers::LEN, 4, 1), 0, u64::MAX);
    loader.next().unwrap().unwrap();
    drop(loader);
    for _ in 0..1000 {
        if Arc::strong_count(&images) == 1 {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    panic!("the thread still runs");
}

/// Images of one grey pixel that is their own number.
struct Numbers {
    broken: Option<usize>,
}

impl Numbers {
    const LEN: usize = 50;
}

impl Dataset for Numbers {
    fn len(&self) -> usize {
        Numbers::LEN
    }
    fn size(&self) -> usize {
        1
    }
    fn channels(&self) -> usize {
        1
    }
    fn read(&self, index: usize, pixels: &mut [u8]) -> Result<(), DataError> {
        if self.broken == Some(index) {
            return Err(DataError::Shapes(index));
        }
        pixels[0] = index as u8;
        Ok(())
    }
}
