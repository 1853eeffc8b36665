// Makes docs/commands/pictures/*.png of docs/commands/answers/*.md: GitHub's Markdown
// rendered to HTML, shown as a comment of the bot by a headless Chromium.
//
//   npm install marked@18 github-markdown-css@5    (in any folder; NODE_PATH names it)
//   node docs/commands/picture.mjs NODE_MODULES [CHROMIUM]
//
// The answers are those that the program gives in tests/suite/pages.rs.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const [modules, chromium = 'chromium'] = process.argv.slice(2);
if (!modules) {
  console.error('usage: node docs/commands/picture.mjs NODE_MODULES [CHROMIUM]');
  process.exit(2);
}
const { marked } = await import(pathToFileURL(resolve(modules, 'marked/lib/marked.esm.js')));
const css = readFileSync(join(modules, 'github-markdown-css/github-markdown-light.css'), 'utf8');
const here = dirname(fileURLToPath(import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'pictures-'));

const page = (body) => `<!doctype html><meta charset="utf-8"><style>${css}
  body { margin: 16px; background: #fff; width: 860px; }
  .box { border: 1px solid #d1d9e0; border-radius: 6px; }
  .head { background: #f6f8fa; border-bottom: 1px solid #d1d9e0; border-radius: 6px 6px 0 0; padding: 8px 16px;
    font: 14px -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; color: #59636e; }
  .head b { color: #1f2328; }
  .markdown-body { padding: 16px; font-size: 14px; }
</style><div class="box"><div class="head"><b>github-actions</b> <small>bot</small> commented</div>
<div class="markdown-body">${body}</div></div>`;

// Chromium takes the window for the page: it is told the height that the page has.
const height = (file) => {
  const probe = `${readFileSync(file, 'utf8')}<script>document.title = document.documentElement.offsetHeight</script>`;
  writeFileSync(`${file}.probe.html`, probe);
  const dom = execFileSync(chromium, [...flags, '--dump-dom', pathToFileURL(`${file}.probe.html`).href], quiet);
  return Number(/<title>(\d+)<\/title>/.exec(dom.toString())?.[1] ?? 600) + 32;
};
const flags = ['--headless=new', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--window-size=892,600'];
const quiet = { stdio: ['ignore', 'pipe', 'ignore'] };

for (const name of readdirSync(join(here, 'answers')).filter((n) => n.endsWith('.md'))) {
  const text = readFileSync(join(here, 'answers', name), 'utf8');
  const file = join(scratch, name.replace(/md$/, 'html'));
  writeFileSync(file, page(marked.parse(text, { gfm: true })));
  const picture = join(here, 'pictures', name.replace(/md$/, 'png'));
  const size = `--window-size=892,${height(file)}`;
  execFileSync(chromium, [...flags.slice(0, -1), size, `--screenshot=${picture}`, pathToFileURL(file).href], quiet);
  console.log(picture);
}
