// A row a block: softmax and layer normalisation.
#include "device.h"

static inline __device__ float sum_of_block(float value, float *parts) {
    for (int by = 16; by > 0; by /= 2) value += __shfl_xor_sync(0xFFFFFFFF, value, by);
    __syncthreads();
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = value;
    __syncthreads();
    value = 0;
    for (int i = 0; i < blockDim.x / 32; i++) value += parts[i];
    return value;
}

extern "C" __global__ void softmax(const float *x, float *y, int width) {
    __shared__ float parts[32];
    const float *row = x + (long long)blockIdx.x * width;
    float largest = -3.4e38f, sum = 0;
    for (int i = threadIdx.x; i < width; i += blockDim.x) largest = fmaxf(largest, row[i]);
    for (int by = 16; by > 0; by /= 2) largest = fmaxf(largest, __shfl_xor_sync(0xFFFFFFFF, largest, by));
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = largest;
    __syncthreads();
    for (int i = 0; i < blockDim.x / 32; i++) largest = fmaxf(largest, parts[i]);
    for (int i = threadIdx.x; i < width; i += blockDim.x) sum += exp2f((row[i] - largest) * 1.4426950408889634f);
    sum = sum_of_block(sum, parts);
    for (int i = threadIdx.x; i < width; i += blockDim.x)
        y[(long long)blockIdx.x * width + i] = exp2f((row[i] - largest) * 1.4426950408889634f) / sum;
}

extern "C" __global__ void layer_norm(const float *x, const float *weight, const float *bias, float *y, int width) {
    __shared__ float parts[32];
    const float *row = x + (long long)blockIdx.x * width;
    float sum = 0, squares = 0;
    for (int i = threadIdx.x; i < width; i += blockDim.x) sum += row[i];
    float mean = sum_of_block(sum, parts) / width;
    for (int i = threadIdx.x; i < width; i += blockDim.x) squares += (row[i] - mean) * (row[i] - mean);
    float scale = 1.0f / sqrtf(sum_of_block(squares, parts) / width + 1e-5f);
    for (int i = threadIdx.x; i < width; i += blockDim.x)
        y[(long long)blockIdx.x * width + i] = (row[i] - mean) * scale * weight[i] + bias[i];
}
