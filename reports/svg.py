"""Matplotlib figures as small, deterministic SVG that follows the colours of the page around it.

Only the object-oriented API and the SVG canvas are used, so neither the state of pyplot nor a
display is touched.
"""

import io
import re
from contextlib import AbstractContextManager
from html import escape
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Canvas

INK = "#123456"  # stands for the page's own text colour until the SVG is written
BLUE = "#4a8fd6"
ORANGE = "#e8862e"

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9.0,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "axes.unicode_minus": True,
}
_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


_PIXELS = 1.47
"""Pixels for a point: 96/72, and a tenth more so that 9 points are as large as the text around."""

_TAG = re.compile(r"<[^>]*>")
_DECIMALS = re.compile(r"(\d\.\d\d)\d+")
"""Two decimals are enough for coordinates; the labels between the tags keep theirs."""

_SHORTER = (
    (re.compile(r"<!--.*?-->\s*", re.DOTALL), ""),
    # A rule for every element would reach the whole page; the head says the same for the picture.
    (re.compile(r"<defs>\s*<style.*?</style>\s*</defs>\s*", re.DOTALL), ""),
    (re.compile(r'<path d="[^"]*" style="fill: none; opacity: 0"/>\s*'), ""),
    (re.compile(r"font-family: [^;\"]*;? ?"), ""),
    (re.compile(r"\n\s*"), "\n"),
    (re.compile(re.escape(INK)), "currentColor"),
)


def canvas(width: float, height: float) -> Canvas:
    """Return an empty transparent figure of ``width`` x ``height`` inches.

    Create axes and draw inside ``style()``: matplotlib reads its settings when an artist is made.
    """
    figure = Canvas(figsize=(width, height), layout="constrained")
    FigureCanvasSVG(figure)
    figure.patch.set_alpha(0.0)
    return figure


def style(name: str) -> AbstractContextManager[None]:
    """Return a context in which figures get our colours, and the ids of ``name``'s SVG are fixed."""
    return matplotlib.rc_context({**_STYLE, "svg.hashsalt": name})


def quiet(axes: Axes) -> None:
    """Take away what carries no information: background, upper and right spine."""
    axes.patch.set_alpha(0.0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=2.5, labelsize=8)


def svg(figure: Canvas, name: str, alt: str) -> str:
    """Return a figure as one ``<svg>`` element, byte for byte the same on every call.

    Args:
        figure: drawn inside ``style(name)``.
        name: prefix of the ids, so that several figures fit into one page.
        alt: text for those who cannot see the picture.
    """
    buffer = io.StringIO()
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata=_METADATA, dpi=150)
    text = buffer.getvalue()
    text = text[text.index("<svg") :].strip()
    for pattern, replacement in _SHORTER:
        text = pattern.sub(replacement, text)
    text = _TAG.sub(lambda tag: _DECIMALS.sub(r"\1", tag.group(0)), text)
    return _own_ids(_head(text, alt), name)


def _head(text: str, alt: str) -> str:
    """Replace the opening tag: the size is the page's business, the ratio stays; name the picture."""
    end = text.index(">") + 1
    box = text[text.index('viewBox="') : end].split('"')[1]
    wide = float(box.split()[2]) * _PIXELS
    head = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{box}" role="img" aria-label="{escape(alt)}" font-family="{_FONT}" '
        f'stroke-linejoin="round" stroke-linecap="butt" style="--natural:{wide:.0f}px">'
    )
    return head + text[end:]


def _own_ids(text: str, name: str) -> str:
    """Drop ids that nothing refers to, and prefix the others with the figure's name."""
    used = set(re.findall(r'(?:href="|url\()#([^")]+)', text))

    def keep(match: "re.Match[str]") -> str:
        return f' id="{name}-{match.group(1)}"' if match.group(1) in used else ""

    text = re.sub(r' id="([^"]+)"', keep, text)
    return re.sub(r'(href="|url\()#', rf"\1#{name}-", text)
