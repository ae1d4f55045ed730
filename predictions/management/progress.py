"""A progress bar for training: a bar on a terminal, lines elsewhere."""

from typing import TYPE_CHECKING, Any, TextIO

from tqdm import tqdm

if TYPE_CHECKING:
    from ml.training.fit import Progress

SECONDS_BETWEEN_LINES = 10.0
LINE_FORMAT = "{n_fmt}/{total_fmt} steps, {rate_fmt}, {remaining} left{postfix}"


class ProgressBar:
    def __init__(self, stream: TextIO) -> None:
        self.on_terminal = stream.isatty()
        self.stream: Any = stream if self.on_terminal else Lines(stream)
        self.bar: tqdm[Any] | None = None
        self.validation_accuracy: float | None = None

    def show(self, progress: "Progress") -> None:
        if self.bar is None:
            self.bar = tqdm(
                total=progress.steps,
                initial=progress.step - 1,
                file=self.stream,
                mininterval=0.2 if self.on_terminal else SECONDS_BETWEEN_LINES,
                dynamic_ncols=self.on_terminal,
                unit=" steps",
                bar_format=None if self.on_terminal else LINE_FORMAT,
            )
        self.bar.set_postfix_str(self.describe(progress), refresh=False)
        self.bar.update()

    def describe(self, progress: "Progress") -> str:
        words = [
            f"epoch {progress.epoch}/{progress.epochs}",
            f"loss {progress.loss:.4f}",
            f"accuracy {progress.accuracy:.4f}",
        ]
        if progress.validation_accuracy is not None:
            self.validation_accuracy = progress.validation_accuracy
        if self.validation_accuracy is not None:
            words.append(f"validation accuracy {self.validation_accuracy:.4f}")
        return ", ".join(words)

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
