"""PyTorch's side of `cargo bench --bench network`.

Reads a line of JSON that says what to run, prepares it and answers with a line; then runs it once for every line and
answers with the seconds that it took.
"""

import contextlib
import json
import sys
import time

import torch
from diffusers import DDIMScheduler, UNet2DModel

request = json.loads(sys.stdin.readline())
device = torch.device(request["device"])
cuda = device.type == "cuda"
torch.backends.cudnn.benchmark = True
batch, size = request["batch"], request["size"]
config = {key: value for key, value in request["config"].items() if not key.startswith("_")}
network = UNet2DModel(**config).to(device, memory_format=torch.channels_last)
shape = (batch, config["in_channels"], size, size)
images = torch.randn(shape, device=device).to(memory_format=torch.channels_last)
times = torch.full((batch,), 500, device=device)
called = torch.compile(network, mode="max-autotune") if request["compile"] else network


def precision():
    """What the network computes in."""
    if request["dtype"] == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return contextlib.nullcontext()


def forward():
    with torch.no_grad(), precision():
        called(images, times)


class Training:
    """The step that `ddpm train` does: noise, loss, gradients, clipping, Adam, averaged weights."""

    def __init__(self):
        beta = torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)
        self.alpha_bar = torch.cumprod(1 - beta, 0).float().to(device)
        self.optimizer = torch.optim.Adam(network.parameters(), lr=2e-4, fused=cuda)
        self.average = [parameter.detach().clone() for parameter in network.parameters()]

    def __call__(self):
        t = torch.randint(0, 1000, (batch,), device=device)
        noise = torch.randn_like(images)
        alpha_bar = self.alpha_bar[t].view(-1, 1, 1, 1)
        noised = alpha_bar.sqrt() * images + (1 - alpha_bar).sqrt() * noise
        with precision():
            prediction = called(noised, t).sample
        torch.nn.functional.mse_loss(prediction.float(), noise).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            torch._foreach_lerp_(self.average, list(network.parameters()), 1e-4)


def sample():
    scheduler = DDIMScheduler(num_train_timesteps=1000)
    scheduler.set_timesteps(request["steps"])
    x = torch.randn_like(images)
    with torch.no_grad(), precision():
        for t in scheduler.timesteps:
            prediction = called(x, t.expand(batch).to(device)).sample
            x = scheduler.step(prediction.float(), t, x).prev_sample


run = {"forward": lambda: forward, "train": Training, "sample": lambda: sample}[request["pass"]]()
synchronize = torch.cuda.synchronize if cuda else lambda: None
if request["pass"] != "train":
    network.eval()


def timed():
    synchronize()
    began = time.perf_counter()
    run()
    synchronize()
    return time.perf_counter() - began


# The first runs compile, choose algorithms and allocate.
for _ in range(3 if cuda or request["compile"] else 1):
    timed()
print(0.0, flush=True)
for _ in sys.stdin:
    print(timed(), flush=True)
