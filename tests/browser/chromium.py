"""A headless Chromium of our own, told what to do over its DevTools protocol."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser")
_DEADLINE = 30.0  # seconds for anything that it is asked


class Page:
    """One tab: what it said, asked a network for, and shows."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for message in self._socket:
            row = json.loads(message.data)
            if "id" in row:
                self._answers.pop(row["id"]).set_result(row)
                continue
            about = row["params"]
            match row["method"]:
                case "Runtime.exceptionThrown":
                    self.complaints.append(json.dumps(about["exceptionDetails"])[:500])
                case "Runtime.consoleAPICalled" if about["type"] in ("error", "warning"):
                    self.complaints.append(json.dumps(about["args"])[:500])
                case "Log.entryAdded" if about["entry"]["level"] in ("error", "warning"):
                    self.complaints.append(about["entry"]["text"])
                case "Network.requestWillBeSent":
                    self.requests.append(about["request"]["url"])

    async def send(self, method: str, **about: Any) -> dict[str, Any]:
        """Give one command and return its result. Raises `AssertionError` for a refusal."""
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": about})
        row = await asyncio.wait_for(answer, _DEADLINE)
        assert "error" not in row, row
        found: dict[str, Any] = row["result"]
        return found

    async def open(self, url: str) -> None:
        """Load a page and wait until its script is through."""
        await self.send("Page.navigate", url="about:blank")
        await self.send("Page.navigate", url=url)
        await self.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'")

    async def run(self, expression: str) -> Any:
        """Return what a JavaScript expression gives, also one that takes its time."""
        found = await self.send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    async def wait_for(self, expression: str) -> None:
        """Wait until an expression is true."""
        async with asyncio.timeout(_DEADLINE):
            while not await self.run(expression):
                await asyncio.sleep(0.02)

    async def press(self, key: str) -> None:
        for type in ("keyDown", "keyUp"):
            text = {"text": key} if type == "keyDown" and len(key) == 1 else {}
            await self.send("Input.dispatchKeyEvent", type=type, key=key, **text)

    async def mouse(self, type: str, x: float, y: float, button: str = "none") -> None:
        await self.send(
            "Input.dispatchMouseEvent", type=type, x=x, y=y, button=button, clickCount=1
        )

    async def close(self) -> None:
        await self._socket.close()
        await self._reader


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Page]:
    """Start a browser with one tab, and end it afterwards."""
    assert PROGRAM is not None, "no chromium: `make browser` installs it on Debian"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"]
        # --no-sandbox: root in a container has none.
        process = await asyncio.create_subprocess_exec(
            PROGRAM,
            *options,
            "--no-first-run",
            "--disable-dev-shm-usage",
            f"--user-data-dir={profile}",
            "about:blank",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            port = await _port(Path(profile))
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                    tabs = json.loads(await answer.text())
                address = next(t["webSocketDebuggerUrl"] for t in tabs if t["type"] == "page")
                async with session.ws_connect(address, max_msg_size=0) as socket:
                    page = Page(socket)
                    for domain in ("Runtime", "Log", "Network", "Page"):
                        await page.send(f"{domain}.enable")
                    yield page
                    await page.close()
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(process.wait(), _DEADLINE)


async def _port(profile: Path) -> int:
    async with asyncio.timeout(_DEADLINE):
        while True:
            with contextlib.suppress(OSError, IndexError):
                return int((profile / "DevToolsActivePort").read_text().splitlines()[0])
            await asyncio.sleep(0.05)
