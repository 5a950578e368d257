"""Annotations on Applications become subscriptions, image by image, under the ids of the peer's cases."""

from __future__ import annotations

import pytest

from tests.argocd.request.making import DIGEST, GIT, OWN, PREFIX, application, codes, one, run
from updater.model.image import parse_platform
from updater.model.subscription import CredentialRef, Downgrade, Form, GitBranch, LiveApplication, PolicySpec, TagFilter, Variant
from updater.model.written import Written

LIST = {"image-list": "web=ghcr.io/o/web:^1.0"}


def test_an_annotated_application_needs_no_other_object():
    item = one(application(LIST | GIT))
    assert item.key == "argocd/web/web"
    assert item.policy == PolicySpec("semver", {"range": "^1.0"})
    assert (item.variant, item.downgrade, item.interval) == (Variant.ANY, Downgrade.BY_POLICY, 120.0)
    assert str(item.origin) == "Application argocd/web"
    (target,) = item.targets
    assert target.destination == GitBranch(url="https://git.test/fleet.git", branch="main")
    assert (target.editor, target.locator.path) == ("argocd_source", "apps/web/.argocd-source-web.yaml")
    assert (target.locator.section, target.locator.name, target.locator.spec) == ("kustomize", None, "ghcr.io/o/web")
    assert target.running == Written(name="ghcr.io/o/web", tag="1.0.0")


@pytest.mark.parametrize(
    ("strategy", "listed", "policy", "form"),
    [
        ("semver", "web=ghcr.io/o/web", PolicySpec("semver"), Form.TAG),
        ("SemVer", "web=ghcr.io/o/web:~1.0", PolicySpec("semver", {"range": "~1.0"}), Form.TAG),
        ("newest-build", "web=ghcr.io/o/web", PolicySpec("latest"), Form.TAG),
        ("latest", "web=ghcr.io/o/web", PolicySpec("latest"), Form.TAG),
        ("Latest", "web=ghcr.io/o/web", PolicySpec("latest"), Form.TAG),
        ("alphabetical", "web=ghcr.io/o/web", PolicySpec("name"), Form.TAG),
        ("NAME", "web=ghcr.io/o/web", PolicySpec("name"), Form.TAG),
        ("digest", "web=ghcr.io/o/web:latest", PolicySpec("digest", {"tag": "latest"}), Form.TAG_AND_DIGEST),
    ],
)
def test_every_strategy_name_is_known_in_any_case_old_ones_too(strategy, listed, policy, form):
    item = one(application({"image-list": listed, "web.update-strategy": strategy}))
    assert (item.policy, item.targets[0].form) == (policy, form)


def test_the_settings_of_an_image_win_over_those_of_the_application():
    item = one(
        application(
            {"image-list": "web=ghcr.io/o/web"}
            | {"update-strategy": "digest", "web.update-strategy": "name", "allow-tags": "any", "web.allow-tags": "regexp:^v"}
        )
    )
    assert (item.policy.kind, item.filter.allow) == ("name", "^v")


def test_app_wide_settings_reach_images_without_alias():
    item = one(application({"image-list": "ghcr.io/o/web", "update-strategy": "latest", "ignore-tags": "dev, rc-*"}))
    assert (item.key, item.policy.kind, item.filter.ignore) == ("argocd/web/ghcr.io/o/web", "latest", ("dev", "rc-*"))


@pytest.mark.parametrize(
    ("text", "allow"),
    [
        pytest.param("any", None, id="argo-033"),
        pytest.param("ANY", None, id="argo-034"),
        pytest.param("regexp:[aA-zZ]", "[aA-zZ]", id="argo-036"),
        ("RegExp:^v", "^v"),
        ("", None),
    ],
)
def test_allow_tags_is_any_or_an_expression(text, allow):
    assert one(application(LIST | {"web.allow-tags": text})).filter == TagFilter(allow=allow)


