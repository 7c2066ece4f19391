"""A Debian of its own in a folder: what a stranger's machine looks like before Jeton comes."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import urllib.request

MOUNTS = (("proc", "proc", "proc"), ("devtmpfs", "devtmpfs", "dev"))


def missing_tools():
    """What keeps a root from being made here; empty when nothing does."""
    if os.geteuid() != 0:
        return "needs root"
    for tool in ("debootstrap", "setpriv", "chroot", "unshare"):
        if shutil.which(tool) is None:
            return f"needs {tool}"
    if system("ID") != "debian":
        return "packages are for the distribution that they were built on: needs Debian"
    if not has_mirror():
        return f"needs a source of packages: {mirror()} does not answer"
    return ""


def system(name):
    """A line of os-release of this machine."""
    found = re.search(rf'(?m)^{name}="?([^"\n]*)"?$', pathlib.Path("/etc/os-release").read_text())
    return found.group(1) if found else ""


def has_mirror():
    try:
        address = f"{mirror()}/dists/{system('VERSION_CODENAME')}/Release"
        with urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=10):
            return True
    except OSError:
        return False


def mirror():
    """Where this machine has its Debian packages from."""
    for path in [pathlib.Path("/etc/apt/sources.list"),
                 *sorted(pathlib.Path("/etc/apt/sources.list.d").glob("*"))]:
        if path.is_file():
            found = re.search(r"https?://\S+/debian(?=/?\s)", path.read_text() + "\n")
            if found:
                return found.group(0)
    return "http://deb.debian.org/debian"


class Root:
    """One such machine. No service manager runs in it: units are read, and done as they say."""

    def __init__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="jeton-root-"))
        self.path.chmod(0o755)  # the service has a user of its own
        subprocess.run(["debootstrap", "--variant=minbase",
                        "--include=systemd-standalone-sysusers,ca-certificates",
                        system("VERSION_CODENAME"), str(self.path), mirror()],
                       check=True, stdout=subprocess.DEVNULL, timeout=600)
        # As a container has it: packages start no services while they are installed.
        (self.path / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
        (self.path / "usr/sbin/policy-rc.d").chmod(0o755)
        shutil.copy("/etc/resolv.conf", self.path / "etc/resolv.conf")

    def command(self, *words):
        """The words of a command in the root, in a mount namespace that ends with it."""
        mounts = " && ".join(f"mount -t {kind} {name} {self.path}/{where}"
                             for kind, name, where in MOUNTS)
        return ["unshare", "--mount", "--", "sh", "-c",
                f'{mounts} && exec chroot {self.path} "$@"', "sh", *words]

    def run(self, *words, **options):
        options.setdefault("check", True)
        return subprocess.run(self.command(*words), stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600,
                              env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8",
                                   "DEBIAN_FRONTEND": "noninteractive"}, **options).stdout

    def install(self, *packages):
        for package in packages:
            shutil.copy(package, self.path / "tmp")
        return self.run("apt-get", "install", "-y", "--no-install-recommends",
                        *[f"/tmp/{pathlib.Path(package).name}" for package in packages])

    def files(self):
        """Everything that is there, but for what apt and dpkg note of their own work."""
        own = re.compile(r"^(var/(cache|log|lib/(dpkg|apt|systemd))|tmp|proc|dev|run)(/|$)")
        names = set()
        for folder, folders, files in os.walk(self.path):
            inside = os.path.relpath(folder, self.path)
            for name in folders + files:
                path = os.path.normpath(os.path.join(inside, name))
                if not own.match(path):
                    names.add(path)
        return names

    def remove(self):
        shutil.rmtree(self.path)
