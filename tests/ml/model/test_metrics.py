import numpy as np
import pytest

from ml.model.metrics import (
    accuracy,
    calibration,
    confusion_matrix,
    evaluate,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
    precision,
    recall,
    report,
    softmax,
)


def one_hot(*digits: int) -> np.ndarray:
    return np.eye(10, dtype=np.float32)[list(digits)]


def test_accuracy_is_the_share_that_is_read_right() -> None:
    assert accuracy(np.array([1, 2, 3, 4]), one_hot(1, 2, 3, 9)) == 0.75


def test_confusion_matrix_has_the_truth_in_rows() -> None:
    matrix = confusion_matrix(np.array([1, 1, 7]), one_hot(1, 7, 7))

    expected = np.zeros((10, 10), int)
    expected[1, 1] = expected[1, 7] = expected[7, 7] = 1
    np.testing.assert_array_equal(matrix, expected)


def test_precision_and_recall_differ_when_one_class_takes_from_another() -> None:
    matrix = confusion_matrix(np.array([1, 1, 7]), one_hot(1, 7, 7))

    assert precision(matrix)[[1, 7]].tolist() == [1, 0.5]
    assert recall(matrix)[[1, 7]].tolist() == [0.5, 1]


def test_classes_that_do_not_occur_have_no_precision_and_recall() -> None:
    matrix = confusion_matrix(np.array([1]), one_hot(1))

    assert precision(matrix)[0] == recall(matrix)[0] == 0


def test_negative_log_likelihood_of_a_coin_is_log_2() -> None:
    probabilities = np.zeros((1, 10))
    probabilities[0, :2] = 0.5

    assert negative_log_likelihood(np.array([0]), probabilities) == pytest.approx(np.log(2))


def test_negative_log_likelihood_stays_finite_when_the_truth_was_ruled_out() -> None:
    assert np.isfinite(negative_log_likelihood(np.array([0]), one_hot(1)))


def test_a_network_as_sure_as_it_is_right_has_no_calibration_error() -> None:
    probabilities = np.full((4, 10), 0.25 / 9)
    probabilities[:, 5] = 0.75

    assert expected_calibration_error(np.array([5, 5, 5, 0]), probabilities) == pytest.approx(0)


def test_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    assert expected_calibration_error(np.array([5, 0]), one_hot(5, 5)) == pytest.approx(0.5)


def test_calibration_gaps_of_two_bins_do_not_cancel_out() -> None:
    sure_and_wrong, unsure_and_right = one_hot(1), np.full((1, 10), 0.9 / 9)
    unsure_and_right[0, 3] = 0.1 + 1e-6
    probabilities = np.concatenate([sure_and_wrong, unsure_and_right])

    error = expected_calibration_error(np.array([0, 3]), probabilities)

    assert error == pytest.approx((1 + 0.9) / 2, abs=1e-3)


@pytest.mark.parametrize("factor", [0.3, 1.0, 4.0])
def test_temperature_undoes_what_logits_were_multiplied_by(factor: float) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (4000, 10))
    cumulated = softmax(logits).cumsum(axis=1)
    labels = (cumulated < rng.random((4000, 1))).sum(axis=1).clip(0, 9)

    assert fit_temperature(labels, logits * factor) == pytest.approx(factor, rel=0.06)


def test_temperature_is_bounded_when_every_digit_is_read_right() -> None:
    assert 0.05 <= fit_temperature(np.arange(10), np.eye(10)) < 0.1


def test_softmax_rows_sum_to_one_for_logits_of_any_size() -> None:
    probabilities = softmax(np.array([[1e4, 0, *[-1e4] * 8], [0.0] * 10]))

    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_allclose(probabilities[1], 0.1)
    assert probabilities.dtype == np.float32


def test_a_higher_temperature_is_less_sure() -> None:
    logits = np.eye(10) * 5

    assert softmax(logits, temperature=2).max() < softmax(logits).max()


def test_report_shows_every_count_and_both_shares() -> None:
    metrics = evaluate(np.array([1] * 123 + [7] * 45), one_hot(*[1] * 120, *[7] * 48))

    lines = report(metrics).splitlines()

    assert lines[0] == "accuracy 98.21% (165 of 168 digits)"
    one = next(line for line in lines if line.strip().startswith("1 |"))
    assert one.replace("|", "").split() == ["1", ".", "120", *["."] * 5, "3", ".", ".", "0.9756"]
    assert lines[-1].replace("|", "").split()[8] == "0.938"
    assert len({line.rindex("|") for line in lines[4:]}) == 1


def test_calibration_sets_confidence_beside_accuracy() -> None:
    labels = np.array([0, 0, 0, 0])
    probabilities = np.zeros((4, 10))
    probabilities[:, 0] = [0.95, 0.93, 0.25, 0.6]
    probabilities[2, 1], probabilities[3, 1] = 0.3, 0.4
    of_bins = calibration(labels, probabilities, bins=10)
    assert of_bins["counts"] == [0, 0, 0, 1, 0, 0, 1, 0, 0, 2]
    assert of_bins["confidences"][9] == pytest.approx(0.94)
    assert of_bins["accuracies"] == [None, None, None, 0, None, None, 1, None, None, 1]
