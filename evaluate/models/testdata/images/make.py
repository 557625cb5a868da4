"""Makes tiny random checkpoints of each family of images and what transformers computes
with them: NAME/{config.json,model.safetensors}, and NAME/expected.safetensors with
pixels [B, C, H, W], vector [B, W] and, of what has classes, logits [B, n]; of clip also
text [n, d], the features of the texts that its logits compare the images with.

    pip install transformers==5.24.0 torch safetensors && python make.py
"""
import os
import torch
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPModel, CLIPVisionConfig, CLIPVisionModel, ViTConfig, ViTForImageClassification, ViTModel

small = dict(hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4)
vit = dict(small, patch_size=4, num_labels=5)
tower = dict(small, image_size=14, patch_size=4, projection_dim=10)  # two pixels at the edge are in no patch
text = dict(vocab_size=31, hidden_size=12, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, max_position_embeddings=9,
            bos_token_id=29, eos_token_id=30)
families = {
    "vit": ViTForImageClassification(ViTConfig(**vit, image_size=[12, 8], hidden_act="gelu", qkv_bias=False)),
    "vit-pooler": ViTModel(ViTConfig(**vit, image_size=12, num_channels=1, hidden_act="gelu_pytorch_tanh", pooler_output_size=16)),
    "clip": CLIPModel(CLIPConfig(text_config=text, vision_config=dict(tower, projection_dim=512), projection_dim=10)),
    "clip-vision": CLIPVisionModel(CLIPVisionConfig(**tower, hidden_act="gelu")),
}
for name, m in families.items():
    torch.manual_seed(sum(map(ord, name)))
    m.set_attn_implementation("eager")
    m = m.float().eval()
    with torch.no_grad():
        for key, p in m.named_parameters():
            flat = p.dim() == 1 and not key.endswith("class_embedding")
            p.copy_(torch.randn_like(p) * (0.5 if flat else 0.25) + (1.0 if flat else 0))
    if name == "vit-pooler":  # stored in half the space: what is computed with is what it reads back as
        m = m.bfloat16()
    m.save_pretrained(name)
    m = m.float()
    c = getattr(m.config, "vision_config", m.config)
    side = c.image_size if isinstance(c.image_size, (list, tuple)) else [c.image_size, c.image_size]
    pixels = torch.randn(3, c.num_channels, *side)
    out = {"pixels": pixels}
    with torch.no_grad():
        if name == "vit":
            y = m(pixels, output_hidden_states=True)
            out["logits"] = y.logits
            out["vector"] = m.vit(pixels).last_hidden_state[:, 0].contiguous()
        elif name == "clip":
            ids = torch.randint(0, 29, (4, 9))
            ids[:, 0], ids[:, -1] = 29, 30
            y = m(input_ids=ids, pixel_values=pixels)
            out["logits"], out["vector"] = y.logits_per_image, m.vision_model(pixels).pooler_output
            # Of any length: the model's own are of length 1.
            out["text"] = y.text_embeds * torch.tensor([[0.5], [1.0], [2.0], [3.0]])
        else:
            out["vector"] = m(pixels).pooler_output
    save_file({k: v.contiguous() for k, v in out.items()}, f"{name}/expected.safetensors")
    for extra in ("generation_config.json", "README.md"):
        if os.path.exists(f"{name}/{extra}"):
            os.remove(f"{name}/{extra}")
