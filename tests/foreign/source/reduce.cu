// Sums: shuffles in a warp, shared memory between warps.
#include "device.h"

extern "C" __global__ void __launch_bounds__(256) block_sums(const float *x, float *sums, int n) {
    __shared__ float parts[8];
    float sum = 0;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) sum += x[i];
    for (int by = 16; by > 0; by /= 2) sum += __shfl_down_sync(0xFFFFFFFF, sum, by);
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = sum;
    __syncthreads();
    if (threadIdx.x >= 32) return;
    sum = threadIdx.x < blockDim.x / 32 ? parts[threadIdx.x] : 0;
    for (int by = 4; by > 0; by /= 2) sum += __shfl_down_sync(0xFFFFFFFF, sum, by);
    if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

extern "C" __global__ void histogram(const unsigned char *x, int n, int *bins) {
    __shared__ int mine[256];
    for (int bin = threadIdx.x; bin < 256; bin += blockDim.x) mine[bin] = 0;
    __syncthreads();
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) atomicAdd(&mine[x[i]], 1);
    __syncthreads();
    for (int bin = threadIdx.x; bin < 256; bin += blockDim.x) atomicAdd(&bins[bin], mine[bin]);
}
