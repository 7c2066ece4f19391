#!/usr/bin/env python3
"""Takes a picture of every page, with Chromium: wide, narrow, dark, and without JavaScript where
that looks different.

    screenshots.py [FOLDER [LANGUAGE]]     FOLDER is docs/screenshots unless told

It starts the server that JETON_BINARY names (else build/jeton) in a folder of its own and walks
past all pages as test/clients/tour.py has them. FOLDER/README.md lists the pictures. PICTURE_TYPE
may be png or jpeg instead of webp. Pictures that were there before are removed.
"""

import base64
import hashlib
import os
import pathlib
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "test/blackbox"), str(ROOT / "test/clients")]
sys.dont_write_bytecode = True

from devtools import Browser  # noqa: E402
from harness import Server, find_plain_binary, free_port  # noqa: E402
from house import House, add_people, add_programs, settings  # noqa: E402
from smtp_server import SmtpServer  # noqa: E402
from tour import Walk  # noqa: E402

TYPE = os.environ.get("PICTURE_TYPE", "webp")
WIDE_PX, NARROW_PX, HEIGHT_MAX_PX = 1200, 360, 1300
VIEWS = (("wide", WIDE_PX, "light"), ("narrow", NARROW_PX, "light"), ("dark", WIDE_PX, "dark"))
HEAD = """# What the pages look like

Every page as `./do screenshots` found it, with example data: on a wide screen, on a phone ({narrow}
pixels wide), on a wide screen that asks for dark colours, and without JavaScript where that looks
different. Of what a page looks like on other days (nothing there, something wrong) there is the
wide view. The words are the English ones; `pages/lang` has others, `tokens-in-de` shows some.
"""


class Camera:
    def __init__(self, folder):
        self.folder, self.taken, self.digests = folder, {}, {}

    def take(self, page, name, view, width, scheme):
        """A picture of the whole page, unless it is the same as another view of it."""
        page.call("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": 640, "deviceScaleFactor": 1, "mobile": False})
        page.call("Emulation.setEmulatedMedia", {"features": [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"}]})
        size = page.call("Page.getLayoutMetrics")["cssContentSize"]
        page.call("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": min(int(size["height"]), HEIGHT_MAX_PX),
            "deviceScaleFactor": 1, "mobile": False})
        quality = {} if TYPE == "png" else {"quality": 60}
        data = base64.b64decode(page.call("Page.captureScreenshot",
                                          {"format": TYPE, **quality})["data"])
        digest = hashlib.sha256(data).digest()
        if digest in self.digests.get(name, set()):
            return
        self.digests.setdefault(name, set()).add(digest)
        path = self.folder / f"{name}-{view}.{TYPE}"
        path.write_bytes(data)
        self.taken.setdefault(name, []).append((view, path.name))

    def take_views(self, page, sight):
        """All views of the sight that has the template's name; of the others the wide one, and of
        questions before an act, which are all alike, none."""
        if sight.name == sight.template or sight.name in MAIN:
            for view, width, scheme in VIEWS:
                self.take(page, sight.name, view, width, scheme)
        elif sight.template != "confirm":
            self.take(page, sight.name, *VIEWS[0])

    def write_index(self):
        rows = [f"| {name} | " + " · ".join(f"[{view}]({path})" for view, path in pictures) + " |\n"
                for name, pictures in sorted(self.taken.items())]
        (self.folder / "README.md").write_text(
            HEAD.format(narrow=NARROW_PX) + "\n| page | pictures |\n|---|---|\n" + "".join(rows),
            encoding="utf-8")


def walk_past(folder, language, camera, scripts):
    """One whole walk, with a server that nobody has used before."""
    port = free_port()
    with SmtpServer() as smtp:
        server = Server(folder / "server", find_plain_binary(), args=settings(smtp, port),
                        listen=f"127.0.0.1:{port}")
        add_people(server)
        add_programs(server)
        house = House(server.start(), smtp).move_in()
        browser = Browser(str(folder / "browser"), f"--accept-lang={language}",
                          "--hide-scrollbars")
        try:
            walk = Walk(browser, house, scripts)
            for sight in walk:
                if scripts:
                    camera.take_views(walk.page, sight)
                elif sight.name in WITHOUT:
                    camera.take(walk.page, sight.name, "without-scripts", WIDE_PX, "light")
        finally:
            browser.close()
            server.stop()


# For templates of which no sight has the name.
MAIN = ("admin_client_new", "admin_service_new", "admin_service_secret", "application_revoke")
# Times, passkeys and the clipboard are what the script is for.
WITHOUT = ("sign_in", "tokens", "token_created", "passkey_new", "recovery_codes-shown")


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "docs/screenshots")
    language = sys.argv[2] if len(sys.argv) > 2 else "en"
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"*-*.{TYPE}"):
        old.unlink()
    camera = Camera(folder)
    with tempfile.TemporaryDirectory() as made:
        for scripts in (True, False):
            walk_past(pathlib.Path(made) / str(scripts), language, camera, scripts)
    camera.write_index()


if __name__ == "__main__":
    main()
