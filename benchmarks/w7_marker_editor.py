"""W7: the marker editor over 10,000 files of 3 marked lines each, against PyYAML's C events of the same bytes.

A landing reads the places of a file, then edits it, which parses the result once more as the proof. Two bare
parses are thus the floor of reading and editing, whatever the editor does. Run:
``python benchmarks/w7_marker_editor.py [files]``. Times are CPU seconds, medians of five interleaved rounds,
with the spread of the ratio over the rounds.
"""

from __future__ import annotations

import platform
import statistics
import sys
import time
from functools import cache

from yaml._yaml import CParser

from updater.cli.collector import settle
from updater.editors.marker import MarkerEditor
from updater.model.image import parse_ref
from updater.model.subscription import Locator
from updater.model.update import EditRequest

GOALS = {"read": 3.0, "read and edit": 3.5}
ROUNDS = 5
MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: app-{n}
  namespace: team-{team}
  labels:
    app.kubernetes.io/name: app-{n}
spec:
  replicas: 2
  selector:
    matchLabels:
      app.kubernetes.io/name: app-{n}
  template:
    metadata:
      labels:
        app.kubernetes.io/name: app-{n}
    spec:
      containers:
        - name: app
          image: ghcr.io/org/app-{policy}:1.0.0 # {{"$imagepolicy": "flux-system:app-{policy}"}}
          env:
            - name: VERSION
              value: "1.0.0" # {{"$imagepolicy": "flux-system:app-{policy}:tag"}}
          ports:
            - containerPort: 8080
          resources:
            requests: {{cpu: 100m, memory: 64Mi}}
            limits: {{memory: 128Mi}}
        - name: proxy
          image: ghcr.io/org/proxy:1.0.0 # {{"$imagepolicy": "flux-system:proxy"}}
"""


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    files = [(f"apps/{n}.yaml", MANIFEST.format(n=n, team=n % 40, policy=n % 50).encode()) for n in range(count)]
    settle()  # as the program does
    work = {"events": events, "floor": floor, "read": read, "read and edit": read_and_edit, "edit alone": edit_alone}
    times = {name: [] for name in work}
    for _ in range(ROUNDS):
        for name, function in work.items():
            times[name].append(function(files))
    print(f"W7 marker editor, {count} files, 3 marked lines each; Python {platform.python_version()}, {ROUNDS} rounds")
    base = statistics.median(times["events"])
    print(f"{'PyYAML C events':<18} {base:7.2f} s CPU {count / base:9.0f} files/s")
    for name in list(work)[1:]:
        ratios = sorted(own / bare for own, bare in zip(times[name], times["events"], strict=True))
        ratio = statistics.median(ratios)
        middle = statistics.median(times[name])
        label = "two bare parses" if name == "floor" else name
        spread = f"({ratios[0]:.2f} to {ratios[-1]:.2f})"
        goal = f"  goal ≤ {GOALS[name]:.1f}x: {'held' if ratio <= GOALS[name] else 'NOT HELD'}" if name in GOALS else ""
        print(f"{label:<18} {middle:7.2f} s CPU {count / middle:9.0f} files/s {ratio:6.2f}x {spread}{goal}")


def events(files):
    start = time.process_time()
    for _, data in files:
        parser = CParser(data.decode())
        while parser.get_event() is not None:
            pass
    return time.process_time() - start


def floor(files):
    """Parse each file twice and keep the events of both, as a proof must have them, and do nothing with them."""
    start = time.process_time()
    for _, data in files:
        before = list(iter(CParser(data.decode()).get_event, None))
        after = list(iter(CParser(data.decode()).get_event, None))
        assert len(before) == len(after)
    return time.process_time() - start


def read(files):
    editor = MarkerEditor()
    start = time.process_time()
    for path, data in files:
        assert editor.read(path, data).readings
    return time.process_time() - start


def read_and_edit(files):
    editor = MarkerEditor()
    start = time.process_time()
    for path, data in files:
        edit = editor.edit(path, data, wishes(editor, path, data))
        assert len(edit.changes) == 3
    return time.process_time() - start


def edit_alone(files):
    """Edit long after the file was read, as when many files were read in between."""
    editor = MarkerEditor()
    asked = [(path, data, wishes(editor, path, data)) for path, data in files]
    start = time.process_time()
    for path, data, wanted in asked:
        assert len(editor.edit(path, data, wanted).changes) == 3
    return time.process_time() - start


def wishes(editor, path, data):
    """Ask for a new image at every place; the image is made once a policy, as by a selection."""
    readings = editor.read(path, data).readings
    return [EditRequest(locator=Locator(name=item.setter), reading=item, image=image(item.setter)) for item in readings]


@cache
def image(setter):
    return parse_ref(f"ghcr.io/org/{setter[12:]}:1.2.3")


if __name__ == "__main__":
    main()
