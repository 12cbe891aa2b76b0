/** The page of the fleet in a real browser, against the management API over a real state. */
import { createClient, type DeploymentView, type MemberEvidence } from '@skein/api';
import type { MemberInfo } from '../../../state/src/members/members.ts';
import type { Page } from 'playwright-core';
import { describe, expect } from 'vitest';
import { requireComponent } from '../../../../scripts/testing/components.ts';
import { onnxFile } from '../../../server/src/gateway/management/testing/start-management.ts';
import { it } from '../testing/console-page.ts';

const HOSTILE = '"><img src=x onerror="document.title=1">';
const SHOTS = process.env['SKEIN_SCREENSHOTS'];

const member = (name: string, more: Partial<MemberInfo> = {}): MemberInfo => ({
  name,
  address: `http://${name}:4700`,
  version: '0.0.0-test',
  schema: { reads: [1, 1] },
  memoryBytes: 16 * 2 ** 30,
  cores: 4,
  accelerators: ['cuda'],
  loaded: [{ model: 'risk', version: '1', digest: 'd'.repeat(64) }],
  load: {
    serving: {
      demandCores: 3.6,
      requestsPerSecond: 812,
      shedPerSecond: 4,
      delayShare: 0.7,
      busy: true,
      idleMs: 0,
      idleAfterMs: null,
      startMs: 1400,
    },
    forwarding: {
      probes: { in_time: 41, late: 3, silent: 0 },
      forwards: { answered: 38, refused: 2, failed: 0, lost: 0 },
      refused: { no_holder: 0, fleet_full: 1, no_taker: 0, lost: 0 },
      repeated: 0,
    },
  },
  ...more,
});

const rollout: NonNullable<DeploymentView['rollout']> = {
  strategy: 'canary',
  fromVersion: '1',
  toVersion: '2',
  phase: 'rolled-back',
  share: 0,
  reason: 'version 2: on member b, 30 of 30 requests failed, more than the 1 % allowed',
  startedAt: '2030-01-01T00:00:00.000Z',
};
const evidence = (name: string, more: Partial<MemberEvidence>): MemberEvidence => ({
  member: name,
  state: 'ready',
  step: 0,
  candidate: { requests: 30, errors: 0, late: 0, odd: 0, p99Ms: 12.5 },
  stable: { requests: 570, errors: 1, late: 2, odd: 0, p99Ms: 11 },
  opinion: 'good',
  reason: '30 requests, 0 failed, 0 late',
  ...more,
});

/** For a person to look at, where SKEIN_SCREENSHOTS names a folder. */
async function shoot(page: Page, name: string): Promise<void> {
  if (SHOTS === undefined) return;
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: `${SHOTS}/${name}-${colorScheme}.png`, fullPage: true });
  }
}

describe.skipIf(requireComponent('chromium').skip)('the page of the fleet', () => {
  it('shows a node alone as a fleet of one, and how to make it larger', async ({
    node,
    page,
    problems,
  }) => {
    await page.goto(`${node.url}/#/fleet`);
    await page.getByText('1 of 1 members needed').waitFor();
    await page.locator('#alone').waitFor();
    await page.getByText('skein up --redis').waitFor();
    expect(await page.locator('tr[data-member]').count()).toBe(1);
    await page.getByText('No member holds a version.').waitFor();
    expect(problems).toEqual([]);
    await shoot(page, 'alone');
  });

  it('shows members with their load, forwards, placement and alerts', async ({
    node,
    page,
    problems,
  }) => {
    await node.state.members.join(member('node-b'), 60_000);
    await node.state.members.join(
      member(HOSTILE, { version: '0.1.0', loaded: [], load: undefined, address: '' }),
      60_000,
    );
    await page.goto(`${node.url}/#/fleet`);
    await expect.poll(() => page.locator('tr[data-member]').count()).toBe(3);
    const row = page.locator('tr', { hasText: 'node-b' }).first();
    await row.getByText('812 rows/s').waitFor();
    await row.getByText('41 in time, 3 late').waitFor();
    await row.getByText('stayed refused: 1 fleet full').waitFor();
    await page.getByText('peers cannot call it').waitFor();
    await page.getByText('not reported yet').waitFor();
    await page.locator('[data-alert="versions"]').getByText('an upgrade is under way').waitFor();
    await page.locator('[data-placement="risk/1"]').getByText('1 of 3 members hold it').waitFor();
    expect(await page.locator('img').count()).toBe(0);
    expect(problems).toEqual([]);
    await shoot(page, 'members');
  });

  it('shows what each member has seen of a rollout, and who decided what', async ({
    node,
    page,
    problems,
  }) => {
    const client = createClient({ url: node.url });
    await client.importModel({ name: 'risk', content: onnxFile(1) });
    await client.deploy({ name: 'risk', version: '1' });
    node.control.alter('risk', (view) => ({ ...view, rollout }));
    node.control.evidences.set('risk', {
      rollout,
      steps: [5, 25, 100],
      leader: 'a',
      step: 0,
      opinion: 'bad',
      reason: 'on member b, 30 of 30 requests failed',
      members: [
        evidence('a', {}),
        evidence('b', {
          candidate: { requests: 30, errors: 30, late: 0, odd: 0, p99Ms: null },
          opinion: 'bad',
          reason:
            '30 of 30 requests failed, more than the 1 % allowed and the 0.18 % of the old version',
        }),
        evidence('c', {
          state: 'loading',
          step: null,
          candidate: null,
          stable: null,
          opinion: 'unknown',
          reason: 'the version is loading there',
        }),
      ],
    });
    await page.goto(`${node.url}/#/fleet`);
    const shown = page.locator('[data-rollout="risk"]');
    await shown.getByText('rolled back').waitFor();
    await shown.getByText('on member b, 30 of 30 requests failed').first().waitFor();
    await shown.getByText('Decided by a.').waitFor();
    await shown.locator('[data-evidence="b"]').getByText('bad').waitFor();
    await shown.locator('[data-evidence="c"]').getByText('loading', { exact: true }).waitFor();
    expect(problems).toEqual([]);
    await shoot(page, 'rollout');
  });
});
