"""What transformers computes with the layers of the models of make.py stacked in other
orders: stacks.json, by model. Layers are those of the list; "output_scales" multiply the
weights by which each adds to what flows through it. "input_scaled" runs the same layers
with their inputs scaled instead, each by "input_scales", whose running product is one
over the output scales: the two differ by the epsilon of the norms alone.

    pip install transformers==5.23.0 tokenizers==0.23.3 torch safetensors && python make_stacks.py
"""
import copy, json
import torch
from tokenizers import Tokenizer
from transformers import AutoModel, AutoModelForCausalLM

read = lambda path: [json.loads(l) for l in open(path)]


def stacked(m, layers, scales, inputs):
    m = copy.deepcopy(m)
    body = getattr(m, "model", None) or getattr(m, "transformer", None) or m.encoder
    name = next(n for n in ("layers", "h", "layer") if hasattr(body, n))
    old = getattr(body, name)
    new = torch.nn.ModuleList(copy.deepcopy(old[i]) for i in layers)
    for i, (layer, s, x) in enumerate(zip(new, scales, inputs)):
        for n, p in layer.named_parameters():
            if "o_proj" in n or "down_proj" in n or "c_proj" in n:
                p.data.mul_(s)
        for part in layer.modules():  # where keys and values are kept
            if hasattr(part, "layer_idx"):
                part.layer_idx = i
        if x != 1:
            layer.register_forward_pre_hook(lambda _, args, x=x: (args[0] * x,) + args[1:])
    setattr(body, name, new)
    m.config.num_hidden_layers = len(layers)
    if getattr(m.config, "layer_types", None):
        m.config.layer_types = [m.config.layer_types[0]] * len(layers)
    return m.eval()


def texts(m, t):
    total = []
    for r in read("decoder/texts.jsonl"):
        ids = t.encode(r["text"]).ids
        with torch.no_grad():
            lp = torch.log_softmax(m(input_ids=torch.tensor([ids]), use_cache=False).logits[0].double(), -1)
        total += [lp[i - 1, ids[i]].item() for i in range(1, len(ids))]
    return sum(total) / len(total)


out = {}
layers, inputs = [1, 0, 0, 1, 1], [1.0, 0.8, 1.6, 0.5, 1.25]
scales, c = [], 1.0
for s in inputs:
    c *= s
    scales.append(1 / c)
for name in ("decoder", "decoder-gpt2"):
    t = Tokenizer.from_file(f"{name}/tokenizer.json")
    m = AutoModelForCausalLM.from_pretrained(name, attn_implementation="eager").float().eval()
    out[name] = {
        "layers": layers, "input_scales": inputs, "output_scales": scales, "whole": texts(m, t),
        "plain": texts(stacked(m, layers, [1] * 5, [1] * 5), t),
        "output_scaled": texts(stacked(m, layers, scales, [1] * 5), t),
        "input_scaled": texts(stacked(m, layers, [1] * 5, inputs), t),
    }
t = Tokenizer.from_file("encoder/tokenizer.json")
m = stacked(AutoModel.from_pretrained("encoder", attn_implementation="eager").float(), layers, [1] * 5, [1] * 5)
from safetensors.torch import load_file
head = load_file("encoder/two.safetensors")
ll = []
for r in read("encoder/two.jsonl"):
    ids = t.encode(r["text"]).ids
    ids = ids if len(ids) <= 24 else ids[:23] + [3]
    with torch.no_grad():
        h = m(input_ids=torch.tensor([ids])).last_hidden_state[0].mean(0)
    ll.append(torch.log_softmax(head["head.weight"] @ h + head["head.bias"], -1)[r["label"]].item())
out["encoder"] = {"layers": layers, "log_likelihood": ll}
json.dump(out, open("stacks.json", "w"))
