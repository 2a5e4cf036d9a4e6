"""Every name of a secret, through every output: no value of it is readable anywhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from chaoskit.clock import Clock
from chaoskit.errors import ScenarioInvalid
from chaoskit.judge.verdict import judge
from chaoskit.plan.plan import Plan
from chaoskit.plan.secret_values import before_compose, secrets_of
from chaoskit.record.events import Noted, Recorded, RunEndedEarly
from chaoskit.record.folder import RunFolder
from chaoskit.record.reader import RunRecord, stored_scenario
from chaoskit.record.writer import Recorder
from chaoskit.records import Json
from chaoskit.run.runner import prepare_folder
from chaoskit.scenario.loading import load
from chaoskit.secrets import LAST_WORDS, MASK, WORDS, named_like_a_secret
from chaoskit.stack.project import parse
from tests.fakes.plans import plan_of

# Every word of the list, and how the same is named elsewhere.
NAMES = sorted(
    {
        *(word.upper() for word in WORDS if word != "pwd"),  # `PWD` is the shell's directory
        *(word.replace("_", "-") for word in WORDS),
        *(f"DB_{word.upper()}" for word in (*WORDS, *LAST_WORDS)),
        *(word.replace("_", "").upper() for word in WORDS if "_" in word),
        *(f"{word.upper()}_2" for word in WORDS),
        "MYSQL_PWD", "DB_PWD", "PGPASSWORD", "MYSQL_ROOT_PW", "JWT_SIGNING", "GITHUB_PAT",
        "API_KEY_2", "API_KEYS", "APIKEY", "CREDENTIALS", "CREDENTIALS_JSON", "APITOKEN",
        "GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "SECRET_KEY_BASE",
        "JWT_SECRET", "REDIS_AUTH", "DB_PASS", "PROXY_AUTHORIZATION", "SESSION_COOKIE",
        "apiKey", "clientSecret", "accessToken", "dbPassword", "x-api-key", "client-secret",
    }
)  # fmt: skip

SCENARIO = """\
name: words
stack:
  compose: compose.yaml
  env: {{ {name}: {secret}-e }}
probes:
  web: {{ probe: http, url: "http://app:80/?{name}={secret}-q", every: 100ms }}
