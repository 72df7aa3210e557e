"""What diffusers reads of this program and the program of diffusers: the same weights, the same predictions.

    python tests/interchange/round_trip.py DDPM PREDICT

DDPM and PREDICT are the program and the example `predict`, built. Needs torch, diffusers, safetensors.
"""

import copy
import json
import logging
import pathlib
import shutil
import subprocess
import sys
import tempfile

import diffusers
import torch
from safetensors.torch import load_file, save_file

# Two correct f32 implementations differ by 4e-6 of the predictions' rms, see tests/goldens/README.md.
ALLOWED = 1e-5

NETWORK = "--size 16 --channels 32,64 --attention 8 --layers 1 --groups 8".split()
RUN = ["--preset", "shapes16", "--batch", "2", "--steps", "20", "--log-every", "10", "--sample-every", "0"]

# The options in which diffusers' defaults are not those of the paper's networks.
AUTHORS = {"norm_eps": 1e-6, "freq_shift": 1, "flip_sin_to_cos": False, "downsample_padding": 0, "attention_head_dim": None}


class Warnings(logging.Handler):
    """Collects what diffusers warns of."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.messages = []

    def emit(self, record):
        self.messages.append(record.getMessage())


def load(folder):
    """The pipeline in a folder, which diffusers must load without a warning."""
    warnings = Warnings()
    diffusers.utils.logging.add_handler(warnings)
    pipeline = diffusers.DDPMPipeline.from_pretrained(folder, low_cpu_mem_usage=False)
    diffusers.utils.logging.remove_handler(warnings)
    assert not warnings.messages, warnings.messages
    return pipeline


def run(*command):
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert result.returncode == 0, f"{command}: {result.stderr}"
    return result.stdout


def compare(what, predict, unet, folder, work):
    """The largest difference of the two predictions of the network in `folder`, in units of their rms."""
    size = unet.config.sample_size
    inputs = {"x": torch.randn(2, unet.config.in_channels, size, size), "t": torch.tensor([7, 640])}
    classes = unet.config.num_class_embeds
    if classes:
        inputs["label"] = torch.tensor([0, classes - 1])
    save_file(inputs, work / "input.safetensors")
    run(predict, folder, work / "input.safetensors", work / "output.safetensors")
    ours = load_file(work / "output.safetensors")["y"]
    with torch.no_grad():
        theirs = unet.eval()(inputs["x"], inputs["t"], class_labels=inputs.get("label")).sample
    error = (ours - theirs).square().mean().sqrt().item()
    largest = (ours - theirs).abs().max().item()
    scale = theirs.square().mean().sqrt().item()
    print(f"{what}: eps of rms {scale:.3f} differs by rms {error:.1e}, at most {largest:.1e}")
    assert error <= ALLOWED * scale and largest <= ALLOWED * max(1, scale), what


def random_weights(unet):
    """Weights none of which is close to zero or one; a fresh network's last layers are."""
    for name, parameter in unet.named_parameters():
        gain = "norm" in name and name.endswith("weight")
        parameter.data = torch.randn_like(parameter) * (0.1 if gain else 0.05) + (1 if gain else 0)


def options_of(scheduler):
    return {name: value for name, value in scheduler.config.items() if not name.startswith("_")}


def exported(ddpm, predict, work):
    run(ddpm, "train", *RUN, *NETWORK, "--device", "soft", "--out", work / "run")
    weights = {}
    for kind in ["ema", "raw"]:
        folder = work / kind
        run(ddpm, "export", work / "run", folder, "--weights", kind)
        pipeline = load(folder)
        compare(f"exported {kind} weights", predict, pipeline.unet, folder, work)
        weights[kind] = pipeline.unet.conv_in.weight
        pipeline.set_progress_bar_config(disable=True)
        images = pipeline(batch_size=1, num_inference_steps=2, output_type="np").images
        assert images.shape == (1, 16, 16, 3)
    assert not torch.equal(weights["ema"], weights["raw"])
    run(ddpm, "train", *RUN, *NETWORK, "--classes", "--device", "soft", "--out", work / "classes")
    run(ddpm, "export", work / "classes", work / "conditional", "--weights", "raw")
    unet = load(work / "conditional").unet
    assert unet.config.num_class_embeds == 4, "three figures and no class"
    compare("exported, class-conditional", predict, unet, work / "conditional", work)


def imported(ddpm, predict, work):
    blocks = {"down_block_types": ["DownBlock2D", "AttnDownBlock2D"], "up_block_types": ["AttnUpBlock2D", "UpBlock2D"]}
    common = {"sample_size": 16, "block_out_channels": [32, 64], "layers_per_block": 1, "norm_num_groups": 8, **blocks}
    for flavour, options, safe in [("defaults", {}, True), ("the authors' options", AUTHORS, False)]:
        unet = diffusers.UNet2DModel(**common, **options)
        random_weights(unet)
        source, folder = work / f"source-{safe}", work / f"imported-{safe}"
        scheduler = diffusers.DDPMScheduler(variance_type="fixed_large")
        diffusers.DDPMPipeline(unet=unet, scheduler=scheduler).save_pretrained(source, safe_serialization=safe)
        run(ddpm, "import", source, folder)
        kind = "safetensors" if safe else "a pickle"
        compare(f"imported, diffusers' {flavour}, {kind}", predict, unet, folder, work)
        again = load(folder)
        assert options_of(again.scheduler) == options_of(scheduler)
        assert all(torch.equal(a, b) for a, b in zip(again.unet.parameters(), unet.parameters(), strict=True))


