"""Promises about references to credentials: where each leads, how long it is believed, and how it fails."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from tests.fakes.still_time import StillTime
from updater.credentials.keychain import DEFAULT_LIFETIME, Keychain, usual_files
from updater.credentials.program import Programs
from updater.errors import ConfigError, RegistryUnavailable
from updater.model.credential import Credential, parse_credential_ref
from updater.model.image import ImageName, parse_name

IMAGE = parse_name("ghcr.io/org/app")
USER = Credential(username="user", password="pass")


@pytest.fixture
def still():
    return StillTime()


@pytest.fixture
def script(tmp_path):
    """Write an executable shell script, and give its path."""

    def write(body: str, name: str = "program") -> Path:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return path

    return write


def keychain(still: StillTime | None = None, **more) -> Keychain:
    more.setdefault("docker_configs", ())
    return Keychain(clock=(still or StillTime()).clock, **more)


async def resolve(chain: Keychain, ref: str | None):
    return await chain.resolve(parse_credential_ref(ref) if ref else None, IMAGE)


class TestGrammar:
    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("=secret:ns/name#field", id="argo-077"),
            pytest.param("gcr.io=secret:", id="argo-078"),
            pytest.param("ext:relative/path", id="argo-081"),
            "secret:ns/name",
            "pullsecret:name",
            "env:",
            "env:NOT A NAME",
            "file:relative",
            "cloud:other",
            "user:password",
            "",
        ],
    )
    def test_what_is_no_reference_is_refused(self, text):
        with pytest.raises(ConfigError) as refused:
            parse_credential_ref(text)
        assert refused.value.code == "credential-ref"

    @pytest.mark.parametrize(
        ("text", "kind", "value"),
        [
            pytest.param("secret:ns/name#field", "secret", "ns/name#field", id="argo-076-differs"),
            pytest.param("env:DUMMY_SECRET", "env", "DUMMY_SECRET", id="argo-079"),
        ],
    )
    def test_a_reference_has_a_kind_and_a_value(self, text, kind, value):
        found = parse_credential_ref(text)
        assert (found.kind, found.value) == (kind, value)


class TestVariables:
    async def test_a_variable_is_read_each_time(self):
        environment = {"REG": "user:pass"}
        chain = keychain(environment=environment)
        assert await resolve(chain, "env:REG") == (USER,)
        environment["REG"] = "other:word"
        assert await resolve(chain, "env:REG") == (Credential(username="other", password="word"),)

    async def test_a_variable_may_hold_a_docker_configuration(self):
        chain = keychain(environment={"REG": json.dumps({"auths": {"ghcr.io": {"username": "user", "password": "pass"}}})})
        assert await resolve(chain, "env:REG") == (USER,)

    @pytest.mark.parametrize("environment", [{}, {"REG": ""}])
    async def test_a_variable_that_is_not_set_is_named(self, environment):
        with pytest.raises(ConfigError, match="REG") as refused:
            await resolve(keychain(environment=environment), "env:REG")
        assert refused.value.code == "credential-missing"


class TestFiles:
    async def test_a_file_is_read_again_when_it_changed(self, tmp_path):
        path = tmp_path / "auth"
        path.write_text("user:pass\n")
        chain = keychain()
        assert await resolve(chain, f"file:{path}") == (USER,)
        assert await resolve(chain, f"file:{path}") == (USER,)
        path.write_text("user:another\n")
        assert (await resolve(chain, f"file:{path}"))[0].password == "another"

    @pytest.mark.parametrize("kind", ["missing", "folder", "device", "binary", "large"])
    async def test_a_file_that_holds_no_credential_is_named(self, tmp_path, kind):
        path = {"folder": tmp_path, "device": Path("/dev/zero")}.get(kind, tmp_path / "auth")
        if kind == "binary":
            path.write_bytes(b"\xff\xfe:x")
        if kind == "large":
            path.write_bytes(b"a:" + b"b" * 2_000_000)
        with pytest.raises(ConfigError, match=str(path)) as refused:
            await resolve(keychain(), f"file:{path}")
        assert refused.value.hint

    async def test_the_text_itself_may_be_wanted(self, tmp_path):
        path = tmp_path / "token"
        path.write_text("ghp_word\n")
        assert await keychain().text(parse_credential_ref(f"file:{path}")) == "ghp_word"


class TestPrograms:
    async def test_a_program_prints_user_and_password(self, script):
        chain = keychain(environment={"WORD": "pass", "PATH": os.environ["PATH"]})
        assert await resolve(chain, f"ext:{script('echo user:$WORD')}") == (USER,)

    async def test_parallel_askers_run_it_once(self, script, tmp_path):
        """argo-083."""
        program = script(f"echo run >> {tmp_path}/runs; sleep 0.05; echo user:pass")
        chain = keychain()
        assert await asyncio.gather(*(resolve(chain, f"ext:{program}") for _ in range(10))) == [(USER,)] * 10
        assert (tmp_path / "runs").read_text() == "run\n"

    async def test_its_answer_is_believed_for_its_lifetime(self, script, tmp_path, still):
        program = script(f"echo run >> {tmp_path}/runs; echo user:pass")
        chain = keychain(still)
        for step in (0, DEFAULT_LIFETIME - 1, 2):
            still.now += step
            await resolve(chain, f"ext:{program}")
        assert (tmp_path / "runs").read_text() == "run\n" * 2

    async def test_after_a_refusal_it_is_run_again_but_not_at_once(self, script, tmp_path, still):
        program = script(f"echo run >> {tmp_path}/runs; echo user:pass")
        chain, ref = keychain(still), parse_credential_ref(f"ext:{program}")
        await chain.resolve(ref, IMAGE)
        assert chain.renew(ref) is False
        still.now += 11
        assert chain.renew(ref) is True
        assert chain.renew(ref) is False
        await chain.resolve(ref, IMAGE)
        assert (tmp_path / "runs").read_text() == "run\n" * 2
        assert chain.renew(None) is False

    @pytest.mark.parametrize(
        ("body", "part"),
        [
            ("exit 3", "status 3"),
            ("echo no-colon", "user:password"),
            ("head -c 100000 /dev/zero", "more than"),
            (r"printf '\377\376'", "no UTF-8"),
            ("exec sleep 30", "no answer in 0.3 seconds"),
        ],
    )
    async def test_a_program_that_fails_is_named_with_the_reason(self, script, body, part):
        chain = keychain(programs=Programs(time_limit=0.3 if "sleep" in body else 10.0))
        with pytest.raises(ConfigError, match=part) as refused:
            await resolve(chain, f"ext:{script(body)}")
        assert refused.value.hint

    @pytest.mark.parametrize("name", ["missing", "plain"])
    async def test_what_cannot_be_run_is_named(self, tmp_path, name):
        (tmp_path / "plain").write_text("user:pass")
        with pytest.raises(ConfigError, match="cannot be run"):
            await resolve(keychain(), f"ext:{tmp_path / name}")

    async def test_a_relative_path_is_never_run(self):
        with pytest.raises(ConfigError, match="absolute"):
            await Programs().output("program")

    async def test_no_child_outlives_a_program_that_ran_out_of_time(self, script, tmp_path):
        program = script(f"sleep 30 & echo $! > {tmp_path}/child; wait")
        with pytest.raises(ConfigError):
            await resolve(keychain(programs=Programs(time_limit=0.5)), f"ext:{program}")
        child = int((tmp_path / "child").read_text())
        for _ in range(100):
            if not _runs(child):
                break
            await asyncio.sleep(0.02)
        assert not _runs(child)

    async def test_a_cancelled_asker_leaves_no_program_behind(self, script, tmp_path):
        program = script(f"echo $$ > {tmp_path}/self; exec sleep 30")
        task = asyncio.create_task(resolve(keychain(), f"ext:{program}"))
        while not (tmp_path / "self").exists() or not (tmp_path / "self").read_text():  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not _runs(int((tmp_path / "self").read_text()))


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"


class TestSecrets:
    @staticmethod
    def reader(data: dict[str, bytes], asked: list[tuple[str, str]]):
        async def read(namespace: str, name: str) -> dict[str, bytes]:
            asked.append((namespace, name))
            await asyncio.sleep(0)
            return data

        return read

    @pytest.mark.parametrize(
        ("ref", "data"),
        [
            ("secret:ns/name#field", {"field": b"user:pass"}),
            ("secret:ns/name#field", {"field": b'{"auths": {"ghcr.io": {"username": "user", "password": "pass"}}}'}),
            ("pullsecret:ns/name", {".dockerconfigjson": b'{"auths": {"ghcr.io": {"auth": "dXNlcjpwYXNz"}}}'}),
            ("pullsecret:ns/name", {".dockercfg": b'{"ghcr.io": {"auth": "dXNlcjpwYXNz"}}'}),
        ],
    )
    async def test_a_secret_is_read_through_the_callable_that_was_handed_in(self, ref, data):
        asked: list[tuple[str, str]] = []
        chain = keychain(read_secret=self.reader(data, asked))
        assert await asyncio.gather(resolve(chain, ref), resolve(chain, ref)) == [(USER,), (USER,)]
        assert await resolve(chain, ref) == (USER,)
        assert asked == [("ns", "name")]

    async def test_without_a_cluster_it_is_said_that_there_is_none(self):
        with pytest.raises(ConfigError, match="needs a Kubernetes cluster") as refused:
            await resolve(keychain(), "secret:ns/name#field")
        assert refused.value.code == "credential-secret"

    @pytest.mark.parametrize("ref", ["secret:ns/name#field", "pullsecret:ns/name"])
    async def test_a_missing_field_is_named_with_those_there_are(self, ref):
        with pytest.raises(ConfigError, match="no field") as refused:
            await resolve(keychain(read_secret=self.reader({"b": b"", "a": b""}, [])), ref)
        assert "a, b" in refused.value.hint

    async def test_a_pull_secret_that_is_missing_is_an_error(self):
        """flux-296."""

        async def read(namespace: str, name: str) -> dict[str, bytes]:
            raise RegistryUnavailable("no such Secret")

        with pytest.raises(RegistryUnavailable):
            await resolve(keychain(read_secret=read), "pullsecret:ns/name")


class TestWithoutEntry:
    """A credential that was named and holds nothing for the registry is an error: nobody asked for anonymous access."""

    OTHERS = json.dumps(
        {"auths": {"https://quay.io": {"username": "u", "password": "p"}, "ghcr.io:5000": {"auth": "dXNlcjpwYXNz"}}}
    )

    @pytest.mark.parametrize(
        ("ref", "place"),
        [
            ("secret:ns/name#field", "Secret ns/name"),
            ("pullsecret:ns/name", "Secret ns/name"),
            ("env:REG", "the variable REG"),
            ("file:{}", "{}"),
            ("ext:{}", "what {} prints"),
        ],
    )
    async def test_every_kind_of_reference_names_itself_and_the_registry(self, tmp_path, script, ref, place):
        (tmp_path / "auth").write_text(self.OTHERS)
        path = script(f"cat {tmp_path}/auth") if ref.startswith("ext") else tmp_path / "auth"
        secret = {"field": self.OTHERS.encode(), ".dockerconfigjson": self.OTHERS.encode()}
        chain = keychain(environment={"REG": self.OTHERS}, read_secret=TestSecrets.reader(secret, []))
        with pytest.raises(ConfigError) as refused:
            await resolve(chain, ref.format(path))
        assert (refused.value.message, refused.value.code) == (
            f"no entry for ghcr.io in {place.format(path)}",
            "credential-entry",
        )
        assert "ghcr.io, quay.io" in refused.value.hint

    @pytest.mark.parametrize(
        "text", ["{}", '{"auths": {}}', '{"auths": {"ghcr.io": {}}}', '{"auths": {"ghcr.io/other": {"auth": "YTpi"}}}']
    )
    async def test_a_configuration_without_a_usable_entry_has_none(self, text):
        with pytest.raises(ConfigError, match=r"no entry for ghcr\.io in the variable REG"):
            await resolve(keychain(environment={"REG": text}), "env:REG")

    @pytest.mark.parametrize(("allowed", "part"), [(True, "docker-credential-lab has none"), (False, "credential_helpers: true")])
    async def test_a_helper_that_knows_nothing_or_may_not_run_is_named(self, tmp_path, script, allowed, part):
        script("echo credentials not found in native keychain; exit 1", "docker-credential-lab")
        environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "REG": '{"credsStore": "lab"}'}
        chain = keychain(environment=environment, programs=Programs(environment, helpers_allowed=allowed))
        with pytest.raises(ConfigError, match="no entry for") as refused:
            await resolve(chain, "env:REG")
        assert part in refused.value.message + refused.value.hint

    async def test_an_entry_for_the_host_that_is_asked_counts_where_the_name_has_none(self):
        auths = {"mirror.test:5000": {"username": "user", "password": "pass"}}
        chain = keychain(environment={"REG": json.dumps({"auths": auths})})
        server = ImageName(registry="mirror.test:5000", path="org/app", spelled="ghcr.io/org/app")
        assert await chain.resolve(parse_credential_ref("env:REG"), IMAGE, server=server) == (USER,)

    async def test_an_entry_that_was_added_is_found_without_waiting_for_the_lifetime(self, still):
        data = {".dockerconfigjson": self.OTHERS.encode()}
        chain = keychain(still, read_secret=TestSecrets.reader(data, []))
        with pytest.raises(ConfigError):
            await resolve(chain, "pullsecret:ns/name")
        data[".dockerconfigjson"] = b'{"auths": {"ghcr.io": {"auth": "dXNlcjpwYXNz"}}}'
        still.now += 11
        with pytest.raises(ConfigError):
            await resolve(chain, "pullsecret:ns/name")
        assert await resolve(chain, "pullsecret:ns/name") == (USER,)


class TestNothingSet:
    async def test_without_a_reference_and_without_files_access_is_anonymous(self):
        """flux-295, flux-298: no login is attempted, whatever the host."""
        assert await resolve(keychain(), None) == ()
        assert await keychain().resolve(None, parse_name("123456789012.dkr.ecr.eu-west-1.amazonaws.com/app")) == ()

    async def test_dockers_and_podmans_files_count(self, tmp_path):
        docker, podman = tmp_path / "config.json", tmp_path / "auth.json"
        docker.write_text(json.dumps({"auths": {"ghcr.io": {"username": "user", "password": "pass"}}}))
        podman.write_text(json.dumps({"auths": {"ghcr.io/org": {"username": "podman", "password": "x"}}}))
        chain = keychain(docker_configs=[tmp_path / "missing.json", docker, podman])
        assert [found.username for found in await resolve(chain, None)] == ["user", "podman"]
        assert [found.username for found in await resolve(chain, None)] == ["user", "podman"]
        docker.write_text("{}")
        assert [found.username for found in await resolve(chain, None)] == ["podman"]

    async def test_a_broken_file_is_said_not_skipped(self, tmp_path):
        (tmp_path / "config.json").write_text("{")
        with pytest.raises(ConfigError, match=r"config\.json"):
            await resolve(keychain(docker_configs=[tmp_path / "config.json"]), None)

    async def test_a_file_that_was_named_must_be_there(self, tmp_path):
        path = tmp_path / "config.json"
        with pytest.raises(ConfigError, match=r"config\.json cannot be read"):
            await resolve(keychain(docker_configs=path), None)
        path.write_text(json.dumps({"auths": {"ghcr.io": {"username": "user", "password": "pass"}}}))
        assert await resolve(keychain(docker_configs=path), None) == (USER,)

    def test_the_files_are_those_of_docker_and_podman(self):
        found = usual_files({"HOME": "/h", "XDG_RUNTIME_DIR": "/run/u", "REGISTRY_AUTH_FILE": "/r/auth.json"})
        names = ["/h/.docker/config.json", "/r/auth.json", "/run/u/containers/auth.json", "/h/.config/containers/auth.json"]
        assert [str(path) for path in found] == names
        assert str(usual_files({"DOCKER_CONFIG": "/d", "HOME": "/h"})[0]) == "/d/config.json"
        assert usual_files({}) == ()


class TestHelpers:
    @pytest.fixture
    def configured(self, tmp_path):
        path = tmp_path / "config.json"
        path.write_text(json.dumps({"credHelpers": {"ghcr.io": "lab"}, "auths": {"quay.io": {"username": "u", "password": "p"}}}))
        return path

    def chain(self, tmp_path, configured, *, allowed=True, said=None, still=None):
        environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
        programs = Programs(environment, helpers_allowed=allowed, say=(said if said is not None else []).append)
        return keychain(still, environment=environment, programs=programs, docker_configs=[configured])

    @pytest.mark.parametrize(
        ("printed", "expected"),
        [
            ('{"Username": "user", "Secret": "pass", "ServerURL": "ghcr.io"}', (USER,)),
            ('{"Username": "<token>", "Secret": "id"}', (Credential(identity_token="id"),)),
        ],
    )
    async def test_a_helper_is_asked_for_the_server_on_its_input(self, tmp_path, configured, script, printed, expected):
        script(f"[ \"$1\" = get ] && cat > {tmp_path}/asked; echo '{printed}'", "docker-credential-lab")
        chain = self.chain(tmp_path, configured)
        assert await resolve(chain, None) == expected
        assert (tmp_path / "asked").read_text() == "ghcr.io"

    async def test_its_answer_is_remembered(self, tmp_path, configured, script):
        body = f'echo run >> {tmp_path}/runs; echo \'{{"Username": "user", "Secret": "pass"}}\''
        script(body, "docker-credential-lab")
        chain = self.chain(tmp_path, configured)
        assert [await resolve(chain, None) for _ in range(3)] == [(USER,)] * 3
        assert (tmp_path / "runs").read_text() == "run\n"

    async def test_a_helper_without_credentials_means_anonymous(self, tmp_path, configured, script):
        script("echo credentials not found in native keychain; exit 1", "docker-credential-lab")
        assert await resolve(self.chain(tmp_path, configured), None) == ()

    async def test_helpers_run_only_where_that_is_allowed_and_it_is_said_once(self, tmp_path, configured, script):
        script(f"touch {tmp_path}/ran", "docker-credential-lab")
        said: list[str] = []
        chain = self.chain(tmp_path, configured, allowed=False, said=said)
        assert await resolve(chain, None) == ()
        assert await resolve(chain, None) == ()
        assert not (tmp_path / "ran").exists()
        assert len(said) == 1
        assert "docker-credential-lab" in said[0]

    @pytest.mark.parametrize(
        "body", ["exit 2", "echo nonsense", 'echo {\\"Username\\": 1}', 'echo \'{"Username": 1, "Secret": 2}\'']
    )
    async def test_a_helper_that_fails_is_named(self, tmp_path, configured, script, body):
        script(body, "docker-credential-lab")
        with pytest.raises(ConfigError, match="docker-credential-lab"):
            await resolve(self.chain(tmp_path, configured), None)

    async def test_a_helper_that_is_not_installed_is_named(self, tmp_path, configured):
        with pytest.raises(ConfigError, match="not in PATH"):
            await resolve(self.chain(tmp_path, configured), None)


@pytest.mark.parametrize("name", ["aws", "gcp", "azure"])
async def test_what_cannot_be_read_yet_says_what_helps(name):
    """flux-297: a provider that is not there is an error, not anonymous access."""
    with pytest.raises(ConfigError) as refused:
        await resolve(keychain(), f"cloud:{name}")
    assert refused.value.code == "credential-unsupported"
    assert "ext:" in refused.value.hint
