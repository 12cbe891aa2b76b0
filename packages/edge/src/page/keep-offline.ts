/** Keeps the files of a page, so that it starts without a network. Bundles are kept by `createEdge`. */

/**
 * Registers the script of `serviceWorker`. Resolves when all files are kept: from then on the page starts offline. Call it when
 * the page begins: where a new release of the files waits and no other page is open, the page is loaded again with it.
 * @param script its address; it decides below which address pages are kept.
 * @throws Error where the browser has no service workers, or a file cannot be read.
 */
export async function keepOffline(script: string | URL): Promise<void> {
  const { serviceWorker } = navigator;
  const registration = await serviceWorker.register(script, { updateViaCache: 'none' });
  if (registration.waiting !== null && serviceWorker.controller !== null) {
    serviceWorker.addEventListener('controllerchange', () => location.reload(), { once: true });
    registration.waiting.postMessage('take over', []);
  }
  const worker = registration.active ?? registration.waiting ?? registration.installing!;
  await new Promise<void>((resolve, reject) => {
    const look = (): void => {
      if (worker.state === 'activated') resolve();
      if (worker.state === 'redundant') reject(new Error('The files of the page cannot be kept.'));
    };
    worker.addEventListener('statechange', look);
    look();
  });
}
