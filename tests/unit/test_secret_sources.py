"""Secrets of every source, in every form, are in no file of a run; what is harmless stays."""

from __future__ import annotations

import base64
import html
import json
import shlex
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from chaoskit.clock import Clock
from chaoskit.judge.stored import StoredRun
from chaoskit.judge.verdict import judge
from chaoskit.plan.plan import Plan
from chaoskit.record.events import Noted, RunEndedEarly, RunStarted
from chaoskit.record.reader import RunRecord
from chaoskit.record.writer import Recorder
from chaoskit.records import Json
from chaoskit.recovery.teardown import write_reports
from chaoskit.report import prompt
from chaoskit.report.html import trace
from chaoskit.run.runner import prepare_folder
from chaoskit.scenario.loading import load
from chaoskit.secrets import MASK, Redactor, passwords_in, secrets_in
from tests.fakes.plans import plan_of

SECRET = "Zq7vXk2pLw9"
KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow1bAAK\nZq7vXk2pLw9abcd\n-----END RSA PRIVATE KEY-----"
BASIC = base64.b64encode(f"app:{SECRET}".encode()).decode()
HASH = "$$apr1$$Zq7vXk2p$$Lw9abcdefghijklmnopqr1"
SCENARIO = """\
name: sources
stack: { compose: compose.yaml }
probes:
  app: { probe: http, url: http://app:80/, every: 100ms }
timeline:
  faults:
    - { at: 0s, fault: restart, service: app }
expect:
  - { check: availability, probe: app, at_least: 99% }
"""


def planned(folder: Path, config: dict[str, Json], scenario: str = SCENARIO) -> Plan:
    (folder / "compose.yaml").write_text(yaml.safe_dump(config, allow_unicode=True, width=200))
    path = folder / "scenario.yaml"
    path.write_text(scenario)
    return plan_of(load(path, {}), {"name": "sources", **config})


def leaks(plan: Plan, folder: Path, *logged: str, secret: str = SECRET) -> list[str]:
    """Return the files of a run that show a secret when a service logs these texts."""
    run = prepare_folder(plan, folder / "runs", "t")
    ways = (str, repr, json.dumps, partial(quote, safe=""))
    run.write("logs/app.log", "\n".join(way(text) for text in logged for way in ways))
    files = [file for file in run.path.rglob("*") if file.is_file()]
    assert {"compose.yaml", "scenario.yaml", "plan.json", "app.log"} <= {f.name for f in files}
    return [file.name for file in files if secret in file.read_text(encoding="utf-8")]


