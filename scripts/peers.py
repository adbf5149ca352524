#!/usr/bin/env python3
"""Lookback's kernels and PyTorch's on the same shapes, in the same sitting, as a table of ratios.

    python3 -m venv peers && peers/bin/pip install torch numpy
    cargo build --release
    peers/bin/python scripts/peers.py target/release/lookback --threads 2

Runs `lookback bench attention --json`, then PyTorch's scaled_dot_product_attention on each case that it has, `--rounds` times
in turn, so that both meet the same machine. Prints the median over the rounds of the ratio (PyTorch's time / Lookback's) and
its smallest and largest, beside the median times. `--quick` takes the small cases, `--only NAME` one operation's (forward,
forward_backward, decode, observe, forward_observe).

Questions about weights (observe, and forward_observe, where the output is computed too) are asked of PyTorch as one asks there:
the weights of a head are materialised, and the statistics that `lookback bench attention` takes are computed from them.
`--heads-at-once all` materialises all heads in one tensor, as `output_attentions=True` does; by default it is one head at a
time, which takes a twelfth of the memory. The most memory that it took is printed too; for Lookback's, see
`cargo run --release -p lookback-attention --example observe_speed`.
"""
import argparse
import json
import re
import statistics
import subprocess
import time


def lookback(args):
    """One run of the program: {(name, shape…): seconds}, and what it ran on."""
    command = [args.program, "bench", "attention", "--json", "--threads", str(args.threads), "--seconds", str(args.seconds)]
    report = json.loads(subprocess.run(command + ["--quick"] * args.quick, check=True, stdout=subprocess.PIPE).stdout)
    keys = ("name", "b", "h", "h_kv", "n", "m", "d_k", "dtype")
    return {tuple(case[key] for key in keys): case["median_s"] for case in report["cases"] if args.only in (None, case["name"])}, report


def pytorch(torch, case, heads_at_once, budget):
    """Median seconds of PyTorch's fused attention, or of the same statistics from materialised weights."""
    name, b, h, h_kv, n, m, d, dtype = case
    if name in ("observe", "forward_observe"):
        return timed(Questions(torch, (h, n, m, d), heads_at_once, name == "forward_observe"), 0.0)
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


class Questions:
    """What `lookback bench attention` asks of all weights, from materialised weights of some heads at a time."""

    def __init__(self, torch, shape, heads_at_once, output):
        h, n, m, d = shape
        self.torch, self.step, self.output = torch, heads_at_once or h, output
        self.q, self.k, self.v = torch.randn(h, n, d), torch.randn(h, m, d), torch.randn(h, m, d)
        self.norms = self.v.norm(dim=-1)
        self.spans = [slice(part * m // 5, (part + 1) * m // 5) for part in range(5)]
        self.rows = torch.tensor([row * n // 16 for row in range(16)])
        distance = (torch.arange(n)[:, None] - torch.arange(m)[None, :]).abs()
        self.hidden = torch.triu(torch.ones(n, m, dtype=torch.bool), 1)
        self.buckets = torch.where(distance > 0, distance.float().log2().floor() + 1, 0.0).to(torch.int64)
        self.distance = distance.float()

    def __call__(self, _):
        with self.torch.no_grad():
            for h in range(0, len(self.q), self.step):
                self.ask(slice(h, h + self.step))

    def ask(self, heads):
        torch = self.torch
        scores = self.q[heads] @ self.k[heads].transpose(1, 2)
        scores.mul_(self.q.shape[-1] ** -0.5).masked_fill_(self.hidden, float("-inf"))
        w = torch.softmax(scores, -1)
        del scores
        height, n, m = w.shape
        buckets = self.buckets.expand(height, n, m)
        count = int(self.buckets.max()) + 1
        picture = torch.nn.functional.adaptive_max_pool2d(w, (min(n, 256), min(m, 256)))
        return (
            w @ self.v[heads] if self.output else None,
            w.topk(min(16, m)),
            (w * self.norms[heads, None, :]).topk(min(16, m)),
            torch.special.entr(w).sum(-1),
            [w[..., span].sum(-1) for span in self.spans] + [w[..., 0], w.diagonal(0, 1, 2), w.diagonal(-1, 1, 2)],
            torch.zeros(height, n, count).scatter_add_(2, buckets, w),
            (w * self.distance).sum(-1),
            w.sum(1),
            w.amax(-1),
            w[:, self.rows],
            picture,
        )


def peak_gb():
    """The most memory that was resident since the last call, and 0 where the system does not tell."""
    try:
        most = re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())
        with open("/proc/self/clear_refs", "w") as reset:
            reset.write("5")
        return int(most[1]) * 1024 / 1e9
    except (OSError, TypeError):
        return 0.0


def timed(run, budget):
    run(0)
    times, began = [], time.perf_counter()
    while len(times) < (3 if budget else 1) or time.perf_counter() - began < budget:
        start = time.perf_counter()
        run(len(times))
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="the program `lookback`, built with --release")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1, help="for each case and round, on either side")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", choices=["forward", "forward_backward", "decode", "observe", "forward_observe"])
    parser.add_argument("--heads-at-once", default="1", choices=["1", "all"])
    args = parser.parse_args()
    import torch

    torch.set_num_threads(args.threads)
    rounds = []
    for _ in range(args.rounds):
        ours, report = lookback(args)
        at_once = None if args.heads_at_once == "all" else 1
        before = peak_gb()
        rounds.append((ours, {case: pytorch(torch, case, at_once, args.seconds) for case in ours}))
        memory = peak_gb()
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
    print(f"PyTorch's memory at its most: {memory:.2f} GB, of which {before:.2f} GB before the first case")


if __name__ == "__main__":
    main()
