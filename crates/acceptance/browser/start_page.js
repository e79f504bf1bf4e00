// Looks at the start page in Chromium as a person would, and fails where something is not as it should be.
//
// Usage: node start_page.js SCENARIO URL FOLDER
//
// Screenshots go to FOLDER. The scenarios are the functions in `scenarios` below.

'use strict';

const assert = require('node:assert/strict');
const path = require('node:path');
const axe = require('axe-core');
const { chromium } = require('playwright-core');

const [scenario, url, folder] = process.argv.slice(2);
const origin = new URL(url).origin;
const host = new URL(url).host;

const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 320, height: 640 };
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // What the browser wants of its maker leaves the machine in no case.
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
];

/** Opens a page, and takes note of whatever goes wrong in it or leaves the registry. */
async function open(browser, options = {}) {
  const context = await browser.newContext({ viewport: DESKTOP, ...options });
  const page = await context.newPage();
  const troubles = [];
  page.on('console', (message) => troubles.push(`console: ${message.text()}`));
  page.on('pageerror', (error) => troubles.push(`error: ${error.message}`));
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== origin) troubles.push(`elsewhere: ${request.url()}`);
  });
  page.on('requestfailed', (request) => troubles.push(`failed: ${request.url()}`));
  return { context, page, troubles };
}

/** Judges a page at every size and in every colour, and leaves a screenshot of each. */
async function judge({ page, troubles }, name) {
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    for (const [size, viewport] of Object.entries({ desktop: DESKTOP, phone: PHONE })) {
      await page.setViewportSize(viewport);
      await page.screenshot({ path: path.join(folder, `${name}-${size}-${colorScheme}.png`) });
      const overflow = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      assert.ok(overflow <= 0, `${name} is ${overflow} pixels too wide on a ${size}`);
      const found = await violations(page);
      assert.deepEqual(found, [], `${name} on a ${size} in ${colorScheme}`);
    }
  }
  await page.setViewportSize(DESKTOP);
  assert.deepEqual(troubles, [], name);
}

