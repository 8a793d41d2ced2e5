"use strict";
// Keeps a view up to date: asks for it again when the server tells of a change, and now and then. The server draws
// everything; this script only exchanges what is drawn, moves through maps by arrow keys, and copies.
(() => {
  const FOLLOWED = 10000; // milliseconds between two looks while changes are told: round trips change without being told
  const POLLED = 3000; // the same while they are not
  const REFUSED = 60000; // milliseconds until changes are asked for again that were refused, as too many clients follow
  const SOON = 150; // milliseconds after a change, in which others may follow

  const main = document.getElementById("main");
  const foot = document.getElementById("foot");
  if (!foot) return;
  const announce = document.getElementById("announce");
  let timer = 0;
  let stream = null;
  let told = false;
  let lost = 0;

  const sentence = (root) => (root.querySelector("#sentence") || {}).textContent || "";

  function plan(delay) {
    clearTimeout(timer);
    timer = setTimeout(look, delay);
  }

  async function look() {
    const delay = () => (told ? FOLLOWED : POLLED);
    if (document.hidden) return;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
      if (answer.status === 401) return location.reload();
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      exchange(new DOMParser().parseFromString(await answer.text(), "text/html"));
      lost = 0;
    } catch {
      lost = lost || Date.now();
    }
    state();
    plan(delay());
  }

  // A place in the view that survives its being drawn anew: an id, or where a cell is in its table.
  function placeOf(element) {
    if (!element || !main.contains(element)) return null;
    if (element.id) return () => document.getElementById(element.id);
    const table = element.closest("table[id]");
    if (table) {
      const same = element.localName;
      const index = [...table.querySelectorAll(same)].indexOf(element);
      return () => (document.getElementById(table.id)?.querySelectorAll(same) || [])[index];
    }
    const href = element.getAttribute("href");
    return href ? () => main.querySelector(`a[href="${CSS.escape(href)}"]`) : null;
  }

  function exchange(fresh) {
    const selection = getSelection();
    if (selection && !selection.isCollapsed) return;
    const next = fresh.getElementById("main");
    if (!next) return;
    const before = sentence(main);
    const said = next.innerHTML;
    if (said !== drawn) {
      drawn = said;
      const place = placeOf(document.activeElement);
      const scrolled = [...main.querySelectorAll(".scroll[id]")].map((one) => [one.id, one.scrollLeft]);
      for (const one of main.querySelectorAll("details[id][open]")) {
        const same = next.querySelector(`#${CSS.escape(one.id)}`);
        if (same) same.open = true;
      }
      main.replaceChildren(...next.childNodes);
      document.body.className = fresh.body.className;
      document.title = fresh.title;
      for (const [id, left] of scrolled) {
        const one = document.getElementById(id);
        if (one) one.scrollLeft = left;
      }
      maps();
      const again = place && place();
      if (again) again.focus({ preventScroll: true });
    }
    const time = fresh.querySelector("#foot p");
    const own = foot.querySelector("p");
    if (time && own) {
      const link = document.getElementById("link");
      own.replaceChildren(...time.childNodes);
      own.querySelector("#link").replaceWith(link);
    }
    if (sentence(main) !== before) announce.textContent = sentence(main);
  }
  let drawn = main.innerHTML;

  function state() {
    const link = document.getElementById("link");
    link.className = lost ? "lost" : "";
    link.textContent = lost
      ? `No answer since ${new Date(lost).toLocaleTimeString()}: what is shown is older than that.`
      : told
        ? "Live."
        : "Asked for again every few seconds.";
  }

  // One stream a visible tab: browsers open few connections to one host.
  function follow() {
    if (stream || document.hidden) return;
    stream = new EventSource("/api/v1/events");
    stream.onopen = () => {
      told = true;
      state();
    };
    stream.onerror = () => {
      told = false;
      if (stream.readyState === EventSource.CLOSED) {
        stream = null;
        setTimeout(follow, REFUSED);
      }
      state();
      plan(POLLED);
    };
    for (const kind of ["verdict", "incident", "notice"]) stream.addEventListener(kind, () => plan(SOON));
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      if (stream) stream.close();
      stream = null;
      told = false;
    } else {
      follow();
      plan(0);
    }
  });

  // Maps: one cell is in the order of Tab, arrow keys move to the next one that was probed, and it is told in words.
  function maps() {
    for (const table of main.querySelectorAll("table.map")) {
      const first = table.querySelector("[tabindex]");
      if (first) first.tabIndex = 0;
    }
  }

  function tell(cell) {
    const detail = document.getElementById("detail");
    if (detail && cell && cell.title && cell.hasAttribute("tabindex")) detail.textContent = cell.title;
  }

  const STEPS = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };

  function neighbour(cell, [down, right]) {
    if (cell.localName === "span") {
      return right > 0 ? cell.nextElementSibling : right < 0 ? cell.previousElementSibling : null;
    }
    const rows = [...cell.closest("table").rows].filter((row) => row.querySelector("td[tabindex]"));
    let row = rows.indexOf(cell.parentElement);
    let column = cell.cellIndex;
    for (;;) {
      row += down;
      column += right;
      const there = rows[row] && rows[row].cells[column];
      if (!there || (right && there.localName === "th")) return null;
      if (there.hasAttribute("tabindex")) return there;
    }
  }

  main.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    const cell = event.target.closest("table.map [tabindex]");
    if (!step || !cell || event.ctrlKey || event.altKey || event.metaKey) return;
    const next = neighbour(cell, step);
    event.preventDefault();
    if (!next) return;
    cell.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });
  main.addEventListener("focusin", (event) => tell(event.target));
  main.addEventListener("mouseover", (event) => tell(event.target.closest("table.map [tabindex]")));

  async function copied(button, words) {
    const said = button.textContent;
    try {
      const text = await words();
      if (navigator.clipboard) {
        await navigator.clipboard.writeText(text);
      } else { // not encrypted: browsers have no other way there
        const area = document.createElement("textarea");
        area.value = text;
        document.body.append(area);
        area.select();
        document.execCommand("copy");
        area.remove();
        button.focus();
      }
      button.textContent = "Copied";
    } catch {
      button.textContent = "Could not be copied";
    }
    announce.textContent = button.textContent;
    setTimeout(() => (button.textContent = said), 2000);
  }
  const copies = {
    copy: async () => (await fetch(document.getElementById("as-text").href)).text(),
    "copy-link": async () => location.href,
  };
  for (const [id, words] of Object.entries(copies)) {
    const button = document.getElementById(id);
    button.hidden = false;
    button.addEventListener("click", () => copied(button, words));
  }

  maps();
  follow();
  state();
  plan(POLLED);
})();
