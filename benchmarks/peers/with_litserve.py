"""LitServe: python with_litserve.py PORT."""

import sys

import litserve
from fastapi import Request
from network import classify


class Digits(litserve.LitAPI):
    def setup(self, device: str) -> None:
        """Nothing to set up: the network is loaded at the first picture."""

    def decode_request(self, request: Request) -> bytes:
        return request["file"].file.read()

    def predict(self, content: bytes) -> dict[str, float]:
        return classify(content)

    def encode_response(self, answer: dict[str, float]) -> dict[str, float]:
        return answer


if __name__ == "__main__":
    server = litserve.LitServer(Digits(), accelerator="cpu", workers_per_device=2)
    server.run(port=int(sys.argv[1]), host="127.0.0.1", generate_client_file=False)
