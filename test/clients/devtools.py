"""A small driver for Chromium: the DevTools protocol over a pipe, with Python's own library alone.

It acts as a person does: it clicks where an element is, types with the keyboard and reads what the
document holds. None of that runs a script of its own in the page, so it works the same with scripts
switched off.
"""

import contextlib
import html
import json
import os
import re
import select
import shutil
import signal
import subprocess
import time

START_S = 120  # a browser's first start on a busy machine takes its time
WAIT_S = 60
KEYS = {"Enter": (13, "\r"), "Tab": (9, ""), "Escape": (27, ""), "ArrowDown": (40, ""),
        "Delete": (46, "")}


class Refused(Exception):
    """The browser said no to a command."""


def find_browser():
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
                None)


class Browser:
    """One Chromium with a profile of its own; it ends with close()."""

    def __init__(self, folder, *options):
        os.makedirs(folder, exist_ok=True)
        self.last_id, self.events, self.unread = 0, [], b""
        self.log_path = os.path.join(folder, "chromium.log")
        to_read, self.write_fd = os.pipe()
        self.read_fd, to_write = os.pipe()
        home = {**os.environ, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder),
                "XDG_CACHE_HOME": str(folder)}
        command = [find_browser(), "--headless=new", "--no-sandbox", "--disable-gpu",
                   "--no-first-run", "--disable-dev-shm-usage", "--disable-background-networking",
                   "--disable-sync", "--disable-component-update", "--disable-default-apps",
                   "--disable-extensions", "--password-store=basic", "--lang=en",
                   f"--user-data-dir={folder}/profile", "--remote-debugging-pipe", *options,
                   "about:blank"]

        def place_pipes():
            # Chromium reads commands from descriptor 3 and writes to 4.
            high_read, high_write = os.dup2(to_read, 103), os.dup2(to_write, 104)
            os.dup2(high_read, 3)
            os.dup2(high_write, 4)

        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=home,
                start_new_session=True, preexec_fn=place_pipes, pass_fds=(3, 4))
        os.close(to_read)
        os.close(to_write)
        try:
            self.call("Browser.getVersion", timeout_s=START_S)
        except BaseException:
            self.close()
            raise

    def close(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # its own group: see start_new_session
        self.process.wait()
        for fd in (self.read_fd, self.write_fd):
            with contextlib.suppress(OSError):
                os.close(fd)

    def call(self, method, params=None, session=None, timeout_s=WAIT_S):
        """Sends a command and waits for its answer; events that come meanwhile are kept."""
        self.last_id += 1
        wanted = self.last_id
        message = {"id": wanted, "method": method, "params": params or {}}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.write_fd, data):]
        deadline = time.monotonic() + timeout_s
        while True:
            answer = self.receive(deadline, method)
            if answer.get("id") != wanted:
                self.events.append(answer)
                continue
            if "error" in answer:
                raise Refused(f"{method}: {answer['error'].get('message')}")
            return answer["result"]

    def receive(self, deadline, waiting_for):
        while b"\0" not in self.unread:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.read_fd], [], [], left)[0]:
                raise AssertionError(f"the browser did not answer: {waiting_for}")
            piece = os.read(self.read_fd, 1 << 20)
            if not piece:
                with open(self.log_path, "rb") as log:
                    raise AssertionError(f"the browser ended: {log.read()[-2000:]!r}")
            self.unread += piece
        message, self.unread = self.unread.split(b"\0", 1)
        return json.loads(message)

    def new_page(self, scripts=True, stranger=False):
        """A tab; a stranger's shares no cookies with any other."""
        where = self.call("Target.createBrowserContext") if stranger else {}
        target = self.call("Target.createTarget", {"url": "about:blank", **where})["targetId"]
        session = self.call("Target.attachToTarget",
                            {"targetId": target, "flatten": True})["sessionId"]
        return Page(self, session, scripts)


