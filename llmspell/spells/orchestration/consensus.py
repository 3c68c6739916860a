"""Consensus: proposals, a vote, and what follows a vote without agreement (ORC-007, ORC-013)."""

from __future__ import annotations

from llmspell.errors import InvalidInput, OperationFailed
from llmspell.records import TYPE_CHECKING, NamedTuple
from llmspell.spells.orchestration.reading import filled, participant
from llmspell.spells.orchestration.voting import THRESHOLD, Ballot, Tally, read_ballot, tally

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Final

    from llmspell.spells.orchestration.model import Participant, Step
    from llmspell.spells.orchestration.work import Answer, Work

RESOLUTIONS: Final = ("weighted", "evidence_based", "fail")

SHOWN: Final = 4_000
"""Characters of one proposal that the voters see."""

VOTE: Final = (
    'Answer with one JSON object: {"vote": NUMBER, "confidence": 0.0 to 1.0, "reason": "…"}.'
)
RANK: Final = (
    'Answer with one JSON object: {"ranking": [NUMBERS, best first], "confidence": 0.0 to 1.0, '
    '"reason": "…"}.'
)


class Proposal(NamedTuple):
    """One distinct proposal and who made it."""

    text: str
    value: Any
    authors: tuple[str, ...]


async def consensus(work: Work, steps: Sequence[Step]) -> list[dict[str, Any]]:
    """Each step is decided by all participants together."""
    results = []
    for step in steps:
        results.append(await _decide(work, step))
        work.done[step.id] = results[-1]
        work.progress(len(results), len(steps))
    return results


async def _decide(work: Work, step: Step) -> dict[str, Any]:
    begun = work.host.now()
    task = filled(step.action, work.values())
    given = filled(step.input, work.values())
    text = f"{task}" if given is None else f"{task}\n\nInput:\n{given}"
    people = work.session.participants
    question = f"Make your own proposal for this task.\n\n{text}"
    answers = await work.ask_all([(one, question) for one in people])
    proposals = distinct(people, answers)
    if not proposals:
        raise OperationFailed("no agent made a proposal", code=3003, kind="no_proposal")
    ballots, counted = await vote(
        work, f"{text}", [proposal.text for proposal in proposals], people
    )
    winner, how = counted.winner, "vote"
    if not counted.reached or winner is None:
        winner, how = await resolve(work, text, proposals, ballots, counted)
    chosen = proposals[winner]
    work.emit(
        "consensus_reached" if counted.reached else "conflict_resolved",
        {"step_id": step.id, "share": round(counted.share, 4), "by": how},
    )
    return {
        "step_id": step.id,
        "agent_id": "consensus",
        "success": True,
        "result_data": chosen.value,
        "content": chosen.text,
        "output_name": step.output or step.id,
        "execution_time": round(work.host.now() - begun, 4),
        "attempts": 1,
        "metadata": {
            "consensus_reached": counted.reached,
            "share": round(counted.share, 4),
            "decided_by": how,
            "proposals": len(proposals),
            "votes": [shown_ballot(ballot) for ballot in ballots],
            "proposed_by": list(chosen.authors),
        },
    }


async def vote(
    work: Work, question: str, options: Sequence[str], voters: Sequence[Participant]
) -> tuple[list[Ballot], Tally]:
    """Ballots of the voters on numbered options, and the count. One option needs no vote."""
    mechanism = _mechanism(work.session.options)
    threshold = work.session.options.get(
        "consensus_threshold", work.session.options.get("threshold", THRESHOLD)
    )
    if len(options) == 1:
        ballots = [Ballot(one.name, (0,), one.weight) for one in voters]
        return ballots, tally(ballots, 1, mechanism, threshold)
    # A wrong threshold is said before anybody is asked.
    tally([], len(options), mechanism, threshold)
    listed = "\n\n".join(f"{n}. {text[:SHOWN]}" for n, text in enumerate(options, start=1))
    asked = f"{question}\n\nVote on these proposals:\n\n{listed}\n\n"
    asked += RANK if mechanism == "ranked" else VOTE
    answers = await work.ask_all([(one, asked) for one in voters])
    ballots = [
        read_ballot(one.name, answer.data or answer.text, len(options), one.weight)
        for one, answer in zip(voters, answers, strict=True)
        if answer is not None
    ]
    return ballots, tally(ballots, len(options), mechanism, threshold)


async def resolve(
    work: Work,
    task: str,
    proposals: Sequence[Proposal],
    ballots: Sequence[Ballot],
    counted: Tally,
) -> tuple[int, str]:
    """The proposal that is taken without agreement, and by what (ORC-013).

    `weighted`: most weight times confidence. `evidence_based`: the `resolver` (first participant
    unless named) weighs proposals and reasons. `fail`: raises `OperationFailed` 3010.
    """
    how = work.session.options.get("conflict_resolution", "weighted")
    if how not in RESOLUTIONS:
        raise InvalidInput(f"conflict_resolution is one of {', '.join(RESOLUTIONS)}")
    if how == "fail":
        raise OperationFailed(
            f"no agreement: {counted.share:.0%} for the first proposal",
            code=3010,
            kind="no_consensus",
        )
    if how == "evidence_based":
        named = work.session.options.get("resolver")
        judge = work.session.participants[0] if named is None else participant(named, work.session)
        listed = "\n\n".join(f"{n}. {one.text[:SHOWN]}" for n, one in enumerate(proposals, start=1))
        reasons = "\n".join(f"- for {b.ranking[0] + 1}: {b.reason}" for b in ballots if b.ranking)
        answer = await work.ask(
            judge,
            f"{task}\n\nThe agents do not agree. Decide by evidence alone.\n\n{listed}\n\n"
            f"Their reasons:\n{reasons}\n\n{VOTE}",
        )
        ballot = read_ballot(judge.name, answer.data or answer.text, len(proposals), 1.0)
        if ballot.ranking:
            return ballot.ranking[0], "evidence_based"
    weighed = tally(ballots, len(proposals), "weighted", 0.0)
    return (0 if weighed.winner is None else weighed.winner), "weighted"


def distinct(people: Sequence[Participant], answers: Sequence[Answer | None]) -> list[Proposal]:
    """The proposals, the same ones once, in the order in which they came."""
    found: dict[str, Proposal] = {}
    for one, answer in zip(people, answers, strict=True):
        if answer is None or not answer.text.strip():
            continue
        key = " ".join(answer.text.lower().split())
        known = found.get(key)
        if known is None:
            found[key] = Proposal(answer.text, answer.value, (one.name,))
        else:
            found[key] = known._replace(authors=(*known.authors, one.name))
    return list(found.values())


def _mechanism(options: dict[str, Any]) -> str:
    named = options.get("voting_mechanism", options.get("voting", "majority"))
    if not isinstance(named, str):
        raise InvalidInput("a voting mechanism is a name")
    return named


def shown_ballot(ballot: Ballot) -> dict[str, Any]:
    """A ballot as a spell sees it: options by number from 1."""
    return {
        "voter": ballot.voter,
        "ranking": [one + 1 for one in ballot.ranking],
        "weight": ballot.weight,
        "confidence": ballot.confidence,
        "reason": ballot.reason,
    }
