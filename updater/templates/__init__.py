"""The Go text/template subset of commit messages, branch names and titles, with the functions of sprig; pure.

::

    template = parse("Update {{ .Name | upper }}")
    template.render({"Name": "app"})       # "Update APP"
"""

from updater.templates.template import Template, parse
from updater.templates.values import NOTHING, Int64, Ints, StringMap, Strings, Struct

__all__ = ["NOTHING", "Int64", "Ints", "StringMap", "Strings", "Struct", "Template", "parse"]
