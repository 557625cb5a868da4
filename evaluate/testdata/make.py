"""Makes two tiny models with tokenizers and tasks, and what transformers and the
definitions of the metrics say of them: encoder/ and decoder/, each with expected.json.

    pip install transformers==5.23.0 tokenizers==0.23.3 torch safetensors scipy && python make.py
"""
import json, os, random
import torch
from safetensors.torch import save_file
from scipy.stats import spearmanr
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoModel, AutoModelForCausalLM, BertConfig, LlamaConfig

rng = random.Random(3)
words = "the a red blue small big cat dog bird house runs sleeps sees eats under over near and with".split()
sentence = lambda n: " ".join(rng.choice(words) for _ in range(n))
corpus = [sentence(12) for _ in range(200)]
lines = lambda path, rows: open(path, "w").write("".join(json.dumps(r) + "\n" for r in rows))


def randomize(m, seed):
    torch.manual_seed(seed)
    with torch.no_grad():
        for n, p in m.named_parameters():
            p.copy_(torch.randn_like(p) * 0.3 + (1.0 if n.lower().endswith("norm.weight") or ".ln_" in n and n.endswith("weight") else 0))
    return m.float().eval()


def clean(folder):
    for extra in ("generation_config.json", "README.md"):
        if os.path.exists(f"{folder}/{extra}"):
            os.remove(f"{folder}/{extra}")


