"""Read YAML and JSON as data: the only entry point for documents that people and programs wrote.

Every entry keeps its line, duplicate keys are said, and hostile text (alias bombs, deep nesting, foreign tags,
not UTF-8) ends in a `Problem`, never in a traceback.
"""

from updater.documents.base import Document, DocumentLimits, Documents, Mark, as_error, read_bytes
from updater.documents.json_text import load_json
from updater.documents.yaml_text import Dialect, load_yaml, plain_scalar, read_yaml

__all__ = [
    "Dialect",
    "Document",
    "DocumentLimits",
    "Documents",
    "Mark",
    "as_error",
    "load_json",
    "load_yaml",
    "plain_scalar",
    "read_bytes",
    "read_yaml",
]