# A value of a variable, a label, an argument, a content, or the whole of a command.
TEXTS = {
    "JSON": f'{{"password":"{SECRET}"}}',
    "nested JSON": f'{{"db": {{"conn": {{"passwd": "{SECRET}"}}, "port": 5432}}}}',
    "JSON in JSON": json.dumps({"config": json.dumps({"password": SECRET})}),
    "JSON in JSON in a flag": f"app --config {json.dumps(json.dumps({'api_key': SECRET}))}",
    "a list in JSON": f'{{"tokens": ["{SECRET}"]}}',
    "name and value": f'[{{"name": "DB_PASSWORD", "value": "{SECRET}"}}]',
    "YAML": f"db:\n  user: app\n  password: {SECRET}\n",
    "YAML in quotes": f"db:\n  password: '{SECRET}'  # of production\n",
    "YAML, a block": f"db:\n  password: |\n    {SECRET}\n  port: 1\n",
    "YAML in braces": f"{{db: {{password: {SECRET}}}}}",
    "INI": f"[db]\nuser = app\npassword = {SECRET}\n",
    "properties": f"spring.datasource.url=jdbc:x\nspring.datasource.password={SECRET}\n",
    "properties with a colon": f"db.user:app\ndb.password:{SECRET}\n",
    "TOML": f'[db]\npassword = "{SECRET}"\n',
    "XML": f"<db><password>{SECRET}</password></db>",
    "XML, an attribute": f'<add name="Password" value="{SECRET}"/>',
    "redis.conf": f"port 6379\nrequirepass {SECRET}\n",
    "redis.conf, one line": f"requirepass {SECRET}",
    "masterauth": f"masterauth {SECRET}\n",
    "users.acl": f"user app on >{SECRET} ~* +@all",
    "sentinel": f"sentinel auth-pass mymaster {SECRET}",
    "env file": f"USER=app\nexport DB_PASSWORD={SECRET}\n",
    ".netrc": f"machine db login app password {SECRET}",
    ".pgpass": f"db:5432:shop:app:{SECRET}",
    "SQL": f"CREATE USER app WITH PASSWORD '{SECRET}';",
    "MySQL": f"CREATE USER 'app'@'%' IDENTIFIED BY '{SECRET}';",
    "nginx": f'proxy_set_header Authorization "Bearer {SECRET}";',
    "HAProxy": f"stats auth admin:{SECRET}",
    "a header": f"Authorization: Bearer {SECRET}",
    "curl with a header": f"curl -H 'X-Api-Key: {SECRET}' http://app",
    "JSON in base64": base64.b64encode(json.dumps({"password": SECRET}).encode()).decode(),
    "a URL": f"postgres://app:{SECRET}@db:5432/shop",
    "a URL of SQLAlchemy": f"postgresql+psycopg://app:{SECRET}@db/shop",
    "a URL without a user": f"redis://:{SECRET}@redis:6379/0",
    "a Go DSN": f"app:{SECRET}@tcp(db:3306)/shop",
    "user and host": f"app:{SECRET}@db/shop",
    "libpq": f"host=db user=app password={SECRET} dbname=shop",
    "ADO": f"Server=db;Database=shop;User Id=app;Password={SECRET};Encrypt=true",
    "ODBC": f"Driver={{x}};Server=db;Uid=app;Pwd={SECRET};",
    "JDBC": f"jdbc:mysql://db/shop?user=app&password={SECRET}",
    "a signed URL": f"https://blob.example/x?sv=1&sig={SECRET}",
    "a signed URL of S3": f"https://s3.example/x?X-Amz-Signature={SECRET}&X-Amz-Date=1",
    "a token in a query": f"http://api/x?token={SECRET}",
    "a key in a query": f"http://api/x?page=1&key={SECRET}",
    "an api_key in a query": f"http://api/x?api_key={SECRET}",
    "a query in a query": f"http://api/x?next=%2Fy%3Ftoken%3D{SECRET}",
    "mysql -p": f"mysql -uroot -p{SECRET} -e 'select 1'",
    "mysql -p, apart": f"mysqladmin -u root -p {SECRET} ping",
    "redis-cli -a": f"redis-cli -h redis -a {SECRET} ping",
    "redis-cli in a shell": f"sh -c 'redis-cli -a {SECRET} ping | grep PONG'",
    "curl -u": f"curl -fsS -u me:{SECRET} http://app",
    "curl --user": f"curl --user 'me:{SECRET}' http://app",
    "sshpass": f"sshpass -p {SECRET} ssh db",
    "docker login": f"docker login -u me -p {SECRET} registry",
    "--password": f"app --password {SECRET} --port 1",
    "--password=": f"app --password={SECRET} --port 1",
    "-token": f"app -token {SECRET}",
    "PGPASSWORD": f"PGPASSWORD={SECRET} psql -c 'select 1'",
    "define": f'define("DB_PASSWORD", "{SECRET}");',
    "a default": f"${{DB_PASSWORD:-{SECRET}}}",
    "a token as a user": f"https://{SECRET}@sentry.example/1",
    "chpasswd": f"echo app:{SECRET} | chpasswd",
    "a password from the input": f"echo {SECRET} | docker login -u me --password-stdin",
    "htpasswd": f"htpasswd -bc /users app {SECRET}",
    "redis-cli AUTH": f"redis-cli -h redis AUTH app {SECRET}",
    "CONFIG SET": f"redis-cli config set requirepass {SECRET}",
    "MinIO": f"mc alias set local http://minio:9000 app {SECRET}",
    "sqlplus": f"sqlplus app/{SECRET}@db",
    "two commands": f"mysqldump -p{SECRET}|gzip",
    "curl, letters in one": f"curl -fsSu me:{SECRET} http://app",
    "openssl": f"openssl rsa -passin pass:{SECRET} -in x",
}  # fmt: skip
# What is secret by what it looks like, as a whole.
SHAPED = {
    "a private key": KEY,
    "a private key on one line": KEY.replace("\n", "\\n"),
    "a private key in base64": base64.b64encode(KEY.encode()).decode(),
    "Slack": f"https://hooks.slack.com/services/T0A/B0B/{SECRET}",
    "Discord": f"https://discord.com/api/webhooks/123/{SECRET}",
    "Teams": f"https://shop.webhook.office.com/webhookb2/a@b/IncomingWebhook/{SECRET}",
    "Stripe": f"sk_live_{SECRET}",
    "Stripe, a webhook": f"whsec_{SECRET}",
    "GitHub": f"ghp_{SECRET}{SECRET}",
    "GitHub, fine": f"github_pat_{SECRET}",
    "GitLab": f"glpat-{SECRET}",
    "Slack, a token": f"xoxb-123-{SECRET}",
    "Google": f"AIzaSy{SECRET}{SECRET}{SECRET}",
    "npm": f"npm_{SECRET}{SECRET}{SECRET}",
    "SendGrid": f"SG.{SECRET}abc.{SECRET}def",
    "a JSON web token": f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.{SECRET}",
}  # fmt: skip


