"""Git Re-Basin's weight matching (Ainsworth et al. 2022, algorithm 1) of two networks of
linear layers fc1, fc2, ... with ReLU, by NumPy and SciPy in float64, and the loss on the
straight way between them, as they are and matched.

    python reference.py A B SEED IMAGES

prints the orders, and loss and accuracy at 11 points. Layers are visited in the order of
SHA-256("mergevo align 1|SEED|sweep|layer").
"""

import hashlib
import json
import sys
import time

import numpy as np
from safetensors.numpy import load_file
from scipy.optimize import linear_sum_assignment


def load(folder):
    t = load_file(folder + "/model.safetensors")
    n = len(t) // 2
    return [(t[f"fc{i + 1}.weight"].astype(np.float64), t[f"fc{i + 1}.bias"].astype(np.float64)) for i in range(n)]


def permuted(net, orders):
    out = []
    for i, (w, b) in enumerate(net):
        if i > 0:
            w = w[:, orders[i - 1]]
        if i < len(orders):
            w, b = w[orders[i]], b[orders[i]]
        out.append((w, b))
    return out


def match(a, b, seed):
    hidden = len(a) - 1
    orders = [np.arange(len(w)) for w, _ in a[:hidden]]
    for sweep in range(100):
        progress = False
        for i in sorted(range(hidden), key=lambda i: hashlib.sha256(f"mergevo align 1|{seed}|{sweep}|fc{i + 1}".encode()).digest()):
            before = orders[i - 1] if i else np.arange(b[0][0].shape[1])
            behind = orders[i + 1] if i + 1 < hidden else np.arange(len(b[i + 1][0]))
            sums = a[i][0] @ b[i][0][:, before].T + np.outer(a[i][1], b[i][1]) + a[i + 1][0].T @ b[i + 1][0][behind]
            rows, columns = linear_sum_assignment(sums, maximize=True)
            if sums[rows, columns].sum() > sums[rows, orders[i]].sum() + 1e-12:
                orders[i], progress = columns, True
        if not progress:
            return orders


def score(net, x, y):
    for w, b in net[:-1]:
        x = np.maximum(x @ w.T + b, 0)
    z = x @ net[-1][0].T + net[-1][1]
    z -= z.max(1, keepdims=True)
    logs = z - np.log(np.exp(z).sum(1, keepdims=True))
    return {"loss": float(-logs[np.arange(len(y)), y].mean()), "score": float((z.argmax(1) == y).mean())}


def way(a, b, x, y):
    points = []
    for t in np.linspace(0, 1, 11):
        mixed = [((1 - t) * w + t * v, (1 - t) * c + t * d) for (w, c), (v, d) in zip(a, b)]
        points.append({"t": float(t), **score(mixed, x, y)})
    return points


def main():
    a, b, seed, images = load(sys.argv[1]), load(sys.argv[2]), sys.argv[3], load_file(sys.argv[4])
    began = time.perf_counter()
    orders = match(a, b, seed)
    seconds = time.perf_counter() - began
    x, y = images["images"].reshape(len(images["images"]), -1) / 255.0, images["labels"].astype(int)
    print(json.dumps({"orders": {f"fc{i + 1}": o.tolist() for i, o in enumerate(orders)}, "seconds": seconds,
                      "before": way(a, b, x, y), "after": way(a, permuted(b, orders), x, y)}))


main()
