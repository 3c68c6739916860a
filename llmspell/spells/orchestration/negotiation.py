"""Agents bid for a task, in bounded rounds (ORC-012)."""

from __future__ import annotations

from llmspell.errors import InvalidInput
from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Final

    from llmspell.spells.orchestration.work import Work

ROUNDS: Final = 3
ROUNDS_MAX: Final = 10
ACCEPTED: Final = 0.7
"""Confidence at which the best bid is taken before the last round."""

BID: Final = (
    'Answer with one JSON object: {"can_do": true or false, "confidence": 0.0 to 1.0, '
    '"cost": NUMBER, "terms": "…"}.'
)


class Bid(NamedTuple):
    """What one agent offers. `confidence` 0 to 1; `cost` in whatever the agents count, ≥ 0."""

    agent: str
    can_do: bool
    confidence: float
    cost: float
    terms: str


async def negotiate(work: Work, task: str, rounds: Any, accepted: Any) -> dict[str, Any]:
    """Asks for bids until one is good enough; then the best one has the task.

    `{agreed, agent_id, bid, bids, rounds}`; `agreed` is false when nobody can do it.
    """
    if type(rounds) is not int or not 1 <= rounds <= ROUNDS_MAX:
        raise InvalidInput(f"rounds is from 1 to {ROUNDS_MAX}")
    if type(accepted) not in (int, float) or not 0 <= accepted <= 1:
        raise InvalidInput("accepted is a confidence from 0 to 1")
    people = work.session.participants
    bids: list[Bid] = []
    used = 0
    for number in range(1, rounds + 1):
        used = number
        question = f"Can you do this task, and on which terms?\n\n{task}\n\n"
        if bids:
            told = "; ".join(f"confidence {b.confidence:g}, cost {b.cost:g}" for b in bids)
            question += f"The offers so far: {told}. You may improve yours.\n\n"
        answers = await work.ask_all([(one, question + BID) for one in people])
        bids = [
            read_bid(one.name, answer.data)
            for one, answer in zip(people, answers, strict=True)
            if answer is not None
        ]
        chosen = best(bids)
        if chosen is not None and chosen.confidence >= accepted:
            break
    chosen = best(bids)
    return {
        "agreed": chosen is not None,
        "agent_id": None if chosen is None else chosen.agent,
        "bid": None if chosen is None else chosen._asdict(),
        "bids": [bid._asdict() for bid in bids],
        "rounds": used,
        "task": task,
    }


def read_bid(agent: str, data: Any) -> Bid:
    """The bid in an answer; what is no bid says that the agent can't do it."""
    if not isinstance(data, dict) or data.get("can_do") is not True:
        return Bid(agent, False, 0.0, 0.0, "")
    sure = _number(data.get("confidence"), 1.0, 0.5)
    price = _number(data.get("cost"), 1e12, 0.0)
    terms = data.get("terms")
    return Bid(agent, True, sure, price, terms[:1000] if isinstance(terms, str) else "")


def _number(value: Any, most: float, otherwise: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= most:
        return otherwise
    return float(value)


def best(bids: Sequence[Bid]) -> Bid | None:
    """The surest of those that can; of equals the cheapest, then the first."""
    able = [bid for bid in bids if bid.can_do]
    return min(able, key=lambda bid: (-bid.confidence, bid.cost)) if able else None
