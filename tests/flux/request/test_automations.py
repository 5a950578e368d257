"""Where an automation reads and pushes, how it commits, and which of its faults is said first."""

from __future__ import annotations

import pytest

from tests.flux.request.making import automation, policy, repository, source, translate
from updater.errors import ConfigError
from updater.flux.request.destinations import PushRequest, destination_for
from updater.flux.request.requests import GitRepositoryRequest
from updater.model.publishing import Direct, PushBranch

MANAGER = "failed configuring source manager"
NO_PUSH = "push spec not provided, and cannot be inferred from .spec.git.checkout.ref or GitRepository .spec.ref"
AUTHOR = {"author": {"email": "flux@example.org"}}


def asked(*, reference=None, checkout=None, push=None, crosses_namespaces=True, **spec):
    """Translate one automation; *reference* is that of the GitRepository, *checkout* its own."""
    git = {**({"checkout": checkout} if checkout is not None else {}), **({"push": push} if push else {})}
    given = {} if reference is None else {"ref": reference}
    sources = [source(**given), source(namespace="far")]
    made = translate([repository()], [policy()], [automation(git=git, **spec)], sources, crosses_namespaces=crosses_namespaces)
    return made.automations["apps", "fleet"]


@pytest.mark.parametrize(
    ("reference", "checkout", "push", "branch"),
    [
        ({"branch": "main"}, None, None, "main"),
        ({"branch": "main"}, {"ref": {"branch": "dev"}}, None, "dev"),
        ({"branch": "main"}, {"ref": {"branch": "dev"}}, {"branch": "dev"}, "dev"),
        ({"branch": "main"}, {"ref": {"branch": "dev"}}, {"branch": "auto"}, "dev:auto"),
        ({"branch": "main"}, None, {"branch": "auto"}, "main:auto"),
        ({"branch": "main"}, {"ref": {}}, {"branch": "auto"}, "master:auto"),
        ({}, None, {"branch": "auto"}, "master:auto"),
        ({}, None, {"branch": "master"}, "master"),
        ({"name": "refs/heads/main", "branch": "dev", "tag": "v1"}, None, {"branch": "main"}, "main"),
        ({"name": "refs/heads/main"}, None, {"branch": "auto"}, "main:auto"),
    ],
)
def test_the_branch_that_is_read_and_the_one_that_is_pushed(reference, checkout, push, branch):
    found = asked(reference=reference, checkout=checkout, push=push)
    assert (str(found.branch), found.fault) == (f"https://git.example.org/fleet.git#{branch}", None)


@pytest.mark.parametrize(("reference", "checkout"), [({}, None), ({"tag": "v1"}, None), ({"branch": "main"}, {"ref": {}})])
def test_a_ref_without_a_branch_needs_a_push_branch(reference, checkout):
    fault = asked(reference=reference, checkout=checkout).fault
    assert (fault.reason, fault.is_stalled, fault.message) == ("SourceManagerFailed", False, f"{MANAGER}: {NO_PUSH}")


@pytest.mark.parametrize(
    ("reference", "push", "read", "written"),
    [
        ({"commit": "a" * 40, "branch": "main"}, None, f"commit {'a' * 40}", "main"),
        ({"name": "refs/pull/1/head"}, {"branch": "auto"}, "name refs/pull/1/head", "auto"),
        ({"tag": "v1", "branch": "main"}, None, "tag v1", "main"),
        ({"semver": "1.x", "branch": "main"}, {"branch": "auto"}, "semver 1.x", "auto"),
    ],
)
def test_a_ref_that_is_no_branch_is_read_and_a_branch_is_pushed(reference, push, read, written):
    found = asked(reference=reference, push=push)
    assert (str(found.branch.ref), found.branch.push, found.fault) == (read, written, None)


def test_a_refspec_and_push_options_go_with_each_push():
    push = {"branch": "auto", "refspec": "refs/heads/auto:refs/for/main", "options": {"topic": "images", "draft": ""}}
    found = asked(push=push)
    assert found.branch.publishing == PushBranch("auto", "refs/for/main", ("draft", "topic=images"))
    assert asked(push={"options": {"ci.skip": ""}}).branch.publishing == Direct("", ("ci.skip",))