# An encoder: two classification tasks with heads, and pairs.
t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
t.normalizer, t.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
t.train_from_iterator(corpus, trainers.WordPieceTrainer(vocab_size=64, show_progress=False, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]"]))
t.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
t.decoder = decoders.WordPiece()
m = randomize(AutoModel.from_config(BertConfig(vocab_size=t.get_vocab_size(), hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, max_position_embeddings=40)), 1)
m.save_pretrained("encoder"); t.save("encoder/tokenizer.json"); clean("encoder")


def embed(text, pooling, longest):
    e = t.encode(text)
    ids = e.ids if len(e.ids) <= longest else e.ids[:longest - 1] + [3]
    with torch.no_grad():
        h = m(input_ids=torch.tensor([ids])).last_hidden_state[0]
    return {"mean": h.mean(0), "cls": h[0], "last": h[-1]}[pooling]


expected = {}
for name, classes, pooling, longest in (("two", 2, "mean", 24), ("five", 5, "cls", 16)):
    rows = [{"text": sentence(rng.randrange(0, 30)), "label": rng.randrange(classes)} for _ in range(40)]
    lines(f"encoder/{name}.jsonl", rows)
    h = torch.stack([embed(r["text"], pooling, longest) for r in rows])
    w = torch.randn(classes, 16) * 3
    b = -w @ h.mean(0)  # so that every class is answered
    save_file({"head.weight": w, "head.bias": b}, f"encoder/{name}.safetensors")
    logits = h @ w.T + b
    lp = torch.log_softmax(logits, -1)
    expected[name] = {"predicted": logits.argmax(-1).tolist(), "log_likelihood": [lp[i, r["label"]].item() for i, r in enumerate(rows)]}
json.dump([f"class {i}" for i in range(5)], open("encoder/five.labels.json", "w"))
pairs = [{"text": sentence(8), "second": sentence(8), "score": rng.choice([0, 1, 2, 3, 4, 5])} for _ in range(40)]
lines("encoder/pairs.jsonl", pairs)
cos = [torch.cosine_similarity(embed(p["text"], "mean", 512), embed(p["second"], "mean", 512), 0).item() for p in pairs]
expected["pairs"] = {"spearman": float(spearmanr(cos, [p["score"] for p in pairs]).statistic)}
json.dump(expected, open("encoder/expected.json", "w"))
# A relative of it, to merge it with.
torch.manual_seed(9)
with torch.no_grad():
    for p in m.parameters():
        p.add_(torch.randn_like(p) * 0.05)
m.save_pretrained("encoder-b"); clean("encoder-b")

# A decoder: perplexity of texts and of answers, and choices.
t = Tokenizer(models.BPE())
t.pre_tokenizer, t.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
t.train_from_iterator(corpus, trainers.BpeTrainer(vocab_size=300, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=["<s>"]))
m = randomize(AutoModelForCausalLM.from_config(LlamaConfig(vocab_size=t.get_vocab_size(), hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64, tie_word_embeddings=True)), 2)
m.save_pretrained("decoder"); t.save("decoder/tokenizer.json"); clean("decoder")
json.dump({"bos_token": "<s>"}, open("decoder/tokenizer_config.json", "w"))


def token_loglik(ids):
    with torch.no_grad():
        lp = torch.log_softmax(m(input_ids=torch.tensor([ids])).logits[0].double(), -1)
    return [lp[i - 1, ids[i]].item() for i in range(1, len(ids))]


rows = []
for _ in range(30):
    prompt = sentence(rng.randrange(2, 9))
    rows.append({"prompt": prompt, "text": prompt + " " + sentence(rng.randrange(1, 9))})
lines("decoder/texts.jsonl", rows)
whole, answers = [], []
for r in rows:
    ll = token_loglik(t.encode(r["text"]).ids)
    whole += ll
    answers += ll[len(t.encode(r["prompt"]).ids) - 1:]
expected = {"texts": {"log_likelihood": sum(whole) / len(whole)}, "answers": {"log_likelihood": sum(answers) / len(answers)}}
rows = [{"prompt": sentence(5) + rng.choice(["", " "]), "choices": [sentence(rng.randrange(1, 5)) for _ in range(rng.randrange(2, 5))], "label": 0} for _ in range(30)]
rows[0]["prompt"] = ""
for r in rows:
    r["label"] = rng.randrange(len(r["choices"]))
lines("decoder/choices.jsonl", rows)
acc, norm, right = [], [], []
for r in rows:
    score = []
    for c in r["choices"]:
        bare = r["prompt"].rstrip()
        before, ids = t.encode(bare).ids, t.encode(bare + r["prompt"][len(bare):] + " " + c).ids
        if not before:
            before, ids = [0], [0] + ids
        score.append(sum(token_loglik(ids)[len(before) - 1:]))
    acc.append(int(max(range(len(score)), key=lambda i: score[i]) == r["label"]))
    norm.append(int(max(range(len(score)), key=lambda i: score[i] / len(r["choices"][i])) == r["label"]))
    right.append(score[r["label"]])
expected["choices"] = {"acc": acc, "acc_norm": norm, "log_likelihood": right}
json.dump(expected, open("decoder/expected.json", "w"))


# What they write greedily, token for token: prompts of many lengths.
def write(m, prompts, n):
    rows = []
    for p in prompts:
        ids = t.encode(p).ids
        with torch.no_grad():
            out = m.generate(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long), do_sample=False, max_new_tokens=n, eos_token_id=END, pad_token_id=0)[0][len(ids):].tolist()
        if END in out:
            out = out[:out.index(END)]
        rows.append({"prompt": p, "answer": t.decode(out), "tokens": len(out)})
    return rows


END = t.token_to_id("n") if t.token_to_id("n") is not None else 5
prompts = [sentence(rng.randrange(1, 12)) for _ in range(20)]
lines("decoder/writing.jsonl", write(m, prompts, 40))
c = json.load(open("decoder/config.json")); c["eos_token_id"] = END; json.dump(c, open("decoder/config.json", "w"), indent=1)
from transformers import GPT2Config
g = randomize(AutoModelForCausalLM.from_config(GPT2Config(vocab_size=t.get_vocab_size(), n_positions=64, n_embd=16, n_layer=2, n_head=2)), 4)
g.save_pretrained("decoder-gpt2"); t.save("decoder-gpt2/tokenizer.json"); clean("decoder-gpt2")
lines("decoder-gpt2/writing.jsonl", write(g, prompts, 40))
c = json.load(open("decoder-gpt2/config.json")); c["eos_token_id"] = END; json.dump(c, open("decoder-gpt2/config.json", "w"), indent=1)
