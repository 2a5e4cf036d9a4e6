"""A relay for HTTP/1: hands on every byte as it came, but for the requests that a rule picks.

Runs inside a container in the network namespace of a proxy, behind Toxiproxy, so it is nothing but
the standard library (and uvloop where the image has it) and knows nothing of the rest. It only
looks for where messages begin and end (RFC 9112, section 6); a connection that turns out to speak
anything else (TLS, HTTP/2, WebSocket after its upgrade) is handed on unread from then on. When one
side ends, so does the other, as Toxiproxy does it.

It is told what to do by lines of JSON on its control port, one answer a line:

- {"do": "add", "id": ..., "ports": [...], "rule": {...}}: it replaces a rule of that id and counts
  from 0;
- {"do": "remove", "id": ...}: what the rule holds back goes on at once; none of that id is fine;
- {"do": "look"}: {"rules": {id: {"rule", "ports", "matched", "changed", "first"}}, "seen": {port:
  {"requests", "others"}}, "errors": [...]}; `others` are connections that do not speak HTTP/1, and
  errors are the relay's own.

A rule: `match` (method, path, headers; all must fit), `pick` ({"first": N}, {"every": N} or
{"fraction": F, "seed": S}, nothing for all) of the requests that match, and `act`:

- {"act": "answer", "status", "headers", "body"}: answered here, the upstream is not asked;
- {"act": "delay", "seconds", "request"}: the request, or its answer, is handed on so much later;
- {"act": "lose", "status"}: the upstream's answer is thrown away; the connection ends, or the
  client gets this status instead;
- {"act": "cut"}: half of the answer's body, then the end of the connection;
- {"act": "lengthen"}: the answer says that more is to come than does;
- {"act": "garble"}: the last byte of the body is a comma, which ends no JSON.

The first rule that picks a request has it; later ones do not count it.
"""
