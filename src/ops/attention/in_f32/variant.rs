//! The attention kernels, by head dimension and number of tokens.

use crate::kernels::attention::*;

/// Up to this many tokens, tiles of 16 by 16 waste less than larger ones.
const SHORT: usize = 32;

/// The kernels for head dimensions up to a limit.
pub struct Variant {
    /// The largest head dimension.
    head_dim: usize,
    /// Whether the tiles are for few tokens.
    short: bool,
    /// Queries of a block, forward and in the gradient of the queries.
    pub rows: usize,
    /// Keys of a block in the gradient of the keys and values.
    pub key_rows: usize,
    pub forward: AttentionForward,
    pub backward_q: AttentionBackwardQ,
    pub backward_kv: AttentionBackwardKv,
}

impl Variant {
    /// The kernels for heads of `head_dim` channels on `tokens` tokens.
    ///
    /// # Panics
    /// If there are none.
    pub fn of(head_dim: usize, tokens: usize) -> &'static Variant {
        let fits = |variant: &&Variant| head_dim <= variant.head_dim;
        let short = VARIANTS.iter().filter(|variant| variant.short && tokens <= SHORT).find(fits);
        short
            .or_else(|| VARIANTS.iter().filter(|variant| !variant.short).find(fits))
            .unwrap_or_else(|| panic!("attention heads of {head_dim} channels; at most 512 can be had"))
    }
}

/// In the order of head dimensions. The tiles are BM of the kernels' `//@ variant` lines.
static VARIANTS: &[Variant] = &[
    Variant {
        head_dim: 8,
        short: false,
        rows: 64,
        key_rows: 64,
        forward: attention_forward_d8,
        backward_q: attention_backward_q_d8,
        backward_kv: attention_backward_kv_d8,
    },
    Variant {
        head_dim: 16,
        short: false,
        rows: 64,
        key_rows: 64,
        forward: attention_forward_d16,
        backward_q: attention_backward_q_d16,
        backward_kv: attention_backward_kv_d16,
    },
    Variant {
        head_dim: 32,
        short: false,
        rows: 64,
        key_rows: 64,
        forward: attention_forward_d32,
        backward_q: attention_backward_q_d32,
        backward_kv: attention_backward_kv_d32,
    },
    Variant {
        head_dim: 64,
        short: false,
        rows: 64,
        key_rows: 64,
        forward: attention_forward_d64,
        backward_q: attention_backward_q_d64,
        backward_kv: attention_backward_kv_d64,
    },
    Variant {
        head_dim: 128,
        short: false,
        rows: 64,
        key_rows: 64,
        forward: attention_forward_d128,
        backward_q: attention_backward_q_d128,
        backward_kv: attention_backward_kv_d128,
    },
    Variant {
        head_dim: 256,
        short: false,
        rows: 64,
        key_rows: 32,
        forward: attention_forward_d256,
        backward_q: attention_backward_q_d256,
        backward_kv: attention_backward_kv_d256,
    },
    Variant {
        head_dim: 512,
        short: false,
        rows: 32,
        key_rows: 16,
        forward: attention_forward_d512,
        backward_q: attention_backward_q_d512,
        backward_kv: attention_backward_kv_d512,
    },
    Variant {
        head_dim: 16,
        short: true,
        rows: 16,
        key_rows: 16,
        forward: attention_forward_d16_short,
        backward_q: attention_backward_q_d16_short,
        backward_kv: attention_backward_kv_d16_short,
    },
    Variant {
        head_dim: 32,
        short: true,
        rows: 16,
        key_rows: 16,
        forward: attention_forward_d32_short,
        backward_q: attention_backward_q_d32_short,
        backward_kv: attention_backward_kv_d32_short,
    },
    Variant {
        head_dim: 64,
        short: true,
        rows: 16,
        key_rows: 16,
        forward: attention_forward_d64_short,
        backward_q: attention_backward_q_d64_short,
        backward_kv: attention_backward_kv_d64_short,
    },
    Variant {
        head_dim: 128,
        short: true,
        rows: 16,
        key_rows: 16,
        forward: attention_forward_d128_short,
        backward_q: attention_backward_q_d128_short,
        backward_kv: attention_backward_kv_d128_short,
    },
    Variant {
        head_dim: 256,
        short: true,
        rows: 16,
        key_rows: 16,
        forward: attention_forward_d256_short,
        backward_q: attention_backward_q_d256_short,
        backward_kv: attention_backward_kv_d256_short,
    },
];
