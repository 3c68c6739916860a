# A fetcher that survives a server with hiccups: it tries again, waits longer each time, gives up
# on errors that trying again can't mend, and keeps what it got.
#
#   llmspell run --profile high --allow-net api.example.com --allow-write downloads \
#     --param base=https://api.example.com examples/advanced/fetch_retry.py

base = params["base"]
attempts = 0


class UnmendableError(Exception):
    """Trying again won't help."""


async def fetch(path):
    """The page, or an error. Raised ones are tried again; returned ones are not."""
    global attempts
    attempts += 1
    try:
        response = await http.get(base + path, timeout=5)
    except LLMSpellError as error:
        if error.kind == "denied":
            return error  # the same question gets the same answer
        raise
    if response.status >= 500:
        raise RuntimeError(f"{path} answered {response.status}")
    if not response.ok:
        return UnmendableError(f"{path} answered {response.status}")
    return response.json()


async def download(path):
    # Waits 10 ms, 20 ms, 40 ms…; Async.retry raises the last error when all attempts failed.
    answer = await Async.retry(lambda: fetch(path), attempts=4, delay=10)
    if isinstance(answer, Exception):
        raise answer
    return answer


saved = []
for path in ("/flaky", "/item/missing", "/broken"):
    attempts = 0
    try:
        page = await download(path)
    except Exception as error:
        if getattr(error, "kind", None) == "denied":
            raise  # ends the run with the sentence that names the missing grant
        print(f"{path}: gave up after {attempts} attempts: {error}")
        continue
    name = f"downloads/{path.strip('/')}.json"
    await fs.write(name, JSON.encode(page), create_parents=True)
    print(f"{path}: {page['message']} after {attempts} attempts, saved")
    saved.append(name)

saved
