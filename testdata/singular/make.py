"""Merges by singular values, computed by NumPy in float64 from the formulas of the
papers with numpy.linalg.svd, for TestSingularVectors. Run it here: python make.py

A base and three models, float32; for each recipe NAME.yml the tensors that it makes.
"""

import pathlib

import numpy as np
from safetensors.numpy import save_file

MODELS = ["a", "b", "c"]
SHAPES = {
    "tall.weight": (24, 14),
    "wide.weight": (10, 19),
    "square.weight": (12, 12),
    "dead.weight": (12, 10),  # three columns no model changes, and c changes nothing
    "embedding.weight": (9, 6),
    "conv.weight": (5, 3, 2, 2),
    "one.weight": (1, 7),  # of one singular value
    "bias": (14,),
}
NOISE = 1e-6  # of the largest singular value: below, directions are left out


def models():
    rng = np.random.default_rng(7)
    base = {k: rng.normal(0, 0.1, s).astype(np.float32) for k, s in SHAPES.items()}
    out = {"base": base}
    for m in MODELS:
        out[m] = {}
        for k, s in SHAPES.items():
            d = rng.normal(0, 0.01, s)
            if len(s) == 2:  # some directions matter more, one of them to all models
                strong = np.random.default_rng(8).normal(0, 1, s[0])
                d += 0.02 * np.outer(strong, rng.normal(0, 1, s[1]))
            if k == "dead.weight":
                d[:, 2:5] = 0
                d *= m != "c"
            out[m][k] = (base[k] + d).astype(np.float32)
    return out


def svd(a):
    u, s, vt = np.linalg.svd(a, full_matrices=False)
    n = int(np.sum(s > NOISE * s[0])) if s[0] > 0 else 0
    return u[:, :n], s[:n], vt[:n]


def orthogonal(a):
    u, s, vt = np.linalg.svd(a, full_matrices=False)
    n = int(np.sum(s > 1e-5 * s[0]))
    return u[:, :n] @ vt[:n]


def tsv_m(ds, weight=None, rank=0.0):
    r, t = min(ds[0].shape), len(ds)
    k = max(1, int(rank * r) if rank else r // t)
    parts = [tuple(x[..., :k] if i == 0 else x[:k] for i, x in enumerate(svd(d))) for d in ds]
    w = weight or [1.0] * t
    u = orthogonal(np.concatenate([p[0] for p in parts], axis=1))
    v = orthogonal(np.concatenate([p[2] for p in parts], axis=0).T)
    s = np.concatenate([w_i * p[1] for w_i, p in zip(w, parts)])
    return u @ np.diag(s) @ v.T


def iso_c(ds):
    total = sum(ds)
    u, s, vt = svd(total)
    return s.sum() / min(total.shape) * (u @ vt)


def iso_cts(ds, common=0.8):
    total, t = sum(ds), len(ds)
    r = min(total.shape)
    each = min(round((r - int(common * r)) / t), r // t)
    c = r - t * each
    u, s, vt = svd(total)
    us, ss, vs = [u[:, :c]], [s[:c]], [vt[:c]]
    for d in ds:
        if each == 0 or not d.any():
            continue
        u, s, vt = svd(d - us[0] @ us[0].T @ d)
        us.append(u[:, :each])
        ss.append(s[:each])
        vs.append(vt[:each])
    u, v = orthogonal(np.concatenate(us, axis=1)), orthogonal(np.concatenate(vs, axis=0).T)
    return np.concatenate(ss).sum() / r * (u @ v.T)


def wudi(ds, iterations=300, learning_rate=1e-5):
    x, m, v = sum(ds), 0.0, 0.0
    for t in range(1, iterations + 1):
        g = sum(2 * (x - d) @ d.T @ d / max((d * d).sum(), 1e-300) for d in ds)
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g * g
        x = x - learning_rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return x


def mean(ds, weight=None):
    return sum(w * d for w, d in zip(weight or [1.0] * len(ds), ds)) / len(ds)


def merge(method, lam, matrices, others, convolutions=False):
    out = {}
    for k, shape in SHAPES.items():
        ds = [(ms[m][k] - ms["base"][k]).astype(np.float64) for m in MODELS]
        is_matrix = len(shape) == 2 and k not in others or len(shape) > 2 and convolutions
        if is_matrix:
            d = method([d.reshape(shape[0], -1) for d in ds]).reshape(shape)
        else:
            d = matrices(ds)
        out[k] = (ms["base"][k].astype(np.float64) + lam * d).astype(np.float32)
    return out


def recipe(method, parameters, weights=None):
    lines = [f"merge_method: {method}", "base_model: base.safetensors", "models:"]
    for i, m in enumerate(MODELS):
        lines.append(f"  - model: {m}.safetensors")
        if weights:
            lines.append(f"    parameters: {{weight: {weights[i]}}}")
    if parameters:
        lines.append("parameters:")
        lines += ["  " + p for p in parameters]
    return "\n".join(lines) + "\n"


here = pathlib.Path(__file__).parent
ms = models()
for name, data in ms.items():
    save_file(data, here / f"{name}.safetensors")

weights = [0.5, 1.25, -0.25]
CASES = {
    "tsv_m": (recipe("tsv_m", []), lambda: merge(tsv_m, 1, mean, [])),
    "tsv_m_weights": (
        recipe("tsv_m", ["lambda: 0.8", "rank: 0.2"], weights),
        lambda: merge(lambda ds: tsv_m(ds, weights, 0.2), 0.8, lambda ds: mean(ds, weights), []),
    ),
    "tsv_m_whole_rank": (
        recipe("tsv_m", ["rank: 1", "convolutions: matrix"]),
        lambda: merge(lambda ds: tsv_m(ds, None, 1), 1, mean, [], True),
    ),
    "iso_c": (
        recipe("iso_c", ["lambda: 1.5", "matrix: [{filter: embedding, value: false}, {value: true}]"]),
        lambda: merge(iso_c, 1.5, mean, ["embedding.weight"]),
    ),
    "iso_c_convolutions": (recipe("iso_c", ["convolutions: matrix"]), lambda: merge(iso_c, 1, mean, [], True)),
    "iso_cts": (recipe("iso_cts", []), lambda: merge(iso_cts, 1, mean, [])),
    "iso_cts_half": (
        recipe("iso_cts", ["lambda: 1.2", "common: 0.5"]),
        lambda: merge(lambda ds: iso_cts(ds, 0.5), 1.2, mean, []),
    ),
    "wudi": (recipe("wudi", []), lambda: merge(wudi, 1, mean, [])),
    "wudi_fast": (
        recipe("wudi", ["iterations: 60", "learning_rate: 0.001", "lambda: 0.7"]),
        lambda: merge(lambda ds: wudi(ds, 60, 1e-3), 0.7, mean, []),
    ),
}
for name, (text, made) in CASES.items():
    (here / f"{name}.yml").write_text(text)
    save_file(made(), here / f"{name}.out.safetensors")
