"""No answer and no repository takes more memory, disk or time than its limit, and the error names the setting."""

import asyncio
import base64
import contextlib
import resource
from urllib.parse import quote

import pytest

from tests.fakes import hostile_git as evil
from tests.fakes.hostile_git import HostileGit, packet
from updater.errors import EditError, GitError
from updater.git.access import GitAccess
from updater.git.mirror import SearchQuery
from updater.model.credential import Credential

SECRET = "Xk7/+hunter22=token"
MARKERS = SearchQuery(rule="all", wants=lambda path: path.endswith(".yaml"), needles=(b"$imagepolicy",))
MARKED = b'image: app:1.0 # {"$imagepolicy": "ns:app"}\n'


async def fetched(mirror):
    head = await mirror.look("main")
    await mirror.fetch("main")
    return head.revision


async def refusal(work):
    with pytest.raises(GitError) as caught:
        async with asyncio.timeout(60):
            await work
    return caught.value


def grown() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def bomb(levels: int, fan: int = 128):
    """A pack of a few hundred bytes whose last object is *fan* times as large as the one before it, *levels* times."""
    data = b"A" * 65535
    entries, size = [evil.entry(evil.BLOB, data)], len(data)
    base = bytes.fromhex(evil.name_of(evil.BLOB, data))
    for _ in range(levels):
        made = evil.delta(size, min(size, 2**24 - 1) * fan, evil.copies(min(size, 2**24 - 1), fan))
        entries.append(evil.entry(evil.REF_DELTA, made, base=base))
        size, base = min(size, 2**24 - 1) * fan, bytes(20)
    return evil.repository(*entries, files=[(b"a.yaml", MARKED)])


PACKS = {
    "delta": (bomb(1, 2**14), {}, "object"),
    "chain": (bomb(2), {}, "object"),
    "zeros": (evil.repository(evil.header(evil.BLOB, 2**33) + b"x"), {}, "unpacked"),
    "tree": (evil.repository(evil.header(evil.TREE, 2**26) + b"x"), {}, "object"),
    "message": (evil.repository(message=b"m" * 2**20), {"object": 2**19}, "object"),
    "count": (("1" * 40, evil.pack(count=2**32 - 1)), {}, "objects"),
    "sent": (evil.repository(files=[(b"a", bytes(range(256)) * 8)]), {"pack": 300}, "pack"),
}


@pytest.mark.parametrize("case", PACKS)
async def test_a_pack_that_is_too_much_is_refused_before_it_is_inflated(mirrors, case):
    (head, sent), limits, setting = PACKS[case]
    before = grown()
    with HostileGit(head, sent) as server:
        error = await refusal(fetched(mirrors(server.url, **limits)))
    assert error.code == "git-limit"
    assert f"git.limits.{setting}" in error.hint
    assert grown() - before < 64


async def test_a_chain_of_deltas_has_a_longest_length(mirrors):
    data, entries = b"0" * 40, []
    entries.append(evil.entry(evil.BLOB, data))
    name = evil.name_of(evil.BLOB, data)
    for number in range(20):
        more = b"%02d" % number
        made = evil.delta(len(data), len(data) + 2, b"\xb0" + len(data).to_bytes(2, "little") + b"\x02" + more)
        entries.append(evil.entry(evil.REF_DELTA, made, base=bytes.fromhex(name)))
        data += more
        name = evil.name_of(evil.BLOB, data)
    head, sent = evil.repository(*entries, rows=[(b"100644", b"last.yaml", name)])
    with HostileGit(head, sent) as server:
        mirror = mirrors(server.url, name="a")
        assert await mirror.tree(await fetched(mirror), lambda tree: tree.read("last.yaml")) == data
        error = await refusal(fetched(mirrors(server.url, name="b", delta_depth=10)))
    assert (error.code, "git.limits.delta_depth" in error.hint) == ("git-limit", True)


