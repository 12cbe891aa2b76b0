/**
 * The service over HTTP:
 *
 *     token ─► body ─► record ─► inference ─► audit entry on the disk ─► answer
 *
 * Every call presents a token but those for the published codes and for liveness. Bodies and tokens are never
 * logged; the log of the process gets codes of errors alone.
 */
import { SkeinError } from '@skein/api';
import { readJson } from '@skein/api/foreign-json';
import { type NodeExchange, readBody, sendJson, sendText, SAFE_HEADERS } from '@skein/http';
import type { z } from 'zod';
import type { AuditLog } from '../audit/audit-log.ts';
import { recordOf } from '../fhir/bundle.ts';
import { PUBLISHED } from '../fhir/codes.ts';
import { riskAssessmentOf } from '../fhir/risk-assessment.ts';
import { cardOf } from '../hooks/card.ts';
import type { Issuer } from '../hooks/issuers.ts';
import { DISCOVERY, FeedbackRequest, HookRequest, SERVICE_ID } from '../hooks/messages.ts';
import { loadRecord } from '../hooks/patient-record.ts';
import { TokenRefused, type Tokens } from '../hooks/tokens.ts';
import type { Infer } from './inference.ts';
import type { RecordRefusal } from './refusals.ts';

const MAX_BODY_BYTES = 4 * 2 ** 20;
const BODY_TIMEOUT_MS = 30_000;

export interface RouteParts {
  readonly tokens: Tokens;
  readonly infer: Infer;
  readonly log: AuditLog;
  readonly refuse: RecordRefusal;
  readonly publicUrl: () => string;
}

/** An answer: a JSON body, or none with status 200. */
type Answer = { readonly type: string; readonly body: unknown } | undefined;
type Route = (issuer: Issuer, exchange: NodeExchange) => Promise<Answer>;

const HOOK_PATH = `/cds-services/${SERVICE_ID}`;
const JSON_TYPE = 'application/json';
const FHIR_TYPE = 'application/fhir+json';

const published: Readonly<Record<string, object>> = Object.fromEntries(
  Object.entries(PUBLISHED).map(([path, resource]) => [`GET /fhir/${path}`, resource]),
);

/** @returns answers an exchange; rejects with a SkeinError for every refusal. */
export function createHealthRoutes(parts: RouteParts): (exchange: NodeExchange) => Promise<void> {
  const { tokens, infer, log, refuse, publicUrl } = parts;

  const routes: Readonly<Record<string, Route>> = {
    'GET /cds-services': async () => ({ type: JSON_TYPE, body: DISCOVERY }),
    [`POST ${HOOK_PATH}`]: async (issuer, exchange) => {
      const request = validate(HookRequest, await bodyOf(exchange));
      const record = await loadRecord(request, issuer);
      const { id, assessment, entry } = await infer(record, {
        ...askedBy(issuer),
        user: request.context.userId,
        request: request.hookInstance,
      });
      const { answer } = assessment;
      const cards = answer === undefined ? [] : [cardOf(id, answer, entry, publicUrl())];
      return { type: JSON_TYPE, body: { cards } };
    },
    [`POST ${HOOK_PATH}/feedback`]: async (issuer, exchange) => {
      const { feedback } = validate(FeedbackRequest, await bodyOf(exchange));
      // A comment may name the patient, so it is not kept; its reason's code is.
      await Promise.all(
        feedback.map(({ card, outcome, overrideReason, outcomeTimestamp }) =>
          log.append({
            kind: 'feedback',
            caller: issuer.iss,
            card,
            outcome,
            ...(overrideReason?.reason === undefined ? {} : { reason: overrideReason.reason.code }),
            at: outcomeTimestamp,
          }),
        ),
      );
      return undefined;
    },
    'POST /fhir/$assess-heart': async (issuer, exchange) => {
      const record = recordOf(await bodyOf(exchange));
      const { id, assessment, inputs, entry } = await infer(record, askedBy(issuer));
      const context = {
        id,
        subject: record.reference,
        inputs,
        site: issuer.site,
        version: entry.facts.kind === 'inference' ? entry.facts.version : '',
        at: entry.recorded,
      };
      return { type: FHIR_TYPE, body: riskAssessmentOf(assessment, context) };
    },
  };

  async function callerOf(exchange: NodeExchange, path: string): Promise<Issuer> {
    try {
      return await tokens.verify(exchange.request.headers.authorization, `${publicUrl()}${path}`);
    } catch (error) {
      if (!(error instanceof TokenRefused)) throw error;
      await refuse(`token: ${error.message}`);
      throw new SkeinError('HEALTH_TOKEN', 'The token is not accepted.');
    }
  }

  return async (exchange) => {
    const { method = 'GET', url = '/' } = exchange.request;
    const path = url.split('?', 1)[0]!;
    if (method === 'GET' && path === '/health') return sendJson(exchange, 200, { status: 'ok' });
    const name = `${method} ${path}`;
    if (Object.hasOwn(published, name)) {
      return send(exchange, { type: FHIR_TYPE, body: published[name] });
    }
    const route = Object.hasOwn(routes, name) ? routes[name] : undefined;
    if (route === undefined) {
      throw new SkeinError(
        'ROUTE_UNKNOWN',
        `There is no ${method} ${JSON.stringify(path.slice(0, 200))}.`,
      );
    }
    const issuer = await callerOf(exchange, path);
    try {
      send(exchange, await route(issuer, exchange));
    } catch (error) {
      // HEALTH_AUDIT: the entry would fail too.
      if (error instanceof SkeinError && error.code !== 'HEALTH_AUDIT') {
        await refuse(error.code, issuer.iss);
      }
      throw error;
    }
  };

  function askedBy({ iss, site }: Issuer) {
    return { caller: iss, site };
  }
}

function send(exchange: NodeExchange, answer: Answer): void {
  const headers = ['Cache-Control', 'no-store'];
  if (answer !== undefined) {
    sendText(exchange, 200, answer.type, JSON.stringify(answer.body), headers);
    return;
  }
  const { response, id } = exchange;
  response.writeHead(200, [
    ...headers,
    ...SAFE_HEADERS,
    'Content-Length',
    '0',
    'X-Request-Id',
    id,
    ...exchange.headers,
  ]);
  response.end();
}

async function bodyOf(exchange: NodeExchange): Promise<unknown> {
  const limits = { maxBodyBytes: MAX_BODY_BYTES, bodyTimeoutMs: BODY_TIMEOUT_MS };
  return readJson(await readBody(exchange, limits));
}

/** Names the member but never its value, which may be a patient's. */
function validate<Schema extends z.ZodType>(schema: Schema, given: unknown): z.output<Schema> {
  const result = schema.safeParse(given);
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0]!;
  throw new SkeinError('REQUEST_INVALID', `${['body', ...path].join('.')}: ${message}.`);
}
