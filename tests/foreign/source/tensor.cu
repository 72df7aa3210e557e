// Matrix products of a warp: nvcuda::wmma, and mma.sync in inline assembly.
#include <cuda_bf16.h>
#include <mma.h>

using namespace nvcuda;

// C[16,16] = A[16,k] B[k,16], one warp.
extern "C" __global__ void wmma_f16(const __half *a, const __half *b, float *c, int k) {
    wmma::fragment<wmma::matrix_a, 16, 16, 16, __half, wmma::row_major> left;
    wmma::fragment<wmma::matrix_b, 16, 16, 16, __half, wmma::row_major> right;
    wmma::fragment<wmma::accumulator, 16, 16, 16, float> sum;
    wmma::fill_fragment(sum, 0.0f);
    for (int at = 0; at < k; at += 16) {
        wmma::load_matrix_sync(left, a + at, k);
        wmma::load_matrix_sync(right, b + at * 16, 16);
        wmma::mma_sync(sum, left, right, sum);
    }
    wmma::store_matrix_sync(c, sum, 16, wmma::mem_row_major);
}

// The same of bf16, through shared memory and with B by columns.
extern "C" __global__ void wmma_bf16(const __nv_bfloat16 *a, const __nv_bfloat16 *b, float *c, int k) {
    __shared__ __nv_bfloat16 columns[16 * 16];
    wmma::fragment<wmma::matrix_a, 16, 16, 16, __nv_bfloat16, wmma::row_major> left;
    wmma::fragment<wmma::matrix_b, 16, 16, 16, __nv_bfloat16, wmma::col_major> right;
    wmma::fragment<wmma::accumulator, 16, 16, 16, float> sum;
    wmma::load_matrix_sync(sum, c, 16, wmma::mem_col_major);
    for (int at = 0; at < k; at += 16) {
        for (int i = threadIdx.x; i < 256; i += 32) columns[i % 16 * 16 + i / 16] = b[at * 16 + i];
        __syncwarp();
        wmma::load_matrix_sync(left, a + at, k);
        wmma::load_matrix_sync(right, columns, 16);
        wmma::mma_sync(sum, left, right, sum);
        __syncwarp();
    }
    for (int i = 0; i < sum.num_elements; i++) sum.x[i] *= 2;
    wmma::store_matrix_sync(c, sum, 16, wmma::mem_col_major);
}

static __device__ unsigned packed(const __half *at) { return *reinterpret_cast<const unsigned *>(at); }

// D[16,8] = A[16,16] B[16,8] + D with B by columns.
extern "C" __global__ void mma_f16(const __half *a, const __half *b, float *d) {
    int group = threadIdx.x / 4, pair = threadIdx.x % 4 * 2;
    const __half *upper = a + group * 16 + pair, *lower = upper + 8 * 16, *column = b + group * 16 + pair;
    float *top = d + group * 8 + pair, *bottom = top + 8 * 8;
    asm volatile(
        "{ .reg .b32 x;\n"
        "mov.b32 x, %4;\n"
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {x,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3}; }"
        : "+f"(top[0]), "+f"(top[1]), "+f"(bottom[0]), "+f"(bottom[1])
        : "r"(packed(upper)), "r"(packed(lower)), "r"(packed(upper + 8)), "r"(packed(lower + 8)), "r"(packed(column)),
          "r"(packed(column + 8)));
}
