"""M2N2 on digits in JAX, transcribed from its description: what bench/m2n2 is timed
against. Prints a line of JSON: seconds an evaluation of one compiled lax.scan, and of a
loop in Python that calls one compiled function a step.

    python3 bench/m2n2/reference.py testdata/digits EVALUATIONS
"""

import functools
import json
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

from trace import flat, load

ARCHIVE, N = 20, 19210


def right(theta, x, y):
    w1, b1 = theta[:16384].reshape(64, 256), theta[16384:16640]
    w2, b2 = theta[16640:19200].reshape(256, 10), theta[19200:]
    return jnp.argmax(jnp.maximum(x @ w1 + b1, 0) @ w2 + b2, 1) == y


def sample(key, scores):
    ka, kb = jax.random.split(key)
    z = scores.sum(0)
    share = scores / jnp.where(z != 0, z, 1)
    fit = share.sum(1)
    a = jax.random.choice(ka, ARCHIVE, p=fit / fit.sum())
    match = jnp.maximum(share - share[a], 0).sum(1)
    return a, jax.random.choice(kb, ARCHIVE, p=match / match.sum())


def cross(key, a, b):
    ks, kw = jax.random.split(key)
    split, w = jax.random.randint(ks, (), 0, N), jax.random.uniform(kw)
    v = jnp.where(jnp.arange(N) < split, w, 1 - w)
    cos = jnp.clip(a @ b / jnp.linalg.norm(a) / jnp.linalg.norm(b), -1, 1)
    omega = jnp.arccos(cos)
    s = jnp.sin(omega)
    arc = jnp.sin((1 - v) * omega) / s * a + jnp.sin(v * omega) / s * b
    return jnp.where(s > 1e-6, arc, (1 - v) * a + v * b)


def insert(archive, scores, theta, s):
    every = jnp.vstack([scores, s[None]])
    z = every.sum(0)
    slot = jnp.argmin((every / jnp.where(z != 0, z, 1)).sum(1))
    inside = slot < ARCHIVE
    at = jnp.minimum(slot, ARCHIVE - 1)
    return (
        archive.at[at].set(jnp.where(inside, theta, archive[at])),
        scores.at[at].set(jnp.where(inside, s, scores[at])),
    )


def step(x, y, state):
    key, archive, scores = state
    k1, k2, key = jax.random.split(key, 3)
    a, b = sample(k1, scores)
    theta = cross(k2, archive[a], archive[b])
    archive, scores = insert(archive, scores, theta, right(theta, x, y).astype(jnp.float32))
    return key, archive, scores


def main(folder, evaluations):
    train = load(folder + "/train.safetensors")
    x, y = train["images"].reshape(-1, 64).astype(np.float32), train["labels"].astype(np.int32)
    start = [jnp.zeros((ARCHIVE, N)), jnp.zeros((ARCHIVE, len(y)))]
    for i, name in enumerate(("low", "high")):
        theta = jnp.asarray(flat(load(f"{folder}/{name}.safetensors")), jnp.float32)
        start = [start[0].at[i].set(theta), start[1].at[i].set(right(theta, x, y).astype(jnp.float32))]
    state = (jax.random.key(42), *start)
    on_device = functools.partial(step, jnp.asarray(x), jnp.asarray(y))
    scan = jax.jit(lambda s: jax.lax.scan(lambda s, _: (on_device(s), None), s, None, evaluations)[0])
    jax.block_until_ready(scan(state))  # compiles
    began = time.perf_counter()
    end = jax.block_until_ready(scan(state))
    fused = (time.perf_counter() - began) / evaluations

    # As the authors' loop: mates are drawn by functions that are not compiled, and the
    # digits come from the host at each step.
    parts = [jax.jit(cross), jax.jit(insert), jax.jit(right)]

    def loop(steps):
        key, archive, scores = state
        for _ in range(steps):
            k1, k2, key = jax.random.split(key, 3)
            a, b = sample(k1, scores)
            theta = parts[0](k2, archive[a], archive[b])
            archive, scores = parts[1](archive, scores, theta, parts[2](theta, x, y).astype(jnp.float32))
        jax.block_until_ready(scores)

    loop(20)
    few = max(50, evaluations // 10)
    began = time.perf_counter()
    loop(few)
    steps = (time.perf_counter() - began) / few
    best = float(end[2].mean(1).max())
    print(json.dumps({"jax": jax.__version__, "evaluations": evaluations, "scan": fused, "loop": steps, "train": 100 * best}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
