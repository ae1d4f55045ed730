"""Fixtures for the tests of `ml`."""

from pathlib import Path

import pytest

import ml
from ml.model.classifier import Classifier, load_classifier


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    """The shipped network."""
    return load_classifier(Path(ml.__file__).parent / "models")
