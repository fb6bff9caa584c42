"""One update step of PyTorch on the CPU, eager and in f32: what `policy`'s own step is measured against.

    python torch_update.py [--batch 64 --length 64 --prompt 0 --group 8 --micro 0 --threads 2 --rounds 5]
                           [--hidden 128 --layers 4 --heads 4 --kv-heads 2 --intermediate 384 --vocab 512]
                           [--model FOLDER] [--decoder plain] [--wait active]

A step is: forward, log-softmax and gather for the log-probabilities of the tokens taken, GRPO's clipped
loss against fixed old log-probabilities and random advantages as the mean over tokens, backward, clipping
of the gradient's norm to 1, AdamW in one fused kernel, zeroing. Each of the `--batch` sequences feeds
`--length` tokens; all positions are scored but the first `--prompt` - 1, whose logits are never made.
`--micro` sequences go through at a time, all of them for 0. `--decoder transformers` (the default) is
Qwen2ForCausalLM with torch's fused attention; `plain` is the same decoder written with as few operations as
eager PyTorch allows: query, key and value as one product, gate and up as another. Prints one JSON object:
milliseconds of the median step, in parts, and of the fastest; tokens fed per second; processor milliseconds
of all threads; and by how many MB the high-water mark of memory rose over what the process held once the
model was made. `--wait active` lets OpenMP's waiting threads spin: it may be quicker on idle cores and is
several times slower on busy ones.
"""

import argparse
import json
import os
import pathlib
import statistics
import time

SHAPE = {"hidden": 128, "layers": 4, "heads": 4, "kv_heads": 2, "intermediate": 384, "vocab": 512}