# Parts of the names of attention's weights, as diffusers had them first.
FIRST_NAMES = [(".to_q.", ".query."), (".to_k.", ".key."), (".to_v.", ".value."), (".to_out.0.", ".proj_attn.")]

# Parts of diffusers' names in the authors' code, in the order in which they are replaced, for two resolutions.
AUTHORS_NAMES = [
    ("time_embedding.linear_1", "temb.dense.0"), ("time_embedding.linear_2", "temb.dense.1"),
    ("conv_norm_out", "norm_out"), ("mid_block.resnets.0", "mid.block_1"), ("mid_block.resnets.1", "mid.block_2"),
    ("mid_block.attentions.0", "mid.attn_1"), ("down_blocks.", "down."), ("up_blocks.0.", "up.1."),
    ("up_blocks.1.", "up.0."), (".resnets.", ".block."), (".attentions.", ".attn."), (".to_q.", ".q."),
    (".to_k.", ".k."), (".to_v.", ".v."), (".to_out.0.", ".proj_out."), (".group_norm.", ".norm."),
    ("time_emb_proj", "temb_proj"), ("conv_shortcut", "nin_shortcut"), ("downsamplers.0", "downsample"),
    ("upsamplers.0", "upsample"),
]


def renamed(state, names):
    """The tensors of a `state_dict` with these parts of their names replaced."""
    result = {}
    for name, tensor in state.items():
        for old, new in names:
            name = name.replace(old, new)
        result[name] = tensor.contiguous()
    return result


def kept_elsewhere(work):
    """A network in F32, and where it is kept as others do: what that is, and its place."""
    unet = diffusers.UNet2DModel(
        sample_size=32, block_out_channels=(32, 32), layers_per_block=1,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"), up_block_types=("AttnUpBlock2D", "UpBlock2D"), **AUTHORS,
    )
    # Multiples of 1/256 below 1/4, which are exact in F16 and BF16; gains are near 1.
    for name, parameter in unet.named_parameters():
        values = torch.randint(-16, 17, parameter.shape) / 256
        gain = "norm" in name and name.endswith("weight")
        parameter.data = 1 + 2 * values if gain else values
    scheduler = diffusers.DDPMScheduler(variance_type="fixed_large")
    state, places = unet.state_dict(), {}
    for dtype in [torch.float32, torch.float16, torch.bfloat16]:
        folder = work / f"subfolders-{dtype}"
        narrow = copy.deepcopy(unet).to(dtype)
        diffusers.DDPMPipeline(unet=narrow, scheduler=scheduler).save_pretrained(folder)
        places[f"sub-folders, {dtype}"] = folder
    folder = work / "variant"
    narrow = copy.deepcopy(unet).half()
    diffusers.DDPMPipeline(unet=narrow, scheduler=scheduler).save_pretrained(folder, variant="fp16")
    places["sub-folders, the fp16 variant"] = folder

    for what, names in [("today's names", []), ("the first names of attention", FIRST_NAMES)]:
        folder = work / f"root-{len(names)}"
        shutil.copytree(work / f"subfolders-{torch.float32}", folder)
        for file in [*(folder / "unet").iterdir(), *(folder / "scheduler").iterdir()]:
            file.rename(folder / file.name)
        save_file(renamed(state, names), folder / "diffusion_pytorch_model.safetensors", {"format": "pt"})
        places[f"all at the root, {what}"] = folder

    theirs = renamed(state, AUTHORS_NAMES)
    # The authors' attention is a convolution of 1 x 1.
    theirs = {
        name: tensor[:, :, None, None] if ".attn" in name and tensor.dim() == 2 else tensor
        for name, tensor in theirs.items()
    }
    half = {name: tensor.half() for name, tensor in theirs.items()}
    torch.save(theirs, work / "model.ckpt", _use_new_zipfile_serialization=False)
    torch.save(half, work / "model.pt")
    save_file({name: tensor.contiguous() for name, tensor in theirs.items()}, work / "model.safetensors")
    places["the authors' names, a pickle as before torch 1.6"] = work / "model.ckpt"
    places["the authors' names, a pickle of today, torch.float16"] = work / "model.pt"
    places["the authors' names, safetensors"] = work / "model.safetensors"
    return unet, places


def imported_from_everywhere(ddpm, predict, work):
    unet, places = kept_elsewhere(work)
    for number, (what, place) in enumerate(places.items()):
        folder = work / f"imported-{number}"
        run(ddpm, "import", place, folder)
        again = load(folder)
        assert again.scheduler.config.variance_type == "fixed_large", what
        weights = again.unet.state_dict()
        assert all(torch.equal(weights[name], tensor) for name, tensor in unet.state_dict().items()), what
        compare(what, predict, again.unet, folder, work)


def main():
    ddpm, predict = map(pathlib.Path, sys.argv[1:])
    torch.manual_seed(11)
    diffusers.utils.logging.disable_progress_bar()
    print(json.dumps({"torch": torch.__version__, "diffusers": diffusers.__version__}))
    with tempfile.TemporaryDirectory() as work:
        exported(ddpm, predict, pathlib.Path(work))
        imported(ddpm, predict, pathlib.Path(work))
        imported_from_everywhere(ddpm, predict, pathlib.Path(work))
    print("diffusers and this program agree")


main()
