"""Makes the tokenizers of this folder and what Hugging Face's tokenizers 0.23 does
with them: NAME.json, and NAME.jsonl with lines of {"text", "ids", "back"}.

    pip install tokenizers==0.23.3 && python make.py [OTHER_FOLDER [TEXTS]]

With a folder the files go there, with more texts: for a wider test by hand.
"""
import json, random, sys, unicodedata
from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers)

out = sys.argv[1] if len(sys.argv) > 1 else "."
count = int(sys.argv[2]) if len(sys.argv) > 2 else 60
rng = random.Random(7)
corpus = [
    "The quick brown fox jumps over the lazy dog, and then it doesn't stop there.",
    "In 1984 the price was $1,234.56; today it's 3.5 times as much, isn't it?",
    "Größe, naïve café, Überraschung, señor, İstanbul, straße, Ελλάδα, Привет мир.",
    "def f(x):\n\treturn x ** 2  # a comment\r\n\n\n   indented",
    "東京は日本の首都です。 北京是中国的首都。 한국어 텍스트 ひらがな",
    "e\u0301 a\u0308 \u200b\u200d \ufeff \u00a0nbsp \u2028 line ﬁ ﬂ ① ½ Å ǅ",
    "🙂 👍🏽 👨\u200d👩\u200d👧 🇩🇪 🥰 \U0001fae8 emoji",
    "you're I'll they've he'd I'm we'S 'T don''t ...!!! ??? --- ___ a_b",
    "<s> [CLS] </s> [MASK] <|endoftext|> x<|endoftext|>y < s > [mask] <Sp>",
] * 3
blocks = [(0x20, 0x7F), (0x20, 0x7F), (0, 0x20), (0x80, 0x250), (0x250, 0x1000), (0x1000, 0x3000), (0x3000, 0xD800), (0xE000, 0x10000), (0x10000, 0x20000), (0x1F300, 0x1FAFF), (0xE0000, 0xE0200)]


def noise():
    n = rng.randrange(0, 40)
    s = ""
    while len(s) < n:
        k = rng.random()
        if k < 0.4:
            t = rng.choice(corpus)
            i = rng.randrange(len(t))
            s += t[i:i + rng.randrange(1, 15)]
        elif k < 0.5:
            s += rng.choice([" ", "  ", "\n", "\t", "\n\n", " \n", "a" * 30, "1234567", "....", "▁", "▁▁"])
        elif k < 0.6:
            s += rng.choice(["<s>", "[MASK]", "<|endoftext|>", "<Sp>", "wort", "[CLS]"])
        else:
            c = chr(rng.randrange(*rng.choice(blocks)))
            if unicodedata.category(c) != "Cn" or rng.random() < 0.1 and ord(c) < 0x10000:
                s += c  # Go knows Unicode 15 and Rust 16: what is newer is left out
    return s


texts = ["", " ", "  a", "a ", "Hello, world!", *dict.fromkeys(corpus)] + [noise() for _ in range(count)]
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CLIP = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
alphabet = pre_tokenizers.ByteLevel.alphabet()


def bpe(size=400, **k):
    return trainers.BpeTrainer(vocab_size=size, show_progress=False, **k)


def wordpiece_cased():
    t = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=20))
    t.normalizer = normalizers.BertNormalizer(lowercase=False)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.train_from_iterator(corpus, trainers.WordPieceTrainer(vocab_size=400, show_progress=False, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]))
    t.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    t.add_special_tokens([AddedToken("[MASK]", lstrip=True)])
    t.add_tokens([AddedToken("wort", single_word=True), AddedToken("<Sp>", rstrip=True, normalized=True)])
    t.decoder = decoders.WordPiece()
    return t


def wordpiece_lower():
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(lowercase=True)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.train_from_iterator(corpus, trainers.WordPieceTrainer(vocab_size=400, show_progress=False, special_tokens=["[UNK]", "[CLS]", "[SEP]", "[MASK]"]))
    t.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 1), ("[SEP]", 2)])
    t.add_tokens([AddedToken("<Sp>", normalized=True)])
    t.decoder = decoders.WordPiece(cleanup=False)
    return t


