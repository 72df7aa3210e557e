"""Makes solvers.safetensors: trajectories of diffusers' solvers with all their tables in f64.

    python make_solvers.py solvers.safetensors

The model is exact for pixels of N(mu, s^2), as in the other files here. Made with torch 2.15.0 and diffusers 0.42.1.
"""

import sys

import numpy as np
import torch
from diffusers import DPMSolverMultistepScheduler, HeunDiscreteScheduler, UniPCMultistepScheduler
from safetensors.torch import save_file

torch.set_default_dtype(torch.float64)
# Solvers make their samples f32 between steps.
single = torch.float32
BETAS = np.linspace(1e-4, 0.02, 1000)
ALPHA_BAR = torch.from_numpy(np.cumprod(1 - BETAS))
TABLE = ((1 - ALPHA_BAR) / ALPHA_BAR).sqrt().numpy()
SHAPE = (2, 3, 2, 2)
random = np.random.Generator(np.random.PCG64(7))
START = torch.from_numpy(random.standard_normal(SHAPE))
MU = torch.from_numpy(random.uniform(-0.5, 0.5, SHAPE[1:]))
S = torch.from_numpy(random.uniform(0.1, 0.6, SHAPE[1:]))
NOISE = torch.from_numpy(random.standard_normal((40, *SHAPE)))


def eps(x, t):
    alpha_bar = ALPHA_BAR[int(t)]
    return (1 - alpha_bar).sqrt() * (x - alpha_bar.sqrt() * MU) / (alpha_bar * S**2 + 1 - alpha_bar)


def exact_sigmas(scheduler, karras):
    """The noise levels of the timesteps, which diffusers rounds to f32, and 0."""
    if karras:
        low, high, rho = TABLE[0], TABLE[-1], 7.0
        ramp = np.linspace(0, 1, len(scheduler.timesteps))
        sigmas = (high ** (1 / rho) + ramp * (low ** (1 / rho) - high ** (1 / rho))) ** rho
    else:
        sigmas = TABLE[scheduler.timesteps.numpy().astype(int)]
    return torch.from_numpy(np.append(sigmas, 0.0))


def multistep(cls, steps, **options):
    scheduler = cls(beta_start=1e-4, beta_end=0.02, beta_schedule="linear", **options)
    scheduler.set_timesteps(steps)
    scheduler.sigmas = exact_sigmas(scheduler, options.get("use_karras_sigmas", False))
    x = START.clone()
    # The schedulers name f32 where they would round; here that is f64.
    torch.float32 = torch.float64
    for i, t in enumerate(scheduler.timesteps):
        extra = {"variance_noise": NOISE[i]} if options.get("algorithm_type", "").startswith("sde") else {}
        x = scheduler.step(eps(x, t), t, x, **extra).prev_sample
    torch.float32 = single
    return scheduler.timesteps, x


def heun(steps, **options):
    scheduler = HeunDiscreteScheduler(beta_start=1e-4, beta_end=0.02, beta_schedule="linear", **options)
    scheduler.set_timesteps(steps)
    distinct = torch.cat([scheduler.timesteps[:1], scheduler.timesteps[1::2]]).long()
    sigmas = torch.from_numpy(np.append(TABLE[distinct.numpy()], 0.0))
    scheduler.sigmas = torch.cat([sigmas[:1], sigmas[1:-1].repeat_interleave(2), sigmas[-1:]])
    # From the variance-preserving scale to the solver's and back.
    x = START * (1 + sigmas[0] ** 2).sqrt()
    for i, t in enumerate(scheduler.timesteps):
        scaled = x / (1 + scheduler.sigmas[i] ** 2).sqrt()
        x = scheduler.step(eps(scaled, t), t, x).prev_sample
    return scheduler.timesteps, x


out = {"x_T": START, "mu": MU, "s": S, "noise": NOISE}


def keep(name, result):
    timesteps, x = result
    out[f"{name}.timesteps"] = timesteps.to(torch.int64)
    out[f"{name}.final"] = x.contiguous()


for spacing in ["linspace", "leading", "trailing", "karras"]:
    grid = {"use_karras_sigmas": True} if spacing == "karras" else {"timestep_spacing": spacing}
    for steps in [3, 10, 20]:
        for order in [1, 2, 3]:
            name = f"{spacing}.{steps}.{order}"
            keep(f"dpmsolver++.{name}", multistep(DPMSolverMultistepScheduler, steps, solver_order=order, **grid))
            options = {"solver_order": order, "algorithm_type": "sde-dpmsolver++", **grid}
            keep(f"sde-dpmsolver++.{name}", multistep(DPMSolverMultistepScheduler, steps, **options))
            keep(f"unipc.{name}", multistep(UniPCMultistepScheduler, steps, solver_order=order, **grid))
for spacing in ["leading", "trailing"]:
    for steps in [1, 3, 10]:
        keep(f"heun.{spacing}.{steps}", heun(steps, timestep_spacing=spacing))
save_file(out, sys.argv[1])
print(f"{len(out)} arrays")
