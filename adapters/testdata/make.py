"""Writes the vectors of the adapters' tests: two PEFT adapters with different modules,
ranks and scales, the same changes as kohya's and diffusers' files, and what merges of
them are, by NumPy in float64: sums of products, and their cuts by numpy.linalg.svd.

    pip install numpy torch safetensors peft
    python make.py
"""

import json
import os

import numpy as np
import torch
from peft import LoraConfig
from safetensors.numpy import save_file

rng = np.random.default_rng(11)
MODULES = {  # shape of the weight
    "model.layers.0.self_attn.q_proj": (12, 10),
    "model.layers.0.mlp.up_proj": (14, 10),
    "model.layers.1.self_attn.q_proj": (12, 10),
    "model.conv": (6, 3, 3, 3),
}


def draw(ranks):
    out = {}
    for name, r in ranks.items():
        o, i, *k = MODULES[name]
        out[name] = (rng.standard_normal((r, i, *k)).astype(np.float32), rng.standard_normal((o, r) + (1,) * len(k)).astype(np.float32))
    return out


def product(a, b):
    r = a.shape[0]
    return (b.reshape(b.shape[0], r).astype(np.float64) @ a.reshape(r, -1).astype(np.float64))


def peft(name, factors, **config):
    os.makedirs(name, exist_ok=True)
    c = LoraConfig(target_modules=sorted(factors), **config)
    c.save_pretrained(name)
    t = {}
    for m, (a, b) in factors.items():
        t[f"base_model.model.{m}.lora_A.weight"], t[f"base_model.model.{m}.lora_B.weight"] = a, b
    save_file(t, f"{name}/adapter_model.safetensors", metadata={"format": "pt"})


Q0, UP, Q1, CONV = MODULES
one = draw({Q0: 3, UP: 2, CONV: 3})
two = draw({Q0: 4, Q1: 4, CONV: 2})
peft("one", one, r=3, lora_alpha=6, rank_pattern={UP: 2}, alpha_pattern={UP: 5})
peft("two", two, r=4, lora_alpha=2, use_rslora=True, rank_pattern={"conv": 2})
scale1 = {Q0: 2.0, UP: 2.5, CONV: 2.0}
scale2 = {Q0: 1.0, Q1: 1.0, CONV: 2 / np.sqrt(2)}

# The second one as kohya writes it: the scale is alpha / rank.
kohya, dotted = {}, {}
for m, (a, b) in two.items():
    key = "lora_unet_" + m.replace(".", "_")
    kohya[key + ".lora_down.weight"], kohya[key + ".lora_up.weight"] = a, b
    kohya[key + ".alpha"] = np.array(scale2[m] * a.shape[0], np.float32)
save_file(kohya, "two-kohya.safetensors")
for m, (a, b) in one.items():
    dotted[f"unet.{m}.lora_A.weight"], dotted[f"unet.{m}.lora_B.weight"] = a, np.float32(scale1[m]) * b
save_file(dotted, "one-diffusers.safetensors")

# Averages of factors need the same ranks and scales.
three = draw({Q0: 3, UP: 2, CONV: 3})
peft("three", three, r=3, lora_alpha=6, rank_pattern={UP: 2}, alpha_pattern={UP: 5})

w1, w2 = 0.7, -0.4
sums, cut, energy = {}, {}, {}
for m, shape in MODULES.items():
    d = np.zeros((shape[0], int(np.prod(shape[1:]))))
    if m in one:
        d += w1 * scale1[m] * product(*one[m])
    if m in two:
        d += w2 * scale2[m] * product(*two[m])
    sums[m] = d.reshape(shape).astype(np.float32)
    u, s, v = np.linalg.svd(d, full_matrices=False)
    cut[m] = ((u[:, :2] * s[:2]) @ v[:2]).reshape(shape).astype(np.float32)
    energy[m] = float((s[:2] ** 2).sum() / (s ** 2).sum())

averages = {m: (product((one[m][0] * np.float32(0.5) + three[m][0] * np.float32(0.5)), (one[m][1] * np.float32(0.5) + three[m][1] * np.float32(0.5))) * scale1[m]).reshape(MODULES[m]).astype(np.float32) for m in one}
save_file(sums, "sum.safetensors")
save_file(cut, "cut.safetensors")
save_file(averages, "averages.safetensors")
with open("energy.json", "w") as f:
    json.dump(energy, f, indent=1)

# A model and a fine-tune of it, dense differences with falling singular values, and the
# nearest products of rank 4 of these.
base, fine, near, parts = {}, {}, {}, {}
for name, shape in {"layers.0.fc.weight": (90, 40), "layers.1.fc.weight": (40, 75), "conv.weight": (8, 6, 3, 3), "embed_tokens.weight": (30, 16), "norm.weight": (16,), "same.weight": (12, 12), "layers.0.fc.bias": (90,)}.items():
    base[name] = rng.standard_normal(shape).astype(np.float32)
    d = rng.standard_normal(shape) * 0.01
    if len(shape) > 1:
        u, s, v = np.linalg.svd(d.reshape(shape[0], -1), full_matrices=False)
        d = ((u * (s[0] * 0.8 ** np.arange(len(s)))) @ v).reshape(shape)
    fine[name] = base[name] if name in ("same.weight", "layers.0.fc.bias") else (base[name] + d).astype(np.float32)
    if name in ("layers.0.fc.weight", "layers.1.fc.weight", "conv.weight"):
        d = (fine[name].astype(np.float64) - base[name]).reshape(shape[0], -1)
        u, s, v = np.linalg.svd(d, full_matrices=False)
        near[name] = ((u[:, :4] * s[:4]) @ v[:4]).reshape(shape).astype(np.float32)
        parts[name.removesuffix(".weight")] = float((s[:4] ** 2).sum() / (s**2).sum())
save_file(base, "base.safetensors")
save_file(fine, "fine.safetensors")
save_file(near, "near.safetensors")
with open("near.json", "w") as f:
    json.dump(parts, f, indent=1)
