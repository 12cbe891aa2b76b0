/**
 * Logs the events of the serving plane. At level `info`: changes of replicas, and refusals under
 * load as one line per deployment, reason and second, because a line per refusal would itself
 * overload the node. At `debug`: every request.
 */
import type { ErrorCode } from '@skein/api';
import type { ServingObserver } from '@skein/serving';

/** The used methods of a pino logger. */
export interface AccessLogger {
  isLevelEnabled(level: 'debug'): boolean;
  debug(details: object, message: string): void;
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
}

const SUMMARY_MS = 1000;

export function accessLog(logger: AccessLogger): ServingObserver {
  /** Refusals since the last line, by deployment and code. */
  let refusals = new Map<string, Map<ErrorCode, number>>();
  let summary: NodeJS.Timeout | undefined;

  function summarise(): void {
    const finished = refusals;
    refusals = new Map();
    summary = undefined;
    for (const [deployment, codes] of finished) {
      for (const [code, count] of codes) {
        logger.warn({ deployment, code, count }, `Refused ${count} of "${deployment}": ${code}.`);
      }
    }
  }

  return {
    answered(request, answer, finishedAt) {
      if (!logger.isLevelEnabled('debug')) return;
      logger.debug(
        {
          requestId: request.id,
          deployment: request.deployment,
          version: answer.version,
          protocol: request.protocol,
          tenant: request.tenant,
          totalMs: finishedAt - request.arrivedAt,
          queueMs: answer.times.queueMs,
          computeMs: answer.times.computeMs,
          batchRows: answer.times.batchRows,
          cached: answer.cached,
          inTime: finishedAt <= request.deadline,
        },
        'answered',
      );
    },

    refused(request, error, at) {
      if (logger.isLevelEnabled('debug')) {
        const { id: requestId, deployment, protocol, tenant, arrivedAt } = request;
        const { code } = error;
        logger.debug(
          { requestId, deployment, protocol, tenant, code, totalMs: at - arrivedAt },
          'refused',
        );
      }
      if (error.row.kind === 'user') return;
      let codes = refusals.get(request.deployment);
      if (codes === undefined) refusals.set(request.deployment, (codes = new Map()));
      codes.set(error.code, (codes.get(error.code) ?? 0) + 1);
      summary ??= setTimeout(summarise, SUMMARY_MS).unref();
    },

    batchRan() {},

    replicaChanged(deployment, version, { id, state, failure, runs }) {
      const details = { deployment, version, replica: id, state, runs };
      if (failure !== undefined) {
        logger.warn({ ...details, failure }, `Replica ${id} of "${deployment}" was lost.`);
      } else if (state === 'ready' || state === 'gone') {
        logger.info(details, `Replica ${id} of "${deployment}" is ${state}.`);
      }
    },
  };
}
