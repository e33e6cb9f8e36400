"""Ray's engine: several nodes, what the local engine writes, and what they survive."""

import os
import threading
import time
from collections.abc import Iterator

import pytest

from spacy_attnner.batch.processes import DEADLY
from spacy_attnner.batch.ray_parts import import_ray
from spacy_attnner.errors import UserError
from tests.batch.conftest import make_texts, read_jsonl

try:
    ray = import_ray()
except UserError as error:
    pytest.skip(str(error), allow_module_level=True)
cluster_utils = pytest.importorskip("ray.cluster_utils")
NODES = 3
MEMORY = 80 * 2**20  # of a node's object store, the least that it takes


@pytest.fixture(scope="module")
def cluster() -> Iterator:
    """Three nodes of a core each on this machine, of which the first begins runs."""
    made = cluster_utils.Cluster()
    for _ in range(NODES):
        made.add_node(num_cpus=1, object_store_memory=MEMORY, include_dashboard=False)
    yield made
    made.shutdown()


@pytest.fixture
def ray_apply(apply, cluster):
    """`apply` on the cluster."""

    def run(*paths, **options):
        return apply(*paths, engine="ray", ray_address=cluster.address, **options)

    return run


def test_the_same_bytes_as_from_one_process(rows, tmp_path, apply, ray_apply):
    one = apply(rows, tmp_path / "one.jsonl")
    some = ray_apply(rows, tmp_path / "ray.jsonl", n_process=2)
    assert (some.rows, some.words, some.parts) == (one.rows, one.words, one.parts)
    assert (tmp_path / "ray.jsonl").read_bytes() == (
        tmp_path / "one.jsonl"
    ).read_bytes()
    assert not ray.is_initialized()


def test_errors_of_nodes_are_said(difficult, tmp_path, ray_apply):
    pipeline, code = difficult
    source = tmp_path / "in.txt"
    source.write_text("explode\n" * 25)
    options = {"pipeline": pipeline, "code": code, "part_rows": 25}
    with pytest.raises(UserError, match="fails on all 25 texts"):
        ray_apply(source, tmp_path / "out.jsonl", **options)


def test_what_there_is_not(rows, tmp_path, apply, ray_apply):
    with pytest.raises(UserError, match="has 0 GPUs for 1 pipelines"):
        ray_apply(rows, tmp_path / "a.jsonl", gpu_id=0)
    with pytest.raises(UserError, match="CPUs for 99 pipelines"):
        ray_apply(rows, tmp_path / "b.jsonl", n_process=99)
    with pytest.raises(UserError, match="does not read stdin"):
        ray_apply("-", tmp_path / "c.jsonl")
    with pytest.raises(UserError, match=r"reached at 127\.0\.0\.1:1"):
        apply(rows, tmp_path / "d.jsonl", engine="ray", ray_address="127.0.0.1:1")


def test_lost_workers_and_nodes(difficult, tmp_path, cluster, apply, ray_apply):
    """A worker kills itself, then a node is lost: no row is, and none is doubled."""
    pipeline, code = difficult
    texts = make_texts(400)
    texts[50] = f"kill once {tmp_path / 'killed'}"
    texts[60] = "explode"
    (tmp_path / "in.txt").write_text("\n".join(texts))
    node = cluster.add_node(num_cpus=1, object_store_memory=MEMORY)

    def disturb() -> None:
        folder = tmp_path / "out"
        while len(list(folder.glob("part-*"))) < 2:
            time.sleep(0.05)
        cluster.remove_node(node, allow_graceful=False)

    thread = threading.Thread(target=disturb)
    thread.start()
    options = {"pipeline": pipeline, "code": code}
    done = ray_apply(tmp_path / "in.txt", tmp_path / "out", n_process=-1, **options)
    thread.join()
    assert (done.rows, done.failed) == (400, 1)
    parts = sorted((tmp_path / "out").glob("part-*"))
    found = [row["text"] for part in parts for row in read_jsonl(part)]
    assert found == texts[:60] + texts[61:]


def test_a_text_that_always_kills(difficult, tmp_path, apply, ray_apply):
    """It is left out, as by the local engine, and the rest goes on."""
    pipeline, code = difficult
    texts = make_texts(30)
    texts[17] = f"kill {tmp_path / 'always'}"
    source = tmp_path / "in.txt"
    source.write_text("\n".join(texts))
    options = {"pipeline": pipeline, "code": code}
    done = ray_apply(source, tmp_path / "ray.jsonl", **options)
    assert (done.rows, done.failed) == (30, 1)
    assert done.examples == (f"in.txt:18: {DEADLY}",)
    apply(source, tmp_path / "local.jsonl", n_process=2, **options)
    local = (tmp_path / "local.jsonl").read_bytes()
    assert (tmp_path / "ray.jsonl").read_bytes() == local
    left = {"errors.jsonl", "manifest.jsonl"}
    assert set(os.listdir(tmp_path / "ray.jsonl.run")) == left
