//! The bf16 attention kernels, by head dimension and number of tokens.

use crate::kernels::attention::*;

/// Up to this many tokens, tiles of 16 by 16 waste less than larger ones.
const SHORT: usize = 16;

/// A kernel of one variant.
pub struct Kernel<F> {
    pub launcher: F,
    /// Tokens and heads of a block.
    pub rows: usize,
    pub heads: usize,
    /// Dynamic shared memory.
    pub shared_bytes: usize,
}

/// The kernels for head dimensions up to a limit.
pub struct Variant {
    /// The largest head dimension.
    head_dim: usize,
    /// Whether the tiles are for few tokens.
    short: bool,
    pub forward: Kernel<AttentionBf16Forward>,
    pub backward_q: Kernel<AttentionBf16BackwardQ>,
    pub backward_kv: Kernel<AttentionBf16BackwardKv>,
}

/// What a kernel's `//@ variant` line says.
#[derive(Clone, Copy)]
struct Tile {
    /// BM and BN.
    rows: usize,
    columns: usize,
    /// WN: warps that share a row.
    across: usize,
}

const fn tile(rows: usize, columns: usize, across: usize) -> Tile {
    Tile { rows, columns, across }
}

/// Two heads of 8 channels share a sector of memory, and a block.
const fn heads(head_dim: usize) -> usize {
    if head_dim == 8 { 2 } else { 1 }
}

impl Tile {
    /// Bytes of `tiles` tensors' rows and columns.
    const fn tokens(self, head_dim: usize, rows: usize, columns: usize) -> usize {
        2 * heads(head_dim) * head_dim * (rows * self.rows + columns * self.columns)
    }

    /// Bytes of a factor, if it goes through shared memory.
    const fn factor(self) -> usize {
        if self.across > 1 { 2 * self.rows * self.columns } else { 0 }
    }

    /// q | k, v | weights | a maximum for each row and warp that shares it.
    const fn forward(self, head_dim: usize, launcher: AttentionBf16Forward) -> Kernel<AttentionBf16Forward> {
        let tops = if self.across > 1 { 4 * self.across * self.rows } else { 0 };
        self.kernel(head_dim, launcher, self.tokens(head_dim, 1, 2) + self.factor() + tops)
    }

    /// q, dy | v, k | ds.
    const fn backward_q(
        self,
        head_dim: usize,
        launcher: AttentionBf16BackwardQ,
    ) -> Kernel<AttentionBf16BackwardQ> {
        self.kernel(head_dim, launcher, self.tokens(head_dim, 2, 2) + self.factor())
    }

    /// k, v | q, dy | lse, delta | p, ds.
    const fn backward_kv(
        self,
        head_dim: usize,
        launcher: AttentionBf16BackwardKv,
    ) -> Kernel<AttentionBf16BackwardKv> {
        let statistics = 2 * 4 * heads(head_dim) * self.columns;
        self.kernel(head_dim, launcher, self.tokens(head_dim, 2, 2) + statistics + 2 * self.factor())
    }

    const fn kernel<F: Copy>(self, head_dim: usize, launcher: F, shared_bytes: usize) -> Kernel<F> {
        /// What a block can have on cards of compute capability 8.6 and 8.9.
        const MOST: usize = 99 * 1024;
        assert!(shared_bytes <= MOST);
        Kernel { launcher, rows: self.rows, heads: heads(head_dim), shared_bytes }
    }
}

impl Variant {
    /// The kernels for heads of `head_dim` channels on `tokens` tokens.
    ///
    /// # Panics
    /// If there are none.
    pub fn of(head_dim: usize, tokens: usize) -> &'static Variant {
        let fits = |variant: &&Variant| head_dim <= variant.head_dim && variant.short == (tokens <= SHORT);
        VARIANTS
            .iter()
            .find(fits)
            .unwrap_or_else(|| panic!("attention heads of {head_dim} channels; at most 512 can be had"))
    }
}