async def test_a_large_file_costs_no_memory_and_hides_no_other(mirrors):
    size = 300 * 2**20
    name, zeros = evil.zeros(size)
    rows = [(b"100644", b"big.bin", name), (b"100644", b"big.yaml", name)]
    head, sent = evil.repository(zeros, rows=rows, files=[(b"a.yaml", MARKED)])
    before = grown()
    with HostileGit(head, sent) as server:
        mirror = mirrors(server.url)
        revision = await fetched(mirror)
        found = await mirror.search(revision, ".", MARKERS)
    assert [entry.path for entry in found] == ["a.yaml"]
    assert grown() - before < 64
    with pytest.raises(EditError) as caught:
        await mirror.tree(revision, lambda tree: tree.read("big.yaml"))
    assert (caught.value.code, caught.value.path) == ("file-too-large", "big.yaml")
    assert "git.limits.file" in caught.value.hint


async def test_a_needle_is_found_where_two_pieces_of_a_large_file_meet(mirrors):
    for at in (65530, 65536 - len(b"$imagepolicy"), 65536, 131070):
        data = b"#" * at + b"$imagepolicy" + b"#" * 200_000
        head, sent = evil.repository(files=[(b"a.yaml", data)])
        with HostileGit(head, sent) as server:
            mirror = mirrors(server.url, name=f"at-{at}")
            assert len(await mirror.search(await fetched(mirror), ".", MARKERS)) == 1


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 200_000, 1_000_000])
async def test_what_follows_a_large_file_in_a_pack_is_read_where_it_begins(mirrors, size):
    files = [(b"%02d.yaml" % number, bytes([65 + number]) * size) for number in range(3)]
    head, sent = evil.repository(files=[*files, (b"a.yaml", MARKED)])
    with HostileGit(head, sent) as server:
        mirror = mirrors(server.url)
        revision = await fetched(mirror)
        assert [entry.path for entry in await mirror.search(revision, ".", MARKERS)] == ["a.yaml"]
        for path, data in files:
            assert await mirror.tree(revision, lambda tree, path=path: tree.read(path.decode())) == data


async def test_a_folder_with_two_entries_of_one_name_is_never_written_anew(mirrors, commit):
    twice = [(b"100644", b"b.yaml", evil.name_of(evil.BLOB, data)) for data in (b"one\n", b"two\n")]
    more = [evil.entry(evil.BLOB, data) for data in (b"one\n", b"two\n")]
    head, sent = evil.repository(*more, rows=twice, files=[(b"a.yaml", MARKED)])
    with HostileGit(head, sent) as server:
        mirror = mirrors(server.url)
        revision = await fetched(mirror)
        new = commit({"a.yaml": b"image: app:2.0\n"})
        with pytest.raises(EditError) as caught:
            await mirror.land(base=revision, branch="main", expected=revision, commits=[new])
    assert caught.value.code == "duplicate-entry"


def folders(levels: int, wide: int, data: bytes = MARKED):
    """Trees that hold one another *wide* times, *levels* deep."""
    root = evil.folder(*((b"100644", b"f%d.yaml" % number, evil.name_of(evil.BLOB, data)) for number in range(wide)))
    entries = [evil.entry(evil.BLOB, data), evil.entry(evil.TREE, root)]
    for _ in range(levels):
        root = evil.folder(*((b"40000", b"d%d" % number, evil.name_of(evil.TREE, root)) for number in range(wide)))
        entries.append(evil.entry(evil.TREE, root))
    commit = evil.commit_of(evil.name_of(evil.TREE, root))
    return evil.name_of(evil.COMMIT, commit), evil.pack(evil.entry(evil.COMMIT, commit), *entries)


@pytest.mark.parametrize(
    ("shape", "limits", "setting"),
    [
        ((9, 10), {}, "entries"),
        ((9, 10, b"kind: Nothing\n"), {}, "entries"),
        ((3, 10), {"files": 5000}, "files"),
        ((300, 1), {}, "tree_depth"),
        ((0, 3), {"search": 10}, "search"),
    ],
)
async def test_a_tree_without_an_end_is_given_up_by_the_search(mirrors, shape, limits, setting):
    with HostileGit(*folders(*shape)) as server:
        mirror = mirrors(server.url, **limits)
        revision = await fetched(mirror)
        error = await refusal(mirror.search(revision, ".", MARKERS))
    assert error.code == "git-limit"
    assert f"git.limits.{setting}" in error.hint


