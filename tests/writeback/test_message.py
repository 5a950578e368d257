"""What a commit says: the default words, users' templates with the data of both peers, and the trailers behind everything."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.real.parts import require
from updater.errors import TemplateError
from updater.git.history import read_trailers
from updater.model.image import ImageRef, parse_digest, parse_ref
from updater.model.subscription import Form, GitBranch, Locator, Target, Voice
from updater.model.update import Change, Commit, Purpose, Update
from updater.model.view import Part, PartKind, Reading
from updater.model.written import Written
from updater.writeback.message import SUBJECT_LENGTH, branch_name, commit_message, push_summary, with_trailers

BRANCH = GitBranch(url="https://git.example.org/fleet.git", branch="main", push="main")
DEPLOYMENT = ("apps/v1", "Deployment", "ns1", "a")


def update(
    image, old, new, *, key="app", path="apps/app.yaml", line=7, digest=None, purpose=Purpose.MOVE, origin="file u.yaml:3"
):
    name = parse_ref(image).name
    chosen = ImageRef(name=name, tag=new, digest=parse_digest(digest) if digest else None)
    reading = Reading(
        path=path,
        where="spec.image",
        line=line,
        setter=f"flux-system:{key}",
        parts=(Part(kind=PartKind.REFERENCE, line=line, where="spec.image", text=f"{image}:{old}"),),
        written=Written(name=image, tag=old),
    )
    return Update(
        subscription=key,
        target=Target(destination=BRANCH, editor="marker", locator=Locator(), form=Form.TAG),
        reading=reading,
        image=ImageRef(name=name, tag=new),
        written_as=chosen,
        policy="semver range=>=1.0",
        origin=origin,
        purpose=purpose,
    )


def change(made, *, identity=DEPLOYMENT, path=None, old=None, new=None):
    return Change(
        path=path or made.reading.path,
        line=made.reading.line,
        where=made.reading.where,
        old=old or f"{made.reading.written}",
        new=new or f"{made.image}",
        setter=made.reading.setter,
        object_id=identity,
        subscription=made.subscription,
    )


def message(*updates, template="", values=(), changes=None):
    commit = Commit(voice=Voice(message=template, values=tuple(values)), updates=updates)
    return commit_message(commit, {item: (change(item),) for item in updates} if changes is None else changes)


def body(*updates, **options):
    """Give the text before the trailers."""
    return message(*updates, **options).rpartition("\n\n")[0]


def test_the_default_names_image_old_and_new_policy_origin_and_place():
    assert message(update("ghcr.io/org/app", "1.2.3", "1.2.4")) == (
        "Update ghcr.io/org/app to 1.2.4\n"
        "\n"
        "ghcr.io/org/app: 1.2.3 → 1.2.4 (semver range=>=1.0; file u.yaml:3)\n"
        "  apps/app.yaml:7\n"
        "\n"
        "Updater-Subscription: app\n"
        "Updater-Policy: semver range=>=1.0\n"
        "Updater-Image: ghcr.io/org/app:1.2.4\n"
    )


def test_several_images_are_counted_in_the_subject_and_told_one_by_one():
    text = message(update("org/a", "1", "2", key="a"), update("org/b", "3", "4", key="b", path="b.yaml", line=9))
    assert text.startswith("Update 2 images\n\norg/a: 1 → 2 (")
    assert "\norg/b: 3 → 4 (semver range=>=1.0; file u.yaml:3)\n  b.yaml:9\n" in text
    assert read_trailers(text)["Updater-Subscription"] == ("a", "b")


def test_one_move_at_many_places_is_told_once_with_its_places():
    first, second = update("org/a", "1", "2"), update("org/a", "1", "2", path="b.yaml", line=2)
    assert body(first, second).count("org/a: 1 → 2") == 1
    assert body(first, second).endswith("  apps/app.yaml:7\n  b.yaml:2")


def test_a_thousand_places_do_not_make_an_endless_message():
    made = update("org/a", "1", "2")
    places = tuple(change(made, path=f"{index}.yaml") for index in range(1000))
    text = message(made, changes={made: places})
    assert text.count(".yaml:7\n") == 200
    assert "  and 800 more\n" in text


@pytest.mark.parametrize(
    ("image", "tag", "subject"),
    [
        ("ghcr.io/org/app", "1.2.4", "Update ghcr.io/org/app to 1.2.4"),
        ("registry.example.org/" + "deep/" * 10 + "app", "1.2.4", "Update app to 1.2.4"),
        ("ghcr.io/org/app", "t" * 100, "Update app"),
    ],
)
def test_the_subject_is_short(image, tag, subject):
    text = message(update(image, "1", tag)).splitlines()[0]
    assert text == subject
    assert len(text) <= SUBJECT_LENGTH


def test_digests_are_short_in_the_words_and_whole_in_the_trailers():
    digest = "sha256:" + "ab" * 32
    text = message(update("org/a", "1@" + digest, "2", digest=digest))
    assert "org/a: 1@sha256:abababababab → 2 (" in text
    assert f"Updater-Image: org/a:2@{digest}\n" in text


def test_a_revert_says_so_and_names_what_was_rejected():
    made = update("org/a", "2", "1", purpose=Purpose.REVERT)
    digest = "sha256:" + "cd" * 32
    made = Update(**{name: getattr(made, name) for name in made.__slots__} | {"reading": with_digest(made.reading, digest)})
    text = message(made)
    assert text.startswith("Revert org/a to 1\n")
    assert f"Updater-Rejected: app {digest}\n" in text


def with_digest(reading, digest):
    fields = {name: getattr(reading, name) for name in reading.__slots__}
    return Reading(**fields | {"written": Written(name="org/a", tag="2", digest=digest)})


def test_the_trailers_of_a_message_are_read_back_as_they_were():
    made = [update("org/a", "1", "2", key="a"), update("org/b", "1", "2", key="b", digest="sha256:" + "0" * 64)]
    assert read_trailers(with_trailers("x", made)) == {
        "Updater-Subscription": ("a", "b"),
        "Updater-Policy": ("semver range=>=1.0",),
        "Updater-Image": ("org/a:2", "org/b:2@sha256:" + "0" * 64),
    }


@pytest.mark.parametrize(
    "template",
    [
        "Bump\x00 {{ len .Changes }}\x1b[31m\r\nbody\u202e\n\n\n",
        "a\n\nUpdater-Subscription: forged\nupdater-image: evil/image:1",
        "a\n\nUpdater-Subscription: forged",
        "Updater-Subscription: forged",
        "a\n\nSigned-off-by: me <me@example.org>",
        "a\n\nNote: not a trailer\nbecause of this line",
        "a\n\n   \n\t\n",
        "subject only",
    ],
)
def test_no_template_hides_or_forges_a_trailer(template):
    text = message(update("org/a", "1", "2"), template=template)
    found = read_trailers(text)
    assert found["Updater-Subscription"] == ("app",)
    assert found["Updater-Image"] == ("org/a:2",)
    assert not any(char in text for char in "\x00\x1b\r\u202e")
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


@given(st.text(max_size=200))
def test_whatever_a_value_holds_the_trailers_are_ours(value):
    text = message(update("org/a", "1", "2"), template="{{ .Values.text }}", values=[("text", value)])
    found = read_trailers(text)
    assert found["Updater-Subscription"] == ("app",)
    assert text.splitlines()[0].strip()


@pytest.mark.real
def test_git_itself_reads_the_trailers():
    git = require("git")
    text = message(update("org/a", "1", "2"), template="a: b\n\nUpdater-Image: x\n\nc: d")
    told = subprocess.run([git, "interpret-trailers", "--parse"], input=text, capture_output=True, text=True, check=True)
    assert "Updater-Subscription: app\n" in told.stdout
    assert "Updater-Image: x" not in told.stdout


@pytest.mark.parametrize("template", ["", "  \n ", "{{ if false }}x{{ end }}", "\x00"])
def test_a_template_that_makes_nothing_gives_the_default(template):
    assert message(update("org/a", "1", "2"), template=template).startswith("Update org/a to 2\n")


def test_a_template_that_fails_says_where_and_makes_no_message():
    with pytest.raises(TemplateError, match=r"^message:2:4: can't evaluate field Nope"):
        message(update("org/a", "1", "2"), template="x\n{{ .Nope }}")


def test_only_what_changed_is_told():
    first, second = update("org/a", "1", "2", key="a"), update("org/b", "1", "2", key="b")
    text = message(first, second, changes={first: (change(first),), second: ()})
    assert text.startswith("Update org/a to 2\n")
    assert "org/b" not in text


def test_our_own_changes_have_every_field():
    names = ("Subscription", "Image", "Old", "New", "Policy", "Origin", "Path", "Line")
    template = "{{ range .Changes }}" + " ".join(f"{{{{ .{name} }}}}" for name in names) + "{{ end }}"
    made = update("org/a", "1", "2")
    assert body(made, template=template) == "app org/a org/a:1 org/a:2 semver range=>=1.0 file u.yaml:3 apps/app.yaml 7"


def test_versions_can_be_asked_about():
    asked = (
        "$new.Major $new.Minor $new.Patch $new $new.Prerelease $new.Metadata $new.Original ($new.Compare $old)"
        " ($old.LessThan $new)"
        " ($new.GreaterThan $old) ($new.Equal $new) (semverCompare `^1.0` .NewTag) (semverCompare `>=1-0` .NewTag)"
    )
    versions = "{{ $new := semver .NewTag }}{{ $old := semver .OldTag }}"
    template = f"{{{{ range .AppChanges }}}}{versions}{{{{ list {asked} | join ` ` }}}}{{{{ end }}}}"
    assert body(update("org/a", "1.2.3", "v1.3.0-rc.1+b"), template=template) == (
        "1 3 0 1.3.0-rc.1+b rc.1 b v1.3.0-rc.1+b 1 true true true false true"
    )


@pytest.mark.parametrize("template", ["{{ semver `x` }}", "{{ semverCompare `>>` `1.0` }}", "{{ semverCompare `1` `x` }}"])
def test_what_is_no_version_is_an_error_of_the_template(template):
    with pytest.raises(TemplateError, match="message:1:4: semver"):
        message(update("org/a", "1", "2"), template=template)


def flux(template, *, updates=None, **options):
    made = updates or [update("org/a", "1", "2", origin="ImagePolicy flux-system/auto")]
    return body(*made, template=template, **options)


def test_flux_310_a_push_is_summed_up_by_short_revision_branch_and_message():
    told = push_summary("a47b32f4814810acac804df5054ec37cbfdbfb53", "test-branch", "Update from image update automation")
    assert told == "pushed commit 'a47b32f' to branch 'test-branch'\nUpdate from image update automation"


def test_flux_311_an_empty_template_names_the_changes_rather_than_nothing():
    assert message(update("org/a", "1", "2"), template="").startswith("Update org/a to 2\n")


def test_flux_312_values_are_a_map_of_texts():
    template = (
        'Cluster: {{ index .Values "cluster" }} / Testing: {{ .Values.testing }} {{ .Values.none }}{{ index .Values "none" }}'
    )
    values = [("cluster", "prod"), ("testing", "value")]
    assert flux(template, values=values) == "Cluster: prod / Testing: value <no value>"


@pytest.mark.parametrize("field", [".Changed.ImageResult", ".Updated.Images", ".Updated"])
def test_flux_313_a_removed_field_names_its_replacement(field):
    with pytest.raises(TemplateError, match="can't evaluate field") as caught:
        flux(f"{{{{ {field} }}}}")
    assert "{{ range .Changed.Changes }}" in caught.value.hint


def test_flux_314_one_object_in_two_files_has_its_changes_under_one_key():
    first, second = update("org/a", "1", "2", path="base/d.yaml"), update("org/a", "1", "2", key="b", path="overlays/prod/d.yaml")
    shown = "{{ $o.Kind }} {{ $o.Namespace }}/{{ $o.Name }} {{ $o.APIVersion }} {{ len $c }};"
    template = f"{{{{ range $o, $c := .Changed.Objects }}}}{shown}{{{{ end }}}}"
    assert flux(template, updates=[first, second]) == "Deployment ns1/a apps/v1 2;"


def test_flux_315_the_automation_has_name_and_namespace():
    assert (
        flux("{{ .AutomationObject.Name }}/{{ .AutomationObject.Namespace }} {{ .AutomationObject }}")
        == "auto/flux-system flux-system/auto"
    )


def test_flux_316_an_unknown_field_is_an_error():
    with pytest.raises(TemplateError, match="can't evaluate field Foo"):
        flux("{{ .Foo }}")


def test_flux_317_a_template_can_fail():
    with pytest.raises(TemplateError, match="x") as caught:
        flux('{{ fail "x" }}')
    assert caught.value.code == "template-failed"


def test_flux_318_changes_come_in_the_order_of_their_places_every_time():
    made = [update("org/b", "1", "2", key="b", path="z.yaml"), update("org/a", "1", "2", key="a", path="a.yaml")]
    template = "{{ range .Changed.Changes }}{{ .OldValue }}->{{ .NewValue }} {{ .Setter }};{{ end }}"
    expected = "org/a:1->org/a:2 flux-system:a;org/b:1->org/b:2 flux-system:b;"
    assert flux(template, updates=made) == expected == flux(template, updates=made[::-1])


def test_flux_319_files_come_in_sorted_order():
    made = [update("org/a", "1", "2", path=path) for path in ("z.yaml", "a.yaml", "m/b.yaml")]
    assert flux("{{ range $f, $_ := .Changed.FileChanges }}{{ $f }} {{ end }}x", updates=made) == "a.yaml m/b.yaml z.yaml x"


def test_flux_320_an_object_printed_whole_shows_its_parts():
    assert flux("{{ range $o, $c := .Changed.Objects }}{{ $o }}{{ end }}") == "{{{apps/v1 Deployment} {a ns1}}}"


TWO = [update("foo/bar", "1.0", "1.1", key="bar"), update("bar/baz", "2.0", "2.1", key="baz")]


def test_argo_098_a_branch_is_named_after_images_and_tags():
    template = "image-updater{{range .Images}}-{{.Name}}-{{.NewTag}}{{end}}"
    assert branch_name(template, TWO) == "image-updater-foo/bar-1.1-bar/baz-2.1"


def test_argo_099_the_sum_of_the_changes_is_the_peers():
    digest = "0fcc2782543e4bb067c174c21bf44eb947f3e55c0d62c403e359c1c209cbd041"
    assert branch_name("image-updater-{{.SHA256}}", TWO[:1]) == f"image-updater-{digest}"


def test_argo_100_the_application_is_named_in_branch_templates_too():
    made = [update("foo/bar", "1.0", "1.1", origin="Application my-namespace/my-app")]
    assert branch_name("image-updater-{{.AppNamespace}}-{{.AppName}}", made) == "image-updater-my-namespace-my-app"


def test_argo_101_the_peers_default_written_as_a_template_gives_its_text():
    line = "updates image {{ .Image }} tag '{{ .OldTag }}' to '{{ .NewTag }}'\n"
    template = f"build: automatic update of {{{{ .AppName }}}}\n\n{{{{ range .AppChanges -}}}}\n{line}{{{{ end -}}}}"
    made = [update("foo/bar", "1.0", "1.1", origin="Application argocd/foobar"), update("bar/baz", "2.0", "2.1", key="b")]
    assert body(*made, template=template) == (
        "build: automatic update of foobar\n\nupdates image foo/bar tag '1.0' to '1.1'\nupdates image bar/baz tag '2.0' to '2.1'"
    )


def test_argo_102_a_line_for_a_label_that_is_absent_is_left_out():
    template = 'x{{ range .AppChanges }}{{ if index .Labels "org.opencontainers.image.source" }}: source{{ end }}{{ end }}'
    assert body(*TWO, template=template) == "x"


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("a b..c~d^e:f?g*h[i\\j@{k", "a-b-c-d-e-f-g-h-i-j-k"),
        ("x" * 300, "x" * 255),
        ("-/a//b/.c.lock/", "a/b/c"),
        ("u-{{ .TargetKey }}", None),
        ("u-{{ (index .Images 0).Alias }}-{{ (index .Images 0).OldTag }}", "u-bar-1.0"),
    ],
)
def test_a_branch_is_a_name_that_git_takes(template, name):
    made = branch_name(template, TWO, target="a|b|c")
    assert name is None or made == name
    told = subprocess.run([require("git"), "check-ref-format", f"refs/heads/{made}"], check=False)
    assert told.returncode == 0


def test_a_branch_template_that_makes_nothing_is_an_error():
    with pytest.raises(TemplateError, match="no branch name"):
        branch_name("{{ if false }}x{{ end }}", TWO)
