"""A tiny ViT on this repository's digits, and two fine-tunes of it to merge.

    python examples/vit-digits.py make DIR      # trains base, upright and turned, and writes a search over them
    python examples/vit-digits.py score MODEL…  # accuracy of each on the digits of the search, by transformers

Trains on testdata/mnist/test.safetensors and scores on val.safetensors. Needs
transformers, torch and safetensors.
"""
import json, os, sys
import torch
from safetensors.torch import load_file
from transformers import ViTConfig, ViTForImageClassification

digits = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "testdata", "mnist")
processor = {"image_processor_type": "ViTImageProcessor", "do_resize": True, "size": {"height": 28, "width": 28}, "do_rescale": True,
             "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": [0.5], "image_std": [0.5]}
recipe = """merge_method: task_arithmetic
base_model: base
models:
  - {model: upright, parameters: {weight: {search: [-0.5, 1.5], start: 0.5, per: layer}}}
  - {model: turned, parameters: {weight: {search: [-0.5, 1.5], start: 0.5, per: layer}}}
search:
  optimizer: {name: cmaes, population: 8}
  evaluations: 1200
  tasks:
    - {name: upright, kind: classification, metric: log_likelihood, data: VAL, split: {search: 0.3, validation: 0.2, test: 0.5}}
    - {name: turned, kind: classification, metric: log_likelihood, data: VAL, rotate: 90, split: {search: 0.3, validation: 0.2, test: 0.5}}
"""
tasks = """tasks:
  - {name: upright, kind: classification, data: VAL}
  - {name: turned, kind: classification, data: VAL, rotate: 90}
"""


def load(name):
    t = load_file(os.path.join(digits, name))
    return (t["images"].float().unsqueeze(1) / 255 - 0.5) / 0.5, t["labels"].long()


def train(m, x, y, epochs, rate):
    opt = torch.optim.AdamW(m.parameters(), lr=rate)
    order = torch.Generator().manual_seed(1)
    steps = epochs * (len(x) // 100)
    schedule = torch.optim.lr_scheduler.LinearLR(opt, 1.0, 0.05, steps)
    m.train()
    for _ in range(epochs):
        for at in torch.randperm(len(x), generator=order)[:len(x) // 100 * 100].split(100):
            opt.zero_grad()
            m(x[at], labels=y[at]).loss.backward()
            opt.step()
            schedule.step()
    return m.eval()


def save(m, path):
    m.save_pretrained(path)
    json.dump(processor, open(os.path.join(path, "preprocessor_config.json"), "w"), indent=1)


def make(out):
    os.makedirs(out, exist_ok=True)
    x, y = load("test.safetensors")
    torch.manual_seed(1)
    base = ViTForImageClassification(ViTConfig(image_size=28, patch_size=7, num_channels=1, hidden_size=32, intermediate_size=64, num_hidden_layers=3,
                                               num_attention_heads=4, num_labels=10))
    train(base, x, y, 8, 3e-3)
    save(base, os.path.join(out, "base"))
    for name, mine in (("upright", x), ("turned", x.rot90(1, (2, 3)))):
        m = ViTForImageClassification.from_pretrained(os.path.join(out, "base"))
        save(train(m, mine, y, 5, 1e-3), os.path.join(out, name))
    for name, text in (("search.yaml", recipe), ("tasks.yaml", tasks)):
        open(os.path.join(out, name), "w").write(text.replace("VAL", os.path.join(digits, "val.safetensors")))


def score(models):
    x, y = load("val.safetensors")
    for path in models:
        m = ViTForImageClassification.from_pretrained(path).eval()
        for task, images in (("upright", x), ("turned", x.rot90(1, (2, 3)))):
            with torch.no_grad():
                logits = torch.cat([m(part).logits for part in images.split(200)])
            right = (logits.argmax(-1) == y).sum().item()
            mean = torch.log_softmax(logits.double(), -1)[torch.arange(len(y)), y].mean().item()
            print(f"{path}, {task}: {right} of {len(y)} right, accuracy {right / len(y):.4f}, mean log-likelihood {mean:.6f}")


if len(sys.argv) == 3 and sys.argv[1] == "make":
    make(sys.argv[2])
elif len(sys.argv) > 2 and sys.argv[1] == "score":
    score(sys.argv[2:])
else:
    sys.exit(__doc__)
