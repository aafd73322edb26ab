// What pages can do beyond plain HTML: keys, questions before what cannot be undone, live parts that wait
// while somebody reads. Nothing here is needed to use the console.
"use strict";
(() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const rows = () => all("tr[data-href]");
  const ticked = () => all('td.tick input:checked');
  let here = -1;
  let goes = false;

  document.addEventListener("htmx:configRequest", (event) => {
    event.detail.headers["x-csrf-token"] = document.querySelector('meta[name="csrf"]').content;
  });

  // a live part is left alone while it has the focus, or something in it is selected
  document.addEventListener("htmx:beforeRequest", (event) => {
    const part = event.detail.elt;
    const selection = document.getSelection();
    const isSelected = selection && !selection.isCollapsed && part.contains(selection.anchorNode);
    const hasFocus = part !== document.activeElement && part.contains(document.activeElement);
    if (event.detail.requestConfig.verb === "get" && (isSelected || hasFocus || document.hidden)) event.preventDefault();
  });

  document.addEventListener("click", (event) => {
    const asks = event.target.closest("[data-confirm]");
    if (asks && !window.confirm(asks.dataset.confirm)) { event.preventDefault(); return; }
    const copied = event.target.closest("[data-copy]");
    if (copied && document.getSelection().isCollapsed && navigator.clipboard) navigator.clipboard.writeText(copied.textContent);
    const row = event.target.closest("tr[data-href]");
    if (row && document.getSelection().isCollapsed && !event.target.closest("a, button, input, label")) location.href = row.dataset.href;
  });

  const move = (by) => {
    const list = rows();
    if (!list.length) return;
    list[here]?.classList.remove("here");
    here = Math.max(0, Math.min(list.length - 1, here + by));
    list[here].classList.add("here");
    list[here].scrollIntoView({ block: "nearest" });
    list[here].querySelector("a.row")?.focus({ preventScroll: true });
  };

  const replay = () => {
    const button = document.querySelector("[data-replay]");
    if (!button || (document.getElementById("list") && !ticked().length)) return;
    button.click();
  };

  const places = { o: "/", d: "/deliveries", f: "/failures", h: "/handlers" };
  const keys = {
    "/": () => { const field = document.getElementById("q"); if (field) { field.focus(); field.select(); } else location.href = "/deliveries"; },
    "j": () => move(1),
    "k": () => move(-1),
    "x": () => { const box = rows()[here]?.querySelector(".tick input"); if (box) box.checked = !box.checked; },
    "r": replay,
    ".": () => location.reload(),
    "?": () => document.getElementById("keys")?.showModal(),
    "g": () => { goes = true; setTimeout(() => { goes = false; }, 1200); },
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("input:not([type=checkbox]), select, textarea")) { if (event.key === "Escape") event.target.blur(); return; }
    if (document.querySelector("dialog[open]")) return;
    if (goes && places[event.key]) { location.href = places[event.key]; return; }
    const act = keys[event.key];
    if (act) { event.preventDefault(); act(); }
  });
})();
