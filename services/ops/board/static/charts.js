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

  const WRITE = {
    number: (number) => number.toLocaleString("en", { maximumFractionDigits: 2 }),
    money: (number) => number.toLocaleString("en", { maximumFractionDigits: 0 }),
    percent: (number) => `${(number * 100).toLocaleString("en", { maximumFractionDigits: 2 })} %`,
  };
  const SHORT = {
    ...WRITE,
    money: (number) => number.toLocaleString("en", { notation: "compact", maximumFractionDigits: 2 }),
  };
  const measured = (unit, colour) => ({ ...value("", colour), axisLabel: { color: colour.soft, formatter: SHORT[unit], hideOverlap: true } });
  const written = (unit) => ({ valueFormatter: (number) => number == null ? "–" : WRITE[unit](number) });
  const named = (names, colour) => ({ ...category(names, colour), axisLabel: { color: colour.ink, width: 140, overflow: "truncate" } });

  const ROOMY = { left: 24, right: 24, top: 8, bottom: 8, containLabel: true };

  const KINDS = {
    line: (said, colour) => ({
      ...frame(colour),
      grid: { ...ROOMY, left: 10, top: 14 },
      tooltip: { ...frame(colour).tooltip, trigger: "axis", ...written(said.unit) },
      xAxis: { ...category(said.days, colour), boundaryGap: false },
      yAxis: { ...measured(said.unit, colour), scale: true },
      series: [{ type: "line", symbol: said.days.length < 3 ? "circle" : "none", lineStyle: { width: 1.6 }, color: colour[said.tone ?? "accent"], areaStyle: { opacity: 0.1, origin: said.tone ? "auto" : "start" }, data: said.values }],
    }),
    across: (said, colour) => ({
      ...frame(colour),
      grid: ROOMY,
      tooltip: { ...frame(colour).tooltip, ...written(said.unit) },
      xAxis: measured(said.unit, colour),
      yAxis: named(said.bars.map((bar) => bar.name), colour),
      series: [{ type: "bar", barMaxWidth: 16, data: said.bars.map((bar) => ({ value: bar.value, itemStyle: { color: bar.value < 0 ? colour.bad : colour.good, borderRadius: 2 } })) }],
    }),
    waterfall: (said, colour) => {
      let reached = 0;
      const steps = said.steps.map((step) => {
        const from = reached;
        reached += step.value;
        return { ...step, from, to: reached };
      });
      steps.push({ name: "in all", value: reached, from: 0, to: reached, whole: true });
      steps.reverse();
      return {
        ...frame(colour),
        grid: ROOMY,
        tooltip: { ...frame(colour).tooltip, formatter: (event) => `${steps[event.dataIndex].name}: ${WRITE.money(steps[event.dataIndex].value)}` },
        xAxis: measured("money", colour),
        yAxis: named(steps.map((step) => step.name), colour),
        series: [{
          type: "custom",
          encode: { x: [0, 1], y: 2 },
          data: steps.map((step, place) => [step.from, step.to, place]),
          renderItem: (_, api) => {
            const step = steps[api.value(2)];
            const [left, middle] = api.coord([Math.min(step.from, step.to), api.value(2)]);
            const [right] = api.coord([Math.max(step.from, step.to), api.value(2)]);
            const thick = Math.min(api.size([0, 1])[1] * 0.6, 16);
            return { type: "rect", shape: { x: left, y: middle - thick / 2, width: Math.max(right - left, 1), height: thick, r: 2 }, style: { fill: step.whole ? colour.accent : step.value < 0 ? colour.bad : colour.good } };
          },
        }],
      };
    },
    heat: (said, colour) => ({
      ...frame(colour),
      grid: { left: 8, right: 60, top: 8, bottom: 8, containLabel: true },
      tooltip: { ...frame(colour).tooltip, formatter: ({ value: [x, y, found] }) => `${said.names[y]} and ${said.names[x]}: ${found === "-" ? "too few common sessions" : WRITE.number(found)}` },
      xAxis: { ...category(said.names, colour), axisLabel: { color: colour.soft, rotate: 90, fontSize: 11 } },
      yAxis: { ...category(said.names, colour), inverse: true, axisLabel: { color: colour.soft, fontSize: 11 } },
      visualMap: { min: -1, max: 1, calculable: false, orient: "vertical", right: 0, top: "middle", itemHeight: 110, textStyle: { color: colour.soft }, text: ["1", "−1"], inRange: { color: [colour.bad, colour.raised, colour.accent] } },
      series: [{ type: "heatmap", data: said.cells.flatMap((row, y) => row.map((found, x) => [x, y, found ?? "-"])), itemStyle: { borderColor: colour.raised, borderWidth: 1 } }],
    }),
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
