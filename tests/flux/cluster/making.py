"""Makes Flux's objects, what they come to, and what is heard of them, in one line each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from updater.controller.objects import Sharing
from updater.flux.cluster.heard import FluxState
from updater.flux.cluster.pruning import prune_object
from updater.flux.kinds import IMAGE_POLICY, IMAGE_REPOSITORY, IMAGE_UPDATE_AUTOMATION, REQUESTED_AT
from updater.flux.request.requests import (
    AutomationRequest,
    DigestReflection,
    FluxTranslation,
    ImagePolicyRequest,
    ImageRepositoryRequest,
    subscription_key,
)
from updater.model.candidate import Candidate, FactFailure
from updater.model.image import parse_digest, parse_name
from updater.model.outcome import Outcome, Status
from updater.model.report import DestinationLanded, ImageScanned, LandingEnd, SelectionReflected
from updater.model.scan_key import ScanKey
from updater.model.selection import Selection
from updater.model.subscription import (
    CommitSpec,
    Downgrade,
    GitBranch,
    Locator,
    Origin,
    PolicySpec,
    Subscription,
    Target,
    Variant,
)

NAMESPACE = "team"
WEB = (NAMESPACE, "web")
FLEET = (NAMESPACE, "fleet")
IMAGE = "ghcr.io/acme/web"
BRANCH = GitBranch(url="https://git.test/fleet.git", branch="main")
SPEC = CommitSpec(name="bot", email="bot@example.org")
START = datetime(2026, 8, 18, 12, 0, 0, tzinfo=UTC)
HEAD = "4" * 40
COMMIT = "a47b32f4814810acac804df5054ec37cbfdbfb53"
ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def at(seconds):
    return START + timedelta(seconds=seconds)


def stamp(seconds=0):
    return at(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


def kept(kind=IMAGE_REPOSITORY, name="web", *, status=None, generation=1, annotations=None, version="7"):
    metadata = {"name": name, "namespace": NAMESPACE, "uid": f"uid-{name}", "generation": generation, "resourceVersion": version}
    metadata |= {"annotations": annotations} if annotations else {}
    item = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata, "spec": {}, "status": status or {}}
    return prune_object(item, Sharing())


def repository(image=IMAGE, **options):
    name = options.pop("name", image)
    options = {"interval": 60.0, "timeout": 60.0, "exclusions": ("^.*\\.sig$",), **options}
    return ImageRepositoryRequest(key=WEB, name=name, image=parse_name(image), **options)


def policy(*, spec=PolicySpec("semver", {"range": ">=1"}), **options):  # noqa: B008 - it is frozen
    return ImagePolicyRequest(key=WEB, repository=WEB, policy=spec, **options)


def automation(**options):
    options = {"source": FLEET, "interval": 300.0, "branch": BRANCH, "commit_spec": SPEC, "policies": (WEB,), **options}
    return AutomationRequest(key=FLEET, **options)


def subscription(request=None, *automations, image=IMAGE):
    request = request or policy()
    targets = tuple(
        Target(
            destination=item.branch,
            editor="marker",
            locator=Locator(path=item.path, name="team:web"),
            commit_spec=item.commit_spec,
            may_be_absent=True,
        )
        for item in automations
    )
    return Subscription(
        key=subscription_key(request.key),
        image=parse_name(image),
        policy=request.policy,
        variant=Variant.ANY,
        is_shape_locked=False,
        downgrade=Downgrade.BY_POLICY,
        targets=targets,
        is_reflected=True,
        reflects_digest=request.reflection is not DigestReflection.NEVER,
        origin=Origin(kind="ImagePolicy", name="/".join(request.key)),
    )


def translation(repositories=(), policies=(), automations=(), *, subscribed=True):
    asked = {item.key: subscription(item, *(one for one in automations if item.key in one.policies)) for item in policies}
    return FluxTranslation(
        repositories={item.key: item for item in repositories},
        policies={item.key: item for item in policies},
        automations={item.key: item for item in automations},
        subscriptions=asked if subscribed else {},
    )


def state(found, *, statuses=None, generation=1):
    """Everything of a translation as kept objects; *statuses* by kind name."""
    statuses = statuses or {}

    def all_of(kind, requests):
        return {
            key: kept(
                kind,
                key[1],
                status=statuses.get(kind.name),
                generation=generation,
                annotations={REQUESTED_AT: each.requested_at} if each.requested_at else None,
            )
            for key, each in requests.items()
        }

    return FluxState(
        repositories=all_of(IMAGE_REPOSITORY, found.repositories),
        policies=all_of(IMAGE_POLICY, found.policies),
        automations=all_of(IMAGE_UPDATE_AUTOMATION, found.automations),
        translation=found,
    )


def scanned(*names, began=0, failure=None, image=IMAGE):
    listed = ScanKey(parse_name(image), None)
    return ImageScanned(listed=listed, names=names, failure=failure, began=at(began), at=at(began + 1))


def fault(code="registry-unavailable", message="no answer", public=""):
    return FactFailure(code, message, "", public)


def selection(tag="1.0.0", digest="", *, status="updated", detail="", code=None):
    chosen = Candidate(tag=tag, digest=parse_digest(digest) if digest else None) if tag else None
    return Selection(status=status, chosen=chosen, detail=detail, code=code, rejections={})


def reflected(tag="1.0.0", digest="", *, began=0, failure=None, **options):
    made = selection(tag, digest, **options) if failure is None else None
    return SelectionReflected(
        subscription="ImagePolicy team/web", selection=made, failure=failure, began=at(began), at=at(began + 1)
    )


def outcome(status=Status.UNCHANGED, detail="already the newest allowed version", *, request=None, **options):
    request = request or automation()
    spec = subscription(None, request).targets[0]
    origin = Origin(kind="ImagePolicy", name="team/web")
    return Outcome(
        key="ImagePolicy team/web", target=str(spec), status=status, detail=detail, origin=origin, target_spec=spec, **options
    )


def landed(*outcomes, end=LandingEnd.QUIET, began=0, seconds=2.0, head=HEAD, **options):
    found = outcomes or (outcome(),)
    branch = options.pop("branch", BRANCH)
    return DestinationLanded(
        destination=branch,
        outcomes=found,
        end=end,
        seconds=seconds,
        head=head,
        at=at(began + seconds),
        notes=options.pop("notes", ()),
        **options,
    )
