"""Git servers that lack what others have: a real `git http-backend` with fewer offers, which refuses what it does not offer.

Azure DevOps and CodeCommit are played as far as clients have reported them: Azure DevOps wants ``multi_ack``, and both speak
protocol 0 alone, without filters; CodeCommit has no offset deltas in either direction.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.fakes.git_server import GitServer
from tests.fakes.scripted_git import packet

if TYPE_CHECKING:
    from collections.abc import Iterator

OFS_DELTA = 6


@dataclass
class LackingServer(GitServer):
    """Offers nothing of *lacks*, and refuses a request that uses it nevertheless, or that lacks one of *wants*.

    One that is not *is_honest* offers it all the same. `refused` is why it refused what.
    """

    lacks: frozenset[str] = frozenset()
    wants: frozenset[str] = frozenset()
    is_honest: bool = True
    refusal: str = "the request is not as expected"
    refused: list[str] = field(default_factory=list)

    async def _backend(self, request, body):
        service = request.path.rpartition("/")[2]
        if service == "git-upload-pack" and (word := self._wrong_with(body)):
            self.refused.append(word)
            return 400, {"Content-Type": "text/plain"}, f"{self.refusal} ({word})".encode()
        if service == "git-receive-pack" and "ofs-delta" in self.lacks and OFS_DELTA in kinds(body):
            return self._not_taken()
        status, headers, data = await super()._backend(request, body)
        if request.path.endswith("/info/refs") and status == 200 and self.is_honest:
            data = b"".join(self._cut(item) for item in packets(data))
        return status, headers, data

    def _wrong_with(self, body: bytes) -> str:
        """Give what of a request for a pack this server cannot read."""
        lines = [item.rstrip(b"\n") for item in packets(body) if item]
        first = next((line for line in lines if line.startswith(b"want ")), b"")
        asked = {word.decode() for word in first.split(b" ")[2:]}
        if first and (missing := self.wants - asked):
            return f"clients must support {', '.join(sorted(missing))}"
        said = {line.partition(b" ")[0].decode() for line in lines}
        used = {"shallow": said & {"shallow", "deepen", "deepen-since"}, "filter": said & {"filter"}}
        return next((name for name, words in used.items() if name in self.lacks and words), "")

    def _cut(self, item: bytes | None) -> bytes:
        if item is None:
            return b"0000"
        head, zero, offered = item.rstrip(b"\n").partition(b"\0")
        if zero:
            kept = [word for word in offered.split(b" ") if word.partition(b"=")[0].decode() not in self.lacks]
            return packet(head + zero + b" ".join(kept) + b"\n")
        name, equals, features = item.rstrip(b"\n").partition(b"=")
        if name == b"fetch" and equals:
            kept = [word for word in features.split(b" ") if word.decode() not in self.lacks]
            return packet(name + (equals + b" ".join(kept) if kept else b"") + b"\n")
        return packet(item)

    @staticmethod
    def _not_taken():
        report = packet("unpack protocol error (offset deltas are not supported)\n") + b"0000"
        return 200, {"Content-Type": "application/x-git-receive-pack-result"}, packet(b"\x01" + report) + b"0000"


def azure(root) -> LackingServer:
    """Give a server that behaves as Azure DevOps."""
    return LackingServer(
        root,
        speaks_v2=False,
        lacks=frozenset({"filter", "push-options", "atomic", "quiet"}),
        wants=frozenset({"multi_ack"}),
        refusal="TF401041: The Git protocol sent is not as expected",
    )


def codecommit(root) -> LackingServer:
    """Give a server that behaves as CodeCommit."""
    return LackingServer(root, speaks_v2=False, lacks=frozenset({"filter", "ofs-delta", "push-options", "atomic", "shallow"}))


def packets(data: bytes) -> Iterator[bytes | None]:
    """Give the packets of a conversation without their lengths, None for each flush; the pack behind a push is left out."""
    at = 0
    while at < len(data) and data[at : at + 4] != b"PACK":
        length = int(data[at : at + 4], 16)
        yield data[at + 4 : at + length] if length > 4 else None
        at += max(length, 4)


def kinds(push: bytes) -> set[int]:
    """Give the kinds of the objects in a pushed pack, as far as the first bytes tell."""
    at = push.find(b"PACK") + 12
    found = set()
    count = int.from_bytes(push[at - 4 : at], "big") if at > 12 else 0
    for _ in range(count):
        first = push[at]
        found.add((first >> 4) & 7)
        while push[at] & 0x80:
            at += 1
        at += 1
        if (first >> 4) & 7 == OFS_DELTA:
            return found
        if (first >> 4) & 7 == 7:
            at += 20
        stream = zlib.decompressobj()
        stream.decompress(push[at:])
        at = len(push) - len(stream.unused_data)
    return found
