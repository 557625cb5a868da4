"""Makes tiny networks with examples, and what torch says of their statistics.

    pip install torch transformers==5.23.0 safetensors && python make.py

mlp/ and cnn/ hold networks of model_type sequential with six examples of four classes.
NAME.fisher.safetensors is the diagonal Fisher information in float64, of them and of
models of ../../testdata: per example and answer, one backward pass each. batch.safetensors
is the square of the gradient of a whole batch, which is another thing. NAME.gram.safetensors
are the Gram matrices of the inputs of linear layers, taken by forward hooks.
NAME.progressive.safetensors are those of the last layers of a model (0/) and its twin (1/)
where all layers before are merged: whole models run for each layer, with its own weights
from that layer on.
"""
import copy, hashlib, json, os, struct
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import AutoModel, AutoModelForCausalLM, AutoModelForImageClassification

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


def fisher(module, x, classes=4, given=None, of=None):
    """sum over examples and classes of p (d log p)^2, one backward pass each; of has the weights"""
    sums = {}
    for i in range(len(x)):
        log = torch.log_softmax(module(x[i:i + 1]), -1)[0]
        for c in (range(classes) if given is None else [given[i]]):
            squares(of or module, log[c], log[c].exp().detach() if given is None else 1, sums)
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

# Images, of the first examples as transformers prepares them.
pixels = load_file(f"{here}/images/floats.safetensors")["pixels"][:3].to(D)
m = AutoModelForImageClassification.from_pretrained(f"{here}/images/vit", attn_implementation="eager").to(D).eval()


def stored(name):
    """what checkpoints call a weight of transformers' ViT"""
    for a, b in ((".layers.", ".encoder.layer."), ("attention.q_proj", "attention.attention.query"), ("attention.k_proj", "attention.attention.key"),
                 ("attention.v_proj", "attention.attention.value"), ("attention.o_proj", "attention.output.dense"), ("mlp.fc1", "intermediate.dense"), ("mlp.fc2", "output.dense")):
        name = name.replace(a, b)
    return name


store("vit.fisher.safetensors", {stored(k): v for k, v in fisher(lambda x: m(x).logits, pixels, of=m).items()}, 3)


class Patches(Grams):
    """the last layer's class token alone goes on, as in the package's graph"""
    def add(self, n, m, x):
        if "layers.1." in n and not n.endswith(("k_proj", "v_proj")):
            x = x[:, :1]
        super().add(n, m, x)


g = Patches(m, [n for n, s in m.named_modules() if type(s).__name__ in ("Linear", "Conv2d")])
m(pixels)
g.sums, g.rows = ({stored(k): v for k, v in d.items()} for d in (g.sums, g.rows))
g.store("vit.gram.safetensors")
m = AutoModel.from_pretrained(f"{here}/images/clip", attn_implementation="eager").to(D).eval()
features = torch.nn.functional.normalize(load_file(f"{here}/images/texts.safetensors")["text_features"].to(D))
bytes = load_file(f"{here}/images/last.safetensors")["images"][:3].permute(0, 3, 1, 2).to(D) / 255
mean, std = (torch.tensor(v, dtype=D).view(1, 3, 1, 1) for v in ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)))
vectors = lambda x: torch.nn.functional.normalize(m.visual_projection(m.vision_model(x).pooler_output))
clip = fisher(lambda x: m.logit_scale.exp() * vectors(x) @ features.T, (bytes - mean) / std, of=m)
store("clip.fisher.safetensors", {k: v for k, v in clip.items() if v.numel() < 300}, 3)


# RegMean++: the Gram matrices of a stage, where the stages before are merged.
ALPHA, RIDGE, WEIGHTS = 0.9, 1e-6, (1.0, 0.5)


def twin(m):
    """the model with (37 i mod 64 - 32) / 1024 added to element i of each tensor, in float32"""
    t = copy.deepcopy(m)
    with torch.no_grad():
        for p in t.parameters():
            add = ((torch.arange(p.numel()) * 37 % 64).float() - 32) / 1024
            p.copy_((p.float() + add.view(p.shape)).to(D))
    return t


