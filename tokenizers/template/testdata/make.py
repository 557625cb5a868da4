"""Writes golden.json: what transformers renders of the templates beside this file.

    python make.py     (transformers 5.24.0)

The templates are written for this test, in the manner of those of SmolLM2 (chatml), Llama 3,
Mistral, Gemma, Qwen 3, Zephyr and Phi 3, and json for what else templates use.
"""

import glob
import json
import os

from transformers.utils.chat_template_utils import render_jinja_template

here = os.path.dirname(os.path.abspath(__file__))
conversations = [
    [{"role": "user", "content": 'hi <there> & "you"\'s \\ \u2028 \u0001'}],
    [{"role": "system", "content": " Be brief. \n"}, {"role": "user", "content": " What is 2+2?\nTell me. "}],
    [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "<think>\nhm\n</think>\n\nyes  "},
        {"role": "user", "content": " more \u00e9 \u65e5\u672c {{ no }} {% x %} "},
    ],
    [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "<think>a</think>b"}],
    [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "a</think>b"}],
    [{"role": "user", "content": ""}],
]
rows = []
for path in sorted(glob.glob(os.path.join(here, "templates", "*.jinja"))):
    with open(path) as f:
        template = f.read()
    for messages in conversations:
        for generate in (True, False):
            row = {"template": os.path.basename(path), "messages": messages, "generate": generate}
            try:
                out = render_jinja_template(
                    [messages], chat_template=template, add_generation_prompt=generate, bos_token="<s>", eos_token="</s>"
                )
                out = out[0] if isinstance(out, tuple) else out
                row["want"] = out[0] if isinstance(out, list) else out
            except Exception as e:
                row["refused"] = str(e)
            rows.append(row)
with open(os.path.join(here, "golden.json"), "w") as f:
    json.dump(rows, f, indent=1, ensure_ascii=True)
    f.write("\n")
