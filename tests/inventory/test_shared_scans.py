"""What several wings share: an image that Argo CD's and Flux's objects both follow is scanned once."""

from __future__ import annotations

from tests.argocd.request.making import GIT, application
from tests.flux.request.making import automation, policy, repository, source
from tests.flux.request.making import translate as translate_flux
from updater.argocd.request import TranslationDefaults, translate
from updater.inventory.inventory import Inventory
from updater.model.snapshot import Snapshot


def test_argo_cd_and_flux_share_the_scan_of_an_image_and_its_shortest_interval_counts():
    annotations = {"image-list": "web=ghcr.io/org/app", **GIT}
    argocd = translate(
        [application(annotations, images=("ghcr.io/org/app:1.0.0",))], [], defaults=TranslationDefaults(interval=120.0)
    )
    flux = translate_flux([repository()], [policy()], [automation()], [source()])
    asked = Inventory(Snapshot(), ["applications", "flux"])
    asked.take("applications", argocd.snapshot)
    asked.take("flux", flux.snapshot)
    ((listed, seconds),) = asked.plan.images.items()
    assert (str(listed), seconds) == ("ghcr.io/org/app", 120.0)
    assert len(asked.by_image[listed]) == 2
