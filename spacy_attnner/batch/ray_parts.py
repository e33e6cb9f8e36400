"""Parts made on a cluster, by Ray Data: the engine "ray" of `spacy attn apply`.

    one reader of the inputs ──parts──► an actor with a pipeline for each core or GPU
      ──a part file on the shared disk──► what there was, to the process that began it

Ray keeps as many parts on their way as its actors can take, makes those again that went
with a worker or a node, and starts new actors. Inputs, pipeline and output lie where
every node reads and writes them under the same path. Ray is imported when it is used.
"""

import logging
import os
import pickle
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from ..atomic import writing
from ..errors import UserError, import_extra
from ..texts.row_stream import Part
from .annotator import TEMPORARY, Annotator, Done
from .processes import ATTEMPTS, DIED, Recipe, make_deadly_part

LOCAL = "local"  # Ray's address for a cluster that is begun here and ends with the run
PATIENCE = 10  # seconds, with a machine that does not answer
THREADS = ("StreamingExecutor", "iter_threaded")  # of Ray Data, which use a connection
COLUMN = "content"  # of the tables of one row that travel
# read by Ray as it is imported: no usage statistics, none of its own errors on stderr,
# no new connection for a thread that outlives the one it was begun with
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_ENABLE_AUTO_CONNECT": "0",
}


class Cluster(NamedTuple):
    """Where parts are made.

    address: Of a Ray cluster; if None, what RAY_ADDRESS says, or one that is begun for
        the run on this machine.
    n_actors: How many pipelines are loaded; -1 for one a GPU, or one a core.
    gpu: Whether each has a GPU.
    """

    address: str | None
    n_actors: int
    gpu: bool


def make_parts_on_ray(
    recipe: Recipe, parts: Iterable[Part], cluster: Cluster
) -> Iterator[Done]:
    """Annotate parts on a cluster; they are returned as they are finished.

    recipe, parts: They go through pickle; the parts are iterated on some node, and from
        the beginning again if that is lost.

    A row that always takes its worker with it fails, as in `make_parts`.

    Raises UserError if there is no such cluster, it lacks what an actor needs, or
    workers die of no single rows, and what an annotator or a reader raises.
    """
    ray = import_ray()
    with _connected(ray, cluster.address):
        n_actors, resources = _shares(ray, cluster)
        with _settings(ray):
            found = _read(ray, parts).map_batches(
                _Actor,
                fn_constructor_args=(recipe,),
                batch_size=1,
                batch_format="pyarrow",
                compute=ray.data.ActorPoolStrategy(size=n_actors),
                **resources,
            )
            with _ended_threads(), _said(ray):
                for batch in found.iter_batches(batch_size=1, batch_format="pyarrow"):
                    yield _checked(_unpacked(batch))


def import_ray() -> Any:
    """Ray with its Data library; raises UserError where it is not installed."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    import_extra("ray.data", "ray", "--engine ray")
    return import_extra("ray", "ray", "--engine ray")


class _Actor:
    """A pipeline in a worker process of the cluster.

    What a user can mend travels as a result, which Ray neither tries again nor wraps.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.annotator: Annotator | None = None

    def __call__(self, batch: Any) -> Any:
        try:
            self.annotator = self.annotator or self.recipe.make()
            part = _checked(_unpacked(batch))
            with _begun(self.annotator.folder, part) as n:
                if n > ATTEMPTS:
                    return _packed(make_deadly_part(self.recipe, part))
                return _packed(self.annotator(part))
        except UserError as error:
            return _packed(error)


@contextmanager
def _begun(folder: Path, part: Part) -> Iterator[int]:
    """How often a part was begun: once, and again where a worker died of it.

    Ray's own count has calls in it that a lost node never got. This one lies on the
    disk, among the unfinished files, which the next run removes.

    Raises UserError for a part that is not the one that workers die of.
    """
    path = folder / f"{TEMPORARY}{part.number}.begun"
    with writing(folder), path.open("ab") as file:
        file.write(b".")
        n = file.tell()
    if n > 2 * ATTEMPTS:
        raise UserError(
            f"a worker of the cluster died {n - 1} times with the same part, the texts "
            f"from {part.rows[0].place} to {part.rows[-1].place}",
            DIED,
        )
    yield n
    path.unlink(missing_ok=True)


