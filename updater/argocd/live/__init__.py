"""The argocd write-back method: a live Application is read, and only its own values are patched."""
