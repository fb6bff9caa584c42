"""OpenAI's own client for Python against a Gavel server that runs a model, which is made here."""

import asyncio
import json
import math
import pathlib
import random
import struct
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from openai import APIError, AsyncOpenAI, BadRequestError, NotFoundError, OpenAI
from running import server

ALPHABET = "abcdefghijklmnopqrstuvwxyz .,:;!?é"
NAMES = ["<pad>", "<bos>", "<eos>", "<unk>", *ALPHABET]
TEMPLATE = "{% for m in messages %}{{ m.role }}: {{ m.content }};{% endfor %}assistant: "
HIDDEN, INNER, VOCABULARY = 16, 32, len(NAMES)


def write_model(folder: pathlib.Path) -> None:
    """A decoder of one layer with random weights, and a tokenizer with a token for each character."""
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": HIDDEN,
        "intermediate_size": INNER,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 8,
        "hidden_act": "silu",
        "max_position_embeddings": 512,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "tie_word_embeddings": True,
        "torch_dtype": "float32",
        "vocab_size": VOCABULARY,
        "eos_token_id": 2,
    }
    shapes = {
        "model.embed_tokens.weight": [VOCABULARY, HIDDEN],
        "model.norm.weight": [HIDDEN],
        "model.layers.0.input_layernorm.weight": [HIDDEN],
        "model.layers.0.post_attention_layernorm.weight": [HIDDEN],
        "model.layers.0.self_attn.q_proj.weight": [16, HIDDEN],
        "model.layers.0.self_attn.k_proj.weight": [8, HIDDEN],
        "model.layers.0.self_attn.v_proj.weight": [8, HIDDEN],
        "model.layers.0.self_attn.o_proj.weight": [HIDDEN, 16],
        "model.layers.0.mlp.gate_proj.weight": [INNER, HIDDEN],
        "model.layers.0.mlp.up_proj.weight": [INNER, HIDDEN],
        "model.layers.0.mlp.down_proj.weight": [HIDDEN, INNER],
    }
    chance = random.Random(1)
    header, data = {}, b""
    for name, shape in shapes.items():
        n = math.prod(shape)
        numbers = [1.0] * n if "norm" in name else [chance.gauss(0, 0.4) for _ in range(n)]
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + 4 * n]}
        data += struct.pack(f"<{n}f", *numbers)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
    (folder / "config.json").write_text(json.dumps(config))
    special = {"special": True, "normalized": False, "single_word": False, "lstrip": False, "rstrip": False}
    tokenizer = {
        "version": "1.0",
        "added_tokens": [{"id": i, "content": name, **special} for i, name in enumerate(NAMES[:4])],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"Regex": r"[\s\S]"},
            "behavior": "Isolated",
            "invert": False,
        },
        "post_processor": None,
        "decoder": {"type": "Fuse"},
        "model": {"type": "WordLevel", "vocab": {name: i for i, name in enumerate(NAMES)}, "unk_token": "<unk>"},
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<eos>", "chat_template": TEMPLATE}))


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    write_model(folder)
    with server(f"model = {json.dumps(str(folder))}\nmodel_name = 'tiny'\n") as url:
        yield f"{url}/v1"


@pytest.fixture
def client(url):
    with OpenAI(base_url=url, api_key="none", max_retries=0) as client:
        yield client


def test_models(client):
    (model,) = client.models.list().data
    assert (model.id, model.max_model_len) == ("tiny", 512)


def test_completions(client):
    ask = {"model": "tiny", "max_tokens": 40, "seed": 7}
    reply = client.completions.create(prompt="what is", n=2, **ask)
    assert [choice.index for choice in reply.choices] == [0, 1]
    assert reply.choices[0].text != reply.choices[1].text
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
    again = client.completions.create(prompt="what is", **ask)
    assert again.choices[0].text == reply.choices[0].text
    ids = [NAMES.index(c) for c in "what is"]
    for prompt, n in [(ids, 1), ([ids, ids], 2), (["what is", "what is"], 2)]:
        reply = client.completions.create(prompt=prompt, **ask)
        assert len(reply.choices) == n
        assert reply.choices[0].text == again.choices[0].text
    reply = client.completions.create(prompt="a", logprobs=3, extra_body={"return_token_ids": True}, **ask)
    choice = reply.choices[0]
    assert len(choice.logprobs.tokens) == len(choice.token_ids) == reply.usage.completion_tokens
    assert choice.prompt_token_ids == [NAMES.index("a")]
    assert choice.logprobs.tokens == [NAMES[i] for i in choice.token_ids]
    assert all(len(top) in (3, 4) for top in choice.logprobs.top_logprobs)


