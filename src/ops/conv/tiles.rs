//! Which tile of the matrix product a block computes.
//!
//! The choice depends on the shape alone, and no result depends on the choice: every tile adds up an element's terms
//! in the same order.

/// A kernel variant's tile, and the work of one of its blocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tile {
    pub rows: usize,
    pub columns: usize,
    /// Sums of a thread, along the rows and the columns.
    thread: (usize, usize),
    /// Elements loaded at once.
    width: usize,
}

/// The cost of a block counts this many times on top: small launches had better be spread over many blocks.
const SPREAD: usize = 4;

impl Tile {
    pub const fn new(rows: usize, columns: usize, thread: (usize, usize), width: usize) -> Tile {
        Tile { rows, columns, thread, width }
    }

    /// Blocks that cover a matrix.
    pub fn grid(&self, rows: usize, columns: usize) -> (usize, usize) {
        (rows.div_ceil(self.rows), columns.div_ceil(self.columns))
    }

    /// Warp-instructions of one step of the inner dimension, roughly: the multiplications (two for one, as they come
    /// in blocks), the fragments, and this step's share in loading the next tile, at 3 for an access and its address.
    fn cost(&self) -> usize {
        let (m, n) = self.thread;
        let threads = (self.rows / m) * (self.columns / n);
        let loaded = (self.rows + self.columns).div_ceil(threads);
        threads.div_ceil(32) * (m * n / 2 + 2 * (m + n) / 4 + loaded * (1 + 3 / self.width) + 2)
    }

    /// What a launch over `layers` matrices takes.
    fn time(&self, rows: usize, columns: usize, layers: usize) -> usize {
        let (x, y) = self.grid(rows, columns);
        (x * y * layers + SPREAD) * self.cost()
    }
}

/// The variant whose tile suits `layers` matrices (grid z) best; the first of equals.
pub(super) fn choose<L: Copy>(
    variants: &[(Tile, L)],
    rows: usize,
    columns: usize,
    layers: usize,
) -> (Tile, L) {
    let time = |variant: &&(Tile, L)| variant.0.time(rows, columns, layers);
    *variants.iter().min_by_key(time).expect("a kernel has variants")
}
