/** The pages of devices in a real browser: devices that report over the API. */
import { createClient, type DeviceReport } from '@skein/api';
import { deviceInvitationOf, enrolmentBytes, reportBytes } from '@skein/api/devices';
import { toHex } from '@skein/api/canonical';
import { createSigningKey } from '@skein/api/signing-key';
import type { Page } from 'playwright-core';
import { describe, expect } from 'vitest';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { expectUnharmed, it } from '../testing/console-page.ts';
import { HOSTILE } from '../testing/subjects.ts';

const SHOTS = process.env['SKEIN_SCREENSHOTS'];
/** Widths of a screen and of a phone. */
const WIDTHS = [1440, 390];

const REPORT: DeviceReport = {
  model: 'ocr',
  version: 6,
  digest: 'd'.repeat(64),
  trial: false,
  published: 7,
  failed: [],
  latency: { p50Ms: 12.1, p90Ms: 17, p99Ms: 31.5, runs: 200 },
  answers: { local: 4120, remote: 3, hedged: 0, refused: 0 },
  energyProxies: { cpuSeconds: 51.2, bytesReceived: 2_400_000, bytesSent: 36_000 },
  last: { where: 'local', why: 'the device is fast enough', at: '2030-01-01T00:00:00.000Z' },
  counts: [{ version: 6, requests: 400, errors: 0, late: 0, latency: [120, 400] }],
};

async function deviceOf(
  url: string,
  name: string,
  labels: Record<string, string>,
  change?: Partial<DeviceReport>,
): Promise<string> {
  const client = createClient({ url });
  const key = await createSigningKey();
  const { invitation } = await client.inviteDevice({ name, labels });
  const { id: from, proof } = deviceInvitationOf(`${url}/#${invitation}`);
  const signature = toHex(await key.signBytes(enrolmentBytes(from, key.key)));
  const { id } = await client.enrolDevice({ invitation: proof, key: key.key, signature });
  if (change === undefined) return id;
  const report = { ...REPORT, ...change };
  const signed = toHex(await key.signBytes(reportBytes(id, 1, report)));
  await client.reportDevice({ id, sequence: 1, report, signature: signed });
  return id;
}

/** For a person to look at, where SKEIN_SCREENSHOTS names a folder. */
async function shoot(page: Page, name: string): Promise<void> {
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: 900 });
    // Nothing is wider than the screen, but for tables that scroll by themselves.
    const wide = await page.evaluate('document.documentElement.scrollWidth');
    expect(wide).toBeLessThanOrEqual(width);
    if (SHOTS === undefined) continue;
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      await page.screenshot({
        path: `${SHOTS}/${name}-${width}-${colorScheme}.png`,
        fullPage: true,
      });
    }
  }
}

describe.skipIf(requireComponent('chromium').skip)('the pages of devices', () => {
  it('show how to enrol the first one', async ({ open, page, problems }) => {
    await open('#/devices');
    await page.getByText('No device is enrolled.').waitFor();
    await page.getByText("skein edge invite 'till 4' --label site=a").waitFor();
    expect(problems).toEqual([]);
  });

  it('list devices and rollouts, and show one device', async ({ node, open, watched }) => {
    const { page } = watched;
    const client = createClient({ url: node.url });
    await client.rollOutToDevices({ model: 'ocr', version: 7, share: 100, labels: { site: 'a' } });
    const last = { where: 'remote', why: HOSTILE, at: REPORT.last!.at } as const;
    const counts = [{ version: 7, requests: 60, errors: 0, late: 0, latency: [118, 60] }];
    await deviceOf(node.url, 'till 1', { site: 'a' }, { version: 7, trial: true, counts });
    await deviceOf(node.url, 'till 2', { site: 'b' }, {});
    await deviceOf(node.url, 'till 3', {});
    const failed = [{ version: 7, reason: 'its golden vectors differ by 0.3' }];
    const id = await deviceOf(node.url, HOSTILE, { site: 'a' }, { failed, last });
    await open('#/devices');
    const row = page.locator(`tr[data-device="${id}"]`);
    await row.getByText('1 failed').waitFor();
    await page.getByText('ocr v7').waitFor();
    await page.getByText('site=b').waitFor();
    const rollout = page.locator('[data-rollout="ocr"]');
    await rollout.getByText('it failed on 1 of 2 devices').waitFor();
    await rollout.getByText('2 of 3 may have it').waitFor();
    await rollout.getByText('doubtful').waitFor();
    await shoot(page, 'devices');
    await row.getByRole('link').click();
    await page.getByText('its golden vectors differ by 0.3').waitFor();
    await page.getByText(/p50 12/).waitFor();
    await page.getByText(/and this is one of them/).waitFor();
    await shoot(page, 'device');
    await expectUnharmed(watched, 'Devices – Skein');
  });
});