@pytest.mark.parametrize(
    ("key", "text", "code"),
    [
        pytest.param("web.allow-tags", "not-regexp:a-z", "filter", id="argo-035"),
        pytest.param("web.platforms", "invalid", "image-syntax", id="argo-074"),
        pytest.param("web.pull-secret", "=secret:argocd/name#field", "credential-ref", id="argo-077"),
        pytest.param("web.pull-secret", "gcr.io=secret:", "credential-ref", id="argo-078"),
        pytest.param("web.pull-secret", "ext:relative/path", "credential-ref", id="argo-081"),
        ("web.update-strategy", "semvr", "policy"),
        ("web.force-update", "yes", "wrong-type"),
        ("web.ignore-tags", "[a", "policy"),
        ("allow-tags", "regexp:(", "policy"),
        pytest.param("write-back-target", "overlays/prod/kustomization.yaml", "write-back", id="argo-143"),
        pytest.param("write-back-method", "unsupported", "write-back", id="argo-145"),
    ],
)
def test_a_value_that_cannot_be_read_stops_that_image_and_is_said_once(key, text, code):
    found = run(application(LIST | GIT | {key: text}), application(LIST | GIT, name="other"))
    assert [item.key for item in found.snapshot.subscriptions] == ["argocd/other/web"]
    (problem,) = found.snapshot.problems
    assert (problem.code, problem.origin) == (code, "Application argocd/web")
    assert problem.message.startswith(PREFIX + key)
    assert problem.hint
    assert found.answers[0].code == code


@pytest.mark.parametrize(
    ("listed", "code", "kept"),
    [
        pytest.param("web=, db=ghcr.io/o/web", "image-syntax", ["db"], id="argo-094"),
        pytest.param("   ", "image-list", [], id="argo-095"),
        pytest.param("web=ghcr.io/o/web:stable, db=ghcr.io/o/web", "policy", ["db"], id="argo-162"),
        ("web=ghcr.io/o/web, web=ghcr.io/o/other", "alias", ["web"]),
        ("web=ghcr.io/o/web:>=1.0,<2.0, db=ghcr.io/o/web", "image-syntax", ["db"]),
        ("web=ghcr.io/O/Web, db=ghcr.io/o/web", "image-syntax", ["db"]),
    ],
)
def test_one_malformed_entry_never_stops_the_others(listed, code, kept):
    found = run(application({"image-list": listed}, images=["ghcr.io/o/web:1"], kind="Helm"))
    assert codes(found) == [code]
    assert [item.key.rpartition("/")[2] for item in found.snapshot.subscriptions] == kept


def test_half_of_a_range_cut_at_its_comma_is_never_used():
    found = run(application({"image-list": "web=ghcr.io/o/web:>=1.0,<2.0"}))
    assert "blanks: web=ghcr.io/o/web:>=1.0 <2.0" in found.snapshot.problems[0].hint
    assert one(application({"image-list": "web=ghcr.io/o/web:>=1.0 <2.0"})).policy.options == {"range": ">=1.0 <2.0"}


@pytest.mark.parametrize(
    ("key", "code", "hint"),
    [
        ("web.update-stratgy", "unknown-key", "did you mean 'web.update-strategy'?"),
        ("update-stratgy", "unknown-key", "did you mean 'update-strategy'?"),
        ("wbe.update-strategy", "alias", "did you mean 'web'?"),
    ],
)
def test_a_misspelt_key_is_a_problem_with_the_nearest_one_and_the_image_goes_on(key, code, hint):
    found = run(application(LIST | {key: "semver"}))
    assert [(problem.code, problem.hint) for problem in found.snapshot.problems] == [(code, hint)]
    assert len(found.snapshot.subscriptions) == 1


def test_a_misspelt_image_list_is_said():
    found = run(application({"image-lst": "web=ghcr.io/o/web"}))
    assert codes(found) == ["image-list", "unknown-key"]


def test_an_annotation_that_is_no_text_is_a_problem():
    item = application(LIST)
    item["metadata"]["annotations"][PREFIX + "force-update"] = True
    assert codes(run(item)) == ["wrong-type"]


def test_argo_093_ignored_tags_keep_their_empty_items():
    assert one(application(LIST | {"ignore-tags": "dev,,test"})).filter.ignore == ("dev", "", "test")


