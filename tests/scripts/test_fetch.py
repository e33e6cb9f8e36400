"""`scripts/fetch.py`: where files come from and what is left when they do not come."""

import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import srsly
from download import Network
from fetch import app, fetch
from source import read_source
from typer.testing import CliRunner

from spacy_attnner.errors import UserError

FILES = {"one/a.txt": b"alpha " * 50_000, "two/b.txt": b"beta " * 50_000}
SCRIPT = str(Path(__file__).parents[2] / "scripts/fetch.py")
ENV = {**os.environ, "PYTHONSAFEPATH": ""}  # it would hide what is beside a script
A, B = "assets/one/a.txt", "assets/two/b.txt"


def files_of(project: Path) -> set[str]:
    """What lies below assets/ apart from the sample, temporary files included."""
    found = {
        str(path.relative_to(project))
        for path in (project / "assets").rglob("*")
        if path.is_file()
    }
    return {name for name in found if "/sample/" not in name}


def unboxed(text: str) -> str:
    """The text of a box on one line."""
    return " ".join(text.replace("##", "").split())


class Bad(BaseHTTPRequestHandler):
    """Answers with the first half of what it announces."""

    body = b"half"
    announced = 2 * len(body)
    status = 200

    def do_GET(self):
        self.send_response(self.status)
        self.send_header("Content-Length", str(self.announced))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format, *args):
        pass


class Missing(Bad):
    status = 404


class Other(Bad):
    body = b"some other file"
    announced = len(body)


@pytest.mark.parametrize("over_http", [False, True])
def test_mirror(make_project, mirror, serve, closed_port, quick, over_http):
    project = make_project(closed_port)
    origin = serve(mirror) + "/" if over_http else str(mirror)
    source = fetch(project, "auto", origin, quick)
    assert source["corpus"] == "conll"
    assert files_of(project) == {A, B}
    assert (project / A).read_bytes() == (mirror / "one/a.txt").read_bytes()
    assert read_source(project / "corpus/SOURCE.json") == source
    assert str(mirror) not in (project / "corpus/SOURCE.json").read_text()


def test_public_address(make_project, mirror, serve, quick):
    project = make_project(serve(mirror))
    assert fetch(project, "auto", "", quick)["corpus"] == "conll"
    assert files_of(project) == {A, B}


def test_source_does_not_tell_the_mirror(make_project, mirror, closed_port, quick):
    project = make_project(closed_port)
    fetch(project, "conll", str(mirror), quick)
    before = (project / "corpus/SOURCE.json").read_bytes()
    fetch(project, "auto", "", quick)
    assert (project / "corpus/SOURCE.json").read_bytes() == before
    files = json.loads(before)["files"]
    assert set(files) == {A, B}


def test_complete_files_are_kept(make_project, mirror, closed_port, quick):
    project = make_project(closed_port)
    fetch(project, "conll", str(mirror), quick)
    stamp = (project / A).stat().st_mtime_ns
    (project / B).write_text("changed")
    fetch(project, "conll", str(mirror), quick)
    assert (project / A).stat().st_mtime_ns == stamp
    assert (project / B).read_bytes() == (mirror / "two/b.txt").read_bytes()


def test_mirror_without_a_file(make_project, mirror, closed_port, quick):
    project = make_project(closed_port)
    (mirror / "two/b.txt").unlink()
    with pytest.raises(UserError, match=r"mirror folder/two/b\.txt cannot be read"):
        fetch(project, "auto", str(mirror), quick)
    assert not (project / "corpus").exists()


@pytest.mark.parametrize("bad_mirror", ["no/such/folder", "ftp://example.org/x"])
def test_no_mirror_at_all(make_project, closed_port, quick, bad_mirror):
    with pytest.raises(UserError, match="neither a folder nor"):
        fetch(make_project(closed_port), "auto", bad_mirror, quick)


