"""Makes tiny random models of images, relatives to merge them with, tasks, and what
transformers says of them, expected.json: for each model and task the class answered and
the log-likelihood of the right one.

    pip install transformers==5.24.0 torch pillow safetensors && python make.py
"""
import json, os
import numpy as np
import torch
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPVisionConfig, CLIPVisionModel, ViTConfig, ViTForImageClassification, ViTImageProcessorPil

N, SIDE = 48, 8
rng = np.random.default_rng(5)
# Blobs of colour on noise, so that models tell images apart.
images = rng.integers(0, 60, (N, SIDE, SIDE, 3)).astype(np.uint8)
for i in range(N):
    y, x = rng.integers(0, SIDE - 3, 2)
    images[i, y:y + 4, x:x + 4] += rng.integers(0, 190, 3).astype(np.uint8)
labels = torch.tensor(rng.integers(0, 4, N))
save_file({"images": torch.from_numpy(images), "labels": labels}, "last.safetensors")  # channels last

small = dict(hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, image_size=SIDE, patch_size=4)
vit = ViTForImageClassification(ViTConfig(**small, num_labels=4, id2label={0: "cat", 1: "dog", 2: "fox", 3: "hen"}))
text = dict(vocab_size=31, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2, max_position_embeddings=9, bos_token_id=29, eos_token_id=30)
clip = CLIPModel(CLIPConfig(text_config=text, vision_config=small, projection_dim=10))
tower = CLIPVisionModel(CLIPVisionConfig(**small))
processors = {"vit": ViTImageProcessorPil(size={"height": SIDE, "width": SIDE}),
              "clip": CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})}
processors["tower"] = processors["clip"]


def randomize(m, seed):
    torch.manual_seed(seed)
    with torch.no_grad():
        for n, p in m.named_parameters():
            p.copy_(torch.randn_like(p) * 0.3 + (1.0 if "norm" in n and n.endswith("weight") else 0))
    return m.float().eval()


def save(m, name, kind):
    m.save_pretrained(name)
    processors[kind].save_pretrained(name)
    for extra in ("generation_config.json", "README.md"):
        if os.path.exists(f"{name}/{extra}"):
            os.remove(f"{name}/{extra}")


def relative(m, name, kind, seed):
    """Saves a neighbour of a model, to merge it with."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for p in m.parameters():
            p.add_(torch.randn_like(p) * 0.05)
    save(m, name, kind)


expected = {}


def expect(model, task, logits):
    lp = torch.log_softmax(logits, -1)
    expected[f"{model}/{task}"] = {"predicted": logits.argmax(-1).tolist(), "log_likelihood": [lp[i, y].item() for i, y in enumerate(labels)]}
    print(model, task, logits.argmax(-1).bincount().tolist())


def pixels(kind):
    return processors[kind](list(images), return_tensors="pt").pixel_values


with torch.no_grad():
    randomize(vit, 1)
    x = pixels("vit")
    vector = vit.vit(x).last_hidden_state[:, 0]
    vit.classifier.bias.copy_(-vit.classifier.weight @ vector.mean(0))  # so that every class is answered
    save(vit, "vit", "vit")
    save_file({"pixels": x.contiguous(), "y": labels.to(torch.int32)}, "floats.safetensors")
    expect("vit", "own", vit(x).logits)
    w = torch.randn(4, 16)
    b = -w @ vector.mean(0)
    save_file({"head.weight": w, "head.bias": b}, "head.safetensors")
    expect("vit", "head", vector @ w.T + b)
    relative(vit, "vit-b", "vit", 11)

    randomize(clip, 2)
    clip.logit_scale.fill_(2.0)
    save(clip, "clip", "clip")
    x = pixels("clip")
    y = clip(input_ids=torch.tensor([[29, 5, 30]]), pixel_values=x)
    likely = y.image_embeds[:4] - y.image_embeds.mean(0)  # every class is answered
    likely = likely * torch.tensor([[0.5], [1.0], [2.0], [9.0]])  # of any length
    save_file({"text_features": likely.contiguous()}, "texts.safetensors")
    cosines = y.image_embeds @ torch.nn.functional.normalize(likely).T
    expect("clip", "texts", clip.logit_scale.exp() * cosines)
    other = torch.randn(4, 10)
    save_file({"text_embeds": other}, "others.safetensors")
    expect("clip", "others", clip.logit_scale.exp() * (y.image_embeds @ torch.nn.functional.normalize(other).T))
    relative(clip, "clip-b", "clip", 12)

    randomize(tower, 3)
    save(tower, "tower", "tower")
    v = tower(x).pooler_output
    project, scale = torch.randn(10, 16), torch.tensor(1.5)
    e = torch.nn.functional.normalize(v @ project.T)
    likely = e[4:8] - e.mean(0)
    save_file({"text_features": likely.contiguous(), "visual_projection.weight": project, "logit_scale": scale}, "tower-texts.safetensors")
    expect("tower", "texts", scale.exp() * (e @ torch.nn.functional.normalize(likely).T))
json.dump(expected, open("expected.json", "w"))
