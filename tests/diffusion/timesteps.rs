//! Timestep spacings; expected lists are numpy's.

use ddpm_ptx::diffusion::Spacing;

#[test]
fn leading() {
    let timesteps = Spacing::Leading.timesteps(1000, 50, 0);
    assert_eq!(timesteps, (0..50).rev().map(|i| 20 * i).collect::<Vec<u32>>());
    // 1000 / 30 is rounded down.
    assert_eq!(Spacing::Leading.timesteps(1000, 30, 1)[..3], [958, 925, 892]);
    assert_eq!(Spacing::Leading.timesteps(1000, 30, 1)[29], 1);
    assert_eq!(Spacing::Leading.timesteps(1000, 1000, 0), (0..1000).rev().collect::<Vec<u32>>());
}

#[test]
fn linspace() {
    assert_eq!(
        Spacing::Linspace.timesteps(1000, 11, 0),
        [999, 899, 799, 699, 599, 500, 400, 300, 200, 100, 0]
    );
    assert_eq!(Spacing::Linspace.timesteps(1000, 1, 0), [0]);
    assert_eq!(Spacing::Linspace.timesteps(1000, 2, 0), [999, 0]);
}

/// 0.5, 1.5, 2.5 and so on go to the even side.
#[test]
fn ties_are_rounded_to_even() {
    assert_eq!(Spacing::Linspace.timesteps(4, 3, 0), [3, 2, 0]);
    assert_eq!(Spacing::Trailing.timesteps(5, 2, 0), [4, 1]);
}

#[test]
fn trailing() {
    let timesteps = Spacing::Trailing.timesteps(1000, 50, 0);
    assert_eq!(timesteps, (1..=50).rev().map(|i| 20 * i - 1).collect::<Vec<u32>>());
    assert_eq!(Spacing::Trailing.timesteps(1000, 10, 0)[..2], [999, 899]);
    assert_eq!(Spacing::Trailing.timesteps(1000, 3, 0), [999, 666, 332]);
}

/// `quad` of the DDIM authors.
#[test]
fn quadratic() {
    assert_eq!(Spacing::Quadratic.timesteps(1000, 10, 0), [800, 632, 483, 355, 246, 158, 88, 39, 9, 0]);
    assert_eq!(Spacing::Quadratic.timesteps(1000, 1, 0), [0]);
}
