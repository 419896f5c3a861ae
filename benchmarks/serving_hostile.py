"""Hostile requests for benchmarks/serving.py: what they hold and which answers are right."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator

__all__ = ["requests"]

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


def requests(
    source: str, target: str, sentences: list[str], draw: random.Random
) -> Iterator[tuple[str, list[bytes], str, float]]:
    """At least 500 of them: kind, chunks of bytes, wanted answer, seconds between the chunks.

    Wanted: 200; 4xx with a JSON error; any of these or a closed connection; broken: a plain 400 or nothing;
    200 or busy: or a 503. After "hang up" no answer is waited for.
    """

    def translate(q: object, **more: object) -> bytes:
        return post("/translate", json.dumps({"q": q, "source": source, "target": target, **more}).encode())

    yield from ((f"legal: {kind}", [translate(text)], "200", 0.0) for kind, text in legal(draw))
    yield from (("html", [translate(text, format="html")], "200", 0.0) for text in wild_html(draw))
    for number in range(40):
        yield "wrong types", [translate(draw.choice([1, None, {}, [1], [[]], True, {"q": "a"}]))], "4xx", 0.0
        wrong = draw.choice(["alternatives", "format", "source", "target"])
        value = draw.choice([-1, {}, [], "\u0000", "x" * 1000, 1e300, True, "../../etc/passwd"])
        yield f"wrong {wrong}", [translate("a", **{wrong: value})], "any", 0.0
        size = 10_001 + number * 10_000
        yield "too many characters", [translate("a" * min(size, 900_000))], "4xx", 0.0
    for depth in (10, 1000, 100_000, 400_000):
        for text in (b"[" * depth, b'{"q":' * depth, b'{"q":' + b"[" * depth + b"]" * depth + b"}"):
            yield "nested JSON", [post("/translate", text)], "4xx", 0.0
    for _ in range(40):
        noise = draw.randbytes(draw.randint(1, 5000))
        yield "noise as JSON", [post("/translate", noise)], "4xx", 0.0
        yield "noise as a form", [post("/translate", noise, FORM)], "4xx", 0.0
        yield (
            "noise as a file",
            [post("/translate_file", noise, "multipart/form-data; boundary=x")],
            "4xx",
            0.0,
        )
        yield "noise as HTTP", [noise + b"\r\n\r\n"], "broken", 0.0
        yield (
            "noise in the path",
            [f"GET /%{noise[:50].hex()} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()],
            "any",
            0.0,
        )
    bomb = gzip.compress(b"a" * 50_000_000)
    for encoding in ("gzip", "deflate", "br", "gzip, gzip"):
        yield (
            "compressed bomb",
            [post("/translate", bomb, JSON, f"Content-Encoding: {encoding}\r\n")],
            "4xx",
            0.0,
        )
    for text in (b'{"q": "\xff\xfe"}', b'{"q": "\xed\xa0\x80"}', b'{"q": "\\ud800"}', b"\xef\xbb\xbf{}", b""):
        yield "bad UTF-8", [post("/translate", text)], "4xx", 0.0
    for size in (2 << 20, 6 << 20, 30 << 20):
        yield "huge body", [post("/translate", b" " * size)], "any", 0.0
        chunk = b"10000\r\n" + b"a" * 65536 + b"\r\n"
        head = f"POST /translate HTTP/1.1\r\nContent-Type: {JSON}\r\nTransfer-Encoding: chunked\r\n\r\n"
        yield "huge body in chunks", [head.encode(), *[chunk] * (size >> 16), b"0\r\n\r\n"], "any", 0.0
    for name in (
        "../../../etc/passwd",
        "..%2f..%2fetc%2fpasswd",
        "%00",
        "a" * 5000,
        "//etc/passwd",
        "....//x",
    ):
        yield (
            "path traversal",
            [f"GET /download_file/{name} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()],
            "any",
            0.0,
        )
        yield "file names", [upload(f"{name}.txt", b"a", source, target)], "any", 0.0
    for content in (
        b"\xff" * 1000,
        b"\x00" * 1000,
        b"<html>" * 1000,
        b"--> " * 1000,
        b"1\n00:00:01,000 --> x\n" * 99,
    ):
        for suffix in (".txt", ".srt", ".html"):
            yield "file contents", [upload("a" + suffix, content, source, target)], "any", 0.0
    for count in (100, 10_000, 100_000):
        flood = b"".join(b"X-%d: y\r\n" % i for i in range(count))
        yield "header flood", [b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + flood + b"\r\n"], "any", 0.0
        yield "long header", [b"GET /health HTTP/1.1\r\nX: " + b"a" * count * 10 + b"\r\n\r\n"], "any", 0.0
        yield "long path", [b"GET /" + b"a" * count * 10 + b" HTTP/1.1\r\n\r\n"], "any", 0.0
        yield "many fields", [post("/translate", b"&".join([b"q=a"] * count), FORM)], "any", 0.0
    for line in (
        b"Content-Length: -1", b"Content-Length: x", b"Content-Length: 1\r\nContent-Length: 2",
        b"Content-Length: 3\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunked, chunked",
        b"Bad Name: x", b": x", b"X\x00: y",
    ):  # fmt: skip
        for body in (b"", b"abc", b"zz\r\n", b"fffffffffffffffff\r\n"):
            yield "malformed HTTP", [b"POST /translate HTTP/1.1\r\n" + line + b"\r\n\r\n" + body], "any", 0.0
    for version in (b"HTTP/0.9", b"HTTP/9.9", b"", b"SIP/2.0", b"HTTP/1.1 HTTP/1.1"):
        yield "bad request line", [b"GET /health " + version + b"\r\n\r\n"], "any", 0.0
    whole = translate(sentences[0])
    for cut in range(20, len(whole), max(1, len(whole) // 10)):
        yield "slow body", [whole[:cut], *[b"x"] * 40], "any", 0.5
        yield "half a request", [whole[:cut]], "any", 0.0
    yield from trailers(json.dumps({"q": "a", "source": source, "target": target}).encode())
    yield from hosts()
    book = "\n".join(sentences[:100])
    for _ in range(60):
        stream = {"q": book, "source": source, "target": target, "stream": True}
        yield "abandoned stream", [post("/v1/translate", json.dumps(stream).encode())], "200 or busy", 0.0
        yield "abandoned list", [translate(book)[:-1], b"}"], "hang up", 0.0
    yield from (("many requests at once", [whole * 50], "200", 0.0) for _ in range(5))


def trailers(body: bytes) -> Iterator[tuple[str, list[bytes], str, float]]:
    head = f"POST /translate HTTP/1.1\r\nHost: localhost\r\nContent-Type: {JSON}\r\n"
    head += "Transfer-Encoding: chunked\r\n"
    whole = head.encode() + b"\r\n%x\r\n%s\r\n0\r\n" % (len(body), body)
    yield "a trailer", [whole + b"X-Forwarded-For: 6.6.6.6\r\nHost: evil.example\r\n\r\n"], "200", 0.0
    for count in (1000, 10_000):
        flood = b"".join(b"X-%d: y\r\n" % i for i in range(count))
        yield "trailer flood", [whole, *[flood] * 200], "any", 0.0
        yield "long trailer", [whole, b"X: ", *[b"a" * count] * 200], "any", 0.0
        yield "chunk extension", [whole[:-3], b"0;", *[b"a" * count] * 200], "any", 0.0
    yield "slow trailers", [whole, *[b"X: y\r\n"] * 60], "any", 0.5


def hosts() -> Iterator[tuple[str, list[bytes], str, float]]:
    for host in (b"localhost", b"localhost:1", b"127.0.0.1", b"[::1]:5000", b"10.1.2.3"):
        yield "own host", [b"GET /health HTTP/1.1\r\nHost: %s\r\n\r\n" % host], "200", 0.0
    for host in (
        b"evil.example",
        b"localhost.evil.example",
        b"[::1",
        b"",
        b"a b",
        b"a/b",
        b"x@localhost",
        b"\xff",
    ):
        yield "other host", [b"GET /health HTTP/1.1\r\nHost: %s\r\n\r\n" % host], "4xx", 0.0
    two = b"GET /health HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n"
    yield "two hosts", [two], "4xx", 0.0
    yield "no host", [b"GET /health HTTP/1.1\r\n\r\n"], "4xx", 0.0


def legal(draw: random.Random) -> Iterator[tuple[str, object]]:
    yield from (
        ("control characters", "a" + chr(code) + "b") for code in [*range(32), 127, *range(128, 160, 4)]
    )
    yield "a word of 10,000 characters", "a" * 10_000
    yield "many lines", "a\n" * 3000
    yield "spaces", " " * 9000
    yield "emoji", "\U0001f600" * 500
    yield "combining marks", "e" + "\u0301" * 3000
    yield "right to left", "\u202e\u05d0\u200f" * 300
    yield "braces", "{" * 3000
    yield "percent signs", "%s%" * 1000
    yield "markup as text", "<b" * 2000
    yield "a list of empty texts", [""] * 128
    for _ in range(40):
        count = draw.randint(1, 300)
        yield "any characters", "".join(chr(draw.choice([*range(1, 0xD800), 0x1F600])) for _ in range(count))


def wild_html(draw: random.Random) -> Iterator[str]:
    parts = [
        "<b>",
        "</b>",
        "<p>",
        "</",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<script>",
        "&#x",
        "&lt",
        "a",
        " ",
        "<a b='",
    ]
    for _ in range(40):
        yield "a" + "".join(draw.choices(parts, k=draw.randint(1, 400)))
    yield "<b>" * 3000
    yield "a<!" * 3000


def post(path: str, body: bytes, kind: str = JSON, more: str = "") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n{more}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def upload(name: str, content: bytes, source: str, target: str) -> bytes:
    fields = "".join(
        f'--x\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
        for key, value in (("source", source), ("target", target))
    )
    file = f'--x\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    body = fields.encode() + file.encode() + content + b"\r\n--x--\r\n"
    return post("/translate_file", body, "multipart/form-data; boundary=x")
