"""What a visitor of the site does: send a picture, look at the list."""

import json
import subprocess
from pathlib import Path
from typing import Any
from urllib.request import urlopen


def send(url: str, picture: Path) -> dict[str, Any]:
    """Send a picture as a form does and return the prediction."""
    finished = subprocess.run(
        ["curl", "-sS", "-F", f"file=@{picture}", f"{url}/api/v1/predictions"],
        capture_output=True,
        check=True,
        timeout=30,
    )
    prediction: dict[str, Any] = json.loads(finished.stdout)
    return prediction


def listed(url: str) -> list[dict[str, Any]]:
    with urlopen(f"{url}/api/v1/predictions", timeout=30) as response:  # noqa: S310
        predictions: list[dict[str, Any]] = json.load(response)["results"]
    return predictions
