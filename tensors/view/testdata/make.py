"""Writes the vectors of TestPEFT: a tiny model, adapters as PEFT saves them with
random factors, and the model that PEFT's merge_and_unload makes of both.

    pip install torch peft transformers safetensors   (made with peft 0.21.2)
    python make.py
"""

import copy
import os
import shutil

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from torch import nn
from transformers.pytorch_utils import Conv1D


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.up = nn.Linear(6, 10)
        self.square = nn.Linear(10, 10, bias=False)
        self.turned = Conv1D(7, 10)  # 10 inputs, 7 outputs, stored that way round


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(11, 6)
        self.layers = nn.ModuleList([Block(), Block()])
        self.conv = nn.Conv2d(2, 5, (3, 2))
        self.point = nn.Conv2d(5, 3, 1)
        self.head = nn.Linear(7, 4)


def plain(model):
    return {k: v.detach().contiguous() for k, v in model.state_dict().items()}


def make(name, base, config):
    torch.manual_seed(sum(map(ord, name)))
    tuned = get_peft_model(copy.deepcopy(base), config)
    with torch.no_grad():
        for p in tuned.parameters():
            if p.requires_grad:
                p.copy_(p + 0.3 * torch.randn_like(p))
    shutil.rmtree(name, ignore_errors=True)
    tuned.save_pretrained(name)
    os.remove(f"{name}/README.md")
    # Loaded again, so that what is merged is what is on disk.
    merged = PeftModel.from_pretrained(copy.deepcopy(base), name).merge_and_unload()
    save_file(plain(merged), f"{name}/merged.safetensors")


torch.manual_seed(1)
model = Model()
bases = {"f32": model, "bf16": copy.deepcopy(model).bfloat16(), "f16": copy.deepcopy(model).half()}
for name, base in bases.items():
    save_file(plain(base), f"{name}.safetensors")

ranks = dict(r=3, lora_alpha=5, rank_pattern={"layers.0.up": 2, "^layers.1.square": 4}, alpha_pattern={"up": 9, "layers.[0-9].square": 2.5})
every = ["up", "square", "conv", "point", "embed"]
for name, base in bases.items():
    make(f"lora-{name}", base, LoraConfig(target_modules=every, modules_to_save=["head"], **ranks))
    if name == "f16":
        continue
    make(f"dora-{name}", base, LoraConfig(target_modules=["up", "square", "embed", "conv"], use_dora=True, use_rslora=True, bias="all", **ranks))
    make(f"turned-{name}", base, LoraConfig(target_modules=["turned"], fan_in_fan_out=True, use_dora=True, r=2))
make("bias-f32", model, LoraConfig(target_modules=["up", "head", "point"], lora_bias=True, bias="lora_only", r=2, lora_alpha=3))
make("turned-plain-f32", model, LoraConfig(target_modules=["turned", "up"], r=2))
