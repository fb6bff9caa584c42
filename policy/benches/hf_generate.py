"""How quickly transformers' `generate` samples on the CPU, in f32 with its own key-value cache.

    python hf_generate.py [--batch 64 --prompt 32 --new 64 --group 8 --threads 2 --rounds 3]
                          [--hidden 128 --layers 4 --heads 4 --kv-heads 2 --intermediate 384 --vocab 512]
                          [--model FOLDER] [--static] [--wait active]

The model is a Qwen2 with random weights and tied embeddings, or the one in FOLDER. Prompts are `--group`
copies each of `--batch` / `--group` rows of random tokens; every sequence gets exactly `--new` tokens at
temperature 1. Prints one JSON object: seconds of the median and of the fastest round, new tokens per second
of both, processor seconds of all threads per round, and by how many MB the high-water mark of memory rose
over what the process held before the first round. `--static` asks for a cache of fixed size. `--wait
active` lets OpenMP's waiting threads spin: it may be quicker on idle cores and is several times slower on
busy ones.
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


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    counts = {"batch": 64, "prompt": 32, "new": 64, "group": 8, "threads": 2, "rounds": 3, "seed": 0}
    for name, default in counts.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    for name, default in SHAPE.items():
        parser.add_argument("--" + name.replace("_", "-"), type=int, default=default)
    parser.add_argument("--model")
    parser.add_argument("--static", action="store_true")
    parser.add_argument("--wait", choices=["passive", "active"], default="passive")
    asked = parser.parse_args()
    # Read when torch is loaded, hence before it.
    os.environ.update(OMP_NUM_THREADS=str(asked.threads), MKL_NUM_THREADS=str(asked.threads),
                      OMP_WAIT_POLICY=asked.wait, CUDA_VISIBLE_DEVICES="", HF_HUB_OFFLINE="1",
                      TRANSFORMERS_VERBOSITY="error")

    import torch
    import transformers

    torch.set_num_threads(asked.threads)
    torch.manual_seed(asked.seed)
    if asked.model:
        model = transformers.AutoModelForCausalLM.from_pretrained(
            asked.model, local_files_only=True, dtype=torch.float32)
    else:
        model = transformers.Qwen2ForCausalLM(transformers.Qwen2Config(
            vocab_size=asked.vocab, hidden_size=asked.hidden, intermediate_size=asked.intermediate,
            num_hidden_layers=asked.layers, num_attention_heads=asked.heads,
            num_key_value_heads=asked.kv_heads, max_position_embeddings=max(1024, asked.prompt + asked.new),
            tie_word_embeddings=True, use_sliding_window=False, bos_token_id=None, eos_token_id=1,
            pad_token_id=0))
    model.eval()
    if asked.batch % asked.group:
        raise SystemExit(f"{asked.batch} sequences are not a whole number of groups of {asked.group}")
    prompts = torch.randint(2, model.config.vocab_size, (asked.batch // asked.group, asked.prompt))
    tokens = prompts.repeat_interleave(asked.group, 0)
    options = {
        "attention_mask": torch.ones_like(tokens), "do_sample": True, "temperature": 1.0, "top_k": 0,
        "top_p": 1.0, "max_new_tokens": asked.new, "min_new_tokens": asked.new, "pad_token_id": 0}
    if asked.static:
        options["cache_implementation"] = "static"

    before = memory("VmRSS")
    # The mark begins anew.
    pathlib.Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    seconds, cpu = [], []
    with torch.inference_mode():
        for _ in range(asked.rounds + 1):
            begun = time.perf_counter(), time.process_time()
            made = model.generate(tokens, **options)
            seconds.append(time.perf_counter() - begun[0])
            cpu.append(time.process_time() - begun[1])
            if made.shape != (asked.batch, asked.prompt + asked.new):
                raise SystemExit(f"generated {tuple(made.shape)}")
    seconds, cpu, new = seconds[1:], cpu[1:], asked.batch * asked.new
    print(json.dumps({
        "peer": f"transformers {transformers.__version__} generate, torch {torch.__version__}",
        "parameters": sum(p.numel() for p in model.parameters()), "batch": asked.batch,
        "prompt": asked.prompt, "new": asked.new, "threads": asked.threads, "wait": asked.wait,
        "static": asked.static,
        "seconds": round(statistics.median(seconds), 4), "fastest_seconds": round(min(seconds), 4),
        "cpu_seconds": round(statistics.median(cpu), 4),
        "new_tokens_per_second": round(new / statistics.median(seconds)),
        "fastest_new_tokens_per_second": round(new / min(seconds)),
        "peak_rss_growth_mb": round(memory("VmHWM") - before, 1)}))


if __name__ == "__main__":
    main()
