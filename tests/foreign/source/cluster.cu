// Blocks of a cluster read each other's shared memory (sm_90).

static __device__ unsigned shared_address(const void *at) { return (unsigned)__cvta_generic_to_shared(at); }

static __device__ unsigned in_block(unsigned address, unsigned rank) {
    unsigned there;
    asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(there) : "r"(address), "r"(rank));
    return there;
}

static __device__ void meet() {
    asm volatile("barrier.cluster.arrive.release.aligned;\nbarrier.cluster.wait.acquire.aligned;" ::: "memory");
}

// sums[i] = sum of x[32 c + i] over the four blocks of cluster c, by each block for its own quarter.
extern "C" __global__ void __cluster_dims__(4, 1, 1) cluster_sums(const float *x, float *sums) {
    __shared__ float mine[32];
    unsigned rank;
    asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
    mine[threadIdx.x] = x[blockIdx.x * 32 + threadIdx.x];
    meet();
    float sum = 0;
    for (unsigned other = 0; other < 4; other++) {
        float value;
        asm volatile("ld.shared::cluster.f32 %0, [%1];"
                     : "=f"(value)
                     : "r"(in_block(shared_address(&mine[threadIdx.x]), (rank + other) % 4)));
        sum += value;
    }
    if (threadIdx.x / 8 == rank) sums[blockIdx.x / 4 * 32 + threadIdx.x] = sum;
    meet();
}