def test_wrong_checksum_in_a_folder(make_project, mirror, closed_port, quick):
    project = make_project(closed_port)
    (mirror / "one/a.txt").write_bytes(b"alpha")
    with pytest.raises(UserError) as caught:
        fetch(project, "auto", str(mirror), quick)
    md5 = "2c1743a391305fbf367df8e4f069f9f9"
    for part in ("a.txt", "expected", f"5 bytes with MD5 {md5}", "nothing of it"):
        assert part in str(caught.value)
    assert files_of(project) == set()


@pytest.mark.parametrize(
    ("handler", "said"),
    [
        (Bad, r"cannot be fetched|found 4 bytes with MD5"),
        (Other, r"found 15 bytes with MD5"),
        (Missing, r"answers with HTTP status 404"),
    ],
)
def test_bad_server(make_project, serve, closed_port, quick, handler, said):
    project = make_project(closed_port)
    with pytest.raises(UserError, match=said) as caught:
        fetch(project, "auto", serve(handler), quick)
    assert "/one/a.txt" in str(caught.value)
    assert "--vars.corpus sample" in str(caught.value)
    assert files_of(project) == set()
    assert not (project / "corpus").exists()


def test_a_failure_of_the_moment_is_tried_again(make_project, serve, mirror, quick):
    class Flaky(Bad):
        calls = 0

        def do_GET(self):
            type(self).calls += 1
            if self.calls % 2:
                self.send_error(503)
                return
            self.body = (mirror / self.path.lstrip("/")).read_bytes()
            self.announced = len(self.body)
            super().do_GET()

    project = make_project("http://127.0.0.1:1")
    assert fetch(project, "conll", serve(Flaky), quick)["corpus"] == "conll"
    assert Flaky.calls == 4


@pytest.mark.parametrize("kind", ["closed_port", "silent_port"])
def test_auto_takes_the_sample_in_time(make_project, quick, capsys, request, kind):
    project = make_project(request.getfixturevalue(kind))
    start = time.monotonic()
    source = fetch(project, "auto", "", quick)
    assert time.monotonic() - start < quick.probe + 1
    assert source["corpus"] == "sample"
    assert read_source(project / "corpus/SOURCE.json") == source
    shown = capsys.readouterr().out
    assert "GOING ON WITH THE BUNDLED SAMPLE" in shown
    assert "--vars.mirror DIR-or-URL" in shown
    assert "/one/a.txt cannot be" in unboxed(shown) or kind == "silent_port"


def test_auto_takes_the_sample_if_the_files_are_not_the_ones(
    make_project, serve, quick, capsys
):
    project = make_project(serve(Other))
    assert fetch(project, "auto", "", quick)["corpus"] == "sample"
    assert "found 15 bytes with MD5" in unboxed(capsys.readouterr().out)
    assert files_of(project) == set()


@pytest.mark.parametrize("kind", ["closed_port", "silent_port"])
def test_conll_says_what_to_do(make_project, quick, request, kind):
    project = make_project(request.getfixturevalue(kind))
    with pytest.raises(UserError) as caught:
        fetch(project, "conll", "", quick)
    for way in ("--vars.mirror", "spacy project assets", "--vars.corpus sample"):
        assert way in str(caught.value)
    assert not (project / "corpus").exists()


def test_command_exits_with_1(make_project, closed_port):
    project = make_project(closed_port)
    result = CliRunner().invoke(app, [str(project), "--corpus=conll"])
    assert result.exit_code == 1
    assert "--vars.mirror DIR-or-URL" in result.output


def test_the_default_limits_leave_time_to_start():
    assert Network().probe <= 10


def test_sample_needs_no_network(make_project, monkeypatch):
    import requests

    monkeypatch.setattr(requests, "get", None)
    project = make_project("http://127.0.0.1:1")
    source = fetch(project, "sample")
    assert set(source["files"]) == {
        f"assets/sample/{split}.jsonl" for split in ("train", "dev", "test")
    }
    assert source["licence"] == "CC0-1.0"


