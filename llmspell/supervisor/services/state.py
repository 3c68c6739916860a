"""Kept values beyond the light calls of `storage.py`: other scopes, batches, transactions.

The scope `run` is the run's own memory. The others lie in a database an owner (`spells/state`),
opened at first use and worked on by a thread; each use of them is judged (`--allow-state`).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from llmspell.errors import InternalError, InvalidInput, LimitExceeded, OperationFailed
from llmspell.spells.state import values
from llmspell.spells.state.values import Operation, Store, check_key, check_ttl, decode, encode
from llmspell.supervisor.services.run_store import RunStore
from llmspell.supervisor.services.storage import Storage

if TYPE_CHECKING:
    from llmspell.spells.ports import Host
    from llmspell.spells.state.keeping import Keeping
    from llmspell.supervisor.services.context import Args, CallContext

Value = TypeVar("Value")


class Kept:
    """One open store: its calls one after another, on a thread where it waits for a disk."""

    def __init__(self, store: Store, *, waits: bool) -> None:
        self._store = store
        self._waits = waits
        self._turn = asyncio.Lock()
        self._busy = threading.Lock()

    async def use(self, act: Callable[[Store], Value]) -> Value:
        """What `act` gives for the store. A call that is given up still ends before the next."""
        if not self._waits:
            return act(self._store)

        def guarded() -> Value:
            with self._busy:
                return act(self._store)

        async with self._turn:
            return await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, guarded))

    def close(self) -> None:
        """Waits for the call under way, if any, then lets the store go."""
        with self._busy:
            self._store.close()


class StateService:
    """`storage.*` for every scope, and `ports.State` for the other services."""

    def __init__(self, host: Host) -> None:
        self._host = host
        memory = getattr(host, "run_values", None)
        self._stores: dict[str, Kept] = {
            "run": Kept(RunStore(memory if isinstance(memory, Storage) else Storage()), waits=False)
        }
        self._opening = asyncio.Lock()
        self._reading = asyncio.Lock()
        self._keeping: Keeping | None = None
        self._closed = False
        self.table: dict[str, Callable[[CallContext, Args], Any]] = {
            "storage.get": self._get,
            "storage.set": self._set,
            "storage.delete": self._delete,
            "storage.exists": self._exists,
            "storage.list": self._list,
            "storage.clear": self._clear,
            "storage.get_batch": self._in_turn(self._get_batch),
            "storage.set_batch": self._set_batch,
            "storage.delete_batch": self._delete_batch,
            "storage.scan": self._in_turn(self._scan),
            "storage.transaction": self._in_turn(self._transaction),
            "storage.version": self._version,
            "storage.migrate": self._migrate,
            "storage.compact": self._compact,
            "storage.stats": self._stats,
            "storage.backup": self._backup,
            "storage.backups": self._backups,
            "storage.restore": self._restore,
        }

    def close(self) -> None:
        """Lets every store go."""
        self._closed = True
        stores, self._stores = list(self._stores.values()), {}
        for store in stores:
            store.close()

    # -- for the other services (ports.State) --------------------------------------------------

    async def get(self, scope: str, key: str) -> Any:
        """A value, or None."""
        return await self._host.call("storage.get", {"scope": scope, "key": key}, origin="state")

    async def set(self, scope: str, key: str, value: Any) -> None:
        """Keeps a value. Raises `LimitExceeded`, `Denied` for a scope that was not granted."""
        args = {"scope": scope, "key": key, "value": value}
        await self._host.call("storage.set", args, origin="state")

    async def delete(self, scope: str, key: str) -> bool:
        """Forgets a value; whether there was one."""
        args = {"scope": scope, "key": key}
        return bool(await self._host.call("storage.delete", args, origin="state"))

    async def list(self, scope: str, prefix: str) -> Sequence[str]:
        """Keys that begin so, sorted."""
        args = {"scope": scope, "prefix": prefix}
        found: Sequence[str] = await self._host.call("storage.list", args, origin="state")
        return found

    async def store(self, scope: str) -> Kept:
        """The store of a scope, opened at first use. The caller has judged the scope.

        `events` is the scope of persisted events: no spell can name it.
        """
        kept = self._stores.get(scope)
        if kept is not None:
            return kept
        async with self._opening:
            kept = self._stores.get(scope)
            if kept is None:
                kept = self._stores[scope] = await self._open(scope)
            return kept

    # -- the calls -----------------------------------------------------------------------------

    async def _get(self, ctx: CallContext, args: Args) -> Any:
        key = check_key(args["key"])
        kept = await self._judged(ctx, args, key, reads=True)
        text = await kept.use(lambda store: store.get(key))
        self._charge(ctx, args, 0 if text is None else len(text))
        return decode(text)

    async def _set(self, ctx: CallContext, args: Args) -> None:
        key, ttl = check_key(args["key"]), check_ttl(args.get("ttl"))
        kept = await self._judged(ctx, args, key)
        text = encode(args["value"])
        self._charge(ctx, args, len(text))
        await kept.use(lambda store: store.set(key, text, ttl))

    async def _delete(self, ctx: CallContext, args: Args) -> bool:
        key = check_key(args["key"])
        kept = await self._judged(ctx, args, key)
        return await kept.use(lambda store: store.delete(key))

    async def _exists(self, ctx: CallContext, args: Args) -> bool:
        key = check_key(args["key"])
        kept = await self._judged(ctx, args, key, reads=True)
        return await kept.use(lambda store: store.get(key)) is not None

    async def _list(self, ctx: CallContext, args: Args) -> Sequence[str]:
        prefix = args.get("prefix") or ""
        kept = await self._judged(ctx, args, prefix + "*", reads=True)
        return await kept.use(lambda store: store.keys(prefix))

    async def _clear(self, ctx: CallContext, args: Args) -> None:
        kept = await self._judged(ctx, args, "*")
        await kept.use(lambda store: store.clear())

    async def _get_batch(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        keys = _keys(args["keys"])
        kept = await self._judged(ctx, args, f"{len(keys)} keys", reads=True)
        operations = [Operation("get", key) for key in keys]
        texts = await kept.use(lambda store: store.apply(operations))
        self._charge(ctx, args, sum(len(text) for text in texts if text is not None))
        found = zip(keys, texts, strict=True)
        return {key: decode(text) for key, text in found if text is not None}

    async def _set_batch(self, ctx: CallContext, args: Args) -> None:
        data, ttl = args["data"], check_ttl(args.get("ttl"))
        _bounded(len(data))
        operations = [
            Operation("set", check_key(key), encode(value), ttl) for key, value in data.items()
        ]
        kept = await self._judged(ctx, args, f"{len(data)} keys")
        self._charge(ctx, args, _weight(operations))
        await kept.use(lambda store: store.apply(operations))

    async def _delete_batch(self, ctx: CallContext, args: Args) -> int:
        keys = _keys(args["keys"])
        kept = await self._judged(ctx, args, f"{len(keys)} keys")

        def act(store: Store) -> int:
            before: int = store.stats()["keys"]
            store.apply([Operation("delete", key) for key in keys])
            return before - int(store.stats()["keys"])

        return await kept.use(act)

    async def _scan(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        prefix, after = args.get("prefix") or "", args.get("after")
        start, before = args.get("start"), args.get("before")
        limit = args.get("limit") or values.PAGE_MAX
        kept = await self._judged(ctx, args, prefix + "*", reads=True)

        def act(store: Store) -> tuple[list[tuple[str, bytes]], bool]:
            keys = [
                key
                for key in store.keys(prefix, after)
                if (start is None or key >= start) and (before is None or key < before)
            ]
            page: list[tuple[str, bytes]] = []
            size = 0
            for key in keys[:limit]:
                text = store.get(key)
                if text is None:
                    continue
                if page and size + len(text) > values.PAGE_BYTES:
                    return page, True
                size += len(text)
                page.append((key, text))
            return page, len(keys) > limit

        page, more = await kept.use(act)
        self._charge(ctx, args, sum(len(text) for _, text in page))
        items = [[key, decode(text)] for key, text in page]
        return {"items": items, "next": page[-1][0] if more and page else None}

    async def _transaction(self, ctx: CallContext, args: Args) -> Sequence[Any]:
        operations = values.parse_operations(args["operations"])
        kept = await self._judged(ctx, args, f"{len(operations)} operations")
        self._charge(ctx, args, _weight(operations))
        texts = await kept.use(lambda store: store.apply(operations))
        return [decode(text) for text in texts]

    async def _version(self, ctx: CallContext, args: Args) -> int:
        kept = await self._judged(ctx, args, "*", reads=True)
        return values.version_of(await kept.use(lambda store: store.get(values.VERSION_KEY)))

    async def _migrate(self, ctx: CallContext, args: Args) -> bool:
        """Brings what is kept to a version; whether this run did it.

        Two runs at once may both ask their functions; the operations of one of them are done.
        """
        wanted: int = args["version"]
        kept = await self._judged(ctx, args, f"version {wanted}")
        while True:
            before = values.version_of(await kept.use(lambda store: store.get(values.VERSION_KEY)))
            if before >= wanted:
                return False
            given = await self._host.invoke(args["migration"], [before])
            if given is not None and not isinstance(given, list) and given != {}:
                raise InvalidInput("storage.migrate: the function gives a list of operations")
            changes = values.parse_operations(given or [], values.MIGRATION_MAX, "migrate")
            self._charge(ctx, args, _weight(changes))
            operations = (*values.to_version(before, wanted), *changes)
            try:
                await kept.use(partial(_apply, operations))
            except OperationFailed as error:
                now = await kept.use(lambda store: store.get(values.VERSION_KEY))
                if error.kind != "conflict" or values.version_of(now) == before:
                    raise
                continue
            return True

    async def _compact(self, ctx: CallContext, args: Args) -> None:
        kept = await self._judged(ctx, args, "*")
        await kept.use(lambda store: store.compact())

    async def _stats(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        kept = await self._judged(ctx, args, "*", reads=True)
        found = await kept.use(lambda store: store.stats())
        version = values.version_of(await kept.use(lambda store: store.get(values.VERSION_KEY)))
        keys = found["keys"] - (1 if version else 0)
        return {"scope": args.get("scope") or "run", **found, "keys": keys, "version": version}

    async def _backup(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        kept = await self._judged(ctx, args, "*")
        keeping = await self._settings()
        return {"name": await kept.use(keeping.backup)}

    async def _backups(self, ctx: CallContext, args: Args) -> Sequence[str]:
        kept = await self._judged(ctx, args, "*", reads=True)
        keeping = await self._settings()
        return await kept.use(keeping.backups)

    async def _restore(self, ctx: CallContext, args: Args) -> None:
        kept = await self._judged(ctx, args, "*")
        keeping = await self._settings()
        await kept.use(lambda store: keeping.restore(store, args["name"]))

    # -- inside --------------------------------------------------------------------------------

    def _in_turn(
        self, act: Callable[[CallContext, Args], Any]
    ) -> Callable[[CallContext, Args], Any]:
        """A call whose answer may be large, one of a run in a turn of the loop: all the answers to
        sixty calls at once would be decoded here before any is written."""

        async def in_turn(ctx: CallContext, args: Args) -> Any:
            async with self._reading:
                await asyncio.sleep(0)
                return await act(ctx, args)

        return in_turn

    async def _judged(
        self, ctx: CallContext, args: Args, what: str, *, reads: bool = False
    ) -> Kept:
        scope = args.get("scope") or "run"
        if scope != "run":
            ctx.judge(
                ctx.policy.state.judge(scope),
                action="read" if reads else "state",
                target=f"state:{scope}/{what}"[:200],
            )
        return await self.store(scope)

    def _charge(self, ctx: CallContext, args: Args, size: int) -> None:
        if (args.get("scope") or "run") != "run":
            ctx.reserve("transfer", size)

    async def _settings(self) -> Keeping:
        if self._keeping is None:
            from llmspell.spells.state.keeping import Keeping

            keeping = Keeping.of(self._host.tenant, self._host.spell_path)
            for note in keeping.settings.notes:
                self._host.note("warn", note)
            self._keeping = keeping
        return self._keeping

    async def _open(self, scope: str) -> Kept:
        if self._closed:
            raise InternalError("a store was used after its run ended")
        keeping = await self._settings()
        why = keeping.only_in_memory(scope)
        if why is not None:
            self._host.note("warn", why)
            return Kept(RunStore(Storage()), waits=False)

        def opened() -> Store:
            found: Store = keeping.open(scope)
            if self._closed:
                found.close()
                raise InternalError("a store was used after its run ended")
            return found

        opening = asyncio.get_running_loop().run_in_executor(None, opened)
        try:
            store = await asyncio.shield(opening)
        except asyncio.CancelledError:
            # The run ended meanwhile; the thread did not, and what it opens is nobody's.
            opening.add_done_callback(_let_go)
            raise
        if self._closed:
            store.close()
            raise InternalError("a store was used after its run ended")
        return Kept(store, waits=True)


def _let_go(opening: asyncio.Future[Store]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


def _apply(operations: Sequence[Operation], store: Store) -> None:
    store.apply(operations)


def _keys(given: Sequence[Any]) -> list[str]:
    _bounded(len(given))
    return list(dict.fromkeys(check_key(key) for key in given))


def _bounded(count: int) -> None:
    if count > values.BATCH_MAX:
        raise LimitExceeded("storage", f"a batch has at most {values.BATCH_MAX} keys")


def _weight(operations: Sequence[Operation]) -> int:
    return sum(len(operation.text) for operation in operations if operation.text is not None)
