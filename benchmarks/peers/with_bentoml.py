"""BentoML: bentoml serve with_bentoml:Digits."""

from pathlib import Path

import bentoml
from network import classify


@bentoml.service(workers=2, traffic={"timeout": 30})
class Digits:
    @bentoml.api
    def predict(self, file: Path) -> dict[str, float]:
        return classify(file.read_bytes())