def solved(ws, gs):
    """the weights [out, in] that answer on all inputs at once, in float64, rounded to float32"""
    d = gs[0].shape[0]
    off = lambda g: g * (ALPHA + (1 - ALPHA) * torch.eye(d, dtype=D))
    lift = RIDGE * sum(w * g.diagonal().sum() for w, g in zip(WEIGHTS, gs)) / d / sum(WEIGHTS)
    all = [w * (off(g) + lift * torch.eye(d, dtype=D)) for w, g in zip(WEIGHTS, gs)]
    return torch.linalg.solve(sum(all), sum(g @ x.T for g, x in zip(all, ws))).T.float().to(D)


def progressive(path, models, stages, run, kept, watch=Grams):
    """stages: prefixes of the weights' names; run(model, k) runs model k's examples"""
    names = [n for n, _ in models[0].named_parameters()]
    own = [dict(m.named_parameters()) for m in models]
    own = [{n: p.detach().clone() for n, p in o.items()} for o in own]
    merged, out = {}, {}
    for stage in stages:
        of = [n for n in names if n.startswith(stage)]
        assert of, stage
        grams = []
        for k, m in enumerate(models):
            hybrid = copy.deepcopy(m)
            hybrid.load_state_dict(merged, strict=False)
            g = watch(hybrid, [n for n, s in hybrid.named_modules() if n.startswith(stage) and type(s).__name__ in ("Linear", "Conv1D", "Conv2d")])
            run(hybrid, k)
            grams.append({n: (v / g.rows[n]).detach() for n, v in g.sums.items()})
        for n in of:
            ps, key = [o[n] for o in own], next((k for k in (n, n + "^T") if k in grams[0]), None)
            if key is None:
                total = sum(WEIGHTS)
                # as the package does: float32 factors and sums
                y = sum(torch.tensor(w / total).float() * p.float() for w, p in zip(WEIGHTS, ps))
                merged[n] = y.to(D)
                continue
            flat = [p.T if key.endswith("^T") else p.reshape(p.shape[0], -1) for p in ps]
            y = solved(flat, [g[key] for g in grams])
            merged[n] = (y.T if key.endswith("^T") else y).reshape(ps[0].shape).contiguous()
        if stage == stages[-1]:
            for k in kept:
                out.update({f"{k}/{n}": v.float().contiguous() for n, v in grams[k].items()})
    save_file(out, path)


def read(name):
    return load_file(f"{name}/data.safetensors")["images"].to(D) / 16


progressive("mlp.progressive.safetensors", [mlp, twin(mlp)], ["fc1", "norm", "fc2", "fc3"], lambda m, k: m(read("mlp")), (0, 1))
progressive("cnn.progressive.safetensors", [cnn, twin(cnn)], ["c1", "c2", "fc"], lambda m, k: m(read("cnn")), (0, 1))


def encoded(m, k):
    name, longest = (("two", 24), ("five", 16))[k]
    t = Tokenizer.from_file(f"{here}/encoder/tokenizer.json")
    for r in rows(f"{here}/encoder/{name}.jsonl"):
        e = t.encode(r["text"])
        m(input_ids=torch.tensor([e.ids if len(e.ids) <= longest else e.ids[:longest - 1] + [3]]))


m = encoder()
progressive("encoder.progressive.safetensors", [m, twin(m)], ["embeddings", "encoder.layer.0.", "encoder.layer.1."], encoded, (0, 1))


def wrote(folder, key, name):
    t = Tokenizer.from_file(f"{here}/{folder}/tokenizer.json")
    return lambda m, k: [m(input_ids=torch.tensor([t.encode(r[key]).ids])) for r in rows(f"{here}/{folder}/{name}.jsonl")[:4 - 2 * k]]


m, _ = decoder("decoder-gpt2")
progressive("gpt2.progressive.safetensors", [m, twin(m)], ["transformer.w", "transformer.h.0.", "transformer.h.1."], wrote("decoder-gpt2", "prompt", "writing"), (1,))
m, _ = decoder("decoder")
progressive("llama.progressive.safetensors", [m, twin(m)], ["model.embed_tokens", "model.layers.0.", "model.layers.1."], wrote("decoder", "text", "texts"), (1,))
m = AutoModelForImageClassification.from_pretrained(f"{here}/images/vit", attn_implementation="eager").to(D).eval()
progressive("vit.progressive.safetensors", [m, twin(m)], ["vit.embeddings", "vit.layers.0.", "vit.layers.1.", ("vit.layernorm", "classifier")], lambda m, k: m(pixels), (0, 1), Patches)
