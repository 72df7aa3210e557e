// Functions that stay functions, switches, and arrays that live in local memory.
#include "device.h"

struct Pair {
    float first;
    double second;
};

__device__ __noinline__ float horner(float x, const float *coefficients, int count) {
    float sum = 0;
    for (int i = 0; i < count; i++) sum = sum * x + coefficients[i];
    return sum;
}

__device__ __noinline__ Pair swapped(Pair p, int times) {
    if (times % 2 == 0) return p;
    return Pair{(float)p.second, p.first};
}

__device__ __noinline__ void divide(int a, int b, int *quotient, int *remainder) {
    if (b == 0) {
        *quotient = -1;
        return;
    }
    *quotient = a / b;
    *remainder = a % b;
}

__device__ __noinline__ int nested(int a, int b) {
    int quotient = 0, remainder = 0;
    divide(a, b, &quotient, &remainder);
    return quotient * 1000 + remainder;
}

extern "C" __global__ void calls(const float *x, const int *a, float *y, int *z, int n) {
    float coefficients[4];
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    for (int k = 0; k < 4; k++) coefficients[k] = x[(i + k) % n];
    Pair pair = swapped(Pair{x[i], (double)i}, a[i]);
    float value = horner(x[i], coefficients, 1 + i % 4);
    if (i % 3 == 0) value += horner(pair.first, coefficients, 2);
    y[i] = value + (float)pair.second;
    z[i] = nested(a[i], i % 5);
}

extern "C" __global__ void switches(const int *a, int *y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    int x = a[i], z = i;
    switch (x) {
    case 0: z = z * z + 1; break;
    case 1: z = z << 3; break;
    case 2: z = 7 - z; // falls through
    case 3: z ^= 0x55; break;
    case 4: y[i] = -1; return;
    case 5: z = z % 11; break;
    case 6: z = z / 2; break;
    case 7: z = z & x; break;
    default: z = -z;
    }
    y[i] = z;
}

// An insertion sort whose array cannot stay in registers.
extern "C" __global__ void sorts(const int *a, int *y, int rows) {
    int row = blockIdx.x * blockDim.x + threadIdx.x;
    if (row >= rows) return;
    int own[12];
    for (int i = 0; i < 12; i++) {
        int value = a[row * 12 + i], at = i;
        while (at > 0 && own[at - 1] > value) {
            own[at] = own[at - 1];
            at--;
        }
        own[at] = value;
    }
    for (int i = 0; i < 12; i++) y[row * 12 + i] = own[i];
}
