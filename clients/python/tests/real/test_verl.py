"""verl's own reward managers and reward loop, with our function loaded as verl loads it."""

import asyncio
import math
import time

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("verl")

from conftest import judged, problem  # noqa: E402
from omegaconf import OmegaConf  # noqa: E402
from transformers import AutoTokenizer  # noqa: E402
from verl import DataProto  # noqa: E402
from verl.experimental.reward_loop.reward_loop import RewardLoopManager  # noqa: E402
from verl.trainer.ppo.reward import load_reward_manager  # noqa: E402

from gavel_client import NotJudged, StopTraining, TooManyInfrastructureFailures  # noqa: E402

KEYS = ["score", "acc", "judged", "accuracy", "format"]
TEXTS = ["<think>a</think><answer>0.5</answer>", "\\boxed{0.5}", "\\boxed{2}", "dunno"]
SCORES = [2.0, 1.0, 0.0, 0.0]


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory):
    """Single characters as tokens, where AutoTokenizer finds them."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    names = ["<pad>", "<eos>", "<unk>"] + [chr(code) for code in range(32, 127)]
    made = Tokenizer(models.WordLevel({name: i for i, name in enumerate(names)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    made.decoder = decoders.Fuse()
    folder = tmp_path_factory.mktemp("tokenizer")
    PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token="<pad>",
        eos_token="<eos>",
        unk_token="<unk>",
        clean_up_tokenization_spaces=False,
    ).save_pretrained(folder)
    return str(folder)


@pytest.fixture
def tokenizer(tokenizer_folder):
    return AutoTokenizer.from_pretrained(tokenizer_folder)


def configuration(manager, tokenizer_folder=None, **settings):
    return OmegaConf.create(
        {
            "actor_rollout_ref": {"model": {"tokenizer_path": tokenizer_folder, "path": tokenizer_folder}},
            "trainer": {"experiment_name": "test"},
            "reward": {
                "num_workers": 1,
                "max_concurrent": 64,
                "timeout": 60.0,
                "custom_reward_function": {
                    "path": "pkg://gavel_client.verl",
                    "name": "compute_score",
                    "reward_kwargs": {"rubric": "r1-zero", **settings},
                },
                "reward_manager": {"source": "register", "name": manager},
                "reward_model": {"enable": False},
                "reward_kwargs": {
                    "max_resp_len": 64,
                    "overlong_buffer_cfg": {"enable": True, "len": 32, "penalty_factor": 1.0, "log": True},
                },
            },
        }
    )


def batch_of(tokenizer, texts, truth="1/2"):
    width = 80
    responses = torch.zeros((len(texts), width), dtype=torch.long)
    mask = torch.zeros((len(texts), 4 + width), dtype=torch.long)
    mask[:, :4] = 1
    for i, text in enumerate(texts):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id]
        responses[i, : len(ids)] = torch.tensor(ids)
        mask[i, 4 : 4 + len(ids)] = 1
    n = len(texts)
    return DataProto.from_dict(
        tensors={
            "prompts": torch.ones((n, 4), dtype=torch.long),
            "responses": responses,
            "attention_mask": mask,
        },
        non_tensors={
            "data_source": np.array(["halves"] * n, dtype=object),
            "reward_model": np.array([{"ground_truth": truth} for _ in range(n)], dtype=object),
            "extra_info": np.array([{"question": "Half?"} for _ in range(n)], dtype=object),
        },
    )


def run(manager, tokenizer, texts=TEXTS, folder=None, **settings):
    """Scores a batch as verl's workers do: one completion at a time, all at once."""

    async def scored():
        judge = load_reward_manager(configuration(manager, folder, **settings), tokenizer)
        judge.loop = asyncio.get_running_loop()
        if manager == "rate_limited":
            type(judge)._semaphore = asyncio.Semaphore(64)
        batch = batch_of(tokenizer, texts)
        return await asyncio.gather(
            *(judge.run_single(batch[i : i + 1]) for i in range(len(texts))), return_exceptions=True
        )

    return asyncio.run(scored())


