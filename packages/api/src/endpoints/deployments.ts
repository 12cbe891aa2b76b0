/** Deployments: their versions, rollouts, settings and history. */
import { z } from 'zod';
import {
  DeploymentSettingsPatch,
  DeploymentTraffic,
  DeploymentView,
  Name,
  RolloutPlan,
  TrafficRange,
} from '../resources/deployment.ts';
import type { NodeEndpoint } from '../endpoint.ts';
import { RolloutEvidence } from '../resources/fleet.ts';
import { HistoryKind, HistoryView } from '../resources/record.ts';
import { Before, Limit, VersionNumber } from './parameters.ts';

const NameParam = z.strictObject({ name: Name.describe('Name of the deployment.') });
const ocr = { name: 'ocr' };
/** Common fields of endpoints that read one deployment. */
const reading = {
  method: 'GET',
  scope: 'read',
  params: NameParam,
  errors: ['MODEL_UNKNOWN'],
} as const;
/** Codes of every change that loads a version. */
export const LOAD_ERRORS = [
  'MODEL_LOAD_FAILED',
  'MODEL_START_TIMEOUT',
  'MODEL_MEMORY',
  'FLEET_MEMORY',
  'COMPOSITION_INVALID',
  'DEVICE_UNAVAILABLE',
  'ROLLED_BACK',
  'ARTIFACT_CORRUPT',
] as const;

export const DEPLOYMENT_ENDPOINTS = {
  listDeployments: {
    method: 'GET',
    path: '/api/v1/deployments',
    summary: 'List the deployments with their state.',
    scope: 'read',
    response: z.object({ deployments: z.array(DeploymentView) }),
  },
  deploy: {
    method: 'POST',
    path: '/api/v1/deployments',
    summary: 'Deploy a version, or roll it out over the one that serves.',
    description:
      'Answers when the version is loaded and warm; a canary or shadow then continues in the background. Settings are merged over the current ones, or over the defaults for a new deployment.',
    scope: 'admin',
    body: z
      .strictObject({
        name: Name.describe('Name of the deployment and of its model.'),
        version: VersionNumber.describe('The version of the model to deploy.'),
        settings: DeploymentSettingsPatch.optional().describe(
          'Settings to change; absent ones keep their values, or have their defaults in a new deployment.',
        ),
        plan: RolloutPlan.optional().describe(
          'How the version replaces the current one; at once by default.',
        ),
      })
      .meta({ id: 'Deploy' }),
    response: DeploymentView,
    errors: [
      'MODEL_UNKNOWN',
      'VERSION_UNKNOWN',
      'DEPLOYMENT_INVALID',
      ...LOAD_ERRORS,
      'VERSION_SERVED',
      'ROLLOUT_IN_PROGRESS',
    ],
    example: {
      body: { name: 'risk', version: '2', settings: { objective: { latencyMs: 100 } } },
    },
  },
  checkDeploy: {
    method: 'POST',
    path: '/api/v1/deployments/{name}/check',
    summary: 'Check settings before a version is uploaded.',
    description:
      'Checks what `deploy` checks before it loads anything: the settings, the kind, and the cores that other deployments hold. Nothing is changed.',
    scope: 'admin',
    params: NameParam,
    body: z
      .strictObject({
        kind: z.enum(['onnx', 'composition']).describe('What is to be deployed.'),
        settings: DeploymentSettingsPatch.optional(),
      })
      .meta({ id: 'CheckDeploy' }),
    errors: ['DEPLOYMENT_INVALID'],
    example: { params: { name: 'risk' }, body: { kind: 'onnx', settings: { threads: 2 } } },
  },
  getDeployment: {
    ...reading,
    path: '/api/v1/deployments/{name}',
    summary: 'Show one deployment.',
    response: DeploymentView,
    example: { params: ocr },
  },
  changeSettings: {
    method: 'PATCH',
    path: '/api/v1/deployments/{name}',
    summary: 'Change settings of a deployment; absent settings keep their values.',
    scope: 'admin',
    params: NameParam,
    body: z.strictObject({ settings: DeploymentSettingsPatch }).meta({ id: 'ChangeSettings' }),
    response: DeploymentView,
    errors: ['MODEL_UNKNOWN', 'DEPLOYMENT_INVALID', ...LOAD_ERRORS, 'ROLLOUT_IN_PROGRESS'],
    example: { params: ocr, body: { settings: { replicas: { min: 1, max: 2 } } } },
  },
  undeploy: {
    method: 'DELETE',
    path: '/api/v1/deployments/{name}',
    summary: 'Drain and remove a deployment; its versions stay.',
    scope: 'admin',
    params: NameParam,
    errors: ['MODEL_UNKNOWN', 'DEPLOYMENT_INVALID'],
    example: { params: { name: 'risk' } },
  },
  rollback: {
    method: 'POST',
    path: '/api/v1/deployments/{name}/rollback',
    summary: 'Abort a rollout in progress, or take the last change of version or settings back.',
    scope: 'admin',
    params: NameParam,
    body: z
      .strictObject({
        reason: z
          .string()
          .min(1)
          .max(500)
          .describe('Reason for the history.')
          .default('asked for over the API'),
      })
      .meta({ id: 'Rollback' }),
    response: DeploymentView,
    errors: ['MODEL_UNKNOWN', ...LOAD_ERRORS, 'NOTHING_TO_ROLL_BACK'],
    example: { params: { name: 'risk' }, body: { reason: 'wrong threshold' } },
  },
  rolloutEvidence: {
    ...reading,
    path: '/api/v1/deployments/{name}/evidence',
    summary: 'Show what a rollout is, or was, decided on: what each member of the fleet has seen.',
    description:
      'Of the rollout in progress, or of the last one that this node took part in; null before the first.',
    response: z.object({ evidence: RolloutEvidence.nullable() }),
    example: { params: ocr },
  },
  deploymentTraffic: {
    ...reading,
    path: '/api/v1/deployments/{name}/traffic',
    summary: 'Traffic, latency and refusals of a deployment over the last hour or day.',
    query: z.strictObject({
      range: TrafficRange.default('hour').describe('What time to cover.'),
    }),
    response: DeploymentTraffic,
    example: { params: ocr, query: { range: 'day' } },
  },
  deploymentHistory: {
    ...reading,
    path: '/api/v1/deployments/{name}/history',
    summary: 'List the history of a deployment, newest first.',
    query: z.strictObject({ kind: HistoryKind.optional(), limit: Limit, before: Before }),
    response: z.object({ entries: z.array(HistoryView) }),
    example: { params: ocr, query: { kind: 'scaled' } },
  },
  listHistory: {
    method: 'GET',
    path: '/api/v1/history',
    summary: 'List the history of all deployments, newest first.',
    scope: 'read',
    query: z.strictObject({ kind: HistoryKind.optional(), limit: Limit, before: Before }),
    response: z.object({ entries: z.array(HistoryView) }),
    example: { query: { limit: '20' } },
  },
} as const satisfies Record<string, NodeEndpoint>;
