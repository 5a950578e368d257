"""The command tree, and is the one door through which errors leave the program.

Exit codes: 0 fine, 1 expected failure, 2 usage or configuration, 3 bug, 130 interrupted.
"""

from __future__ import annotations

import importlib
import io
import os
import sys
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from updater.cli.collector import importing, leave, settle
from updater.errors import ConfigError, UpdaterError

if TYPE_CHECKING:
    from collections.abc import Sequence

FAILURE: Final = 1
USAGE: Final = 2
BUG: Final = 3
INTERRUPTED: Final = 130

# name → (module:object, the line that --help shows); a module is imported only when its command runs
_COMMANDS: Final = {
    "init": ("updater.cli.init:init", "Write a first configuration from what a repository holds."),
    "run": ("updater.cli.run:run", "Run the daemon: schedule, metrics, health."),
    "once": ("updater.cli.once:once", "Run one pass and exit."),
    "check": ("updater.cli.check:check", "Show which tag wins, and why each other tag lost."),
    "explain": ("updater.cli.explain:explain", "Show what would be done for a subscription, and why."),
    "status": ("updater.cli.status:status", "Show where each subscription stands, one line each."),
    "set": ("updater.cli.set:set_command", "Write image references into a checkout."),
    "validate": ("updater.cli.validate:validate", "Lint configuration, manifests, Flux objects and markers."),
    "history": ("updater.cli.history:history", "Show what moved when, from Git."),
    "hold": ("updater.cli.hold:hold", "Let nothing be written for a subscription."),
    "pin": ("updater.cli.pin:pin", "Keep a subscription at one tag."),
    "reject": ("updater.cli.reject:reject", "Never choose one image for a subscription."),
    "release": ("updater.cli.release:release", "Take back a hold, a pin, rejections and rollbacks."),
    "notify": ("updater.cli.notify:notify", "Send a test message to a route of notifications."),
    "demo": ("updater.cli.demo:demo", "Show the main job end to end on this machine."),
    "version": ("updater.cli.version:version", "Print the version, and those of the main dependencies."),
}


_USUAL_CONFIG: Final = "Configuration file; repeats, later ones win.  [default: ./updater.yaml, /etc/updater/updater.yaml]"
_CONFIG_HELP: Final = {
    "set": "Configuration file, for its text_markers and author; repeats.",
    "validate": "Configuration file, for its marker targets and text_markers; repeats.",
}
_WITHOUT_CONFIG: Final = frozenset({"demo", "init", "version"})


class LazyGroup(click.Group):
    """A command group that imports a subcommand only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Name the commands in the order of a newcomer's way, not of the alphabet."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - the signature of click
        """Import and return one command."""
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name][0].partition(":")
        with importing():
            command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)  # noqa: S101 - the table above is ours
        _accept_config(command, cmd_name)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command, with the nearest name as the hint for an unknown one."""
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], _COMMANDS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "updater --help lists the commands"
            raise ConfigError(f"there is no command {args[0]!r}", hint=hint, code="usage")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - the signature of click
        """List the commands without importing one."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


def _accept_config(command: click.Command, name: str) -> None:
    """Let -c stand behind the subcommand as well as before it; a command that reads none does not speak of it."""
    if not any(parameter.name == "config" for parameter in command.params):
        command.params.append(_config_option(_CONFIG_HELP.get(name, _USUAL_CONFIG), hidden=name in _WITHOUT_CONFIG))


def _config_option(text: str, *, hidden: bool = False) -> click.Option:
    return click.Option(
        ["-c", "--config"],
        multiple=True,
        metavar="FILE",
        expose_value=False,
        callback=_remember_config,
        help=text,
        hidden=hidden,
    )


def _remember_config(ctx: click.Context, _parameter: click.Parameter, value: tuple[str, ...]) -> None:
    root = ctx.find_root()
    root.meta["updater.config"] = (*root.meta.get("updater.config", ()), *value)


def config_paths(ctx: click.Context) -> tuple[str, ...]:
    """Return the files named by -c, before and after the subcommand, in order."""
    paths: tuple[str, ...] = ctx.find_root().meta.get("updater.config", ())
    return paths


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    params=[_config_option(_USUAL_CONFIG)],
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="gitops-image-updater", prog_name="updater", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Keep image references in Git at the newest version that a policy allows."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with its code; every error leaves through here."""
    settle()
    code = run_cli(arguments)
    leave()
    sys.exit(code)


def run_cli(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # no name of a file ends a command, whatever bytes it has
    try:
        result: Any = cli.main(
            args=None if arguments is None else list(arguments),
            prog_name="updater",
            standalone_mode=False,
            color=False if os.environ.get("NO_COLOR") else None,
        )
    except click.exceptions.Abort:
        return _say("error", "interrupted", INTERRUPTED)
    except KeyboardInterrupt:
        return _say("error", "interrupted", INTERRUPTED)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as wrong:
        return _usage(wrong)
    except UpdaterError as error:
        return _expected(error)
    except BrokenPipeError:
        _close_pipe()
        return 0
    except Exception:  # noqa: BLE001 - this is the last door: what arrives here is a bug, and says so
        return _bug()
    return result if isinstance(result, int) else 0


def _usage(wrong: click.ClickException) -> int:
    _say("error", wrong.format_message().rstrip("."), USAGE)
    context = getattr(wrong, "ctx", None)
    command = context.command_path if context else "updater"
    return _say("hint", f"{command} --help shows the options", USAGE)


def _expected(error: UpdaterError) -> int:
    problems = getattr(error, "problems", ())
    for problem in problems:
        _say("error", str(problem), USAGE)
        if problem.hint:
            _say("hint", problem.hint, USAGE)
    if not problems:
        path = getattr(error, "path", "")
        line = getattr(error, "line", None)
        place = f"{path}:{line}: " if path and line else f"{path}: " if path else ""
        _say("error", f"{'' if place and error.message.startswith(place) else place}{error.message}", USAGE)
        if error.hint:
            _say("hint", error.hint, USAGE)
    return USAGE if isinstance(error, ConfigError) or error.code in {"policy", "usage"} else FAILURE


def _bug() -> int:
    import traceback

    traceback.print_exc()
    _say("error", "this is a bug in updater; nothing more was written", BUG)
    return _say("hint", "please report it with the lines above; they hold no secrets we know of, but look before you post", BUG)


def _say(kind: str, text: str, code: int) -> int:
    colour = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    styled = click.style(f"{kind}:", fg="red" if kind == "error" else "cyan", bold=True) if colour else f"{kind}:"
    from updater.cli.terminal import columns_of, folded
    from updater.model.text import printable_lines

    sys.stderr.write(folded(f"{styled} {printable_lines(text)}", columns_of(sys.stderr)) + "\n")
    return code


def _close_pipe() -> None:
    # the reader of our output has gone: point stdout at nothing, so that the interpreter's last flush is quiet
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
