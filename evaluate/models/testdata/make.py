"""Makes tiny random checkpoints of each text family and what transformers computes
with them: NAME/{config.json,model.safetensors}, and NAME/expected.safetensors with
ids [B, T], lengths [B], and hidden [B, T, W] or logits [B, T, V]; rows of padding 0.

    pip install transformers==5.23.0 torch safetensors && python make.py
"""
import json, os
import torch
from safetensors.torch import save_file
from transformers import AutoModel, AutoModelForCausalLM, BertConfig, GPT2Config, LlamaConfig, MistralConfig, Qwen2Config, Qwen3Config

small = dict(vocab_size=61, hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=64)
gqa = dict(small, num_key_value_heads=2)
families = {
    "bert": BertConfig(**small, type_vocab_size=2),
    "llama": LlamaConfig(**gqa, rope_parameters={"rope_type": "llama3", "rope_theta": 500.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 16}, attention_bias=True, mlp_bias=True, tie_word_embeddings=True),
    "llama-yarn": LlamaConfig(**gqa, rope_parameters={"rope_type": "yarn", "rope_theta": 100.0, "factor": 4.0, "original_max_position_embeddings": 16}),
    "llama-linear": LlamaConfig(**gqa, rope_parameters={"rope_type": "linear", "rope_theta": 100.0, "factor": 2.0}),
    "mistral": MistralConfig(**gqa, sliding_window=5, head_dim=8),
    "qwen2": Qwen2Config(**gqa, use_sliding_window=True, sliding_window=4, max_window_layers=1),
    "qwen3": Qwen3Config(**gqa, head_dim=10, tie_word_embeddings=True),
    "gpt2": GPT2Config(vocab_size=61, n_positions=64, n_embd=24, n_layer=2, n_head=4, scale_attn_by_inverse_layer_idx=True),
}
for name, config in families.items():
    torch.manual_seed(sum(map(ord, name)))
    make = AutoModel if name == "bert" else AutoModelForCausalLM
    m = make.from_config(config, attn_implementation="eager").float().eval()
    with torch.no_grad():
        for p in m.parameters():
            p.copy_(torch.randn_like(p) * (0.5 if p.dim() == 1 else 0.25) + (1.0 if p.dim() == 1 else 0))
    m.save_pretrained(name)
    lengths = torch.tensor([13, 7, 1])
    ids = torch.randint(0, 61, (3, 13))
    mask = (torch.arange(13)[None] < lengths[:, None]).long()
    with torch.no_grad():
        out = m(input_ids=ids, attention_mask=mask)
    y = out.last_hidden_state if name == "bert" else out.logits
    y = y * mask[..., None]
    save_file({"ids": ids.int(), "lengths": lengths.int(), "out": y.contiguous()}, f"{name}/expected.safetensors")
    for extra in ("generation_config.json", "README.md"):
        if os.path.exists(f"{name}/{extra}"):
            os.remove(f"{name}/{extra}")
