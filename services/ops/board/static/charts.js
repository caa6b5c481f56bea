// Charts from what their elements say in data-chart, in the colours of the page. Nothing is written into the page as text.
"use strict";
{
  const colours = () => {
    const probe = document.body.appendChild(document.createElement("i"));
    const read = (name) => {
      probe.style.color = `var(--${name})`;
      return getComputedStyle(probe).color;
    };
    const found = Object.fromEntries(["ink", "soft", "line", "accent", "good", "warn", "bad", "busy", "raised"].map((name) => [name, read(name)]));
    probe.remove();
    return found;
  };
  const OF_STATES = { completed: "good", completed_with_errors: "warn", failed: "bad", cancelled: "soft", active: "busy" };

  const frame = (colour) => ({
    animation: false,
    textStyle: { fontFamily: "system-ui, sans-serif", color: colour.soft },
    grid: { left: 8, right: 12, top: 26, bottom: 6, containLabel: true },
    // Rich text is drawn: as HTML it would need styles of its own.
    tooltip: { renderMode: "richText", backgroundColor: colour.raised, borderColor: colour.line, textStyle: { color: colour.ink, fontSize: 12 } },
  });
  const category = (names, colour) => ({ type: "category", data: names, axisLine: { lineStyle: { color: colour.line } }, axisTick: { show: false }, axisLabel: { color: colour.soft, hideOverlap: true } });
  const value = (name, colour) => ({ type: "value", name, nameTextStyle: { color: colour.soft, align: "right" }, axisLabel: { color: colour.soft }, splitLine: { lineStyle: { color: colour.line } } });

  const KINDS = {
    bars: (said, colour) => ({
      ...frame(colour),
      xAxis: category(said.bars.map((bar) => bar.name), colour),
      yAxis: value(said.unit, colour),
      series: [{
        type: "bar",
        barMaxWidth: 22,
        data: said.bars.map((bar) => ({ value: bar.value, address: bar.address, itemStyle: { color: colour[OF_STATES[bar.state] ?? "accent"], borderRadius: [3, 3, 0, 0] } })),
      }],
    }),
  };

  const drawn = [];
  const draw = () => {
    const colour = colours();
    for (const [chart, said] of drawn) chart.setOption(KINDS[said.kind](said, colour), true);
  };
  for (const element of document.querySelectorAll("[data-chart]")) {
    const chart = echarts.init(element);
    chart.on("click", (event) => { if (event.data?.address) location.href = event.data.address; });
    drawn.push([chart, JSON.parse(element.dataset.chart)]);
    new ResizeObserver(() => chart.resize()).observe(element);
  }
  draw();
  document.addEventListener("theme", draw);
}
