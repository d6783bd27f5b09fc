"""The fast CPU rasteriser: compiled loops over triangles and pixels, one thread, the same bits every time.

`cover` finds which triangle each pixel shows; `shade` then computes each shown pixel once. Blended triangles are
composited by a second `cover`. Rules: spec/renderer.md §5 and §12.3; the same rules, unhurried: `rasterise_plain`.

A pixel belongs to a triangle if its centre does, in whole numbers of 1/256 pixel; centres on an edge follow the
top-left rule. All functions of this file live together because a compiled function holds a copy of those it calls.
Arrays are passed to inner functions one by one: unpacking records of them there counts references.
"""

# ruff: noqa: C901, PLR0912, PLR0915, PLR0917 - compiled loops: calls inside them cannot take records
from __future__ import annotations

import math

import numpy as np
from numba import njit

from _render.compiling import CALLED_LEAF, LEAF, kernel
from _render.textures import MAX_ANISOTROPY

TEXTURE, WRAP_U, WRAP_V, MAGNIFY, MINIFY, CULL, TESTED, KEEPS_ALPHA, WRITES_DEPTH, VERTEX_COLOR = range(10)
"""Columns of the table of draws; `texture` is −1 where there is none."""
REPEAT, CLAMP, MIRROR = 0, 1, 2
LINEAR, NEAREST, TRILINEAR = 0, 1, 2
CULL_NONE, CULL_FRONT, CULL_BACK = 0, 1, 2
DEPTH_STEPS = 16777215
"""Depth is stored in 24 bits; equal steps are ties."""
EMPTY = 2**30
"""Depth where nothing was drawn."""
LARGEST_ELLIPSE = 256.0
"""Half size of the largest ellipse of the `mesa` filter, texels: only grazing triangles reach it."""


# -- texture filters --------------------------------------------------------------------------------------------


@njit(**LEAF)
def _wrap(index, count, mode):  # type: ignore[no-untyped-def]
    if 0 <= index < count:
        return index
    if mode == REPEAT:
        return index % count
    if mode == CLAMP:
        return 0 if index < 0 else count - 1
    index %= 2 * count
    return index if index < count else 2 * count - 1 - index


@njit(**CALLED_LEAF)
def _bilinear(texels, levels, texture, level, wrap_u, wrap_v, u, v):  # type: ignore[no-untyped-def]
    """Red and blue, green and alpha, each pair in one whole number (32 bits apart), × 65536.

    Positions are rounded to 1/256 texel, as graphics hardware does; from there on the sum is exact.
    """
    offset, width, height = levels[texture, level, 0], levels[texture, level, 1], levels[texture, level, 2]
    x = math.floor(u * width * 256.0 - 127.5)
    y = math.floor(v * height * 256.0 - 127.5)
    left, top, across, down = x >> 8, y >> 8, x & 255, y & 255
    right, below = _wrap(left + 1, width, wrap_u), _wrap(top + 1, height, wrap_v)
    left, top = _wrap(left, width, wrap_u), _wrap(top, height, wrap_v)
    upper, lower = offset + top * width, offset + below * width
    a, b = np.int64(texels[upper + left]), np.int64(texels[upper + right])
    c, d = np.int64(texels[lower + left]), np.int64(texels[lower + right])
    wb, wc, wd = across * (256 - down), (256 - across) * down, across * down
    wa = 65536 - wb - wc - wd
    red_blue = (
        ((a & 0xFF) | (a & 0xFF0000) << 16) * wa
        + ((b & 0xFF) | (b & 0xFF0000) << 16) * wb
        + ((c & 0xFF) | (c & 0xFF0000) << 16) * wc
        + ((d & 0xFF) | (d & 0xFF0000) << 16) * wd
    )
    green_alpha = (
        ((a >> 8 & 0xFF) | (a >> 24) << 32) * wa
        + ((b >> 8 & 0xFF) | (b >> 24) << 32) * wb
        + ((c >> 8 & 0xFF) | (c >> 24) << 32) * wc
        + ((d >> 8 & 0xFF) | (d >> 24) << 32) * wd
    )
    return red_blue, green_alpha


@njit(**LEAF)
def _unpacked(red_blue, green_alpha, scale):  # type: ignore[no-untyped-def]
    return (
        (red_blue & 0xFFFFFFFF) * scale,
        (green_alpha & 0xFFFFFFFF) * scale,
        (red_blue >> 32) * scale,
        (green_alpha >> 32) * scale,
    )


