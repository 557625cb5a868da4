"""Writes testdata/digits/trace.json.gz: what an independent transcription of M2N2
(arXiv:2508.16204, the authors' digits program) does in its first 1,000 pre-trained
steps, and all that it draws. Dense float64 vectors; needs NumPy alone.

    python3 bench/m2n2/trace.py testdata/digits
"""

import base64
import gzip
import json
import struct
import sys

import numpy as np

STEPS, ARCHIVE, ALPHA = 1000, 20, 1.0
DTYPES = {"F32": np.float32, "U8": np.uint8}


def load(path):
    raw = open(path, "rb").read()
    size = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8 : 8 + size])
    header.pop("__metadata__", None)
    out = {}
    for name, t in header.items():
        lo, hi = t["data_offsets"]
        out[name] = np.frombuffer(raw[8 + size + lo : 8 + size + hi], DTYPES[t["dtype"]]).reshape(t["shape"])
    return out


def flat(net):
    return np.concatenate([net["fc1.weight"].T.ravel(), net["fc1.bias"], net["fc2.weight"].T.ravel(), net["fc2.bias"]]).astype(np.float64)


def right(theta, x, y):
    w1, b1 = theta[:16384].reshape(64, 256), theta[16384:16640]
    w2, b2 = theta[16640:19200].reshape(256, 10), theta[19200:]
    return np.argmax(np.maximum(x @ w1 + b1, 0) @ w2 + b2, 1) == y


def cross(a, b, split, w):
    v = np.where(np.arange(a.size) < split, w, 1 - w)
    cos = np.clip(a @ b / np.linalg.norm(a) / np.linalg.norm(b), -1, 1)
    omega = np.arccos(cos)
    s = np.sin(omega)
    if s > 1e-6:
        return np.sin((1 - v) * omega) / s * a + np.sin(v * omega) / s * b
    return (1 - v) * a + v * b


def choose(p, u):
    return int(np.searchsorted(np.cumsum(p), u * p.sum(), side="right"))


def main(folder):
    train = load(folder + "/train.safetensors")
    x, y = train["images"].reshape(-1, 64).astype(np.float64), train["labels"]
    rng = np.random.default_rng(42)
    archive = np.zeros((ARCHIVE, 19210))
    scores = np.zeros((ARCHIVE, len(y)))

    def insert(theta, s):
        every = np.vstack([scores, s[None]])
        z = every.sum(0) ** ALPHA
        fit = (every / np.where(z != 0, z, 1)).sum(1)
        slot = int(np.argmin(fit))
        if slot < ARCHIVE:
            archive[slot], scores[slot] = theta, s
        return slot

    def pack(s):
        return base64.b64encode(np.packbits(s, bitorder="little").tobytes()).decode()

    seeds = []
    for name in ("low", "high"):
        theta = flat(load(f"{folder}/{name}.safetensors"))
        s = right(theta, x, y)
        insert(theta, s.astype(float))
        seeds.append(pack(s))
    steps = []
    for _ in range(STEPS):
        u, v, split, w = rng.random(), rng.random(), int(rng.integers(19210)), rng.random()
        z = scores.sum(0)
        share = scores / np.where(z != 0, z, 1) ** ALPHA
        a = choose(share.sum(1), u)
        b = choose(np.maximum(share - share[a], 0).sum(1), v)
        theta = cross(archive[a], archive[b], split, w)
        s = right(theta, x, y)
        slot = insert(theta, s.astype(float))
        steps.append({"u": u, "v": v, "split": split, "ratio": w, "a": a, "b": b, "slot": slot, "right": pack(s)})
    with gzip.GzipFile(folder + "/trace.json.gz", "wb", mtime=0) as f:
        f.write(json.dumps({"alpha": ALPHA, "archive": ARCHIVE, "examples": len(y), "seeds": seeds, "steps": steps}).encode())


if __name__ == "__main__":
    main(sys.argv[1])
