"""Makes three tiny models with Fisher informations and Gram matrices, and what NumPy, in
float64 and from the formulas of the papers, merges them to: expected.safetensors, a tensor
CASE/NAME each.

    pip install numpy safetensors && python make.py
"""
import numpy as np
from safetensors.numpy import save_file

rng = np.random.default_rng(4)
shapes = {"fc.weight": (5, 4), "fc.bias": (5,), "conv.weight": (3, 2, 2, 2), "h.weight": (4, 6), "norm": (6,)}
inputs = {"fc.weight": 4, "conv.weight": 8, "h.weight^T": 4}
models, fishers, grams = [], [], []
for name in "abc":
    w = {k: rng.normal(size=s).astype(np.float32) for k, s in shapes.items()}
    f = {k: (rng.normal(size=s) ** 2 * 10.0 ** rng.uniform(-9, -2, size=s)).astype(np.float32) for k, s in shapes.items()}
    for k in f:
        f[k][rng.random(f[k].shape) < 0.2] = 0
    f["norm"][:2] = 0  # in all models
    g = {}
    for k, d in inputs.items():
        x = rng.normal(size=(3 * d, d)) @ rng.normal(size=(d, d))
        x[:, -1] = 0  # an input that is always 0
        g[k] = (x.T @ x / len(x)).astype(np.float32)
    save_file(w, f"{name}.safetensors"); save_file(f, f"{name}.fisher.safetensors"); save_file(g, f"{name}.gram.safetensors")
    models.append(w); fishers.append(f); grams.append(g)
D = np.float64


def fisher(weights, floor=1e-6, favor_target=True, normalize=True):
    out = {}
    norms = [np.sqrt(sum((v.astype(D) ** 2).sum() for v in f.values())) if normalize else 1 for f in fishers]
    for k in shapes:
        above = below = 0
        for i, w in enumerate(weights):
            F = fishers[i][k].astype(D)
            if i == 0 or not favor_target:
                F = np.maximum(F, floor)
            F = w * F / norms[i]
            above, below = above + F * models[i][k].astype(D), below + F
        mean = sum(w * m[k].astype(D) for w, m in zip(weights, models)) / sum(weights)
        out[k] = np.where(below == 0, mean, above / np.where(below == 0, 1, below))
    return out


def regmean(weights, alpha=0.9, ridge=1e-6):
    out = {}
    for k, s in shapes.items():
        key = k + "^T" if k == "h.weight" else k
        if key not in inputs:
            out[k] = sum(w * m[k].astype(D) for w, m in zip(weights, models)) / sum(weights)
            continue
        G = [g[key].astype(D) for g in grams]
        t = sum(w * np.trace(g) for w, g in zip(weights, G)) / len(G[0]) / sum(weights)
        G = [w * (alpha * g + (1 - alpha) * np.diag(np.diag(g)) + ridge * t * np.eye(len(g))) for w, g in zip(weights, G)]
        W = [m[k].astype(D) if key != k else m[k].astype(D).reshape(s[0], -1).T for m in models]  # [in, out]
        y = np.linalg.solve(sum(G), sum(g @ w for g, w in zip(G, W)))
        out[k] = y if key != k else y.T.reshape(s)
    return out


cases = {
    "fisher": fisher([1, 1, 1]), "fisher-weights": fisher([0.2, 1, 0.5]), "fisher-plain": fisher([1, 0.5, 1], favor_target=False, normalize=False),
    "fisher-bare": fisher([1, 2, 3], floor=0, normalize=False), "regmean": regmean([1, 1, 1]), "regmean-weights": regmean([0.2, 1, 0.5], alpha=0.5),
    "regmean-full": regmean([1, 1, 1], alpha=1, ridge=1e-3),
}
save_file({f"{c}/{k}": np.ascontiguousarray(v.astype(np.float32)) for c, ts in cases.items() for k, v in ts.items()}, "expected.safetensors")
