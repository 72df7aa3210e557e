// C[m,n] = sum over k of A[m,k] B[k,n], by tiles in static and in dynamic shared memory.
#include "device.h"

extern "C" __global__ void matmul_static(const float *a, const float *b, float *c, int m, int n, int k) {
    __shared__ float left[16][16], right[16][17];
    int row = blockIdx.y * 16 + threadIdx.y, column = blockIdx.x * 16 + threadIdx.x;
    float sum = 0;
    for (int at = 0; at < k; at += 16) {
        int x = at + threadIdx.x, y = at + threadIdx.y;
        left[threadIdx.y][threadIdx.x] = row < m && x < k ? a[row * k + x] : 0;
        right[threadIdx.y][threadIdx.x] = y < k && column < n ? b[y * n + column] : 0;
        __syncthreads();
        for (int i = 0; i < 16; i++) sum += left[threadIdx.y][i] * right[i][threadIdx.x];
        __syncthreads();
    }
    if (row < m && column < n) c[row * n + column] = sum;
}

// The tile is as wide as the block.
extern "C" __global__ void matmul_dynamic(const float *a, const float *b, float *c, int m, int n, int k) {
    extern __shared__ float tiles[];
    int side = blockDim.x;
    float *left = tiles, *right = tiles + side * side;
    int row = blockIdx.y * side + threadIdx.y, column = blockIdx.x * side + threadIdx.x;
    int here = threadIdx.y * side + threadIdx.x;
    float sum = 0;
    for (int at = 0; at < k; at += side) {
        int x = at + threadIdx.x, y = at + threadIdx.y;
        left[here] = row < m && x < k ? a[row * k + x] : 0;
        right[here] = y < k && column < n ? b[y * n + column] : 0;
        __syncthreads();
        for (int i = 0; i < side; i++) sum += left[threadIdx.y * side + i] * right[i * side + threadIdx.x];
        __syncthreads();
    }
    if (row < m && column < n) c[row * n + column] = sum;
}
