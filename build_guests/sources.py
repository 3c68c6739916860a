"""Third-party sources: found, checked by sha256, and unpacked for one build."""

from __future__ import annotations

import hashlib
import os
import ssl
import tarfile
import tempfile
import urllib.request
from pathlib import Path
from typing import Any, Final

from build_guests.indexes import indexes
from build_guests.pins import Source
from build_guests.settings import BuildError, Settings, SourceMissing

_ARCHIVE_MOST: Final = 64 << 20


def cached_archive(source: Source, settings: Settings) -> Path:
    """Where the archive is kept between builds; it need not exist."""
    suffix = source.archive.rpartition(".")[2]
    return settings.cache / "sources" / f"{source.sha256}.tar.{suffix}"


def needs_network(source: Source, settings: Settings) -> bool:
    """Whether the archive has to be fetched."""
    return settings.sources is None and not cached_archive(source, settings).exists()


def unpack(source: Source, settings: Settings, target: Path) -> Path:
    """Puts the needed folder of the archive under `target` and gives its path.

    Raises BuildError when the archive is not the pinned one, SourceMissing when it can't be had.
    """
    archive = _archive(source, settings)
    # Checked at each use: what lies in a cache or in the user's folder may have changed.
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != source.sha256:
        raise BuildError(
            f"{archive} is not {source.archive}: sha256 {found}, expected {source.sha256}"
        )
    with tarfile.open(archive) as tar:
        members = [m for m in tar.getmembers() if m.name.startswith(source.folder + "/")]
        if not members:
            raise BuildError(f"{source.archive} holds no folder {source.folder}")
        if hasattr(tarfile, "data_filter"):
            tar.extraction_filter = tarfile.data_filter
        tar.extractall(target, members)
    return target / source.folder


def _archive(source: Source, settings: Settings) -> Path:
    if settings.sources is not None:
        given = settings.sources / source.archive
        if not given.is_file():
            how = (
                f"curl -o {source.archive} {source.urls[-1]}"
                if source.urls
                else (
                    f"pip download --no-deps --no-binary :all: {source.project}=={source.version}"
                )
            )
            raise SourceMissing(
                f"LLMSPELL_SOURCES={settings.sources} has no {source.archive}; fetch it with: {how}"
            )
        return given
    kept = cached_archive(source, settings)
    if not kept.exists():
        content = _download(source) if source.urls else _fetch(source)
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=kept.parent, delete=False) as file:
            file.write(content)
        os.replace(file.name, kept)
    return kept


def _download(source: Source) -> bytes:
    """From the first of the source's places that has the pinned content. Raises SourceMissing."""
    context = ssl.create_default_context(cafile=indexes().certificate)
    troubles = []
    for url in source.urls:
        try:
            with urllib.request.urlopen(url, timeout=60, context=context) as answer:
                content = bytes(answer.read(_ARCHIVE_MOST))
        except OSError as error:
            troubles.append(f"{url}: {error}")
            continue
        found = hashlib.sha256(content).hexdigest()
        if found == source.sha256:
            return content
        troubles.append(f"{url}: sha256 {found} is not the pinned one")
    raise SourceMissing(
        f"{source.archive} can't be fetched ({'; '.join(troubles)}); "
        "put it into a folder and set LLMSPELL_SOURCES to that"
    )


def _fetch(source: Source) -> bytes:
    from unearth import PackageFinder
    from unearth.fetchers.sync import PyPIClient

    where = indexes()
    context = ssl.create_default_context(cafile=where.certificate)
    session: Any = PyPIClient(trusted_hosts=where.trusted_hosts, verify=context, timeout=60.0)
    finder = PackageFinder(
        session=session,
        index_urls=where.index_urls,
        find_links=where.find_links,
        no_binary=[":all:"],
    )
    wanted = f"{source.project}=={source.version}"
    found = [
        package
        for package in finder.find_matches(wanted, hashes={"sha256": [source.sha256]})
        if package.link.filename == source.archive
    ]
    if not found:
        raise BuildError(
            f"no index of yours has {source.archive} with the pinned content "
            f"(looked in {', '.join(where.index_urls + where.find_links) or 'none'}); "
            "set PIP_INDEX_URL, or LLMSPELL_SOURCES to a folder that holds it"
        )
    with tempfile.TemporaryDirectory(prefix="llmspell-fetch-") as folder:
        file = finder.download(found[0].link, folder, hashes={"sha256": [source.sha256]})
        return Path(file).read_bytes()
