"""Runs PTX through NVIDIA's cuda-bindings (`pip install cuda-bindings`), which open libcuda.so.1 by themselves.

    LD_LIBRARY_PATH=target/libcuda python3 tests/libcuda/cuda_bindings.py

Works the same on a card. Leaves with an error at the first thing that is not as it should be.
"""

import array
import ctypes

from cuda.bindings import driver

PTX = b"""
.version 8.0
.target sm_80
.address_size 64

// y = factor * x + y
.visible .entry axpy(.param .u64 x, .param .u64 y, .param .f32 factor, .param .u32 n)
{
    .reg .pred %past;
    .reg .b32 %r<5>;
    .reg .f32 %f<4>;
    .reg .b64 %d<5>;
    ld.param.u64 %d0, [x];
    ld.param.u64 %d1, [y];
    ld.param.f32 %f0, [factor];
    ld.param.u32 %r0, [n];
    mov.u32 %r1, %ctaid.x;
    mov.u32 %r2, %ntid.x;
    mov.u32 %r3, %tid.x;
    mad.lo.u32 %r4, %r1, %r2, %r3;
    setp.ge.u32 %past, %r4, %r0;
    @%past ret;
    mul.wide.u32 %d2, %r4, 4;
    add.u64 %d3, %d0, %d2;
    add.u64 %d4, %d1, %d2;
    ld.global.f32 %f1, [%d3];
    ld.global.f32 %f2, [%d4];
    fma.rn.f32 %f3, %f0, %f1, %f2;
    st.global.f32 [%d4], %f3;
    ret;
}
"""

N = 1000
BYTES = 4 * N


def check(returned):
    """The results of a call, without its code, which must be success."""
    code, *results = returned
    if code != driver.CUresult.CUDA_SUCCESS:
        name = driver.cuGetErrorName(code)[1].decode()
        raise RuntimeError(f"{name} ({int(code)}): {driver.cuGetErrorString(code)[1].decode()}")
    return results[0] if len(results) == 1 else results


def address(values):
    return values.buffer_info()[0]


def upload(values):
    device = check(driver.cuMemAlloc(BYTES))
    check(driver.cuMemcpyHtoD(device, address(values), BYTES))
    return device


def download(device):
    values = array.array("f", bytes(BYTES))
    check(driver.cuMemcpyDtoH(address(values), device, BYTES))
    return list(values)


def load(text):
    """A module, or the compiler's error log."""
    log = bytearray(1024)
    options = [
        driver.CUjit_option.CU_JIT_ERROR_LOG_BUFFER,
        driver.CUjit_option.CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES,
    ]
    code, module = driver.cuModuleLoadDataEx(text, len(options), options, [log, len(log)])
    if code == driver.CUresult.CUDA_ERROR_INVALID_PTX:
        return None, log.split(b"\0")[0].decode()
    check((code,))
    return module, ""


def expect(found, wanted):
    if found != wanted:
        raise RuntimeError(f"{found!r} instead of {wanted!r}")


def main():
    check(driver.cuInit(0))
    device = check(driver.cuDeviceGet(0))
    name = check(driver.cuDeviceGetName(128, device)).split(b"\0")[0].decode()
    version = check(driver.cuDriverGetVersion())
    print(f"{name}, CUDA {version // 1000}.{version % 1000 // 10}")
    context = check(driver.cuDevicePrimaryCtxRetain(device))
    check(driver.cuCtxSetCurrent(context))

    _, log = load(PTX.replace(b"fma.rn.f32", b"fma.no.f32"))
    print(log.splitlines()[0])
    line = PTX[: PTX.index(b"fma.rn.f32")].count(b"\n") + 1
    expect(f"line {line};" in log, True)

    module, _ = load(PTX)
    axpy = check(driver.cuModuleGetFunction(module, b"axpy"))
    x = upload(array.array("f", range(N)))
    y = upload(array.array("f", [1.0] * N))
    stream = check(driver.cuStreamCreate(driver.CUstream_flags.CU_STREAM_NON_BLOCKING))

    def launch(factor):
        types = (None, None, ctypes.c_float, ctypes.c_uint)
        params = ((x, y, factor, N), types)
        check(driver.cuLaunchKernel(axpy, -(-N // 128), 1, 1, 128, 1, 1, 0, stream, params, 0))

    start, end = (check(driver.cuEventCreate(0)) for _ in range(2))
    check(driver.cuEventRecord(start, stream))
    launch(2.0)
    check(driver.cuEventRecord(end, stream))
    check(driver.cuStreamSynchronize(stream))
    expect(download(y), [2.0 * i + 1.0 for i in range(N)])
    print(f"a launch: {check(driver.cuEventElapsedTime(start, end)):.3f} ms")

    mode = driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
    check(driver.cuStreamBeginCapture(stream, mode))
    launch(1.0)
    launch(1.0)
    graph = check(driver.cuStreamEndCapture(stream))
    expect(download(y), [2.0 * i + 1.0 for i in range(N)])
    executable = check(driver.cuGraphInstantiate(graph, 0))
    for _ in range(3):
        check(driver.cuGraphLaunch(executable, stream))
    check(driver.cuStreamSynchronize(stream))
    expect(download(y), [8.0 * i + 1.0 for i in range(N)])
    print("a graph of two launches, three times")

    check(driver.cuGraphExecDestroy(executable))
    check(driver.cuGraphDestroy(graph))
    check(driver.cuStreamDestroy(stream))
    for memory in (x, y):
        check(driver.cuMemFree(memory))
    check(driver.cuModuleUnload(module))
    check(driver.cuDevicePrimaryCtxRelease(device))


if __name__ == "__main__":
    main()
