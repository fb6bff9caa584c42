"""One update step of a small decoder in PyTorch: the peer of benches/update.rs.

Prints one line: milliseconds of the median step, and the peak of the resident memory in MB before the model was made
and at the end.
"""

import argparse
import resource
import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F


class Layer(nn.Module):
    def __init__(self, hidden, heads, kv_heads, width):
        super().__init__()
        self.heads, self.kv_heads, self.d = heads, kv_heads, hidden // heads
        self.input_norm = nn.RMSNorm(hidden, 1e-6)
        self.post_norm = nn.RMSNorm(hidden, 1e-6)
        self.qkv = nn.Linear(hidden, (heads + 2 * kv_heads) * self.d)
        self.o = nn.Linear(hidden, hidden, bias=False)
        self.gate_up = nn.Linear(hidden, 2 * width, bias=False)
        self.down = nn.Linear(width, hidden, bias=False)

    def forward(self, x, cos, sin):
        batch, length, hidden = x.shape
        q, k, v = self.qkv(self.input_norm(x)).split(
            [self.heads * self.d, self.kv_heads * self.d, self.kv_heads * self.d], -1
        )

        def split(y, heads):
            return y.view(batch, length, heads, self.d).transpose(1, 2)

        def rotate(y):
            a, b = y.chunk(2, -1)
            return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)

        q, k, v = rotate(split(q, self.heads)), rotate(split(k, self.kv_heads)), split(v, self.kv_heads)
        o = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=self.heads != self.kv_heads)
        x = x + self.o(o.transpose(1, 2).reshape(batch, length, hidden))
        gate, up = self.gate_up(self.post_norm(x)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)


class Decoder(nn.Module):
    def __init__(self, a):
        super().__init__()
        self.embedding = nn.Embedding(a.vocabulary, a.hidden)
        self.layers = nn.ModuleList(
            Layer(a.hidden, a.heads, a.kv_heads, a.width) for _ in range(a.layers)
        )
        self.norm = nn.RMSNorm(a.hidden, 1e-6)
        d = a.hidden // a.heads
        angles = torch.arange(a.length)[:, None] / 10000 ** (torch.arange(0, d, 2) / d)[None]
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())
        for p in self.parameters():
            if p.ndim == 2:
                nn.init.normal_(p, 0, 0.02)

    def forward(self, tokens):
        x = self.embedding(tokens)
        n = tokens.shape[1]
        for layer in self.layers:
            x = layer(x, self.cos[:n], self.sin[:n])
        return F.linear(self.norm(x), self.embedding.weight)


def main():
    p = argparse.ArgumentParser()
    for name in "hidden layers heads kv_heads width vocabulary batch length threads iterations".split():
        p.add_argument(f"--{name}", type=int, required=True)
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    model = Decoder(a)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    tokens = torch.randint(0, a.vocabulary, (a.batch, a.length + 1))
    inputs, targets = tokens[:, :-1], tokens[:, 1:]
    times = []
    for i in range(a.iterations + 2):
        start = time.perf_counter()
        logprobs = torch.log_softmax(model(inputs), -1).gather(-1, targets[..., None]).squeeze(-1)
        (-logprobs.mean()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if i >= 2:
            times.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{statistics.median(times) * 1e3:.3f} {before:.1f} {peak:.1f}")


if __name__ == "__main__":
    main()
