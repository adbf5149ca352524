#!/usr/bin/env python3
"""Reduce the full golden reference values to what the tests keep.

The full set holds what `transformers` (eager attention, f32) computed on the
default model: every weight of the seed sentence, and summaries of a text of
989 tokens. The tests need less of it, so that the repository stays small:

* seed: all attention weights and LSEs, the logits of five positions;
* long: LSE, weight received per key, argmax and logsumexp of the logits at
  every position, the eight largest weights of every eighth query row.

Usage: reduce_golden.py FULL_FOLDER crates/model/tests/data/golden
"""

import pathlib
import shutil
import sys

import numpy as np
from safetensors.numpy import load_file, save_file

SEED_LOGIT_ROWS = np.array([0, 4, 10, 15, 19], dtype=np.int32)
LONG_ROW_STEP = 8


def main(full: pathlib.Path, out: pathlib.Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for name in ("seed.txt", "long.txt", "golden.json"):
        shutil.copyfile(full / name, out / name)

    seed = load_file(full / "seed.safetensors")
    save_file(
        {
            "input_ids": seed["input_ids"],
            "attention": seed["attention"],
            "lse": seed["lse"],
            "logits_positions": SEED_LOGIT_ROWS,
            "logits": np.ascontiguousarray(seed["logits"][SEED_LOGIT_ROWS]),
        },
        out / "seed.safetensors",
    )

    long = load_file(full / "long.safetensors")
    rows = np.arange(0, long["input_ids"].shape[0], LONG_ROW_STEP, dtype=np.int32)
    save_file(
        {
            "input_ids": long["input_ids"],
            "lse": long["lse"],
            "attn_received": long["attn_received"],
            "argmax_all": long["argmax_all"],
            "logsumexp_all": long["logsumexp_all"],
            "top8_rows": rows,
            "top8_weight": np.ascontiguousarray(long["top8_weight"][:, :, rows]),
            "top8_index": np.ascontiguousarray(long["top8_index"][:, :, rows]),
        },
        out / "long.safetensors",
    )


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
