//! The floors: sectors, wavefronts, overhead, as measured, with 1% of room. What is not good yet has its reason.
//!
//! When a kernel gets better its row is to be tightened; the failing test prints the new one.

use super::Floor;

const HALVES: &str = "a lane loads 16 bytes of a row of its own, so each sector is loaded twice";
const WORDS_LOADED: &str = "rows are loaded word by word, each sector up to eight times";
const WORDS_STORED: &str =
    "results are stored word by word; neighbouring lanes should store neighbouring 16 bytes";
const BYTES: &str = "pixels are loaded byte by byte";
const PARAMETERS: &str =
    "gamma, beta and the like are loaded word by word by lanes that are 4 or 8 words apart";
const BANKS: &str = "lanes whose pieces are a power of two apart collide in shared memory";
const HALF_WORDS: &str =
    "lanes read elements of 2 bytes that are 3 elements apart: 32 of them lie in 48 words";
const RAGGED: &str = "rows begin inside sectors; no better without padding";

#[rustfmt::skip]
pub const FLOORS: &[Floor] = &[
    // 32 multiply-adds; 4 images of 16 x 16, 3 x 3, 128 to 128 channels, or from 3 or to 3 where it is for those.
    row("fprop_128x128",    0.495, 1.010,   1.156, HALVES),
    row("fprop_128x16",     0.526, 1.035,   1.310, HALVES),
    row("fprop_128x32",     0.495, 1.010,   1.220, HALVES),
    row("fprop_128x4",      0.498, 1.010,   2.770, HALVES),
    row("fprop_128x64",     0.495, 1.010,   1.154, HALVES),
    row("fprop_32x32",      0.495, 1.010,   1.330, HALVES),
    row("fprop_64x32",      0.495, 1.010,   1.306, HALVES),
    row("fprop_64x64",      0.495, 1.010,   1.223, HALVES),
    row("fprop_any_128x32", 0.166, 1.010,   2.188, WORDS_LOADED),
    row("fprop_any_128x4",  0.274, 1.010,   5.287, WORDS_LOADED),
    row("fprop_any_128x64", 0.148, 1.010,   2.023, WORDS_LOADED),
    row("fprop_any_32x32",  0.154, 1.010,   2.555, WORDS_LOADED),

    // The same.
    row("dgrad_128x128",    0.657, 1.010,   1.149, HALVES),
    row("dgrad_128x32",     0.553, 1.010,   1.213, HALVES),
    row("dgrad_128x64",     0.596, 1.010,   1.149, HALVES),
    row("dgrad_32x32",      0.666, 1.010,   1.308, HALVES),
    row("dgrad_64x32",      0.599, 1.010,   1.292, HALVES),
    row("dgrad_64x64",      0.663, 1.010,   1.213, HALVES),
    row("dgrad_any_128x32", 0.187, 1.010,   2.219, WORDS_LOADED),
    row("dgrad_any_128x64", 0.169, 1.010,   2.065, WORDS_LOADED),
    row("dgrad_any_32x32",  0.233, 1.010,   2.675, WORDS_LOADED),

    // The same.
    row("wgrad_128x128",   0.990, 1.010,   1.145, ""),
    row("wgrad_32x128",    0.990, 1.010,   1.271, ""),
    row("wgrad_32x32",     0.990, 1.155,   1.383, BANKS),
    row("wgrad_32x64",     0.990, 1.123,   1.311, BANKS),
    row("wgrad_4x128",     0.990, 1.344,   3.238, BANKS),
    row("wgrad_64x128",    0.990, 1.010,   1.177, ""),
    row("wgrad_any_32x32", 0.574, 2.020,   2.065, WORDS_LOADED),
    row("wgrad_any_64x32", 0.880, 1.347,   1.820, WORDS_LOADED),

    // 2048 multiply-adds; the same layer.
    row("bf16_dgrad_128x128", 0.990, 1.010,   2.567, ""),
    row("bf16_dgrad_128x32",  0.990, 1.010,   5.687, ""),
    row("bf16_dgrad_128x64",  0.990, 1.010,   3.633, ""),
    row("bf16_dgrad_32x32",   0.990, 1.020,  14.239, ""),
    row("bf16_dgrad_64x64",   0.990, 1.010,   5.186, ""),
    row("bf16_few_in_3x3x3",       0.990, 1.110,  27.140, HALF_WORDS),
    row("bf16_few_in_any",         0.990, 1.508,  53.063, BANKS),
    row("bf16_few_in_wgrad_3x3x3", 0.874, 1.149,  13.364, RAGGED),
    row("bf16_few_in_wgrad_any",   0.874, 1.595,  25.321, BANKS),
    row("bf16_few_out",            0.990, 1.010,  27.102, ""),
    row("bf16_few_out_wgrad",      0.980, 1.010,  33.284, ""),
    row("bf16_fprop_128x128", 0.990, 1.010,   2.624, ""),
    row("bf16_fprop_128x32",  0.990, 1.010,   5.641, ""),
    row("bf16_fprop_128x64",  0.990, 1.010,   3.674, ""),
    row("bf16_fprop_32x32",   0.990, 1.020,  14.112, ""),
    row("bf16_fprop_64x64",   0.990, 1.010,   5.198, ""),
    row("bf16_wgrad_128x128", 0.990, 1.010,   2.695, ""),
    row("bf16_wgrad_128x64",  0.990, 1.010,   3.853, ""),
    row("bf16_wgrad_32x32",   0.990, 1.021,  17.060, ""),
    row("bf16_wgrad_64x64",   0.990, 1.010,   5.840, ""),

    // 32 multiply-adds; one head, 4 images of 64 tokens, or of 16 for the short ones. (The delta: 128 bytes.)
    row("attention_backward_kv_d128",       0.569, 1.044,   1.325, WORDS_STORED),
    row("attention_backward_kv_d128_short", 0.566, 1.082,   1.912, WORDS_STORED),
    row("attention_backward_kv_d16",        0.990, 1.027,   2.024, ""),
    row("attention_backward_kv_d16_short",  0.796, 1.067,   2.928, WORDS_STORED),
    row("attention_backward_kv_d256",       0.662, 1.044,   1.445, WORDS_STORED),
    row("attention_backward_kv_d256_short", 0.566, 1.084,   1.844, WORDS_STORED),
    row("attention_backward_kv_d32",        0.801, 1.034,   1.608, WORDS_STORED),
    row("attention_backward_kv_d32_short",  0.569, 1.075,   2.320, WORDS_STORED),
    row("attention_backward_kv_d512",       0.762, 1.043,   1.715, WORDS_STORED),
    row("attention_backward_kv_d64",        0.573, 1.040,   1.400, WORDS_STORED),
    row("attention_backward_kv_d64_short",  0.567, 1.080,   2.048, WORDS_STORED),
    row("attention_backward_kv_d8",         0.990, 1.024,   2.829, ""),
    row("attention_backward_q_d128",        0.662, 1.054,   1.323, WORDS_STORED),
    row("attention_backward_q_d128_short",  0.661, 1.098,   1.896, WORDS_STORED),
    row("attention_backward_q_d16",         0.990, 1.037,   1.959, ""),
    row("attention_backward_q_d16_short",   0.853, 1.085,   2.946, WORDS_STORED),
    row("attention_backward_q_d256",        0.661, 1.056,   1.286, WORDS_STORED),
    row("attention_backward_q_d256_short",  0.660, 1.099,   1.824, WORDS_STORED),
    row("attention_backward_q_d32",         0.853, 1.044,   1.585, WORDS_STORED),
    row("attention_backward_q_d32_short",   0.664, 1.092,   2.328, WORDS_STORED),
    row("attention_backward_q_d512",        0.742, 1.054,   1.423, WORDS_STORED),
    row("attention_backward_q_d64",         0.664, 1.050,   1.397, WORDS_STORED),
    row("attention_backward_q_d64_short",   0.662, 1.096,   2.040, WORDS_STORED),
    row("attention_backward_q_d8",          0.990, 1.032,   2.639, ""),
    row("attention_delta",                  0.990, 1.010,   7.876, ""),
    row("attention_forward_d128",           0.567, 1.044,   1.353, WORDS_STORED),
    row("attention_forward_d128_short",     0.566, 1.082,   1.917, WORDS_STORED),
    row("attention_forward_d16",            0.990, 1.027,   2.389, ""),
    row("attention_forward_d16_short",      0.796, 1.067,   3.520, WORDS_STORED),
    row("attention_forward_d256",           0.566, 1.047,   1.291, WORDS_STORED),
    row("attention_forward_d256_short",     0.566, 1.084,   1.807, WORDS_STORED),
    row("attention_forward_d32",            0.796, 1.034,   1.781, WORDS_STORED),
    row("attention_forward_d32_short",      0.569, 1.075,   2.577, WORDS_STORED),
    row("attention_forward_d512",           0.660, 1.045,   1.410, WORDS_STORED),
    row("attention_forward_d64",            0.569, 1.040,   1.477, WORDS_STORED),
    row("attention_forward_d64_short",      0.567, 1.080,   2.137, WORDS_STORED),
    row("attention_forward_d8",             0.990, 1.024,   3.216, ""),

    // 128 bytes; sums of the layers above and foldings of their weights, normalisations of 8 images of 16 x 16 with 64
    // channels, or 63, 2^18 elements of sums and roundings, and for all else the steps of `shapes16` with 8 images in
    // bf16.
    row("adam",                             0.990, 1.010,   2.554, ""),
    row("add_bf16",                         0.990, 1.010,  11.110, ""),
    row("add_f32",                          0.990, 1.010,   4.209, ""),
    row("advance",                          0.990, 1.010,  10.100, ""),
    row("draw",                             0.990, 1.010, 144.094, ""),
    row("eps_loss_bf16",                    0.990, 1.010,  35.093, ""),
    row("eps_loss_f32",                     0.990, 1.010,  25.827, ""),
    row("fill",                             0.990, 1.010,  13.130, ""),
    row("fold_phases",                      0.990, 1.010,   3.937, ""),
    row("gradient_squares",                 0.990, 1.010,   3.558, ""),
    row("group_norm_apply_bf16_8",          0.745, 1.010,  17.063, PARAMETERS),
    row("group_norm_apply_f32_1",           0.827, 1.010,  10.589, RAGGED),
    row("group_norm_apply_f32_4",           0.908, 1.010,   7.757, ""),
    row("group_norm_backward_apply_bf16_8", 0.811, 1.010,  17.036, PARAMETERS),
    row("group_norm_backward_apply_f32_1",  0.826, 1.010,   9.788, RAGGED),
    row("group_norm_backward_apply_f32_4",  0.933, 1.010,   7.413, ""),
    row("group_norm_backward_sums_bf16_8",  0.742, 1.989,  24.108, BANKS),
    row("group_norm_backward_sums_f32_1",   0.828, 1.010,  12.432, RAGGED),
    row("group_norm_backward_sums_f32_4",   0.899, 1.010,  10.291, PARAMETERS),
    row("group_norm_moments_bf16_8",        0.967, 1.788,  30.067, BANKS),
    row("group_norm_moments_f32_1",         0.823, 1.010,  16.318, RAGGED),
    row("group_norm_moments_f32_4",         0.978, 1.010,  12.121, ""),
    row("group_norm_parameters",            0.990, 1.010,  27.663, ""),
    row("hyper",                            0.990, 1.010, 264.620, ""),
    row("image_sums_bf16_1",                0.990, 1.010,  15.182, ""),
    row("image_sums_bf16_4",                0.990, 1.010,   8.124, ""),
    row("image_sums_f32_1",                 0.849, 1.010,  55.556, RAGGED),
    row("image_sums_f32_4",                 0.990, 1.010,   3.072, ""),
    row("latent",                           0.990, 1.010,  35.305, ""),
    row("mean_loss",                        0.990, 1.010, 226.240, ""),
    row("q_sample",                         0.659, 1.010,  41.740, BYTES),
    row("reverse_update",                   0.990, 1.010,   7.653, ""),
    row("silu",                             0.990, 1.010,   5.682, ""),
    row("silu_backward",                    0.990, 1.010,   5.555, ""),
    row("sum_slices_1",                     0.825, 1.010, 119.854, RAGGED),
    row("sum_slices_4",                     0.990, 1.010,   4.950, ""),
    row("timestep",                         0.990, 1.010,  28.280, ""),
    row("timestep_embedding",               0.990, 1.010,  46.522, ""),
    row("to_bf16",                          0.990, 1.010,   3.199, ""),
    row("to_f32",                           0.990, 1.010,   3.535, ""),
    row("to_u8",                            0.990, 1.010,  11.919, ""),
    row("unfold_phases",                    0.990, 1.010,   3.556, ""),
];

const fn row(
    entry: &'static str,
    sectors: f64,
    wavefronts: f64,
    overhead: f64,
    not_yet: &'static str,
) -> Floor {
    Floor { entry, sectors, wavefronts, overhead, not_yet }
}
