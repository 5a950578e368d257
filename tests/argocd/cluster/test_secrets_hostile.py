"""No text that is made of a Secret or of a URL shows what is secret in it, whatever is wrong with it."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.argocd.request.making import GIT, application, run
from updater.argocd import repository_secrets as secrets
from updater.errors import UpdaterError
from updater.git.access import parse_address

CANARY = "CANARYs3cr3t"
PEM = f"-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----"
SECRET = ("password", "bearerToken", "sshPrivateKey", "tlsClientCertKey", "githubAppPrivateKey", "gcpServiceAccountKey")
OPEN = ("username", "tlsClientCertData", "githubAppID", "githubAppInstallationID", "noProxy", "insecure", "type")
HOLDING = [
    f"http://u:{CANARY}@proxy",
    f"u:{CANARY}@[proxy",
    f"https://{CANARY}@ghe.test/api",
    f"https://u:{CANARY}@[x",
    f"{CANARY}\u2028",
]
URLS = ["https://git.test/x.git", "http://git.test/x", "ssh://git@git.test:22/x", "git@git.test:x", "https://git.test:99999/x"]
VALUES = st.fixed_dictionaries(
    {},
    optional={
        **{name: st.sampled_from([CANARY, PEM, f"{PEM}\r\n", f"{CANARY}\n"]) for name in SECRET},
        **{name: st.sampled_from(["", "1", "true", "maybe", PEM.replace(CANARY, "x")]) for name in OPEN},
        **{name: st.sampled_from(HOLDING) for name in ("proxy", "githubAppEnterpriseBaseUrl")},
    },
)


@given(VALUES, st.sampled_from(URLS), st.sampled_from([secrets.REPOSITORY, secrets.TEMPLATE]), st.sampled_from([*SECRET, ""]))
def test_a_secret_of_a_repository_is_never_shown(values, url, kind, broken):
    data = {name: base64.b64encode(text.encode()).decode() for name, text in (values | {"url": url}).items()}
    if broken in data:
        data[broken] = base64.b64encode(CANARY.encode() + b"\xff").decode()
    metadata = {"namespace": "argocd", "name": "repo", "labels": {secrets.LABEL: kind}}
    found, remarks = secrets.read_secrets([{"metadata": metadata, "data": data}])
    texts = [*remarks, repr(found)]
    try:
        chosen = secrets.choose(found, url)
        shown = secrets.login(chosen, parse_address(url)) if chosen else None
        texts += [repr(chosen), repr(shown and shown.access), repr(shown and shown.app and str(shown.app))]
    except UpdaterError as error:
        texts += [str(error), repr(error), error.hint]
    assert not [text for text in texts if CANARY in text]


@pytest.mark.parametrize(
    "url", [f"https://u:{CANARY}@git.test/x.git", f"ftp://u:{CANARY}@git.test/x", f"https://u:{CANARY}@[x/y"]
)
def test_what_is_said_of_an_application_holds_no_token_of_its_url(url):
    found = run(application({"image-list": "web=ghcr.io/o/web"} | GIT, source={"repoURL": url}))
    texts = [answer.sentence for answer in found.answers] + [str(problem) for problem in found.snapshot.problems]
    texts += [str(target) for item in found.snapshot.subscriptions for target in item.targets]
    assert texts
    assert not [text for text in texts if CANARY in text]


@pytest.mark.parametrize("field", ["password", "bearerToken", "sshPrivateKey"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n", ""])
def test_the_line_end_that_an_editor_adds_to_a_secret_is_no_part_of_it(field, end):
    text = PEM.replace("\n", "\r\n") if field == "sshPrivateKey" else CANARY
    given_ = secrets.read_fields("argocd/repo", {field: base64.b64encode(f"{text}{end}".encode()).decode()})
    url = "git@git.test:x" if field == "sshPrivateKey" else "https://git.test/x"
    access = secrets.login(given_, parse_address(url)).access
    if access.private_key:
        assert access.private_key.rstrip(b"\n") == text.encode()
    else:
        assert CANARY in {access.credential.password, access.credential.registry_token}
