#pragma once
/// \file
/// The style sheet of the report.

#include <string_view>

namespace dermis::detail {

inline constexpr std::string_view style_sheet = R"css(
:root {
  color-scheme: light dark;
  --page: #ffffff; --panel: #f5f7f9; --ink: #1c2128; --soft: #59636e; --line: #d9dee5; --accent: #0072b2;
  --c1: #0072b2; --c2: #d55e00; --c3: #009e73; --c4: #b5578f; --c5: #c98500; --c6: #3f9fd8; --c7: #5b6470;
  --heat: 0, 98, 158;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171b; --panel: #1d2228; --ink: #e4e8ec; --soft: #9ba6b1; --line: #343c45; --accent: #67b4ee;
    --c1: #5aaeea; --c2: #ff9257; --c3: #3ccf9e; --c4: #e597c5; --c5: #f0b840; --c6: #a5d8f8; --c7: #b4bdc7;
    --heat: 32, 126, 190;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 2.5rem 1.25rem 4rem; max-width: 62rem; background: var(--page); color: var(--ink);
  font: 16px/1.6 system-ui, -apple-system, "Segoe UI", Roboto, Helvetica, Arial, sans-serif;
}
h1, h2, h3, h4 { line-height: 1.25; font-weight: 650; text-wrap: balance; }
h1 { margin: 0 0 .25rem; font-size: 2rem; letter-spacing: -.015em; }
h2 { margin: 3rem 0 1rem; padding-top: 1.25rem; border-top: 1px solid var(--line); font-size: 1.4rem; }
h3 { margin: 2rem 0 .75rem; font-size: 1.12rem; }
h4 { margin: 1.5rem 0 .5rem; font-size: 1rem; color: var(--soft); }
p { margin: 0 0 1rem; max-width: 46rem; overflow-wrap: anywhere; }
a { color: var(--accent); text-underline-offset: .15em; }
.subtitle { margin: 0; color: var(--soft); font-size: 1.05rem; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: 1.5rem 0 0; padding: 0; list-style: none; }
.notice { margin: 0 0 1.25rem; padding: .75rem 1rem; max-width: none; background: var(--panel); border-left: 4px solid var(--accent); border-radius: 0 6px 6px 0; }
pre { margin: 0 0 1.25rem; padding: .75rem 1rem; background: var(--panel); border-radius: 6px; font: .875rem/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .75rem; margin: 0 0 1.5rem; }
.tiles div { padding: .75rem 1rem; background: var(--panel); border-radius: 8px; display: flex; flex-direction: column-reverse; justify-content: flex-end; }
.tiles dt { color: var(--soft); font-size: .875rem; line-height: 1.35; }
.tiles dd { margin: 0; font-size: 1.5rem; font-weight: 650; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; margin: 0 0 1.5rem; }
table { border-collapse: collapse; font-size: .9375rem; font-variant-numeric: tabular-nums; }
caption, figcaption { color: var(--soft); font-size: .9rem; line-height: 1.5; text-align: left; max-width: 46rem; }
caption { padding: 0 0 .5rem; }
caption b, figcaption b { color: var(--ink); font-weight: 600; }
th, td { padding: .4rem .75rem; text-align: left; vertical-align: baseline; }
th { font-weight: 600; }
table.data { min-width: 50%; }
table.data thead th { border-bottom: 2px solid var(--soft); vertical-align: bottom; }
table.data tbody tr + tr > * { border-top: 1px solid var(--line); }
table.data tbody th { font-weight: 500; }
table.data:has(th:nth-child(8)) { font-size: .8125rem; }
table.data:has(th:nth-child(8)) :is(th, td) { padding-inline: .4rem; }
table.data :is(th, td).figure { text-align: right; white-space: nowrap; }
figure { margin: 0 0 2rem; }
figure .wide { margin: 0; }
header { margin: 0 0 1.75rem; }
figcaption { margin-top: .6rem; }
img { max-width: 100%; height: auto; vertical-align: middle; border-radius: 3px; }
img.hard { image-rendering: pixelated; }
svg.chart { display: block; width: 100%; min-width: 32rem; max-width: 720px; height: auto; }
table.gallery th, table.gallery td { padding: .3rem .6rem .3rem 0; vertical-align: middle; }
table.gallery thead th { color: var(--soft); font-weight: 500; }
table.gallery tbody th { min-width: 6rem; max-width: 36rem; font-weight: 500; }
table.gallery img { max-width: none; }
table.confusion { border-collapse: separate; border-spacing: 2px; font-size: .875rem; }
table.confusion th, table.confusion td { vertical-align: middle; }
table.confusion th { padding: .3rem .5rem; font-weight: 500; }
table.confusion thead th { text-align: center; vertical-align: bottom; }
table.confusion tbody th { text-align: right; white-space: nowrap; }
table.confusion .axis { color: var(--soft); font-weight: 400; }
table.confusion td { min-width: 3.4rem; padding: .35rem .4rem; text-align: center; line-height: 1.2; border-radius: 3px; }
table.confusion td.cell { box-shadow: inset 0 0 0 1px var(--line); }
table.confusion td.hot { color: #fff; }
table.confusion td.right { font-weight: 650; }
table.confusion small { display: block; font-size: .75rem; font-weight: 400; opacity: .8; }
@media (max-width: 40rem) { body { padding-top: 1.5rem; } h1 { font-size: 1.6rem; } }
@page { margin: 16mm; }
@media print {
  :root {
    --page: #ffffff; --panel: #f5f7f9; --ink: #000000; --soft: #444b53; --line: #c9ced5; --accent: #0072b2;
    --c1: #0072b2; --c2: #d55e00; --c3: #009e73; --c4: #b5578f; --c5: #c98500; --c6: #3f9fd8; --c7: #5b6470;
    --heat: 0, 98, 158; color-scheme: light;
  }
  body { max-width: none; padding: 0; font-size: 10.5pt; }
  nav { display: none; }
  h2, h3, h4 { break-after: avoid; }
  figure, tr, .notice, .tiles { break-inside: avoid; }
  thead { display: table-header-group; }
  .wide { overflow: visible; }
  svg.chart { min-width: 0; }
  table.gallery img { max-width: 100%; }
  .tiles div, .notice, pre, table.confusion td { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
}
)css";

}  // namespace dermis::detail
