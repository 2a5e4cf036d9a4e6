"""Stale address: a web server looks its upstream up once, and the upstream moves.

What is broken, or repaired, is the nginx in front of it: `nginx.conf`.
"""

from starlette.routing import Route

ROUTES: list[Route] = []
