"""Prompts as token lists become a trace: one id for each (block above, tokens of the block)."""

import json

BLOCK = 4
PROMPTS = [  # (seconds, tokens of the prompt, tokens of the answer); from your own log
    (0.0, [7, 7, 1, 2, 3, 4, 5, 6, 9], 12),
    (0.4, [7, 7, 1, 2, 8, 8], 5),
    (1.5, [7, 7, 1, 2, 3, 4, 5, 6, 9, 1, 1, 2], 9),
]

number: dict[tuple[int, tuple[int, ...]], int] = {}
for seconds, prompt, answer in PROMPTS:
    above, path = 0, []
    for start in range(0, len(prompt), BLOCK):
        key = (above, tuple(prompt[start : start + BLOCK]))
        above = number.setdefault(key, len(number) + 1)
        path.append(above)
    record = {"timestamp": round(1000 * seconds), "input_length": len(prompt), "output_length": answer}
    print(json.dumps({**record, "hash_ids": path, "block_size": BLOCK}))
