"""From a file's bytes to grey pages: images, PDF, and pictures given as numbers."""