@pytest.mark.parametrize("manager", ["naive", "dapo", "rate_limited", "gdpo"])
def test_managers(server, tokenizer, manager):
    found = run(manager, tokenizer, url=server)
    extra = [one["reward_extra_info"] for one in found]
    penalties = [0.0] * 4
    if manager == "dapo":
        # Beyond 64 - 32 tokens each one costs 1/32; the text and its end token count.
        penalties = [min(0.0, -(len(text) + 1 - 32) / 32) for text in TEXTS]
        assert [float(one["overlong_reward"]) for one in extra] == pytest.approx(penalties)
        keys = [*KEYS, "overlong_reward", "overlong"]
    else:
        keys = KEYS
    scores = [float(one["reward_score"]) for one in found]
    assert scores == pytest.approx(
        [score + penalty for score, penalty in zip(SCORES, penalties, strict=True)]
    )
    assert [list(one) for one in extra] == [keys] * 4
    assert [one["accuracy"] for one in extra] == [1.0, 1.0, 0.0, 0.0]
    assert [one["acc"] for one in extra] == [1.0, 1.0, 0.0, 0.0]
    assert [one["format"] for one in extra] == [1.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize("manager", ["naive", "dapo", "rate_limited"])
def test_a_null_is_no_reward(faulty, tokenizer, manager):
    def null(body):
        return judged(body, kind="invalid_reference")

    faulty.script = [null]
    found = run(manager, tokenizer, url=faulty.url)
    # Also rate_limited, which turns every Exception into 0.0.
    assert {type(one) for one in found} == {StopTraining}
    assert {type(one.args[0]) for one in found} == {NotJudged}
    found = run(manager, tokenizer, texts=["x"] * 4, url=faulty.url, on_infra_failure=-1.0)
    assert [one["reward_score"] for one in found] == [-1.0] * 4
    extra = [one["reward_extra_info"] for one in found]
    assert [list(one)[:4] for one in extra] == [["score", "acc", "judged", "accuracy"]] * 4
    assert [one["judged"] for one in extra] == [0.0] * 4
    assert all(math.isnan(one["accuracy"]) for one in extra)


@pytest.mark.parametrize("manager", ["naive", "rate_limited"])
def test_an_outage_is_no_reward(faulty, tokenizer, manager):
    faulty.script = [lambda _: problem(503)]
    found = run(manager, tokenizer, texts=["x"] * 60, url=faulty.url, on_infra_failure=0.0, deadline=0.3)
    assert {type(one) for one in found} == {StopTraining}
    assert {type(one.args[0]) for one in found} == {TooManyInfrastructureFailures}


def name_is_free(ray):
    """Ends the worker of the loop before, whose name the next one needs."""
    for _ in range(100):
        try:
            ray.kill(ray.get_actor("reward_loop_worker_0"))
        except ValueError:
            return
        time.sleep(0.1)


def test_the_reward_loop_with_ray(server, tokenizer, tokenizer_folder, monkeypatch):
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, ignore_reinit_error=True)
    try:
        config = configuration("naive", tokenizer_folder, url=server)
        found = RewardLoopManager(config).compute_rm_score(batch_of(tokenizer, TEXTS))
        lengths = [len(text) + 1 for text in TEXTS]
        scores = [float(found.batch["rm_scores"][i, n - 1]) for i, n in enumerate(lengths)]
        assert scores == SCORES
        assert float(found.batch["rm_scores"].abs().sum()) == 3.0
        assert found.meta_info["reward_extra_keys"] == KEYS
        assert found.non_tensor_batch["accuracy"].tolist() == [1.0, 1.0, 0.0, 0.0]
        for manager in ("naive", "rate_limited"):
            name_is_free(ray)
            loop = RewardLoopManager(configuration(manager, tokenizer_folder, url=server))
            # Ray carries it to the trainer: the step ends, and there are no rewards.
            with pytest.raises(ray.exceptions.RayTaskError, match=r"StopTraining|could not be judged"):
                loop.compute_rm_score(batch_of(tokenizer, TEXTS, truth=""))
    finally:
        ray.shutdown()
