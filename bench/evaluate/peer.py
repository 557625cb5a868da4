"""Measures PyTorch and mergekit: reads lines "forward" or "mergekit", answers with
seconds. Arguments: the folder of the family, texts, tokens of a text."""
import os, shutil, sys, time
import torch
from transformers import AutoModel
import transformers

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
folder, texts, length = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
ids = torch.tensor([[1000 + (i * length + j) * 7919 % 29000 for j in range(length)] for i in range(texts)])
mask = torch.ones_like(ids)
BATCH = 32
answer = os.dup(1)
os.dup2(2, 1)  # what libraries print is not an answer


def load(path):
    return AutoModel.from_pretrained(path, dtype=torch.float32).eval()


def forward(m):
    with torch.no_grad():
        return [m(input_ids=ids[i:i + BATCH], attention_mask=mask[i:i + BATCH]).last_hidden_state.mean(1) for i in range(0, texts, BATCH)]


class Names(tuple):
    def __radd__(self, other):
        return other + list(self)


def mergekit():
    from mergekit.config import MergeConfiguration
    from mergekit.merge import MergeOptions, run_merge
    from mergekit.plan import MergePlanner

    if not hasattr(MergePlanner, "whole"):  # mergekit 0.1.5 adds a tuple of aliases to a list, for BERT
        listed = lambda w: w.model_copy(update={"aliases": Names(w.aliases or ())})
        MergePlanner.whole = MergePlanner.plan_tensor
        MergePlanner.plan_tensor = lambda self, weight, weights_in, *a, **k: self.whole(listed(weight), [listed(w) for w in weights_in], *a, **k)
    config = MergeConfiguration.model_validate({"merge_method": "task_arithmetic", "base_model": f"{folder}/base", "dtype": "float16",
        "models": [{"model": f"{folder}/{n}", "parameters": {"weight": 0.3}} for n in "abc"]})
    out = f"{folder}/merged"
    shutil.rmtree(out, ignore_errors=True)
    run_merge(config, out, options=MergeOptions(copy_tokenizer=False, quiet=True))
    return forward(load(out))


base = None
for line in sys.stdin:
    if line.strip() == "forward":
        base = base or load(f"{folder}/base")
    began = time.perf_counter()
    forward(base) if line.strip() == "forward" else mergekit()
    os.write(answer, f"{time.perf_counter() - began}\n".encode())
