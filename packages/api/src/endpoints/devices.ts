/** Devices that run bundles. A device proves itself with its own key, so its calls need no API key. */
import { z } from 'zod';
import type { NodeEndpoint } from '../endpoint.ts';
import {
  DeviceId,
  DeviceLabels,
  DevicePermission,
  DeviceRolloutView,
  DeviceView,
  EnrolDevice,
  SignedDeviceReport,
  StartDeviceRollout,
} from '../resources/device.ts';
import { Name } from '../resources/deployment.ts';
import { LONGEST_SITE_NAME } from '../federations.ts';

const ModelParam = z.strictObject({ model: Name.describe('Name of the bundle.') });
const Reason = z
  .strictObject({ reason: z.string().max(200).describe('Reason for the audit.').default('') })
  .meta({ id: 'DeviceRolloutReason' });
const steering = {
  method: 'POST',
  scope: 'admin',
  params: ModelParam,
  body: Reason,
  response: DeviceRolloutView,
  errors: ['DEVICE_ROLLOUT_UNKNOWN'],
} as const;

const DeviceParam = z.strictObject({ id: DeviceId });
const till = { id: '3f9c1e07ab52d4e8' };
/** A report is at most about 12 KB: four histograms. */
const MOST_REPORT_BYTES = 24 * 1024;
const REPORT = {
  model: 'risk',
  version: 3,
  digest: 'ab'.repeat(32),
  trial: false,
  published: 3,
  failed: [],
  latency: { p50Ms: 1.2, p90Ms: 1.9, p99Ms: 3.1, runs: 200 },
  answers: { local: 4120, remote: 3, hedged: 0, refused: 0 },
  energyProxies: { cpuSeconds: 5.1, bytesReceived: 48_211, bytesSent: 360 },
  last: { where: 'local', why: 'the device is fast enough', at: '2030-01-31T12:00:00.000Z' },
  counts: [{ version: 3, requests: 60, errors: 0, late: 0, latency: [66, 60] }],
};
const EveryMs = z.int().describe('Milliseconds after which the next report is due.');

export const DEVICE_ENDPOINTS = {
  listDevices: {
    method: 'GET',
    path: '/api/v1/devices',
    summary:
      'List the enrolled devices with their last reports, and the rollouts of their bundles.',
    scope: 'read',
    response: z.object({ devices: z.array(DeviceView), rollouts: z.array(DeviceRolloutView) }),
  },
  getDevice: {
    method: 'GET',
    path: '/api/v1/devices/{id}',
    summary: 'Show a device: its versions, its latency, its last decision.',
    scope: 'read',
    params: DeviceParam,
    response: DeviceView,
    errors: ['DEVICE_UNKNOWN'],
    example: { params: till },
  },
  inviteDevice: {
    method: 'POST',
    path: '/api/v1/device-invitations',
    summary: 'Invite a device; the answer holds a secret that is shown once.',
    scope: 'admin',
    body: z
      .strictObject({
        name: z
          .string()
          .min(1)
          .max(LONGEST_SITE_NAME)
          .describe('How the operator calls the device.'),
        labels: DeviceLabels.default({}),
        uses: z
          .int()
          .min(1)
          .max(1000)
          .default(1)
          .describe('How many devices may use it; each gets the name with a number.'),
        validMs: z.int().min(1).describe('Default: a week.').optional(),
      })
      .meta({ id: 'InviteDevice' }),
    status: 201,
    response: z.object({
      invitation: z.string().describe('The fragment of the link that the device opens.'),
    }),
    errors: ['DEVICES_TOO_MANY', 'STORAGE_FULL'],
    example: { body: { name: 'till 4', labels: { site: 'a' } } },
  },
  enrolDevice: {
    method: 'POST',
    path: '/api/v1/devices',
    summary:
      'Enrol the key of a device with an invitation. A device calls it; the same key may call it again.',
    scope: 'public',
    body: EnrolDevice,
    maxBodyBytes: 1024,
    status: 201,
    response: z.object({ id: DeviceId, name: z.string(), labels: DeviceLabels, everyMs: EveryMs }),
    errors: ['INVITATION_INVALID', 'DEVICE_UNPROVEN', 'DEVICES_TOO_MANY', 'STORAGE_FULL'],
    example: {
      body: {
        invitation: `${'ab'.repeat(8)}.${'cd'.repeat(32)}`,
        key: 'ef'.repeat(32),
        signature: '01'.repeat(64),
      },
    },
  },
  reportDevice: {
    method: 'POST',
    path: '/api/v1/devices/{id}/reports',
    summary: 'Send the signed report of a device: counts and times, never an input or an output.',
    scope: 'public',
    params: DeviceParam,
    body: SignedDeviceReport,
    maxBodyBytes: MOST_REPORT_BYTES,
    response: z.object({ everyMs: EveryMs, permission: DevicePermission.nullable() }),
    errors: ['DEVICE_UNKNOWN', 'DEVICE_UNPROVEN', 'STORAGE_FULL'],
    example: { params: till, body: { sequence: 1, report: REPORT, signature: '01'.repeat(64) } },
  },
  removeDevice: {
    method: 'DELETE',
    path: '/api/v1/devices/{id}',
    summary:
      'Remove a device: its reports are refused, and its key cannot enrol with the same invitation.',
    scope: 'admin',
    params: DeviceParam,
    errors: ['DEVICE_UNKNOWN'],
    example: { params: till },
  },
  rollOutToDevices: {
    method: 'PUT',
    path: '/api/v1/device-rollouts/{model}',
    summary: 'Let a share of the devices install a version of a bundle, or change the share.',
    description:
      'The publisher’s signatures decide what a device may install; a rollout only holds back. Other devices keep what they have, and so do all devices for later versions. Failed installations and late or failed answers halt it.',
    scope: 'admin',
    params: ModelParam,
    body: StartDeviceRollout,
    response: DeviceRolloutView,
    errors: ['DEVICES_TOO_MANY', 'STORAGE_FULL'],
    example: { params: { model: 'risk' }, body: { version: 4, share: 10, labels: { site: 'a' } } },
  },
  haltDeviceRollout: {
    ...steering,
    path: '/api/v1/device-rollouts/{model}/halt',
    summary: 'Halt a rollout: no further device installs the version.',
    example: { params: { model: 'risk' }, body: { reason: 'complaints' } },
  },
  resumeDeviceRollout: {
    ...steering,
    path: '/api/v1/device-rollouts/{model}/resume',
    summary: 'Resume a halted rollout, with new evidence.',
    example: { params: { model: 'risk' }, body: {} },
  },
  endDeviceRollout: {
    method: 'DELETE',
    path: '/api/v1/device-rollouts/{model}',
    summary: 'End the rollout of a bundle: all devices follow the publisher.',
    scope: 'admin',
    params: ModelParam,
    errors: ['DEVICE_ROLLOUT_UNKNOWN'],
    example: { params: { model: 'risk' } },
  },
} as const satisfies Record<string, NodeEndpoint>;
