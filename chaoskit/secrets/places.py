"""Where in a text secrets stand: what is written around them says so."""

from __future__ import annotations

import re
from collections.abc import Iterator

from chaoskit.secrets.forms import is_word
from chaoskit.secrets.names import holds_a_secret, looks_random, may_name_a_secret
from chaoskit.secrets.shapes import shaped_in

IN_URL = re.compile(
    r"(?P<head>(?<![a-z0-9+.-])[a-z0-9+.-]+://[^\s:/@\"']*:)(?P<secret>[^\s/\"']+)(?=@)",
    re.IGNORECASE,
)
_ALONE_IN_URL = re.compile(r"://([^\s:/@\"']{8,200})@")  # a token
# A user of a Redis in a command line or a file: `user app on >password ~* +@all`.
_ACL_USER = re.compile(
    r"(?<![\w.])user\s+[^\s>]+"
    r"(?P<rules>(?:\s+(?:on|off|nopass|(?:all|re|sanitize|skip)[\w-]+|[~&%+<>#!-][^\s\"']*)){1,20})"
)
_ACL_PASSWORD = re.compile(r"\s>(?P<secret>[^\s\"']+)")

_KEYS = (  # with a name that says whether a secret follows
    re.compile(r"(?<![\w.-])(?P<key>[\w.-]+)(?:\\*[\"'])?[ \t]*(?::=|=>|={1,3})[ \t]*"),
    re.compile(r"(?<![\w.-])(?P<key>[\w.-]+)(?:\\*[\"']\s*:\s*|:[ \t]+)(?![{\[|>&*!#%@`])"),
    re.compile(r"(?<![\w.-])(?P<key>[\w.-]+)(?P<tight>):(?=[^\s/:])"),
    re.compile(r"(?<![\w.-])--?(?P<key>[A-Za-z][\w.-]*)[ \t]+"),
    re.compile(r"(?<![\w.-])(?P<key>[A-Za-z][\w-]*)[ \t]+(?=[\"'])"),  # SQL, nginx
    re.compile(r"\$\{(?P<key>\w+):?[-=](?=[^}])"),  # `${DB_PASSWORD:-x}`
    re.compile(r"<(?P<key>[\w.:-]+)(?:>(?=[^<>\s]+</)|\s+value\s*=\s*)"),
    re.compile(r"\(\s*[\"'](?P<key>[\w.-]+)[\"']\s*,\s*(?=[\"'])"),  # `define("KEY", "value")`
    re.compile(r"\b(?:key|name)\s*=\s*[\"'](?P<key>[\w.:-]{1,200})[\"']\s+value\s*=\s*"),
    re.compile(r"\bset[ \t]+(?P<key>[\w.-]+)[ \t]+", re.IGNORECASE),  # `aws configure set`
    re.compile(r"(?<![\w.-])(?P<key>requirepass|masterauth)[ \t]+", re.IGNORECASE),
)
_SCHEME = r"(?:(?:basic|bearer|digest|token|apikey)\s+)?"
_VALUE = re.compile(
    rf"\\*\"{_SCHEME}(?P<quoted>[^\"$\s][^\"\n]*?)\\*\""
    rf"|\\*'{_SCHEME}(?P<literal>[^'\n]+?)\\*'"
    rf"|{_SCHEME}(?P<bare>[^\s\"'&;,<$-][^\s\"'&;,<]{{0,4000}})",
    re.IGNORECASE,
)
# What is no value but stands for one: `{{ x }}`, `<your token>`, `os.environ[`, `getenv(`.
_NO_VALUE = re.compile(r"\{\{|<|\*\*\*|%[({]|[A-Za-z_][\w.]*[(\[]|\$")

# A line of a file or of variables, with all of its value: `requirepass x`, `DB_PASSWORD=a, b`.
_LINE = re.compile(
    r"^[ \t]*(?:-[ \t]+)?(?:export[ \t]+|ENV[ \t]+|ARG[ \t]+|set[ \t]+)?"
    r"[\"']?(?P<key>[\w.-]{1,200})[\"']?[ \t]*(?P<sign>=|:[ \t]|[ \t])"
    r"[ \t]*(?P<value>[^\n]{1,4000})$",
    re.MULTILINE,
)
_DIRECTIVES = ("requirepass", "masterauth", "rootpw", "tls-key-file-pass")  # before any word

