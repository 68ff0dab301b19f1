# SPDX-License-Identifier: MIT OR Apache-2.0
"""Drives headless Firefox by WebDriver BiDi, in browser.py's words; needs nothing but Python."""

import base64
import json
import os
import pathlib
import re
import socket
import struct
import subprocess

from driver import Driver

KEYS = {"Backspace": "\ue003", "Enter": "\ue007", "Escape": "\ue00c", "ArrowLeft": "\ue012",
        "ArrowUp": "\ue013", "ArrowRight": "\ue014", "ArrowDown": "\ue015"}


class Socket:
    """A client of the WebSocket protocol, as far as is needed here: whole messages of text."""

    def __init__(self, port, path):
        self.stream = socket.create_connection(("127.0.0.1", port), timeout=60)
        key = base64.b64encode(os.urandom(16)).decode()
        self.stream.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
                            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
                            "Sec-WebSocket-Version: 13\r\n\r\n".encode())
        self.file = self.stream.makefile("rb")
        status = self.file.readline()
        if b" 101 " not in status:
            raise RuntimeError(f"no WebSocket: {status}")
        while self.file.readline().strip():
            pass

    def send(self, text):
        data = text.encode()
        # The shortest way to tell the length, of three.
        if len(data) < 126:
            length = struct.pack(">B", 0x80 | len(data))
        elif len(data) < 1 << 16:
            length = struct.pack(">BH", 0x80 | 126, len(data))
        else:
            length = struct.pack(">BQ", 0x80 | 127, len(data))
        # A client masks what it sends, and not by zeros, at which Firefox hangs up.
        masked = bytes(byte ^ 0x55 for byte in data)
        self.stream.sendall(b"\x81" + length + b"\x55" * 4 + masked)

    def receive(self):
        data = b""
        while True:
            head, length = self.file.read(2)
            if length == 126:
                length, = struct.unpack(">H", self.file.read(2))
            elif length == 127:
                length, = struct.unpack(">Q", self.file.read(8))
            part = self.file.read(length)
            if head & 0x0f > 2:
                continue  # about the connection
            data += part
            if head & 0x80:
                return data.decode()


class Browser(Driver):
    """Firefox."""

    def __init__(self, width, height, dark=False):
        super().__init__()
        self.socket = None
        self.opened = []
        scheme = f'user_pref("layout.css.prefers-color-scheme.content-override", {0 if dark else 1});\n'
        (pathlib.Path(self.profile) / "user.js").write_text(scheme)
        self.process = subprocess.Popen(
            ["firefox-esr", "--headless", "--no-remote", "--profile", self.profile,
             "--remote-debugging-port=0", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            self.connect(width, height)
        except BaseException:
            self.end()
            raise

    def connect(self, width, height):
        for line in self.process.stderr:
            if found := re.search(r"BiDi listening on ws://127\.0\.0\.1:(\d+)", line):
                break
        else:
            raise EOFError("the browser has ended")
        self.socket = Socket(int(found[1]), "/session")
        self.send("session.new", capabilities={})
        self.send("session.subscribe", events=["log.entryAdded", "network.beforeRequestSent"])
        self.context = self.send("browsingContext.getTree")["contexts"][0]["context"]
        self.send("browsingContext.setViewport", context=self.context, devicePixelRatio=1,
                  viewport={"width": width, "height": height})

    def end(self):
        if self.socket:
            self.socket.file.close()
            self.socket.stream.close()
        super().end()
        self.process.stderr.close()

    def send(self, method, **parameters):
        """The result of a command."""
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self.socket.receive())
            if answer.get("id") != self.number:
                self.events.append(answer)
            elif answer["type"] == "error":
                raise RuntimeError(f"{method}: {answer['error']}: {answer['message']}")
            else:
                return answer["result"]

    def load(self, url):
        self.opened.append(url.split("#")[0])
        self.send("browsingContext.navigate", context=self.context, url=url, wait="complete")

    def ask(self, expression):
        """The value of an expression of JavaScript."""
        whole = f"(async () => JSON.stringify(await ({expression})))()"
        answer = self.send("script.evaluate", expression=whole, awaitPromise=True,
                           target={"context": self.context})
        if answer["type"] == "exception":
            raise RuntimeError(answer["exceptionDetails"])
        value = answer["result"].get("value")
        return None if value is None else json.loads(value)

    def act(self, source, *actions, **more):
        self.send("input.performActions", context=self.context,
                  actions=[{"type": source, "id": source, "actions": actions, **more}])

    def press(self, key):
        """A key that has one character, or a name such as Enter."""
        value = KEYS.get(key, key)
        self.act("key", {"type": "keyDown", "value": value}, {"type": "keyUp", "value": value})

    def mouse(self, kind, x, y, **_):
        """As Chromium names it."""
        actions = {"mouseMoved": {"type": "pointerMove", "x": round(x), "y": round(y)},
                   "mousePressed": {"type": "pointerDown", "button": 0},
                   "mouseReleased": {"type": "pointerUp", "button": 0}}
        self.act("pointer", actions[kind], parameters={"pointerType": "mouse"})

    def requests(self):
        """What the page has loaded. Of files, which the browser doesn't tell of, those that were to be."""
        sent = [event for event in self.events
                if event.get("method") == "network.beforeRequestSent"]
        files = list(dict.fromkeys(self.opened))  # once each, because another fragment loads nothing
        return files + [event["params"]["request"]["url"] for event in sent]

    def complaints(self):
        """Exceptions, and what the browser has logged."""
        return [event["params"] for event in self.events if event.get("method") == "log.entryAdded"]

    def picture(self, path):
        """Writes what the page looks like."""
        shot = self.send("browsingContext.captureScreenshot", context=self.context)
        with open(path, "wb") as file:
            file.write(base64.b64decode(shot["data"]))