@njit(**LEAF)
def _nearest(texels, levels, texture, wrap_u, wrap_v, u, v):  # type: ignore[no-untyped-def]
    offset, width, height = levels[texture, 0, 0], levels[texture, 0, 1], levels[texture, 0, 2]
    col, row = _wrap(math.floor(u * width), width, wrap_u), _wrap(math.floor(v * height), height, wrap_v)
    texel = np.int64(texels[offset + row * width + col])
    return float(texel & 0xFF), float(texel >> 8 & 0xFF), float(texel >> 16 & 0xFF), float(texel >> 24)


@njit(**CALLED_LEAF)
def _ellipse(texels, levels, texture, last_level, wrap_u, wrap_v, u, v, au, av, bu, bv, shorter):  # type: ignore[no-untyped-def]
    """The filter `mesa`: Gaussian weights over the ellipse that the pixel covers on one level (renderer.md §5.1)."""
    level = 0
    if shorter > 1.0:
        level = max(0, min(math.floor(0.5 * math.log2(shorter)), last_level))  # infinity makes no index
    shrink = 1.0 / (1 << level)
    au, av, bu, bv = au * shrink, av * shrink, bu * shrink, bv * shrink
    offset, width, height = levels[texture, level, 0], levels[texture, level, 1], levels[texture, level, 2]
    ea = av * av + bv * bv + 1.0
    eb = -2.0 * (au * av + bu * bv)
    ec = au * au + bu * bu + 1.0
    norm = 1.0 / (ea * ec - eb * eb * 0.25)
    centre_u = u * levels[texture, 0, 1] * shrink - 0.5
    centre_v = v * levels[texture, 0, 2] * shrink - 0.5
    reach_u, reach_v = min(math.sqrt(ec), LARGEST_ELLIPSE), min(math.sqrt(ea), LARGEST_ELLIPSE)
    red = green = blue = alpha = total = 0.0
    for row in range(math.ceil(centre_v - reach_v), math.floor(centre_v + reach_v) + 1):
        dv = row - centre_v
        line = offset + _wrap(row, height, wrap_v) * width
        for col in range(math.ceil(centre_u - reach_u), math.floor(centre_u + reach_u) + 1):
            du = col - centre_u
            q = (ea * du * du + eb * du * dv + ec * dv * dv) * norm
            if q < 1.0:
                weight = math.exp(-2.0 * q)
                texel = np.int64(texels[line + _wrap(col, width, wrap_u)])
                red += weight * (texel & 0xFF)
                green += weight * (texel >> 8 & 0xFF)
                blue += weight * (texel >> 16 & 0xFF)
                alpha += weight * (texel >> 24)
                total += weight
    scale = 1.0 / total
    return red * scale, green * scale, blue * scale, alpha * scale


@njit(**LEAF)
def _sample(texels, levels, level_counts, modes, draw, mesa, u, v, ux, vx, uy, vy):  # type: ignore[no-untyped-def]
    """Filtered texture value (four floats, 0..255) at (u, v) with its changes per pixel along x and y."""
    texture, wrap_u, wrap_v = modes[draw, TEXTURE], modes[draw, WRAP_U], modes[draw, WRAP_V]
    minify, magnify = modes[draw, MINIFY], modes[draw, MAGNIFY]
    width, height, last = levels[texture, 0, 1], levels[texture, 0, 2], level_counts[texture] - 1
    au, av, bu, bv = ux * width, vx * height, uy * width, vy * height
    along_x, along_y = au * au + av * av, bu * bu + bv * bv
    longer, shorter = max(along_x, along_y), min(along_x, along_y)
    if mesa and minify == TRILINEAR and magnify == LINEAR:
        return _ellipse(texels, levels, texture, last, wrap_u, wrap_v, u, v, au, av, bu, bv, shorter)
    if wrap_u == REPEAT:
        u -= math.floor(u)
    if wrap_v == REPEAT:
        v -= math.floor(v)
    probes = 1
    if minify == TRILINEAR and longer > shorter:
        if longer >= shorter * (MAX_ANISOTROPY * MAX_ANISOTROPY):
            probes = MAX_ANISOTROPY
        else:
            probes = math.ceil(math.sqrt(longer / shorter))
    if longer <= probes * probes:
        if magnify == NEAREST:
            return _nearest(texels, levels, texture, wrap_u, wrap_v, u, v)
        red_blue, green_alpha = _bilinear(texels, levels, texture, 0, wrap_u, wrap_v, u, v)
        return _unpacked(red_blue, green_alpha, 1.0 / 65536.0)
    if minify == NEAREST:
        return _nearest(texels, levels, texture, wrap_u, wrap_v, u, v)
    if minify == LINEAR:
        red_blue, green_alpha = _bilinear(texels, levels, texture, 0, wrap_u, wrap_v, u, v)
        return _unpacked(red_blue, green_alpha, 1.0 / 65536.0)
    position = max(0, min(math.floor(math.log2(longer / (probes * probes)) * 128.0 + 0.5), last * 256))
    level, blend = position >> 8, position & 255
    if along_x >= along_y:
        step_u, step_v = ux / probes, vx / probes
    else:
        step_u, step_v = uy / probes, vy / probes
    fine_rb = fine_ga = coarse_rb = coarse_ga = 0
    for probe in range(probes):
        shift = probe - 0.5 * (probes - 1)
        at_u, at_v = u + shift * step_u, v + shift * step_v
        rb, ga = _bilinear(texels, levels, texture, level, wrap_u, wrap_v, at_u, at_v)
        fine_rb += rb
        fine_ga += ga
        if blend:
            rb, ga = _bilinear(texels, levels, texture, level + 1, wrap_u, wrap_v, at_u, at_v)
            coarse_rb += rb
            coarse_ga += ga
    scale = 1.0 / (probes * 65536.0 * 256.0)
    r0, g0, b0, a0 = _unpacked(fine_rb, fine_ga, (256 - blend) * scale)
    r1, g1, b1, a1 = _unpacked(coarse_rb, coarse_ga, blend * scale)
    return r0 + r1, g0 + g1, b0 + b1, a0 + a1


