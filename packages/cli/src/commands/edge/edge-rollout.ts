/** `skein edge rollout`: which devices may install a version of a bundle. */
import type { DeviceRolloutView } from '@skein/api';
import { defined } from '@skein/api/defined';
import { SkeinError } from '@skein/api/errors';
import {
  argument,
  duration,
  flag,
  optionalArgument,
  text,
  value,
} from '../../command-line/option.ts';
import { usageError } from '../../command-line/usage.ts';
import type { Connection } from '../../connection/connection.ts';
import { nodeCommand } from '../../connection/node-command.ts';
import { deviceRolloutLine } from '../../output/device.ts';
import { rolloutOptions } from '../serving/rollout.ts';
import { labelsOption } from './edge-devices.ts';

const { minRequests, maxErrorShare } = rolloutOptions;

export const edgeRollout = nodeCommand({
  name: 'edge rollout',
  summary:
    'Let a share of the devices install a version of a bundle; show, halt or resume a rollout.',
  details:
    'Start it before you publish the version: devices that are not included keep what they have, also when a later version is published. Run it again with a larger share for the next step. Failed installations and late or failed answers halt it. A device never goes back to an older version; publish a newer one, or --end to let all devices follow the publisher.',
  examples: {
    'skein edge rollout ocr 7 --share 10%': 'A tenth of the devices',
    'skein edge rollout ocr 7 --share 100% --label site=a': 'All devices with a label',
    'skein edge rollout ocr --halt': 'No further device installs the version',
    'skein edge rollout ocr': 'Its evidence',
  },
  arguments: {
    model: argument('MODEL', 'Name of the bundle.'),
    version: optionalArgument('VERSION', 'Version of the bundle.'),
  },
  options: {
    share: value('PERCENT', 'Share of the devices, such as 10%.', readShare),
    label: labelsOption('Label that a device must have; repeat it.'),
    p99: duration('Bound of the p99 on the devices; default: their deadlines.', [0.1, 600_000]),
    minRequests,
    maxErrorShare,
    halt: flag('Halt it: no further device installs the version.'),
    resume: flag('Resume it, with new evidence.'),
    end: flag('End it: all devices follow the publisher.'),
    reason: text('TEXT', 'Reason for the audit.'),
  },
  async run(connection, { model, version, halt, resume, end, reason = '', ...plan }) {
    const { client } = connection;
    if ([version !== undefined, halt, resume, end].filter(Boolean).length > 1) {
      throw usageError('VERSION, --halt, --resume and --end exclude each other.');
    }
    if (version === undefined && plan.share !== undefined) {
      throw usageError('Name the version: skein edge rollout MODEL VERSION --share PERCENT.');
    }
    if (end) {
      await client.endDeviceRollout({ model });
      return { model, rollout: undefined };
    }
    if (halt) return { model, rollout: await client.haltDeviceRollout({ model, reason }) };
    if (resume) return { model, rollout: await client.resumeDeviceRollout({ model, reason }) };
    if (version === undefined) return { model, rollout: await rolloutOf(connection, model) };
    const { share, label: labels, p99: objectiveMs, minRequests, maxErrorShare } = plan;
    if (share === undefined) throw usageError('A rollout needs --share, such as --share 10%.');
    const details = defined({ minRequests, maxErrorShare, objectiveMs });
    const number = readVersion(version);
    const terms = { model, version: number, share, labels, ...details };
    return { model, rollout: await client.rollOutToDevices(terms) };
  },
  render: ({ model, rollout }, style) =>
    rollout === undefined
      ? `All devices follow the publisher of ${model}.`
      : deviceRolloutLine(rollout, style),
  exitCode: ({ rollout }) => (rollout?.phase === 'halted' && rollout.opinion === 'bad' ? 1 : 0),
});

function readShare(given: string): number {
  const percent = /^(\d+(?:\.\d+)?) ?%?$/.exec(given)?.[1];
  const share = Number(percent);
  if (!(share > 0 && share <= 100)) throw new Error(`"${given}" is not a percentage such as 10%`);
  return share;
}

function readVersion(given: string): number {
  if (!/^[1-9]\d{0,8}$/.test(given)) throw usageError(`"${given}" is not a version such as 7.`);
  return Number(given);
}

/** @throws SkeinError DEVICE_ROLLOUT_UNKNOWN. */
async function rolloutOf({ client }: Connection, model: string): Promise<DeviceRolloutView> {
  const { rollouts } = await client.listDevices();
  const found = rollouts.find((each) => each.model === model);
  if (found !== undefined) return found;
  throw new SkeinError('DEVICE_ROLLOUT_UNKNOWN', `There is no rollout of the bundle ${model}.`);
}
