"""TRL's GRPOTrainer as the peer of a training step: f32 on the CPU, transformers' own generation.

    python trl_step.py '{"steps": 20, "group": 8, "prompts_per_step": 8, "max_new_tokens": 32}'

The argument is JSON, or the path of a file that holds it. All fields may be left out:

    model             a folder in Hugging Face's layout, or the shape of a random Qwen2 as tiny.py takes it:
                      {"hidden": 64, "layers": 2, "heads": 4, "kv_heads": 2, "vocab": 512}
    save_model        a folder for the starting weights and the tokenizer, for another trainer to start from
    prompts           ["text", …] or [{"prompt": "text", "answer": "text"}, …], or the path of a JSON-lines
                      file of the latter; else sums padded to 32 characters
    group             8: completions per prompt
    prompts_per_step  8
    micro_batch       completions per forward and backward pass; else all of the step at once
    max_new_tokens    32
    full_length       false; true forbids the end token, so that every completion has `max_new_tokens`
    steps             20
    learning_rate     1e-4, constant
    max_grad_norm     1.0
    temperature       1.0
    beta              0.0: weight of the KL term
    loss_type         "grpo"; or what TRL knows: dapo, bnpo, dr_grpo, cispo, …
    scale_rewards     "group"; or "batch", "none"
    reward            "digit" (share of characters that are digits), "length" (1 at `target` characters,
                      falling to 0 at none or twice as many), "exact" (the stripped text is the answer),
                      "prefix" (the stripped text begins with the answer)
    target            16: for "length"
    threads           2
    wait_policy       "passive": OpenMP's threads sleep while they wait; "active" lets them spin, which may be
                      quicker on idle cores and is several times slower on busy ones
    seed              0
    warmup            3: steps that the summary leaves out

Prints one JSON object a line: first {"setup": …}, then one a step, at the end {"summary": …} with medians.
A step is the time from the end of the step before. `generate_seconds` is sampling with tokenizing and
decoding of text, `reward_seconds` the reward functions, `prepare_seconds` padding, advantages and old log-
probabilities, `update_seconds` the rest: forward, backward, clipping, optimiser, data loader and the
trainer's own work. `cpu_seconds` are those of all threads. `peak_rss_mb` is the high-water mark since
training began; importing the packages alone takes `imported_rss_mb` of it.
"""

import json
import os
import pathlib
import statistics
import sys
import tempfile
import time
import warnings

DEFAULTS = {
    "model": {}, "save_model": None, "prompts": None, "group": 8, "prompts_per_step": 8, "micro_batch": None,
    "max_new_tokens": 32, "full_length": False, "steps": 20, "learning_rate": 1e-4, "max_grad_norm": 1.0,
    "temperature": 1.0, "beta": 0.0, "loss_type": "grpo", "scale_rewards": "group", "reward": "digit",
    "target": 16, "threads": 2, "wait_policy": "passive", "seed": 0, "warmup": 3,
}


def described():
    """What the command line asks for, with defaults."""
    if len(sys.argv) > 2 or (len(sys.argv) == 2 and sys.argv[1] in ("-h", "--help")):
        raise SystemExit(__doc__)
    text = sys.argv[1] if len(sys.argv) == 2 else "{}"
    if not text.lstrip().startswith("{"):
        text = pathlib.Path(text).read_text(encoding="utf-8")
    asked = json.loads(text)
    unknown = sorted(set(asked) - set(DEFAULTS))
    if unknown:
        raise SystemExit(f"unknown: {', '.join(unknown)}; known: {', '.join(DEFAULTS)}")
    return {**DEFAULTS, **asked}


