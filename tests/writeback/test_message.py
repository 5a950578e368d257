"""What a commit says: the default words, users' templates with the data of both peers, and the trailers behind everything."""

from __future__ import annotations

import dataclasses
import hashlib
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.real.parts import require
from updater.errors import TemplateError
from updater.git.trailers import read_trailers
from updater.model.image import ImageRef, parse_digest, parse_ref
from updater.model.subscription import CommitSpec, Form, GitBranch, LiveApplication, Locator, Target
from updater.model.update import Change, Commit, Purpose, Update
from updater.model.view import Part, PartKind, Reading
from updater.model.written import Written
from updater.writeback.message import SUBJECT_LENGTH, branch_name, commit_message, with_trailers
from updater.writeback.message_trial import try_message

BRANCH = GitBranch(url="https://git.example.org/fleet.git", branch="main")
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
    commit = Commit(commit_spec=CommitSpec(message=template, values=tuple(values)), updates=updates)
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
        "Updater-Change: app 1.2.3 1.2.4\n"
        "Updater-Place: app 4dbe1c0a\n"
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


def test_a_revert_says_so_and_names_what_was_rejected_and_why():
    made = update("org/a", "2", "1", purpose=Purpose.REVERT)
    digest = "sha256:" + "cd" * 32
    more = {"rejected": parse_ref(f"org/a:2@{digest}"), "why": "2 is bad: analysis failed\nUpdater-Rejected: app forged"}
    made = Update(**{name: getattr(made, name) for name in made.__slots__} | more)
    text = message(made)
    assert text.startswith("Revert org/a to 1\n")
    assert f"Updater-Rejected: app {digest}\n" in text
    assert "\n  2 is bad: analysis failed\n" in text
    assert read_trailers(text)["Updater-Rejected"] == (f"app {digest}",)


def with_digest(reading, digest):
    fields = {name: getattr(reading, name) for name in reading.__slots__}
    return Reading(**fields | {"written": Written(name="org/a", tag="2", digest=digest)})


