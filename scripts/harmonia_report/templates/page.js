// What a page gains where scripts run: tables that sort by a column, and plots with values under the pointer and zoom. Without scripts the tables
// and the plots stand as they are.
(function () {
  "use strict";
  var prefixes = { f: 1e-15, p: 1e-12, n: 1e-9, "µ": 1e-6, u: 1e-6, m: 1e-3, k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15 };

  // "84.4 ms" is a number of seconds; "-" and texts are none.
  function number(text) {
    var match = /^([-+]?[0-9.]+(?:e[-+]?[0-9]+)?)x?(?:\s+([fpnµumkMGTP])(?=[A-Za-z]|$))?/.exec(text.replace(/,/g, ""));
    if (!match) return NaN;
    return parseFloat(match[1]) * (match[2] && !/^\S+\s(mm|tokens|months)/.test(text) ? prefixes[match[2]] : 1);
  }

  function sortable(table) {
    var heads = table.tHead ? table.tHead.rows[0].cells : [];
    var body = table.tBodies[0];
    if (!body || body.rows.length < 3) return;
    Array.prototype.forEach.call(heads, function (head, column) {
      if (!head.textContent.trim()) return;
      var button = document.createElement("button");
      button.type = "button";
      while (head.firstChild) button.appendChild(head.firstChild);
      head.appendChild(button);
      button.addEventListener("click", function () {
        var down = head.getAttribute("aria-sort") === "ascending";
        Array.prototype.forEach.call(heads, function (h) { h.removeAttribute("aria-sort"); });
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        var rows = Array.prototype.map.call(body.rows, function (row, at) {
          var text = row.cells[column] ? row.cells[column].textContent.trim() : "";
          return { row: row, at: at, text: text, number: number(text), total: /^(total|all)$/i.test(row.cells[0].textContent.trim()) };
        });
        rows.sort(function (a, b) {
          if (a.total !== b.total) return a.total ? 1 : -1;  // sums stay below what they add up
          var an = isNaN(a.number), bn = isNaN(b.number), order;
          if (an !== bn) return an ? 1 : -1;
          order = an ? a.text.localeCompare(b.text) : a.number - b.number;
          return order === 0 ? a.at - b.at : down ? -order : order;
        });
        rows.forEach(function (r) { body.appendChild(r.row); });
      });
    });
  }

  // Colours of the static plots; lines differ in their dashes as well.
  var colours = ["#0072B2", "#B87400", "#007A5A", "#A8477F", "#1F7FB8", "#C04E00", "#7A6F00", "#666666", "#000000"];
  var dashes = [[], [8, 4], [2, 3], [10, 3, 2, 3], [4, 4], [12, 4], [1, 2], [6, 2, 2, 2], [3, 6]];

  // Opaque, since areas lie on each other.
  function light(colour) {
    return "rgb(" + [1, 3, 5].map(function (k) { return Math.round(0.45 * parseInt(colour.slice(k, k + 2), 16) + 0.55 * 255); }).join(",") + ")";
  }

  function chart(figure, description) {
    var data = JSON.parse(description.textContent);
    var x = data.x.values, values = data.series.map(function (s) { return s.values.slice(); });
    var holder = document.createElement("div");
    holder.className = "chart";
    holder.tabIndex = 0;
    holder.setAttribute("role", "application");
    holder.setAttribute("aria-label", figure.querySelector(".plot").getAttribute("aria-label") +
      ". Arrow keys move the cursor, plus and minus zoom, 0 shows everything; the values are read out below.");
    var said = document.createElement("span");
    said.setAttribute("aria-live", "polite");
    var format = function (v) { return v == null ? "-" : String(parseFloat(v.toPrecision(4))); };
    var drawn = data.stacked ? values.map(function (_, i) {
      return x.map(function (_, k) { var sum = 0; for (var j = 0; j <= i; ++j) sum += values[j][k] || 0; return sum; });
    }) : values;
    // The largest sum is drawn first, so that the smaller ones cover it.
    var order = drawn.map(function (_, i) { return i; });
    if (data.stacked) order.reverse();
    var paths = data.stepped ? uPlot.paths.stepped({ align: 1 }) : undefined;
    var plot = new uPlot({
      width: Math.max(280, Math.min(1080, figure.clientWidth || 900)), height: 340,
      cursor: { drag: { x: true, y: false } },
      scales: { x: { time: false }, y: { range: function (u, low, high) { return [Math.min(0, low), high * 1.05 || 1]; } } },
      axes: [{ label: data.x.label, stroke: "#111", grid: { stroke: "#ddd" } }, { label: data.y.label, stroke: "#111", grid: { stroke: "#ddd" }, size: 64 }],
      series: [{ label: data.x.label, value: function (u, v) { return format(v); } }].concat(order.map(function (i) {
        return { label: data.series[i].label, stroke: data.series[i].plain ? "#000" : colours[i % 9], width: 2, dash: data.series[i].plain ? [6, 6] : dashes[i % 9], paths: paths,
                 fill: data.stacked && !data.series[i].plain ? light(colours[i % 9]) : undefined, points: { show: false },
                 value: function (u, v, s, k) { return k == null ? "-" : format(values[i][k]); } };
      })),
    }, [x].concat(order.map(function (i) { return data.series[i].plain ? values[i] : drawn[i]; })), holder);

    function zoom(factor) {
      var s = plot.scales.x, middle = plot.cursor.idx == null ? (s.min + s.max) / 2 : x[plot.cursor.idx];
      var half = (s.max - s.min) * factor / 2;
      var low = Math.max(x[0], middle - half), high = Math.min(x[x.length - 1], middle + half);
      if (high > low) plot.setScale("x", { min: low, max: high });
    }
    function all() { plot.setScale("x", { min: x[0], max: x[x.length - 1] }); }
    function move(step) {
      var at = Math.max(0, Math.min(x.length - 1, (plot.cursor.idx == null ? -1 : plot.cursor.idx) + step));
      plot.setCursor({ left: plot.valToPos(x[at], "x"), top: 10 });
      said.textContent = data.x.label + " " + format(x[at]) + ": " + data.series.map(function (s, i) { return s.label + " " + format(values[i][at]); }).join(", ");
    }
    holder.addEventListener("keydown", function (event) {
      var done = true;
      if (event.key === "ArrowRight") move(1);
      else if (event.key === "ArrowLeft") move(-1);
      else if (event.key === "+" || event.key === "=") zoom(0.5);
      else if (event.key === "-") zoom(2);
      else if (event.key === "0" || event.key === "Home") all();
      else done = false;
      if (done) event.preventDefault();
    });
    var tools = document.createElement("div");
    tools.className = "tools";
    [["Zoom in", function () { zoom(0.5); }], ["Zoom out", function () { zoom(2); }], ["Show all", all],
     ["Fixed plot", function (event) {
       var fixed = figure.classList.toggle("interactive");
       event.target.textContent = fixed ? "Fixed plot" : "Interactive plot";
       holder.style.display = fixed ? "" : "none";
     }]].forEach(function (tool) {
      var button = document.createElement("button");
      button.type = "button";
      button.textContent = tool[0];
      button.addEventListener("click", tool[1]);
      tools.appendChild(button);
    });
    tools.appendChild(said);
    figure.insertBefore(tools, figure.firstChild);
    figure.insertBefore(holder, tools.nextSibling);
    figure.classList.add("interactive");
    window.addEventListener("resize", function () { plot.setSize({ width: Math.max(280, Math.min(1080, figure.clientWidth)), height: 340 }); });
  }

  Array.prototype.forEach.call(document.querySelectorAll("main table"), sortable);
  if (window.uPlot)
    Array.prototype.forEach.call(document.querySelectorAll("script.chart"), function (description) { chart(description.parentNode, description); });
})();
