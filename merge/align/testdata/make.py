"""Weight matching by NumPy and SciPy in float64, from algorithms 1 and 3 of Ainsworth et
al. 2022, for the tests of package align. Run it here: python make.py

Per family two or three tiny models with config.json; golden.json has the visiting order,
the orders found, sums of products and agreements of singular vectors. A model's units are
written down by hand here, tensor by tensor; groups of heads are tried exhaustively.
"""

import hashlib
import itertools
import json
import pathlib

import numpy as np
from safetensors.numpy import save_file
from scipy.optimize import linear_sum_assignment

HERE = pathlib.Path(__file__).parent


# A permutation is (units, group, places), a place (tensor, axis, offset, block, grouped).
def mlp():
    shapes = {"fc1.weight": (16, 12), "fc1.bias": (16,), "fc2.weight": (10, 16), "fc2.bias": (10,), "fc3.weight": (4, 10), "fc3.bias": (4,)}
    config = {"model_type": "sequential", "input": {"shape": [12]}, "layers": [
        {"op": "linear", "name": "fc1", "in": 12, "out": 16}, {"op": "relu"},
        {"op": "linear", "name": "fc2", "in": 16, "out": 10}, {"op": "relu"},
        {"op": "linear", "name": "fc3", "in": 10, "out": 4}]}
    spec = {"fc1": (16, 1, [("fc1.weight", 0, 0, 1, 0), ("fc1.bias", 0, 0, 1, 0), ("fc2.weight", 1, 0, 1, 0)]),
            "fc2": (10, 1, [("fc2.weight", 0, 0, 1, 0), ("fc2.bias", 0, 0, 1, 0), ("fc3.weight", 1, 0, 1, 0)])}
    return config, shapes, spec


def cnn():
    shapes = {"c1.weight": (6, 1, 3, 3), "c1.bias": (6,), "c2.weight": (8, 6, 2, 2), "c2.bias": (8,), "n1.weight": (8, 2, 2), "n1.bias": (8, 2, 2),
              "fc1.weight": (10, 32), "fc1.bias": (10,), "n2.weight": (10,), "n2.bias": (10,), "fc2.weight": (3, 10)}
    config = {"model_type": "sequential", "input": {"shape": [1, 8, 8]}, "layers": [
        {"op": "conv2d", "name": "c1", "in": 1, "out": 6, "kernel": 3}, {"op": "relu"}, {"op": "max_pool2d", "kernel": 2},
        {"op": "conv2d", "name": "c2", "in": 6, "out": 8, "kernel": 2}, {"op": "layer_norm", "name": "n1", "shape": [8, 2, 2]}, {"op": "gelu"},
        {"op": "flatten"}, {"op": "linear", "name": "fc1", "in": 32, "out": 10}, {"op": "relu"}, {"op": "layer_norm", "name": "n2", "shape": [10]},
        {"op": "linear", "name": "fc2", "in": 10, "out": 3, "bias": False}]}
    spec = {"c1": (6, 1, [("c1.weight", 0, 0, 1, 0), ("c1.bias", 0, 0, 1, 0), ("c2.weight", 1, 0, 1, 0)]),
            "c2": (8, 1, [("c2.weight", 0, 0, 1, 0), ("c2.bias", 0, 0, 1, 0), ("n1.weight", 0, 0, 1, 0), ("n1.bias", 0, 0, 1, 0), ("fc1.weight", 1, 0, 4, 0)]),
            "fc1": (10, 1, [("fc1.weight", 0, 0, 1, 0), ("fc1.bias", 0, 0, 1, 0), ("n2.weight", 0, 0, 1, 0), ("n2.bias", 0, 0, 1, 0), ("fc2.weight", 1, 0, 1, 0)])}
    return config, shapes, spec


