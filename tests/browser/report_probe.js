// Opens the pages of a report from the disk, does what a reader does, and prints what it saw as JSON.
// Usage: node report_probe.js <chromium> <index.html> <item.html> <page over several runs> <folder for pictures>
"use strict";

const { pathToFileURL } = require("node:url");
const { chromium } = require(require.resolve("playwright-core", { paths: [process.cwd()] }));

const FLAGS = ["--headless", "--no-sandbox", "--use-gl=angle", "--use-angle=gl-egl", "--ignore-gpu-blocklist"];
const [executablePath, indexPath, itemPath, manyPath, folder] = process.argv.slice(2);
const seen = { console: [], errors: [], requests: [], dialogs: [] };

async function loaded(page) {
  await page.evaluate(async () => {
    for (const image of document.images) image.loading = "eager";
    await Promise.all([...document.images].map((image) => image.decode().catch(() => {})));
  });
  return page.evaluate(() => [...document.images].filter((i) => i.src && !i.naturalWidth).map((i) => i.src));
}

const order = (page) => page.$$eval("[data-sortable] tbody tr", (rows) => rows.map((row) => row.dataset.name));
const cards = (page) => page.$$eval("[data-cards] > :not([hidden])", (found) => found.map((card) => card.dataset.name));
const drawn = (page) => page.waitForFunction(() => document.querySelector("canvas").dataset.state, null, { timeout: 60000 });

async function canvasPicture(page, name) {
  await page.waitForTimeout(250);
  await page.locator("canvas").screenshot({ path: `${folder}/${name}.png` });
}

async function watch(context) {
  const page = await context.newPage();
  page.on("console", (message) => seen.console.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => seen.errors.push(error.message));
  page.on("dialog", (dialog) => { seen.dialogs.push(dialog.message()); dialog.dismiss(); });
  page.on("request", (request) => {
    if (!/^(file|data|blob):/.test(request.url())) seen.requests.push(request.url());
  });
  // A navigation that becomes a download ends as a failed request.
  page.on("requestfailed", (request) => { if (!request.url().endsWith(".glb")) seen.errors.push(`failed: ${request.url()}`); });
  return page;
}

async function sorting(page) {
  await page.goto(pathToFileURL(indexPath).href);
  const broken = await loaded(page);
  const heads = page.locator("[data-sortable] thead button");
  await heads.nth((await heads.count()) - 1).focus();
  await page.keyboard.press("Enter");
  const bestFirst = await order(page);
  await page.keyboard.press("Enter");
  const worstFirst = await order(page);
  const cardsWorstFirst = await cards(page);
  await page.click("[data-do=turn]");
  const cardsBestFirst = await cards(page);
  await page.selectOption("[data-do=order]", "-1");
  const asListed = await cards(page);
  await page.focus("[data-sortable] thead button");
  await page.keyboard.press("Tab");
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  await page.fill("[data-filter]", "ALBEDO");
  const filtered = await cards(page);
  const rows = await page.$$eval("[data-sortable] tbody tr:not([hidden])", (found) => found.map((row) => row.dataset.name));
  await page.fill("[data-filter]", "nobody");
  const none = await page.locator("[data-none]").isVisible();
  return { broken, bestFirst, worstFirst, cardsWorstFirst, cardsBestFirst, asListed, outline, filtered, rows, none };
}

async function item(page) {
  await page.goto(pathToFileURL(itemPath).href);
  await drawn(page);
  const state = await page.$eval("canvas", (canvas) => canvas.dataset.state);
  const broken = await loaded(page);
  await canvasPicture(page, "front");
  await page.focus("canvas");
  for (let step = 0; step < 6; step++) await page.keyboard.press("ArrowRight");
  await canvasPicture(page, "turned");
  await page.keyboard.press("0");
  await page.click("[data-manner=shape]");
  await canvasPicture(page, "shape");
  await page.click("[data-manner=colour]");
  const models = {};
  for (const name of ["distance", "truth"]) {
    await page.click(`[data-model=${name}]`);
    await page.waitForFunction((wanted) => document.querySelector("canvas").dataset.model === wanted, name, { timeout: 60000 });
    models[name] = { legend: await page.locator("[data-scale]").isVisible(), hint: await page.locator("[data-of]:visible").innerText() };
    await canvasPicture(page, name);
  }
  await page.locator("[data-around] [data-do=step]").fill("3");
  const around = await page.$eval("[data-around] output", (output) => output.value);
  const picture = () => page.$eval("[data-around] [data-side=ours]", (image) => image.getAttribute("src").split("/").pop());
  const pasted = await picture();
  await page.check("[name=paste][value=without]");
  const unpasted = await picture();
  const visible = await page.$$eval("[data-paste]", (found) => [...new Set(found.filter((f) => f.offsetParent).map((f) => f.dataset.paste))]);
  await page.evaluate(() => document.activeElement.blur());
  await Promise.all([page.waitForEvent("load"), page.keyboard.press("n")]);
  const next = await page.title();
  await Promise.all([page.waitForEvent("load"), page.keyboard.press("b")]);
  return { broken, state, models, around, pasted, unpasted, visible, next, better: await page.title() };
}

