"""What can be seen of every container from the host: rules, processes, files, settings, data.

It runs in a privileged container of the test, from its source text: one line of JSON in with the
main process of each container, one line out. Nothing is started inside the containers themselves,
so a look leaves no trace in them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

HOST = "1"  # its first process
_REDIS = (
    ("CONFIG", "GET", "*"),
    ("DBSIZE",),
    ("MGET", "matrix:seed", "matrix:written"),
)
_POSTGRES = (
    (
        "SELECT json_agg(s) FROM (SELECT name, setting, source FROM pg_settings"
        " WHERE source <> 'client' ORDER BY name) s"
    ),
    "SELECT json_agg(r) FROM pg_db_role_setting r",
    "SELECT json_agg(f) FROM (SELECT name, setting FROM pg_file_settings ORDER BY 1) f",
    (
        "SELECT json_agg(d) FROM (SELECT datname, datconnlimit, datallowconn FROM pg_database"
        " ORDER BY 1) d"
    ),
    (
        "SELECT json_agg(l) FROM (SELECT mode FROM pg_locks WHERE locktype = 'relation'"
        " AND pid <> pg_backend_pid()) l"
    ),
    (
        "SELECT json_agg(a) FROM (SELECT application_name FROM pg_stat_activity"
        " WHERE application_name ~ '^chaoskit') a"
    ),
    "SELECT json_agg(m) FROM matrix m",
)


def said(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    return done.stdout if done.returncode == 0 else f"status {done.returncode}: {done.stderr}"


def rules(pid: str) -> list[str]:
    """Return every chain and rule of every table in a process' network namespace.

    Without packet counters, and without Docker's own name server, whose port changes with each
    start. A table without any rule is as good as none: the kernel makes it when somebody looks.
    """
    found = []
    for tool in ("iptables-save", "ip6tables-save"):
        table = ""
        for line in said("nsenter", "-t", pid, "-n", tool).splitlines():
            table = line if line.startswith("*") else table
            chain = line.startswith(":") and " ACCEPT " not in line
            if (chain or line.startswith("-")) and "127.0.0.11" not in line:
                found.append(f"{tool} {table} {line.partition(' [')[0]}")
    return found


def processes(pid: str) -> list[str]:
    """Return the processes of a container by name, those of ours marked.

    Sessions of Postgres come and go with its clients; those of faults are counted by it.
    """
    space = os.readlink(f"/proc/{pid}/ns/pid")
    found = []
    for one in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{one}/ns/pid") != space:
                continue
            words = _read(f"/proc/{one}/cmdline").replace(b"\0", b" ").decode().strip()
            marked = b"CHAOSKIT" in _read(f"/proc/{one}/environ")
        except OSError:
            continue
        if words and not words.startswith("postgres: matrix "):
            name = words if words.startswith("postgres: ") else words.split()[0]
            found.append(name + " of chaoskit" * marked)
    return sorted(found)


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def files(pid: str, mount: str) -> dict[str, Any]:
    """Return the files where a fault could leave some, and the room on one mount."""
    root = f"/proc/{pid}/root"
    room = os.statvfs(root + mount)
    return {
        "files": sorted(_below(root, mount, "/tmp", "/root", "/dev/shm")),
        "room": [room.f_blocks, room.f_bfree, room.f_bavail, room.f_files, room.f_ffree],
    }


def _below(root: str, *tops: str) -> Iterator[str]:
    for top in tops:
        for folder, _, names in os.walk(root + top):
            for name in names:
                if not name.startswith("PostgreSQL."):
                    yield os.path.join(folder, name).removeprefix(root)


def written(layer: str | None) -> list[str]:
    """Return what a container has that its image has not, outside of its mounts, where the engine
    keeps that in a directory. `docker diff` says the same, and takes seconds for it."""
    if layer is None:
        return []
    root = f"/proc/{HOST}/root{layer}"
    return sorted(
        os.path.join(folder, name).removeprefix(root)
        for folder, folders, names in os.walk(root)
        for name in [*folders, *names]
    )


def redis(pid: str) -> dict[str, Any]:
    ask = ("nsenter", "-t", pid, "-n", "redis-cli", "--json")
    settings, *data = [said(*ask, *words) for words in _REDIS]
    return {"settings": json.loads(settings), "data": data}


def postgres(pid: str) -> dict[str, Any]:
    queries = [word for query in _POSTGRES for word in ("-c", query)]
    login = ("psql", "-h", "127.0.0.1", "-U", "matrix", "-d", "matrix", "-At")
    *settings, data = said("nsenter", "-t", pid, "-n", *login, *queries).split("\n")[:-1]
    return {"settings": settings, "data": data}


def inside(service: str, pid: str, layer: str | None, mount: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "rules": rules(pid),
        "processes": processes(pid),
        "written": written(layer),
    }
    if service in ("redis", "postgres", "web", "echo"):
        found |= files(pid, mount)
    if service == "redis":
        found |= redis(pid)
    elif service == "postgres":
        found |= postgres(pid)
    elif service in ("web", "echo"):
        found["data"] = _read(f"/proc/{pid}/root/data/seed").decode()
    return found


def main() -> None:
    mount = sys.argv[1]
    with ThreadPoolExecutor() as pool:
        for line in sys.stdin:
            places = json.loads(line)
            ours = pool.submit(rules, HOST)
            looks = {
                name: pool.submit(inside, name, pid, layer, mount)
                for name, (pid, layer) in places.items()
            }
            found = {name: look.result() for name, look in looks.items()}
            found["host"] = {"rules": [rule for rule in ours.result() if "CK-" in rule]}
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