# -- triangles --------------------------------------------------------------------------------------------------


@njit(**LEAF)
def _corners(triangle, faces, screen):  # type: ignore[no-untyped-def]
    """Vertices so turned that inside is positive, their screen positions, and twice the signed area as drawn."""
    i, j, k = faces[triangle, 0], faces[triangle, 1], faces[triangle, 2]
    xi, yi = screen[i, 0], screen[i, 1]
    xj, yj, xk, yk = screen[j, 0], screen[j, 1], screen[k, 0], screen[k, 1]
    area = (xj - xi) * (yk - yi) - (xk - xi) * (yj - yi)
    if area < 0:
        return i, k, j, xi, yi, xk, yk, xj, yj, area
    return i, j, k, xi, yi, xj, yj, xk, yk, area


@njit(**LEAF)
def _edge(ax, ay, bx, by, x, y):  # type: ignore[no-untyped-def]
    """Positive on the inner side of the edge from a to b."""
    return (bx - ax) * (y - ay) - (by - ay) * (x - ax)


@njit(**LEAF)
def _edge_bias(ax, ay, bx, by):  # type: ignore[no-untyped-def]
    """0 for top and left edges, which own the pixel centres on them; −1 for the others."""
    return 0 if (by == ay and bx > ax) or by < ay else -1


@njit(**LEAF)
def _is_outside(i, j, k, p, q, r, positions, half_box):  # type: ignore[no-untyped-def]
    """Whether the point with perspective weights p, q, r of vertices i, j, k is outside the working cube."""
    scale = 1.0 / (p + q + r)
    for axis in range(3):
        if abs((p * positions[i, axis] + q * positions[j, axis] + r * positions[k, axis]) * scale) > half_box:
            return True
    return False


@njit(**LEAF)
def _reaches_outside(i, j, k, positions, half_box):  # type: ignore[no-untyped-def]
    for axis in range(3):
        if max(abs(positions[i, axis]), abs(positions[j, axis]), abs(positions[k, axis])) > half_box:
            return True
    return False