def test_the_trailers_of_a_message_are_read_back_as_they_were():
    made = [update("org/a", "1", "2", key="a"), update("org/b", "1", "2", key="b", digest="sha256:" + "0" * 64)]
    assert read_trailers(with_trailers("x", made)) == {
        "Updater-Subscription": ("a", "b"),
        "Updater-Policy": ("semver range=>=1.0",),
        "Updater-Image": ("org/a:2", "org/b:2@sha256:" + "0" * 64),
        "Updater-Change": ("a 1 2", "b 1 2"),
        "Updater-Place": ("a 4dbe1c0a", "b 4dbe1c0a"),
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
    """argo-173: whatever carries a message, it is never empty."""
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
    assert caught.value.code == "template-removed-field"
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
    made[1] = dataclasses.replace(made[1], origin=made[0].origin)
    assert body(*made, template=template) == (
        "build: automatic update of foobar\n\nupdates image foo/bar tag '1.0' to '1.1'\nupdates image bar/baz tag '2.0' to '2.1'"
    )


def test_argo_102_a_line_for_a_label_that_is_absent_is_left_out():
    template = 'x{{ range .AppChanges }}{{ if index .Labels "org.opencontainers.image.source" }}: source{{ end }}{{ end }}'
    assert body(*TWO, template=template) == "x"


def of_application(name, image="ghcr.io/acme/web", old="1.2.3", new="1.2.4", *, alias="web", line=4):
    """Make an update as the source of Applications asks for it: its key is Application and alias."""
    folder = name.rpartition("/")[2]
    path = f"apps/{folder}/.argocd-source-{folder}.yaml"
    return update(image, old, new, key=f"{name}/{alias}", path=path, line=line, origin=f"Application {name}")


FLEET = [
    of_application(f"argocd/app{number}", f"ghcr.io/acme/svc{image}", alias=f"svc{image}", line=4 + image)
    for number in range(10)
    for image in range(5)
]
PEERS_DEFAULT = (
    "build: automatic update of {{ .AppName }}\n\n{{ range .AppChanges -}}\n"
    "updates image {{ .Image }} tag '{{ .OldTag }}' to '{{ .NewTag }}'\n{{ end -}}\n"
)


def test_the_default_says_of_one_application_which_one_it_is():
    made = [of_application("argocd/web", f"ghcr.io/acme/{name}", alias=name) for name in ("web", "api", "db")]
    assert message(*made).startswith("Update 3 images in argocd/web\n\nghcr.io/acme/web: 1.2.3 → 1.2.4 (")


def test_the_default_of_fifty_updates_tells_each_move_once_with_all_its_places():
    subject, _, *lines = body(*FLEET).split("\n")
    assert subject == "Update 5 images in 10 Applications"
    assert len(lines) == 5 + 50
    assert lines[0] == "ghcr.io/acme/svc0: 1.2.3 → 1.2.4 (semver range=>=1.0; Application argocd/app0 and 9 more)"
    assert lines[1:3] == ["  apps/app0/.argocd-source-app0.yaml:4", "  apps/app1/.argocd-source-app1.yaml:4"]


def test_a_long_name_of_an_application_is_left_out_of_the_subject():
    made = [of_application(f"{'n' * 30}/{'a' * 60}", f"o/{name}", alias=name) for name in "ab"]
    assert message(*made).splitlines()[0] == "Update 2 images"


def test_where_applications_and_files_ask_the_subject_only_counts():
    assert message(of_application("argocd/web"), update("o/b", "1", "2", key="b")).splitlines()[0] == "Update 2 images"


def test_the_peers_default_names_every_application_of_a_commit_as_far_as_there_is_room():
    text = body(*FLEET, template=PEERS_DEFAULT)
    assert text.splitlines()[0] == "build: automatic update of app0, app1, app2, app3, app4, app5, app6 and 3 more"
    assert text.count("updates image acme/svc0 tag '1.2.3' to '1.2.4'") == 1
    assert text.count("updates image") == 5
    assert body(*FLEET[:7], template="{{ .AppName }}") == "app0, app1"
    assert body(of_application("n/" + "a" * 60), of_application("n/b"), template="{{ .AppName }}") == "a" * 60 + " and 1 more"


def test_namespaces_are_named_once_each():
    made = [of_application("argocd/web"), of_application("team-a/web"), of_application("team-a/api")]
    assert body(*made, template="{{ .AppNamespace }}; {{ .AppName }}") == "argocd, team-a; web, api"


def test_without_an_application_its_name_is_the_key_of_the_subscription():
    assert body(update("o/a", "1", "2", key="shop"), template="{{ .AppName }}|{{ .AppNamespace }}") == "shop|"


def test_the_alias_of_an_image_is_the_one_that_its_application_gives_it():
    template = "{{ range .Images }}{{ .Alias }} {{ end }}"
    listed = of_application("argocd/web", alias="ghcr.io/acme/web")
    assert body(of_application("argocd/web", alias="front"), listed, *TWO, template=template) == "front ghcr.io/acme/web bar baz"


@pytest.mark.parametrize(
    ("image", "shown"),
    [
        ("ghcr.io/acme/web", "acme/web"),
        ("localhost:5000/web", "web"),
        ("localhost/web", "web"),
        ("docker.io/library/nginx", "nginx"),
        ("library/nginx", "library/nginx"),
        ("harbor.example.org/library/nginx", "library/nginx"),
        ("acme/web", "acme/web"),
        ("nginx", "nginx"),
    ],
)
def test_the_peers_fields_name_an_image_without_its_registry(image, shown):
    template = "{{ (index .Images 0).Name }} {{ (index .AppChanges 0).Image }}"
    assert body(update(image, "1", "2"), template=template) == f"{shown} {shown}"


def test_the_peers_fields_say_a_digest_alone_where_there_is_one():
    digest = "sha256:" + "ab" * 32
    made = update("o/a", "latest@sha256:" + "cd" * 32, "latest")
    made = dataclasses.replace(made, reading=with_digest(made.reading, "sha256:" + "cd" * 32))
    made = dataclasses.replace(made, image=dataclasses.replace(made.image, digest=parse_digest(digest)))
    template = "{{ range .AppChanges }}{{ .OldTag }} {{ .NewTag }}{{ end }}"
    assert body(made, template=template) == f"sha256:{'cd' * 32} {digest}"
    assert branch_name("u-{{ (index .Images 0).NewTag }}", [made]) == f"u-sha256-{'ab' * 32}"


def test_every_variable_of_the_peer_is_filled():
    made = [of_application("team-a/web")]
    template = (
        "{{ .AppNamespace }} {{ .AppName }} {{ len .SHA256 }} {{ len .TargetKey }}"
        "{{ range .Images }} {{ .Name }} {{ .Alias }} {{ .OldTag }} {{ .NewTag }}{{ end }}"
    )
    expected = "team-a web 64 8 acme/web web 1.2.3 1.2.4"
    assert body(*made, template=template) == expected
    assert branch_name(template, made) == expected.replace(" ", "-")
    changes = "{{ range .AppChanges }}{{ .Image }} {{ .OldTag }} {{ .NewTag }} {{ len .Labels }}{{ end }}"
    assert body(*made, template=changes) == "acme/web 1.2.3 1.2.4 0"


def test_the_key_of_a_target_is_that_of_repository_branch_and_file():
    made = [of_application("argocd/web")]
    key = hashlib.sha256(f"{BRANCH.url}|main|.".encode()).hexdigest()[:8]
    assert body(*made, template="{{ .TargetKey }}") == key
    live = dataclasses.replace(made[0].target, destination=LiveApplication(namespace="argocd", name="web"))
    assert body(dataclasses.replace(made[0], target=live), template="{{ .TargetKey }}") != key


SIGNED = CommitSpec(name="Ann", email="ann@example.org", is_signed_off=True)


def signed(template="", commit_spec=SIGNED):
    made = update("o/a", "1", "2")
    return commit_message(
        Commit(commit_spec=dataclasses.replace(commit_spec, message=template), updates=(made,)), {made: (change(made),)}
    )


def test_a_sign_off_is_the_last_line_of_the_trailers():
    text = signed()
    assert text.endswith(
        "\nUpdater-Image: o/a:2\nUpdater-Change: app 1 2\nUpdater-Place: app 4dbe1c0a\nSigned-off-by: Ann <ann@example.org>\n"
    )
    assert read_trailers(text)["Updater-Subscription"] == ("app",)
    assert read_trailers(text)["Signed-off-by"] == ("Ann <ann@example.org>",)


@pytest.mark.parametrize("line", ["Signed-off-by: Ann <ann@example.org>", "signed-off-by: Ann <ann@example.org>"])
def test_a_sign_off_that_the_template_writes_is_not_doubled(line):
    assert signed(f"Update\n\n{line}").lower().count("signed-off-by") == 1


def test_the_sign_off_of_somebody_else_stays_beside_ours():
    text = signed("Update\n\nSigned-off-by: Bob <bob@example.org>")
    assert read_trailers(text)["Signed-off-by"] == ("Bob <bob@example.org>", "Ann <ann@example.org>")


def test_a_name_cannot_write_a_trailer_by_its_sign_off():
    text = signed(commit_spec=CommitSpec(name="Ann\nUpdater-Image: x", email="a>\n\n<b", is_signed_off=True))
    assert read_trailers(text)["Updater-Image"] == ("o/a:2",)
    assert len(text.rstrip("\n").rpartition("\n\n")[2].splitlines()) == 6


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


@pytest.mark.parametrize(
    "template",
    [
        PEERS_DEFAULT,
        "{{ range .Changed.Changes }}{{ .OldValue }} -> {{ .NewValue }}{{ end }}",
        "{{ (index .AppChanges 1).NewTag | semver }} {{ .Values.none }} {{ .AutomationObject }}",
        "{{ range .Changes }}{{ .Policy }} {{ .Path }}:{{ .Line }}{{ end }}",
        '{{ range .AppChanges }}{{ if index .Labels "a" }}{{ .Labels.a }}{{ end }}{{ end }}',
    ],
)
def test_a_template_that_works_passes_its_trial(template):
    try_message(template)


@pytest.mark.parametrize(
    "template", ["{{ .NewImage }}", "update to {{ .ImageList }}", "{{ range .AppChanges }}{{ .Tag }}{{ end }}"]
)
def test_a_template_that_would_fail_at_the_first_commit_fails_its_trial(template):
    with pytest.raises(TemplateError, match="can't evaluate field"):
        try_message(template)


@pytest.mark.parametrize("template", ["{{ .AppName", "{{ nope }}", "{{ range }}x{{ end }}"])
def test_a_template_that_does_not_parse_fails_its_trial(template):
    with pytest.raises(TemplateError):
        try_message(template)
