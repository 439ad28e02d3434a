"""The server's image, without Docker: its Dockerfile is read, and its steps are carried out in folders."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from makers import draw_design, week
from web_makers import TOKEN

from .conftest import ROOT
from .dockerfile import Instruction, copied, is_ignored, read_patterns, read_stages

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the image is made for Linux")
STAGES = read_stages(ROOT / "Dockerfile")
PATTERNS = read_patterns(ROOT / ".dockerignore")
PORT = 8765


def values(stage: list[Instruction], name: str) -> list[str]:
    return [instruction.value for instruction in stage if instruction.name == name]


def test_every_file_that_is_copied_exists_and_reaches_the_builder() -> None:
    sources = [source for stage in STAGES for group, _ in copied(stage) for source in group]
    assert len(sources) > 5
    for source in sources:
        assert (ROOT / source).exists()
        assert not is_ignored(source, PATTERNS)
    assert not is_ignored("patsearch/encoder/weights/lite0-drawings.onnx", PATTERNS)


@pytest.mark.parametrize(
    "path",
    [".env", ".git/config", ".venv/bin/python", "tests/makers.py", "docs/images/demo.png", "demo-out/index/index.json",
     "patsearch/__pycache__/a.pyc", "patsearch/cli/__pycache__/b.pyc", "tools/checkpoints/sixth-run.safetensors"],
)  # fmt: skip
def test_nothing_else_reaches_the_builder(path: str) -> None:
    assert is_ignored(path, PATTERNS)


def test_the_image_is_made_of_two_stages_and_runs_without_root_and_without_secrets() -> None:
    first, last = STAGES
    assert values(first, "FROM")[0].endswith(" AS build")
    assert values(last, "COPY")[0].startswith("--from=build ")
    (user,) = values(last, "USER")
    assert int(user) > 0
    names = [instruction.name for instruction in last]
    assert names.index("USER") > max(i for i, name in enumerate(names) if name == "RUN")
    assert not [i for stage in STAGES for i in stage if i.name == "ADD" or (i.name == "RUN" and "http" in i.value)]
    text = (ROOT / "Dockerfile").read_text().upper()
    for stage in STAGES:
        for kind in ("ARG", "ENV"):
            assert not re.search(r"TOKEN|KEY|SECRET|PASSWORD", " ".join(values(stage, kind)).upper())
    assert "CURL" not in text
    assert values(last, "EXPOSE") == [str(PORT)]
    assert f"--port {PORT} " in (ROOT / "docker" / "entrypoint.sh").read_text()
    (entry,) = values(last, "ENTRYPOINT")
    assert any(target.endswith(f"/{json.loads(entry)[0]}") for _, target in copied(last))


def test_the_image_reads_every_kind_of_query_but_step() -> None:
    installed = re.search(r"\[([a-z,]+)\]\"$", " ".join(values(STAGES[0], "RUN")))
    assert installed is not None
    assert set(installed[1].split(",")) == {"web", "qdrant", "models", "heic", "svg"}
    assert "NUMBA_CACHE_DIR=/tmp/" in " ".join(values(STAGES[1], "ENV")), "the image cannot be written"


@pytest.fixture
def entrypoint(tmp_path: Path) -> list[str]:
    """The entry point with a `patsearch` that prints its arguments."""
    (tmp_path / "patsearch").write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
    (tmp_path / "patsearch").chmod(0o755)
    return ["env", "-i", f"PATH={tmp_path}:/usr/bin:/bin"]


def start(entrypoint: list[str], *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    given = [f"{name}={value}" for name, value in environment.items()]
    command = [*entrypoint, *given, str(ROOT / "docker" / "entrypoint.sh"), *words]
    return subprocess.run(command, text=True, capture_output=True, check=False)


def test_the_container_listens_to_others_only_with_a_token_or_when_told(entrypoint: list[str]) -> None:
    refused = start(entrypoint, "serve")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("patsearch: PATSEARCH_TOKEN is not set.")
    assert refused.stderr.count("\n") == 1
    assert start(entrypoint, "serve", PATSEARCH_OPEN="0").returncode == 2
    expected = f"serve|--host|0.0.0.0|--port|{PORT}|--allow-host|a.example|"
    for environment in ({"PATSEARCH_TOKEN": TOKEN}, {"PATSEARCH_OPEN": "1"}):
        started = start(entrypoint, "serve", "--allow-host", "a.example", **environment)
        assert (started.returncode, started.stdout) == (0, expected)


def test_the_container_runs_every_other_command(entrypoint: list[str]) -> None:
    assert start(entrypoint, "ingest", "/weeks of 2021", "--url", "http://qdrant:6333").stdout == (
        "ingest|/weeks of 2021|--url|http://qdrant:6333|"
    )


def test_compose_starts_both_servers_for_this_machine_alone() -> None:
    yaml = pytest.importorskip("yaml", reason="needs PyYAML: pip install 'patsearch[test]'")
    from patsearch.backends.qdrant.address import API_KEY

    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())
    cluster = yaml.safe_load((ROOT / "compose.cluster.yaml").read_text())
    services = compose["services"]
    assert set(services) == {"patsearch", "qdrant"}
    assert services["qdrant"]["image"] == cluster["x-node"]["image"]
    for service in (*services.values(), *cluster["services"].values()):
        for port in service["ports"]:
            assert re.match(r"\$\{\w+_BIND:-127\.0\.0\.1\}:\d+:\d+$", port)
    server = services["patsearch"]
    assert server["build"] == "."
    assert server["read_only"]
    assert server["ports"][0].endswith(f":{PORT}")
    # Secrets are passed on from the environment; none is written down.
    servers = {"PATSEARCH_SERVERS": "http://qdrant:6333"}
    assert server["environment"] == {"PATSEARCH_TOKEN": None, API_KEY: "${QDRANT__SERVICE__API_KEY:-}", **servers}
    assert services["qdrant"]["environment"]["QDRANT__SERVICE__API_KEY"] is None
    named = {volume.partition(":")[0] for service in services.values() for volume in service["volumes"]}
    assert named == set(compose["volumes"])


# ---------------------------------------------------------------------- the image's contents, built and run


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Root folder of what the first stage makes: its COPY and RUN instructions are carried out below a folder."""
    if "PATSEARCH_IMAGE" not in os.environ:
        pytest.skip("installs 500 MB of packages from an index: set PATSEARCH_IMAGE=1")
    root = tmp_path_factory.mktemp("image")
    tools = root / "bin"
    tools.mkdir()
    (tools / "python").symlink_to(sys.executable)
    first = STAGES[0]
    (workdir,) = values(first, "WORKDIR")
    for sources, target in copied(first):
        for source in sources:
            for path in _files(source):
                to = root / workdir.strip("/") / (target if (ROOT / source).is_dir() else f"{target}/{path.name}")
                to = to / path.relative_to(ROOT / source) if (ROOT / source).is_dir() else to
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, to)
    environment = {"PATH": f"{tools}:{os.environ['PATH']}", "HOME": str(root), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    environment |= {key: value for key, value in os.environ.items() if key.startswith(("PIP_", "SSL_", "HTTP"))}
    for command in values(first, "RUN"):
        inside = re.sub(r"(?<![\w/])/(dist|opt)\b", rf"{root}/\1", command)
        done = subprocess.run(
            ["sh", "-euc", inside],
            cwd=root / workdir.strip("/"),
            env=environment,
            text=True,
            capture_output=True,
            check=False,
        )
        if re.search(r"NewConnectionError|NameResolutionError|Temporary failure in name", done.stderr + done.stdout):
            pytest.skip("needs a package index to install from")
        assert done.returncode == 0, done.stderr[-3000:]
    return root


def _files(source: str) -> Iterator[Path]:
    path = ROOT / source
    for found in [path] if path.is_file() else sorted(path.rglob("*")):
        if found.is_file() and not is_ignored(found.relative_to(ROOT).as_posix(), PATTERNS):
            yield found


# What the slim image of Python has; packages bring their other libraries with them.
_OF_THE_SYSTEM = r"(ld-linux[\w-]*|lib(c|m|dl|rt|pthread|gcc_s|stdc\+\+|z))\.so(\.\d+)*"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("readelf") is None, reason="needs readelf: apt-get install binutils")
def test_the_image_lacks_no_library(image: Path) -> None:
    files = [str(path) for path in (image / "opt").rglob("*.so*") if path.is_file()]
    found = subprocess.run(["readelf", "--dynamic", *files], text=True, capture_output=True, check=True).stdout
    needed = set(re.findall(r"\(NEEDED\).*\[(.+)\]", found))
    assert "libc.so.6" in needed
    missing = needed - {Path(file).name for file in files}
    assert [name for name in missing if not re.fullmatch(_OF_THE_SYSTEM, name)] == []


