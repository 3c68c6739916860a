"""How the results of parallel branches become one value (API-071, WF-011); 3010 when they can't."""

from __future__ import annotations

from llmspell.channel.jsontext import Callback, encode
from llmspell.errors import OperationFailed
from llmspell.records import TYPE_CHECKING, NamedTuple
from llmspell.spells.api.options import snake
from llmspell.spells.workflows.options import Options, wrong

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Final

MERGE_FAILED: Final = 3010

DEPTH_MAX: Final = 16

SPELLINGS: Final[Mapping[str, str]] = {
    "merge": "merge", "combine": "merge", "combine_results": "merge", "object": "merge",
    "comprehensive_merge": "comprehensive_merge", "comprehensive": "comprehensive_merge",
    "deep_merge": "deep_merge", "concat": "concat", "concatenate": "concat", "join": "concat",
    "first": "first", "first_success": "first", "last": "last", "list": "list", "all": "list",
    "collect": "list", "vote": "vote", "majority": "vote", "majority_vote": "vote",
    "sum": "sum", "count": "count", "custom": "merge",
}  # fmt: skip
"""The strategies by every name they have."""


class Branch(NamedTuple):
    """One branch's end: `key` is its output's name, or its own."""

    key: str
    success: bool
    output: Any
    error: Mapping[str, Any] | None


def read_merge(options: Options, aggregation: Any) -> tuple[str, Callback | None]:
    """The merge strategy and function of `merge_strategy`, `merge`, `aggregation`, `aggregate`."""
    strategy = options.take("merge_strategy", "merge", "aggregation_strategy")
    aggregate = options.take("aggregate", "aggregator")
    if isinstance(aggregation, (str, Callback)):
        strategy = aggregation if strategy is None else strategy
    elif isinstance(aggregation, dict):
        inner = Options(aggregation, options.where, options.engine)
        strategy = (
            inner.take("strategy", "merge_strategy", "type") if strategy is None else strategy
        )
        aggregate = inner.take("aggregate", "function", "merge") if aggregate is None else aggregate
    elif aggregation is not None and aggregation != []:
        raise wrong(options.where, "aggregation must be a name, a function or an object")
    if isinstance(strategy, Callback):
        strategy, aggregate = "merge", strategy
    if aggregate is not None and not isinstance(aggregate, Callback):
        raise wrong(options.where, "aggregate must be a function")
    if strategy is None:
        return "merge", aggregate
    if not isinstance(strategy, str) or snake(strategy) not in SPELLINGS:
        known = ", ".join(dict.fromkeys(SPELLINGS.values()))
        raise wrong(options.where, f"there is no merge strategy {strategy!r:.60}", f"take {known}")
    return SPELLINGS[snake(strategy)], aggregate


def merge(strategy: str, branches: Sequence[Branch]) -> Any:
    """One value of the branches that ended well, in the order of the definition.

    Raises `OperationFailed` 3010 where the strategy can't be applied to what they gave.
    """
    if strategy == "comprehensive_merge":
        return {branch.key: report(branch) for branch in branches}
    good = [branch for branch in branches if branch.success]
    if strategy == "merge":
        return {branch.key: branch.output for branch in good}
    return _ACTIONS[strategy]([branch.output for branch in good])


def report(branch: Branch) -> dict[str, Any]:
    """What an aggregate function sees of a branch: `{success, data, confidence, error?}`.

    `confidence` is the output's own number, else 1 for a success and 0 for a failure.
    """
    output = branch.output
    confidence = output.get("confidence") if isinstance(output, dict) else None
    if type(confidence) not in (int, float):
        confidence = 1.0 if branch.success else 0.0
    result = {"success": branch.success, "data": output, "confidence": confidence}
    if branch.error is not None:
        result["error"] = dict(branch.error)
    return result


def _failed(what: str) -> OperationFailed:
    return OperationFailed(
        f"the branches' results can't be merged: {what}", code=MERGE_FAILED, kind="merge_failed"
    )


def _concat(outputs: list[Any]) -> Any:
    if all(isinstance(output, list) for output in outputs):
        return [item for output in outputs for item in output]
    if all(isinstance(output, str) for output in outputs):
        return "\n".join(outputs)
    raise _failed("concat needs texts only, or lists only")


def _first(outputs: list[Any]) -> Any:
    if not outputs:
        raise _failed("no branch ended well")
    return outputs[0]


def _last(outputs: list[Any]) -> Any:
    return _first(outputs[::-1])


def _vote(outputs: list[Any]) -> Any:
    votes: dict[bytes, int] = {}
    for output in outputs:
        ballot = _ballot(output)
        votes[ballot] = votes.get(ballot, 0) + 1
    ranked = sorted(votes.values(), reverse=True)
    if not ranked:
        raise _failed("no branch ended well")
    if len(ranked) > 1 and ranked[0] == ranked[1]:
        raise _failed(f"the vote is a tie of {ranked[0]} to {ranked[1]}")
    winner = max(votes, key=lambda ballot: votes[ballot])
    return next(output for output in outputs if _ballot(output) == winner)


def _ballot(output: Any) -> bytes:
    # Texts that differ only in case and outer space are the same vote.
    if isinstance(output, str):
        return encode(output.strip().casefold())
    if isinstance(output, dict):
        output = dict(sorted(output.items()))
    return encode(output)


def _sum(outputs: list[Any]) -> Any:
    if not all(type(output) in (int, float) for output in outputs):
        raise _failed("sum needs numbers only")
    return sum(outputs)


def _deep(outputs: list[Any]) -> Any:
    if not all(isinstance(output, dict) for output in outputs):
        raise _failed("deep_merge needs objects only")
    result: dict[str, Any] = {}
    for output in outputs:
        result = _merged(result, output, "", DEPTH_MAX)
    return result


def _merged(left: dict[str, Any], right: dict[str, Any], path: str, depth: int) -> dict[str, Any]:
    if depth == 0:
        raise _failed(f"they are nested deeper than {DEPTH_MAX} levels")
    result = dict(left)
    for key, value in right.items():
        where = f"{path}.{key}" if path else key
        if key not in result or result[key] == value:
            result[key] = value
        elif isinstance(result[key], dict) and isinstance(value, dict):
            result[key] = _merged(result[key], value, where, depth - 1)
        elif isinstance(result[key], list) and isinstance(value, list):
            result[key] = result[key] + value
        else:
            raise _failed(f"two of them differ at {where[:100]}")
    return result


_ACTIONS: Final[Mapping[str, Callable[[list[Any]], Any]]] = {
    "concat": _concat,
    "first": _first,
    "last": _last,
    "list": lambda outputs: outputs,
    "vote": _vote,
    "sum": _sum,
    "count": len,
    "deep_merge": _deep,
}