def test_argo_097_empty_write_back_annotations_say_nothing():
    keys = ("write-back-method", "write-back-target", "git-branch", "git-repository")
    assert one(application(LIST | dict.fromkeys(keys, ""))).targets[0].destination == LiveApplication(
        namespace="argocd", name="web"
    )


def test_tag_match_is_the_old_name_of_allow_tags():
    assert one(application(LIST | {"web.tag-match": "regexp:^1"})).filter.allow == "^1"
    assert one(application(LIST | {"web.tag-match": "regexp:^1", "web.allow-tags": "regexp:^2"})).filter.allow == "^2"


def test_a_slash_in_an_alias_may_be_an_underscore_in_keys():
    for key in ("team/web.update-strategy", "team_web.update-strategy"):
        assert one(application({"image-list": "team/web=ghcr.io/o/web", key: "name"})).policy.kind == "name"


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        pytest.param("env:DUMMY_SECRET", CredentialRef(kind="env", value="DUMMY_SECRET"), id="argo-079"),
        pytest.param("secret:argocd/name#field", CredentialRef(kind="secret", value="argocd/name#field"), id="argo-076"),
        ("gcr.io=secret:argocd/name#field", CredentialRef(kind="secret", value="argocd/name#field")),
        ("localhost:5000=pullsecret:argocd/regcred", CredentialRef(kind="pullsecret", value="argocd/regcred")),
        ("ext:/scripts/login.sh", CredentialRef(kind="ext", value="/scripts/login.sh")),
    ],
)
def test_every_form_of_a_pull_secret_is_read(text, reference):
    assert one(application(LIST | {"pull-secret": text}), credentials=(reference,)).credential == reference


@pytest.mark.parametrize("text", ["pullsecret:other/regcred", "gcr.io=secret:other/name#field"])
def test_argo_158_a_secret_of_another_namespace_is_refused(text):
    found = run(application({"image-list": "web=ghcr.io/o/web, db=ghcr.io/o/web", "web.pull-secret": text}, kind="Helm"))
    assert codes(found) == ["secret-namespace"]
    assert [item.key for item in found.snapshot.subscriptions] == ["argocd/web/db"]


def test_platforms_are_those_that_are_written():
    item = one(application(LIST | {"web.platforms": "linux/arm64, linux/amd64"}))
    assert item.platforms == (parse_platform("linux/arm64"), parse_platform("linux/amd64"))


def test_argo_075_without_platforms_none_is_asked_for():
    assert one(application(LIST)).platforms == ()


@pytest.mark.parametrize(
    ("live", "listed"),
    [
        ("docker.io/o/web:1", "o/web"),
        ("o/web:1", "docker.io/o/web"),
        ("nginx:1", "docker.io/library/nginx"),
        ("localhost:5000/o/web:1", "localhost:5000/o/web:^1"),
        (f"ghcr.io/o/web@{DIGEST}", "ghcr.io/o/web"),
    ],
)
def test_what_runs_is_known_by_its_name_not_by_its_spelling(live, listed):
    assert one(application({"image-list": f"web={listed}"}, images=[live])).targets[0].running is not None


def test_argo_160_an_image_that_does_not_run_is_answered_not_written():
    found = run(application({"image-list": "web=jannfis/barbar:1.0.1"}, images=["jannfis/foobar:1.0.0"]))
    assert (found.snapshot.subscriptions, found.snapshot.problems) == ((), ())
    (answer,) = found.answers
    assert (answer.code, answer.alias) == ("not-live", "web")
    assert "force-update" in answer.sentence


def test_argo_156_a_job_is_written_by_force():
    item = one(
        application(
            {"image-list": "web=ghcr.io/o/job:latest", "web.force-update": "true", "web.update-strategy": "digest"}, images=[]
        )
    )
    assert (item.policy, item.targets[0].form) == (PolicySpec("digest", {"tag": "latest"}), Form.TAG_AND_DIGEST)
    assert item.targets[0].running is None