class Page:
    """A tab. Elements are named by CSS selectors."""

    def __init__(self, browser, session, scripts):
        self.browser, self.session = browser, session
        for domain in ("Page", "DOM", "Network", "Log", "Runtime"):
            self.call(domain + ".enable")
        if not scripts:
            self.call("Emulation.setScriptExecutionDisabled", {"value": True})

    def call(self, method, params=None, timeout_s=WAIT_S):
        return self.browser.call(method, params, self.session, timeout_s)

    def close(self):
        """Closes the tab, and forgets what happened in it."""
        self.call("Page.close")
        self.browser.events = [event for event in self.browser.events
                               if event.get("sessionId") != self.session]

    def seen(self, method):
        """Parameters of all events of that name so far."""
        return [event["params"] for event in self.browser.events
                if event.get("method") == method and event.get("sessionId") == self.session]

    def wait_for(self, condition, what, timeout_s=WAIT_S):
        """Polls, as a person looks at the screen."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            value = condition()
            if value:
                return value
            time.sleep(0.02)
        raise AssertionError(f"not seen in the browser: {what}\n{self.text()[:2000]}")

    @contextlib.contextmanager
    def loads(self):
        """Around something that leads to another document: waits until that one is complete."""
        before = len(self.seen("Page.loadEventFired"))
        yield
        self.wait_for(lambda: self._poll() and len(self.seen("Page.loadEventFired")) > before,
                      "another page")

    def _poll(self):
        self.call("Page.getFrameTree")  # events come with the answer
        return True

    def open(self, url):
        with self.loads():
            answer = self.call("Page.navigate", {"url": url})
        assert "errorText" not in answer, answer
        return self

    def reload(self):
        with self.loads():
            self.call("Page.reload")

    @property
    def url(self):
        return self.call("Page.getFrameTree")["frameTree"]["frame"]["url"]

    # -- what is there ------------------------------------------------------------------------

    def node(self, selector):
        """The element's node id, or None."""
        try:
            root = self.call("DOM.getDocument", {"depth": 0})["root"]["nodeId"]
            found = self.call("DOM.querySelector", {"nodeId": root, "selector": selector})["nodeId"]
        except Refused:  # the document went away meanwhile
            return None
        return found or None

    def has(self, selector):
        return self.node(selector) is not None

    def find(self, selector):
        return self.wait_for(lambda: self.node(selector), selector)

    def outer_html(self, selector="html"):
        return self.call("DOM.getOuterHTML", {"nodeId": self.find(selector)})["outerHTML"]

    def text(self, selector="body"):
        """The text without its markup, each run of spaces as one."""
        node = self.node(selector)
        if node is None:
            return ""
        source = self.call("DOM.getOuterHTML", {"nodeId": node})["outerHTML"]
        return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", source)).split())

    def attribute(self, selector, name):
        pairs = self.call("DOM.getAttributes", {"nodeId": self.find(selector)})["attributes"]
        return dict(zip(pairs[::2], pairs[1::2])).get(name)

    def is_visible(self, selector):
        node = self.node(selector)
        if node is None:
            return False
        try:
            return bool(self.call("DOM.getContentQuads", {"nodeId": node})["quads"])
        except Refused:  # it has no box
            return False

    # -- what a person does -------------------------------------------------------------------

    def click(self, selector):
        node = self.find(selector)
        self.call("DOM.scrollIntoViewIfNeeded", {"nodeId": node})
        quad = self.call("DOM.getContentQuads", {"nodeId": node})["quads"][0]
        at = {"x": sum(quad[0::2]) / 4, "y": sum(quad[1::2]) / 4, "button": "left", "clickCount": 1}
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", {"type": kind, **at})

    def follow(self, selector):
        """Clicks something that leads to another page."""
        with self.loads():
            self.click(selector)

    def type(self, selector, text):
        self.call("DOM.focus", {"nodeId": self.find(selector)})
        self.call("Input.insertText", {"text": text})

    def fill(self, selector, text):
        """Types in place of what is there."""
        self.call("DOM.focus", {"nodeId": self.find(selector)})
        self.call("Input.dispatchKeyEvent", {"type": "rawKeyDown", "commands": ["selectAll"]})
        self.press("Delete")
        self.call("Input.insertText", {"text": text})

    def set_attribute(self, selector, name, value=""):
        """What the page itself does not do: a browser that does not check, a forged field."""
        self.call("DOM.setAttributeValue",
                  {"nodeId": self.find(selector), "name": name, "value": value})

    def press(self, key):
        code, text = KEYS[key]
        what = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent",
                  {"type": "keyDown" if text else "rawKeyDown", "text": text, **what})
        self.call("Input.dispatchKeyEvent", {"type": "keyUp", **what})

    # -- what the browser noticed --------------------------------------------------------------

    def evaluate(self, expression, **where):
        """For what a test asks of the browser itself, such as its clipboard."""
        answer = self.call("Runtime.evaluate", {"expression": expression, "awaitPromise": True,
                                                "returnByValue": True, "userGesture": True,
                                                **where})
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def own_world(self):
        """Like evaluate(), in a world of its own: there the page's policy does not reach, and the
        page notices nothing. It lasts as long as the document."""
        frame = self.call("Page.getFrameTree")["frameTree"]["frame"]["id"]
        world = self.call("Page.createIsolatedWorld", {"frameId": frame})["executionContextId"]
        return lambda expression: self.evaluate(expression, contextId=world)

    def dialogs(self):
        """Messages of alert() and its like."""
        return [event["message"] for event in self.seen("Page.javascriptDialogOpening")]

    def complaints(self):
        """What the browser had to say about security: a refused script, style or request."""
        return [event["entry"]["text"] for event in self.seen("Log.entryAdded")
                if event["entry"]["source"] in ("security", "violation")
                or "Content Security Policy" in event["entry"]["text"]]

    def requested_urls(self):
        return [event["request"]["url"] for event in self.seen("Network.requestWillBeSent")]