def memory(field):
    """`VmRSS` or `VmHWM` of this process, in MB."""
    text = pathlib.Path("/proc/self/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) / 1024 for line in text.splitlines() if line.startswith(field + ":"))


def transformers_decoder(asked):
    """`(model, forward)`; `forward(ids, kept)` gives the logits of the last `kept` positions."""
    import torch
    import transformers

    if asked.model:
        model = transformers.AutoModelForCausalLM.from_pretrained(
            asked.model, local_files_only=True, dtype=torch.float32)
    else:
        model = transformers.Qwen2ForCausalLM(transformers.Qwen2Config(
            vocab_size=asked.vocab, hidden_size=asked.hidden, intermediate_size=asked.intermediate,
            num_hidden_layers=asked.layers, num_attention_heads=asked.heads,
            num_key_value_heads=asked.kv_heads, max_position_embeddings=max(1024, asked.length),
            tie_word_embeddings=True, use_sliding_window=False, bos_token_id=None, eos_token_id=1,
            pad_token_id=0))
    return model, lambda ids, kept: model(input_ids=ids, use_cache=False, logits_to_keep=kept).logits


def plain_decoder(asked):
    """The same, with joined matrices."""
    import torch
    from torch import nn
    from torch.nn import functional

    hidden, heads, kv_heads, width = asked.hidden, asked.heads, asked.kv_heads, asked.hidden // asked.heads

    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.before_attention = nn.RMSNorm(hidden, 1e-6)
            self.before_mlp = nn.RMSNorm(hidden, 1e-6)
            self.qkv = nn.Linear(hidden, (heads + 2 * kv_heads) * width)
            self.out = nn.Linear(heads * width, hidden, bias=False)
            self.gate_up = nn.Linear(hidden, 2 * asked.intermediate, bias=False)
            self.down = nn.Linear(asked.intermediate, hidden, bias=False)

        def forward(self, x, cos, sin):
            batch, length, _ = x.shape
            joined = self.qkv(self.before_attention(x)).view(batch, length, heads + 2 * kv_heads, width)
            turned, values = joined.transpose(1, 2).split([heads + kv_heads, kv_heads], 1)
            left, right = turned.chunk(2, -1)
            turned = torch.cat([left * cos - right * sin, right * cos + left * sin], -1)
            queries, keys = turned.split([heads, kv_heads], 1)
            mixed = functional.scaled_dot_product_attention(
                queries, keys, values, is_causal=True, enable_gqa=heads != kv_heads)
            x = x + self.out(mixed.transpose(1, 2).reshape(batch, length, -1))
            gate, up = self.gate_up(self.before_mlp(x)).chunk(2, -1)
            return x + self.down(functional.silu(gate) * up)

    class Decoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(asked.vocab, hidden)
            self.layers = nn.ModuleList(Layer() for _ in range(asked.layers))
            self.norm = nn.RMSNorm(hidden, 1e-6)
            angles = torch.arange(asked.length)[:, None] / 10_000 ** (torch.arange(0, width, 2) / width)
            self.register_buffer("cos", angles.cos())
            self.register_buffer("sin", angles.sin())
            for weight in self.parameters():
                if weight.ndim == 2:
                    nn.init.normal_(weight, 0.0, 0.02)

        def forward(self, ids, kept):
            x = self.embedding(ids)
            cos, sin = self.cos[:ids.shape[1]], self.sin[:ids.shape[1]]
            for layer in self.layers:
                x = layer(x, cos, sin)
            return functional.linear(self.norm(x[:, -kept:]), self.embedding.weight)

    decoder = Decoder()
    return decoder, decoder


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    counts = {"batch": 64, "length": 64, "prompt": 0, "group": 8, "micro": 0, "threads": 2, "rounds": 5,
              "warmup": 2, "seed": 0}
    for name, default in counts.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    for name, default in SHAPE.items():
        parser.add_argument("--" + name.replace("_", "-"), type=int, default=default)
    parser.add_argument("--model")
    parser.add_argument("--decoder", choices=["transformers", "plain"], default="transformers")
    parser.add_argument("--wait", choices=["passive", "active"], default="passive")
    asked = parser.parse_args()
    # Read when torch is loaded, hence before it.
    os.environ.update(OMP_NUM_THREADS=str(asked.threads), MKL_NUM_THREADS=str(asked.threads),
                      OMP_WAIT_POLICY=asked.wait, CUDA_VISIBLE_DEVICES="", HF_HUB_OFFLINE="1",
                      TRANSFORMERS_VERBOSITY="error")

    import torch

    torch.set_num_threads(asked.threads)
    torch.manual_seed(asked.seed)
    if asked.decoder == "plain" and asked.model:
        raise SystemExit("`--decoder plain` has weights of its own; leave out `--model`")
    model, forward = (transformers_decoder if asked.decoder == "transformers" else plain_decoder)(asked)
    vocab = model.config.vocab_size if asked.model else asked.vocab
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.0, fused=True)
    if asked.batch % asked.group:
        raise SystemExit(f"{asked.batch} sequences are not a whole number of groups of {asked.group}")
    tokens = torch.randint(0, vocab, (asked.batch // asked.group, asked.length + 1))
    tokens = tokens.repeat_interleave(asked.group, 0)
    kept = asked.length - max(asked.prompt - 1, 0)
    tokens[:, -kept:] = torch.randint(0, vocab, (len(tokens), kept))
    scored = len(tokens) * kept
    advantages = torch.randn(len(tokens), 1)
    micro = asked.micro or len(tokens)

    def logprobs(rows):
        logits = forward(rows[:, :-1], kept)
        return logits.log_softmax(-1).gather(-1, rows[:, -kept:, None]).squeeze(-1)

    before = memory("VmRSS")
    # The mark begins anew.
    pathlib.Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    with torch.no_grad():
        old = torch.cat([logprobs(rows) for rows in tokens.split(micro)])
        old += 0.1 * torch.randn_like(old)

    steps = []
    for _ in range(asked.warmup + asked.rounds):
        parts = {"forward": 0.0, "backward": 0.0, "optimizer": 0.0}
        begun, cpu = time.perf_counter(), time.process_time()
        for rows, past, advantage in zip(tokens.split(micro), old.split(micro), advantages.split(micro)):
            at = time.perf_counter()
            ratio = (logprobs(rows) - past).exp()
            gain = torch.min(ratio * advantage, ratio.clamp(0.8, 1.2) * advantage)
            loss = -gain.sum() / scored
            parts["forward"] += time.perf_counter() - at
            at = time.perf_counter()
            loss.backward()
            parts["backward"] += time.perf_counter() - at
        at = time.perf_counter()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        parts["optimizer"] = time.perf_counter() - at
        steps.append({**parts, "total": time.perf_counter() - begun, "cpu": time.process_time() - cpu})
        if not torch.isfinite(norm):
            raise SystemExit(f"the gradient's norm is {norm}")
    steps = steps[asked.warmup:]
    median = {name: round(1e3 * statistics.median(step[name] for step in steps), 2) for name in steps[0]}
    fastest = min(step["total"] for step in steps)
    fed = len(tokens) * asked.length
    print(json.dumps({
        "peer": f"torch {torch.__version__} eager, {asked.decoder}",
        "parameters": sum(p.numel() for p in model.parameters()), "batch": len(tokens),
        "length": asked.length, "scored": scored, "micro": micro,
        "threads": asked.threads, "wait": asked.wait,
        "forward_ms": median["forward"], "backward_ms": median["backward"],
        "optimizer_ms": median["optimizer"], "total_ms": median["total"],
        "fastest_ms": round(1e3 * fastest, 2), "cpu_ms": median["cpu"],
        "tokens_per_second": round(1e3 * fed / median["total"]),
        "fastest_tokens_per_second": round(fed / fastest),
        "peak_rss_growth_mb": round(memory("VmHWM") - before, 1)}))


if __name__ == "__main__":
    main()