def byte_level(split, **k):
    t = Tokenizer(models.BPE(**k))
    if split:
        t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(split), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    else:
        t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    t.train_from_iterator(corpus, bpe(600, initial_alphabet=alphabet, special_tokens=["<|endoftext|>"]))
    t.decoder = decoders.ByteLevel()
    return t


def qwen():
    t = byte_level(QWEN2)
    t.normalizer = normalizers.NFC()
    return t


def llama3():
    t = byte_level(LLAMA3, ignore_merges=True)
    t.add_special_tokens(["<s>"])
    t.post_processor = processors.Sequence([processors.ByteLevel(), processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", t.token_to_id("<s>"))])])
    return t


def roberta():
    t = byte_level(None)
    t.add_special_tokens([AddedToken("<s>"), AddedToken("</s>"), AddedToken("[MASK]", lstrip=True)])
    t.post_processor = processors.RobertaProcessing(("</s>", t.token_to_id("</s>")), ("<s>", t.token_to_id("<s>")))
    return t


def llama2():
    t = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    t.train_from_iterator(corpus, bpe(500, special_tokens=["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]))
    t.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)])
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    return t


def mistral():
    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    t.train_from_iterator(corpus, bpe(400, special_tokens=["<unk>", "<s>", "</s>"]))
    t.decoder = decoders.Metaspace(prepend_scheme="first")
    return t


def clip():
    t = Tokenizer(models.BPE(unk_token="<|endoftext|>", end_of_word_suffix="</w>"))
    t.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(CLIP), "removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    t.train_from_iterator(corpus, bpe(700, initial_alphabet=alphabet, end_of_word_suffix="</w>", special_tokens=["<s>", "<|endoftext|>"]))
    t.post_processor = processors.RobertaProcessing(("<|endoftext|>", 1), ("<s>", 0), trim_offsets=False, add_prefix_space=False)
    t.decoder = decoders.BPEDecoder()
    return t


def unigram(fallback):
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " "), normalizers.Strip()])
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]) if fallback else pre_tokenizers.Metaspace()
    special = ["<unk>", "<s>", "</s>"] + ([f"<0x{b:02X}>" for b in range(256)] if fallback else [])
    t.train_from_iterator(corpus, trainers.UnigramTrainer(vocab_size=600, show_progress=False, special_tokens=special, unk_token="<unk>"))
    d = json.loads(t.to_str())
    d["model"]["byte_fallback"] = fallback
    t = Tokenizer.from_str(json.dumps(d))
    t.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()]) if fallback else decoders.Metaspace()
    return t


def words():
    t = Tokenizer(models.WordLevel(unk_token="<unk>"))
    t.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase()])
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Punctuation(), pre_tokenizers.Digits(individual_digits=False)])
    t.train_from_iterator(corpus, trainers.WordLevelTrainer(vocab_size=300, show_progress=False, special_tokens=["<unk>"]))
    return t


def behaviors():
    t = Tokenizer(models.BPE(continuing_subword_prefix="##", unk_token="<unk>"))
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"\s"), "merged_with_next"), pre_tokenizers.Split(",", "merged_with_previous"),
        pre_tokenizers.Split(Regex("[.!?]"), "contiguous"), pre_tokenizers.CharDelimiterSplit("x"), pre_tokenizers.Punctuation("merged_with_previous")])
    t.train_from_iterator(corpus, bpe(500, continuing_subword_prefix="##", special_tokens=["<unk>"]))
    return t


for name, make in {"wordpiece-cased": wordpiece_cased, "wordpiece-lower": wordpiece_lower, "qwen": qwen, "llama3": llama3, "roberta": roberta, "llama2": llama2, "mistral": mistral,
                   "clip": clip, "unigram": lambda: unigram(False), "unigram-bytes": lambda: unigram(True), "words": words, "behaviors": behaviors}.items():
    t = make()
    with open(f"{out}/{name}.json", "w") as f:
        f.write(json.dumps(json.loads(t.to_str()), ensure_ascii=False, separators=(",", ":")))
    with open(f"{out}/{name}.jsonl", "w") as f:
        for text in texts:
            ids = t.encode(text).ids
            f.write(json.dumps({"text": text, "ids": ids, "back": t.decode(ids, skip_special_tokens=False), "clean": t.decode(ids)}) + "\n")
