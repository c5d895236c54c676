"""Moving pictures: avatars read from files, and films of them written as MP4."""