def _packed_parts(parts: Iterable[Part]) -> Iterator[Any]:
    try:
        yield from map(_packed, parts)
    except UserError as error:
        yield _packed(error)


def _checked(content: Any) -> Any:
    """Raises the UserError that a reader or an actor has sent."""
    if isinstance(content, UserError):
        raise content
    return content


def _packed(content: Part | Done | UserError) -> Any:
    """A table of one row, whose content is bytes that Arrow does not look into."""
    import pyarrow

    return pyarrow.table({COLUMN: pyarrow.array([pickle.dumps(content)], "binary")})


def _unpacked(table: Any) -> Any:
    return pickle.loads(table[COLUMN][0].as_py())


def _read(ray: Any, parts: Iterable[Part]) -> Any:
    """A dataset of parts, from one reader: where a part ends, the next begins."""

    class Parts(ray.data.Datasource):
        def get_name(self) -> str:
            return "Parts"

        def estimate_inmemory_data_size(self) -> None:
            return None

        def get_read_tasks(self, *_: object, **__: object) -> list:
            unknown = ray.data.block.BlockMetadata(
                num_rows=None, size_bytes=None, input_files=None, exec_stats=None
            )
            return [ray.data.ReadTask(lambda: _packed_parts(parts), unknown)]

    # a core of its own would be one that no actor gets
    return ray.data.read_datasource(Parts(), override_num_blocks=1, num_cpus=0)


def _shares(ray: Any, cluster: Cluster) -> tuple[int, dict[str, int]]:
    """How many actors there are, and what each of them gets: a core, or a GPU."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    what = "GPU" if cluster.gpu else "CPU"
    n = sum(int(node.get(what, 0)) for node in nodes)
    asked = max(1, cluster.n_actors)
    if n < asked:
        raise UserError(
            f"the cluster has {n} {what}s for {asked} pipelines",
            "Lower --n-process, or add nodes: ray start --address HEAD.",
        )
    n_actors = n if cluster.n_actors < 0 else cluster.n_actors
    return n_actors, {"num_gpus" if cluster.gpu else "num_cpus": 1}


@contextmanager
def _connected(ray: Any, address: str | None) -> Iterator[None]:
    """A connection to a cluster, the caller's if there is one."""
    if ray.is_initialized():
        yield
        return
    address = address or os.environ.get("RAY_ADDRESS") or LOCAL
    try:
        _check_reachable(address)
        ray.init(
            address,
            include_dashboard=False if address == LOCAL else None,
            logging_level=logging.ERROR,
            log_to_driver=False,
        )
    except Exception as error:
        raise UserError(
            f"Ray cannot be reached at {address}: {error}",
            "Begin a cluster with `ray start --head` and give its address, or leave "
            "out --ray-address for one on this machine alone.",
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _check_reachable(address: str) -> None:
    """Raises OSError at once where Ray would try for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host, int(port)), PATIENCE).close()


@contextmanager
def _settings(ray: Any) -> Iterator[None]:
    """Ray Data without bars and talk, and with a table of one row as a block."""
    context = ray.data.DataContext.get_current()
    ours = {
        "enable_progress_bars": False,
        "print_on_execution_start": False,
        "target_min_block_size": 1,
        "target_max_block_size": 1,
    }
    before = {name: getattr(context, name) for name in ours}
    logger = logging.getLogger("ray.data")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    for name, value in ours.items():
        setattr(context, name, value)
    try:
        yield
    finally:
        logger.setLevel(level)
        for name, value in before.items():
            setattr(context, name, value)


@contextmanager
def _ended_threads() -> Iterator[None]:
    """Wait for threads that use the connection after an iterator is closed: one that
    is left without it may take the process with it.
    """
    try:
        yield
    finally:
        until = time.monotonic() + PATIENCE
        for thread in threading.enumerate():
            if thread.name.startswith(THREADS):
                thread.join(max(0.0, until - time.monotonic()))


@contextmanager
def _said(ray: Any) -> Iterator[None]:
    """Raise what happened on some node as what it is."""
    try:
        yield
    except ray.exceptions.RayError as error:
        raise UserError(
            f"the cluster failed: {str(error).strip().splitlines()[-1]}",
            "Run the command again.",
        ) from error
