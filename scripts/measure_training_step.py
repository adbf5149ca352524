"""Time of one training step in PyTorch, to be compared with lookback's in the same sitting.

Needs torch (CPU). The model is that of `crates/learn/examples/step_speed.rs`: batch 16, N 256, d 576, 8 heads of 72, two
layers of attention (RMSNorm, rotary position embedding, causal scaled_dot_product_attention, W_o, residual) and the
pointer, frozen embeddings, AdamW, clipping.

    python scripts/measure_training_step.py [--threads 2] [--runs 15]
"""

import argparse
import statistics
import time

import torch
import torch.nn.functional as F

B, N, D, H = 16, 256, 576, 8
D_K = D // H


def rotary(x, cos, sin):
    low, high = x.chunk(2, dim=-1)
    return torch.cat([low * cos - high * sin, high * cos + low * sin], dim=-1)


class Layer(torch.nn.Module):
    def __init__(self, pointer):
        super().__init__()
        linear = lambda: torch.nn.Linear(D, D, bias=False)
        self.norm = torch.nn.RMSNorm(D, eps=1e-5)
        self.q, self.k = linear(), linear()
        self.v, self.o = (None, None) if pointer else (linear(), linear())

    def heads(self, x):
        return x.view(B, -1, H, D_K).transpose(1, 2)

    def forward(self, x, cos, sin):
        n = self.norm(x)
        q = rotary(self.heads(self.q(n)), cos, sin)
        k = rotary(self.heads(self.k(n)), cos, sin)
        z = F.scaled_dot_product_attention(q, k, self.heads(self.v(n)), is_causal=True)
        return x + self.o(z.transpose(1, 2).reshape(B, N, D))

    def point(self, x, candidates, cos, sin):
        n = self.norm(x)
        q = rotary(self.heads(self.q(n[:, -1:])), cos[-1:], sin[-1:])
        k = rotary(self.heads(self.k(n)), cos, sin)
        return F.scaled_dot_product_attention(q, k, candidates[:, None].expand(B, H, N, 2))[:, :, 0]


def median(runs, f):
    times = []
    for run in range(runs + 2):
        began = time.perf_counter()
        f()
        if run >= 2:
            times.append((time.perf_counter() - began) * 1e3)
    return statistics.median(times)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--runs", type=int, default=15)
    arguments = arguments.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    layers = torch.nn.ModuleList([Layer(False), Layer(False), Layer(True)])
    optimizer = torch.optim.AdamW(layers.parameters(), lr=1e-4, betas=(0.9, 0.99), weight_decay=0.1)
    angles = torch.arange(N)[:, None] * 10_000.0 ** (-torch.arange(0, D_K, 2) / D_K)
    cos, sin = angles.cos(), angles.sin()
    x = torch.randn(B, N, D)
    candidates = torch.zeros(B, N, 2)
    candidates[:, 1, 0] = candidates[:, 2, 1] = 1
    answers = torch.tensor([0, 1] * (B // 2))

    def step():
        optimizer.zero_grad()
        hidden = layers[1](layers[0](x, cos, sin), cos, sin)
        masses = layers[2].point(hidden, candidates, cos, sin).mean(1)
        loss = F.cross_entropy((masses + 1e-6).log(), answers) - 0.2 * (masses.sum(-1) + 1e-6).log().mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(layers.parameters(), 1.0)
        optimizer.step()

    q, k, v = (torch.randn(B, H, N, D_K, requires_grad=True) for _ in range(3))

    def attention():
        q.grad = k.grad = v.grad = None
        F.scaled_dot_product_attention(q, k, v, is_causal=True).sum().backward()

    print(
        f"step {median(arguments.runs, step):.1f} ms, attention forward + backward "
        f"{median(arguments.runs, attention):.2f} ms (medians of {arguments.runs}, torch {torch.__version__}, "
        f"{arguments.threads} threads)"
    )


if __name__ == "__main__":
    main()
