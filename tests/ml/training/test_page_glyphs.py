"""Digits cut out of composed pages, for the digit network."""

import dataclasses

import numpy as np

from ml.data.dataset import Split, as_input, split
from ml.model.classifier import Classifier
from ml.synthesis.pages import Composer
from ml.training.batches import Batches
from ml.training.page_glyphs import cut_page_glyphs, glyphs_of_page, with_page_glyphs
from ml.training.recipes import PRESETS
from tests.support.digits import draw_digits

DIGITS = split(draw_digits(200))


def test_a_glyph_shows_the_digit_that_is_its_label(classifier: Classifier) -> None:
    composer = Composer(DIGITS.training)
    pairs = [glyphs_of_page(composer, np.random.default_rng([3, n])) for n in range(60)]
    images = np.concatenate([x for x, _ in pairs])
    labels = np.concatenate([y for _, y in pairs])
    assert len(images) > 100
    probabilities = classifier.probabilities(as_input(images))
    assert (probabilities.argmax(axis=1) == labels).mean() > 0.6


def test_they_follow_from_the_seed() -> None:
    one, again, other = (cut_page_glyphs(DIGITS.training, 20, seed=seed) for seed in (4, 4, 5))
    np.testing.assert_array_equal(one.images, again.images)
    assert len(one) == 20
    assert one.fingerprints == again.fingerprints != other.fingerprints


def test_they_make_up_the_share_that_the_recipe_says() -> None:
    recipe = dataclasses.replace(
        PRESETS["compact"], epochs=1, augmentation=(), page_glyphs_share=0.25
    )
    added: Split = with_page_glyphs(DIGITS, recipe)
    mnist, glyphs = added.sources
    assert glyphs.draws / (glyphs.draws + mnist.draws) == 0.25
    assert added.describe()["extra"]["page glyphs"]["count"] == len(glyphs.digits)
    assert Batches(added.sources, recipe).per_epoch == 240 // 96
    without = dataclasses.replace(recipe, page_glyphs_share=0.0)
    assert with_page_glyphs(DIGITS, without) is DIGITS
