"""How Argo CD's Applications and ImageUpdaters are read from a cluster, and how they are answered there.

What they mean is translated by `updater.argocd.request`, which asks nobody.
"""