def test_incomplete_sample(make_project):
    project = make_project("http://127.0.0.1:1")
    (project / "assets/sample/dev.jsonl").unlink()
    with pytest.raises(UserError, match=r"dev\.jsonl of the bundled sample"):
        fetch(project, "sample")


def test_killed_in_the_middle(make_project, serve, mirror, closed_port, quick):
    class Stalling(Bad):
        def do_GET(self):
            self.body = (mirror / self.path.lstrip("/")).read_bytes()
            self.announced = len(self.body)
            if self.path.endswith("b.txt"):
                self.body = self.body[:100_000]
            super().do_GET()
            if len(self.body) < self.announced:
                self.wfile.flush()
                time.sleep(3)

    project = make_project(closed_port)
    command = [SCRIPT, str(project), "--mirror", serve(Stalling)]
    process = subprocess.Popen([sys.executable, *command], env=ENV)
    deadline = time.monotonic() + 20
    while not any(p.stat().st_size for p in project.glob("assets/two/.*/new")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert (project / A).is_file()
    assert not (project / B).exists()
    assert not (project / "corpus").exists()
    fetch(project, "conll", str(mirror), quick)
    assert files_of(project) == {A, B}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "there is no project.yml"),
        ("assets: [", "not valid YAML"),
        ("title: t", "lists no assets"),
        ("assets: [{dest: ../x, url: u, checksum: c}]", "does not lie below assets/"),
        ("assets: [{dest: assets/a/b, url: u, checksum: 12}]", "MD5 checksum"),
    ],
)
def test_bad_project_file(tmp_path, text, said):
    if text is not None:
        (tmp_path / "project.yml").write_text(text)
    with pytest.raises(UserError, match=said):
        fetch(tmp_path)


def test_unknown_corpus(make_project):
    with pytest.raises(UserError, match=r"'ontonotes'(?s:.*)auto, conll, sample"):
        fetch(make_project("http://127.0.0.1:1"), "ontonotes")


def describe(project: Path, **more) -> None:
    """Say in project.yml what the assets are, and something else of the first."""
    config = srsly.read_yaml(project / "project.yml")
    for asset, content in zip(config["assets"], FILES.values(), strict=True):
        asset["size"] = len(content)
        asset["sha256"] = hashlib.sha256(content).hexdigest()
    config["assets"][0].update(more)
    srsly.write_yaml(project / "project.yml", config)


class Endless(Bad):
    """Sends more and more, without a length."""

    sent = 0

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        for _ in range(10_000):
            try:
                self.wfile.write(b"alpha " * 10_000)
            except OSError:
                return
            type(self).sent += 60_000


class TooLong(Bad):
    """Announces more than it should have, and would send it."""

    announced = 10**12


def test_sizes_and_sha256(make_project, mirror, closed_port, quick):
    project = make_project(closed_port)
    describe(project)
    assert fetch(project, "conll", str(mirror), quick)["corpus"] == "conll"
    stamp = (project / A).stat().st_mtime_ns
    fetch(project, "conll", str(mirror), quick)
    assert (project / A).stat().st_mtime_ns == stamp


@pytest.mark.parametrize("served", [True, False])
def test_what_goes_on_behind_it(
    make_project, serve, mirror, closed_port, quick, served
):
    content = FILES["one/a.txt"]
    own = {"longer": True, "md5": hashlib.md5(content).hexdigest()}
    project = make_project(closed_port)
    describe(project, checksum="0" * 32, **own)  # spaCy's is of all that is there
    (mirror / "one/a.txt").write_bytes(content + b"and more" * 100_000)
    origin = serve(mirror) if served else str(mirror)
    fetch(project, "conll", origin, quick)
    assert (project / A).read_bytes() == content
    (project / A).unlink()
    (mirror / "one/a.txt").write_bytes(content[:-1])
    with pytest.raises(UserError, match="found 299,999 bytes"):
        fetch(project, "conll", origin, quick)


