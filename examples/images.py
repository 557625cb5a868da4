"""Makes what tasks on images read, with a model's own processor.

    python examples/images.py data MODEL FOLDER OUT.safetensors
        images of FOLDER/CLASS/*, resized and cropped as the model wants them: images, uint8 [n, C, H, W], and
        labels, int32 [n]; the classes' names, in their order, go to OUT.labels.json
    python examples/images.py features MODEL OUT.safetensors TEMPLATE… -- CLASS…
        of a CLIP model: text_features [classes, d], of each class the mean over templates such as "a photo of a {}.";
        also visual_projection.weight and logit_scale, for models that are an images' tower alone

Needs transformers, torch, pillow and safetensors.
"""
import json, os, sys
import torch
from PIL import Image
from safetensors.torch import save_file
from transformers import AutoImageProcessor, AutoTokenizer, CLIPModel


def names(out, classes):
    json.dump(classes, open(os.path.splitext(out)[0] + ".labels.json", "w"), ensure_ascii=False)


def data(model, folder, out):
    processor = AutoImageProcessor.from_pretrained(model)
    classes = sorted(d for d in os.listdir(folder) if os.path.isdir(os.path.join(folder, d)))
    images, labels = [], []
    for label, name in enumerate(classes):
        for file in sorted(os.listdir(os.path.join(folder, name))):
            with Image.open(os.path.join(folder, name, file)) as image:
                # Bytes as the processor has them before it normalises: that is done when they are read.
                x = processor(image.convert("RGB"), do_rescale=False, do_normalize=False, return_tensors="pt").pixel_values[0]
            images.append(x.round().clamp(0, 255).to(torch.uint8))
            labels.append(label)
    save_file({"images": torch.stack(images), "labels": torch.tensor(labels, dtype=torch.int32)}, out)
    names(out, classes)
    print(f"{len(images)} images of {len(classes)} classes, {list(images[0].shape)}")


def features(model, out, templates, classes):
    m, tokenizer = CLIPModel.from_pretrained(model).float().eval(), AutoTokenizer.from_pretrained(model)
    rows = []
    with torch.no_grad():
        for c in classes:
            tokens = tokenizer([t.format(c) for t in templates], padding=True, return_tensors="pt")
            pooled = m.text_model(**tokens).pooler_output
            each = torch.nn.functional.normalize(m.text_projection(pooled), dim=-1)
            rows.append(each.mean(0))
        save_file({"text_features": torch.stack(rows), "visual_projection.weight": m.visual_projection.weight.detach().clone(), "logit_scale": m.logit_scale.detach().clone()}, out)
    names(out, classes)
    print(f"{len(classes)} classes, {m.projection_dim} numbers each")


args = sys.argv[1:]
if len(args) == 4 and args[0] == "data":
    data(*args[1:])
elif args[:1] == ["features"] and "--" in args[3:-1]:
    at = args.index("--")
    features(args[1], args[2], args[3:at], args[at + 1:])
else:
    sys.exit(__doc__)