def _logged(text: str) -> list[str]:
    """Return what a service may print of it: the whole, and a secret that stands for itself."""
    return [text] if text in SHAPED.values() else [text, SECRET]


PLACES: dict[str, Callable[[str], dict[str, Json]]] = {
    "environment": lambda text: {"environment": {"SETTINGS": text}},
    "label": lambda text: {"labels": {"com.shop.settings": text}},
    "build argument": lambda text: {"build": {"args": {"SETTINGS": text}}},
    "command": lambda text: {"command": text},
    "health check": lambda text: {"healthcheck": {"test": ["CMD-SHELL", text]}},
}
SOME = ("JSON", "YAML", "a URL", "redis-cli -a", "mysql -p", "Stripe", "a private key")


@pytest.mark.parametrize(
    ("place", "name"),
    [
        *(("environment", name) for name in (*TEXTS, *SHAPED)),
        *((place, name) for place in list(PLACES)[1:] for name in SOME),
    ],
)
def test_what_a_compose_file_says_in_any_text_is_in_no_file(
    tmp_path: Path, place: str, name: str
) -> None:
    text = {**TEXTS, **SHAPED}[name]
    service = {"image": "app", **PLACES[place](text.replace("$", "$$"))}
    plan = planned(tmp_path, {"services": {"app": service}})
    assert leaks(plan, tmp_path, *_logged(text)) == []


def test_no_report_of_a_run_shows_any_of_them(tmp_path: Path) -> None:
    texts = {f"S{n}": text for n, text in enumerate({**TEXTS, **SHAPED}.values())}
    environment: dict[str, Json] = {key: text.replace("$", "$$") for key, text in texts.items()}
    service: dict[str, Json] = {"image": "app", "environment": environment}
    plan = planned(tmp_path, {"services": {"app": service}})
    run = prepare_folder(plan, tmp_path / "runs", "t")
    recorder = Recorder(run, Clock(), lambda _event: None)
    recorder.emit(RunStarted(datetime(2026, 3, 1, tzinfo=UTC), run.id, "sources"))
    for text in (*texts.values(), SECRET):
        recorder.emit(Noted(f"it said {text}"))
    recorder.emit(RunEndedEarly(f"app exited: {SECRET}, {json.dumps(texts)}"))
    recorder.close()
    run.write("logs/app.log", "\n".join(texts.values()))
    result = judge(plan.loaded.scenario, RunRecord.read(run.path))
    assert result.notes
    run.write("result.json", result.model_dump_json(indent=2))
    write_reports(run.path, result, pytest.fail)
    stored = StoredRun(result, run.path)
    run.write("prompt.txt", prompt.render([stored]), masked=False)
    run.write("report.json", json.dumps(trace.render(run.path)), masked=False)
    shown = {f.name: f.read_text(errors="replace") for f in run.path.rglob("*") if f.is_file()}
    assert {"compose.yaml", "report.html", "junit.xml", "summary.md", "prompt.txt"} <= shown.keys()
    for secret in (SECRET, quote(SECRET), BASIC, "MIIEow1bAAK", SECRET.encode().hex()):
        assert [name for name, text in shown.items() if secret in text] == []


@pytest.mark.parametrize("name", SOME)
def test_what_a_config_holds_is_in_no_file(tmp_path: Path, name: str) -> None:
    text = {**TEXTS, **SHAPED}[name]
    (tmp_path / "app.conf").write_text(text)
    for key, value in {"content": text.replace("$", "$$"), "file": f"{tmp_path}/app.conf"}.items():
        config: dict[str, Json] = {
            "services": {"app": {"image": "app"}},
            "configs": {"c": {key: value}},
        }
        assert leaks(planned(tmp_path, config), tmp_path / key, *_logged(text)) == []