async function violations(page) {
  await page.evaluate(axe.source);
  const { violations: found } = await page.evaluate(() => window.axe.run());
  return found.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`);
}

async function go(page, target = '') {
  const response = await page.goto(url + target);
  assert.equal(response.status(), 200);
}

async function follow(page, name) {
  await page.getByRole('link', { name, exact: true }).click();
  await page.waitForLoadState();
}

const text = (page) => page.locator('body').innerText();
const items = (page) => page.locator('li').allInnerTexts();
const lines = (page) => page.locator('pre').last().innerText();

/** What somebody copies who selects the whole of a block. */
async function copied(page, block) {
  return page.locator('pre').nth(block).evaluate((element) => {
    const selection = window.getSelection();
    selection.selectAllChildren(element);
    const text = selection.toString();
    selection.removeAllRanges();
    return text;
  });
}

async function empty(browser) {
  const opened = await open(browser);
  const { page, troubles } = opened;
  await go(page);

  assert.equal(await page.title(), `${host} – container registry`);
  assert.match(await text(page), /This registry is open: everybody who reaches it may pull and push\./);
  assert.match(await text(page), /There are no images yet\./);
  assert.equal(
    (await copied(page, 0)).trim(),
    `docker tag my-image ${host}/my-image\ndocker push ${host}/my-image`,
  );
  assert.equal(await page.getByRole('link').count(), 0);
  await judge(opened, 'empty');
  // Nor does a narrow line change what is copied.
  await page.setViewportSize(PHONE);
  assert.equal(
    (await copied(page, 0)).trim(),
    `docker tag my-image ${host}/my-image\ndocker push ${host}/my-image`,
  );

  // Whatever gets into the page runs nothing, and this notices that it was tried.
  const complaint = page.waitForEvent('console');
  await page.evaluate(() => {
    const script = document.createElement('script');
    script.textContent = 'window.ran = true';
    document.body.append(script);
  });
  await complaint;
  assert.equal(await page.evaluate(() => window.ran), undefined);
  assert.equal(troubles.length, 1, troubles.join('\n'));
  assert.match(troubles[0], /Content Security Policy/);
}

async function full(browser) {
  const opened = await open(browser);
  const { page } = opened;
  await go(page);
  const first = await items(page);
  assert.equal(first.length, 50);
  await judge(opened, 'full');
  await byKeyboard(page);

  await follow(page, 'Next page');
  const second = await items(page);
  assert.equal(second.length, 11);
  assert.equal(new Set([...first, ...second]).size, 61);
  await judge(opened, 'full-last');

  await follow(page, 'All repositories');
  assert.deepEqual(await items(page), first);

  await follow(page, 'more tags of many-tags');
  assert.match(await text(page), /Tags of many-tags/);
  assert.equal((await items(page)).length, 500);
  await judge(opened, 'tags');
  await follow(page, 'Next page');
  assert.equal((await items(page)).length, 1);
  await follow(page, 'All repositories');
  assert.deepEqual(await items(page), first);
}

/** Presses the button for no in every question for a password. */
async function cancelQuestions(page) {
  const session = await page.context().newCDPSession(page);
  const say = (method) => (event) => session.send(method, { requestId: event.requestId });
  session.on('Fetch.requestPaused', say('Fetch.continueRequest'));
  session.on('Fetch.authRequired', ({ requestId }) =>
    session.send('Fetch.continueWithAuth', {
      requestId,
      authChallengeResponse: { response: 'CancelAuth' },
    }),
  );
  await session.send('Fetch.enable', { handleAuthRequests: true });
}

/** Signs in as the browser itself does, without a driver that answers for it, and out again. */
async function signOut(browser) {
  const { page } = await open(browser);
  const known = url.replace('://', '://alice:secret%20of%20alice@');
  await page.goto(`${known}?sign-in=1`);
  await go(page);
  assert.match(await text(page), /You are signed in as alice\./);

  await cancelQuestions(page);
  const answered = page.waitForResponse(/sign-out/);
  await page.getByRole('link', { name: 'Sign out' }).click();
  assert.equal((await answered).status(), 401);
  await page.getByText('You are signed out.').waitFor({ timeout: 10000 });
  assert.deepEqual(await violations(page), []);
  await page.screenshot({ path: path.join(folder, 'signed-out-again-desktop-light.png') });
  await follow(page, 'Back to the start page');
  assert.match(await text(page), /Not everything is open to everybody/);
}

/** Goes through the page by the keyboard alone. */
async function byKeyboard(page) {
  const links = await page.getByRole('link').count();
  const reached = new Set();
  for (let presses = 0; presses < links; presses += 1) {
    await page.keyboard.press('Tab');
    const focused = await page.evaluate(() => {
      const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
      return { href: document.activeElement.href, outlineStyle, outlineWidth };
    });
    assert.equal(focused.outlineStyle, 'solid', focused.href);
    reached.add(focused.href);
  }
  const all = await page.getByRole('link').evaluateAll((found) => found.map((link) => link.href));
  assert.deepEqual([...reached].sort(), [...new Set(all)].sort());
}

async function guarded(browser) {
  const stranger = await open(browser);
  await go(stranger.page);
  assert.match(await text(stranger.page), /Not everything is open to everybody/);
  assert.deepEqual(await items(stranger.page), ['public/app\nv1']);
  assert.match(await lines(stranger.page), new RegExp(`^docker login ${host}\n`));
  await judge(stranger, 'signed-out');

  const alice = await open(browser, {
    httpCredentials: { username: 'alice', password: 'secret of alice' },
  });
  await go(alice.page);
  assert.deepEqual(await items(alice.page), ['public/app\nv1']);
  await follow(alice.page, 'sign in');
  assert.match(await text(alice.page), /You are signed in as alice\./);
  assert.deepEqual(await items(alice.page), ['private/app\nv1', 'public/app\nv1']);
  await follow(alice.page, 'private/app');
  assert.match(await text(alice.page), /Tags of private\/app/);
  assert.deepEqual(await items(alice.page), ['v1']);
  await follow(alice.page, 'All repositories');
  assert.match(await text(alice.page), /You are signed in as alice\./);
  await judge(alice, 'signed-in');
  await signOut(browser);

  const wrong = await open(browser, {
    httpCredentials: { username: 'alice', password: 'a guess' },
  });
  const refused = await wrong.page.goto(`${url}?sign-in=1`);
  assert.equal(refused.status(), 401);
  assert.match(await text(wrong.page), /Sign in with your name and your password/);
  assert.match(refused.headers()['www-authenticate'], /^Basic /);
}

const scenarios = { empty, full, guarded };

async function main() {
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS });
  try {
    await scenarios[scenario](browser);
  } finally {
    await browser.close();
  }
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
