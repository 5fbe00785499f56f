"""The one exception that a user may see: what is wrong, what to do, and the exit code."""

from __future__ import annotations

EXIT_FAILED = 1
"""The run failed."""
EXIT_USAGE = 2
"""The command line, the job spec or the data it names are at fault."""
EXIT_CLUSTER = 3
"""The cluster cannot be reached, or refused."""


class UserError(Exception):
    """An error that the user can mend; the command line prints it without a traceback.

    `message` says what is wrong and where; `hint` says what to do about it.
    """

    def __init__(self, message: str, *, hint: str = "", exit_code: int = EXIT_USAGE) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message
