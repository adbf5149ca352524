"""Prefill seconds and peak memory of `transformers` on the default model, one length a process.

Needs: pip install torch transformers gguf accelerate safetensors
Usage: python scripts/measure_transformers.py MODEL.gguf [LENGTH ...]

The model is dequantised to f32 and run with scaled-dot-product attention, which keeps no weights, on as many threads
as RAYON_NUM_THREADS says (else all). Compare with `lookback bench model --lengths ... --json` in the same sitting.
Prints one line of JSON a length: median, min and max of three runs after one that is not counted.
"""

import json
import os
import resource
import subprocess
import sys
import time

RUNS = 3


def measure(path: str, length: int) -> dict:
    import torch
    from transformers import AutoModelForCausalLM

    threads = int(os.environ.get("RAYON_NUM_THREADS", os.cpu_count()))
    torch.set_num_threads(threads)
    folder, file = os.path.split(os.path.abspath(path))
    model = AutoModelForCausalLM.from_pretrained(
        folder, gguf_file=file, dtype=torch.float32, attn_implementation="sdpa"
    ).eval()
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(1000, 40000, (1, length), generator=generator)
    seconds = []
    with torch.no_grad():
        for run in range(RUNS + 1):
            start = time.perf_counter()
            model(ids, use_cache=False, logits_to_keep=1)
            if run:
                seconds.append(time.perf_counter() - start)
    seconds.sort()
    return {
        "length": length,
        "threads": threads,
        "seconds": {"median": seconds[RUNS // 2], "min": seconds[0], "max": seconds[-1]},
        "tokens_per_second": length / seconds[RUNS // 2],
        # Loading dequantises the file and takes part in this peak.
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "torch": torch.__version__,
    }


def main() -> None:
    if len(sys.argv) == 4 and sys.argv[1] == "--one":
        print(json.dumps(measure(sys.argv[2], int(sys.argv[3]))))
        return
    path, lengths = sys.argv[1], sys.argv[2:] or ["128", "512", "2048"]
    for length in lengths:
        subprocess.run([sys.executable, __file__, "--one", path, length], check=True)


if __name__ == "__main__":
    main()
