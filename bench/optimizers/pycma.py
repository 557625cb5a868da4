"""Runs pycma on a function at the other end of stdin and stdout."""
import json, struct, sys, warnings
import numpy as np

warnings.simplefilter("ignore")
import cma

job = json.loads(sys.argv[1])


def f(x):
    sys.stdout.buffer.write(np.asarray(x, dtype="<f8").tobytes())
    sys.stdout.buffer.flush()
    return struct.unpack("<d", sys.stdin.buffer.read(8))[0]


options = {
    "ftarget": job["Target"], "maxfevals": job["Evaluations"], "seed": job["Seed"],
    "verbose": -9, "verb_log": 0, "verb_disp": 0,
}
if job["Population"]:
    options["popsize"] = job["Population"]
if job["Diagonal"] == 1:
    options["CMA_diagonal_decoding"] = 1
if job["Diagonal"] == 2:
    options["CMA_diagonal"] = True
lo, hi = np.array(job["Lo"]), np.array(job["Hi"])
x0 = job["X0"]
restarts = {"ipop": 9, "bipop": 9}.get(job["Restarts"], 0)
first = [True]


def start():
    if first[0]:
        first[0] = False
        return np.array(x0)
    return lo + np.random.rand(len(lo)) * (hi - lo)


cma.fmin2(f, start if restarts else x0, job["Sigma"], options, restarts=restarts, bipop=job["Restarts"] == "bipop")
