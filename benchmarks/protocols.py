"""28x28 tensors by the protocols of model servers, against a bare LiteRT loop in one process.

    .venv/bin/python benchmarks/protocols.py [ROUNDS]

One worker with one thread answers one client, 64 tensors in a request. Prints the median of
tensors per second over alternating rounds, and its ratio to that of the loop.
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

import numpy as np
from ai_edge_litert.interpreter import Interpreter

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.servers import ROOT, ours, running

PORT = 8991
BATCH = 64
SECONDS = 2.0
X = np.random.default_rng(0).random((BATCH, 28, 28, 1)).astype(np.float32)
Do = Callable[[], object]


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
    short = X.round(4).astype(float)
    flat = json.dumps({"inputs": [{**tensor, "data": short.ravel().tolist()}]})
    rows = json.dumps({"instances": short.tolist()})

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
        "v1, JSON": sender(predict, rows.encode()),
    }


def tensors_per_second(do: Do) -> float:
    do()
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < SECONDS:
        do()
        count += BATCH
    return count / (time.perf_counter() - began)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    server = ours("ours", "/v2", WEB_CONCURRENCY="1", WEB_THREADS="1")
    with tempfile.TemporaryDirectory() as folder, running(server, Path(folder), PORT) as run:
        ways = {"bare LiteRT loop": bare_loop(), **requests(run.url)}
        measured: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, do in ways.items():
                measured[name].append(tensors_per_second(do))
    base = measured["bare LiteRT loop"]
    for name, speeds in measured.items():
        ratio = statistics.median(speed / bare for speed, bare in zip(speeds, base, strict=True))
        print(f"{name:18} {statistics.median(speeds):8,.0f} tensors/s  {ratio:.2f}")


if __name__ == "__main__":
    main()
