#!/usr/bin/env python3
"""Verifies presigned URLs of the format tower-presign/v1: the standard library is enough."""

import base64
import hmac
import re

BASE64URL, NUMBER, RANDOM = "[A-Za-z0-9_-]*", "(0|[1-9][0-9]*)", "[A-Za-z0-9]{16,64}"
VALUES = {"Content-Type": BASE64URL, "Context": BASE64URL, "Expires": NUMBER,
          "Filename": BASE64URL, "Id": RANDOM, "Key-Pair-Id": "[A-Za-z0-9_-]{1,64}",
          "Max-Length": NUMBER, "Place": BASE64URL, "Resume": RANDOM}
ID = r"(?!\.\.?[/?])[A-Za-z0-9._-]{1,64}"


def pattern(claims):
    """Matches targets that have these claims in this order. Those with "?" may be missing."""
    query = ""
    for name, value, optional in re.findall(r"([\w-]+)=?(\w*)(\??)", claims):
        query += f"({name}={value or VALUES[name]}&){optional}"
    return re.compile(rf"/{ID}/{ID}\?{query}")


# The kinds of grants, and the methods that may use them.
GRANTS = [
    (pattern("Context? Disposition=attachment? Expires Filename? Id? Key-Pair-Id Once=1? Place?"),
     ["GET", "HEAD"]),
    (pattern("Content-Type Context? Expires Id? Key-Pair-Id Max-Length? Method=PUT"),
     ["PUT"]),
    (pattern("Content-Type Context? Expires Id? Key-Pair-Id Max-Length? Method=PATCH Resume"),
     ["PATCH", "HEAD", "DELETE"]),
]


def sign(target, base, secret):
    """The signature of a request target after the base."""
    key = hmac.digest(secret, b"tower-presign/v1", "sha256")
    string_to_sign = "\n".join(["tower-presign/v1", base, target])
    mac = hmac.digest(key, string_to_sign.encode(), "sha256")
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


def verify(url, base, secrets, method, now, max_lifetime=7 * 24 * 60 * 60):
    """The claims of a URL as a dictionary, with `binary` and `version`; None if it grants nothing.

    base is the storage base URL without a slash at its end, secrets the secrets (bytes) by key id.
    A URL with the claim Once is for one download: the caller counts them, by the claim Id.
    """
    if not url.startswith(base + "/"):
        return None
    target, _, signature = url.removeprefix(base).rpartition("&Signature=")
    secret = secrets.get(target.rpartition("&Key-Pair-Id=")[2].partition("&")[0])
    if secret is None:
        return None
    if not hmac.compare_digest(sign(target, base, secret).encode(), signature.encode()):
        return None

    # Only now is it known who wrote this. A claim that is not known here must not be ignored.
    methods = [methods for pattern, methods in GRANTS if pattern.fullmatch(target + "&")]
    if not methods or method not in methods[0]:
        return None
    path, _, query = target.partition("?")
    grant = dict(claim.split("=") for claim in query.split("&"))
    if "Once" in grant and "Id" not in grant:
        return None
    if not 0 < int(grant["Expires"]) - now <= max_lifetime:
        return None
    try:
        for name in [name for name in grant if VALUES.get(name) == BASE64URL]:
            encoded = grant[name] + "=" * (-len(grant[name]) % 4)
            grant[name] = base64.urlsafe_b64decode(encoded).decode()
    except ValueError:
        return None
    _, grant["binary"], grant["version"] = path.split("/")
    return grant


def check(case):
    """Holds the verifier against one case of tests/vectors.json."""
    url, given = case["url"], case["input"]
    base, expires = given["base"], given["expires"]
    secret = bytes.fromhex(given["secret_hex"])
    method = given.get("method", "GET")

    def is_valid(url, base=base, secrets={given["key_id"]: secret}, method=method, now=expires - 1):
        return verify(url, base, secrets, method, now) is not None

    names = {"id": "binary", "version": "version", "content_type": "Content-Type",
             "context": "Context", "disposition": "Disposition", "expires": "Expires",
             "filename": "Filename", "url_id": "Id", "key_id": "Key-Pair-Id",
             "max_length": "Max-Length", "method": "Method", "once": "Once", "place": "Place",
             "resume": "Resume"}
    grant = {names[name]: "1" if value is True else str(value) for name, value in given.items()
             if name in names}
    assert verify(url, base, {given["key_id"]: secret}, method, expires - 1) == grant

    # The right time and method, and no others.
    assert is_valid(url, now=expires - 7 * 24 * 60 * 60)
    assert not is_valid(url, now=expires - 7 * 24 * 60 * 60 - 1)
    assert not is_valid(url, now=expires)
    allowed = {name for name in ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"]
               if is_valid(url, method=name)}
    assert allowed == {"GET": {"GET", "HEAD"}, "PUT": {"PUT"},
                       "PATCH": {"PATCH", "HEAD", "DELETE"}}[method]

    # Not a character may differ from what was signed, nor the base, nor the key.
    assert not is_valid(url, base=base + "/other")
    assert not is_valid(url, secrets={})
    assert not is_valid(url, secrets={given["key_id"]: bytes(32)})
    assert not is_valid(url + "&Method=PUT")
    for position, character in enumerate(url):
        # The neighbour differs in the last bit, which the signature's last character does not use.
        neighbour = chr(ord(character) ^ 1)
        for other in {"", "a", "B", "=", "ä", neighbour} - {character}:
            assert not is_valid(url[:position] + other + url[position + 1:]), position

    # A right signature does not help a target that is not of this format.
    def is_valid_if_signed(target):
        return is_valid(f"{base}{target}&Signature={sign(target, base, secret)}")

    target = url.removeprefix(base).rpartition("&Signature=")[0]
    path, _, query = target.partition("?")
    claims = query.split("&")
    assert is_valid_if_signed(target)
    assert not is_valid_if_signed("/folder" + target)
    assert not is_valid_if_signed(path + "?" + "&".join(reversed(claims)))
    assert not is_valid_if_signed(f"/..{path[path.rindex('/'):]}?{query}")
    for position, claim in enumerate(claims):
        before, after = claims[:position], claims[position + 1:]
        name = claim.partition("=")[0]
        changes = [[claim, claim], ["New=1", claim], [claim, "New=1"], [claim + "!"]]
        if VALUES.get(name) == BASE64URL:
            # No length that base64 has, and no UTF-8.
            changes += [[name + "=A"], [name + "=_w"]]
        if name in ["Content-Type", "Expires", "Key-Pair-Id", "Method", "Resume"]:
            changes += [[]]
        if name == "Id" and "once" in given:
            changes += [[]]
        for changed in changes:
            query = "&".join([*before, *changed, *after])
            assert not is_valid_if_signed(f"{path}?{query}"), query


if __name__ == "__main__":
    import json
    import sys

    with open(sys.argv[1], encoding="utf-8") as file:
        cases = json.load(file)["cases"]
    assert cases, "no cases"
    for case in cases:
        check(case)
    print(f"{len(cases)} URLs are accepted, and refused with any change.")
