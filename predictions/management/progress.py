"""A progress bar for training: a bar on a terminal, lines elsewhere."""

from typing import TYPE_CHECKING, Any, TextIO

from tqdm import tqdm

if TYPE_CHECKING:
    from ml.training.run import Progress

SECONDS_BETWEEN_LINES = 10.0
LINE_FORMAT = "{n_fmt}/{total_fmt}{unit}, {rate_fmt}, {remaining} left{postfix}"


class ProgressBar:
    def __init__(self, stream: TextIO) -> None:
        self.on_terminal = stream.isatty()
        self.stream: Any = stream if self.on_terminal else Lines(stream)
        self.bar: tqdm[Any] | None = None
        self.validated: dict[str, float | None] = {}

    def show(self, progress: "Progress") -> None:
        self.advance(progress.step, progress.steps, words=self.describe(progress))

    def advance(self, done: int, total: int, *, unit: str = "steps", words: str = "") -> None:
        if self.bar is None:
            self.bar = tqdm(
                total=total,
                initial=done - 1,
                file=self.stream,
                mininterval=0.2 if self.on_terminal else SECONDS_BETWEEN_LINES,
                dynamic_ncols=self.on_terminal,
                unit=f" {unit}",
                bar_format=None if self.on_terminal else LINE_FORMAT,
            )
        self.bar.set_postfix_str(words, refresh=False)
        self.bar.update()

    def describe(self, progress: "Progress") -> str:
        if progress.ends_epoch:
            self.validated = {
                "validation accuracy": progress.validation_accuracy,
                "validation loss": progress.validation_loss,
            }
        shown = {"loss": progress.loss, "accuracy": progress.accuracy, **self.validated}
        words = [f"{name} {value:.4f}" for name, value in shown.items() if value is not None]
        return ", ".join([f"epoch {progress.epoch}/{progress.epochs}", *words])

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


class Lines:
    """A stream on which tqdm's updates become lines instead of overwriting one."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> None:
        if line := text.strip():
            self.stream.write(f"{line}\n")

    def flush(self) -> None:
        self.stream.flush()
