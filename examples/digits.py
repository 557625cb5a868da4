"""Scores a network of testdata/mnist in plain Python: digits.py MODEL IMAGES PART.

MODEL is a folder with model.safetensors; PART says which of the images count. It prints
{"examples": [{"id": ..., "score": 1 or 0, "answer": the digit}, ...]}.
"""

import array
import json
import os
import struct
import sys

PARTS = {"search": range(0, 200), "validation": range(200, 300), "test": range(300, 400)}


def tensors(path):
    """The tensors of a safetensors file, float32 and bytes, by name: shape and values."""
    with open(path, "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = f.read()
    out = {}
    for name, t in header.items():
        if name != "__metadata__":
            begin, end = t["data_offsets"]
            out[name] = t["shape"], array.array({"F32": "f", "U8": "B"}[t["dtype"]], data[begin:end])
    return out


def linear(weight, bias, x):
    """weight [out, in] times x, plus bias."""
    n = weight[0][1]
    return [b + sum(map(float.__mul__, x, row)) for b, row in zip(bias[1], (weight[1][i : i + n] for i in range(0, len(weight[1]), n)))]


def main(model, images, part):
    w = tensors(os.path.join(model, "model.safetensors"))
    data = tensors(images)
    pixels, labels = data["images"][1], data["labels"][1]
    examples = []
    for i in PARTS[part]:
        x = [p / 255 for p in pixels[784 * i : 784 * (i + 1)]]
        for layer in ("fc1", "fc2", "fc3"):
            x = linear(w[layer + ".weight"], w[layer + ".bias"], x)
            if layer != "fc3":
                x = [max(v, 0.0) for v in x]
        answer = x.index(max(x))
        examples.append({"id": f"image {i}", "score": int(answer == labels[i]), "answer": answer})
    json.dump({"examples": examples}, sys.stdout)


main(*sys.argv[1:])
