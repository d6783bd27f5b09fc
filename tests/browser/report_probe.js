// Opens the pages of a report from the disk, does what a reader does, and prints what it saw as JSON.
// Usage: node report_probe.js <chromium> <index.html> <item.html> <folder for pictures>
"use strict";

const { pathToFileURL } = require("node:url");
const { chromium } = require(require.resolve("playwright-core", { paths: [process.cwd()] }));

const FLAGS = ["--headless", "--no-sandbox", "--use-gl=angle", "--use-angle=gl-egl", "--ignore-gpu-blocklist"];
const [executablePath, indexPath, itemPath, folder] = process.argv.slice(2);
const seen = { console: [], errors: [], requests: [], dialogs: [] };

async function loaded(page) {
  await page.evaluate(async () => {
    for (const image of document.images) image.loading = "eager";
    await Promise.all([...document.images].map((image) => image.decode().catch(() => {})));
  });
  return page.evaluate(() => [...document.images].filter((i) => i.src && !i.naturalWidth).map((i) => i.src));
}

const order = (page) => page.$$eval("[data-sortable] tbody tr", (rows) => rows.map((row) => row.dataset.name));

async function canvasPicture(page, name) {
  await page.locator("canvas").screenshot({ path: `${folder}/${name}.png` });
}

async function probe(page) {
  await page.goto(pathToFileURL(indexPath).href);
  const brokenOnIndex = await loaded(page);
  const heads = page.locator("[data-sortable] thead button");
  const count = await heads.count();
  await heads.nth(count - 1).click();
  const bestFirst = await order(page);
  await heads.nth(count - 1).click();
  const worstFirst = await order(page);
  await page.fill("[data-filter]", "ALBEDO");
  const filtered = await page.$$eval(".strip li:not([hidden])", (cards) => cards.map((card) => card.dataset.name));

  await page.goto(pathToFileURL(itemPath).href);
  await page.waitForFunction(() => document.querySelector("canvas").dataset.state, null, { timeout: 60000 });
  const state = await page.$eval("canvas", (canvas) => canvas.dataset.state);
  const brokenOnItem = await loaded(page);
  await page.waitForTimeout(300);
  await canvasPicture(page, "front");
  await page.focus("canvas");
  for (let step = 0; step < 6; step++) await page.keyboard.press("ArrowRight");
  await page.waitForTimeout(300);
  await canvasPicture(page, "turned");
  await page.keyboard.press("0");
  await page.click("[data-manner=shape]");
  await page.waitForTimeout(300);
  await canvasPicture(page, "shape");
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("[data-do=download]")]);
  await download.saveAs(`${folder}/downloaded.glb`);
  await page.locator("[data-around] [data-do=step]").fill("3");
  const around = await page.$eval("[data-around] output", (output) => output.value);
  const shown = await page.$eval("[data-around] [data-side=ours]", (image) => image.getAttribute("src").split("/").pop());
  await page.evaluate(() => document.activeElement.blur());
  await Promise.all([page.waitForEvent("load"), page.keyboard.press("n")]);
  const next = await page.title();
  return { brokenOnIndex, brokenOnItem, bestFirst, worstFirst, filtered, state, around, shown, next };
}

(async () => {
  const browser = await chromium.launch({ executablePath, args: FLAGS });
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    page.on("console", (message) => seen.console.push(`${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => seen.errors.push(error.message));
    page.on("dialog", (dialog) => { seen.dialogs.push(dialog.message()); dialog.dismiss(); });
    page.on("request", (request) => {
      if (!/^(file|data|blob):/.test(request.url())) seen.requests.push(request.url());
    });
    page.on("requestfailed", (request) => seen.errors.push(`failed: ${request.url()}`));
    const found = await probe(page);
    process.stdout.write(JSON.stringify({ ...seen, ...found }));
  } finally {
    await browser.close();
  }
})().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exitCode = 1;
});
