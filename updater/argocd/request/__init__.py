"""What Argo CD users wrote for their image updater: Applications, their annotations, ImageUpdater objects. Pure.

Objects come in as the plain mappings that the API or a YAML file gives; subscriptions, and an answer for each image that
somebody listed, come out. `updater.argocd.cluster` is what asks a cluster.
"""

from updater.argocd.request.translation import (
    ImageTranslation,
    ObjectProblem,
    Translation,
    TranslationDefaults,
    Translator,
    translate,
)

__all__ = ["ImageTranslation", "ObjectProblem", "Translation", "TranslationDefaults", "Translator", "translate"]
