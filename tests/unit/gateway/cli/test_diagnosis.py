"""`config check` and `doctor`: a wrong configuration ends with 78 and one line that names it, shows no secret (P23)."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import structlog

from gateway import logs
from gateway.cli.hospitals import Terms, install
from gateway.cli.main import main
from streaming.state import State
from tests.support.ports import free_port

FINESS = "750712184"
SECRET = "zqSecretValueZq"
Outcome = tuple[int, str, str]
Run = Callable[..., Outcome]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    install(tmp_path / "d", Terms(FINESS))
    return tmp_path / "d"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], data_dir: Path) -> Iterator[Run]:
    """Runs one command as the console script does: exit code, output, complaints."""
    level = logging.getLogger().level

    def command(*words: str, **environ: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["snds-gateway", *words, "--data-dir", str(data_dir)])
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            main()
        shown = capsys.readouterr()
        return int(ended.value.code or 0), shown.out, shown.err

    yield command
    _forget_logging(level)


def _forget_logging(level: int) -> None:
    """Undo what a command sets up for its process: later tests of this one would write to a file that is closed."""
    root = logging.getLogger()
    root.handlers = [one for one in root.handlers if not type(one).__module__.startswith("gateway")]
    root.setLevel(level)
    for name in logs.QUIET:
        library = logging.getLogger(name)
        library.propagate, library.disabled = True, False
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def weak_key(data_dir: Path, name: str, text: str) -> None:
    (data_dir / "keys" / name).unlink()
    (data_dir / "keys" / name).write_text(text)
    (data_dir / "keys" / name).chmod(0o400)


def closed_file(data_dir: Path, mode: int, text: str = SECRET) -> str:
    (data_dir / "secret").write_text(text)
    (data_dir / "secret").chmod(mode)
    return "secret"


def remove(name: str) -> Callable[[Path], object]:
    return lambda data_dir: (data_dir / name).unlink()


def write(name: str, text: str) -> Callable[[Path], object]:
    return lambda data_dir: (data_dir / name).write_text(text)


def chmod(name: str, mode: int) -> Callable[[Path], object]:
    return lambda data_dir: (data_dir / name).chmod(mode)


def same_keys(data_dir: Path) -> None:
    weak_key(data_dir, "ledger.key", (data_dir / "keys" / "platform.key").read_text())


KAFKA = {"GATEWAY_BROKER": "kafka", "GATEWAY_KAFKA_BOOTSTRAP": "kafka.example:9092"}
SASL = KAFKA | {
    "GATEWAY_KAFKA_SECURITY": "sasl-tls", "GATEWAY_KAFKA_SASL_USER": "u", "GATEWAY_KAFKA_SASL_PASSWORD_FILE": "secret",
}  # fmt: skip
POSTGRES = {
    "GATEWAY_SINK": "postgresql",
    "GATEWAY_POSTGRES_DSN": "postgresql://u@h/d",
    "GATEWAY_POSTGRES_PASSWORD_FILE": "secret",
}
WRONG: dict[str, tuple[Callable[[Path], object], dict[str, str], str]] = {
    "no settings": (remove("gateway.toml"), {}, "gateway.toml"),
    "no contracts": (remove("hospitals.toml"), {}, "hospitals.toml"),
    "no credentials": (remove("credentials.toml"), {}, "credentials.toml"),
    "no platform key": (remove("keys/platform.key"), {}, "platform.key"),
    "no hospital key": (remove(f"keys/hospital-{FINESS}.key"), {}, f"hospital-{FINESS}.key"),
    "no ledger key": (remove("keys/ledger.key"), {}, "ledger.key"),
    "no table key": (remove("keys/tables.key"), {}, "tables.key"),
    "key for all to read": (chmod("keys/ledger.key", 0o444), {}, "ledger.key"),
    "key for the group to read": (chmod("keys/tables.key", 0o440), {}, "tables.key"),
    "short key": (lambda d: weak_key(d, "ledger.key", "ab" * 16), {}, "ledger.key"),
    "weak key": (lambda d: weak_key(d, "ledger.key", "ab" * 32), {}, "ledger.key"),
    "published key": (lambda d: weak_key(d, "ledger.key", bytes(range(32)).hex()), {}, "ledger.key"),
    "key that is none": (lambda d: weak_key(d, "ledger.key", SECRET), {}, "ledger.key"),
    "one key for two purposes": (same_keys, {}, "ledger.key"),
    "unknown setting": (write("gateway.toml", f'acks = "{SECRET}"'), {}, "acks"),
    "unknown variable": (lambda _: None, {"GATEWAY_AUTO_COMMIT": SECRET}, "GATEWAY_AUTO_COMMIT"),
    "settings that are no TOML": (write("gateway.toml", f"port = {SECRET}"), {}, "gateway.toml"),
    "bad port": (write("gateway.toml", "port = -1"), {}, "port"),
    "bad workers": (lambda _: None, {"GATEWAY_WORKERS": "many"}, "GATEWAY_WORKERS"),
    "kafka without brokers": (lambda _: None, {"GATEWAY_BROKER": "kafka"}, "kafka_bootstrap"),
    "sasl without user": (lambda _: None, KAFKA | {"GATEWAY_KAFKA_SECURITY": "sasl-tls"}, "kafka_sasl_user"),
    "sasl password for all to read": (lambda d: closed_file(d, 0o644), SASL, "kafka_sasl_password_file"),
    "empty sasl password": (lambda d: closed_file(d, 0o400, ""), SASL, "kafka_sasl_password_file"),
    "postgresql without address": (lambda _: None, {"GATEWAY_SINK": "postgresql"}, "postgres_dsn"),
    "password in the address": (
        lambda _: None, {"GATEWAY_POSTGRES_DSN": f"postgresql://u:{SECRET}@h/d"}, "postgres_dsn",
    ),
    "postgresql password for all to read": (lambda d: closed_file(d, 0o604), POSTGRES, "postgres_password_file"),
    "bad finess": (write("hospitals.toml", "version = 1\n[hospital.75]"), {}, "hospitals.toml"),
    "unknown term": (write("hospitals.toml", f"version = 1\n[hospital.{FINESS}]\nnaem = 1"), {}, "naem"),
    "key without contract": (write("hospitals.toml", "version = 1"), {}, FINESS),
    "bad unit table": (lambda d: ((d / "units").mkdir(), (d / "units" / f"{FINESS}.csv").write_text("x")), {}, "units"),
}  # fmt: skip


def test_a_new_installation_is_right(run: Run) -> None:
    code, shown, _ = run("config", "check")

    assert code == 0
    assert "1 hospitals, 1 API keys" in shown


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_configuration_ends_with_78_and_one_line_that_names_it(run: Run, data_dir: Path, name: str) -> None:
    spoil, environ, named = WRONG[name]
    spoil(data_dir)

    code, shown, complaint = run("config", "check", **environ)

    assert code == 78
    assert shown == ""
    assert len(complaint.splitlines()) == 1
    assert named in complaint
    assert SECRET not in complaint


@pytest.mark.parametrize("name", WRONG)
def test_serve_does_not_start_on_it_either(run: Run, data_dir: Path, name: str) -> None:
    """A lock is held: if one of them were right after all, `serve` would end there instead of serving for ever."""
    (data_dir / "run").mkdir(exist_ok=True)
    with (data_dir / "run" / "serve.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        spoil, environ, named = WRONG[name]
        spoil(data_dir)

        code, shown, complaint = run("serve", **environ)

    assert (code, shown) == (78, "")
    assert len(complaint.splitlines()) == 1
    assert named in complaint
    assert SECRET not in complaint


def test_what_is_right_passes_and_only_the_lock_holds_it(run: Run, data_dir: Path) -> None:
    (data_dir / "run").mkdir(exist_ok=True)
    with (data_dir / "run" / "serve.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        code, _, complaint = run("serve")

    assert code == 78
    assert "already-served" in complaint


WRITER = KAFKA | POSTGRES
WRONG_WRITER: dict[str, tuple[Callable[[Path], object], dict[str, str], str]] = {
    "no table key": (remove("keys/tables.key"), {}, "keys"),
    "weak table key": (lambda d: weak_key(d, "tables.key", "ab" * 32), {}, "tables.key"),
    "table key for all to read": (chmod("keys/tables.key", 0o444), {}, "tables.key"),
    "no contracts": (remove("hospitals.toml"), {}, "hospitals.toml"),
    "no settings": (remove("gateway.toml"), {}, "gateway.toml"),
    "password for all to read": (chmod("secret", 0o644), {}, "postgres_password_file"),
    "unknown variable": (lambda _: None, {"GATEWAY_AUTO_COMMIT": SECRET}, "GATEWAY_AUTO_COMMIT"),
}


@pytest.fixture
def writer_dir(data_dir: Path) -> Path:
    """What the folder of a table writer holds (deploy/setup.sh): settings, contracts, one key."""
    closed_file(data_dir, 0o400)
    shutil.rmtree(data_dir / "credentials")
    for name in ("credentials.toml", "keys/platform.key", "keys/ledger.key", f"keys/hospital-{FINESS}.key"):
        (data_dir / name).unlink()
    return data_dir


def test_the_folder_of_a_table_writer_is_right(run: Run, writer_dir: Path) -> None:
    code, shown, _ = run("config", "check", **WRITER)

    assert code == 0
    assert "a table writer, 1 hospitals; log: kafka, tables: postgresql" in shown


@pytest.mark.parametrize("command", [("config", "check"), ("tables", "run")], ids=" ".join)
@pytest.mark.parametrize("name", WRONG_WRITER)
def test_a_wrong_table_writer_ends_with_78_and_one_line(
    run: Run, writer_dir: Path, name: str, command: tuple[str, str]
) -> None:
    spoil, environ, named = WRONG_WRITER[name]
    spoil(writer_dir)

    code, shown, complaint = run(*command, **(WRITER | environ))

    assert (code, shown) == (78, "")
    assert len(complaint.splitlines()) == 1
    assert named in complaint or "tables.key" in complaint
    assert SECRET not in complaint


def test_serve_refuses_the_folder_of_a_table_writer(run: Run, writer_dir: Path) -> None:
    assert run("serve", **WRITER)[0] == 78


def test_doctor_warns_of_the_keys_of_both_levels_in_one_folder_of_the_server_form(run: Run, data_dir: Path) -> None:
    closed_file(data_dir, 0o400)
    _, shown, _ = run("doctor", "--format", "json", **KAFKA)
    (data_dir / "keys" / "tables.key").unlink()
    _, parted, _ = run("doctor", "--format", "json", **KAFKA)

    assert [line["state"] for line in map(json.loads, shown.splitlines()) if line["check"] == "keys"] == ["warning"]
    assert '"keys"' not in parted


def test_a_server_form_with_its_secrets_in_closed_files_is_right(run: Run, data_dir: Path) -> None:
    closed_file(data_dir, 0o400)

    assert run("config", "check", **SASL, **POSTGRES)[0] == 0


def test_doctor_examines_every_part_and_ends_with_0(run: Run) -> None:
    code, shown, _ = run("doctor", "--format", "json")
    found = {line["check"]: line["state"] for line in map(json.loads, shown.splitlines())}

    assert code == 0
    assert set(found) == {"versions", "disk", "fsync", "clock", "configuration", "log", "state", "lake", "gateway"}
    assert found["configuration"] == found["clock"] == "ok"


class Ready(BaseHTTPRequestHandler):
    """Answers 200 to whoever asks."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def ready_gateway() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", free_port()), Ready) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def test_doctor_asks_the_gateway_itself_whatever_proxy_the_machine_has(run: Run) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # held and not listening: a proxy that answers nobody
        proxy = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        environ = {"HTTP_PROXY": proxy, "http_proxy": proxy, "NO_PROXY": "", "no_proxy": ""}
        with ready_gateway() as port:
            _, shown, _ = run("doctor", "--format", "json", GATEWAY_PORT=str(port), **environ)

    [gateway] = [line for line in map(json.loads, shown.splitlines()) if line["check"] == "gateway"]
    assert gateway["state"] == "ok"


