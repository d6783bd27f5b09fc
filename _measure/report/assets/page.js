// What the report's pages do beyond showing: sorting, filtering, the view slider, keys. Everything works without it.
"use strict";

document.documentElement.classList.add("with-script");

for (const table of document.querySelectorAll("[data-sortable]")) {
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  heads.forEach((head, place) => head.querySelector("button").addEventListener("click", () => {
    // The first click puts the best on top, the second the worst; rows without a number stay below.
    const bestFirst = head.dataset.better === "higher" ? "descending" : "ascending";
    const other = bestFirst === "ascending" ? "descending" : "ascending";
    const order = head.getAttribute("aria-sort") === bestFirst ? other : bestFirst;
    const sign = order === "ascending" ? 1 : -1;
    const number = (row) => (row.cells[place].dataset.number === undefined ? NaN : Number(row.cells[place].dataset.number));
    const compare = (a, b) => {
      if (place === 0) return sign * a.dataset.name.localeCompare(b.dataset.name, undefined, { numeric: true });
      const x = number(a), y = number(b);
      return isNaN(x) || isNaN(y) ? isNaN(x) - isNaN(y) : sign * (x - y);
    };
    heads.forEach((cell) => cell.setAttribute("aria-sort", cell === head ? order : "none"));
    body.append(...[...body.rows].sort(compare));
  }));
}

for (const field of document.querySelectorAll("[data-filter]")) {
  field.addEventListener("input", () => {
    const wanted = field.value.trim().toLowerCase();
    for (const entry of document.querySelectorAll("[data-name]"))
      entry.hidden = !entry.dataset.name.toLowerCase().includes(wanted);
  });
}

for (const box of document.querySelectorAll("[data-boxes]")) {
  const show = () => document.body.classList.toggle("without-boxes", !box.checked);
  box.addEventListener("change", show);
  show();
}

for (const around of document.querySelectorAll("[data-around]")) {
  const shown = (figure) => getComputedStyle(figure).display !== "none";
  const source = (view, side) => [...view.querySelectorAll(`[data-side=${side}]`)].find(shown)?.querySelector("img")?.src;
  const views = [...document.querySelectorAll("[data-view^=rgb60]")].filter((view) => source(view, "ours"));
  const sides = [...around.querySelectorAll("[data-side]")].filter((image) => views.every((view) => source(view, image.dataset.side)));
  const slider = around.querySelector("[data-do=step]");
  const play = around.querySelector("[data-do=play]");
  let timer = 0;
  const show = () => {
    const view = views[slider.value];
    for (const image of sides) image.src = source(view, image.dataset.side);
    around.querySelector("output").value = view.querySelector("h3").firstChild.data.trim();
  };
  const toggle = (on) => {
    clearInterval(timer);
    play.setAttribute("aria-pressed", on);
    if (on) timer = setInterval(() => { slider.value = (Number(slider.value) + 1) % views.length; show(); }, 220);
  };
  if (views.length > 1) {
    around.hidden = false;
    slider.max = views.length - 1;
    for (const image of around.querySelectorAll("[data-side]")) image.closest("figure").hidden = !sides.includes(image);
    slider.addEventListener("input", () => { toggle(false); show(); });
    play.addEventListener("click", () => toggle(play.getAttribute("aria-pressed") !== "true"));
    for (const choice of document.querySelectorAll("[name=paste]")) choice.addEventListener("change", show);
    show();
  }
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, canvas")) return;
  const relation = { n: "next", p: "prev" }[event.key];
  if (relation) document.querySelector(`a[rel=${relation}]`)?.click();
});