# Runs inside the namespace: a server, the image's own health check, one search; then what cannot be reached.
_DRIVER = """
import fcntl, json, os, socket, struct, subprocess, sys, time, urllib.request
serve, health, picture, token = json.loads(sys.argv[1])
with socket.socket() as any_socket:  # the namespace begins with its loopback down
    if os.geteuid() == 0:
        try:
            fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 0x49))
        except PermissionError:
            pass
server = subprocess.Popen(serve, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
try:
    until = time.monotonic() + 90
    while subprocess.run(health, capture_output=True).returncode:
        assert server.poll() is None, server.stderr.read()
        assert time.monotonic() < until, "the health check never passed"
        time.sleep(0.2)
    with open(picture, "rb") as file:
        part = (b'--x\\r\\nContent-Disposition: form-data; name="image"; filename="a.png"\\r\\n'
                b'Content-Type: image/png\\r\\n\\r\\n' + file.read() + b'\\r\\n--x--\\r\\n')
    address = "http://127.0.0.1:8765/api/v1/search"
    headers = {"Content-Type": "multipart/form-data; boundary=x", "Host": "a.example"}
    headers["Authorization"] = f"Bearer {token}"
    answer = json.load(urllib.request.urlopen(urllib.request.Request(address, part, headers), timeout=60))
    try:
        socket.create_connection(("192.0.2.1", 80), timeout=3)
        outside = "reached"
    except OSError as error:
        outside = type(error).__name__
    print(json.dumps({"hits": [hit["patent"] for hit in answer["hits"]], "outside": outside}))
finally:
    server.terminate()
    server.wait(30)
assert subprocess.run(health, capture_output=True).returncode, "the health check passes without a server"
"""

