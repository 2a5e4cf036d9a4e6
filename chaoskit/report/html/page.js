// Zoom, one cursor in all lanes, links to a view. Without it the page shows its pictures instead.
(() => {
  "use strict";
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const TONES = ["ok", "fail", "info"];
  const whole = data.span.map((t) => t / 1000);
  const state = { zoom: null, cursor: null, at: null, hovered: null };
  const charts = [];
  const ratio = () => window.devicePixelRatio || 1;

  // -- what the data says -----------------------------------------------------------------------

  const summed = (steps) => {
    let t = 0;
    return steps.map((step) => (t += step) / 1000);
  };
  const values = ([name, steps, y]) => ({ name, t: summed(steps), y: y.map((v) => v / 1e6) });
  const windows = data.windows.map(({ letter, name, kind, at }) => {
    const [asked, inForce, felt, healed] = at.map((t) => (t === null ? null : t / 1000));
    return { letter, name, kind, asked, inForce, felt, healed };
  });
  const inForceAt = (t) => windows.filter((w) => w.asked <= t && (w.healed === null || t <= w.healed));

  const lanes = data.lanes.map((lane) => {
    const starts = summed(lane.bars[0]);
    const moments = summed(lane.marks[0]);
    const [, lengths, rows, tones, labels] = lane.bars;
    const [, markRows, markTones, markLabels] = lane.marks;
    return {
      ...lane,
      points: lane.points.map(values),
      lines: lane.lines.map(values),
      bars: starts.map((start, n) => ({
        start,
        end: lengths[n] < 0 ? null : start + lengths[n] / 1000,
        row: rows[n],
        tone: TONES[tones[n]],
        label: labels[n],
      })),
      marks: moments.map((t, n) => ({
        start: t,
        end: t,
        row: markRows[n],
        tone: TONES[markTones[n]],
        label: markLabels[n],
      })),
      arrows: lane.arrows.map(([start, end, label]) => [start / 1000, end / 1000, label]),
    };
  });

  // -- drawing ----------------------------------------------------------------------------------

  let colours = {};
  const readColours = () => {
    const style = getComputedStyle(document.documentElement);
    const names = ["ok", "fail", "info", "ink", "quiet", "line", "band", "paper", "mark"];
    colours = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  };

  const clipped = (u, paint) => {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.textAlign = "left"; // the axes leave it at the right
    paint(ctx, ratio());
    ctx.restore();
  };

  const bands = (u) => {
    const { ctx, bbox } = u;
    const px = ratio();
    const x = (t) => Math.min(Math.max(u.valToPos(t, "x", true), bbox.left), bbox.left + bbox.width);
    ctx.save();
    ctx.font = `bold ${11 * px}px system-ui, sans-serif`;
    for (const w of windows) {
      const end = w.healed === null ? u.scales.x.max : w.healed;
      if (end < u.scales.x.min || w.asked > u.scales.x.max) continue;
      const left = x(w.asked);
      ctx.fillStyle = colours.band;
      ctx.globalAlpha = 0.12;
      ctx.fillRect(left, bbox.top, Math.max(x(end) - left, 1.5 * px), bbox.height);
      ctx.globalAlpha = 1;
      ctx.fillText(w.letter, left + 2 * px, bbox.top - 5 * px);
      ctx.strokeStyle = colours.band;
      const edges = [[w.asked, [1, 3], 1.4], [w.inForce, [], 1.4], [w.felt, [6, 3], 1.4], [w.healed, [], 2.4]];
      for (const [t, dash, wide] of edges) {
        if (t === null || t < u.scales.x.min || t > u.scales.x.max) continue;
        ctx.setLineDash(dash.map((part) => part * px));
        ctx.lineWidth = wide * px;
        ctx.beginPath();
        ctx.moveTo(x(t), bbox.top);
        ctx.lineTo(x(t), bbox.top + bbox.height);
        ctx.stroke();
      }
    }
    ctx.restore();
  };

  const shape = (ctx, tone, x, y, px, dot) => {
    const r = 3 * px;
    if (tone === "ok") {
      ctx.moveTo(x + dot * px, y);
      ctx.arc(x, y, dot * px, 0, 7);
    } else if (tone === "fail") {
      ctx.moveTo(x - r, y - r);
      ctx.lineTo(x + r, y + r);
      ctx.moveTo(x + r, y - r);
      ctx.lineTo(x - r, y + r);
    } else {
      ctx.rect(x - r, y - r, 2 * r, 2 * r);
    }
  };

  const within = (u, t) => t >= u.scales.x.min && t <= u.scales.x.max;
  const shapes = (ctx, px, tone, places, dot) => {
    ctx.beginPath();
    for (const [x, y] of places) shape(ctx, tone, x, y, px, dot);
    ctx.lineWidth = (tone === "fail" ? 1.8 : 1.4) * px;
    ctx.strokeStyle = ctx.fillStyle = colours[tone];
    if (tone === "ok") ctx.fill();
    else ctx.stroke();
  };

  const rowAt = (u, row) => u.valToPos(row + 0.5, "y", true);
  const DASHES = { p99: [5, 3], fail: [6, 3], info: [2, 2] };
  const BY_PLACE = [[], [5, 3], [2, 2], [9, 3, 2, 3], [12, 4], [1, 4]];
  const blocks = (u, lane, ctx, px) => {
    ctx.lineWidth = px;
    for (const bar of lane.bars) {
      const left = Math.max(u.valToPos(bar.start, "x", true), u.bbox.left);
      const wide = u.valToPos(bar.end === null ? u.scales.x.max : bar.end, "x", true) - left;
      if (wide < 0) continue;
      ctx.strokeStyle = colours.quiet;
      ctx.strokeRect(left, u.bbox.top, wide, u.bbox.height);
      bar.label.split(", ").forEach((text, n) => {
        ctx.font = `${n ? "" : "bold "}${11 * px}px system-ui, sans-serif`;
        ctx.fillStyle = n ? colours.quiet : colours.ink;
        const middle = u.bbox.top + u.bbox.height / 2;
        if (ctx.measureText(text).width + 6 * px < wide) ctx.fillText(text, left + 4 * px, middle + (13 * n - 3) * px);
      });
    }
  };
  const paint = (lane) => (u) =>
    clipped(u, (ctx, px) => {
      for (const [place, line] of lane.lines.entries()) {
        ctx.beginPath();
        line.t.forEach((t, n) => {
          const place = [u.valToPos(t, "x", true), u.valToPos(line.y[n], "y", true)];
          if (n) ctx.lineTo(...place);
          else ctx.moveTo(...place);
        });
        ctx.setLineDash((DASHES[line.name] || BY_PLACE[place % 6]).map((part) => part * px));
        ctx.lineWidth = 1.5 * px;
        ctx.strokeStyle = colours[line.name] || colours.ink;
        ctx.stroke();
        ctx.setLineDash([]);
      }
      const thick = Math.min(Math.max(u.bbox.height / Math.max(lane.rows.length, 1) - px, px), 9 * px);
      if (lane.blocks) blocks(u, lane, ctx, px);
      for (const bar of lane.blocks ? [] : lane.bars) {
        const end = bar.end === null ? u.scales.x.max : bar.end;
        if (end < u.scales.x.min || bar.start > u.scales.x.max) continue;
        const x = u.valToPos(bar.start, "x", true);
        const wide = Math.max(u.valToPos(end, "x", true) - x, px);
        const top = rowAt(u, bar.row) - thick / 2;
        ctx.fillStyle = colours[bar.tone];
        if (bar.tone === "ok") ctx.fillRect(x, top, wide, thick);
        else for (let at = 0; at < wide; at += 4 * px)
          ctx.fillRect(x + at, top, Math.min(bar.tone === "fail" ? 3 * px : 2 * px, wide - at), thick);
      }
      for (const { name, t, y } of lane.points) {
        const places = [];
        t.forEach((when, n) => {
          if (within(u, when)) places.push([u.valToPos(when, "x", true), u.valToPos(y[n], "y", true)]);
        });
        shapes(ctx, px, name, places, 1.5);
      }
      for (const tone of TONES) {
        const found = lane.marks.filter((mark) => mark.tone === tone && within(u, mark.start));
        const places = found.map((mark) => [u.valToPos(mark.start, "x", true), rowAt(u, mark.row)]);
        shapes(ctx, px, tone, places, 2.5);
      }
      for (const [start, end, label] of lane.arrows) {
        const y = u.bbox.top + 8 * px;
        const tip = u.valToPos(end, "x", true);
        ctx.beginPath();
        ctx.moveTo(u.valToPos(start, "x", true), y);
        ctx.lineTo(tip, y);
        ctx.moveTo(tip - 5 * px, y - 4 * px);
        ctx.lineTo(tip, y);
        ctx.lineTo(tip - 5 * px, y + 4 * px);
        ctx.lineWidth = 1.8 * px;
        ctx.strokeStyle = ctx.fillStyle = colours.ink;
        ctx.stroke();
        ctx.font = `${11 * px}px system-ui, sans-serif`;
        ctx.fillText(label, tip + 4 * px, y + 4 * px);
      }
    });

  // -- charts -----------------------------------------------------------------------------------

  const latency = (v) => (v >= 1 ? `${+v.toPrecision(6)} s` : `${+(v * 1000).toPrecision(6)} ms`);
  const scaleOf = (lane) => {
    if (lane.scale === "rows") return { range: () => [0, Math.max(lane.rows.length, 1)], dir: -1 };
    const range = () => [lane.low, lane.high];
    return lane.scale === "log" ? { distr: 3, range } : { range };
  };
  const valueAxis = (lane) => {
    const axis = { size: 84, stroke: () => colours.quiet, grid: { stroke: () => colours.line, width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
    if (lane.scale === "rows") {
      axis.grid = { show: false };
      axis.splits = () => lane.rows.map((_, n) => n + 0.5);
      axis.values = () => lane.rows.map((row) => (row.length > 13 ? `${row.slice(0, 12)}...` : row));
    } else {
      const text = lane.scale === "log" ? latency : (v) => `${+v.toPrecision(6)}${lane.unit}`;
      const decade = (v) => Math.abs(Math.log10(v) - Math.round(Math.log10(v))) < 1e-6;
      const told = (_, splits) => splits.map((v) => (lane.scale !== "log" || decade(v) ? v : null));
      axis.grid.filter = told;
      axis.filter = told;
      axis.values = (_, splits) => splits.map((v) => (v === null ? null : text(v)));
    }
    return axis;
  };
  const timeAxis = () => ({
    stroke: () => colours.quiet,
    grid: { show: false },
    ticks: { stroke: () => colours.line, size: 4 },
    size: 26,
    font: "11px system-ui, sans-serif",
    values: (_, splits) => splits.map((t) => `${+t.toFixed(3)} s`),
  });

  const makeChart = (lane, holder) => {
    const chart = new uPlot(
      {
        width: holder.clientWidth || 800,
        height: lane.height + 12,
        padding: [18, 10, 0, 0],
        legend: { show: false },
        scales: { x: { time: false, range: (_, low, high) => [low, high] }, y: scaleOf(lane) },
        axes: [timeAxis(), valueAxis(lane)],
        series: [{}, { show: true, paths: () => null, points: { show: false } }],
        cursor: {
          y: false,
          points: { show: false },
          drag: { x: true, y: false },
          sync: { key: "run", setSeries: false, scales: ["x", null] },
        },
        hooks: {
          drawClear: [bands],
          draw: [paint(lane)],
          setScale: [(u, key) => key === "x" && zoomed(u)],
          setCursor: [moved],
        },
      },
      [whole, [null, null]],
      holder,
    );
    chart.lane = lane;
    chart.over.addEventListener("mouseenter", () => (state.hovered = chart));
    chart.over.addEventListener("mouseleave", () => (state.hovered = null));
    return chart;
  };

  let spreading = false;
  const zoomed = (u) => {
    const { min, max } = u.scales.x;
    if (spreading || min === undefined || min === null) return;
    spreading = true;
    for (const other of charts)
      if (other !== u && (other.scales.x.min !== min || other.scales.x.max !== max)) other.setScale("x", { min, max });
    spreading = false;
    state.zoom = min <= whole[0] && max >= whole[1] ? null : [min, max];
    if (state.cursor !== null && !state.hovered) queueMicrotask(() => placeCursor(state.cursor));
    remember();
  };
  const zoomTo = (low, high) => {
    const shortest = 0.002;
    const min = Math.min(Math.max(low, whole[0]), whole[1] - shortest);
    const max = Math.max(Math.min(high, whole[1]), min + shortest);
    if (charts.length) charts[0].setScale("x", { min, max });
  };
  const view = () => state.zoom || whole;
  const zoomBy = (factor) => {
    const [low, high] = view();
    const middle = state.cursor !== null && state.cursor >= low && state.cursor <= high ? state.cursor : (low + high) / 2;
    zoomTo(middle - (middle - low) * factor, middle + (high - middle) * factor);
  };

  // -- the cursor -------------------------------------------------------------------------------

  let waiting = false;
  const moved = (u) => {
    if (u !== state.hovered || u.cursor.left < 0) return; // the others follow
    state.cursor = u.posToVal(u.cursor.left, "x");
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      tell();
      remember();
    });
  };
  const placeCursor = (t) => {
    const [low, high] = view();
    state.hovered = null;
    state.cursor = Math.min(Math.max(t, whole[0]), whole[1]);
    for (const u of charts) {
      const left = ((state.cursor - low) / (high - low)) * u.over.clientWidth;
      const seen = left >= 0 && left <= u.over.clientWidth;
      u.setCursor({ left: seen ? left : -10, top: u.over.clientHeight / 2 }, true, false);
    }
    tell();
    remember();
  };
  const tell = () => {
    const t = state.cursor;
    const active = inForceAt(t);
    const names = active.map((w) => `${w.letter} ${w.name}`).join(", ");
    byId("readout").textContent = `at ${t.toFixed(3)} s: ${names ? `in force: ${names}` : "no fault in force"}`;
    byId("near").textContent = near(t);
    const letters = new Map(active.map((w) => [w.letter, w.kind]));
    for (const part of document.querySelectorAll("[data-faults]")) {
      const hit = part.dataset.faults.split(" ").filter((letter) => letters.has(letter));
      part.classList.toggle("cut", hit.length > 0);
      const sign = part.querySelector(".cut-sign");
      if (sign) sign.textContent = hit.map((letter) => `${letter} ${letters.get(letter)}`).join(", ");
    }
    byId("map-time").textContent = `at ${t.toFixed(2)} s${names ? `, under ${names}` : ", no fault in force"}`;
  };
  const near = (t) => {
    const u = state.hovered;
    if (!u) return "";
    const lane = u.lane;
    const reach = (6 / u.over.clientWidth) * (u.scales.x.max - u.scales.x.min);
    if (lane.scale === "rows") {
      const row = u.posToVal(u.cursor.top, "y") - 0.5;
      let best = null;
      for (const one of [...lane.bars, ...lane.marks]) {
        const end = one.end === null ? Infinity : one.end;
        const far = Math.abs(one.row - row);
        if (t >= one.start - reach && t <= end + reach && far <= 1 && (!best || far < best[0])) best = [far, one];
      }
      return best ? `${best[1].start.toFixed(3)} s ${best[1].label}` : "";
    }
    if (!lane.points.length)
      return `${lane.title}: ${lane.lines.map(({ name, t: times, y }) => {
        const after = times.findIndex((when) => when >= t);
        return `${name} ${+y[after < 0 ? y.length - 1 : after].toFixed(1)}${lane.unit}`;
      }).join(", ")}`;
    let best = null;
    for (const { name, t: times, y } of lane.points)
      times.forEach((when, n) => {
        const far = Math.abs(when - t);
        if (far <= reach && (!best || far < best[0])) best = [far, `${when.toFixed(3)} s ${name} ${latency(y[n])}`];
      });
    return best ? `${lane.title}: ${best[1]}` : "";
  };

  // -- the view in the address ------------------------------------------------------------------

  let later = 0;
  const hash = () => {
    const parts = [];
    if (state.at) parts.push(`at=${encodeURIComponent(state.at)}`);
    if (state.zoom) parts.push(`t=${state.zoom.map((t) => Math.round(t * 1000)).join("-")}`);
    if (state.cursor !== null) parts.push(`c=${Math.round(state.cursor * 1000)}`);
    return parts.length ? `#${parts.join("&")}` : location.pathname;
  };
  const remember = () => {
    clearTimeout(later);
    later = setTimeout(() => history.replaceState(null, "", hash()), 150);
  };
  const restore = () => {
    const found = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
    const span = /^(\d+)-(\d+)$/.exec(found.t || "");
    if (span) zoomTo(span[1] / 1000, span[2] / 1000);
    if (/^\d+$/.test(found.c || "")) placeCursor(found.c / 1000); // again when the zoom is there
    const target = found.at ? byId(found.at) : null;
    if (target) target.focus();
    else if (span) byId("time").scrollIntoView();
  };

  // -- what a reader does -----------------------------------------------------------------------

  const findings = () => [...document.querySelectorAll(".finding, .fault")];
  const step = (by) => {
    const all = findings();
    if (!all.length) return;
    const here = all.findIndex((one) => one.id === state.at || one === document.activeElement);
    const next = all[here < 0 ? (by > 0 ? 0 : all.length - 1) : (here + by + all.length) % all.length];
    next.focus();
    next.scrollIntoView({ block: "start" });
  };
  const moveBy = (share) => {
    const [low, high] = view();
    placeCursor((state.cursor === null ? (low + high) / 2 : state.cursor) + share * (high - low));
  };
  const KEYS = {
    ArrowLeft: (event) => moveBy(event.shiftKey ? -0.05 : -0.005),
    ArrowRight: (event) => moveBy(event.shiftKey ? 0.05 : 0.005),
    "+": () => zoomBy(0.5),
    "=": () => zoomBy(0.5),
    "-": () => zoomBy(2),
    0: () => zoomTo(...whole),
    n: () => step(1),
    p: () => step(-1),
  };
  const copy = async (text, said) => {
    try {
      await navigator.clipboard.writeText(text);
      said("copied");
    } catch {
      said("this browser does not let a page copy: select it and copy by hand");
    }
  };

  const start = () => {
    readColours();
    for (const lane of lanes) {
      const holder = document.querySelector(`[data-lane="${CSS.escape(lane.id)}"]`);
      if (!holder) continue;
      holder.hidden = false;
      charts.push(makeChart(lane, holder));
      const picture = holder.parentElement.querySelector(".static");
      holder.setAttribute("role", "img");
      holder.setAttribute("aria-label", picture.querySelector("svg").getAttribute("aria-label"));
      picture.hidden = true;
    }
    for (const id of ["controls", "readout", "near", "copy-command"]) byId(id).hidden = false;
    byId("readout").textContent = "move over a lane to read it";
    byId("zoom-out").addEventListener("click", () => zoomTo(...whole));
    byId("zoom-in").addEventListener("click", () => zoomBy(0.5));
    byId("copy-link").addEventListener("click", () => {
      history.replaceState(null, "", hash());
      copy(location.href, (text) => (byId("readout").textContent = text));
    });
    byId("copy-command").addEventListener("click", () =>
      copy(byId("command").textContent, (text) => (byId("copied").textContent = text)),
    );
    for (const link of document.querySelectorAll("a.zoom"))
      link.addEventListener("click", (event) => {
        event.preventDefault();
        zoomTo(+link.dataset.from, +link.dataset.to);
        state.at = link.closest("article").id;
        byId("time").scrollIntoView();
        remember();
      });
    document.addEventListener("focusin", (event) => {
      const one = event.target.closest(".finding, .fault");
      if (one && one.id && one.id !== state.at) {
        state.at = one.id;
        remember();
      }
    });
    document.addEventListener("keydown", (event) => {
      const act = KEYS[event.key];
      if (!act || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("pre, .wide, .source")) return;
      event.preventDefault();
      act(event);
    });
    window.addEventListener("hashchange", restore);
    window.addEventListener("resize", () => {
      for (const u of charts) u.setSize({ width: u.root.parentElement.clientWidth, height: u.height });
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      readColours();
      for (const u of charts) u.redraw();
    });
    restore();
    document.documentElement.dataset.ready = "yes";
  };
  start();
})();
