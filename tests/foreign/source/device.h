// What NVRTC declares by itself, for a clang that is given no CUDA headers.
#pragma once

#ifdef __clang__
#define __global__ __attribute__((global))
#define __device__ __attribute__((device))
#define __shared__ __attribute__((shared))
#define __constant__ __attribute__((constant))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))

struct Axis {
    int x, y, z;
};
#define threadIdx (Axis{__nvvm_read_ptx_sreg_tid_x(), __nvvm_read_ptx_sreg_tid_y(), __nvvm_read_ptx_sreg_tid_z()})
#define blockIdx (Axis{__nvvm_read_ptx_sreg_ctaid_x(), __nvvm_read_ptx_sreg_ctaid_y(), __nvvm_read_ptx_sreg_ctaid_z()})
#define blockDim (Axis{__nvvm_read_ptx_sreg_ntid_x(), __nvvm_read_ptx_sreg_ntid_y(), __nvvm_read_ptx_sreg_ntid_z()})
#define gridDim (Axis{__nvvm_read_ptx_sreg_nctaid_x(), __nvvm_read_ptx_sreg_nctaid_y(), __nvvm_read_ptx_sreg_nctaid_z()})

static inline __device__ float __shfl_down_sync(unsigned mask, float x, int by) {
    return __nvvm_shfl_sync_down_f32(mask, x, by, 31);
}
static inline __device__ float __shfl_xor_sync(unsigned mask, float x, int by) {
    return __nvvm_shfl_sync_bfly_f32(mask, x, by, 31);
}
static inline __device__ int atomicAdd(int *at, int by) { return __nvvm_atom_add_gen_i(at, by); }
static inline __device__ float sqrtf(float x) { return __nvvm_sqrt_rn_f(x); }
static inline __device__ double sqrt(double x) { return __nvvm_sqrt_rn_d(x); }
static inline __device__ float fmaxf(float x, float y) { return __nvvm_fmax_f(x, y); }
static inline __device__ float exp2f(float x) { return __nvvm_ex2_approx_f(x); }
#endif
