"""Run one node, and kill it when the process that started it is gone.

That process holds the other end of standard input and never writes to it: end of input means that
it died, even by SIGKILL, on every system. The node's process id is written to standard output; the
node itself writes to standard error.
"""

import subprocess
import sys
from threading import Thread


def guard(command: list[str]) -> int:
    """Run the command to its end, or to the end of standard input."""
    # The node inherits the lock on the directory and holds it as long as it runs.
    node = subprocess.Popen(  # noqa: S603
        command, stdin=subprocess.DEVNULL, stdout=sys.stderr, close_fds=False
    )
    print(node.pid, flush=True)  # noqa: T201

    def kill_when_orphaned() -> None:
        sys.stdin.read()
        node.kill()

    Thread(target=kill_when_orphaned, daemon=True).start()
    return node.wait()


if __name__ == "__main__":
    sys.exit(guard(sys.argv[1:]) != 0)
