"""The `tls` probe and what it reads in certificates; they are made by OpenSSL."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from chaoskit.fields import FOLDER
from chaoskit.probes._base import Observed
from chaoskit.probes.tls import TlsProbe
from chaoskit.wire.tls import Certificate, NoCertificate
from tests.fakes.fixed_routes import FixedRoutes
from tests.fakes.local_servers import misbehaving, refused_routes, serve


def openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority `ca`, a server's certificate of its, `leaf`, one of its own, `self`."""
    folder = tmp_path_factory.mktemp("certificates")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    for name, days in (("ca", "900"), ("self", "3")):
        whole = ["-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", days]
        openssl(folder, "req", "-x509", *key, *whole, "-subj", f"/CN={name}")
    names = "subjectAltName=DNS:Web.example,DNS:*.shop.example,IP:10.0.0.1,IP:fd00::1"
    request = ["-keyout", "leaf.key", "-out", "leaf.csr", "-subj", "/CN=web", "-addext", names]
    openssl(folder, "req", "-new", *key, *request)
    signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-days", "60", "-copy_extensions", "copy"]
    openssl(folder, "x509", "-req", "-in", "leaf.csr", *signed, "-out", "leaf.pem")
    return folder


def read(made: Path, name: str) -> Certificate:
    return Certificate.read(ssl.PEM_cert_to_DER_cert((made / f"{name}.pem").read_text()))


@asynccontextmanager
async def serving(made: Path, name: str, handshakes: int = 1) -> AsyncIterator[FixedRoutes]:
    """Serve with a certificate; at the end that many handshakes have come to theirs."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made / f"{name}.pem", made / f"{name}.key")
    async with serve(misbehaving("close", read=True), context) as server:
        yield server.routes("web", 443)
        async with asyncio.timeout(20):
            while server.connections < handshakes:
                await asyncio.sleep(0.005)


async def observed(routes: FixedRoutes, made: Path | None = None, **fields: Any) -> Observed:
    given = {"probe": "tls", "url": "https://web"} | fields
    context = None if made is None else {FOLDER: made}
    probe = TlsProbe.model_validate(given, context=context)
    session = await probe.connect(routes)
    try:
        return await session.observe()
    finally:
        await session.close()


def test_a_certificate_says_until_when_and_for_which_names(made: Path) -> None:
    leaf = read(made, "leaf")
    assert leaf.names == ("web.example", "*.shop.example", "10.0.0.1", "fd00::1")
    wanted = datetime.now(UTC) + timedelta(days=60)
    assert abs(leaf.not_after - wanted) < timedelta(hours=1)
    assert read(made, "self").names == ()


def test_years_beyond_2050_are_written_with_four_digits(made: Path) -> None:
    days = (datetime(2055, 6, 1, tzinfo=UTC) - datetime.now(UTC)).days
    whole = ["-days", str(days), "-out", "late.pem", "-subj", "/CN=late", "-key", "ca.key"]
    openssl(made, "req", "-x509", "-new", *whole)
    assert read(made, "late").not_after.year == 2055


@pytest.mark.parametrize("document", [b"", b"0", b"0\x82\xff\xff", b"x" * 40])
def test_what_is_no_certificate_is_said(document: bytes) -> None:
    with pytest.raises(NoCertificate, match="cannot be read"):
        Certificate.read(document)


async def test_a_sample_keeps_what_the_certificate_says(made: Path) -> None:
    async with serving(made, "leaf") as routes:
        result = await observed(routes)
    assert result.ok
    assert isinstance(result.value, dict)
    assert 59 < result.value["days_left"] < 60.1
    assert result.value["names"][0] == "web.example"
    assert result.value["chain"] is None


@pytest.mark.parametrize(
    ("name", "ca", "chain"),
    [
        ("leaf", "ca.pem", "trusted"),
        ("leaf", "self.pem", "unable to get local issuer certificate"),
        ("self", "self.pem", "trusted"),
        ("self", "ca.pem", "self-signed certificate"),
        ("leaf", "system", "unable to get local issuer certificate"),
    ],
)
async def test_a_chain_is_verified_with_the_authorities_given(
    made: Path, name: str, ca: str, chain: str
) -> None:
    async with serving(made, name, 2 if chain == "trusted" else 1) as routes:
        result = await observed(routes, made, ca=ca)
    assert result.ok
    assert isinstance(result.value, dict)
    assert result.value["chain"].replace("self signed", "self-signed") == chain


async def test_who_shakes_no_hands_is_told_apart() -> None:
    assert (await observed(refused_routes("web", 443))).error == "connection refused"
    async with serve(misbehaving("close", read=True)) as server:
        assert (await observed(server.routes("web", 443))).error == "connection closed"
    async with serve(misbehaving("reset", read=True)) as server:
        assert (await observed(server.routes("web", 443))).error == "connection reset"
    assert (await observed(FixedRoutes({}))).error == "no route to `web:443`"


async def test_a_server_that_speaks_plain_http_speaks_no_tls() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()
        writer.close()

    async with serve(lambda _: handle) as server:
        result = await observed(server.routes("web", 443))
    assert (result.ok, result.error) == (False, "no TLS: wrong version number")


def test_a_file_of_authorities_is_found_beside_the_scenario(made: Path) -> None:
    given = {"probe": "tls", "url": "tls://web:8443", "ca": "ca.pem"}
    probe = TlsProbe.model_validate(given, context={FOLDER: made})
    assert probe.ca == str(made / "ca.pem")
    assert TlsProbe.model_validate(probe.model_dump(mode="json")).ca == probe.ca
    with pytest.raises(ValidationError, match="there is no file"):
        TlsProbe.model_validate(given | {"ca": "none.pem"}, context={FOLDER: made})