// What of a page reaches beyond the window, the contrast of every text, and the colours behind the canvas.
function looks() {
  const channels = (text) => (text.match(/[\d.]+/g) || []).map(Number);
  const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const over = (top, under) => under.map((c, k) => (top[3] ?? 1) * top[k] + (1 - (top[3] ?? 1)) * c);
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const style = getComputedStyle(at);
      const tint = style.backgroundImage.match(/^linear-gradient\((rgba?\([^)]*\))/);
      if (tint) layers.push(channels(tint[1]));
      layers.push(channels(style.backgroundColor));
    }
    return layers.reverse().reduce((under, top) => (top.length >= 3 ? over(top, under) : under), [255, 255, 255]);
  };
  const weak = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.getClientRects().length || element.closest("title, option, button:disabled, .message")) continue;
    const style = getComputedStyle(element), back = behind(element);
    const front = over(channels(element.closest("svg") ? style.fill : style.color), back);
    const [high, low] = [light(front), light(back)].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < 4.5) weak.push(`${element.tagName}.${element.className.baseVal ?? element.className} ${ratio.toFixed(2)}: ${walker.currentNode.data.trim().slice(0, 40)}`);
  }
  const sideways = [...document.querySelectorAll(".scroll:has(.stacked)")].filter((e) => e.scrollWidth > e.clientWidth).map((e) => e.ariaLabel);
  return { sideways, wide: document.documentElement.scrollWidth - innerWidth, weak, dark: light(behind(document.body)) < 0.2 };
}

async function sizes(browser) {
  const found = [];
  const page = await watch(await browser.newContext());
  for (const [kind, path] of Object.entries({ index: indexPath, item: itemPath, many: manyPath })) {
    await page.goto(pathToFileURL(path).href);
    if (path === itemPath) await drawn(page);
    for (const [width, height] of [[390, 844], [1280, 900]]) {
      await page.setViewportSize({ width, height });
      for (const colorScheme of ["light", "dark"]) {
        await page.emulateMedia({ colorScheme });
        const broken = await loaded(page);
        const bare = await page.$$eval("img:not([alt]), button:empty, input:not([type=radio]):not([type=checkbox])", (all) => all.filter((e) => e.tagName !== "INPUT" || !e.labels.length).map((e) => e.outerHTML));
        // Colours that fade into those of the other scheme are waited for.
        await page.waitForTimeout(200);
        found.push({ name: `${kind} ${width} ${colorScheme}`, colorScheme, broken, bare, ...(await page.evaluate(looks)) });
        if (path === itemPath) await canvasPicture(page, `canvas-${width}-${colorScheme}`);
      }
    }
  }
  await page.context().close();
  return found;
}

async function withoutScript(browser) {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await watch(context);
  await page.goto(pathToFileURL(indexPath).href);
  const table = await page.locator("table.table").first().isVisible();
  const scores = await page.locator("[data-sortable] tbody tr").count();
  const tools = await page.locator(".scripted:visible").count();
  await page.goto(pathToFileURL(itemPath).href);
  await page.check("[name=paste][value=without]");
  const unpasted = await page.locator("[data-paste=without]").first().isVisible();
  const pasted = await page.locator("[data-paste=with]").first().isVisible();
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("[data-do=download]")]);
  await download.saveAs(`${folder}/downloaded.glb`);
  await context.close();
  return { table, scores, tools, unpasted, pasted, download: download.suggestedFilename() };
}

(async () => {
  const browser = await chromium.launch({ executablePath, args: FLAGS });
  try {
    const page = await watch(await browser.newContext({ viewport: { width: 1280, height: 900 } }));
    const found = { index: await sorting(page), item: await item(page) };
    const rest = { sizes: await sizes(browser), withoutScript: await withoutScript(browser) };
    process.stdout.write(JSON.stringify({ ...seen, ...found, ...rest }));
  } finally {
    await browser.close();
  }
})().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exitCode = 1;
});
