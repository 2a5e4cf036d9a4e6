"""Ports that everybody knows: those of protocols, of URLs, and of images."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

REDIS, POSTGRES, HTTP, HTTPS = 6379, 5432, 80, 443

PROTOCOLS: Mapping[int, str] = {
    REDIS: "redis",
    POSTGRES: "postgres",
    HTTP: "http",
    HTTPS: "tls",
    8443: "tls",
    8000: "http",
    8080: "http",
}


@dataclass(frozen=True, slots=True)
class Scheme:
    """The port of a URL that names none, and the protocol of the server, as canaries speak it."""

    port: int
    protocol: str = "tcp"


SCHEMES: Mapping[str, Scheme] = {
    "http": Scheme(80, "http"),
    "ws": Scheme(80, "http"),
    "https": Scheme(443, "tls"),
    "wss": Scheme(443, "tls"),
    "redis": Scheme(6379, "redis"),
    "valkey": Scheme(6379, "redis"),
    "rediss": Scheme(6379, "tls"),
    "postgres": Scheme(5432, "postgres"),
    "postgresql": Scheme(5432, "postgres"),
    "mysql": Scheme(3306),
    "mariadb": Scheme(3306),
    "mongodb": Scheme(27017),
    "amqp": Scheme(5672),
    "amqps": Scheme(5671, "tls"),
    "nats": Scheme(4222),
    "kafka": Scheme(9092),
    "memcached": Scheme(11211),
    "mqtt": Scheme(1883),
    "smtp": Scheme(25),
    "ldap": Scheme(389),
    "clickhouse": Scheme(9000),
}

_OF_IMAGES: Mapping[str, tuple[int, ...]] = {  # by the last part of the image's name
    "redis": (REDIS,),
    "valkey": (REDIS,),
    "keydb": (REDIS,),
    "postgres": (POSTGRES,),
    "postgis": (POSTGRES,),
    "timescaledb": (POSTGRES,),
    "pgbouncer": (6432,),
    "mysql": (3306,),
    "mariadb": (3306,),
    "mongo": (27017,),
    "memcached": (11211,),
    "rabbitmq": (5672, 15672),
    "nats": (4222,),
    "kafka": (9092,),
    "zookeeper": (2181,),
    "elasticsearch": (9200,),
    "opensearch": (9200,),
    "clickhouse-server": (8123, 9000),
    "cassandra": (9042,),
    "minio": (9000,),
    "vault": (8200,),
    "consul": (8500,),
    "etcd": (2379,),
    "nginx": (HTTP,),
    "httpd": (HTTP,),
    "caddy": (HTTP,),
    "traefik": (HTTP,),
    "haproxy": (HTTP,),
}


def ports_of_image(image: str | None) -> tuple[int, ...]:
    """Return the ports that a well-known image serves, judged by its name."""
    if image is None:
        return ()
    return _OF_IMAGES.get(re.split(r"[:@]", image.rsplit("/", 1)[-1])[0], ())
