"""What became of a commit in the cluster: readers of workloads, releases and their verdicts."""
