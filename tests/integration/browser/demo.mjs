// SPDX-License-Identifier: Apache-2.0
//
// demo.mjs URL: a visitor of the demo in headless Chromium. Prints each step; ends with 1 at the first that goes wrong.
import { chromium } from 'playwright-core';
import assert from 'node:assert/strict';

const base = process.argv[2].replace(/\/$/, '');
const browser = await chromium.launch({
    executablePath: process.env.SF_CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
});

async function step(what, action) {
    await action();
    console.log(`ok  ${what}`);
}

/* Clicks what leads to another page, or to this one again, and returns when that page and its style sheet are there. */
async function follow(page, selector) {
    await Promise.all([page.waitForEvent('load'), page.click(selector)]);
}

async function shown(page, id) {
    return (await page.locator(`#${id}`).textContent()).trim();
}

async function sessionCookie(context) {
    return (await context.cookies(base)).find((cookie) => cookie.name === '__Host-id');
}

try {
    const context = await browser.newContext();
    const page = await context.newPage();
    page.setDefaultTimeout(15_000);

    await step('a visitor is sent to the login page and has no cookie', async () => {
        await page.goto(`${base}/`);
        assert.equal(new URL(page.url()).pathname, '/login.html');
        assert.deepEqual(await context.cookies(base), []);
    });

    await step('logs in; the browser keeps the cookie of http://localhost with all its safe defaults', async () => {
        await page.fill('[name=httpd_username]', 'demo');
        await page.fill('[name=httpd_password]', 'demo');
        await follow(page, 'button');
        assert.equal(new URL(page.url()).pathname, '/c/visits');
        assert.equal(await shown(page, 'user'), 'demo');
        const cookie = await sessionCookie(context);
        assert.deepEqual([cookie.secure, cookie.httpOnly, cookie.sameSite, cookie.path, cookie.expires],
            [true, true, 'Lax', '/', -1]);
        assert.equal(await page.evaluate('document.cookie'), '');
    });

    await step('counts visits', async () => {
        const before = Number(await shown(page, 'visits'));
        await follow(page, 'text=Visit again');
        await follow(page, 'text=Visit again');
        assert.equal(Number(await shown(page, 'visits')), before + 2);
    });

    await step('changes the theme in the PHP page and sees it there', async () => {
        await follow(page, 'header >> text="Theme"');
        await page.selectOption('[name=theme]', 'dark');
        await follow(page, 'text=Use it');
        assert.equal(await shown(page, 'theme'), 'dark');
    });

    await step('sees the theme in the CGI pages, in words and in colours', async () => {
        for (const name of ['Visits', 'Cart', 'Session']) {
            await follow(page, `header >> text="${name}"`);
            assert.equal(await shown(page, 'theme'), 'dark');
            const paper = await page.evaluate('getComputedStyle(document.body).backgroundColor');
            assert.equal(paper, 'rgb(20, 24, 31)');
        }
    });

    await step('puts something into the cart in the Perl page and sees it in the PHP page', async () => {
        await follow(page, 'header >> text="Cart"');
        await page.fill('[name=item]', 'tea & <b>cake</b>');
        await follow(page, 'text=Put into the cart');
        await follow(page, 'header >> text="Theme"');
        assert.equal(await shown(page, 'cart'), 'tea & <b>cake</b>');
    });

    await step('gets a new id in the shell page and is still the same', async () => {
        const before = (await sessionCookie(context)).value;
        await follow(page, 'header >> text="Session"');
        await follow(page, 'text="New id"');
        assert.equal(await shown(page, 'user'), 'demo');
        assert.notEqual((await sessionCookie(context)).value, before);
    });

    const cookie = await sessionCookie(context);
    await step('logs out and has no cookie any more', async () => {
        await follow(page, 'text="Log out"');
        assert.equal(new URL(page.url()).pathname, '/login.html');
        assert.deepEqual(await context.cookies(base), []);
        await page.goto(`${base}/c/visits`);
        assert.equal(new URL(page.url()).pathname, '/login.html');
    });

    await step('the old cookie is dead', async () => {
        await context.addCookies([cookie]);
        assert.equal((await sessionCookie(context)).value, cookie.value);
        for (const path of ['/c/visits', '/perl/cart', '/shell/session', '/php/theme']) {
            await page.goto(`${base}${path}`);
            assert.equal(new URL(page.url()).pathname, '/login.html');
        }
    });
} finally {
    await browser.close();
}