def test_doctor_goes_on_after_a_wrong_configuration_and_ends_with_78(run: Run, data_dir: Path) -> None:
    (data_dir / "keys" / "ledger.key").chmod(0o444)

    code, shown, _ = run("doctor")

    assert code == 78
    assert "ledger.key" in shown
    assert "lake" in shown


def test_doctor_finds_a_damaged_log(run: Run, data_dir: Path) -> None:
    (data_dir / "events.sqlite").write_bytes(b"no database at all" * 400)

    code, shown, _ = run("doctor")

    assert code == 1
    assert "events.sqlite" in shown


def test_doctor_says_why_the_table_writer_stopped(run: Run, data_dir: Path) -> None:
    state = State(data_dir / "ops.sqlite")
    with state.transaction():
        state.note("stopped", "too-many-dead-letters")
    state.close()

    code, shown, _ = run("doctor")

    assert code == 1
    assert "too-many-dead-letters" in shown


def test_doctor_finds_a_clock_that_went_back(run: Run, data_dir: Path) -> None:
    later = time.time() + 7200
    os.utime(data_dir / "gateway.toml", (later, later))

    code, shown, _ = run("doctor")

    assert code == 1
    assert "clock is behind" in shown


def test_doctor_finds_no_fault_in_a_sound_database(run: Run, data_dir: Path) -> None:
    State(data_dir / "ops.sqlite").close()

    assert run("doctor")[0] == 0
