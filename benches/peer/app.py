"""The peer that `cargo bench --bench http` measures Gavel against: the reward server one writes in an afternoon.

FastAPI, with Pydantic models of Gavel's own request and reply, and two rewards in plain Python: the text in
<answer> is the reference, and the tags stand in their order.
"""

import re
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel


class Completion(BaseModel):
    id: str | None = None
    text: str
    n_tokens: int | None = None
    finish_reason: str | None = None


class Task(BaseModel):
    prompt: str | None = None
    reference: str
    metadata: dict[str, Any] = {}


class Group(BaseModel):
    id: str | None = None
    task: Task
    completions: list[Completion]


class GradeRequest(BaseModel):
    rubric: Any
    run: str | None = None
    groups: list[Group]


class Component(BaseModel):
    name: str
    score: float
    weight: float
    reason: str
    detail: dict[str, str]


class Reward(BaseModel):
    id: str | None = None
    reward: float
    components: list[Component]


class GroupReply(BaseModel):
    index: int
    id: str | None = None
    rewards: list[Reward]


class GradeReply(BaseModel):
    groups: list[GroupReply]


WELL_FORMED = re.compile(r"<think>\n.*?\n</think>\n<answer>\n.*?\n</answer>", re.DOTALL)
ANSWER = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)

app = FastAPI()


def accuracy(task: Task, text: str) -> Component:
    answers = ANSWER.findall(text)
    extracted = answers[-1].strip() if answers else text.strip()
    right = extracted == task.reference.strip()
    return Component(
        name="accuracy",
        score=1.0 if right else 0.0,
        weight=1.0,
        reason="equivalent" if right else "different",
        detail={"extracted": extracted},
    )


def form(text: str) -> Component:
    right = WELL_FORMED.fullmatch(text) is not None
    return Component(
        name="format",
        score=1.0 if right else 0.0,
        weight=0.1,
        reason="well_formed" if right else "malformed",
        detail={},
    )


def reward(task: Task, completion: Completion) -> Reward:
    components = [accuracy(task, completion.text), form(completion.text)]
    total = sum(component.weight * component.score for component in components)
    return Reward(id=completion.id, reward=total, components=components)


@app.post("/v1/grade")
async def grade(request: GradeRequest) -> GradeReply:
    groups = [
        GroupReply(index=index, id=group.id, rewards=[reward(group.task, c) for c in group.completions])
        for index, group in enumerate(request.groups)
    ]
    return GradeReply(groups=groups)


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    return {"status": "ok"}
