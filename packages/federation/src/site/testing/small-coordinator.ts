/**
 * A coordinator of one site, which a test scripts message by message. It speaks the real protocol
 * over a connection inside the process.
 */
import { createIdentity, type Identity, isSignedBy } from '../../identity/keys.ts';
import { randomHex } from '@skein/api/signing-key';
import { expectKind, type Greeting } from '../../identity/handshake.ts';
import type { Invitation } from '../../identity/invitation.ts';
import type { Plan } from '../../plan/plan.ts';
import { type Arrival, type Channel, openChannel } from '../../transport/channel.ts';
import { memoryChunks } from '../../transport/chunks.ts';
import { type Connection, connectionPair } from '../../transport/connection.ts';

export interface SmallCoordinator {
  readonly identity: Identity;
  readonly invitation: Invitation;
  /** Serves a site; `served` gets the coordinator's end when the site has accepted the plan. */
  readonly serve: (connection: Connection) => Promise<void>;
  readonly connect: () => Promise<Connection>;
}

export async function smallCoordinator(options: {
  /** The plan that a connection is shown. */
  readonly plan: Plan | (() => Plan);
  readonly model: Uint8Array<ArrayBuffer>;
  readonly served: (channel: Channel, arrive: () => Promise<Arrival | undefined>) => Promise<void>;
}): Promise<SmallCoordinator> {
  const identity = await createIdentity();
  const invitation: Invitation = {
    run: 'run-1',
    coordinator: identity.key,
    id: 'a'.repeat(16),
    secret: 'b'.repeat(64),
  };
  const { plan, model, served } = options;

  async function serve(connection: Connection): Promise<void> {
    const channel = openChannel(connection, memoryChunks(2 ** 26));
    const hello = await expectKind(channel, 'hello');
    const greeting: Greeting = {
      run: hello.run,
      site: hello.key,
      coordinator: identity.key,
      siteNonce: hello.nonce,
      coordinatorNonce: randomHex(32),
    };
    await channel.send({
      kind: 'challenge',
      key: identity.key,
      nonce: greeting.coordinatorNonce,
      signature: await identity.sign('challenge', greeting),
    });
    const prove = await expectKind(channel, 'prove');
    if (!(await isSignedBy(hello.key, 'prove', greeting, prove.signature))) throw new Error('key');
    const shown = typeof plan === 'function' ? plan() : plan;
    await channel.send({ kind: 'welcome', name: 'A', role: 'site', plan: shown });
    await expectKind(channel, 'accept');
    async function arrive(): Promise<Arrival | undefined> {
      for (;;) {
        const arrival = await channel.receive();
        if (arrival?.message.kind !== 'fetch') return arrival;
        await channel.send({ kind: 'content' }, model);
      }
    }
    await served(channel, arrive);
  }

  return {
    identity,
    invitation,
    serve,
    async connect() {
      const [here, there] = connectionPair();
      // A site that leaves ends its connection; the test itself checks its expectations.
      serve(there).catch(() => {});
      return here;
    },
  };
}
