"""Images of others get the digest that their registry says, all of them or none."""

import re
from pathlib import Path

import httpx
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from services.ops.documents.images import _FILES, Image, NoDigest, find_digest, images_of, pin, pinned

ROOT = Path(__file__).parents[2]
DIGEST, OTHER = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"


def _registry(server: HTTPServer, digest: str | None = DIGEST) -> str:
    """Return the host of a registry that shows an image to who has asked for a token, as Docker's hub does."""
    host = server.url_for("").removeprefix("http://").rstrip("/")

    def manifest(request: Request) -> Response:
        if request.headers.get("Authorization") != "Bearer public":
            realm = f'Bearer realm="{server.url_for("/token")}",service="registry",scope="repository:us/tool:pull"'
            return Response(status=401, headers={"WWW-Authenticate": realm})
        assert "application/vnd.oci.image.index.v1+json" in request.headers["Accept"]
        return Response(status=200, headers={} if digest is None else {"Docker-Content-Digest": digest})

    asked = {"service": "registry", "scope": "repository:us/tool:pull"}
    server.expect_request("/token", query_string=asked).respond_with_json({"token": "public"})
    server.expect_request("/v2/us/tool/manifests/1.2", method="HEAD").respond_with_handler(manifest)
    return host


def test_registry_says_the_digest_to_who_has_a_token_of_it(httpserver: HTTPServer) -> None:
    image = Image.of(f"{_registry(httpserver)}/us/tool", "1.2")
    with httpx.Client() as http:
        assert find_digest(http, image, scheme="http") == DIGEST


@pytest.mark.parametrize("digest", [None, "", "sha256:short", f"md5:{'a' * 64}"])
def test_what_is_no_digest_is_refused(httpserver: HTTPServer, digest: str | None) -> None:
    image = Image.of(f"{_registry(httpserver, digest)}/us/tool", "1.2")
    with httpx.Client() as http, pytest.raises(NoDigest, match=r"must say a digest of us/tool:1\.2"):
        find_digest(http, image, scheme="http")


def test_image_or_registry_that_is_not_there_is_refused(httpserver: HTTPServer) -> None:
    host = _registry(httpserver)
    with httpx.Client() as http:
        for image in (Image.of(f"{host}/us/other", "1.2"), Image.of("127.0.0.1:1/us/tool", "1.2")):
            with pytest.raises(NoDigest, match="does not say what us/"):
                find_digest(http, image, scheme="http")


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("postgres", ("registry-1.docker.io", "library/postgres", "1")),
        ("prom/prometheus", ("registry-1.docker.io", "prom/prometheus", "1")),
        ("quay.io/us/tool", ("quay.io", "us/tool", "1")),
        ("localhost/tool", ("localhost", "tool", "1")),
        ("here:5000/tool", ("here:5000", "tool", "1")),
    ],
)
def test_name_says_which_registry_is_asked(name: str, image: tuple[str, ...]) -> None:
    assert Image.of(name, "1") == image


def test_every_image_of_others_in_the_deployment_is_pinned_again_and_again_and_ours_is_not() -> None:
    for file in _FILES:
        text = (ROOT / file).read_text()
        found = list(images_of(text))
        assert found, file
        once = pinned(text, dict.fromkeys(found, DIGEST))
        assert once.count(DIGEST) == len(found)
        assert pinned(once, dict.fromkeys(found, OTHER)) == once.replace(DIGEST, OTHER)
        # Nothing else is another, and what has no tag is ours.
        assert re.sub(r"@sha256:[0-9a-f]{64}", "", once) == re.sub(r"@sha256:[0-9a-f]{64}", "", text)
        named = re.findall(r"^\s*(?:-\s+)?image:\s*(\S+)|^FROM\s+(\S+)", once, re.M)
        assert {image or base for image, base in named if "@" not in (image or base)} <= {"sigmasight"}


def test_files_that_name_images_of_others_are_all_known() -> None:
    files = [ROOT / "docker-compose.yml", ROOT / "deploy/Dockerfile", *(ROOT / "deploy").rglob("*.yaml")]
    naming = {str(file.relative_to(ROOT)) for file in files if list(images_of(file.read_text()))}
    assert naming == set(_FILES)


def test_no_file_is_changed_where_one_image_is_unknown(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("image: postgres:18\n")
    second.write_text("FROM python:3.13-slim AS build\n")

    def digest_of(image: Image) -> str:
        if image.name == "library/python":
            raise NoDigest("it is away")
        return DIGEST

    with pytest.raises(NoDigest):
        pin([first, second], digest_of)
    assert (first.read_text(), second.read_text()) == ("image: postgres:18\n", "FROM python:3.13-slim AS build\n")
    pin([first, second], lambda _: DIGEST)
    assert first.read_text() == f"image: postgres:18@{DIGEST}\n"
    assert second.read_text() == f"FROM python:3.13-slim@{DIGEST} AS build\n"