def llama(kind, stream):
    hidden, inner, heads, keys, d, vocab, layers = 16, 14, 6, 3, 4, 11, 2
    config = {"model_type": kind, "hidden_size": hidden, "intermediate_size": inner, "num_hidden_layers": layers, "num_attention_heads": heads,
              "num_key_value_heads": keys, "head_dim": d, "vocab_size": vocab, "max_position_embeddings": 32, "rms_norm_eps": 1e-6, "tie_word_embeddings": False}
    shapes = {"model.embed_tokens.weight": (vocab, hidden), "model.norm.weight": (hidden,), "lm_head.weight": (vocab, hidden)}
    spec, res = {}, [("model.embed_tokens.weight", 1, 0, 1, 0), ("model.norm.weight", 0, 0, 1, 0), ("lm_head.weight", 1, 0, 1, 0)]
    for i in range(layers):
        l = f"model.layers.{i}."
        att = []
        for name, n, grouped in (("q", heads, 0), ("k", keys, 1), ("v", keys, 1)):
            shapes[l + f"self_attn.{name}_proj.weight"] = (n * d, hidden)
            att.append((l + f"self_attn.{name}_proj.weight", 0, 0, d, grouped))
            res.append((l + f"self_attn.{name}_proj.weight", 1, 0, 1, 0))
            if kind == "qwen2":
                shapes[l + f"self_attn.{name}_proj.bias"] = (n * d,)
                att.append((l + f"self_attn.{name}_proj.bias", 0, 0, d, grouped))
        if kind == "qwen3":
            shapes[l + "self_attn.q_norm.weight"] = shapes[l + "self_attn.k_norm.weight"] = (d,)
        shapes[l + "self_attn.o_proj.weight"] = (hidden, heads * d)
        att.append((l + "self_attn.o_proj.weight", 1, 0, d, 0))
        res.append((l + "self_attn.o_proj.weight", 0, 0, 1, 0))
        for name in ("gate", "up"):
            shapes[l + f"mlp.{name}_proj.weight"] = (inner, hidden)
            res.append((l + f"mlp.{name}_proj.weight", 1, 0, 1, 0))
        shapes[l + "mlp.down_proj.weight"] = (hidden, inner)
        res.append((l + "mlp.down_proj.weight", 0, 0, 1, 0))
        for name in ("input_layernorm", "post_attention_layernorm"):
            shapes[l + name + ".weight"] = (hidden,)
            res.append((l + name + ".weight", 0, 0, 1, 0))
        spec[l + "self_attn.heads"] = (heads, heads // keys, att)
        spec[l + "mlp"] = (inner, 1, [(l + "mlp.gate_proj.weight", 0, 0, 1, 0), (l + "mlp.up_proj.weight", 0, 0, 1, 0), (l + "mlp.down_proj.weight", 1, 0, 1, 0)])
    if stream:
        spec["model.stream"] = (hidden, 1, res)
    return config, shapes, spec


def gpt2(stream):
    hidden, inner, heads, d, vocab, layers = 12, 20, 4, 3, 11, 2
    config = {"model_type": "gpt2", "n_embd": hidden, "n_inner": inner, "n_layer": layers, "n_head": heads, "vocab_size": vocab, "n_positions": 16,
              "layer_norm_epsilon": 1e-5, "activation_function": "gelu_new"}
    shapes = {"transformer.wte.weight": (vocab, hidden), "transformer.wpe.weight": (16, hidden), "transformer.ln_f.weight": (hidden,), "transformer.ln_f.bias": (hidden,)}
    spec, res = {}, [("transformer.wte.weight", 1, 0, 1, 0), ("transformer.wpe.weight", 1, 0, 1, 0), ("transformer.ln_f.weight", 0, 0, 1, 0), ("transformer.ln_f.bias", 0, 0, 1, 0)]
    for i in range(layers):
        l = f"transformer.h.{i}."
        for name, rows, cols in (("attn.c_attn", hidden, 3 * hidden), ("attn.c_proj", hidden, hidden), ("mlp.c_fc", hidden, inner), ("mlp.c_proj", inner, hidden)):
            shapes[l + name + ".weight"], shapes[l + name + ".bias"] = (rows, cols), (cols,)
        for name in ("ln_1", "ln_2"):
            for part in (".weight", ".bias"):
                shapes[l + name + part] = (hidden,)
                res.append((l + name + part, 0, 0, 1, 0))
        res += [(l + "attn.c_attn.weight", 0, 0, 1, 0), (l + "mlp.c_fc.weight", 0, 0, 1, 0)]
        for name in ("attn.c_proj", "mlp.c_proj"):
            res += [(l + name + ".weight", 1, 0, 1, 0), (l + name + ".bias", 0, 0, 1, 0)]
        spec[l + "attn.heads"] = (heads, 1, [(l + "attn.c_attn.weight", 1, p * hidden, d, 0) for p in range(3)]
                                  + [(l + "attn.c_attn.bias", 0, p * hidden, d, 0) for p in range(3)] + [(l + "attn.c_proj.weight", 0, 0, d, 0)])
        spec[l + "mlp"] = (inner, 1, [(l + "mlp.c_fc.weight", 1, 0, 1, 0), (l + "mlp.c_fc.bias", 0, 0, 1, 0), (l + "mlp.c_proj.weight", 0, 0, 1, 0)])
    if stream:
        spec["transformer.stream"] = (hidden, 1, res)
    return config, shapes, spec


def bert():
    hidden, inner, heads, d, vocab, layers = 12, 20, 4, 3, 11, 2
    config = {"model_type": "bert", "hidden_size": hidden, "intermediate_size": inner, "num_hidden_layers": layers, "num_attention_heads": heads,
              "vocab_size": vocab, "max_position_embeddings": 16, "type_vocab_size": 2}
    shapes = {"embeddings.word_embeddings.weight": (vocab, hidden), "embeddings.position_embeddings.weight": (16, hidden),
              "embeddings.token_type_embeddings.weight": (2, hidden), "embeddings.LayerNorm.weight": (hidden,), "embeddings.LayerNorm.bias": (hidden,)}
    spec = {}
    for i in range(layers):
        l = f"encoder.layer.{i}."
        att = []
        for name in ("query", "key", "value"):
            shapes[l + f"attention.self.{name}.weight"], shapes[l + f"attention.self.{name}.bias"] = (hidden, hidden), (hidden,)
            att += [(l + f"attention.self.{name}.weight", 0, 0, d, 0), (l + f"attention.self.{name}.bias", 0, 0, d, 0)]
        for name, rows, cols in (("attention.output.dense", hidden, hidden), ("intermediate.dense", inner, hidden), ("output.dense", hidden, inner)):
            shapes[l + name + ".weight"], shapes[l + name + ".bias"] = (rows, cols), (rows,)
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes[l + name + ".weight"] = shapes[l + name + ".bias"] = (hidden,)
        spec[l + "attention.heads"] = (heads, 1, att + [(l + "attention.output.dense.weight", 1, 0, d, 0)])
        spec[l + "mlp"] = (inner, 1, [(l + "intermediate.dense.weight", 0, 0, 1, 0), (l + "intermediate.dense.bias", 0, 0, 1, 0), (l + "output.dense.weight", 1, 0, 1, 0)])
    return config, shapes, spec


def apply(model, spec, orders, leave=None):
    """The model with units in the orders; leave is a permutation that is left out."""
    out = {k: v.copy() for k, v in model.items()}
    for name, (units, group, places) in spec.items():
        if name == leave:
            continue
        for tensor, axis, at, block, grouped in places:
            order = orders[name]
            if grouped:
                order = order[::group] // group
            index = np.arange(out[tensor].shape[axis])
            index[at:at + len(order) * block] = (at + order[:, None] * block + np.arange(block)).ravel()
            out[tensor] = np.take(out[tensor], index, axis=axis)
    return out


def units(model, place, n):
    tensor, axis, at, block, _ = place
    moved = np.moveaxis(model[tensor].astype(np.float64), axis, 0)[at:at + n * block]
    return moved.reshape(n, -1)


def best(a, b, spec, name):
    """The sums of products between units, between groups, and the best order."""
    n, group, places = spec[name]
    sums, wide = np.zeros((n, n)), np.zeros((n // group, n // group))
    for p in places:
        if p[4]:
            wide += units(a, p, n // group) @ units(b, p, n // group).T
        else:
            sums += units(a, p, n) @ units(b, p, n).T
    if group == 1:
        _, order = linear_sum_assignment(sums, maximize=True)
    else:  # all ways
        order, most = None, -np.inf
        for outer in itertools.permutations(range(n // group)):
            for inner in itertools.product(itertools.permutations(range(group)), repeat=n // group):
                o = np.array([h * group + j for h, js in zip(outer, inner) for j in js])
                if (s := score(sums, wide, o, group)) > most:
                    order, most = o, s
    return sums, wide, order


def score(sums, wide, order, group):
    s = sums[np.arange(len(order)), order].sum()
    if group > 1:
        g = order[::group] // group
        s += wide[np.arange(len(g)), g].sum()
    return s


def hashed(names, seed, sweep):
    return sorted(names, key=lambda n: hashlib.sha256(f"mergevo align 1|{seed}|{sweep}|{n}".encode()).digest())


def climb(a, b, spec, orders, seed):
    changed = False
    for sweep in range(100):
        progress = False
        for name in hashed(spec, seed, sweep):
            sums, wide, order = best(a, apply(b, spec, orders, leave=name), spec, name)
            if score(sums, wide, order, spec[name][1]) > score(sums, wide, orders[name], spec[name][1]) + 1e-12:
                orders[name], progress, changed = order, True, True
        if not progress:
            return changed


def identity(spec):
    return {k: np.arange(n) for k, (n, _, _) in spec.items()}


def match(a, b, spec, seed):
    orders = identity(spec)
    climb(a, b, spec, orders, seed)
    return orders


def together(models, spec, seed, fixed):
    orders = [identity(spec) for _ in models]
    for round in range(100):
        progress = False
        for i in [int(n.split()[1]) for n in hashed([f"model {i}" for i in range(len(models))], seed, round)]:
            others = [apply(m, spec, o) for j, (m, o) in enumerate(zip(models, orders)) if j != i]
            mean = {k: sum(o[k].astype(np.float64) for o in others) / len(others) for k in models[0]}
            progress |= climb(mean, models[i], spec, orders[i], seed)
        if not progress:
            break
    back = {k: np.argsort(o) for k, o in orders[fixed].items()}
    return [{k: o[k][back[k]] for k in o} for o in orders]


def draw(rng, shapes):
    return {k: (rng.normal(0, 0.3, s) + (1 if "norm" in k.lower() and "weight" in k else 0)).astype(np.float32) for k, s in shapes.items()}


def shuffled(rng, spec):
    out = {}
    for k, (n, group, _) in spec.items():
        out[k] = np.concatenate([g * group + rng.permutation(group) for g in rng.permutation(n // group)])
    return out


def agreement(x, y, gamma, most):
    parts = []
    for w in (x, y):
        u, s, v = np.linalg.svd(w.astype(np.float64).reshape(len(w), -1), full_matrices=False)
        k = min(most, int((s >= gamma * s[0]).sum()))
        parts.append((u[:, :k], v[:k].T, k))
    (u, v, k), (p, q, l) = parts
    return float((np.abs(u.T @ p) * np.abs(v.T @ q)).sum() / np.sqrt(k * l))


def main():
    golden = {}
    cases = {"mlp": mlp(), "cnn": cnn(), "bert": bert(), "llama": llama("llama", False), "qwen2": llama("qwen2", False), "qwen3": llama("qwen3", False), "gpt2": gpt2(False)}
    with_stream = {"llama": llama("llama", True)[2], "gpt2": gpt2(True)[2]}
    for i, (family, (config, shapes, spec)) in enumerate(cases.items()):
        rng = np.random.default_rng(100 + i)
        base = draw(rng, shapes)
        models = {}
        for m in "abc":  # related, but far from each other, in orders of their own
            noise = draw(rng, shapes)
            far = {k: (base[k] + 0.9 * noise[k]).astype(np.float32) for k in shapes}
            models[m] = far if m == "a" else apply(far, with_stream.get(family, spec), shuffled(rng, with_stream.get(family, spec)))
        folder = HERE / family
        for m, t in models.items():
            (folder / m).mkdir(parents=True, exist_ok=True)
            save_file({k: np.ascontiguousarray(v) for k, v in t.items()}, folder / m / "model.safetensors")
            (folder / m / "config.json").write_text(json.dumps(config, indent=1) + "\n")
        entry = golden[family] = {"seeds": []}
        for seed in (0, 7):
            orders = match(models["a"], models["b"], spec, seed)
            moved = apply(models["b"], spec, orders)
            dot = lambda x, y: float(sum((x[k].astype(np.float64) * y[k].astype(np.float64)).sum() for k in x))
            entry["seeds"].append({"seed": seed, "visits": hashed(spec, seed, 0), "orders": {k: o.tolist() for k, o in orders.items()},
                                   "before": dot(models["a"], models["b"]), "after": dot(models["a"], moved)})
        entry["vectors"] = {k: [agreement(models["a"][k], models["b"][k], 0.5, 4), agreement(models["a"][k], moved[k], 0.5, 4)]
                            for k in shapes if len(shapes[k]) > 1 and any(k == p[0] for _, _, ps in spec.values() for p in ps)}
        entry["together"] = [{k: o.tolist() for k, o in orders.items()} for orders in together(list(models.values()), spec, 3, 0)]
        if family in with_stream:
            entry["stream"] = {k: o.tolist() for k, o in match(models["a"], models["b"], with_stream[family], 0).items()}
    (HERE / "golden.json").write_text(json.dumps(golden) + "\n")


main()
