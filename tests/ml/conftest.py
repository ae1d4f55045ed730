"""What the tests of reading share."""

from pathlib import Path

import pytest

import ml
from ml.model.classifier import Classifier, load_classifier


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    """Load the network that ships."""
    return load_classifier(Path(ml.__file__).parent / "models")
