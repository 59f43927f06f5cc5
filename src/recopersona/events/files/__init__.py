"""Log files as frames, whole or in pieces, every value as it was written."""

from recopersona.events.files.finding import Beside, find_files, what_lies_beside
from recopersona.events.files.source import LogFiles

__all__ = ["Beside", "LogFiles", "find_files", "what_lies_beside"]