def prompts(asked, needed):
    """Rows with prompt and answer, at least as many as one step needs."""
    if asked is None:
        sums = [(a, a * 7 % 1000) for a in range(1000)]
        return [{"prompt": f"{a:03d}+{b:03d}=".rjust(32), "answer": str(a + b)} for a, b in sums]
    if isinstance(asked, str):
        asked = [json.loads(line) for line in pathlib.Path(asked).read_text(encoding="utf-8").splitlines()]
    rows = [row if isinstance(row, dict) else {"prompt": row} for row in asked]
    rows = [{"prompt": row["prompt"], "answer": row.get("answer", "")} for row in rows]
    if not rows:
        raise SystemExit("there are no prompts")
    return rows * -(-needed // len(rows))


def digit(text, _answer, _target):
    return sum(c in "0123456789" for c in text) / len(text) if text else 0.0


def length(text, _answer, target):
    return max(0.0, 1.0 - abs(len(text) - target) / target)


def exact(text, answer, _target):
    return float(text.strip() == answer)


def prefix(text, answer, _target):
    return float(text.strip().startswith(answer))


REWARDS = {"digit": digit, "length": length, "exact": exact, "prefix": prefix}


def memory(field):
    """`VmRSS` or `VmHWM` of this process, in MB."""
    for line in pathlib.Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(field + ":"):
            return round(int(line.split()[1]) / 1024, 1)
    return None


def forget_peak():
    """Lets the high-water mark begin anew."""
    try:
        pathlib.Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    except OSError:
        pass


def say(record):
    print(json.dumps(record), flush=True)


def main():
    asked = described()
    if asked["reward"] not in REWARDS:
        raise SystemExit(f"no reward `{asked['reward']}`; there are {', '.join(REWARDS)}")
    # Read when torch is loaded, hence before it.
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(asked["threads"])
    os.environ.update(OMP_WAIT_POLICY=asked["wait_policy"], CUDA_VISIBLE_DEVICES="", HF_HUB_OFFLINE="1",
                      TOKENIZERS_PARALLELISM="false", TRANSFORMERS_VERBOSITY="error", TQDM_DISABLE="1")

    warnings.filterwarnings("ignore", category=FutureWarning)
    import datasets
    import torch
    import transformers
    import trl
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast, TrainerCallback
    from transformers.trainer_callback import PrinterCallback

    import tiny

    datasets.disable_progress_bars()
    torch.set_num_threads(asked["threads"])
    imported = memory("VmRSS")
    if isinstance(asked["model"], str):
        # As tokenizer.json has it; AutoTokenizer would go by the model's family instead.
        tokenizer = PreTrainedTokenizerFast.from_pretrained(
            asked["model"], local_files_only=True, padding_side="left")
        model = AutoModelForCausalLM.from_pretrained(
            asked["model"], local_files_only=True, dtype=torch.float32)
    else:
        model = tiny.model(**{"seed": asked["seed"], **asked["model"]})
        tokenizer = tiny.tokenizer(model.config.vocab_size)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if asked["save_model"]:
        model.save_pretrained(asked["save_model"])
        tokenizer.save_pretrained(asked["save_model"])

    completions_per_step = asked["group"] * asked["prompts_per_step"]
    micro = asked["micro_batch"] or completions_per_step
    if completions_per_step % micro:
        raise SystemExit(f"{completions_per_step} completions are not a whole number of {micro}")
    judge = REWARDS[asked["reward"]]
    step = {}

    def reward(completions, answer, completion_ids, **_):
        rewards = [judge(text, truth, asked["target"]) for text, truth in zip(completions, answer)]
        step["reward"] = statistics.fmean(rewards)
        step["tokens"] = sum(map(len, completion_ids))
        return rewards

    class Timed(trl.GRPOTrainer):
        """Adds up the seconds of three of the trainer's own methods."""

        def _timed(self, name, method, *args, **kwargs):
            begun = time.perf_counter()
            result = method(*args, **kwargs)
            step[name] = step.get(name, 0.0) + time.perf_counter() - begun
            return result

        def _generate(self, *args, **kwargs):
            return self._timed("generate", super()._generate, *args, **kwargs)

        def _calculate_rewards(self, *args, **kwargs):
            return self._timed("judge", super()._calculate_rewards, *args, **kwargs)

        def _generate_and_score_completions(self, *args, **kwargs):
            return self._timed("sampled", super()._generate_and_score_completions, *args, **kwargs)

        def compute_loss(self, *args, **kwargs):
            loss = super().compute_loss(*args, **kwargs)
            step["loss"] = step.get("loss", 0.0) + float(loss.detach())
            return loss

    records = []

    class Told(TrainerCallback):
        """Writes a line at the end of each step."""

        def on_train_begin(self, *_, **__):
            forget_peak()
            self.clocks = time.perf_counter(), time.process_time()

        def on_step_end(self, _, state, *__, **___):
            clocks = time.perf_counter(), time.process_time()
            seconds, cpu = (now - before for now, before in zip(clocks, self.clocks))
            judged, generated, sampled = step["judge"], step["generate"], step["sampled"]
            records.append({
                "step": state.global_step, "seconds": round(seconds, 5),
                "generate_seconds": round(generated, 5), "reward_seconds": round(judged, 5),
                "prepare_seconds": round(sampled - generated - judged, 5),
                "update_seconds": round(seconds - sampled, 5), "cpu_seconds": round(cpu, 4),
                "peak_rss_mb": memory("VmHWM"), "reward": round(step["reward"], 5),
                "tokens": step["tokens"], "loss": round(step["loss"], 7)})
            say(records[-1])
            step.clear()
            self.clocks = time.perf_counter(), time.process_time()

    with tempfile.TemporaryDirectory() as folder:
        config = trl.GRPOConfig(
            output_dir=folder, use_cpu=True, bf16=False, fp16=False, gradient_checkpointing=False,
            use_vllm=False, per_device_train_batch_size=micro,
            gradient_accumulation_steps=completions_per_step // micro,
            num_generations=asked["group"], max_completion_length=asked["max_new_tokens"],
            max_steps=asked["steps"], learning_rate=asked["learning_rate"], lr_scheduler_type="constant",
            max_grad_norm=asked["max_grad_norm"], temperature=asked["temperature"], beta=asked["beta"],
            loss_type=asked["loss_type"], scale_rewards=asked["scale_rewards"], seed=asked["seed"],
            generation_kwargs={"min_new_tokens": asked["max_new_tokens"]} if asked["full_length"] else None,
            logging_strategy="no", save_strategy="no", report_to="none", disable_tqdm=True)
        rows = datasets.Dataset.from_list(prompts(asked["prompts"], asked["prompts_per_step"]))
        trainer = Timed(model=model, reward_funcs=reward, args=config, train_dataset=rows,
                        processing_class=tokenizer, callbacks=[Told()])
        trainer.remove_callback(PrinterCallback)
        before = memory("VmRSS")
        say({"setup": {
            "trl": trl.__version__, "transformers": transformers.__version__, "torch": torch.__version__,
            "threads": torch.get_num_threads(), "wait_policy": asked["wait_policy"],
            "parameters": sum(p.numel() for p in model.parameters()),
            "vocab": model.config.vocab_size, "completions_per_step": completions_per_step,
            "micro_batch": micro, "optimizer": str(config.optim), "loss_type": config.loss_type,
            "checkpointing": bool(trainer.model.is_gradient_checkpointing),
            "imported_rss_mb": imported, "start_rss_mb": before}})
        trainer.train()

    kept = records[asked["warmup"]:] or records
    names = [name for name in kept[0] if name.endswith("seconds")]
    summary = {name: round(statistics.median(record[name] for record in kept), 5) for name in names}
    tokens = sum(record["tokens"] for record in kept)
    say({"summary": {
        "steps": len(kept), **summary, "fastest_seconds": min(record["seconds"] for record in kept),
        "mean_seconds": round(statistics.fmean(record["seconds"] for record in kept), 5),
        "tokens_per_second": round(tokens / sum(record["seconds"] for record in kept)),
        "peak_rss_mb": kept[-1]["peak_rss_mb"],
        "peak_rss_growth_mb": round((kept[-1]["peak_rss_mb"] or 0) - (before or 0), 1),
        "first_reward": records[0]["reward"], "last_reward": records[-1]["reward"]}})


if __name__ == "__main__":
    main()
