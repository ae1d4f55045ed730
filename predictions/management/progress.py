"""What commands say while they work: moving on a terminal, in occasional lines elsewhere."""

import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, TextIO

from tqdm import tqdm

if TYPE_CHECKING:
    from ml.training.run import Progress

SECONDS_BETWEEN_MOVES = 0.5
SECONDS_BETWEEN_LINES = 10.0
WORDS_FORMAT = "{desc} … {elapsed}"
LINE_FORMAT = "{n_fmt}/{total_fmt}{unit}, {rate_fmt}, {remaining} left{postfix}"


class ProgressBar:
    """Words for what goes on, then a bar for what is counted; to be closed.

    Parameters
    ----------
    stream
        Standard error.
    words
        What goes on until the first call of `advance`.
    lines
        Whether to write lines where there is no terminal.
    """

    def __init__(self, stream: TextIO, words: str = "", *, lines: bool = True) -> None:
        self.on_terminal = stream.isatty()
        # A descriptor of its own, since standard error itself is held back at times (ml.chatter).
        self.stream: Any = (
            os.fdopen(os.dup(stream.fileno()), "w") if self.on_terminal else Lines(stream)
        )
        self.silent = not (self.on_terminal or lines)
        self.bar: tqdm[Any] | None = None
        self.counted: tuple[str, int | None] | None = None  # unit and total
        self.validated: dict[str, float | None] = {}
        if words and self.on_terminal:
            self.bar = tqdm(desc=words, bar_format=WORDS_FORMAT, file=self.stream, leave=False)
        elif words and lines:
            self.stream.write(f"{words} …")
        self.closed = Event()
        if self.on_terminal:
            Thread(target=self._keep_moving, daemon=True).start()

    def show(self, progress: "Progress") -> None:
        words = self.describe(progress)
        self.advance(progress.step, progress.steps, words=words, start=progress.step - 1)

    def advance(
        self,
        done: int,
        total: int | None,
        *,
        unit: str = "steps",
        words: str = "",
        start: int = 0,
    ) -> None:
        """Show how many are done, of which ``start`` by an earlier run."""
        if self.bar is None or self.counted != (unit, total) or done < self.bar.n:
            if self.bar is not None:
                self.bar.close()
            self.counted = unit, total
            self.bar = tqdm(
                total=total,
                initial=start,
                file=self.stream,
                mininterval=0.2 if self.on_terminal else SECONDS_BETWEEN_LINES,
                dynamic_ncols=self.on_terminal,
                unit=f" {unit}",
                bar_format=None if self.on_terminal else LINE_FORMAT,
                disable=self.silent,
            )
        self.bar.set_postfix_str(words, refresh=False)
        self.bar.update(done - self.bar.n)

    def describe(self, progress: "Progress") -> str:
        if progress.ends_epoch:
            self.validated = {
                "validation accuracy": progress.validation_accuracy,
                "validation loss": progress.validation_loss,
            }
        shown = {"loss": progress.loss, "accuracy": progress.accuracy, **self.validated}
        words = [f"{name} {value:.4f}" for name, value in shown.items() if value is not None]
        return ", ".join([f"epoch {progress.epoch}/{progress.epochs}", *words])

    @contextmanager
    def printing(self) -> Iterator[None]:
        """Make way for lines on the same terminal."""
        if self.bar is None or not self.on_terminal:
            yield
            return
        with tqdm.external_write_mode(file=self.bar.fp):
            yield

    def close(self) -> None:
        self.closed.set()
        if self.bar is not None:
            self.bar.close()
        if self.on_terminal:
            self.stream.close()

    def _keep_moving(self) -> None:
        """Show that time passes, also where a step takes long."""
        while not self.closed.wait(SECONDS_BETWEEN_MOVES):
            with tqdm.get_lock():  # type: ignore[no-untyped-call]
                if self.bar is not None and not self.closed.is_set():
                    self.bar.refresh(nolock=True)


def tell(words: str) -> closing[ProgressBar]:
    """Say what goes on in a block of which no steps are counted."""
    return closing(ProgressBar(sys.stderr, words))


class Lines:
    """A stream on which tqdm's updates become lines instead of overwriting one."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> None:
        if line := text.strip():
            self.stream.write(f"{line}\n")

    def flush(self) -> None:
        self.stream.flush()
