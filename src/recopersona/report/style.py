"""How pages and charts look: light and dark, wide and narrow, on the screen and on paper.

A chart carries its own style, so that it looks the same in a report and in any other page.
Colours follow Okabe and Ito (2008), "Color Universal Design", which readers of every colour vision
tell apart; on a dark ground they are lighter. Places are percentages and text has a fixed size, so
a narrow screen squeezes the picture and not the words.
"""

from __future__ import annotations

from recopersona.report.markup import Markup

_FONT = (
    'system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","Noto Sans","Liberation Sans",'
    "Arial,sans-serif"
)
_LIGHT = (
    "--rp-ground:#fff;--rp-ink:#1b2430;--rp-muted:#5a6675;--rp-grid:#e3e7ec;--rp-axis:#aab3bf;"
    "--rp-quiet:#9aa5b1;--rp-accent:#0068a8;--rp-tint:#eef4f9"
)
_DARK = (
    "--rp-ground:#14181e;--rp-ink:#e7eaee;--rp-muted:#a0abb8;--rp-grid:#2a313a;--rp-axis:#57626f;"
    "--rp-quiet:#75818e;--rp-accent:#6cbcec;--rp-tint:#1b2530"
)
_SERIES_LIGHT = ("#0072b2", "#d55e00", "#009e73", "#b0568c", "#c98a00", "#56b4e9")
_SERIES_DARK = ("#56b4e9", "#f08a45", "#2ac59a", "#e29ac6", "#efb92f", "#a9d9f5")
SERIES = len(_SERIES_LIGHT)
"""How many colours there are for series; further ones repeat them with broken lines."""


def _series(colours: tuple[str, ...]) -> str:
    return "".join(f".rp-s{i}{{--rp-c:{colour}}}" for i, colour in enumerate(colours))


CHART_STYLE = Markup(
    f"""
.rp-chart{{{_LIGHT};--rp-l:var(--rp-left);--rp-r:var(--rp-right);display:block;
box-sizing:border-box;width:100%;overflow:visible;background:var(--rp-ground);
padding:var(--rp-top) var(--rp-r) var(--rp-bottom) var(--rp-l);
font:13px/1.25 {_FONT};font-variant-numeric:tabular-nums;--rp-c:var(--rp-accent)}}
.rp-chart text{{fill:var(--rp-ink);paint-order:stroke;stroke:var(--rp-ground);stroke-width:3px;
stroke-linejoin:round}}
.rp-chart .rp-head{{transform:translateX(calc(-1*var(--rp-l)))}}
.rp-chart .rp-title{{font-weight:600;font-size:14px}}
.rp-chart .rp-soft{{fill:var(--rp-muted);font-size:12px}}
.rp-chart .rp-middle{{text-anchor:middle}}
.rp-chart .rp-end{{text-anchor:end}}
.rp-grid{{stroke:var(--rp-grid);stroke-width:1px;shape-rendering:crispEdges}}
.rp-axis{{stroke:var(--rp-axis);stroke-width:1px;shape-rendering:crispEdges}}
.rp-mark{{stroke:var(--rp-muted);stroke-width:1px;stroke-dasharray:3 3}}
.rp-quiet{{--rp-c:var(--rp-quiet)}}
{_series(_SERIES_LIGHT)}
.rp-dot{{fill:var(--rp-c);stroke:var(--rp-ground);stroke-width:2px}}
.rp-bar{{fill:var(--rp-c)}}
.rp-range{{stroke:var(--rp-c);stroke-width:5px;stroke-linecap:round;opacity:.38}}
.rp-line{{fill:none;stroke:var(--rp-c);stroke-width:2px;stroke-linejoin:round;
stroke-linecap:round;vector-effect:non-scaling-stroke}}
.rp-broken{{stroke-dasharray:6 4}}
.rp-chart .rp-strong{{font-weight:600}}
.rp-chart .rp-label{{text-anchor:end;transform:translate(-12px,4.5px)}}
.rp-chart .rp-right{{transform:translate(12px,4.5px)}}
.rp-chart .rp-after{{transform:translate(7px,4.5px)}}
.rp-chart .rp-led{{transform:translate(20px,4.5px)}}
.rp-chart .rp-before{{text-anchor:end;transform:translate(-7px,4.5px)}}
@media (max-width:560px){{
.rp-chart{{--rp-l:var(--rp-left-narrow);--rp-r:var(--rp-right-narrow)}}
.rp-chart .rp-wide{{display:none}}
.rp-chart .rp-label{{text-anchor:start;transform:translate(calc(-1*var(--rp-l)),-11px)}}
.rp-chart .rp-right{{text-anchor:end;transform:translate(var(--rp-r),-11px)}}
}}
@media screen and (prefers-color-scheme:dark){{
.rp-chart{{{_DARK}}}
{_series(_SERIES_DARK)}
}}
""".replace("\n", "")
)

