"""Makes the files beside it: one network as others save it, and what it computes.

    python make.py MODEL_PY

MODEL_PY is `pytorch_diffusion/model.py` of github.com/pesser/pytorch_diffusion (MIT), the code that the authors'
checkpoints were converted for. Made with torch 2.15.0, diffusers 0.42.1.
"""

import importlib.util
import pathlib
import shutil
import sys

import diffusers
import torch
from safetensors.torch import save_file

here = pathlib.Path(__file__).parent
spec = importlib.util.spec_from_file_location("model", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)

torch.manual_seed(5)
theirs = module.Model(
    ch=32, out_ch=3, ch_mult=(1, 1), num_res_blocks=1, attn_resolutions=[16], in_channels=3, resolution=32
).eval()
# Multiples of 1/256 below 1/4, which are exact in F16 and BF16; gains are near 1.
for name, parameter in theirs.named_parameters():
    values = torch.randint(-16, 17, parameter.shape) / 256
    gain = "norm" in name and name.endswith("weight")
    parameter.data = 1 + 2 * values if gain else values

state = theirs.state_dict()
# As torch wrote before version 1.6, in July 2020, when the checkpoints were converted.
torch.save(state, here / "authors.ckpt", _use_new_zipfile_serialization=False)
torch.save({name: value.half() for name, value in state.items()}, here / "authors-f16.ckpt")

x = torch.randn(2, 3, 32, 32)
t = torch.tensor([3, 250])
sines = module.get_timestep_embedding
module.get_timestep_embedding = lambda t, channels: sines(t, channels).double()
eps = theirs.double()(x.double(), t)
save_file({"x": x, "t": t, "eps_f64": eps.detach()}, here / "io.safetensors")

unet = diffusers.UNet2DModel(
    sample_size=32,
    block_out_channels=(32, 32),
    layers_per_block=1,
    down_block_types=("DownBlock2D", "AttnDownBlock2D"),
    up_block_types=("AttnUpBlock2D", "UpBlock2D"),
    norm_eps=1e-6,
    freq_shift=1,
    flip_sin_to_cos=False,
    downsample_padding=0,
    attention_head_dim=None,
)
# Both code bases create the parameters in another order: they are matched by their names' parts.
OURS = [
    ("temb.dense.0", "time_embedding.linear_1"), ("temb.dense.1", "time_embedding.linear_2"),
    ("norm_out", "conv_norm_out"), (".block.", ".resnets."), (".attn.", ".attentions."),
    ("downsample.conv", "downsamplers.0.conv"), ("upsample.conv", "upsamplers.0.conv"),
    ("mid.block_1", "mid_block.resnets.0"), ("mid.block_2", "mid_block.resnets.1"),
    ("mid.attn_1", "mid_block.attentions.0"), ("temb_proj", "time_emb_proj"), ("nin_shortcut", "conv_shortcut"),
    ("down.", "down_blocks."), ("up.0.", "up_blocks.1."), ("up.1.", "up_blocks.0."),
    (".norm.", ".group_norm."), (".q.", ".to_q."), (".k.", ".to_k."), (".v.", ".to_v."), (".proj_out.", ".to_out.0."),
]
renamed = {}
for name, value in state.items():
    for old, new in OURS:
        name = name.replace(old, new)
    renamed[name] = value.float().reshape(value.shape[:2]) if "to_" in name and value.dim() == 4 else value.float()
unet.load_state_dict(renamed)
error = (unet.double()(x.double(), t).sample - eps).abs().max().item()
print(f"diffusers differs by {error:.1e}")
assert error < 1e-4  # diffusers keeps the sines in f32

# An old folder: everything at the root, the old names of attention's parts, a pickle; in half the width.
folder = here / "old"
shutil.rmtree(folder, ignore_errors=True)
scheduler = diffusers.DDPMScheduler(variance_type="fixed_large")
pipeline = diffusers.DDPMPipeline(unet=unet.bfloat16(), scheduler=scheduler)
pipeline.save_pretrained(folder, safe_serialization=False)
for file in ["unet/config.json", "unet/diffusion_pytorch_model.bin", "scheduler/scheduler_config.json"]:
    (folder / file).rename(folder / pathlib.Path(file).name)
(folder / "unet").rmdir()
(folder / "scheduler").rmdir()
weights = folder / "diffusion_pytorch_model.bin"
old = torch.load(weights)
for new, before in [("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")]:
    old = {name.replace(new, before): value for name, value in old.items()}
torch.save(old, weights)
