#!/usr/bin/env python3
"""Draws the lines `throughput` of the bench `serving`, from standard input, as SVG."""

import math
import sys

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 180, 34, 50
COLOURS = ["#0b6e4f", "#b23a48", "#e08e45", "#3d5a98"]
KIB = 1024


def read(lines):
    """The points of each server: (bytes, MiB/s)."""
    servers = {}
    for line in lines:
        fields = line.rstrip("\n").split("\t")
        if fields[0] == "throughput":
            size, server, rate = fields[1:]
            point = (int(size), float(rate.split()[0]))
            servers.setdefault(server, []).append(point)
    return servers


def size_name(size):
    return f"{size // KIB} KiB" if size < KIB * KIB else f"{size // (KIB * KIB)} MiB"


def draw(servers):
    points = [point for line in servers.values() for point in line]
    sizes = sorted({size for size, _ in points})
    rates = [rate for _, rate in points]
    low, high = (10 ** f(math.log10(x)) for f, x in
                 ((math.floor, min(rates)), (math.ceil, max(rates))))

    def x(size):
        share = math.log(size / sizes[0]) / math.log(sizes[-1] / sizes[0])
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(rate):
        share = math.log(rate / low) / math.log(high / low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    yield (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
           'font-family="sans-serif" font-size="12" role="img">')
    yield "<title>Throughput by file size, server on one core</title>"
    yield f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>'
    rate = low
    while rate <= high:
        yield (f'<path d="M{LEFT} {y(rate):.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>'
               f'<text x="{LEFT - 6}" y="{y(rate) + 4:.1f}" text-anchor="end">{rate:g}</text>')
        rate *= 10
    yield f'<text x="{LEFT - 6}" y="{TOP - 14}" text-anchor="end">MiB/s</text>'
    for size in sizes:
        if size != 100 * KIB:
            yield (f'<text x="{x(size):.1f}" y="{HEIGHT - BOTTOM + 20}" '
                   f'text-anchor="middle">{size_name(size)}</text>')
    yield (f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 8}" '
           'text-anchor="middle">size of the file</text>')
    ends = []
    for (server, line), colour in zip(servers.items(), COLOURS):
        line.sort()
        path = "L".join(f"{x(size):.1f} {y(rate):.1f}" for size, rate in line)
        yield f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
        for size, rate in line:
            yield f'<circle cx="{x(size):.1f}" cy="{y(rate):.1f}" r="3" fill="{colour}"/>'
        ends.append((y(line[-1][1]), server, colour))
    # Names beside the ends of their lines, apart from each other.
    last = -math.inf
    for end, server, colour in sorted(ends):
        last = max(end, last + 15)
        yield f'<text x="{WIDTH - RIGHT + 8}" y="{last + 4:.1f}" fill="{colour}">{server}</text>'
    yield "</svg>"


print("\n".join(draw(read(sys.stdin))))
