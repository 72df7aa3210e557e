// One thread an element: addresses, guards, structures by value, double precision.
#include "device.h"

extern "C" __global__ void saxpy(int n, float a, const float *x, float *y) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = a * x[i] + y[i];
}

struct Affine {
    float scale[3];
    short shift;
    signed char low;
    unsigned char high;
    double bias;
    const float *x;
};

// The channel is indexed at run time, so the structure is read through its address.
extern "C" __global__ void affine(Affine p, float *y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float value = p.x[i] * p.scale[i % 3] + (float)p.shift + (float)p.bias;
    y[i] = value < p.low ? p.low : value > p.high ? p.high : value;
}

extern "C" __global__ void hypotenuse(const double *a, const double *b, double *c, int n) {
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
        c[i] = sqrt(a[i] * a[i] + b[i] * b[i]) / (1.0 + a[i]);
}

extern "C" __global__ void integers(const int *a, const int *b, long long *c, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    long long product = (long long)a[i] * b[i];
    unsigned rotated = ((unsigned)a[i] << 7) | ((unsigned)a[i] >> 25);
    c[i] = product % 1000003 + (a[i] / 7) * (long long)(b[i] >> 3) - (rotated & 0xFFFF) + (product >> 17);
}