def endless(kind, block, begun=b""):
    """Answer requests of *kind* by *block*, without an end."""

    def script(asked, _fields, write):
        if asked != kind:
            return False
        write(evil.head_of(kind) + begun)
        with contextlib.suppress(OSError):
            while True:
                write(block)
        return True

    return script


FETCHING = packet(b"shallow-info\n") + packet(b"shallow " + b"1" * 40 + b"\n")
ENDLESS = {
    "refs": endless("list", packet(b"1" * 40 + b" refs/heads/mainx\n") * 999),
    "shallow": endless("fetch", packet(b"shallow " + b"2" * 40 + b"\n") * 999, packet(b"shallow-info\n")),
    "progress": endless("fetch", packet(b"\x02" + b"p" * 60000), FETCHING + b"0001" + packet(b"packfile\n")),
    "report": endless("push", packet(b"\x01" + packet(b"unpack ok\n") + packet(b"ok refs/heads/" + b"y" * 30000 + b"\n"))),
    "talk": endless("push", packet(b"\x02" + b"t" * 60000)),
}


async def landed(mirror, commit):
    revision = await fetched(mirror)
    return await mirror.land(base=revision, branch="main", expected=revision, commits=[commit({"x": b"1"})])


@pytest.mark.parametrize("case", ENDLESS)
async def test_an_answer_without_an_end_is_given_up(mirrors, commit, case):
    head, sent = evil.repository(files=[(b"a.yaml", MARKED)])
    before = grown()
    with HostileGit(head, sent, ENDLESS[case]) as server:
        error = await refusal(landed(mirrors(server.url, answer=2**20), commit))
    assert error.code == ("push-unknown" if case in {"report", "talk"} else "git-limit")
    assert "1 MiB" in error.message
    assert grown() - before < 64


def dripping(kind, block, begun=None):
    """Answer requests of *kind* by *block* every now and then, for as long as the server lives."""

    def script(asked, _fields, write):
        if asked != kind:
            return False
        write(evil.head_of(kind) if begun is None else begun)
        with contextlib.suppress(OSError):
            while not over.wait(0.05):
                write(block)
        return True

    over = None

    def bind(server):
        nonlocal over
        over = server.over
        return script

    return bind


DRIPPING = {
    "head": dripping("advertise", b"X", b"HTTP/1.1 200 OK\r\n"),
    "continue": dripping("advertise", b"HTTP/1.1 100 Continue\r\n\r\n", b""),
    "advertisement": dripping("advertise", packet(b"x=y\n")),
    "refs": dripping("list", packet(b"1" * 40 + b" refs/heads/mainx\n")),
    "progress": dripping("fetch", packet(b"\x02p"), evil.head_of("fetch") + FETCHING + b"0001" + packet(b"packfile\n")),
    "push": dripping("push", packet(b"\x02working\n")),
    "silence": dripping("push", b""),
}


@pytest.mark.parametrize("case", DRIPPING)
async def test_a_server_that_drips_is_left_at_the_deadline(mirrors, commit, case):
    head, sent = evil.repository(files=[(b"a.yaml", MARKED)])
    with HostileGit(head, sent) as server:
        server.script = DRIPPING[case](server)
        mirror = mirrors(server.url, deadline=0.7)
        error = await refusal(landed(mirror, commit))
        assert error.code == ("push-unknown" if case in {"push", "silence"} else "git-deadline")
        assert "did not finish within 0.7 s" in error.message
        server.script = lambda *_: False
        assert (await mirror.look("main")).revision == head


FORMS = {
    "plain": lambda basic: SECRET,
    "quoted": lambda basic: quote(SECRET, safe=""),
    "base64": lambda basic: base64.b64encode(SECRET.encode()).decode(),
    "basic": lambda basic: basic,
    "inside": lambda basic: base64.b64encode(b"you said: " + SECRET.encode() + b"!").decode(),
    "hexadecimal": lambda basic: SECRET.encode().hex(),
}


