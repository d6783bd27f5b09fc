// What the report's pages do beyond showing: sorting, filtering, the view slider, keys. Everything works without it.
"use strict";

document.documentElement.classList.add("with-script");

// One order for the table and the cards: chosen by a click on a column's head, or in the list above the cards.
for (const table of document.querySelectorAll("[data-sortable]")) {
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0], cards = document.querySelector("[data-cards]");
  const choice = document.querySelector("[data-do=order]"), turn = document.querySelector("[data-do=turn]");
  const listed = [...body.rows];
  const best = (head) => (head.dataset.better === "higher" ? "descending" : "ascending");
  const other = (order) => (order === "ascending" ? "descending" : "ascending");

  const sort = (place, order) => {
    const sign = order === "ascending" ? 1 : -1;
    const number = (row) => (row.cells[place].dataset.number === undefined ? NaN : Number(row.cells[place].dataset.number));
    // Rows without a number stay below in either order.
    const compare = (a, b) => {
      if (place === 0) return sign * a.dataset.name.localeCompare(b.dataset.name, undefined, { numeric: true });
      const x = number(a), y = number(b);
      return isNaN(x) || isNaN(y) ? isNaN(x) - isNaN(y) : sign * (x - y);
    };
    const rows = place < 0 ? listed : [...listed].sort(compare);
    heads.forEach((cell, index) => cell.setAttribute("aria-sort", index === place ? order : "none"));
    body.append(...rows);
    const card = new Map([...cards.children].map((entry) => [entry.dataset.name, entry]));
    cards.append(...rows.map((row) => card.get(row.dataset.name)));
    choice.value = place;
    turn.disabled = place < 0;
    turn.textContent = place >= 0 && order === best(heads[place]) ? "worst first" : "best first";
  };
  // The first click puts the best on top, the second the worst.
  const click = (place) => sort(place, heads[place].getAttribute("aria-sort") === best(heads[place]) ? other(best(heads[place])) : best(heads[place]));

  heads.forEach((head, place) => head.querySelector("button").addEventListener("click", () => click(place)));
  choice.addEventListener("change", () => sort(Number(choice.value), choice.value < 0 ? "" : best(heads[choice.value])));
  turn.addEventListener("click", () => click(Number(choice.value)));
}

for (const field of document.querySelectorAll("[data-filter]")) {
  field.addEventListener("input", () => {
    const wanted = field.value.trim().toLowerCase();
    for (const entry of document.querySelectorAll("[data-name]"))
      entry.toggleAttribute("hidden", !entry.dataset.name.toLowerCase().includes(wanted));
    document.querySelector("[data-none]").hidden = document.querySelector("[data-cards] > :not([hidden])") !== null;
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
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, canvas")) return;
  const link = { n: "[rel=next]", p: "[rel=prev]", b: "[data-rel=better]", w: "[data-rel=worse]" }[event.key];
  if (link) document.querySelector(`a${link}`)?.click();
});
