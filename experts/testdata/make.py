"""Writes the vectors of the experts' tests: experts of the tiny decoder in
evaluate/testdata, a Qwen2 of the same size, the gates that transformers' hidden states
make, and the names and shapes that its mixtures save.

    pip install torch transformers safetensors numpy
    python make.py
    python make.py DIR FOLDER...   # logits of the mixtures that mergevo wrote to DIR
"""

import json
import os
import shutil
import sys

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, MixtralConfig, MixtralForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen2MoeConfig, Qwen2MoeForCausalLM, Qwen3MoeConfig, Qwen3MoeForCausalLM

BASE = "../../evaluate/testdata/decoder"
PROMPTS = {"a": (["the cat sat on the mat", "numbers: 1 2 3"], ["never a word"]), "b": (["a longer prompt, with commas, and words"], []), "shared": (["every text"], [])}


def only_mlp(model, seed):
    g = torch.Generator().manual_seed(seed)
    return {k: (0.3 * torch.randn(v.shape, generator=g)).contiguous() for k, v in model.items() if ".mlp." in k}


def make():
    base = load_file(f"{BASE}/model.safetensors")
    for name, seed in (("a", 1), ("b", 2), ("shared", 3)):
        os.makedirs(name, exist_ok=True)
        save_file(only_mlp(base, seed), f"{name}/model.safetensors", metadata={"format": "pt"})
        shutil.copy(f"{BASE}/config.json", name)
    torch.manual_seed(5)
    q = Qwen2ForCausalLM(Qwen2Config(vocab_size=300, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64, tie_word_embeddings=True))
    with torch.no_grad():
        for p in q.parameters():
            p.copy_(p + 0.2 * torch.randn_like(p))
    q.save_pretrained("qwen2")
    for f in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(f"{BASE}/{f}", "qwen2")
    if os.path.exists("qwen2/generation_config.json"):
        os.remove("qwen2/generation_config.json")

    gates = {}
    for name, folder in (("llama", BASE), ("qwen2", "qwen2")):
        model, tok = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)

        def states(prompts, mode):
            out = []
            for p in prompts:  # one by one: no padding
                ids = tok((tok.bos_token or "") + p, return_tensors="pt", add_special_tokens=False).input_ids
                with torch.no_grad():
                    h = torch.stack(model(input_ids=ids, output_hidden_states=True).hidden_states[:-1])[:, 0].double()
                out.append({"hidden": h[:, -1], "hidden_avg": h.mean(1), "cheap_embed": h[0].sum(0).expand(len(h), -1)}[mode])
            x = sum(out) / len(out)
            return x / x.norm(dim=-1, keepdim=True) if mode == "cheap_embed" else x

        for mode in ("hidden", "hidden_avg", "cheap_embed"):
            for expert, (positive, negative) in PROMPTS.items():
                x = states(positive, mode)
                if negative:
                    x = x - states(negative, mode)
                gates[f"{name}.{mode}.{expert}"] = (x / x.norm(dim=-1, keepdim=True)).float().contiguous()
    save_file(gates, "gates.safetensors")

    names = {}
    size = dict(vocab_size=300, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=True)
    for kind, m in {
        "mixtral": MixtralForCausalLM(MixtralConfig(num_local_experts=2, **size)),
        "qwen2_moe": Qwen2MoeForCausalLM(Qwen2MoeConfig(num_experts=2, num_experts_per_tok=2, moe_intermediate_size=32, shared_expert_intermediate_size=32, **size)),
        "qwen3_moe": Qwen3MoeForCausalLM(Qwen3MoeConfig(num_experts=2, num_experts_per_tok=2, moe_intermediate_size=32, head_dim=4, **size)),
    }.items():
        m.save_pretrained(f"/tmp/{kind}")
        names[kind] = {k: list(v.shape) for k, v in sorted(load_file(f"/tmp/{kind}/model.safetensors").items())}
    with open("names.json", "w") as f:
        json.dump(names, f, indent=1)


def dense(w, prefix, x):
    g, u, d = (w[f"{prefix}.{n}.weight"].double() for n in ("gate_proj", "up_proj", "down_proj"))
    return (torch.nn.functional.silu(x @ g.T) * (x @ u.T)) @ d.T


def check(root, folders):
    """Logits of a mixture loaded by transformers, against those of its base with the
    feed-forward layers replaced by the mixture's formula in float64."""
    for folder in folders:
        path = os.path.join(root, folder)
        moe, info = AutoModelForCausalLM.from_pretrained(path, output_loading_info=True, dtype=torch.float32)
        print(folder, type(moe).__name__, {k: v for k, v in info.items() if v})
        w = load_file(f"{path}/model.safetensors")
        c = moe.config
        qwen = type(moe).__name__.startswith("Qwen2")
        base = AutoModelForCausalLM.from_pretrained("qwen2" if "qwen" in folder else BASE, dtype=torch.float64)
        for i, layer in enumerate(base.model.layers):

            class Mix(torch.nn.Module):
                def forward(self, x, i=i):
                    block = f"model.layers.{i}." + ("mlp" if qwen else "block_sparse_moe")
                    p = torch.softmax(x @ w[block + ".gate.weight"].double().T, -1)
                    top, at = torch.topk(p, c.num_experts_per_tok, dim=-1)
                    top = top / top.sum(-1, keepdim=True)
                    y = torch.zeros_like(x)
                    for e in range(p.shape[-1]):
                        share = (top * (at == e)).sum(-1, keepdim=True)
                        names = {k.replace(f"{block}.experts.{e}.", "x."): v for k, v in w.items() if k.startswith(f"{block}.experts.{e}.")}
                        names = {k.replace("w1", "gate_proj").replace("w3", "up_proj").replace("w2", "down_proj"): v for k, v in names.items()}
                        y = y + share * dense(names, "x", x)
                    if qwen:
                        y = y + torch.sigmoid(x @ w[block + ".shared_expert_gate.weight"].double().T) * dense(w, block + ".shared_expert", x)
                    return y

            layer.mlp = Mix()
        ids = torch.tensor([[1, 5, 9, 200, 17, 33, 2, 8]])
        with torch.no_grad():
            a, b = moe(ids).logits.double(), base(ids).logits
            plain = AutoModelForCausalLM.from_pretrained("qwen2" if "qwen" in folder else BASE, dtype=torch.float64)(ids).logits
        print("  away from the formula", (a - b).abs().max().item(), "from the dense base", (a - plain).abs().max().item(), "of", plain.abs().max().item())


if __name__ == "__main__":
    check(sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else make()
