//! Which tile of the matrix product a block computes.
//!
//! The choice depends on the shape alone, and no result depends on the choice: every tile adds up an element's terms
//! in the same order.

use super::shape::Shape;

/// A kernel variant's tile.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tile {
    rows: usize,
    columns: usize,
    /// What a multiplication costs in this tile, all else shared out among them: 100 in the best one. Measured on the
    /// software device, where it follows the share of the multiplications in the instructions.
    effort: usize,
}

/// A launch of few blocks leaves a device idle. It counts as this many blocks more, so that smaller ones win.
const IDLE: usize = 2;

impl Tile {
    pub const fn new(rows: usize, columns: usize, effort: usize) -> Tile {
        Tile { rows, columns, effort }
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Blocks that cover a matrix.
    pub fn grid(&self, rows: usize, columns: usize) -> (usize, usize) {
        (rows.div_ceil(self.rows), columns.div_ceil(self.columns))
    }

    /// What a launch over `layers` matrices costs.
    fn cost(&self, rows: usize, columns: usize, layers: usize) -> usize {
        let (x, y) = self.grid(rows, columns);
        (x * y * layers + IDLE) * self.rows * self.columns * self.effort
    }
}

/// The variants of a kernel that can serve `shape`: those for `any` channels, the `narrow` one where the inputs' are
/// in fours, and those `by_fours` where the output's are as well.
pub(super) fn fitting<L: Copy>(
    shape: &Shape,
    any: &[(Tile, L)],
    narrow: (Tile, L),
    by_fours: &[(Tile, L)],
) -> Vec<(Tile, L)> {
    let mut variants = any.to_vec();
    if shape.in_fours() {
        variants.push(narrow);
        if shape.out_channels.is_multiple_of(4) {
            variants.extend(by_fours);
        }
    }
    variants
}

/// The variant whose tile suits `layers` matrices (grid z) best; the first of equals.
pub(super) fn choose<L: Copy>(
    variants: &[(Tile, L)],
    rows: usize,
    columns: usize,
    layers: usize,
) -> (Tile, L) {
    let cost = |variant: &&(Tile, L)| variant.0.cost(rows, columns, layers);
    *variants.iter().min_by_key(cost).expect("a kernel has variants")
}

#[cfg(test)]
mod tests {
    use super::{Tile, choose};

    const VARIANTS: [(Tile, &str); 4] = [
        (Tile::new(128, 64, 100), "large"),
        (Tile::new(128, 32, 110), "half"),
        (Tile::new(32, 32, 145), "small"),
        (Tile::new(128, 4, 240), "narrow"),
    ];

    fn chosen(rows: usize, columns: usize, layers: usize) -> &'static str {
        choose(&VARIANTS, rows, columns, layers).1
    }

    #[test]
    fn tiles_fit_the_matrix() {
        assert_eq!(chosen(8192, 64, 1), "large");
        assert_eq!(chosen(8192, 32, 1), "half");
        assert_eq!(chosen(8192, 96, 1), "half");
        assert_eq!(chosen(8192, 3, 1), "narrow");
    }

    #[test]
    fn small_launches_are_spread() {
        assert_eq!(chosen(32, 256, 1), "small");
        assert_eq!(chosen(128, 128, 1), "small");
        assert_eq!(chosen(128, 128, 64), "large");
    }
}
