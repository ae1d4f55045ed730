"""Fixtures for the tests of `ml`."""

from pathlib import Path

import pytest
from pillow_heif import register_heif_opener

import ml
from ml.model.classifier import Classifier, load_classifier

register_heif_opener()  # so that tests can write HEIF


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    """The shipped network."""
    return load_classifier(Path(ml.__file__).parent / "models")
