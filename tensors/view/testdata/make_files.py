"""Writes the vectors of TestAdapterFiles: a tiny U-Net and a text encoder, adapters of
both in one file as kohya's scripts, LyCORIS and diffusers name them, and the models
with the adapter added, computed with torch in float64 from the definitions.

    pip install torch safetensors numpy
    python make_files.py
"""

import json
import os

import torch
from safetensors.torch import save_file

torch.manual_seed(3)
os.makedirs("files", exist_ok=True)

UNET = {
    "down_blocks.0.attentions.0.proj_in": (6, 4, 1, 1),
    "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q": (6, 6),
    "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.0": (6, 6),
    "down_blocks.0.resnets.0.conv1": (5, 4, 3, 3),
    "mid_block.resnets.0.conv2": (5, 3, 3, 3),
}
TEXT = {
    "text_model.encoder.layers.0.self_attn.q_proj": (8, 8),
    "text_model.encoder.layers.0.mlp.fc1": (12, 8),
}


def base(shapes):
    model = {}
    for name, shape in shapes.items():
        model[name + ".weight"] = torch.randn(shape)
        model[name + ".bias"] = torch.randn(shape[0])
    return model


unet, text = base(UNET), base(TEXT)
save_file(unet, "files/unet.safetensors")
save_file(text, "files/text.safetensors")


def delta(down, up, mid=None):
    down, up = down.double(), up.double()
    if mid is not None:
        return torch.einsum("op,pqhw,qi->oihw", up[:, :, 0, 0], mid.double(), down[:, :, 0, 0])
    if down.dim() == 4:
        return torch.einsum("or,rihw->oihw", up[:, :, 0, 0], down)
    return up @ down


def factors(shape, rank, tucker=False):
    out, inputs, *kernel = shape
    if not kernel:
        return torch.randn(rank, inputs), torch.randn(out, rank), None
    up = torch.randn(out, rank, 1, 1)
    if tucker:
        return torch.randn(rank, inputs, 1, 1), up, torch.randn(rank, rank, *kernel)
    return torch.randn(rank, inputs, *kernel), up, None


def added(model, changes):
    out = {k: v.clone() for k, v in model.items()}
    for name, d in changes.items():
        w = out[name + ".weight"]
        out[name + ".weight"] = (w.double() + d.reshape(w.shape)).float()
    return out


def make(name, key, suffixes, alphas, tucker=(), linear=(), header=None):
    """Writes an adapter with the given names of modules and its merged models."""
    tensors, changes = {}, {"unet": {}, "text": {}}
    for i, (part, shapes) in enumerate((("unet", UNET), ("text", TEXT))):
        for j, (module, shape) in enumerate(shapes.items()):
            rank = 2 + (i + j) % 3
            down, up, mid = factors(shape[:2] if module in linear else shape, rank, module in tucker)
            m = key(part, module)
            d, u, a = suffixes(part, module)
            tensors[m + d], tensors[m + u] = down, up
            if mid is not None:
                tensors[m + ".lora_mid.weight"] = mid
            scale = 1.0
            if alphas:
                alpha = 1.0 + 0.5 * j
                if alphas == "keys":
                    tensors[m + a] = torch.tensor(alpha)
                    scale = alpha / rank
            if header:
                scale = header(part, module, rank)
            changes[part][module] = scale * delta(down, up, mid)
    return tensors, changes


def write(name, tensors, changes, metadata=None):
    save_file(tensors, f"files/{name}.safetensors", metadata=metadata)
    for part, model in (("unet", unet), ("text", text)):
        save_file(added(model, changes[part]), f"files/{name}-{part}.safetensors")


def kohya(part, module):
    return {"unet": "lora_unet_", "text": "lora_te_"}[part] + module.replace(".", "_")


def dotted(part, module):
    return {"unet": "unet.", "text": "text_encoder."}[part] + module


write("kohya", *make("kohya", kohya, lambda p, m: (".lora_down.weight", ".lora_up.weight", ".alpha"), "keys",
                     tucker=["mid_block.resnets.0.conv2"], linear=["down_blocks.0.attentions.0.proj_in"]))
write("diffusers", *make("diffusers", dotted, lambda p, m: (".lora_A.weight", ".lora_B.weight", ".alpha"), ""))


def old(part, module):
    if "attn1" in module:
        module = module.replace("attn1.", "attn1.processor.").replace("to_out.0", "to_out")
    return dotted(part, module)


def oldest(part, module):
    if part == "text":
        return (".lora_linear_layer.down.weight", ".lora_linear_layer.up.weight", ".alpha")
    if "attn1" in module:
        return ("_lora.down.weight", "_lora.up.weight", ".alpha")
    return (".lora.down.weight", ".lora.up.weight", ".alpha")


write("older", *make("older", old, oldest, "keys"))

ALPHAS = {"unet": 3.0, "text": 5.0}
ranks = {}
for i, shapes in enumerate((UNET, TEXT)):
    for j, module in enumerate(shapes):
        ranks[module] = 2 + (i + j) % 3
metadata = {
    "unet.r": 2, "unet.lora_alpha": 3.0, "unet.rank_pattern": {m: ranks[m] for m in UNET if ranks[m] != 2}, "unet.alpha_pattern": {}, "unet.use_rslora": True,
    "text_encoder.r": 3, "text_encoder.lora_alpha": 5.0, "text_encoder.rank_pattern": {m: ranks[m] for m in TEXT if ranks[m] != 3},
}


def scale(part, module, rank):
    return ALPHAS[part] / (rank ** 0.5 if part == "unet" else rank)


write("header", *make("header", dotted, lambda p, m: (".lora_A.weight", ".lora_B.weight", ".alpha"), "", header=scale),
      metadata={"format": "pt", "lora_adapter_metadata": json.dumps(metadata)})
