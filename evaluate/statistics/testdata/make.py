"""Makes tiny networks with examples, and what torch says of their statistics.

    pip install torch transformers==5.23.0 safetensors && python make.py

mlp/ and cnn/ hold networks of model_type sequential with six examples of four classes.
NAME.fisher.safetensors is the diagonal Fisher information in float64, of them and of
models of ../../testdata: per example and answer, one backward pass each. batch.safetensors
is the square of the gradient of a whole batch, which is another thing. NAME.gram.safetensors
are the Gram matrices of the inputs of linear layers, taken by forward hooks.
"""
import hashlib, json, os, struct
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import AutoModel, AutoModelForCausalLM

torch.manual_seed(5)
D = torch.float64
here = "../../testdata"


def network(name, shape, layers, module, examples=6):
    os.makedirs(name, exist_ok=True)
    json.dump({"model_type": "sequential", "input": {"shape": shape, "divide_by": 16}, "layers": layers}, open(f"{name}/config.json", "w"))
    with torch.no_grad():
        for p in module.parameters():
            p.add_(torch.randn_like(p) * 0.3)
    save_file({k: v.contiguous() for k, v in module.state_dict().items()}, f"{name}/model.safetensors")
    x = torch.randint(0, 17, (examples, *shape), dtype=torch.uint8)
    y = torch.randint(0, 4, (examples,), dtype=torch.int64)
    save_file({"images": x, "labels": y}, f"{name}/data.safetensors")
    return module.to(D), x.to(D) / 16, y


def squares(module, log, factor, into):
    names, params = zip(*module.named_parameters())
    for n, g in zip(names, torch.autograd.grad(log, params, retain_graph=True, allow_unused=True)):
        if g is not None:
            into[n] = into.get(n, torch.zeros_like(g)) + factor * g * g


def store(path, sums, count):
    save_file({k: (v / count).float().contiguous() for k, v in sums.items()}, path)


def fisher(module, x, classes=4, given=None):
    """sum over examples and classes of p (d log p)^2, one backward pass each"""
    sums = {}
    for i in range(len(x)):
        log = torch.log_softmax(module(x[i:i + 1]), -1)[0]
        for c in (range(classes) if given is None else [given[i]]):
            squares(module, log[c], log[c].exp().detach() if given is None else 1, sums)
    return sums


class Named(torch.nn.Module):
    def __init__(self, parts, order):
        super().__init__()
        for k, v in parts.items():
            setattr(self, k, v)
        self.order = order

    def forward(self, x):
        for step in self.order:
            x = getattr(self, step)(x) if isinstance(step, str) else step(x)
        return x


class Grams:
    """of the inputs of the layers of a module, summed over forward passes"""
    def __init__(self, module, names):
        self.sums, self.rows, self.valid = {}, {}, None
        for n in names:
            module.get_submodule(n).register_forward_hook(lambda m, a, _, n=n: self.add(n, m, a[0]))

    def add(self, n, m, x):
        if isinstance(m, torch.nn.Conv2d):
            x = torch.nn.functional.unfold(x, m.kernel_size, padding=m.padding, stride=m.stride).transpose(1, 2)
        x = x.reshape(-1, x.shape[-1])
        key = n + ".weight" + ("^T" if type(m).__name__ == "Conv1D" else "")
        self.sums[key] = self.sums.get(key, 0) + x.T @ x
        self.rows[key] = self.rows.get(key, 0) + len(x)

    def store(self, path):
        save_file({k: (v / self.rows[k]).detach().float().contiguous() for k, v in self.sums.items()}, path)


relu = torch.nn.functional.relu
mlp, x, y = network("mlp", [12], [
    {"op": "linear", "name": "fc1", "in": 12, "out": 7}, {"op": "layer_norm", "name": "norm", "shape": [7]}, {"op": "relu"},
    {"op": "linear", "name": "fc2", "in": 7, "out": 5, "bias": False}, {"op": "gelu"}, {"op": "linear", "name": "fc3", "in": 5, "out": 4},
], Named({"fc1": torch.nn.Linear(12, 7), "norm": torch.nn.LayerNorm(7), "fc2": torch.nn.Linear(7, 5, bias=False), "fc3": torch.nn.Linear(5, 4)},
         ["fc1", "norm", relu, "fc2", torch.nn.functional.gelu, "fc3"]))
store("mlp.fisher.safetensors", fisher(mlp, x), len(x))
store("mlp.empirical.safetensors", fisher(mlp, x, given=y), len(x))
batch = {}
squares(mlp, torch.log_softmax(mlp(x), -1)[torch.arange(len(x)), y].mean(), 1, batch)
store("batch.safetensors", batch, 1)
g = Grams(mlp, ["fc1", "fc2", "fc3"])
mlp(x)
g.store("mlp.gram.safetensors")

cnn, x, y = network("cnn", [2, 8, 8], [
    {"op": "conv2d", "name": "c1", "in": 2, "out": 3, "kernel": 3, "pad": 1}, {"op": "relu"}, {"op": "max_pool2d", "kernel": 2},
    {"op": "conv2d", "name": "c2", "in": 3, "out": 4, "kernel": 3, "stride": 2}, {"op": "relu"}, {"op": "flatten"},
    {"op": "linear", "name": "fc", "in": 4, "out": 4},
], Named({"c1": torch.nn.Conv2d(2, 3, 3, padding=1), "c2": torch.nn.Conv2d(3, 4, 3, stride=2), "fc": torch.nn.Linear(4, 4)},
         ["c1", relu, lambda t: torch.nn.functional.max_pool2d(t, 2), "c2", relu, lambda t: t.flatten(1), "fc"]))
