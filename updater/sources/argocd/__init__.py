"""Knows what Argo CD users wrote for their image updater: Applications, their annotations, ImageUpdater objects.

Translation is pure: objects come in as the plain mappings that the API or a YAML file gives; subscriptions, and an answer for
each image that somebody listed, come out. Only `source`, `answering` and the modules that they drive ask a cluster.
"""

from updater.sources.argocd.translate import Answer, Defaults, Finding, Translation, Translator, translate

__all__ = ["Answer", "Defaults", "Finding", "Translation", "Translator", "translate"]
