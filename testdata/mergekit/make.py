#!/usr/bin/env python3
"""Cuts vectors computed by mergekit 0.1.5 down to a few tensors a layer.

usage: make.py VECTORS OUT, where VECTORS holds tiny/ and golden/ as mergekit's
configs name them. Needs numpy and safetensors' file layout only.
"""
import json, os, shutil, struct, sys

KEEP = ("self_attn.k_proj", "input_layernorm", "mlp.gate_proj", "model.norm")
NAMES = """linear linear_nonorm slerp slerp_gradient task_arithmetic task_arithmetic_norm_lambda ties
ties_filters_lambda breadcrumbs linear_bf16 slerp_bf16 task_arithmetic_bf16
task_arithmetic_bf16in_f32math_bf16out ties_bf16in_f32math_bf16out arcee_fusion breadcrumbs_ties karcher
model_stock model_stock_filterwise multislerp multislerp_base nearswap nuslerp nuslerp_base_rowwise
ram ramplus_tl sce""".split()


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
    head = json.dumps(out).encode()
    head += b" " * (-len(head) % 8)
    os.makedirs(os.path.dirname(dst), exist_ok=True)
    open(dst, "wb").write(struct.pack("<Q", len(head)) + head + body)


src, dst = sys.argv[1:]
for kind in ("f32", "bf16"):
    for m in ("base", "ftA", "ftB", "ftC"):
        cut(f"{src}/tiny/{kind}/{m}/model.safetensors", f"{dst}/tiny/{kind}/{m}/model.safetensors")
for name in NAMES:
    cut(f"{src}/golden/{name}/model.safetensors", f"{dst}/golden/{name}/model.safetensors")
    shutil.copyfile(f"{src}/golden/{name}/config.yml", f"{dst}/golden/{name}/config.yml")
