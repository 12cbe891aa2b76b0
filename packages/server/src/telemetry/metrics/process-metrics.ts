/** Resource use of the process, under the names of Prometheus' own client libraries. */
import { readdirSync } from 'node:fs';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { labelled, type Exposition } from '@skein/http';

/** Interval of a timer that measures its own delay. */
const RESOLUTION_MS = 10;
const QUANTILES = [0.5, 0.99, 0.999, 1] as const;

export function createProcessMetrics(skeinVersion: string) {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  const build = labelled({ version: skeinVersion, node: process.version });
  return {
    expose(into: Exposition): void {
      const { user, system } = process.cpuUsage();
      const memory = process.memoryUsage();
      const loop = performance.eventLoopUtilization();

      into.family('skein_build_info', 'gauge', 'Always 1; the labels name the build.');
      into.sample(build, 1);
      into.family('process_cpu_seconds_total', 'counter', 'CPU time used, in seconds.');
      into.sample('', (user + system) / 1e6);
      into.family('process_start_time_seconds', 'gauge', 'Start, in seconds since 1970.');
      into.sample('', performance.timeOrigin / 1000);
      into.family('process_resident_memory_bytes', 'gauge', 'Resident memory, in bytes.');
      into.sample('', memory.rss);
      into.family('nodejs_heap_size_used_bytes', 'gauge', 'JavaScript heap in use, in bytes.');
      into.sample('', memory.heapUsed);
      into.family('nodejs_external_memory_bytes', 'gauge', 'Memory of buffers, in bytes.');
      into.sample('', memory.external);
      const files = openFiles();
      if (files !== undefined) {
        into.family('process_open_fds', 'gauge', 'Open file descriptors.');
        into.sample('', files);
      }
      into.family(
        'nodejs_eventloop_active_seconds_total',
        'counter',
        'Time the event loop was busy, in seconds; its rate is the utilisation.',
      );
      into.sample('', loop.active / 1000);
      into.family(
        'nodejs_eventloop_lag_seconds',
        'gauge',
        'Quantiles of how late timers fired since the last scrape, in seconds.',
      );
      for (const quantile of QUANTILES) {
        const late = delay.percentile(quantile * 100) / 1e9 - RESOLUTION_MS / 1000;
        into.sample(
          labelled({ quantile: String(quantile) }),
          delay.count === 0 ? 0 : Math.max(0, late),
        );
      }
      delay.reset();
    },
    close(): void {
      delay.disable();
    },
  };
}

function openFiles(): number | undefined {
  try {
    // One of them is the descriptor of this folder.
    return readdirSync('/proc/self/fd').length - 1;
  } catch {
    return undefined;
  }
}
