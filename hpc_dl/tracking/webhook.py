"""Notifications: a POST of JSON to a URL of the user's as a run ends, fails or makes no progress.

The URL lets everybody who knows it write there, so it stands in a file of the user's alone, which
is read when something is sent. What became of each notification is journalled: one that a compute
node without internet could not send is sent by the next `hpcdl reconcile`.
"""

from __future__ import annotations

import json
import threading
import time
import traceback
from typing import Any

from hpc_dl.data.faults import regular_file
from hpc_dl.errors import UserError
from hpc_dl.run import journal, records
from hpc_dl.run.events import Event
from hpc_dl.run.journal import Journal
from hpc_dl.run.journal_tail import JournalTail, open_tail
from hpc_dl.run.layout import DamagedFile, RunDir
from hpc_dl.run.monitor import short

TIMEOUT = 10.0
"""Seconds that a server has to answer."""
PAUSES = (0.0, 1.0, 4.0)
"""Seconds before each attempt of a process."""
LONGEST = 30.0
"""Seconds that a process waits in all: to look up a name has no time limit of its own."""
CALLS = 3
"""How often an end is tried by different processes."""

_NO_PROGRESS = "no_progress"


def url_in(path: str) -> str:
    """Return the URL in a file. Raises UserError, which does not show it."""
    file = regular_file("notify.webhook", path)
    text = file.read_text(encoding="utf-8", errors="replace").strip()
    is_url = text.startswith(("https://", "http://")) and len(text.split()) == 1
    if not is_url or not text.isascii():
        raise UserError(
            f"notify.webhook: {file} holds no URL", hint="Its one line begins with https://"
        )
    return text


def notify_end(run: RunDir) -> None:
    """Tell how a run has ended, unless that is done; an error is printed and stops nothing."""
    try:
        with open_tail(run.journal) as tail:
            end, told = tail.newest("state"), tail.newest("notified")
        if end is None or end["state"] not in journal.ENDED - {"paused"}:
            return
        if told and (told["on"] == _NO_PROGRESS or told["t"] < end["t"]):
            told = None  # of what came before the end, maybe in the same millisecond
        calls = (told.get("calls") or 0) if told else 0
        if calls < CALLS and not (told and told.get("delivered")):
            kind = "end" if end["state"] in ("completed", "cancelled") else "failure"
            _notify(run, kind, end["state"], end.get("reason") or "", calls + 1)
    except DamagedFile:
        return  # whoever trains or shows the run says so
    except Exception:  # a run ends as it has ended
        traceback.print_exc()


def notify_no_progress(run: RunDir, reason: str) -> None:
    """Tell that a run hangs; an error is printed and stops nothing."""
    try:
        _notify(run, _NO_PROGRESS, "running", reason, 1)
    except DamagedFile:
        return
    except Exception:
        traceback.print_exc()


def _notify(run: RunDir, kind: str, state: str, reason: str, calls: int) -> None:
    options = records.load_spec(run).notify
    if options.webhook is None or kind not in options.on:
        return
    fault = post_to(options.webhook, _content(run, kind, state, reason))
    log = Journal(run.journal)
    log.append("notified", on=kind, delivered=not fault, message=fault, calls=calls)
    log.close()


def post_to(file: str, content: dict[str, Any]) -> str:
    """Send the content to the URL in a file; return what went wrong, or nothing."""
    try:
        return _post_in_time(url_in(file), content)
    except UserError as error:
        return error.message


def _content(run: RunDir, kind: str, state: str, reason: str) -> dict[str, Any]:
    with open_tail(run.journal) as tail:
        started, progress = tail.newest("started") or {}, tail.newest("progress") or {}
        metrics = _metrics(tail)
    listed = ", ".join(f"{name} {short(value)}" for name, value in metrics.items())
    return {
        "run": run.id,
        "event": kind,
        "state": state,
        "reason": reason,
        "host": (started.get("environment") or {}).get("host"),
        "step": progress.get("step"),
        "steps": progress.get("steps"),
        "metrics": metrics,
        "run_dir": str(run.path),
        "text": "  ".join(it for it in (f"{run.id}: {state}", reason, listed) if it),
    }


def _metrics(tail: JournalTail) -> dict[str, float | str]:
    """Return the newest metrics of each split."""
    found: list[Event | None] = [
        tail.newest("metrics", f'"{split}/') for split in ("train", "val", "test")
    ]
    return {name: value for it in found if it for name, value in it["values"].items()}


def _post_in_time(url: str, content: dict[str, Any]) -> str:
    """Send the content; return what went wrong, without the URL, or nothing."""
    answers = [f"no answer within {LONGEST:g} seconds"]
    sender = threading.Thread(target=lambda: answers.append(_post(url, content)), daemon=True)
    sender.start()
    sender.join(LONGEST)
    return answers[-1]


def _post(url: str, content: dict[str, Any]) -> str:
    import http.client  # here, as most commands that could notify send nothing
    import urllib.error
    import urllib.request

    fault = ""
    for pause in PAUSES:
        time.sleep(pause)
        request = urllib.request.Request(
            url, json.dumps(content).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT):
                return ""
        except urllib.error.HTTPError as error:
            fault = f"the server answered {error.code}"
        except urllib.error.URLError as error:
            fault = str(error.reason)
        except (OSError, http.client.HTTPException, ValueError) as error:
            fault = type(error).__name__
    return fault
