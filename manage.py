#!/usr/bin/env python
"""Django's command line: `python manage.py help` lists the commands."""

import os
import sys
from argparse import ArgumentParser

PIPE_CLOSED = 141  # what a shell says of a program that `| head` ended


def main() -> None:
    """Run the command that the arguments name."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mnistsite.settings")
    if not os.environ.get("LOG_LEVEL"):
        os.environ["LOG_LEVEL"] = "INFO" if is_verbose(sys.argv[1:]) else "WARNING"
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from environs import EnvError

    try:
        try:
            execute_from_command_line(sys.argv)
        finally:
            sys.stdout.flush()
    except (ImproperlyConfigured, EnvError) as error:  # an invalid setting: no traceback
        sys.exit(str(error))
    except BrokenPipeError:
        # Whoever read the output has seen enough. What is still buffered goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(PIPE_CLOSED)


def is_verbose(arguments: list[str]) -> bool:
    """Whether a command is to tell more than its result."""
    parser = ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-v", "--verbosity", nargs="?")
    return parser.parse_known_args(arguments)[0].verbosity in {"2", "3"}


if __name__ == "__main__":
    main()
