"""Everything this program knows of Argo CD and of Argo CD Image Updater."""
