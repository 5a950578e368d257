"""Git without a git program: a mirror of each repository, its trees and history, and pushes that never overwrite."""