def test_a_manifest_without_status_counts_as_running():
    spec = {"source": {"repoURL": "https://git.test/x", "path": ".", "kustomize": {}}}
    assert one(application(LIST, spec=spec, status=None)).targets[0].running is None


@pytest.mark.parametrize(
    ("live", "tag"),
    [
        (["ghcr.io/o/web:other", "ghcr.io/o/web:develop"], "develop"),
        pytest.param([f"ghcr.io/o/web@{DIGEST}"], None, id="argo-069"),
        pytest.param([f"ghcr.io/o/web:other@{DIGEST}"], "other", id="argo-070"),
        (["ghcr.io/o/web:a", "ghcr.io/o/web:b"], "a"),
    ],
)
def test_of_several_that_run_the_configured_tag_counts(live, tag):
    item = one(application({"image-list": "web=ghcr.io/o/web:develop", "update-strategy": "digest"}, images=live))
    assert item.targets[0].running.tag == tag


NEW = "sha256:" + "e" * 64


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    ("live", "digest"),
    [
        ([f"develop@{DIGEST}", f"develop@{NEW}"], None),
        ([f"develop@{NEW}", f"develop@{NEW}"], NEW),
        ([f"develop@{NEW}", "develop"], None),
        ([f"develop@{NEW}", f"other@{DIGEST}"], NEW),
        ([f"other@{NEW}", f"@{DIGEST}"], None),
    ],
)
def test_one_stale_reference_of_several_is_enough_in_any_order(live, digest, order):
    """Where digests differ one of them is stale, whichever the registry has, so none of them is said to run."""
    images = [f"ghcr.io/o/web:{text}".replace(":@", "@") for text in live[::order]]
    item = one(application({"image-list": "web=ghcr.io/o/web:develop", "update-strategy": "digest"}, images=images))
    assert item.targets[0].running.digest == digest


def test_what_runs_under_the_name_that_kustomize_replaces_counts():
    listed = {"image-list": "web=ghcr.io/new/web", "web.kustomize.image-name": "old/web"}
    item = one(application(listed | GIT, images=["old/web:1"]))
    assert item.targets[0].running == Written(name="old/web", tag="1")
    assert item.targets[0].locator.name == "old/web"


def test_texts_that_are_no_reference_among_what_runs_are_passed_over():
    assert one(application(LIST, images=["sha256:abc", 5, "ghcr.io/o/web:1"])).targets[0].running.tag == "1"


def test_our_own_annotations_say_what_the_peer_has_no_word_for():
    own = {"allow-downgrade": "true", "web.variant": "lock", "web.form": "tag@digest", "interval": "5m"}
    item = one(application(LIST, own=own))
    assert (item.downgrade, item.variant, item.interval) == (Downgrade.ALWAYS, Variant.LOCK, 300.0)
    assert one(application(LIST, own={"downgrade": "never"})).downgrade is Downgrade.NEVER
    assert one(application(LIST, own={"allow-downgrade": "false"})).downgrade is Downgrade.NEVER
    assert item.targets[0].form is Form.TAG_AND_DIGEST


@pytest.mark.parametrize(
    ("own", "code"),
    [
        ({"web.varint": "lock"}, "unknown-key"),
        ({"web.variant": "locked"}, "wrong-type"),
        ({"interval": "5"}, "duration"),
        ({"form": "digests"}, "wrong-type"),
        ({"downgrade": "maybe"}, "wrong-type"),
        ({"downgrade": "never", "allow-downgrade": "true"}, "conflict"),
        ({"other.form": "tag"}, "alias"),
    ],
)
def test_our_own_annotations_are_checked_as_the_others(own, code):
    (problem,) = run(application(LIST, own=own)).snapshot.problems
    assert (problem.code, problem.message.startswith(OWN)) == (code, True)


