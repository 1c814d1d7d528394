"""The entry point `snds-gateway`: the tree of commands, and failures turned into one line and an exit code.

Exit codes: 0, 1 refused input, 2 usage, 78 configuration. Never shows a traceback: its text could quote a payload.
"""

from __future__ import annotations

import os
import sys

import typer

from gateway.cli import (
    commands_analysis,
    commands_exchange,
    commands_installation,
    commands_operation,
    commands_quality,
    commands_rights,
    commands_running,
    commands_workbench,
)

REFUSED = 1
CONFIGURATION = 78
INTERRUPTED = 130


def make_app() -> typer.Typer:
    """Return the tree of commands."""
    app = typer.Typer(
        name="snds-gateway",
        help="Hospitals post FHIR R4; analysts read SNDS tables; no identity gets through.",
        epilog="Begin with: snds-gateway demo",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        add_completion=False,
    )
    for commands in (
        commands_installation,
        commands_running,
        commands_exchange,
        commands_analysis,
        commands_operation,
        commands_quality,
        commands_rights,
        commands_workbench,
    ):
        commands.declare(app)
    return app


def main() -> None:
    """Run the command of `sys.argv` and end the process."""
    try:
        make_app()(spread(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # the reader of our output went away: the rest of it is nobody's; a closed stdout must not fail at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as failure:  # noqa: BLE001 — the last frame: everything becomes one line without content
        sys.exit(_explain(failure))


def spread(arguments: list[str]) -> list[str]:
    """Let `validate FILE… --definitions PATH…` take several paths after one `--definitions`.

    Only where a FILE stands before it: `validate --definitions PATH FILE` keeps its meaning.
    """
    option = "--definitions"
    if arguments[:1] != ["validate"] or option not in arguments:
        return arguments
    at = arguments.index(option)
    if not any(not one.startswith("-") for one in arguments[1:at]):
        return arguments
    made, spreading = arguments[:at], False
    for one in arguments[at:]:
        if one.startswith("-"):
            spreading = one == option
            made.append(one)
        elif spreading and made[-1] != option:
            made += [option, one]
        else:
            made.append(one)
    return made


def _explain(failure: Exception) -> int:
    from fhir_profiles.errors import Misconfigured, PipelineError, Refused
    from gateway.cli.screen import complain

    if isinstance(failure, Misconfigured):
        complain(str(failure))
        return CONFIGURATION
    if isinstance(failure, Refused):
        from gateway.cli.screen import issue_lines

        for line in issue_lines(failure.issues):
            complain(line)
        return REFUSED
    if isinstance(failure, PipelineError):
        complain(": ".join(filter(None, (failure.code, getattr(failure, "detail", "")))))
        return REFUSED
    if isinstance(failure, OSError):
        complain(f"{failure.strerror or type(failure).__name__}: {failure.filename or ''}".rstrip(": "))
        return REFUSED
    complain(f"internal error: {type(failure).__name__} at {_place(failure)}")
    return REFUSED


def _place(failure: Exception) -> str:
    frame = failure.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    if frame is None:
        return "?"
    return f"{frame.tb_frame.f_globals.get('__name__', '?')}:{frame.tb_lineno}"


if __name__ == "__main__":
    main()
