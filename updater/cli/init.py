"""`updater init`: a first configuration from what a repository, or a cluster, already holds."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from updater.discovery.checkout import CheckoutFacts
    from updater.discovery.draft import DraftOptions
    from updater.discovery.found import Discovery

STDOUT = "-"
_NAME = "Commit author, name"
_EMAIL = "Commit author, e-mail"


@click.command()
@click.argument("path", default=".", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--from",
    "kinds",
    multiple=True,
    type=click.Choice(["markers", "kustomize", "helm", "argocd", "renovate", "keel"]),
    help="What to read; repeats.  [default: markers, kustomize, helm, argocd]",
)
@click.option("--live", is_flag=True, help="Look for Argo CD Applications and ImageUpdaters in the cluster too.")
@click.option("--output", metavar="FILE", default="updater.yaml", show_default=True, help="File to write; - is stdout.")
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@click.option("--url", metavar="URL", help="Git URL that is read and pushed to.  [default: the remote of PATH]")
@click.option("--branch", metavar="NAME", help="Branch that is read and pushed to.  [default: that of PATH]")
@click.option("--author", metavar="'NAME <EMAIL>'", help="Who commits.  [default: as Git's configuration says]")
@click.option("--credentials", metavar="REF", default="", help="How the Git server is reached, such as env:GIT_AUTH.")
def init(path: Path, kinds: tuple[str, ...], output: str, **flags: object) -> None:
    """Write a commented updater.yaml from what PATH holds.

    PATH is a checkout. It reads $imagepolicy markers with their Flux objects, kustomizations, Helm values, and annotated
    Argo CD Applications; with --from also the rules of Renovate and the annotations of Keel. On a terminal it asks for what
    it cannot find out; elsewhere the flags say it. No file is overwritten without --force.
    """
    from updater.discovery.checkout import read_checkout
    from updater.discovery.draft import draft, with_policies
    from updater.discovery.repository import USUAL, discover
    from updater.errors import ConfigError
    from updater.git.tree import CheckoutTree

    target = None if output == STDOUT else Path(output)
    if target and target.exists() and not flags["force"]:
        raise ConfigError(f"{target} already exists", hint="--force overwrites it, --output names another file", code="usage")
    checkout = read_checkout(path, os.environ)
    found = discover(CheckoutTree(checkout.root), prefix=checkout.prefix, kinds=kinds or USUAL)
    if flags["live"]:
        _add_cluster(found)
    found = with_policies(found)
    text = draft(found, _options(checkout, flags, is_asking=bool(found.images)))
    _check(output, text)
    if target is None:
        click.echo(text, nl=False)
    else:
        target.write_text(text, encoding="utf-8")
    _say(found, output)


def _options(known: CheckoutFacts, flags: dict[str, object], *, is_asking: bool) -> DraftOptions:
    """Take each option from its flag, else from the checkout, else from the person at the terminal.

    Nobody is asked where nothing was found: no subscription would have the answer.
    """
    from updater.discovery.draft import DraftOptions

    ask = _ask if is_asking else _known
    given = _author(flags["author"])
    name, email = given or (known.author, known.email)
    return DraftOptions(
        url=ask("--url", "Git URL that is read and pushed to", flags["url"] or known.url),
        branch=ask("--branch", "Branch", flags["branch"] or known.branch or "main"),
        author=ask("--author", _NAME, name),
        email=ask("--author", _EMAIL, email),
        credentials=str(flags["credentials"]),
        author_from="" if given or not (known.author and known.email) else "your Git configuration",
    )


def _known(_flag: str, _what: str, known: object) -> str:
    return str(known or "")


def _author(text: object) -> tuple[str, str] | None:
    if not text:
        return None
    from updater.errors import ConfigError

    name, _, rest = str(text).partition("<")
    email = rest.strip().removesuffix(">").strip()
    if not name.strip() or not email:
        raise ConfigError(f"{text!r} is not an author", hint="write --author 'Name <name@example.org>'", code="usage")
    return name.strip(), email


def _ask(flag: str, what: str, known: object) -> str:
    """Return *known*, or ask for it; raise `ConfigError` where nobody is there to answer."""
    if known:
        return str(known)
    if sys.stdin.isatty() and sys.stderr.isatty():
        return str(click.prompt(what, err=True, value_proc=_address if what == _EMAIL else None))
    from updater.errors import ConfigError

    raise ConfigError(f"not known: {what[:1].lower()}{what[1:]}", hint=f"name it by {flag}", code="usage")


def _address(text: str) -> str:
    """Return what was typed as an e-mail address; raise `UsageError`, after which click asks again."""
    if "@" not in text or {*text} & {*"<> "}:
        raise click.UsageError("expected an address such as updater@example.org")
    return text


def _add_cluster(found: Discovery) -> None:
    """Add the namespaces whose Applications ask for image updates in the cluster of the kubeconfig."""
    import asyncio

    from updater.daemon.discover_cluster import namespaces_with_applications

    found.applications |= asyncio.run(namespaces_with_applications())


def _check(name: str, text: str) -> None:
    """Read the draft as the program will: what is handed over is a configuration that loads."""
    from updater.settings import build_settings

    build_settings([(name, text.encode())], {"HOME": os.environ.get("HOME", "/")})


def _say(found: Discovery, output: str) -> None:
    from updater.cli.terminal import say

    images, places = len(found.images), sum(len(image.targets) for image in found.images)
    where = "standard output" if output == STDOUT else output
    files = f"{found.files} file{'s' * (found.files != 1)}"
    if images:
        held = f"{images} image{'s' * (images != 1)} in {places} place{'s' * (places != 1)}"
        say(f"{where}: {held}, from {files}", err=True)
    else:
        looked = f"no image to keep current in {files}" if found.files else "no YAML file was found"
        say(f"{where}: {looked}" + ("; Argo CD objects are followed" if found.applications else ""), err=True)
    for remark in found.remarks:
        say(f"note: {remark}", err=True)
    if output == STDOUT:
        return
    named = "" if output == "updater.yaml" else f" -c {output}"
    if images or found.applications:
        say(f"next: updater once --dry-run -o diff{named}", err=True)
    else:
        mark = '# {"$imagepolicy": "fleet:shop"}'
        say(f"next: write a subscription by the example in {output}, or mark a value in a manifest, such as", err=True)
        say(f"        image: ghcr.io/acme/shop:1.4.0 {mark}", err=True)
        say("      and run updater init --force again", err=True)