def test_chat(client):
    messages = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]
    reply = client.chat.completions.create(
        model="tiny", messages=messages, max_completion_tokens=30, seed=3, logprobs=True, top_logprobs=2
    )
    (choice,) = reply.choices
    assert choice.message.role == "assistant" and choice.finish_reason in ("stop", "length")
    tokens = choice.logprobs.content
    assert "".join(t.token for t in tokens).removesuffix("<eos>") == choice.message.content
    assert all(bytes(t.bytes).decode() == t.token and t.logprob <= 0 for t in tokens)
    assert all(len(t.top_logprobs) == 2 for t in tokens)


def test_streams(client):
    ask = {"model": "tiny", "max_tokens": 60, "seed": 5, "temperature": 0.9}
    whole = client.completions.create(prompt="once", stop=["ab", "z"], **ask)
    pieces = list(
        client.completions.create(
            prompt="once", stop=["ab", "z"], stream=True, stream_options={"include_usage": True}, **ask
        )
    )
    assert "".join(p.choices[0].text for p in pieces if p.choices) == whole.choices[0].text
    assert pieces[-1].usage == whole.usage
    assert pieces[-2].choices[0].finish_reason == whole.choices[0].finish_reason
    messages = [{"role": "user", "content": "hi"}]
    whole = client.chat.completions.create(messages=messages, **ask)
    with client.chat.completions.create(messages=messages, stream=True, **ask) as stream:
        deltas = [chunk.choices[0].delta for chunk in stream]
    assert deltas[0].role == "assistant"
    assert "".join(delta.content or "" for delta in deltas) == whole.choices[0].message.content


def test_the_helper_that_gathers_streams(client):
    messages = [{"role": "user", "content": "hi"}]
    # The helper takes an answer that was cut off for an error.
    ask = {"model": "tiny", "messages": messages, "max_tokens": 400, "seed": 1, "stop": ["a", "e", "o", "b"]}
    with client.chat.completions.stream(**ask) as stream:
        for _ in stream:
            pass
        final = stream.get_final_completion()
    whole = client.chat.completions.create(**ask)
    assert final.choices[0].message.content == whole.choices[0].message.content


def test_many_at_once(url):
    async def one(client, i):
        reply = await client.completions.create(
            model="tiny", prompt=f"number {'abcdefgh'[i % 8]}", seed=i, max_tokens=30, temperature=(i % 3) / 2
        )
        return reply.choices[0].text

    async def all_of_them():
        async with AsyncOpenAI(base_url=url, api_key="none") as client:
            together = await asyncio.gather(*(one(client, i) for i in range(32)))
            return together, [await one(client, i) for i in range(32)]

    together, alone = asyncio.run(all_of_them())
    assert together == alone


def test_errors(client):
    messages = [{"role": "user", "content": "hi"}]
    with pytest.raises(NotFoundError) as caught:
        client.chat.completions.create(model="gpt-4o", messages=messages)
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    for field, value, code in [
        ("n", 100_000, "invalid_value"),
        ("temperature", -1, "invalid_value"),
        ("max_tokens", 10_000, "invalid_value"),
        ("max_tokens", "many", "invalid_type"),
        ("response_format", {"type": "json_object"}, "unsupported_parameter"),
        ("tools", [{"type": "function", "function": {"name": "f"}}], "unsupported_parameter"),
    ]:
        with pytest.raises(BadRequestError) as caught:
            client.chat.completions.create(model="tiny", messages=messages, **{field: value})
        assert (caught.value.code, caught.value.param) == (code, field), caught.value
    with pytest.raises(BadRequestError) as caught:
        client.completions.create(model="tiny", prompt="a" * 600)
    assert caught.value.code == "context_length_exceeded"


def test_an_error_in_the_middle_of_a_stream(url):
    # As much as the context holds, again and again, within no time at all.
    with OpenAI(base_url=url, api_key="none", default_headers={"gavel-deadline-ms": "1"}) as client:
        with pytest.raises(APIError, match="deadline"):
            for _ in client.completions.create(
                model="tiny", prompt="a", n=64, max_tokens=500, stream=True, extra_body={"ignore_eos": True}
            ):
                pass
