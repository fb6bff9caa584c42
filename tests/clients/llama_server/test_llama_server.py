"""Rollouts from llama.cpp's own server: a model that is made here is written as GGUF, and a run trains on what the server
draws from it. Both sides have the same weights before the first step, so their log-probabilities must agree."""

import json
import os
import pathlib
import subprocess
import sys
from contextlib import contextmanager
from socket import socket

import gguf
import numpy as np
import pytest
from safetensors.numpy import load_file

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from running import wait_for

RECIPE = """
[tasks]
environment = "arithmetic"
[rubric]
components = [{ name = "accuracy", grader = { type = "regex", pattern = "1" } }]
[sampling]
group_size = 4
max_tokens = 24
[train]
prompts_per_step = 3
learning_rate = 1e-3
[eval]
every = 0
n_tasks = 0
"""
TINY = """
[model.tiny]
family = "qwen3"
hidden = 32
intermediate = 64
layers = 2
heads = 2
kv_heads = 2
max_positions = 512
"""
# llama.cpp's names of tensors.
LAYER = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
SERVE = """
import sys, time, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.port, params.n_ctx, params.n_parallel = sys.argv[1], int(sys.argv[2]), 4096, 4
server = xllamacpp.Server(params)
time.sleep(3600)
"""


def write_gguf(model: pathlib.Path, path: pathlib.Path) -> None:
    """The tiny model of a checkpoint; each of its tokens is a token of llama.cpp's simplest vocabulary."""
    config = json.loads((model / "config.json").read_text())
    vocabulary = json.loads((model / "tokenizer.json").read_text())["model"]["vocab"]
    tokens = sorted(vocabulary, key=vocabulary.get)
    file = gguf.GGUFWriter(path, "qwen3")
    file.add_context_length(config["max_position_embeddings"])
    file.add_embedding_length(config["hidden_size"])
    file.add_block_count(config["num_hidden_layers"])
    file.add_feed_forward_length(config["intermediate_size"])
    file.add_head_count(config["num_attention_heads"])
    file.add_head_count_kv(config["num_key_value_heads"])
    file.add_key_length(config["head_dim"])
    file.add_value_length(config["head_dim"])
    file.add_rope_freq_base(10_000.0)
    file.add_layer_norm_rms_eps(config["rms_norm_eps"])
    file.add_tokenizer_model("llama")
    file.add_tokenizer_pre("default")
    file.add_token_list([token.replace(" ", "\u2581").encode() for token in tokens])
    file.add_token_scores([0.0] * len(tokens))
    control, unknown, normal = 3, 2, 1
    file.add_token_types([control, control, control, unknown] + [normal] * (len(tokens) - 4))
    file.add_bos_token_id(1)
    file.add_eos_token_id(2)
    file.add_add_bos_token(False)
    names = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}
    for layer in range(config["num_hidden_layers"]):
        for theirs, ours in LAYER.items():
            names[f"model.layers.{layer}.{theirs}.weight"] = f"blk.{layer}.{ours}.weight"
    for name, values in load_file(model / "model.safetensors").items():
        file.add_tensor(names[name], values.astype(np.float32))
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()


@contextmanager
def llama_server(model: pathlib.Path):
    """llama.cpp's server with this model; gives its URL."""
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-c", SERVE, str(model), str(port)], stderr=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/health", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(30)


def train(folder: pathlib.Path, name: str, recipe: str, *sets: str) -> list[dict]:
    """A run, and what its steps were in numbers."""
    (folder / f"{name}.toml").write_text(recipe)
    overrides = [part for value in sets for part in ("--set", value)]
    command = [os.environ["GAVEL_BIN"], "train", f"{name}.toml", "--set", f"run.folder={name}", *overrides]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    lines = (folder / name / "metrics.jsonl").read_text().splitlines()
    return [line for line in map(json.loads, lines) if line["kind"] == "step"]


@pytest.mark.parametrize("segment", [0, 7])
def test_a_run_on_rollouts_of_llama_cpp(tmp_path: pathlib.Path, segment: int) -> None:
    train(tmp_path, "made", RECIPE + TINY, "train.steps=1")
    model = tmp_path / "made/checkpoints/step-000000/model"
    write_gguf(model, tmp_path / "model.gguf")
    with llama_server(tmp_path / "model.gguf") as url:
        steps = train(
            tmp_path,
            "run",
            RECIPE,
            f"model.path={model}",
            "train.steps=3",
            "engine.kind=remote",
            f'engine.remote.urls=["{url}"]',
            f"engine.remote.segment_tokens={segment}",
        )
    assert [step["staleness_max"] for step in steps] == [0.0, 1.0, 2.0]
    for step in steps:
        assert step["n_failed"] == 0
        assert step["n_completions"] == 4 * step["n_groups_sampled"]
        assert 0 < step["length"] <= 24
    # Before the first step both sides have the same weights.
    assert abs(steps[0]["objective"]["mismatch/k3"]) < 1e-4
