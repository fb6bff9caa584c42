"""TRL's own trainers learn to copy a digit, from our rewards alone.

A random Qwen2 of 0.2 million weights sees `3=` and gets 1 when the last number that it wrote is 3. Nothing but the
rewards tells it so.
"""

import asyncio
import pathlib
import pickle
import statistics
import sys

import pytest

from gavel_client import TooManyInfrastructureFailures
from gavel_client.trl import GavelReward

sys.path.append(str(pathlib.Path(__file__).parents[4] / "benches" / "learner"))

datasets = pytest.importorskip("datasets")
torch = pytest.importorskip("torch")
trl = pytest.importorskip("trl")
tiny = pytest.importorskip("tiny")

RUBRIC = {"components": [{"name": "copy", "grader": {"type": "math", "extract": ["last_number"]}}]}
DIGITS = "1234"


class Seen(GavelReward):
    """Keeps what TRL was told, to compare it with what is right."""

    async def __call__(self, prompts, completions, **columns):
        rewards = await super().__call__(prompts, completions, **columns)
        self.calls = [*getattr(self, "calls", []), (list(completions), list(columns["answer"]), rewards)]
        return rewards


def trained(trainer_class, config_class, reward, folder, steps, chat=False, **more):
    torch.manual_seed(0)
    torch.set_num_threads(2)
    model = tiny.model(hidden=64, layers=2, heads=4, kv_heads=2, vocab=98, positions=64)
    tokenizer = tiny.tokenizer(98)
    prompts = [f"{digit}=" for digit in DIGITS]
    if chat:
        tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
        prompts = [[{"role": "user", "content": prompt}] for prompt in prompts]
    rows = [{"prompt": p, "answer": a} for p, a in zip(prompts, DIGITS, strict=True)] * 64
    config = config_class(
        output_dir=str(folder),
        use_cpu=True,
        bf16=False,
        fp16=False,
        gradient_checkpointing=False,
        per_device_train_batch_size=128,
        num_generations=16,
        max_completion_length=1,
        max_steps=steps,
        learning_rate=3e-3,
        lr_scheduler_type="constant",
        beta=0.0,
        temperature=1.0,
        seed=0,
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        **more,
    )
    trainer = trainer_class(
        model=model,
        reward_funcs=reward,
        args=config,
        processing_class=tokenizer,
        train_dataset=datasets.Dataset.from_list(rows),
    )
    trainer.train()
    return trainer


@pytest.mark.parametrize("name", ["GRPO", "RLOO"])
def test_learns_to_copy(server, tmp_path, name):
    reward = Seen(RUBRIC, url=server, name="copy", run=f"trl-{name}")
    trainer = trained(
        getattr(trl, f"{name}Trainer"), getattr(trl, f"{name}Config"), reward, tmp_path, steps=80
    )
    # Each reward is exactly what the text deserves.
    for completions, answers, rewards in reward.calls:
        assert rewards == [
            float(text.strip() == answer) for text, answer in zip(completions, answers, strict=True)
        ]
    means = [statistics.fmean(rewards) for _, _, rewards in reward.calls]
    first, last = statistics.fmean(means[:5]), statistics.fmean(means[-5:])
    print(f"{name}: mean reward {first:.3f} -> {last:.3f}")
    assert last >= first + 0.2
    # TRL logs the same numbers, and what else we told it.
    logged = [entry for entry in trainer.state.log_history if "rewards/copy/mean" in entry]
    assert len(logged) == 80
    for entry, mean in zip(logged, means, strict=True):
        assert entry["rewards/copy/mean"] == pytest.approx(mean, abs=1e-6)
        assert entry["copy/copy"] == pytest.approx(mean, abs=1e-6)
        assert entry["copy/null_fraction"] == 0.0
    assert len(trainer._logs["extra"]["copy_reason"]) > 0
    assert reward.client.counts.judged == 80 * 128


def test_chat(server, tmp_path):
    reward = Seen(RUBRIC, url=server, name="copy")
    trained(trl.GRPOTrainer, trl.GRPOConfig, reward, tmp_path, steps=2, chat=True)
    for completions, answers, rewards in reward.calls:
        texts = [messages[0]["content"] for messages in completions]
        assert rewards == [float(text.strip() == answer) for text, answer in zip(texts, answers, strict=True)]


class HalfNull(Seen):
    """As if the judge had failed at every second completion."""

    async def __call__(self, prompts, completions, **columns):
        rewards = await super().__call__(prompts, completions, **columns)
        return [None if i % 2 else reward for i, reward in enumerate(rewards)]


@pytest.mark.parametrize("name", ["GRPO", "RLOO"])
def test_none_has_no_advantage(server, tmp_path, name):
    reward = HalfNull(RUBRIC, url=server, name="copy")
    trainer = trained(
        getattr(trl, f"{name}Trainer"), getattr(trl, f"{name}Config"), reward, tmp_path, steps=30
    )
    advantages = list(trainer._logs["advantages"])
    assert advantages[1::2] == [0.0] * len(advantages[1::2])
    assert any(advantage != 0.0 for advantage in advantages[::2])


def test_an_outage_ends_training(tmp_path):
    reward = GavelReward(url="http://127.0.0.1:9", deadline=0.3)
    with pytest.raises(TooManyInfrastructureFailures, match="unreachable 128"):
        trained(trl.GRPOTrainer, trl.GRPOConfig, reward, tmp_path, steps=2)


def test_async_grpo_takes_it(server):
    """AsyncGRPO needs vLLM to generate; its own scoring of a group does not."""
    worker = pytest.importorskip("trl.experimental.async_grpo.async_rollout_worker")
    reward = pickle.loads(pickle.dumps(GavelReward(RUBRIC, url=server)))
    found = next(kind for kind in vars(worker).values() if hasattr(kind, "_score_group"))
    self = type(
        "Worker", (), {"reward_funcs": [reward], "_env_reward_types": [], "_provides_rollout_reward": False}
    )()
    seen = {}

    class Stop(Exception):
        pass

    def mean(rewards, *args):
        seen["rewards"] = rewards
        raise Stop

    group = worker.RolloutGroup.__new__(worker.RolloutGroup)
    for name, value in {
        "completions": ["1", "2", "x"],
        "prompts": ["1="] * 3,
        "completions_ids": [[1], [2], [3]],
        "reward_kwargs": {"answer": ["1"] * 3},
        "env_rewards": [None] * 3,
        "rollout_rewards": [None] * 3,
    }.items():
        object.__setattr__(group, name, value)
    logged = []
    worker.logger.info = lambda text, *args: (logged.append(text), mean(text))
    with pytest.raises(Stop):
        asyncio.run(found._score_group(self, group))
    assert logged[0].startswith("Rollout metrics: reward_mean=0.3333")