/// In the order of head dimensions.
static VARIANTS: &[Variant] = &[
    Variant {
        head_dim: 8,
        short: false,
        forward: tile(64, 64, 1).forward(8, attention_bf16_forward_d8),
        backward_q: tile(64, 64, 1).backward_q(8, attention_bf16_backward_q_d8),
        backward_kv: tile(64, 64, 1).backward_kv(8, attention_bf16_backward_kv_d8),
    },
    Variant {
        head_dim: 8,
        short: true,
        forward: tile(16, 16, 1).forward(8, attention_bf16_forward_d8_short),
        backward_q: tile(16, 16, 1).backward_q(8, attention_bf16_backward_q_d8_short),
        backward_kv: tile(16, 16, 1).backward_kv(8, attention_bf16_backward_kv_d8_short),
    },
    Variant {
        head_dim: 16,
        short: false,
        forward: tile(64, 64, 1).forward(16, attention_bf16_forward_d16),
        backward_q: tile(64, 64, 1).backward_q(16, attention_bf16_backward_q_d16),
        backward_kv: tile(64, 32, 1).backward_kv(16, attention_bf16_backward_kv_d16),
    },
    Variant {
        head_dim: 16,
        short: true,
        forward: tile(16, 16, 1).forward(16, attention_bf16_forward_d16_short),
        backward_q: tile(16, 16, 1).backward_q(16, attention_bf16_backward_q_d16_short),
        backward_kv: tile(16, 16, 1).backward_kv(16, attention_bf16_backward_kv_d16_short),
    },
    Variant {
        head_dim: 32,
        short: false,
        forward: tile(64, 64, 1).forward(32, attention_bf16_forward_d32),
        backward_q: tile(64, 64, 1).backward_q(32, attention_bf16_backward_q_d32),
        backward_kv: tile(64, 32, 1).backward_kv(32, attention_bf16_backward_kv_d32),
    },
    Variant {
        head_dim: 32,
        short: true,
        forward: tile(16, 16, 1).forward(32, attention_bf16_forward_d32_short),
        backward_q: tile(16, 16, 1).backward_q(32, attention_bf16_backward_q_d32_short),
        backward_kv: tile(16, 16, 1).backward_kv(32, attention_bf16_backward_kv_d32_short),
    },
    Variant {
        head_dim: 64,
        short: false,
        forward: tile(64, 64, 1).forward(64, attention_bf16_forward_d64),
        backward_q: tile(64, 32, 1).backward_q(64, attention_bf16_backward_q_d64),
        backward_kv: tile(64, 32, 1).backward_kv(64, attention_bf16_backward_kv_d64),
    },
    Variant {
        head_dim: 64,
        short: true,
        forward: tile(16, 16, 1).forward(64, attention_bf16_forward_d64_short),
        backward_q: tile(16, 16, 1).backward_q(64, attention_bf16_backward_q_d64_short),
        backward_kv: tile(16, 16, 1).backward_kv(64, attention_bf16_backward_kv_d64_short),
    },
    Variant {
        head_dim: 128,
        short: false,
        forward: tile(64, 32, 1).forward(128, attention_bf16_forward_d128),
        backward_q: tile(64, 32, 1).backward_q(128, attention_bf16_backward_q_d128),
        backward_kv: tile(64, 32, 1).backward_kv(128, attention_bf16_backward_kv_d128),
    },
    Variant {
        head_dim: 128,
        short: true,
        forward: tile(16, 16, 1).forward(128, attention_bf16_forward_d128_short),
        backward_q: tile(16, 16, 1).backward_q(128, attention_bf16_backward_q_d128_short),
        backward_kv: tile(16, 16, 1).backward_kv(128, attention_bf16_backward_kv_d128_short),
    },
    Variant {
        head_dim: 256,
        short: false,
        forward: tile(64, 32, 1).forward(256, attention_bf16_forward_d256),
        backward_q: tile(64, 32, 1).backward_q(256, attention_bf16_backward_q_d256),
        backward_kv: tile(32, 32, 2).backward_kv(256, attention_bf16_backward_kv_d256),
    },
    Variant {
        head_dim: 256,
        short: true,
        forward: tile(16, 16, 1).forward(256, attention_bf16_forward_d256_short),
        backward_q: tile(16, 16, 1).backward_q(256, attention_bf16_backward_q_d256_short),
        backward_kv: tile(16, 16, 2).backward_kv(256, attention_bf16_backward_kv_d256_short),
    },
    Variant {
        head_dim: 512,
        short: false,
        forward: tile(32, 32, 2).forward(512, attention_bf16_forward_d512),
        backward_q: tile(32, 16, 2).backward_q(512, attention_bf16_backward_q_d512),
        backward_kv: tile(16, 32, 4).backward_kv(512, attention_bf16_backward_kv_d512),
    },
    Variant {
        head_dim: 512,
        short: true,
        forward: tile(16, 16, 2).forward(512, attention_bf16_forward_d512_short),
        backward_q: tile(16, 16, 2).backward_q(512, attention_bf16_backward_q_d512_short),
        backward_kv: tile(16, 32, 4).backward_kv(512, attention_bf16_backward_kv_d512),
    },
];
