// Checks pages of `ebb report`: valid HTML, no accessibility violation in light or dark, one sheet of A4 and of Letter,
// and no request to anywhere. Usage: node page.mjs CHROMIUM PAGE...
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { FileSystemConfigLoader, HtmlValidate } from "html-validate";
import { chromium } from "playwright-core";

const [executablePath, ...pages] = process.argv.slice(2);
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const faults = [];

const validator = new HtmlValidate(new FileSystemConfigLoader({ root: true, extends: ["html-validate:recommended"] }));
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
for (const file of pages) {
  const fault = (what) => faults.push(`${file}: ${what}`);
  const report = await validator.validateFile(file);
  for (const result of report.results) {
    for (const { line, ruleId, message } of result.messages) fault(`line ${line}: ${message} (${ruleId})`);
  }
  for (const colorScheme of ["light", "dark"]) {
    const page = await browser.newPage({ colorScheme });
    const address = pathToFileURL(file).href;
    page.on("request", (request) => request.url() === address || fault(`asks for ${request.url()}`));
    await page.goto(address);
    await page.evaluate(axe);
    const { violations, passes } = await page.evaluate(() => globalThis.axe.run());
    if (passes.length === 0) fault("nothing was checked for accessibility");
    for (const { id, help, nodes } of violations) fault(`${colorScheme}: ${help} (${id}): ${nodes[0]?.html}`);
    for (const format of colorScheme === "light" ? ["A4", "Letter"] : []) {
      const pdf = (await page.pdf({ format, preferCSSPageSize: false })).toString("latin1");
      const sheets = pdf.match(/\/Type\s*\/Page\b/g)?.length ?? 0;
      if (sheets !== 1) fault(`prints on ${sheets} sheets of ${format}`);
    }
    await page.close();
  }
}
await browser.close();
if (pages.length === 0) faults.push("no page to check");
for (const line of faults) console.error(line);
console.log(`page: ${pages.length} pages, ${faults.length} faults`);
process.exit(faults.length === 0 ? 0 : 1);
