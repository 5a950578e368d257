"""`updater reject`: never choose one image for a subscription."""

from __future__ import annotations

from typing import Any

import click

from updater.cli.asking import asking_options
from updater.cli.deciding import decision_options, row_of, run, same_but_when
from updater.errors import ConfigError
from updater.model.image import is_tag, parse_digest


@click.command()
@click.argument("key")
@click.argument("image", metavar="TAG|DIGEST")
@decision_options
@asking_options
@click.pass_context
def reject(ctx: click.Context, /, *, key: str, image: str, **options: Any) -> int:
    """Never choose a tag, or a digest under any tag, for KEY.

    What is written stays as it is: to go back, pin the version that you want.
    """
    if ":" in image:
        named = {"digest": str(parse_digest(image))}
    elif is_tag(image):
        named = {"tag": image}
    else:
        raise ConfigError(f"{image!r} is neither a tag nor a digest", hint="write 1.2.3 or sha256:…", code="usage")
    row = row_of(options, **named)

    def edit(entry: dict[str, Any]) -> dict[str, Any]:
        before = entry.get("reject", [])
        if any(same_but_when(item, row) for item in before):
            return entry
        others = [item for item in before if any(item.get(name) != value for name, value in named.items())]
        return {**entry, "reject": [*others, row]}

    return run(ctx, key, edit, **options)