@njit(**LEAF)
def _color(corners, edges, draw, inverse_w, uv, colors, modes, numbers, texels, levels, level_counts, mesa):  # type: ignore[no-untyped-def]
    """Red, green, blue, alpha (0..255) at the pixel where the edge functions have the values `edges`."""
    i, j, k, xi, yi, xj, yj, xk, yk, _ = corners
    wi, wj, wk = inverse_w[i], inverse_w[j], inverse_w[k]
    p, q, r = edges[0] * wi, edges[1] * wj, edges[2] * wk
    scale = 1.0 / (p + q + r)
    red = green = blue = alpha = 255.0
    if modes[draw, VERTEX_COLOR] == 1:
        scale *= 255.0
        red = (p * colors[i, 0] + q * colors[j, 0] + r * colors[k, 0]) * scale
        green = (p * colors[i, 1] + q * colors[j, 1] + r * colors[k, 1]) * scale
        blue = (p * colors[i, 2] + q * colors[j, 2] + r * colors[k, 2]) * scale
        alpha = (p * colors[i, 3] + q * colors[j, 3] + r * colors[k, 3]) * scale
    elif modes[draw, TEXTURE] >= 0:
        u = (p * uv[i, 0] + q * uv[j, 0] + r * uv[k, 0]) * scale
        v = (p * uv[i, 1] + q * uv[j, 1] + r * uv[k, 1]) * scale
        ui, uj, uk, vi, vj, vk = uv[i, 0] - u, uv[j, 0] - u, uv[k, 0] - u, uv[i, 1] - v, uv[j, 1] - v, uv[k, 1] - v
        scale *= 256.0
        a, b, c = (yj - yk) * wi, (yk - yi) * wj, (yi - yj) * wk
        ux, vx = (a * ui + b * uj + c * uk) * scale, (a * vi + b * vj + c * vk) * scale
        a, b, c = (xk - xj) * wi, (xi - xk) * wj, (xj - xi) * wk
        uy, vy = (a * ui + b * uj + c * uk) * scale, (a * vi + b * vj + c * vk) * scale
        red, green, blue, alpha = _sample(texels, levels, level_counts, modes, draw, mesa, u, v, ux, vx, uy, vy)
    return red * numbers[draw, 0], green * numbers[draw, 1], blue * numbers[draw, 2], alpha * numbers[draw, 3]


@njit(**LEAF)
def _composite(accumulator, row, col, red, green, blue, alpha):  # type: ignore[no-untyped-def]
    """Source over what is there, in premultiplied floats; colour 0..255, alpha 0..1."""
    keep, add = 1.0 - alpha, alpha / 255.0
    accumulator[row, col, 0] = min(max(red, 0.0), 255.0) * add + keep * accumulator[row, col, 0]
    accumulator[row, col, 1] = min(max(green, 0.0), 255.0) * add + keep * accumulator[row, col, 1]
    accumulator[row, col, 2] = min(max(blue, 0.0), 255.0) * add + keep * accumulator[row, col, 2]
    accumulator[row, col, 3] = alpha + keep * accumulator[row, col, 3]


@kernel
def cover(order, geometry, look, rules, depth, shown, accumulator):  # type: ignore[no-untyped-def]
    """Draw the triangles of `order` into (S, S) int32 `depth` and `shown` (triangle indices).

    Equal depths are decided by the triangles' indices, so solid triangles may come in any order; near ones first is
    quickest, since hidden fragments need no texture.

    With a (S, S, 4) float32 accumulator (premultiplied, 0..1) they are composited into it instead of being shown.
    geometry: faces, face_draw, screen, inverse_w, window_z, positions, uv, colors. look: draw modes, draw numbers
    (factor, least alpha × 255 that stays), texels, levels, level_counts. rules: mesa filter?, last wins ties?, half
    side of the cube outside which fragments are dropped (0: never).
    """
    faces, face_draw, screen, inverse_w, window_z, positions, uv, colors = geometry
    modes, numbers, texels, levels, level_counts = look
    mesa, ties_last, half_box = rules
    size, blending = depth.shape[0], accumulator.shape[0] > 0
    for triangle in order:
        corners = _corners(triangle, faces, screen)
        i, j, k, xi, yi, xj, yj, xk, yk, area = corners
        draw = face_draw[triangle]
        cull = modes[draw, CULL]
        if area == 0 or (area > 0 and cull == CULL_BACK) or (area < 0 and cull == CULL_FRONT):
            continue
        left, right = max(0, (min(xi, xj, xk) + 127) >> 8), min(size - 1, (max(xi, xj, xk) - 128) >> 8)
        top, bottom = max(0, (min(yi, yj, yk) + 127) >> 8), min(size - 1, (max(yi, yj, yk) - 128) >> 8)
        if left > right or top > bottom:
            continue
        samples = blending or modes[draw, TESTED] == 1
        straddles = half_box > 0.0 and _reaches_outside(i, j, k, positions, half_box)
        bias_i, bias_j, bias_k = _edge_bias(xj, yj, xk, yk), _edge_bias(xk, yk, xi, yi), _edge_bias(xi, yi, xj, yj)
        step_i, step_j, step_k = (yj - yk) * 256, (yk - yi) * 256, (yi - yj) * 256
        whole = DEPTH_STEPS / abs(area)
        zi = window_z[i] * DEPTH_STEPS + 0.5
        slope_j, slope_k = (window_z[j] - window_z[i]) * whole, (window_z[k] - window_z[i]) * whole
        for row in range(top, bottom + 1):
            x, y = left * 256 + 128, row * 256 + 128
            ei = _edge(xj, yj, xk, yk, x, y) + bias_i - step_i
            ej = _edge(xk, yk, xi, yi, x, y) + bias_j - step_j
            ek = _edge(xi, yi, xj, yj, x, y) + bias_k - step_k
            entered = False
            for col in range(left, right + 1):
                ei += step_i
                ej += step_j
                ek += step_k
                if (ei | ej | ek) < 0:
                    if entered:
                        break
                    continue
                entered = True
                z = math.floor(zi + (ej - bias_j) * slope_j + (ek - bias_k) * slope_k)
                nearest = depth[row, col]
                if z > nearest or z > DEPTH_STEPS or z < 0:
                    continue
                if z == nearest and not blending and (triangle > shown[row, col]) != ties_last:
                    continue
                edges = (ei - bias_i, ej - bias_j, ek - bias_k)
                if straddles:
                    p, q, r = edges[0] * inverse_w[i], edges[1] * inverse_w[j], edges[2] * inverse_w[k]
                    if _is_outside(i, j, k, p, q, r, positions, half_box):
                        continue
                if samples:
                    red, green, blue, alpha = _color(
                        corners, edges, draw, inverse_w, uv, colors, modes, numbers, texels, levels, level_counts, mesa
                    )
                    if alpha < numbers[draw, 4]:
                        continue
                    if blending:
                        alpha = min(max(alpha / 255.0, 0.0), 1.0)
                        _composite(accumulator, row, col, red, green, blue, alpha)
                        if modes[draw, WRITES_DEPTH] == 1 and alpha > 0.0:
                            depth[row, col] = z
                        continue
                depth[row, col] = z
                shown[row, col] = triangle


