const shown = [];
function show(name, spec) {
  shown.push([name, spec]);
}
function draw(name, spec) {
  const element = document.getElementById(name);
  (function fit(part) {  // fits the legend's columns to the width, like colours() in charts.py
    if (part === null || typeof part !== 'object') return;
    if (part.scale && part.scale.domain && part.legend && part.legend.columns) {
      const longest = Math.max(...part.scale.domain.map((label) => label.length));
      const columns = Math.floor((element.clientWidth - 60) / (7 * longest + 44));
      const letters = Math.max(12, Math.floor((element.clientWidth - 104) / 8));  // in a line, like label_lines(), in any font
      part.legend.labelExpr = part.legend.labelExpr.replace(/\d+(?=}\))/g, letters);
      part.legend.columns = Math.max(1, Math.min(part.scale.domain.length, columns));
    }
    Object.values(part).forEach(fit);
  })(Object.fromEntries(Object.entries(spec).filter(([key]) => key !== 'datasets' && key !== 'data')));
  const actions = {export: true, source: false, compiled: false, editor: false};
  vegaEmbed(element, spec, {renderer: 'svg', actions}).catch(console.error);
}
addEventListener('DOMContentLoaded', () => shown.forEach(([name, spec]) => draw(name, spec)));
addEventListener('beforeprint', () => document.querySelectorAll('details').forEach((details) => { details.open = true; }));