@pytest.mark.parametrize(
    "words",
    [
        ["redis-cli", "-a", SECRET, "ping"],
        ["redis-server", "--requirepass", SECRET],
        ["mysql", f"-p{SECRET}"],
        ["curl", "-u", f"me:{SECRET}", "http://app"],
        ["sh", "-c", f"mysqladmin ping -p{SECRET}"],
        ["app", f"--password={SECRET}"],
        ["app", "--dsn", f"app:{SECRET}@tcp(db)/x"],
    ],
)
@pytest.mark.parametrize("place", ["command", "entrypoint", "test"])
def test_a_password_among_the_words_of_a_command_is_in_no_file(
    tmp_path: Path, words: list[str], place: str
) -> None:
    said: dict[str, Json] = {place: words}
    if place == "test":
        said = {"healthcheck": {"test": ["CMD", *words]}}
    service = {"image": "app", **said}
    assert leaks(planned(tmp_path, {"services": {"app": service}}), tmp_path, SECRET) == []


@pytest.mark.parametrize(
    "name",
    [
        "MYSQL_ROOT_PW", "JWT_SIGNING", "GITHUB_PAT", "PASSWORD_SALT", "SIGNING_KEY",
        "ENCRYPTION_KEY", "AWS_CREDENTIALS", "FERNET_KEY", "TLS_KEY", "APP_PEPPER", "STRIPE_KEY",
        "LICENSE_CODE", "NUM_PASSWORD", "ENABLE_PASSWORD", "SLACK_WEBHOOK", "OTP", "WIFI_PSK",
    ],
)  # fmt: skip
def test_a_value_under_a_telling_name_is_in_no_file(tmp_path: Path, name: str) -> None:
    service: dict[str, Json] = {"image": "app", "environment": {name: SECRET}}
    assert leaks(planned(tmp_path, {"services": {"app": service}}), tmp_path, SECRET) == []


def test_what_the_secrets_of_a_compose_file_hold_is_in_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FROM_OUTSIDE", SECRET)
    (tmp_path / "db.txt").write_text(f"{SECRET}\n")
    entries: list[dict[str, Json]] = [
        {"file": str(tmp_path / "db.txt")}, {"environment": "FROM_OUTSIDE"}, {"content": SECRET},
    ]  # fmt: skip
    for n, entry in enumerate(entries):
        (tmp_path / str(n)).mkdir()
        config: dict[str, Json] = {"services": {"app": {"image": "a"}}, "secrets": {"db": entry}}
        assert leaks(planned(tmp_path / str(n), config), tmp_path / str(n), SECRET) == []


def test_hashes_of_passwords_are_in_no_file(tmp_path: Path) -> None:
    label = "traefik.http.middlewares.auth.basicauth.users"
    users = f"admin:{HASH},ops:$$2y$$05$${'Zq7vXk2pLw9' * 5}"
    service: dict[str, Json] = {"image": "app", "labels": {label: users}}
    plan = planned(tmp_path, {"services": {"app": service}})
    for n, piece in enumerate(("Lw9abcdefghijklmnopqr1", "Zq7vXk2pLw9Zq7vXk2pLw9")):
        assert leaks(plan, tmp_path / str(n), users, users.replace("$$", "$"), secret=piece) == []


@pytest.mark.parametrize(
    "old_new",
    [
        ("every: 100ms", f"every: 100ms, headers: {{ Authorization: Bearer {SECRET} }}"),
        ("every: 100ms", f"every: 100ms, headers: {{ Cookie: session={SECRET} }}"),
        ("http://app:80/", f'"http://app:80/?key={SECRET}"'),
        ("compose.yaml }", f'compose.yaml, env: {{ SETTINGS: \'{{"password":"{SECRET}"}}\' }} }}'),
        (
            "compose.yaml }",
            f"compose.yaml, prepare: [{{ service: app, run: mysql -p{SECRET} }}] }}",
        ),
        (
            "restart, service: app",
            f"exec, service: app, inject: [redis-cli, -a, {SECRET}, x], verify: 'true'",
        ),
    ],
)
def test_what_only_the_scenario_says_is_in_no_file(
    tmp_path: Path, old_new: tuple[str, str]
) -> None:
    assert old_new[0] in SCENARIO
    plan = planned(tmp_path, {"services": {"app": {"image": "a"}}}, SCENARIO.replace(*old_new))
    assert leaks(plan, tmp_path, SECRET) == []