# -- pixels -----------------------------------------------------------------------------------------------------


@njit(**LEAF)
def _byte(value):  # type: ignore[no-untyped-def]
    return np.uint8(min(max(value, 0.0), 255.0) + 0.5)


@kernel
def shade(shown, geometry, look, mesa, half_box, picture, accumulator):  # type: ignore[no-untyped-def]
    """Colour of every shown pixel, into a (S, S, 4) uint8 picture or, premultiplied, into a float32 accumulator.

    Points outside a cube of this half side get alpha 0 (half_box 0: none do).
    """
    faces, face_draw, screen, inverse_w, _, positions, uv, colors = geometry
    modes, numbers, texels, levels, level_counts = look
    blending = accumulator.shape[0] > 0
    current = -1
    corners = _corners(0, faces, screen)
    straddles = False
    draw = 0
    for row in range(shown.shape[0]):
        for col in range(shown.shape[1]):
            triangle = shown[row, col]
            if triangle < 0:
                continue
            if triangle != current:
                current = triangle
                corners = _corners(triangle, faces, screen)
                draw = face_draw[triangle]
                straddles = half_box > 0.0 and _reaches_outside(corners[0], corners[1], corners[2], positions, half_box)
            i, j, k, xi, yi, xj, yj, xk, yk, _ = corners
            x, y = col * 256 + 128, row * 256 + 128
            edges = (_edge(xj, yj, xk, yk, x, y), _edge(xk, yk, xi, yi, x, y), _edge(xi, yi, xj, yj, x, y))
            red, green, blue, alpha = _color(
                corners, edges, draw, inverse_w, uv, colors, modes, numbers, texels, levels, level_counts, mesa
            )
            if modes[draw, KEEPS_ALPHA] == 0:
                alpha = 255.0
            if straddles:
                p, q, r = edges[0] * inverse_w[i], edges[1] * inverse_w[j], edges[2] * inverse_w[k]
                if _is_outside(i, j, k, p, q, r, positions, half_box):
                    alpha = 0.0
            if blending:
                accumulator[row, col, 0] = min(max(red, 0.0), 255.0) / 255.0
                accumulator[row, col, 1] = min(max(green, 0.0), 255.0) / 255.0
                accumulator[row, col, 2] = min(max(blue, 0.0), 255.0) / 255.0
                accumulator[row, col, 3] = 1.0
            else:
                picture[row, col, 0], picture[row, col, 1] = _byte(red), _byte(green)
                picture[row, col, 2], picture[row, col, 3] = _byte(blue), _byte(alpha)
