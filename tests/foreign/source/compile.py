"""Makes the fixtures: `python compile.py` in a virtual environment with the wheels of ../README.md, clang-19 in PATH."""

import ctypes
import importlib.util
import os
import pathlib
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
OUT = HERE.parent / "ptx"
CUDA = ["elementwise", "reduce", "matmul", "functions", "norms", "constants"]


def wheel(package):
    return pathlib.Path(importlib.util.find_spec(package).submodule_search_locations[0])


def nvrtc(name, suffix, *options):
    library = next((wheel("nvidia.cuda_nvrtc") / "lib").glob("libnvrtc.so.*"))
    lib = ctypes.CDLL(str(library))
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    text = (HERE / f"{name}.cu").read_bytes()
    options = [f"-I{HERE}", *options]
    words = (ctypes.c_char_p * len(options))(*[option.encode() for option in options])
    lib.nvrtcCreateProgram(ctypes.byref(program), text, f"/{name}.cu".encode(), 0, None, None)
    if lib.nvrtcCompileProgram(program, len(options), words):
        lib.nvrtcGetProgramLogSize(program, ctypes.byref(size))
        log = ctypes.create_string_buffer(size.value)
        lib.nvrtcGetProgramLog(program, log)
        raise SystemExit(log.value.decode())
    lib.nvrtcGetPTXSize(program, ctypes.byref(size))
    ptx = ctypes.create_string_buffer(size.value)
    lib.nvrtcGetPTX(program, ptx)
    (OUT / f"{name}.{suffix}.ptx").write_bytes(ptx.value)


def clang(name, suffix, *options):
    target = ["-x", "cuda", "--cuda-device-only", "--cuda-gpu-arch=sm_80", "--cuda-feature=+ptx80"]
    plain = ["-nocudainc", "-nocudalib", "-S", "-o", OUT / f"{name}.{suffix}.ptx"]
    subprocess.run(["clang-19", *target, *plain, *options, f"{name}.cu"], cwd=HERE, check=True)


def triton(name, suffix, types, arch=80, **constants):
    os.environ["TRITON_DISABLE_LINE_INFO"] = "1"
    import triton as compiler
    from triton.backends.compiler import GPUTarget
    import blocks

    function = getattr(blocks, name)
    signature = dict(zip(function.arg_names, types + ["constexpr"] * len(constants)))
    places = {(function.arg_names.index(key),): value for key, value in constants.items()}
    source = compiler.compiler.ASTSource(function, signature, places)
    kernel = compiler.compile(source, target=GPUTarget("cuda", arch, 32), options={"num_warps": 4})
    (OUT / f"{name}.{suffix}.ptx").write_text(kernel.asm["ptx"])
    print(f"{name}.{suffix}: {kernel.metadata.shared} bytes of shared memory")


if __name__ == "__main__":
    for name in CUDA:
        nvrtc(name, "nvrtc", "-arch=compute_80")
        clang(name, "clang", "-O2")
    nvrtc("functions", "nvrtc_debug", "-arch=compute_80", "-G")
    nvrtc("norms", "nvrtc_lineinfo", "-arch=compute_80", "-lineinfo")
    clang("functions", "clang_debug", "-O0", "-g", "-fdebug-compilation-dir=.")
    headers = [f"-I{wheel(package) / 'include'}" for package in ["nvidia.cuda_runtime", "nvidia.cuda_nvcc"]]
    nvrtc("tensor", "nvrtc", "-arch=compute_80", *headers)
    nvrtc("cluster", "nvrtc", "-arch=compute_90")
    triton("softmax", "triton", ["*fp32", "*fp32", "i32"], BLOCK=512)
    triton("layer_norm", "triton", ["*fp32"] * 4 + ["i32"], BLOCK=512)
    triton("histogram", "triton", ["*i32", "i32", "*i32"], BLOCK=256)
    products = {"M": 64, "N": 64, "K": 32}
    for kind in ["fp16", "bf16", "fp32"]:
        triton("matmul", f"triton_{kind}", [f"*{kind}"] * 2 + ["*fp32"] + ["i32"] * 3, **products)
    triton("matmul", "triton_sm90", ["*fp16"] * 2 + ["*fp32"] + ["i32"] * 3, arch=90, **products)
