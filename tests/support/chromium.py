"""Drives a headless Chromium by its DevTools protocol, where one is installed: pages as people see them."""

import contextlib
import json
import os
import shutil
import subprocess
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trio
from trio_websocket import WebSocketConnection, open_websocket_url

from appliance.servers.web.assets import FOLDER

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
START_SECONDS = 60
#: How long a page may take until something is to be seen.
WAIT_SECONDS = 20
NAVIGATED = -32000
KEYS = {"Enter": ("\r", 13), "Escape": ("", 27), "Tab": ("", 9), "ArrowRight": ("", 39), "ArrowDown": ("", 40)}


def program() -> str:
    """Its path; skips the test where there is none, or no pages for it."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium is installed")
    if not (FOLDER / "admin.html").is_file():
        pytest.skip("the web pages are not built: make frontend")
    return found


class NavigatedError(Exception):
    """The page that was asked something went away meanwhile."""


class Page:
    """One tab."""

    def __init__(self, socket: WebSocketConnection) -> None:
        self._socket = socket
        self._last = 0
        #: Errors of scripts, refusals by the Content-Security-Policy, and what else the console had of that kind.
        self.complaints: list[str] = []

    async def command(self, method: str, **params: Any) -> Any:
        """One command of the protocol; its result. Events that come meanwhile are looked at."""
        self._last += 1
        await self._socket.send_message(json.dumps({"id": self._last, "method": method, "params": params}))
        while True:
            message = json.loads(await self._socket.get_message())
            if message.get("id") == self._last:
                if message.get("error", {}).get("code") == NAVIGATED:
                    raise NavigatedError(message["error"]["message"])
                assert "error" not in message, message
                return message["result"]
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        params = message.get("params", {})
        if message.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"]))
        elif message.get("method") == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.complaints.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")

    async def js(self, expression: str) -> Any:
        """The value of an expression in the page, which may be a promise."""
        result = await self.command("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    async def wait(self, expression: str) -> None:
        """Until an expression is true."""
        # What is not there yet has no fields.
        test = f"(() => {{ try {{ return {expression} }} catch {{ return false }} }})()"
        watch = f"new Promise(done => {{ const look = () => {test} ? done(true) : setTimeout(look, 20); look() }})"
        with trio.move_on_after(WAIT_SECONDS) as scope:
            while True:
                with contextlib.suppress(NavigatedError):
                    await self.js(watch)
                    break
        assert not scope.cancelled_caught, f"never true: {expression}"

    async def sees(self, text: str) -> None:
        """Until the page has a text."""
        await self.wait(f"document.body.innerText.includes({json.dumps(text)})")

    async def open(self, url: str) -> None:
        """Go there. Another hash alone loads nothing anew."""
        await self.command("Page.navigate", url=url)
        await self.wait("document.readyState === 'complete' && document.querySelector('#app')?.childElementCount > 0")

    async def type(self, text: str) -> None:
        """Into what has the focus, in place of what is there."""
        await self.js("document.activeElement.select?.()")
        await self.command("Input.insertText", text=text)

    async def press(self, key: str) -> None:
        text, code = KEYS[key]
        for kind in ("keyDown", "keyUp"):
            shown = {"text": text} if text and kind == "keyDown" else {}
            await self.command("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **shown)

    async def click(self, name: str, kind: str = "button, a, [role=tab], [role=menuitem]") -> None:
        """What has this text, or is read out so."""
        wanted = (
            f"[...document.querySelectorAll({json.dumps(kind)})].find(one => one.checkVisibility() && "
            f"(one.innerText.trim() || one.textContent.trim()) === {json.dumps(name)})"
        )
        await self.wait(wanted)
        await self.js(f"(one => {{ one.focus(); one.click() }})({wanted})")

    async def fill(self, label: str, text: str) -> None:
        """The visible field with a label, in the dialog if there is one."""
        field = (
            "[...(document.querySelector('dialog[open]') ?? document).querySelectorAll('label')]"
            f".find(one => one.checkVisibility() && one.textContent === {json.dumps(label)})?.control"
        )
        await self.wait(field)
        await self.js(f"{field}.focus()")
        await self.type(text)

    async def resize(self, width: int, height: int = 800) -> None:
        await self.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )


@contextlib.asynccontextmanager
async def browse(folder: Path) -> AsyncIterator[Page]:
    """A tab of a browser of its own, whose profile is in `folder`. Skips the test where there is no browser."""
    command = [
        program(),
        "--headless",
        "--remote-debugging-port=0",
        f"--user-data-dir={folder}",
        "--no-first-run",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        *(["--no-sandbox"] if os.geteuid() == 0 else []),
        "about:blank",
    ]
    process = await trio.lowlevel.open_process(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port = await _port(folder / "DevToolsActivePort")
        target = await trio.to_thread.run_sync(_tab, port)
        async with open_websocket_url(target, max_message_size=64 * 1024 * 1024) as socket:
            page = Page(socket)
            for domain in ("Page", "Runtime", "Log"):
                await page.command(f"{domain}.enable")
            yield page
    finally:
        process.terminate()
        with trio.CancelScope(shield=True):
            await process.wait()


async def _port(file: Path) -> int:
    with trio.fail_after(START_SECONDS):
        while not file.is_file() or "\n" not in file.read_text():
            await trio.sleep(0.05)
    return int(file.read_text().splitlines()[0])


def _tab(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=START_SECONDS) as answer:
        return next(one["webSocketDebuggerUrl"] for one in json.load(answer) if one["type"] == "page")
