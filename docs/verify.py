#!/usr/bin/env python3
"""Verifies presigned URLs of the format tower-presign/v1: the standard library is enough."""

import base64
import hmac


def verify(url, base, secrets, method, now, max_lifetime=7 * 24 * 60 * 60):
    """What a URL grants, as a dictionary, or None.

    base is the storage base URL without a slash at its end, secrets the secrets (bytes) by key id.
    """
    if not url.startswith(base + "/"):
        return None
    target, _, signature = url.removeprefix(base).rpartition("&Signature=")
    secret = secrets.get(target.rpartition("&Key-Pair-Id=")[2].partition("&")[0])
    if secret is None:
        return None
    key = hmac.digest(secret, b"tower-presign/v1", "sha256")
    string_to_sign = "\n".join(["tower-presign/v1", base, target])
    expected = base64.urlsafe_b64encode(hmac.digest(key, string_to_sign.encode(), "sha256"))
    if not hmac.compare_digest(expected.rstrip(b"="), signature.encode()):
        return None

    # Only now is it known who wrote this.
    path, _, query = target.partition("?")
    _, binary_id, version = path.split("/")
    grant = dict(claim.split("=") for claim in query.split("&"))
    grant.update(id=binary_id, version=version)
    for name in {"Content-Type", "Context", "Filename"} & grant.keys():
        encoded = grant[name] + "=" * (-len(grant[name]) % 4)
        grant[name] = base64.urlsafe_b64decode(encoded).decode()
    methods = ["PUT"] if "Method" in grant else ["GET", "HEAD"]
    is_in_time = 0 < int(grant["Expires"]) - now <= max_lifetime
    return grant if method in methods and is_in_time else None


def check(case):
    """Holds the verifier against one case of tests/vectors.json."""
    url, given = case["url"], case["input"]
    base, expires = given["base"], given["expires"]
    secrets = {given["key_id"]: bytes.fromhex(given["secret_hex"])}
    method = given.get("method", "GET")

    def is_valid(url, base=base, secrets=secrets, method=method, now=expires - 1):
        return verify(url, base, secrets, method, now) is not None

    grant = verify(url, base, secrets, method, expires - 1)
    names = {"id": "id", "version": "version", "content_type": "Content-Type",
             "context": "Context", "filename": "Filename", "disposition": "Disposition",
             "max_length": "Max-Length", "expires": "Expires", "key_id": "Key-Pair-Id"}
    for name, claim in names.items():
        assert grant.get(claim) == (str(given[name]) if name in given else None), claim

    assert is_valid(url, now=expires - 7 * 24 * 60 * 60)
    assert not is_valid(url, now=expires - 7 * 24 * 60 * 60 - 1)
    assert not is_valid(url, now=expires)
    assert is_valid(url, method="HEAD") == (method == "GET")
    assert not is_valid(url, method="DELETE")
    assert not is_valid(url, base=base + "/other")
    assert not is_valid(url, secrets={})
    assert not is_valid(url, secrets={given["key_id"]: bytes(32)})
    assert not is_valid(url + "&Method=PUT")
    for position, character in enumerate(url):
        for other in {"a", "B", "=", "ä"} - {character}:
            assert not is_valid(url[:position] + other + url[position + 1:]), position
        assert not is_valid(url[:position] + url[position + 1:]), position


if __name__ == "__main__":
    import json
    import sys

    with open(sys.argv[1], encoding="utf-8") as file:
        cases = json.load(file)["cases"]
    for case in cases:
        check(case)
    print(f"{len(cases)} URLs are accepted, and refused with any change.")