@pytest.mark.parametrize("handler", [Endless, TooLong])
def test_more_than_expected_is_not_read(
    make_project, serve, closed_port, quick, handler
):
    project = make_project(closed_port)
    describe(project)
    with pytest.raises(UserError, match="expected a file of 300,000 bytes") as caught:
        fetch(project, "conll", serve(handler), quick)
    assert "found more bytes" in str(caught.value) or handler is TooLong
    assert Endless.sent < 20_000_000  # what lies in the sockets' buffers
    assert files_of(project) == set()


def test_an_endless_file_in_a_folder(make_project, mirror, closed_port, quick):
    project = make_project(closed_port)
    describe(project)
    for path, said in (("/dev/zero", "is no ordinary file"), ("fifo", "is no ordin")):
        (mirror / "one/a.txt").unlink()
        if path == "fifo":
            os.mkfifo(mirror / "one/a.txt")
        else:
            (mirror / "one/a.txt").symlink_to(path)
        with pytest.raises(UserError, match=said):
            fetch(project, "conll", str(mirror), quick)
    assert files_of(project) == set()


def test_the_same_md5_is_not_enough(make_project, mirror, closed_port, quick):
    project = make_project(closed_port)
    describe(project, sha256="0" * 64)
    with pytest.raises(UserError, match=f"and SHA-256 {'0' * 64}, found") as caught:
        fetch(project, "conll", str(mirror), quick)
    assert hashlib.sha256(FILES["one/a.txt"]).hexdigest() in str(caught.value)
    assert files_of(project) == set()


@pytest.mark.parametrize(
    "entry", [{"size": -1}, {"size": "9"}, {"sha256": "ab"}, {"longer": "yes"}]
)
def test_bad_sizes_and_checksums(make_project, quick, entry):
    project = make_project("http://127.0.0.1:1")
    describe(project, **entry)
    with pytest.raises(UserError, match=str(next(iter(entry.values())))):
        fetch(project, "auto", "", quick)


SECRETS = [
    "http://user:s3cret@{host}/x",
    "HTTP://s3cret@{host}",
    "https://{host}/x?token=s3cret",
    "https://{host}#s3cret",
    "https://user:s3cret@[bad",
    "ftp://user:s3cret@{host}/x",
    "user:s3cret@{host}:/x",
]


@pytest.mark.parametrize("mirror", SECRETS)
@pytest.mark.parametrize("there", [False, True])
def test_a_password_is_refused_and_not_repeated(
    make_project, closed_port, mirror, there
):
    """weasel keeps the scripts of steps that succeed in project.lock."""
    project = make_project(closed_port)
    if there:
        for name, content in FILES.items():
            (project / "assets" / name).parent.mkdir()
            (project / "assets" / name).write_bytes(content)
    url = mirror.format(host=closed_port.removeprefix("http://"))
    result = CliRunner().invoke(app, [str(project), "--mirror", url])
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert "s3cret" not in result.output
    assert not (project / "corpus").exists()


def test_a_password_of_netrc_is_sent(
    make_project, serve, mirror, closed_port, quick, tmp_path, monkeypatch
):
    class Guarded(Bad):
        def do_GET(self):
            good = base64.b64encode(b"user:s3cret").decode()
            if self.headers.get("Authorization") != f"Basic {good}":
                self.status = 401
            self.body = (mirror / self.path.lstrip("/")).read_bytes()
            self.announced = len(self.body)
            super().do_GET()

    project, address = make_project(closed_port), serve(Guarded)
    with pytest.raises(UserError, match="HTTP status 401"):
        fetch(project, "conll", address, quick)
    host = address.removeprefix("http://").partition(":")[0]
    (tmp_path / "netrc").write_text(f"machine {host} login user password s3cret\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert fetch(project, "conll", address, quick)["corpus"] == "conll"


def test_schemes_are_case_insensitive(make_project, mirror, serve, closed_port, quick):
    project = make_project(closed_port)
    origin = serve(mirror).replace("http://", "HTTP://")
    assert fetch(project, "conll", origin, quick)["corpus"] == "conll"
