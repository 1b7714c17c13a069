"""Line charts as SVG: panels side by side over one x axis, readable on light and dark pages."""

import dataclasses
import html
import math

WIDTH, HEIGHT = 840, 460
LEFT, RIGHT, TOP, BOTTOM, GAP = 66, 18, 104, 84, 64  # the frame around the panels, and between two of them
TEXT_EM = 0.56  # a character's width in its size, about: places the legend

# Light first. Colours that people with colour-blindness tell apart (Okabe and Ito), and a mark for each.
COLOURS = (("#56606b", "#a8b3bf"), ("#0072b2", "#56b4e9"), ("#00815c", "#2fc79b"), ("#c44e00", "#ff9a4d"))
MARKS = ("circle", "square", "diamond", "triangle")


@dataclasses.dataclass
class Panel:
    """lines: {name: [(x, y), …]}. Names stand for the same colour in every panel of a figure."""

    title: str
    x_label: str
    y_label: str
    lines: dict


def style():
    def rules(i):
        paper, ink, quiet, grid = (("#ffffff", "#1f2328", "#59636e", "#e3e7eb"), ("#15191e", "#e6edf3", "#9da7b1", "#2c333b"))[i]
        lines = [f".paper{{fill:{paper};stroke:{grid}}}", f".ink{{fill:{ink}}}", f".quiet{{fill:{quiet}}}", f".grid{{stroke:{grid}}}",
                 f".axis{{stroke:{quiet}}}"]
        for n, colours in enumerate(COLOURS):
            lines.append(f".l{n}{{stroke:{colours[i]}}} .m{n}{{fill:{colours[i]};stroke:{paper}}}")
        return "".join(lines)

    return ("text{font-family:system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;font-size:13px}"
            ".title{font-size:17px;font-weight:600}.panel{font-weight:600}.small{font-size:12px}"
            ".line{fill:none;stroke-width:2.2;stroke-linejoin:round}"
            f"{rules(0)}@media(prefers-color-scheme:dark){{{rules(1)}}}")


def text(x, y, words, css="ink", **more):
    attributes = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in more.items())
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{css}"{attributes}>{html.escape(words)}</text>'


def mark(number, x, y, r=4.5):
    shape = MARKS[number]
    if shape == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r}" class="m{number}"/>'
    corners = {"square": [(-r, -r), (r, -r), (r, r), (-r, r)], "diamond": [(0, -r - 1.5), (r + 1.5, 0), (0, r + 1.5), (-r - 1.5, 0)],
               "triangle": [(0, -r - 1), (r + 1, r), (-r - 1, r)]}[shape]
    return f'<polygon points="{" ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners)}" class="m{number}"/>'


def linear_ticks(most):
    """From 0 to at least MOST, about six steps of 1, 2 or 5 times a power of ten."""
    raw = most / 6
    power = 10 ** math.floor(math.log10(raw))
    step = next(power * n for n in (1, 2, 5, 10) if power * n >= raw)
    return [step * i for i in range(math.ceil(most / step - 1e-9) + 1)]


def log_ticks(least, most):
    """1, 2, 5, 10, … from at most LEAST to at least MOST."""
    steps = [n * 10.0 ** p for p in range(-4, 8) for n in (1, 2, 5)]
    return steps[max(i for i, s in enumerate(steps) if s <= least):min(i for i, s in enumerate(steps) if s >= most) + 1]


class Scale:
    """Values to pixels from START to END, linear from 0 or logarithmic."""

    def __init__(self, values, ticks, start, end, log):
        self.ticks, self.start, self.end, self.log = ticks, start, end, log
        self.low, self.high = self._of(min([*ticks, *values])), self._of(max([*ticks, *values]))

    def _of(self, value):
        return math.log10(value) if self.log else value

    def at(self, value):
        share = (self._of(value) - self.low) / ((self.high - self.low) or 1)
        return self.start + share * (self.end - self.start)


def axes(panel, x, y, left, right):
    out = [text(left, TOP - 16, panel.title, "ink panel")]
    for tick in y.ticks:
        out.append(f'<line x1="{left}" x2="{right}" y1="{y.at(tick):.1f}" y2="{y.at(tick):.1f}" class="grid"/>')
        out.append(text(left - 8, y.at(tick) + 4, f"{tick:g}", "quiet small", text_anchor="end"))
    bottom, middle = HEIGHT - BOTTOM, (TOP + HEIGHT - BOTTOM) / 2
    out.append(f'<line x1="{left}" x2="{right}" y1="{bottom}" y2="{bottom}" class="axis"/>')
    for tick in x.ticks:
        out.append(f'<line x1="{x.at(tick):.1f}" x2="{x.at(tick):.1f}" y1="{bottom}" y2="{bottom + 5}" class="axis"/>')
        out.append(text(x.at(tick), bottom + 19, f"{tick:g}", "quiet small", text_anchor="middle"))
    out.append(text((left + right) / 2, bottom + 39, panel.x_label, text_anchor="middle"))
    out.append(text(left - 46, middle, panel.y_label, text_anchor="middle", transform=f"rotate(-90 {left - 46} {middle})"))
    return out


def draw(panel, names, left, right, y_ticks, y_log):
    points = [p for line in panel.lines.values() for p in line]
    loads = sorted({x for x, _ in points})
    x = Scale(loads, loads, left + 14, right - 14, True)
    y = Scale([], y_ticks, HEIGHT - BOTTOM, TOP, y_log)
    out = axes(panel, x, y, left, right)
    for number, name in enumerate(names):
        placed = [(x.at(a), y.at(b)) for a, b in panel.lines.get(name, ())]
        out.append(f'<polyline points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in placed)}" class="line l{number}"/>')
        out += [mark(number, a, b) for a, b in placed]
    return out


def legend(names):
    out, x = [], float(LEFT)
    for number, name in enumerate(names):
        out.append(f'<line x1="{x:.1f}" x2="{x + 28:.1f}" y1="56" y2="56" class="line l{number}"/>{mark(number, x + 14, 56)}')
        out.append(text(x + 35, 60.5, name))
        x += 35 + 13 * TEXT_EM * len(name) + 12
    return out


def figure(title, note, names, panels, y_log=False):
    """The SVG of PANELS, which share the y scale. NAMES: of the lines, in the order of the colours. NOTE: under them."""
    values = [v for panel in panels for line in panel.lines.values() for _, v in line]
    ticks = log_ticks(min(values), max(values)) if y_log else linear_ticks(max(values))
    each = (WIDTH - LEFT - RIGHT - GAP * (len(panels) - 1)) / len(panels)
    body = [text(LEFT, 32, title, "ink title"), *legend(names), text(LEFT, HEIGHT - 16, note, "quiet small")]
    for i, panel in enumerate(panels):
        left = LEFT + i * (each + GAP)
        body += draw(panel, names, left, left + each, ticks, y_log)
    lines = "\n".join(body)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">\n<title>{html.escape(title)}</title>\n'
            f'<style>{style()}</style>\n<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="8" class="paper"/>\n'
            f'{lines}\n</svg>\n')
