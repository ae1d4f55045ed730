"""28x28 tensors by the protocols of model servers, against a bare LiteRT loop in one process.

    .venv/bin/python benchmarks/protocols.py [ROUNDS]

One worker with one thread answers one client, 64 tensors in a request. Prints medians over
alternating rounds: tensors per second, and per second of processor time (of the server, or of the
loop), each with its ratio to that of the loop.
"""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.servers import ROOT, ours, running

PORT = 8991
BATCH = 64
SECONDS = 2.0
LOOP = "bare LiteRT loop"
Do = Callable[[], object]


def draw_digits() -> npt.NDArray[np.float32]:
    """Draw digits as MNIST has them: most pixels are 0."""
    images = np.zeros((BATCH, 28, 28), np.uint8)
    for n, image in enumerate(images):
        cv2.putText(image, str(n % 10), (6, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 255, 2, cv2.LINE_AA)
    return (images[..., np.newaxis] / 255).astype(np.float32)


X = draw_digits()


def bare_loop() -> Do:
    """Return a function that runs the shipped network on the batch, tensor by tensor."""
    interpreter = Interpreter(
        model_path=str(ROOT / "ml" / "models" / "network.tflite"), num_threads=1
    )
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    target = interpreter.get_output_details()[0]["index"]

    def run() -> list[object]:
        answers = []
        for x in X:
            interpreter.set_tensor(source, x[np.newaxis])
            interpreter.invoke()
            answers.append(interpreter.get_tensor(target))
        return answers

    return run


def requests(url: str) -> dict[str, Do]:
    """Return a function for each way to send the batch."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=30)
    tensor = {"name": "x", "datatype": "FP32", "shape": list(X.shape)}
    size = {"parameters": {"binary_data_size": X.nbytes}}
    head = json.dumps({"inputs": [{**tensor, **size}], "parameters": {"binary_data_output": True}})
    flat = json.dumps({"inputs": [{**tensor, "data": X.ravel().tolist()}]})
    rows = json.dumps({"instances": X.tolist()})
    short_rows = json.dumps({"instances": X[..., 0].tolist()})

    def sender(path: str, body: bytes, **headers: str) -> Do:
        def send() -> bytes:
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            answer = response.read()
            assert response.status == 200, answer  # noqa: S101
            return answer

        return send

    infer, predict = "/v2/models/digits/infer", "/v1/models/digits:predict"
    length = {"Inference-Header-Content-Length": str(len(head))}
    return {
        "v2, bytes": sender(infer, head.encode() + X.tobytes(), **length),
        "v2, JSON": sender(infer, flat.encode()),
        "v1, JSON, 28x28": sender(predict, short_rows.encode()),
        "v1, JSON, 28x28x1": sender(predict, rows.encode()),
    }


def speeds(do: Do, cpu_s: Callable[[], float]) -> tuple[float, float]:
    """Return the tensors per second, and per second of processor time."""
    do()
    began, cpu_began, count = time.perf_counter(), cpu_s(), 0
    while time.perf_counter() - began < SECONDS:
        do()
        count += BATCH
    return count / (time.perf_counter() - began), count / (cpu_s() - cpu_began)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    server = ours("ours", "/v2", WEB_CONCURRENCY="1", WEB_THREADS="1")
    with tempfile.TemporaryDirectory() as folder, running(server, Path(folder), PORT) as run:
        ways = {LOOP: bare_loop(), **requests(run.url)}
        measured: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, do in ways.items():
                cpu_s = time.process_time if name == LOOP else lambda: run.cpu_s
                measured[name].append(speeds(do, cpu_s))
    for name, found in measured.items():
        print(f"{name:20}", *(cell(found, measured[LOOP], column) for column in (0, 1)))


def cell(found: list[tuple[float, float]], loop: list[tuple[float, float]], column: int) -> str:
    ratio = statistics.median(a[column] / b[column] for a, b in zip(found, loop, strict=True))
    speed = statistics.median(speeds[column] for speeds in found)
    return f"{speed:8,.0f} a {('second', 'CPU second')[column]} ({ratio:.2f})"


if __name__ == "__main__":
    main()
