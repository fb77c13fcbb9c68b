"""How fast this machine does the work, how fast it could, and what holds it up; see ``pretint bench``."""
