// Variables of the module: constants, tables of several dimensions, pointers to other variables.
#include "device.h"

struct Entry {
    short key;
    float value;
    const int *list;
};

__device__ int odd[3] = {1, 3, 5};
__device__ int even[4] = {2, 4, 6, 8};
__device__ Entry entries[2] = {{7, 0.25f, odd}, {-9, -1.5f, even + 1}};
__constant__ float stencil[3][3] = {{0.5f, -1, 0.5f}, {-1, 4}, {0.5f, -1, 0.5f}};
__constant__ double powers[2][2][2] = {{{1, 10}, {100, 1e3}}, {{1e4, 1e5}, {1e6, 1e-7}}};
__device__ const char name[] = "a\"b\\\n";
__device__ int counter;

extern "C" __global__ void tables(float *y, int which, int *count) {
    int i = threadIdx.x;
    const Entry &entry = entries[which & 1];
    float sum = entry.key + entry.value * entry.list[i % 3];
    for (int k = 0; k < 3; k++) sum += stencil[i % 3][k] * (k + 1);
    y[i] = sum + (float)powers[which & 1][i / 2 % 2][i % 2] + name[i % 6];
    atomicAdd(&counter, i);
    __syncthreads();
    if (i == 0) *count = counter;
}
