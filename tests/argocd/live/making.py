"""Makes live Applications, what is asked of them, and lands it on an API server; the fake one and the real one take the same."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.engine.making import chosen, subscription
from tests.fakes.kube import FakeKube
from updater.argocd.live.writer import APPLICATION, ApplicationWriter
from updater.engine.landing import Landing, LandingContext, land
from updater.http.client import HttpClient
from updater.kube.client import PATIENCE, KubeClient
from updater.model.subscription import Form, LiveApplication, Locator, Subscription, Target

if TYPE_CHECKING:
    from updater.model.written import Written

SHOP = LiveApplication(namespace="argocd", name="shop")
IMAGE = "ghcr.io/o/app"
HELM = Locator(path="spec.source", name="image.name", tag="image.tag", section="helm")
TAG = Locator(path="spec.source", tag="image.tag", section="helm")
SPEC = Locator(path="spec.source", spec="image", section="helm")
KUSTOMIZE = Locator(path="spec.source", spec=IMAGE, section="kustomize")
PLUGIN = Locator(path="spec.source", tag="TAG", section="plugin")


def wanted(
    locator: Locator = TAG,
    *,
    key: str = "app",
    image: str = IMAGE,
    author: str = "updater",
    form: Form = Form.TAG,
    running: Written | None = None,
    application: LiveApplication = SHOP,
) -> Subscription:
    target = Target(destination=application, editor="application", locator=locator, form=form, running=running)
    return subscription(key, image, target, author=author)


def parameter(name: str, value: Any, **others: Any) -> dict[str, Any]:
    return {"name": name, "value": value, **others}


def helm(*parameters: Any) -> dict[str, Any]:
    return {"source": {"repoURL": "https://git.test/fleet.git", "path": "shop", "helm": {"parameters": list(parameters)}}}


def parts(writer: Any, tag: str = "1.1.0", digest: str | None = None, pauses: list[int] | None = None) -> LandingContext:
    """Everything moves to *tag*."""

    async def choose(item, written, *, needs_digest, rejected, named):
        return chosen(tag, digest)

    async def pause(attempt):
        (pauses if pauses is not None else []).append(attempt)

    return LandingContext(writer=writer, choose=choose, pause=pause)


class Stage:
    """A fake API server with Applications, and a writer of them."""

    def __init__(self, server: FakeKube, client: KubeClient) -> None:
        self.server = server
        self.counted: list[tuple[str, str]] = []
        self.writer = ApplicationWriter(client, count=lambda name, label: self.counted.append((name, label)))

    async def put(self, spec: dict[str, Any], *, name: str = "shop", **content: Any) -> None:
        await self.server.put(APPLICATION, name, "argocd", spec=spec, **content)

    def item(self, name: str = "shop") -> dict[str, Any]:
        return self.server.read(APPLICATION, name, "argocd")

    @property
    def source(self) -> dict[str, Any]:
        return self.item()["spec"]["source"]

    @property
    def patches(self) -> list[Any]:
        """The operations of each patch that was sent, without the guard of the version and without what notes them."""
        sent = [asked.body[1:] for asked in self.server.asked if asked.method == "PATCH"]
        return [[step for step in steps if not step["path"].startswith("/metadata/annotations")] for steps in sent]

    async def touch(self, **status: Any) -> None:
        """Write the status, as Argo CD does."""
        kept = dict(self.item())
        metadata = {key: value for key, value in kept["metadata"].items() if key not in {"name", "namespace", "resourceVersion"}}
        rest = {key: kept[key] for key in kept if key not in {"apiVersion", "kind", "metadata"}}
        status = {**rest.pop("status", {}), "reconciledAt": str(self.server.version), **status}
        await self.server.put(APPLICATION, "shop", "argocd", metadata=metadata, **rest, status=status)

    async def land(self, *items: Subscription, tag: str = "1.1.0", is_dry: bool = False, **more: Any) -> Landing:
        return await land(SHOP, items or (wanted(),), parts(self.writer, tag, **more), is_dry=is_dry)

    async def end(self, *items: Subscription, **more: Any) -> Any:
        """Land, and give the one outcome."""
        (outcome,) = (await self.land(*items, **more)).outcomes
        return outcome


@asynccontextmanager
async def staged(folder):
    async with FakeKube() as server, HttpClient(patience=replace(PATIENCE, attempts=1)) as http:
        server.install(APPLICATION)
        yield Stage(server, KubeClient(server.access(folder), http))