HARMLESS = {
    "DB_PASSWORD_FILE": "/run/secrets/db_password_file",
    "DB_PASSWORD": "/run/secrets/db_password_file",
    "SECRET_PATH": "/etc/shop/secret-path-1",
    "CREDENTIALS_DIR": "/etc/shop/credentials-dir1",
    "AUTH_SERVICE_URL": "http://auth-service1:8080/login",
    "TOKEN_URL": "https://sso1.example/token",
    "PASSWORD_MIN_LENGTH": "8000000",
    "MIN_PASSWORD_LENGTH": "8000000",
    "TOKEN_TTL": "3600000",
    "TOKEN_EXPIRES_IN": "3600000ms",
    "ACCESS_TOKEN_EXPIRE_MINUTES": "1440000",
    "MAX_TOKENS": "4096000",
    "SESSION_COOKIE_SECURE": "disabled",
    "REQUIRE_AUTH": "enabled",
    "SSH_KEY_TYPE": "ed25519-1",
    "JWT_ALGORITHM": "RS256-long",
    "PUBLIC_KEY": "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lsh",
    "JWT_PUBLIC_KEY": "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lsh",
    "CACHE_KEY": "items-by-shop-2",
    "PRIMARY_KEY": "order_id2",
    "GIT_HASH": "a1b2c3d4e5f6",
    "PASSWORD_HINT": "ask the administrator",
    "POSTGRES_HOST_AUTH_METHOD": "scram-sha-256",
    "password_encryption": "scram-sha-256",
    "AUTH_UPSTREAM": "auth-app:8080/login",
    "HINT": "password required, token expired",
    "IMAGE": "redis:7.2.4@sha256:0123456789abcdef",
    "MAIL_FROM": "mailto:warehouse@example.com",
    "NPM_CONFIG": "npm_config_registry_mirror",
    "CODE": "token = os.environ[settings] or getenv(settings)",
    "DATABASE_URL": "postgres://app@database1:5432/shop",
    "WEBHOOK_URL": "http://app:8080/webhooks/stripe",
    "EMPTY_PASSWORD": "",
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), HARMLESS.items())
def test_a_harmless_value_stays_readable(tmp_path: Path, name: str, value: str) -> None:
    assert secrets_in({name: value}) == []
    service: dict[str, Json] = {"image": "app", "environment": {name: value}}
    plan = planned(tmp_path, {"services": {"app": service}})
    run = prepare_folder(plan, tmp_path / "runs", "t")
    assert value in (run.path / "compose.yaml").read_text()
    assert run.redactor.clean(f"uses {value} now") == f"uses {value} now"


secrets = st.text(
    st.sampled_from("abcXYZ019-_.!$%&'\"\\/<>@+= äß:"), min_size=6, max_size=24
).filter(lambda text: text == text.strip() and any(c.isalnum() for c in text))  # fmt: skip


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


WAYS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "JSON": lambda s: json.dumps(s)[1:-1],
    "JSON, not ASCII": lambda s: json.dumps(s, ensure_ascii=False)[1:-1],
    "JSON in JSON": lambda s: json.dumps(json.dumps(s)[1:-1])[1:-1],
    "a URL": lambda s: quote(s, safe=""),
    "a URL, twice": lambda s: quote(quote(s, safe=""), safe=""),
    "shell": lambda s: f"echo {shlex.quote(s)}",
    "a page": html.escape,
    "hex": lambda s: s.encode().hex(),
    "HEX": lambda s: s.encode().hex().upper(),
    "base64": b64,
    "base64 without padding": lambda s: b64(s).rstrip("="),
    "base64 for URLs": lambda s: base64.urlsafe_b64encode(s.encode()).decode(),
    "base64 of a pair": lambda s: b64(f"user:{s}"),
    "base64 of a URL": lambda s: b64(quote(s, safe="")),
    "base64 in a URL": lambda s: quote(b64(s), safe=""),
    "Python": lambda s: repr(s)[1:-1],
    "Compose": lambda s: s.replace("$", "$$"),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@settings(max_examples=25, deadline=None)
@given(secret=secrets)
def test_no_form_of_a_secret_is_left(way: Callable[[str], str], secret: str) -> None:
    shown = Redactor([secret]).clean(f"before {way(secret)} after")
    assert MASK in shown
    whole = way(secret)
    assert whole not in shown
    # Of base64 at most what depends on its neighbours is left: no letter of the secret.
    assert len(shown) <= len(f"before {MASK} after") + 12


simple = st.text(st.sampled_from("abcXYZ019"), min_size=6, max_size=24).map("Zk4v{}9q".format)


@settings(max_examples=100, deadline=None)
@given(
    secret=simple,
    source=st.sampled_from(sorted(TEXTS)),
    way=st.sampled_from(sorted(WAYS)),
)
def test_a_secret_of_any_source_is_masked_in_any_form(secret: str, source: str, way: str) -> None:
    text = TEXTS[source]
    if SECRET not in text or text.count(SECRET) > 1:
        return
    found = passwords_in(text.replace(SECRET, secret))
    shown = Redactor(found).clean(f"before {WAYS[way](secret)} after")
    assert MASK in shown
    assert len(shown) <= len(f"before {MASK} after") + 12
