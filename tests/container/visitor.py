"""What a client of the site does: send a picture, list predictions."""

import json
import subprocess
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen


def send(url: str, picture: Path, *headers: str) -> dict[str, Any]:
    """Send a picture in a form and return the prediction."""
    told = [argument for header in headers for argument in ("-H", header)]
    finished = subprocess.run(
        ["curl", "-sS", *told, "-F", f"file=@{picture}", f"{url}/api/v1/predictions"],
        capture_output=True,
        check=True,
        timeout=30,
    )
    prediction: dict[str, Any] = json.loads(finished.stdout)
    return prediction


def listed(url: str, *headers: str) -> list[dict[str, Any]]:
    request = Request(  # noqa: S310
        f"{url}/api/v1/predictions", headers=dict(header.split(": ", 1) for header in headers)
    )
    with urlopen(request, timeout=30) as response:  # noqa: S310
        predictions: list[dict[str, Any]] = json.load(response)["results"]
    return predictions
