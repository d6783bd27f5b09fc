"""The shared main of all verbs: options from a frozen dataclass, errors as one sentence, exit codes.

A verb is a subclass of `Verb` whose field docstrings are the help, and a function from it to an `Outcome`:

    @dataclass(frozen=True, kw_only=True)
    class Measure(Verb):
        '''Score a run and print its table.'''
        protocol: str = "corrected"
        '''Which protocol.'''

    if __name__ == "__main__":
        main(Measure, run)

Exit codes: 0 ok, 1 a check did not hold, 2 wrong usage or input, 3 a missing component, 130 interrupted.
"""

from __future__ import annotations

import inspect
import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar

from _exchange.errors import SuiteError

INTERRUPTED = 130


@dataclass(frozen=True, kw_only=True)
class Verb:
    """Options that every verb has."""

    json: bool = False
    """Print the result as JSON on stdout instead of text."""
    debug: bool = False
    """Show the traceback of an error instead of one sentence."""


@dataclass(frozen=True)
class Outcome:
    """What a verb returns.

    Attributes:
        text: for people; may be empty.
        data: the same for programs; JSON values.
        exit_code: 0; 1 where a check did not hold; 3 where something is missing.
    """

    text: str
    data: dict[str, Any] = field(default_factory=dict)
    exit_code: int = 0


VerbType = TypeVar("VerbType", bound=Verb)


def main(verb: type[VerbType], run: Callable[[VerbType], Outcome], arguments: Sequence[str] | None = None) -> NoReturn:
    """Parse `arguments` (default: the command line), run the verb, print its outcome and leave with its exit code."""
    sys.exit(execute(verb, run, arguments))


def execute(verb: type[VerbType], run: Callable[[VerbType], Outcome], arguments: Sequence[str] | None = None) -> int:
    """`main` that returns the exit code; usage errors and ``--help`` still leave the process, with 2 and 0."""
    options = _parse(verb, arguments)
    try:
        outcome = run(options)
        _show(json.dumps(outcome.data, indent=1, ensure_ascii=False) if options.json else outcome.text)
    except SuiteError as error:
        if options.debug:
            traceback.print_exc()
        _say(f"error: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        _say("interrupted: what is finished is kept; the same command goes on where this one stopped.")
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if options.debug:
            traceback.print_exc()
        place = "a file" if error.filename is None else os.fsdecode(error.filename)
        _say(f"error: Expected to read or write {place}, found: {error.strerror or error}.")
        return 2
    except Exception as error:  # the last resort: a fault of ours, still without a traceback
        if options.debug:
            traceback.print_exc()
        _say(f"error: unexpected {type(error).__name__}: {error}. This is a fault of the suite; --debug shows where.")
        return 2
    return outcome.exit_code


def _parse(verb: type[VerbType], arguments: Sequence[str] | None) -> VerbType:
    import tyro  # loaded where a command line is read

    name = f"python3 -m _scripts.{verb.__name__.lower()}"
    config = (tyro.conf.FlagCreatePairsOff, tyro.conf.OmitArgPrefixes)
    return tyro.cli(verb, prog=name, description=inspect.cleandoc(verb.__doc__ or ""), args=arguments, config=config)


def _show(text: str) -> None:
    """Write to stdout; signs that the terminal's encoding lacks are written as escapes."""
    if text:
        encoding = sys.stdout.encoding or "utf-8"
        sys.stdout.write(text.rstrip("\n").encode(encoding, "backslashreplace").decode(encoding) + "\n")
        sys.stdout.flush()


def _say(sentence: str) -> None:
    sys.stderr.write(sentence + "\n")
    sys.stderr.flush()
