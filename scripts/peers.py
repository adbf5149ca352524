#!/usr/bin/env python3
"""Lookback's kernels and PyTorch's on the same shapes, in the same sitting, as a table of ratios.

    python3 -m venv peers && peers/bin/pip install torch numpy
    cargo build --release
    peers/bin/python scripts/peers.py target/release/lookback --threads 2

Runs `lookback bench attention --json`, then PyTorch's scaled_dot_product_attention on each case that it has, `--rounds` times
in turn, so that both meet the same machine. Prints the median over the rounds of the ratio (PyTorch's time / Lookback's) and
its smallest and largest, beside the median times. `--quick` takes the small cases.
"""
import argparse
import json
import statistics
import subprocess
import time


def lookback(program, threads, quick):
    """One run of the program: {(name, shape…): seconds}, and what it ran on."""
    command = [program, "bench", "attention", "--json", "--threads", str(threads)]
    report = json.loads(subprocess.run(command + ["--quick"] * quick, check=True, stdout=subprocess.PIPE).stdout)
    keys = ("name", "b", "h", "h_kv", "n", "m", "d_k", "dtype")
    return {tuple(case[key] for key in keys): case["median_s"] for case in report["cases"]}, report


def pytorch(torch, case, budget=1.0):
    """Median seconds of PyTorch's fused attention, or None for what it does not have."""
    name, b, h, h_kv, n, m, d, dtype = case
    if name == "observe":
        return weights(torch, b, h, n, m, d)
    kind = {"f32": torch.float32, "f16": torch.float16}[dtype]
    train = name == "forward_backward"
    new = lambda heads, rows: torch.randn(b, heads, rows, d, dtype=kind, requires_grad=train)
    # Each run of decoding takes another cache, as Lookback's does.
    size = 2 * b * h_kv * m * d * kind.itemsize
    count = -(-(256 << 20) // size) if name == "decode" else 1
    q, ring = new(h, n), [(new(h_kv, m), new(h_kv, m)) for _ in range(count)]
    gradient = torch.randn(b, h, n, d, dtype=kind)

    def run(at):
        k, v = ring[at % count]
        out = torch.nn.functional.scaled_dot_product_attention(
            q, k, v, is_causal=name != "decode", enable_gqa=h != h_kv
        )
        if train:
            q.grad = k.grad = v.grad = None
            out.backward(gradient)

    with torch.set_grad_enabled(train):
        return timed(run, budget)


def weights(torch, b, h, n, m, d):
    """What answers questions about weights there: all of them, materialised."""
    q, k, v = (torch.randn(b, h, n, d) for _ in range(3))
    mask = torch.triu(torch.full((n, m), float("-inf")), 1)

    def run(_):
        w = torch.softmax(q @ k.transpose(2, 3) * d**-0.5 + mask, -1)
        return w @ v, w

    with torch.no_grad():
        return timed(run, 0.0)


def timed(run, budget):
    run(0)
    times, began = [], time.perf_counter()
    while len(times) < 3 or time.perf_counter() - began < budget:
        start = time.perf_counter()
        run(len(times))
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="the program `lookback`, built with --release")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    args = parser.parse_args()
    import torch

    torch.set_num_threads(args.threads)
    rounds = []
    for _ in range(args.rounds):
        ours, report = lookback(args.program, args.threads, args.quick)
        rounds.append((ours, {case: pytorch(torch, case) for case in ours}))
    print(f"{report['cpu']}, {args.threads} threads, PyTorch {torch.__version__}, {args.rounds} rounds")
    print(f"{'case':44} {'Lookback ms':>12} {'PyTorch ms':>12} {'ratio':>7}  smallest to largest")
    for case in rounds[0][0]:
        ours, theirs = ([r[side][case] for r in rounds] for side in (0, 1))
        ratios = [b / a for a, b in zip(ours, theirs)]
        name, b, h, h_kv, n, m, d, dtype = case
        print(
            f"{f'{name} B {b} H {h}/{h_kv} N {n} M {m} d {d} {dtype}':44}"
            f" {1e3 * statistics.median(ours):12.3f} {1e3 * statistics.median(theirs):12.3f}"
            f" {statistics.median(ratios):7.2f}  {min(ratios):.2f} to {max(ratios):.2f}"
        )


if __name__ == "__main__":
    main()
