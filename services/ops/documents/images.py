"""`make pin-images`: images of others by digest, beside the tag that says what they are, as their registry tells it."""

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import httpx

from services.ops.terminal import say

_ROOT: Final = Path(__file__).parents[3]
_FILES: Final = ("docker-compose.yml", "deploy/Dockerfile", "deploy/kubernetes/base/gateway.yaml")
# What is built here has no tag in these files, and no digest before it is built.
_NAMED: Final = re.compile(
    r"(?P<before>^\s*(?:-\s+)?image:\s*|^FROM\s+)(?P<name>[\w./:-]+):(?P<tag>[\w.-]+)(?:@sha256:[0-9a-f]{64})?", re.M
)
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_HUB: Final = "registry-1.docker.io"
# Of an image for several architectures the list of them has the digest that all take.
_KINDS: Final = (
    *("vnd.oci.image.index.v1", "vnd.docker.distribution.manifest.list.v2"),
    *("vnd.oci.image.manifest.v1", "vnd.docker.distribution.manifest.v2"),
)
_ACCEPTED: Final = ", ".join(f"application/{kind}+json" for kind in _KINDS)
_CHALLENGE: Final = re.compile(r'(\w+)="([^"]*)"')
_ANSWERS_WITHIN_S: Final = 20.0


class Image(NamedTuple):
    """An image as a registry has it."""

    host: str
    name: str
    tag: str

    @classmethod
    def of(cls, name: str, tag: str) -> "Image":
        """Return which image a name is: without a host one of Docker's hub, without an owner one of its own."""
        host, slash, path = name.partition("/")
        if slash and ("." in host or ":" in host or host == "localhost"):
            return cls(host, path, tag)
        return cls(_HUB, name if slash else f"library/{name}", tag)


class NoDigest(Exception):
    """A registry did not say which image it is."""


def find_digest(http: httpx.Client, image: Image, *, scheme: str = "https") -> str:
    """Return the digest of what a tag names now.

    Raises
    ------
    NoDigest
        If the registry cannot be asked, or says something else.
    """
    address = f"{scheme}://{image.host}/v2/{image.name}/manifests/{image.tag}"
    try:
        answer = http.head(address, headers={"Accept": _ACCEPTED})
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            token = _token(http, answer.headers.get("www-authenticate", ""))
            answer = http.head(address, headers={"Accept": _ACCEPTED, "Authorization": f"Bearer {token}"})
        digest = answer.raise_for_status().headers.get("docker-content-digest", "")
    except (httpx.HTTPError, KeyError, ValueError) as error:
        raise NoDigest(f"{image.host} does not say what {image.name}:{image.tag} is: {type(error).__name__}") from None
    if _DIGEST.fullmatch(digest) is None:
        raise NoDigest(f"{image.host} must say a digest of {image.name}:{image.tag}, was {digest!r:.100}")
    return str(digest)


def _token(http: httpx.Client, challenge: str) -> str:
    # Anybody gets one to read what is public, from where the registry says.
    said = dict(_CHALLENGE.findall(challenge))
    asked = {name: said[name] for name in ("service", "scope") if name in said}
    return str(http.get(said["realm"], params=asked).raise_for_status().json()["token"])


def images_of(text: str) -> Iterator[tuple[str, str]]:
    """Yield the name and the tag of each image that a file names."""
    yield from ((found["name"], found["tag"]) for found in _NAMED.finditer(text))


def pinned(text: str, digests: Mapping[tuple[str, str], str]) -> str:
    """Return a file with the digest behind each name and tag."""

    def named(found: re.Match[str]) -> str:
        name, tag = found["name"], found["tag"]
        return f"{found['before']}{name}:{tag}@{digests[name, tag]}"

    return _NAMED.sub(named, text)


def pin(files: list[Path], digest_of: Callable[[Image], str]) -> dict[tuple[str, str], str]:
    """Pin every image of the files, or none of them, and return their digests."""
    texts = {file: file.read_text() for file in files}
    wanted = sorted({each for text in texts.values() for each in images_of(text)})
    digests = {(name, tag): digest_of(Image.of(name, tag)) for name, tag in wanted}
    for file, text in texts.items():
        file.write_text(pinned(text, digests))
    return digests


def main() -> int:
    """Pin the images of the deployment."""
    with httpx.Client(timeout=_ANSWERS_WITHIN_S) as http:
        try:
            digests = pin([_ROOT / name for name in _FILES], lambda image: find_digest(http, image))
        except NoDigest as missing:
            say(f"nothing was changed: {missing}")
            return 1
    for (name, tag), digest in digests.items():
        say(f"{name}:{tag}@{digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