store("cnn.fisher.safetensors", fisher(cnn, x), len(x))
g = Grams(cnn, ["c1", "c2", "fc"])
cnn(x)
g.store("cnn.gram.safetensors")

# Texts: the first examples of each file.
N = 4
rows = lambda path: [json.loads(line) for line in open(path)][:N]


def head_of(name):
    h = load_file(f"{here}/encoder/{name}.safetensors")
    return h["head.weight"].to(D), h["head.bias"].to(D)


def encoder():
    return AutoModel.from_pretrained(f"{here}/encoder", add_pooling_layer=False, attn_implementation="eager").to(D).eval()


t = Tokenizer.from_file(f"{here}/encoder/tokenizer.json")
for name, pooling, longest in (("two", "mean", 24), ("five", "cls", 16)):
    m = encoder()
    g = Grams(m, [n for n, s in m.named_modules() if isinstance(s, torch.nn.Linear)])
    w, b = head_of(name)
    sums = {}
    for r in rows(f"{here}/encoder/{name}.jsonl"):
        e = t.encode(r["text"])
        ids = e.ids if len(e.ids) <= longest else e.ids[:longest - 1] + [3]
        h = m(input_ids=torch.tensor([ids])).last_hidden_state[0]
        log = torch.log_softmax((h.mean(0) if pooling == "mean" else h[0]) @ w.T + b, -1)
        for c in range(len(b)):
            squares(m, log[c], log[c].exp().detach(), sums)
    store(f"{name}.fisher.safetensors", sums, N)
    if name == "two":
        g.store("two.gram.safetensors")


def mix32(x):
    M = 0xFFFFFFFF
    x ^= x >> 16
    x = x * 0x7FEB352D & M
    x ^= x >> 15
    x = x * 0x846CA68B & M
    return x ^ x >> 16


def drawn(logits, text, window=0, sample=0, seed=3):
    """tokens drawn by Gumbel noise from a counter hash, as the package draws them"""
    key = hashlib.sha256(text.encode()).digest()[:16].hex()
    k0, k1 = struct.unpack("<II", hashlib.sha256(f"mergevo labels 1|{seed}|{key}|{window}|{sample}".encode()).digest()[:8])
    T, V = logits.shape
    index = torch.arange(T * V)
    u = torch.tensor([(mix32((mix32(i ^ k0) + k1) & 0xFFFFFFFF) >> 9) for i in index.tolist()], dtype=D).add(0.5).mul(2.0 ** -23).view(T, V)
    return (logits.detach() - torch.log(-torch.log(u))).argmax(-1)


def decoder(folder):
    m = AutoModelForCausalLM.from_pretrained(f"{here}/{folder}", attn_implementation="eager").to(D).eval()
    return m, Tokenizer.from_file(f"{here}/{folder}/tokenizer.json")


def kept(m, sums):
    """one of each layer's tensors, so that files stay small"""
    own = dict(m.named_parameters())
    return {k: v for k, v in sums.items() if own[k].numel() < 1200}


m, t = decoder("decoder")
given, once, twice = {}, {}, {}
for r in rows(f"{here}/decoder/texts.jsonl"):
    ids = t.encode(r["text"]).ids
    log = torch.log_softmax(m(input_ids=torch.tensor([ids])).logits[0, :-1], -1)
    at = torch.arange(len(ids) - 1)
    squares(m, log[at, torch.tensor(ids[1:])].sum(), 1, given)
    # A call of the package is padded to 16 or 32 tokens: the noise is by its place there.
    T = (len(ids) + 15) // 16 * 16 - 1
    wide = torch.zeros(T, log.shape[1], dtype=D)
    wide[:len(ids) - 1] = log
    for k in range(2):
        ys = drawn(wide, r["text"], sample=k)[:len(ids) - 1]
        squares(m, log[at, ys].sum(), 0.5, twice)
store("texts.given.safetensors", kept(m, given), N)
store("texts.sampled.safetensors", kept(m, twice), N)

choices = {}
for r in rows(f"{here}/decoder/choices.jsonl"):
    each = []
    bare = r["prompt"].rstrip()
    for c in r["choices"]:
        before, ids = t.encode(bare).ids, t.encode(bare + r["prompt"][len(bare):] + " " + c).ids
        if not before:
            before, ids = [0], [0] + ids
        log = torch.log_softmax(m(input_ids=torch.tensor([ids])).logits[0, :-1], -1)
        each.append(log[torch.arange(len(ids) - 1), torch.tensor(ids[1:])][len(before) - 1:].sum())
    log = torch.log_softmax(torch.stack(each), -1)
    for c in range(len(each)):
        squares(m, log[c], log[c].exp().detach(), choices)
store("choices.fisher.safetensors", kept(m, choices), N)

m, t = decoder("decoder-gpt2")
g = Grams(m, [n for n, s in m.named_modules() if type(s).__name__ == "Conv1D"])
for r in rows(f"{here}/decoder-gpt2/writing.jsonl"):
    m(input_ids=torch.tensor([t.encode(r["prompt"]).ids]))
g.store("gpt2.gram.safetensors")