@pytest.mark.parametrize("strategy", ["latest", "newest-build", "alphabetical", "name"])
def test_a_constraint_that_a_strategy_ignores_is_a_problem_with_the_repair(strategy):
    """The image moves all the same, by the rule of the peer."""
    found = run(application({"image-list": "web=ghcr.io/o/web:k8s-dev-*", "update-strategy": strategy}))
    (answer,), (problem,) = found.answers, found.snapshot.problems
    assert answer.subscription is not None
    assert "the constraint k8s-dev-* means nothing to" in answer.sentence
    assert (problem.code, problem.message.startswith(f"{PREFIX}image-list: the strategy {strategy} ignores")) == (
        "constraint",
        True,
    )
    assert "web.allow-tags: regexp:^k8s-dev-," in problem.hint


@pytest.mark.parametrize("listed", ["web=ghcr.io/o/web", "web=ghcr.io/o/web:v?.1"])
def test_a_repair_of_an_ignored_constraint_is_an_expression_that_is_read(listed):
    found = run(application({"image-list": listed, "update-strategy": "latest"}))
    hints = [problem.hint for problem in found.snapshot.problems]
    assert hints == [] or "regexp:^v.\\.1$," in hints[0]


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        (r"regexp:^0\.0\.0.{0,3}$", "cut at a comma"),
        (r"dev, regexp:a{2,}", "cut at a comma"),
        ("regexp:(a,b)", "missing"),
        ("{dev,test}", "no tag contains '{'"),
        ("dev|test", "no tag contains '|'"),
        ("^rc-.+$", "no tag contains '+'"),
    ],
)
def test_an_ignored_pattern_that_cannot_match_is_a_problem(text, cut):
    """The comma separates, as with the peer, wherever it stands; half of an expression ignores nothing."""
    found = run(application(LIST | {"ignore-tags": text}))
    assert found.snapshot.subscriptions == ()
    assert cut in found.snapshot.problems[0].message
    assert "comma" in found.snapshot.problems[0].hint or cut == "missing"


@pytest.mark.parametrize("text", [r"regexp:^0\.0\.0.{3}$", r"regexp:[{]a", r"regexp:\{", "v[0-9]?,[^a-c]*", "dev, ,rc-*"])
def test_an_ignored_pattern_that_can_be_read_is_none(text):
    assert run(application(LIST | {"ignore-tags": text})).snapshot.problems == ()


def test_images_that_share_no_parameter_are_shown_without_it():
    """Two images of one Application each have their own tag, and neither writes the name that nobody gave."""
    listed = {"image-list": "a=ghcr.io/o/a, b=ghcr.io/o/b", "a.helm.image-tag": "a.tag", "b.helm.image-tag": "b.tag"}
    for answer in run(application(listed, images=["ghcr.io/o/a:1", "ghcr.io/o/b:1"], kind="Helm")).answers:
        (target,) = answer.subscription.targets
        assert target.locator.name is None
        assert answer.sentence.endswith(f" {target.locator}")
        assert "image.name" not in answer.sentence


def test_applications_without_annotations_ask_for_nothing():
    assert run(application()).answers == ()


def test_annotations_may_want_an_image_updater_as_since_version_one():
    found = run(application(LIST), annotated=False)
    assert found.snapshot.subscriptions == ()
    assert [answer.code for answer in found.answers] == ["annotations-unused"]


@pytest.mark.parametrize(
    "broken", [{}, {"metadata": 3}, {"metadata": {"annotations": []}, "spec": []}, {"spec": {"sources": [3]}}]
)
def test_objects_of_any_shape_never_raise(broken):
    assert run({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", **broken}, application(LIST)).snapshot.subscriptions


@pytest.mark.parametrize(
    ("annotations", "kind", "idle"),
    [
        ({"web.helm.image-tag": "tag"}, "Kustomize", ["helm.image-tag"]),
        ({"web.kustomize.image-name": "web"}, "Helm", ["kustomize.image-name"]),
        ({"git-branch": "main", "write-back-target": "helmvalues"}, "Kustomize", ["write-back-target", "git-branch"]),
        ({"git-branch": "main"} | GIT, "Helm", []),
    ],
)
def test_settings_without_a_say_are_named(annotations, kind, idle):
    (answer,) = run(application(LIST | annotations, kind=kind)).answers
    assert [text.removesuffix(" means nothing here") for text in answer.sentence.split("; ") if "nothing" in text] == idle