workloads:
  load:
    workload: set
    rate: 50/s
    add:
      http: POST http://app:80/
      headers: {{ {name}: Bearer {secret}-h }}
      json:
        id: "{{value}}"
        {name}: {secret}-j
        list: {{ {name}: [{secret}-l] }}
    read: {{ http: GET http://app:80/, values: "$[*]" }}
timeline:
  faults:
    - {{ at: 0s, fault: restart, service: app }}
expect:
  - {{ check: availability, probe: web, at_least: 99% }}
"""


MISTAKES = (  # each in a line that shows a secret
    ("-e }}", "-e, every: 5 }}\n  wrong: {{ {name}: {secret} }}"),
    ("every: 100ms }}", "every: 5, {name}: {secret} }}"),
    ("every: 100ms }}", "every: 5 }} # {name}={secret}"),
    ("compose: compose.yaml", "compose: ${{{variable}:-{secret}}}"),
    ("restart, service: app", "restart, service: [ {name}: {secret} ]"),
)


def planned(folder: Path, name: str, secret: str) -> Plan:
    (folder / "compose.yaml").write_text("services: {}\n")
    path = folder / "scenario.yaml"
    path.write_text(SCENARIO.format(name=name, secret=secret))
    loaded = load(path, {})
    app: dict[str, Json] = {
        "image": "app",
        "environment": {name: f"{secret}-s"},
        "command": ["app", f"--{name.lower().replace('_', '-')}", f"{secret}-w"],
    }
    config: dict[str, Json] = {"name": "words", "services": {"app": app}}
    return plan_of(loaded, config)


def readable(run: RunFolder) -> dict[str, str]:
    return {
        str(file.relative_to(run.path)): file.read_text(encoding="utf-8")
        for file in run.path.rglob("*")
        if file.is_file()
    }


@pytest.mark.parametrize("name", NAMES)
def test_no_output_shows_the_value(tmp_path: Path, name: str) -> None:
    secret = "hunter2-correct-horse"
    plan = planned(tmp_path, name, secret)
    run = prepare_folder(plan, tmp_path / "runs", "t")
    said = " ".join(f"{secret}-{place}" for place in "eqhjlsw")
    run.write("logs/app.log", f"connected with {said}\n")
    recorder = Recorder(run, Clock(), lambda _event: None)
    recorder.emit(Noted(said))
    recorder.emit(RunEndedEarly(f"it said {said}"))
    recorder.close()
    # Judged from what is on the disk, and from what was never masked.
    unmasked = [Recorded(0.0, Noted(said)), Recorded(0.0, RunEndedEarly(f"it said {said}"))]
    result = judge(plan.loaded.scenario, RunRecord.read(run.path, unmasked))
    run.write("result.json", json.dumps(run.redactor.clean_json(result.model_dump(mode="json"))))
    files = readable(run)
    written = {"scenario.yaml", "plan.json", "logs/app.log", "events.ndjson", "result.json"}
    assert written <= files.keys()
    assert [file for file, text in files.items() if secret in text] == []
    assert all(MASK in files[file] for file in ("scenario.yaml", "plan.json", "logs/app.log"))
    assert stored_scenario(run.path).workloads.keys() == {"load"}, "it can be judged again"


@pytest.mark.parametrize("name", NAMES)
def test_no_message_about_the_file_shows_the_value(tmp_path: Path, name: str) -> None:
    (tmp_path / "compose.yaml").write_text("services: {}\n")
    path = tmp_path / "scenario.yaml"
    words = {"name": name, "variable": name.replace("-", "_"), "secret": "hunter2-correct-horse"}
    for old, new in MISTAKES:
        assert old in SCENARIO
        path.write_text(SCENARIO.replace(old, new).format(**words))
        with pytest.raises(ScenarioInvalid) as caught:
            load(path, {})
        assert "hunter2" not in caught.value.message


def test_short_values_are_masked_where_their_name_stands(tmp_path: Path) -> None:
    plan = planned(tmp_path, "DB_PASSWORD", "pw")
    files = readable(prepare_folder(plan, tmp_path / "runs", "t"))
    assert f"DB_PASSWORD: '{MASK}'" in files["scenario.yaml"]
    assert json.loads(files["plan.json"])["document"]["stack"]["env"] == {"DB_PASSWORD": MASK}


@pytest.mark.parametrize("password", ["postgres", "paperless", "is-ready"])
def test_a_password_that_a_health_check_says_as_a_word_is_masked_only_where_it_is_one(
    tmp_path: Path, password: str
) -> None:
    plan = planned(tmp_path, "DB_PASSWORD", "pw")
    check = f"pg_isready -U {password}"
    compose = f"""\
services:
  db:
    environment:
      POSTGRES_PASSWORD: {password}
      DSN: "host=db password={password}"
    healthcheck: {{ test: [CMD-SHELL, "{check}"] }}  # {password} of db
"""
    plan.loaded.compose_files[0].write_text(compose)
    config: dict[str, Json] = {"name": "words", **yaml.safe_load(compose)}
    plan = plan_of(plan.loaded, config)
    copy = readable(prepare_folder(plan, tmp_path / "runs", "t"))["compose.yaml"]
    (db,) = yaml.safe_load(copy)["services"].values()
    assert db["environment"] == {"POSTGRES_PASSWORD": MASK, "DSN": MASK}
    assert db["healthcheck"] == {"test": ["CMD-SHELL", check]}
    redactor = plan.secrets.redactor()
    assert redactor.clean(f"`db` says: {check}") == f"`db` says: {check}"
    assert redactor.clean(f"PASSWORD={password}") == f"PASSWORD={MASK}"


def test_a_password_of_a_health_check_is_no_word_of_it(tmp_path: Path) -> None:
    plan = planned(tmp_path, "DB_PASSWORD", "pw")
    test: Json = ["CMD", "redis-cli", "-a", "paperless", "ping"]
    config: dict[str, Json] = {"services": {"db": {"healthcheck": {"test": test}}}}
    redactor = secrets_of(plan.loaded, plan.project, config).redactor()
    assert redactor.clean("it said paperless") == f"it said {MASK}"


def test_a_secret_of_several_lines_is_masked_line_by_line(tmp_path: Path) -> None:
    plan = planned(tmp_path, "DB_PASSWORD", "pw")
    key = "PRIVATE_KEY: |\n      first-line-of-it\n      second-line-of-it\n    OTHER"
    text = SCENARIO.replace("env: {{ {name}: {secret}-e }}", f"env:\n    {key}: 1x")
    plan.loaded.path.write_text(text.format(name="DB_PASSWORD", secret="pw"))
    loaded = load(plan.loaded.path, {})
    known = secrets_of(loaded, plan.project, {}).values
    assert {"first-line-of-it", "second-line-of-it"} <= set(known)


def test_words_of_a_secret_are_found_in_every_spelling() -> None:
    assert all(map(named_like_a_secret, NAMES))


def test_passwords_are_found_wherever_a_compose_file_says_them(tmp_path: Path) -> None:
    plan = planned(tmp_path, "DB_PASSWORD", "pw")
    (tmp_path / "db.txt").write_text("from-a-file-1\n")
    config: dict[str, Json] = {
        "services": {
            "app": {
                "environment": {"DB_PASSWORD": "do$$llar-1", "DATABASE": "postgres://a:in-url-1@d"},
                "build": {"args": {"NPM_TOKEN": "build-arg-1"}},
                "labels": {"com.shop.api-key": "label-1-x"},
                "healthcheck": {"test": ["CMD", "app", "--password", "health-1-x"]},
                "logging": {"options": {"splunk-token": "splunk-1-x"}},
                "secrets": [{"source": "db_password", "target": "/run/secrets/db_password"}],
            }
        },
        "secrets": {"db_password": {"file": str(tmp_path / "db.txt"), "name": "words_db_password"}},
    }
    found = set(secrets_of(plan.loaded, plan.project, config).values)
    assert {"do$llar-1", "in-url-1", "build-arg-1", "label-1-x", "health-1-x"} <= found
    assert {"splunk-1-x", "from-a-file-1"} <= found
    assert not {"db_password", "words_db_password", str(tmp_path / "db.txt")} & found


def test_a_variable_that_is_named_like_a_secret_is_one_wherever_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(tmp_path, "X-Trace", "x")
    monkeypatch.setenv("CI_TOKEN", "from-outside-1")
    known = secrets_of(plan.loaded, plan.project, {})
    assert known.redactor().clean("got from-outside-1") == f"got {MASK}"


def test_a_password_that_the_stack_uses_as_a_word_breaks_no_file_of_the_run(tmp_path: Path) -> None:
    folder = tmp_path / "paperless"
    folder.mkdir()
    plan = planned(folder, "DB_PASSWORD", "pw")
    config: dict[str, Json] = {
        "name": "words",
        "services": {
            "web": {
                "image": "app",
                "environment": {
                    "DB_PASSWORD": "paperless",
                    "API_TOKEN": "running",
                    "X_SECRET": "noeviction",
                    "Y_SECRET": "grapefruit",
                },
            }
        },
    }
    redactor = secrets_of(plan.loaded, parse(config), config).redactor()
    said = f"`web` is running in {folder}, its policy is noeviction"
    assert redactor.clean(said) == said
    assert redactor.clean("password=paperless, a grapefruit") == f"password={MASK}, a {MASK}"


def test_what_compose_says_about_its_files_shows_no_password(tmp_path: Path) -> None:
    plan = planned(tmp_path, "DB_PASSWORD", "pw")
    text = """\
services:
  app:
    environment:
      DB_PASSWORD: hunter2${correct
      OTHER: redis://:in-url-1@redis
"""
    plan.loaded.compose_files[0].write_text(text)
    (tmp_path / ".env").write_text("API_TOKEN=from-dot-env-1\n")
    clean = before_compose(plan.loaded).redactor().clean
    said = 'invalid interpolation format: "hunter2${correct"; in-url-1, from-dot-env-1'
    assert clean(said) == f'invalid interpolation format: "{MASK}"; {MASK}, {MASK}'
