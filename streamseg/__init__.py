"""Every object in a video found, outlined and followed."""
