"""Values that are secret whatever they are called: what they look like says so.

The prefixes are those that their issuers document. Which there are was checked against the rules
of gitleaks (`config/gitleaks.toml`) and detect-secrets (`detect_secrets/plugins`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

MASK = "***"
# What tokens begin with, by what follows. Each beginning ends in a character that is rare in logs:
# it is what is searched for.
PREFIXES = {
    r"[\w+/=-]{6,}": (
        "sk_live_", "sk_test_", "rk_live_", "rk_test_", "whsec_",  # Stripe
        "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_",
        "glpat-", "glrt-", "gldt-", "glptt-", "glcbt-", "glsoat-", "glft-", "gloas-", "glagent-",
        "xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxo-", "xoxc-", "xoxd-", "xoxe-", "xoxe.",
        "xapp-",  # Slack
        "dckr_pat_", "dckr_oat_", "dop_v1_", "doo_v1_", "dor_v1_", "shpat_", "shpss_", "shpca_",
        "shppa_", "GOCSPX-", "hvs.", "hvb.", "lin_api_", "glsa_", "glc_", "sntrys_", "sntryu_",
        "sq0atp-", "sq0csp-", "xkeysib-", "tskey-", "NRAK-", "PMAK-", "rubygems_", "CLOJARS_",
        "AGE-SECRET-KEY-",
    ),
    r"[A-Za-z0-9]{20,}": ("npm_", "hf_", "gsk_", "r8_", "pul-"),
    r"[\w-]{20,}": ("sk-", "pypi-", "ya29."),
    r"a[\w-]{30,}": ("AIz",),  # Google
    r"T3[\w=-]{20,}": ("ATAT",),  # Atlassian
    r"[\w-]{8,}\.[\w-]{8,}": ("SG.",),  # SendGrid
    r"IA[A-Z0-9]{16}(?![A-Za-z0-9])": ("AK", "AS", "AB"),  # AWS
    r"[\w-]{4,}(?:\.[\w-]+){1,4}": ("eyJ",),  # a JSON web token
    # Chat rooms and the like, where who knows the path may write
    r"[\w/.@=?&%-]{6,}": (
        "hooks.slack.com/", "discord.com/api/webhooks/", "discordapp.com/api/webhooks/",
        "webhook.office.com/", "outlook.office.com/webhook/", "hooks.zapier.com/hooks/",
        "api.telegram.org/", "open.feishu.cn/open-apis/bot/", "hc-ping.com/",
    ),
    # Hashes of passwords, as `htpasswd` and `crypt` write them; Compose doubles the `$`
    r"\$?(?:apr1|2[abxy]?|[156y]|argon2\w*|scrypt)\${1,2}"
    r"[\w./+=,-]*\${1,2}[\w./+=,$-]{16,}": ("$",),
    r"[\w+/]{16,}=*": ("{SHA}", "{SSHA}"),
}  # fmt: skip


def _branches() -> Iterator[str]:
    """Yield a pattern for each last character of what tokens begin with, and what follows it."""
    rows = sorted((p[-1], len(p), rest, p) for rest, ps in PREFIXES.items() for p in ps)
    for last, group in groupby(rows, itemgetter(0)):
        some, ways = list(group), []
        before = "".join({prefix[-2:-1] for *_, prefix in some})  # rules out most at once
        at = f"(?<=[{before}].)" if before else ""
        for (_, rest), same in groupby(some, itemgetter(1, 2)):
            prefixes = "|".join(re.escape(prefix) for *_, prefix in same)
            ways.append(f"(?<=(?<![A-Za-z0-9])(?:{prefixes})){rest}")
        yield f"{re.escape(last)}{at}(?:{'|'.join(ways)})"


_SHAPE = re.compile("|".join(_branches()))
# A key on its several lines, also where `\\n` stands for their ends.
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    r"(?P<secret>.{1,20000}?)(?=-----END|\Z)",
    re.DOTALL,
)


def shaped_in(text: str) -> Iterator[str]:
    """Yield what in a text looks like a secret, without the prefix that says whose it is."""
    yield from (match["secret"] for match in _PRIVATE_KEY.finditer(text))
    yield from (match[0][1:] for match in _SHAPE.finditer(text))


def without_shapes(text: str) -> str:
    """Return the text with what looks like a secret as `***`; the prefix stays."""
    if "PRIVATE KEY" in text:
        text = _PRIVATE_KEY.sub(lambda key: key[0].removesuffix(key["secret"]) + MASK, text)
    return _SHAPE.sub(lambda match: match[0][0] + MASK, text)
