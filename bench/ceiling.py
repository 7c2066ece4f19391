"""What is measured beside Jeton because nothing can be faster: nginx saying a constant, and the
bare cryptography."""

import os
import re
import subprocess
from pathlib import Path

from servers import Server, exchange, free_port, request_text

CONFIGURATION = """worker_processes {workers};
daemon off;
pid {folder}/nginx-{workers}.pid;
error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
    default_type application/json;
    client_body_temp_path {folder}/temporary;
    proxy_temp_path {folder}/temporary;
    fastcgi_temp_path {folder}/temporary;
    uwsgi_temp_path {folder}/temporary;
    scgi_temp_path {folder}/temporary;
    server {{
        listen 127.0.0.1:{port};
        add_header Cache-Control no-store;
        location / {{ return 200; }}
{locations}
    }}
}}
"""
LOCATION = "        location = {path} {{ return 200 '{body}'; }}\n"


class Nginx:
    """`return 200` with answers of given sizes, each at a path of its own."""

    def __init__(self, folder, workers, cores):
        self.folder = folder
        self.workers = workers
        self.cores = cores
        self.sizes = {}
        self.server = None
        self.port = free_port()

    def answer_path(self, size):
        """The path whose whole answer, head and body, has `size` bytes."""
        path = f"/answer{size}"
        if size not in self.sizes:
            self.sizes[size] = path
            self.restart()
        return path

    def restart(self):
        self.stop()
        overhead = self.measure_head()
        locations = ""
        for size, path in self.sizes.items():
            body = max(1, size - overhead)
            # The digits of Content-Length are part of the answer.
            body -= len(str(body)) - 1 if body > 9 else 0
            locations += LOCATION.format(path=path, body="x" * body)
        self.start(locations)

    def measure_head(self):
        """Bytes of an answer's head when the length of the body has one digit."""
        self.start(LOCATION.format(path="/probe", body="x"))
        _, _, size = exchange(self.port, request_text("GET", "/probe"))
        self.stop()
        return size - 1

    def start(self, locations):
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"nginx-{self.workers}.conf"
        path.write_text(CONFIGURATION.format(folder=self.folder, port=self.port,
                                             workers=self.workers, locations=locations))
        self.server = Server("nginx", ["nginx", "-c", path], self.port, self.cores,
                             self.folder / "nginx.log")
        self.server.wait(request_text("GET", "/"))

    def stop(self):
        if self.server is not None:
            self.server.stop()
            self.server = None


def ecdsa_rate(seconds, core):
    """Raw ES256 signatures a second on one core."""
    done = subprocess.run(
        ["taskset", "-c", core, "openssl", "speed", "-seconds", str(max(1, round(seconds))),
         "ecdsap256"], capture_output=True, text=True, check=True)
    return float(re.search(r"nistp256\)\s+\S+\s+\S+\s+([0-9.]+)", done.stdout).group(1))


def argon2_rate(program, threads, seconds):
    """Raw Argon2id hashes a second."""
    done = subprocess.run([program, str(threads), str(seconds)], capture_output=True, text=True,
                          check=True)
    return float(done.stdout)


def compile_tools(source, folder):
    """Compiles the load generator and the raw Argon2id; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for name, more in (("load", ["request.c"]), ("argon2", ["-lsodium", "-lpthread"])):
        program = folder / name
        newest = max(path.stat().st_mtime for path in source.glob("*.[ch]"))
        if not program.exists() or program.stat().st_mtime < newest:
            subprocess.run([os.environ.get("CC", "cc"), "-std=c17", "-D_GNU_SOURCE", "-O2",
                            "-Wall", "-Wextra", "-o", program, f"{name}.c", *more],
                           cwd=source, check=True)
        made.append(Path(program))
    return made