PAGE_STYLE = Markup(
    f"""
:root{{{_LIGHT};color-scheme:light dark}}
*{{box-sizing:border-box}}
html{{-webkit-text-size-adjust:100%;scroll-behavior:smooth}}
body{{margin:0;background:var(--rp-ground);color:var(--rp-ink);font:16px/1.55 {_FONT};
overflow-wrap:break-word}}
main{{max-width:820px;margin:0 auto;padding:48px 24px 72px}}
h1{{font-size:30px;line-height:1.2;letter-spacing:-.015em;margin:0}}
.lead{{margin:8px 0 0;color:var(--rp-muted);font-size:17px}}
header{{padding-bottom:24px;border-bottom:1px solid var(--rp-grid)}}
nav{{margin-top:20px;font-size:14px}}
nav ol{{display:flex;flex-wrap:wrap;gap:4px 20px;margin:0;padding:0;list-style:none}}
a{{color:var(--rp-accent);text-decoration:none}}
a:hover,a:focus{{text-decoration:underline}}
h2{{font-size:21px;line-height:1.3;letter-spacing:-.01em;margin:48px 0 0;scroll-margin-top:16px}}
p{{margin:8px 0 0;max-width:68ch}}
.note{{margin:20px 0 0;padding:10px 16px;border-left:3px solid var(--rp-accent);
background:var(--rp-tint);font-size:15px}}
.note p:first-child{{margin-top:0}}
.facts{{display:grid;grid-template-columns:repeat(auto-fit,minmax(132px,1fr));gap:20px 24px;
margin:24px 0 0}}
.facts div{{border-top:2px solid var(--rp-accent);padding-top:8px}}
.facts dt{{color:var(--rp-muted);font-size:13px;line-height:1.3}}
.facts dd{{margin:0;font-size:24px;font-weight:600;line-height:1.25;letter-spacing:-.01em;
font-variant-numeric:tabular-nums}}
.facts div{{display:flex;flex-direction:column-reverse;justify-content:flex-end}}
figure{{margin:28px 0 0}}
figcaption{{margin-bottom:8px;font-size:14px;line-height:1.45;color:var(--rp-muted);max-width:76ch}}
svg+figcaption{{margin:8px 0 0}}
.scroll{{overflow-x:auto}}
table{{border-collapse:collapse;font-size:14px;line-height:1.4;
font-variant-numeric:tabular-nums;width:100%}}
th,td{{padding:7px 20px 7px 0;text-align:left;vertical-align:top;
border-bottom:1px solid var(--rp-grid)}}
th:last-child,td:last-child{{padding-right:4px}}
thead th{{color:var(--rp-muted);font-weight:600;font-size:13px;vertical-align:bottom;
border-bottom:1px solid var(--rp-axis)}}
tbody th{{font-weight:500;position:sticky;left:0;background:var(--rp-ground);max-width:22em}}
td{{max-width:26em}}
.num{{text-align:right;white-space:nowrap}}
.words{{min-width:11em}}
.gap{{color:var(--rp-muted)}}
.best{{font-weight:700;color:var(--rp-accent)}}
.more{{color:var(--rp-muted);font-size:13px}}
@media (max-width:560px){{
main{{padding:28px 16px 48px}}
h1{{font-size:25px}}
h2{{font-size:19px;margin-top:40px}}
.facts dd{{font-size:20px}}
th,td{{padding-right:14px}}
tbody th{{max-width:11em}}
}}
@media screen and (prefers-color-scheme:dark){{:root{{{_DARK}}}}}
@media print{{
@page{{margin:16mm}}
main{{max-width:none;padding:0}}
nav{{display:none}}
body{{font-size:11pt}}
h2{{break-after:avoid;margin-top:28px}}
figure,.note,.facts,tr{{break-inside:avoid}}
figcaption:first-child,h2+p{{break-after:avoid}}
figure.long{{break-inside:auto}}
.scroll{{overflow:visible}}
tbody th{{position:static}}
}}
""".replace("\n", "")
)