@pytest.mark.parametrize(
    ("reference", "push", "code"),
    [
        ({"commit": "main"}, {"branch": "auto"}, "checkout-ref"),
        ({"name": "main"}, {"branch": "auto"}, "checkout-ref"),
        ({"branch": "main"}, {"refspec": "x"}, "push-refspec"),
        ({"branch": "main"}, {"refspec": "refs/heads/other:refs/heads/x"}, "push-refspec"),
        ({"branch": "main"}, {"options": {"a": "b\nc"}}, "push-options"),
        ({"branch": "main"}, {"branch": "a\nb"}, "branch-name"),
        ({"branch": "main"}, {"branch": "x" * 245}, "branch-name"),
        ({"branch": "main\x1b[2J"}, {"branch": "auto"}, "branch-name"),
        ({"semver": "x" * 300}, {"branch": "auto"}, "branch-name"),
        ({"branch": "main"}, {"refspec": "refs/heads/main:refs/heads/" + "x" * 600}, "push-refspec"),
    ],
)
def test_what_git_does_not_have_is_said_before_anything_is_read(reference, push, code):
    fault = asked(reference=reference, push=push).fault
    assert (fault.reason, fault.problem.code) == ("SourceManagerFailed", code)


@pytest.mark.parametrize("path", ["a\x00b", "a\nb", "x" * 5000])
def test_a_path_that_no_file_system_has_is_said_before_anything_is_read(path):
    fault = asked(update={"path": path}).fault
    assert (fault.reason, fault.problem.code, len(fault.message) < 200) == ("UpdateFailed", "path", True)


def test_the_url_of_a_repository_is_not_repeated_without_end():
    with pytest.raises(ConfigError) as raised:
        destination_for(
            GitRepositoryRequest(key=("far", "fleet"), url=f"https://host/{'x' * 3000}"), {"branch": "main"}, PushRequest()
        )
    assert raised.value.code == "git-url"


def test_a_destination_is_reached_as_its_repository_says():
    found = destination_for(GitRepositoryRequest(key=("far", "fleet"), url="ssh://git@host/x"), {"branch": "main"}, PushRequest())
    assert (str(found.credential), found.branch) == ("gitrepository:far/fleet", "main")