# Where no network namespace can be had: every Python process refuses other addresses than the loopback's.
_GUARD = """
import sys
def guard(event, arguments):
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        if arguments[1][0] not in ("127.0.0.1", "0.0.0.0", "::1", "localhost"):
            raise OSError("no network: " + repr(arguments[1]))
sys.addaudithook(guard)
"""


@pytest.mark.slow
def test_the_image_answers_without_a_network_and_without_root(image: Path, tmp_path: Path) -> None:
    python = image / "opt" / "patsearch" / "bin" / "python"
    patsearch = python.with_name("patsearch")
    index, picture = tmp_path / "index", tmp_path / "query.png"
    archive = week(tmp_path / "w", range(3))
    clean = {"PATH": f"{python.parent}:/usr/bin:/bin", "HOME": "/nonexistent", "PATSEARCH_TOKEN": TOKEN}
    subprocess.run([patsearch, "ingest", archive, "--index", index, "--workers", "1"], env=clean, check=True)
    draw_design(1, 0).save(picture)
    for path in (index, *index.rglob("*")):  # as it is mounted
        path.chmod(path.stat().st_mode & 0o555)
    (check,) = values(STAGES[1], "HEALTHCHECK")
    health = ast.literal_eval(check.partition("CMD ")[2])
    serve = [str(ROOT / "docker" / "entrypoint.sh"), "serve", "--index", str(index), "--workers", "1"]
    serve += ["--allow-host", "a.example"]
    rights = ["setpriv", "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"]
    if _works(rights):  # root may no longer write what it is not allowed to
        serve = [*rights, *serve]
    space = next(filter(_works, (["unshare", "--net"], ["unshare", "--map-root-user", "--net"])), [])
    if not space:
        (tmp_path / "guard").mkdir()
        (tmp_path / "guard" / "sitecustomize.py").write_text(_GUARD)
        clean["PYTHONPATH"] = str(tmp_path / "guard")
    told = json.dumps([serve, health, str(picture), TOKEN])
    done = subprocess.run(
        [*space, str(python), "-c", _DRIVER, told], env=clean, cwd="/", text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["hits"][0] == "USD900001"
    assert answer["outside"] != "reached"
    packages = {path.name for path in (image / "opt" / "patsearch" / "lib").glob("python3*/site-packages/*")}
    assert {"patsearch", "onnxruntime", "uvicorn", "qdrant_client"} <= packages
    assert not {"torch", "timm", "pytest"} & packages


def _works(prefix: list[str]) -> bool:
    found = shutil.which(prefix[0])
    return bool(found) and subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0