_PLACES = (  # with a `secret`
    IN_URL,
    re.compile(r"\bidentified\s+(?:with\s+\w+\s+)?by\s+[\"'](?P<secret>[^\"'\n]+)", re.IGNORECASE),
    re.compile(r"\b(?:login|user|username)\s+\S+\s+password\s+(?P<secret>\S+)"),  # `.netrc`
    re.compile(r"^[^:\s]+:(?:\d+|\*):[^:\s]+:[^:\s]+:(?P<secret>\S+)$", re.MULTILINE),  # `.pgpass`
    re.compile(r"\bauth-pass\s+\S+\s+(?P<secret>\S+)"),  # of a Redis sentinel
    re.compile(r"\bpass:(?P<secret>[^\s\"':]+)"),  # OpenSSL
    re.compile(r"\bstats\s+auth\s+[^\s:]+:(?P<secret>\S+)"),  # HAProxy
    re.compile(r"\b(?:add_user|change_password)\s+\S+\s+(?P<secret>[^\s-]\S*)"),  # RabbitMQ
    re.compile(r"\b\w+-cli\b[^|;&\n]{0,200}\sAUTH\s+(?:\S+\s+)?(?P<secret>[^\s-]\S*)"),
    re.compile(r"\bmc\s+alias\s+set\s+\S+\s+\S+\s+\S+\s+(?P<secret>\S+)"),  # MinIO
    re.compile(r"\bhtpasswd\s+-\w*b[^|;&\n]{0,200}\s(?P<secret>[^\s|;&>]+)\s*(?=$|[|;&>\n])"),
    re.compile(r"(?<![^\s\"'])[^\s:\"']+:(?P<secret>[^\s\"'|]+)[\"']?\s*\|\s*chpasswd\b"),
    re.compile(r"\becho\s+(?:-n\s+)?[\"']?(?P<secret>[^\s\"'|$]+)[^\n]{0,200}--password-stdin"),
    re.compile(r"\b(?:sqlplus\s+|jdbc:oracle:thin:)\w+/(?P<secret>[^\s@\"']+)@"),
    # `user:password@host` without a scheme; not `image:1.2@sha256:…`
    re.compile(
        r"(?<![\w/:@.+%-])[\w.+%-]+(?<!mailto)(?<!mail)(?<!from)(?<!\bto)(?<!acct)(?<!xmpp)(?<!npm):"
        r"(?P<secret>(?=[^\s@]{0,200}[^\d\s@.])[^\s/@,\"'=]{2,200})@(?!sha(?:256|512):)(?=[\w\[(])",
        re.IGNORECASE,
    ),
)
# Options that hold a password, or with True `user:password`, by the command they belong to.
_COMMANDS = tuple(
    (
        re.compile(rf"(?<![\w.-])(?:{command})(?=[ \t])"),
        re.compile(rf"(?<=[ \t]){option}[ \t]*"),
        paired,
    )
    for command, option, paired in (
        (
            r"mysql\w*|mariadb[\w-]*|mongo\w*|sshpass|mycli|cqlsh|rabbitmqadmin|7z\w*",
            r"-p(?!-)=?",
            False,
        ),
        (
            r"(?:docker|podman|nerdctl|helm|oc|az|skopeo|buildah)[ \t](?:[\w-]+[ \t])?login",
            r"-p=?",
            False,
        ),
        (r"(?:redis|valkey|keydb)-cli", r"(?:-a|--pass)", False),
        (r"curl|wget", r"(?:-\w*[uU]|--user|--proxy-user)=?", True),
        (r"https?|ab|siege|hey|wrk", r"(?:-a|-A|--auth)=?", True),
        (r"etcdctl|smbclient|nats", r"(?:-U|--user)=?", True),
        (r"sqlcmd|bcp|isql|mosquitto_\w+|zip|unzip", r"-P", False),
        (r"ldap\w+", r"-w", False),
    )
)
_SEGMENT = re.compile(r"[^|;&\n]{0,500}")  # of a command line: one command
_OF_A_PAIR = re.compile(r"[^:%\s]+[:%](.+)")


def secrets_at(text: str) -> Iterator[str]:
    """Yield the secrets of a text as they are written there."""
    yield from shaped_in(text)
    for place in _PLACES:
        yield from (match["secret"] for match in place.finditer(text))
    for user in _ACL_USER.finditer(text):
        yield from (match["secret"] for match in _ACL_PASSWORD.finditer(user["rules"]))
    for keys in _KEYS:
        yield from _after(keys, text)
    yield from filter(looks_random, _ALONE_IN_URL.findall(text))
    yield from _of_commands(text)
    yield from _of_lines(text)


def _after(keys: re.Pattern[str], text: str) -> Iterator[str]:
    end = 0
    for key in keys.finditer(text):
        if key.start() < end or not may_name_a_secret(key["key"]):
            continue
        if (value := _VALUE.match(text, key.end())) is None:
            continue
        said = value["quoted"] or value["literal"] or value["bare"]
        if key[0].startswith("${"):
            said = said.partition("}")[0]
        if _NO_VALUE.match(said) or not holds_a_secret(key["key"], said):
            continue
        if "tight" in keys.groupindex and not looks_random(said):
            continue  # `auth:8080` is an address
        end = value.end()
        yield said
        if value["bare"] and said[-1] in ")]}" and not set(said) & set("([{"):
            yield said.rstrip(")]}")


def _of_commands(text: str) -> Iterator[str]:
    for command, options, paired in _COMMANDS:
        end = 0
        for start in command.finditer(text):
            if start.start() < end or (segment := _SEGMENT.match(text, start.end())) is None:
                continue
            end = segment.end()
            for option in options.finditer(text, start.end(), end):
                value = _VALUE.match(text, option.end(), end)
                if value is None or _NO_VALUE.match(value[0].lstrip("\"'")):
                    continue
                said = value["quoted"] or value["literal"] or value["bare"]
                pair = _OF_A_PAIR.fullmatch(said)
                found = (pair[1] if pair else "$") if paired else said
                if not _NO_VALUE.match(found):
                    yield found


def _of_lines(text: str) -> Iterator[str]:
    for line in _LINE.finditer(text):
        value = line["value"].strip().strip("\"'")
        if _NO_VALUE.match(value) or value[:1] in "|>&*!#{[" or not value:
            continue
        directive = line["sign"] in " \t"  # as in `requirepass x`, and not the start of a sentence
        if directive and is_word(value) and line["key"].lower() not in _DIRECTIVES:
            continue
        if any(map(str.isspace, value)) and (directive or "\n" not in text):
            continue  # a sentence, or a command
        if holds_a_secret(line["key"], value):
            yield value
