"""Two small LoRA adapters of decoder/ (see make.py): lora-a/ and lora-b/, as PEFT saves
them, and adapters.json: what transformers and PEFT say of the texts with each on the
decoder, and with the mean of both, their factors averaged apart.

    pip install transformers==5.23.0 peft torch safetensors tokenizers && python make_adapters.py
"""
import json, os
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

t = Tokenizer.from_file("decoder/tokenizer.json")
rows = [json.loads(l) for l in open("decoder/texts.jsonl")]
load = lambda: AutoModelForCausalLM.from_pretrained("decoder").float().eval()


def texts(m):
    total = []
    for r in rows:
        ids = t.encode(r["text"]).ids
        with torch.no_grad():
            lp = torch.log_softmax(m(input_ids=torch.tensor([ids])).logits[0].double(), -1)
        total += [lp[i - 1, ids[i]].item() for i in range(1, len(ids))]
    return sum(total) / len(total)


def clean(folder):
    for extra in ("README.md",):
        if os.path.exists(f"{folder}/{extra}"):
            os.remove(f"{folder}/{extra}")
    c = json.load(open(f"{folder}/adapter_config.json"))
    c["base_model_name_or_path"] = "decoder"
    json.dump(c, open(f"{folder}/adapter_config.json", "w"), indent=1)


expected = {"base": texts(load())}
for name, seed in (("lora-a", 1), ("lora-b", 2)):
    m = get_peft_model(load(), LoraConfig(r=2, lora_alpha=4, target_modules=["q_proj", "v_proj", "o_proj", "down_proj", "gate_proj"]))
    torch.manual_seed(seed)
    with torch.no_grad():
        for n, p in m.named_parameters():
            if "lora_" in n:
                p.copy_(torch.randn_like(p) * 0.3)
    m.save_pretrained(name)
    clean(name)
    expected[name] = texts(m.merge_and_unload())
a, b = load_file("lora-a/adapter_model.safetensors"), load_file("lora-b/adapter_model.safetensors")
os.makedirs("lora-mean", exist_ok=True)
save_file({k: (a[k] + b[k]) / 2 for k in a}, "lora-mean/adapter_model.safetensors")
open("lora-mean/adapter_config.json", "w").write(open("lora-a/adapter_config.json").read())
expected["mean"] = texts(PeftModel.from_pretrained(load(), "lora-mean").merge_and_unload())
for f in ("adapter_model.safetensors", "adapter_config.json"):
    os.remove(f"lora-mean/{f}")
os.rmdir("lora-mean")
json.dump(expected, open("adapters.json", "w"))
