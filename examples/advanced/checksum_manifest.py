# /// spell
# description = "Writes or checks a manifest of SHA-256 digests of a folder's files"
# [requests]
# read = ["data/site", "manifest"]
# write = ["manifest"]
# ///

# First run: writes manifest/site.sha256, in the format that `sha256sum --check` reads.
# Later runs: names what changed, appeared or went away since.

import hashlib

folder = params.get("folder", "data/site")
manifest = params.get("manifest", "manifest/site.sha256")


async def digest(path):
    # Bytes, not text: a digest is of what is really there.
    return hashlib.sha256(await fs.read(path, encoding="binary")).hexdigest()


entries = await fs.list(folder, recursive=True)
paths = [entry.path for entry in entries if entry.type == "file"]
# All digests at once; the order of the results is the order of the paths.
digests = await Async.all([digest(path) for path in paths])
now = dict(zip(paths, digests, strict=True))

if await fs.exists(manifest):
    before = {}
    for line in (await fs.read(manifest)).splitlines():
        value, name = line.split("  ", 1)
        before[name] = value
    changes = {
        "changed": [path for path in now if path in before and before[path] != now[path]],
        "new": [path for path in now if path not in before],
        "gone": [path for path in before if path not in now],
    }
else:
    content = "".join(f"{value}  {path}\n" for path, value in now.items())
    await fs.write(manifest, content, create_parents=True)
    print(content, end="")
    changes = {"written": manifest}

changes
