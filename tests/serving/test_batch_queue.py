"""What waits, what is read together, what is given up, and what is answered last."""

import asyncio
import gc
import socket
import threading
from collections.abc import Sequence

import pytest

from spacy_attnner.serving.batch_queue import BatchQueue, QueueFull, Ticket
from spacy_attnner.serving.batch_reader import Job, Outcome
from spacy_attnner.serving.limits import Bounds
from spacy_attnner.serving.meters import Meters

from .conftest import GATE, WAITS, eventually, metric


class Reader:
    """Remembers the batches that it was given; reads once its gate is open."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def read(self, jobs: Sequence[Job]) -> list[Outcome]:
        self.batches.append([job.text for job in jobs])
        await self.gate.wait()
        if jobs[0].text == "break":
            raise RuntimeError("broken")
        return [Outcome(job.text.upper()) for job in jobs]


def run(scenario, **bounds) -> list[list[str]]:
    """The batches of `scenario(queue, reader)`, which is given a queue that runs."""

    async def main() -> list[list[str]]:
        reader = Reader()
        queue = BatchQueue(reader.read, Bounds(**bounds), Meters())
        task = asyncio.create_task(queue.run())
        await scenario(queue, reader)
        queue.close()
        await asyncio.wait_for(task, 10)
        assert queue.n_texts == queue.chars == 0
        return reader.batches

    return asyncio.run(main())


def put(queue: BatchQueue, *texts: str) -> list[Ticket]:
    return queue.put([Job(text) for text in texts])


async def outcomes(tickets: list[Ticket]) -> list[str]:
    return [(await ticket.outcome).content for ticket in tickets]


def test_what_arrives_together_is_read_together():
    async def scenario(queue, reader):
        tickets = put(queue, "a", "b")
        await asyncio.sleep(0.02)
        tickets += put(queue, "c")
        assert await outcomes(tickets) == ["A", "B", "C"]

    assert run(scenario, patience=0.3) == [["a", "b", "c"]]


def test_a_full_batch_does_not_wait():
    async def scenario(queue, reader):
        tickets = put(queue, *"abcd")
        assert await asyncio.wait_for(outcomes(tickets), 5) == list("ABCD")

    assert run(scenario, patience=60, batch_texts=2) == [["a", "b"], ["c", "d"]]


def test_a_batch_is_bounded_by_characters():
    async def scenario(queue, reader):
        await outcomes(put(queue, "aaa", "b" * 20, "cc", "ddd"))

    expected = [["aaa"], ["b" * 20], ["cc", "ddd"]]
    assert run(scenario, patience=0, batch_chars=6) == expected


def test_explanations_are_read_alone():
    async def scenario(queue, reader):
        jobs = [Job("a"), Job("b", explain=True), Job("c"), Job("d")]
        await outcomes(queue.put(jobs))

    assert run(scenario) == [["a"], ["b"], ["c", "d"]]


def test_the_queue_is_bounded_by_texts_and_characters():
    async def scenario(queue, reader):
        reader.gate.clear()
        first = put(queue, "a")
        while queue.n_texts:
            await asyncio.sleep(0)
        rest = put(queue, "b", "c")
        with pytest.raises(QueueFull) as error:
            put(queue, "d", "e")
        assert 1 <= error.value.retry_after <= 60
        rest += put(queue, "d")
        with pytest.raises(QueueFull):
            put(queue, "e")
        queue.drop(rest[1:])
        with pytest.raises(QueueFull):
            put(queue, "f" * 10)
        rest[1:] = put(queue, "f" * 9)
        reader.gate.set()
        assert await outcomes(first + rest) == ["A", "B", "F" * 9]

    batches = run(scenario, queue_texts=3, queue_chars=10)
    assert batches == [["a"], ["b", "f" * 9]]


def test_what_is_given_up_is_not_read():
    async def scenario(queue, reader):
        tickets = put(queue, "a", "b", "c")
        queue.drop(tickets[1:2])
        tickets[1].outcome.cancel()
        queue.drop(tickets[1:2])
        assert await outcomes([tickets[0], tickets[2]]) == ["A", "C"]

    assert run(scenario, patience=0.05) == [["a", "c"]]


def test_a_reader_that_breaks_answers_and_goes_on():
    async def scenario(queue, reader):
        (found,) = await outcomes(put(queue, "break"))
        assert "RuntimeError: broken" in found
        assert await outcomes(put(queue, "b")) == ["B"]

    run(scenario)


def test_what_waits_at_the_end_is_read():
    async def scenario(queue, reader):
        scenario.tickets = put(queue, *"abc")

    assert run(scenario, patience=60, batch_texts=2) == [["a", "b"], ["c"]]
    assert [t.outcome.result().content for t in scenario.tickets] == ["A", "B", "C"]


def asking(client, text: str, answers: list) -> threading.Thread:
    """A thread that sends a text."""

    def ask() -> None:
        answers.append(client.post("/parse", json={"text": text}))

    thread = threading.Thread(target=ask)
    thread.start()
    return thread


def waiting(client) -> int:
    return client.get("/health").json()["waiting_texts"]


def test_a_full_queue_says_when_to_come_again(serve):
    client = serve(bounds=Bounds(queue_texts=2, patience=0))
    answers: list = []
    threads = [asking(client, "WAIT", answers)]
    assert WAITS.wait(20)
    threads += [asking(client, "Mira", answers) for _ in range(2)]
    eventually(lambda: waiting(client) == 2)
    answer = client.post("/parse", json={"text": "Nils"})
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert "the queue is full" in answer.json()["error"]
    GATE.set()
    for thread in threads:
        thread.join()
    assert [each.status_code for each in answers] == [200] * 3


def test_a_client_that_hangs_up_is_dropped(serve, caplog):
    client = serve(bounds=Bounds(patience=0))
    answers: list = []
    thread = asking(client, "WAIT", answers)
    assert WAITS.wait(20)
    with socket.create_connection((client.base_url.host, client.base_url.port)) as s:
        body = b'{"text": "FAIL never read"}'
        s.sendall(
            b"POST /parse HTTP/1.1\r\nhost: x\r\ncontent-length: 27\r\n\r\n" + body
        )
        eventually(lambda: waiting(client) == 1)
    eventually(lambda: waiting(client) == 0)
    GATE.set()
    thread.join()
    assert metric(client, 'attn_texts_total{outcome="dropped"}') == 1
    assert metric(client, 'attn_texts_total{outcome="read"}') == 1
    assert metric(client, 'attn_texts_total{outcome="failed"}') == 0
    eventually(lambda: metric(client, 'attn_requests_total{status="499"}') == 1)
    gc.collect()
    assert not caplog.records


def test_a_client_that_hangs_up_within_its_body(serve):
    client = serve()
    with socket.create_connection((client.base_url.host, client.base_url.port)) as s:
        s.sendall(b"POST /parse HTTP/1.1\r\nhost: x\r\ncontent-length: 270\r\n\r\n{")
    eventually(lambda: metric(client, 'attn_requests_total{status="499"}') == 1)
    assert client.post("/parse", json={"text": "Mira"}).status_code == 200
