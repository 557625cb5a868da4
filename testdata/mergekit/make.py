#!/usr/bin/env python3
"""Cuts vectors computed by mergekit 0.1.5 down to a few tensors a layer.

usage: make.py VECTORS OUT, where VECTORS holds tiny/ and golden/ as mergekit's
configs name them. Needs numpy and safetensors' file layout only. Stochastic vectors
come with their keep masks: bits, the highest first, named TENSOR|MODEL.
"""
import json, os, shutil, struct, sys
import numpy as np

KEEP = ("self_attn.k_proj", "input_layernorm", "mlp.gate_proj", "model.norm")
NAMES = """linear linear_nonorm slerp slerp_gradient task_arithmetic task_arithmetic_norm_lambda ties
ties_filters_lambda breadcrumbs linear_bf16 slerp_bf16 task_arithmetic_bf16
task_arithmetic_bf16in_f32math_bf16out ties_bf16in_f32math_bf16out arcee_fusion breadcrumbs_ties karcher
model_stock model_stock_filterwise multislerp multislerp_base nearswap nuslerp nuslerp_base_rowwise
ram ramplus_tl sce""".split()
RANDOM = "dare_linear dare_linear_norescale dare_ties della della_linear".split()


def save(path, header, body):
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    open(path, "wb").write(struct.pack("<Q", len(head)) + head + body)


def cut(src, dst):
    raw = open(src, "rb").read()
    n = struct.unpack("<Q", raw[:8])[0]
    header, data = json.loads(raw[8:8 + n]), raw[8 + n:]
    out, body = {}, b""
    for name in sorted(header):
        if name != "__metadata__" and any(k in name for k in KEEP):
            t = header[name]
            a, b = t["data_offsets"]
            t["data_offsets"] = [len(body), len(body) + b - a]
            out[name], body = t, body + data[a:b]
    save(dst, out, body)


def masks(src, dst):
    packed, out, body = np.load(src), {}, b""
    for name in sorted(packed.files):
        if any(k in name for k in KEEP):
            b = packed[name].tobytes()
            out[name], body = {"dtype": "U8", "shape": [len(b)], "data_offsets": [len(body), len(body) + len(b)]}, body + b
    save(dst, out, body)


src, dst = sys.argv[1:]
for kind in ("f32", "bf16"):
    for m in ("base", "ftA", "ftB", "ftC"):
        cut(f"{src}/tiny/{kind}/{m}/model.safetensors", f"{dst}/tiny/{kind}/{m}/model.safetensors")
for name in NAMES + RANDOM:
    cut(f"{src}/golden/{name}/model.safetensors", f"{dst}/golden/{name}/model.safetensors")
    shutil.copyfile(f"{src}/golden/{name}/config.yml", f"{dst}/golden/{name}/config.yml")
for name in RANDOM:
    masks(f"{src}/golden/{name}/masks.npz", f"{dst}/golden/{name}/masks.safetensors")
for name in ("dare_linear", "della"):
    stats = [s for s in json.load(open(f"{src}/golden/{name}/stats.json")) if any(k in s["tensor"] for k in KEEP)]
    json.dump([{k: s[k] for k in ("tensor", "model", "applied_scale")} for s in stats], open(f"{dst}/golden/{name}/stats.json", "w"), indent=0)
