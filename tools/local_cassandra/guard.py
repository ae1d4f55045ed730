"""Runs one node, and kills it as soon as the process that started it is gone.

That process holds the other end of this one's standard input and never writes to it: the end of
input means that it died, by SIGKILL too, on every system. Standard output tells the node's process
id; the node itself writes to this process's standard error.
"""

import subprocess
import sys
from threading import Thread


def guard(command: list[str]) -> int:
    """Run the command to its end, or to the end of standard input."""
    # Not closing files hands on the lock on the directory: it is held as long as the node lives.
    node = subprocess.Popen(  # noqa: S603
        command, stdin=subprocess.DEVNULL, stdout=sys.stderr, close_fds=False
    )
    print(node.pid, flush=True)  # noqa: T201

    def kill_when_alone() -> None:
        sys.stdin.read()
        node.kill()

    Thread(target=kill_when_alone, daemon=True).start()
    return node.wait()


if __name__ == "__main__":
    sys.exit(guard(sys.argv[1:]) != 0)