@pytest.mark.parametrize(
    ("spec", "reason", "message"),
    [
        (
            {"policySelector": {"matchExpressions": [{"key": "a", "operator": "Is"}]}, "sourceRef": {"kind": "X", "name": "x"}},
            "InvalidPolicySelector",
            'failed to parse policy selector: "Is" is not a valid label selector operator',
        ),
        (
            {"policySelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}},
            "InvalidPolicySelector",
            "failed to parse policy selector: values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty",
        ),
        (
            {"policySelector": {"matchLabels": {"-": "x"}}},
            "InvalidPolicySelector",
            'failed to parse policy selector: key: Invalid value: "-": name part must consist of*',
        ),
        (
            {"sourceRef": {"kind": "Bucket", "name": "x"}},
            "InvalidSourceConfiguration",
            "source kind 'Bucket' not supported: invalid source configuration",
        ),
        (
            {"update": {"strategy": "Sed"}, "sourceRef": {"kind": "Bucket", "name": "x"}},
            "InvalidSourceConfiguration",
            "source kind 'Bucket' not supported: invalid source configuration",
        ),
        ({"interval": 5}, "Failure", "spec.interval is not a duration such as 30m"),
        ({"update": {"strategy": "Sed"}}, "InvalidUpdateStrategy", "unsupported update strategy: Sed"),
    ],
)
def test_an_automation_stalls_with_the_first_fault_of_the_original(spec, reason, message):
    fault = asked(**spec).fault
    assert (fault.reason, fault.is_stalled) == (reason, True)
    assert fault.message == message or (message.endswith("*") and fault.message.startswith(message[:-1]))


def test_a_git_repository_of_another_namespace_is_written_unless_that_is_switched_off():
    far = {"kind": "GitRepository", "name": "fleet", "namespace": "far"}
    assert str(asked(sourceRef=far).branch.credential) == "gitrepository:far/fleet"
    fault = asked(sourceRef=far, crosses_namespaces=False).fault
    assert (fault.reason, fault.is_stalled) == ("AccessDenied", True)
    assert fault.message == "can't access 'GitRepository/far/fleet', cross-namespace references have been blocked"


def test_a_suspended_git_repository_is_written_as_in_flux():
    made = translate([repository()], [policy()], [automation()], [source(suspend=True)])
    assert made.automations["apps", "fleet"].fault is None
    assert len(made.snapshot.subscriptions[0].targets) == 1


def test_an_automation_goes_on_once_its_git_repository_is_there():
    made = translate([repository()], [policy()], [automation()], [])
    assert (made.automations["apps", "fleet"].fault.reason, made.snapshot.subscriptions[0].targets) == ("SourceManagerFailed", ())
    assert [problem.code for problem in made.snapshot.problems] == ["reference-missing"]


def test_github_needs_the_secret_of_its_app():
    made = translate([], [], [automation()], [source(provider="github")])
    fault = made.automations["apps", "fleet"].fault
    assert (fault.reason, fault.is_stalled) == ("InvalidSourceConfiguration", True)
    given = source(provider="github", secretRef={"name": "app"})
    assert translate([], [], [automation()], [given]).automations["apps", "fleet"].fault is None


@pytest.mark.parametrize(
    ("key", "signing"),
    [
        (None, ""),
        ({"secretRef": {"name": "keys"}}, "secret:apps/keys#gpg"),
        ({"secretRef": {"name": "keys"}, "type": "gpg"}, "secret:apps/keys#gpg"),
        ({"secretRef": {"name": "keys"}, "type": "ssh"}, "secret:apps/keys#ssh"),
    ],
)
def test_a_signing_key_is_named_with_its_type(key, signing):
    made = translate([], [], [automation(git={"commit": {**AUTHOR, "signingKey": key}})], [source()])
    assert made.automations["apps", "fleet"].commit_spec.signing == signing


@pytest.mark.parametrize(
    ("commit", "reason", "message"),
    [
        ({}, "InvalidSourceConfiguration", "spec.git.commit.author.email is missing: invalid source configuration"),
        (
            {**AUTHOR, "signingKey": {"secretRef": {"name": "k"}, "type": "x509"}},
            "SourceManagerFailed",
            f'{MANAGER}: unknown signing key type "x509"',
        ),
        (
            {**AUTHOR, "messageTemplate": "{{ .Updated.Images }}"},
            "RemovedTemplateField",
            "template uses removed '.Updated' field. Please use '.Changed' instead. See: https://fluxcd.io/flux/*",
        ),
        (
            {**AUTHOR, "messageTemplate": "{{ if"},
            "GitOperationFailed",
            "failed to update source: unable to create commit message template from spec: *",
        ),
        (
            {**AUTHOR, "messageTemplate": "sandbox"},
            "GitOperationFailed",
            "failed to update source: failed to run template from spec: line 1: this one fails always",
        ),
    ],
)
def test_a_commit_that_cannot_be_made_is_known_before_it_is_due(commit, reason, message):
    made = translate([repository()], [policy()], [automation(git={"commit": commit})], [source()])
    fault = made.automations["apps", "fleet"].fault
    assert (fault.reason, made.snapshot.subscriptions[0].targets) == (reason, ())
    assert fault.message == message or (message.endswith("*") and fault.message.startswith(message[:-1]))


def test_an_author_without_a_name_is_called_by_the_address():
    made = translate([], [], [automation(git={"commit": AUTHOR})], [source()])
    spec = made.automations["apps", "fleet"].commit_spec
    assert (spec.name, spec.email) == ("flux@example.org", "flux@example.org")
