#!/usr/bin/env python3
"""Merges models of odd shapes with mergekit 0.1.5: columns, rows, cubes, scalars.

usage: odd.py OUT, with mergekit in the environment. Writes base, a, b and c, a result
for each configuration, and how often DELLA keeps each entry in 400 runs.
"""
import json, os, shutil, struct, sys
import numpy as np, yaml
from click.testing import CliRunner
from mergekit.scripts.merge_raw_pytorch import main
from safetensors.numpy import load_file

SHAPES = {"a.column": (7, 1), "b.row": (1, 13), "c.matrix": (11, 17), "d.conv1": (5, 1, 4), "e.cube": (3, 5, 7),
          "f.conv": (2, 3, 4, 5), "g.vector": (19,), "h.one": (1,), "i.scalar": ()}
RANKED = ("b.row", "c.matrix", "e.cube", "f.conv", "g.vector")  # mergekit has no odds for rows of one


def save(path, tensors):
    head, body = {}, b""
    for name in sorted(tensors):
        b = tensors[name].astype("<f4").tobytes()
        head[name] = {"dtype": "F32", "shape": list(tensors[name].shape), "data_offsets": [len(body), len(body) + len(b)]}
        body += b
    h = json.dumps(head).encode()
    h += b" " * (-len(h) % 8)
    open(path, "wb").write(struct.pack("<Q", len(h)) + h + body)


def merged(config, *flags):
    os.makedirs("scratch", exist_ok=True)
    yaml.safe_dump(config, open("scratch/config.yml", "w"), sort_keys=False)
    r = CliRunner().invoke(main, ["scratch/config.yml", "scratch/out", "--quiet", *flags])
    if r.exit_code:
        raise r.exception
    return "scratch/out/model.safetensors"


def config(method, sources, base=True, shared=None):
    c = {"merge_method": method, "models": [], "dtype": "float32"}
    for model, p in sources:
        c["models"].append({"model": model + ".safetensors", **({"parameters": p} if p else {})})
    if base:
        c["base_model"] = "base.safetensors"
    if shared:
        c["parameters"] = shared
    return c


os.makedirs(sys.argv[1], exist_ok=True)
os.chdir(sys.argv[1])
rng = np.random.Generator(np.random.PCG64(77))
base = {n: rng.standard_normal(s) * .5 for n, s in SHAPES.items()}
save("base.safetensors", base)
for m, (size, share) in {"a": (.1, .3), "b": (.05, 1.), "c": (.2, .6)}.items():
    save(m + ".safetensors", {n: b + size * rng.standard_normal(b.shape) * (rng.random(b.shape) < share) for n, b in base.items()})

W = [("a", {"weight": .5}), ("b", {"weight": .3}), ("c", {"weight": .4})]
D = [(m, {**p, "density": d}) for (m, p), d in zip(W, (.55, .3, .7))]
G = [(m, {**p, "gamma": g}) for (m, p), g in zip(D, (.1, .2, 0.))]
S = [(m, {**p, "weight": w}) for (m, p), w in zip(D, (1., -.6, .4))]
N = [("a", {}), ("b", {}), ("c", {})]
CONFIGS = {
    "linear": config("linear", W, False),
    "slerp": config("slerp", N[:1], True, {"t": .35}),
    "nuslerp": config("nuslerp", W[:2], False),
    "nuslerp_base": config("nuslerp", W[:2]),
    "nuslerp_columns": config("nuslerp", W[:2], False, {"nuslerp_flatten": False}),
    "nuslerp_columns_base": config("nuslerp", W[:2], True, {"nuslerp_flatten": False}),
    "nuslerp_rows": config("nuslerp", W[:2], False, {"nuslerp_flatten": False, "nuslerp_row_wise": True}),
    "nuslerp_rows_base": config("nuslerp", W[:2], True, {"nuslerp_flatten": False, "nuslerp_row_wise": True}),
    "nuslerp_opposite": config("nuslerp", [("a", {"weight": .3}), ("minus_a", {"weight": .7})], False),
    "slerp_opposite": {**config("slerp", [("minus_a", {})], False, {"t": .3}), "base_model": "a.safetensors"},
    "multislerp": config("multislerp", W, False),
    "multislerp_base": config("multislerp", W),
    "multislerp_plain": config("multislerp", W, True, {"normalize_weights": False}),
    "karcher": config("karcher", N, False),
    "task_arithmetic": config("task_arithmetic", W, True, {"lambda": 1.1, "normalize": True}),
    "ties": config("ties", D),
    "ties_rescale": config("ties", D, True, {"rescale": True, "lambda": .7}),
    "ties_signed": config("ties", S),
    "breadcrumbs": config("breadcrumbs", G),
    "breadcrumbs_rescale": config("breadcrumbs", G, True, {"rescale": True}),
    "breadcrumbs_ties": config("breadcrumbs_ties", G, True, {"normalize": True}),
    "breadcrumbs_ties_signed": config("breadcrumbs_ties", S, True, {"normalize": True}),
    "model_stock": config("model_stock", N),
    "model_stock_rows": config("model_stock", N, True, {"filter_wise": True}),
    "sce": config("sce", N),
    "sce_topk": config("sce", N, True, {"select_topk": .4}),
    "arcee_fusion": config("arcee_fusion", N[:1]),
    "nearswap": config("nearswap", N[1:2], True, {"t": .03}),
    "nearswap_tiny": config("nearswap", N[1:2], True, {"t": 5e-7}),
    "ram": config("ram", N, True, {"epsilon": .02}),
    "ramplus_tl": config("ramplus_tl", N, True, {"epsilon": .02, "r": .5, "alpha": 1.5}),
    "passthrough": config("passthrough", [("c", {"scale": -.7})], False),
}
save("minus_a.safetensors", {n: -v for n, v in load_file("a.safetensors").items()})
for name, c in CONFIGS.items():
    out = merged(c)
    os.makedirs(f"golden/{name}", exist_ok=True)
    shutil.copyfile("scratch/config.yml", f"golden/{name}/config.yml")
    shutil.copyfile(out, f"golden/{name}/model.safetensors")

for m in ("base", "b"):
    save(f"scratch_{m}.safetensors", {k: load_file(m + ".safetensors")[k] for k in RANKED})
della = config("della_linear", [("scratch_b", {"weight": 1., "density": .45, "epsilon": .35})], True, {"rescale": False})
della["base_model"] = "scratch_base.safetensors"
plain, counts = load_file("scratch_base.safetensors"), {k: 0 for k in RANKED}
for seed in range(400):
    y = load_file(merged(della, "--random-seed", str(seed)))
    for k in RANKED:
        counts[k] = counts[k] + (y[k] != plain[k])
save("della_counts.safetensors", counts)
shutil.rmtree("scratch")
for m in ("base", "b"):
    os.remove(f"scratch_{m}.safetensors")
