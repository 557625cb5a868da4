"""Times pycma's ask, tell and stop."""
import json, sys, time, warnings
import numpy as np

warnings.simplefilter("ignore")
import cma

n, generations, diagonal = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
options = {"seed": 1, "verbose": -9, "verb_log": 0, "verb_disp": 0}
if diagonal == "1":
    options["CMA_diagonal_decoding"] = 1
if diagonal == "2":
    options["CMA_diagonal"] = True
es = cma.CMAEvolutionStrategy(n * [3.0], 2.0, options)
took = []
for _ in range(generations):
    began = time.perf_counter()
    X = es.ask()
    asked = time.perf_counter() - began
    F = [float(np.dot(x, x)) for x in X]
    began = time.perf_counter()
    es.tell(X, F)
    es.stop()
    took.append(1000 * (asked + time.perf_counter() - began))
print(json.dumps({"Median": float(np.median(took)), "Mean": float(np.mean(took))}))
