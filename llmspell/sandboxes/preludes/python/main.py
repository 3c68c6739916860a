# One run: wait for it, build its world, drive it, report its end.
# A part of the prelude; tools check the whole, preludes/_generated/prelude.py.
# ruff: noqa
# mypy: ignore-errors

VALUE_NAME = "__llmspell_value__"
VALUE_MAX = 16_777_000
TOP_LEVEL_AWAIT = 0x2000
ONLY_AST = 0x400
COROUTINE = 0x80


def compile_spell(source: str, name: str) -> Any:
    """The spell's code; a last expression statement becomes its value."""
    import _ast

    tree = compile(source, name, "exec", ONLY_AST | TOP_LEVEL_AWAIT, dont_inherit=True)
    last = tree.body[-1] if tree.body else None
    if isinstance(last, _ast.Expr):
        place: dict[str, Any] = {
            "lineno": last.lineno,
            "col_offset": last.col_offset,
            "end_lineno": last.end_lineno,
            "end_col_offset": last.end_col_offset,
        }
        target = _ast.Name(id=VALUE_NAME, ctx=_ast.Store(), **place)
        tree.body[-1] = _ast.Assign(targets=[target], value=last.value, **place)
    return compile(tree, name, "exec", TOP_LEVEL_AWAIT, dont_inherit=True)


def syntax_error(error: SyntaxError | ValueError) -> LLMSpellError:
    line = getattr(error, "lineno", None)
    text = str(getattr(error, "msg", error))
    hint = None
    if "'return' outside function" in text:
        hint = "a Python spell's value is its last expression, or the global `result`"
    return LLMSpellError(f"SyntaxError: {text}", code=4001, kind="syntax", hint=hint, line=line)


def value_of(world: Mapping[str, Any]) -> Any:
    value = world.get(VALUE_NAME)
    if isinstance(value, Future):
        value = value.result()
    return world.get("result") if value is None else value


def drive(run: Any) -> Any:
    """Runs the spell to its end; its value, or its error raised."""
    world = make_world(run)
    try:
        code = compile_spell(run["source"], RUN.name)
    except (SyntaxError, ValueError) as error:
        raise syntax_error(error) from None
    if run.get("check") is True:
        return None
    if code.co_flags & COROUTINE:
        main = Task(eval(code, world))
        main._observed = True
        while not main._done:
            LOOP.pump()
        main._outcome()
    else:
        exec(code, world)
    value = value_of(world)
    LOOP.run_until_done()
    if LOOP.exit is not None:
        raise LOOP.exit
    unheard = LOOP.unheard() or failed_tests()
    if unheard is not None:
        raise unheard
    return value


def report(run: Any) -> str:
    """Runs the spell; the message that tells how it ended."""
    try:
        value = drive(run)
    except SystemExit as error:
        if error.code not in (None, 0, False):
            return failed(error)
        value = None
    except BaseException as error:
        return failed(error)
    try:
        text = encode(value)
        if len(text.encode("utf-8")) > VALUE_MAX:
            raise LLMSpellError(
                "the spell's value is over 16 MiB", code=4009, kind="limit", rule="limit.message"
            )
    except BaseException as error:
        return failed(error)
    return f'{{"type":"done","value":{text}}}'


def failed(error: BaseException) -> str:
    try:
        return f'{{"type":"failed","error":{encode_plain(describe(error))}}}'
    except BaseException:
        return f'{{"type":"failed","error":{encode_plain(OUT_OF_MEMORY)}}}'


def serve() -> None:
    """One run, from `run` to its end."""
    run = receive(None)
    while run is None or run.get("type") != "run":
        run = receive(None)
    if "random" in sys.modules:
        # Many copies of what is here may have waited: each would draw the same numbers.
        sys.modules["random"].seed()
    RUN.name = run.get("name") or "spell.py"
    RUN.profile = run.get("profile") or "high"
    RUN.modules = frozenset(run.get("modules") or ())
    RUN.globals = run.get("globals") or {}
    ending = report(run)
    flush_output()
    send_end(ending)


CODECS = ("ascii", "latin_1", "utf_16", "utf_32", "utf_8_sig", "unicode_escape")


def make_ready() -> None:
    """Loads what a spell may import and what the language loads late, once for all copies."""
    import gc

    for name in (*SAFE_MODULES, *INNER_MODULES, *(f"encodings.{codec}" for codec in CODECS)):
        real_import(name)
    compile_spell("1 + 1", "spell.py")
    gc.collect()
    gc.freeze()  # a collection would write to every page that the copies share


def main() -> None:
    """One run, and the end of the process."""
    serve()
    # No atexit, no __del__ of the spell's gets another turn; and the interpreter's own end costs 7 ms.
    os._exit(0)


if getattr(HOST, "boots", False):
    make_ready()
else:
    main()
