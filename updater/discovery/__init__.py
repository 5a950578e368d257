"""What a repository already says about its images, as the first configuration of this program. No server is asked."""