def echoing(place, form):
    """Say the credential again, in *place* and in *form*."""

    def script(kind, fields, write):
        said = FORMS[form](fields["authorization"].split()[1])
        if place == "location" and kind == "advertise":
            write(evil.head_of(kind, "302 Found", Location=f"http://other.example.org/{said}/x", Content_Length="0"))
        elif place == "type" and kind == "list":
            write(evil.head_of(kind, Content_Type=f"text/{said}", Content_Length="1") + b"x")
        elif place == "body" and kind == "advertise":
            body = ("z" * 290 + said).encode()
            write(evil.head_of(kind, "500 No", Content_Type="text/plain", Content_Length=str(len(body))) + body)
        elif place == "error" and kind == "advertise":
            body = packet(b"# service=git-upload-pack\n") + b"0000" + packet(b"ERR you said " + said.encode() + b"\n")
            write(evil.head_of(kind) + body)
        elif place == "fatal" and kind == "fetch":
            write(evil.head_of(kind) + FETCHING + b"0001" + packet(b"packfile\n") + packet(b"\x03" + said.encode()) + b"0000")
        elif place == "push" and kind == "push":
            inner = packet(b"unpack ok\n") + packet(b"ng refs/heads/main no " + said.encode() + b"\n") + b"0000"
            write(evil.head_of(kind) + packet(b"\x02" + said.encode() + b"\n") + packet(b"\x01" + inner) + b"0000")
        else:
            return False
        return True

    return script


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("place", ["location", "type", "body", "error", "fatal", "push"])
async def test_a_credential_that_a_server_says_again_is_shown_nowhere(mirrors, commit, place, form):
    head, sent = evil.repository(files=[(b"a.yaml", MARKED)])
    access = GitAccess(credential=Credential(username="robot", password=SECRET))
    with HostileGit(head, sent, echoing(place, form)) as server:
        error = await refusal(landed(mirrors(server.url, access), commit))
    told = f"{error} {error.message} {error.hint} {error.args}"
    basic = base64.b64encode(f"robot:{SECRET}".encode()).decode()
    shown = FORMS[form](basic)
    shown = shown[16:-4] if form == "inside" else shown  # what is around the secret is none
    assert not any(shown[at : at + 8].lower() in told.lower() for at in range(len(shown) - 7)), told


async def test_a_default_branch_that_holds_a_credential_is_no_default_branch(mirrors):
    def script(kind, _fields, write):
        if kind != "list":
            return False
        head = b"1" * 40
        secret = b"hunter22token"
        line = head + b" HEAD symref-target:refs/heads/" + secret + b"\n"
        write(evil.head_of(kind) + packet(line) + packet(head + b" refs/heads/main\n") + b"0000")
        return True

    access = GitAccess(credential=Credential(username="robot", password="hunter22token"))
    with HostileGit(script=script) as server:
        assert (await mirrors(server.url, access).look("main")).default is None


async def test_a_listed_head_that_is_no_name_of_an_object_is_refused(mirrors):
    with HostileGit(head="ghp_" + "a1" * 18) as server:
        error = await refusal(mirrors(server.url).look("main"))
    assert error.code == "git-protocol"
    assert "ghp_" not in error.message


def told_at_length(count: int, message: bytes):
    """A repository of *count* commits in a row that each say *message*."""
    root = evil.folder((b"100644", b"a.yaml", evil.name_of(evil.BLOB, MARKED)))
    made = [evil.commit_of(evil.name_of(evil.TREE, root), message)]
    for _ in range(count - 1):
        head, _, rest = evil.commit_of(evil.name_of(evil.TREE, root), message).partition(b"author")
        made.append(head + b"parent " + evil.name_of(evil.COMMIT, made[-1]).encode() + b"\nauthor" + rest)
    entries = [evil.entry(evil.COMMIT, data) for data in made]
    pack = evil.pack(*entries, evil.entry(evil.TREE, root), evil.entry(evil.BLOB, MARKED))
    return evil.name_of(evil.COMMIT, made[-1]), pack


@pytest.mark.parametrize("message", [b"m" * 2**20, b"S\n\n" + b"Updater-Subscription: \xf0\x9f\x90\xb3\n" * 2**15])
async def test_a_history_that_says_gigabytes_in_a_small_pack_is_refused_with_the_name_of_its_setting(mirrors, message):
    with HostileGit(*told_at_length(30, message)) as server:
        mirror = mirrors(server.url, memory=16 * 2**20)
        head = await fetched(mirror)
        error = await refusal(mirror.recall("main", head))
    assert error.code == "git-limit"
    assert "git.limits.memory" in error.hint
